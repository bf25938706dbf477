/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.h: a worker process of a storm. It makes calls of all kinds on all carts, and logs them,
 * until it is told to quit or is killed. See op_log.h.
 */
#ifndef CORRAL_BENCH_STORM_WORKER_H
#define CORRAL_BENCH_STORM_WORKER_H

#include "op_log.h"

struct storm_worker_plan {
	struct storm_op_log *op_log;
	struct corral *corral; /* the parent's, which a child may use; NULL: open one */
	const char *directory;
	uint32_t slot;
	uint32_t threads;
	uint32_t patience_ms;
	uint64_t random;
};

/* Runs in the child: work to the end. Returns the child's exit code. */
int storm_work(const struct storm_worker_plan *plan);

#endif
