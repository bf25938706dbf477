/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c: see watch.h.
 *
 * A cart's channel has the name of its key, and so is in the same slot (SSUBSCRIBE, Redis 7.0). A
 * watch has one connection to each server that has some of its carts. If that breaks, or the slot
 * moves, the carts are told of, since changes may have been missed, and subscribed to again. A
 * server that refuses is asked ten times a second.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "watch.h"

#define AGAIN_NS 100000000ll
#define SERVERS_MAX 64u

struct watched {
	struct slots_key name;
	uint32_t server;  /* index of the connection; SERVERS_MAX: none yet */
	int64_t again_ns; /* without one: when to try again */
	bool told;        /* it may have changed */
};

struct watch {
	struct watched *keys;
	uint32_t count;
	uint32_t room;
	struct connection *connections[SERVERS_MAX];
	uint32_t nodes[SERVERS_MAX]; /* of the connections */
	uint32_t server_count;
	uint32_t next_told; /* so that each key gets its turn */
};

int watch_add(struct store *store, struct watch **watch, const struct corral_key *key)
{
	struct watch *made = *watch != NULL ? *watch : calloc(1, sizeof(*made));

	if (made == NULL)
		return -ENOMEM;
	*watch = made;
	if (made->count == made->room) {
		const uint32_t room = made->room == 0 ? 1 : made->room * 2;
		struct watched *keys = realloc(made->keys, room * sizeof(*keys));
		if (keys == NULL)
			return -ENOMEM;
		made->keys = keys;
		made->room = room;
	}
	struct watched *watched = &made->keys[made->count++];
	*watched = (struct watched){ .server = SERVERS_MAX };
	slots_key(store->settings.location.prefix, key, &watched->name);
	return 0;
}

void watch_end(struct watch *watch)
{
	if (watch == NULL)
		return;
	for (uint32_t i = 0; i < watch->server_count; i++)
		connection_close(watch->connections[i]);
	free(watch->keys);
	free(watch);
}

/* The connection for a key is lost, and a change may have been missed: the caller looks itself. */
static void lose_key(struct watched *watched)
{
	watched->server = SERVERS_MAX;
	watched->again_ns = connection_now_ns() + AGAIN_NS;
	watched->told = true;
}

static void lose_server(struct watch *watch, uint32_t server)
{
	connection_close(watch->connections[server]);
	watch->connections[server] = NULL;
	for (uint32_t i = 0; i < watch->count; i++)
		if (watch->keys[i].server == server)
			lose_key(&watch->keys[i]);
}

/* A connection of this watch to the server that has a slot. SERVERS_MAX: none. */
static uint32_t server_of(struct store *store, struct watch *watch, uint32_t slot)
{
	const int64_t give_up_ns =
		connection_now_ns() + store->settings.location.timeout_ms * 1000000ll;
	uint32_t node, server = 0;

	if (store_find(store, slot, give_up_ns, &node) < 0)
		return SERVERS_MAX;
	while (server < watch->server_count && watch->nodes[server] != node)
		server++;
	if (server == SERVERS_MAX || (server < watch->server_count && watch->connections[server]))
		return server;
	if (store_connect(store, node, give_up_ns, &watch->connections[server]) < 0)
		return SERVERS_MAX;
	watch->nodes[server] = node;
	if (server == watch->server_count)
		watch->server_count++;
	return server;
}

static void subscribe(struct store *store, struct watch *watch, struct watched *watched)
{
	const int64_t give_up_ns =
		connection_now_ns() + store->settings.location.timeout_ms * 1000000ll;
	const uint32_t server = server_of(store, watch, watched->name.slot);
	struct command command;
	bool begun;

	watched->again_ns = connection_now_ns() + AGAIN_NS;
	if (server == SERVERS_MAX)
		return;
	command_begin(&command, "SSUBSCRIBE");
	command_add(&command, watched->name.text, watched->name.size);
	watched->server = server;
	if (connection_send(watch->connections[server], &command, 1, give_up_ns, &begun) < 0)
		lose_server(watch, server);
}

/* Subscribe to all that are not; returns when to try again. */
static int64_t subscribe_all(struct store *store, struct watch *watch)
{
	int64_t again_ns = INT64_MAX;

	for (uint32_t i = 0; i < watch->count; i++) {
		struct watched *watched = &watch->keys[i];
		if (watched->server == SERVERS_MAX && connection_now_ns() >= watched->again_ns)
			subscribe(store, watch, watched);
		if (watched->server == SERVERS_MAX && watched->again_ns < again_ns)
			again_ns = watched->again_ns;
	}
	return again_ns;
}

/*
 * What a server says: ssubscribe, smessage, sunsubscribe (when the slot has moved), and the name of
 * the channel. Each of them may mean a change. An error does not say which key it is about.
 */
static void take_word(struct store *store, struct watch *watch, uint32_t server,
		      const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING ||
	    reply->element[1]->type != REDIS_REPLY_STRING) {
		if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "MOVED ", 6) == 0)
			store_doubt(store);
		lose_server(watch, server);
		return;
	}
	const redisReply *name = reply->element[1];
	for (uint32_t i = 0; i < watch->count; i++) {
		struct watched *watched = &watch->keys[i];
		if (watched->name.size != name->len ||
		    memcmp(watched->name.text, name->str, name->len) != 0)
			continue;
		if (strcmp(reply->element[0]->str, "sunsubscribe") == 0)
			lose_key(watched);
		watched->told = true;
	}
}

/* Take all that a server has said. */
static void hear(struct store *store, struct watch *watch, uint32_t server)
{
	while (watch->connections[server] != NULL) {
		redisReply *reply = NULL;
		int r = connection_listen(watch->connections[server], 0, &reply);
		if (r == -ETIMEDOUT)
			return;
		if (r == 0)
			take_word(store, watch, server, reply);
		else
			lose_server(watch, server);
		freeReplyObject(reply);
	}
}

static bool take_told(struct watch *watch, uint32_t *ret_number)
{
	for (uint32_t i = 0; i < watch->count; i++) {
		const uint32_t number = (watch->next_told + i) % watch->count;
		if (!watch->keys[number].told)
			continue;
		watch->keys[number].told = false;
		watch->next_told = number + 1;
		*ret_number = number;
		return true;
	}
	return false;
}

/* Sleep until a server says something. 0, -EINTR, or -ETIMEDOUT. */
static int sleep_until(const struct watch *watch, int64_t until_ns)
{
	struct pollfd poll_fds[SERVERS_MAX];
	nfds_t count = 0;
	const int64_t left_ns = until_ns - connection_now_ns();

	if (left_ns <= 0)
		return -ETIMEDOUT;
	const int64_t left_ms = left_ns / 1000000 + 1;
	for (uint32_t i = 0; i < watch->server_count; i++)
		if (watch->connections[i] != NULL)
			poll_fds[count++] = (struct pollfd){ .fd = watch->connections[i]->fd,
							     .events = POLLIN };
	int r = poll(poll_fds, count, left_ms < INT32_MAX ? (int)left_ms : INT32_MAX);
	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

int watch_next(struct store *store, struct watch *watch, int64_t until_ns, uint32_t *ret_number)
{
	for (;;) {
		const int64_t again_ns = subscribe_all(store, watch);
		for (uint32_t i = 0; i < watch->server_count; i++)
			hear(store, watch, i);
		if (take_told(watch, ret_number))
			return 0;
		int r = sleep_until(watch, again_ns < until_ns ? again_ns : until_ns);
		if (r == -EINTR || (r < 0 && connection_now_ns() >= until_ns))
			return r;
	}
}
