/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 40_block_left.c: memory that other threads left: those that ended, died, are idle, or stopped in
 * the middle. All of it is found when memory is short, and no thread waits for the stopped ones.
 */
#include "block_kit.h"

#include "sync/grace.h"
#include "sync/lock.h"

/* ------------------------------------------------- of threads that are gone */

static void blocks_retired_or_left_by_others_are_found_when_memory_is_short(void **state)
{
	struct fixture *fixture = *state;
	static block_ref refs[2048], all[2048];

	uint32_t count = kit_take_all(&fixture->two, 4000, refs, COUNT(refs));
	for (uint32_t i = 0; i < count; i++) /* `two` lives, and does nothing any more */
		kit_retire(&fixture->two, refs[i]);
	uint32_t mine = kit_take_all(&fixture->one, 4000, all, COUNT(all));
	const uint64_t kept = fixture->two.record->cached_bytes / class_bytes(class_of(4000));
	assert_int_equal(mine + kept, count); /* its cache stays its own */
	for (uint32_t i = 0; i < mine; i++)
		kit_give(&fixture->one, all[i]);
	block_flush(&fixture->one);
	block_flush(&fixture->two);
	/* `two` ends as a cancelled thread does: its record stays as it is */
	count = kit_take_all(&fixture->two, 4000, refs, COUNT(refs));
	for (uint32_t i = 0; i + 1 < count; i++) {
		if (i < count / 2)
			kit_retire(&fixture->two, refs[i]);
		else
			kit_give(&fixture->two, refs[i]);
	}
	note(&fixture->two.record->intent.hand, refs[count - 1]);
	store_release(&fixture->two.record->owner, 0u);
	mine = kit_take_all(&fixture->one, 4000, all, COUNT(all));
	assert_int_equal(mine, count);
	for (uint32_t i = 0; i < mine; i++)
		kit_give(&fixture->one, all[i]);
	assert_int_equal(member_actor(&fixture->us, &fixture->two), 0);
}

static void blocks_left_by_the_dead_are_inherited(void **state)
{
	struct fixture *fixture = *state;
	struct member dead;
	struct actor theirs;
	static block_ref refs[2048], all[2048];

	assert_int_equal(member_join(&fixture->yard, &dead), 0);
	assert_int_equal(member_actor(&dead, &theirs), 0);
	uint32_t count = kit_take_all(&theirs, 4000, refs, COUNT(refs));
	for (uint32_t i = 0; i + 1 < count; i++) {
		if (i < count / 2)
			kit_retire(&theirs, refs[i]);
		else
			kit_give(&theirs, refs[i]);
	}
	note(&theirs.record->intent.old, refs[count - 1]);
	assert_int_equal(block_take_slot(&theirs), 0);
	member_vanish(&dead);
	yard_check(&fixture->yard, NULL); /* all is accounted for even before the repair */
	assert_int_equal(alive_bury_all(&fixture->us.arena, &fixture->us.life, repair_process), 1);
	uint32_t mine = kit_take_all(&fixture->one, 4000, all, COUNT(all));
	assert_int_equal(mine, count);
	for (uint32_t i = 0; i < mine; i++)
		kit_give(&fixture->one, all[i]);
	uint32_t slots = 0;
	while (slots <= KIT_CARTS &&
	       block_take_slot(&fixture->one) == 0) { /* all of them, including the dead thread's */
		slots++;
		note(&fixture->one.record->intent.hand_slot, 0);
	}
	assert_int_equal(slots, KIT_CARTS);
	for (slot_link link = 1; link <= slots; link++) {
		note(&fixture->one.record->intent.hand_slot, link);
		block_flush(&fixture->one);
	}
}

static uint32_t length_of(const struct arena *arena, block_ref first)
{
	uint32_t count = 0;

	for (; first != 0; first = block_at(arena, first)->next)
		count++;
	return count;
}

/*
 * Longer than a cache may be: its thread did not get the class's lock, or a stray write has linked
 * the caches of all records to one list, and each of them would be walked to its end.
 */
