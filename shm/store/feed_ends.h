/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed_ends.h: ends of carts, which are kept for longer than changes. See docs/feed.md.
 *
 * The last version of an ended cart goes, with the event that tells of the end, into a copy: a
 * block that exactly one place owns, and that is read as a place of the ring is, by looking again
 * afterwards. It is owned by the intent of the thread that made it, then by the entry of its lane,
 * from when the event is told until it has a number, and then by a place of the ring of ends, until
 * it is let go.
 *
 * No change laps an end: a writer that would overwrite one in its lane numbers it first, and tells
 * nothing if that is not possible; the ring of ends has no other events. What is let go, the oldest
 * first, is decided by feed_ends_trim().
 *
 * The files, each of which uses those before it: feed_event.c, one event; feed_cursor.c;
 * feed_ends.c, copies and the ring of ends; feed.c, lanes and numbers; feed_kept.c, the rest.
 */
#ifndef CORRAL_FEED_ENDS_H
#define CORRAL_FEED_ENDS_H

#include "arena/layout.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "sync/alive.h"

#define FEED_ENDS ((uint32_t)CORRAL_EVENT_CHECKED_OUT | CORRAL_EVENT_DROPPED | CORRAL_EVENT_EXPIRED)

/* ------------------------------------------------------------------ writers */

/*
 * Copy the last version of a cart for an end that is being prepared. Returns the copy's reference;
 * 0: there is no memory. event: of the end, complete but for the copy.
 */
uint64_t feed_copy_make(struct actor *actor, uint32_t place, const struct feed_entry *event,
			const void *version, uint32_t size);

/* Free the copies that were made for a change that did not happen. */
void feed_copies_free(struct actor *actor);

static inline bool feed_has_copies(const struct thread_record *record)
{
	return (record->intent.copies[0] | record->intent.copies[1]) != 0;
}

/* -------------------------------------------------- the holder of feed_lock */

/* Is there a place in the ring of ends? */
static inline bool feed_ends_room(const struct arena *arena)
{
	return arena->header->ends_next - arena->header->ends_first <= arena->ends_mask;
}

/*
 * Before it is numbered: the next event, which may be a gap, gets a place. If there is none, its
 * readers will be told a gap.
 */
void feed_ends_put(struct arena *arena, const struct feed_entry *event);

/* Take the last place back if its event was not numbered before its sequencer died. */
void feed_ends_finish(struct arena *arena);

/*
 * Let go what has to go: while the ring is nearly full, the copies take too much memory, or the
 * oldest is too old. The actor's hand is empty.
 */
void feed_ends_trim(struct actor *actor);

/* Let go what has a smaller number. The hand is empty. True: memory was freed. */
bool feed_ends_let_go(struct actor *actor, uint64_t before);

/* After a death of the holder, whose intent is given: the end that was being let go. */
void feed_ends_repair(struct arena *arena, struct intent *intent);

/* ------------------------------------------------------------------ readers */

/*
 * The first end that is kept of those with a number >= `from`. 0; -ENOENT: there is none. What is
 * no end, but a gap in which ends may have been lost, or an end of which nothing is left, comes as
 * a CORRAL_EVENT_GAP with that number. version: memory for the last version, of `room` bytes, a
 * multiple of 8 (CORRAL_CART_MAX is always enough); *ret_size: its size; 0: there is none, or it
 * has not enough room. Takes no lock.
 */
int feed_next_end(const struct arena *arena, uint64_t from, struct feed_entry *ret_event,
		  void *version, uint32_t room, uint32_t *ret_size);

/* The same without the version: only its size, which is not verified. */
int feed_find_end(const struct arena *arena, uint64_t from, struct feed_entry *ret_event,
		  uint32_t *ret_size);

/* Ends of smaller numbers are on disk. W: the agent */
void feed_ends_journaled(struct arena *arena, uint64_t before);

/* How many ends are kept of those with a number >= `from`. */
uint64_t feed_ends_since(const struct arena *arena, uint64_t from);

/* When memory is short: let go what no cursor needs. With no lock held, and an empty hand. */
bool feed_ends_relieve(struct actor *actor);

/* ------------------------------------------- in an arena that only we use */

/* The event of an end that nobody told, from the cart's last version. 0, -EUCLEAN. */
int feed_end_event(const struct cart_head *version, size_t room, uint32_t kind, int64_t time_ms,
		   struct feed_entry *ret_event);

/*
 * Tell an end, with its last version if size is not 0: it gets the next number. The actor's hand is
 * empty. 0, -EBUSY.
 */
int feed_put_end(struct actor *actor, const struct feed_entry *event, const void *version,
		 uint32_t size, uint64_t *ret_number);

/* ------------------------------------------------------------------ cursors */

/* Is this a name that a cursor can have? Letters, digits, and . _ - */
bool feed_cursor_name(const char *name);

/* A cursor, by its place. False: there is none in it. */
bool feed_cursor_read(const struct arena *arena, uint32_t index, struct feed_cursor *ret_cursor);

/* The same for people. */
bool feed_cursor_show(const struct arena *arena, uint32_t index, struct corral_cursor *ret_cursor);

/* The cursor of a name, or NULL. */
struct feed_cursor *feed_cursor_find(const struct arena *arena, const char *name);

/*
 * The cursor of that name; if there is none, it is made, and what is to come is what it has to
 * acknowledge. *ret_acked: the number it is to read next. 0, -EINVAL, -EBUSY, -ENOSPC.
 */
int feed_cursor_open(struct actor *actor, const char *name, uint64_t *ret_acked);

/* Set a cursor, or make it. 0, -EINVAL, -EBUSY; -ENOSPC: there are FEED_CURSORS already. */
int feed_cursor_put(struct actor *actor, const char *name, uint64_t acked, int64_t acked_ms);

/* -ENOENT: there is none. */
int feed_cursor_remove(struct actor *actor, const char *name);

/* The events before this number are acknowledged. It never goes back. */
void feed_cursor_ack(struct feed_cursor *cursor, uint64_t acked);

/* About how many events there are from this number on. */
uint64_t feed_lag(const struct arena *arena, uint64_t from);

/* The number that the slowest cursor is to read next; UINT64_MAX: there is no cursor. */
uint64_t feed_needed_from(const struct arena *arena);

#endif
