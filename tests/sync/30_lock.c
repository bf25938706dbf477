/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 30_lock.c: a lock has one holder at a time; no waiter sleeps for ever; the waiters bit behaves as
 * lock.h says. (30_lock_death.c: holders that die or stop.)
 */
#include "support.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "arena/stat.h"
#include "base/atomic.h"
#include "sync/lock.h"

#define CREW 6
#define ROUNDS 4000
#define CROWD 24
#define CROWD_ROUNDS 60

struct counted {
	lock_word lock;
	uint64_t count; /* a plain variable: only the lock protects it */
	uint64_t inside;
};

/* ---------------------------------------------------------------- exclusion */

static void count_up(struct crewman *self)
{
	struct counted *counted = self->shared;

	self->actor->patience_ms = SUPPORT_WAIT_MS;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (random_below(&self->random, 8) != 0)
			must(lock_take(self->actor, &counted->lock, LOCK_SLOT) == 0);
		else
			while (!lock_try(self->actor, &counted->lock, LOCK_SLOT))
				sched_yield();
		must(lock_held_by(&counted->lock, self->actor->name));
		must(counted->inside++ == 0);
		counted->count++;
		if (random_below(&self->random, 64) == 0)
			sched_yield();
		counted->inside--;
		lock_drop(self->actor, &counted->lock, LOCK_SLOT);
	}
}

/* A crew counts under one lock, each member so many rounds; no round may be lost. */
static void count_together(bool processes, uint32_t size, void (*body)(struct crewman *),
			   uint32_t rounds)
{
	struct counted *counted = support_shared(sizeof(*counted));
	struct yard yard;

	yard_make(&yard, NULL);
	crew_run(&yard, processes, size, body, counted);
	assert_int_equal(counted->count, size * rounds);
	assert_int_equal(counted->lock, 0); /* and no waiters bit is left */
	yard_check(&yard, NULL);
	yard_remove(&yard);
}

static void one_thread_at_a_time_holds_a_lock(void **state)
{
	(void)state;
	count_together(false, CREW, count_up, ROUNDS);
}

static void one_process_at_a_time_holds_a_lock(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	count_together(true, CREW, count_up, ROUNDS);
}

/* ----------------------------------------------------------------- waiting */

/* Holders hold so long that all others sleep: a lost wake-up would show as -EBUSY or as a hang. */
static void hold_long(struct crewman *self)
{
	struct counted *counted = self->shared;

	self->actor->patience_ms = 2 * SUPPORT_WAIT_MS;
	for (uint32_t i = 0; i < CROWD_ROUNDS; i++) {
		must(lock_take(self->actor, &counted->lock, LOCK_SLOT) == 0);
		must(counted->inside++ == 0);
		counted->count++;
		if (random_below(&self->random, 4) == 0)
			support_sleep_us(random_below(&self->random, 300));
		counted->inside--;
		lock_drop(self->actor, &counted->lock, LOCK_SLOT);
		if (random_below(&self->random, 4) == 0)
			support_sleep_us(random_below(&self->random, 300));
	}
}

static void no_thread_of_a_crowd_sleeps_for_ever(void **state)
{
	(void)state;
	count_together(false, CROWD, hold_long, CROWD_ROUNDS);
}

static void no_process_of_a_crowd_sleeps_for_ever(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	count_together(true, CROWD, hold_long, CROWD_ROUNDS);
}

/* ------------------------------------------------------------ the waiters bit */

static void a_lock_without_waiters_has_no_waiters_bit(void **state)
{
	(void)state;
	struct member us;
	struct actor one, two;
	struct yard yard;

	yard_make(&yard, NULL);
	assert_int_equal(member_join(&yard, &us), 0);
	assert_int_equal(member_actor(&us, &one), 0);
	assert_int_equal(member_actor(&us, &two), 0);
	lock_word *word = &us.arena.slots[3].lock;
	assert_int_equal(lock_take(&one, word, LOCK_SLOT), 0);
	assert_int_equal(*word, one.name);
	assert_true(lock_held_by(word, one.name));
	assert_false(lock_held_by(word, two.name));
	assert_false(lock_try(&two, word, LOCK_SLOT));
	assert_int_equal(*word, one.name); /* a thread that only tries leaves no trace */
	lock_drop(&one, word, LOCK_SLOT);
	assert_int_equal(*word, 0);
	assert_true(lock_try(&two, word, LOCK_SLOT));
	assert_int_equal(*word, two.name);
	lock_drop(&two, word, LOCK_SLOT);
	assert_int_equal(one.held, 0);
	assert_int_equal(two.held, 0);
	member_dismiss(&one);
	member_dismiss(&two);
	member_leave(&us);
	yard_remove(&yard);
}

