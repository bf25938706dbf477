/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 67_sync.c: corral_sync(): which callers wait, which are served together, and which are told that
 * nothing can be synced.
 *
 * 67_sync work DIR KEY FILE: a worker for 67_journal.sh: change the cart, sync, and then record the
 * acknowledged version in FILE, for ever. Exits with 1 when an acknowledged version is missing.
 */
#include <signal.h>
#include <sys/time.h>

#include "journal_kit.h"

#define CREW 16
#define SYNCS_EACH 40

static void without_a_journal_or_an_agent_it_says_so(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(0);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(corral_sync(corral, -1, NULL), -EOPNOTSUPP);
	stop_agent(pid);
	pid = start_agent(10);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	stop_agent(pid);
	assert_int_equal(corral_sync(corral, -1, NULL), -ENOTCONN);
	pid = start_agent(0);
	assert_int_equal(corral_sync(corral, -1, NULL), -EOPNOTSUPP);
	corral_close(corral);
	stop_agent(pid);
}

static int open_and_sync(void *context)
{
	struct corral *corral;

	(void)context;
	if (corral_open(yard.path, 0, &corral) < 0)
		return CHILD_FAILED;
	return -corral_sync(corral, -1, NULL);
}

static void a_waiting_caller_is_served_by_the_next_agent_or_told(void **state)
{
	static const uint64_t next_ms[] = { 10, 0 };
	static const int expected[] = { 0, EOPNOTSUPP };

	(void)state;
	NEEDS_PROCESSES();
	for (size_t i = 0; i < COUNT(next_ms); i++) {
		pid_t pid = start_agent(10);
		struct corral *corral = yard_open(&yard, 0);
		struct arena_header *h = corral->arena.header;
		child_stop(pid); /* it holds the byte, and does nothing */
		uint32_t before = load_relaxed(&h->sync_requested);
		pid_t waiter = child_start(open_and_sync, NULL);
		assert_true(
			wait_until(load_relaxed(&h->sync_requested) != before, SUPPORT_WAIT_MS));
		child_kill(pid);
		pid = start_agent(next_ms[i]);
		int code = child_wait(waiter);
		assert_true(code == expected[i] ||
			    code == ENOTCONN); /* for a moment no agent ran */
		assert_int_equal(corral_sync(corral, -1, NULL), -expected[i]);
		corral_close(corral);
		stop_agent(pid);
	}
}

struct sync_wait {
	struct corral *corral;
	uint32_t cancel;
	int result;
};

static void *sync_for_ever(void *context)
{
	struct sync_wait *wait = context;

	wait->result = corral_sync(wait->corral, -1, &wait->cancel);
	return NULL;
}

static void a_wait_for_the_disk_ends_when_it_is_cancelled_or_its_time_is_up(void **state)
{
	struct sync_wait wait = { .result = 99 };
	pthread_t thread;

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(10);
	wait.corral = yard_open(&yard, 0);
	assert_int_equal(corral_sync(wait.corral, -1, &wait.cancel), 0);
	child_stop(pid); /* it holds the byte, and does nothing */
	assert_int_equal(corral_sync(wait.corral, 0, NULL), -ETIMEDOUT);
	assert_int_equal(corral_sync(wait.corral, 20, &wait.cancel), -ETIMEDOUT);
	uint32_t before = load_relaxed(&wait.corral->arena.header->sync_requested);
	assert_int_equal(pthread_create(&thread, NULL, sync_for_ever, &wait), 0);
	assert_true(wait_until(load_relaxed(&wait.corral->arena.header->sync_requested) != before,
			       SUPPORT_WAIT_MS));
	corral_cancel(&wait.cancel);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(wait.result, -ECANCELED);
	assert_int_equal(corral_sync(wait.corral, -1, &wait.cancel), -ECANCELED);
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(corral_sync(wait.corral, -1, NULL), 0);
	corral_close(wait.corral);
	stop_agent(pid);
}

static void the_count_of_requests_may_wrap(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(10);
	struct corral *corral = yard_open(&yard, 0);
	struct arena_header *h = corral->arena.header;
	stop_agent(pid);
	h->sync_requested = h->sync_done = UINT32_MAX - 1;
	pid = start_agent(10);
	for (int i = 0; i < 6; i++)
		assert_int_equal(corral_sync(corral, -1, NULL), 0);
	assert_true(h->sync_requested < 10);
	corral_close(corral);
	stop_agent(pid);
}

static void add_and_sync(struct crewman *self)
{
	struct corral *corral;
	char session[16];

	must(corral_open(yard.path, 0, &corral) == 0);
	snprintf(session, sizeof(session), "%u", self->number);
	for (int i = 0; i < SYNCS_EACH; i++) {
		must(add(corral, session, NULL, NULL) == 0);
		must(corral_sync(corral, -1, NULL) == 0);
	}
	corral_close(corral);
}

