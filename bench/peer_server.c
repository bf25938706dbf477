/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer_server.c (floor 6): servers of peers: found on the PATH, started as our children, stopped by their pid.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "child.h"
#include "peer.h"

#define READY_MS 10000u
#define STOP_MS 5000

static bool find(const char *name, char path[PATH_MAX])
{
	const char *list = getenv("PATH");
	char copy[4096];

	if (snprintf(copy, sizeof(copy), "%s:/usr/sbin:/usr/bin", list != NULL ? list : "") >= (int)sizeof(copy))
		return false;
	for (char *next = copy; next != NULL;) {
		const char *directory = strsep(&next, ":");
		if (snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX && directory[0] == '/' &&
		    access(path, X_OK) == 0)
			return true;
	}
	return false;
}

bool peer_has_program(const char *name)
{
	char path[PATH_MAX];

	return find(name, path);
}

pid_t peer_start_server(char *const *argv, const char *socket_path)
{
	const struct timespec step = { .tv_nsec = 5000000 };
	uint64_t deadline = bench_now_ns() + READY_MS * 1000000ull;
	char path[PATH_MAX];

	if (!find(argv[0], path))
		return -ENOENT;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	struct child_plan plan = { .path = path, .argv = argv, .keep = { -1, -1 }, .output = null };
	pid_t pid = child_start(&plan);
	close(null);
	while (pid > 0 && access(socket_path, F_OK) < 0) {
		int status;
		if (child_wait(pid, 0, &status) == 1)
			return -ECHILD;
		if (bench_signal != 0 || bench_now_ns() > deadline) {
			peer_stop_server(pid);
			return -ETIMEDOUT;
		}
		nanosleep(&step, NULL);
	}
	return pid;
}

void peer_stop_server(pid_t pid)
{
	int status;

	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	if (child_wait(pid, STOP_MS, &status) == 0) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
}
