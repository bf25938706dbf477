/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk_threads.c: the part of the walk that covers thread records: caches, retired lists, intents,
 * hands.
 *
 * A killed thread may have left a move half done. Its intent says which move; such a block counts
 * as on the way ("cached"), where its repair will put it.
 */
#include <stdio.h>

#include "base/atomic.h"
#include "inspect/walk.h"
#include "memory/class.h"
#include "memory/retire.h"
#include "store/feed.h"
#include "sync/alive.h"
#include "sync/grace.h"

#define STALLED_MS 1000

bool walk_owner_alive(const struct inspect *inspect, const struct thread_record *record)
{
	uint32_t owner = record->owner;

	return owner != 0 && inspect->lock_fd >= 0 && owner - 1 < inspect->arena.max_processes &&
	       alive_test(inspect->lock_fd, ALIVE_BYTE(owner - 1));
}

/* A span that was being made, or dissolved. */
static void walk_half_span(struct inspect *inspect, uint32_t class_no, uint32_t page)
{
	block_ref first = inspect->arena.space_first + page * WALK_UNITS_PER_PAGE;

	for (uint32_t i = 0; i < class_span_blocks(class_no);
	     i++, first += class_bytes(class_no) / BLOCK_UNIT)
		if (!walk_placed(inspect, first))
			(void)walk_put(inspect, first, PLACE_NEVER_USED, "a half made span");
}

/* Blocks that a killed thread was moving between a class and its cache. */
static void walk_splice(struct inspect *inspect, const struct thread_record *record)
{
	const struct intent *intent = &record->intent;
	const struct arena *arena = &inspect->arena;
	uint32_t class_no = intent->splice_class;

	if (class_no >= CLASS_COUNT)
		return;
	uint32_t units = class_bytes(class_no) / BLOCK_UNIT;
	block_ref first = intent->splice_first;
	block_ref end = intent->splice_rest;
	switch ((enum splice_kind)intent->splice_kind) {
	case SPLICE_POP:
		if (!walk_placed(inspect, first))
			walk_list(inspect, first, intent->splice_last, PLACE_CACHED,
				  "a half done move");
		break;
	case SPLICE_BUMP:
		for (; first < end && end <= arena->space_end && !walk_placed(inspect, first);
		     first += units)
			if (!walk_put(inspect, first, PLACE_CACHED, "a half done move"))
				break;
		break;
	case SPLICE_CARVE:
		if (first - 1 < arena->page_count && arena->pages[first - 1] != 0)
			walk_half_span(inspect, class_no, first - 1);
		break;
	case SPLICE_DISSOLVE: /* walk_dissolving() */
	case SPLICE_PUSH:
	case SPLICE_NONE:
		break;
	}
}

/* The ends in the lane that have no number yet own their copies. */
static void walk_lane(struct inspect *inspect, uint32_t number, const char *where)
{
	const struct arena *arena = &inspect->arena;
	const struct thread_record *record = &arena->threads[number];
	const uint64_t room = arena->lane_mask + 1;
	const uint64_t head = load_acquire(&record->lane_head); /* pairs [F1] */
	block_ref copy;

	(void)walk_put(inspect, record->lane, PLACE_LANE, where);
	for (uint64_t i = max_u64(record->lane_tail, head < room ? 0 : head - room); i < head; i++)
		if (feed_lane_copy(arena, number, i, &copy))
			(void)walk_put(inspect, copy, PLACE_COPY, where);
}

void walk_ends(struct inspect *inspect)
{
	const struct arena *arena = &inspect->arena;
	const struct arena_header *h = arena->header;
	const uint64_t next = load_acquire(&h->ends_next); /* pairs [F5] */
	uint64_t i = load_relaxed(&h->ends_first);

	if (next - i > arena->ends_mask + 1) {
		walk_tell(inspect, "the ring of ends: from %llu to %llu: impossible",
			  (unsigned long long)i, (unsigned long long)next);
		return;
	}
	for (; i < next; i++) {
		const struct feed_end *end = &arena->ends[i & arena->ends_mask];
		/* else it was not numbered: its lane has it still */
		if (end->copy != 0 && end->number < load_relaxed(&h->feed_next))
			(void)walk_put(inspect, end->copy, PLACE_COPY, "an end");
	}
}

