/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 35_grace_light.c: sections that begin without a fence: when they do, and who needs a membarrier
 * then. (35_grace.c: the others.)
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
		skip_because("membarrier(2) is not to be had here");
	assert_true(becomes_light(reader));
}

static void nobody_needs_membarrier_where_all_readers_fence(void **state)
{
	struct cast *cast = *state;
	uint64_t fenced = cast->us.arena.header->gp_fenced;

	cast->driver.can_membarrier = false;
	grace_enter(&cast->reader);
	grace_leave(&cast->reader);
	assert_true(grace_advance(&cast->driver, grace_start_poll(&cast->us.arena)));
	assert_int_equal(cast->us.arena.header->gp_fenced, fenced);
}

static void without_membarrier_a_light_reader_is_waited_for_until_it_fences(void **state)
{
	struct cast *cast = *state;

	make_light(&cast->reader);
	uint64_t cookie = grace_start_poll(&cast->us.arena);
	cast->driver.can_membarrier = false;
	cast->driver.settle_phase = cookie; /* and it shall not be the time that tells */
	cast->driver.settle_since_ns = INT64_MAX;
	assert_false(grace_advance(&cast->driver, cookie));
	assert_int_equal(cast->us.arena.header->gp_completed + 1, cookie);
	grace_enter(&cast->reader);
	assert_int_equal(cast->reader.record->light_phase, 0);
	assert_true(grace_advance(&cast->driver, cookie));
	grace_leave(&cast->reader);
}

static void without_membarrier_an_idle_light_reader_is_waited_for_once(void **state)
{
	struct cast *cast = *state;

	make_light(&cast->reader);
	uint64_t cookie = grace_start_poll(&cast->us.arena);
	cast->driver.can_membarrier = false;
	assert_int_equal(grace_wait(&cast->driver, cookie, SUPPORT_WAIT_MS), 0);
	assert_int_equal(cast->us.arena.header->gp_fenced, cast->us.arena.header->gp_phase);
	assert_true(grace_advance(&cast->driver, grace_start_poll(&cast->us.arena)));
	assert_int_not_equal(cast->reader.record->light_phase, 0); /* it has done nothing */
}

static void without_membarrier_a_light_section_is_waited_for_as_long_as_it_lasts(void **state)
{
	struct cast *cast = *state;

	make_light(&cast->reader);
	grace_enter(&cast->reader);
	uint64_t cookie = grace_start_poll(&cast->us.arena);
	cast->driver.can_membarrier = false;
	assert_int_equal(grace_wait(&cast->driver, cookie, 50), -ETIMEDOUT);
	grace_leave(&cast->reader);
	assert_int_equal(grace_wait(&cast->driver, cookie, SUPPORT_WAIT_MS), 0);
}

/* As when a filter is put up after attaching. */
static int drive_behind_a_filter(void *context)
{
	struct cast *cast = context;

	if (!support_filter_membarrier(EPERM))
		return CHILD_SKIPS;
	uint64_t cookie = grace_start_poll(&cast->us.arena);
	must(cast->second.can_membarrier);
	must(!grace_advance(&cast->second, cookie));
	must(grace_wait(&cast->second, cookie, SUPPORT_WAIT_MS) == 0);
	return 0;
}

static void who_loses_membarrier_later_gets_on_too(void **state)
{
	NEEDS_PROCESSES();
	struct cast *cast = *state;

	make_light(&cast->reader);
	/* the child acts for us: actor and arena are its parent's, and still */
	int status = child_wait(child_start(drive_behind_a_filter, cast));
	if (status == CHILD_SKIPS)
		skip_because("seccomp(2) is not allowed here");
	assert_int_equal(status, 0);
}

static void drivers_with_membarrier_take_up_what_others_began(void **state)
{
	struct cast *cast = *state;

	make_light(&cast->reader);
	uint64_t cookie = grace_start_poll(&cast->us.arena);
	cast->driver.can_membarrier = false;
	cast->driver.settle_phase = cookie;
	cast->driver.settle_since_ns = INT64_MAX;
	assert_false(grace_advance(&cast->driver, cookie));
	assert_true(grace_advance(&cast->second, cookie));
	assert_int_equal(cast->us.arena.header->gp_fenced, cast->us.arena.header->gp_phase);
	/* light in a phase that a membarrier has ended: it is not asked for again */
	cookie = grace_start_poll(&cast->us.arena);
	assert_true(grace_advance(&cast->driver, cookie));
}

