/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aside.h: journals that are set aside, under a name that says why, and what can be had
 * of them.
 */
#ifndef CORRAL_AGENT_ASIDE_H
#define CORRAL_AGENT_ASIDE_H

#include <limits.h>

#include "recover_index.h"

#define ASIDE_DAMAGED JOURNAL_DIRECTORY ".damaged."
#define ASIDE_UNREAD ".unread" /* behind the time: no arena was made of its files */
#define ASIDE_NAME_BYTES 64

/* Give all files of the journal a second name each in the directory DIR/name, on disk. 0 or -errno.
 */
int aside_link(const struct agent *agent, const struct recover *recover, const char *name);

/*
 * Not all that the journal had on disk could be taken: its files get a second name each in
 * DIR/journal.damaged.TIME, and are still there when the next base removes them. Says so, also when
 * it cannot be done: that is no reason not to start. kind: "" or ASIDE_UNREAD.
 */
void aside_keep(const struct agent *agent, const struct recover *recover, const char *what,
		const char *kind);

/*
 * Nothing can be made of the journal: it is renamed to DIR/journal.hopeless.TIME, and the agent
 * starts without. 0 or -errno.
 */
int aside_hopeless(const struct agent *agent, const char *why);

/*
 * Rename an entry of a directory to `wanted` with `suffix`, or, where that is taken, with a number
 * behind it: nothing is ever renamed over something. 0 and the name it has; or -errno.
 */
int aside_rename(int dir_fd, const char *name, const char *wanted, const char *suffix,
		 char ret_name[NAME_MAX + 1]);

/* aside_salvage.c: corral-agent --salvage: an exit code; says itself what was done. */
int aside_run(struct agent *agent);

#endif
