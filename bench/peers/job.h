/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.h: workers that drive a peer: each repeats one kind of work along a walk over the carts. They
 * are processes with a connection each, or threads.
 */
#ifndef CORRAL_BENCH_PEER_JOB_H
#define CORRAL_BENCH_PEER_JOB_H

#include "peer.h"

enum peer_work { PEER_GET, PEER_ADD, PEER_SET, PEER_WORKS };

/* "get", "add", "set" */
extern const char *const peer_work_names[PEER_WORKS];

struct peer_job {
	const struct peer *peer;
	const struct peer_place *place;
	enum peer_work work;
	void *connection; /* of this process; threads share it, if the peer says so */
	const struct dataset_step *steps; /* followed by as many more as the peer's depth */
	uint32_t step_count;              /* a power of two */
	const struct dataset_item *item;  /* what is added */
	const struct peer_whole *whole;   /* what is set */
	int cpu;                          /* the CPU that workers are pinned to; PIN_NONE: none */
	uint64_t warm_ns, ns;             /* of each of the two phases */
};

bool peer_does(const struct peer *peer, enum peer_work work);

struct peer_result {
	uint64_t done; /* the operations of all phases */
	struct pool_window batches, singles;
};

/*
 * The place says whether workers are processes or threads. 0 or -errno, which may be a worker's own
 * error; -ETIME: nothing was done.
 */
int peer_job_run(const struct peer_job *job, struct peer_result *ret_result);

#endif
