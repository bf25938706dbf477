/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * former.h: the layouts that arenas had before LAYOUT_VERSION, and the format that carts
 * had before CART_FORMAT, frozen, as far as it takes to find and to read their carts.
 *
 * For salvage, which reads an arena of a former layout by a header in today's words. Pure functions
 * on bytes that nobody has checked: what a header says is handed on as it stands, and believed by
 * no one.
 *
 * A new layout: raise LAYOUT_VERSION; freeze the header that was and its geometry in former.c; if a
 * struct that salvage reads has changed too (the asserts there fail), freeze that one as well. And
 * keep an arena of it in tests/samples.
 */
#ifndef CORRAL_FORMER_H
#define CORRAL_FORMER_H

#include "arena/layout.h"

/*
 * Are these HEADER_BYTES the beginning of an arena of a former layout that we know? Its number, and
 * *ret_header: what they say, in today's words (layout_version stays the former one; drained_at,
 * chains_at and all behind line 3 are 0). 0: no.
 */
uint32_t former_read(const void *bytes, struct arena_header *ret_header);

/* Does the checksum of its constant part hold? */
bool former_sound(const void *bytes);

/*
 * Where the tables of an arena of that layout and size are; false: there is none. Nothing else of
 * *ret_header is set.
 */
bool former_geometry(uint32_t layout, uint64_t arena_bytes, uint32_t max_carts,
		     struct arena_header *ret_header);

#define FORMER_CARTS_UNTIL 4u /* the last layout whose carts have format 1 */

/*
 * A cart version of format 1, in format 2: `to` (which may be where it is now) gets ret_size bytes,
 * at most room and CORRAL_CART_MAX. False: its head is damaged, `to` is as it was. Of the rest its
 * checksums will tell, as ever.
 */
bool former_cart(const void *bytes, size_t room, void *to, uint32_t *ret_size);

#endif
