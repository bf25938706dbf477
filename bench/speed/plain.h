/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plain.h: the bare limit: the same carts in a plain hash map in this process's own
 * memory, without locks, liveness, expiry or protection of any kind.
 *
 * It has the arena's shape: buckets of 8 bytes, chains of nodes of a cache line, values as far
 * apart as the arena's blocks, the same bytes, the same keys, hashed and compared the same way.
 * What Corral takes longer is what its promises cost.
 */
#ifndef CORRAL_BENCH_PLAIN_H
#define CORRAL_BENCH_PLAIN_H

#include <string.h>

#include "arena/layout.h"
#include "base/hash.h"
#include "cart/cart.h"
#include "harness/dataset.h"

struct plain_bucket {
	uint32_t head; /* node plus one */
	uint32_t reserved;
};

struct plain_node {
	uint64_t hash;
	uint64_t at; /* where the value lies */
	uint32_t next;
	uint32_t reserved[11];
};

static_assert(sizeof(struct plain_bucket) == sizeof(struct chain), "as the arena's");
static_assert(sizeof(struct plain_node) == sizeof(struct slot), "as the arena's");

struct plain {
	struct plain_bucket *buckets;
	struct plain_node *nodes;
	uint8_t *values;
	size_t stride;      /* from one value to the next */
	size_t value_bytes; /* of all values, with what is between them */
	uint32_t mask;
	uint64_t seed;
};

/* Copy all carts of the dataset. 0 or -errno. */
int plain_make(struct plain *plain, struct dataset *dataset);
void plain_free(struct plain *plain);

/* The same key in the same form, hashed and compared the same way. */
static inline uint64_t plain_hash(const struct plain *plain, const struct corral_key *key)
{
	uint64_t hash =
		XXH3_64bits_withSeed(key->restaurant_id.data, key->restaurant_id.size, plain->seed);

	return XXH3_64bits_withSeed(key->session_id.data, key->session_id.size, hash);
}

/* Hash, probe, compare the key: the cart, or NULL. */
static inline const struct cart_head *plain_find(const struct plain *plain,
						 const struct corral_key *key)
{
	uint64_t hash = plain_hash(plain, key);

	for (uint32_t link = plain->buckets[hash & plain->mask].head; link != 0;) {
		const struct plain_node *node = &plain->nodes[link - 1];
		const struct cart_head *cart = (const struct cart_head *)(plain->values + node->at);

		if (node->hash == hash && cart_has_key(cart, SIZE_MAX, key))
			return cart;
		link = node->next;
	}
	return NULL;
}

#endif
