/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start_agent.c (floor 5): CORRAL_START_AGENT: run corral-agent --daemon if no agent has the directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alive.h"
#include "attach.h"

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

int attach_start_agent(const char *directory, char *why)
{
	const char *program = getenv("CORRAL_AGENT");
	pid_t pid;
	int status;

	if (agent_runs(directory))
		return 0;
	if (program == NULL || program[0] == '\0')
		program = "corral-agent";
	char *arguments[] = { (char *)(uintptr_t)program, (char *)"--dir", (char *)(uintptr_t)directory,
			      (char *)"--daemon", NULL };
	int error = posix_spawnp(&pid, program, NULL, NULL, arguments, environ);
	if (error != 0)
		return why_set(why, -error, "cannot run %s", program);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return why_set(why, -errno, "cannot wait for %s", program);
	if ((WIFEXITED(status) && WEXITSTATUS(status) == 0) || agent_runs(directory)) /* or another one was quicker */
		return 0;
	return why_set(why, -EIO, "%s --dir %s --daemon failed; run it by hand to see why", program, directory);
}
