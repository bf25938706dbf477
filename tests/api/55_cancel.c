/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_cancel.c: a wait ends when another thread says so, whether the kernel lets it sleep on two
 * words or not, and what a wait was told is told apart: a change, a cancel, a time-out.
 *
 * The bodies run as they are, and in children where a seccomp filter refuses futex_waitv.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/atomic.h"
#include "orders_support.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define WAITERS 4u
#define AT_ONCE_MS 0

struct scene {
	const struct yard *yard;
	struct corral *corral;
	struct corral_key key, absent;
	uint32_t cancel;
	bool refused; /* futex_waitv is */
};

struct waiter {
	struct scene *scene;
	const struct corral_key *key;
	uint64_t past;
	pthread_t thread;
	uint32_t tid;
	int result;
	uint64_t version;
};

static void *wait_for_ever(void *context)
{
	struct waiter *waiter = context;
	struct scene *scene = waiter->scene;

	store_release(&waiter->tid, (uint32_t)syscall(SYS_gettid));
	waiter->result = corral_wait(scene->corral, waiter->key, waiter->past, -1, &scene->cancel,
				     &waiter->version);
	return NULL;
}

/* The system call that a thread sleeps in; -1: in none, or it cannot be told. */
static long sleeps_in(const struct waiter *waiter)
{
	char path[64];
	long number = -1;

	snprintf(path, sizeof(path), "/proc/self/task/%u/syscall", load_acquire(&waiter->tid));
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return -1;
	if (fscanf(file, "%ld", &number) != 1) /* NOLINT(cert-err34-c) */
		number = -1;
	fclose(file);
	return number;
}

struct sleeper {
	pthread_t thread;
	struct waiter waiter; /* only its tid counts */
	uint32_t word;
};

static void *sleep_on_a_word(void *context)
{
	struct sleeper *sleeper = context;

	store_release(&sleeper->waiter.tid, (uint32_t)syscall(SYS_gettid));
	while (load_acquire(&sleeper->word) == 0)
		(void)futex_sleep(&sleeper->word, 0, NULL);
	return NULL;
}

/*
 * Can it be told which call a thread sleeps in? It is tried with one that is known: under an
 * emulator the kernel's numbers are not the program's.
 */
static bool can_tell(void)
{
	static int can = -1;
	struct sleeper sleeper = { .word = 0 };
	long number = -1;

	if (can >= 0)
		return can;
	must(pthread_create(&sleeper.thread, NULL, sleep_on_a_word, &sleeper) == 0);
	must(wait_until(load_acquire(&sleeper.waiter.tid) != 0, SUPPORT_WAIT_MS));
	(void)wait_until((number = sleeps_in(&sleeper.waiter)) >= 0, 1000);
	can = number == SYS_futex;
	store_release(&sleeper.word, 1u);
	futex_wake(&sleeper.word, 1);
	must(pthread_join(sleeper.thread, NULL) == 0);
	return can;
}

static bool has_waitv(void)
{
	return syscall(SYS_futex_waitv, NULL, 0, 0, NULL, CLOCK_MONOTONIC) < 0 && errno == EINVAL;
}

static void start(struct waiter *waiter)
{
	must(pthread_create(&waiter->thread, NULL, wait_for_ever, waiter) == 0);
	must(wait_until(load_acquire(&waiter->tid) != 0, SUPPORT_WAIT_MS));
}

/* Wait until it sleeps, and in which way it should: with both words where the kernel has that. */
static void until_it_sleeps(const struct waiter *waiter)
{
	const long number = !waiter->scene->refused && has_waitv() ? SYS_futex_waitv : SYS_futex;

	if (can_tell())
		must(wait_until(sleeps_in(waiter) == number, SUPPORT_WAIT_MS));
}

static struct waiter waiter_of(struct scene *scene, bool absent)
{
	return (struct waiter){ .scene = scene,
				.key = absent ? &scene->absent : &scene->key,
				.past = absent ? 0 : 1,
				.result = 99,
				.version = 99 };
}

/* ------------------------------------------------------------------------ bodies */

static void all_waiters_of_a_word_end(struct scene *scene)
{
	struct waiter waiters[WAITERS];

	for (uint32_t i = 0; i < WAITERS; i++) {
		waiters[i] = waiter_of(scene, i % 2 == 0);
		start(&waiters[i]);
		until_it_sleeps(&waiters[i]);
	}
	corral_cancel(&scene->cancel);
	for (uint32_t i = 0; i < WAITERS; i++) {
		must(pthread_join(waiters[i].thread, NULL) == 0);
		must(waiters[i].result == -ECANCELED);
		must(waiters[i].version == 99);
	}
	must(scene->cancel == 1);
}

