/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics.c: the arena's numbers in Prometheus' text format (version 0.0.4) or in that of
 * OpenMetrics (1.0.0): for each metric its HELP, its TYPE and its values together. All are read
 * from the arena, so they need no agent.
 *
 * Names end in their unit, counters in _total. Times are in seconds, as Prometheus wants them.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena/stat.h"
#include "aside.h"
#include "sections.h"

/* In OpenMetrics a counter is called without the _total that its value has. */
static int family_size(const struct metrics *to, const char *name)
{
	static const char total[] = "_total";
	const size_t size = strlen(name);
	const size_t end = sizeof(total) - 1;

	return (int)(to->open && size > end && strcmp(name + size - end, total) == 0 ? size - end :
										       size);
}

void metrics_begin(const struct metrics *to, const char *name, const char *type, const char *help)
{
	const int size = family_size(to, name);

	fprintf(to->to, "# HELP corral_%.*s %s\n# TYPE corral_%.*s %s\n", size, name, help, size,
		name, type);
}

void metrics_gauge(const struct metrics *to, const char *name, const char *help, uint64_t value)
{
	metrics_begin(to, name, "gauge", help);
	fprintf(to->to, "corral_%s %" PRIu64 "\n", name, value);
}

void metrics_counter(const struct metrics *to, const char *name, const char *help, uint64_t value)
{
	metrics_begin(to, name, "counter", help);
	fprintf(to->to, "corral_%s %" PRIu64 "\n", name, value);
}

void metrics_seconds(const struct metrics *to, const char *name, const char *help, int64_t ms)
{
	uint64_t positive = ms > 0 ? (uint64_t)ms : 0;

	metrics_begin(to, name, "gauge", help);
	fprintf(to->to, "corral_%s %" PRIu64 ".%03u\n", name, positive / 1000,
		(unsigned)(positive % 1000));
}

