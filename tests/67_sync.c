/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 67_sync.c: corral_sync(): who waits, who is served together, and who is told that nothing can be synced.
 *
 * 67_sync work DIR KEY FILE: be a worker of 67_journal.sh: change the cart, sync, and then note in FILE which version was
 * acknowledged; for ever. Exits with 1 when an acknowledged version is not there.
 */
#include "journal_kit.h"

#define CREW 16
#define SYNCS_EACH 40

static void without_a_journal_or_an_agent_it_says_so(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(0);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(corral_sync(corral), -EOPNOTSUPP);
	stop_agent(pid);
	pid = start_agent(10);
	assert_int_equal(corral_sync(corral), 0);
	stop_agent(pid);
	assert_int_equal(corral_sync(corral), -ENOTCONN);
	pid = start_agent(0);
	assert_int_equal(corral_sync(corral), -EOPNOTSUPP);
	corral_close(corral);
	stop_agent(pid);
}

static int open_and_sync(void *context)
{
	struct corral *corral;

	(void)context;
	if (corral_open(yard.path, 0, &corral) < 0)
		return CHILD_FAILED;
	return -corral_sync(corral);
}

static void who_waits_is_served_by_the_next_agent_or_told(void **state)
{
	static const uint64_t next_ms[] = { 10, 0 };
	static const int expected[] = { 0, EOPNOTSUPP };

	(void)state;
	NEEDS_PROCESSES();
	for (size_t i = 0; i < COUNT(next_ms); i++) {
		pid_t pid = start_agent(10);
		struct corral *corral = yard_open(&yard, 0);
		struct arena_header *h = corral->arena.header;
		child_stop(pid); /* it has the byte, and does nothing */
		uint32_t before = load_relaxed(&h->sync_requested);
		pid_t waiter = child_start(open_and_sync, NULL);
		assert_true(wait_until(load_relaxed(&h->sync_requested) != before, SUPPORT_WAIT_MS));
		child_kill(pid);
		pid = start_agent(next_ms[i]);
		int code = child_wait(waiter);
		assert_true(code == expected[i] || code == ENOTCONN); /* there was a moment without an agent */
		assert_int_equal(corral_sync(corral), -expected[i]);
		corral_close(corral);
		stop_agent(pid);
	}
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
		assert_int_equal(corral_sync(corral), 0);
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
		must(corral_sync(corral) == 0);
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
	printf("%d syncs of %d workers in %llu syncs of the disk: %.1f each\n", CREW * SYNCS_EACH, CREW,
	       (unsigned long long)rounds, (double)(CREW * SYNCS_EACH) / (double)rounds);
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
		if (corral_sync(corral) < 0) /* no agent, for a moment, or no disk */
			continue;
		int n = snprintf(text, sizeof(text), "%020llu\n", (unsigned long long)result.version);
		if (pwrite(fd, text, (size_t)n, 0) != n)
			return 2;
	}
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(without_a_journal_or_an_agent_it_says_so),
		CASE(who_waits_is_served_by_the_next_agent_or_told),
		CASE(the_count_of_requests_may_wrap),
		CASE(many_share_one_sync),
	};

	if (argc == 5 && strcmp(argv[1], "work") == 0)
		return work(argv[2], argv[3], argv[4]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
