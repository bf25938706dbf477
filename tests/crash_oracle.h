/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_oracle.h: what must hold after a death, whoever came. Everything is compared with two
 * moments: the beginning (before the first instruction) and the death (stage->now); what is there
 * now is in the other arena.
 */
#ifndef CRASH_ORACLE_H
#define CRASH_ORACLE_H

#include "crash_kit.h"
#include "crash_operations.h"

#define CRASH_THREADS 8u /* records beyond are not used by so few */
#define CRASH_PROCESSES 8u
#define CRASH_CARTS 64u

/* A cart in words; versions and times left out, since a cell comes later than the operation. */
struct crash_sight {
	char text[512];
	uint64_t version; /* 0: none */
};

void crash_describe(struct corral *corral, struct crash_sight *ret_sight);

/* What an operation leads to, found out in a yard of its own, where nobody dies. */
struct crash_expected {
	struct crash_sight before;
	struct crash_sight after;
	struct crash_sight again; /* and then done again (or, where nothing is to be done again,
				     another change) */
	struct crash_sight twice; /* done by two, each with an operation id of his own */
	bool two_ids;             /* it can be */
};

void crash_expect(const struct crash_operation *operation, struct crash_expected *ret_expected);

/* What is done again after a death. */
int crash_again(const struct crash_operation *operation, struct corral *corral);

/*
 * The beginning: the dirty bitmap is cleared, versions are remembered. In the tracer (a
 * crash_plan's begin).
 */
void crash_begin(struct crash_stage *stage);

/* Version of the cart crash_key at the beginning; 0: none. */
uint64_t crash_version_at_beginning(void);

/*
 * The dead are buried: no record is owned by others than `living` (a bit for each process), no
 * reader word is theirs; each record of the dead was repaired exactly once and has a new
 * generation; those of `untouched` processes are as they were.
 */
const char *crash_check_buried(const struct crash_stage *stage, uint32_t living,
			       uint32_t untouched);

/* In this state, a forked child has left alone what is its parent's. */
const char *crash_check_parent(const struct crash_stage *stage);

/*
 * Every slot whose cart changed since the beginning is marked dirty; no version is less than it
 * was.
 */
const char *crash_check_dirty(const struct crash_stage *stage);

#endif
