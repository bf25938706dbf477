/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sections.c: the parts of an arena as JSON. It reads only through inspect.h, from memory that
 * other processes change meanwhile or that is damaged: each word shown was true when it was read,
 * and no number in it is used as an index.
 */
#include "sections.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "arena/arena.h"
#include "cart/cart.h"
#include "event.h"
#include "sync/death_log.h"

#define LOCKS_MAX 1024

enum exit_code open_inspect(const char *location, bool lenient, struct inspect **ret_inspect)
{
	char path[PATH_MAX];
	char why[ARENA_WHY_BYTES] = "";
	int r = arena_directory(location, path, why);

	if (r)
		return complain_arena(location != NULL ? location : "the default directory", r,
				      why);
	r = inspect_open(path, lenient, ret_inspect, why, sizeof(why));
	return r ? complain_arena(path, r, why) : EXIT_DONE;
}

/*
 * Convert arena time in nanoseconds to milliseconds from now; false when the arena's clock is that
 * of another boot.
 */
static bool ms_from_now(const struct arena_header *header, int64_t arena_ns, int64_t *ret_ms)
{
	struct timespec now;
	uint8_t boot_id[16];
	int64_t now_ns;

	if (!arena_boot_id(boot_id) || memcmp(boot_id, header->boot_id, sizeof(boot_id)) != 0)
		return false;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	if (__builtin_add_overflow(now_ns, header->clock_offset_ns, &now_ns) ||
	    __builtin_sub_overflow(arena_ns, now_ns, &now_ns))
		return false;
	*ret_ms = now_ns / 1000000;
	return true;
}

static json_t *json_of_number(uint64_t number)
{
	return must_have(json_integer((json_int_t)number));
}

static json_t *json_of_string(const char *text)
{
	return json_of_text(text, strlen(text));
}

char *section_uuid(const struct arena_header *header, char buffer[SECTION_UUID_BYTES])
{
	char *out = buffer;

	for (size_t i = 0; i < sizeof(header->uuid); i++)
		out += sprintf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
			       header->uuid[i]);
	return buffer;
}

json_t *section_header(struct inspect *inspect)
{
	const struct arena_header *header = inspect_header(inspect);
	char uuid[SECTION_UUID_BYTES];
	char fingerprint[20];
	int64_t heartbeat_ms = 0;
	bool same_boot = ms_from_now(header, header->heartbeat_ns, &heartbeat_ms);
	json_t *value;

	snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, header->fingerprint);
	value = must_have(json_pack(
		"{s:s, s:I, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "uuid",
		section_uuid(header, uuid), "layout_version", (json_int_t)header->layout_version,
		"fingerprint", fingerprint, "this_boot", (int)same_boot, "arena_bytes",
		(json_int_t)header->arena_bytes, "max_carts", (json_int_t)header->max_carts,
		"buckets", (json_int_t)header->bucket_count, "pages",
		(json_int_t)header->page_count, "pages_used", (json_int_t)header->pages_used,
		"pages_reserved", (json_int_t)header->reserved_pages, "slots_high",
		(json_int_t)header->slots_used_high, "threads_high",
		(json_int_t)header->threads_high, "processes_high",
		(json_int_t)header->processes_high));
	json_object_set_new(value, "ttl_ms", json_of_number(header->ttl_ns / 1000000));
	json_object_set_new(value, "created_at", json_of_time((int64_t)header->created_ms));
	json_object_set_new(value, "agent_looked_ms_ago",
			    same_boot && header->heartbeat_ns ? json_integer(-heartbeat_ms) :
								json_null());
	json_object_set_new(value, "grace_phase", json_of_number(header->gp_phase));
	json_object_set_new(value, "grace_completed", json_of_number(header->gp_completed));
	return value;
}

