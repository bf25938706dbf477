/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * death_log.h: the arena remembers its last repairs: who died, what it held, what was done.
 * For people: nothing is decided by it. The library does not log; the agent and the tools read what
 * stands here.
 *
 * A ring in the header. An entry's number is 0 while it is written and is stored last; a repairer
 * that dies in the middle leaves an entry that nobody shows, and the next repairer writes one of
 * its own.
 */
#ifndef CORRAL_DEATH_LOG_H
#define CORRAL_DEATH_LOG_H

#include "arena/arena.h"

/* What a dead process held, and what became of it. Or'ed over its threads. */
#define DEATH_READING (1u << 0)     /* it was in a read-side critical section */
#define DEATH_SLOT (1u << 1)        /* held a cart's lock */
#define DEATH_BUCKET (1u << 2)      /* ... a chain's */
#define DEATH_LISTS (1u << 3)       /* ... that of retired lists */
#define DEATH_SLOTS (1u << 4)       /* ... that of the free slots */
#define DEATH_CLASS (1u << 5)       /* ... a size class's */
#define DEATH_SPACE (1u << 6)       /* ... the page table's */
#define DEATH_PUBLISHED (1u << 7)   /* its change was there: what follows it was done */
#define DEATH_UNPUBLISHED (1u << 8) /* its change was not there: undone */
#define DEATH_INSERTED (1u << 9)    /* its new cart was linked: completed */
#define DEATH_ENDED (1u << 10)      /* its cart had ended: completed */
#define DEATH_SPLICE (1u << 11)     /* blocks between a class and its cache: undone or completed */
#define DEATH_HAND (1u << 12)       /* a block or slot in its hand: left to its heir */

/* Write an entry. number and repairer_pid are filled in here. */
void death_log_write(struct arena *arena, const struct death *death);

/* How many there were since the arena was made. */
uint64_t death_log_count(const struct arena *arena);

/* Entry number 1 ... death_log_count(). False: it is not kept any more, or not whole. */
bool death_log_read(const struct arena *arena, uint64_t number, struct death *ret_death);

/* "held the lock of the cart in slot 3; its change was published: completed" */
#define DEATH_TEXT_BYTES 512
void death_log_describe(const struct death *death, char text[DEATH_TEXT_BYTES]);

#endif