static void a_cancelled_word_ends_waits_that_begin_later(struct scene *scene)
{
	uint64_t version = 99;

	must(scene->cancel == 1);
	must(corral_wait(scene->corral, &scene->key, 1, -1, &scene->cancel, &version) ==
	     -ECANCELED);
	must(corral_wait(scene->corral, &scene->absent, 0, AT_ONCE_MS, &scene->cancel, &version) ==
	     -ECANCELED);
	/* what is there is reported all the same */
	must(corral_wait(scene->corral, &scene->key, 0, -1, &scene->cancel, &version) == 0);
	must(version == 1);
	must(corral_wait(scene->corral, &scene->absent, 1, -1, &scene->cancel, &version) ==
	     -ENOENT);
	scene->cancel = 0;
	must(corral_wait(scene->corral, &scene->key, 1, 30, &scene->cancel, &version) ==
	     -ETIMEDOUT);
}

static void a_change_wakes_a_wait_that_could_be_cancelled(struct scene *scene)
{
	struct waiter there = waiter_of(scene, false), absent = waiter_of(scene, true);

	start(&there);
	start(&absent);
	until_it_sleeps(&there);
	until_it_sleeps(&absent);
	must(orders_add(scene->corral, &scene->key, "coke", 199, 1, NULL, NULL) == 0);
	must(orders_add(scene->corral, &scene->absent, "tea", 199, 1, NULL, NULL) == 0);
	must(pthread_join(there.thread, NULL) == 0 && pthread_join(absent.thread, NULL) == 0);
	must(there.result == 0 && there.version == 2);
	must(absent.result == 0 && absent.version == 1);
}

static int play(void *context)
{
	struct scene *scene = context;

	scene->corral = yard_open(scene->yard, 0);
	scene->key = orders_key("r", "s");
	scene->absent = orders_key("r", "absent");
	must(orders_add(scene->corral, &scene->key, "burger", 899, 1, NULL, NULL) == 0);
	all_waiters_of_a_word_end(scene);
	a_cancelled_word_ends_waits_that_begin_later(scene);
	a_change_wakes_a_wait_that_could_be_cancelled(scene);
	corral_close(scene->corral);
	return 0;
}

/* ------------------------------------------------------------------------- tests */

static void waits_can_be_cancelled(void **state)
{
	struct scene scene = { .yard = *state };

	assert_int_equal(play(&scene), 0);
}

static int play_refused(void *context)
{
	struct scene *scene = context;

	if (!support_filter_call(SYS_futex_waitv, (uint32_t)scene->cancel))
		return CHILD_SKIPS;
	scene->cancel = 0;
	scene->refused = true;
	must(!has_waitv());
	return play(scene);
}

static void cancelled_where_it_is_refused(void **state, uint32_t error)
{
	struct scene scene = { .yard = *state, .cancel = error };

	NEEDS_PROCESSES();
	int code = child_wait(child_start(play_refused, &scene));
	if (code == CHILD_SKIPS)
		skip_because("no seccomp filters here");
	assert_int_equal(code, 0);
}

static void waits_can_be_cancelled_where_the_kernel_has_no_futex_waitv(void **state)
{
	cancelled_where_it_is_refused(state, ENOSYS);
}

static void waits_can_be_cancelled_where_a_sandbox_forbids_futex_waitv(void **state)
{
	cancelled_where_it_is_refused(state, EPERM);
}

struct victim {
	const struct yard *yard;
	uint32_t ready;
};

static int wait_until_killed(void *context)
{
	struct victim *victim = context;
	struct corral *corral = yard_open(victim->yard, 0);
	struct corral_key key = orders_key("r", "s");
	uint32_t cancel = 0;
	uint64_t version;

	store_release(&victim->ready, 1u);
	return corral_wait(corral, &key, 1, -1, &cancel, &version);
}

static void a_killed_wait_leaves_nothing_behind(void **state)
{
	struct victim *victim = support_shared(sizeof(*victim));
	struct corral_key key = orders_key("r", "s");
	struct inspect_totals totals;
	struct corral *corral;
	pid_t pid;

	NEEDS_PROCESSES();
	victim->yard = *state;
	corral = yard_open(*state, 0);
	assert_int_equal(orders_add(corral, &key, "burger", 899, 1, NULL, NULL), 0);
	pid = child_start(wait_until_killed, victim);
	assert_true(wait_until(load_acquire(&victim->ready) != 0, SUPPORT_WAIT_MS));
	support_sleep_us(20000); /* most likely it sleeps by now; the test is right either way */
	child_kill(pid);
	assert_int_equal(orders_add(corral, &key, "coke", 199, 1, NULL, NULL), 0);
	corral_close(corral);
	corral = yard_open(*state, 0); /* takes the dead process's record */
	yard_check(*state, &totals);
	assert_int_equal(totals.readers, 0);
	assert_int_equal(totals.processes, 1);
	assert_int_equal(totals.processes_dead, 0);
	corral_close(corral);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(waits_can_be_cancelled, orders_setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(
			waits_can_be_cancelled_where_the_kernel_has_no_futex_waitv, orders_setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(
			waits_can_be_cancelled_where_a_sandbox_forbids_futex_waitv, orders_setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(a_killed_wait_leaves_nothing_behind, orders_setup,
						orders_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
