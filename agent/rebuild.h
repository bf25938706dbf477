/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rebuild.h: a new arena in place of a damaged, former or missing one.
 */
#ifndef CORRAL_AGENT_REBUILD_H
#define CORRAL_AGENT_REBUILD_H

#include "agent.h"
#include "ends.h"
#include "inspect/carry.h"
#include "inspect/salvage.h"

#define REBUILD_NAME_BYTES 64

/*
 * slot: the slot for the cart, or REBUILD_ANY_SLOT. idle_ns: time since its last activity, or
 * SALVAGE_OVER: then the new arena tells its end
 */
typedef int (*rebuild_take)(void *context, uint32_t slot, const void *cart, size_t size,
			    uint64_t idle_ns);
#define REBUILD_ANY_SLOT UINT32_MAX

/* The source of a new arena's carts. */
struct rebuild_source {
	void *context;
	void (*settings)(void *context, struct arena_settings *ret_settings);
	int (*carts)(void *context, rebuild_take take,
		     void (*finding)(void *take_context, const char *line), void *take_context,
		     struct salvage_totals *ret_totals);
	/* see salvage_floors(); -ESTALE: the carts are not in the slots that were asked for */
	int (*floors)(void *context, struct arena *arena);
	/* the cursors, and the ends that they need; NULL: there are none */
	void (*ends)(void *context, struct ends *ends);
	uint32_t slots; /* carts have numbered slots, all below this; 0: any slots */
	/* it outlasts a power loss: only the new arena's header has to be on disk */
	bool lasting;
};

/*
 * Make a new arena from a source and put it in place of DIR/arena. The old one, if there is one, is
 * kept under the name aside_name (NULL, or carts of it were left out: arena.damaged.TIME), which is
 * returned in `aside` ("": there was none). tell() gets a line for each cart that is left out. The
 * caller holds the agent's byte, and no process is attached. If the carts of a full arena do not
 * fit, the new one is made larger. A failure changes nothing, and why says what failed.
 */
int rebuild_from(struct agent *agent, const struct rebuild_source *source,
		 void (*tell)(const char *line), const char *aside_name,
		 char aside[REBUILD_NAME_BYTES], struct salvage_totals *ret_totals, char *why);

/*
 * Put every valid cart of DIR/arena into a new arena, which takes its place; the damaged one is
 * kept under the name `aside`. tell() gets a line for each cart that is left out or was found
 * elsewhere. The caller holds the agent's byte, and no process is attached. A failure changes
 * nothing, and why says what failed.
 */
int rebuild_arena(struct agent *agent, void (*tell)(const char *line),
		  char aside[REBUILD_NAME_BYTES], struct salvage_totals *ret_totals, char *why);

/* The same from DIR/arena of the former layout, already open; it is kept as aside_name. */
int rebuild_carried(struct agent *agent, struct carry *carry, void (*tell)(const char *line),
		    const char *aside_name, char aside[REBUILD_NAME_BYTES],
		    struct salvage_totals *ret_totals, char *why);

/* Rename DIR/arena to this name, or (NULL) to a generated one. 0 or -errno. */
int rebuild_set_aside(int dir_fd, const char *name, char aside[REBUILD_NAME_BYTES]);

/*
 * Finish a rebuild that died before its last step, or remove what it had begun. 0: finished;
 * -ENOENT: there was nothing to finish.
 */
int rebuild_resume(int dir_fd);

/* mend.c: corral-agent --repair. Returns an exit code; prints what was done. */
int mend_run(struct agent *agent);

/* mend.c: take the directory in place of an agent. Returns an exit code. */
int mend_take_directory(struct agent *agent);

/*
 * mend.c: take the byte of every process: then no process is attached, and none can attach until we
 * end. If one is attached, print which, and return false.
 */
bool mend_take_processes(const struct agent *agent);

/* mend.c: print a line on standard output, escaped. */
void mend_print(const char *line);

/* mend.c: print on standard error why it is refused. EXIT_ARENA. */
int mend_refuse(const struct agent *agent, const char *why, int error);

/* resize.c: corral-agent --resize. Returns an exit code; prints what was done. */
int resize_run(struct agent *agent);

/* upgrade.c: corral-agent --upgrade. Returns an exit code; prints what was done. */
int upgrade_run(struct agent *agent);

#endif
