/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_status.c: the command status: the state of the arena and of its agent, as text, as JSON, and
 * as metrics. It reads the file through inspect.h, attaches nowhere and changes nothing; it also
 * asks the agent.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "arena/arena.h"
#include "aside.h"
#include "cart/cart.h"
#include "common/client.h"
#include "common/parse.h"
#include "metrics.h"
#include "sections.h"
#include "table.h"
#include "tool.h"

#define AGENT_PATIENCE_MS 2000
#define COUNTED_LATELY_MS                                                                          \
	30000 /* a round of the agent takes 10 s at most, but for a busy machine */

/* Add the directory's files besides the arena. */
static void add_aside(json_t *part, const struct arena_header *header, const char *directory)
{
	struct journal_size journal;
	size_t count;
	struct aside *all = aside_list(directory, &count);
	json_t *rows = must_have(json_array());
	json_t *sizes;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(
			rows,
			must_have(json_pack("{s:o, s:I, s:b}", "name",
					    json_of_text(all[i].name, strlen(all[i].name)), "bytes",
					    (json_int_t)all[i].bytes, "spare", (int)all[i].spare)));
	free(all);
	json_object_set_new(part, "aside", rows);
	aside_measure_journal(directory, header->journal_base, &journal);
	sizes = must_have(json_pack("{s:I, s:I}", "bytes", (json_int_t)journal.bytes, "base_ms",
				    (json_int_t)journal.base_ms));
	json_object_set_new(part, "journal_disk", sizes);
}

/* Add the currency of new carts, if they get one. */
static void put_currency(json_t *part, const struct arena_header *header)
{
	char code[4];
	uint32_t digits;

	cart_currency_code(cart_currency_valid(header->currency) ? header->currency : 0, code,
			   &digits);
	if (*code)
		json_object_set_new(part, "currency", must_have(json_string(code)));
}

static json_t *arena_part(const char *directory, struct inspect *inspect)
{
	const struct arena_header *header = inspect_header(inspect);
	char uuid[SECTION_UUID_BYTES];
	char path[PATH_MAX + sizeof("/" ARENA_FILE)];
	char carrying[ARENA_CARRYING_BYTES];
	json_t *memory = section_summary(inspect);
	struct corral_latency latency;
	json_t *value;

	snprintf(path, sizeof(path), "%s/%s", directory, ARENA_FILE);
	value = must_have(json_pack(
		"{s:o, s:s, s:b, s:b, s:I, s:I, s:I, s:o, s:o, s:o}", "path",
		json_of_text(path, strlen(path)), "uuid", section_uuid(header, uuid),
		"copy_on_write", (int)inspect_copies_on_write(inspect), "withdrawn",
		(int)(header->withdrawn != 0), "arena_bytes", (json_int_t)header->arena_bytes,
		"max_carts", (json_int_t)header->max_carts, "ttl_ms",
		(json_int_t)(header->ttl_ns / 1000000), "created_at",
		json_of_time((int64_t)header->created_ms), "journal", section_journal(inspect),
		"feed", section_feed(inspect)));
	put_currency(value, header);
	inspect_latency(inspect, &latency);
	json_object_set_new(value, "latency", section_latency(&latency));
	if (inspect_agent_lives(inspect) && arena_describe_carrying(header, carrying))
		json_object_set_new(value, "carrying", must_have(json_string(carrying)));
	must_have(json_object_update(value, memory) == 0 ? value : NULL);
	json_decref(memory);
	add_aside(value, header, directory);
	return value;
}

/* The agent's answer, or NULL and the error in *ret_error (0: the agent refused). */
static json_t *agent_part(const char *directory, int *ret_error)
{
	json_t *answer = NULL;
	int r = agent_ask(directory, "status", AGENT_PATIENCE_MS, &answer);

	*ret_error = r;
	if (r)
		return NULL;
	if (!json_is_object(answer) || !json_is_true(json_object_get(answer, "ok"))) {
		json_decref(answer);
		return NULL;
	}
	json_object_del(answer, "ok");
	return answer;
}

static int64_t number_of(const json_t *part, const char *key)
{
	return json_integer_value(json_object_get(part, key));
}

static char *bytes_of(const json_t *part, const char *key, char buffer[FORMAT_MAX])
{
	return format_bytes((uint64_t)number_of(part, key), buffer);
}

/* " (counted 3h ago)" if the agent's last round over the carts was long ago; else nothing. */
static void put_age(const json_t *part, char text[FORMAT_MAX + 16])
{
	int64_t counted_ms = number_of(part, "counted_ms");
	int64_t ago_ms = arena_wall_ms() - counted_ms;
	char buffer[FORMAT_MAX];

	if (counted_ms <= 0)
		snprintf(text, FORMAT_MAX + 16, " (not counted yet)");
	else if (ago_ms > COUNTED_LATELY_MS)
		snprintf(text, FORMAT_MAX + 16, " (counted %s ago)",
			 format_duration(ago_ms, buffer));
}

