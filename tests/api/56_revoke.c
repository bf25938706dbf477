/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 56_revoke.c: a view that lasts while the arena runs out of memory is revoked: other threads
 * continue, and the view's holder is told. A view that holds no memory back is kept.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orders_support.h"

#include "api/handle.h"
#include "arena/stat.h"
#include "base/atomic.h"
#include "sync/grace.h"

#define ARENA_BYTES (4u << 20)
#define CHANGES                                                                                    \
	20000u /* each leaves a version of 1 KB or more behind: many times what the arena holds */

struct scene {
	struct yard *yard;
	struct corral_key key;
	struct corral_key other;
	uint32_t begun;
	uint32_t done;
	int end_result;
	int nested_result;
	int add_result;
	int copy_result;
	int again_result;
	uint64_t sum;
};

static int setup(void **state)
{
	struct yard *yard = calloc(1, sizeof(*yard));

	assert_non_null(yard);
	orders_yard(yard, ARENA_BYTES, 100, 30 * 60 * 1000);
	*state = yard;
	return 0;
}

static struct scene *scene_new(void **state)
{
	struct scene *scene = support_shared(sizeof(*scene));
	struct corral *corral = yard_open(*state, 0);
	char item[16];

	scene->yard = *state;
	scene->key = orders_key("restaurant", "held");
	scene->other = orders_key("restaurant", "other");
	for (int i = 0; i < 12; i++) {
		snprintf(item, sizeof(item), "item %d", i);
		assert_int_equal(orders_add(corral, &scene->key, item, 100, 1, NULL, NULL), 0);
		assert_int_equal(orders_add(corral, &scene->other, item, 100, 1, NULL, NULL), 0);
	}
	corral_close(corral);
	return scene;
}

static void fill_and_refill(struct scene *scene)
{
	struct corral *corral = yard_open(scene->yard, 0);

	for (uint32_t i = 0; i < CHANGES; i++)
		assert_int_equal(orders_add(corral, i % 2 == 0 ? &scene->key : &scene->other,
					    "item 1", 100, 1, NULL, NULL),
				 0);
	corral_close(corral);
}

static uint64_t revoked_views(const struct yard *yard)
{
	struct member member;
	uint64_t sum = 0;

	assert_int_equal(member_join(yard, &member), 0);
	for (uint32_t i = 0; i < member.arena.max_threads; i++)
		sum += member.arena.threads[i].stat[STAT_revoked];
	member_leave(&member);
	return sum;
}

/* Call every accessor on a view, whose bytes may be overwritten. */
static uint64_t read_all_of(const struct corral_view *view)
{
	struct corral_item *item;
	struct corral_line line;
	struct corral_head head;
	struct corral_key key;
	uint64_t sum = 0;

	if (corral_view_key(view, &key) == 0)
		for (size_t i = 0; i < key.session_id.size; i++)
			sum += (uint8_t)key.session_id.data[i];
	if (corral_view_head(view, &head) != 0)
		return sum;
	for (uint32_t i = 0; i < 64; i++) {
		if (corral_view_line(view, i, &line) == 0)
			for (size_t at = 0; at < line.words_size; at++)
				sum += ((const uint8_t *)line.words)[at];
		if (corral_view_item(view, i, &item) == 0) {
			sum += item->menu_item_id.size;
			corral_item_free(item);
		}
	}
	return sum;
}

/* ----------------------------------------------------------------- a reader */

static int hold_a_view(void *context)
{
	struct scene *scene = context;
	struct corral *corral = yard_open(scene->yard, 0);
	struct corral_view view, nested;
	uint8_t buffer[65536];
	size_t size;

	must(corral_read_begin(corral, &scene->key, &view) == 0);
	store_release(&scene->begun, 1u);
	while (load_acquire(&scene->done) == 0)
		scene->sum += read_all_of(&view);
	scene->nested_result = corral_read_begin(corral, &scene->other, &nested);
	scene->add_result = orders_add(corral, &scene->other, "item 1", 100, 1, NULL, NULL);
	scene->copy_result =
		corral_read_copy(corral, &scene->other, buffer, sizeof(buffer), &size, &nested);
	scene->end_result = corral_read_end(&view);
	must(corral_read_end(&view) == -EINVAL); /* a void view */
	scene->again_result = corral_read_begin(corral, &scene->key, &view);
	must(corral_read_end(&view) == 0);
	must(orders_add(corral, &scene->other, "item 1", 100, 1, NULL, NULL) == 0);
	corral_close(corral);
	return 0;
}

static void a_view_that_holds_all_memory_back_is_revoked_and_told_so(void **state)
{
	NEEDS_PROCESSES();
	struct scene *scene = scene_new(state);
	pid_t reader = child_start(hold_a_view, scene);

	assert_true(wait_until(load_acquire(&scene->begun) != 0, SUPPORT_WAIT_MS));
	fill_and_refill(scene);
	store_release(&scene->done, 1u);
	assert_int_equal(child_wait(reader), 0);
	assert_int_equal(scene->end_result, -ESTALE);
	assert_int_equal(scene->nested_result, -ESTALE); /* void, like the view around it */
	assert_int_equal(scene->add_result, -ESTALE);
	assert_int_equal(scene->copy_result, -ESTALE);
	assert_int_equal(scene->again_result, 0);
	assert_true(revoked_views(scene->yard) >= 1);
	yard_check(scene->yard, NULL);
}