void walk_thread(struct inspect *inspect, uint32_t number)
{
	const struct thread_record *record = &inspect->arena.threads[number];
	const struct retired *lists = &record->retired;
	const struct intent *intent = &record->intent;
	char where[48];

	snprintf(where, sizeof(where), "thread record %u", number);
	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++) {
		bool pushing =
			intent->splice_kind == SPLICE_PUSH && intent->splice_class == class_no;
		if (!pushing)
			walk_list(inspect, record->cache[class_no], 0, PLACE_CACHED, where);
		else if (inspect->arena.classes[class_no].head != intent->splice_first)
			/* its end may already lead on into the class's list */
			walk_list(inspect, intent->splice_first, intent->splice_last, PLACE_CACHED,
				  where);
		if (pushing) /* what is not pushed stays in the cache */
			walk_list(inspect, intent->splice_rest, 0, PLACE_CACHED, where);
	}
	if (record->lane != 0)
		walk_lane(inspect, number, where);
	walk_list(inspect, lists->deferred, 0, PLACE_RETIRED, where);
	walk_list(inspect, lists->ready, 0, PLACE_RETIRED, where);
	if (lists->waiting != lists->ready) /* else a move was interrupted */
		walk_list(inspect, lists->waiting, 0, PLACE_RETIRED, where);
	if (lists->open != lists->waiting)
		walk_list(inspect, lists->open, 0, PLACE_RETIRED, where);
	walk_splice(inspect, record);
	if (intent->hand_slot - 1 < inspect->arena.max_carts &&
	    inspect->slot_places[intent->hand_slot - 1] == PLACE_NONE)
		inspect->slot_places[intent->hand_slot - 1] = PLACE_CACHED;
}

/* Called once, for all threads whose intents say that they were dissolving spans. */
void walk_dissolving(struct inspect *inspect)
{
	const struct arena *arena = &inspect->arena;

	for (uint32_t page = 0; page < arena->page_count; page++) {
		uint32_t word = arena->pages[page];
		uint32_t class_no = PAGE_SPAN_CLASS(word);
		if ((word & PAGE_DOOMED) != 0 && class_no < CLASS_COUNT &&
		    inspect->dissolving[class_no])
			walk_half_span(inspect, class_no, page);
	}
}

/*
 * Blocks in a hand, or about to be retired, that are in no list and no slot. Called after all lists
 * were walked.
 */
void walk_hands(struct inspect *inspect, uint32_t number)
{
	const struct intent *intent = &inspect->arena.threads[number].intent;
	const block_ref refs[] = { intent->hand, intent->old, intent->copies[0],
				   intent->copies[1] };

	for (unsigned i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
		if (refs[i] == 0 || walk_placed(inspect, refs[i]) ||
		    !walk_put(inspect, refs[i], PLACE_CACHED, "a hand"))
			continue;
		const struct block_header *block = arena_block(&inspect->arena, refs[i]);
		if (block->slot - 1 < inspect->arena.max_carts)
			inspect->slot_places[block->slot - 1] = PLACE_RETIRED;
	}
}

static void count_stalled(struct inspect *inspect, const struct thread_record *record)
{
	struct inspect_totals *totals = &inspect->totals;
	int64_t stalled_ms = grace_stalled_ms(&inspect->arena, record);

	if (stalled_ms < STALLED_MS)
		return;
	totals->readers_stalled++;
	if (stalled_ms > totals->readers_stalled_ms)
		totals->readers_stalled_ms = stalled_ms;
	totals->held_back_bytes =
		max_u64(totals->held_back_bytes,
			block_held_back(&inspect->arena, load_relaxed(&record->reader)));
}

/* relaxed, all of it: figures for people, which corral_stats() reads beside threads that work */
void walk_count_people(struct inspect *inspect)
{
	const struct arena *arena = &inspect->arena;
	uint32_t high = (uint32_t)min_u64(load_relaxed(&arena->header->processes_high),
					  arena->max_processes);

	for (uint32_t number = 0; number < high; number++) {
		bool used = load_relaxed(&arena->processes[number].state) != PROCESS_FREE;
		bool alive = inspect->by_records ?
				     used :
				     inspect->lock_fd >= 0 &&
					     alive_test(inspect->lock_fd, ALIVE_BYTE(number));
		if (alive)
			inspect->totals.processes++;
		else if (used)
			inspect->totals.processes_dead++;
	}
	high = (uint32_t)min_u64(load_relaxed(&arena->header->threads_high), arena->max_threads);
	for (uint32_t number = 0; number < high; number++) {
		if (load_relaxed(&arena->threads[number].owner) == 0)
			continue;
		inspect->totals.threads++;
		inspect->totals.readers += load_relaxed(&arena->threads[number].reader) != 0;
		count_stalled(inspect, &arena->threads[number]);
	}
}
