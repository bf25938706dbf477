/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_guests.h: the processes that arrive in the other yard of a crash stage, where a process has
 * died.
 *
 * newcomer      attaches and takes the dead process's record
 * waiter        is another process, attached before the death; it does the same operation on the
 *               same cart, and so meets the locks
 * agent         runs already; its next round buries the dead
 * new agent     takes up the arena, as after the death of an agent, and does its first round
 * two newcomers, two waiters, a waiter and an agent: at the same time, each on its own CPU; they
 *               do the operation too
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
	struct agent agent; /* its `corral` is the arrival's handle if the arrival is an agent */
	bool takes_up;      /* the agent holds byte 0 */
};

extern struct agent crash_agent; /* the agent of a traced process that is one */

/* Take up a directory as its agent; *agent must be zeroed. */
int crash_take_up(struct agent *agent, const char *directory);

/*
 * Hold the liveness bytes of these processes (one bit each) in the other yard, so that they count
 * as alive there.
 */
void crash_hold(const struct crash_stage *stage, uint32_t processes, struct life *ret_holder);

/* The processes with a record in the other arena. */
uint32_t crash_processes(const struct crash_stage *stage);

/*
 * One process arrives, or two at the same time; all but newcomers had attached before the death of
 * `dead`. Of two, each has done `again` with the operation id ids[i] when this returns, and rets[i]
 * is its result. One that arrives alone has buried the dead, except a waiter, which has only
 * attached.
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
