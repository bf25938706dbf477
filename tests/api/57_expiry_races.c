/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 57_expiry_races.c: a cart's end and its renewal at the same moment: either the renewal comes
 * first and the cart lives, or it finds the cart gone. The test moves the clock past the cart's
 * deadline while a reader reads.
 */
#include <pthread.h>
#include <sched.h>

#include "false_clock.h"
#include "orders_support.h"

#include "api/handle.h"
#include "store/expire.h"
#include "store/slot.h"
#include "sync/lock.h"

#define TTL_MS 2000
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS 2000u
#else
#define ROUNDS 20000u
#endif
#define LATEST_NS (TTL_MS * MS + TTL_MS * MS / 64 + CLOCK_TICK_NS)

struct race {
	struct yard yard;
	struct corral *corral;
	struct corral *observer;
	struct corral_key key;
	uint32_t arrived; /* at any rendezvous so far, both sides together */
	uint64_t random;
	int read_result; /* the renewing reader's */
	uint64_t read_version;
	uint32_t stop;
	uint32_t looked;
};

static struct race *now_racing; /* for at_next_look, which has no argument */

static int setup(void **state)
{
	struct race *race = calloc(1, sizeof(*race));

	assert_non_null(race);
	orders_yard(&race->yard, 8u << 20, 20, TTL_MS);
	clock_freeze();
	race->corral = yard_open(&race->yard, 0);
	race->observer = yard_open(&race->yard, CORRAL_OBSERVE);
	race->key = orders_key("restaurant", "session");
	race->random = support_seed();
	now_racing = race;
	*state = race;
	return 0;
}

static int teardown(void **state)
{
	struct race *race = *state;

	corral_close(race->observer);
	corral_close(race->corral);
	clock_run();
	yard_check(&race->yard, NULL);
	yard_remove(&race->yard);
	free(race);
	return 0;
}

static struct slot *slot_of(struct race *race)
{
	struct found found = { 0 };

	assert_int_equal(slot_find(&race->corral->arena,
				   slot_hash(&race->corral->arena, &race->key), &race->key, &found),
			 0);
	return found.slot;
}

/*
 * Spin until both sides have arrived, so that they continue at the same moment; a futex would let
 * the sleeping side come late.
 */
static void meet(struct race *race)
{
	uint32_t mine = __atomic_add_fetch(&race->arrived, 1, __ATOMIC_ACQ_REL);
	uint32_t both = mine + mine % 2;

	for (uint32_t spins = 0; (int32_t)(load_acquire(&race->arrived) - both) < 0; spins++)
		if (spins % 1024 == 1023)
			sched_yield();
}

/* Spin for a random time, so that the two sides meet at varying points. */
static void stagger(uint64_t *random)
{
	for (uint32_t i = random_below(random, 3000); i > 0; i--)
		__asm__ __volatile__("" ::: "memory");
}

/* --------------------------------------------------------------- the two sides */

static void *renew(void *context)
{
	struct race *race = context;
	uint64_t random = race->random + 1;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct corral_head head = { 0 };
		meet(race);
		stagger(&random);
		race->read_result = orders_head(race->corral, &race->key, &head);
		race->read_version = head.version;
		meet(race);
	}
	return NULL;
}