static void put_memory(struct table *table, const json_t *part)
{
	uint64_t space =
		(uint64_t)(number_of(part, "arena_bytes") - number_of(part, "fixed_bytes"));
	uint64_t used = (uint64_t)(number_of(part, "span_bytes") - number_of(part, "free_bytes"));
	char text[4][FORMAT_MAX];
	char ago[FORMAT_MAX + 16] = "";

	put_age(part, ago);
	table_put(table, "memory");
	table_put(table, "%s of %s in use (%" PRIu64 "%%): carts %s%s, waiting to be freed %s",
		  format_bytes(used, text[0]), format_bytes(space, text[1]),
		  space / 100 ? used / (space / 100) : 0, bytes_of(part, "live_bytes", text[2]),
		  ago, bytes_of(part, "retired_bytes", text[3]));
}

static const char *text_of(const json_t *part, const char *key)
{
	return json_string_value(json_object_get(part, key));
}

static void put_durable(struct table *table, const json_t *part)
{
	char since[FORMAT_MAX];

	table_put(table, "durable");
	if (json_is_true(json_object_get(part, "durable")))
		table_put(table, "yes");
	else if (number_of(part, "not_durable_since_ms") > 0)
		table_put(table, "NOT durable since %s: %s",
			  format_time(number_of(part, "not_durable_since_ms"), since),
			  text_of(part, "error"));
	else
		table_put(table, "NOT durable: %s", text_of(part, "error"));
}

static void put_journal(struct table *table, const json_t *part)
{
	int64_t ms = number_of(part, "interval_ms");
	int64_t synced_ms = number_of(part, "synced_ms");
	char ago[FORMAT_MAX];

	table_put(table, "journal");
	if (strcmp(text_of(part, "mode"), "off") == 0)
		table_put(table, "off");
	else if (strcmp(text_of(part, "mode"), "sync") == 0)
		table_put(table, "every change waits for it; file %" PRId64,
			  number_of(part, "file"));
	else if (ms < 1000)
		table_put(table, "every %" PRId64 "ms; file %" PRId64, ms, number_of(part, "file"));
	else
		table_put(table, "every %s; file %" PRId64, format_duration(ms, ago),
			  number_of(part, "file"));
	if (strcmp(text_of(part, "mode"), "off") != 0) {
		table_put(table, "last sync");
		table_put(table, synced_ms > 0 ? "%s ago" : "none",
			  format_duration(arena_wall_ms() - synced_ms, ago));
	}
	put_durable(table, part);
}

static void put_latency(struct table *table, const json_t *part)
{
	char p50[FORMAT_MAX], p99[FORMAT_MAX], p999[FORMAT_MAX];

	if (number_of(part, "changes") == 0)
		return;
	table_put(table, "latency");
	table_put(table, "of changes: p50 %s, p99 %s, p99.9 %s",
		  format_ns((uint64_t)number_of(part, "p50_ns"), p50),
		  format_ns((uint64_t)number_of(part, "p99_ns"), p99),
		  format_ns((uint64_t)number_of(part, "p999_ns"), p999));
}

/* The cursors, and what they will never see: an alarm. */
static void put_feed(struct table *table, const json_t *part)
{
	const json_t *rows = json_object_get(part, "cursors");
	char when[FORMAT_MAX];
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		table_put(table, "cursor");
		table_put(table, "%s: %" PRId64 " events behind, %" PRId64 " ends among them",
			  text_of(row, "cursor"), number_of(row, "lag"), number_of(row, "ends"));
	}
	if (number_of(part, "ends_lost") > 0) {
		table_put(table, "ends LOST");
		table_put(table,
			  "%" PRId64 " ends of carts were let go before each cursor had "
			  "acknowledged them, at last at %s; see: corral cursors",
			  number_of(part, "ends_lost"),
			  format_time(number_of(part, "ends_lost_ms"), when));
	}
}

static void put_aside(struct table *table, const json_t *rows)
{
	uint64_t bytes = 0;
	char text[FORMAT_MAX];
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) bytes += (uint64_t)number_of(row, "bytes");
	if (json_array_size(rows) == 0)
		return;
	table_put(table, "set aside");
	table_put(table, "%zu file%s, %s; see: corral clean", json_array_size(rows),
		  plural(json_array_size(rows)), format_bytes(bytes, text));
}

