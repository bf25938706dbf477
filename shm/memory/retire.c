/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * retire.c: blocks that readers may still see.
 *
 * Each thread record has three lists, under their own lock so that the agent, or a thread that
 * needs memory, can work on the lists of an idle thread:
 *
 *   open     retired since the last stamp
 *   waiting  stamped with a grace-period cookie
 *   ready    that grace period is over: to be freed one by one, through the hand
 *
 * and one that needs no lock, since only the owner uses it:
 *
 *   deferred retired while another thread held the lock; moved to open once the owner has it.
 *            So a thread that is stopped while it holds the lock does not stop the owner.
 *
 * A list moves on with two stores, "next = this; this = 0"; a death between them shows as two equal
 * heads. A stamp costs a fence; driving a grace period costs a look at every thread record and
 * sometimes a membarrier. A batch of blocks shares those costs. Nothing here waits for a reader: a
 * list whose grace period is not over stays where it is.
 */
#include "memory/retire.h"
#include "arena/stat.h"
#include "base/atomic.h"
#include "memory/block.h"
#include "memory/class.h"
#include "memory/free_slot.h"
#include "sync/grace.h"
#include "sync/lock.h"

/*
 * How many blocks share a grace period. A waiting block is memory that will have dropped out of the
 * CPU's caches when it is written next; so small batches are better as long as a grace period is
 * cheap. It is cheap unless it needs a membarrier, whose interrupts take microseconds each.
 */
#define BATCH_BLOCKS_MIN 32u
#define BATCH_BLOCKS_MAX 128u
#define BLOCK_SHARE_NS 64 /* a batch has one block per this much of a grace period */
#define BATCH_BYTES_MAX (1024u * 1024)

static uint64_t batch_bytes(const struct arena *arena)
{
	return max_u64(32768,
		       min_u64(BATCH_BYTES_MAX, (uint64_t)arena->page_count * PAGE_BYTES / 1024));
}

/* The upper bound of every block list's length. */
static uint64_t block_bound(const struct arena *arena)
{
	return (uint64_t)arena->page_count * (PAGE_BYTES / CLASS_SMALLEST);
}

static void move_to_ready(struct retired *lists)
{
	note(&lists->ready, lists->waiting);
	note(&lists->waiting, 0);
	lists->waiting_count = 0;
	lists->waiting_bytes = 0;
}

static void move_to_waiting(struct arena *arena, struct retired *lists)
{
	lists->cookie = grace_start_poll(arena);
	note(&lists->waiting, lists->open);
	note(&lists->open, 0);
	lists->waiting_count = lists->open_count;
	lists->waiting_bytes = lists->open_bytes;
	lists->open_count = 0;
	lists->open_bytes = 0;
}

/*
 * Free the ready list. Stops at a block whose slot cannot be freed now; the next round resumes
 * there.
 */
static void free_ready(struct actor *actor, struct retired *lists)
{
	struct intent *intent = &actor->record->intent;
	uint64_t freed = 0;
	uint64_t bound = block_bound(actor->arena); /* a damaged list may be a ring */

	while (lists->ready != 0 && freed < bound) {
		struct block_header *block = block_at(actor->arena, lists->ready);
		/* damaged: the rest of the list is lost until check --repair */
		block_ref next = block != NULL ? block->next : 0;
		note(&intent->hand, lists->ready);
		if (block != NULL && block->slot != 0 && !block_free_slot(actor, block)) {
			note(&intent->hand, 0);
			break;
		}
		note(&lists->ready, next);
		block_free_hand(actor);
		freed++;
	}
	stat_add(actor->record, reclaimed, freed);
}

static bool is_over(struct actor *actor, struct retired *lists)
{
	if (grace_poll(actor->arena, lists->cookie))
		return true;
	int64_t start = clock_now_ns();
	bool over = grace_advance(actor, lists->cookie);
	int64_t took = (clock_now_ns() - start) / BLOCK_SHARE_NS;
	lists->batch = took < BATCH_BLOCKS_MAX ? (uint32_t)took : BATCH_BLOCKS_MAX;
	return over;
}

