/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 35_grace_light.c: sections that begin without a fence: when they do, and which driver needs a
 * membarrier then. (35_grace.c: the others.)
 */
#include "grace_kit.h"

/* Read until the reader's sections begin without a fence; false: they never do. */
static bool becomes_light(struct actor *reader)
{
	for (int i = 0; i < 1000000 && reader->light_phase == 0; i++) {
		grace_enter(reader);
		grace_leave(reader);
	}
	return reader->record->light_phase == reader->arena->header->gp_phase;
}

static void make_light(struct actor *reader)
{
	if (reader->fenced)
		skip_because("membarrier(2) is not available here");
	assert_true(becomes_light(reader));
}

static void no_driver_needs_membarrier_where_all_readers_fence(void **state)
{
	struct fixture *fixture = *state;
	uint64_t fenced = fixture->us.arena.header->gp_fenced;

	fixture->driver.can_membarrier = false;
	grace_enter(&fixture->reader);
	grace_leave(&fixture->reader);
	assert_true(grace_advance(&fixture->driver, grace_start_poll(&fixture->us.arena)));
	assert_int_equal(fixture->us.arena.header->gp_fenced, fenced);
}

static void without_membarrier_a_light_reader_is_waited_for_until_it_fences(void **state)
{
	struct fixture *fixture = *state;

	make_light(&fixture->reader);
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	fixture->driver.can_membarrier = false;
	fixture->driver.settle_phase = cookie; /* so that the elapsed time decides nothing */
	fixture->driver.settle_since_ns = INT64_MAX;
	assert_false(grace_advance(&fixture->driver, cookie));
	assert_int_equal(fixture->us.arena.header->gp_completed + 1, cookie);
	grace_enter(&fixture->reader);
	assert_int_equal(fixture->reader.record->light_phase, 0);
	assert_true(grace_advance(&fixture->driver, cookie));
	grace_leave(&fixture->reader);
}

static void without_membarrier_an_idle_light_reader_is_waited_for_once(void **state)
{
	struct fixture *fixture = *state;

	make_light(&fixture->reader);
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	fixture->driver.can_membarrier = false;
	assert_int_equal(grace_wait(&fixture->driver, cookie, SUPPORT_WAIT_MS), 0);
	assert_int_equal(fixture->us.arena.header->gp_fenced, fixture->us.arena.header->gp_phase);
	assert_true(grace_advance(&fixture->driver, grace_start_poll(&fixture->us.arena)));
	assert_int_not_equal(fixture->reader.record->light_phase,
			     0); /* the reader was idle, so the mark stays */
}

static void without_membarrier_a_light_section_is_waited_for_as_long_as_it_lasts(void **state)
{
	struct fixture *fixture = *state;

	make_light(&fixture->reader);
	grace_enter(&fixture->reader);
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	fixture->driver.can_membarrier = false;
	assert_int_equal(grace_wait(&fixture->driver, cookie, 50), -ETIMEDOUT);
	grace_leave(&fixture->reader);
	assert_int_equal(grace_wait(&fixture->driver, cookie, SUPPORT_WAIT_MS), 0);
}

/* As when a seccomp filter is installed after attaching. */
static int drive_behind_a_filter(void *context)
{
	struct fixture *fixture = context;

	if (!support_filter_membarrier(EPERM))
		return CHILD_SKIPS;
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	must(fixture->second.can_membarrier);
	must(!grace_advance(&fixture->second, cookie));
	must(grace_wait(&fixture->second, cookie, SUPPORT_WAIT_MS) == 0);
	return 0;
}

static void a_driver_that_loses_membarrier_later_still_completes(void **state)
{
	NEEDS_PROCESSES();
	struct fixture *fixture = *state;

	make_light(&fixture->reader);
	/* the child acts for its parent: actor and arena are the parent's, which stands still */
	int status = child_wait(child_start(drive_behind_a_filter, fixture));
	if (status == CHILD_SKIPS)
		skip_because("seccomp(2) is not allowed here");
	assert_int_equal(status, 0);
}

static void drivers_with_membarrier_complete_periods_that_others_began(void **state)
{
	struct fixture *fixture = *state;

	make_light(&fixture->reader);
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	fixture->driver.can_membarrier = false;
	fixture->driver.settle_phase = cookie;
	fixture->driver.settle_since_ns = INT64_MAX;
	assert_false(grace_advance(&fixture->driver, cookie));
	assert_true(grace_advance(&fixture->second, cookie));
	assert_int_equal(fixture->us.arena.header->gp_fenced, fixture->us.arena.header->gp_phase);
	/* its light phase was ended by a membarrier, so no second one is needed */
	cookie = grace_start_poll(&fixture->us.arena);
	assert_true(grace_advance(&fixture->driver, cookie));
}

