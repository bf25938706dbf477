/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * latencies.h: the latencies of a storm's calls, without the time that is not Corral's.
 *
 * A lock is never taken from a living process, so a stopped process makes others wait: changes
 * during which a worker was stopped are counted separately. A worker that was stopped itself did
 * not wait for others: its call does not count. If there are more workers than cores, a worker
 * waits for a core, in a call or outside of it. The longest such wait is measured where a worker
 * runs only its own code, between the return of one call and the next call.
 */
#ifndef CORRAL_BENCH_STORM_LATENCIES_H
#define CORRAL_BENCH_STORM_LATENCIES_H

#include "harness/histogram.h"
#include "op_log.h"

#define STORM_STOPS 1024u /* the stops that are remembered */

struct storm_stop {
	uint32_t slot;
	uint64_t from_ns;
	uint64_t to_ns; /* UINT64_MAX: it is still stopped */
};

struct storm_latencies {
	struct histogram changes; /* during which no worker was stopped */
	uint64_t longest_stopped_ns;
	uint64_t dying_ns; /* the longest time from a SIGKILL to the end of the process */
	uint64_t scheduling_ns;
	uint64_t stop_count;
	struct storm_stop stops[STORM_STOPS];
};

/* The worker of this slot is stopped from now on; it goes on (or is dead) from now on. */
void storm_latencies_stop(struct storm_latencies *latencies, uint32_t slot, uint64_t now_ns);
void storm_latencies_go_on(struct storm_latencies *latencies, uint32_t slot, uint64_t now_ns);

/* Count an answered call. */
void storm_latencies_take(struct storm_latencies *latencies, const struct storm_call *call);

#endif
