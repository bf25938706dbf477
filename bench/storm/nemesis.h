/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nemesis.h: starts the worker processes of a storm, and strikes them: with SIGKILL (one worker, or
 * two at once), with SIGSTOP and then SIGCONT or SIGKILL, or by asking them to quit. It also kills
 * the agent.
 *
 * Half of the dead workers are not replaced for a while, since a successor that takes over a record
 * would hide what its owner left in it. Workers are forked without exec: a kill every few
 * milliseconds needs as many starts, which must be cheap.
 */
#ifndef CORRAL_BENCH_STORM_NEMESIS_H
#define CORRAL_BENCH_STORM_NEMESIS_H

#include "harness/sandbox.h"
#include "rounds.h"

enum storm_process_state { STORM_EMPTY, STORM_LIVING, STORM_STOPPED, STORM_DYING, STORM_LEAVING };

struct storm_process {
	enum storm_process_state state;
	pid_t pid;
	bool kill_stopped; /* kill it instead of letting it go on */
	uint64_t due_ns;   /* EMPTY: when to start one; STOPPED: when the stop ends; DYING: when it
			      was killed */
};

struct storm_nemesis {
	struct storm_rounds *rounds;
	struct sandbox *sandbox;
	uint32_t workers;
	uint64_t kill_every_ns;
	bool kill_agent;
	uint64_t random;
	uint64_t strike_ns; /* the time of the next strike */
	uint64_t agent_ns;  /* the time of the agent's next death or start */
	uint64_t kills;
	uint64_t stops;
	uint64_t exits;
	uint64_t agent_kills;
	uint32_t crashes; /* unexpected ends */
	struct storm_process processes[STORM_SLOTS_MAX];
};

void storm_nemesis_begin(struct storm_nemesis *nemesis);

/* Do the strikes and starts that are due. False: none was due. */
bool storm_nemesis_go_on(struct storm_nemesis *nemesis);

/*
 * Ask all workers to quit. Their calls are taken from the logs meanwhile. False: some had to be
 * killed, or had ended before.
 */
bool storm_nemesis_end(struct storm_nemesis *nemesis);

#endif