static json_t *memory_of(const struct inspect_totals *of)
{
	json_t *value = must_have(json_object());
	const struct inspect_totals totals = *of;
	const struct {
		const char *key;
		uint64_t number;
	} rows[] = {
		{ "file_bytes", totals.file_bytes },
		{ "disk_bytes", totals.disk_bytes },
		{ "fixed_bytes", totals.fixed_bytes },
		{ "span_bytes", totals.span_bytes },
		{ "cart_bytes", totals.cart_bytes },
		{ "live_bytes", totals.live_bytes },
		{ "free_bytes", totals.free_bytes },
		{ "cached_bytes", totals.cached_bytes },
		{ "retired_bytes", totals.retired_bytes },
		{ "lane_bytes", totals.lane_bytes },
		{ "ends_bytes", totals.ends_bytes },
		{ "carts_open", totals.carts_open },
		{ "carts_checked_out", totals.carts_checked_out },
		{ "carts_ending", totals.carts_ending },
		{ "slots_used", totals.slots_used },
		{ "processes", totals.processes },
		{ "processes_dead", totals.processes_dead },
		{ "threads", totals.threads },
		{ "readers", totals.readers },
		{ "readers_stalled", totals.readers_stalled },
		{ "readers_stalled_ms", (uint64_t)totals.readers_stalled_ms },
		{ "held_back_bytes", totals.held_back_bytes },
		{ "locks_held", totals.locks_held },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		json_object_set_new(value, rows[i].key, json_of_number(rows[i].number));
	return value;
}

json_t *section_memory(struct inspect *inspect)
{
	struct inspect_totals totals = { 0 };
	bool whole = inspect_totals(inspect, &totals) == 0;
	json_t *value = memory_of(&totals);

	if (totals.processes == 0)
		json_object_set_new(value, "lost_bytes", json_of_number(totals.lost_bytes));
	if (!whole)
		json_object_set_new(value, "damaged", json_true());
	return value;
}

json_t *section_summary(struct inspect *inspect)
{
	struct inspect_totals totals = { 0 };

	if (inspect_summary(inspect, &totals) != 0)
		return must_have(json_pack("{s:b}", "damaged", 1));
	json_t *value = memory_of(&totals);
	json_object_set_new(value, "carts_damaged", json_of_number(totals.carts_damaged));
	json_object_set_new(value, "counted_ms", json_integer(inspect_header(inspect)->counted_ms));
	return value;
}

const char *section_journal_mode(const struct arena_header *header)
{
	static const char *const names[] = { [JOURNAL_MODE_OFF] = "off",
					     [JOURNAL_MODE_TIME] = "time",
					     [JOURNAL_MODE_SYNC] = "sync" };
	uint32_t mode = header->journal;

	return names[mode <= JOURNAL_MODE_SYNC ? mode : JOURNAL_MODE_OFF];
}

const char *section_not_durable(struct inspect *inspect, int64_t *ret_since_ms)
{
	const struct arena_header *header = inspect_header(inspect);
	int32_t error = header->journal_error;

	*ret_since_ms = 0;
	if (header->withdrawn)
		return "the arena is withdrawn: no call works until an agent has verified it";
	if (header->journal == JOURNAL_MODE_OFF)
		return "no journal is kept";
	*ret_since_ms = error ? header->journal_since_ms : header->journal_synced_ms;
	if (error)
		return error < 0 && error > -4096 ? strerror(-error) : "the journal is in trouble";
	if (!inspect_agent_lives(inspect))
		return "no agent runs";
	return header->journal_base == 0 ? "the journal has not been begun yet" : NULL;
}

json_t *section_journal(struct inspect *inspect)
{
	const struct arena_header *header = inspect_header(inspect);
	int64_t since_ms;
	const char *trouble = section_not_durable(inspect, &since_ms);

	return must_have(json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:b, s:I, s:s}", "mode", section_journal_mode(header),
		"interval_ms", (json_int_t)header->journal_ms, "file",
		(json_int_t)header->journal_number, "syncs", (json_int_t)header->journal_syncs,
		"synced_ms", (json_int_t)header->journal_synced_ms, "durable",
		(int)(trouble == NULL), "not_durable_since_ms",
		trouble != NULL ? (json_int_t)since_ms : 0, "error",
		trouble != NULL ? trouble : ""));
}

json_t *section_cursors(struct inspect *inspect)
{
	json_t *list = must_have(json_array());
	struct corral_cursor cursor;

	for (uint32_t i = 0; i < CORRAL_CURSORS; i++)
		if (inspect_cursor(inspect, i, &cursor))
			json_array_append_new(list, json_of_cursor(&cursor));
	return list;
}

