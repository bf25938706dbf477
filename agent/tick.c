/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tick.c: what the agent does four times a second. Each part is bounded and waits for no lock that
 * a worker may hold: locks are tried, grace periods polled, and what is busy is left to the next
 * tick.
 */
#include <errno.h>

#include "agent.h"
#include "arena/filesystem.h"
#include "arena/stat.h"
#include "base/atomic.h"
#include "memory/block.h"
#include "memory/pressure.h"
#include "memory/retire.h"
#include "store/feed.h"
#include "store/feed_ends.h"
#include "store/repair.h"
#include "sync/death_log.h"

#define AGAIN_LEAST_MS 10000     /* an arena is not taken up again more often */
#define DISK_TICKS 240           /* a minute */
#define QUIET_TICKS 20           /* this long without a change is a good time to scavenge */
#define FEED_MOST 65536u         /* events at a tick */
#define TRIM_LEAST (16ull << 20) /* less is not worth the cost of reserving it again */
#define TRIM_MOST (64ull << 20)  /* per tick: a worker that needs a new span waits for it */

/*
 * Log the deaths: those that we repaired, and those that workers repaired, also while no agent ran.
 */
static void log_deaths(struct arena *arena)
{
	struct arena_header *h = arena->header;
	uint64_t count = death_log_count(arena);
	uint64_t logged = h->deaths_logged;
	char text[DEATH_TEXT_BYTES];
	struct death death;

	if (logged > count || count - logged > DEATHS_KEPT)
		logged = count < DEATHS_KEPT ? 0 : count - DEATHS_KEPT;
	for (; logged < count; logged++) {
		if (!death_log_read(arena, logged + 1, &death))
			continue;
		death_log_describe(&death, text);
		log_line(LOG_INFO,
			 "pid %d (%.40s, record %u, %u thread%s) is gone without detaching: %s "
			 "(cleaned up by pid %d)",
			 death.pid, death.program, death.process, death.threads,
			 death.threads == 1 ? "" : "s", text, death.repairer_pid);
	}
	h->deaths_logged = count;
}

uint64_t agent_sum_of(const struct arena *arena, uint32_t index)
{
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
	uint64_t sum = 0;

	for (uint32_t number = 0; number < high; number++)
		sum += load_relaxed(&arena->threads[number].stat[index]);
	return sum;
}

/*
 * Would most of the reserved space be free without the last versions of ended carts? They may lie
 * behind the last span in use, and no disk space is given back. They go, unless a cursor needs
 * them.
 */
static bool let_ends_go(struct agent *agent)
{
	const struct arena_header *h = agent->actor->arena->header;
	/* relaxed: counters */
	const uint64_t reserved = (uint64_t)load_relaxed(&h->reserved_pages) * PAGE_BYTES;
	const uint64_t used = (uint64_t)load_relaxed(&h->pages_used) * PAGE_BYTES;
	const uint64_t without = used - min_u64(used, load_relaxed(&h->ends_bytes));

	if (without + TRIM_LEAST > reserved || without > reserved / 2 ||
	    !feed_ends_relieve(agent->actor))
		return false;
	block_flush(agent->actor);
	return block_scavenge(agent->actor) > 0;
}

/*
 * Give back a part of the disk space behind the last span; the rest, or what is busy now, follows
 * at the next tick.
 */
static void trim(struct agent *agent)
{
	int64_t bytes = block_trim(agent->actor, TRIM_LEAST, TRIM_MOST);

	if (bytes == 0 && let_ends_go(agent))
		bytes = block_trim(agent->actor, TRIM_LEAST, TRIM_MOST);
	if (bytes > 0)
		log_line(LOG_DEBUG, "gave %lld bytes of disk space back", (long long)bytes);
	if (bytes > 0 || bytes == -EBUSY)
		agent->trim_ticks = 1;
}

/*
 * In quiet times give back spans that are all free, so that other size classes can use them; and if
 * it stays quiet, disk space behind the last span.
 */
static void scavenge_when_quiet(struct agent *agent)
{
	const struct arena *arena = agent->actor->arena;
	uint64_t changes = agent_sum_of(arena, STAT_changes);
	uint64_t reclaimed = agent_sum_of(arena, STAT_reclaimed);

	agent->quiet_ticks = changes == agent->changes_seen ? agent->quiet_ticks + 1 : 0;
	agent->changes_seen = changes;
	if (agent->quiet_ticks < QUIET_TICKS)
		return;
	if (reclaimed != agent->scavenged_at) {
		agent->scavenged_at = reclaimed;
		agent->trim_ticks = QUIET_TICKS;
		uint32_t pages = block_scavenge(agent->actor);
		if (pages > 0)
			log_line(LOG_DEBUG, "gave %u pages back", pages);
	} else if (agent->trim_ticks > 0 && --agent->trim_ticks == 0) {
		trim(agent);
	}
}

/* No process may go on with carts that new processes do not see. */
static void give_arena_up(struct agent *agent, const char *why)
{
	log_line(LOG_ERROR, "%s: %s; it is withdrawn from all who are attached; stopping",
		 agent->directory, why);
	arena_withdraw(agent->actor->arena);
	agent->exit_code = EXIT_ARENA;
	agent->stopping = true;
}

/*
 * A worker withdrew the arena: it found that the file was missing at a time when we did not look,
 * or a disk failed. Now the file is there. No process can use it until it has been verified, which
 * is what taking up a withdrawn arena does. One that is withdrawn again and again is left to
 * people.
 */
static void take_it_up_anew(struct agent *agent)
{
	agent->stopping = true;
	agent->again = agent->again_ms == 0 || arena_wall_ms() - agent->again_ms > AGAIN_LEAST_MS;
	agent->exit_code = EXIT_ARENA;
	if (agent->again)
		log_line(LOG_WARNING,
			 "%s: the arena was withdrawn, and its file is here: verifying it and "
			 "taking it up anew",
			 agent->directory);
	else
		log_line(LOG_ERROR,
			 "%s: the arena was withdrawn again within %d s of being taken up anew; "
			 "stopping",
			 agent->directory, AGAIN_LEAST_MS / 1000);
}

/* A reflink copy of the arena, which can be made at any time, ends the reservation of its space. */
static void look_at_disk(struct agent *agent)
{
	const struct arena *arena = agent->actor->arena;

	if (++agent->disk_ticks < DISK_TICKS)
		return;
	agent->disk_ticks = 0;
	if (filesystem_unshare(arena->fd, arena->bytes) == 1)
		log_line(LOG_INFO, "parts of the arena were shared with a copy of it; they are "
				   "its own now");
}

void agent_tick(struct agent *agent)
{
	struct arena *arena = agent->actor->arena;
	char why[REASON_BYTES];

	if (arena_still_there(arena, why) < 0) {
		give_arena_up(agent, why);
		return;
	}
	if (arena_withdrawn(arena)) {
		take_it_up_anew(agent);
		return;
	}
	store_relaxed(&arena->header->heartbeat_ns, arena_now_ns(arena));
	note(&agent->actor->record->intent.since_ns, arena_now_ns(arena));
	agent->buried += alive_bury_all(arena, agent->actor->life, repair_process);
	log_deaths(arena);
	if (agent->in_background)
		log_follow(agent->dir_fd);
	log_tick();
	sweep_some(agent);
	agent_turn_feed(agent);
	/* for readers that come later: the lanes are small */
	(void)feed_number(agent->actor, FEED_MOST, NULL);
	usage_watch(agent);
	stalled_watch(agent, block_reclaim_all(agent->actor));
	scavenge_when_quiet(agent);
	look_at_disk(agent);
}
