/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nemesis.h: the worker processes of a storm, and what befalls them: SIGKILL (one, or
 * two at once), SIGSTOP and then SIGCONT or SIGKILL, a plain end; and the agent's deaths.
 *
 * Half of the dead are not replaced for a while: a successor that takes over a record would hide
 * what was left in it. Workers are forked, not executed: a kill every few milliseconds needs as
 * many starts.
 */
#ifndef CORRAL_BENCH_STORM_NEMESIS_H
#define CORRAL_BENCH_STORM_NEMESIS_H

#include "harness/sandbox.h"
#include "rounds.h"

enum storm_process_state { STORM_EMPTY, STORM_LIVING, STORM_STOPPED, STORM_DYING, STORM_LEAVING };

struct storm_process {
	enum storm_process_state state;
	pid_t pid;
	bool kill_stopped; /* it is killed before it goes on */
	uint64_t due_ns;   /* EMPTY: when to start one; STOPPED: when that ends; DYING: when it was
			      killed */
};

struct storm_nemesis {
	struct storm_rounds *rounds;
	struct sandbox *sandbox;
	uint32_t workers;
	uint64_t kill_every_ns;
	bool kill_agent;
	uint64_t random;
	uint64_t strike_ns; /* the next one */
	uint64_t agent_ns;  /* the agent's next death or start */
	uint64_t kills;
	uint64_t stops;
	uint64_t exits;
	uint64_t agent_kills;
	uint32_t crashes; /* ends that nobody wanted */
	struct storm_process processes[STORM_SLOTS_MAX];
};

void storm_nemesis_begin(struct storm_nemesis *nemesis);

/* Do what is due. False: nothing was. */
bool storm_nemesis_go_on(struct storm_nemesis *nemesis);

/*
 * All are to go, plainly. False: some had to be killed, or had ended before. Takes their calls from
 * the logs meanwhile.
 */
bool storm_nemesis_end(struct storm_nemesis *nemesis);

#endif
