/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memcached.c: memcached over a unix socket, with libmemcached. A read is get; a change is gets,
 * unpack, pack, cas, repeated if another change came between.
 */
#include "peer.h"

#if __has_include(<libmemcached/memcached.h>)

#include <errno.h>
#include <libmemcached/memcached.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/memory.h"
#include "peer_cart.h"

#define TRIES 100000u

struct cached {
	memcached_st *server;
	memcached_result_st result;
	msgpack_sbuffer out;
};

static struct peer_server server;

static const char *missing(void)
{
	return peer_has_program("memcached") ? NULL :
					       "memcached is not installed (make bench-deps)";
}

static void socket_of(const struct peer_place *place, char path[PEER_PATH_BYTES + 16])
{
	snprintf(path, PEER_PATH_BYTES + 16, "%s/memcached.s", place->directory);
}

static int start(const struct peer_place *place, pid_t *ret_pid)
{
	char path[PEER_PATH_BYTES + 16], megabytes[32], connections[32];
	char *argv[] = { "memcached", "-s", path, "-m", megabytes, "-c",
			 connections, "-I", "1m", NULL, NULL,      NULL };

	socket_of(place, path);
	snprintf(megabytes, sizeof(megabytes), "%u", (uint32_t)(place->bytes * 2 >> 20) + 128);
	snprintf(connections, sizeof(connections), "%u", place->workers + 64);
	if (getuid() == 0) {
		argv[9] = "-u";
		argv[10] = "root";
	}
	int r = peer_start_server(place, argv, path, &server);
	*ret_pid = r == 0 ? server.pid : 0;
	return r;
}

static void stop(const struct peer_place *place)
{
	(void)place;
	peer_stop_server(&server);
}

static void close_cached(void *connection)
{
	struct cached *cached = connection;

	if (cached->server != NULL) {
		memcached_result_free(&cached->result);
		memcached_free(cached->server);
	}
	msgpack_sbuffer_destroy(&cached->out);
	free(cached);
}

static int open_cached(const struct peer_place *place, void **ret_connection)
{
	struct cached *cached = calloc(1, sizeof(*cached));
	char path[PEER_PATH_BYTES + 16];

	if (cached == NULL)
		return -ENOMEM;
	*ret_connection = cached;
	msgpack_sbuffer_init(&cached->out);
	cached->server = memcached_create(NULL);
	if (cached->server == NULL)
		return -ENOMEM;
	memcached_result_create(cached->server, &cached->result);
	socket_of(place, path);
	memcached_behavior_set(cached->server, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, 1);
	memcached_behavior_set(cached->server, MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1);
	return memcached_server_add_unix_socket(cached->server, path) == MEMCACHED_SUCCESS ? 0 :
											     -EIO;
}

static int put(void *connection, const struct dataset_step *step, const void *bytes, size_t size)
{
	struct cached *cached = connection;

	return memcached_set(cached->server, step->key, DATASET_KEY_BYTES, bytes, size, 0, 0) ==
			       MEMCACHED_SUCCESS ?
		       0 :
		       -EIO;
}

/* Fetch the value into cached->result, where it stays until the next call. */
static int find(struct cached *cached, const struct dataset_step *step)
{
	const char *keys[] = { step->key };
	size_t sizes[] = { DATASET_KEY_BYTES };
	memcached_return_t r;

	if (memcached_mget(cached->server, keys, sizes, 1) != MEMCACHED_SUCCESS)
		return -EIO;
	if (memcached_fetch_result(cached->server, &cached->result, &r) == NULL)
		return r == MEMCACHED_NOTFOUND || r == MEMCACHED_END ? -ENOENT : -EIO;
	uint64_t cas = memcached_result_cas(&cached->result);
	/* this reads the end of the answer, and leaves the result as it is */
	memcached_result_st *more = memcached_fetch_result(cached->server, NULL, &r);
	if (more != NULL)
		memcached_result_free(more);
	return cas == 0 ? -EIO : 0;
}

static int get(void *connection, const struct dataset_step *step, uint64_t *sink)
{
	struct cached *cached = connection;
	memcached_return_t r;
	uint32_t flags;
	size_t size;

	char *value =
		memcached_get(cached->server, step->key, DATASET_KEY_BYTES, &size, &flags, &r);
	if (value == NULL)
		return r == MEMCACHED_NOTFOUND ? -ENOENT : -EIO;
	*sink += (uint8_t)value[0] + size;
	free(value);
	return 0;
}

static int add(void *connection, const struct dataset_step *step, const struct dataset_item *item)
{
	struct cached *cached = connection;

	for (uint32_t i = 0; i < TRIES; i++) {
		int r = find(cached, step);
		if (r == 0)
			r = peer_cart_add(memcached_result_value(&cached->result),
					  memcached_result_length(&cached->result), item,
					  &cached->out);
		if (r < 0)
			return r;
		memcached_return_t done = memcached_cas(
			cached->server, step->key, DATASET_KEY_BYTES, cached->out.data,
			cached->out.size, 0, 0, memcached_result_cas(&cached->result));
		if (done == MEMCACHED_SUCCESS)
			return 0;
		if (done != MEMCACHED_DATA_EXISTS)
			return -EIO;
	}
	return -EAGAIN;
}

static int version(void *connection, const struct dataset_step *step, uint64_t *ret_version)
{
	struct cached *cached = connection;
	int r = find(cached, step);

	return r < 0 ? r :
		       peer_cart_version(memcached_result_value(&cached->result),
					 memcached_result_length(&cached->result), ret_version);
}

static int set(void *connection, const struct dataset_step *step, const struct peer_whole *whole)
{
	return put(connection, step, whole->bytes, whole->size);
}

static void tell(const struct peer_place *place, FILE *stream)
{
	(void)place;
	peer_tell_server("memcached", &server, stream);
	fprintf(stream, "; libmemcached %s, binary protocol", memcached_lib_version());
}

static uint64_t memory(const struct peer_place *place)
{
	(void)place;
	return memory_of_process(server.pid);
}

const struct peer peer_memcached = {
	.name = "memcached",
	.store = "memcached",
	.about = "memcached, unix socket: get; gets, unpack, pack, cas; set",
	.missing = missing,
	.start = start,
	.stop = stop,
	.open = open_cached,
	.close = close_cached,
	.put = put,
	.get = get,
	.add = add,
	.set = set,
	.version = version,
	.tell = tell,
	.memory = memory
};

#else

static const char *missing(void)
{
	return "built without libmemcached-dev (make bench-deps)";
}

const struct peer peer_memcached = { .name = "memcached", .missing = missing };

#endif