void metrics_labelled(const struct metrics *to, const char *name, const char *label,
		      const char *text, uint64_t value)
{
	fprintf(to->to, "corral_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, text, value);
}

static void put_counters(const struct metrics *to, struct inspect *inspect)
{
	uint64_t sums[STAT_SLOTS];

	inspect_counters(inspect, sums);
#define STAT(name, unit, line) metrics_counter(to, #name "_total", line, sums[STAT_##name]);
#include "arena/stat.def"
#undef STAT
	metrics_counter(to, "deaths_total",
			"processes that died without detaching, and were cleaned up after",
			inspect_header(inspect)->deaths);
}

/* A power of two has four buckets; only each fourth is told. */
static void put_latency(const struct metrics *to, struct inspect *inspect)
{
	const char *name = "change_duration_seconds";
	struct corral_latency latency;
	uint64_t below = 0;

	inspect_latency(inspect, &latency);
	metrics_begin(
		to, name, "histogram",
		"how long changes took, from call to return; of many in a row a sample, weighted");
	for (uint32_t i = 0; i < CORRAL_LATENCY_BUCKETS - 1; i++) {
		const uint64_t bound_ns = corral_latency_bound_ns(i);
		below += latency.counts[i];
		if ((bound_ns & (bound_ns - 1)) == 0)
			fprintf(to->to, "corral_%s_bucket{le=\"%" PRIu64 ".%09u\"} %" PRIu64 "\n",
				name, bound_ns / 1000000000, (unsigned)(bound_ns % 1000000000),
				below);
	}
	fprintf(to->to, "corral_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, latency.changes);
	fprintf(to->to, "corral_%s_sum %" PRIu64 ".%09u\n", name, latency.total_ns / 1000000000,
		(unsigned)(latency.total_ns % 1000000000));
	fprintf(to->to, "corral_%s_count %" PRIu64 "\n", name, latency.changes);
}

static void put_carts(const struct metrics *to, const struct arena_header *header,
		      const struct inspect_totals *totals)
{
	metrics_begin(to, "carts", "gauge", "carts by state; ending: their memory is not free yet");
	metrics_labelled(to, "carts", "state", "open", totals->carts_open);
	metrics_labelled(to, "carts", "state", "checked_out", totals->carts_checked_out);
	metrics_labelled(to, "carts", "state", "ending", totals->carts_ending);
	metrics_gauge(to, "carts_damaged", "of these, those that the agent has found to be damaged",
		      totals->carts_damaged);
	metrics_gauge(to, "carts_limit", "carts there can be at once", header->max_carts);
	metrics_gauge(to, "cart_bytes", "bytes of the carts themselves, when they were counted",
		      totals->cart_bytes);
	metrics_seconds(
		to, "counted_timestamp_seconds",
		"when the agent last went over all carts: as old are the bytes that they take",
		header->counted_ms);
}

static void put_memory(const struct metrics *to, const struct arena_header *header,
		       const struct inspect_totals *totals)
{
	metrics_gauge(to, "arena_bytes", "size of the arena", header->arena_bytes);
	metrics_gauge(to, "arena_disk_bytes", "what the file system has given it",
		      totals->disk_bytes);
	metrics_gauge(to, "arena_fixed_bytes", "tables of fixed size in it", totals->fixed_bytes);
	metrics_begin(
		to, "memory_bytes", "gauge",
		"memory for carts by state; retired: waits for readers; lane: threads' events");
	metrics_labelled(to, "memory_bytes", "state", "live", totals->live_bytes);
	metrics_labelled(to, "memory_bytes", "state", "free", totals->free_bytes);
	metrics_labelled(to, "memory_bytes", "state", "cached", totals->cached_bytes);
	metrics_labelled(to, "memory_bytes", "state", "retired", totals->retired_bytes);
	metrics_labelled(to, "memory_bytes", "state", "lane", totals->lane_bytes);
	metrics_labelled(to, "memory_bytes", "state", "ends", totals->ends_bytes);
}

static void put_people(const struct metrics *to, const struct inspect_totals *totals)
{
	metrics_begin(to, "processes", "gauge",
		      "processes that have the arena open; dead: not yet cleaned up after");
	metrics_labelled(to, "processes", "state", "alive", totals->processes);
	metrics_labelled(to, "processes", "state", "dead", totals->processes_dead);
	metrics_gauge(to, "threads", "threads that have a record", totals->threads);
	metrics_gauge(to, "readers", "threads that have a view open", totals->readers);
	metrics_gauge(to, "readers_stalled",
		      "of them, those for whom memory has waited for a second or longer",
		      totals->readers_stalled);
	metrics_seconds(to, "readers_stalled_seconds",
			"the longest time that memory has waited for one",
			totals->readers_stalled_ms);
	metrics_gauge(to, "held_back_bytes", "memory that waits for the oldest of them",
		      totals->held_back_bytes);
	metrics_gauge(to, "locks_held", "locks held now", totals->locks_held);
}

static void put_journal(const struct metrics *to, struct inspect *inspect)
{
	static const char *const modes[] = { "off", "time", "sync" };
	const struct arena_header *header = inspect_header(inspect);
	int64_t since_ms;
	const char *trouble = section_not_durable(inspect, &since_ms);

	metrics_begin(to, "journal_mode", "gauge", "1 for what corral-agent --journal was told");
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		metrics_labelled(to, "journal_mode", "mode", modes[i],
				 strcmp(section_journal_mode(header), modes[i]) == 0);
	metrics_seconds(to, "journal_interval_seconds",
			"how often changes are written: a power loss costs at most as many seconds",
			header->journal_ms);
	metrics_gauge(to, "journal_durable",
		      "1: what is changed now will be on disk in time; 0: it may not",
		      trouble == NULL);
	metrics_seconds(to, "journal_not_durable_since_timestamp_seconds",
			"since when it may not; 0: it is, or since ever",
			trouble != NULL ? since_ms : 0);
	metrics_seconds(to, "journal_synced_timestamp_seconds",
			"what had changed until then is on disk", header->journal_synced_ms);
	metrics_gauge(to, "journal_file", "number of the file that is written",
		      header->journal_number);
	metrics_counter(to, "journal_syncs_total", "syncs of the disk", header->journal_syncs);
	metrics_counter(to, "journal_sync_requests_total",
			"calls and changes that asked for one; begins anew at 2^32",
			header->sync_requested);
}

static void put_cursors(const struct metrics *to, struct inspect *inspect)
{
	struct corral_cursor all[CORRAL_CURSORS];
	size_t count = 0;

	for (uint32_t i = 0; i < CORRAL_CURSORS; i++)
		count += inspect_cursor(inspect, i, &all[count]);
	if (count == 0)
		return; /* a metric without a value is none */
	metrics_begin(to, "feed_cursor_lag", "gauge",
		      "about how many events a cursor has not acknowledged");
	for (size_t i = 0; i < count; i++)
		metrics_labelled(to, "feed_cursor_lag", "cursor", all[i].name, all[i].lag);
	metrics_begin(to, "feed_cursor_ends", "gauge",
		      "ends of carts that are kept and that a cursor has not acknowledged");
	for (size_t i = 0; i < count; i++)
		metrics_labelled(to, "feed_cursor_ends", "cursor", all[i].name, all[i].ends);
	metrics_begin(to, "feed_cursor_acknowledged_timestamp_seconds", "gauge",
		      "when it last acknowledged an event, or was made");
	for (size_t i = 0; i < count; i++)
		metrics_labelled(to, "feed_cursor_acknowledged_timestamp_seconds", "cursor",
				 all[i].name, (uint64_t)(all[i].acked_ms / 1000));
}

static void put_feed(const struct metrics *to, struct inspect *inspect)
{
	struct inspect_feed feed;

	inspect_feed(inspect, &feed);
	metrics_gauge(to, "feed_on", "1: changes and ends of carts are told as events", feed.on);
	metrics_gauge(to, "feed_oldest", "number of the oldest event that can be read",
		      feed.oldest);
	metrics_gauge(to, "feed_next", "number that the next event gets", feed.next);
	metrics_gauge(to, "feed_room", "events that can be read at most", feed.room);
	metrics_gauge(to, "feed_lanes", "threads that keep events until they have numbers",
		      feed.lanes);
	metrics_gauge(to, "feed_lane_room", "events that each of them keeps at most",
		      feed.lane_room);
	metrics_counter(to, "feed_lost_total",
			"events that were overwritten before they had numbers", feed.lost);
	metrics_gauge(to, "feed_ends", "ends of carts that are kept", feed.ends);
	metrics_gauge(to, "feed_ends_room", "ends that can be kept at most", feed.ends_room);
	metrics_counter(to, "feed_ends_lost_total",
			"ends that were let go before each cursor had acknowledged them",
			feed.ends_lost);
	metrics_gauge(to, "feed_cursors", "readers of events that are kept", feed.cursors);
	put_cursors(to, inspect);
}

static void put_aside(const struct metrics *to, const struct arena_header *header,
		      const char *directory)
{
	struct journal_size journal;
	size_t count;
	struct aside *all = aside_list(directory, &count);
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += all[i].bytes;
	free(all);
	aside_measure_journal(directory, header->journal_base, &journal);
	metrics_gauge(to, "journal_bytes", "what the journal takes on disk", journal.bytes);
	metrics_seconds(to, "journal_base_timestamp_seconds",
			"when its last file with all carts was begun; 0: there is none",
			journal.base_ms);
	metrics_gauge(to, "aside_files", "former and damaged arenas and journals that are kept",
		      count);
	metrics_gauge(to, "aside_bytes", "what they take on disk; see corral clean", bytes);
}

void metrics_arena(const struct metrics *to, struct inspect *inspect, const char *directory)
{
	const struct arena_header *header = inspect_header(inspect);
	struct inspect_totals totals = { 0 };
	bool whole = inspect_summary(inspect, &totals) == 0;
	char uuid[SECTION_UUID_BYTES];

	metrics_begin(to, "info", "gauge",
		      "the arena, and the version of the program that tells of it");
	fprintf(to->to, "corral_info{uuid=\"%s\",version=\"%s\"} 1\n", section_uuid(header, uuid),
		corral_version());
	metrics_gauge(to, "agent_up", "1: an agent has the directory",
		      inspect_agent_lives(inspect));
	metrics_gauge(to, "withdrawn", "1: no call works until an agent has verified the arena",
		      header->withdrawn != 0);
	metrics_gauge(to, "copy_on_write",
		      "1: a full disk kills a worker that changes a cart (SIGBUS); see corral(7)",
		      inspect_copies_on_write(inspect));
	metrics_gauge(to, "damaged", "1: not all of the arena could be read; see corral check",
		      !whole);
	if (whole) {
		put_carts(to, header, &totals);
		put_memory(to, header, &totals);
		put_people(to, &totals);
	}
	put_aside(to, header, directory);
	put_counters(to, inspect);
	put_latency(to, inspect);
	put_journal(to, inspect);
	put_feed(to, inspect);
}

void metrics_end(const struct metrics *to)
{
	if (to->open)
		fputs("# EOF\n", to->to);
}
