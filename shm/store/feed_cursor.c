/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed_cursor.c: readers of the feed that are kept. See feed_ends.h.
 *
 * A cursor is there from the store of its state on, which comes last when it is made, and is the
 * only one when it is removed. So a death leaves a cursor, or none.
 */
#include <errno.h>
#include <string.h>

#include "store/feed.h"
#include "store/feed_ends.h"
#include "sync/lock.h"

bool feed_cursor_name(const char *name)
{
	const size_t size = strnlen(name, CURSOR_NAME_BYTES);

	for (size_t i = 0; i < size; i++)
		if (!(name[i] >= 'a' && name[i] <= 'z') && !(name[i] >= 'A' && name[i] <= 'Z') &&
		    !(name[i] >= '0' && name[i] <= '9') && strchr("._-", name[i]) == NULL)
			return false;
	return size > 0 && size < CURSOR_NAME_BYTES;
}

static bool is_used(uint32_t state)
{
	return state % 2 != 0;
}

bool feed_cursor_read(const struct arena *arena, uint32_t index, struct feed_cursor *ret_cursor)
{
	const struct feed_cursor *cursor = &arena->header->cursors[index];
	const uint32_t state = load_acquire(&cursor->state); /* pairs [F6] */

	if (!is_used(state))
		return false;
	feed_copy_words(ret_cursor, cursor, sizeof(*cursor));
	fence_loads(); /* pairs [F6] */
	/* another one has its place; or its name is damaged */
	return load_relaxed(&cursor->state) == state && feed_cursor_name(ret_cursor->name);
}

uint64_t feed_lag(const struct arena *arena, uint64_t from)
{
	const uint64_t next = feed_next(arena);
	/* of an earlier epoch, whose numbers say nothing, only the ends are left */
	from = max_u64(from, load_relaxed(&arena->header->feed_first));
	return next > from ? next - from : 0;
}

uint64_t feed_needed_from(const struct arena *arena)
{
	uint64_t needed = UINT64_MAX;

	for (uint32_t i = 0; i < FEED_CURSORS; i++) {
		const struct feed_cursor *cursor = &arena->header->cursors[i];
		if (is_used(load_acquire(&cursor->state))) /* pairs [F6] */
			needed = min_u64(needed, load_relaxed(&cursor->acked));
	}
	return needed;
}

struct feed_cursor *feed_cursor_find(const struct arena *arena, const char *name)
{
	struct feed_cursor cursor;

	for (uint32_t i = 0; i < FEED_CURSORS; i++)
		if (feed_cursor_read(arena, i, &cursor) && strcmp(cursor.name, name) == 0)
			return &arena->header->cursors[i];
	return NULL;
}

void feed_cursor_ack(struct feed_cursor *cursor, uint64_t acked)
{
	uint64_t seen = load_relaxed(&cursor->acked);

	while (seen < acked && !cas_acq_rel(&cursor->acked, seen, acked))
		seen = load_relaxed(&cursor->acked);
	store_relaxed(&cursor->acked_ms, arena_wall_ms()); /* for people */
}

/* feed_lock is held. NULL: all places are taken. */
static struct feed_cursor *make(struct arena *arena, const char *name, uint64_t acked,
				int64_t acked_ms)
{
	struct feed_cursor *cursor = NULL;

	for (uint32_t i = 0; i < FEED_CURSORS && cursor == NULL; i++)
		if (!is_used(load_relaxed(&arena->header->cursors[i].state)))
			cursor = &arena->header->cursors[i];
	if (cursor == NULL)
		return NULL;
	fence_stores(); /* it was seen to be free before its words change. pairs [F6] */
	memset(cursor->name, 0, sizeof(cursor->name));
	memcpy(cursor->name, name, strnlen(name, CURSOR_NAME_BYTES - 1));
	store_relaxed(&cursor->acked, acked);
	store_relaxed(&cursor->acked_ms, acked_ms);
	store_release(&cursor->state, cursor->state + 1); /* the rest first. pairs [F6] */
	return cursor;
}

int feed_cursor_open(struct actor *actor, const char *name, uint64_t *ret_acked)
{
	struct arena *arena = actor->arena;

	if (!feed_cursor_name(name))
		return -EINVAL;
	if (lock_take(actor, &arena->header->feed_lock, LOCK_FEED) < 0)
		return -EBUSY;
	const struct feed_cursor *cursor = feed_cursor_find(arena, name);
	if (cursor == NULL)
		cursor = make(arena, name, feed_next(arena), arena_wall_ms());
	if (cursor != NULL)
		*ret_acked = load_relaxed(&cursor->acked);
	lock_drop(actor, &arena->header->feed_lock, LOCK_FEED);
	return cursor != NULL ? 0 : -ENOSPC;
}

int feed_cursor_put(struct actor *actor, const char *name, uint64_t acked, int64_t acked_ms)
{
	struct arena *arena = actor->arena;

	if (!feed_cursor_name(name))
		return -EINVAL;
	if (lock_take(actor, &arena->header->feed_lock, LOCK_FEED) < 0)
		return -EBUSY;
	struct feed_cursor *cursor = feed_cursor_find(arena, name);
	if (cursor == NULL) {
		cursor = make(arena, name, acked, acked_ms);
	} else {
		store_relaxed(&cursor->acked, acked);
		store_relaxed(&cursor->acked_ms, acked_ms);
	}
	lock_drop(actor, &arena->header->feed_lock, LOCK_FEED);
	return cursor != NULL ? 0 : -ENOSPC;
}

int feed_cursor_remove(struct actor *actor, const char *name)
{
	struct arena *arena = actor->arena;

	if (lock_take(actor, &arena->header->feed_lock, LOCK_FEED) < 0)
		return -EBUSY;
	struct feed_cursor *cursor = feed_cursor_find(arena, name);
	if (cursor != NULL)
		store_release(&cursor->state, cursor->state + 1);
	lock_drop(actor, &arena->header->feed_lock, LOCK_FEED);
	return cursor != NULL ? 0 : -ENOENT;
}
