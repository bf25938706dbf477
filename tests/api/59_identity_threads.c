/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 59_identity_threads.c: threads give their records back however they end, and a new thread takes a
 * dead thread's record before a never-used one.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "orders_support.h"

#include "api/handle.h"
#include "base/atomic.h"
#include "store/repair.h"

struct fixture {
	struct yard *yard;
	struct corral *corral;
	struct corral_key key;
	uint32_t ready;
	uint32_t go;
	struct corral_view view;
};

static struct fixture *fixture_new(void **state)
{
	struct fixture *fixture = support_shared(sizeof(*fixture));

	fixture->yard = *state;
	fixture->corral = yard_open(*state, 0);
	fixture->key = orders_key("restaurant", "session");
	assert_int_equal(orders_add(fixture->corral, &fixture->key, "burger", 899, 1, NULL, NULL),
			 0);
	return fixture;
}

static void wait_for_word(const uint32_t *word)
{
	must(wait_until(load_acquire(word) != 0, SUPPORT_WAIT_MS));
}

/* Number of owned thread records. */
static uint32_t records_used(const struct corral *corral)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < corral->arena.max_threads; i++)
		used += load_acquire(&corral->arena.threads[i].owner) != 0;
	return used;
}

static uint32_t readers(const struct corral *corral)
{
	uint32_t inside = 0;

	for (uint32_t i = 0; i < corral->arena.max_threads; i++)
		inside += load_acquire(&corral->arena.threads[i].reader) != 0 ||
			  corral->arena.threads[i].nest != 0;
	return inside;
}

static void assert_cancelled(pthread_t thread)
{
	void *result = NULL;

	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, PTHREAD_CANCELED);
}

/* ------------------------------------------------------------- cancellation */

/*
 * Threads are cancelled in functions without variables: AddressSanitizer does not clean their
 * stacks.
 */

static __attribute__((noinline)) void work(struct fixture *fixture)
{
	struct corral_head head;

	must(orders_add(fixture->corral, &fixture->key, "coke", 0, 1, NULL, NULL) == 0 ||
	     corral_clear(fixture->corral, &fixture->key, NULL, NULL) == 0);
	must(orders_head(fixture->corral, &fixture->key, &head) == 0);
	store_release(&fixture->ready, 1);
}

static void *work_until_cancelled(void *context)
{
	struct fixture *fixture = context;

	while (load_acquire(&fixture->go) == 0) { /* never set: only cancellation ends this */
		work(fixture);
		pthread_testcancel();
	}
	return NULL;
}

static void a_thread_cancelled_between_calls_gives_its_record_back(void **state)
{
	struct fixture *fixture = fixture_new(state);
	pthread_t threads[4];

	for (uint32_t round = 0; round < 10; round++) {
		fixture->ready = 0;
		for (size_t i = 0; i < COUNT(threads); i++)
			assert_int_equal(
				pthread_create(&threads[i], NULL, work_until_cancelled, fixture),
				0);
		wait_for_word(&fixture->ready);
		for (size_t i = 0; i < COUNT(threads); i++)
			assert_int_equal(pthread_cancel(threads[i]), 0);
		for (size_t i = 0; i < COUNT(threads); i++)
			assert_cancelled(threads[i]);
		assert_int_equal(records_used(fixture->corral), 1);
	}
	corral_close(fixture->corral);
	yard_check(fixture->yard, NULL);
}

/*
 * Fill more than the arena holds: changes wait for room, and then revoke the view that holds memory
 * back.
 */
static void fill_up(struct corral *corral, const struct corral_key *key)
{
	char notes[4000];
	struct corral_item item = orders_item("burger", 899, 1);

	memset(notes, 'n', sizeof(notes));
	item.notes = (struct corral_text){ notes, sizeof(notes) };
	for (int i = 0; i < 6000; i++)
		must(corral_add(corral, key, &item, NULL, NULL) == 0);
}

static __attribute__((noinline)) void call_everything(struct fixture *fixture)
{
	struct corral_key other = orders_key("restaurant", "other");
	struct corral *corral;
	uint64_t version;

	must(pthread_cancel(pthread_self()) == 0);
	must(corral_open(fixture->yard->path, 0, &corral) == 0);
	must(orders_add(corral, &other, "burger", 899, 1, NULL, NULL) == 0);
	must(corral_wait(corral, &other, 1, 1, NULL, &version) == -ETIMEDOUT);
	fill_up(corral, &other);
	must(corral_leave_thread(corral) == 0);
	must(corral_drop(corral, &other, NULL, NULL) == 0);
	corral_close(corral);
	store_release(&fixture->ready, 1);
}