static void many_share_one_sync(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(1000);
	struct corral *corral = yard_open(&yard, 0);
	struct arena_header *h = corral->arena.header;
	uint64_t rounds = load_relaxed(&h->journal_syncs);
	crew_run(NULL, true, CREW, add_and_sync, NULL);
	rounds = load_relaxed(&h->journal_syncs) - rounds;
	printf("%d syncs of %d workers in %llu syncs of the disk: %.1f each\n", CREW * SYNCS_EACH,
	       CREW, (unsigned long long)rounds, (double)(CREW * SYNCS_EACH) / (double)rounds);
	assert_true(rounds <= CREW * SYNCS_EACH + 2);
	lose_power(pid, corral);
	pid = start_agent(10);
	corral = yard_open(&yard, CORRAL_OBSERVE);
	for (int i = 0; i < CREW; i++) {
		char session[16];
		snprintf(session, sizeof(session), "%d", i);
		const struct corral_key key = key_of(session);
		struct corral_cart *cart;
		assert_int_equal(corral_get(corral, &key, &cart), 0);
		assert_int_equal(cart->head.version, SYNCS_EACH);
		free(cart);
	}
	corral_close(corral);
	stop_agent(pid);
}

/* ------------------------------------------------------------------- changes that wait */

static pid_t start_syncing_agent(void)
{
	changes_wait = true;
	return start_agent(3600000); /* writes only when a caller waits */
}

static uint32_t requests(const struct corral *corral)
{
	return load_relaxed(&corral->arena.header->sync_requested);
}

static uint64_t version_of(struct corral *corral, const char *session)
{
	const struct corral_key key = key_of(session);
	struct corral_cart *cart;

	if (corral_get(corral, &key, &cart) < 0)
		return 0;
	uint64_t version = cart->head.version;
	free(cart);
	return version;
}

static void a_change_is_on_disk_when_its_call_returns(void **state)
{
	const struct corral_key dropped = key_of("dropped"), none = key_of("none");
	struct corral_result result;

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_syncing_agent();
	struct corral *corral = yard_open(&yard, 0);
	for (uint64_t version = 1; version <= 5; version++) {
		assert_int_equal(add(corral, "s", NULL, &result), 0);
		assert_true(result.version == version && result.durable && result.sync_error == 0);
	}
	assert_int_equal(add(corral, "dropped", NULL, NULL), 0);
	assert_int_equal(corral_drop(corral, &dropped, NULL, &result), 0);
	assert_true(result.durable);
	uint32_t before = requests(corral);
	assert_int_equal(corral_remove(corral, &none, 1, NULL, &result), -ENOENT);
	assert_int_equal(requests(corral), before); /* nothing to wait for */
	assert_int_equal(add(corral, "s", "op", &result), 0);
	assert_int_equal(add(corral, "s", "op", &result), 0);
	assert_true(!result.applied && result.durable);
	assert_int_equal(requests(corral), before + 2);
	lose_power(pid, corral);
	pid = start_syncing_agent();
	corral = yard_open(&yard, CORRAL_OBSERVE);
	assert_int_equal(version_of(corral, "s"), 6);
	assert_int_equal(version_of(corral, "dropped"), 0);
	corral_close(corral);
	stop_agent(pid);
}

static int sync_it(void *context)
{
	struct corral_result result;

	for (int i = 0; i < 5; i++) {
		must(add(context, "s", NULL, &result) == 0);
		must(result.durable && result.sync_error == 0);
	}
	must(corral_sync(context, -1, NULL) == 0);
	return 0;
}

/* The arena, and another worker, could use membarrier. */
static void changes_are_durable_also_by_an_agent_without_membarrier(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	if (!support_may_filter())
		skip_because("seccomp(2) is not to be had here");
	stop_agent(start_syncing_agent());
	struct corral *worker = yard_open(&yard, 0);
	assert_int_equal(add(worker, "s", NULL, NULL), 0);
	no_membarrier = true;
	pid_t pid = start_syncing_agent();
	assert_int_equal(child_wait(child_start(sync_it, worker)), 0);
	lose_power(pid, worker);
	pid = start_syncing_agent();
	worker = yard_open(&yard, CORRAL_OBSERVE);
	assert_int_equal(version_of(worker, "s"), 6);
	corral_close(worker);
	stop_agent(pid);
}

