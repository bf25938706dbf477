/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peers.h: the list of peers, and the settings and results of corral-bench peers.
 */
#ifndef CORRAL_BENCH_PEERS_H
#define CORRAL_BENCH_PEERS_H

#include "job.h"
#include "peer_cart.h"

#define PEERS_ROUNDS_MAX 15u
#define PEERS_MAX 16u

/* Corral is the first, and ratios are to it. */
extern const struct peer *const peers[];
extern const uint32_t peer_count;

struct peers_settings {
	uint32_t carts;
	uint32_t bytes;
	uint32_t workers;
	uint32_t ms; /* for each figure, all rounds together */
	uint32_t rounds;
	bool zipf;
	bool threads; /* the workers are threads of one process */
	bool no_pin;  /* servers and workers are not pinned to CPUs */
	const char *only;
	const char *directory;
	const char *json;
};

struct peers_row { /* the results of one peer */
	const struct peer *peer;
	pid_t server;
	void *connection; /* this process's own */
	uint64_t bytes;   /* that its carts take, once all are filled in */
	uint64_t added;   /* acknowledged */
	double ns[PEER_WORKS][PEERS_ROUNDS_MAX];
	double cpu[PEER_WORKS][PEERS_ROUNDS_MAX];
	struct histogram times[PEER_WORKS];
};

struct peers {
	const struct peers_settings *settings;
	struct dataset dataset;
	struct peer_place place;
	struct dataset_step *steps;
	uint32_t step_count; /* a power of two */
	struct dataset_item item;
	struct corral_cart *cart; /* the first, decoded */
	msgpack_sbuffer bytes;    /* the same, packed */
	struct peer_whole whole;
	int worker_cpu; /* the CPU for the worker of a peer with a server; PIN_NONE: none */
	struct peers_row rows[PEERS_MAX];
	uint32_t row_count;
	int64_t lost; /* acknowledged adds that the carts lack; negative: they have more */
};

/* Is there a server that workers talk to? Corral has an agent, but workers ask it nothing. */
static inline bool peers_has_server(const struct peers_row *row)
{
	return row->server > 0 && row->peer->put != NULL;
}

/* Is the name in a list "a,b,c"? A NULL list contains every name. */
bool peers_is_wanted(const char *list, const char *name);

/* *ret_go: the benchmark is to run, see options.h. settings: the defaults that options override. */
enum bench_exit peers_options(int argc, char **argv, struct peers_settings *settings, bool *ret_go);

/* Print a note of a peer's settings and place, once for each store. */
void peers_tell(const struct peers *run, const struct peers_row *row);

/* Print all figures, once all rounds are done. */
void peers_print(const struct peers *run);

enum bench_exit peers_run(int argc, char **argv);

#endif