json_t *section_feed(struct inspect *inspect)
{
	struct inspect_feed feed;

	inspect_feed(inspect, &feed);
	return must_have(json_pack(
		"{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "on", (int)feed.on,
		"oldest", (json_int_t)feed.oldest, "next", (json_int_t)feed.next, "room",
		(json_int_t)feed.room, "lost", (json_int_t)feed.lost, "lanes",
		(json_int_t)feed.lanes, "lane_room", (json_int_t)feed.lane_room, "ends",
		(json_int_t)feed.ends, "ends_room", (json_int_t)feed.ends_room, "ends_lost",
		(json_int_t)feed.ends_lost, "ends_lost_ms", (json_int_t)feed.ends_lost_ms,
		"cursors", section_cursors(inspect)));
}

/* The mapping may change meanwhile, so an id is copied before it is shown. */
static json_t *json_of_id(struct corral_text id)
{
	char copy[CORRAL_ID_MAX];
	size_t size = id.size < sizeof(copy) ? id.size : sizeof(copy);

	memcpy(copy, id.data, size);
	return json_of_text(copy, size);
}

static json_t *slot_row(const struct arena_header *header, const struct inspect_slot *slot)
{
	json_t *row = must_have(json_pack("{s:I}", "slot", (json_int_t)slot->number));
	struct corral_key key;
	struct corral_head head;
	int64_t left_ms = 0;

	if (cart_get_key(slot->bytes, slot->size, &key) == 0 &&
	    cart_get_head(slot->bytes, slot->size, &head) == 0) {
		json_object_set_new(row, "restaurant_id", json_of_id(key.restaurant_id));
		json_object_set_new(row, "session_id", json_of_id(key.session_id));
		json_object_set_new(row, "version", json_of_number(head.version));
		json_object_set_new(row, "lines", json_of_number(head.line_count));
		json_object_set_new(
			row, "state",
			json_of_string(slot->ended ? "ended" : status_name(head.status)));
	} else {
		json_object_set_new(row, "state", json_of_string("damaged"));
	}
	json_object_set_new(row, "cart_bytes", json_of_number(slot->size));
	if (!slot->ended && ms_from_now(header, slot->deadline_ns, &left_ms))
		json_object_set_new(row, "ends_in_ms", json_integer(left_ms));
	return row;
}

json_t *section_slot(struct inspect *inspect, uint32_t *index)
{
	struct inspect_slot slot;
	bool used = false;

	while (!used && inspect_slot(inspect, *index, &used, &slot) == 0)
		++*index;
	return used ? slot_row(inspect_header(inspect), &slot) : NULL;
}

json_t *section_slots(struct inspect *inspect, size_t most)
{
	json_t *list = must_have(json_array());
	uint32_t index = 0;
	json_t *row;

	while (json_array_size(list) < most && (row = section_slot(inspect, &index)) != NULL)
		json_array_append_new(list, row);
	return list;
}

json_t *section_classes(struct inspect *inspect)
{
	json_t *list = must_have(json_array());
	struct inspect_class row;
	bool used;

	for (uint32_t i = 0; inspect_class(inspect, i, &used, &row) == 0; i++)
		if (used)
			json_array_append_new(
				list,
				must_have(json_pack(
					"{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "block_bytes",
					(json_int_t)row.block_bytes, "spans", (json_int_t)row.spans,
					"blocks", (json_int_t)row.blocks, "live",
					(json_int_t)row.live, "free", (json_int_t)row.free,
					"cached", (json_int_t)row.cached, "retired",
					(json_int_t)row.retired)));
	return list;
}

/* null: there were no changes. */
static json_t *json_of_latency(const struct corral_latency *latency, uint32_t millionths)
{
	return must_have(latency->changes > 0 ?
				 json_of_number(corral_latency_ns(latency, millionths)) :
				 json_null());
}

json_t *section_processes(struct inspect *inspect)
{
	json_t *list = must_have(json_array());
	struct corral_latency latency;
	struct inspect_process row;
	bool used;

	for (uint32_t i = 0; inspect_process(inspect, i, &used, &row) == 0; i++) {
		if (!used)
			continue;
		inspect_latency_of(inspect, row.number, &latency);
		json_array_append_new(
			list,
			must_have(json_pack(
				"{s:I, s:I, s:o, s:b, s:b, s:b, s:I, s:o, s:o, s:o, s:o}",
				"process", (json_int_t)row.number, "pid", (json_int_t)row.pid,
				"program", json_of_string(row.program), "alive", (int)row.alive,
				"agent", (int)row.agent, "full_fences", (int)row.fenced, "threads",
				(json_int_t)row.threads, "started_at", json_of_time(row.started_ms),
				"changes", json_of_number(latency.changes), "p50_ns",
				json_of_latency(&latency, 500000), "p99_ns",
				json_of_latency(&latency, 990000))));
	}
	return list;
}

