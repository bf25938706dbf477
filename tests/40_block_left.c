/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 40_block_left.c: what others left: those who are gone, dead, idle or stopped in the middle. All
 * of it is found when memory is short, and nobody waits for the stopped.
 */
#include "block_kit.h"

#include "sync/grace.h"
#include "sync/lock.h"

/* ------------------------------------------------- of those who are gone */

static void what_others_retired_or_left_is_found_when_memory_is_short(void **state)
{
	struct cast *cast = *state;
	static block_ref refs[2048], all[2048];

	uint32_t count = kit_take_all(&cast->two, 4000, refs, COUNT(refs));
	for (uint32_t i = 0; i < count; i++) /* two lives, and does nothing any more */
		kit_retire(&cast->two, refs[i]);
	uint32_t mine = kit_take_all(&cast->one, 4000, all, COUNT(all));
	assert_true(mine + class_span_blocks(class_of(4000)) >= count); /* (its cache is its own) */
	for (uint32_t i = 0; i < mine; i++)
		kit_give(&cast->one, all[i]);
	block_flush(&cast->one);
	block_flush(&cast->two);
	/* two goes as a thread that is cancelled: its record stays as it is */
	count = kit_take_all(&cast->two, 4000, refs, COUNT(refs));
	for (uint32_t i = 0; i + 1 < count; i++) {
		if (i < count / 2)
			kit_retire(&cast->two, refs[i]);
		else
			kit_give(&cast->two, refs[i]);
	}
	note(&cast->two.record->intent.hand, refs[count - 1]);
	store_release(&cast->two.record->owner, 0u);
	mine = kit_take_all(&cast->one, 4000, all, COUNT(all));
	assert_int_equal(mine, count);
	for (uint32_t i = 0; i < mine; i++)
		kit_give(&cast->one, all[i]);
	assert_int_equal(member_actor(&cast->us, &cast->two), 0);
}

static void what_the_dead_left_is_inherited(void **state)
{
	struct cast *cast = *state;
	struct member dead;
	struct actor theirs;
	static block_ref refs[2048], all[2048];

	assert_int_equal(member_join(&cast->yard, &dead), 0);
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
	yard_check(&cast->yard, NULL); /* it is all accounted for, also before the repair */
	assert_int_equal(alive_bury_all(&cast->us.arena, &cast->us.life, repair_process), 1);
	uint32_t mine = kit_take_all(&cast->one, 4000, all, COUNT(all));
	assert_int_equal(mine, count);
	for (uint32_t i = 0; i < mine; i++)
		kit_give(&cast->one, all[i]);
	uint32_t slots = 0;
	while (slots <= KIT_CARTS &&
	       block_take_slot(&cast->one) == 0) { /* all of them, that of the dead, too */
		slots++;
		note(&cast->one.record->intent.hand_slot, 0);
	}
	assert_int_equal(slots, KIT_CARTS);
	for (slot_link link = 1; link <= slots; link++) {
		note(&cast->one.record->intent.hand_slot, link);
		block_flush(&cast->one);
	}
}

static void next_owner_of_a_record_settles_what_is_in_hand(void **state)
{
	struct cast *cast = *state;
	block_ref hand;

	assert_int_equal(block_alloc(&cast->one, 3000), 0);
	hand = cast->one.record->intent.hand;
	assert_int_not_equal(hand, 0);
	store_release(&cast->one.record->owner, 0u);
	assert_int_equal(member_actor(&cast->us, &cast->one), 0);
	assert_int_equal(cast->one.record->intent.hand, 0);
	block_ref again;
	assert_int_equal(kit_take(&cast->one, 3000, &again), 0);
	assert_int_equal(again, hand);
	note(&cast->one.record->intent.old, again);
	store_release(&cast->one.record->owner, 0u);
	assert_int_equal(member_actor(&cast->us, &cast->one), 0);
	assert_int_equal(cast->one.record->intent.old, 0);
}

/* ------------------------------------------------------ slots; the stopped */

