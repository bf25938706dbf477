/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 30_lock_death.c: dead holders block no thread; live ones are never robbed. No agent runs.
 */
#include "support.h"

#include <signal.h>
#include <unistd.h>

#include "arena/stat.h"
#include "base/atomic.h"
#include "store/repair.h"
#include "store/slot.h"
#include "sync/lock.h"

#define LOCKS 4
#define STORM 5
#define STORM_ROUNDS 120

/* What a child does with a lock, and how far it has got. */
struct scene {
	struct yard yard;
	enum lock_level level;
	uint32_t holds;   /* 1: it holds the lock */
	uint32_t dropped; /* 1: it dropped the lock */
	uint32_t name;
	uint32_t progress[STORM];
	uint32_t stop;
	uint32_t waits;  /* the waiting thread's name */
	uint64_t sleeps; /* number of sleeps until it had the lock */
};

static lock_word *word_of(struct arena *arena, enum lock_level level)
{
	switch (level) {
	case LOCK_BUCKET:
		return &arena->buckets[7].lock;
	case LOCK_SLOT:
		return &arena->slots[9].lock;
	case LOCK_LISTS:
		return &arena->threads[5].retired.lock;
	case LOCK_SLOTS:
		return &arena->header->slots_lock;
	case LOCK_CLASS:
		return &arena->classes[33].lock;
	case LOCK_SPACE:
		return &arena->header->space_lock;
	case LOCK_FEED:
		return &arena->header->feed_lock;
	}
	return NULL;
}

/* Announce the wanted lock first, as the modules do. */
static void want(struct actor *actor, enum lock_level level)
{
	if (level == LOCK_BUCKET)
		slot_want(actor, &actor->arena->buckets[7], NULL);
	if (level == LOCK_SLOT)
		slot_want(actor, NULL, &actor->arena->slots[9]);
	if (level == LOCK_LISTS)
		note(&actor->record->intent.lists, 6u);
}

/* Children end at the first failure. */
static void child_join(struct scene *scene, struct member *us, struct actor *one)
{
	must(member_join(&scene->yard, us) == 0);
	must(member_actor(us, one) == 0);
}

static void child_leave(struct member *us, struct actor *one)
{
	member_dismiss(one);
	member_leave(us);
}

static int hold_until_dropped(void *context)
{
	struct scene *scene = context;
	struct member us;
	struct actor one;

	child_join(scene, &us, &one);
	scene->name = one.name;
	want(&one, scene->level);
	must(lock_take(&one, word_of(&us.arena, scene->level), scene->level) == 0);
	store_release(&scene->holds, 1u);
	while (load_acquire(&scene->stop) == 0)
		support_sleep_us(500);
	lock_drop(&one, word_of(&us.arena, scene->level), scene->level);
	store_release(&scene->dropped, 1u);
	child_leave(&us, &one);
	return 0;
}

static pid_t start_holder(struct scene *scene, enum lock_level level)
{
	scene->level = level;
	scene->holds = scene->dropped = scene->stop = 0;
	pid_t pid = child_start(hold_until_dropped, scene);
	assert_true(wait_until(load_acquire(&scene->holds) != 0, SUPPORT_WAIT_MS));
	return pid;
}

static struct scene *us_join(struct member *us, struct actor *one)
{
	struct scene *scene = support_shared(sizeof(*scene));

	yard_make(&scene->yard, NULL);
	assert_int_equal(member_join(&scene->yard, us), 0);
	assert_int_equal(member_actor(us, one), 0);
	one->patience_ms = SUPPORT_WAIT_MS;
	return scene;
}

static void us_leave(struct scene *scene, struct member *us, struct actor *one)
{
	member_dismiss(one);
	member_leave(us);
	yard_check(&scene->yard, NULL);
	yard_remove(&scene->yard);
}

static int wait_and_count(void *context)
{
	struct scene *scene = context;
	struct member us;
	struct actor one;

	child_join(scene, &us, &one);
	one.patience_ms = SUPPORT_WAIT_MS;
	uint64_t before = one.record->stat[STAT_lock_sleeps];
	store_release(&scene->waits, one.name);
	slot_want(&one, NULL, &us.arena.slots[9]);
	must(lock_take(&one, &us.arena.slots[9].lock, LOCK_SLOT) == 0);
	scene->sleeps = one.record->stat[STAT_lock_sleeps];
	must(scene->sleeps > before);
	lock_drop(&one, &us.arena.slots[9].lock, LOCK_SLOT);
	child_leave(&us, &one);
	return 0;
}

/*
 * Take the lock from its holder, as if the holder had dropped it and this thread had beaten all
 * waiters; then die.
 */
static int take_over_and_die(void *context)
{
	struct scene *scene = context;
	struct member us;
	struct actor one;

	child_join(scene, &us, &one);
	slot_want(&one, NULL, &us.arena.slots[9]);
	lock_word *word = &us.arena.slots[9].lock;
	for (uint32_t seen = load_relaxed(word); !cas_acq_rel(word, seen, one.name);
	     seen = load_relaxed(word))
		;
	raise(SIGKILL);
	return 1;
}

