/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 61_start_agent.c: CORRAL_START_AGENT: the library starts an agent where none runs, and only
 * there.
 */
#include "support.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

static char agent_path[PATH_MAX];

/* The agent that was built with us: ../corral-agent. */
static int find_agent(void **state)
{
	char self[PATH_MAX - 32];

	(void)state;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	assert_true(n > 0);
	self[n] = '\0';
	snprintf(agent_path, sizeof(agent_path), "%s/../corral-agent", dirname(self));
	return setenv("CORRAL_AGENT", agent_path, 1);
}

static int agent_command(const char *directory, const char *command)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		(void)dup2(null, STDERR_FILENO);
		execl(agent_path, agent_path, "--dir", directory, command, (char *)NULL);
		_exit(127);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void an_agent_is_started_where_none_runs(void **state)
{
	struct corral *corral;
	struct yard yard;
	const struct corral_key key = { { "r", 1 }, { "s", 1 } };

	(void)state;
	NEEDS_PROCESSES();
	yard_make_empty(&yard);
	assert_int_not_equal(corral_open(yard.path, 0, &corral), 0); /* there is no arena */
	if (corral_open(yard.path, CORRAL_START_AGENT, &corral) != 0)
		fail_msg("%s", corral_why());
	assert_int_equal(corral_set_tax(corral, &key, 82500, NULL, NULL), 0);
	corral_close(corral);
	assert_int_equal(agent_command(yard.path, "--stop"),
			 0); /* it runs, and goes on running without us */
	yard_remove(&yard);
}

static void an_agent_that_runs_is_left_alone(void **state)
{
	struct corral *first, *second;
	char before[16] = "", after[16] = "";
	struct yard yard;

	(void)state;
	NEEDS_PROCESSES();
	yard_make_empty(&yard);
	assert_int_equal(corral_open(yard.path, CORRAL_START_AGENT, &first), 0);
	int lock_fd = openat(yard.dir_fd, ARENA_LOCK_FILE, O_RDONLY | O_CLOEXEC);
	assert_true(pread(lock_fd, before, sizeof(before) - 1, 0) > 0);
	assert_int_equal(corral_open(yard.path, CORRAL_START_AGENT, &second), 0);
	assert_true(pread(lock_fd, after, sizeof(after) - 1, 0) > 0);
	assert_string_equal(before, after); /* the same pid */
	close(lock_fd);
	corral_close(first);
	corral_close(second);
	assert_int_equal(agent_command(yard.path, "--stop"), 0);
	yard_remove(&yard);
}

/* A pipe whose writing end the agent would inherit: we would never see its end. */
static void the_agent_keeps_none_of_our_descriptors(void **state)
{
	struct corral *corral;
	struct yard yard;
	int ends[2];
	char byte;

	(void)state;
	NEEDS_PROCESSES();
	yard_make_empty(&yard);
	assert_int_equal(pipe(ends), 0); /* not close-on-exec */
	assert_int_equal(corral_open(yard.path, CORRAL_START_AGENT, &corral), 0);
	close(ends[1]);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(ends[0], &byte, 1), 0); /* the end, not "try again" */
	close(ends[0]);
	corral_close(corral);
	assert_int_equal(agent_command(yard.path, "--stop"), 0);
	yard_remove(&yard);
}

static void an_agent_that_cannot_be_started_is_an_error_with_a_reason(void **state)
{
	struct corral *corral;
	struct yard yard;

	(void)state;
	NEEDS_PROCESSES();
	yard_make_empty(&yard);
	assert_int_equal(setenv("CORRAL_AGENT", "/nowhere/corral-agent", 1), 0);
	assert_int_equal(corral_open(yard.path, CORRAL_START_AGENT, &corral), -ENOENT);
	assert_non_null(strstr(corral_why(), "/nowhere/corral-agent"));
	assert_int_equal(setenv("CORRAL_AGENT", "/bin/false", 1), 0);
	assert_int_equal(corral_open(yard.path, CORRAL_START_AGENT, &corral), -EIO);
	assert_non_null(strstr(corral_why(), "/bin/false"));
	yard_remove(&yard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_is_started_where_none_runs),
		cmocka_unit_test(an_agent_that_runs_is_left_alone),
		cmocka_unit_test(the_agent_keeps_none_of_our_descriptors),
		cmocka_unit_test(an_agent_that_cannot_be_started_is_an_error_with_a_reason),
	};

	return cmocka_run_group_tests(tests, find_agent, NULL);
}