static void slot_comes_free_with_the_block_of_its_last_version(void **state)
{
	struct cast *cast = *state;
	struct intent *intent = &cast->one.record->intent;
	block_ref ref;

	grace_enter(&cast->two);
	for (uint32_t i = 0; i < KIT_CARTS; i++) {
		assert_int_equal(block_take_slot(&cast->one), 0);
		slot_link link = intent->hand_slot;
		assert_int_equal(block_take_slot(&cast->one), 0); /* the same */
		assert_int_equal(intent->hand_slot, link);
		note(&intent->hand_slot, 0);
		assert_int_equal(kit_take(&cast->one, 300, &ref), 0);
		block_at(&cast->us.arena, ref)->slot = link; /* as slot_end() does */
		kit_retire(&cast->one, ref);
	}
	assert_int_equal(block_take_slot(&cast->one), -ENFILE);
	block_reclaim_all(&cast->one);
	assert_int_equal(block_take_slot(&cast->one), -ENFILE); /* somebody may still see it */
	grace_leave(&cast->two);
	block_reclaim_all(&cast->one);
	block_reclaim_all(&cast->one);
	assert_int_equal(block_take_slot(&cast->one), 0);
	block_flush(&cast->one);
	assert_int_equal(intent->hand_slot, 0);
}

static void nobody_waits_for_one_who_was_stopped_at_the_lists(void **state)
{
	struct cast *cast = *state;
	lock_word *lists = &cast->one.record->retired.lock,
		  *slots = &cast->us.arena.header->slots_lock;
	block_ref refs[10];

	for (uint32_t i = 0; i < COUNT(refs); i++)
		assert_int_equal(kit_take(&cast->one, 700, &refs[i]), 0);
	cast->one.patience_ms = SUPPORT_WAIT_MS; /* who waits would be noticed */
	assert_true(lock_try(&cast->two, lists, LOCK_LISTS));
	int64_t before = support_now_ms();
	for (uint32_t i = 0; i < COUNT(refs) / 2; i++)
		kit_retire(&cast->one, refs[i]);
	assert_false(block_reclaim(&cast->one, cast->one.record));
	block_reclaim_all(&cast->one);
	lock_drop(&cast->two, lists, LOCK_LISTS);
	for (uint32_t i = COUNT(refs) / 2; i < COUNT(refs); i++)
		kit_retire(&cast->one, refs[i]);
	assert_true(lock_try(&cast->two, slots, LOCK_SLOTS));
	block_reclaim_all(&cast->one);
	block_flush(&cast->one);
	lock_drop(&cast->two, slots, LOCK_SLOTS);
	assert_true(support_now_ms() - before < SUPPORT_WAIT_MS);
}

/* As if everybody else kept these locks just long enough: nothing may be lost on the way. */
static void retired_blocks_survive_that_the_free_slots_are_locked(void **state)
{
	struct cast *cast = *state;
	lock_word *slots = &cast->us.arena.header->slots_lock;
	block_ref ref;

	for (uint32_t round = 0; round < 6; round++) {
		for (uint32_t i = 0; i < 3; i++) {
			assert_int_equal(block_take_slot(&cast->one), 0);
			slot_link link = cast->one.record->intent.hand_slot;
			note(&cast->one.record->intent.hand_slot, 0);
			assert_int_equal(kit_take(&cast->one, 300 + 1000 * i, &ref), 0);
			block_at(&cast->us.arena, ref)->slot = link;
			kit_retire(&cast->one, ref);
		}
		assert_true(lock_try(&cast->two, slots, LOCK_SLOTS));
		(void)block_reclaim(&cast->one, cast->one.record);
		if (round % 2 != 0)
			(void)block_reclaim(&cast->one, cast->one.record);
		lock_drop(&cast->two, slots, LOCK_SLOTS);
		yard_check(&cast->yard, NULL);
	}
}

static void deferred_blocks_are_found_when_memory_is_short(void **state)
{
	struct cast *cast = *state;
	static block_ref refs[256], more[256];

	uint32_t count = kit_take_all(&cast->one, 40000, refs, COUNT(refs));
	assert_true(lock_try(&cast->two, &cast->one.record->retired.lock, LOCK_LISTS));
	for (uint32_t i = 0; i < count; i++)
		kit_retire(&cast->one, refs[i]);
	assert_int_equal(kit_take_all(&cast->one, 40000, more, COUNT(more)), 0);
	lock_drop(&cast->two, &cast->one.record->retired.lock, LOCK_LISTS);
	assert_int_equal(kit_take_all(&cast->one, 40000, more, COUNT(more)), count);
	for (uint32_t i = 0; i < count; i++)
		kit_give(&cast->one, more[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_cast(what_others_retired_or_left_is_found_when_memory_is_short),
		with_cast(what_the_dead_left_is_inherited),
		with_cast(next_owner_of_a_record_settles_what_is_in_hand),
		with_cast(slot_comes_free_with_the_block_of_its_last_version),
		with_cast(nobody_waits_for_one_who_was_stopped_at_the_lists),
		with_cast(retired_blocks_survive_that_the_free_slots_are_locked),
		with_cast(deferred_blocks_are_found_when_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
