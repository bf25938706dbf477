/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_cell.h: one cell of the crash matrix: a process is dead in a state, others arrive
 * (crash_guests.h), and every invariant must hold (crash_oracle.h). A failing cell fails the test
 * and prints its coordinates.
 */
#ifndef CRASH_CELL_H
#define CRASH_CELL_H

#include "crash_guests.h"
#include "crash_oracle.h"

/* The operation in which the process dies. */
struct crash_death {
	struct crash_stage *stage;
	const struct crash_operation *operation;
	struct crash_expected expected;
	enum crash_arrival
		repairer;        /* the arrival that died while repairing; CRASH_ARRIVALS: none */
	bool first_acknowledged; /* second death only: the first victim's call had returned */
	uint64_t cells;          /* examined so far */
};

extern struct crash_death crash_death;

/* True with CORRAL_CRASH=all: run every state and every arrival, not a sample. */
bool crash_whole(void);

/*
 * Run all cells of the state that the stage shows. In a sample, and after a second death, only one
 * pair of arrivals is run.
 */
void crash_cells_of_state(uint64_t state);

#endif
