/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peers.h: which peers there are, what corral-bench peers was asked for, and what it
 * found out.
 */
#ifndef CORRAL_BENCH_PEERS_H
#define CORRAL_BENCH_PEERS_H

#include "job.h"
#include "peer_cart.h"

#define PEERS_ROUNDS_MAX 15u
#define PEERS_MAX 16u

/* Corral is the first: ratios are to it. */
extern const struct peer *const peers[];
extern const uint32_t peer_count;

struct peers_settings {
	uint32_t carts;
	uint32_t bytes;
	uint32_t workers;
	uint32_t ms; /* for each figure, all rounds together */
	uint32_t rounds;
	bool zipf;
	bool threads; /* workers are threads of one process */
	bool no_pin;  /* servers and workers run wherever the kernel likes */
	const char *only;
	const char *directory;
	const char *json;
};

struct peers_row { /* of one peer */
	const struct peer *peer;
	pid_t server;
	void *connection; /* ours */
	uint64_t bytes;   /* that its carts take, once they are all there */
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
	int worker_cpu; /* where the worker of a peer with a server stays; PIN_NONE: anywhere */
	struct peers_row rows[PEERS_MAX];
	uint32_t row_count;
	int64_t lost; /* adds that were acknowledged and are not there; negative: there are more */
};

/* Corral has an agent, whom no worker asks anything. */
static inline bool peers_has_server(const struct peers_row *row)
{
	return row->server > 0 && row->peer->put != NULL;
}

/* Is the name in a list "a,b,c"? NULL: every name is. */
bool peers_is_wanted(const char *list, const char *name);

/*
 * *ret_go: there is something to do, see options.h. settings: what holds unless options say
 * otherwise.
 */
enum bench_exit peers_options(int argc, char **argv, struct peers_settings *settings, bool *ret_go);

/* A note of how a peer is set up, and where it runs: of each store once. */
void peers_tell(const struct peers *run, const struct peers_row *row);

/* All figures, once all rounds are done. */
void peers_print(const struct peers *run);

enum bench_exit peers_run(int argc, char **argv);

#endif
