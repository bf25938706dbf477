/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rebuild.h (floor 6): a new arena in place of a damaged one.
 */
#ifndef CORRAL_AGENT_REBUILD_H
#define CORRAL_AGENT_REBUILD_H

#include "agent.h"
#include "salvage.h"

#define REBUILD_NAME_BYTES 64

/*
 * Put every sound cart of DIR/arena into a new arena, which takes its place; the damaged one is kept under the name
 * `aside`. tell() gets a line for each cart that is left out or was found elsewhere. We hold the agent's byte, and nobody is
 * attached. On failure all is as before, and why says what failed.
 */
int rebuild_arena(struct agent *agent, void (*tell)(const char *line), char aside[REBUILD_NAME_BYTES],
		  struct salvage_totals *ret_totals, char *why);

/* DIR/arena gets a name of its own. 0 or -errno. */
int rebuild_set_aside(int dir_fd, char aside[REBUILD_NAME_BYTES]);

/* Finish what a rebuild that died had nearly done, or take away what it had begun. 0: it is finished; -ENOENT: nothing was. */
int rebuild_resume(int dir_fd);

/* mend.c: corral-agent --repair: an exit code; says itself what was done. */
int mend_run(struct agent *agent);

#endif
