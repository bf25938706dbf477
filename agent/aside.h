/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aside.h: journals that are set aside under a name that says why, and their salvage.
 */
#ifndef CORRAL_AGENT_ASIDE_H
#define CORRAL_AGENT_ASIDE_H

#include <limits.h>

#include "recover_index.h"

#define ASIDE_DAMAGED JOURNAL_DIRECTORY ".damaged."
#define ASIDE_UNREAD ".unread" /* after the time: no arena was made from its files */
#define ASIDE_NAME_BYTES 64

/* Link all files of the journal into the directory DIR/name, and sync it. 0 or -errno. */
int aside_link(const struct agent *agent, const struct recover *recover, const char *name);

/*
 * Not all that the journal had on disk could be taken: link its files into
 * DIR/journal.damaged.TIME, so that they outlive the next base, which removes them from the
 * journal. A failure is logged, but is no reason not to start. kind: "" or ASIDE_UNREAD.
 */
void aside_keep(const struct agent *agent, const struct recover *recover, const char *what,
		const char *kind);

/*
 * No arena can be made from the journal: rename it to DIR/journal.hopeless.TIME, so that the agent
 * can start without it. 0 or -errno.
 */
int aside_hopeless(const struct agent *agent, const char *why);

/*
 * Rename a directory entry to `wanted` with `suffix`, and a number appended if that name is taken:
 * nothing is ever replaced. 0 and the new name; or -errno.
 */
int aside_rename(int dir_fd, const char *name, const char *wanted, const char *suffix,
		 char ret_name[NAME_MAX + 1]);

/* aside_salvage.c: corral-agent --salvage. Returns an exit code; logs what was done. */
int aside_run(struct agent *agent);

#endif
