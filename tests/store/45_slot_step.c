/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 45_slot_step.c: death at every instruction of the memory and store layers: splices, retired
 * lists, spans, slots, chains.
 *
 * A process is stopped after each instruction (crash_kit.h); on a copy of each state of the arena
 * it is dead. There, check finds nothing wrong; a newcomer repairs and settles, and check finds
 * nothing wrong; each cart is whole; once all carts are ended, every page and every slot is free
 * again. (The same for whole calls: 80_crash_matrix.)
 */
#include "block_kit.h"
#include "crash_slots.h"

/* -------------------------------------------------------------- operations */

static void make_three(void)
{
	for (uint32_t key = 0; key < 3; key++)
		make(key);
}

static void alloc_and_free(void)
{
	must(block_alloc(&one, 700) == 0);
	block_free_hand(&one);
}

static void use_up_a_span(void)
{
	block_ref refs[256];
	uint32_t count = class_span_blocks(class_of(700));

	for (uint32_t i = 0; i < count; i++)
		must(kit_take(&one, 700, &refs[i]) == 0);
	for (uint32_t i = 0; i < count; i++)
		kit_give(&one, refs[i]);
	block_flush(&one);
}

static void use_up_and_begin_spans(void)
{
	block_ref ref, large;

	use_up_a_span();
	must(kit_take(&one, 3000, &ref) == 0);
	must(kit_take(&one, 100000, &large) == 0);
	kit_give(&one, ref);
	kit_give(&one, large);
	block_flush(&one);
}

static void fill_cache(void)
{
	block_ref refs[3];

	for (uint32_t i = 0; i < COUNT(refs); i++)
		must(kit_take(&one, 700 + 2000 * i, &refs[i]) == 0);
	for (uint32_t i = 0; i < COUNT(refs); i++)
		kit_give(&one, refs[i]);
}

/* As if the class's lock had been taken by another thread each time. */
static void fill_cache_beyond_its_limit(void)
{
	block_ref refs[6], *cache = &one.record->cache[class_of(20000)];

	for (uint32_t i = 0; i < COUNT(refs); i++)
		must(kit_take(&one, 20000, &refs[i]) == 0);
	block_flush(&one);
	for (uint32_t i = 0; i < COUNT(refs); i++) {
		note(&block_at(&us.arena, refs[i])->next, *cache);
		note(cache, refs[i]);
	}
}

static void flush(void)
{
	block_flush(&one);
}

static void make_fourth(void)
{
	make(3);
}

static void make_one(void)
{
	make(0);
}

static void change_one(void)
{
	change(&one, 0, 2000);
}

static void change_some(void)
{
	make_three();
	for (uint32_t i = 0; i < 6; i++)
		change(&one, i % 3, i * 700);
}

static void reclaim_own(void)
{
	(void)block_reclaim(&one, one.record);
}

/* Make an unowned record with every kind of leftover, and a live thread with retired blocks. */
static void leave_much(void)
{
	make_three();
	for (uint32_t i = 0; i < 4; i++)
		change(&two, i % 3, i * 900);
	must(block_take_slot(&two) == 0);
	must(block_alloc(&two, 900) == 0);
	store_release(&two.record->owner, 0u);
	end(1);
	change(&one, 0, 17);
}

static void reclaim_all(void)
{
	block_reclaim_all(&one);
	block_reclaim_all(&one);
}

static void scavenge(void)
{
	(void)block_scavenge(&one);
}

static void take_slot_and_give_it_back(void)
{
	must(block_take_slot(&one) == 0);
	block_flush(&one);
}

static void free_some_slots(void)
{
	make_three();
	end(0);
	end(2);
	reclaim_all();
}

static void end_middle(void)
{
	end(1);
}

static void end_newest(void)
{
	end(2);
}

static void end_and_make_again(void)
{
	end(0);
	reclaim_own();
	make(0);
}

static void lock_lists(void)
{
	make_three();
	change(&one, 1, 3000);
	lock_lists_of_one();
}

static void defer_and_take_up(void)
{
	change(&one, 0, 100);
	change(&one, 2, 200);
	unlock_lists_of_one();
	change(&one, 1, 300);
}

static const struct crash_slots_operation operations[] = {
	{ "taking and freeing a block of a new span", NULL, alloc_and_free },
	{ "taking and freeing a listed block", use_up_a_span, alloc_and_free },
	{ "giving a cache back", fill_cache, flush },
	{ "giving a part of a cache back", fill_cache_beyond_its_limit, flush },
	{ "making a cart", make_three, make_fourth },
	{ "changing a cart", make_one, change_one },
	{ "ending a cart in the middle of its chain", make_three, end_middle },
	{ "ending the newest cart of its chain", make_three, end_newest },
	{ "ending a cart and making it again", make_three, end_and_make_again },
	{ "reclaiming one's own", change_some, reclaim_own },
	{ "reclaiming everybody's", leave_much, reclaim_all },
	{ "giving spans back", use_up_and_begin_spans, scavenge },
	{ "taking a new slot", make_one, take_slot_and_give_it_back },
	{ "taking a freed slot", free_some_slots, take_slot_and_give_it_back },
	{ "retiring while the lists are locked", lock_lists, defer_and_take_up },
};

/* ------------------------------------------------------------------- a state */

static void newcomer_finds_all_well(void)
{
	struct member new;
	struct actor actor;
	struct found found;

	yard_check(&stage.other, NULL);
	assert_int_equal(member_join(&stage.other, &new),
			 0); /* takes the dead record, and so repairs it */
	(void)alive_bury_all(&new.arena, &new.life, repair_process);
	yard_check(&stage.other, NULL);
	assert_int_equal(member_actor(&new, &actor), 0); /* settles */
	find_keys(&new.arena);
	for (uint32_t i = 0; i < CRASH_KEYS; i++) {
		int r = kit_find(&actor, &keys[i], &found);
		assert_true(r == -ENOENT || (r == 0 && cart_validate(found.cart, found.room) == 0));
		if (r == 0)
			assert_int_equal(kit_end(&actor, &keys[i]), 0);
	}
	kit_base_line(&actor);
	uint32_t slots = 0;
	for (; slots <= new.arena.max_carts &&block_take_slot(&actor) == 0; slots++)
		note(&actor.record->intent.hand_slot, 0);
	assert_int_equal(slots, new.arena.max_carts);
	for (slot_link link = 1; link <= slots; link++) {
		note(&actor.record->intent.hand_slot, link);
		block_flush(&actor);
	}
	member_dismiss(&actor);
	member_leave(&new);
	yard_check(&stage.other, NULL);
}

static void look_at_state(void)
{
	crash_to_other(&stage);
	newcomer_finds_all_well();
}

int main(void)
{
	return crash_slots_run(operations, COUNT(operations),
			       "death anywhere in %s leaves all well", KIT_BYTES, KIT_CARTS,
			       look_at_state);
}