static void *call_everything_while_cancelled(void *context)
{
	call_everything(context);
	pthread_testcancel();
	return NULL;
}

static void no_call_is_a_cancellation_point(void **state)
{
	struct fixture *fixture = fixture_new(state);
	struct corral_view view;
	pthread_t thread;

	/* this view holds retired blocks back */
	assert_int_equal(corral_read_begin(fixture->corral, &fixture->key, &view), 0);
	assert_int_equal(pthread_create(&thread, NULL, call_everything_while_cancelled, fixture),
			 0);
	assert_cancelled(thread);
	assert_int_equal(fixture->ready, 1);
	assert_int_equal(corral_read_end(&view), -ESTALE);
	assert_int_equal(records_used(fixture->corral), 1);
	corral_close(fixture->corral);
	yard_check(fixture->yard, NULL);
}

static void *sleep_in_a_view(void *context)
{
	struct fixture *fixture = context;

	must(corral_read_begin(fixture->corral, &fixture->key, &fixture->view) == 0);
	store_release(&fixture->ready, 1);
	for (;;)
		pause();
}

static void a_thread_cancelled_in_a_view_holds_nothing_back(void **state)
{
	struct fixture *fixture = fixture_new(state);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, sleep_in_a_view, fixture), 0);
	wait_for_word(&fixture->ready);
	assert_int_equal(readers(fixture->corral), 1);
	assert_int_equal(pthread_cancel(thread), 0);
	assert_cancelled(thread);
	assert_int_equal(readers(fixture->corral), 0);
	assert_int_equal(records_used(fixture->corral), 1);
	corral_close(fixture->corral);
	yard_check(fixture->yard, NULL);
}

/* ---------------------------------------------------------- the main thread */

static void *outlive_the_main_thread(void *context)
{
	struct fixture *fixture = context;
	struct corral_view view;

	must(wait_until(readers(fixture->corral) == 0,
			SUPPORT_WAIT_MS)); /* the main thread gave its record back */
	must(orders_add(fixture->corral, &fixture->key, "after main", 1, 1, NULL, NULL) == 0);
	must(corral_read_begin(fixture->corral, &fixture->key, &view) == 0);
	store_release(&fixture->ready, 1);
	for (;;)
		pause();
}

static int leave_main(void *context)
{
	struct fixture *fixture = context;
	struct corral_view view;
	pthread_t thread;

	fixture->corral = yard_open(fixture->yard, 0);
	must(corral_read_begin(fixture->corral, &fixture->key, &view) == 0);
	must(pthread_create(&thread, NULL, outlive_the_main_thread, fixture) == 0);
	pthread_exit(NULL);
}

/* The process's state letter in /proc. */
static char state_of(pid_t pid)
{
	char path[64], line[512] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "r");
	if (file != NULL && fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	if (file != NULL)
		fclose(file);
	const char *end = strrchr(line, ')');
	return end != NULL ? end[2] : '?';
}