static void put_arena(struct table *table, const json_t *part)
{
	char size[FORMAT_MAX];
	char disk[FORMAT_MAX];

	table_put(table, "arena");
	table_put(table, "%s", json_string_value(json_object_get(part, "path")));
	table_put(table, "uuid");
	table_put(table, "%s", json_string_value(json_object_get(part, "uuid")));
	table_put(table, "size");
	table_put(table, "%s, %s of it on disk", bytes_of(part, "arena_bytes", size),
		  bytes_of(part, "disk_bytes", disk));
	table_put(table, "carts");
	table_put(table,
		  "%" PRId64 " open, %" PRId64 " checked out, %" PRId64 " ending; %" PRId64
		  " at most",
		  number_of(part, "carts_open"), number_of(part, "carts_checked_out"),
		  number_of(part, "carts_ending"), number_of(part, "max_carts"));
	if (json_object_get(part, "currency") != NULL) {
		table_put(table, "currency");
		table_put(table, "%s, of new carts",
			  json_string_value(json_object_get(part, "currency")));
	}
	put_memory(table, part);
	if (number_of(part, "readers_stalled") > 0) {
		char held[FORMAT_MAX], stalled[FORMAT_MAX];
		table_put(table, "stalled");
		table_put(table,
			  "%" PRId64
			  " reader%s, for up to %s, holding back %s; see: corral inspect readers",
			  number_of(part, "readers_stalled"),
			  plural((uint64_t)number_of(part, "readers_stalled")),
			  format_duration(number_of(part, "readers_stalled_ms"), stalled),
			  bytes_of(part, "held_back_bytes", held));
	}
	table_put(table, "processes");
	table_put(table,
		  "%" PRId64 " alive, %" PRId64 " dead; %" PRId64 " thread%s, %" PRId64
		  " reading; %" PRId64 " lock%s held",
		  number_of(part, "processes"), number_of(part, "processes_dead"),
		  number_of(part, "threads"), plural((uint64_t)number_of(part, "threads")),
		  number_of(part, "readers"), number_of(part, "locks_held"),
		  plural((uint64_t)number_of(part, "locks_held")));
	put_latency(table, json_object_get(part, "latency"));
	put_journal(table, json_object_get(part, "journal"));
	put_feed(table, json_object_get(part, "feed"));
	put_aside(table, json_object_get(part, "aside"));
	if (json_is_true(json_object_get(part, "withdrawn"))) {
		const char *carrying = text_of(part, "carrying");
		table_put(table, "withdrawn");
		table_put(table, "%s",
			  carrying != NULL ?
				  carrying :
				  "no call works until an agent has verified it; one that runs "
				  "does so within a second");
	}
	if (json_is_true(json_object_get(part, "copy_on_write"))) {
		table_put(table, "disk");
		table_put(table,
			  "copies on write: no space can be reserved; while the disk is full, "
			  "a worker that changes a cart dies of SIGBUS");
	}
	if (number_of(part, "carts_damaged") > 0) {
		table_put(table, "damaged");
		table_put(table, "%" PRId64 " cart%s; see: corral check",
			  number_of(part, "carts_damaged"),
			  plural((uint64_t)number_of(part, "carts_damaged")));
	}
	if (json_object_get(part, "damaged") != NULL) {
		table_put(table, "damaged");
		table_put(table, "not all could be read; see: corral check");
	}
}

/* One row for each value that the agent reports. */
static void put_agent(struct table *table, json_t *part)
{
	const char *key;
	json_t *value;

	json_object_foreach(part, key, value)
	{
		if (json_is_object(value)) {
			put_agent(table, value);
			continue;
		}
		table_put(table, "  %s", key);
		human_put_value(table, key, value);
	}
}

static void print_status(const json_t *arena, json_t *agent)
{
	static const struct table_column columns[] = { { NULL, 0 }, { NULL, TABLE_WRAP } };
	struct table *table = table_new(columns, 2);

	put_arena(table, arena);
	table_put(table, "agent");
	table_put(table, agent != NULL ? "runs" : "none answers");
	if (agent != NULL)
		put_agent(table, agent);
	table_print(table);
}

static enum exit_code complain_agent(const char *directory, int error)
{
	const char *reason = "it refused; see its log";

	if (error == -ENOENT || error == -ECONNREFUSED)
		reason = "none runs there; carts can be used all the same; start one with: "
			 "corral-agent --dir DIR "
			 "--daemon";
	else if (error == -ETIMEDOUT)
		reason = "it runs, but took too long; try again";
	else if (error)
		reason = strerror(-error);
	return complain(EXIT_NO_AGENT, "no agent answers: %s: %s", directory, reason);
}

static enum exit_code show_status(const struct call *call, struct inspect *inspect)
{
	enum exit_code code = EXIT_DONE;
	char directory[PATH_MAX];
	char why[ARENA_WHY_BYTES] = "";
	json_t *arena;
	json_t *agent;
	int r = 0;

