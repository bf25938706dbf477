/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_oracle.h: what must hold after a death, whichever process arrived. The other arena is
 * compared with two earlier moments: the beginning (before the first instruction) and the death
 * (stage->now).
 */
#ifndef CRASH_ORACLE_H
#define CRASH_ORACLE_H

#include "crash_kit.h"
#include "crash_operations.h"

#define CRASH_THREADS 8u /* tests with so few processes use no record beyond these */
#define CRASH_PROCESSES 8u
#define CRASH_CARTS 64u

/* A cart as text, without versions and times, since a cell runs later than the operation. */
struct crash_sight {
	char text[512];
	uint64_t version; /* 0: none */
};

void crash_describe(struct corral *corral, struct crash_sight *ret_sight);

/* The results of an operation, computed in a separate yard where no process dies. */
struct crash_expected {
	struct crash_sight before;
	struct crash_sight after;
	struct crash_sight again; /* and then done again (or followed by another change, if the
				     operation is not repeated) */
	struct crash_sight twice; /* done by two processes, each with its own operation id */
	bool two_ids;             /* two ids are possible */
};

void crash_expect(const struct crash_operation *operation, struct crash_expected *ret_expected);

/* The call that is repeated after a death. */
int crash_again(const struct crash_operation *operation, struct corral *corral);

/* Begin, in the tracer (a crash_plan's begin): clear the dirty bitmap and remember versions. */
void crash_begin(struct crash_stage *stage);

/* Version of the cart crash_key at the beginning; 0: there was no cart. */
uint64_t crash_version_at_beginning(void);

/*
 * Check that the dead are buried: every owned record and every reader word belongs to a process in
 * `living` (one bit each); each record of the dead was repaired exactly once and has a new
 * generation; the records of `untouched` processes are unchanged.
 */
const char *crash_check_buried(const struct crash_stage *stage, uint32_t living,
			       uint32_t untouched);

/* Check that in this state a forked child has left its parent's records alone. */
const char *crash_check_parent(const struct crash_stage *stage);

/*
 * Check that every slot whose cart changed since the beginning is marked dirty, and that no version
 * decreased.
 */
const char *crash_check_dirty(const struct crash_stage *stage);

#endif
