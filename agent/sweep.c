/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sweep.c: the agent's rounds over all slots, a part of them at each tick. Carts whose time is up
 * are ended; the others are counted, for `corral status`, which looks at no cart itself.
 *
 * Carts and checked out carts are also counted by the processes that begin, check out and end them
 * (header.carts_live, carts_checked_out). A death between the step and its count leaves the counter
 * off by one. So when the agent starts, and after each death, rounds compare: if no cart was begun
 * or ended while a round lasted, what it found is right, and becomes the counter. In an arena that
 * is never quiet for so long the counter stays off until it is.
 *
 * A part of the carts is verified in each round, all of them in VERIFY_ROUNDS; one that is known to
 * be damaged in each.
 */
#include "agent.h"
#include "arena/lease.h"
#include "arena/stat.h"
#include "base/atomic.h"
#include "memory/block.h"
#include "memory/span.h"
#include "store/expire.h"
#include "store/slot.h"
#include "sync/death_log.h"
#include "sync/grace.h"

#define SLOWEST_MS 10000 /* a whole round over the slots takes no longer */
#define VERIFY_ROUNDS 64u
#define SLOTS_LEAST 4096 /* at a tick: so what is counted of a small arena is a tick old */

/* All atomics here are relaxed: the counts are only shown. */

static uint64_t begun_and_ended(const struct arena *arena)
{
	return agent_sum_of(arena, STAT_created) + agent_sum_of(arena, STAT_checked_out) +
	       agent_sum_of(arena, STAT_dropped) + agent_sum_of(arena, STAT_expired);
}

static void begin_round(struct agent *agent)
{
	const struct arena *arena = agent->actor->arena;
	struct sweep *sweep = &agent->sweep;
	bool right = sweep->right && sweep->deaths == death_log_count(arena);

	*sweep = (struct sweep){ .round = sweep->round + 1,
				 .right = right,
				 .deaths = sweep->deaths,
				 .recounts = !right };
	sweep->carts_then = load_relaxed(&arena->header->carts_live);
	sweep->checked_out_then = load_relaxed(&arena->header->carts_checked_out);
	if (sweep->recounts) {
		sweep->begun_and_ended = begun_and_ended(arena);
		sweep->deaths = death_log_count(arena);
	}
}

static bool mend(uint32_t *counter, uint32_t then, uint32_t found)
{
	return then == found ? load_relaxed(counter) == then : cas_acq_rel(counter, then, found);
}

/* Correct the counters by the findings, if no cart was begun or ended meanwhile. */
static void mend_counters(struct agent *agent)
{
	struct arena_header *h = agent->actor->arena->header;
	struct sweep *sweep = &agent->sweep;

	if (begun_and_ended(agent->actor->arena) != sweep->begun_and_ended ||
	    death_log_count(agent->actor->arena) != sweep->deaths)
		return;
	sweep->right = mend(&h->carts_live, sweep->carts_then, sweep->carts) &&
		       mend(&h->carts_checked_out, sweep->checked_out_then, sweep->checked_out) &&
		       span_count_used(agent->actor);
}

static void end_round(struct agent *agent)
{
	struct arena_header *h = agent->actor->arena->header;
	const struct sweep *sweep = &agent->sweep;

	if (sweep->recounts)
		mend_counters(agent);
	store_relaxed(&h->carts_ending, sweep->ending);
	store_relaxed(&h->cart_bytes, sweep->cart_bytes);
	store_relaxed(&h->live_bytes, sweep->live_bytes);
	store_relaxed(&h->counted_ms, arena_wall_ms());
}

/* Is the cart in this slot checked out? The section keeps its version from being freed. */
static bool is_checked_out(struct agent *agent, const struct slot *slot)
{
	const struct arena *arena = agent->actor->arena;
	size_t room;

	grace_enter(agent->actor);
	const struct cart_head *cart =
		slot_version(arena, load_acquire(&slot->current), &room); /* pairs [S1] */
	bool is = cart != NULL && load_relaxed(&cart->status) == CORRAL_CHECKED_OUT;
	(void)grace_leave_with(agent->actor, 0);
	return is;
}

static void count_cart(struct agent *agent, const struct slot *slot, int64_t now_ns)
{
	const struct arena *arena = agent->actor->arena;
	struct sweep *sweep = &agent->sweep;
	uint64_t lease = load_relaxed(&slot->lease);
	uint32_t size = (uint32_t)min_u64(load_relaxed(&slot->size), CORRAL_CART_MAX);

	sweep->carts++;
	sweep->cart_bytes += size;
	sweep->live_bytes += class_bytes(class_of(size + (uint32_t)sizeof(struct block_header)));
	if (sweep->recounts)
		sweep->checked_out += is_checked_out(agent, slot);
	sweep->ending += !lease_runs(lease) || now_ns >= slot_deadline_ns(arena, lease);
}

static void look_at_slot(struct agent *agent, uint32_t number, int64_t now_ns)
{
	const struct slot *slot = &agent->actor->arena->slots[number];

	if (load_relaxed(&slot->current) == 0) {
		(void)damaged_note(agent, number, false);
		return;
	}
	count_cart(agent, slot, now_ns);
	if (number % VERIFY_ROUNDS == agent->sweep.round % VERIFY_ROUNDS ||
	    damaged_is(agent, number))
		damaged_look_at(agent, number);
}

/* A part of the slots each time, all of them in a 64th of the time to live. */
void sweep_some(struct agent *agent)
{
	struct arena *arena = agent->actor->arena;
	struct sweep *sweep = &agent->sweep;
	int64_t now_ns = arena_now_ns(arena);
	uint32_t used =
		(uint32_t)min_u64(load_acquire(&arena->header->slots_used_high), arena->max_carts);
	uint64_t round_ms = min_u64(load_relaxed(&arena->header->ttl_ns) / 64000000, SLOWEST_MS);
	uint64_t ticks = max_u64(1, round_ms / TICK_MS);
	uint32_t count = (uint32_t)max_u64(used / ticks + 1, SLOTS_LEAST);

	if (sweep->at == 0)
		begin_round(agent);
	agent->expired += expire_slots(agent->actor, sweep->at, count);
	for (uint32_t end = (uint32_t)min_u64((uint64_t)sweep->at + count, used); sweep->at < end;
	     sweep->at++)
		look_at_slot(agent, sweep->at, now_ns);
	if (sweep->at < used)
		return;
	end_round(agent);
	sweep->at = 0;
}
