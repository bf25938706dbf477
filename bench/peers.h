/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peers.h (floor 6): which peers there are, and what corral-bench peers was asked for.
 */
#ifndef CORRAL_BENCH_PEERS_H
#define CORRAL_BENCH_PEERS_H

#include "peer.h"

#define PEERS_ROUNDS_MAX 15u

/* Corral is the first: ratios are to it. */
extern const struct peer *const peers[];
extern const uint32_t peer_count;

struct peers_settings {
	uint32_t carts;
	uint32_t bytes;
	uint32_t workers;
	uint32_t seconds;
	uint32_t rounds;
	bool zipf;
	bool threads; /* workers are threads of one process */
	const char *only;
	const char *directory;
	const char *json;
	bool help; /* was asked for, and given */
};

/* Is the name in a list "a,b,c"? NULL: every name is. */
bool peers_is_wanted(const char *list, const char *name);

enum bench_exit peers_options(int argc, char **argv, struct peers_settings *ret_settings);

#endif
