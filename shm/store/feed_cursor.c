/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed_cursor.c: readers of the feed that are kept. See feed_ends.h.
 *
 * A cursor is there from the store of its state on, which comes last when it is made, and is the
 * only one when it is removed. So a death leaves a cursor, or none.
 */
#include <errno.h>
#include <string.h>

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

bool feed_cursor_read(const struct arena *arena, uint32_t index, struct feed_cursor *ret_cursor)
{
	const struct feed_cursor *cursor = &arena->header->cursors[index];

	if (load_acquire(&cursor->state) != CURSOR_USED) /* pairs [F6] */
		return false;
	memcpy(ret_cursor->name, cursor->name, sizeof(cursor->name));
	ret_cursor->acked = load_relaxed(&cursor->acked);
	ret_cursor->acked_ms = load_relaxed(&cursor->acked_ms);
	ret_cursor->state = CURSOR_USED;
	fence_loads(); /* pairs [F6] */
	/* damage must not become a name that others do not take */
	return load_relaxed(&cursor->state) == CURSOR_USED && feed_cursor_name(ret_cursor->name);
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

/* feed_lock is held. */
static int put_locked(struct arena *arena, const char *name, uint64_t acked, int64_t acked_ms)
{
	struct feed_cursor *cursor = feed_cursor_find(arena, name);

	for (uint32_t i = 0; i < FEED_CURSORS && cursor == NULL; i++)
		if (load_relaxed(&arena->header->cursors[i].state) != CURSOR_USED)
			cursor = &arena->header->cursors[i];
	if (cursor == NULL)
		return -ENOSPC;
	if (load_relaxed(&cursor->state) != CURSOR_USED) {
		fence_stores(); /* it was seen to be free before its words change. pairs [F6] */
		memset(cursor->name, 0, sizeof(cursor->name));
		memcpy(cursor->name, name, strnlen(name, CURSOR_NAME_BYTES - 1));
	}
	store_relaxed(&cursor->acked, acked);
	store_relaxed(&cursor->acked_ms, acked_ms);
	store_release(&cursor->state, CURSOR_USED); /* the rest first. pairs [F6] */
	return 0;
}

int feed_cursor_put(struct actor *actor, const char *name, uint64_t acked, int64_t acked_ms)
{
	struct arena *arena = actor->arena;

	if (!feed_cursor_name(name))
		return -EINVAL;
	if (lock_take(actor, &arena->header->feed_lock, LOCK_FEED) < 0)
		return -EBUSY;
	int r = put_locked(arena, name, acked, acked_ms);
	lock_drop(actor, &arena->header->feed_lock, LOCK_FEED);
	return r;
}

int feed_cursor_remove(struct actor *actor, const char *name)
{
	struct arena *arena = actor->arena;

	if (lock_take(actor, &arena->header->feed_lock, LOCK_FEED) < 0)
		return -EBUSY;
	struct feed_cursor *cursor = feed_cursor_find(arena, name);
	if (cursor != NULL)
		store_release(&cursor->state, CURSOR_FREE);
	lock_drop(actor, &arena->header->feed_lock, LOCK_FEED);
	return cursor != NULL ? 0 : -ENOENT;
}
