/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics.c: the arena's numbers in Prometheus' text format (version 0.0.4): for each metric its
 * HELP, its TYPE and its values together. All are read from the arena, so they need no agent.
 *
 * Names end in their unit, counters in _total. Times are in seconds, as Prometheus wants them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena/stat.h"
#include "aside.h"
#include "sections.h"

static void begin(const char *name, const char *type, const char *help)
{
	printf("# HELP corral_%s %s\n# TYPE corral_%s %s\n", name, help, name, type);
}

static void gauge(const char *name, const char *help, uint64_t value)
{
	begin(name, "gauge", help);
	printf("corral_%s %" PRIu64 "\n", name, value);
}

static void counter(const char *name, const char *help, uint64_t value)
{
	begin(name, "counter", help);
	printf("corral_%s %" PRIu64 "\n", name, value);
}

static void seconds(const char *name, const char *help, int64_t ms)
{
	uint64_t positive = ms > 0 ? (uint64_t)ms : 0;

	begin(name, "gauge", help);
	printf("corral_%s %" PRIu64 ".%03u\n", name, positive / 1000, (unsigned)(positive % 1000));
}

/* Print one value of a metric that has several. */
static void labelled(const char *name, const char *label, const char *text, uint64_t value)
{
	printf("corral_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, text, value);
}

static void put_counters(struct inspect *inspect)
{
	uint64_t sums[STAT_SLOTS];

	inspect_counters(inspect, sums);
#define STAT(name, unit, line) counter(#name "_total", line, sums[STAT_##name]);
#include "arena/stat.def"
#undef STAT
	counter("deaths_total", "processes that died without detaching, and were cleaned up after",
		inspect_header(inspect)->deaths);
}

/* A power of two has four buckets; only each fourth is told. */
static void put_latency(struct inspect *inspect)
{
	const char *name = "change_duration_seconds";
	struct corral_latency latency;
	uint64_t below = 0;

	inspect_latency(inspect, &latency);
	begin(name, "histogram",
	      "how long changes took, from call to return; of many in a row a sample, weighted");
	for (uint32_t i = 0; i < CORRAL_LATENCY_BUCKETS - 1; i++) {
		const uint64_t bound_ns = corral_latency_bound_ns(i);
		below += latency.counts[i];
		if ((bound_ns & (bound_ns - 1)) == 0)
			printf("corral_%s_bucket{le=\"%" PRIu64 ".%09u\"} %" PRIu64 "\n", name,
			       bound_ns / 1000000000, (unsigned)(bound_ns % 1000000000), below);
	}
	printf("corral_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, latency.changes);
	printf("corral_%s_sum %" PRIu64 ".%09u\n", name, latency.total_ns / 1000000000,
	       (unsigned)(latency.total_ns % 1000000000));
	printf("corral_%s_count %" PRIu64 "\n", name, latency.changes);
}

static void put_carts(const struct arena_header *header, const struct inspect_totals *totals)
{
	begin("carts", "gauge", "carts by state; ending: their memory is not free yet");
	labelled("carts", "state", "open", totals->carts_open);
	labelled("carts", "state", "checked_out", totals->carts_checked_out);
	labelled("carts", "state", "ending", totals->carts_ending);
	gauge("carts_damaged", "of these, those that the agent has found to be damaged",
	      totals->carts_damaged);
	gauge("carts_limit", "carts there can be at once", header->max_carts);
	gauge("cart_bytes", "bytes of the carts themselves, when they were counted",
	      totals->cart_bytes);
	seconds("counted_timestamp_seconds",
		"when the agent last went over all carts: as old are the bytes that they take",
		header->counted_ms);
}

static void put_memory(const struct arena_header *header, const struct inspect_totals *totals)
{
	gauge("arena_bytes", "size of the arena", header->arena_bytes);
	gauge("arena_disk_bytes", "what the file system has given it", totals->disk_bytes);
	gauge("arena_fixed_bytes", "tables of fixed size in it", totals->fixed_bytes);
	begin("memory_bytes", "gauge",
	      "memory for carts by state; retired: waits for readers; lane: threads' events");
	labelled("memory_bytes", "state", "live", totals->live_bytes);
	labelled("memory_bytes", "state", "free", totals->free_bytes);
	labelled("memory_bytes", "state", "cached", totals->cached_bytes);
	labelled("memory_bytes", "state", "retired", totals->retired_bytes);
	labelled("memory_bytes", "state", "lane", totals->lane_bytes);
}

static void put_people(const struct inspect_totals *totals)
{
	begin("processes", "gauge",
	      "processes that have the arena open; dead: not yet cleaned up after");
	labelled("processes", "state", "alive", totals->processes);
	labelled("processes", "state", "dead", totals->processes_dead);
	gauge("threads", "threads that have a record", totals->threads);
	gauge("readers", "threads that have a view open", totals->readers);
	gauge("readers_stalled", "of them, those for whom memory has waited for a second or longer",
	      totals->readers_stalled);
	seconds("readers_stalled_seconds", "the longest time that memory has waited for one",
		totals->readers_stalled_ms);
	gauge("held_back_bytes", "memory that waits for the oldest of them",
	      totals->held_back_bytes);
	gauge("locks_held", "locks held now", totals->locks_held);
}

static void put_journal(struct inspect *inspect)
{
	static const char *const modes[] = { "off", "time", "sync" };
	const struct arena_header *header = inspect_header(inspect);
	int64_t since_ms;
	const char *trouble = section_not_durable(inspect, &since_ms);

	begin("journal_mode", "gauge", "1 for what corral-agent --journal was told");
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		labelled("journal_mode", "mode", modes[i],
			 strcmp(section_journal_mode(header), modes[i]) == 0);
	seconds("journal_interval_seconds",
		"how often changes are written; a power loss costs no more than this",
		header->journal_ms);
	gauge("journal_durable", "1: what is changed now will be on disk in time; 0: it may not",
	      trouble == NULL);
	seconds("journal_not_durable_since_timestamp_seconds",
		"since when it may not; 0: it is, or since ever", trouble != NULL ? since_ms : 0);
	seconds("journal_synced_timestamp_seconds", "what had changed until then is on disk",
		header->journal_synced_ms);
	gauge("journal_file", "number of the file that is written", header->journal_number);
	counter("journal_syncs_total", "syncs of the disk", header->journal_syncs);
	counter("journal_sync_requests_total",
		"calls and changes that asked for one; begins anew at 2^32",
		header->sync_requested);
}

static void put_aside(const struct arena_header *header, const char *directory)
{
	struct journal_size journal;
	size_t count;
	struct aside *all = aside_list(directory, &count);
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += all[i].bytes;
	free(all);
	aside_measure_journal(directory, header->journal_base, &journal);
	gauge("journal_bytes", "what the journal takes on disk", journal.bytes);
	seconds("journal_base_timestamp_seconds",
		"when its last file with all carts was begun; 0: there is none", journal.base_ms);
	gauge("aside_files", "former and damaged arenas and journals that are kept", count);
	gauge("aside_bytes", "what they take on disk; see corral clean", bytes);
}

void metrics_print(struct inspect *inspect, const char *directory)
{
	const struct arena_header *header = inspect_header(inspect);
	struct inspect_totals totals = { 0 };
	bool whole = inspect_summary(inspect, &totals) == 0;
	char uuid[SECTION_UUID_BYTES];

	begin("info", "gauge", "the arena, and the version of the program that tells of it");
	printf("corral_info{uuid=\"%s\",version=\"%s\"} 1\n", section_uuid(header, uuid),
	       corral_version());
	gauge("agent_up", "1: an agent has the directory", inspect_agent_lives(inspect));
	gauge("withdrawn", "1: no call works until an agent has verified the arena",
	      header->withdrawn != 0);
	gauge("copy_on_write",
	      "1: a full disk kills a worker that changes a cart (SIGBUS); see corral(7)",
	      inspect_copies_on_write(inspect));
	gauge("damaged", "1: not all of the arena could be read; see corral check", !whole);
	if (whole) {
		put_carts(header, &totals);
		put_memory(header, &totals);
		put_people(&totals);
	}
	put_aside(header, directory);
	put_counters(inspect);
	put_latency(inspect);
	put_journal(inspect);
}
