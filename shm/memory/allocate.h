/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* allocate.h: a block for a writer. */
#ifndef CORRAL_ALLOCATE_H
#define CORRAL_ALLOCATE_H

#include "sync/alive.h"

/*
 * Called before a cart's lock is taken: make sure that block_alloc() finds a block for `bytes` in
 * the cache. Otherwise it might need a grace period's membarrier or other locks, and the threads
 * that want the cart would wait for those. The hand is empty. Never waits.
 */
void block_stock(struct actor *actor, uint32_t bytes);

/*
 * Take a free block with space for `bytes` (header included) into the actor's hand, which must be
 * empty. -ENOMEM: the arena is full; -ENOSPC...: the disk is full; -EUCLEAN.
 */
int block_alloc(struct actor *actor, uint32_t bytes);

/*
 * Take one into `word` of our intent, which is 0, for something that may be left out: without
 * pressure, without the pages that are kept for changes that make room, and without waiting for
 * more than 10 ms, or, in a change, its patience. The hand may hold a block, and keeps it. False:
 * there is none.
 */
bool block_take_modestly(struct actor *actor, uint32_t bytes, block_ref *word);

#endif
