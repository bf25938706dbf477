/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slots.h: the key of a cart, and the hash slot of a cluster that it belongs to.
 */
#ifndef CORRAL_REDIS_SLOTS_H
#define CORRAL_REDIS_SLOTS_H

#include <stdint.h>

#include "corral.h"

#define SLOTS 16384u
#define SLOTS_PREFIX_MAX 256
/* the prefix, braces, a slash, and both ids, whose bytes may become three each */
#define SLOTS_KEY_MAX (SLOTS_PREFIX_MAX + 3 + 2 * 3 * CORRAL_ID_MAX + 1)

struct slots_key {
	char text[SLOTS_KEY_MAX]; /* prefix{restaurant/session}, NUL-terminated */
	uint32_t size;
	uint32_t slot;
};

/* Both ids have 1 to CORRAL_ID_MAX bytes. */
void slots_key(const char *prefix, const struct corral_key *key, struct slots_key *ret_key);

/*
 * The pattern that SCAN takes for all carts, of one restaurant or (NULL) of all. room: twice
 * SLOTS_KEY_MAX.
 */
void slots_pattern(const char *prefix, const struct corral_text *restaurant_id, char *room);

/* The slot of a key without braces. */
uint32_t slots_of(const char *key);

#endif
