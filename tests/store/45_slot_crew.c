/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 45_slot_crew.c: many workers make, change, end and read the carts of two chains. A reader finds
 * the cart of its key or none; what it finds is whole, does not change, and is never older than
 * what it saw before. The same holds with processes that are killed at any moment.
 */
#include "slot_kit.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#define KEYS 16 /* in two chains */
#define CREW 4
#define STEPS 4000
#define VICTIMS 3
#define BATCHES 40
#define KILLS 6

static const struct arena_settings small = { .arena_bytes = 5 << 20,
					     .max_carts = 64,
					     .ttl_ns = 1800000000000ull };

struct crowd {
	struct yard yard;
	uint64_t versions[KEYS]; /* the greatest version known to have been published */
	uint64_t reads;
	uint64_t changes;
};

static void know(struct crowd *crowd, uint32_t number, uint64_t version)
{
	uint64_t *known = &crowd->versions[number];

	for (uint64_t seen = load_relaxed(known); seen < version; seen = load_relaxed(known))
		if (cas_acq_rel(known, seen, version))
			break;
}

static uint64_t sum_of(const struct found *found)
{
	uint64_t sum = found->cart->size;

	for (uint32_t i = 0; i < found->cart->size / 8; i++)
		sum = sum * 31 + ((const uint64_t *)(const void *)found->cart)[i];
	return sum;
}

static void read_one(struct actor *actor, struct crowd *crowd, const struct kit_key *key,
		     uint32_t number, uint64_t *random)
{
	struct found found, again;
	uint64_t known = load_acquire(&crowd->versions[number]);

	grace_enter(actor);
	int r = slot_find(actor->arena, key->hash, &key->key, &found);
	must(r == 0 || r == -ENOENT);
	if (r == 0) {
		must(cart_has_key(found.cart, found.room, &key->key));
		must(cart_validate(found.cart, found.room) == 0);
		must(found.cart->version >= known);
		uint64_t sum = sum_of(&found);
		if (random_below(random, 16) == 0)
			sched_yield();
		r = slot_find(actor->arena, key->hash, &key->key, &again);
		must(r == -ENOENT || (r == 0 && again.cart->version >= found.cart->version));
		must(sum_of(&found) == sum); /* even if the cart changed or ended meanwhile */
		know(crowd, number, found.cart->version);
	}
	grace_leave(actor);
	(void)fetch_add_relaxed(&crowd->reads, 1u);
}

static void step(struct actor *actor, struct crowd *crowd, const struct kit_key *keys,
		 uint64_t *random)
{
	uint32_t number = random_below(random, KEYS);
	uint32_t dice = random_below(random, 64);
	const struct kit_key *key = &keys[number];
	uint64_t known = load_acquire(&crowd->versions[number]);
	uint64_t version = 0;
	int r = 0;

	if (dice < 32) {
		read_one(actor, crowd, key, number, random);
		return;
	}
	if (dice < 54) {
		r = kit_change(actor, key, (uint32_t)random_next(random), &version);
		if (r == -ENOENT)
			r = kit_make(actor, key, (uint32_t)random_next(random), &version);
	} else if (dice < 62) {
		r = kit_end(actor, key);
	} else {
		block_reclaim_all(actor);
	}
	must(r == 0 || r == -ENOENT || r == -EEXIST || r == -EAGAIN || r == -ENOMEM ||
	     r == -ENFILE);
	if (r == -ENOMEM || r == -ENFILE)
		block_reclaim_all(actor);
	if (r != 0 || version == 0)
		return;
	must(version > known);
	know(crowd, number, version);
	(void)fetch_add_relaxed(&crowd->changes, 1u);
}

static struct kit_key *make_keys(const struct arena *arena)
{
	struct kit_key *keys = calloc(KEYS, sizeof(*keys));

	for (uint32_t i = 0; i < KEYS; i++)
		kit_key_in(arena, 3 + i % 2, i / 2, &keys[i]);
	return keys;
}