static void light_reader_is_waited_for_and_fences_in_the_next_phase(void **state)
{
	struct fixture *fixture = *state;

	make_light(&fixture->reader);
	uint64_t phase = fixture->us.arena.header->gp_phase;
	grace_enter(&fixture->reader);
	assert_int_equal(fixture->reader.record->reader, phase);
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	for (int i = 0; i < 10; i++)
		assert_false(grace_advance(&fixture->driver, cookie));
	grace_leave(&fixture->reader);
	grace_enter(&fixture->reader);
	assert_int_equal(fixture->reader.record->reader, phase + 1);
	assert_int_equal(fixture->reader.light_phase, 0);
	assert_int_equal(fixture->reader.record->light_phase, 0);
	assert_true(grace_advance(&fixture->driver, cookie));
	grace_leave(&fixture->reader);
}

static void a_reader_that_must_fence_always_fences(void **state)
{
	struct fixture *fixture = *state;

	fixture->reader.fenced = true;
	assert_false(becomes_light(&fixture->reader));
}

static void records_next_owner_begins_with_fences(void **state)
{
	struct fixture *fixture = *state;

	fixture->reader.record->light_phase =
		fixture->us.arena.header->gp_phase; /* left by its former owner */
	grace_begin(&fixture->reader);
	assert_int_equal(fixture->reader.record->light_phase, 0);
}

/* ------------------------------------------------------- readers that left or died */

static void a_thread_that_has_left_needs_no_membarrier(void **state)
{
	struct fixture *fixture = *state;
	struct actor visitor;

	assert_int_equal(member_actor(&fixture->us, &visitor), 0);
	make_light(&visitor);
	fixture->driver.can_membarrier = false;
	fixture->driver.settle_phase = grace_start_poll(&fixture->us.arena);
	fixture->driver.settle_since_ns = INT64_MAX; /* so waiting does not help */
	assert_false(grace_advance(&fixture->driver, fixture->driver.settle_phase));
	member_dismiss(&visitor);
	assert_int_equal(visitor.record->light_phase, 0);
	assert_true(grace_advance(&fixture->driver, grace_start_poll(&fixture->us.arena)));
}

static void an_unowned_record_needs_no_membarrier(void **state)
{
	struct fixture *fixture = *state;
	struct actor visitor;

	assert_int_equal(member_actor(&fixture->us, &visitor), 0);
	member_dismiss(&visitor);
	visitor.record->light_phase = UINT64_MAX; /* damaged */
	fixture->driver.can_membarrier = false;
	assert_true(grace_advance(&fixture->driver, grace_start_poll(&fixture->us.arena)));
}

struct scene {
	struct yard yard;
	uint32_t ready;
	uint32_t name;
};

static int become_light_and_stay(void *context)
{
	struct scene *scene = context;
	struct member us;
	struct actor one;

	must(member_join(&scene->yard, &us) == 0);
	must(member_actor(&us, &one) == 0);
	scene->name = one.name;
	store_release(&scene->ready, becomes_light(&one) ? 1u : 2u);
	for (;;)
		support_sleep_us(500);
}

/* Only a driver that cannot use membarrier is left to find that out. */
static void the_dead_need_no_membarrier(void **state)
{
	NEEDS_PROCESSES();
	struct fixture *fixture = *state;
	struct scene *scene = support_shared(sizeof(*scene));

	scene->yard = fixture->yard;
	pid_t pid = child_start(become_light_and_stay, scene);
	assert_true(wait_until(load_acquire(&scene->ready) != 0, SUPPORT_WAIT_MS));
	if (scene->ready == 2) {
		child_kill(pid);
		skip_because("membarrier(2) is not available here");
	}
	struct thread_record *record = &fixture->us.arena.threads[scene->name - 1];
	uint64_t cookie = grace_start_poll(&fixture->us.arena);
	fixture->driver.can_membarrier = false;
	child_kill(pid);
	assert_int_not_equal(record->light_phase, 0);
	assert_int_equal(grace_wait(&fixture->driver, cookie, SUPPORT_WAIT_MS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_cast(no_driver_needs_membarrier_where_all_readers_fence),
		with_cast(without_membarrier_a_light_reader_is_waited_for_until_it_fences),
		with_cast(without_membarrier_an_idle_light_reader_is_waited_for_once),
		with_cast(without_membarrier_a_light_section_is_waited_for_as_long_as_it_lasts),
		with_cast(a_driver_that_loses_membarrier_later_still_completes),
		with_cast(drivers_with_membarrier_complete_periods_that_others_began),
		with_cast(light_reader_is_waited_for_and_fences_in_the_next_phase),
		with_cast(a_reader_that_must_fence_always_fences),
		with_cast(records_next_owner_begins_with_fences),
		with_cast(a_thread_that_has_left_needs_no_membarrier),
		with_cast(an_unowned_record_needs_no_membarrier),
		with_cast(the_dead_need_no_membarrier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
