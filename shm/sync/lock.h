/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.h: spinlocks that survive their holder.
 *
 * The word names the holder (thread record plus one) and says whether a waiter sleeps on it. Taking
 * a free lock is one compare-and-swap. Waiting is a short spin, a sleep on the word (a shared
 * futex), and then longer and longer naps up to a deadline; see lock.c. A waiter asks the kernel
 * whether the holder's process is alive; it repairs a dead holder's records itself, which frees the
 * word.
 *
 * Lock order: a thread takes locks downwards in the list below, and never two of one level.
 */
#ifndef CORRAL_LOCK_H
#define CORRAL_LOCK_H

#include <time.h>

#include "base/atomic.h"
#include "sync/alive.h"

/* The clock that patience is measured by. */
static inline int64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

enum lock_level {
	LOCK_BUCKET = 0, /* a chain */
	LOCK_SLOT,       /* a cart */
	LOCK_LISTS,      /* a thread's retired lists */
	LOCK_SLOTS,      /* the free slots */
	LOCK_CLASS,      /* a size class's free list */
	LOCK_SPACE,      /* the page table */
	LOCK_FEED,       /* the numbered events */
};

/* Take a lock, within the actor's patience. 0 or -EBUSY: a living process holds it. */
int lock_take(struct actor *actor, lock_word *word, enum lock_level level);

/* Take the lock only if no living holder has to be waited for (a dead one is repaired). */
bool lock_try(struct actor *actor, lock_word *word, enum lock_level level);

void lock_drop(struct actor *actor, lock_word *word, enum lock_level level);

/* Does `name` hold the lock? */
static inline bool lock_held_by(const lock_word *word, uint32_t name)
{
	/* relaxed: asked about ourselves or the dead */
	return (load_relaxed(word) & LOCK_HOLDER) == name;
}

/* Free a lock held by `name`, which is dead and under repair, and wake a waiter. */
void lock_release_of(lock_word *word, uint32_t name);

#endif
