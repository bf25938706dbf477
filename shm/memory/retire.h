/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* retire.h: blocks that readers may still see. See retire.c. */
#ifndef CORRAL_RETIRE_H
#define CORRAL_RETIRE_H

#include "sync/alive.h"

/*
 * Retire intent.old into our open list; now and then, drive a grace period and free the ready list.
 * Never waits.
 */
void block_retire_old(struct actor *actor);

/*
 * Free those of target's retired blocks whose grace period is over; stamp the rest. False: another
 * thread has the lists' lock.
 */
bool block_reclaim(struct actor *actor, struct thread_record *target);

/*
 * Reclaim from all records that have retired blocks; empty records without an owner; give the
 * blocks back to their classes. Lists locked by another thread are skipped. True: some blocks are
 * still retired, because a thread reads or holds a lock.
 */
bool block_reclaim_all(struct actor *actor);

/* About how many retired bytes wait for sections that began in this phase or before. */
uint64_t block_held_back(const struct arena *arena, uint64_t phase);

/* Does this record have anything in its lists, cache or hand? */
bool block_has_leftovers(const struct thread_record *record);

/* Settle what our record's last owner left in hand, before the record is used. */
void block_settle(struct actor *actor);

#endif
