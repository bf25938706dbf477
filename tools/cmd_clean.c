/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_clean.c: the command clean: list what was set aside in the directory, and remove it by name.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arena/arena.h"
#include "aside.h"
#include "common/parse.h"
#include "common/text.h"
#include "sections.h"
#include "table.h"
#include "tool.h"

static enum exit_code list_all(const char *directory)
{
	static const struct table_column columns[] = { { "NAME", 0 }, { "BYTES", 0 }, { "", 0 } };
	size_t count;
	struct aside *all = aside_list(directory, &count);
	struct table *table = count > 0 ? table_new(columns, 3) : NULL;
	char bytes[FORMAT_MAX];

	for (size_t i = 0; i < count; i++) {
		table_put(table, "%s", all[i].name);
		table_put(table, "%s", format_bytes(all[i].bytes, bytes));
		table_put(table, all[i].spare ? "the arena has all of it" :
						"may be the only copy of something");
	}
	if (table != NULL)
		table_print(table); /* and frees it */
	else
		printf("nothing is set aside\n");
	free(all);
	return EXIT_DONE;
}

/* The removed files' contents are also in the arena, so the arena itself must be safe. */
static enum exit_code look_at_arena(const struct call *call)
{
	struct inspect *inspect = NULL;
	int64_t since_ms;
	enum exit_code code = open_inspect(call->dir, false, &inspect);

	if (code)
		return code;
	const char *trouble = section_not_durable(inspect, &since_ms);
	if (trouble != NULL && inspect_header(inspect)->journal != JOURNAL_MODE_OFF)
		code = complain(EXIT_NO, "nothing is removed: changes are not durable: %s",
				trouble);
	inspect_close(inspect);
	return code;
}

enum exit_code run_clean(struct call *call)
{
	char directory[PATH_MAX];
	char why[ARENA_WHY_BYTES] = "";
	enum exit_code code;
	int r;

	if (arena_directory(call->dir, directory, why) != 0)
		return complain(EXIT_USAGE, "%s", why);
	code = look_at_arena(call);
	if (code && call->word != NULL)
		return code;
	if (call->word == NULL)
		return code == EXIT_ARENA ? code : list_all(directory);
	r = aside_remove(directory, call->word);
	if (r == -EPERM)
		return complain(EXIT_NO,
				"%s: it may be the only copy of a cart: take what is in it "
				"(corral-agent --salvage), or remove it by hand",
				call->word);
	if (r == -ENOENT)
		return complain(EXIT_NO, "nothing of this name is set aside: %s: see corral clean",
				call->word);
	if (r)
		return complain(EXIT_NO, "%s: %s: see corral clean", call->word, strerror(-r));
	return EXIT_DONE;
}
