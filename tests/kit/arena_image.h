/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena_image.h: one small arena with an instance of every structure, to be damaged repeatedly.
 *
 * The library itself makes it once, in a new directory: carts of several kinds, one expired cart,
 * retired blocks, an unowned record with leftovers, and a process that died inside a read-side
 * section while it held a slot's lock and a block in hand. arena_image_restore() restores the file
 * and its clock. Keys hash with a fixed seed, so the same bytes are at the same offsets in every
 * run.
 *
 * Does not use cmocka, since the fuzz targets use it as well as 85_bit_flips. A failure to make the
 * arena aborts.
 */
#ifndef ARENA_IMAGE_H
#define ARENA_IMAGE_H

#include "arena/arena.h"
#include "corral.h"

#define IMAGE_CARTS 8u  /* that exist */
#define IMAGE_KEYS 12u  /* the keys beyond IMAGE_CARTS have no cart */
#define IMAGE_OVER 6u   /* the expired cart */
#define IMAGE_LOCKED 2u /* the cart whose lock the dead process holds */
#define IMAGE_MAX_CARTS 24u
#define IMAGE_DEAD_PROCESS 1u

struct image_cart {
	struct slot *slot;
	uint8_t *bytes; /* of the version */
	uint32_t size;
	block_ref ref;
};

struct arena_image {
	char directory[64];
	struct arena arena; /* a permanent mapping; the handles under test map the file again */
	struct image_cart carts[IMAGE_CARTS];
	uint32_t dead_thread; /* number of the dead thread's record */
	uint8_t *pristine;
	int64_t now_ns;
};

/* Make the image; it is removed when the process exits. */
void arena_image_make(struct arena_image *image);

/* Restore all bytes, and the clock. */
void arena_image_restore(const struct arena_image *image);

/* Recompute the header's checksum. */
void arena_image_seal_header(const struct arena_image *image);

/*
 * Recompute the checksums of a cart as far as its shape allows, so that a test reaches the damage
 * behind them.
 */
void arena_image_seal_cart(const struct arena_image *image, uint32_t cart);

/* The key with this number (modulo IMAGE_KEYS). */
struct corral_key arena_image_key(uint32_t number);

#endif
