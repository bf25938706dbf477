/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 59_identity_membarrier.c: a child registers for membarrier(2) itself, before its first read;
 * where a filter forbids that, or it fails without a word, its readers use fences, and it says so
 * in its record. Such a process drives grace periods all the same, also where others read without
 * fences, or did and are idle.
 */
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "orders_support.h"

#include "api/handle.h"
#include "base/atomic.h"
#include "sync/grace.h"

enum filter { NO_FILTER, FORBIDS, PRETENDS };

struct pen {
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

static struct pen *pen_new(enum filter filter)
{
	struct pen *pen = support_shared(sizeof(*pen));

	orders_yard(&pen->yard, 4u << 20, 100, 30 * 60 * 1000);
	pen->corral = yard_open(&pen->yard, 0);
	pen->key = orders_key("restaurant", "session");
	pen->filter = filter;
	assert_int_equal(orders_add(pen->corral, &pen->key, "burger", 899, 1, NULL, NULL), 0);
	return pen;
}

static void wait_for_word(const uint32_t *word)
{
	must(wait_until(load_acquire(word) != 0, SUPPORT_WAIT_MS));
}

/* Can the calling thread drive a grace period to its end? */
static bool drives(struct corral *corral)
{
	struct actor *actor;

	must(handle_actor(corral, &actor) == 0);
	return grace_advance(actor, grace_start_poll(actor->arena));
}

/* So much, without a change meanwhile, that sections begin without a fence. */
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
	struct pen *pen = context;
	struct corral_view view;

	if (pen->filter != NO_FILTER &&
	    !support_filter_membarrier(pen->filter == FORBIDS ? EPERM : 0))
		return CHILD_SKIPS;
	must(corral_read_begin(pen->corral, &pen->key, &view) == 0);
	pen->flags = pen->corral->arena.processes[pen->corral->share->life.process].flags;
	store_release(&pen->reads, 1);
	wait_for_word(&pen->end_read);
	must(corral_read_end(&view) == 0);
	/* its parent has read without fences, and is idle */
	must(wait_until(drives(pen->corral), SUPPORT_WAIT_MS));
	store_release(&pen->ended, 1);
	wait_for_word(&pen->alone);
	must(drives(pen->corral)); /* a thread that has left needs no fence */
	must(orders_add(pen->corral, &pen->key, "coke", 199, 1, NULL, NULL) == 0);
	corral_close(pen->corral);
	return 0;
}

static void child_is_waited_for(enum filter filter)
{
	NEEDS_PROCESSES();
	struct pen *pen = pen_new(filter);
	struct corral *corral = pen->corral;
	int status = 0;

	if (!corral->share->can_membarrier || (filter != NO_FILTER && !support_may_filter())) {
		corral_close(corral);
		yard_remove(&pen->yard);
		skip_because("membarrier(2) or seccomp(2) is not to be had here");
	}
	pid_t pid = child_start(read_behind_a_filter, pen);
	assert_true(wait_until(load_acquire(&pen->reads) != 0, SUPPORT_WAIT_MS));
	assert_int_equal(pen->flags & PROCESS_FENCED, filter == NO_FILTER ? 0 : PROCESS_FENCED);
	assert_int_equal(
		corral->arena.processes[corral->share->life.process].flags & PROCESS_FENCED, 0);
	for (int i = 0; i < 100; i++)
		assert_false(drives(corral)); /* it reads */
	read_much(corral, &pen->key);
	store_release(&pen->end_read, 1);
	wait_for_word(&pen->ended);
	assert_true(drives(corral));
	read_much(corral, &pen->key);
	corral_close(corral);
	store_release(&pen->alone, 1);
	status = child_wait(pid);
	yard_check(&pen->yard, NULL);
	yard_remove(&pen->yard);
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

/* More than the arena has room for at once: each change retires a version. */
static int change_much(void *context)
{
	struct pen *pen = context;

	if (!support_filter_membarrier(EPERM))
		return CHILD_SKIPS;
	for (uint32_t i = 0; i < 100000; i++)
		must(orders_add(pen->corral, &pen->key, "burger", 899, 1, NULL, NULL) == 0);
	return 0;
}

static void idle_readers_hold_no_memory_back_where_there_is_no_membarrier(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct pen *pen = pen_new(NO_FILTER);

	read_much(pen->corral, &pen->key); /* from here on we are idle, and no view is open */
	bool usual = pen->corral->share->can_membarrier;
	int status = usual ? child_wait(child_start(change_much, pen)) : CHILD_SKIPS;
	corral_close(pen->corral);
	yard_check(&pen->yard, NULL);
	yard_remove(&pen->yard);
	if (status == CHILD_SKIPS)
		skip_because("membarrier(2) or seccomp(2) is not to be had here");
	assert_int_equal(status, 0);
}

static int look_at_registrations(void *context)
{
	struct pen *pen = context;
	struct corral_head head;

	must(orders_head(pen->corral, &pen->key, &head) == 0);
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
	struct pen *pen = pen_new(NO_FILTER);

	bool usual = pen->corral->share->can_membarrier;
	int status = child_wait(child_start(look_at_registrations, pen));
	corral_close(pen->corral);
	yard_remove(&pen->yard);
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
