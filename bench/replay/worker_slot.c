/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker_slot.c: one worker process of the replay. See worker_slot.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/child.h"
#include "worker_slot.h"

#define REAP_MS 5000

int seat_start(struct seat *seat, const char *directory, const char *restaurant, int text_fd)
{
	char path[PATH_MAX], place[PATH_MAX], socket_text[16], text_text[16];
	char *argv[] = { path,        "replay-worker", place, (char *)(uintptr_t)restaurant,
			 socket_text, text_text,       NULL };
	int err, pair[2];

	err = child_own_path(path);
	if (err < 0)
		return err;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -errno;
	snprintf(place, sizeof(place), "%s", directory);
	snprintf(socket_text, sizeof(socket_text), "%d", pair[1]);
	snprintf(text_text, sizeof(text_text), "%d", text_fd);
	seat->pid = child_start(&(struct child_plan){
		.path = path, .argv = argv, .keep = { pair[1], text_fd }, .output = -1 });
	close(pair[1]);
	if (seat->pid < 0) {
		close(pair[0]);
		return (int)seat->pid;
	}
	seat->socket = pair[0];
	seat->state = SEAT_STARTING;
	seat->called = false;
	seat->table_count = 0;
	return 0;
}

void seat_give(struct seat *seat, const struct wire_task *task)
{
	seat->table[seat->table_count++] = task->line;
	if (send(seat->socket, task, sizeof(*task), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(*task))
		seat->state = SEAT_LEAVING;
}

bool seat_answered(struct seat *seat, uint32_t line)
{
	for (uint32_t i = 0; i < seat->table_count; i++) {
		if (seat->table[i] == line) {
			seat->table[i] = seat->table[--seat->table_count];
			return true;
		}
	}
	return false;
}

int seat_receive(struct seat *seat, struct wire_answer *ret_answer)
{
	for (;;) {
		ssize_t n = recv(seat->socket, ret_answer, sizeof(*ret_answer), MSG_DONTWAIT);

		if (n == sizeof(*ret_answer))
			return 1;
		if (n < 0 && errno == EAGAIN)
			return 0;
		/* a peer that died with unread tasks says so first; what it had sent still comes */
		if (n < 0 && (errno == ECONNRESET || errno == EINTR))
			continue;
		seat->state = SEAT_LEAVING;
		return -EPIPE;
	}
}

void seat_quit(struct seat *seat)
{
	struct wire_task task = { .kind = WIRE_QUIT };

	(void)!send(seat->socket, &task, sizeof(task), MSG_NOSIGNAL | MSG_DONTWAIT);
	seat->state = SEAT_LEAVING;
	seat->called = true;
}

void seat_kill(struct seat *seat)
{
	kill(seat->pid, SIGKILL);
	seat->state = SEAT_LEAVING;
	seat->called = true;
}

int seat_reap(struct seat *seat)
{
	int status = 0;

	close(seat->socket);
	if (child_wait(seat->pid, REAP_MS, &status) == 0) {
		kill(seat->pid, SIGKILL);
		waitpid(seat->pid, &status, 0);
	}
	seat->state = SEAT_EMPTY;
	seat->pid = 0;
	seat->socket = -1;
	return status;
}
