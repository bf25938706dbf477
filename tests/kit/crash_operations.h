/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_operations.h: the operations of the crash matrix, on the one cart crash_key.
 *
 * crash_operations.c has a worker's calls; crash_operations_care.c has the work beneath and beside
 * them: memory, threads, fork, the agent.
 */
#ifndef CRASH_OPERATIONS_H
#define CRASH_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "corral.h"

enum crash_role {
	CRASH_WORKER,
	CRASH_OPENING, /* a worker whose operation is to attach */
	CRASH_AGENT,
	CRASH_STARTING, /* an agent whose operation is to take up the arena */
};

enum crash_kind {
	CRASH_CHANGES,  /* one change with an operation id; repeating it has no effect */
	CRASH_DROPS,    /* repeating it finds no cart */
	CRASH_REPLACES, /* repeating it makes another version */
	CRASH_SEVERAL,  /* several changes, each atomic */
	CRASH_NO_CHANGE,
	CRASH_EXPIRES, /* no call changes the cart, but the cart ends */
};

struct crash_operation {
	const char *name;
	void (*prepare)(struct corral *corral); /* at full speed */
	int (*act)(struct corral
			   *corral); /* the operation itself; NULL: the one that the role implies */
	enum crash_kind kind;
	enum crash_role role;
	/* act() forks: its parent has record 0 and its child record 1; the child does `again` */
	int (*again)(struct corral *corral);
	bool long_winded; /* slow: in the whole run only */
};

extern const struct crash_operation crash_worker_operations[];
extern const size_t crash_worker_operation_count;
extern const struct crash_operation crash_care_operations[];
extern const size_t crash_care_operation_count;

#define CRASH_LABEL "the kiosk at the door" /* of a process that attaches */

extern const struct corral_key crash_key;
extern __thread const char *crash_op_id; /* the operation id that an act() passes */

/* Helpers of both files. */
struct corral_item crash_item(const char *id, const char *notes);
void crash_two_lines(struct corral *corral);
void crash_dropped_carts(struct corral *corral);
void crash_nearly_over(struct corral *corral); /* when it returns, the cart has expired */
int crash_add_burger(struct corral *corral);
int crash_add_coke(struct corral *corral);

#endif