/* The number of a process; null: none. */
static json_t *json_of_process(uint32_t number)
{
	return number == UINT32_MAX ? must_have(json_null()) : json_of_number(number);
}

static json_t *thread_row(const struct inspect_thread *row)
{
	return must_have(json_pack(
		"{s:I, s:o, s:I, s:o, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:o}", "thread",
		(json_int_t)row->number, "process", json_of_process(row->process), "pid",
		(json_int_t)row->pid, "program", json_of_string(row->program), "tid",
		(json_int_t)row->tid, "nested", (json_int_t)row->nest, "phases_behind",
		(json_int_t)row->phases_behind, "stalled_ms", (json_int_t)row->stalled_ms,
		"revoked", (int)row->revoked, "held_back_bytes", (json_int_t)row->held_back_bytes,
		"cached_bytes", (json_int_t)row->cached_bytes, "retired_bytes",
		(json_int_t)row->retired_bytes, "doing", json_of_string(row->doing)));
}

static json_t *list_threads(struct inspect *inspect, bool only_readers)
{
	json_t *list = must_have(json_array());
	struct inspect_thread row;
	bool used;

	for (uint32_t i = 0; inspect_thread(inspect, i, &used, &row) == 0; i++)
		if (used && (row.nest || !only_readers))
			json_array_append_new(list, thread_row(&row));
	return list;
}

json_t *section_threads(struct inspect *inspect)
{
	return list_threads(inspect, false);
}

json_t *section_readers(struct inspect *inspect)
{
	return list_threads(inspect, true);
}

json_t *section_locks(struct inspect *inspect)
{
	static struct inspect_lock rows[LOCKS_MAX];
	json_t *list = must_have(json_array());
	size_t count = 0;

	if (inspect_locks(inspect, rows, LOCKS_MAX, &count) != 0)
		count = 0;
	for (size_t i = 0; i < count; i++)
		json_array_append_new(
			list,
			must_have(json_pack("{s:s, s:I, s:I, s:o, s:I, s:b, s:b, s:o}", "lock",
					    rows[i].kind, "number", (json_int_t)rows[i].number,
					    "thread", (json_int_t)rows[i].thread, "process",
					    json_of_process(rows[i].process), "pid",
					    (json_int_t)rows[i].pid, "alive", (int)rows[i].alive,
					    "waiters", (int)rows[i].waiters, "held_ms",
					    rows[i].held_ms < 0 ? json_null() :
								  json_integer(rows[i].held_ms))));
	return list;
}

json_t *section_deaths(struct inspect *inspect)
{
	struct death rows[DEATHS_KEPT];
	json_t *list = must_have(json_array());
	char text[DEATH_TEXT_BYTES];
	size_t count = 0;

	if (inspect_deaths(inspect, rows, DEATHS_KEPT, &count) != 0)
		count = 0;
	for (size_t i = 0; i < count; i++) {
		death_log_describe(&rows[i], text);
		json_array_append_new(
			list, must_have(json_pack("{s:I, s:o, s:I, s:o, s:I, s:I, s:I, s:o}",
						  "number", (json_int_t)rows[i].number,
						  "repaired_at", json_of_time(rows[i].repaired_ms),
						  "pid", (json_int_t)rows[i].pid, "program",
						  json_of_string(rows[i].program), "process",
						  (json_int_t)rows[i].process, "threads",
						  (json_int_t)rows[i].threads, "by_pid",
						  (json_int_t)rows[i].repairer_pid, "what",
						  json_of_string(text))));
	}
	return list;
}

json_t *section_latency(const struct corral_latency *latency)
{
	return must_have(json_pack("{s:o, s:o, s:o, s:o, s:o}", "changes",
				   json_of_number(latency->changes), "total_ns",
				   json_of_number(latency->total_ns), "p50_ns",
				   json_of_number(corral_latency_ns(latency, 500000)), "p99_ns",
				   json_of_number(corral_latency_ns(latency, 990000)), "p999_ns",
				   json_of_number(corral_latency_ns(latency, 999000))));
}