static void a_repeat_waits_for_what_it_repeats(void **state)
{
	struct corral_result first, again;

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_syncing_agent();
	struct corral *corral = yard_open(&yard, 0);
	child_kill(pid);
	assert_int_equal(add(corral, "s", "op", &first), 0);
	assert_true(first.applied && !first.durable && first.sync_error == -ENOTCONN);
	pid = start_syncing_agent();
	assert_int_equal(add(corral, "s", "op", &again), 0);
	assert_true(!again.applied && again.version == first.version && again.durable);
	lose_power(pid, corral);
	pid = start_syncing_agent();
	corral = yard_open(&yard, CORRAL_OBSERVE);
	assert_int_equal(version_of(corral, "s"), 1);
	corral_close(corral);
	stop_agent(pid);
}

static void no_change_waits_unless_the_agent_says_so(void **state)
{
	static const uint64_t interval_ms[] = { 0, 1000 };
	struct corral_result result;

	(void)state;
	NEEDS_PROCESSES();
	for (size_t i = 0; i < COUNT(interval_ms); i++) {
		pid_t pid = start_syncing_agent(); /* and the next one does not */
		stop_agent(pid);
		changes_wait = false;
		pid = start_agent(interval_ms[i]);
		struct corral *corral = yard_open(&yard, 0);
		uint32_t before = requests(corral);
		assert_int_equal(add(corral, "s", NULL, &result), 0);
		assert_true(!result.durable && result.sync_error == 0);
		assert_int_equal(requests(corral), before);
		corral_close(corral);
		stop_agent(pid);
	}
}

static void without_an_agent_a_change_stands_and_does_not_wait(void **state)
{
	struct corral_result result;

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_syncing_agent();
	struct corral *corral = yard_open(&yard, 0);
	child_kill(pid);
	uint32_t before = requests(corral);
	for (uint64_t version = 1; version <= 3; version++) {
		assert_int_equal(add(corral, "s", NULL, &result), 0);
		assert_true(result.version == version && !result.durable &&
			    result.sync_error == -ENOTCONN);
	}
	assert_int_equal(requests(corral), before);
	pid = start_syncing_agent();
	assert_int_equal(add(corral, "another", NULL, &result), 0);
	assert_true(result.durable); /* and with it the earlier changes */
	lose_power(pid, corral);
	pid = start_syncing_agent();
	corral = yard_open(&yard, CORRAL_OBSERVE);
	assert_int_equal(version_of(corral, "s"), 3);
	corral_close(corral);
	stop_agent(pid);
}

static bool is_durable(struct corral *corral)
{
	struct corral_result result;

	return add(corral, "s", NULL, &result) == 0 && result.durable;
}

static void a_stopped_agent_is_waited_for_once(void **state)
{
	struct corral_result result;

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_syncing_agent();
	struct corral *corral = yard_open(&yard, 0);
	assert_true(is_durable(corral));
	child_stop(pid);
	uint32_t before = requests(corral);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(add(corral, "s", NULL, &result), 0);
		assert_true(!result.durable && result.sync_error == -ETIMEDOUT);
		assert_int_equal(requests(corral), before + 1);
	}
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_true(wait_until(is_durable(corral), SUPPORT_WAIT_MS));
	corral_close(corral);
	stop_agent(pid);
}

static int change_with(struct corral *corral, uint32_t flags, struct corral_result *ret_result)
{
	const struct corral_key key = key_of("s");
	struct corral_op op = { .flags = flags };

	return corral_set_tax(corral, &key, 82500, &op, ret_result);
}

static void a_call_may_wait_for_the_disk_less_than_others_or_not_at_all(void **state)
{
	struct corral_result result;

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_syncing_agent();
	struct corral *corral = yard_open(&yard, 0);
	assert_true(is_durable(corral));
	uint32_t before = requests(corral);
	assert_int_equal(change_with(corral, CORRAL_OP_NO_DISK, &result), 0);
	assert_true(!result.durable && result.sync_error == 0);
	assert_int_equal(requests(corral), before);
	child_stop(pid);
	for (uint32_t i = 0; i < 3; i++) { /* each waits for itself, and asks anew */
		assert_int_equal(change_with(corral, CORRAL_OP_PATIENCE, &result), 0);
		assert_true(!result.durable && result.sync_error == -ETIMEDOUT);
	}
	assert_int_equal(corral->sync_stood_at, 0); /* others have not given up */
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_true(wait_until(is_durable(corral), SUPPORT_WAIT_MS));
	corral_close(corral);
	stop_agent(pid);
}

static int open_and_add(void *context)
{
	struct corral_result result;
	struct corral *corral;

	(void)context;
	if (corral_open(yard.path, 0, &corral) < 0 || add(corral, "waiter", NULL, &result) < 0)
		return CHILD_FAILED;
	return result.durable ? 0 : -result.sync_error;
}