/* The cart expires while the other side reads; then this side ends or replaces the cart. */
static void race_with(struct race *race, void (*end)(struct race *race, uint64_t version))
{
	struct corral_result result;
	pthread_t thread;
	unsigned renewed = 0;

	assert_int_equal(pthread_create(&thread, NULL, renew, race), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		clock_pass(1000 * LATEST_NS); /* every earlier cart has expired */
		assert_int_equal(
			orders_add(race->corral, &race->key, "burger", 899, 1, NULL, &result), 0);
		clock_pass(TTL_MS * MS);
		meet(race);
		stagger(&race->random);
		clock_pass(LATEST_NS - TTL_MS * MS);
		end(race, result.version);
		renewed += race->read_result == 0 && race->read_version == result.version;
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	print_message("the reader was first in %u of %u rounds\n", renewed, ROUNDS);
}

static void replace_it(struct race *race, uint64_t version)
{
	struct corral_result result = { 0 };
	int r = orders_add(race->corral, &race->key, "coke", 199, 1, NULL, &result);

	meet(race);
	assert_int_equal(r, 0);
	assert_int_equal(result.version, version + 1);
	if (race->read_result == 0 && race->read_version == version)
		assert_int_equal(result.item_count, 2); /* renewed first, so it is the same cart */
}

static void a_cart_that_a_reader_renewed_is_not_replaced(void **state)
{
	race_with(*state, replace_it);
}

static void sweep_it(struct race *race, uint64_t version)
{
	struct corral_head head = { 0 };
	struct actor *actor;

	must(handle_actor(race->corral, &actor) == 0);
	uint32_t ended = expire_slots(actor, 0, race->corral->arena.max_carts);
	meet(race);
	int r = orders_head(race->observer, &race->key, &head);
	/* the sweep skips locked slots, so it may have ended nothing in any case */
	assert_true(race->read_result == -ENOENT || (race->read_result == 0 && ended == 0));
	assert_int_equal(r, race->read_result);
	assert_int_equal(head.version, r == 0 ? version : 0);
}

static void a_cart_that_a_reader_renewed_is_not_swept_away(void **state)
{
	race_with(*state, sweep_it);
}

static void drop_it(struct race *race, uint64_t version)
{
	int r = corral_drop(race->corral, &race->key, NULL, NULL);

	meet(race);
	assert_true(r == 0 || r == -ENOENT);
	if (r == 0) /* the dropper found it only because the reader had renewed it */
		assert_int_equal(race->read_version, version);
}

static void a_drop_finds_an_expired_cart_only_if_a_reader_renewed_it(void **state)
{
	race_with(*state, drop_it);
}

/* ------------------------------------------------------------- a change that waits */

static void *add_slowly(void *context)
{
	struct race *race = context;

	race->read_result = orders_add(race->corral, &race->key, "coke", 199, 1, NULL, NULL);
	return NULL;
}

static void a_change_that_waited_for_its_lock_counts_from_when_it_was_done(void **state)
{
	struct race *race = *state;
	struct corral_head head;
	struct actor *actor;
	pthread_t thread;

	assert_int_equal(corral_set_patience(race->corral, SUPPORT_WAIT_MS), 0);
	assert_int_equal(orders_add(race->corral, &race->key, "burger", 899, 1, NULL, NULL), 0);
	struct slot *slot = slot_of(race);
	assert_int_equal(handle_actor(race->corral, &actor), 0);
	slot_want(actor, NULL, slot);
	assert_int_equal(lock_take(actor, &slot->lock, LOCK_SLOT), 0);
	assert_int_equal(pthread_create(&thread, NULL, add_slowly, race), 0);
	assert_true(wait_until((load_relaxed(&slot->lock) & LOCK_WAITERS) != 0, SUPPORT_WAIT_MS));
	clock_pass(TTL_MS * MS * 8 / 10);
	assert_int_equal(orders_head(race->corral, &race->key, &head),
			 0); /* reads wait for no lock */
	clock_pass(TTL_MS * MS / 10);
	lock_drop(actor, &slot->lock, LOCK_SLOT);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(race->read_result, 0);
	clock_pass(TTL_MS * MS); /* counted from the acknowledged change */
	assert_int_equal(orders_head(race->observer, &race->key, &head), 0);
	assert_int_equal(head.item_count, 2);
}

/* -------------------------------------------------------- while a reader looks */

/*
 * The reader has found the cart alive and read the clock; before it renews the cart, the cart ends
 * and begins anew.
 */
static void replace_meanwhile(void)
{
	clock_pass(LATEST_NS - TTL_MS * MS);
	must(orders_add(now_racing->corral, &now_racing->key, "coke", 199, 1, NULL, NULL) == 0);
}

static void a_reader_whose_cart_is_replaced_under_it_gets_the_new_one(void **state)
{
	struct race *race = *state;
	struct corral_result result;
	struct corral_head head;

	assert_int_equal(orders_add(race->corral, &race->key, "burger", 899, 1, NULL, &result), 0);
	clock_pass(TTL_MS * MS);
	at_next_look = replace_meanwhile;
	assert_int_equal(orders_head(race->corral, &race->key, &head), 0);
	assert_int_equal(head.version, result.version + 1);
	assert_int_equal(head.total_cents, 199);
}

/* ------------------------------------------------------------- a shorter life */

static void *look_all_the_time(void *context)
{
	struct race *race = context;

	while (load_relaxed(&race->stop) == 0) {
		struct corral_head head;
		race->looked++;
		race->read_result = orders_head(race->observer, &race->key, &head);
		if (race->read_result != 0)
			break;
	}
	return NULL;
}

static void a_shorter_ttl_never_makes_a_live_cart_vanish(void **state)
{
	struct race *race = *state;
	pthread_t thread;

	assert_int_equal(corral_set_ttl(race->corral, &race->key, 3600000, NULL, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, look_all_the_time, race), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		clock_pass(600000 * MS);
		assert_int_equal(corral_set_ttl(race->corral, &race->key, 60000, NULL, NULL), 0);
		assert_int_equal(corral_set_ttl(race->corral, &race->key, 3600000, NULL, NULL), 0);
	}
	store_relaxed(&race->stop, 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	print_message("looked %u times\n", race->looked);
	assert_int_equal(race->read_result, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_cart_that_a_reader_renewed_is_not_replaced),
		CASE(a_cart_that_a_reader_renewed_is_not_swept_away),
		CASE(a_drop_finds_an_expired_cart_only_if_a_reader_renewed_it),
		CASE(a_change_that_waited_for_its_lock_counts_from_when_it_was_done),
		CASE(a_reader_whose_cart_is_replaced_under_it_gets_the_new_one),
		CASE(a_shorter_ttl_never_makes_a_live_cart_vanish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
