/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 61_start_agent.c: CORRAL_START_AGENT: the library starts an agent where none runs, and only
 * there.
 */
#include "support.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char agent_path[PATH_MAX];

static int find_agent(void **state)
{
	(void)state;
	support_program("corral-agent", agent_path);
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
			 0); /* it runs, and continues without this process */
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

/* A pipe whose write end the agent would inherit: the read below would then never see its end. */
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
	assert_int_equal(read(ends[0], &byte, 1), 0); /* end of file, not "try again" */
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

/* ------------------------------------------- a host's streams and children */

enum streams { CLOSED, CLOSED_AT_EXEC, FULL };

static struct yard there;

/* Put the streams into a state in which some hosts leave them. */
static void spoil_streams(enum streams how)
{
	int ends[2];

	if (how == CLOSED) {
		for (int fd = 0; fd <= STDERR_FILENO; fd++)
			close(fd);
		return;
	}
	if (how == FULL) { /* a pipe without a reader, and without room */
		char block[4096] = "";
		must(pipe2(ends, O_NONBLOCK) == 0);
		while (write(ends[1], block, sizeof(block)) > 0)
			;
		must(fcntl(ends[1], F_SETFL, 0) == 0);
		must(dup2(ends[1], STDOUT_FILENO) >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
		return;
	}
	for (int fd = 0; fd <= STDERR_FILENO;
	     fd++) /* all three are open, also if the test's own are not */
		must(dup2(open("/dev/null", O_RDWR), fd) >= 0 &&
		     fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
}

static int opens_with_an_agent(void *context)
{
	const struct corral_key key = { { "r", 1 }, { "s", 1 } };
	struct corral *corral;
	struct stat link;
	char path[64];

	spoil_streams(*(enum streams *)context);
	int r = corral_open(there.path, CORRAL_START_AGENT, &corral);
	if (r != 0)
		return 1;
	if (corral_set_tax(corral, &key, 82500, NULL, NULL) != 0 ||
	    corral_sync(corral, -1, NULL) != 0)
		return 2;
	corral_close(corral);
	int lock_fd = openat(there.dir_fd, ARENA_LOCK_FILE, O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	if (pread(lock_fd, text, sizeof(text) - 1, 0) < 11 || text[10] != '\n')
		return 3; /* something else was written into the lock file */
	snprintf(path, sizeof(path), "/proc/%d/fd/2", atoi(text));
	return stat(path, &link) == 0 && S_ISREG(link.st_mode) ? 0 : 4; /* its log */
}

static void it_is_started_with_any_state_of_the_hosts_streams(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	for (enum streams how = CLOSED; how <= FULL; how++) {
		yard_make_empty(&there);
		int code = child_wait(child_start(opens_with_an_agent, &how));
		int stopped = agent_command(there.path, "--stop");
		if (code != 0 || stopped != 0)
			fail_msg("streams %d: the host says %d, --stop %d", how, code, stopped);
		yard_remove(&there);
	}
}

static int opens_and_ignores_its_children(void *unused)
{
	struct corral *corral;

	(void)unused;
	must(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	int r = corral_open(there.path, CORRAL_START_AGENT, &corral);
	if (r == 0)
		corral_close(corral);
	return -r;
}

static void *reaps_all(void *unused)
{
	(void)unused;
	for (;;)
		if (waitpid(-1, NULL, 0) < 0)
			support_sleep_us(50);
	return NULL;
}

static int opens_and_reaps_them_itself(void *unused)
{
	struct corral *corral;
	pthread_t thread;

	(void)unused;
	must(pthread_create(&thread, NULL, reaps_all, NULL) == 0);
	support_sleep_us(1000);
	int r = corral_open(there.path, CORRAL_START_AGENT, &corral);
	if (r == 0)
		corral_close(corral);
	return -r;
}

static void hosts_that_ignore_or_reap_their_children_start_it_too(void **state)
{
	int (*const hosts[])(void *) = { opens_and_ignores_its_children,
					 opens_and_reaps_them_itself };

	(void)state;
	NEEDS_PROCESSES();
	for (size_t i = 0; i < COUNT(hosts); i++) {
		yard_make_empty(&there);
		assert_int_equal(child_wait(child_start(hosts[i], NULL)), 0);
		assert_int_equal(agent_command(there.path, "--stop"), 0);
		yard_remove(&there);
	}
}

/* The error says how the program ended, including by a signal. */
static void the_error_says_how_the_program_ended(void **state)
{
	struct corral *corral;
	char program[192];

	(void)state;
	NEEDS_PROCESSES();
	yard_make_empty(&there);
	snprintf(program, sizeof(program), "%s/dies", there.path);
	FILE *script = fopen(program, "we");
	assert_non_null(script);
	fputs("#!/bin/sh\nkill -9 $$\n", script);
	assert_int_equal(fchmod(fileno(script), 0755), 0);
	fclose(script);
	assert_int_equal(setenv("CORRAL_AGENT", program, 1), 0);
	assert_int_equal(corral_open(there.path, CORRAL_START_AGENT, &corral), -EIO);
	assert_non_null(strstr(corral_why(), program));
	assert_non_null(strstr(corral_why(), "signal 9 (Killed)"));
	assert_int_equal(setenv("CORRAL_AGENT", "/bin/false", 1), 0);
	assert_int_equal(corral_open(there.path, CORRAL_START_AGENT, &corral), -EIO);
	assert_non_null(strstr(corral_why(), "exit code 1"));
	assert_int_equal(setenv("CORRAL_AGENT", agent_path, 1), 0);
	assert_int_equal(unlink(program), 0);
	yard_remove(&there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_is_started_where_none_runs),
		cmocka_unit_test(an_agent_that_runs_is_left_alone),
		cmocka_unit_test(the_agent_keeps_none_of_our_descriptors),
		cmocka_unit_test(it_is_started_with_any_state_of_the_hosts_streams),
		cmocka_unit_test(hosts_that_ignore_or_reap_their_children_start_it_too),
		cmocka_unit_test(the_error_says_how_the_program_ended),
		cmocka_unit_test(an_agent_that_cannot_be_started_is_an_error_with_a_reason),
	};

	return cmocka_run_group_tests(tests, find_agent, NULL);
}
