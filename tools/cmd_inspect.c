/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_inspect.c: `corral inspect`: each section of an arena as a table or as JSON. The table below
 * describes each section's columns; sections.c makes the rows.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/options.h"
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
	/*
	 * Returns the next row when only this section is printed, so that not all rows are in
	 * memory at once; NULL: there are few rows
	 */
	json_t *(*next)(struct inspect *inspect, uint32_t *index);
	struct column columns[TABLE_COLUMNS_MAX]; /* ends with a NULL key; none: the rows are keys
						     and values */
};

static json_t *build_few_slots(struct inspect *inspect)
{
	return section_slots(inspect, SECTION_SLOTS_FEW);
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
	{ "header", section_header, NULL, { { NULL, { NULL, 0 } } } },
	{ "memory", section_memory, NULL, { { NULL, { NULL, 0 } } } },
	{ "slots",
	  build_few_slots,
	  section_slot,
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
	  NULL,
	  { { "block_bytes", { "BLOCK", TABLE_RIGHT } },
	    { "spans", { "SPANS", TABLE_RIGHT } },
	    { "blocks", { "BLOCKS", TABLE_RIGHT } },
	    { "live", { "LIVE", TABLE_RIGHT } },
	    { "free", { "FREE", TABLE_RIGHT } },
	    { "cached", { "CACHED", TABLE_RIGHT } },
	    { "retired", { "RETIRED", TABLE_RIGHT } } } },
	{ "processes",
	  section_processes,
	  NULL,
	  { { "process", { "PROCESS", TABLE_RIGHT } },
	    { "pid", { "PID", TABLE_RIGHT } },
	    { "program", { "PROGRAM", TABLE_CUT } },
	    { "alive", { "ALIVE", 0 } },
	    { "agent", { "AGENT", 0 } },
	    { "full_fences", { "FENCES", 0 } },
	    { "threads", { "THREADS", TABLE_RIGHT } },
	    { "started_at", { "STARTED", 0 } },
	    { "changes", { "CHANGES", TABLE_RIGHT } },
	    { "p50_ns", { "P50", TABLE_RIGHT } },
	    { "p99_ns", { "P99", TABLE_RIGHT } } } },
	{ "threads", section_threads, NULL, THREAD_COLUMNS },
	{ "readers", section_readers, NULL, READER_COLUMNS },
	{ "locks",
	  section_locks,
	  NULL,
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
	  NULL,
	  { { "repaired_at", { "REPAIRED", 0 } },
	    { "pid", { "PID", TABLE_RIGHT } },
	    { "program", { "PROGRAM", TABLE_CUT } },
	    { "threads", { "THREADS", TABLE_RIGHT } },
	    { "by_pid", { "BY PID", TABLE_RIGHT } },
	    { "what", { "WHAT", TABLE_WRAP } } } },
};

#define SECTION_COUNT (sizeof(sections) / sizeof(*sections))

struct option_choice section_choice(uint32_t index)
{
	return (struct option_choice){ .name = index < SECTION_COUNT ? sections[index].name :
								       NULL };
}

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

static size_t columns_of(const struct section *section,
			 struct table_column columns[TABLE_COLUMNS_MAX])
{
	size_t count = 0;

	for (; count < TABLE_COLUMNS_MAX && section->columns[count].key != NULL; count++)
		columns[count] = section->columns[count].table;
	return count;
}

static void put_row(const struct section *section, size_t count, struct table *table,
		    const json_t *row)
{
	for (size_t i = 0; i < count; i++)
		human_put_value(table, section->columns[i].key,
				json_object_get(row, section->columns[i].key));
}

static void print_rows(const struct section *section, const json_t *rows)
{
	struct table_column columns[TABLE_COLUMNS_MAX];
	size_t count = columns_of(section, columns);
	struct table *table = table_new(columns, count);
	size_t index;
	json_t *row;

	json_array_foreach(rows, index, row) put_row(section, count, table, row);
	table_print(table);
}

static size_t put_rows(const struct section *section, size_t count, struct table *table,
		       struct inspect *inspect)
{
	uint32_t index = 0;
	size_t rows = 0;

	for (json_t *row; (row = section->next(inspect, &index)) != NULL; rows++) {
		put_row(section, count, table, row);
		json_decref(row);
	}
	return rows;
}

/* Row by row, however many there are: once to see how wide they are, and once more. */
static void flow_table(const struct section *section, struct inspect *inspect)
{
	struct table_column columns[TABLE_COLUMNS_MAX];
	size_t count = columns_of(section, columns);
	struct table *table = table_measure(columns, count);
	bool some = put_rows(section, count, table, inspect) > 0;

	printf("%s%s%s%s\n", style_bold(), section->name, style_end(), some ? "" : ": none");
	if (some) {
		table_begin(table);
		(void)put_rows(section, count, table, inspect);
	}
	table_end(table);
}

static void flow_json(const struct section *section, struct inspect *inspect)
{
	const char *separator = "";
	uint32_t index = 0;

	printf("{\"%s\":[", section->name);
	for (json_t *row; (row = section->next(inspect, &index)) != NULL; separator = ",") {
		char *line = json_line(row);
		printf("%s%s", separator, line);
		free(line);
		json_decref(row);
	}
	puts("]}");
}

static void print_section(const struct section *section, json_t *value)
{
	printf("%s%s%s", style_bold(), section->name, style_end());
	if (json_is_array(value) && json_array_size(value) == 0)
		printf(": none");
	putchar('\n');
	if (json_is_object(value))
		print_object(value);
	else if (json_array_size(value))
		print_rows(section, value);
	if (section->next != NULL && json_array_size(value))
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

		if (only != NULL && only != section)
			continue;
		value = section->build(inspect);
		if (!json && only == NULL && section != sections)
			putchar('\n');
		if (!json)
			print_section(section, value);
		json_object_set_new(all, section->name, value);
	}
	if (json)
		json_print(all);
	else
		json_decref(all);
}

enum exit_code run_inspect(struct call *call)
{
	struct nearest nearest = { .typed = call->word };
	const struct section *only = NULL;
	struct inspect *inspect = NULL;
	enum exit_code code;

	for (size_t i = 0; call->word != NULL && i < SECTION_COUNT; i++) {
		nearest_offer(&nearest, sections[i].name);
		if (strcmp(call->word, sections[i].name) == 0)
			only = &sections[i];
	}
	if (call->word != NULL && only == NULL) {
		options_unknown("section", "", &nearest, "corral inspect");
		return EXIT_USAGE;
	}
	code = open_inspect(call->dir, false, &inspect);
	if (code)
		return code;
	if (only == NULL || only->next == NULL)
		inspect_sections(inspect, only, call->json);
	else if (call->json)
		flow_json(only, inspect);
	else
		flow_table(only, inspect);
	inspect_close(inspect);
	return EXIT_DONE;
}
