/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redis.c: Redis over a unix socket, with hiredis, nothing written to disk:
 *
 *   redis_watch      GET; a change is WATCH, GET, unpack, pack, MULTI, SET, EXEC, repeated if
 *                    another change came between; SET of a whole cart
 *   redis_lua        a change is one call of a function on the server, which unpacks and packs with
 *                    cmsgpack
 *   redis_pipelined  GET of 100 carts in one go, as a batch job may do, and a voice call may not
 *
 * All three use one server.
 */
#include "peer.h"

#if __has_include(<hiredis/hiredis.h>)

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "harness/memory.h"
#include "peer_cart.h"

#define TRIES 100000u
#define PIPELINE 100u
#define MULTI_ANSWERS 3 /* MULTI, SET, EXEC */

static const char function[] =
	"#!lua name=corralbench\n"
	"local function price(line)\n"
	"  local sum = line.price\n"
	"  for _, m in ipairs(line.modifiers) do sum = sum + m.price end\n"
	"  return sum * line.quantity\n"
	"end\n"
	"local function same(a, b)\n"
	"  if a.id ~= b.id or #a.modifiers ~= #b.modifiers then return false end\n"
	"  for i, m in ipairs(a.modifiers) do if m.name ~= b.modifiers[i].name then return false "
	"end end\n"
	"  return true\n"
	"end\n"
	"redis.register_function('add_item', function(keys, args)\n"
	"  local cart = cmsgpack.unpack(redis.call('GET', keys[1]))\n"
	"  local item = cmsgpack.unpack(args[1])\n"
	"  local found, total = false, 0\n"
	"  for _, line in ipairs(cart.lines) do\n"
	"    if not found and same(line, item) then\n"
	"      line.quantity = line.quantity + item.quantity\n"
	"      found = true\n"
	"    end\n"
	"    total = total + price(line)\n"
	"  end\n"
	"  if not found then\n"
	"    table.insert(cart.lines, item)\n"
	"    total = total + price(item)\n"
	"  end\n"
	"  cart.total = total\n"
	"  cart.version = cart.version + 1\n"
	"  redis.call('SET', keys[1], cmsgpack.pack(cart))\n"
	"  return cart.version\n"
	"end)\n";

struct redis {
	redisContext *context;
	msgpack_sbuffer out;
	uint32_t pending; /* answers to put() that were not read yet */
};

static struct peer_server server;
static uint32_t server_users;

static const char *missing(void)
{
	return peer_has_program("redis-server") ? NULL :
						  "redis-server is not installed (make bench-deps)";
}

/* ------------------------------------------------------------------- server */

static void socket_of(const struct peer_place *place, char path[PEER_PATH_BYTES + 16])
{
	snprintf(path, PEER_PATH_BYTES + 16, "%s/redis.s", place->directory);
}

static int errno_of(const redisReply *reply)
{
	return reply == NULL ? -EIO : reply->type == REDIS_REPLY_ERROR ? -EPROTO : 0;
}

/* The result of a reply, which this frees. */
static int finish(redisReply *reply)
{
	int r = errno_of(reply);

	if (reply != NULL)
		freeReplyObject(reply);
	return r;
}

static int drain(struct redis *redis)
{
	void *reply;
	int r = 0;

	for (; redis->pending > 0; redis->pending--) {
		if (redisGetReply(redis->context, &reply) != REDIS_OK)
			return -EIO;
		int one = finish(reply);
		r = r == 0 ? one : r;
	}
	return r;
}

static void close_redis(void *connection)
{
	struct redis *redis = connection;

	if (redis->context != NULL) {
		(void)drain(redis);
		redisFree(redis->context);
	}
	msgpack_sbuffer_destroy(&redis->out);
	free(redis);
}

static int open_redis(const struct peer_place *place, void **ret_connection)
{
	struct redis *redis = calloc(1, sizeof(*redis));
	char path[PEER_PATH_BYTES + 16];

	if (redis == NULL)
		return -ENOMEM;
	*ret_connection = redis;
	msgpack_sbuffer_init(&redis->out);
	socket_of(place, path);
	redis->context = redisConnectUnix(path);
	return redis->context != NULL && redis->context->err == 0 ? 0 : -EIO;
}