static void a_stopped_reader_holds_up_no_other_and_is_told_when_it_continues(void **state)
{
	NEEDS_PROCESSES();
	struct scene *scene = scene_new(state);
	pid_t reader = child_start(hold_a_view, scene);

	assert_true(wait_until(load_acquire(&scene->begun) != 0, SUPPORT_WAIT_MS));
	child_stop(reader);
	fill_and_refill(scene);
	store_release(&scene->done, 1u);
	kill(reader, SIGCONT);
	assert_int_equal(child_wait(reader), 0);
	assert_int_equal(scene->end_result, -ESTALE);
}

static int hold_a_view_for_ever(void *context)
{
	struct scene *scene = context;
	struct corral *corral = yard_open(scene->yard, 0);
	struct corral_view view;

	must(corral_read_begin(corral, &scene->key, &view) == 0);
	store_release(&scene->begun, 1u);
	for (;;)
		pause();
}

static void a_dead_reader_is_buried_not_revoked(void **state)
{
	NEEDS_PROCESSES();
	struct scene *scene = scene_new(state);
	pid_t reader = child_start(hold_a_view_for_ever, scene);

	assert_true(wait_until(load_acquire(&scene->begun) != 0, SUPPORT_WAIT_MS));
	child_kill(reader);
	fill_and_refill(scene);
	assert_int_equal(revoked_views(scene->yard), 0);
}

/* ------------------------------------------------------------ readers that read on */

static void views_are_left_alone_while_memory_suffices(void **state)
{
	struct scene *scene = scene_new(state);
	struct corral *corral = yard_open(scene->yard, 0);
	struct corral_view view;

	for (uint32_t i = 0; i < CHANGES / 100; i++) {
		assert_int_equal(corral_read_begin(corral, &scene->key, &view), 0);
		assert_int_equal(orders_add(corral, &scene->key, "item 1", 100, 1, NULL, NULL), 0);
		assert_int_equal(corral_read_end(&view), 0);
	}
	assert_int_equal(revoked_views(scene->yard), 0);
	corral_close(corral);
}

static void ones_own_view_is_not_revoked_but_memory_runs_out(void **state)
{
	struct scene *scene = scene_new(state);
	struct corral *corral = yard_open(scene->yard, 0);
	struct corral_view view;
	uint32_t added = 0;
	int r = 0;

	assert_int_equal(corral_read_begin(corral, &scene->key, &view), 0);
	for (; added < CHANGES && r == 0; added++)
		r = orders_add(corral, &scene->key, "item 1", 100, 1, NULL, NULL);
	assert_int_equal(r, -ENOMEM);
	assert_int_equal(corral_read_end(&view), 0);
	assert_int_equal(orders_add(corral, &scene->key, "item 1", 100, 1, NULL, NULL), 0);
	assert_int_equal(revoked_views(scene->yard), 0);
	corral_close(corral);
}

/* ---------------------------------------------------------------- reader words */

static void revoking_takes_the_oldest_first_and_cannot_be_undone(void **state)
{
	struct member member;
	struct actor driver, old, young;
	uint32_t thread = 0;

	assert_int_equal(member_join(*state, &member), 0);
	assert_int_equal(member_actor(&member, &driver), 0);
	assert_int_equal(member_actor(&member, &old), 0);
	assert_int_equal(member_actor(&member, &young), 0);
	grace_enter(&old);
	uint64_t first = grace_start_poll(&member.arena);
	assert_false(grace_advance(&driver, first)); /* flips */
	grace_enter(&young);
	uint64_t second = grace_start_poll(&member.arena);
	assert_false(grace_advance(&driver, second));
	assert_false(
		grace_revoke_oldest(&driver, 60000, NULL)); /* no reader has stalled for so long */
	assert_false(grace_revoked(&old));

	assert_true(wait_until(grace_revoke_oldest(&driver, 1, &thread), SUPPORT_WAIT_MS));
	assert_int_equal(thread, old.name - 1);
	assert_true(grace_revoked(&old));
	assert_false(grace_revoked(&young));
	assert_true(grace_advance(&driver, first));
	uint64_t mark = old.record->revoked;

	assert_false(grace_advance(&driver, second)); /* the younger reader holds this one up */
	assert_true(wait_until(grace_revoke_oldest(&driver, 1, &thread), SUPPORT_WAIT_MS));
	assert_int_equal(thread, young.name - 1);
	assert_true(grace_advance(&driver, second));
	assert_false(grace_revoke_oldest(&driver, 0, NULL)); /* no reader is left */
	assert_int_equal(old.record->revoked, mark);

	grace_enter(&old); /* nested in a revoked section */
	assert_int_equal(grace_leave_with(&old, 7), -ESTALE);
	assert_int_equal(grace_leave_with(&old, 7), -EAGAIN);
	grace_enter(&old); /* a new section is valid */
	assert_false(grace_revoked(&old));
	assert_int_equal(grace_leave_with(&old, 7), 7);
	grace_leave(&young);
	member_dismiss(&young);
	member_dismiss(&old);
	member_dismiss(&driver);
	member_leave(&member);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			revoking_takes_the_oldest_first_and_cannot_be_undone, setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(
			a_view_that_holds_all_memory_back_is_revoked_and_told_so, setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(
			a_stopped_reader_holds_up_no_other_and_is_told_when_it_continues, setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(a_dead_reader_is_buried_not_revoked, setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(views_are_left_alone_while_memory_suffices, setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(ones_own_view_is_not_revoked_but_memory_runs_out,
						setup, orders_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
