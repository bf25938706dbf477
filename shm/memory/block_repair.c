/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block_repair.c: completes or undoes what a dead thread left half done in this layer: blocks and
 * slots in hand, splices, lists, locks.
 *
 * It never waits: it looks only at what the dead thread holds, decides from facts whether a step
 * had happened, and makes it so. Each part can be done again, if this repairer dies, too.
 */
#include "memory/block_repair.h"
#include "base/atomic.h"
#include "memory/block.h"
#include "memory/pressure.h"
#include "sync/death_log.h"
#include "sync/lock.h"

/* A block in hand that is also still first in the list it came from does not count as in hand. */
static void drop_if_listed(struct arena *arena, const struct thread_record *record, block_ref *word)
{
	struct block_header *block = block_at(arena, *word);

	uint32_t class_no = block != NULL ? load_relaxed(&block->class_no) : CLASS_COUNT;

	if (*word != 0 && (class_no >= CLASS_COUNT || record->cache[class_no] == *word))
		note(word, 0);
}

static void splice_repair(struct arena *arena, struct thread_record *record, uint32_t name)
{
	struct intent *intent = &record->intent;
	uint32_t class_no = load_relaxed(&intent->splice_class);
	uint32_t page = load_relaxed(&intent->splice_first) - 1; /* for SPLICE_CARVE: its page */

	if (intent->splice_kind == SPLICE_NONE || class_no >= CLASS_COUNT) {
		note(&intent->splice_kind, SPLICE_NONE);
		return;
	}
	struct size_class *c = &arena->classes[class_no];
	struct block_header *last = block_at(arena, intent->splice_last);
	if (lock_held_by(&c->lock, name)) {
		bool adopted = record->cache[class_no] == intent->splice_first;
		switch ((enum splice_kind)intent->splice_kind) {
		case SPLICE_POP: /* not adopted: undo the pop */
			if (!adopted && last != NULL) {
				note(&last->next, intent->splice_rest);
				note(&c->head, intent->splice_first);
			}
			break;
		case SPLICE_BUMP:
			if (!adopted)
				note(&c->bump, intent->splice_first);
			break;
		case SPLICE_PUSH: /* the head tells whether the class has the list */
			if (c->head == intent->splice_first)
				note(&record->cache[class_no], intent->splice_rest);
			else if (last != NULL)
				note(&last->next, intent->splice_rest);
			break;
		case SPLICE_CARVE:
			if (c->bump != intent->splice_rest || c->bump == c->bump_end) {
				note(&c->bump_end, c->bump);
				if (page < arena->page_count)
					note(&arena->pages[page], 0);
			}
			break;
		case SPLICE_DISSOLVE:
			pressure_dissolve(arena, class_no);
			break;
		case SPLICE_NONE:
			break;
		}
	}
	note(&intent->splice_kind, SPLICE_NONE);
}

static void slots_repair(struct arena *arena, struct thread_record *record, uint32_t name)
{
	struct arena_header *h = arena->header;
	struct intent *intent = &record->intent;
	struct block_header *block = block_at(arena, intent->hand);

	if (!lock_held_by(&h->slots_lock, name))
		return;
	/* a slot that is still first in the free list, or above the mark, was not taken */
	if (intent->hand_slot != 0 &&
	    (h->slots_free == intent->hand_slot || h->slots_used_high < intent->hand_slot))
		note(&intent->hand_slot, 0);
	if (block != NULL && block->slot != 0 && h->slots_free == block->slot)
		note(&block->slot, 0);
}

static void lists_repair(struct arena *arena, struct thread_record *record, uint32_t name)
{
	struct intent *intent = &record->intent;
	uint32_t number = load_relaxed(&intent->lists) - 1;

	if (number >= arena->max_threads)
		return;
	struct retired *lists = &arena->threads[number].retired;
	if (!lock_held_by(&lists->lock, name))
		return;
	if (intent->hand != 0 && lists->ready == intent->hand)
		note(&intent->hand, 0); /* not popped yet */
	if (intent->old != 0 && lists->open == intent->old)
		note(&intent->old, 0); /* pushed already */
	if (lists->ready != 0 && lists->ready == lists->waiting)
		note(&lists->waiting, 0); /* moved already */
	if (lists->waiting != 0 && lists->waiting == lists->open)
		note(&lists->open, 0);
	lock_release_of(&lists->lock, name);
}

/* List what the dead thread held, as DEATH_... bits, before it is repaired. */
static uint32_t look_at_held(const struct arena *arena, const struct thread_record *record,
			     uint32_t name)
{
	const struct intent *intent = &record->intent;
	uint32_t number = load_relaxed(&intent->lists) - 1;
	uint32_t found = 0;

	if (number < arena->max_threads && lock_held_by(&arena->threads[number].retired.lock, name))
		found |= DEATH_LISTS;
	if (lock_held_by(&arena->header->slots_lock, name))
		found |= DEATH_SLOTS;
	if (lock_held_by(&arena->header->space_lock, name))
		found |= DEATH_SPACE;
	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++)
		if (lock_held_by(&arena->classes[class_no].lock, name))
			found |= DEATH_CLASS;
	if (intent->splice_kind != SPLICE_NONE)
		found |= DEATH_SPLICE;
	if (intent->hand != 0 || intent->hand_slot != 0 || intent->copies[0] != 0 ||
	    intent->copies[1] != 0)
		found |= DEATH_HAND;
	return found;
}

uint32_t block_repair(struct arena *arena, struct thread_record *record, uint32_t name)
{
	struct intent *intent = &record->intent;
	uint32_t found = look_at_held(arena, record, name);

	if (intent->old != 0 && record->retired.deferred == intent->old)
		note(&intent->old, 0);     /* deferred already, or not taken out yet */
	slots_repair(arena, record, name); /* before the hand is cleared */
	lists_repair(arena, record, name);
	drop_if_listed(arena, record, &intent->hand);
	for (uint32_t which = 0; which < END_COPIES; which++)
		drop_if_listed(arena, record, &intent->copies[which]);
	splice_repair(arena, record, name);
	lock_release_of(&arena->header->slots_lock, name);
	lock_release_of(&arena->header->space_lock, name);
	/* all of them: the thread may have died between a lock and its intent */
	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++)
		lock_release_of(&arena->classes[class_no].lock, name);
	return found;
}
