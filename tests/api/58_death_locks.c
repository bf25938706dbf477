/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 58_death_locks.c: a worker that holds something is stopped, or dies without a replacement: the
 * others continue. The test takes the lock through the modules' own functions, so the moment is
 * exact.
 */
#include <signal.h>
#include <unistd.h>

#include "orders_support.h"

#include "api/handle.h"
#include "store/slot.h"
#include "sync/grace.h"
#include "sync/lock.h"

#define PATIENCE_MS 60

enum hold_what { HOLD_SLOT, HOLD_BUCKET, HOLD_VIEW };

struct hold {
	struct yard yard;
	enum hold_what what;
	struct corral_key key;
	uint32_t ready;
	uint32_t go;
};

static void wait_for_word(const uint32_t *word)
{
	must(wait_until(__atomic_load_n(word, __ATOMIC_ACQUIRE) != 0, SUPPORT_WAIT_MS));
}

static void say(uint32_t *word)
{
	__atomic_store_n(word, 1, __ATOMIC_RELEASE);
}

static struct slot *slot_of(struct actor *actor, const struct corral_key *key)
{
	struct found found = { 0 };

	grace_enter(actor);
	must(slot_find(actor->arena, slot_hash(actor->arena, key), key, &found) == 0);
	grace_leave(actor);
	return found.slot;
}

/* Take the lock, report it, hold it until told to drop it, and change the cart. */
static int hold_it(void *context)
{
	struct hold *hold = context;
	struct corral *corral = orders_come(&hold->yard, NULL);
	struct bucket *bucket = slot_bucket(&corral->arena, slot_hash(&corral->arena, &hold->key));
	struct corral_view view;
	struct actor *actor;

	must(handle_actor(corral, &actor) == 0);
	if (hold->what == HOLD_VIEW) {
		must(corral_read_begin(corral, &hold->key, &view) == 0);
		say(&hold->ready);
		wait_for_word(&hold->go);
		must(corral_read_end(&view) == 0);
		return 0;
	}
	struct slot *slot = hold->what == HOLD_SLOT ? slot_of(actor, &hold->key) : NULL;
	lock_word *word = slot != NULL ? &slot->lock : &bucket->lock;
	enum lock_level level = slot != NULL ? LOCK_SLOT : LOCK_BUCKET;
	slot_want(actor, slot != NULL ? NULL : bucket, slot);
	must(lock_take(actor, word, level) == 0);
	say(&hold->ready);
	wait_for_word(&hold->go);
	lock_drop(actor, word, level);
	must(orders_add(corral, &hold->key, "from the holder", 100, 1, NULL, NULL) == 0);
	corral_close(corral);
	return 0;
}

static struct hold *hold_new(enum hold_what what, uint32_t max_carts)
{
	struct hold *hold = support_shared(sizeof(*hold));

	orders_yard(&hold->yard, 4u << 20, max_carts, 30 * 60 * 1000);
	hold->what = what;
	hold->key = orders_key("restaurant", "held");
	return hold;
}

static pid_t hold_start(struct hold *hold)
{
	pid_t pid = child_start(hold_it, hold);

	wait_for_word(&hold->ready);
	return pid;
}

static void hold_end(struct hold *hold, struct corral *corral)
{
	corral_close(corral);
	yard_check(&hold->yard, NULL);
	yard_remove(&hold->yard);
}

/* ------------------------------------------------------------------ stopped */