	if (arena_directory(call->dir, directory, why) != 0)
		directory[0] = 0; /* cannot happen: open_inspect() has just done the same */
	arena = arena_part(directory, inspect);
	agent = agent_part(directory, &r);
	if (call->json)
		json_print(must_have(json_pack("{s:O, s:O?}", "arena", arena, "agent", agent)));
	else
		print_status(arena, agent);
	if (agent == NULL)
		code = complain_agent(directory, r);
	json_decref(arena);
	json_decref(agent);
	return code;
}

/* ------------------------------------------------------- carts on other machines */

/* The value of a row of corral_stats(); -1: there is none. */
static int64_t row_of(const json_t *rows, const char *name)
{
	const json_t *value = json_object_get(rows, name);

	return value != NULL ? json_integer_value(value) : -1;
}

/* What an operator of the servers should know. */
static json_t *warnings_of(const json_t *rows)
{
	const int64_t replicas = row_of(rows, "replicas");
	json_t *all = must_have(json_array());
	const char *warning;

	warning = row_of(rows, "appendonly") == 0 ?
			  "a server does not write its file: a crash of it can lose changes that "
			  "were durable; set appendonly yes" :
		  row_of(rows, "appendonly") < 0 ?
			  "the servers do not tell this user how they are set up (INFO): whether "
			  "they write their files, and drop nothing, could not be checked" :
			  NULL;
	if (warning != NULL)
		json_array_append_new(all, must_have(json_string(warning)));
	if (row_of(rows, "noeviction") == 0)
		json_array_append_new(
			all, must_have(json_string("a server drops carts when its memory is full; "
						   "set maxmemory-policy noeviction")));
	if (replicas >= 0 && replicas < row_of(rows, "replicas_wanted"))
		json_array_append_new(
			all, must_have(json_string("a server has fewer replicas than the location "
						   "wants: its changes are not durable")));
	return all;
}

static void print_servers(const json_t *rows, const json_t *warnings)
{
	static const struct table_column columns[] = { { NULL, 0 }, { NULL, TABLE_WRAP } };
	struct table *table = table_new(columns, 2);
	const char *name;
	json_t *value;
	size_t i;

	json_object_foreach((json_t *)rows, name, value)
	{
		table_put(table, "%s", name);
		if (json_integer_value(value) < 0)
			table_put(table, "not known");
		else
			human_put_value(table, name, value);
	}
	json_array_foreach(warnings, i, value)
	{
		table_put(table, "WARNING");
		table_put(table, "%s", json_string_value(value));
	}
	table_print(table);
}

static enum exit_code show_servers(const struct call *call)
{
	struct corral_stat stats[CORRAL_STATS_MAX];
	struct corral *corral = NULL;
	size_t count = 0;

	if (call->metrics)
		return complain(EXIT_USAGE, "--metrics are those of a directory");
	enum exit_code code = open_arena(call, LOOK_ONLY, &corral);
	if (code)
		return code;
	int r = corral_stats(corral, stats, CORRAL_STATS_MAX, &count);
	corral_close(corral);
	if (r < 0)
		return complain_arena("the servers", r, "");
	json_t *rows = must_have(json_object());
	for (size_t i = 0; i < count; i++)
		if (stats[i].kind == CORRAL_STAT_NOW) /* the others count what this handle did */
			json_object_set_new(rows, stats[i].name,
					    must_have(json_integer(stats[i].value)));
	json_t *warnings = warnings_of(rows);
	if (call->json)
		json_print(
			must_have(json_pack("{s:O, s:O}", "servers", rows, "warnings", warnings)));
	else
		print_servers(rows, warnings);
	json_decref(rows);
	json_decref(warnings);
	return EXIT_DONE;
}

/* Does the call name servers, not a directory? */
static bool is_of_servers(const struct call *call)
{
	const char *location = call->dir != NULL ? call->dir : getenv("CORRAL_DIR");

	return location != NULL && strstr(location, "://") != NULL;
}

enum exit_code run_status(struct call *call)
{
	struct inspect *inspect = NULL;
	char directory[PATH_MAX];
	char why[ARENA_WHY_BYTES] = "";
	enum exit_code code;

	if (is_of_servers(call))
		return show_servers(call);
	code = open_inspect(call->dir, false, &inspect);
	if (code)
		return code;
	if (arena_directory(call->dir, directory, why) != 0)
		directory[0] = 0; /* cannot happen: open_inspect() has just done the same */
	if (call->metrics)
		metrics_arena(&(struct metrics){ .to = stdout }, inspect, directory);
	else
		code = show_status(call, inspect);
	inspect_close(inspect);
	return code;
}