static void a_cache_that_is_too_long_is_given_back_in_parts(void **state)
{
	struct fixture *fixture = *state;
	const struct arena *arena = &fixture->us.arena;
	const uint32_t class_no = class_of(700), limit = 65536 / class_bytes(class_no) + 1;
	struct thread_record *record = fixture->one.record;
	const struct size_class *c = &arena->classes[class_no];
	static block_ref refs[4096];
	uint32_t count = 5 * limit / 2;

	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(kit_take(&fixture->one, 700, &refs[i]), 0);
	block_flush(&fixture->one);
	uint32_t before = length_of(arena, c->head);
	for (uint32_t i = 0; i < count; i++) {
		note(&block_at(arena, refs[i])->next, record->cache[class_no]);
		note(&record->cache[class_no], refs[i]);
	}
	for (uint32_t left = count; left > 2 * limit;) {
		uint64_t budget = 1; /* one part */
		block_flush_within(&fixture->one, &budget);
		assert_int_equal(budget, 0);
		yard_check(&fixture->yard, NULL);
		left -= left < limit ? left : limit;
		assert_int_equal(length_of(arena, record->cache[class_no]), left);
		assert_int_equal(length_of(arena, c->head), before + count - left);
	}
	block_flush(&fixture->one);
	assert_int_equal(record->cache[class_no], 0);
	assert_int_equal(length_of(arena, c->head), before + count);
}

static void next_owner_of_a_record_settles_what_is_in_hand(void **state)
{
	struct fixture *fixture = *state;
	block_ref hand;

	assert_int_equal(block_alloc(&fixture->one, 3000), 0);
	hand = fixture->one.record->intent.hand;
	assert_int_not_equal(hand, 0);
	store_release(&fixture->one.record->owner, 0u);
	assert_int_equal(member_actor(&fixture->us, &fixture->one), 0);
	assert_int_equal(fixture->one.record->intent.hand, 0);
	block_ref again;
	assert_int_equal(kit_take(&fixture->one, 3000, &again), 0);
	assert_int_equal(again, hand);
	note(&fixture->one.record->intent.old, again);
	store_release(&fixture->one.record->owner, 0u);
	assert_int_equal(member_actor(&fixture->us, &fixture->one), 0);
	assert_int_equal(fixture->one.record->intent.old, 0);
}

/* ------------------------------------------------------ slots; the stopped */

static void a_slot_is_freed_with_the_block_of_its_last_version(void **state)
{
	struct fixture *fixture = *state;
	struct intent *intent = &fixture->one.record->intent;
	block_ref ref;

	grace_enter(&fixture->two);
	for (uint32_t i = 0; i < KIT_CARTS; i++) {
		assert_int_equal(block_take_slot(&fixture->one), 0);
		slot_link link = intent->hand_slot;
		assert_int_equal(block_take_slot(&fixture->one), 0); /* the same slot */
		assert_int_equal(intent->hand_slot, link);
		note(&intent->hand_slot, 0);
		assert_int_equal(kit_take(&fixture->one, 300, &ref), 0);
		block_at(&fixture->us.arena, ref)->slot = link; /* as slot_end() does */
		kit_retire(&fixture->one, ref);
	}
	assert_int_equal(block_take_slot(&fixture->one), -ENFILE);
	block_reclaim_all(&fixture->one);
	assert_int_equal(block_take_slot(&fixture->one), -ENFILE); /* a reader may still see it */
	grace_leave(&fixture->two);
	block_reclaim_all(&fixture->one);
	block_reclaim_all(&fixture->one);
	assert_int_equal(block_take_slot(&fixture->one), 0);
	block_flush(&fixture->one);
	assert_int_equal(intent->hand_slot, 0);
}