static void a_stopped_holder_blocks_only_changes_of_its_cart(void **state)
{
	struct hold *hold = hold_new(HOLD_SLOT, 100);
	NEEDS_PROCESSES();
	struct corral *corral = yard_open(&hold->yard, 0);
	struct corral_key other = orders_key("restaurant", "other");
	struct corral_head head;

	(void)state;
	assert_int_equal(orders_add(corral, &hold->key, "burger", 899, 1, NULL, NULL), 0);
	pid_t pid = hold_start(hold);
	child_stop(pid);
	assert_int_equal(corral_set_patience(corral, PATIENCE_MS), 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(orders_head(corral, &hold->key, &head), 0);
		assert_int_equal(head.item_count, 1);
	}
	int64_t before = support_now_ms();
	assert_int_equal(orders_add(corral, &hold->key, "coke", 199, 1, NULL, NULL), -EBUSY);
	assert_true(support_now_ms() - before >=
		    PATIENCE_MS); /* neither robbed nor given up too early */
	assert_int_equal(corral_drop(corral, &hold->key, NULL, NULL), -EBUSY);
	assert_int_equal(corral_checkout(corral, &hold->key, NULL, NULL), -EBUSY);
	for (int i = 0; i < 100; i++)
		assert_int_equal(orders_add(corral, &other, "fries", 299, 1, NULL, NULL), 0);
	assert_int_equal(orders_head(corral, &hold->key, &head), 0);
	assert_int_equal(head.version, 1); /* the refused change changed nothing */
	say(&hold->go);
	kill(pid, SIGCONT);
	assert_int_equal(child_wait(pid), 0);
	assert_int_equal(orders_add(corral, &hold->key, "coke", 199, 1, NULL, NULL), 0);
	assert_int_equal(orders_head(corral, &hold->key, &head), 0);
	assert_int_equal(head.item_count, 3); /* includes the holder's change */
	hold_end(hold, corral);
}

static int drop_patiently(void *context)
{
	struct hold *hold = context;
	struct corral *corral = orders_come(&hold->yard, NULL);

	must(corral_set_patience(corral, 1500) == 0);
	int r = corral_drop(corral, &hold->key, NULL, NULL);
	must(r == -EBUSY);
	corral_close(corral);
	return 0;
}

/* A different key of the same bucket. */
static struct corral_key neighbour(const struct arena *arena, const struct corral_key *key,
				   char name[32])
{
	for (unsigned i = 0;; i++) {
		snprintf(name, 32, "neighbour %u", i);
		struct corral_key other = orders_key("restaurant", name);
		if (slot_bucket(arena, slot_hash(arena, &other)) ==
		    slot_bucket(arena, slot_hash(arena, key)))
			return other;
	}
}

static void a_stopped_holder_does_not_block_other_carts_of_its_bucket(void **state)
{
	struct hold *hold = hold_new(HOLD_SLOT, 100);
	NEEDS_PROCESSES();
	struct corral *corral = yard_open(&hold->yard, 0);
	char name[32];

	(void)state;
	struct corral_key other = neighbour(&corral->arena, &hold->key, name);
	assert_int_equal(orders_add(corral, &hold->key, "burger", 899, 1, NULL, NULL), 0);
	pid_t holder = hold_start(hold);
	child_stop(holder);
	pid_t dropper = child_start(drop_patiently, hold);
	support_sleep_us(300000); /* by now it waits */
	assert_int_equal(corral_set_patience(corral, PATIENCE_MS), 0);
	int made = orders_add(corral, &other, "fries", 299, 1, NULL, NULL);
	int dropped = corral_drop(corral, &other, NULL, NULL);
	assert_int_equal(child_wait(dropper), 0);
	say(&hold->go);
	kill(holder, SIGCONT);
	assert_int_equal(child_wait(holder), 0);
	assert_int_equal(made, 0);
	assert_int_equal(dropped, 0);
	hold_end(hold, corral);
}

static void a_stopped_reader_sees_its_view_unchanged_and_stops_no_change(void **state)
{
	struct hold *hold = hold_new(HOLD_VIEW, 100);
	NEEDS_PROCESSES();
	struct corral *corral = yard_open(&hold->yard, 0);

	(void)state;
	assert_int_equal(orders_add(corral, &hold->key, "burger", 899, 1, NULL, NULL), 0);
	pid_t pid = hold_start(hold);
	child_stop(pid);
	for (int i = 0; i < 300; i++)
		assert_int_equal(orders_add(corral, &hold->key, "coke", 199, 1, NULL, NULL), 0);
	say(&hold->go);
	kill(pid, SIGCONT);
	assert_int_equal(child_wait(pid), 0);
	hold_end(hold, corral);
}

