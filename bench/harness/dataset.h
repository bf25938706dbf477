/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dataset.h: an arena filled with carts of a known shape, for measurements.
 *
 * Cart number n has a key of fixed size and about the same bytes as the others: lines such as a
 * voice order has, a modifier on every second one.
 */
#ifndef CORRAL_BENCH_DATASET_H
#define CORRAL_BENCH_DATASET_H

#include "corral.h"
#include "sandbox.h"

#define DATASET_RESTAURANT_BYTES 16u
#define DATASET_SESSION_BYTES 32u
#define DATASET_KEY_BYTES (DATASET_RESTAURANT_BYTES + DATASET_SESSION_BYTES)
#define DATASET_CART_BYTES_MAX (256u * 1024)

/* One step of a precomputed walk over the carts: read in order, so that keys cost no cache miss. */
struct dataset_step {
	char key[DATASET_KEY_BYTES]; /* restaurant, then session */
	uint32_t cart;
	uint32_t reserved[3];
};

static_assert(sizeof(struct dataset_step) == CACHE_LINE, "one line");

struct dataset {
	struct sandbox sandbox;
	struct corral *corral;
	uint32_t carts;
	uint32_t lines;      /* of a cart */
	uint32_t cart_bytes; /* of the first one, as stored */
};

/* Open a sandbox with room for the carts, and put them in. Complains itself. */
enum bench_exit dataset_open(struct dataset *dataset, const char *directory, uint32_t carts,
			     uint32_t bytes);
/* The same on a sandbox on a disk, with a journal: see sandbox_open_on_disk(). */
enum bench_exit dataset_open_on_disk(struct dataset *dataset, const char *parent, uint32_t carts,
				     uint32_t bytes, uint32_t journal_ms);
void dataset_close(struct dataset *dataset);

/*
 * The sum of all carts' versions: each change of a cart adds one to it. 0, or what a read answered.
 */
int dataset_versions(const struct dataset *dataset, uint64_t *ret_sum);

void dataset_step_at(uint32_t cart, struct dataset_step *ret_step);

static inline struct corral_key dataset_key(const struct dataset_step *step)
{
	return (struct corral_key){ { step->key, DATASET_RESTAURANT_BYTES },
				    { step->key + DATASET_RESTAURANT_BYTES,
				      DATASET_SESSION_BYTES } };
}

/* How many steps are enough for these carts: a power of two, at most max. */
uint32_t dataset_steps(const struct dataset *dataset, uint32_t max);

/*
 * `count` random steps; or (shuffled) each cart once, in random order. NULL: no memory. For free().
 */
struct dataset_step *dataset_walk(const struct dataset *dataset, uint32_t count, uint64_t seed);
/*
 * The same, some carts far more often than others: Zipf's law, with an exponent of 0.99 as in YCSB.
 */
struct dataset_step *dataset_walk_zipf(const struct dataset *dataset, uint32_t count,
				       uint64_t seed);
struct dataset_step *dataset_shuffled(const struct dataset *dataset, uint64_t seed);

/* The item of a line, from 0; the one past the last is in no cart. */
#define DATASET_TEXT_BYTES 64u
struct dataset_item {
	char id[DATASET_TEXT_BYTES];
	char name[DATASET_TEXT_BYTES];
	char modifier_name[DATASET_TEXT_BYTES];
	struct corral_modifier modifier;
	struct corral_item item; /* points to the above */
};
void dataset_item_at(uint32_t line, struct dataset_item *ret_item);

#endif
