/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_inspect.c: `corral inspect`: each section of an arena as a table or as JSON. The table below
 * describes each section's columns; sections.c makes the rows.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "sections.h"
#include "table.h"
#include "tool.h"

struct column {
	const char *key;
	struct table_column table;
};

struct section {
	const char *name;
	json_t *(*build)(struct inspect *inspect);
	json_t *(*build_alone)(struct inspect *inspect); /* when only this section is printed */
	struct column columns[TABLE_COLUMNS_MAX]; /* ends with a NULL key; none: the rows are keys
						     and values */
};

static json_t *build_few_slots(struct inspect *inspect)
{
	return section_slots(inspect, SECTION_SLOTS_FEW);
}

static json_t *build_all_slots(struct inspect *inspect)
{
	return section_slots(inspect, SIZE_MAX);
}

#define THREAD_COLUMNS                                                                             \
	{                                                                                          \
		{ "thread", { "THREAD", TABLE_RIGHT } },                                           \
			{ "process", { "PROCESS", TABLE_RIGHT } },                                 \
			{ "tid", { "TID", TABLE_RIGHT } }, { "nested", { "NEST", TABLE_RIGHT } },  \
			{ "phases_behind", { "BEHIND", TABLE_RIGHT } },                            \
			{ "cached_bytes", { "CACHED", TABLE_RIGHT } },                             \
			{ "retired_bytes", { "RETIRED", TABLE_RIGHT } },                           \
			{ "doing", { "DOING", TABLE_WRAP } },                                      \
	}

#define READER_COLUMNS                                                                             \
	{                                                                                          \
		{ "thread", { "THREAD", TABLE_RIGHT } }, { "pid", { "PID", TABLE_RIGHT } },        \
			{ "program", { "PROGRAM", TABLE_CUT } },                                   \
			{ "tid", { "TID", TABLE_RIGHT } }, { "nested", { "NEST", TABLE_RIGHT } },  \
			{ "phases_behind", { "BEHIND", TABLE_RIGHT } },                            \
			{ "stalled_ms", { "STALLED", TABLE_RIGHT } },                              \
			{ "held_back_bytes", { "HOLDS BACK", TABLE_RIGHT } },                      \
			{ "revoked", { "REVOKED", 0 } },                                           \
	}

static const struct section sections[] = {
	{ "header", section_header, section_header, { { NULL, { NULL, 0 } } } },
	{ "memory", section_memory, section_memory, { { NULL, { NULL, 0 } } } },
	{ "slots",
	  build_few_slots,
	  build_all_slots,
	  { { "slot", { "SLOT", TABLE_RIGHT } },
	    { "restaurant_id", { "RESTAURANT", TABLE_CUT } },
	    { "session_id", { "SESSION", TABLE_CUT } },
	    { "state", { "STATE", 0 } },
	    { "version", { "VERSION", TABLE_RIGHT } },
	    { "lines", { "LINES", TABLE_RIGHT } },
	    { "cart_bytes", { "SIZE", TABLE_RIGHT } },
	    { "ends_in_ms", { "ENDS IN", TABLE_RIGHT } } } },
	{ "classes",
	  section_classes,
	  section_classes,
	  { { "block_bytes", { "BLOCK", TABLE_RIGHT } },
	    { "spans", { "SPANS", TABLE_RIGHT } },
	    { "blocks", { "BLOCKS", TABLE_RIGHT } },
	    { "live", { "LIVE", TABLE_RIGHT } },
	    { "free", { "FREE", TABLE_RIGHT } },
	    { "cached", { "CACHED", TABLE_RIGHT } },
	    { "retired", { "RETIRED", TABLE_RIGHT } } } },
	{ "processes",
	  section_processes,
	  section_processes,
	  { { "process", { "PROCESS", TABLE_RIGHT } },
	    { "pid", { "PID", TABLE_RIGHT } },
	    { "program", { "PROGRAM", TABLE_CUT } },
	    { "alive", { "ALIVE", 0 } },
	    { "agent", { "AGENT", 0 } },
	    { "full_fences", { "FENCES", 0 } },
	    { "threads", { "THREADS", TABLE_RIGHT } },
	    { "started_at", { "STARTED", 0 } } } },
	{ "threads", section_threads, section_threads, THREAD_COLUMNS },
	{ "readers", section_readers, section_readers, READER_COLUMNS },
	{ "locks",
	  section_locks,
	  section_locks,
	  { { "lock", { "LOCK", 0 } },
	    { "number", { "NUMBER", TABLE_RIGHT } },
	    { "thread", { "THREAD", TABLE_RIGHT } },
	    { "process", { "PROCESS", TABLE_RIGHT } },
	    { "pid", { "PID", TABLE_RIGHT } },
	    { "alive", { "ALIVE", 0 } },
	    { "held_ms", { "FOR", TABLE_RIGHT } },
	    { "waiters", { "WAITERS", 0 } } } },
	{ "deaths",
	  section_deaths,
	  section_deaths,
	  { { "repaired_at", { "REPAIRED", 0 } },
	    { "pid", { "PID", TABLE_RIGHT } },
	    { "program", { "PROGRAM", TABLE_CUT } },
	    { "threads", { "THREADS", TABLE_RIGHT } },
	    { "by_pid", { "BY PID", TABLE_RIGHT } },
	    { "what", { "WHAT", TABLE_WRAP } } } },
};

