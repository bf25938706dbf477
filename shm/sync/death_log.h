/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * death_log.h: the arena's record of its last repairs: which process died, what it held, what was
 * done. It is for people: no decision depends on it. The library does not log; the agent and the
 * tools read this record.
 *
 * It is a ring in the header. An entry's number is 0 while the entry is written, and is stored
 * last. A repairer that dies in between leaves an entry that is never shown, and the next repairer
 * writes its own.
 */
#ifndef CORRAL_DEATH_LOG_H
#define CORRAL_DEATH_LOG_H

#include "arena/arena.h"

/*
 * The bits of death.found: what a dead process held, and what became of it. They are combined over
 * its threads.
 */
#define DEATH_READING (1u << 0)     /* it was in a read-side critical section */
#define DEATH_SLOT (1u << 1)        /* held a cart's lock */
#define DEATH_BUCKET (1u << 2)      /* ... a chain's */
#define DEATH_LISTS (1u << 3)       /* ... that of retired lists */
#define DEATH_SLOTS (1u << 4)       /* ... that of the free slots */
#define DEATH_CLASS (1u << 5)       /* ... a size class's */
#define DEATH_SPACE (1u << 6)       /* ... the page table's */
#define DEATH_PUBLISHED (1u << 7)   /* its change was published: completed */
#define DEATH_UNPUBLISHED (1u << 8) /* its change was not published: undone */
#define DEATH_INSERTED (1u << 9)    /* its new cart was linked: completed */
#define DEATH_ENDED (1u << 10)      /* its cart had ended: completed */
#define DEATH_SPLICE (1u << 11)     /* a move of free blocks: undone or completed */
#define DEATH_HAND (1u << 12)       /* a block or slot in its hand: left to its record's heir */

/* Write an entry. Its number and repairer_pid are filled in here. */
void death_log_write(struct arena *arena, const struct death *death);

/* Number of deaths since the arena was created. */
uint64_t death_log_count(const struct arena *arena);

/* Read entry 1 ... death_log_count(). False: it is no longer kept, or it is incomplete. */
bool death_log_read(const struct arena *arena, uint64_t number, struct death *ret_death);

/* "held the lock of the cart in slot 3; its change was published: completed" */
#define DEATH_TEXT_BYTES 512
void death_log_describe(const struct death *death, char text[DEATH_TEXT_BYTES]);

#endif