static uint32_t batch_blocks(const struct retired *lists)
{
	return (uint32_t)max_u64(BATCH_BLOCKS_MIN, min_u64(BATCH_BLOCKS_MAX, lists->batch));
}

/* Move the lists on as far as possible now. Their lock is held. */
static void rotate_locked(struct actor *actor, struct retired *lists)
{
	for (int round = 0; round < 2; round++) {
		if (lists->waiting != 0 && lists->ready == 0 && is_over(actor, lists))
			move_to_ready(lists);
		free_ready(actor, lists);
		if (lists->waiting == 0 && lists->open != 0)
			move_to_waiting(actor->arena, lists);
	}
	/*
	 * if no thread is reading, the grace period of a list stamped just now may be over at once
	 */
	if (lists->waiting != 0 && lists->ready == 0 && is_over(actor, lists)) {
		move_to_ready(lists);
		free_ready(actor, lists);
	}
}

static struct retired *want_lists(struct actor *actor, struct thread_record *target)
{
	note(&actor->record->intent.lists, (uint32_t)(target - actor->arena->threads) + 1);
	return &target->retired;
}

/* Move intent.old to the open list. The lock of our lists is held. */
static void push_open(struct actor *actor, struct retired *lists, struct block_header *block)
{
	struct intent *intent = &actor->record->intent;

	block->next = lists->open;
	note(&lists->open, intent->old);
	note(&intent->old, 0);
	lists->open_count++;
	lists->open_bytes +=
		class_bytes((uint32_t)min_u64(load_relaxed(&block->class_no), CLASS_COUNT - 1));
}

/* Move deferred blocks to the open list. intent.old is 0; the lock of our lists is held. */
static void undefer(struct actor *actor, struct retired *lists)
{
	for (uint64_t bound = block_bound(actor->arena); lists->deferred != 0 && bound > 0;
	     bound--) {
		struct block_header *block = block_at(actor->arena, lists->deferred);
		if (block == NULL) { /* damaged */
			note(&lists->deferred, 0);
			return;
		}
		note(&actor->record->intent.old, lists->deferred);
		note(&lists->deferred, block->next);
		push_open(actor, lists, block);
	}
}

void block_retire_old(struct actor *actor)
{
	struct thread_record *record = actor->record;
	struct intent *intent = &record->intent;
	struct retired *lists = want_lists(actor, record);
	struct block_header *block = block_at(actor->arena, intent->old);

	if (block == NULL) {
		note(&intent->old, 0);
		return;
	}
	note(&block->mark, BLOCK_STALE); /* before it is in a list */
	stat_add(record, retired, 1);
	if (unlikely(!lock_try(actor, &lists->lock, LOCK_LISTS))) {
		block->next = lists->deferred;
		note(&lists->deferred, intent->old);
		note(&intent->old, 0);
		return;
	}
	push_open(actor, lists, block);
	if (unlikely(lists->deferred != 0))
		undefer(actor, lists);
	if ((lists->open_count >= batch_blocks(lists) ||
	     lists->open_bytes >= batch_bytes(actor->arena)) &&
	    (lists->waiting == 0 || lists->open_count >= lists->retry_at)) {
		rotate_locked(actor, lists);
		/*
		 * if some still wait: retry less often, since a long section makes the list long
		 * and asking at every block would not end it sooner
		 */
		lists->retry_at = lists->open_count + lists->open_count / 4;
	}
	lock_drop(actor, &lists->lock, LOCK_LISTS);
}

bool block_reclaim(struct actor *actor, struct thread_record *target)
{
	struct retired *lists = want_lists(actor, target);

	if (!lock_try(actor, &lists->lock, LOCK_LISTS))
		return false;
	if (target == actor->record && lists->deferred != 0 && actor->record->intent.old == 0)
		undefer(actor, lists);
	rotate_locked(actor, lists);
	lock_drop(actor, &lists->lock, LOCK_LISTS);
	return true;
}

