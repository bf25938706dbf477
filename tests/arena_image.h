/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena_image.h: one small arena with something of everything in it, to be damaged again and again.
 *
 * It is made once, in a directory of its own, by the library itself: carts of several kinds, one
 * whose time is up, retired blocks, a record that nobody owns and that has leftovers, and a process
 * that died inside a read-side section with a slot's lock and a block in hand. After
 * arena_image_restore() the file is as it was then, and so is its clock. Keys hash with a fixed
 * seed, so that the same bytes are at the same place in every run.
 *
 * Knows no cmocka: for the fuzz targets and for 86_bit_flips. What cannot be made aborts.
 */
#ifndef ARENA_IMAGE_H
#define ARENA_IMAGE_H

#include "arena/arena.h"
#include "corral.h"

#define IMAGE_CARTS 8u  /* that are there */
#define IMAGE_KEYS 12u  /* the others are not */
#define IMAGE_OVER 6u   /* the cart whose time is up */
#define IMAGE_LOCKED 2u /* the cart whose lock the dead holds */
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
	struct arena arena; /* a mapping that stays; the handles under test map it anew */
	struct image_cart carts[IMAGE_CARTS];
	uint32_t dead_thread; /* number of the dead one's record */
	uint8_t *pristine;
	int64_t now_ns;
};

/* Make it; it is removed when the process exits. */
void arena_image_make(struct arena_image *image);

/* All bytes, and the clock, as they were. */
void arena_image_restore(const struct arena_image *image);

/* Make the header's checksum right again. */
void arena_image_seal_header(const struct arena_image *image);

/*
 * Make the checksums of a cart right again, as far as its shape allows, so that damage behind them
 * is met.
 */
void arena_image_seal_cart(const struct arena_image *image, uint32_t cart);

/* Key number (modulo IMAGE_KEYS). */
struct corral_key arena_image_key(uint32_t number);

#endif
