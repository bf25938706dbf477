/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * latencies.h: how long the calls of a storm took, and what of it is nobody's fault.
 *
 * Nobody may be robbed of a lock, so who is stopped makes others wait: changes in whose time
 * somebody was stopped are kept apart. A worker that was stopped itself did not wait: its call does
 * not count. And a machine that has more workers than cores lets each of them stand for a while, in
 * the midst of a call or anywhere else: how long at the most is seen where a worker runs nothing
 * but its own code, from the return of a call to the next.
 */
#ifndef CORRAL_BENCH_STORM_LATENCIES_H
#define CORRAL_BENCH_STORM_LATENCIES_H

#include "harness/histogram.h"
#include "op_log.h"

#define STORM_STOPS 1024u /* remembered */

struct storm_stop {
	uint32_t slot;
	uint64_t from_ns;
	uint64_t to_ns; /* UINT64_MAX: still */
};

struct storm_latencies {
	struct histogram changes; /* while nobody was stopped */
	uint64_t longest_stopped_ns;
	uint64_t dying_ns; /* the longest from a SIGKILL to the end of its process */
	uint64_t scheduling_ns;
	uint64_t stop_count;
	struct storm_stop stops[STORM_STOPS];
};

/* Somebody is stopped from now on; goes on (or is dead) now. */
void storm_latencies_stop(struct storm_latencies *latencies, uint32_t slot, uint64_t now_ns);
void storm_latencies_go_on(struct storm_latencies *latencies, uint32_t slot, uint64_t now_ns);

/* An answered call. */
void storm_latencies_take(struct storm_latencies *latencies, const struct storm_call *call);

#endif
