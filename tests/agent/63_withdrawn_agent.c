/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 63_withdrawn_agent.c: a worker withdraws the arena while the agent is not checking: the agent
 * notices, and meanwhile no command claims that all is well.
 */
#include "support.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONG_MS 20000 /* every awaited event happens within this time, on any machine */

static const struct corral_key key = { { "r", 1 }, { "s", 1 } };
static struct yard yard;
static char programs[PATH_MAX - 64];

/* Find the programs of this build: ../corral-agent and ../corral. */
static int find_programs(void **state)
{
	char self[PATH_MAX - 64], agent[PATH_MAX];

	(void)state;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	assert_true(n > 0);
	self[n] = '\0';
	snprintf(programs, sizeof(programs), "%s/..", dirname(self));
	snprintf(agent, sizeof(agent), "%s/corral-agent", programs);
	return setenv("CORRAL_AGENT", agent, 1);
}

/* Run a command and collect both its streams. */
static void run(const char *program, const char *arguments, char *text, size_t size)
{
	char command[2 * PATH_MAX];

	snprintf(command, sizeof(command), "timeout 30 %s/%s --dir %s %s 2>&1", programs, program,
		 yard.path, arguments);
	FILE *stream = popen(command, "re");
	assert_non_null(stream);
	size_t used = fread(text, 1, size - 1, stream);
	text[used] = '\0';
	while (fgetc(stream) != EOF)
		;
	(void)pclose(stream);
}

static pid_t agent_pid(void)
{
	char text[16] = "";
	int fd = openat(yard.dir_fd, ARENA_LOCK_FILE, O_RDONLY | O_CLOEXEC);

	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	close(fd);
	return atoi(text);
}

static bool agent_runs(void)
{
	int fd = openat(yard.dir_fd, ARENA_LOCK_FILE, O_RDWR | O_CLOEXEC);
	bool runs = alive_test(fd, ALIVE_AGENT_BYTE);

	close(fd);
	return runs;
}

static int change(struct corral *corral)
{
	return corral_set_tax(corral, &key, 82500, NULL, NULL);
}

/* Stop the agent, remove the file until a worker has noticed, and put it back. */
static void withdraw(struct corral *corral, pid_t agent)
{
	assert_int_equal(kill(agent, SIGSTOP), 0);
	assert_int_equal(renameat(yard.dir_fd, ARENA_FILE, yard.dir_fd, "away"), 0);
	assert_true(wait_until(change(corral) == -ESTALE, LONG_MS));
	assert_int_equal(renameat(yard.dir_fd, "away", yard.dir_fd, ARENA_FILE), 0);
}

static void an_agent_takes_an_arena_up_anew_that_a_worker_withdrew(void **state)
{
	static char text[256 << 10];
	struct corral *corral;

	(void)state;
	NEEDS_PROCESSES();
	yard_make_empty(&yard);
	assert_int_equal(corral_open(yard.path, CORRAL_START_AGENT, &corral), 0);
	assert_int_equal(change(corral), 0);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	pid_t agent = agent_pid();

	withdraw(corral, agent);
	run("corral", "status --metrics", text, sizeof(text));
	assert_non_null(strstr(text, "corral_withdrawn 1\n"));
	assert_non_null(strstr(text, "corral_journal_durable 0\n"));
	assert_int_equal(kill(agent, SIGCONT), 0);

	assert_true(wait_until(change(corral) == 0, LONG_MS)); /* with the same handle */
	assert_int_equal(agent_pid(), agent);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	run("corral", "status --metrics", text, sizeof(text));
	assert_non_null(strstr(text, "corral_withdrawn 0\n"));
	assert_non_null(strstr(text, "corral_journal_durable 1\n"));
	int log = openat(yard.dir_fd, "agent.log", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(log, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	close(log);
	assert_non_null(strstr(text, "taking it up anew"));
	assert_non_null(strstr(text, "had been withdrawn; verifying it"));

	/* a second withdrawal soon after: the agent ends, and people decide */
	withdraw(corral, agent);
	assert_int_equal(kill(agent, SIGCONT), 0);
	assert_true(wait_until(!agent_runs() || change(corral) == 0, LONG_MS));
	corral_close(corral);
	assert_int_equal(corral_open(yard.path, CORRAL_START_AGENT, &corral), 0);
	assert_int_equal(change(corral), 0);
	corral_close(corral);
	run("corral-agent", "--stop", text, sizeof(text));
	assert_string_equal(text, "");
	yard_remove(&yard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_takes_an_arena_up_anew_that_a_worker_withdrew),
	};

	return cmocka_run_group_tests(tests, find_programs, NULL);
}