bool block_has_leftovers(const struct thread_record *record)
{
	const struct retired *lists = &record->retired;
	const struct intent *intent = &record->intent;
	/* relaxed: a first look; a caller that wants the record has to become its owner */
	uint32_t some = load_relaxed(&lists->open) | load_relaxed(&lists->waiting) |
			load_relaxed(&lists->ready) | load_relaxed(&lists->deferred) |
			load_relaxed(&intent->hand) | load_relaxed(&intent->old) |
			load_relaxed(&intent->hand_slot) | load_relaxed(&intent->copies[0]) |
			load_relaxed(&intent->copies[1]);

	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++)
		some |= load_relaxed(&record->cache[class_no]);
	return some != 0;
}

uint64_t block_held_back(const struct arena *arena, uint64_t phase)
{
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
	uint64_t bytes = 0;

	for (uint32_t number = 0; number < high; number++) {
		const struct retired *lists = &arena->threads[number].retired;
		/* relaxed: the sum is only shown */
		bytes += load_relaxed(&lists->open_bytes);
		if (load_relaxed(&lists->waiting) != 0 && load_relaxed(&lists->cookie) > phase)
			bytes += load_relaxed(&lists->waiting_bytes);
	}
	return bytes;
}

/*
 * Add up the cache: a death can leave the stored sum wrong. A cache that holds more than
 * CACHE_BYTES_MAX is emptied next time, however much more it is, and a damaged list may be a ring:
 * so the walk stops there.
 */
static uint64_t count_cache(const struct actor *actor)
{
	uint64_t bytes = 0;

	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++) {
		const struct block_header *block;
		for (block_ref at = actor->record->cache[class_no];
		     at != 0 && bytes <= CACHE_BYTES_MAX; at = block->next) {
			block = block_at(actor->arena, at);
			if (block == NULL)
				break;
			bytes += class_bytes(class_no);
		}
	}
	return bytes;
}

void block_settle(struct actor *actor)
{
	struct thread_record *record = actor->record;

	record->cached_bytes = count_cache(actor);
	if (record->intent.hand == record->lane)
		note(&record->intent.hand, 0); /* it has become the lane, see store/feed.c */
	if (record->intent.old != 0)
		block_retire_old(actor);
	if (record->intent.hand != 0)
		block_free_hand(actor);
	for (uint32_t which = 0; which < END_COPIES; which++)
		if (record->intent.copies[which] != 0)
			block_free_copy(actor, which);
}

/*
 * For a record without an owner: own it for a moment and give back all that it has, as far as the
 * budget goes.
 */
static void empty_orphan(struct actor *actor, uint32_t number, uint64_t *budget)
{
	struct thread_record *record = &actor->arena->threads[number];
	struct actor heir = *actor;

	if (load_relaxed(&record->owner) != 0 || !block_has_leftovers(record) ||
	    !cas_acq_rel(&record->owner, 0, actor->life->process + 1))
		return;
	heir.record = record;
	heir.name = number + 1;
	heir.held = 0;
	heir.light_phase = 0; /* ours is not announced in this record */
	block_settle(&heir);
	(void)block_reclaim(&heir, record);
	block_flush_within(&heir, budget);
	store_release(&record->owner, 0);
}

/* relaxed: another thread may be working on the lists; their lock decides */
static bool has_retired(const struct actor *actor, const struct thread_record *record)
{
	const struct retired *lists = &record->retired;

	return (load_relaxed(&lists->open) | load_relaxed(&lists->waiting) |
		load_relaxed(&lists->ready) | (record == actor->record ? lists->deferred : 0)) != 0;
}

bool block_reclaim_all(struct actor *actor)
{
	uint32_t high = (uint32_t)min_u64(load_acquire(&actor->arena->header->threads_high),
					  actor->arena->max_threads);
	uint64_t budget = block_bytes_in_all(actor->arena);
	bool left = false;

	for (uint32_t number = 0; number < high; number++) {
		struct thread_record *record = &actor->arena->threads[number];
		empty_orphan(actor, number, &budget);
		if (has_retired(actor, record))
			(void)block_reclaim(actor, record);
		left |= has_retired(actor, record);
	}
	block_flush(actor); /* the blocks taken are for all threads */
	return left;
}
