/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server.c: the peers' servers: found on the PATH, started as children, stopped by their pid.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/bench.h"
#include "harness/child.h"
#include "harness/pin.h"
#include "peer.h"

#define READY_MS 10000u
#define STOP_MS 5000

static bool find(const char *name, char path[PATH_MAX])
{
	const char *list = getenv("PATH");
	char copy[4096];

	if (snprintf(copy, sizeof(copy), "%s:/usr/sbin:/usr/bin", list != NULL ? list : "") >=
	    (int)sizeof(copy))
		return false;
	for (char *next = copy; next != NULL;) {
		const char *directory = strsep(&next, ":");
		if (snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX &&
		    directory[0] == '/' && access(path, X_OK) == 0)
			return true;
	}
	return false;
}

bool peer_make_directory(struct peer_place *place)
{
	const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	snprintf(place->directory, sizeof(place->directory), "%s/corral-peers.XXXXXX", parent);
	if (mkdtemp(place->directory) != NULL)
		return true;
	bench_say("cannot make a directory in %s: %s", parent, strerror(errno));
	return false;
}

bool peer_has_program(const char *name)
{
	char path[PATH_MAX];

	return find(name, path);
}

/* Join the words with blanks, as they would be typed. */
static void join(char *const *argv, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (; *argv != NULL && used < size; argv++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? " " : "",
					 **argv != '\0' ? *argv : "''");
}

/* Start the server pinned to the CPU: its threads inherit the affinity. */
static pid_t start_there(char *const *argv, int output, int cpu)
{
	char path[PATH_MAX];
	struct child_plan plan = {
		.path = path, .argv = argv, .keep = { -1, -1 }, .output = output
	};
	struct pin_before before;

	if (!find(argv[0], path))
		return -ENOENT;
	pin_me_for_now(cpu, &before);
	pid_t pid = child_start(&plan);
	pin_back(&before);
	return pid;
}

int peer_start_server(const struct peer_place *place, char *const *argv, const char *socket_path,
		      struct peer_server *ret_server)
{
	const struct timespec step = { .tv_nsec = 5000000 };
	uint64_t deadline = bench_now_ns() + READY_MS * 1000000ull;

	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	join(argv, ret_server->command, sizeof(ret_server->command));
	ret_server->pid = start_there(argv, null, place->server_cpu);
	close(null);
	while (ret_server->pid > 0 && access(socket_path, F_OK) < 0) {
		int status;
		if (child_wait(ret_server->pid, 0, &status) == 1) {
			ret_server->pid = 0;
			return -ECHILD;
		}
		if (bench_signal != 0 || bench_now_ns() > deadline) {
			peer_stop_server(ret_server);
			return -ETIMEDOUT;
		}
		nanosleep(&step, NULL);
	}
	return ret_server->pid > 0 ? 0 : (int)ret_server->pid;
}

void peer_stop_server(struct peer_server *server)
{
	int status;

	if (server->pid > 0) {
		kill(server->pid, SIGTERM);
		if (child_wait(server->pid, STOP_MS, &status) == 0) {
			kill(server->pid, SIGKILL);
			waitpid(server->pid, &status, 0);
		}
	}
	server->pid = 0;
}

void peer_tell_server(const char *name, const struct peer_server *server, FILE *stream)
{
	char program[64], option[] = "--version", text[256] = "";
	char *argv[] = { program, option, NULL };
	int ends[2], status;

	snprintf(program, sizeof(program), "%s", name);
	if (pipe2(ends, O_CLOEXEC) == 0) {
		pid_t pid = start_there(argv, ends[1], PIN_NONE);
		close(ends[1]);
		if (pid > 0) {
			ssize_t size = read(ends[0], text, sizeof(text) - 1);
			text[size > 0 ? size : 0] = '\0';
			(void)child_wait(pid, STOP_MS, &status);
		}
		close(ends[0]);
	}
	text[strcspn(text, "\n")] = '\0';
	fprintf(stream, "%s; %s", text[0] != '\0' ? text : "version not known", server->command);
}
