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

#define TIMED_ONE_OF 128u /* a power of two */

/* A number from 0 to 2 * TIMED_ONE_OF - 2, by the time that has just been read. */
static inline uint32_t timing_distance(int64_t now_ns)
{
	const uint64_t mixed = (uint64_t)now_ns * 0x9e3779b97f4a7c15ull;

	return (uint32_t)((mixed >> 32) % (2 * TIMED_ONE_OF - 1));
}

/* Out of line, as is timing_take(): they are for few changes, and would make all others slower. */
static __attribute__((noinline, cold)) int64_t timing_start(struct actor *actor, int64_t tick)
{
	const int64_t now_ns = clock_now_ns();
	const bool alone = tick != actor->timed_tick;

	actor->timed_tick = tick;
	if (actor->untimed == 0)
		actor->untimed = timing_distance(now_ns);
	return alone ? -now_ns : now_ns;
}

/*
 * A change begins. 0: it is not timed; else when it began, negative if it counts for itself alone.
 */
static inline int64_t timing_begin(struct actor *actor)
{
	/* relaxed: any recent value will do */
	const int64_t tick = load_relaxed(&actor->arena->header->heartbeat_ns);

	if (unlikely(tick != actor->timed_tick || actor->untimed == 0))
		return timing_start(actor, tick);
	actor->untimed--;
	return 0;
}

static __attribute__((noinline, cold)) void timing_take(struct actor *actor, int64_t begun_ns)
{
	struct lane_latency *latency = feed_latency(actor->arena, actor->record);
	const uint64_t counts_for = begun_ns < 0 ? 1 : TIMED_ONE_OF;
	const int64_t took_ns = clock_now_ns() - (begun_ns < 0 ? -begun_ns : begun_ns);

	if (latency == NULL || took_ns < 0)
		return;
	/* relaxed: counters, which only the owner writes */
	uint64_t *changes = &latency->changes[latency_bucket((uint64_t)took_ns)];
	store_relaxed(changes, load_relaxed(changes) + counts_for);
	store_relaxed(&latency->total_ns,
		      load_relaxed(&latency->total_ns) + (uint64_t)took_ns * counts_for);
}

/* The change was made. */
static inline void timing_end(struct actor *actor, int64_t begun_ns)
{
	if (unlikely(begun_ns != 0))
		timing_take(actor, begun_ns);
}

#endif
