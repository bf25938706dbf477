/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mend.c: corral-agent --repair: check the arena of a directory that is not in use, and rebuild it
 * if it is damaged. Prints what it finds and does on standard output.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/text.h"
#include "inspect/inspect.h"
#include "rebuild.h"

/* Lines may contain keys and names of programs, which others chose: escape them. */
void mend_print(const char *line)
{
	char *escaped = text_escape(line, strlen(line));

	printf("%s\n", escaped != NULL ? escaped : "no memory for this line");
	free(escaped);
}

static void print_finding(void *context, const char *line)
{
	(void)context;
	mend_print(line);
}

int mend_refuse(const struct agent *agent, const char *why, int error)
{
	const char *text = why[0] != '\0' ? why : corral_strerror(error);
	char *escaped = text_escape(text, strlen(text));

	fprintf(stderr, "corral-agent: %s: %s\n", agent->directory, escaped != NULL ? escaped : "");
	free(escaped);
	return EXIT_ARENA;
}

/* Print which process holds this byte, as far as the arena, of either layout, tells. */
static void name_holder(const struct agent *agent, uint32_t number)
{
	struct salvage *salvage;
	struct carry *carry;
	char program[40];
	int32_t pid = 0;
	bool used = false;

	if (carry_open(agent->dir_fd, &carry, NULL) == 0) {
		used = carry_process(carry, number, &pid, program);
		carry_close(carry);
	} else if (salvage_open(agent->dir_fd, &salvage, NULL) == 0) {
		used = salvage_process(salvage, number, &pid, program);
		salvage_close(salvage);
	}
	char *escaped = used ? text_escape(program, strnlen(program, sizeof(program))) : NULL;
	if (escaped != NULL)
		fprintf(stderr, "corral-agent: pid %d (%s) has the arena open: stop it first\n",
			pid, escaped);
	else
		fprintf(stderr, "corral-agent: a process has the arena open: stop it first\n");
	free(escaped);
}

bool mend_take_processes(const struct agent *agent)
{
	for (uint32_t number = 0; number < MAX_PROCESSES; number++) {
		if (!alive_take(&agent->agent_life, ALIVE_BYTE(number))) {
			name_holder(agent, number);
			return false;
		}
	}
	return true;
}

/* 1: the arena is damaged; 0: it is valid; -errno. */
static int look(const struct agent *agent, char *why)
{
	struct inspect *inspect;
	struct inspect_totals totals;
	uint64_t faults = 0;
	bool quiet;

	int r = inspect_open_at(agent->dir_fd, agent->directory, true, &inspect, why, REASON_BYTES);
	if (r < 0)
		return r == -EPROTO ? 1 : r; /* too short to check: it may be cut off */
	r = inspect_check(inspect, print_finding, NULL, &faults, &quiet, &totals);
	inspect_close(inspect);
	if (r < 0)
		return reason_system(why, r, "it could not be checked to its end");
	return faults > 0;
}

static int mend(struct agent *agent)
{
	char aside[REBUILD_NAME_BYTES];
	struct salvage_totals totals;
	char why[REASON_BYTES] = "";

	int r = look(agent, why);
	if (r < 0)
		return mend_refuse(agent, why, r);
	if (r == 0) {
		printf("sound: nothing is to be repaired\n");
		return EXIT_DONE;
	}
	r = rebuild_arena(agent, mend_print, aside, &totals, why);
	if (r < 0)
		return mend_refuse(agent, why, r);
	printf("rebuilt: %u cart%s kept (%u of them found again, %u perhaps older), %u left out, "
	       "%u ended meanwhile; the damaged arena is kept as %s/%s\n",
	       totals.kept, totals.kept == 1 ? "" : "s", totals.again, totals.older, totals.damaged,
	       totals.ended, agent->directory, aside);
	return totals.damaged + totals.older > 0 ? EXIT_NO : EXIT_DONE;
}

int mend_take_directory(struct agent *agent)
{
	char why[REASON_BYTES] = "";

	int code = agent_open_directory(agent);
	if (code != EXIT_DONE)
		return code;
	int r = alive_open(agent->dir_fd, true, &agent->agent_life, why);
	if (r < 0)
		return mend_refuse(agent, why, r);
	return agent_take_byte(agent);
}

int mend_run(struct agent *agent)
{
	struct stat st;

	int code = mend_take_directory(agent);
	if (code == EXIT_DONE && !mend_take_processes(agent))
		code = EXIT_NO;
	if (code != EXIT_DONE)
		return code;
	(void)rebuild_resume(agent->dir_fd);
	if (fstatat(agent->dir_fd, ARENA_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return mend_refuse(
			agent, errno == ENOENT ? "there is no arena to repair" : strerror(errno),
			-errno);
	return mend(agent);
}