static void light_reader_is_waited_for_and_fences_in_the_next_phase(void **state)
{
	struct cast *cast = *state;

	make_light(&cast->reader);
	uint64_t phase = cast->us.arena.header->gp_phase;
	grace_enter(&cast->reader);
	assert_int_equal(cast->reader.record->reader, phase);
	uint64_t cookie = grace_start_poll(&cast->us.arena);
	for (int i = 0; i < 10; i++)
		assert_false(grace_advance(&cast->driver, cookie));
	grace_leave(&cast->reader);
	grace_enter(&cast->reader);
	assert_int_equal(cast->reader.record->reader, phase + 1);
	assert_int_equal(cast->reader.light_phase, 0);
	assert_int_equal(cast->reader.record->light_phase, 0);
	assert_true(grace_advance(&cast->driver, cookie));
	grace_leave(&cast->reader);
}

static void who_must_fence_never_goes_without(void **state)
{
	struct cast *cast = *state;

	cast->reader.fenced = true;
	assert_false(becomes_light(&cast->reader));
}

static void records_next_owner_begins_with_fences(void **state)
{
	struct cast *cast = *state;

	cast->reader.record->light_phase = cast->us.arena.header->gp_phase; /* its former owner's */
	grace_begin(&cast->reader);
	assert_int_equal(cast->reader.record->light_phase, 0);
}

/* ------------------------------------------------------------- who is no more */

static void who_has_left_needs_no_membarrier(void **state)
{
	struct cast *cast = *state;
	struct actor visitor;

	assert_int_equal(member_actor(&cast->us, &visitor), 0);
	make_light(&visitor);
	cast->driver.can_membarrier = false;
	cast->driver.settle_phase = grace_start_poll(&cast->us.arena);
	cast->driver.settle_since_ns = INT64_MAX; /* no waiting helps */
	assert_false(grace_advance(&cast->driver, cast->driver.settle_phase));
	member_dismiss(&visitor);
	assert_int_equal(visitor.record->light_phase, 0);
	assert_true(grace_advance(&cast->driver, grace_start_poll(&cast->us.arena)));
}

static void a_record_that_nobody_owns_needs_no_membarrier(void **state)
{
	struct cast *cast = *state;
	struct actor visitor;

	assert_int_equal(member_actor(&cast->us, &visitor), 0);
	member_dismiss(&visitor);
	visitor.record->light_phase = UINT64_MAX; /* damaged */
	cast->driver.can_membarrier = false;
	assert_true(grace_advance(&cast->driver, grace_start_poll(&cast->us.arena)));
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

/* Nobody but one that cannot membarrier is there to find that out. */
static void the_dead_need_no_membarrier(void **state)
{
	NEEDS_PROCESSES();
	struct cast *cast = *state;
	struct scene *scene = support_shared(sizeof(*scene));

	scene->yard = cast->yard;
	pid_t pid = child_start(become_light_and_stay, scene);
	assert_true(wait_until(load_acquire(&scene->ready) != 0, SUPPORT_WAIT_MS));
	if (scene->ready == 2) {
		child_kill(pid);
		skip_because("membarrier(2) is not to be had here");
	}
	struct thread_record *record = &cast->us.arena.threads[scene->name - 1];
	uint64_t cookie = grace_start_poll(&cast->us.arena);
	cast->driver.can_membarrier = false;
	child_kill(pid);
	assert_int_not_equal(record->light_phase, 0);
	assert_int_equal(grace_wait(&cast->driver, cookie, SUPPORT_WAIT_MS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_cast(nobody_needs_membarrier_where_all_readers_fence),
		with_cast(without_membarrier_a_light_reader_is_waited_for_until_it_fences),
		with_cast(without_membarrier_an_idle_light_reader_is_waited_for_once),
		with_cast(without_membarrier_a_light_section_is_waited_for_as_long_as_it_lasts),
		with_cast(who_loses_membarrier_later_gets_on_too),
		with_cast(drivers_with_membarrier_take_up_what_others_began),
		with_cast(light_reader_is_waited_for_and_fences_in_the_next_phase),
		with_cast(who_must_fence_never_goes_without),
		with_cast(records_next_owner_begins_with_fences),
		with_cast(who_has_left_needs_no_membarrier),
		with_cast(a_record_that_nobody_owns_needs_no_membarrier),
		with_cast(the_dead_need_no_membarrier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
