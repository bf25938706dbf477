/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 35_grace.c: what a grace period waits for, and what it does not; deaths of readers and drivers.
 * Readers and drivers are actors of one thread where that suffices, so each order of steps is
 * exact. (35_grace_light.c: sections without a fence. 35_grace_torture.c: many at once.)
 */
#include "grace_kit.h"

#include <signal.h>
#include <unistd.h>

/* ------------------------------------------------------------ readers that are waited for */

static void grace_period_without_readers_is_over_when_driven(void **state)
{
	struct fixture *fixture = *state;
	uint64_t before = fixture->us.arena.header->gp_phase;
	uint64_t cookie = grace_start_poll(&fixture->us.arena);

	assert_false(grace_poll(&fixture->us.arena, cookie)); /* it does not end by itself */
	assert_true(grace_advance(&fixture->driver, cookie));
	assert_true(grace_poll(&fixture->us.arena, cookie));
	assert_true(grace_advance(&fixture->driver, cookie)); /* and it stays ended */
	assert_int_equal(fixture->us.arena.header->gp_phase, before + 1);
	assert_int_equal(
		grace_wait(&fixture->driver, grace_start_poll(&fixture->us.arena), SUPPORT_WAIT_MS),
		0);
	assert_true(grace_poll(&fixture->us.arena, cookie));
}

static void reader_that_began_before_is_waited_for(void **state)
{
	struct fixture *fixture = *state;

	grace_enter(&fixture->reader);
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	for (int i = 0; i < 10; i++)
		assert_false(grace_advance(&fixture->driver, cookie));
	assert_int_equal(grace_wait(&fixture->driver, cookie, 20), -ETIMEDOUT);
	grace_leave(&fixture->reader);
	assert_true(grace_advance(&fixture->driver, cookie));
}

static void only_the_outermost_leave_ends_a_section(void **state)
{
	struct fixture *fixture = *state;

	grace_enter(&fixture->reader);
	uint64_t word = fixture->reader.record->reader;
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	assert_false(grace_advance(&fixture->driver, cookie)); /* the phase has moved on */
	grace_enter(&fixture->reader);
	grace_enter(&fixture->reader);
	assert_int_equal(fixture->reader.record->reader, word);
	grace_leave(&fixture->reader);
	assert_false(grace_advance(&fixture->driver, cookie));
	grace_leave(&fixture->reader);
	assert_false(grace_advance(&fixture->driver, cookie));
	grace_leave(&fixture->reader);
	assert_int_equal(fixture->reader.record->reader, 0);
	assert_true(grace_advance(&fixture->driver, cookie));
}

static void reader_that_began_after_the_flip_is_not_waited_for(void **state)
{
	struct fixture *fixture = *state;

	grace_enter(&fixture->reader);
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	assert_false(grace_advance(&fixture->driver, cookie));
	grace_enter(&fixture->second);
	grace_leave(&fixture->reader);
	assert_true(grace_advance(&fixture->driver, cookie));
	grace_leave(&fixture->second);
}

static void a_stream_of_readers_does_not_hold_up_a_grace_period(void **state)
{
	struct fixture *fixture = *state;
	struct actor *in = &fixture->reader, *next = &fixture->second;

	grace_enter(in);
	for (uint32_t i = 0; i < 100; i++) { /* there is a reader at every moment */
		uint64_t cookie = grace_start_poll(&fixture->us.arena);
		assert_false(grace_advance(&fixture->driver, cookie));
		grace_enter(next);
		grace_leave(in);
		assert_true(grace_advance(&fixture->driver, cookie));
		struct actor *other = in;
		in = next;
		next = other;
	}
	grace_leave(in);
}

/* A grace period under way does not count: an object unpublished during it waits for the next. */
static void cookie_taken_in_a_grace_period_waits_for_the_next(void **state)
{
	struct fixture *fixture = *state;

	grace_enter(&fixture->reader);
	uint64_t first = grace_start_poll(&fixture->us.arena);
	assert_false(grace_advance(&fixture->driver, first));
	grace_enter(&fixture->second);
	uint64_t second = grace_start_poll(&fixture->us.arena);
	assert_true(second > first);
	grace_leave(&fixture->reader);
	assert_true(grace_advance(&fixture->driver, first));
	assert_false(grace_poll(&fixture->us.arena, second));
	assert_false(grace_advance(&fixture->driver, second));
	grace_leave(&fixture->second);
	assert_true(grace_advance(&fixture->driver, second));
}

