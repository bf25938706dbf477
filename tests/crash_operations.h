/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_operations.h: the operations of the crash matrix, on the one cart crash_key.
 */
#ifndef CRASH_OPERATIONS_H
#define CRASH_OPERATIONS_H

#include <stdbool.h>

#include "corral.h"

#define CRASH_OPERATIONS 19u

enum crash_kind {
	CRASH_CHANGES,  /* one change, with an operation id: done again it is the same */
	CRASH_DROPS,    /* done again: no such cart */
	CRASH_REPLACES, /* done again: another version */
	CRASH_SEVERAL,  /* several changes, each whole */
	CRASH_NO_CHANGE,
	CRASH_EXPIRES, /* no call's change, but the cart ends */
};

struct crash_operation {
	const char *name;
	void (*prepare)(struct corral *corral); /* at full speed; NULL: not even opened */
	int (*act)(struct corral *corral);      /* the operation itself; NULL: opening */
	enum crash_kind kind;
};

extern const struct crash_operation crash_operations[CRASH_OPERATIONS];
extern const struct corral_key crash_key;

#endif
