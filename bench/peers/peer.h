/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.h: the programs that people keep carts in today, and Corral, behind one table: so
 * that all do the same work on the same carts in the same run.
 *
 * A peer is started once, filled with carts (peer_cart.h), and then used by workers, processes or
 * threads, each with a connection of its own (but see `shared`). Each is driven as its own experts
 * would: over a unix socket, with its fastest client library, prepared statements, a function on
 * the server where it has them. One that is not installed is skipped by name.
 */
#ifndef CORRAL_BENCH_PEER_H
#define CORRAL_BENCH_PEER_H

#include "harness/dataset.h"
#include "harness/pool.h"

#define PEER_PATH_BYTES 100 /* of a unix socket */

/* What all peers of a run share. */
struct peer_place {
	char directory[PEER_PATH_BYTES]; /* in memory if there is room */
	struct dataset *dataset;         /* Corral's arena, filled */
	uint64_t bytes;                  /* of all carts */
	uint32_t workers;
	enum pool_mode mode; /* what they are */
	int server_cpu;      /* where servers are to stay; PIN_NONE: anywhere */
};

/* A whole cart, in the forms that it is kept in. */
struct peer_whole {
	const void *bytes; /* peer_cart.h */
	size_t size;
	const struct corral_cart *cart;
};

struct peer {
	const char *name;
	const char *store; /* where its carts are: peers of one store share them */
	const char *about;

	/* NULL, or why it cannot run here, in words. */
	const char *(*missing)(void);

	/* Begin, and end. *ret_pid: of its server; 0: it has none. 0 or -errno. */
	int (*start)(const struct peer_place *place, pid_t *ret_pid);
	void (*stop)(const struct peer_place *place);

	/*
	 * A worker's connection. After start(), in the worker. On an error *ret_connection, NULL
	 * before, may be for close().
	 */
	int (*open)(const struct peer_place *place, void **ret_connection);
	void (*close)(void *connection);
	bool shared; /* threads use one connection together, as those of a service do */

	/* Keep these bytes under a key; NULL: it is filled by start(). */
	int (*put)(void *connection, const struct dataset_step *step, const void *bytes,
		   size_t size);

	/*
	 * Find the cart and read some word of it. *sink: whatever was read. NULL: that is not its
	 * work.
	 */
	int (*get)(void *connection, const struct dataset_step *step, uint64_t *sink);

	/*
	 * Raise the quantity of the item, as one change that excludes others; the cart's version
	 * grows by one. NULL: the same.
	 */
	int (*add)(void *connection, const struct dataset_step *step,
		   const struct dataset_item *item);

	/* Put this whole cart in place of the one that is there. NULL: that is not its work. */
	int (*set)(void *connection, const struct dataset_step *step,
		   const struct peer_whole *whole);

	/* The cart's version now. */
	int (*version)(void *connection, const struct dataset_step *step, uint64_t *ret_version);

	/* After start(): which version, and how it is set up, in one line. */
	void (*tell)(const struct peer_place *place, FILE *stream);

	/* Bytes that keeping all carts takes; 0: not known. */
	uint64_t (*memory)(const struct peer_place *place);

	/*
	 * Operations that one call of get() does (a pipeline's steps follow one another in memory);
	 * 0 is 1.
	 */
	uint32_t depth;
};

extern const struct peer peer_corral, peer_corral_copy, peer_map, peer_lmdb, peer_lmdb_sync,
	peer_sqlite, peer_redis_watch, peer_redis_lua, peer_redis_pipelined, peer_memcached;

extern const struct peer peer_bare; /* no peer: the bare limit of adds by many, for `scale`, and of
				       reads of what changes, for `contend` */

/* A program on the PATH, or where servers are: for missing(). */
bool peer_has_program(const char *name);

struct peer_server {
	pid_t pid;
	char command[512]; /* how it was started */
};

/* Start a server whose socket is to appear at `socket_path`. argv[0]: its name. 0 or -errno. */
int peer_start_server(const struct peer_place *place, char *const *argv, const char *socket_path,
		      struct peer_server *ret_server);
void peer_stop_server(struct peer_server *server);

/* The first line of what `NAME --version` prints, then how the server was started. */
void peer_tell_server(const char *name, const struct peer_server *server, FILE *stream);

#endif