static void a_reader_may_drive_a_grace_period_but_not_wait_for_it(void **state)
{
	struct fixture *fixture = *state;

	grace_enter(&fixture->driver);
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	assert_int_equal(grace_wait(&fixture->driver, cookie, 1), -EDEADLK);
	assert_false(grace_advance(&fixture->driver, cookie));
	assert_int_equal(fixture->driver.held, 0);
	assert_int_equal(grace_wait(&fixture->second, cookie, 5), -ETIMEDOUT);
	grace_leave(&fixture->driver);
	assert_int_equal(grace_wait(&fixture->driver, cookie, SUPPORT_WAIT_MS), 0);
}

static int register_here(void *context)
{
	(void)context;
	return grace_register() ? 0 : 1;
}

static void registration_is_asked_for_and_holds_in_a_child(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	if (!grace_register())
		skip_because("membarrier(2) is not available here");
	assert_true(grace_register());
	assert_int_equal(child_wait(child_start(register_here, NULL)), 0);
}

/* ------------------------------------------------------------------ deaths */

enum part {
	READS,
	READS_NESTED,
	FLIPS,
	FLIPS_AND_FENCES,
};

struct scene {
	struct yard yard;
	enum part part;
	uint32_t ready;
	uint32_t go;
	uint32_t name;
};

static int play(void *context)
{
	struct scene *scene = context;
	struct member us;
	struct actor one;

	must(member_join(&scene->yard, &us) == 0);
	must(member_actor(&us, &one) == 0);
	scene->name = one.name;
	struct arena_header *h = us.arena.header;
	if (scene->part <= READS_NESTED)
		grace_enter(&one);
	if (scene->part == READS_NESTED)
		grace_enter(&one);
	if (scene->part >= FLIPS)
		store_release(&h->gp_phase, h->gp_phase + 1);
	if (scene->part >= FLIPS_AND_FENCES)
		store_release(&h->gp_fenced, h->gp_phase);
	store_release(&scene->ready, 1u);
	while (load_acquire(&scene->go) == 0)
		support_sleep_us(500);
	if (scene->part <= READS_NESTED)
		grace_leave(&one);
	member_dismiss(&one);
	member_leave(&us);
	return 0;
}

static pid_t start_play(struct fixture *fixture, struct scene **ret_scene, enum part part)
{
	struct scene *scene = support_shared(sizeof(*scene));

	scene->yard = fixture->yard;
	scene->part = part;
	pid_t pid = child_start(play, scene);
	assert_true(wait_until(load_acquire(&scene->ready) != 0, SUPPORT_WAIT_MS));
	*ret_scene = scene;
	return pid;
}

static void dead_reader_is_not_waited_for(void **state)
{
	NEEDS_PROCESSES();
	struct fixture *fixture = *state;
	struct scene *scene;

	for (enum part part = READS; part <= READS_NESTED; part++) {
		pid_t pid = start_play(fixture, &scene, part);
		struct thread_record *record = &fixture->us.arena.threads[scene->name - 1];
		uint64_t cookie = grace_start_poll(&fixture->us.arena);
		assert_false(grace_advance(&fixture->driver, cookie));
		child_kill(pid); /* with no replacement */
		assert_int_equal(grace_wait(&fixture->driver, cookie, SUPPORT_WAIT_MS), 0);
		assert_int_equal(record->reader, 0);
		assert_int_equal(record->nest, 0);
		assert_int_equal(record->owner, 0);
	}
}

static void dead_readers_end_ends_no_other_readers_section(void **state)
{
	NEEDS_PROCESSES();
	struct fixture *fixture = *state;
	struct scene *scene;

	pid_t pid = start_play(fixture, &scene, READS);
	grace_enter(&fixture->reader);
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	assert_false(grace_advance(&fixture->driver, cookie));
	child_kill(pid);
	assert_int_equal(grace_wait(&fixture->driver, cookie, 50), -ETIMEDOUT);
	assert_true(wait_until(fixture->us.arena.threads[scene->name - 1].owner == 0 ||
				       grace_advance(&fixture->driver, cookie),
			       SUPPORT_WAIT_MS));
	assert_false(grace_poll(&fixture->us.arena, cookie));
	grace_leave(&fixture->reader);
	assert_int_equal(grace_wait(&fixture->driver, cookie, SUPPORT_WAIT_MS), 0);
}

