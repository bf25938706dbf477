/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats.c: corral_stats(): the arena's numbers as rows with names, for callers that know none of
 * our structs. The numbers are those of inspect_summary(), the counters and the header.
 *
 * All of them come from memory, but for one: whether an agent runs is asked of the kernel, which
 * alone knows it. Processes are counted by their records, so one that died counts until the agent
 * has buried it.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "api/handle.h"
#include "api/remote.h"
#include "arena/descriptor.h"
#include "arena/latency.h"
#include "arena/stat.h"
#include "base/atomic.h"
#include "inspect/walk.h"

struct rows {
	struct corral_stat *rows;
	size_t max;
	size_t count;
};

static void put(struct rows *to, enum corral_stat_kind kind, const char *name, const char *unit,
		const char *help, uint64_t value)
{
	if (to->count < to->max)
		to->rows[to->count] = (struct corral_stat){ .name = name,
							    .unit = unit,
							    .help = help,
							    .value = (int64_t)value,
							    .kind = kind };
	to->count++;
}

static void now(struct rows *to, const char *name, const char *unit, const char *help,
		uint64_t value)
{
	put(to, CORRAL_STAT_NOW, name, unit, help, value);
}

static void put_carts(struct rows *to, const struct arena_header *h,
		      const struct inspect_totals *totals)
{
	now(to, "carts_open", "carts", "carts that can be changed", totals->carts_open);
	now(to, "carts_checked_out", "carts", "carts that are checked out",
	    totals->carts_checked_out);
	now(to, "carts_ending", "carts", "carts that ended, and whose memory is not free yet",
	    totals->carts_ending);
	now(to, "carts_damaged", "carts", "of these, those that the agent found to be damaged",
	    totals->carts_damaged);
	now(to, "max_carts", "carts", "carts there can be at once", load_relaxed(&h->max_carts));
	now(to, "ttl_ms", "ms", "time to live of carts that have none of their own",
	    load_relaxed(&h->ttl_ns) / 1000000);
	now(to, "counted_ms", "ms since 1970", "when the agent last went over all carts",
	    (uint64_t)load_relaxed(&h->counted_ms));
}

static void put_memory(struct rows *to, const struct arena_header *h,
		       const struct inspect_totals *totals)
{
	now(to, "arena_bytes", "bytes", "size of the arena", load_relaxed(&h->arena_bytes));
	now(to, "fixed_bytes", "bytes", "tables of fixed size in it", totals->fixed_bytes);
	now(to, "span_bytes", "bytes", "memory in use for blocks of any state", totals->span_bytes);
	now(to, "cart_bytes", "bytes", "the carts themselves, when they were counted",
	    totals->cart_bytes);
	now(to, "live_bytes", "bytes", "the blocks that hold them", totals->live_bytes);
	now(to, "free_bytes", "bytes", "blocks that are free", totals->free_bytes);
	now(to, "cached_bytes", "bytes", "free blocks that threads keep for themselves",
	    totals->cached_bytes);
	now(to, "retired_bytes", "bytes", "former versions that wait for readers",
	    totals->retired_bytes);
	now(to, "lane_bytes", "bytes", "events of threads that have no number yet",
	    totals->lane_bytes);
	now(to, "ends_bytes", "bytes", "last versions of carts that ended, kept for the feed",
	    totals->ends_bytes);
}

static void put_processes(struct rows *to, const struct inspect_totals *totals)
{
	now(to, "processes", "processes",
	    "processes that have the arena open, or died since the agent last looked",
	    totals->processes);
	now(to, "threads", "threads", "threads that have a record", totals->threads);
	now(to, "readers", "threads", "threads that have a view open", totals->readers);
	now(to, "readers_stalled", "threads",
	    "of these, those for whom memory has waited for a second or longer",
	    totals->readers_stalled);
	now(to, "readers_stalled_ms", "ms", "the longest time that memory has waited for one",
	    (uint64_t)totals->readers_stalled_ms);
	now(to, "held_back_bytes", "bytes", "memory that waits for the oldest of them",
	    totals->held_back_bytes);
	now(to, "locks_held", "locks", "locks that are held", totals->locks_held);
}

static void put_journal(struct rows *to, const struct arena_header *h)
{
	now(to, "journal_mode", "mode", "0: no journal; 1: --journal TIME; 2: --journal sync",
	    load_relaxed(&h->journal));
	now(to, "journal_ms", "ms", "how often changes are written", load_relaxed(&h->journal_ms));
	now(to, "journal_error", "-errno", "why nothing becomes durable; 0: it does",
	    (uint64_t)(int64_t)load_relaxed(&h->journal_error));
	now(to, "journal_since_ms", "ms since 1970", "since when there is that error",
	    (uint64_t)load_relaxed(&h->journal_since_ms));
	now(to, "journal_synced_ms", "ms since 1970", "what had changed until then is on disk",
	    (uint64_t)load_relaxed(&h->journal_synced_ms));
	now(to, "journal_file", "number", "the file that is written",
	    load_relaxed(&h->journal_number));
	now(to, "journal_base", "number",
	    "the file with the last base; 0: the journal has not been begun",
	    load_relaxed(&h->journal_base));
	put(to, CORRAL_STAT_TOTAL, "journal_syncs", "syncs", "syncs of the disk",
	    load_relaxed(&h->journal_syncs));
}

