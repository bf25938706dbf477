/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timing.h: which changes are timed. Reading the clock twice takes 50 ns, and a whole change takes
 * some 400: so, of many changes in a row, one of TIMED_ONE_OF on average, at random distances, is
 * timed for all of them. The first one after a tick of the agent is timed for itself alone: so each
 * change is, where they come one at a time.
 *
 * One word of the thread's own lane is written, and the sum beside it. A death between the two, or
 * before, leaves a change untimed, and nothing that is torn.
 */
#ifndef CORRAL_API_TIMING_H
#define CORRAL_API_TIMING_H

#include "arena/latency.h"
#include "store/feed.h"
#include "sync/lock.h"

#define TIMED_ONE_OF 32u /* a power of two */

struct timing {
	int64_t begun_ns; /* 0: this change is not timed */
	uint32_t counts_for;
};

/* A number from 0 to 2 * TIMED_ONE_OF - 2, by the time that has just been read. */
static inline uint32_t timing_distance(int64_t now_ns)
{
	const uint64_t mixed = (uint64_t)now_ns * 0x9e3779b97f4a7c15ull;

	return (uint32_t)((mixed >> 32) % (2 * TIMED_ONE_OF - 1));
}

static inline struct timing timing_begin(struct actor *actor)
{
	/* relaxed: any recent value will do */
	const int64_t tick = load_relaxed(&actor->arena->header->heartbeat_ns);
	struct timing timing = { 0, 1 };

	if (likely(tick == actor->timed_tick && actor->untimed != 0)) {
		actor->untimed--;
		return timing;
	}
	timing.begun_ns = clock_now_ns();
	if (tick == actor->timed_tick)
		timing.counts_for = TIMED_ONE_OF;
	actor->timed_tick = tick;
	if (actor->untimed == 0)
		actor->untimed = timing_distance(timing.begun_ns);
	return timing;
}

/* The change was made. */
static inline void timing_end(struct actor *actor, const struct timing *timing)
{
	if (likely(timing->begun_ns == 0))
		return;
	struct lane_latency *latency = feed_latency(actor->arena, actor->record);
	const int64_t took_ns = clock_now_ns() - timing->begun_ns;

	if (latency == NULL || took_ns < 0)
		return;
	/* relaxed: counters, which only the owner writes */
	uint64_t *changes = &latency->changes[latency_bucket((uint64_t)took_ns)];
	store_relaxed(changes, load_relaxed(changes) + timing->counts_for);
	store_relaxed(&latency->total_ns,
		      load_relaxed(&latency->total_ns) + (uint64_t)took_ns * timing->counts_for);
}

#endif