static void a_waiter_that_gives_up_does_not_affect_the_holder(void **state)
{
	(void)state;
	struct member us;
	struct actor one, two;
	struct yard yard;

	yard_make(&yard, NULL);
	assert_int_equal(member_join(&yard, &us), 0);
	assert_int_equal(member_actor(&us, &one), 0);
	assert_int_equal(member_actor(&us, &two), 0);
	lock_word *word = &us.arena.slots[3].lock;
	two.patience_ms = 20;
	assert_int_equal(lock_take(&one, word, LOCK_SLOT), 0);
	assert_int_equal(lock_take(&two, word, LOCK_SLOT), -EBUSY);
	assert_int_equal(two.held, 0);
	assert_int_equal(*word, one.name | LOCK_WAITERS);
	assert_true(two.record->stat[STAT_lock_sleeps] > 0);
	two.patience_ms = 0;
	assert_int_equal(lock_take(&two, word, LOCK_SLOT), -EBUSY);
	lock_drop(&one, word, LOCK_SLOT); /* with no waiter to wake: fine */
	assert_int_equal(*word, 0);
	assert_int_equal(lock_take(&two, word, LOCK_SLOT), 0);
	lock_drop(&two, word, LOCK_SLOT);
	member_dismiss(&one);
	member_dismiss(&two);
	member_leave(&us);
	yard_remove(&yard);
}

/* The patience is an hour where a wait would show that the deadline is not obeyed. */
static void one_deadline_holds_for_all_locks_of_a_change(void **state)
{
	(void)state;
	const uint32_t hour_ms = 3600000;
	struct member us;
	struct actor one, two;
	struct yard yard;

	yard_make(&yard, NULL);
	assert_int_equal(member_join(&yard, &us), 0);
	assert_int_equal(member_actor(&us, &one), 0);
	assert_int_equal(member_actor(&us, &two), 0);
	lock_word *bucket = &us.arena.buckets[3].lock, *slot = &us.arena.slots[3].lock;
	assert_int_equal(lock_take(&one, bucket, LOCK_BUCKET), 0);
	assert_int_equal(lock_take(&one, slot, LOCK_SLOT), 0);
	/* without a change each wait is on its own */
	two.patience_ms = 1;
	assert_int_equal(lock_take(&two, bucket, LOCK_BUCKET), -EBUSY);
	assert_int_equal(two.give_up_ns, 0);
	/* a change's first wait sets the deadline of all */
	two.in_change = true;
	assert_int_equal(lock_take(&two, bucket, LOCK_BUCKET), -EBUSY);
	two.patience_ms = hour_ms;
	assert_int_equal(lock_take(&two, bucket, LOCK_BUCKET), -EBUSY);
	assert_int_equal(lock_take(&two, slot, LOCK_SLOT), -EBUSY);
	/* and one that the call came with is not moved */
	const int64_t past_ns = two.give_up_ns = clock_now_ns() - 1;
	assert_int_equal(lock_take(&two, slot, LOCK_SLOT), -EBUSY);
	assert_int_equal(two.give_up_ns, past_ns);
	/* a lock that is free needs no patience */
	lock_drop(&one, slot, LOCK_SLOT);
	assert_int_equal(lock_take(&two, slot, LOCK_SLOT), 0);
	lock_drop(&two, slot, LOCK_SLOT);
	lock_drop(&one, bucket, LOCK_BUCKET);
	member_dismiss(&one);
	member_dismiss(&two);
	member_leave(&us);
	yard_remove(&yard);
}

struct handover {
	uint32_t held;
	bool silent; /* no wake-up comes, as if the waker had died */
};