static void put_feed(struct rows *to, struct inspect *inspect)
{
	struct inspect_feed feed;

	inspect_feed(inspect, &feed);
	now(to, "feed_on", "0 or 1", "changes and ends of carts are told as events", feed.on);
	now(to, "feed_oldest", "number", "the oldest event that can be read", feed.oldest);
	now(to, "feed_next", "number", "what the next event gets", feed.next);
	now(to, "feed_room", "events", "so many can be read at most", feed.room);
	now(to, "feed_lanes", "threads", "threads that keep events until they have numbers",
	    feed.lanes);
	now(to, "feed_lane_room", "events", "each of them so many at most", feed.lane_room);
	put(to, CORRAL_STAT_TOTAL, "feed_lost", "events",
	    "events that were overwritten before they had numbers", feed.lost);
	now(to, "feed_ends", "ends", "ends of carts that are kept", feed.ends);
	now(to, "feed_ends_room", "ends", "so many can be kept at most", feed.ends_room);
	put(to, CORRAL_STAT_TOTAL, "feed_ends_lost", "ends",
	    "ends that were let go before each cursor had acknowledged them", feed.ends_lost);
	now(to, "feed_cursors", "cursors", "readers of events that are kept", feed.cursors);
}

static void put_counters(struct rows *to, const struct inspect *inspect)
{
	uint64_t sums[STAT_SLOTS];

	inspect_counters(inspect, sums);
#define STAT(name, unit, line) put(to, CORRAL_STAT_TOTAL, #name, unit, line, sums[STAT_##name]);
#include "arena/stat.def"
#undef STAT
	put(to, CORRAL_STAT_TOTAL, "deaths", "processes",
	    "processes that died without detaching, and were cleaned up after",
	    load_relaxed(&inspect->arena.header->deaths));
}

static void put_all(struct rows *to, struct inspect *inspect, const struct inspect_totals *totals,
		    bool agent_up)
{
	const struct arena_header *h = inspect->arena.header;

	now(to, "agent_up", "0 or 1", "an agent has the directory", agent_up);
	put_carts(to, h, totals);
	put_memory(to, h, totals);
	put_processes(to, totals);
	put_journal(to, h);
	put_feed(to, inspect);
	put_counters(to, inspect);
}

/* A descriptor of DIR/lock, for that one question. It is the share's, or, where that has none, one
 * to be closed. */