#define SECTION_COUNT (sizeof(sections) / sizeof(*sections))

/* ------------------------------------------------------------------ printing */

static void print_object(json_t *object)
{
	static const struct table_column columns[] = { { NULL, 0 }, { NULL, TABLE_WRAP } };
	struct table *table = table_new(columns, 2);
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		table_put(table, "  %s", key);
		human_put_value(table, key, value);
	}
	table_print(table);
}

static void print_rows(const struct section *section, const json_t *rows)
{
	struct table_column columns[TABLE_COLUMNS_MAX];
	struct table *table;
	size_t count = 0;
	size_t index;
	json_t *row;

	for (; count < TABLE_COLUMNS_MAX && section->columns[count].key; count++)
		columns[count] = section->columns[count].table;
	table = table_new(columns, count);
	json_array_foreach(rows, index, row) for (size_t i = 0; i < count; i++) human_put_value(
		table, section->columns[i].key, json_object_get(row, section->columns[i].key));
	table_print(table);
}

static void print_section(const struct section *section, json_t *value, bool alone)
{
	printf("%s%s%s", style_bold(), section->name, style_end());
	if (json_is_array(value) && json_array_size(value) == 0)
		printf(": none");
	putchar('\n');
	if (json_is_object(value))
		print_object(value);
	else if (json_array_size(value))
		print_rows(section, value);
	if (!alone && section->build != section->build_alone && json_array_size(value))
		printf("  (%d at most are shown here; all of them: corral inspect %s)\n",
		       SECTION_SLOTS_FEW, section->name);
}

/* Print all sections, or only this one (unless NULL). */
static void inspect_sections(struct inspect *inspect, const struct section *only, bool json)
{
	json_t *all = must_have(json_object());

	for (const struct section *section = sections; section < sections + SECTION_COUNT;
	     section++) {
		json_t *value;

		if (only && only != section)
			continue;
		value = only ? section->build_alone(inspect) : section->build(inspect);
		if (!json && !only && section != sections)
			putchar('\n');
		if (!json)
			print_section(section, value, only != NULL);
		json_object_set_new(all, section->name, value);
	}
	if (json)
		json_print(all);
	else
		json_decref(all);
}

enum exit_code run_inspect(struct call *call)
{
	const struct section *only = NULL;
	struct inspect *inspect = NULL;
	enum exit_code code;

	for (size_t i = 0; call->word && i < SECTION_COUNT; i++)
		if (strcmp(call->word, sections[i].name) == 0)
			only = &sections[i];
	if (call->word && !only)
		return complain(EXIT_USAGE, "no such section: %s: see corral inspect --help",
				call->word);
	code = open_inspect(call->dir, false, &inspect);
	if (code)
		return code;
	inspect_sections(inspect, only, call->given & HAS(OPTION_JSON));
	inspect_close(inspect);
	return EXIT_DONE;
}
