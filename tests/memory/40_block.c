/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 40_block.c: size classes, and the life of a block: handed out, freed, retired, refused when there
 * is none. (40_block_left.c: leftovers of others; 40_block_crew.c: many at once; 40_block_death.c:
 * deaths.)
 */
#include "block_kit.h"

#include "sync/grace.h"

/* ----------------------------------------------------------------- classes */

static void every_size_has_the_smallest_class_with_room_and_little_waste(void **state)
{
	(void)state;
	for (uint32_t bytes = 1; bytes <= CLASS_LARGEST; bytes++) {
		uint32_t class_no = class_of(bytes);
		uint32_t room = class_bytes(class_no);
		if (class_no >= CLASS_COUNT || room < bytes)
			fail_msg("class %u of %u bytes has %u", class_no, bytes, room);
		if (class_no > 0 && class_bytes(class_no - 1) >= bytes)
			fail_msg("%u bytes: class %u would do", bytes, class_no - 1);
		if (bytes > CLASS_SMALLEST && room - bytes >= 64 && room - bytes > bytes / 16)
			fail_msg("%u bytes waste %u", bytes, room - bytes);
	}
	assert_int_equal(class_of(CLASS_LARGEST), CLASS_COUNT - 1);
	assert_int_equal(class_bytes(CLASS_COUNT - 1), CLASS_LARGEST);
}

static void spans_are_whole_pages_of_whole_blocks_and_waste_a_32nd_at_most(void **state)
{
	(void)state;
	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++) {
		uint32_t bytes = class_bytes(class_no);
		uint32_t span = class_span_pages(class_no) * PAGE_BYTES;
		assert_int_equal(bytes % BLOCK_UNIT, 0);
		assert_int_equal(class_of(bytes), class_no);
		assert_true(class_no == 0 || bytes > class_bytes(class_no - 1));
		assert_true(class_span_blocks(class_no) >= 1);
		assert_true(class_span_blocks(class_no) * bytes <= span);
		assert_true(span - class_span_blocks(class_no) * bytes <= span / 32);
		assert_true(class_span_pages(class_no) <
			    SPAN_PAGES_MAX); /* as far as the scavenger looks back */
		assert_true(class_span_blocks(class_no) <= UINT16_MAX);
	}
}

/* ------------------------------------------------------------- round trips */

static void blocks_handed_out_do_not_overlap(void **state)
{
	struct fixture *fixture = *state;
	uint64_t random = support_seed();
	block_ref refs[60];
	uint32_t sizes[60];

	for (uint32_t round = 0; round < 20; round++) {
		uint32_t count = 0;
		while (count < COUNT(refs)) {
			sizes[count] =
				1 + random_below(&random, 1u << (8 + random_below(&random, 7)));
			int r = kit_take(&fixture->one, sizes[count], &refs[count]);
			if (r == -ENOMEM)
				break;
			assert_int_equal(r, 0);
			const struct block_header *block =
				block_at(&fixture->us.arena, refs[count]);
			assert_non_null(block);
			assert_true(class_bytes(block->class_no) >= sizes[count]);
			assert_true(block->class_no >= class_of(sizes[count]));
			assert_int_equal(block->slot, 0);
			kit_fill(&fixture->us.arena, refs[count], refs[count] + round);
			count++;
		}
		for (uint32_t i = 0; i < count; i++) { /* no write reached another's block */
			assert_true(kit_is_filled(&fixture->us.arena, refs[i], refs[i] + round));
			if (random_below(&random, 2) == 0)
				kit_give(&fixture->one, refs[i]);
			else
				kit_retire(&fixture->one, refs[i]);
		}
	}
}

static void freed_block_is_handed_out_again(void **state)
{
	struct fixture *fixture = *state;
	block_ref first, again;

	assert_int_equal(kit_take(&fixture->one, 5000, &first), 0);
	kit_give(&fixture->one, first);
	assert_int_equal(kit_take(&fixture->one, 5000, &again), 0);
	assert_int_equal(first, again); /* the most recently freed */
	kit_give(&fixture->one, again);
}

static void retired_block_is_not_used_again_while_a_reader_may_see_it(void **state)
{
	struct fixture *fixture = *state;
	block_ref retired, other;

	assert_int_equal(kit_take(&fixture->one, 300000, &retired), 0);
	kit_fill(&fixture->us.arena, retired, 77);
	grace_enter(&fixture->two);
	kit_retire(&fixture->one, retired);
	for (uint32_t i = 0; i < 40; i++) { /* memory is short throughout: only a few fit */
		if (kit_take(&fixture->one, 300000, &other) == 0) {
			assert_int_not_equal(other, retired);
			kit_fill(&fixture->us.arena, other, 78);
			kit_retire(&fixture->one, other);
		}
		assert_true(kit_is_filled(&fixture->us.arena, retired, 77));
	}
	assert_int_equal(kit_take(&fixture->one, 300000, &other), -ENOMEM);
	grace_leave(&fixture->two);
	assert_int_equal(kit_take(&fixture->one, 300000, &other), 0);
	kit_give(&fixture->one, other);
}

/* The thread's own retired blocks could be freed just then, which goes by way of the hand. */
static void a_block_that_is_taken_modestly_leaves_the_hand_alone(void **state)
{
	struct fixture *fixture = *state;
	struct actor *one = &fixture->one;
	struct intent *intent = &one->record->intent;
	block_ref retired;

	assert_int_equal(kit_take(one, 5000, &retired), 0);
	grace_enter(&fixture->two);
	kit_retire(one, retired);
	(void)block_reclaim(one, one->record);
	grace_leave(&fixture->two);
	assert_int_not_equal(one->record->retired.waiting, 0);
	assert_int_equal(block_alloc(one, 5000), 0);
	const block_ref hand = intent->hand;
	assert_int_equal(one->record->cache[class_of(900)], 0);
	assert_true(block_take_modestly(one, 900, &intent->copies[0]));
	assert_int_equal(intent->hand, hand);
	assert_int_not_equal(intent->copies[0], 0);
	block_free_copy(one, 0);
	block_free_hand(one);
}

