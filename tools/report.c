/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.c: error messages and exit codes.
 *
 * All messages have one form, "corral: what: where: what to do".
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "arena/arena.h"
#include "tool.h"

/* The exit code and the advice for each error. Others: EXIT_ARENA. */
static const struct {
	int error;
	enum exit_code code;
	const char *advice;
} meanings[] = {
	{ ENOENT, EXIT_NO, "see the carts there are with: corral ls" },
	{ ENXIO, EXIT_NO, "see what it has with: corral show" },
	{ EMLINK, EXIT_NO, "see their numbers with: corral show" },
	{ ESHUTDOWN, EXIT_NO, "it can still be shown, or ended with: corral drop" },
	{ ECANCELED, EXIT_NO,
	  "another change came first; look at it with: corral show, then decide again" },
	{ ENOTUNIQ, EXIT_NO,
	  "nothing was changed; an id names one change: give this one an id of its own" },
	{ EBUSY, EXIT_NO, "try again; see who holds it with: corral inspect locks" },
	{ EUCLEAN, EXIT_NO, "see what is damaged with: corral check" },
	{ EOVERFLOW, EXIT_NO, "nothing was changed; lower the price or the quantity" },
	{ EDOM, EXIT_NO,
	  "nothing was changed; lower what is taken off, or allow it with: corral pricing" },
	{ ENOTEMPTY, EXIT_NO, "nothing was changed; take another cart, or clear it first" },
	{ E2BIG, EXIT_NO, "nothing was changed; shorten it or use another cart" },
	{ EINVAL, EXIT_USAGE, "see: corral help" },
	{ ENAMETOOLONG, EXIT_USAGE, "shorten it" },
	{ EILSEQ, EXIT_USAGE, "write it in UTF-8" },
	{ ERANGE, EXIT_USAGE, "see the limits with: corral help" },
	{ ENOMEM, EXIT_ARENA,
	  "see what fills it with: corral status; a larger one: corral-agent --resize --size" },
	{ ENFILE, EXIT_ARENA,
	  "end carts, or make room for more: corral-agent --resize --max-carts" },
	{ ENOSPC, EXIT_ARENA, "free space on the file system" },
	{ EUSERS, EXIT_ARENA, "see who is attached with: corral inspect processes" },
	{ ESTALE, EXIT_ARENA, "run the command again" },
};

enum exit_code complain_step(const struct call *call, uint32_t step, int error)
{
	char which[32] = "";
	enum exit_code code = EXIT_ARENA;
	const char *advice = "see: corral status";

	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (meanings[i].error == -error) {
			code = meanings[i].code;
			advice = meanings[i].advice;
		}
	if (step != 0)
		snprintf(which, sizeof(which), "step %" PRIu32 ": ", step);
	return complain(code, "%s%s: cart %s %s: %s", which, corral_strerror(error),
			call->key.restaurant_id.data, call->key.session_id.data, advice);
}

enum exit_code complain_cart(const struct call *call, int error)
{
	return complain_step(call, 0, error);
}

enum exit_code complain_sync(const char *done, int error)
{
	return complain(error == -EOPNOTSUPP || error == -ENOTCONN ? EXIT_NO_AGENT : EXIT_ARENA,
			"%s, but not known to be on disk: %s", done,
			error == -ETIMEDOUT ? "the agent takes too long" : corral_strerror(error));
}

/* corral_strerror() speaks of carts ("no such cart"), so `why` says what an arena lacks. */
enum exit_code complain_arena(const char *where, int error, const char *why)
{
	if (!*why)
		why = corral_strerror(error);
	/* a location of servers may have a password in it */
	if (strstr(why, where) != NULL || strstr(where, "://") != NULL)
		return complain(EXIT_ARENA, "the arena cannot be used: %s", why);
	return complain(EXIT_ARENA, "the arena cannot be used: %s: %s", where, why);
}

void *must_have(void *memory)
{
	if (memory == NULL)
		exit((int)complain(
			EXIT_ARENA,
			"out of memory: this program: free some memory, then try again"));
	return memory;
}

enum exit_code open_arena(const struct call *call, unsigned flags, struct corral **ret_corral)
{
	char path[PATH_MAX];
	char why[ARENA_WHY_BYTES] = "";
	int r = corral_open(call->dir, flags | CORRAL_CATCH_SIGBUS, ret_corral);

	if (r == 0)
		return EXIT_DONE;
	if (arena_directory(call->dir, path, why) != 0)
		snprintf(path, sizeof(path), "%s",
			 call->dir != NULL ? call->dir : "the default directory");
	return complain_arena(path, r, corral_why());
}
