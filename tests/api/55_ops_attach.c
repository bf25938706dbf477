/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_ops_attach.c: handles, forks and threads: their identity in the arena, and the return of their
 * records.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orders_support.h"

#include "api/handle.h"
#include "base/atomic.h"

#define LEVELS 3
#define CROWDS 16u
#define THREADS (MAX_THREADS / CROWDS)

struct ranch {
	struct corral *corral;
	struct corral_key key;
	struct corral_view *view;
	const char *parents_bytes;
	pthread_barrier_t full;
	pthread_barrier_t leave;
	uint32_t changes;
	uint32_t stop;
	int level;
};

static struct ranch *ranch_new(void **state)
{
	struct ranch *ranch = support_shared(sizeof(*ranch));

	ranch->corral = yard_open(*state, 0);
	ranch->key = orders_key("restaurant", "session");
	return ranch;
}

static uint32_t count_records(const struct yard *yard, uint32_t *ret_processes)
{
	struct inspect_totals totals;
	struct inspect *inspect;
	char why[ARENA_WHY_BYTES];

	assert_int_equal(inspect_open(yard->path, false, &inspect, why, sizeof(why)), 0);
	assert_int_equal(inspect_totals(inspect, &totals), 0);
	inspect_close(inspect);
	*ret_processes = totals.processes;
	return totals.threads;
}

/* ------------------------------------------------------------------ handles */

