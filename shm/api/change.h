/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.h: one change of a cart that is there, from looking to publishing; for ops.c.
 */
#ifndef CORRAL_CHANGE_H
#define CORRAL_CHANGE_H

#include "api/handle.h"
#include "cart/cart.h"
#include "store/slot.h"

/* One change under way. */
struct work {
	struct corral *corral;
	struct actor *actor;
	const struct corral_key *key;
	struct cart_change *change;
	struct cart_plan plan;
	int64_t now_ns;
	uint64_t idle_ns; /* of a version from elsewhere: since its last activity */
	bool wake;        /* somebody sleeps on the slot's change word */
};

/* Does it make the cart, if there is none? */
bool change_makes_cart(const struct cart_change *change);

/* What time is it? Under a lock: from then on it is ours, for those who ask how long. */
void change_look_at_clock(struct work *work);

/* What the clock said then. (work->now_ns is the activity's time: earlier, for a version from
 * elsewhere.) */
int64_t change_clock_ns(const struct work *work);

/* As cart_plan(), dated now. */
int change_plan(struct work *work, const struct cart_head *old, size_t room);

/*
 * The plan's version, in a block in hand; nothing else has changed then. `locked`: nobody else can
 * change or free `old`. 0 or -errno.
 */
int change_build(struct work *work, const struct cart_head *old, bool locked);

uint64_t change_ttl_ms(const struct work *work);

/*
 * Change the cart in this slot. 0; 1: had been done; -EAGAIN: it is another one's slot by now;
 * -errno.
 */
int change_existing(struct work *work, struct slot *slot);

#endif
