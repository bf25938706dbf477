/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* allocate.h: a block for a writer. */
#ifndef CORRAL_ALLOCATE_H
#define CORRAL_ALLOCATE_H

#include "sync/alive.h"

/*
 * Before a cart's lock is wanted: see to it that block_alloc() will find a block for `bytes` in the
 * cache, since getting one from elsewhere may take a grace period's barrier or other locks, for
 * which nobody who wants that cart should wait. The hand is empty. Waits for nobody.
 */
void block_stock(struct actor *actor, uint32_t bytes);

/*
 * Take a free block with room for `bytes` (header included) into the actor's hand. The hand must be
 * empty. -ENOMEM: the arena is full; -ENOSPC...: the disk is; -EUCLEAN.
 */
int block_alloc(struct actor *actor, uint32_t bytes);

#endif
