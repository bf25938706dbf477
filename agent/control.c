/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.c (floor 6): the agent's side of the control socket; see client.h for the protocol. One client at a
 * time, each within CLIENT_MS: a client that does not speak, or speaks too long, is dropped.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "atomic.h"
#include "stat.h"

#define CLIENT_MS 500
#define LINE_MAX_BYTES 256

/* root, we ourselves, and who shares our group (the file's mode has let them in) */
static bool may_ask(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	gid_t groups[256];
	socklen_t groups_size = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid() || peer.gid == getegid())
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size) < 0)
		return false;
	for (size_t i = 0; i < groups_size / sizeof(groups[0]); i++)
		if (groups[i] == getegid())
			return true;
	return false;
}

static bool wait_for(int fd, short events, int64_t give_up_ms)
{
	struct pollfd poll_fd = { fd, events, 0 };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t left = give_up_ms - (now.tv_sec * 1000ll + now.tv_nsec / 1000000);
	return left > 0 && poll(&poll_fd, 1, (int)left) > 0;
}

static bool read_line(int fd, char line[LINE_MAX_BYTES], int64_t give_up_ms)
{
	size_t size = 0;

	while (size < LINE_MAX_BYTES && wait_for(fd, POLLIN, give_up_ms)) {
		ssize_t n = read(fd, line + size, LINE_MAX_BYTES - size);
		if (n <= 0)
			return false;
		size += (size_t)n;
		char *end = memchr(line, '\n', size);
		if (end != NULL) {
			*end = '\0';
			return strlen(line) == (size_t)(end - line);
		}
	}
	return false;
}

static json_t *counters(const struct arena *arena)
{
	static const char *const names[] = {
#define STAT(name, unit, line) #name,
#include "stat.def"
#undef STAT
	};
	uint32_t high = (uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
	json_t *object = json_object();

	for (uint32_t index = 0; index < STAT_COUNT; index++) {
		uint64_t sum = 0;
		for (uint32_t number = 0; number < high; number++)
			sum += load_relaxed(&arena->threads[number].stat[index]); /* relaxed: a counter */
		json_object_set_new(object, names[index], json_integer((json_int_t)sum));
	}
	return object;
}

json_t *control_status(struct agent *agent)
{
	const struct arena *arena = agent->actor->arena;
	const struct arena_header *h = arena->header;

	return json_pack("{s:b, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "ok", 1, "pid", getpid(), "version",
			 corral_version(), "directory", agent->directory, "started_ms", (json_int_t)agent->started_ms,
			 "uptime_ms", (json_int_t)(arena_wall_ms() - agent->started_ms), "ttl_ms",
			 (json_int_t)(load_relaxed(&h->ttl_ns) / 1000000), "expired_by_this_agent",
			 (json_int_t)agent->expired, "buried_by_this_agent", (json_int_t)agent->buried, "counters",
			 counters(arena));
}

static json_t *answer(struct agent *agent, const char *line)
{
	if (strcmp(line, "ping") == 0)
		return json_pack("{s:b, s:i}", "ok", 1, "pid", getpid());
	if (strcmp(line, "status") == 0)
		return control_status(agent);
	if (strcmp(line, "stop") == 0) {
		log_line(LOG_INFO, "told to stop; the carts stay");
		agent->stopping = true;
		return json_pack("{s:b, s:i}", "ok", 1, "pid", getpid());
	}
	return json_pack("{s:b, s:s}", "ok", 0, "error", "unknown command; there are: ping, status, stop");
}

static void write_answer(int fd, const json_t *object, int64_t give_up_ms)
{
	char *text = json_dumps(object, JSON_COMPACT);
	size_t size = text != NULL ? strlen(text) : 0;

	if (text == NULL)
		return;
	text[size++] = '\n'; /* in place of the NUL */
	for (size_t done = 0; done < size && wait_for(fd, POLLOUT, give_up_ms);) {
		ssize_t n = send(fd, text + done, size - done, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	free(text);
}

void control_serve(struct agent *agent, int fd)
{
	char line[LINE_MAX_BYTES];
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t give_up_ms = now.tv_sec * 1000ll + now.tv_nsec / 1000000 + CLIENT_MS;
	if (may_ask(fd) && read_line(fd, line, give_up_ms)) {
		json_t *object = answer(agent, line);
		write_answer(fd, object, give_up_ms);
		json_decref(object);
	}
	close(fd);
}