static int load_function(const struct peer_place *place)
{
	void *connection = NULL;
	int r = open_redis(place, &connection);

	if (r == 0)
		r = finish(redisCommand(((struct redis *)connection)->context,
					"FUNCTION LOAD REPLACE %b", function,
					sizeof(function) - 1));
	if (connection != NULL)
		close_redis(connection);
	return r;
}

static void stop(const struct peer_place *place)
{
	(void)place;
	if (server_users > 0 && --server_users == 0)
		peer_stop_server(&server);
}

static int start(const struct peer_place *place, pid_t *ret_pid)
{
	char path[PEER_PATH_BYTES + 16], directory[PEER_PATH_BYTES + 16];
	char *argv[] = { "redis-server", "--port", "0",     "--unixsocket", path, "--save", "",
			 "--appendonly", "no",     "--dir", directory,      NULL };
	int r = 0;

	if (server_users == 0) {
		socket_of(place, path);
		snprintf(directory, sizeof(directory), "%s", place->directory);
		r = peer_start_server(place, argv, path, &server);
		if (r < 0)
			return r;
	}
	server_users++;
	*ret_pid = server.pid;
	r = load_function(place);
	if (r < 0)
		stop(place);
	return r;
}

/* --------------------------------------------------------------------- work */

static int put(void *connection, const struct dataset_step *step, const void *bytes, size_t size)
{
	struct redis *redis = connection;

	if (redisAppendCommand(redis->context, "SET %b %b", step->key, (size_t)DATASET_KEY_BYTES,
			       bytes, size) != REDIS_OK)
		return -EIO;
	return ++redis->pending < PIPELINE ? 0 : drain(redis);
}

/* Fetch the value. The caller frees the reply. */
static int ask(struct redis *redis, const struct dataset_step *step, redisReply **ret_reply)
{
	const char *argv[] = { "GET", step->key };
	const size_t sizes[] = { 3, DATASET_KEY_BYTES };
	int r = drain(redis);

	if (r < 0)
		return r;
	redisReply *reply = redisCommandArgv(redis->context, 2, argv, sizes);
	if (reply != NULL && reply->type == REDIS_REPLY_STRING) {
		*ret_reply = reply;
		return 0;
	}
	r = finish(reply);
	return r < 0 ? r : -ENOENT;
}

static int get(void *connection, const struct dataset_step *step, uint64_t *sink)
{
	redisReply *reply;
	int r = ask(connection, step, &reply);

	if (r < 0)
		return r;
	*sink += (uint8_t)reply->str[0] + reply->len;
	freeReplyObject(reply);
	return 0;
}

static int set(void *connection, const struct dataset_step *step, const struct peer_whole *whole)
{
	const char *argv[] = { "SET", step->key, whole->bytes };
	const size_t sizes[] = { 3, DATASET_KEY_BYTES, whole->size };
	struct redis *redis = connection;
	int r = drain(redis);

	return r < 0 ? r : finish(redisCommandArgv(redis->context, 3, argv, sizes));
}

static int get_many(void *connection, const struct dataset_step *step, uint64_t *sink)
{
	struct redis *redis = connection;
	void *reply;
	int r = drain(redis);

	for (uint32_t i = 0; i < PIPELINE && r == 0; i++) {
		const char *argv[] = { "GET", step[i].key };
		const size_t sizes[] = { 3, DATASET_KEY_BYTES };
		r = redisAppendCommandArgv(redis->context, 2, argv, sizes) == REDIS_OK ? 0 : -EIO;
	}
	for (uint32_t i = 0; i < PIPELINE && r == 0; i++) {
		if (redisGetReply(redis->context, &reply) != REDIS_OK)
			return -EIO;
		const redisReply *value = reply;
		if (value->type == REDIS_REPLY_STRING)
			*sink += (uint8_t)value->str[0] + value->len;
		else
			r = -ENOENT;
		freeReplyObject(reply);
	}
	return r;
}

/* 1: done; 0: another change came between; -errno. */
static int try_to_set(struct redis *redis, const struct dataset_step *step)
{
	redisContext *context = redis->context;
	int r = 0, done = 0;
	void *reply;

	redisAppendCommand(context, "MULTI");
	redisAppendCommand(context, "SET %b %b", step->key, (size_t)DATASET_KEY_BYTES,
			   redis->out.data, redis->out.size);
	redisAppendCommand(context, "EXEC");
	for (int i = 0; i < MULTI_ANSWERS; i++) {
		if (redisGetReply(context, &reply) != REDIS_OK)
			return -EIO;
		done = ((const redisReply *)reply)->type == REDIS_REPLY_ARRAY;
		int one = finish(reply);
		r = r == 0 ? one : r;
	}
	return r < 0 ? r : done;
}