static void hand_over(struct crewman *self)
{
	struct handover *handover = self->shared;
	lock_word *word = &self->member->arena.slots[1].lock;

	self->actor->patience_ms = SUPPORT_WAIT_MS;
	if (self->number == 0) {
		must(lock_take(self->actor, word, LOCK_SLOT) == 0);
		store_release(&handover->held, 1u);
		must(wait_until((load_relaxed(word) & LOCK_WAITERS) != 0, SUPPORT_WAIT_MS));
		if (handover->silent)
			store_relaxed(word, self->actor->name);
		lock_drop(self->actor, word, LOCK_SLOT);
	} else {
		must(wait_until(load_acquire(&handover->held) != 0, SUPPORT_WAIT_MS));
		must(lock_take(self->actor, word, LOCK_SLOT) == 0);
		must(load_relaxed(word) == self->actor->name);
		lock_drop(self->actor, word, LOCK_SLOT);
		must(load_relaxed(word) == 0);
	}
}

static void hand_over_rounds(bool silent)
{
	struct handover *handover = support_shared(sizeof(*handover));
	struct yard yard;

	yard_make(&yard, NULL);
	for (uint32_t round = 0; round < 20; round++) {
		*handover = (struct handover){ .silent = silent };
		crew_run(&yard, false, 2, hand_over, handover);
	}
	yard_remove(&yard);
}

static void a_sleeper_gets_the_lock_and_leaves_no_waiters_bit(void **state)
{
	(void)state;
	hand_over_rounds(false);
}

static void no_sleeper_depends_on_a_wake_up(void **state)
{
	(void)state;
	hand_over_rounds(true);
}

/* -------------------------------------------------------------- odd words */

static void a_word_that_names_no_thread_is_busy(void **state)
{
	(void)state;
	const uint32_t words[] = { LOCK_HOLDER, LOCK_HOLDER | LOCK_WAITERS, MAX_THREADS + 1,
				   LOCK_WAITERS, 0x7f000000u };
	struct member us;
	struct actor one;
	struct yard yard;

	yard_make(&yard, NULL);
	assert_int_equal(member_join(&yard, &us), 0);
	assert_int_equal(member_actor(&us, &one), 0);
	one.patience_ms = 5;
	lock_word *word = &us.arena.slots[3].lock;
	for (size_t i = 0; i < COUNT(words); i++) {
		*word = words[i];
		assert_int_equal(lock_take(&one, word, LOCK_SLOT), -EBUSY);
		assert_false(lock_try(&one, word, LOCK_SLOT));
		assert_int_equal(*word & LOCK_HOLDER, words[i] & LOCK_HOLDER);
		assert_int_equal(one.held, 0);
	}
	*word = 0;
	member_dismiss(&one);
	member_leave(&us);
	yard_remove(&yard);
}

#ifndef NDEBUG
static int take_against_the_order(void *context)
{
	struct member us;
	struct actor one;

	must(member_join(context, &us) == 0);
	must(member_actor(&us, &one) == 0);
	fclose(stderr); /* silence the expected assertion message */
	must(lock_take(&one, &us.arena.slots[0].lock, LOCK_SLOT) == 0);
	(void)lock_take(&one, &us.arena.buckets[0].lock, LOCK_BUCKET);
	return CHILD_FAILED;
}
#endif

static void taking_against_the_order_is_caught(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
#ifdef NDEBUG
	skip_because("built without assertions");
#else
	struct yard yard;

	yard_make(&yard, NULL);
	assert_int_equal(child_wait(child_start(take_against_the_order, &yard)), -SIGABRT);
	yard_remove(&yard);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lock_without_waiters_has_no_waiters_bit),
		cmocka_unit_test(a_waiter_that_gives_up_does_not_affect_the_holder),
		cmocka_unit_test(one_deadline_holds_for_all_locks_of_a_change),
		cmocka_unit_test(a_sleeper_gets_the_lock_and_leaves_no_waiters_bit),
		cmocka_unit_test(no_sleeper_depends_on_a_wake_up),
		cmocka_unit_test(a_word_that_names_no_thread_is_busy),
		cmocka_unit_test(taking_against_the_order_is_caught),
		cmocka_unit_test(one_thread_at_a_time_holds_a_lock),
		cmocka_unit_test(one_process_at_a_time_holds_a_lock),
		cmocka_unit_test(no_thread_of_a_crowd_sleeps_for_ever),
		cmocka_unit_test(no_process_of_a_crowd_sleeps_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
