/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 25_alive_fork.c: a killed process is found dead even if it has children, and the children act as
 * themselves.
 */
#include "support.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "store/repair.h"

static const struct corral_key some_key = { { "r", 1 }, { "s", 1 } };

/* A parent with a handle makes a child that stays when the parent is killed. */
enum way { BY_FORK, BY_THREE_FORKS, BY_CLONE, BY_EXEC };

struct family {
	struct yard yard;
	uint32_t number; /* of the parent, plus one */
	int32_t child;   /* pid */
	uint32_t uses;   /* the child uses the handle */
	uint32_t used;
	enum way how;
};

static int32_t make_child(const struct family *family)
{
	if (family->how == BY_CLONE)
		return (int32_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	int32_t pid = fork();
	if (pid == 0 && family->how == BY_EXEC) {
		alarm(60);
		execlp("sleep", "sleep", "30", NULL);
		_exit(CHILD_FAILED);
	}
	for (int level = 0; pid == 0 && family->how == BY_THREE_FORKS && level < 2; level++) {
		alarm(60); /* the last resort; children do not inherit it */
		if ((pid = fork()) > 0)
			pause();
	}
	return pid;
}

static int be_parent(void *context)
{
	struct family *family = context;
	setpgid(0, 0); /* a group, so that all of them can be killed */
	struct corral *corral = yard_open(&family->yard, 0);
	struct inspect *inspect;
	struct corral_view view;
	char why[ARENA_WHY_BYTES];

	must(corral_read_begin(corral, &some_key, &view) ==
	     -ENOENT); /* this thread has a record now */
	int32_t pid = make_child(family);
	if (pid == 0) {
		alarm(60);
		if (family->uses != 0)
			must(corral_read_begin(corral, &some_key, &view) == -ENOENT);
		store_release(&family->child, (int32_t)getpid());
		for (;;)
			pause();
	}
	if (family->how == BY_EXEC)
		store_release(&family->child, pid);
	/* find the record with our pid */
	must(inspect_open(family->yard.path, false, &inspect, why, sizeof(why)) == 0);
	for (uint32_t i = 0;; i++) {
		struct inspect_process row;
		bool there;
		must(inspect_process(inspect, i, &there, &row) == 0);
		if (there && row.pid == getpid()) {
			store_release(&family->number, i + 1);
			break;
		}
	}
	for (;;)
		pause();
}

static void parent_is_found_dead(enum way how, uint32_t uses)
{
	struct family *family = support_shared(sizeof(*family));
	struct member us;

	yard_make(&family->yard, NULL);
	family->how = how;
	family->uses = uses;
	assert_int_equal(member_join(&family->yard, &us), 0);
	pid_t pid = child_start(be_parent, family);
	assert_true(
		wait_until(load_acquire(&family->number) != 0 && load_acquire(&family->child) != 0,
			   SUPPORT_WAIT_MS));
	uint32_t byte = ALIVE_BYTE(family->number - 1);
	assert_true(alive_test(us.life.fd, byte));
	if (how == BY_EXEC) /* until exec the copy of the descriptor keeps the byte */
		support_sleep_us(100000);
	child_kill(pid);
	assert_true(wait_until(!alive_test(us.life.fd, byte), SUPPORT_WAIT_MS));
	assert_int_equal(kill(family->child, 0), 0); /* its child is still alive */
	uint32_t dead = alive_bury_all(&us.arena, &us.life, repair_process);
	assert_int_equal(dead, 1);
	struct inspect_totals totals;
	yard_check(&family->yard, &totals);
	assert_int_equal(totals.processes, 1 + (uses != 0));
	assert_int_equal(totals.processes_dead, 0);
	kill(-pid, SIGKILL);
	member_leave(&us);
	yard_remove(&family->yard);
}

static void forked_child_keeps_no_parent_alive(void **state)
{
	(void)state;
	NEEDS_WIPING_FORK();
	parent_is_found_dead(BY_FORK, 0);
	parent_is_found_dead(BY_FORK, 1);
	parent_is_found_dead(BY_THREE_FORKS, 0);
	parent_is_found_dead(BY_THREE_FORKS, 1);
}

static void child_made_past_the_fork_handlers_acts_as_itself(void **state)
{
	(void)state;
	NEEDS_WIPING_FORK();
	parent_is_found_dead(BY_CLONE, 1);
}

static void executed_child_keeps_no_parent_alive(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	parent_is_found_dead(BY_EXEC, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forked_child_keeps_no_parent_alive),
		cmocka_unit_test(child_made_past_the_fork_handlers_acts_as_itself),
		cmocka_unit_test(executed_child_keeps_no_parent_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
