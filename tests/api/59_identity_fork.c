/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 59_identity_fork.c: a child is never its parent: it waits for its parent's locks like any
 * process, ends none of its views, and does nothing at its end that affects its parent.
 * (25_alive_fork.c: finding the dead; 55_ops_attach.c: use over three levels; 59_identity_exec.c:
 * other programs.)
 */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "identity_kit.h"

#include "base/atomic.h"

#define LEVELS 3u

struct family {
	struct yard yard;
	struct corral *corral; /* inherited */
	struct corral_key key;
	uint32_t locked;
	uint32_t waits;
	uint32_t go;
	uint32_t done;
	int32_t pids[LEVELS];
	uint32_t told[LEVELS];
};

static struct family *family_new(void)
{
	struct family *family = support_shared(sizeof(*family));

	orders_yard(&family->yard, 4u << 20, 100, 30 * 60 * 1000);
	family->corral = yard_open(&family->yard, 0);
	family->key = orders_key("restaurant", "session");
	assert_int_equal(orders_add(family->corral, &family->key, "burger", 899, 1, NULL, NULL), 0);
	return family;
}

static void family_end(struct family *family)
{
	corral_close(family->corral);
	yard_check(&family->yard, NULL);
	yard_remove(&family->yard);
}

/* ------------------------------------------------------------------- locks */

/* This thread is in the middle of a change while another thread of its process forks. */
static void *hold_the_cart(void *context)
{
	struct family *family = context;
	struct slot *slot = identity_take_cart(family->corral, &family->key);

	store_release(&family->locked, 1);
	identity_wait_for(&family->go);
	identity_drop_cart(family->corral, slot);
	return NULL;
}

static int wait_for_parents_lock(void *context)
{
	struct family *family = context;

	alarm(2 * SUPPORT_WAIT_MS / 1000);
	must(corral_set_patience(family->corral, IDENTITY_PATIENCE_MS) == 0);
	must(orders_add(family->corral, &family->key, "coke", 199, 1, NULL, NULL) == -EBUSY);
	must(corral_drop(family->corral, &family->key, NULL, NULL) == -EBUSY);
	must(corral_set_patience(family->corral, SUPPORT_WAIT_MS) == 0);
	store_release(&family->waits, 1);
	must(orders_add(family->corral, &family->key, "coke", 199, 1, NULL, NULL) == 0);
	corral_close(family->corral);
	store_release(&family->done, 1);
	return 0;
}

/* Unlike a child of child_start(), this one outlives its parent. */
static int hold_and_fork(void *context)
{
	struct family *family = context;
	pthread_t thread;

	family->corral = yard_open(&family->yard, 0);
	must(pthread_create(&thread, NULL, hold_the_cart, family) == 0);
	identity_wait_for(&family->locked);
	pid_t pid = fork();
	if (pid == 0)
		_exit(wait_for_parents_lock(family));
	must(pthread_join(thread, NULL) == 0);
	must(child_wait(pid) == 0);
	corral_close(family->corral);
	return 0;
}

static void child_waits_for_its_parents_lock(bool parent_dies)
{
	NEEDS_WIPING_FORK();
	struct family *family = family_new();
	struct corral *ours = family->corral;
	struct corral_head head;

	pid_t pid = child_start(hold_and_fork, family);
	identity_wait_for(&family->waits);
	assert_int_equal(orders_head(ours, &family->key, &head), 0);
	assert_int_equal(head.version, 1);
	if (parent_dies) {
		child_kill(pid);
	} else {
		store_release(&family->go, 1);
		assert_int_equal(child_wait(pid), 0);
	}
	identity_wait_for(&family->done);
	assert_int_equal(orders_head(ours, &family->key, &head), 0);
	assert_int_equal(head.version, 2);
	family->corral = ours;
	family_end(family);
}

static void a_child_forked_in_another_threads_change_waits_for_it(void **state)
{
	(void)state;
	child_waits_for_its_parents_lock(false);
}

static void a_child_forked_in_another_threads_change_repairs_its_dead_parent(void **state)
{
	(void)state;
	child_waits_for_its_parents_lock(true);
}

/* ------------------------------------------------------------------- views */

#define CHANGES_BEHIND                                                                             \
	2000 /* their blocks have the size of the one in the open view, and all fit the arena */
#define CHANGES_AFTER 50000 /* more than fit the arena unless blocks are reused */

