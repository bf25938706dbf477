/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.h: the one way by which all public calls change a cart.
 */
#ifndef CORRAL_CHANGE_H
#define CORRAL_CHANGE_H

#include <string.h>

#include "api/handle.h"
#include "cart/cart.h"

/* Copy an answer without the room for rates that it does not list. Most carts have one. */
static inline void result_copy(struct corral_result *to, const struct corral_result *from)
{
	memcpy(to, from, offsetof(struct corral_result, rates[1]));
	if (unlikely(from->rate_count > 1))
		memcpy(&to->rates[1], &from->rates[1],
		       (from->rate_count - 1) * sizeof(from->rates[0]));
}

/*
 * Make a change whose steps are filled in (the key, the world and the conditions are filled in
 * here). op, ret_result and ret_step may be NULL. Errors as in corral.h; *ret_step: of an error,
 * the step that was refused, from 1, or 0.
 */
int change_cart(struct corral *corral, const struct corral_key *key, struct cart_change *change,
		const struct corral_op *op, struct corral_result *ret_result, uint32_t *ret_step);

/*
 * Put a whole cart version from elsewhere (size bytes, in memory of the caller's own) where the
 * key's cart is, or make that cart. idle_ns: how long ago its last activity was. 1: what is there
 * is as new; -EUCLEAN: it is no sound version; other errors as of a change.
 */
int change_put(struct corral *corral, const void *version, size_t size, uint64_t idle_ns);

/* The same of a version that cart_validate() has accepted, where it now lies. */
int change_put_validated(struct corral *corral, const void *version, size_t size, uint64_t idle_ns);

/* The same as change_put() into this slot, see slot_begin_numbered(). */
int change_put_numbered(struct corral *corral, uint32_t slot, const void *version, size_t size,
			uint64_t idle_ns);

#endif
