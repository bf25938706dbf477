/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * supervisor.h: the worker processes of a replay, and what happens to them.
 *
 * There are a number of slots, each with one worker process. Every line goes to a slot picked at
 * random that has room; a line whose worker ended before it acknowledged goes to
 * another one, with the same operation id. In between, as the schedule says, workers are
 * replaced (told to go, or killed) and the agent is killed and started.
 */
#ifndef CORRAL_BENCH_SUPERVISOR_H
#define CORRAL_BENCH_SUPERVISOR_H

#include "harness/bench.h"
#include "harness/histogram.h"
#include "harness/sandbox.h"
#include "orders.h"

#define SUPERVISOR_WORKERS_MAX 256u
#define SUPERVISOR_EVENTS_MAX 1000u /* deploys of one worker, restarts of the agent */

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
	uint32_t failed;       /* lines that were given up */
	uint32_t resent;       /* lines sent again */
	uint32_t repeated;     /* of these: the first attempt had counted, and the second did not */
	uint32_t deploys;
	uint32_t killed; /* of these: by SIGKILL */
	uint32_t agent_kills;
	uint32_t crashes;      /* workers that ended uncalled */
	struct histogram adds; /* times of the corral_add() calls that were acknowledged */
};

/*
 * Feed all lines. BENCH_DONE when each was acknowledged and each event has happened; complains
 * itself. No worker is left when it returns.
 */
enum bench_exit supervisor_run(const struct supervisor_settings *settings,
			       struct supervisor_outcome *ret_outcome);

#endif
