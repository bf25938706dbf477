/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_cell.h: a cell of the crash matrix: somebody is dead in a state, somebody arrives
 * (crash_guests.h), and all must be well (crash_oracle.h). A cell that is red fails the test and
 * says where.
 */
#ifndef CRASH_CELL_H
#define CRASH_CELL_H

#include "crash_guests.h"
#include "crash_oracle.h"

/* What is being died in. */
struct crash_death {
	struct crash_stage *stage;
	const struct crash_operation *operation;
	struct crash_expected expected;
	enum crash_arrival repairer; /* who died, too, while repairing; CRASH_ARRIVALS: nobody */
	bool first_acknowledged;     /* that second death: the first victim's call had returned */
	uint64_t cells;              /* looked at so far */
};

extern struct crash_death crash_death;

/* Every state and everybody who may come, not a sample: CORRAL_CRASH=all. */
bool crash_whole(void);

/*
 * All cells of the state that the stage shows. Of the pairs only one comes in a sample, and after a
 * second death.
 */
void crash_cells_of_state(uint64_t state);

#endif
