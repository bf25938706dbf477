/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.h: workers on a peer: one kind of work over and over, along a walk over
 * the carts, processes with a connection each, or threads.
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
	void *connection; /* of this process: what threads share, if the peer is so */
	const struct dataset_step *steps; /* and as many more as the peer's depth */
	uint32_t step_count;              /* a power of two */
	const struct dataset_item *item;  /* what is added */
	const struct peer_whole *whole;   /* what is set */
	int cpu;                          /* where workers are to stay; PIN_NONE: anywhere */
	uint64_t warm_ns, ns;             /* of each of the two phases */
};

bool peer_does(const struct peer *peer, enum peer_work work);

struct peer_result {
	uint64_t done; /* operations of all phases */
	struct pool_window batches, singles;
};

/*
 * The place says who works. 0 or -errno, a worker's own error included; -ETIME: nothing was done.
 */
int peer_job_run(const struct peer_job *job, struct peer_result *ret_result);

#endif
