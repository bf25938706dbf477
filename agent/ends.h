/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ends.h: the ends of carts that a new arena is to tell, and the cursors that it gets.
 *
 * A new arena is made from a journal, or from another arena. The ends that a named cursor there had
 * not acknowledged are told again in the new arena, in their order, before those that making it
 * has caused: of carts whose time was up. Numbers begin anew in the new arena, so each cursor gets
 * the number of the first end that it had not acknowledged.
 */
#ifndef CORRAL_AGENT_ENDS_H
#define CORRAL_AGENT_ENDS_H

#include <pthread.h>

#include "store/feed_ends.h"

struct end_told;

struct ends {
	pthread_mutex_t lock;
	struct end_told **told;
	uint32_t count;
	uint32_t most; /* so many at most: more would not stay in the arena */
	uint32_t lost; /* more than that, or there was no memory for them */
	uint64_t bytes;
	uint64_t bytes_most; /* of versions; further ends are told without */
	struct feed_cursor cursors[FEED_CURSORS];
	uint32_t cursor_count;
};

void ends_begin(struct ends *ends, uint64_t arena_bytes);
void ends_free(struct ends *ends);

/* An end of the former arena. version: size bytes, 0: unknown. */
void ends_add(struct ends *ends, const struct feed_entry *event, const void *version,
	      uint32_t size);

/*
 * The cart is left out, since its time is up. 1; -EUCLEAN: it is no sound version. Several threads
 * may call this at once.
 */
int ends_add_expired(struct ends *ends, const void *version, size_t size);

/* A cursor of the former arena. */
void ends_add_cursor(struct ends *ends, const struct feed_cursor *cursor);

/* The cursors and the ends that they need of an arena that no process changes. */
void ends_add_all(struct ends *ends, const struct arena *arena);

/*
 * Tell them in the new arena, which only we use, and put the cursors there. Ends for which it has
 * no room are logged.
 */
void ends_tell(struct ends *ends, struct actor *actor);

/*
 * See that each end that has happened has a number: a thread may be in the middle of telling one.
 * Called without a lock. False: that thread, or the process that numbers events, was not done in
 * time.
 */
bool ends_settle(struct actor *actor, uint32_t patience_ms);

#endif