/* --------------------------------------------------------------------- dead */

static void assert_dead_holder_blocks_no_worker(enum hold_what what)
{
	struct hold *hold = hold_new(what, 100);
	struct corral *corral = yard_open(&hold->yard, 0);

	if (what != HOLD_BUCKET)
		assert_int_equal(orders_add(corral, &hold->key, "burger", 899, 1, NULL, NULL), 0);
	child_kill(hold_start(hold));
	assert_int_equal(orders_add(corral, &hold->key, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(corral_drop(corral, &hold->key, NULL, NULL), 0);
	assert_int_equal(orders_add(corral, &hold->key, "burger", 899, 1, NULL, NULL), 0);
	hold_end(hold, corral);
}

static void the_lock_of_a_dead_changer_is_free_for_the_next(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	assert_dead_holder_blocks_no_worker(HOLD_SLOT);
}

static void the_lock_of_a_dead_creator_is_free_for_the_next(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	assert_dead_holder_blocks_no_worker(HOLD_BUCKET);
}

/*
 * The writes are 20 times the arena's 4 MiB: if they waited for the dead reader, it would be full.
 */
static void a_dead_reader_holds_no_memory_back(void **state)
{
	struct hold *hold = hold_new(HOLD_VIEW, 100);
	NEEDS_PROCESSES();
	struct corral *corral = yard_open(&hold->yard, 0);
	char notes[4000];

	(void)state;
	memset(notes, 'n', sizeof(notes));
	struct corral_item item = orders_item("burger", 899, 1);
	item.notes = (struct corral_text){ notes, sizeof(notes) };
	assert_int_equal(corral_add(corral, &hold->key, &item, NULL, NULL), 0);
	child_kill(hold_start(hold));
	for (int i = 0; i < 20000; i++)
		assert_int_equal(corral_add(corral, &hold->key, &item, NULL, NULL), 0);
	hold_end(hold, corral);
}

/* Both die at the same lock: one as its holder, the other as a waiter. */
static void a_waiter_that_dies_with_the_holder_leaves_the_lock_free(void **state)
{
	struct hold *hold = hold_new(HOLD_SLOT, 100);
	NEEDS_PROCESSES();
	struct corral *corral = yard_open(&hold->yard, 0);

	(void)state;
	assert_int_equal(orders_add(corral, &hold->key, "burger", 899, 1, NULL, NULL), 0);
	pid_t holder = hold_start(hold);
	child_stop(holder);
	pid_t waiter = child_start(drop_patiently, hold); /* holds the bucket, waits for the slot */
	support_sleep_us(100000);
	kill(holder, SIGKILL);
	kill(waiter, SIGKILL);
	child_kill(holder);
	child_kill(waiter);
	int r = orders_add(corral, &hold->key, "burger", 899, 1, NULL, NULL);
	assert_int_equal(r, 0);
	assert_int_equal(corral_drop(corral, &hold->key, NULL, NULL), 0);
	hold_end(hold, corral);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stopped_holder_blocks_only_changes_of_its_cart),
		cmocka_unit_test(a_stopped_holder_does_not_block_other_carts_of_its_bucket),
		cmocka_unit_test(a_stopped_reader_sees_its_view_unchanged_and_stops_no_change),
		cmocka_unit_test(the_lock_of_a_dead_changer_is_free_for_the_next),
		cmocka_unit_test(the_lock_of_a_dead_creator_is_free_for_the_next),
		cmocka_unit_test(a_dead_reader_holds_no_memory_back),
		cmocka_unit_test(a_waiter_that_dies_with_the_holder_leaves_the_lock_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
