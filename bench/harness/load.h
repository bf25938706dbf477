/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load.h: an arena filled with carts of a known shape, for measurements.
 *
 * Cart number n has a key of fixed size and about the same bytes as the others: lines such as a
 * voice order has, a modifier on every second one.
 */
#ifndef CORRAL_BENCH_LOAD_H
#define CORRAL_BENCH_LOAD_H

#include "corral.h"
#include "sandbox.h"

#define LOAD_RESTAURANT_BYTES 16u
#define LOAD_SESSION_BYTES 32u
#define LOAD_KEY_BYTES (LOAD_RESTAURANT_BYTES + LOAD_SESSION_BYTES)
#define LOAD_CART_BYTES_MAX (256u * 1024)

/* One step of a precomputed walk over the carts: read in order, so that keys cost no cache miss. */
struct load_step {
	char key[LOAD_KEY_BYTES]; /* restaurant, then session */
	uint32_t cart;
	uint32_t reserved[3];
};

static_assert(sizeof(struct load_step) == CACHE_LINE, "one line");

struct load {
	struct sandbox sandbox;
	struct corral *corral;
	uint32_t carts;
	uint32_t lines;      /* of a cart */
	uint32_t cart_bytes; /* of the first one, as stored */
};

/* Open a sandbox with room for the carts, and put them in. Complains itself. */
enum bench_exit load_open(struct load *load, const char *directory, uint32_t carts, uint32_t bytes);
/* The same on a sandbox on a disk, with a journal: see sandbox_open_on_disk(). */
enum bench_exit load_open_on_disk(struct load *load, const char *parent, uint32_t carts,
				  uint32_t bytes, uint32_t journal_ms);
void load_close(struct load *load);

/*
 * The sum of all carts' versions: each change of a cart adds one to it. 0, or what a read answered.
 */
int load_versions(const struct load *load, uint64_t *ret_sum);

void load_step_at(uint32_t cart, struct load_step *ret_step);

static inline struct corral_key load_key(const struct load_step *step)
{
	return (struct corral_key){ { step->key, LOAD_RESTAURANT_BYTES },
				    { step->key + LOAD_RESTAURANT_BYTES, LOAD_SESSION_BYTES } };
}

/* How many steps are enough for these carts: a power of two, at most max. */
uint32_t load_steps(const struct load *load, uint32_t max);

/*
 * `count` random steps; or (shuffled) each cart once, in random order. NULL: no memory. For free().
 */
struct load_step *load_walk(const struct load *load, uint32_t count, uint64_t seed);
/*
 * The same, some carts far more often than others: Zipf's law, with an exponent of 0.99 as in YCSB.
 */
struct load_step *load_walk_zipf(const struct load *load, uint32_t count, uint64_t seed);
struct load_step *load_shuffled(const struct load *load, uint64_t seed);

/* The item of a line, from 0; the one past the last is in no cart. */
#define LOAD_TEXT_BYTES 64u
struct load_item {
	char id[LOAD_TEXT_BYTES];
	char name[LOAD_TEXT_BYTES];
	char modifier_name[LOAD_TEXT_BYTES];
	struct corral_modifier modifier;
	struct corral_item item; /* points to the above */
};
void load_item_at(uint32_t line, struct load_item *ret_item);

#endif
