/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rebuild.h: a new arena in place of a damaged, former or missing one.
 */
#ifndef CORRAL_AGENT_REBUILD_H
#define CORRAL_AGENT_REBUILD_H

#include "agent.h"
#include "inspect/carry.h"
#include "inspect/salvage.h"

#define REBUILD_NAME_BYTES 64

/* slot: which one the cart is to have; REBUILD_ANY_SLOT */
typedef int (*rebuild_take)(void *context, uint32_t slot, const void *cart, size_t size,
			    uint64_t idle_ns);
#define REBUILD_ANY_SLOT UINT32_MAX

/* Where the carts of a new arena come from. */
struct rebuild_source {
	void *context;
	void (*settings)(void *context, struct arena_settings *ret_settings);
	int (*carts)(void *context, rebuild_take take,
		     void (*finding)(void *take_context, const char *line), void *take_context,
		     struct salvage_totals *ret_totals);
	/* see salvage_floors(); -ESTALE: the carts are not where they are said to be */
	int (*floors)(void *context, struct arena *arena);
	uint32_t slots; /* carts come with the numbers of their slots, all below this; 0: they have
			   any */
	bool lasting;   /* after a power loss it is all there again: only the new arena's header has
			   to be on disk */
};

/*
 * Make a new arena out of a source, put it in place of DIR/arena, and keep that one, if there is
 * any, under the name aside_name (NULL: one of its own), which is then `aside` ("": there was
 * none). tell() gets a line for each cart that is left out. We hold the agent's byte, and nobody is
 * attached. A full arena's carts get a larger one if they need it. On failure all is as before, and
 * why says what failed.
 */
int rebuild_from(struct agent *agent, const struct rebuild_source *source,
		 void (*tell)(const char *line), const char *aside_name,
		 char aside[REBUILD_NAME_BYTES], struct salvage_totals *ret_totals, char *why);

/*
 * Put every sound cart of DIR/arena into a new arena, which takes its place; the damaged one is
 * kept under the name `aside`. tell() gets a line for each cart that is left out or was found
 * elsewhere. We hold the agent's byte, and nobody is attached. On failure all is as before, and why
 * says what failed.
 */
int rebuild_arena(struct agent *agent, void (*tell)(const char *line),
		  char aside[REBUILD_NAME_BYTES], struct salvage_totals *ret_totals, char *why);

/* The same out of DIR/arena of the former layout, open already; it gets the name aside_name. */
int rebuild_carried(struct agent *agent, struct carry *carry, void (*tell)(const char *line),
		    const char *aside_name, char aside[REBUILD_NAME_BYTES],
		    struct salvage_totals *ret_totals, char *why);

/* DIR/arena gets this name, or (NULL) one of its own. 0 or -errno. */
int rebuild_set_aside(int dir_fd, const char *name, char aside[REBUILD_NAME_BYTES]);

/*
 * Finish what a rebuild that died had nearly done, or take away what it had begun. 0: it is
 * finished; -ENOENT: nothing was.
 */
int rebuild_resume(int dir_fd);

/* mend.c: corral-agent --repair: an exit code; says itself what was done. */
int mend_run(struct agent *agent);

/*
 * mend.c: the directory, for us alone: its bytes, the agent's and those of all processes. An exit
 * code; names who has one.
 */
int mend_take_directory(struct agent *agent);

/* mend.c: a line on standard output, escaped. */
void mend_print(const char *line);

/* mend.c: say on standard error why not. EXIT_ARENA. */
int mend_refuse(const struct agent *agent, const char *why, int error);

/* resize.c: corral-agent --resize: an exit code; says itself what was done. */
int resize_run(struct agent *agent);

/* upgrade.c: corral-agent --upgrade: an exit code; says itself what was done. */
int upgrade_run(struct agent *agent);

#endif
