/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.h: a worker process of a storm: makes calls of all kinds on all carts, and
 * writes them down, until it is told to quit or is killed. See op_log.h.
 */
#ifndef CORRAL_BENCH_STORM_WORKER_H
#define CORRAL_BENCH_STORM_WORKER_H

#include "op_log.h"

struct storm_worker_plan {
	struct storm_op_log *op_log;
	struct corral *corral; /* the parent's, which a child uses as itself; NULL: open one */
	const char *directory;
	uint32_t slot;
	uint32_t threads;
	uint32_t patience_ms;
	uint64_t random;
};

/* In the child: work to the end. Its exit code. */
int storm_work(const struct storm_worker_plan *plan);

#endif
