/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_guests.h: who arrives where somebody has died: in the other yard of a crash stage.
 *
 *   newcomer      attaches, and takes the dead one's process record
 *   waiter        is another process, attached before; does the same operation on the same cart,
 *                 and so meets the locks
 *   agent         runs already; its next round buries the dead
 *   new agent     takes up the arena, as after the death of an agent, and does its first round
 *   two newcomers, two waiters, a waiter and an agent: at once, each on a CPU of its own; they do
 *   the operation too
 */
#ifndef CRASH_GUESTS_H
#define CRASH_GUESTS_H

#include "agent.h"
#include "crash_kit.h"
#include "crash_operations.h"

enum crash_arrival {
	CRASH_NEWCOMER,
	CRASH_WAITER,
	CRASH_RUNNING_AGENT,
	CRASH_NEW_AGENT,
	CRASH_TWO_NEWCOMERS,
	CRASH_TWO_WAITERS,
	CRASH_WAITER_AND_AGENT,
	CRASH_ARRIVALS
};

extern const char *const crash_arrival_names[CRASH_ARRIVALS];

struct crash_guest {
	struct corral *corral;
	struct agent agent; /* corral is its handle, if it is one */
	bool takes_up;      /* the agent has byte 0 */
};

extern struct agent crash_agent; /* of a traced process that is an agent */

/* Take up a directory as its agent; *agent is zeroed. */
int crash_take_up(struct agent *agent, const char *directory);

/*
 * Hold the liveness bytes of these processes (a bit each) in the other yard: they are not dead
 * there.
 */
void crash_hold(const struct crash_stage *stage, uint32_t processes, struct life *ret_holder);

/* All processes that stand in the other arena. */
uint32_t crash_processes(const struct crash_stage *stage);

/*
 * One arrives, or two do at once; who is not a newcomer was there before the death of `dead`. When
 * there are two, each has done `again` with the operation id ids[i] when this returns, and rets[i]
 * is what it got. Who comes alone has buried the dead, but for a waiter: he has only attached.
 */
void crash_arrive(const struct crash_stage *stage, enum crash_arrival who, uint32_t dead,
		  int (*again)(struct corral *corral), const char *const ids[2],
		  struct crash_guest guests[2], int rets[2]);
void crash_leave(struct crash_guest guests[2]);

static inline bool crash_two(enum crash_arrival who)
{
	return who >= CRASH_TWO_NEWCOMERS;
}

#endif
