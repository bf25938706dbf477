/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * upgrade.c: corral-agent --upgrade: move the carts of an arena that an older version made into one
 * of this version. Prints what it does on standard output.
 *
 * The carts are read through the frozen tables of the former layout (inspect/carry.h), and the new
 * arena is made and put in place like any other (rebuild.c): a death before the last step leaves
 * the former arena in its place. It is kept as DIR/arena.layoutN.
 *
 * A journal of another format cannot be read. It is put aside, whole, as DIR/journal.formatN, once
 * there is an arena that has all carts without it; if there is none, nothing is done.
 *
 * Workers may be attached while there is nothing to upgrade: a service manager may run this before
 * each start of the agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/former.h"
#include "inspect/inspect.h"
#include "journal_file.h"
#include "rebuild.h"

static void print_finding(void *context, const char *line)
{
	(void)context;
	mend_print(line);
}

/* PREFIX and number; if that name is taken, the time is appended. */
static void free_name(const struct agent *agent, const char *prefix, uint32_t number,
		      char name[REBUILD_NAME_BYTES])
{
	struct stat st;

	snprintf(name, REBUILD_NAME_BYTES, "%s%u", prefix, number);
	if (fstatat(agent->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		snprintf(name, REBUILD_NAME_BYTES, "%s%u.%lld", prefix, number,
			 (long long)arena_wall_ms());
}

/* ---------------------------------------------------------- a former arena */

static int carry_over(struct agent *agent, struct carry *carry, char *why)
{
	char name[REBUILD_NAME_BYTES], aside[REBUILD_NAME_BYTES];
	struct salvage_totals totals = { 0 };

	free_name(agent, ARENA_FILE ".layout", FORMER_LAYOUT, name);
	int r = rebuild_carried(agent, carry, mend_print, name, aside, &totals, why);
	if (r < 0)
		return mend_refuse(agent, why, r);
	printf("upgraded from layout %u to %u: %u cart%s carried over, %u left out, %u ended "
	       "meanwhile\n"
	       "the former arena is kept as %s/%s: remove it when all is well (corral clean)\n",
	       FORMER_LAYOUT, LAYOUT_VERSION, totals.kept, totals.kept == 1 ? "" : "s",
	       totals.damaged, totals.ended, agent->directory, aside);
	return totals.damaged > 0 ? EXIT_NO : EXIT_DONE;
}

/*
 * validate_why: why the present programs refuse it; foreign: not empty if there is a journal that
 * we cannot read. Such a journal has more than those pages of an earlier boot that reached the
 * disk.
 */
static int upgrade_arena(struct agent *agent, const char *validate_why, const char *foreign)
{
	char why[REASON_BYTES] = "";
	struct carry *carry;

	if (!mend_take_processes(agent))
		return EXIT_NO;
	int r = carry_open(agent->dir_fd, &carry, why);
	if (r == -EPROTONOSUPPORT) /* it is newer, too old, or its structs have other sizes */
		return mend_refuse(agent, validate_why, r);
	if (r < 0)
		return mend_refuse(agent, why, r);
	int code = carry_behind_journal(carry) && foreign[0] != '\0' ?
			   mend_refuse(agent, foreign, -EPROTONOSUPPORT) :
			   carry_over(agent, carry, why);
	carry_close(carry);
	return code;
}

/* -------------------------------------------------------- a foreign journal */

/*
 * Is the arena valid, and of this boot or without a journal? Then all that the journal has is in
 * it.
 */
static bool has_all(struct agent *agent)
{
	struct inspect *inspect;
	struct inspect_totals totals;
	struct salvage *salvage;
	char why[REASON_BYTES];
	uint64_t faults = 1;
	bool quiet;

	if (salvage_open(agent->dir_fd, &salvage, NULL) < 0)
		return false;
	bool behind = salvage_behind_journal(salvage);
	salvage_close(salvage);
	if (behind ||
	    inspect_open_at(agent->dir_fd, agent->directory, false, &inspect, why, sizeof(why)) < 0)
		return false;
	if (inspect_check(inspect, print_finding, NULL, &faults, &quiet, &totals) < 0)
		faults = 1;
	inspect_close(inspect);
	return faults == 0;
}

static int sync_arena(const struct agent *agent)
{
	int fd = openat(agent->dir_fd, ARENA_FILE, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int put_journal_aside(struct agent *agent, uint32_t format, const char *foreign)
{
	char name[REBUILD_NAME_BYTES];

	if (!mend_take_processes(agent))
		return EXIT_NO;
	if (!has_all(agent))
		return mend_refuse(agent, foreign, -EPROTONOSUPPORT);
	int r = sync_arena(agent);
	if (r < 0)
		return mend_refuse(agent, "cannot sync the arena", r);
	free_name(agent, JOURNAL_DIRECTORY ".format", format, name);
	if (renameat(agent->dir_fd, JOURNAL_DIRECTORY, agent->dir_fd, name) < 0 ||
	    fsync(agent->dir_fd) < 0)
		return mend_refuse(agent, "cannot put the journal aside", -errno);
	printf("the journal of format %u is kept as %s/%s: the arena has all its carts; remove it "
	       "when all is well\n",
	       format, agent->directory, name);
	return EXIT_DONE;
}

/* --------------------------------------------------------------------- all */

static int upgrade_directory(struct agent *agent, const char *foreign)
{
	char why[REASON_BYTES] = "";
	struct inspect *inspect;
	struct stat st;

	int r = fstatat(agent->dir_fd, ARENA_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (r == -ENOENT && foreign[0] == '\0') {
		printf("nothing to upgrade: there is no arena\n");
		return EXIT_DONE;
	}
	if (r < 0)
		return r == -ENOENT ? mend_refuse(agent, foreign, -EPROTONOSUPPORT) :
				      mend_refuse(agent, "cannot look at the arena", r);
	r = inspect_open_at(agent->dir_fd, agent->directory, false, &inspect, why, sizeof(why));
	if (r == -EPROTONOSUPPORT)
		return upgrade_arena(agent, why, foreign);
	if (r < 0)
		return mend_refuse(agent, why, r);
	inspect_close(inspect);
	printf("nothing to upgrade: the arena has layout %u\n", LAYOUT_VERSION);
	return EXIT_DONE;
}

int upgrade_run(struct agent *agent)
{
	char foreign[REASON_BYTES] = "";
	uint32_t format = 0;

	int code = mend_take_directory(agent);
	if (code != EXIT_DONE)
		return code;
	if (rebuild_resume(agent->dir_fd) == 0)
		printf("finished what an earlier run had begun\n");
	int r = journal_refuse_foreign(agent->dir_fd, &format, foreign);
	code = upgrade_directory(agent, foreign);
	if (code == EXIT_DONE && r < 0)
		code = put_journal_aside(agent, format, foreign);
	return code;
}