static void a_process_without_its_main_thread_lives_until_it_is_killed(void **state)
{
	NEEDS_PROCESSES();
	struct fixture *fixture = fixture_new(state);
	struct corral *corral = fixture->corral;
	struct life *life = &corral->share->life;

	pid_t pid = child_start(leave_main, fixture);
	wait_for_word(&fixture->ready);
	assert_true(wait_until(state_of(pid) == 'Z', SUPPORT_WAIT_MS)); /* it looks like a zombie */
	assert_int_equal(readers(corral), 1);
	assert_int_equal(records_used(corral), 2);
	assert_int_equal(alive_bury_all(&corral->arena, life, repair_process), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_true(wait_until(alive_bury_all(&corral->arena, life, repair_process) == 1,
			       SUPPORT_WAIT_MS));
	child_kill(pid);
	assert_int_equal(readers(corral), 0);
	corral_close(corral);
	yard_check(fixture->yard, NULL);
}

/* ---------------------------------------------------------------- unloading */

struct loaded {
	int (*open)(const char *location, unsigned flags, struct corral **ret_corral);
	int (*read_begin)(struct corral *corral, const struct corral_key *key,
			  struct corral_view *ret_view);
	void (*close)(struct corral *corral);
	struct corral *corral;
	struct fixture *fixture;
};

static void *use_and_end_late(void *context)
{
	const struct loaded *loaded = context;
	struct fixture *fixture = loaded->fixture;
	struct corral_view view;

	must(loaded->read_begin(loaded->corral, &fixture->key, &view) == 0);
	store_release(&fixture->ready, 1);
	wait_for_word(&fixture->go);
	return NULL;
}

static void find(void *library, const char *name, void *ret_function)
{
	void *function = dlsym(library, name);

	must(function != NULL);
	memcpy(ret_function, &function, sizeof(function));
}

/* Load, use and unload the library, as an interpreter does with an extension. */
static int load_use_unload(void *context)
{
	struct loaded loaded = { .fixture = context };
	char path[4096] = "";
	pthread_t thread;

	must(readlink("/proc/self/exe", path, sizeof(path) - 32) > 0);
	for (int parts = 0; parts < 2; parts++) /* BUILD/tests/NAME */
		*strrchr(path, '/') = '\0';
	void *library = dlopen(strcat(path, "/libcorral.so.0"), RTLD_NOW | RTLD_LOCAL);
	must(library != NULL);
	find(library, "corral_open", &loaded.open);
	find(library, "corral_read_begin", &loaded.read_begin);
	find(library, "corral_close", &loaded.close);
	must(loaded.open(loaded.fixture->yard->path, 0, &loaded.corral) == 0);
	must(pthread_create(&thread, NULL, use_and_end_late, &loaded) == 0);
	wait_for_word(&loaded.fixture->ready);
	loaded.close(loaded.corral);
	must(dlclose(library) == 0);
	store_release(&loaded.fixture->go, 1);
	must(pthread_join(thread, NULL) == 0);
	return 0;
}

static void a_thread_that_used_the_library_may_end_after_it_was_unloaded(void **state)
{
	NEEDS_PROCESSES();
	struct fixture *fixture = fixture_new(state);

	assert_int_equal(child_wait(child_start(load_use_unload, fixture)), 0);
	corral_close(fixture->corral);
	yard_check(fixture->yard, NULL);
}

/* --------------------------------------------------------------- abandoned views */

static void a_thread_can_abandon_the_views_that_it_has_left_open(void **state)
{
	struct fixture *fixture = fixture_new(state);
	struct corral *corral = fixture->corral;
	struct corral_view lost, also, view;
	struct corral_head head;
	uint64_t version;

	assert_int_equal(corral_thread_abandon(corral), 0);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(corral_read_begin(corral, &fixture->key, &lost), 0);
		assert_int_equal(corral_read_begin(corral, &fixture->key, &also), 0);
		assert_int_equal(corral_wait(corral, &fixture->key, 1ull << 40, 1, NULL, &version),
				 -EDEADLK);
		assert_int_equal(corral_thread_abandon(corral), 2);
		assert_int_equal(corral_thread_abandon(corral), 0);
		assert_int_equal(readers(corral), 0);
		assert_int_equal(records_used(corral), 0);
		assert_int_equal(corral_wait(corral, &fixture->key, 1ull << 40, 1, NULL, &version),
				 -ETIMEDOUT);
		assert_int_equal(records_used(corral), 1);
		/* a late end of an abandoned view affects no other view */
		assert_int_equal(corral_read_begin(corral, &fixture->key, &view), 0);
		assert_int_equal(corral_read_end(&lost), -EINVAL);
		assert_int_equal(corral_read_end(&also), -EINVAL);
		assert_int_equal(readers(corral), 1);
		assert_int_equal(corral_view_head(&view, &head), 0);
		assert_int_equal(corral_read_end(&view), 0);
		assert_int_equal(readers(corral), 0);
	}
	assert_int_equal(orders_add(corral, &fixture->key, "coke", 199, 1, NULL, NULL), 0);
	corral_close(corral);
	yard_check(fixture->yard, NULL);
}

static void *abandon_and_end(void *context)
{
	struct fixture *fixture = context;
	struct corral_view view;

	must(corral_read_begin(fixture->corral, &fixture->key, &view) == 0);
	must(corral_thread_abandon(fixture->corral) == 1);
	must(corral_read_begin(fixture->corral, &fixture->key, &view) == 0);
	return NULL;
}

