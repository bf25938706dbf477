/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* slot_copy.c: see slot_copy.h. */
#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "slot_copy.h"
#include "store/slot.h"
#include "sync/grace.h"

#define TRIES_MAX 1000u /* each time the slot got another cart, or the view was revoked */

/* Called inside a section. */
static int copy_once(const struct arena *arena, uint32_t number, void *buffer,
		     struct slot_copied *copied)
{
	struct found found;

	*copied = (struct slot_copied){ 0 };
	int r = slot_load(arena, number, &found);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (found.lease == LEASE_OVER) {
		copied->over = true;
		copied->version = load_relaxed(&found.cart->version);
		/* its holder may be putting the next cart there, whose version this may be */
		if (load_acquire(&found.slot->lock) != 0)
			return -EBUSY;
	}
	uint32_t size = load_relaxed(&found.cart->size); /* read once: damaged bytes may change */
	if (size < sizeof(*found.cart) || size > found.room || size > CORRAL_CART_MAX)
		return -EUCLEAN;
	memcpy(buffer, found.cart, size);
	copied->size = size;
	copied->touched_ns = copied->over ? SLOT_LONG_AGO : lease_touched_ns(found.lease);
	/* the version may be the next cart's, which does not count yet. pairs [S3] */
	fence_loads();
	return load_relaxed(&found.slot->lease) == found.lease ? 0 : -EAGAIN;
}

int slot_copy(struct actor *actor, uint32_t number, void *buffer, struct slot_copied *ret_copied)
{
	int r = -EAGAIN;

	for (uint32_t tries = 0; tries < TRIES_MAX && (r == -EAGAIN || r == -EBUSY); tries++) {
		grace_enter(actor);
		r = copy_once(actor->arena, number, buffer, ret_copied);
		r = grace_leave_with(actor, r);
	}
	return r == -EBUSY ? 0 : r; /* over, and its holder does not get on: there is none */
}
