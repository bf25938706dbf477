/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.h: the programs in which people keep carts today, and Corral, behind one table, so that all
 * do the same work on the same carts in the same run.
 *
 * A peer is started once, filled with carts (peer_cart.h), and then used by workers, processes or
 * threads, each with a connection of its own (but see `shared`). Each peer is driven as its own
 * experts would drive it: over a unix socket, with its fastest client library, with prepared
 * statements, and with a function on the server where it has them. A peer that is not installed is
 * skipped, and the output names it.
 */
#ifndef CORRAL_BENCH_PEER_H
#define CORRAL_BENCH_PEER_H

#include "harness/dataset.h"
#include "harness/pool.h"

#define PEER_PATH_BYTES 100 /* of a unix socket */

/* The settings that all peers of a run share. */
struct peer_place {
	char directory[PEER_PATH_BYTES]; /* in memory if there is room */
	struct dataset *dataset;         /* Corral's arena, filled */
	uint64_t bytes;                  /* of all carts */
	uint32_t workers;
	enum pool_mode mode; /* whether workers are processes or threads */
	int server_cpu;      /* the CPU that servers are pinned to; PIN_NONE: none */
};

/* A whole cart, in each form that a peer keeps it in. */
struct peer_whole {
	const void *bytes; /* peer_cart.h */
	size_t size;
	const struct corral_cart *cart;
};

struct peer {
	const char *name;
	const char *store; /* the store of its carts: peers of one store share them */
	const char *about;

	/* NULL, or a text that says why the peer cannot run here. */
	const char *(*missing)(void);

	/* Start and stop the peer. *ret_pid: of its server; 0: it has none. 0 or -errno. */
	int (*start)(const struct peer_place *place, pid_t *ret_pid);
	void (*stop)(const struct peer_place *place);

	/*
	 * Open a worker's connection; called in the worker, after start(). *ret_connection is NULL
	 * before; if it is set, close() must be called even after an error.
	 */
	int (*open)(const struct peer_place *place, void **ret_connection);
	void (*close)(void *connection);
	bool shared; /* threads share one connection, as those of a service do */

	/* Store these bytes under a key; NULL: start() fills the peer. */
	int (*put)(void *connection, const struct dataset_step *step, const void *bytes,
		   size_t size);

	/*
	 * Find the cart and read some word of it, which is added to *sink. NULL: the peer does not
	 * do this work.
	 */
	int (*get)(void *connection, const struct dataset_step *step, uint64_t *sink);

	/*
	 * Raise the quantity of the item, as one change that excludes others; the cart's version
	 * grows by one. NULL: the peer does not do this work.
	 */
	int (*add)(void *connection, const struct dataset_step *step,
		   const struct dataset_item *item);

	/* Replace the cart by this whole cart. NULL: the peer does not do this work. */
	int (*set)(void *connection, const struct dataset_step *step,
		   const struct peer_whole *whole);

	/* Read the cart's present version. */
	int (*version)(void *connection, const struct dataset_step *step, uint64_t *ret_version);

	/* Print the peer's version and settings in one line; called after start(). */
	void (*tell)(const struct peer_place *place, FILE *stream);

	/* The bytes that keeping all carts takes; 0: not known. */
	uint64_t (*memory)(const struct peer_place *place);

	/*
	 * The operations that one call of get() does (the steps of a pipeline follow one another in
	 * memory); 0 means 1.
	 */
	uint32_t depth;
};

extern const struct peer peer_corral, peer_corral_copy, peer_map, peer_lmdb, peer_lmdb_sync,
	peer_sqlite, peer_redis_watch, peer_redis_lua, peer_redis_pipelined, peer_memcached;

extern const struct peer peer_bare; /* not a peer, but the bare limit of adds by many workers, for
				       `scale`, and of reads of a changing cart, for `contend` */

/*
 * Make a directory with a path short enough for sockets, in memory if there is room. False, after a
 * message: it cannot be made.
 */
bool peer_make_directory(struct peer_place *place);

/* Is there a program of that name, on the PATH or where servers are installed? For missing(). */
bool peer_has_program(const char *name);

struct peer_server {
	pid_t pid;
	char command[512]; /* the command line that started it */
};

/*
 * Start a server, and wait for its socket to appear at `socket_path`. argv[0]: its name. 0 or
 * -errno.
 */
int peer_start_server(const struct peer_place *place, char *const *argv, const char *socket_path,
		      struct peer_server *ret_server);
void peer_stop_server(struct peer_server *server);

/* Keys that expire in Redis, and who hears of it. */
struct peer_expiry {
	uint32_t others; /* keys whose time is far away */
	uint32_t due;    /* keys that become due; they are named by their numbers, from 0 */
	void *context;
	/* The key is about to be set: its time to live, in milliseconds. */
	uint64_t (*begin)(void *context, uint32_t number);
	/* This key has expired; NULL: none has for a while. False: that is enough. */
	bool (*hear)(void *context, const char *key);
};

/* Start a server for it, and stop it. 0; 1: Redis is not installed; -errno. */
int peer_redis_expiry(const struct peer_expiry *plan);

/* Print the first line that `NAME --version` prints, then the server's command line. */
void peer_tell_server(const char *name, const struct peer_server *server, FILE *stream);

#endif
