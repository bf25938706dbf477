/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * expire.c: see expire.h. Used by the agent's sweep, and by a worker that finds the arena
 * full while no agent sweeps. The decision is one compare-and-swap of slot.lease
 * (slot_end_if_over): a reader that renews the cart at the same moment either comes first, and the
 * cart lives, or finds it gone.
 */
#include "store/expire.h"
#include "arena/stat.h"
#include "base/atomic.h"
#include "memory/retire.h"
#include "store/feed.h"
#include "store/slot.h"
#include "sync/grace.h"
#include "sync/lock.h"

static bool time_is_up(const struct arena *arena, const struct slot *slot, int64_t now_ns)
{
	/* acquire: then hash and touched are those of a cart that is linked. pairs [S1] */
	bool there = load_acquire(&slot->current) != 0;
	/* relaxed: a first look, decided again under the locks */
	uint64_t lease = load_relaxed(&slot->lease);

	return there && lease != LEASE_ENDED &&
	       (!lease_runs(lease) || now_ns >= slot_deadline_ns(arena, lease));
}

static bool expire_one(struct actor *actor, struct slot *slot, int64_t now_ns)
{
	struct arena *arena = actor->arena;
	struct bucket *bucket = slot_bucket(arena, load_relaxed(&slot->hash));
	bool wake = false;
	int r;

	slot_want(actor, bucket, slot);
	if (!lock_try(actor, &bucket->lock, LOCK_BUCKET))
		return false;
	if (!lock_try(actor, &slot->lock, LOCK_SLOT)) {
		lock_drop(actor, &bucket->lock, LOCK_BUCKET);
		return false;
	}
	/* the slot may have been freed and taken again by a cart of another bucket */
	r = slot_bucket(arena, load_relaxed(&slot->hash)) == bucket ?
		    slot_end_if_over(actor, bucket, slot, now_ns, &wake) :
		    -1;
	lock_drop(actor, &slot->lock, LOCK_SLOT);
	lock_drop(actor, &bucket->lock, LOCK_BUCKET);
	if (r < 0) {
		feed_copies_free(actor);
		return false;
	}
	if (wake)
		slot_wake(arena, slot);
	feed_wake(arena);
	block_retire_old(actor);
	stat_add(actor->record, expired, 1);
	return true;
}

uint32_t expire_slots(struct actor *actor, uint32_t first, uint32_t count)
{
	struct arena *arena = actor->arena;
	uint32_t end = (uint32_t)min_u64((uint64_t)first + count,
					 load_acquire(&arena->header->slots_used_high));
	int64_t now = arena_now_ns(arena);
	uint32_t ended = 0;

	end = (uint32_t)min_u64(end, arena->max_carts);
	for (uint32_t number = first; number < end; number++) {
		if (!time_is_up(arena, &arena->slots[number], now))
			continue;
		feed_get_ready(actor); /* not before: a lane takes memory */
		ended += expire_one(actor, &arena->slots[number], now);
		/* many may end at once: their events are not to overwrite one another */
		if (actor->record->lane_head - actor->record->lane_tail > arena->lane_mask / 2)
			(void)feed_number(actor, FEED_BATCH, NULL);
	}
	return ended;
}
