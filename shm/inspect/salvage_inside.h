/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * salvage_inside.h: what the two halves of salvage share: salvage.c opens the file, salvage_carts.c
 * takes the carts out of it.
 */
#ifndef CORRAL_SALVAGE_INSIDE_H
#define CORRAL_SALVAGE_INSIDE_H

#include "inspect/salvage.h"

struct piece { /* a part of the file with data */
	uint64_t from;
	uint64_t end;
};

struct salvage {
	struct arena arena; /* read only */
	int64_t now_ns;     /* arena time: now, or when the arena was last in use */
	uint64_t ttl_ns;
	struct piece *pieces; /* ascending */
	uint32_t piece_count;
	uint8_t *copy;         /* of the version being examined */
	struct entry *entries; /* the findings about each slot that is not blank */
	uint32_t entry_count;
	uint64_t mapped_bytes; /* that were looked at since we let go of them */
};

/*
 * Copy the valid version at a reference; the copy lasts until the next call. NULL: there is none.
 */
const struct cart_head *salvage_copy(struct salvage *salvage, block_ref ref);

/* The hash of a cart's key in this arena; 0: it has no key. */
uint64_t salvage_hash(const struct salvage *salvage, const struct cart_head *cart);

#endif
