/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store.h: the servers of a store: which of them has a key, connections to them, and requests that
 * find their way through a cluster that changes.
 */
#ifndef CORRAL_REDIS_STORE_H
#define CORRAL_REDIS_STORE_H

#include <pthread.h>

#include "connection.h"
#include "slots.h"

#define NODES_MAX 256u
#define NO_NODE UINT16_MAX
#define SHA_BYTES 41 /* 40 hexadecimal digits and a NUL */

enum script { SCRIPT_GET, SCRIPT_SWAP, SCRIPTS };

struct node {
	struct location_host host;
	struct connection *idle;
	uint32_t idle_count;
	uint32_t replicas; /* how many it has, as the map says */
	bool is_master;    /* likewise */
};

struct store {
	struct connection_settings settings;
	pthread_mutex_t mutex; /* protects all that follows */
	pid_t pid;             /* of the process that this belongs to; 0: it is being taken over */
	char label[CORRAL_LABEL_MAX + 1];
	struct node nodes[NODES_MAX];
	uint32_t node_count;
	uint16_t owner[SLOTS]; /* of a cluster: the node's index */
	uint64_t map_number;   /* which map it is; 0: none yet */
	bool map_stale;        /* a server was not what the map says */
	uint32_t next_asked;   /* for a new map, nodes are asked in turn */
	char shas[SCRIPTS][SHA_BYTES];
};

int store_open(const char *location, const struct engine_host *callbacks, struct store **ret_store,
	       char *why);
void store_close(struct store *store);

/*
 * Commands for one key, the first of which is for its server, such as EVALSHA, and is redirected
 * with all that follow. replies: as many, given back by the caller; NULL for those that got lost
 * after the first came. 0: the first reply is there, and no error; ENGINE_NOT_DONE, ENGINE_UNKNOWN,
 * -EACCES, -ENOMEM: the server's memory is full; -EIO: its disk fails; -EPROTO.
 */
#define STORE_COMMANDS_MAX 8
int store_ask(struct store *store, uint32_t slot, struct command *commands, int count,
	      int64_t give_up_ns, redisReply *replies[STORE_COMMANDS_MAX], uint32_t *ret_node);

void store_free(redisReply *replies[STORE_COMMANDS_MAX]);

/* One command for one server, as store_ask(). */
int store_ask_node(struct store *store, uint32_t node, const struct command *command,
		   int64_t give_up_ns, redisReply **ret_reply);

/* The server that has a slot, and a new connection to a server, which the caller closes. */
int store_find(struct store *store, uint32_t slot, int64_t give_up_ns, uint32_t *ret_node);
int store_connect(struct store *store, uint32_t node, int64_t give_up_ns,
		  struct connection **ret_connection);

void store_doubt(struct store *store); /* ask for the map again */

/* The masters' indices; returns how many. */
uint32_t store_masters(struct store *store, int64_t give_up_ns, uint16_t ret_nodes[NODES_MAX]);

/* How many replicas have to have a change: all that the server has, and what the location says. */
uint32_t store_replicas(struct store *store, uint32_t node);
uint32_t store_replicas_for(struct store *store, uint32_t slot);
bool store_has_slot(struct store *store, uint32_t node, uint32_t slot);

/* How servers list this process's connections that are made from now on. */
void store_name(struct store *store, const char *label);

#endif