/*
 * The sleeper must notice the change of holder before the end of its next sleep. (Mostly: it may be
 * awake at that moment.)
 */
static void a_sleeper_notices_the_death_of_a_later_holder(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct member us;
	struct actor one;
	struct scene *scene = us_join(&us, &one);
	uint64_t more = 0;

	for (uint32_t round = 0; round < 20; round++) {
		pid_t holder = start_holder(scene, LOCK_SLOT);
		scene->waits = 0;
		pid_t waiter = child_start(wait_and_count, scene);
		assert_true(wait_until(load_acquire(&scene->waits) != 0, SUPPORT_WAIT_MS));
		const uint64_t *sleeps = &us.arena.threads[scene->waits - 1].stat[STAT_lock_sleeps];
		uint64_t before = load_relaxed(sleeps);
		assert_true(wait_until(load_relaxed(sleeps) >= before + 5,
				       SUPPORT_WAIT_MS)); /* by now its sleeps are long */
		(void)child_wait(child_start(take_over_and_die, scene));
		uint64_t at_death = load_relaxed(sleeps);
		assert_int_equal(child_wait(waiter), 0);
		more += scene->sleeps - at_death;
		store_release(&scene->stop, 1u);
		assert_int_equal(child_wait(holder), 0);
	}
	assert_true(more < 10);
	us_leave(scene, &us, &one);
}

static void killed_holders_lock_is_taken_by_the_next_one(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct member us;
	struct actor one;
	struct scene *scene = us_join(&us, &one);

	for (enum lock_level level = LOCK_BUCKET; level <= LOCK_FEED; level++) {
		lock_word *word = word_of(&us.arena, level);
		pid_t pid = start_holder(scene, level);
		uint32_t generation = us.arena.threads[scene->name - 1].generation;
		assert_true(lock_held_by(word, scene->name));
		assert_false(lock_try(&one, word, level));
		child_kill(pid);
		want(&one, level);
		assert_int_equal(lock_take(&one, word, level), 0);
		assert_int_equal(us.arena.threads[scene->name - 1].owner, 0); /* and it is buried */
		assert_true(us.arena.threads[scene->name - 1].generation > generation);
		lock_drop(&one, word, level);
		assert_int_equal(*word, 0);
	}
	assert_int_equal(one.record->stat[STAT_refused_busy], 0);
	us_leave(scene, &us, &one);
}

static void a_try_suffices_to_take_over_from_the_dead(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct member us;
	struct actor one;
	struct scene *scene = us_join(&us, &one);

	for (enum lock_level level = LOCK_BUCKET; level <= LOCK_FEED; level++) {
		lock_word *word = word_of(&us.arena, level);
		child_kill(start_holder(scene, level));
		want(&one, level);
		assert_true(wait_until(lock_try(&one, word, level), SUPPORT_WAIT_MS));
		lock_drop(&one, word, level);
	}
	us_leave(scene, &us, &one);
}

static void stopped_holder_is_waited_for_with_patience_and_never_robbed(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct member us;
	struct actor one;
	struct scene *scene = us_join(&us, &one);

	lock_word *word = word_of(&us.arena, LOCK_SLOT);
	pid_t pid = start_holder(scene, LOCK_SLOT);
	child_stop(pid);
	one.patience_ms = 60;
	want(&one, LOCK_SLOT);
	for (uint32_t round = 0; round < 3; round++) {
		int64_t before = support_now_ms();
		assert_int_equal(lock_take(&one, word, LOCK_SLOT), -EBUSY);
		assert_true(support_now_ms() - before >= 60);
		assert_true(lock_held_by(word, scene->name));
		/* other carts are not affected */
		assert_int_equal(lock_take(&one, &us.arena.slots[10].lock, LOCK_SLOT), 0);
		lock_drop(&one, &us.arena.slots[10].lock, LOCK_SLOT);
	}
	store_release(&scene->stop, 1u);
	kill(pid, SIGCONT);
	one.patience_ms = SUPPORT_WAIT_MS;
	assert_int_equal(lock_take(&one, word, LOCK_SLOT), 0);
	lock_drop(&one, word, LOCK_SLOT);
	assert_int_equal(child_wait(pid), 0); /* it found its lock as it had left it */
	us_leave(scene, &us, &one);
}

/* ------------------------------------------------------------ two together */

static int wait_for_the_other(void *context)
{
	struct scene *scene = context;
	struct member us;
	struct actor one;

	child_join(scene, &us, &one);
	one.patience_ms = 2 * SUPPORT_WAIT_MS;
	slot_want(&one, &us.arena.buckets[7], &us.arena.slots[9]);
	must(lock_take(&one, &us.arena.buckets[7].lock, LOCK_BUCKET) == 0);
	store_release(&scene->dropped, 1u); /* this child holds the bucket */
	(void)lock_take(&one, &us.arena.slots[9].lock, LOCK_SLOT);
	for (;;)
		pause();
}