static int change_behind_a_view(void *context)
{
	struct family *family = context;
	struct corral *corral = family->corral;

	for (uint32_t i = 0; i < CHANGES_BEHIND; i++)
		must(corral_set_quantity(corral, &family->key, 1, 2 + i % 7, NULL, NULL) == 0);
	store_release(&family->waits, 1);
	identity_wait_for(&family->go);
	for (uint32_t i = 0; i < CHANGES_AFTER; i++)
		must(corral_set_quantity(corral, &family->key, 1, 2 + i % 7, NULL, NULL) == 0);
	return 0;
}

static void what_a_parent_looks_at_is_not_reused_by_its_child(void **state)
{
	(void)state;
	NEEDS_WIPING_FORK();
	struct family *family = family_new();
	struct corral_view view;
	char copy[4096];

	assert_int_equal(corral_read_begin(family->corral, &family->key, &view), 0);
	assert_true(view.size <= sizeof(copy));
	memcpy(copy, view.bytes, view.size);
	pid_t pid = child_start(change_behind_a_view, family);
	identity_wait_for(&family->waits);
	assert_memory_equal(view.bytes, copy, view.size);
	assert_int_equal(corral_read_end(&view), 0);
	store_release(&family->go, 1);
	assert_int_equal(child_wait(pid), 0);
	family_end(family);
}

/* -------------------------------------------------------------------- ends */

static struct family *ending; /* of the child, for its exit handler */

static void close_at_exit(void)
{
	corral_close(ending->corral);
}

static int end_by_exit_handler(void *context)
{
	ending = context;
	must(at_quick_exit(close_at_exit) ==
	     0); /* not atexit(): LeakSanitizer would report memory that cmocka left */
	quick_exit(0);
}

static void *exit_after(void *thread)
{
	must(pthread_join(*(pthread_t *)thread, NULL) == 0);
	_exit(0); /* the last thread's end would call exit(), see above */
}

/* The parent's key has a value in this thread too, so its destructor runs. */
static int end_by_pthread_exit(void *context)
{
	static pthread_t first;
	pthread_t second;

	(void)context;
	first = pthread_self();
	must(pthread_create(&second, NULL, exit_after, &first) == 0);
	pthread_exit(NULL);
}

static int end_by_leaving(void *context)
{
	struct family *family = context;

	must(corral_leave_thread(family->corral) == 0); /* although its parent has a view open */
	return 0;
}

static int use_and_end_by_pthread_exit(void *context)
{
	struct family *family = context;
	struct corral_head head;

	must(orders_head(family->corral, &family->key, &head) == 0);
	return end_by_pthread_exit(NULL);
}

static int use_and_be_killed(void *context)
{
	struct family *family = context;
	struct corral_view view;

	must(corral_read_begin(family->corral, &family->key, &view) == 0);
	raise(SIGKILL);
	return 0;
}

static void a_child_leaves_its_parents_records_alone_however_it_ends(void **state)
{
	(void)state;
	NEEDS_WIPING_FORK();
	int (*const ways[])(void *) = { end_by_exit_handler, end_by_pthread_exit, end_by_leaving,
					use_and_end_by_pthread_exit, use_and_be_killed };
	struct family *family = family_new();
	struct corral_view view;
	struct actor *actor;

	assert_int_equal(corral_read_begin(family->corral, &family->key, &view), 0);
	assert_int_equal(handle_actor(family->corral, &actor), 0);
	for (size_t i = 0; i < COUNT(ways); i++) {
		struct thread_record thread = *actor->record;
		struct process_record process =
			family->corral->arena.processes[family->corral->share->life.process];
		int expected = ways[i] == use_and_be_killed ? -SIGKILL : 0;

		assert_int_equal(child_wait(child_start(ways[i], family)), expected);
		(void)identity_bury_all(family->corral);
		assert_memory_equal(&thread.reader, &actor->record->reader, CACHE_LINE);
		assert_memory_equal(&thread.intent, &actor->record->intent, sizeof(thread.intent));
		assert_memory_equal(thread.cache, actor->record->cache, sizeof(thread.cache));
		assert_memory_equal(
			&process,
			&family->corral->arena.processes[family->corral->share->life.process],
			sizeof(process));
	}
	assert_int_equal(corral_read_end(&view), 0);
	family_end(family);
}

/* ------------------------------------------------------------------- levels */

