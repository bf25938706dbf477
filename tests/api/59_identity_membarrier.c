/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 59_identity_membarrier.c: a child registers for membarrier(2) itself, before its first read;
 * where a filter forbids that, or it fails silently, its readers use fences and its record says so.
 * Such a process still drives grace periods, even where others read without fences, or did and are
 * idle.
 */
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "orders_support.h"

#include "api/handle.h"
#include "base/atomic.h"
#include "sync/grace.h"

enum filter { NO_FILTER, FORBIDS, PRETENDS };

struct fixture {
	struct yard yard;
	struct corral *corral;
	struct corral_key key;
	enum filter filter;
	uint32_t flags; /* of the child's process record */
	uint32_t reads;
	uint32_t end_read;
	uint32_t ended;
	uint32_t alone;
};

static struct fixture *fixture_new(enum filter filter)
{
	struct fixture *fixture = support_shared(sizeof(*fixture));

	orders_yard(&fixture->yard, 4u << 20, 100, 30 * 60 * 1000);
	fixture->corral = yard_open(&fixture->yard, 0);
	fixture->key = orders_key("restaurant", "session");
	fixture->filter = filter;
	assert_int_equal(orders_add(fixture->corral, &fixture->key, "burger", 899, 1, NULL, NULL),
			 0);
	return fixture;
}

static void wait_for_word(const uint32_t *word)
{
	must(wait_until(load_acquire(word) != 0, SUPPORT_WAIT_MS));
}

/* True if the calling thread can drive a grace period to its end. */
static bool drives(struct corral *corral)
{
	struct actor *actor;

	must(handle_actor(corral, &actor) == 0);
	return grace_advance(actor, grace_start_poll(actor->arena));
}

/* Read long enough without a change that sections begin without a fence. */
static void read_much(struct corral *corral, const struct corral_key *key)
{
	struct corral_view view;

	for (int i = 0; i < 10000; i++) {
		must(corral_read_begin(corral, key, &view) == 0);
		must(corral_read_end(&view) == 0);
	}
}

static int read_behind_a_filter(void *context)
{
	struct fixture *fixture = context;
	struct corral_view view;

	if (fixture->filter != NO_FILTER &&
	    !support_filter_membarrier(fixture->filter == FORBIDS ? EPERM : 0))
		return CHILD_SKIPS;
	must(corral_read_begin(fixture->corral, &fixture->key, &view) == 0);
	fixture->flags =
		fixture->corral->arena.processes[fixture->corral->share->life.process].flags;
	store_release(&fixture->reads, 1);
	wait_for_word(&fixture->end_read);
	must(corral_read_end(&view) == 0);
	/* its parent has read without fences, and is idle */
	must(wait_until(drives(fixture->corral), SUPPORT_WAIT_MS));
	store_release(&fixture->ended, 1);
	wait_for_word(&fixture->alone);
	must(drives(fixture->corral)); /* a thread that has left needs no fence */
	must(orders_add(fixture->corral, &fixture->key, "coke", 199, 1, NULL, NULL) == 0);
	corral_close(fixture->corral);
	return 0;
}

static void child_is_waited_for(enum filter filter)
{
	NEEDS_PROCESSES();
	struct fixture *fixture = fixture_new(filter);
	struct corral *corral = fixture->corral;
	int status = 0;

	if (!corral->share->can_membarrier || (filter != NO_FILTER && !support_may_filter())) {
		corral_close(corral);
		yard_remove(&fixture->yard);
		skip_because("membarrier(2) or seccomp(2) is not available here");
	}
	pid_t pid = child_start(read_behind_a_filter, fixture);
	assert_true(wait_until(load_acquire(&fixture->reads) != 0, SUPPORT_WAIT_MS));
	assert_int_equal(fixture->flags & PROCESS_FENCED, filter == NO_FILTER ? 0 : PROCESS_FENCED);
	assert_int_equal(
		corral->arena.processes[corral->share->life.process].flags & PROCESS_FENCED, 0);
	for (int i = 0; i < 100; i++)
		assert_false(drives(corral)); /* it reads */
	read_much(corral, &fixture->key);
	store_release(&fixture->end_read, 1);
	wait_for_word(&fixture->ended);
	assert_true(drives(corral));
	read_much(corral, &fixture->key);
	corral_close(corral);
	store_release(&fixture->alone, 1);
	status = child_wait(pid);
	yard_check(&fixture->yard, NULL);
	yard_remove(&fixture->yard);
	assert_int_equal(status, 0);
}

static void a_child_that_may_use_membarrier_is_waited_for(void **state)
{
	(void)state;
	child_is_waited_for(NO_FILTER);
}

static void a_child_that_may_not_use_membarrier_fences_and_is_waited_for(void **state)
{
	(void)state;
	child_is_waited_for(FORBIDS);
}

static void a_registration_that_fails_without_a_word_is_noticed(void **state)
{
	(void)state;
	child_is_waited_for(PRETENDS);
}

/* More changes than the arena has room for: each one retires a version. */
static int change_much(void *context)
{
	struct fixture *fixture = context;

	if (!support_filter_membarrier(EPERM))
		return CHILD_SKIPS;
	for (uint32_t i = 0; i < 100000; i++)
		must(orders_add(fixture->corral, &fixture->key, "burger", 899, 1, NULL, NULL) == 0);
	return 0;
}

static void idle_readers_hold_no_memory_back_where_there_is_no_membarrier(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct fixture *fixture = fixture_new(NO_FILTER);

	read_much(fixture->corral,
		  &fixture->key); /* from here on this thread is idle and has no view open */
	bool usual = fixture->corral->share->can_membarrier;
	int status = usual ? child_wait(child_start(change_much, fixture)) : CHILD_SKIPS;
	corral_close(fixture->corral);
	yard_check(&fixture->yard, NULL);
	yard_remove(&fixture->yard);
	if (status == CHILD_SKIPS)
		skip_because("membarrier(2) or seccomp(2) is not available here");
	assert_int_equal(status, 0);
}

static int look_at_registrations(void *context)
{
	struct fixture *fixture = context;
	struct corral_head head;

	must(orders_head(fixture->corral, &fixture->key, &head) == 0);
	long registered = syscall(SYS_membarrier, 1 << 9 /* GET_REGISTRATIONS, Linux 6.3 */, 0, 0);
	if (registered < 0)
		return CHILD_SKIPS;
	must((registered & MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) != 0);
	return 0;
}

static void a_child_is_registered_after_its_first_call(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct fixture *fixture = fixture_new(NO_FILTER);

	bool usual = fixture->corral->share->can_membarrier;
	int status = child_wait(child_start(look_at_registrations, fixture));
	corral_close(fixture->corral);
	yard_remove(&fixture->yard);
	if (!usual || status == CHILD_SKIPS)
		skip_because("membarrier(2) does not tell registrations here");
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_that_may_use_membarrier_is_waited_for),
		cmocka_unit_test(a_child_that_may_not_use_membarrier_fences_and_is_waited_for),
		cmocka_unit_test(a_registration_that_fails_without_a_word_is_noticed),
		cmocka_unit_test(idle_readers_hold_no_memory_back_where_there_is_no_membarrier),
		cmocka_unit_test(a_child_is_registered_after_its_first_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
