/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * former_image.h: a small arena as it would have been in layout 2, made of one of today's layout:
 * the same records, slots and blocks; another header, the tables behind the dirty bitmap a drained
 * bitmap and the chains lower, and the carts that slots have in format 1.
 */
#ifndef FORMER_IMAGE_H
#define FORMER_IMAGE_H

#include "arena/arena.h"

struct former_image { /* what was changed */
	uint8_t header[HEADER_BYTES];
	uint8_t *tables;
	struct former_cart { /* its head as it was */
		uint8_t *at;
		uint8_t head[sizeof(struct cart_head)];
	} * carts;
	uint32_t cart_count;
};

/* In the arena's mapping. Damage goes along; a checksum that was right is right. */
void former_image_begin(const struct arena *arena, struct former_image *ret_image);

/* A sound cart version made one of format 1, in place. False: it is none, or of another format. */
bool former_image_cart(uint8_t *bytes, size_t room);

/* Back to today's. */
void former_image_end(const struct arena *arena, struct former_image *image);

#endif