static void a_read_only_handle_reads_and_refuses_every_change(void **state)
{
	struct ranch *ranch = ranch_new(state);
	struct corral *reader = yard_open(*state, CORRAL_READ_ONLY);
	struct corral_op op = orders_op(NULL, 1);
	struct corral_text name = T("table");
	struct corral_cart *cart;
	struct corral_entry entry;
	uint64_t version;
	size_t count;

	assert_int_equal(orders_add(reader, &ranch->key, "burger", 899, 1, NULL, NULL), -EROFS);
	assert_int_equal(orders_add(ranch->corral, &ranch->key, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(corral_get(reader, &ranch->key, &cart), 0);
	assert_int_equal(support_list(reader, NULL, &entry, 1, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(corral_wait(reader, &ranch->key, 0, 0, NULL, &version), 0);
	assert_int_equal(corral_set_quantity(reader, &ranch->key, 1, 2, NULL, NULL), -EROFS);
	assert_int_equal(corral_remove(reader, &ranch->key, 1, NULL, NULL), -EROFS);
	assert_int_equal(corral_clear(reader, &ranch->key, NULL, NULL), -EROFS);
	assert_int_equal(corral_set_tax(reader, &ranch->key, 1, NULL, NULL), -EROFS);
	assert_int_equal(corral_set_attribute(reader, &ranch->key, &name, NULL, NULL, NULL),
			 -EROFS);
	assert_int_equal(corral_set_ttl(reader, &ranch->key, 0, NULL, NULL), -EROFS);
	assert_int_equal(corral_checkout(reader, &ranch->key, NULL, NULL), -EROFS);
	assert_int_equal(corral_drop(reader, &ranch->key, NULL, NULL), -EROFS);
	assert_int_equal(corral_replace(reader, &ranch->key, cart, &op, NULL), -EROFS);
	corral_cart_free(cart);
	corral_close(reader);
	corral_close(ranch->corral);
}

static void handles_open_and_close_many_times_and_leave_no_record(void **state)
{
	struct corral_key key = orders_key("restaurant", "session");
	uint32_t processes;

	for (int i = 0; i < 2000; i++) {
		struct corral *corral = yard_open(*state, 0);
		assert_int_equal(orders_add(corral, &key, "burger", 1, 1, NULL, NULL), 0);
		corral_close(corral);
	}
	corral_close(NULL);
	assert_int_equal(count_records(*state, &processes), 0);
	assert_int_equal(processes, 0);
}

static void closing_one_handle_leaves_the_others(void **state)
{
	struct ranch *ranch = ranch_new(state);
	struct corral *second = yard_open(*state, 0), *third = yard_open(*state, 0);
	struct corral_view view;

	assert_int_equal(orders_add(second, &ranch->key, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(corral_read_begin(third, &ranch->key, &view), 0);
	corral_close(second);
	corral_close(ranch->corral);
	assert_int_equal(orders_add(third, &ranch->key, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(corral_read_end(&view), 0);
	corral_close(third);
}

static void what_is_wrong_with_a_location_is_said(void **state)
{
	struct yard *yard = *state;
	struct corral *corral = NULL;
	char location[256];

	assert_int_equal(corral_open("nosuch://host:6379", 0, &corral), -EPROTONOSUPPORT);
	assert_true(strlen(corral_why()) > 0);
	assert_int_equal(corral_open("/nowhere/at/all", 0, &corral), -ENOENT);
	assert_non_null(strstr(corral_why(), "/nowhere/at/all"));
	assert_int_equal(corral_open("", 0, &corral), -EINVAL);
	assert_int_equal(corral_open(yard->path, 1u << 20, &corral), -EINVAL);
	assert_null(corral); /* untouched on failure */
	snprintf(location, sizeof(location), "dir:%s", yard->path);
	assert_int_equal(corral_open(location, 0, &corral), 0);
	assert_string_equal(corral_why(), "");
	corral_close(corral);
	assert_int_equal(setenv("CORRAL_DIR", yard->path, 1), 0);
	assert_int_equal(corral_open(NULL, 0, &corral), 0);
	corral_close(corral);
	assert_int_equal(unsetenv("CORRAL_DIR"), 0);
}

/* -------------------------------------------------------------------- forks */

static int use_inherited(void *context)
{
	struct ranch *ranch = context;
	struct corral_view view;
	struct corral_head head;

	/* the child may not end its parent's view, before its first call or after it */
	if (ranch->view != NULL)
		must(corral_read_end(ranch->view) == -ESTALE);
	must(corral_read_begin(ranch->corral, &ranch->key, &view) == 0);
	must(corral_view_head(&view, &head) == 0);
	must(head.item_count >= 1);
	if (ranch->view != NULL)
		must(corral_read_end(ranch->view) == -ESTALE);
	must(orders_add(ranch->corral, &ranch->key, "from a child", 1, 1, NULL, NULL) == 0);
	fetch_add_relaxed(&ranch->changes, 1u);
	if (++ranch->level <= LEVELS) { /* the next child inherits an open view */
		ranch->view = NULL;
		must(child_wait(child_start(use_inherited, ranch)) == 0);
	}
	must(corral_read_end(&view) == 0);
	must(corral_read_end(&view) == -EINVAL);
	corral_close(ranch->corral);
	return 0;
}

static void
a_child_attaches_as_itself_over_three_levels_and_cannot_end_its_parents_view(void **state)
{
	NEEDS_WIPING_FORK();
	struct ranch *ranch = ranch_new(state);
	struct corral_view view;
	struct corral_head head;

	assert_int_equal(orders_add(ranch->corral, &ranch->key, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(corral_read_begin(ranch->corral, &ranch->key, &view), 0);
	/* on this process's heap: each child has a copy */
	struct corral_view *inherited = malloc(sizeof(*inherited));
	*inherited = view;
	ranch->view = inherited;
	ranch->level = 1;
	assert_int_equal(child_wait(child_start(use_inherited, ranch)), 0);
	assert_int_equal(ranch->changes, LEVELS);
	assert_int_equal(corral_view_head(&view, &head), 0);
	assert_int_equal(head.item_count, 1); /* our view is unchanged */
	assert_int_equal(corral_leave_thread(ranch->corral), -EBUSY);
	assert_int_equal(corral_read_end(&view), 0);
	assert_int_equal(orders_head(ranch->corral, &ranch->key, &head), 0);
	assert_int_equal(head.item_count, 1 + LEVELS);
	free(inherited);
	corral_close(ranch->corral);
}

static int close_unused(void *context)
{
	struct ranch *ranch = context;

	corral_close(ranch->corral);
	return 0;
}

static int exit_unused(void *context)
{
	(void)context;
	return 0;
}

static void a_child_that_closes_or_ignores_its_handle_takes_nothing_from_its_parent(void **state)
{
	NEEDS_WIPING_FORK();
	struct ranch *ranch = ranch_new(state);
	struct corral_view view;
	uint32_t processes;

	assert_int_equal(orders_add(ranch->corral, &ranch->key, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(corral_read_begin(ranch->corral, &ranch->key, &view), 0);
	assert_int_equal(child_wait(child_start(close_unused, ranch)), 0);
	assert_int_equal(child_wait(child_start(exit_unused, ranch)), 0);
	assert_int_equal(count_records(*state, &processes), 1);
	assert_int_equal(processes, 1);
	assert_int_equal(corral_read_end(&view), 0);
	assert_int_equal(orders_add(ranch->corral, &ranch->key, "burger", 899, 1, NULL, NULL), 0);
	corral_close(ranch->corral);
}

static void *change_until_told(void *context)
{
	struct ranch *ranch = context;

	while (load_relaxed(&ranch->stop) == 0)
		must(orders_add(ranch->corral, &ranch->key, "thread", 0, 1, NULL, NULL) == 0 ||
		     corral_clear(ranch->corral, &ranch->key, NULL, NULL) == 0);
	return NULL;
}

static int add_and_go(void *context)
{
	struct ranch *ranch = context;

	must(orders_add(ranch->corral, &ranch->key, "child", 0, 1, NULL, NULL) == 0);
	return 0;
}

static void forking_while_other_threads_are_in_calls_hurts_neither_side(void **state)
{
	NEEDS_WIPING_FORK();
	struct ranch *ranch = ranch_new(state);
	pthread_t threads[3];

	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, change_until_told, ranch), 0);
	for (int i = 0; i < 60; i++)
		assert_int_equal(child_wait(child_start(add_and_go, ranch)), 0);
	store_relaxed(&ranch->stop, 1);
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	corral_close(ranch->corral);
}

/* ------------------------------------------------------------------ threads */

static void *add_once(void *context)
{
	struct ranch *ranch = context;

	must(orders_add(ranch->corral, &ranch->key, "burger", 1, 1, NULL, NULL) == 0);
	return NULL;
}

static void *leave_a_view_open(void *context)
{
	struct ranch *ranch = context;
	struct corral_view view;

	must(corral_read_begin(ranch->corral, &ranch->key, &view) == 0);
	return NULL;
}

static void a_thread_gives_its_record_back_when_it_ends(void **state)
{
	struct ranch *ranch = ranch_new(state);
	uint32_t processes;
	pthread_t thread;

	for (uint32_t i = 0; i < MAX_THREADS + 100; i++) {
		assert_int_equal(pthread_create(&thread, NULL,
						i % 2 == 0 ? add_once : leave_a_view_open, ranch),
				 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	assert_int_equal(count_records(*state, &processes), 0);
	assert_int_equal(orders_add(ranch->corral, &ranch->key, "burger", 1, 1, NULL, NULL), 0);
	assert_int_equal(count_records(*state, &processes), 1);
	assert_int_equal(corral_leave_thread(ranch->corral), 0);
	assert_int_equal(corral_leave_thread(ranch->corral), 0); /* twice is fine */
	assert_int_equal(count_records(*state, &processes), 0);
	corral_close(ranch->corral);
}

static void *take_a_record(void *context)
{
	struct ranch *ranch = context;
	struct corral_head head;

	must(orders_head(ranch->corral, &ranch->key, &head) == -ENOENT);
	(void)pthread_barrier_wait(&ranch->full);
	(void)pthread_barrier_wait(&ranch->leave);
	return NULL;
}

static int take_many_records(void *context)
{
	pthread_t threads[THREADS];
	pthread_attr_t small;

	must(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 256 * 1024) == 0);
	for (uint32_t i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], &small, take_a_record, context) == 0);
	for (uint32_t i = 0; i < THREADS; i++)
		must(pthread_join(threads[i], NULL) == 0);
	(void)pthread_attr_destroy(&small);
	return 0;
}

static void one_thread_more_than_records_is_told_so_until_one_is_free(void **state)
{
	NEEDS_PROCESSES();
	struct ranch *ranch = ranch_new(state);
	pid_t pids[CROWDS];
	struct corral_head head;

	orders_barrier_init(&ranch->full, MAX_THREADS + 1);
	orders_barrier_init(&ranch->leave, MAX_THREADS + 1);
	for (uint32_t i = 0; i < CROWDS; i++)
		pids[i] = child_start(take_many_records, ranch);
	(void)pthread_barrier_wait(&ranch->full);
	assert_int_equal(orders_head(ranch->corral, &ranch->key, &head), -EUSERS);
	assert_int_equal(orders_add(ranch->corral, &ranch->key, "burger", 1, 1, NULL, NULL),
			 -EUSERS);
	(void)pthread_barrier_wait(&ranch->leave);
	for (uint32_t i = 0; i < CROWDS; i++)
		assert_int_equal(child_wait(pids[i]), 0);
	assert_int_equal(orders_add(ranch->corral, &ranch->key, "burger", 1, 1, NULL, NULL), 0);
	corral_close(ranch->corral);
}

static void one_process_more_than_records_is_told_so_until_one_is_free(void **state)
{
	static struct member members[MAX_PROCESSES];
	struct rlimit files = { 8192, 8192 };
	struct corral *one_more = NULL;

	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		skip_because("the limit of open files cannot be raised");
	for (uint32_t i = 0; i < MAX_PROCESSES; i++)
		assert_int_equal(member_join(*state, &members[i]), 0);
	assert_int_equal(corral_open(((struct yard *)*state)->path, 0, &one_more), -EUSERS);
	assert_true(strlen(corral_why()) > 0);
	member_leave(&members[17]);
	one_more = yard_open(*state, 0);
	corral_close(one_more);
	for (uint32_t i = 0; i < MAX_PROCESSES; i++)
		if (i != 17)
			member_leave(&members[i]);
}

/* ------------------------------------------------------------------ handles */

static uint32_t open_files(void)
{
	uint32_t count = 0;

	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void handles_of_a_process_share_one_attachment(void **state)
{
	static struct corral *handles[2 * MAX_PROCESSES]; /* more than there are records */
	struct ranch *ranch = ranch_new(state);
	uint32_t processes, files = open_files();
	struct corral_view view;

	for (uint32_t i = 0; i < COUNT(handles); i++) {
		handles[i] = yard_open(*state, i % 3 == 0 ? CORRAL_OBSERVE : 0);
		if (i % 100 == 0)
			assert_int_equal(
				orders_add(handles[i], &ranch->key, "burger", 1, 1, NULL, NULL), 0);
	}
	assert_int_equal(open_files(), files);
	assert_int_equal(count_records(*state, &processes), 1); /* one thread, so one record */
	assert_int_equal(processes, 1);
	/* handles may be closed in any order; a view outlives another handle */
	corral_close(ranch->corral);
	assert_int_equal(corral_read_begin(handles[7], &ranch->key, &view), 0);
	for (uint32_t i = 0; i < COUNT(handles); i++)
		if (i != 7)
			corral_close(handles[i]);
	assert_int_equal(corral_read_end(&view), 0);
	assert_int_equal(orders_add(handles[7], &ranch->key, "burger", 1, 1, NULL, NULL), 0);
	corral_close(handles[7]);
	assert_int_equal(count_records(*state, &processes), 0);
	assert_int_equal(processes, 0);
}

static void *open_and_end(void *context)
{
	struct corral *forgotten = yard_open(context, 0);
	struct corral_key key = orders_key("restaurant", "session");

	must(orders_add(forgotten, &key, "burger", 1, 1, NULL, NULL) == 0);
	return NULL;
}

static int open_and_forget(void *context)
{
	pthread_t thread;
	uint32_t processes;

	for (uint32_t i = 0; i < MAX_PROCESSES + 10; i++) {
		must(pthread_create(&thread, NULL, open_and_end, context) == 0);
		must(pthread_join(thread, NULL) == 0);
	}
	must(count_records(context, &processes) == 0 && processes == 1);
	return 0;
}

static void threads_that_end_without_closing_use_no_records_up(void **state)
{
	NEEDS_PROCESSES();
	assert_int_equal(child_wait(child_start(open_and_forget, *state)), 0);
	corral_close(yard_open(*state, 0));
}

static void each_handle_has_its_own_patience(void **state)
{
	struct ranch *ranch = ranch_new(state);
	struct corral *other = yard_open(*state, 0);
	struct actor *actor;

	assert_int_equal(corral_set_patience(ranch->corral, 7), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(handle_actor(ranch->corral, &actor), 0);
		assert_int_equal(actor->patience_ms, 7);
		assert_int_equal(handle_actor(other, &actor), 0);
		assert_int_equal(actor->patience_ms, 1000 + (uint32_t)round);
		assert_int_equal(corral_set_patience(other, 1001), 0);
		assert_int_equal(actor->patience_ms, 1001);
		assert_int_equal(corral_set_patience(ranch->corral, 7), 0);
		assert_int_equal(actor->patience_ms, 1001);
	}
	corral_close(ranch->corral);
	corral_close(other);
}

static void patience_may_be_changed_while_others_work(void **state)
{
	struct ranch *ranch = ranch_new(state);
	pthread_t threads[3], late;

	assert_int_equal(corral_set_patience(ranch->corral, 3600001), -ERANGE);
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, change_until_told, ranch), 0);
	for (uint32_t i = 0; i < 200; i++) {
		assert_int_equal(corral_set_patience(ranch->corral, 10000 + i), 0);
		assert_int_equal(pthread_create(&late, NULL, add_once, ranch), 0);
		assert_int_equal(corral_set_patience(ranch->corral, 20000 + i), 0);
		assert_int_equal(pthread_join(late, NULL), 0);
	}
	store_relaxed(&ranch->stop, 1);
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	corral_close(ranch->corral);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, orders_setup, orders_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_read_only_handle_reads_and_refuses_every_change),
		CASE(handles_open_and_close_many_times_and_leave_no_record),
		CASE(closing_one_handle_leaves_the_others),
		CASE(what_is_wrong_with_a_location_is_said),
		CASE(a_child_attaches_as_itself_over_three_levels_and_cannot_end_its_parents_view),
		CASE(a_child_that_closes_or_ignores_its_handle_takes_nothing_from_its_parent),
		CASE(forking_while_other_threads_are_in_calls_hurts_neither_side),
		CASE(a_thread_gives_its_record_back_when_it_ends),
		CASE(one_thread_more_than_records_is_told_so_until_one_is_free),
		CASE(one_process_more_than_records_is_told_so_until_one_is_free),
		CASE(handles_of_a_process_share_one_attachment),
		CASE(threads_that_end_without_closing_use_no_records_up),
		CASE(each_handle_has_its_own_patience),
		CASE(patience_may_be_changed_while_others_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
