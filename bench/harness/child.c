/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * child.c: child processes that never outlive this one. See child.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"

#define EXEC_FAILED 127
#define WAIT_STEP_NS 500000

pid_t child_fork(int (*body)(void *context), void *context)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	pid_t pid, parent = getpid();

	fflush(stdout); /* otherwise the child would write the buffered text again */
	pid = fork();
	if (pid != 0)
		return pid < 0 ? -errno : pid;
	/* if the parent died before the prctl() no signal comes: so check the parent afterwards */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(EXEC_FAILED);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGINT, &action, NULL);
	_exit(body(context));
}

/* It runs between fork and exec, so it makes system calls only. */
static int become(void *context)
{
	const struct child_plan *plan = context;
	struct sigaction action = { .sa_handler = SIG_DFL };
	int null = open("/dev/null", O_RDWR);

	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	if (null > STDERR_FILENO)
		close(null);
	if (plan->output >= 0) {
		dup2(plan->output, STDOUT_FILENO);
		dup2(plan->output, STDERR_FILENO);
	}
	for (int i = 0; i < 2; i++)
		if (plan->keep[i] >= 0)
			fcntl(plan->keep[i], F_SETFD, 0);
	execv(plan->path, plan->argv);
	return EXEC_FAILED;
}

pid_t child_start(const struct child_plan *plan)
{
	return child_fork(become, (void *)(uintptr_t)plan);
}

int child_wait(pid_t pid, int timeout_ms, int *ret_status)
{
	struct timespec step = { .tv_nsec = WAIT_STEP_NS };
	int64_t left_ns = (int64_t)timeout_ms * 1000000;

	for (;;) {
		pid_t gone = waitpid(pid, ret_status, WNOHANG);

		if (gone == pid || (gone < 0 && errno == ECHILD))
			return 1;
		if (left_ns <= 0)
			return 0;
		nanosleep(&step, NULL);
		left_ns -= WAIT_STEP_NS;
	}
}

int child_own_path(char path[PATH_MAX])
{
	ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (size < 0)
		return -errno;
	path[size] = '\0';
	return 0;
}

int child_path_beside(const char *name, char path[PATH_MAX])
{
	char *slash;
	int r = child_own_path(path);

	if (r < 0)
		return r;
	slash = strrchr(path, '/');
	if (slash == NULL || (size_t)(slash + 1 - path) + strlen(name) >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(slash + 1, name, strlen(name) + 1);
	return access(path, X_OK) == 0 ? 0 : -errno;
}
