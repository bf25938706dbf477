/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start_agent.c: CORRAL_START_AGENT: run corral-agent --daemon if no agent has the directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/attach.h"
#include "arena/descriptor.h"
#include "sync/alive.h"

extern char **environ;

/* 1: an agent has the directory; 0: none has, or there is no directory yet; -errno and why. */
static int agent_runs(const char *directory, char *why)
{
	int dir_fd;
	int r = arena_open_directory(directory, &dir_fd, why);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	int fd = descriptor_open(dir_fd, ARENA_LOCK_FILE, O_RDWR | O_NOFOLLOW, 0);
	close(dir_fd);
	if (fd < 0)
		return 0;
	bool runs = alive_test(fd, ALIVE_AGENT_BYTE);
	close(fd);
	return runs;
}

/*
 * The agent's standard streams are /dev/null regardless of ours: ours may be closed, closed at exec
 * (runtimes such as Node set that at their start), or a pipe without a reader. Once it is ready,
 * the agent logs to DIR/agent.log.
 */
static int set_actions(posix_spawn_file_actions_t *actions)
{
	int error =
		posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (error == 0)
		error = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null",
							 O_WRONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null",
							 O_WRONLY, 0);
	return error == 0 ? posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1) :
			    error;
}

/* Block and ignore no signal: a host that ignores SIGCHLD would pass that on through exec. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	int error = posix_spawnattr_setsigmask(attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(attributes, &all);
	return error == 0 ? posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
									 POSIX_SPAWN_SETSIGDEF) :
			    error;
}

/*
 * Pass on nothing of ours but the environment: the agent outlives us, and must not keep our sockets
 * open or our signals blocked.
 */
static int spawn(const char *program, const char *directory, pid_t *ret_pid)
{
	char *arguments[] = { (char *)(uintptr_t)program, (char *)"--dir",
			      (char *)(uintptr_t)directory, (char *)"--daemon", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;

	int error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		return -error;
	error = posix_spawnattr_init(&attributes);
	if (error != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -error;
	}
	error = set_actions(&actions);
	if (error == 0)
		error = set_attributes(&attributes);
	if (error == 0)
		error = posix_spawnp(ret_pid, program, &actions, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

/*
 * Wait for the child to end: with --daemon it ends when the agent is ready, or has failed. text:
 * how it ended; "" if another part of this process has collected its status: a host may ignore
 * SIGCHLD, or reap all children.
 */
static bool wait_for_end(pid_t pid, char *text, size_t size)
{
	int status;

	text[0] = '\0';
	while (waitpid(pid, &status, 0) < 0) {
		if (errno == ECHILD)
			return false;
		if (errno != EINTR) {
			snprintf(text, size, "waiting for it: %s", strerrordesc_np(errno));
			return false;
		}
	}
	if (WIFSIGNALED(status))
		snprintf(text, size, "signal %d (%s) ended it", WTERMSIG(status),
			 sigdescr_np(WTERMSIG(status)));
	else
		snprintf(text, size, "exit code %d", WEXITSTATUS(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int attach_start_agent(const char *directory, char *why)
{
	const char *program = getenv("CORRAL_AGENT");
	char end[128] = "";
	pid_t pid = 0;

	int r = agent_runs(directory, why);
	if (r != 0)
		return r < 0 ? r : 0;
	why[0] = '\0'; /* a missing directory is no error here */
	if (program == NULL || program[0] == '\0')
		program = "corral-agent";
	r = spawn(program, directory, &pid);
	if (r < 0)
		return reason_set(why, r,
				  "%s: cannot run the agent's program %s: %s: name it with "
				  "$CORRAL_AGENT, or put it on the PATH",
				  directory, program, strerrordesc_np(-r));
	/* another agent may have been faster, or the host may have reaped ours */
	if (wait_for_end(pid, end, sizeof(end)) || agent_runs(directory, NULL) == 1)
		return 0;
	return reason_set(why, -EIO,
			  "%s: %s --dir %s --daemon failed%s%s; run it by hand to see why",
			  directory, program, directory, end[0] != '\0' ? ": " : "", end);
}
