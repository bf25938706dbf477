/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * free_slot.h: slots without a cart. A slot is in the free list, beyond slots_used_high, in a
 * thread's hand (intent.hand_slot), in use, or attached to the block that ended its cart.
 */
#ifndef CORRAL_FREE_SLOT_H
#define CORRAL_FREE_SLOT_H

#include "sync/alive.h"

/* Take a free slot into intent.hand_slot (or keep the one still there). -ENFILE, -EBUSY. */
int block_take_slot(struct actor *actor);

/* Give back an unused slot in hand. It stays in hand while another thread has the lock. */
void block_give_hand_slot(struct actor *actor);

/*
 * Free the slot that ends with a block; the block is noted in hand and is first in a ready list.
 * False: another thread has the lock, and nothing was done.
 */
bool block_free_slot(struct actor *actor, struct block_header *block);

#endif
