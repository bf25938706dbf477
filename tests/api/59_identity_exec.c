/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 59_identity_exec.c: a program started by a worker inherits nothing of it; a worker that executes
 * another program, or is a zombie, is dead as a worker although its pid lives.
 */
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "identity_kit.h"

#include "base/atomic.h"

struct fixture {
	struct yard yard;
	struct corral *corral;
	struct corral_key key;
	uint32_t holds;
};

static struct fixture *fixture_new(void)
{
	struct fixture *fixture = support_shared(sizeof(*fixture));

	orders_yard(&fixture->yard, 4u << 20, 100, 30 * 60 * 1000);
	fixture->corral = yard_open(&fixture->yard, 0);
	fixture->key = orders_key("restaurant", "session");
	assert_int_equal(orders_add(fixture->corral, &fixture->key, "burger", 899, 1, NULL, NULL),
			 0);
	return fixture;
}

static void fixture_end(struct fixture *fixture)
{
	corral_close(fixture->corral);
	yard_check(&fixture->yard, NULL);
	yard_remove(&fixture->yard);
}

static bool has_descriptor_of(pid_t pid, const struct yard *yard)
{
	char path[64], target[256];

	for (int fd = 0; fd < 100; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (strncmp(target, yard->path, strlen(yard->path)) == 0)
			return true;
	}
	return false;
}

static pid_t run_sleep(size_t way)
{
	char *const arguments[] = { (char *)(uintptr_t) "sleep", (char *)(uintptr_t) "60", NULL };
	pid_t pid = -1;

	switch (way) {
	case 0:
		must(posix_spawnp(&pid, "sleep", NULL, NULL, arguments, environ) == 0);
		return pid;
	case 1:
		pid = vfork();
		break;
	case 2:
		pid = fork();
		break;
	default:
		pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
		break;
	}
	if (pid == 0) {
		execvp("sleep", arguments);
		_exit(CHILD_FAILED);
	}
	return pid;
}

static void what_is_executed_inherits_no_descriptor(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct fixture *fixture = fixture_new();

	assert_true(has_descriptor_of(getpid(), &fixture->yard)); /* the search itself works */
	for (size_t way = 0; way < 4; way++) {
		pid_t pid = run_sleep(way);
		bool came = wait_until(identity_is_sleep(pid), SUPPORT_WAIT_MS);
		bool has = has_descriptor_of(pid, &fixture->yard);
		child_kill(pid);
		assert_true(came);
		assert_false(has);
	}
	fixture_end(fixture);
}

static int hold_and_execute(void *context)
{
	const struct fixture *fixture = context;
	struct corral *corral = yard_open(&fixture->yard, 0);
	struct corral_view view;

	must(corral_read_begin(corral, &fixture->key, &view) == 0);
	(void)identity_take_cart(corral, &fixture->key);
	execlp("sleep", "sleep", "60", NULL);
	return CHILD_FAILED;
}

static void a_worker_that_executes_another_program_is_dead_as_a_worker(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct fixture *fixture = fixture_new();

	pid_t pid = child_start(hold_and_execute, fixture);
	assert_true(wait_until(identity_is_sleep(pid), SUPPORT_WAIT_MS));
	assert_non_null(identity_record_of(fixture->corral, pid));
	assert_int_equal(orders_add(fixture->corral, &fixture->key, "coke", 199, 1, NULL, NULL), 0);
	assert_null(identity_record_of(fixture->corral, pid));
	assert_int_equal(kill(pid, 0), 0);
	child_kill(pid);
	fixture_end(fixture);
}

static int hold_the_cart(void *context)
{
	struct fixture *fixture = context;

	(void)identity_take_cart(yard_open(&fixture->yard, 0), &fixture->key);
	store_release(&fixture->holds, 1);
	pause();
	return 0;
}

static void a_zombie_is_dead(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct fixture *fixture = fixture_new();
	siginfo_t info;

	pid_t pid = child_start(hold_the_cart, fixture);
	identity_wait_for(&fixture->holds);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT),
			 0); /* and it stays a zombie */
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(orders_add(fixture->corral, &fixture->key, "coke", 199, 1, NULL, NULL), 0);
	assert_null(identity_record_of(fixture->corral, pid));
	child_kill(pid);
	fixture_end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_executed_inherits_no_descriptor),
		cmocka_unit_test(a_worker_that_executes_another_program_is_dead_as_a_worker),
		cmocka_unit_test(a_zombie_is_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
