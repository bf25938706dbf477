/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redis_expiry.c: Redis' keyspace events of expiry, for corral-bench expiry. See peer.h.
 */
#include "peer.h"

#if __has_include(<hiredis/hiredis.h>)

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "harness/pin.h"

#define LOOK_US 250000
#define FAR "86400" /* seconds, of the other keys */
#define FILL_BATCH 1000u

/* So many answers that are no errors. */
static int take_answers(redisContext *context, uint32_t count)
{
	int r = 0;

	while (count-- > 0 && r == 0) {
		redisReply *reply = NULL;
		if (redisGetReply(context, (void **)&reply) != REDIS_OK || reply == NULL)
			return -EIO;
		r = reply->type == REDIS_REPLY_ERROR ? -EPROTO : 0;
		freeReplyObject(reply);
	}
	return r;
}

/* The other keys, whose time is far away. */
static int fill(const struct peer_expiry *plan, redisContext *context)
{
	uint32_t pending = 0;
	int r = 0;

	for (uint32_t i = 0; i < plan->others && r == 0; i++) {
		if (redisAppendCommand(context, "SET other:%u x EX " FAR, i) != REDIS_OK)
			return -EIO;
		if (++pending == FILL_BATCH || i == plan->others - 1) {
			r = take_answers(context, pending);
			pending = 0;
		}
	}
	return r;
}

static int begin_keys(const struct peer_expiry *plan, redisContext *context)
{
	int r = 0;

	for (uint32_t i = 0; i < plan->due && r == 0; i++) {
		const unsigned long long ttl_ms = plan->begin(plan->context, i);
		if (redisAppendCommand(context, "SET %u x PX %llu", i, ttl_ms) != REDIS_OK)
			return -EIO;
		r = take_answers(context, 1);
	}
	return r;
}

/* The name of a key that has expired: of "pmessage", pattern, channel, key. */
static int hear_of_keys(const struct peer_expiry *plan, redisContext *context)
{
	const struct timeval look = { .tv_usec = LOOK_US };
	bool more = redisSetTimeout(context, look) == REDIS_OK;

	while (more) {
		redisReply *reply = NULL;
		if (redisGetReply(context, (void **)&reply) == REDIS_OK) {
			const bool tells = reply->type == REDIS_REPLY_ARRAY && reply->elements == 4;
			more = plan->hear(plan->context, tells ? reply->element[3]->str : NULL);
			freeReplyObject(reply);
		} else if (context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EINTR)) {
			context->err = 0; /* nothing came in time */
			more = plan->hear(plan->context, NULL);
		} else {
			return -EIO;
		}
	}
	return 0;
}

static int ask_and_hear(const struct peer_expiry *plan, redisContext *writer, redisContext *reader)
{
	int r = fill(plan, writer);

	if (r == 0 &&
	    redisAppendCommand(writer, "CONFIG SET notify-keyspace-events Ex") != REDIS_OK)
		r = -EIO;
	if (r == 0)
		r = take_answers(writer, 1);
	if (r == 0 && redisAppendCommand(reader, "PSUBSCRIBE __keyevent@0__:expired") != REDIS_OK)
		r = -EIO;
	if (r == 0)
		r = take_answers(reader, 1);
	if (r == 0)
		r = begin_keys(plan, writer);
	return r == 0 ? hear_of_keys(plan, reader) : r;
}

static int connect_to(const char *path, redisContext **ret_context)
{
	*ret_context = redisConnectUnix(path);
	return *ret_context != NULL && (*ret_context)->err == 0 ? 0 : -EIO;
}

static int with_server(const struct peer_expiry *plan, const struct peer_place *place)
{
	char path[PEER_PATH_BYTES + 16], directory[PEER_PATH_BYTES];
	char *argv[] = { "redis-server", "--port", "0",     "--unixsocket", path, "--save", "",
			 "--appendonly", "no",     "--dir", directory,      NULL };
	redisContext *writer = NULL, *reader = NULL;
	struct peer_server server = { 0 };

	snprintf(path, sizeof(path), "%s/redis.s", place->directory);
	snprintf(directory, sizeof(directory), "%s", place->directory);
	int r = peer_start_server(place, argv, path, &server);
	if (r < 0)
		return r;
	r = connect_to(path, &writer);
	if (r == 0)
		r = connect_to(path, &reader);
	if (r == 0)
		r = ask_and_hear(plan, writer, reader);
	if (writer != NULL)
		redisFree(writer);
	if (reader != NULL)
		redisFree(reader);
	peer_stop_server(&server);
	return r;
}

int peer_redis_expiry(const struct peer_expiry *plan)
{
	struct peer_place place = { .server_cpu = PIN_NONE };

	if (!peer_has_program("redis-server"))
		return 1;
	if (!peer_make_directory(&place))
		return -EIO;
	int r = with_server(plan, &place);
	sandbox_remove_directory(place.directory);
	return r;
}

#else

int peer_redis_expiry(const struct peer_expiry *plan)
{
	(void)plan;
	return 1;
}

#endif
