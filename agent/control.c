/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.c: the agent's side of the control socket; see client.h for the protocol. Nothing here
 * waits: a client that is silent, sends too much, or does not read is dropped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.h"
#include "arena/stat.h"
#include "base/atomic.h"

/*
 * Allowed are root, our own user, and the members of the directory's group (the socket's mode keeps
 * out all others).
 */
bool control_may_ask(const struct agent *agent, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	gid_t groups[1024];
	socklen_t groups_size = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid() || peer.gid == agent->group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size) < 0)
		return false;
	for (size_t i = 0; i < groups_size / sizeof(groups[0]); i++)
		if (groups[i] == agent->group)
			return true;
	return false;
}

static json_t *counters(const struct arena *arena)
{
	static const char *const names[] = {
#define STAT(name, unit, line) #name,
#include "arena/stat.def"
#undef STAT
	};
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
	json_t *object = json_object();

	for (uint32_t index = 0; index < STAT_COUNT; index++) {
		uint64_t sum = 0;
		for (uint32_t number = 0; number < high; number++)
			/* relaxed: a counter */
			sum += load_relaxed(&arena->threads[number].stat[index]);
		json_object_set_new(object, names[index], json_integer((json_int_t)sum));
	}
	return object;
}

static json_t *status(struct agent *agent)
{
	const struct arena *arena = agent->actor->arena;
	const struct arena_header *h = arena->header;
	char full[USAGE_TEXT_BYTES];

	usage_describe(agent, full);
	return json_pack("{s:b, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:o}", "ok", 1, "pid",
			 getpid(), "version", corral_version(), "directory", agent->directory,
			 "started_ms", (json_int_t)agent->started_ms, "uptime_ms",
			 (json_int_t)(arena_wall_ms() - agent->started_ms), "ttl_ms",
			 (json_int_t)(load_relaxed(&h->ttl_ns) / 1000000), "expired_by_this_agent",
			 (json_int_t)agent->expired, "buried_by_this_agent",
			 (json_int_t)agent->buried, "nearly_full", full, "counters",
			 counters(arena));
}

static json_t *answer(struct agent *agent, const char *line)
{
	if (strcmp(line, "ping") == 0)
		return json_pack("{s:b, s:i}", "ok", 1, "pid", getpid());
	if (strcmp(line, "status") == 0)
		return status(agent);
	if (strcmp(line, "stop") == 0) {
		log_line(LOG_INFO, "told to stop; the carts stay");
		agent->stopping = true;
		return json_pack("{s:b, s:i}", "ok", 1, "pid", getpid());
	}
	return json_pack("{s:b, s:s}", "ok", 0, "error",
			 "unknown command; there are: ping, status, stop");
}

/* An answer is smaller than a socket's buffer: it is sent at once, or the client is gone. */
static void write_answer(int fd, const json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	size_t size = text != NULL ? strlen(text) : 0;

	if (text == NULL)
		return;
	text[size++] = '\n'; /* in place of the NUL */
	if (send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size)
		log_line(LOG_DEBUG, "a client went away before its answer");
	free(text);
}

bool control_serve(struct agent *agent, struct client *client)
{
	ssize_t n =
		read(client->fd, client->line + client->size, sizeof(client->line) - client->size);

	if (n < 0)
		return errno != EAGAIN && errno != EINTR;
	if (n == 0)
		return true;
	client->size += (uint32_t)n;
	char *end = memchr(client->line, '\n', client->size);
	if (end == NULL)
		return client->size == sizeof(client->line); /* no request is that long */
	*end = '\0';
	json_t *object = answer(agent, client->line);
	write_answer(client->fd, object);
	json_decref(object);
	return true;
}
