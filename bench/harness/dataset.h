/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dataset.h: an arena filled with carts of a known shape, for measurements.
 *
 * All carts have keys of the same size and nearly the same number of bytes. Their lines are such as
 * a voice order has, with a modifier on every second one.
 */
#ifndef CORRAL_BENCH_DATASET_H
#define CORRAL_BENCH_DATASET_H

#include "corral.h"
#include "sandbox.h"

#define DATASET_RESTAURANT_BYTES 16u
#define DATASET_SESSION_BYTES 32u
#define DATASET_KEY_BYTES (DATASET_RESTAURANT_BYTES + DATASET_SESSION_BYTES)
#define DATASET_CART_BYTES_MAX (256u * 1024)

/*
 * One step of a precomputed walk over the carts. Steps are read in order, so keys cost no cache
 * miss.
 */
struct dataset_step {
	char key[DATASET_KEY_BYTES]; /* restaurant, then session */
	uint32_t cart;
	uint32_t reserved[3];
};

static_assert(sizeof(struct dataset_step) == CACHE_LINE, "one cache line");

struct dataset {
	struct sandbox sandbox;
	struct corral *corral;
	uint32_t carts;
	uint32_t lines;      /* of a cart */
	uint32_t cart_bytes; /* of the first cart, as stored */
};

/* Open a sandbox with room for the carts, and fill it with them. Prints its own error messages. */
enum bench_exit dataset_open(struct dataset *dataset, const char *directory, uint32_t carts,
			     uint32_t bytes);
/* The same on a sandbox on a disk, with a journal: see sandbox_open_on_disk(). */
enum bench_exit dataset_open_on_disk(struct dataset *dataset, const char *parent, uint32_t carts,
				     uint32_t bytes, uint32_t journal_ms);
void dataset_close(struct dataset *dataset);

/*
 * The sum of all carts' versions, to which each change of a cart adds one. 0, or the error of a
 * read.
 */
int dataset_versions(const struct dataset *dataset, uint64_t *ret_sum);

void dataset_step_at(uint32_t cart, struct dataset_step *ret_step);

static inline struct corral_key dataset_key(const struct dataset_step *step)
{
	return (struct corral_key){ { step->key, DATASET_RESTAURANT_BYTES },
				    { step->key + DATASET_RESTAURANT_BYTES,
				      DATASET_SESSION_BYTES } };
}

/* The number of steps that suffices for these carts: a power of two, at most max. */
uint32_t dataset_steps(const struct dataset *dataset, uint32_t max);

/*
 * A walk of `count` random steps, in which all carts are equally likely. NULL: no memory. The
 * caller frees it, as those below.
 */
struct dataset_step *dataset_walk(const struct dataset *dataset, uint32_t count, uint64_t seed);
/* The same, but the carts' frequencies follow Zipf's law, with an exponent of 0.99 as in YCSB. */
struct dataset_step *dataset_walk_zipf(const struct dataset *dataset, uint32_t count,
				       uint64_t seed);
/* A walk to each cart once, in random order. */
struct dataset_step *dataset_shuffled(const struct dataset *dataset, uint64_t seed);

/* The item of a line, counted from 0; the one past the last line is in no cart. */
#define DATASET_TEXT_BYTES 64u
struct dataset_item {
	char id[DATASET_TEXT_BYTES];
	char name[DATASET_TEXT_BYTES];
	char modifier_name[DATASET_TEXT_BYTES];
	struct corral_modifier modifier;
	struct corral_item item; /* its texts point to the arrays above */
};
void dataset_item_at(uint32_t line, struct dataset_item *ret_item);

#endif
