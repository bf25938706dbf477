/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 40_block_crew.c: many workers take, publish, replace, retire and free blocks of a nearly full
 * arena, and read each other's. No block is ever in two places, reused while a reader sees it, or
 * lost.
 */
#include "block_kit.h"

#include <sched.h>

#include "sync/grace.h"

#define SMALL_BYTES (5u << 20)
#define TTL_NS 1800000000000ull
#define UNITS (SMALL_BYTES / BLOCK_UNIT)
#define CREW 5
#define CELLS 24
#define STEPS 6000

static const struct arena_settings small = { .arena_bytes = SMALL_BYTES,
					     .max_carts = 64,
					     .ttl_ns = TTL_NS };

struct shared {
	block_ref cells[CELLS];  /* the published blocks */
	uint32_t holders[UNITS]; /* by block: number of the holder, plus one */
	uint32_t slots[64];
	uint64_t taken;
	uint64_t refused;
	uint64_t reads;
};

static uint32_t some_size(uint64_t *random)
{
	/* mostly few classes, so that lists fill and empty; now and then any size */
	return random_below(random, 8) != 0 ?
		       200 + 1500 * random_below(random, 4) :
		       1 + random_below(random, 1u << (8 + random_below(random, 10)));
}

/*
 * Take a block out of the arena and fill it with its number and its owner's; no other worker has
 * it.
 */
static int take_filled(struct crewman *self, block_ref *ret_ref)
{
	struct shared *shared = self->shared;
	int r = kit_take(self->actor, some_size(&self->random), ret_ref);

	if (r < 0) {
		must(r == -ENOMEM);
		return r;
	}
	must(swap_acq_rel(&shared->holders[*ret_ref], self->number + 1) == 0);
	kit_fill(self->actor->arena, *ret_ref, (uint64_t)*ret_ref << 8 | self->number);
	return 0;
}

static void publish(struct crewman *self, uint32_t cell)
{
	struct shared *shared = self->shared;
	block_ref ref;

	if (take_filled(self, &ref) < 0) {
		(void)fetch_add_relaxed(&shared->refused, 1u);
		ref = 0; /* make room */
	}
	(void)fetch_add_relaxed(&shared->taken, 1u);
	block_ref former = swap_acq_rel(&shared->cells[cell], ref);
	if (former == 0)
		return;
	uint64_t words = (uint64_t)former << 8;
	bool filled = false;
	for (uint32_t writer = 0; writer < CREW; writer++)
		filled |= kit_is_filled(self->actor->arena, former, words | writer);
	must(filled);
	must(swap_acq_rel(&shared->holders[former], 0) != 0);
	kit_retire(self->actor, former);
}

/* While it is being read, a block's contents must not change. */
static void read_some(struct crewman *self)
{
	struct shared *shared = self->shared;

	grace_enter(self->actor);
	block_ref ref = load_acquire(&shared->cells[random_below(&self->random, CELLS)]);
	if (ref != 0) {
		const struct block_header *block = arena_block(self->actor->arena, ref);
		uint64_t first = *(const uint64_t *)(const void *)(block + 1);
		must(first >> 8 == ref);
		if (random_below(&self->random, 32) == 0)
			sched_yield();
		must(kit_is_filled(self->actor->arena, ref, first));
	}
	grace_leave(self->actor);
	(void)fetch_add_relaxed(&shared->reads, 1u);
}

static void free_unpublished(struct crewman *self)
{
	struct shared *shared = self->shared;
	block_ref ref;

	if (take_filled(self, &ref) < 0)
		return;
	must(kit_is_filled(self->actor->arena, ref, (uint64_t)ref << 8 | self->number));
	must(swap_acq_rel(&shared->holders[ref], 0) == self->number + 1);
	kit_give(self->actor, ref);
}

/* Take a slot and a block, and give both back. */
static void take_slot(struct crewman *self)
{
	struct shared *shared = self->shared;
	struct intent *intent = &self->actor->record->intent;
	block_ref ref;

	if (kit_take(self->actor, 300, &ref) < 0)
		return;
	int r = block_take_slot(self->actor); /* last, since a search for memory gives slots back */
	must(r == 0 || r == -ENFILE);
	if (r < 0) {
		kit_give(self->actor, ref);
		block_reclaim_all(self->actor);
		return;
	}
	slot_link link = intent->hand_slot;
	must(swap_acq_rel(&shared->slots[link - 1], self->number + 1) == 0);
	arena_block(self->actor->arena, ref)->slot = link;
	note(&intent->hand_slot, 0);
	must(swap_acq_rel(&shared->slots[link - 1], 0) == self->number + 1);
	kit_retire(self->actor, ref);
}