/* ------------------------------------------------------------------- short */

static void full_arena_refuses_and_recovers(void **state)
{
	struct fixture *fixture = *state;
	static block_ref refs[KIT_BYTES / CLASS_SMALLEST];
	const uint32_t sizes[] = { 1, 1000, 5000, 30000, 200000 };
	uint32_t counts[COUNT(sizes)];

	for (uint32_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT(sizes); i++) {
			uint32_t count = kit_take_all(&fixture->one, sizes[i], refs, COUNT(refs));
			assert_true(round == 0 ||
				    count == counts[i]); /* nothing was lost meanwhile */
			counts[i] = count;
			block_ref again;
			kit_give(&fixture->one, refs[count / 2]);
			assert_int_equal(kit_take(&fixture->one, sizes[i], &again), 0);
			assert_int_equal(again, refs[count / 2]);
			assert_int_equal(kit_take(&fixture->one, sizes[i], &again), -ENOMEM);
			for (uint32_t j = 0; j < count; j++) {
				if (round == 1)
					kit_retire(&fixture->one, refs[j]);
				else
					kit_give(&fixture->one, refs[j]);
			}
		}
	}
}

static void larger_class_helps_out_when_its_own_is_empty(void **state)
{
	struct fixture *fixture = *state;
	static block_ref refs[2048];
	block_ref larger, found;

	assert_int_equal(kit_take(&fixture->one, 9000, &larger), 0);
	uint32_t count = kit_take_all(&fixture->one, 8000, refs,
				      COUNT(refs)); /* including every larger block but this one */
	kit_give(&fixture->one, larger);
	assert_int_equal(kit_take(&fixture->one, 8000, &found), 0);
	assert_int_equal(found, larger);
	assert_true(block_at(&fixture->us.arena, found)->class_no > class_of(8000));
	kit_give(&fixture->one, found);
	for (uint32_t i = 0; i < count; i++)
		kit_give(&fixture->one, refs[i]);
}

static void spans_of_free_blocks_only_are_given_back(void **state)
{
	struct fixture *fixture = *state;
	static block_ref refs[4096];

	uint32_t count = kit_take_all(&fixture->one, 2000, refs, COUNT(refs));
	assert_int_equal(kit_free_pages(&fixture->us.arena), 0);
	assert_int_equal(block_scavenge(&fixture->one), 0);
	for (uint32_t i = 0; i < count; i++)
		if (i != count / 2)
			kit_give(&fixture->one, refs[i]);
	block_flush(&fixture->one);
	uint32_t pages = block_scavenge(&fixture->one);
	assert_int_equal(pages, fixture->us.arena.page_count - class_span_pages(class_of(2000)));
	assert_int_equal(kit_free_pages(&fixture->us.arena), pages);
	kit_give(&fixture->one, refs[count / 2]);
	block_flush(&fixture->one);
	assert_int_equal(block_scavenge(&fixture->one), class_span_pages(class_of(2000)));
	assert_int_equal(kit_free_pages(&fixture->us.arena), fixture->us.arena.page_count);
	count = kit_take_all(&fixture->one, 500000, refs,
			     COUNT(refs)); /* the free pages serve any size */
	assert_true(count >= 2);
	for (uint32_t i = 0; i < count; i++)
		kit_give(&fixture->one, refs[i]);
}

/* As after a bit flip: all other spans are dissolved, that one stays. */
static void a_live_span_that_is_marked_as_doomed_stays(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->us.arena;
	static block_ref refs[4096];

	uint32_t count = kit_take_all(&fixture->one, 2000, refs, COUNT(refs));
	block_ref live = refs[count / 2];
	uint32_t page = (live - arena->space_first) / (PAGE_BYTES / BLOCK_UNIT);
	while (arena->pages[page] == 0)
		page--;
	uint32_t word = arena->pages[page];
	for (uint32_t i = 0; i < count; i++)
		if (refs[i] != live)
			kit_give(&fixture->one, refs[i]);
	block_flush(&fixture->one);
	arena->pages[page] |= PAGE_DOOMED;
	assert_int_equal(block_scavenge(&fixture->one), arena->page_count - PAGE_SPAN_PAGES(word));
	assert_int_equal(arena->pages[page], word);
	assert_int_equal(block_at(arena, live)->class_no, class_of(2000));
	kit_give(&fixture->one, live);
	block_flush(&fixture->one);
	assert_int_equal(block_scavenge(&fixture->one), PAGE_SPAN_PAGES(word));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_has_the_smallest_class_with_room_and_little_waste),
		cmocka_unit_test(spans_are_whole_pages_of_whole_blocks_and_waste_a_32nd_at_most),
		with_cast(freed_block_is_handed_out_again),
		with_cast(blocks_handed_out_do_not_overlap),
		with_cast(retired_block_is_not_used_again_while_a_reader_may_see_it),
		with_cast(a_block_that_is_taken_modestly_leaves_the_hand_alone),
		with_cast(full_arena_refuses_and_recovers),
		with_cast(larger_class_helps_out_when_its_own_is_empty),
		with_cast(spans_of_free_blocks_only_are_given_back),
		with_cast(a_live_span_that_is_marked_as_doomed_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
