/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * team.h: workers that begin together, do the same thing over and over for a given time,
 * and are
 * measured: first plainly, in batches (throughput), then each operation on its own (latencies). The
 * clock that a single measurement reads twice would be half of what the fastest operations take.
 *
 * They are processes, or threads of this one. A process that hangs is killed when a signal comes;
 * threads look at bench_signal between their batches.
 */
#ifndef CORRAL_BENCH_TEAM_H
#define CORRAL_BENCH_TEAM_H

#include "histogram.h"

#define TEAM_WORKERS_MAX 256u

enum team_mode { TEAM_PROCESSES, TEAM_THREADS };

/* What a worker is called in the names of figures: "workers" (processes), "threads". */
const char *team_word(enum team_mode mode);

struct team_plan {
	enum team_mode mode;
	uint32_t workers;
	uint64_t warm_ns;
	uint64_t plain_ns;
	uint64_t timed_ns;
	uint32_t depth; /* operations that one call of `one` does */
	void *context;

	/* In the worker: make its state. 0, or -errno: then there is none. */
	int (*begin)(void *context, uint32_t worker, void **ret_state);
	/* One call. 0 or -errno, which ends the worker. */
	int (*one)(void *state);
	void (*end)(void *state);
};

struct team_result {
	struct histogram times;  /* of single calls, in ns */
	uint64_t done;           /* operations, all that were acknowledged */
	uint64_t plain_done;     /* of these, in the plain phase */
	double per_second;       /* of these, the sum of the workers' rates */
	double slowest, fastest; /* per second, of one worker */
	uint64_t cpu_ns;         /* of the workers, in the plain phase */
	int err;                 /* the first one */
};

/*
 * 0; -errno: the workers could not be made, or a process died. A worker's own error is in the
 * result.
 */
int team_run(const struct team_plan *plan, struct team_result *ret_result);

#endif
