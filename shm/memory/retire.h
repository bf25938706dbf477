/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* retire.h: blocks that readers may still see. See retire.c. */
#ifndef CORRAL_RETIRE_H
#define CORRAL_RETIRE_H

#include "sync/alive.h"

/*
 * Retire intent.old: into our open list; now and then, drive a grace period and free what is ready.
 * Waits for nobody.
 */
void block_retire_old(struct actor *actor);

/*
 * Free what of target's retired lists has had its grace period; stamp the rest. False: somebody
 * else is at it.
 */
bool block_reclaim(struct actor *actor, struct thread_record *target);

/*
 * Reclaim from all records that have something retired; empty those that nobody owns; give all of
 * it back to the classes. What somebody else is at is passed over. True: something is still
 * retired, because somebody reads or is at it.
 */
bool block_reclaim_all(struct actor *actor);

/* Bytes that are retired and wait for sections that began in this phase or before; about. */
uint64_t block_held_back(const struct arena *arena, uint64_t phase);

/* Has this record anything in its lists, cache or hand? */
bool block_has_leftovers(const struct thread_record *record);

/* Settle what the last owner of our record left in hand. Before the record is used. */
void block_settle(struct actor *actor);

#endif