static void a_thread_that_has_abandoned_views_may_end_with_others_open(void **state)
{
	struct fixture *fixture = fixture_new(state);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, abandon_and_end, fixture), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(readers(fixture->corral), 0);
	assert_int_equal(records_used(fixture->corral), 1);
	assert_null(fixture->corral->share->attachments->next);
	corral_close(fixture->corral);
	yard_check(fixture->yard, NULL);
}

/* ------------------------------------------------------------------ signals */

static struct fixture *struck;
static uint32_t strokes_refused, strokes_done; /* W: the handler. R: the interrupted thread */

/* The handler makes the calls that it interrupts; they allocate nothing. */
static void change_in_a_handler(int signal_number)
{
	int saved = errno;
	int r = corral_set_tax(struck->corral, &struck->key, 60000, NULL, NULL);

	(void)signal_number;
	must(r == 0 || r == -EDEADLK);
	if (r == 0)
		store_relaxed(&strokes_done, strokes_done + 1);
	else
		store_relaxed(&strokes_refused, strokes_refused + 1);
	errno = saved;
}

static void a_change_from_a_signal_handler_in_a_change_is_refused(void **state)
{
	NEEDS_PROCESSES(); /* ThreadSanitizer delays signals until the thread is outside any call */
	struct fixture *fixture = fixture_new(state);
	const struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = change_in_a_handler, .sa_flags = SA_RESTART },
			 former;
	struct corral_head head;
	uint64_t changes = 0;

	struck = fixture;
	strokes_refused = strokes_done = 0;
	assert_int_equal(sigaction(SIGALRM, &action, &former), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (int64_t end = support_now_ms() + SUPPORT_WAIT_MS;
	     (load_relaxed(&strokes_refused) < 100 || load_relaxed(&strokes_done) == 0) &&
	     support_now_ms() < end;
	     changes++)
		must(corral_set_tax(fixture->corral, &fixture->key, 80000, NULL, NULL) == 0);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &former, NULL), 0);
	assert_true(strokes_refused >= 100);
	assert_true(strokes_done > 0);
	assert_int_equal(orders_head(fixture->corral, &fixture->key, &head), 0);
	assert_int_equal(head.version, 1 + changes + strokes_done);
	corral_close(fixture->corral);
	yard_check(fixture->yard, NULL);
}

/* ------------------------------------------------------------------ records */

static void *take_a_record(void *context)
{
	struct fixture *fixture = context;
	struct corral_head head;

	must(orders_head(fixture->corral, &fixture->key, &head) == 0);
	fetch_add_relaxed(&fixture->ready, 1u);
	wait_for_word(&fixture->go);
	return NULL;
}

static int take_three_records(void *context)
{
	struct fixture *fixture = context;
	pthread_t threads[3];

	for (size_t i = 0; i < COUNT(threads); i++)
		must(pthread_create(&threads[i], NULL, take_a_record, fixture) == 0);
	for (;;)
		pause();
}

static void records_of_the_dead_are_taken_before_unused_ones(void **state)
{
	NEEDS_WIPING_FORK();
	struct fixture *fixture = fixture_new(state);
	const struct arena_header *h = fixture->corral->arena.header;
	pthread_t threads[4];

	pid_t pid = child_start(take_three_records, fixture);
	assert_true(wait_until(load_acquire(&fixture->ready) == 3, SUPPORT_WAIT_MS));
	assert_int_equal(h->threads_high, 4);
	child_kill(pid);
	for (uint32_t i = 0; i < COUNT(threads); i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, take_a_record, fixture), 0);
		assert_true(wait_until(load_acquire(&fixture->ready) == 4 + i, SUPPORT_WAIT_MS));
		assert_int_equal(h->threads_high, i < 3 ? 4 : 5);
	}
	store_release(&fixture->go, 1);
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	corral_close(fixture->corral);
	yard_check(fixture->yard, NULL);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, orders_setup, orders_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_thread_cancelled_between_calls_gives_its_record_back),
		CASE(no_call_is_a_cancellation_point),
		CASE(a_thread_cancelled_in_a_view_holds_nothing_back),
		CASE(a_process_without_its_main_thread_lives_until_it_is_killed),
		CASE(a_thread_that_used_the_library_may_end_after_it_was_unloaded),
		CASE(a_thread_can_abandon_the_views_that_it_has_left_open),
		CASE(a_thread_that_has_abandoned_views_may_end_with_others_open),
		CASE(a_change_from_a_signal_handler_in_a_change_is_refused),
		CASE(records_of_the_dead_are_taken_before_unused_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
