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

int slot_start(struct worker_slot *slot, const char *directory, const char *restaurant, int text_fd)
{
	char path[PATH_MAX], place[PATH_MAX], socket_text[16], text_text[16];
	char *argv[] = { path,        "replay-worker", place, (char *)(uintptr_t)restaurant,
			 socket_text, text_text,       NULL };
	int r, pair[2];

	r = child_own_path(path);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -errno;
	snprintf(place, sizeof(place), "%s", directory);
	snprintf(socket_text, sizeof(socket_text), "%d", pair[1]);
	snprintf(text_text, sizeof(text_text), "%d", text_fd);
	slot->pid = child_start(&(struct child_plan){
		.path = path, .argv = argv, .keep = { pair[1], text_fd }, .output = -1 });
	close(pair[1]);
	if (slot->pid < 0) {
		close(pair[0]);
		return (int)slot->pid;
	}
	slot->socket = pair[0];
	slot->state = SLOT_STARTING;
	slot->called = false;
	slot->pending_count = 0;
	return 0;
}

void slot_give(struct worker_slot *slot, const struct wire_task *task)
{
	slot->pending[slot->pending_count++] = task->line;
	if (send(slot->socket, task, sizeof(*task), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(*task))
		slot->state = SLOT_LEAVING;
}

bool slot_answered(struct worker_slot *slot, uint32_t line)
{
	for (uint32_t i = 0; i < slot->pending_count; i++) {
		if (slot->pending[i] == line) {
			slot->pending[i] = slot->pending[--slot->pending_count];
			return true;
		}
	}
	return false;
}

int slot_receive(struct worker_slot *slot, struct wire_answer *ret_answer)
{
	for (;;) {
		ssize_t n = recv(slot->socket, ret_answer, sizeof(*ret_answer), MSG_DONTWAIT);

		if (n == sizeof(*ret_answer))
			return 1;
		if (n < 0 && errno == EAGAIN)
			return 0;
		/* ECONNRESET: the worker died with unread tasks; its last messages still follow */
		if (n < 0 && (errno == ECONNRESET || errno == EINTR))
			continue;
		slot->state = SLOT_LEAVING;
		return -EPIPE;
	}
}

void slot_quit(struct worker_slot *slot)
{
	struct wire_task task = { .kind = WIRE_QUIT };

	(void)!send(slot->socket, &task, sizeof(task), MSG_NOSIGNAL | MSG_DONTWAIT);
	slot->state = SLOT_LEAVING;
	slot->called = true;
}

void slot_kill(struct worker_slot *slot)
{
	kill(slot->pid, SIGKILL);
	slot->state = SLOT_LEAVING;
	slot->called = true;
}

int slot_reap(struct worker_slot *slot)
{
	int status = 0;

	close(slot->socket);
	if (child_wait(slot->pid, REAP_MS, &status) == 0) {
		kill(slot->pid, SIGKILL);
		waitpid(slot->pid, &status, 0);
	}
	slot->state = SLOT_EMPTY;
	slot->pid = 0;
	slot->socket = -1;
	return status;
}