static int open_lock(const struct share *share)
{
	if (!share->unregistered)
		return descriptor_is(share->life.fd, &share->life.id) ? share->life.fd : -EBADF;
	int fd = descriptor_open(share->arena.dir_fd, ARENA_LOCK_FILE,
				 O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	return fd >= 0 ? fd : -errno;
}

/*
 * The rows of a handle to an engine: what this handle has done, and what the engine's servers
 * report.
 */
static int remote_stats(struct corral *corral, struct rows *to)
{
	const uint64_t *counts = corral->remote->counts;
	struct engine_about about;
	int r = remote_about(corral, &about);

	if (r < 0)
		return r;
	now(to, "carts_open", "carts", "carts, and carts that ended within the last hour",
	    (uint64_t)about.keys);
	now(to, "masters", "servers", "servers that take changes", (uint64_t)about.masters);
	now(to, "replicas", "servers", "the least replicas that a master has; -1: not known",
	    (uint64_t)about.replicas);
	now(to, "replicas_wanted", "servers", "replicas that a change waits for, at the least",
	    corral->remote->settings.replicas);
	now(to, "appendonly", "0 or 1", "all masters write their file; -1: not known",
	    (uint64_t)about.appendonly);
	now(to, "noeviction", "0 or 1",
	    "no master drops carts when its memory is full; -1: not known",
	    (uint64_t)about.noeviction);
	/* relaxed: figures */
	put(to, CORRAL_STAT_TOTAL, "changes", "changes", "changes of this handle",
	    load_relaxed(&counts[REMOTE_CHANGES]));
	put(to, CORRAL_STAT_TOTAL, "repeats", "changes",
	    "changes that had been made before, and were not made again",
	    load_relaxed(&counts[REMOTE_REPEATS]));
	put(to, CORRAL_STAT_TOTAL, "conflicts", "times",
	    "a change was made anew since another came first",
	    load_relaxed(&counts[REMOTE_CONFLICTS]));
	put(to, CORRAL_STAT_TOTAL, "sent_again", "times",
	    "a change was sent again since no server took it", load_relaxed(&counts[REMOTE_AGAIN]));
	put(to, CORRAL_STAT_TOTAL, "refused_full", "changes",
	    "refused: the server's memory is full", load_relaxed(&counts[REMOTE_FULL]));
	put(to, CORRAL_STAT_TOTAL, "refused_busy", "changes",
	    "refused: others came first for too long", load_relaxed(&counts[REMOTE_BUSY]));
	return 0;
}

static struct inspect inspect_of(const struct corral *corral)
{
	return (struct inspect){ .arena = corral->arena,
				 .file_bytes = corral->arena.bytes,
				 .readable = true,
				 .by_records = true };
}

/* Add up the latencies of all processes with this pid; pid 0: of all thread records. 0, -ENOENT. */
static int latency_of_pid(const struct corral *corral, int32_t pid, struct corral_latency *ret_sum)
{
	const struct inspect inspect = inspect_of(corral);
	const struct arena *arena = &corral->arena;
	const uint32_t high = (uint32_t)min_u64(load_relaxed(&arena->header->processes_high),
						arena->max_processes);
	struct corral_latency one;
	int r = -ENOENT;

	if (pid == 0) {
		inspect_latency(&inspect, ret_sum);
		return 0;
	}
	memset(ret_sum, 0, sizeof(*ret_sum));
	for (uint32_t number = 0; number < high; number++) {
		const struct process_record *record = &arena->processes[number];
		if (load_relaxed(&record->state) == PROCESS_FREE ||
		    load_relaxed(&record->pid) != pid)
			continue;
		inspect_latency_of(&inspect, number, &one);
		ret_sum->changes += one.changes;
		ret_sum->total_ns += one.total_ns;
		for (uint32_t i = 0; i < CORRAL_LATENCY_BUCKETS; i++)
			ret_sum->counts[i] += one.counts[i];
		r = 0;
	}
	return r;
}

static int latency(struct corral *corral, int32_t pid, struct corral_latency *ret_latency)
{
	struct corral_latency sum;
	struct actor *actor;

	if (corral->remote != NULL)
		return -EOPNOTSUPP;
	int r = corral->share->unregistered ? 0 : handle_actor(corral, &actor);
	if (r == 0) {
		const int found = latency_of_pid(corral, pid, &sum);
		r = handle_verdict(corral, 0);
		r = r == 0 ? found : r;
	}
	if (r == 0)
		*ret_latency = sum;
	return r;
}

int corral_latency(struct corral *corral, struct corral_latency *ret_latency)
{
	return latency(corral, 0, ret_latency);
}

int corral_latency_of(struct corral *corral, int32_t pid, struct corral_latency *ret_latency)
{
	return pid > 0 ? latency(corral, pid, ret_latency) : -EINVAL;
}

uint64_t corral_latency_bound_ns(uint32_t bucket)
{
	return bucket < CORRAL_LATENCY_BUCKETS - 1 ? latency_least_ns(bucket + 1) : UINT64_MAX;
}

/* Within a bucket, as if its changes were spread evenly. */
uint64_t corral_latency_ns(const struct corral_latency *latency, uint32_t millionths)
{
	const double share = millionths < 1000000 ? millionths / 1e6 : 1.0;
	double rank = (double)latency->changes * share;
	uint32_t bucket = 0;

	if (latency->changes == 0)
		return 0;
	while (bucket < CORRAL_LATENCY_BUCKETS - 1 && rank > (double)latency->counts[bucket])
		rank -= (double)latency->counts[bucket++];
	const double least = (double)latency_least_ns(bucket);
	const double bound = (double)latency_least_ns(bucket + 1);
	const double count = (double)latency->counts[bucket];
	const double part = count > rank ? rank / count : 1.0;
	return (uint64_t)(least + (bound - least) * part);
}

int corral_stats(struct corral *corral, struct corral_stat *ret_rows, size_t max, size_t *ret_count)
{
	const struct share *share = corral->share;
	struct inspect inspect = inspect_of(corral);
	struct rows to = { .rows = ret_rows, .max = max };
	struct inspect_totals totals;
	struct actor *actor;
	int r = corral->remote != NULL ? remote_stats(corral, &to) : 0;

	if (r < 0)
		return r;
	if (corral->remote != NULL) {
		*ret_count = to.count;
		return 0;
	}
	r = share->unregistered ? handle_verdict(corral, 0) : handle_actor(corral, &actor);

	if (r < 0)
		return r;
	inspect.lock_fd = open_lock(share);
	if (inspect.lock_fd < 0)
		return inspect.lock_fd;
	r = inspect_summary(&inspect, &totals);
	if (r == 0)
		put_all(&to, &inspect, &totals, share->is_agent || inspect_agent_lives(&inspect));
	if (share->unregistered)
		close(inspect.lock_fd);
	r = handle_verdict(corral, r);
	if (r == 0)
		*ret_count = to.count;
	return r;
}
