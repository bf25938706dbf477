/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_check.c: the command check. It reads the file through inspect.h, attaches nowhere and changes
 * nothing; check --repair runs `corral-agent --repair` in its place.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/parse.h"
#include "common/text.h"
#include "sections.h"
#include "table.h"
#include "tool.h"

static void print_finding(void *context, const char *line)
{
	char *escaped = must_have(text_escape(line, strlen(line)));

	(void)context;
	printf("%s%s%s\n", style_bad(), escaped, style_end());
	free(escaped);
}

/* Only the agent repairs, since it holds the directory's lock. */
static enum exit_code repair(const char *directory)
{
	const char *program = getenv("CORRAL_AGENT");

	if (program == NULL || program[0] == '\0')
		program = "corral-agent";
	if (directory != NULL)
		execlp(program, program, "--repair", "--dir", directory, (char *)NULL);
	else
		execlp(program, program, "--repair", (char *)NULL);
	return complain(EXIT_ARENA, "cannot run %s: %s: name it with $CORRAL_AGENT", program,
			strerror(errno));
}

enum exit_code run_check(struct call *call)
{
	if (call->repair)
		return repair(call->word != NULL ? call->word : call->dir);

	struct inspect_totals totals = { 0 };
	struct inspect *inspect = NULL;
	enum exit_code code =
		open_inspect(call->word != NULL ? call->word : call->dir, true, &inspect);
	char buffer[FORMAT_MAX];
	uint64_t faults = 0;
	uint32_t carts;
	bool still = false;
	int r;

	if (code)
		return code;
	r = inspect_check(inspect, print_finding, NULL, &faults, &still, &totals);
	inspect_close(inspect);
	if (r && !faults)
		return complain_arena(call->word != NULL ? call->word : "the arena", r,
				      "it could not be checked to its end");
	carts = totals.carts_open + totals.carts_checked_out;
	printf("%s: %" PRIu64 " fault%s; %" PRIu32 " cart%s, %s; %s\n",
	       faults ? "damaged" : "sound", faults, plural(faults), carts, plural(carts),
	       format_bytes(totals.cart_bytes, buffer),
	       still ? "all blocks and slots accounted for" : "blocks and slots not accounted for");
	return faults ? EXIT_NO : EXIT_DONE;
}
