/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed_kept.c: what needs the numbering and the ring of ends. See feed_ends.h.
 */
#include <errno.h>
#include <string.h>

#include "store/feed.h"
#include "store/feed_ends.h"
#include "sync/lock.h"

bool feed_ends_relieve(struct actor *actor)
{
	struct arena *arena = actor->arena;
	const struct arena_header *h = arena->header;

	(void)feed_number(actor, FEED_BATCH, NULL); /* what lanes have cannot be let go */
	/* relaxed: a first look */
	if (load_relaxed(&h->ends_first) == load_relaxed(&h->ends_next) ||
	    actor->record->intent.hand != 0 ||
	    !lock_try(actor, &arena->header->feed_lock, LOCK_FEED))
		return false;
	feed_tidy(actor);
	bool some = feed_ends_let_go(actor, feed_needed_from(arena));
	lock_drop(actor, &arena->header->feed_lock, LOCK_FEED);
	return some;
}

bool feed_cursor_show(const struct arena *arena, uint32_t index, struct corral_cursor *ret_cursor)
{
	static_assert(CURSOR_NAME_BYTES == sizeof(ret_cursor->name) &&
			      FEED_CURSORS == CORRAL_CURSORS,
		      "as corral.h says");
	struct feed_cursor cursor;

	if (!feed_cursor_read(arena, index, &cursor))
		return false;
	memcpy(ret_cursor->name, cursor.name, sizeof(cursor.name));
	ret_cursor->next = cursor.acked;
	ret_cursor->lag = feed_lag(arena, cursor.acked);
	ret_cursor->ends = feed_ends_since(arena, cursor.acked);
	ret_cursor->acked_ms = cursor.acked_ms;
	return true;
}

/* ------------------------------------------- in an arena that only we use */

int feed_end_event(const struct cart_head *version, size_t room, uint32_t kind, int64_t time_ms,
		   struct feed_entry *ret_event)
{
	struct corral_key key;

	memset(ret_event, 0, sizeof(*ret_event));
	if (cart_get_key(version, room, &key) < 0 || key.restaurant_id.size > CORRAL_ID_MAX ||
	    key.session_id.size > CORRAL_ID_MAX)
		return -EUCLEAN;
	ret_event->kind = (uint8_t)kind;
	ret_event->time_ms = time_ms;
	ret_event->version = version->version;
	ret_event->subtotal_cents = version->subtotal_cents;
	ret_event->tax_cents = version->tax_cents;
	ret_event->total_cents = version->total_cents;
	ret_event->item_count = version->item_count;
	ret_event->line_count = version->line_count;
	ret_event->currency = version->currency;
	ret_event->currency_digits = version->currency_digits;
	ret_event->status = version->status;
	ret_event->restaurant_size = (uint8_t)key.restaurant_id.size;
	ret_event->session_size = (uint8_t)key.session_id.size;
	memcpy(ret_event->bytes, key.restaurant_id.data, key.restaurant_id.size);
	memcpy(ret_event->bytes + key.restaurant_id.size, key.session_id.data, key.session_id.size);
	return 0;
}

int feed_put_end(struct actor *actor, const struct feed_entry *event, const void *version,
		 uint32_t size, uint64_t *ret_number)
{
	struct feed_entry told = *event;
	struct arena *arena = actor->arena;

	if (!feed_is_sound(event) || (event->kind & FEED_ENDS) == 0)
		return -EINVAL;
	told.copy = size > 0 ? feed_copy_make(actor, 0, event, version, size) : 0;
	if (!lock_try(actor, &arena->header->feed_lock, LOCK_FEED)) {
		feed_copies_free(actor);
		return -EBUSY;
	}
	feed_tidy(actor);
	*ret_number = arena->header->feed_next;
	feed_append(arena, &told);
	note(&actor->record->intent.copies[0], 0); /* from here on the place owns it */
	lock_drop(actor, &arena->header->feed_lock, LOCK_FEED);
	return 0;
}
