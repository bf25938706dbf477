/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * supervisor.h: the worker processes of a replay, their replacement and their deaths.
 *
 * There are a number of slots, each with one worker process. Each line goes to a random slot that
 * has room. If the worker ends before it acknowledges the line, the line goes to another slot, with
 * the same operation id. Meanwhile, by the schedule, workers are replaced (told to quit, or
 * killed), and the agent is killed and started.
 */
#ifndef CORRAL_BENCH_SUPERVISOR_H
#define CORRAL_BENCH_SUPERVISOR_H

#include "harness/bench.h"
#include "harness/histogram.h"
#include "harness/sandbox.h"
#include "orders.h"

#define SUPERVISOR_WORKERS_MAX 256u
#define SUPERVISOR_EVENTS_MAX 1000u /* for each worker's deploys, and for restarts */

struct supervisor_settings {
	const struct orders *orders;
	const char *restaurant;
	struct sandbox *sandbox;
	uint32_t workers;
	uint32_t deploys; /* of each worker */
	uint32_t agent_restarts;
	uint64_t seed;
};

struct supervisor_outcome {
	uint32_t acknowledged; /* lines */
	uint32_t failed;       /* lines given up */
	uint32_t resent;       /* lines sent again */
	uint32_t repeated; /* of these: the first attempt had been applied, so the second was not */
	uint32_t deploys;
	uint32_t killed; /* of these: by SIGKILL */
	uint32_t agent_kills;
	uint32_t crashes;      /* workers that ended unexpectedly */
	struct histogram adds; /* times of the acknowledged corral_add() calls */
};

/*
 * Give out all lines. BENCH_DONE once each line was acknowledged and each event has happened.
 * Prints its own error messages. No worker is left when it returns.
 */
enum bench_exit supervisor_run(const struct supervisor_settings *settings,
			       struct supervisor_outcome *ret_outcome);

#endif
