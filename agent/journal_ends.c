/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_ends.c: how carts end, in the journal: END and CURSOR records.
 *
 * A slot's record may say that its cart is gone, or checked out. Then the END that tells of it must
 * be in the same round, or in an earlier one: otherwise a power loss behind the round would take
 * the end from a cursor for good. So the ENDs come after the slots have been read. By then each of
 * these ends has been noted by the thread that made it, and mostly told: what is only noted is
 * waited for (ends_settle()), and all that was told gets its number.
 *
 * That thread may be stopped in between, or a process while it numbers events. Then the round goes
 * on after a while, and so do those that follow, without waiting again. Until the thread goes on,
 * or its death is repaired, a power loss may take the end that it was telling.
 *
 * Only ends that a cursor needs are written: a cursor that is made later begins behind them. The
 * next number is read before the cursors are, so that this holds for one that is made meanwhile.
 */
#include <string.h>

#include "ends.h"
#include "journal_write.h"
#include "store/feed.h"

#define PATIENCE_MS 300u /* a dead thread is repaired by then */

static void settle(struct journal *j)
{
	const bool settled = ends_settle(j->actor, j->unsettled ? 0 : PATIENCE_MS);

	if (!settled && !j->unsettled)
		log_line(LOG_WARNING,
			 "a thread that does not get on is ending a cart, or holds up the feed: "
			 "until it does, a power loss may take that end from the feed's cursors");
	j->unsettled = !settled;
}

/* An end that comes next, read to where it is written from. 0: written; -ENOENT; other -errno. */
static int put_end(struct journal *j, uint64_t *from, uint64_t to)
{
	struct journal_end end;
	struct feed_entry event;
	int r = j->fill >= JOURNAL_FLUSH_BYTES ? journal_flush(j) : 0;

	if (r < 0)
		return r;
	uint8_t *place = journal_payload_place(j), *version = place + sizeof(end) + sizeof(event);
	if (feed_next_end(j->actor->arena, *from, &event, version, CORRAL_CART_MAX,
			  &end.version_bytes) < 0 ||
	    event.number >= to)
		return -ENOENT;
	*from = event.number + 1;
	const uint32_t used = feed_used(&event);
	end.event_bytes = (uint32_t)align_up(used, 8);
	memmove(place + sizeof(end) + end.event_bytes, version, end.version_bytes);
	memcpy(place, &end, sizeof(end));
	memset(place + sizeof(end), 0, end.event_bytes);
	memcpy(place + sizeof(end), &event, used);
	return journal_append(j, JOURNAL_END, 0, event.time_ms, place,
			      (uint32_t)sizeof(end) + end.event_bytes + end.version_bytes);
}

/* What the slowest of them is to read next; UINT64_MAX: there is none. */
static uint64_t needed_from(const struct journal_cursor *cursors)
{
	uint64_t needed = UINT64_MAX;

	for (uint32_t place = 0; place < FEED_CURSORS; place++)
		if (cursors[place].acked != 0)
			needed = min_u64(needed, cursors[place].acked);
	return needed;
}

static void read_cursors(const struct arena *arena, struct journal_cursor *ret_cursors)
{
	struct feed_cursor cursor;

	memset(ret_cursors, 0, FEED_CURSORS * sizeof(*ret_cursors));
	for (uint32_t place = 0; place < FEED_CURSORS; place++) {
		if (!feed_cursor_read(arena, place, &cursor))
			continue;
		memcpy(ret_cursors[place].name, cursor.name, sizeof(cursor.name));
		ret_cursors[place].acked = max_u64(cursor.acked, 1);
		ret_cursors[place].acked_ms = cursor.acked_ms;
	}
}

static int put_cursors(struct journal *j, const struct journal_cursor *cursors, bool *ret_some)
{
	int r = 0;

	if (!j->cursors_known && !*ret_some && needed_from(cursors) == UINT64_MAX)
		return 0; /* there is time to say that those in the files are gone, if any are */
	for (uint32_t place = 0; place < FEED_CURSORS && r == 0; place++) {
		if (j->cursors_known &&
		    memcmp(&cursors[place], &j->cursors[place], sizeof(cursors[place])) == 0)
			continue;
		*ret_some = true;
		r = journal_append(j, JOURNAL_CURSOR, place, 0, &cursors[place],
				   sizeof(cursors[place]));
	}
	memcpy(j->cursors, cursors, sizeof(j->cursors));
	j->cursors_known = true;
	return r;
}

int journal_put_ends(struct journal *j, bool *ret_some)
{
	struct arena *arena = j->actor->arena;
	struct journal_cursor cursors[FEED_CURSORS];
	int r = 0;

	if (feed_needed_from(arena) != UINT64_MAX)
		settle(j);
	const uint64_t to = feed_next(arena); /* acquire: before the cursors */
	read_cursors(arena, cursors);
	for (uint64_t from = max_u64(j->ends_to, needed_from(cursors)); from < to && r == 0;) {
		r = put_end(j, &from, to);
		*ret_some |= r == 0;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	j->ends_to = to;
	return put_cursors(j, cursors, ret_some);
}