static void give_back(struct actor *actor)
{
	(void)block_scavenge(actor);
	for (int step = 0; step < 3; step++)
		(void)block_trim(actor, 0, EXTENT_BYTES);
}

static void trade(struct crewman *self)
{
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t dice = random_below(&self->random, 256);
		if (dice < 100)
			publish(self, random_below(&self->random, CELLS));
		else if (dice < 200)
			read_some(self);
		else if (dice < 230)
			free_unpublished(self);
		else if (dice < 250)
			take_slot(self);
		else if (dice < 252)
			block_reclaim_all(self->actor);
		else if (dice < 254)
			give_back(self->actor);
		else
			block_flush(self->actor);
	}
}

static void no_block_is_in_two_places(bool processes)
{
	struct shared *shared = support_shared(sizeof(*shared));
	struct yard yard;
	struct member us;
	struct actor one;

	yard_make(&yard, &small);
	crew_run(&yard, processes, CREW, trade, shared);
	assert_int_equal(member_join(&yard, &us), 0);
	assert_int_equal(member_actor(&us, &one), 0);
	for (uint32_t cell = 0; cell < CELLS; cell++)
		if (shared->cells[cell] != 0)
			kit_give(&one, shared->cells[cell]);
	yard_check(&yard, NULL); /* as the workers left it: each block is in one place */
	kit_base_line(&one);
	member_dismiss(&one);
	member_leave(&us);
	yard_check(&yard, NULL);
	yard_remove(&yard);
	print_message("%llu taken, %llu refused, %llu reads\n", (unsigned long long)shared->taken,
		      (unsigned long long)shared->refused, (unsigned long long)shared->reads);
}

static void no_block_is_in_two_places_when_threads_trade(void **state)
{
	(void)state;
	no_block_is_in_two_places(false);
}

static void no_block_is_in_two_places_when_processes_trade(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	no_block_is_in_two_places(true);
}

/* ------------------------------------------------------------ coming and going */

#define COMINGS 60

/* Threads begin, use memory and end: each time with another record and other leftovers. */
static void come_and_go(struct crewman *self)
{
	for (uint32_t coming = 0; coming < COMINGS; coming++) {
		struct actor actor;
		must(member_actor(self->member, &actor) == 0);
		struct crewman guest = { .number = self->number,
					 .member = self->member,
					 .actor = &actor,
					 .shared = self->shared,
					 .random = random_next(&self->random) };
		for (uint32_t step = 0; step < 40; step++)
			publish(&guest, random_below(&guest.random, CELLS));
		if (coming % 3 != 0) {
			member_dismiss(&actor);
		} else { /* end without tidying up */
			(void)block_take_slot(&actor);
			store_release(&actor.record->owner, 0u);
		}
	}
}

static void leftovers_of_the_ended_are_not_lost(bool processes)
{
	struct shared *shared = support_shared(sizeof(*shared));
	struct yard yard;
	struct member us;
	struct actor one;

	yard_make(&yard, &small);
	crew_run(&yard, processes, CREW, come_and_go, shared);
	assert_int_equal(member_join(&yard, &us), 0);
	assert_int_equal(member_actor(&us, &one), 0);
	for (uint32_t cell = 0; cell < CELLS; cell++)
		if (shared->cells[cell] != 0)
			kit_give(&one, shared->cells[cell]);
	yard_check(&yard, NULL);
	kit_base_line(&one);
	member_dismiss(&one);
	member_leave(&us);
	yard_check(&yard, NULL);
	yard_remove(&yard);
}

static void leftovers_of_ended_threads_are_not_lost(void **state)
{
	(void)state;
	leftovers_of_the_ended_are_not_lost(false);
}

static void leftovers_of_ended_processes_are_not_lost(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	leftovers_of_the_ended_are_not_lost(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_block_is_in_two_places_when_threads_trade),
		cmocka_unit_test(no_block_is_in_two_places_when_processes_trade),
		cmocka_unit_test(leftovers_of_ended_threads_are_not_lost),
		cmocka_unit_test(leftovers_of_ended_processes_are_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
