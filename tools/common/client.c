/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.c: see client.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/client.h"

#define SOCKET_FILE "agent.sock"
#define ANSWER_MAX 65536

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static int reach(int fd, const char *directory)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	/*
	 * through a descriptor, since a socket address is short and a directory's name may be long
	 */
	int dir_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir_fd,
		 SOCKET_FILE);
	int r = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	close(dir_fd);
	return r;
}

static int wait_readable(int fd, int64_t give_up)
{
	struct pollfd poll_fd = { fd, POLLIN, 0 };

	for (;;) {
		int64_t left = give_up - now_ms();
		int r = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;
		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int agent_read_answer(int fd, int timeout_ms, json_t **ret_answer)
{
	int64_t give_up = now_ms() + timeout_ms;
	char *text = malloc(ANSWER_MAX);
	size_t size = 0;
	int r = 0;

	if (text == NULL)
		return -ENOMEM;
	while (size < ANSWER_MAX && (r = wait_readable(fd, give_up)) == 0) {
		ssize_t n = read(fd, text + size, ANSWER_MAX - size);
		if (n < 0)
			r = -errno;
		if (n <= 0)
			break;
		size += (size_t)n;
	}
	if (r == 0) {
		json_t *answer = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
		if (json_is_object(answer)) {
			*ret_answer = answer;
		} else {
			json_decref(answer);
			r = -EPROTO;
		}
	}
	free(text);
	return r;
}

int agent_ask(const char *directory, const char *line, int timeout_ms, json_t **ret_answer)
{
	char question[128];
	int n = snprintf(question, sizeof(question), "%s\n", line);

	if (n < 0 || (size_t)n >= sizeof(question))
		return -EINVAL;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int r = reach(fd, directory);
	if (r == 0 && send(fd, question, (size_t)n, MSG_NOSIGNAL) != n)
		r = -EPIPE;
	if (r == 0)
		r = agent_read_answer(fd, timeout_ms, ret_answer);
	close(fd);
	return r;
}
