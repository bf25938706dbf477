/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * salvage_inside.h: what the two halves of salvage share: salvage.c opens the file, salvage_carts.c
 * takes the carts out of it.
 */
#ifndef CORRAL_SALVAGE_INSIDE_H
#define CORRAL_SALVAGE_INSIDE_H

#include "inspect/salvage.h"

struct piece { /* of the file: here it has data */
	uint64_t from;
	uint64_t end;
};

struct salvage {
	struct arena arena; /* read only */
	int64_t now_ns;     /* arena time: now, or when it stood still */
	uint64_t ttl_ns;
	struct piece *pieces; /* ascending */
	uint32_t piece_count;
	uint8_t *copy;         /* of the version that is looked at */
	struct entry *entries; /* what was found out about each slot that says something */
	uint32_t entry_count;
};

/* A sound version at a reference, copied out; until the next call. NULL: none. */
const struct cart_head *salvage_copy(const struct salvage *salvage, block_ref ref);

/* The hash of its key in this arena; 0: it has no key. */
uint64_t salvage_hash(const struct salvage *salvage, const struct cart_head *cart);

#endif