static void stopped_reader_is_waited_for_and_listed(void **state)
{
	NEEDS_PROCESSES();
	struct fixture *fixture = *state;
	struct scene *scene;
	struct inspect *inspect;
	struct inspect_thread row;
	char why[ARENA_WHY_BYTES];
	bool used;

	pid_t pid = start_play(fixture, &scene, READS);
	child_stop(pid);
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	assert_int_equal(grace_wait(&fixture->driver, cookie, 100), -ETIMEDOUT);
	assert_int_equal(inspect_open(fixture->yard.path, false, &inspect, why, sizeof(why)), 0);
	assert_int_equal(inspect_thread(inspect, scene->name - 1, &used, &row), 0);
	assert_true(used);
	assert_int_equal(row.nest, 1);
	assert_true(row.stalled_ms > 0);
	assert_int_equal(row.phases_behind, 1);
	inspect_close(inspect);
	store_release(&scene->go, 1u);
	kill(pid, SIGCONT);
	assert_int_equal(grace_wait(&fixture->driver, cookie, SUPPORT_WAIT_MS), 0);
	assert_int_equal(child_wait(pid), 0);
}

/*
 * A driver is dead, or stopped, after some of its steps. The next driver continues from there, and
 * never counts half a period.
 */
static void periods_go_on_without(struct fixture *fixture, enum part part, bool dead)
{
	struct scene *scene;

	grace_enter(&fixture->reader);
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	pid_t pid = start_play(fixture, &scene, part);
	grace_enter(&fixture->second); /* after the driver's flip */
	uint64_t later = grace_start_poll(&fixture->us.arena);
	assert_true(later > cookie);
	if (dead)
		child_kill(pid);
	else
		child_stop(pid);
	assert_int_equal(grace_wait(&fixture->driver, cookie, 20), -ETIMEDOUT);
	grace_leave(&fixture->reader);
	assert_int_equal(grace_wait(&fixture->driver, cookie, SUPPORT_WAIT_MS), 0);
	assert_int_equal(grace_wait(&fixture->driver, later, 10), -ETIMEDOUT);
	grace_leave(&fixture->second);
	assert_int_equal(grace_wait(&fixture->driver, later, SUPPORT_WAIT_MS), 0);
	if (dead)
		return;
	store_release(&scene->go, 1u);
	kill(pid, SIGCONT);
	assert_int_equal(child_wait(pid), 0);
}

static void dead_drivers_grace_period_is_taken_over(void **state)
{
	NEEDS_PROCESSES();
	periods_go_on_without(*state, FLIPS, true);
	periods_go_on_without(*state, FLIPS_AND_FENCES, true);
}

static void a_stopped_driver_holds_up_no_grace_period(void **state)
{
	NEEDS_PROCESSES();
	periods_go_on_without(*state, FLIPS, false);
	periods_go_on_without(*state, FLIPS_AND_FENCES, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_cast(grace_period_without_readers_is_over_when_driven),
		with_cast(reader_that_began_before_is_waited_for),
		with_cast(only_the_outermost_leave_ends_a_section),
		with_cast(reader_that_began_after_the_flip_is_not_waited_for),
		with_cast(a_stream_of_readers_does_not_hold_up_a_grace_period),
		with_cast(cookie_taken_in_a_grace_period_waits_for_the_next),
		with_cast(a_reader_may_drive_a_grace_period_but_not_wait_for_it),
		cmocka_unit_test(registration_is_asked_for_and_holds_in_a_child),
		with_cast(dead_reader_is_not_waited_for),
		with_cast(dead_readers_end_ends_no_other_readers_section),
		with_cast(stopped_reader_is_waited_for_and_listed),
		with_cast(dead_drivers_grace_period_is_taken_over),
		with_cast(a_stopped_driver_holds_up_no_grace_period),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