static int add_watching(void *connection, const struct dataset_step *step,
			const struct dataset_item *item)
{
	struct redis *redis = connection;
	redisReply *reply;
	int r = drain(redis);

	for (uint32_t i = 0; i < TRIES && r == 0; i++) {
		/* WATCH and GET are sent in one write, so their answers arrive together */
		void *watched;
		redisAppendCommand(redis->context, "WATCH %b", step->key,
				   (size_t)DATASET_KEY_BYTES);
		redisAppendCommand(redis->context, "GET %b", step->key, (size_t)DATASET_KEY_BYTES);
		if (redisGetReply(redis->context, &watched) != REDIS_OK || finish(watched) < 0 ||
		    redisGetReply(redis->context, &watched) != REDIS_OK)
			return -EIO;
		reply = watched;
		if (reply->type != REDIS_REPLY_STRING) {
			freeReplyObject(reply);
			return -ENOENT;
		}
		r = peer_cart_add(reply->str, reply->len, item, &redis->out);
		freeReplyObject(reply);
		if (r == 0)
			r = try_to_set(redis, step);
		if (r != 0)
			return r > 0 ? 0 : r;
	}
	return r < 0 ? r : -EAGAIN;
}

static int add_there(void *connection, const struct dataset_step *step,
		     const struct dataset_item *item)
{
	struct redis *redis = connection;
	int r = drain(redis);

	if (r < 0)
		return r;
	peer_cart_item(item, &redis->out);
	const char *argv[] = { "FCALL", "add_item", "1", step->key, redis->out.data };
	const size_t sizes[] = { 5, 8, 1, DATASET_KEY_BYTES, redis->out.size };
	return finish(redisCommandArgv(redis->context, 5, argv, sizes));
}

static int version(void *connection, const struct dataset_step *step, uint64_t *ret_version)
{
	redisReply *reply;
	int r = ask(connection, step, &reply);

	if (r < 0)
		return r;
	r = peer_cart_version(reply->str, reply->len, ret_version);
	freeReplyObject(reply);
	return r;
}

static void tell(const struct peer_place *place, FILE *stream)
{
	(void)place;
	peer_tell_server("redis-server", &server, stream);
	fprintf(stream, "; hiredis %d.%d.%d", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
}

static uint64_t memory(const struct peer_place *place)
{
	(void)place;
	return memory_of_process(server.pid);
}

const struct peer peer_redis_watch = {
	.name = "redis_watch",
	.store = "redis",
	.about = "Redis, unix socket: GET; WATCH, GET, unpack, pack, MULTI, SET, EXEC; SET",
	.missing = missing,
	.start = start,
	.stop = stop,
	.open = open_redis,
	.close = close_redis,
	.put = put,
	.get = get,
	.add = add_watching,
	.set = set,
	.version = version,
	.tell = tell,
	.memory = memory
};

const struct peer peer_redis_lua = {
	.name = "redis_lua",
	.store = "redis",
	.about = "Redis, unix socket: a function on the server adds the item (cmsgpack)",
	.missing = missing,
	.start = start,
	.stop = stop,
	.open = open_redis,
	.close = close_redis,
	.put = put,
	.add = add_there,
	.version = version,
	.tell = tell,
	.memory = memory
};

const struct peer peer_redis_pipelined = { .name = "redis_pipelined",
					   .store = "redis",
					   .about =
						   "Redis, unix socket: GET of 100 carts in one go",
					   .missing = missing,
					   .start = start,
					   .stop = stop,
					   .open = open_redis,
					   .close = close_redis,
					   .put = put,
					   .get = get_many,
					   .version = version,
					   .depth = PIPELINE,
					   .tell = tell,
					   .memory = memory };

#else

static const char *missing(void)
{
	return "built without libhiredis-dev (make bench-deps)";
}

const struct peer peer_redis_watch = { .name = "redis_watch", .missing = missing };
const struct peer peer_redis_lua = { .name = "redis_lua", .missing = missing };
const struct peer peer_redis_pipelined = { .name = "redis_pipelined", .missing = missing };

#endif
