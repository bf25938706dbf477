/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed_event.c: one event, and reading it where it may be overwritten meanwhile. See feed.h.
 */
#include "store/feed.h"

uint32_t feed_used(const struct feed_entry *event)
{
	return (uint32_t)offsetof(struct feed_entry, bytes) + feed_texts_bytes(event) +
	       feed_steps_told(event) * (uint32_t)sizeof(struct feed_step);
}

bool feed_is_sound(const struct feed_entry *entry)
{
	return entry->restaurant_size <= CORRAL_ID_MAX && entry->session_size <= CORRAL_ID_MAX &&
	       entry->op_size <= CORRAL_ID_MAX && feed_texts_bytes(entry) <= sizeof(entry->bytes);
}

/* ThreadSanitizer knows no such readers, so it is not to look here. */
__attribute__((no_sanitize("thread"))) void feed_copy_words(void *to, const void *from,
							    uint32_t bytes)
{
	uint64_t *into = to;
	const uint64_t *words = from;

	for (uint32_t i = 0; i < bytes / sizeof(*words); i++)
		into[i] = load_relaxed(&words[i]);
}

/* As many bytes of it as are used. *to is a copy of our own; false: it is damaged. */
static bool copy_entry(struct feed_entry *to, const struct feed_entry *from)
{
	const uint32_t fixed = offsetof(struct feed_entry, bytes);

	feed_copy_words(to, from, fixed);
	if (!feed_is_sound(to))
		return false;
	feed_copy_words(to->bytes, from->bytes, feed_used(to) - fixed);
	return true;
}

bool feed_copy_event(struct feed_entry *to, const struct feed_entry *from, uint64_t number)
{
	if (load_acquire(&from->number) != number) /* pairs [F2] */
		return false;
	bool sound = copy_entry(to, from);
	fence_loads(); /* the copy before the second look. pairs [F2] */
	return load_relaxed(&from->number) == number && sound;
}

bool feed_read(const struct arena *arena, uint64_t number, struct feed_entry *ret_event)
{
	return feed_copy_event(ret_event, &arena->feed[number & arena->feed_mask], number);
}

uint64_t feed_next(const struct arena *arena)
{
	return load_acquire(&arena->header->feed_next); /* pairs [F4] */
}

uint64_t feed_oldest(const struct arena *arena)
{
	const uint64_t next = feed_next(arena);
	/* relaxed: set before any process attaches */
	const uint64_t first = load_relaxed(&arena->header->feed_first);

	/* one less than the ring has: that one may be about to be overwritten */
	return next > first + arena->feed_mask ? next - arena->feed_mask : first;
}
