/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * expire.h: end carts whose time is up.
 */
#ifndef CORRAL_EXPIRE_H
#define CORRAL_EXPIRE_H

#include "sync/alive.h"

/*
 * Look at `count` slots from `first` on, and end the carts whose time is up. Locks are tried, not
 * waited for: a cart that is busy is left to the next round. Returns how many were ended. Outside
 * of read-side critical sections.
 */
uint32_t expire_slots(struct actor *actor, uint32_t first, uint32_t count);

#endif