static void a_change_that_waits_outlives_its_agent(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_syncing_agent();
	struct corral *corral = yard_open(&yard, 0);
	child_stop(pid);
	uint32_t before = requests(corral);
	pid_t waiter = child_start(open_and_add, NULL);
	assert_true(wait_until(requests(corral) != before, SUPPORT_WAIT_MS));
	child_kill(pid);
	pid = start_syncing_agent();
	int code = child_wait(waiter); /* for a moment no agent ran; on a slow machine for long */
	assert_true(code == 0 || code == ENOTCONN || code == ETIMEDOUT);
	assert_int_equal(version_of(corral, "waiter"), 1);
	assert_true(is_durable(corral));
	corral_close(corral);
	stop_agent(pid);
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	(void)number;
	signals = signals + 1;
}

static int add_under_signals(void *context)
{
	const struct itimerval often = { { 0, 200 }, { 0, 200 } };
	const struct sigaction action = { .sa_handler = count_signal };
	struct corral_result result;
	struct corral *corral = context; /* of the parent: the child attaches by itself */

	must(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < 200 || signals < 50; i++)
		must(add(corral, "s", NULL, &result) == 0 && result.durable &&
		     result.sync_error == 0);
	return 0;
}

static void signals_do_not_end_the_wait_of_a_forked_child(void **state)
{
	(void)state;
	NEEDS_WIPING_FORK();
	pid_t pid = start_syncing_agent();
	struct corral *corral = yard_open(&yard, 0);
	assert_true(is_durable(corral));
	assert_int_equal(child_wait(child_start(add_under_signals, corral)), 0);
	assert_true(version_of(corral, "s") > 200);
	corral_close(corral);
	stop_agent(pid);
}

static void add_durably(struct crewman *self)
{
	struct corral_result result;
	struct corral *corral;
	char session[16];

	must(corral_open(yard.path, 0, &corral) == 0);
	snprintf(session, sizeof(session), "%u", self->number);
	for (int i = 0; i < SYNCS_EACH; i++)
		must(add(corral, session, NULL, &result) == 0 && result.durable);
	corral_close(corral);
}

static void changes_share_one_sync(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_syncing_agent();
	struct corral *corral = yard_open(&yard, 0);
	uint64_t rounds = load_relaxed(&corral->arena.header->journal_syncs);
	crew_run(NULL, true, CREW, add_durably, NULL);
	rounds = load_relaxed(&corral->arena.header->journal_syncs) - rounds;
	printf("%d changes of %d workers in %llu syncs of the disk: %.1f each\n", CREW * SYNCS_EACH,
	       CREW, (unsigned long long)rounds, (double)(CREW * SYNCS_EACH) / (double)rounds);
	assert_true(rounds <= CREW * SYNCS_EACH + 2);
	corral_close(corral);
	stop_agent(pid);
}

/* ------------------------------------------------------------------- a worker of 67_journal.sh */

static int work(const char *directory, const char *session, const char *path)
{
	struct corral_result result = { 0 };
	struct corral *corral;
	char text[32];

	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || corral_open(directory, 0, &corral) < 0)
		return 2;
	for (uint64_t last = 0;; last = result.version) {
		int r = add(corral, session, NULL, &result);
		if (r < 0 || result.version <= last) {
			fprintf(stderr, "%s: %d, version %llu after %llu\n", session, r,
				(unsigned long long)result.version, (unsigned long long)last);
			return 1;
		}
		if (corral_sync(corral, -1, NULL) < 0) /* no agent for a moment, or no disk space */
			continue;
		int n = snprintf(text, sizeof(text), "%020llu\n",
				 (unsigned long long)result.version);
		if (pwrite(fd, text, (size_t)n, 0) != n)
			return 2;
	}
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(without_a_journal_or_an_agent_it_says_so),
		CASE(a_waiting_caller_is_served_by_the_next_agent_or_told),
		CASE(a_wait_for_the_disk_ends_when_it_is_cancelled_or_its_time_is_up),
		CASE(the_count_of_requests_may_wrap),
		CASE(many_share_one_sync),
		CASE(a_change_is_on_disk_when_its_call_returns),
		CASE(changes_are_durable_also_by_an_agent_without_membarrier),
		CASE(a_repeat_waits_for_what_it_repeats),
		CASE(no_change_waits_unless_the_agent_says_so),
		CASE(a_call_may_wait_for_the_disk_less_than_others_or_not_at_all),
		CASE(without_an_agent_a_change_stands_and_does_not_wait),
		CASE(a_stopped_agent_is_waited_for_once),
		CASE(a_change_that_waits_outlives_its_agent),
		CASE(signals_do_not_end_the_wait_of_a_forked_child),
		CASE(changes_share_one_sync),
	};

	if (argc == 5 && strcmp(argv[1], "work") == 0)
		return work(argv[2], argv[3], argv[4]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