/* No process is left: every cart is sound, can be ended, and leaves nothing. */
static void tidy_up(struct crowd *crowd)
{
	struct member us;
	struct actor one;
	struct inspect_totals totals;

	yard_check(&crowd->yard, NULL); /* before the dead are buried */
	assert_int_equal(member_join(&crowd->yard, &us), 0);
	(void)alive_bury_all(&us.arena, &us.life, repair_process);
	assert_int_equal(member_actor(&us, &one), 0);
	yard_check(&crowd->yard, NULL);
	struct kit_key *keys = make_keys(&us.arena);
	uint64_t random = support_seed();
	for (uint32_t i = 0; i < KEYS; i++) {
		read_one(&one, crowd, &keys[i], i, &random);
		int r = kit_end(&one, &keys[i]);
		assert_true(r == 0 || r == -ENOENT);
	}
	for (uint32_t i = 0; i < 4; i++)
		block_reclaim_all(&one);
	for (uint32_t i = 0; i < us.arena.max_carts; i++)
		assert_int_equal(us.arena.slots[i].lock, 0);
	assert_int_equal(us.arena.buckets[3].lock, 0);
	assert_int_equal(us.arena.buckets[4].lock, 0);
	assert_int_equal(us.arena.chains[3].head, 0);
	assert_int_equal(us.arena.chains[4].head, 0);
	free(keys);
	member_dismiss(&one);
	member_leave(&us);
	yard_check(&crowd->yard, &totals);
	assert_int_equal(totals.slots_used, 0);
	assert_int_equal(totals.live_bytes, 0);
	assert_int_equal(totals.retired_bytes, 0);
}

/* --------------------------------------------------------------- the living */

static void work(struct crewman *self)
{
	struct kit_key *keys = make_keys(self->actor->arena);

	self->actor->patience_ms = SUPPORT_WAIT_MS;
	for (uint32_t i = 0; i < STEPS; i++)
		step(self->actor, self->shared, keys, &self->random);
	free(keys);
}

static void readers_find_the_cart_of_their_key_or_none(bool processes)
{
	struct crowd *crowd = support_shared(sizeof(*crowd));

	yard_make(&crowd->yard, &small);
	crew_run(&crowd->yard, processes, CREW, work, crowd);
	tidy_up(crowd);
	yard_remove(&crowd->yard);
	print_message("%llu reads, %llu changes\n", (unsigned long long)crowd->reads,
		      (unsigned long long)crowd->changes);
	assert_true(crowd->changes > 0);
}

static void threads_find_the_cart_of_their_key_or_none(void **state)
{
	(void)state;
	readers_find_the_cart_of_their_key_or_none(false);
}

static void processes_find_the_cart_of_their_key_or_none(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	readers_find_the_cart_of_their_key_or_none(true);
}

/* ----------------------------------------------------------------- the dead */

static int work_until_killed(void *context)
{
	struct crowd *crowd = context;
	uint64_t random = support_seed() + (uint64_t)getpid();
	struct member us;
	struct actor one;

	must(member_join(&crowd->yard, &us) == 0);
	must(member_actor(&us, &one) == 0);
	one.patience_ms = SUPPORT_WAIT_MS;
	struct kit_key *keys = make_keys(&us.arena);
	for (;;)
		step(&one, crowd, keys, &random);
}

static void deaths_leave_carts_whole(uint32_t victims, uint32_t batches, uint32_t kills)
{
	struct crowd *crowd = support_shared(sizeof(*crowd));
	uint64_t random = support_seed();
	pid_t pids[VICTIMS];

	yard_make(&crowd->yard, &small);
	for (uint32_t batch = 0; batch < batches; batch++) {
		for (uint32_t i = 0; i < victims; i++)
			pids[i] = child_start(work_until_killed, crowd);
		for (uint32_t i = 0; i < kills; i++) {
			uint64_t before = load_relaxed(&crowd->reads);
			support_sleep_us(random_below(&random, 2500));
			uint32_t chosen = random_below(&random, victims);
			child_kill(pids[chosen]);
			pids[chosen] = child_start(work_until_killed, crowd);
			assert_true(wait_until(load_relaxed(&crowd->reads) > before + 20,
					       SUPPORT_WAIT_MS));
		}
		support_sleep_us(random_below(&random, 4000));
		for (uint32_t i = 0; i < victims; i++)
			kill(pids[i], SIGKILL);
		for (uint32_t i = 0; i < victims; i++)
			child_kill(pids[i]);
		tidy_up(crowd);
	}
	yard_remove(&crowd->yard);
	print_message("%llu reads, %llu changes\n", (unsigned long long)crowd->reads,
		      (unsigned long long)crowd->changes);
}

static void a_process_killed_anywhere_leaves_carts_whole(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	deaths_leave_carts_whole(1, 200, 0);
}

static void many_processes_killed_together_leave_carts_whole(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	deaths_leave_carts_whole(VICTIMS, 100, 0);
}

static void carts_stay_whole_when_the_killed_are_replaced_at_once(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	deaths_leave_carts_whole(VICTIMS, BATCHES, KILLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_find_the_cart_of_their_key_or_none),
		cmocka_unit_test(processes_find_the_cart_of_their_key_or_none),
		cmocka_unit_test(a_process_killed_anywhere_leaves_carts_whole),
		cmocka_unit_test(many_processes_killed_together_leave_carts_whole),
		cmocka_unit_test(carts_stay_whole_when_the_killed_are_replaced_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