static void two_that_die_together_free_both_their_locks(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct member us;
	struct actor one;
	struct scene *scene = us_join(&us, &one);

	for (uint32_t round = 0; round < 10; round++) {
		pid_t holder = start_holder(scene, LOCK_SLOT);
		pid_t waiter = child_start(wait_for_the_other, scene);
		lock_word *slot = &us.arena.slots[9].lock;
		assert_true(wait_until(load_acquire(&scene->dropped) != 0 &&
					       (load_relaxed(slot) & LOCK_WAITERS) != 0,
				       SUPPORT_WAIT_MS));
		kill(waiter, SIGKILL);
		kill(holder, SIGKILL);
		child_kill(round % 2 != 0 ? holder : waiter);
		slot_want(&one, &us.arena.buckets[7], &us.arena.slots[9]);
		assert_int_equal(lock_take(&one, &us.arena.buckets[7].lock, LOCK_BUCKET), 0);
		assert_int_equal(lock_take(&one, slot, LOCK_SLOT), 0);
		lock_drop(&one, slot, LOCK_SLOT);
		lock_drop(&one, &us.arena.buckets[7].lock, LOCK_BUCKET);
		child_kill(round % 2 != 0 ? waiter : holder);
	}
	us_leave(scene, &us, &one);
}

/* -------------------------------------------------------------------- storm */

struct storm_seat {
	struct scene *scene;
	uint32_t number;
};

static int take_and_drop(void *context)
{
	struct storm_seat *seat = context;
	struct scene *scene = seat->scene;
	uint64_t random = support_seed() + seat->number + (uint64_t)getpid();
	struct member us;
	struct actor one;

	child_join(scene, &us, &one);
	one.patience_ms = SUPPORT_WAIT_MS;
	while (load_acquire(&scene->stop) == 0) {
		struct slot *slot = &us.arena.slots[random_below(&random, LOCKS)];
		slot_want(&one, NULL, slot);
		must(lock_take(&one, &slot->lock, LOCK_SLOT) == 0);
		must(lock_held_by(&slot->lock, one.name));
		if (random_below(&random, 16) == 0)
			support_sleep_us(random_below(&random, 100));
		lock_drop(&one, &slot->lock, LOCK_SLOT);
		(void)fetch_add_relaxed(&scene->progress[seat->number], 1u);
	}
	child_leave(&us, &one);
	return 0;
}

static void a_storm_of_kills_stops_no_survivor(bool replace)
{
	struct scene *scene = support_shared(sizeof(*scene));
	uint64_t random = support_seed();
	struct storm_seat seats[STORM];
	pid_t pids[STORM];
	uint32_t alive = STORM;

	yard_make(&scene->yard, NULL);
	for (uint32_t i = 0; i < STORM; i++) {
		seats[i] = (struct storm_seat){ scene, i };
		pids[i] = child_start(take_and_drop, &seats[i]);
	}
	for (uint32_t round = 0; round < STORM_ROUNDS && alive > 1; round++) {
		support_sleep_us(random_below(&random, 4000));
		uint32_t victim = replace ? random_below(&random, STORM) : STORM - alive;
		child_kill(pids[victim]);
		if (replace)
			pids[victim] = child_start(take_and_drop, &seats[victim]);
		else
			alive--;
		/* wait until a survivor makes progress */
		uint32_t last = STORM - 1;
		uint32_t before = load_relaxed(&scene->progress[last]);
		if (victim != last)
			assert_true(wait_until(load_relaxed(&scene->progress[last]) != before,
					       SUPPORT_WAIT_MS));
	}
	store_release(&scene->stop, 1u);
	for (uint32_t i = STORM - alive; i < STORM; i++)
		assert_int_equal(child_wait(pids[i]), 0);
	struct member us;
	assert_int_equal(member_join(&scene->yard, &us), 0);
	(void)alive_bury_all(&us.arena, &us.life, repair_process);
	for (uint32_t i = 0; i < LOCKS; i++)
		assert_int_equal(us.arena.slots[i].lock, 0);
	for (uint32_t i = 0; i < us.arena.header->threads_high; i++)
		assert_int_equal(us.arena.threads[i].owner, 0);
	member_leave(&us);
	yard_check(&scene->yard, NULL);
	yard_remove(&scene->yard);
}

static void a_storm_of_kills_stops_no_survivor_when_victims_are_replaced(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	a_storm_of_kills_stops_no_survivor(true);
}

static void a_storm_of_kills_stops_no_survivor_when_victims_are_not_replaced(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	for (uint32_t round = 0; round < 10; round++)
		a_storm_of_kills_stops_no_survivor(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_holders_lock_is_taken_by_the_next_one),
		cmocka_unit_test(a_sleeper_notices_the_death_of_a_later_holder),
		cmocka_unit_test(a_try_suffices_to_take_over_from_the_dead),
		cmocka_unit_test(stopped_holder_is_waited_for_with_patience_and_never_robbed),
		cmocka_unit_test(two_that_die_together_free_both_their_locks),
		cmocka_unit_test(a_storm_of_kills_stops_no_survivor_when_victims_are_replaced),
		cmocka_unit_test(a_storm_of_kills_stops_no_survivor_when_victims_are_not_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
