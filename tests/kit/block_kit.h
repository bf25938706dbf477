/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block_kit.h: what the 40_block tests share: blocks that a test holds in its own variables, in no
 * thread's hand and in no slot. inspect does not find such a block until it is given back.
 */
#ifndef BLOCK_KIT_H
#define BLOCK_KIT_H

#include "support.h"

#include "base/atomic.h"
#include "memory/allocate.h"
#include "memory/block.h"
#include "memory/class.h"
#include "memory/free_slot.h"
#include "memory/pressure.h"
#include "memory/retire.h"
#include "store/repair.h"

#define KIT_BYTES (4u << 20)
#define KIT_CARTS 64u

static const struct arena_settings kit_small = { .arena_bytes = KIT_BYTES,
						 .max_carts = KIT_CARTS,
						 .ttl_ns = 1800000000000ull };

/* Take a block out of the arena. Returns what block_alloc() returned. */
static inline int kit_take(struct actor *actor, uint32_t bytes, block_ref *ret_ref)
{
	int r = block_alloc(actor, bytes);

	*ret_ref = r == 0 ? actor->record->intent.hand : 0;
	if (r < 0)
		return r;
	note(&actor->record->intent.hand, 0);
	return 0;
}

static inline void kit_give(struct actor *actor, block_ref ref)
{
	note(&actor->record->intent.hand, ref);
	block_free_hand(actor);
}

static inline void kit_retire(struct actor *actor, block_ref ref)
{
	note(&actor->record->intent.old, ref);
	block_retire_old(actor);
}

/* Fill the bytes from the header to the end of the block's class, with plain stores. */
static inline void kit_fill(const struct arena *arena, block_ref ref, uint64_t value)
{
	struct block_header *block = arena_block(arena, ref);
	uint64_t *words = (uint64_t *)(void *)(block + 1);
	size_t count = (class_bytes(block->class_no) - sizeof(*block)) / sizeof(*words);

	words[0] = value;
	words[count / 2] = value;
	words[count - 1] = value;
}

static inline bool kit_is_filled(const struct arena *arena, block_ref ref, uint64_t value)
{
	const struct block_header *block = arena_block(arena, ref);
	const uint64_t *words = (const uint64_t *)(const void *)(block + 1);
	size_t count = (class_bytes(block->class_no) - sizeof(*block)) / sizeof(*words);

	return words[0] == value && words[count / 2] == value && words[count - 1] == value;
}

static inline uint32_t kit_free_pages(const struct arena *arena)
{
	uint32_t count = 0;

	for (uint32_t page = 0; page < arena->page_count;) {
		uint32_t word = arena->pages[page];
		count += word == 0;
		page += word == 0 ? 1 : PAGE_SPAN_PAGES(word);
	}
	return count;
}

/* Print which thread records still hold blocks or slots. */
static inline void kit_say_what_is_left(const struct arena *arena)
{
	for (uint32_t number = 0; number < arena->header->threads_high; number++) {
		const struct thread_record *record = &arena->threads[number];
		const struct retired *lists = &record->retired;
		if (block_has_leftovers(record))
			print_error("record %u: owner %u, open %x, waiting %x, ready %x, deferred "
				    "%x, hand %x, old %x\n",
				    number, record->owner, lists->open, lists->waiting,
				    lists->ready, lists->deferred, record->intent.hand,
				    record->intent.old);
	}
	for (uint32_t page = 0; page < arena->page_count; page++)
		if (arena->pages[page] != 0)
			print_error("page %u: %u pages of class %u\n", page,
				    PAGE_SPAN_PAGES(arena->pages[page]),
				    PAGE_SPAN_CLASS(arena->pages[page]));
}

/* With no block and no slot held, every page becomes free again. */
static inline void kit_base_line(struct actor *actor)
{
	for (int i = 0; i < 4; i++)
		block_reclaim_all(actor);
	block_flush(actor);
	(void)block_scavenge(actor);
	if (kit_free_pages(actor->arena) != actor->arena->page_count)
		kit_say_what_is_left(actor->arena);
	assert_int_equal(kit_free_pages(actor->arena), actor->arena->page_count);
}

/* ------------------------------------------------------------------- fixture */

/* Take blocks until the arena refuses; the refused call leaves nothing behind. */
static inline uint32_t kit_take_all(struct actor *actor, uint32_t bytes, block_ref *refs,
				    uint32_t max)
{
	uint32_t count = 0;
	int r = 0;

	while (count < max && (r = kit_take(actor, bytes, &refs[count])) == 0)
		count++;
	assert_int_equal(r, -ENOMEM);
	assert_int_equal(actor->record->intent.hand, 0);
	assert_int_equal(actor->held, 0);
	return count;
}

struct fixture {
	struct yard yard;
	struct member us;
	struct actor one, two;
};

static inline int kit_set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	yard_make(&fixture->yard, &kit_small);
	assert_int_equal(member_join(&fixture->yard, &fixture->us), 0);
	assert_int_equal(member_actor(&fixture->us, &fixture->one), 0);
	assert_int_equal(member_actor(&fixture->us, &fixture->two), 0);
	*state = fixture;
	return 0;
}

/* Once a test has given everything back, every page is free again. */
static inline int kit_tear_down(void **state)
{
	struct fixture *fixture = *state;

	member_dismiss(&fixture->two);
	kit_base_line(&fixture->one);
	member_dismiss(&fixture->one);
	member_leave(&fixture->us);
	yard_check(&fixture->yard, NULL);
	yard_remove(&fixture->yard);
	free(fixture);
	return 0;
}

#define with_cast(test) cmocka_unit_test_setup_teardown(test, kit_set_up, kit_tear_down)

#endif
