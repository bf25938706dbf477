/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * free_slot.h: slots without a cart. A slot is in the free list, beyond slots_used_high, in a
 * thread's hand (intent.hand_slot), in use, or goes with the block that ended it.
 */
#ifndef CORRAL_FREE_SLOT_H
#define CORRAL_FREE_SLOT_H

#include "sync/alive.h"

/* Take a free slot into intent.hand_slot (or use the one still there). -ENFILE, -EBUSY. */
int block_take_slot(struct actor *actor);

/* Give back a slot that was taken and not used; it stays in hand while another has the lock. */
void block_give_hand_slot(struct actor *actor);

/*
 * The slot that ends with a block, which is noted in hand and first in a ready list, goes to the
 * free slots. False: somebody is at them; nothing was done.
 */
bool block_free_slot(struct actor *actor, struct block_header *block);

#endif