static void a_thread_stopped_at_the_lists_is_not_waited_for(void **state)
{
	struct fixture *fixture = *state;
	lock_word *lists = &fixture->one.record->retired.lock,
		  *slots = &fixture->us.arena.header->slots_lock;
	block_ref refs[10];

	for (uint32_t i = 0; i < COUNT(refs); i++)
		assert_int_equal(kit_take(&fixture->one, 700, &refs[i]), 0);
	fixture->one.patience_ms = SUPPORT_WAIT_MS; /* a wait would exceed the test's time */
	assert_true(lock_try(&fixture->two, lists, LOCK_LISTS));
	int64_t before = support_now_ms();
	for (uint32_t i = 0; i < COUNT(refs) / 2; i++)
		kit_retire(&fixture->one, refs[i]);
	assert_false(block_reclaim(&fixture->one, fixture->one.record));
	block_reclaim_all(&fixture->one);
	lock_drop(&fixture->two, lists, LOCK_LISTS);
	for (uint32_t i = COUNT(refs) / 2; i < COUNT(refs); i++)
		kit_retire(&fixture->one, refs[i]);
	assert_true(lock_try(&fixture->two, slots, LOCK_SLOTS));
	block_reclaim_all(&fixture->one);
	block_flush(&fixture->one);
	lock_drop(&fixture->two, slots, LOCK_SLOTS);
	assert_true(support_now_ms() - before < SUPPORT_WAIT_MS);
}

/* As if other threads held these locks just long enough: nothing may be lost on the way. */
static void retired_blocks_survive_that_the_free_slots_are_locked(void **state)
{
	struct fixture *fixture = *state;
	lock_word *slots = &fixture->us.arena.header->slots_lock;
	block_ref ref;

	for (uint32_t round = 0; round < 6; round++) {
		for (uint32_t i = 0; i < 3; i++) {
			assert_int_equal(block_take_slot(&fixture->one), 0);
			slot_link link = fixture->one.record->intent.hand_slot;
			note(&fixture->one.record->intent.hand_slot, 0);
			assert_int_equal(kit_take(&fixture->one, 300 + 1000 * i, &ref), 0);
			block_at(&fixture->us.arena, ref)->slot = link;
			kit_retire(&fixture->one, ref);
		}
		assert_true(lock_try(&fixture->two, slots, LOCK_SLOTS));
		(void)block_reclaim(&fixture->one, fixture->one.record);
		if (round % 2 != 0)
			(void)block_reclaim(&fixture->one, fixture->one.record);
		lock_drop(&fixture->two, slots, LOCK_SLOTS);
		yard_check(&fixture->yard, NULL);
	}
}

static void deferred_blocks_are_found_when_memory_is_short(void **state)
{
	struct fixture *fixture = *state;
	static block_ref refs[256], more[256];

	uint32_t count = kit_take_all(&fixture->one, 40000, refs, COUNT(refs));
	assert_true(lock_try(&fixture->two, &fixture->one.record->retired.lock, LOCK_LISTS));
	for (uint32_t i = 0; i < count; i++)
		kit_retire(&fixture->one, refs[i]);
	assert_int_equal(kit_take_all(&fixture->one, 40000, more, COUNT(more)), 0);
	lock_drop(&fixture->two, &fixture->one.record->retired.lock, LOCK_LISTS);
	assert_int_equal(kit_take_all(&fixture->one, 40000, more, COUNT(more)), count);
	for (uint32_t i = 0; i < count; i++)
		kit_give(&fixture->one, more[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_cast(blocks_retired_or_left_by_others_are_found_when_memory_is_short),
		with_cast(blocks_left_by_the_dead_are_inherited),
		with_cast(a_cache_that_is_too_long_is_given_back_in_parts),
		with_cast(next_owner_of_a_record_settles_what_is_in_hand),
		with_cast(a_slot_is_freed_with_the_block_of_its_last_version),
		with_cast(a_thread_stopped_at_the_lists_is_not_waited_for),
		with_cast(retired_blocks_survive_that_the_free_slots_are_locked),
		with_cast(deferred_blocks_are_found_when_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
