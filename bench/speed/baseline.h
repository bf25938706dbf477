/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * baseline.h: the bare limit: the same carts in a plain hash map in this process's own
 * memory, without locks, liveness, expiry or protection of any kind.
 *
 * It has the arena's shape: buckets of 8 bytes, chains of nodes of a cache line, values as far
 * apart as the arena's blocks, the same bytes, the same keys, hashed and compared the same way. The
 * time that Corral takes beyond it is the cost of its promises.
 */
#ifndef CORRAL_BENCH_BASELINE_H
#define CORRAL_BENCH_BASELINE_H

#include <string.h>

#include "arena/layout.h"
#include "base/hash.h"
#include "cart/cart.h"
#include "harness/dataset.h"

struct baseline_bucket {
	uint32_t head; /* node plus one */
	uint32_t reserved;
};

struct baseline_node {
	uint64_t hash;
	uint64_t at; /* the value's offset */
	uint32_t next;
	uint32_t reserved[11];
};

static_assert(sizeof(struct baseline_bucket) == sizeof(struct chain), "as the arena's");
static_assert(sizeof(struct baseline_node) == sizeof(struct slot), "as the arena's");

struct baseline {
	struct baseline_bucket *buckets;
	struct baseline_node *nodes;
	uint8_t *values;
	size_t stride;      /* from one value to the next */
	size_t value_bytes; /* of all values, and the gaps between them */
	uint32_t mask;
	uint64_t seed;
};

/* Copy all carts of the dataset. 0 or -errno. */
int baseline_make(struct baseline *baseline, struct dataset *dataset);
void baseline_free(struct baseline *baseline);

/* The hash of the same key, in the same form as in the arena. */
static inline uint64_t baseline_hash(const struct baseline *baseline, const struct corral_key *key)
{
	uint64_t hash = XXH3_64bits_withSeed(key->restaurant_id.data, key->restaurant_id.size,
					     baseline->seed);

	return XXH3_64bits_withSeed(key->session_id.data, key->session_id.size, hash);
}

/* Hash the key, probe, compare: the cart, or NULL. */
static inline const struct cart_head *baseline_find(const struct baseline *baseline,
						    const struct corral_key *key)
{
	uint64_t hash = baseline_hash(baseline, key);

	for (uint32_t link = baseline->buckets[hash & baseline->mask].head; link != 0;) {
		const struct baseline_node *node = &baseline->nodes[link - 1];
		const struct cart_head *cart =
			(const struct cart_head *)(baseline->values + node->at);

		if (node->hash == hash && cart_has_key(cart, SIZE_MAX, key))
			return cart;
		link = node->next;
	}
	return NULL;
}

#endif
