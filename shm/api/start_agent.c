/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start_agent.c: CORRAL_START_AGENT: run corral-agent --daemon if no agent has the
 * directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/attach.h"
#include "sync/alive.h"

extern char **environ;

static bool agent_runs(const char *directory)
{
	int dir_fd;

	if (arena_open_directory(directory, &dir_fd, NULL) < 0)
		return false;
	int fd = openat(dir_fd, ARENA_LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	close(dir_fd);
	if (fd < 0)
		return false;
	bool runs = alive_test(fd, ALIVE_AGENT_BYTE);
	close(fd);
	return runs;
}

/*
 * Run it with nothing of ours but the environment and the standard streams (which it lets go of
 * once it is ready): it outlives us, and must not keep our sockets open or our signals blocked.
 */
static int spawn(const char *program, const char *directory, pid_t *ret_pid)
{
	char *arguments[] = { (char *)(uintptr_t)program, (char *)"--dir",
			      (char *)(uintptr_t)directory, (char *)"--daemon", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;

	sigemptyset(&none);
	int error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		return -error;
	error = posix_spawnattr_init(&attributes);
	if (error != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -error;
	}
	error = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	if (error == 0)
		error = posix_spawnattr_setsigmask(&attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (error == 0)
		error = posix_spawnp(ret_pid, program, &actions, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

int attach_start_agent(const char *directory, char *why)
{
	const char *program = getenv("CORRAL_AGENT");
	pid_t pid = 0;
	int status;

	if (agent_runs(directory))
		return 0;
	if (program == NULL || program[0] == '\0')
		program = "corral-agent";
	int r = spawn(program, directory, &pid);
	if (r < 0)
		return why_set(why, r, "cannot run %s", program);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return why_set(why, -errno, "cannot wait for %s", program);
	if ((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
	    agent_runs(directory)) /* or another one was quicker */
		return 0;
	return why_set(why, -EIO, "%s --dir %s --daemon failed; run it by hand to see why", program,
		       directory);
}