/* Attach by itself, open a view, make the next level, wait for the signal, change a cart. */
static int be_level(struct family *family, uint32_t level)
{
	struct corral_view view;

	alarm(2 * SUPPORT_WAIT_MS / 1000);
	must(corral_read_begin(family->corral, &family->key, &view) == 0);
	store_release(&family->pids[level], getpid());
	if (level + 1 < LEVELS && fork() == 0)
		_exit(be_level(family, level + 1));
	identity_wait_for(&family->told[level]);
	must(corral_read_end(&view) == 0);
	must(orders_add(family->corral, &family->key, "coke", 199, 1, NULL, NULL) == 0);
	corral_close(family->corral);
	store_release(&family->done, level + 1);
	return 0;
}

static int be_first_level(void *context)
{
	return be_level(context, 0);
}

static void each_of_three_generations_dies_for_itself(void **state)
{
	(void)state;
	NEEDS_WIPING_FORK();
	struct family *family = family_new();
	struct corral *corral = family->corral;

	pid_t pid = child_start(be_first_level, family);
	for (uint32_t i = 0; i < LEVELS; i++)
		assert_true(wait_until(load_acquire(&family->pids[i]) != 0, SUPPORT_WAIT_MS));
	for (uint32_t i = 0; i < LEVELS; i++)
		assert_non_null(identity_record_of(corral, family->pids[i]));
	assert_int_equal(identity_bury_all(corral), 0);
	for (uint32_t i = 1; i < LEVELS; i++) { /* the middle one, then the eldest, its child */
		uint32_t dies = i == 1 ? 1 : 0;
		kill(family->pids[dies], SIGKILL);
		assert_true(wait_until(identity_bury_all(corral) == 1, SUPPORT_WAIT_MS));
		assert_null(identity_record_of(corral, family->pids[dies]));
		assert_non_null(identity_record_of(corral, family->pids[2]));
	}
	child_kill(pid);
	store_release(&family->told[2], 1);
	assert_true(wait_until(load_acquire(&family->done) == LEVELS, SUPPORT_WAIT_MS));
	family_end(family);
}

/* --------------------------------------------------------- past the handlers */

static int clone_and_stay(void *context)
{
	struct family *family = context;

	family->corral = yard_open(&family->yard, 0);
	must(pthread_create(&(pthread_t){ 0 }, NULL, hold_the_cart, family) == 0);
	identity_wait_for(&family->locked);
	int32_t pid = (int32_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		alarm(2 * SUPPORT_WAIT_MS / 1000);
		for (;;)
			pause();
	}
	store_release(&family->pids[0], pid);
	for (;;)
		pause();
}

/*
 * The limit that corral(3) states: a child that was made past the fork handlers and never calls the
 * library keeps the parent's byte through its copy of the descriptor. No holder is robbed; it ends
 * with the child.
 */
static void a_raw_child_that_calls_nothing_keeps_its_dead_parents_locks_until_it_ends(void **state)
{
	(void)state;
	NEEDS_WIPING_FORK();
	struct family *family = family_new();
	struct corral *ours = family->corral;

	pid_t pid = child_start(clone_and_stay, family);
	assert_true(wait_until(load_acquire(&family->pids[0]) != 0, SUPPORT_WAIT_MS));
	child_kill(pid);
	assert_int_equal(identity_bury_all(ours), 0);
	assert_int_equal(corral_set_patience(ours, IDENTITY_PATIENCE_MS), 0);
	assert_int_equal(orders_add(ours, &family->key, "coke", 199, 1, NULL, NULL), -EBUSY);
	assert_int_equal(kill(family->pids[0], SIGKILL), 0);
	assert_true(wait_until(orders_add(ours, &family->key, "coke", 199, 1, NULL, NULL) == 0,
			       SUPPORT_WAIT_MS));
	family->corral = ours;
	family_end(family);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_forked_in_another_threads_change_waits_for_it),
		cmocka_unit_test(a_child_forked_in_another_threads_change_repairs_its_dead_parent),
		cmocka_unit_test(what_a_parent_looks_at_is_not_reused_by_its_child),
		cmocka_unit_test(a_child_leaves_its_parents_records_alone_however_it_ends),
		cmocka_unit_test(each_of_three_generations_dies_for_itself),
		cmocka_unit_test(
			a_raw_child_that_calls_nothing_keeps_its_dead_parents_locks_until_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
