/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ends.c: see ends.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "ends.h"
#include "store/feed.h"
#include "sync/lock.h"

#define BYTES_SHARE 32u /* of the arena's bytes, for versions: as much as it keeps */
#define NAP_NS 50000

struct end_told {
	uint64_t former; /* its number in the former arena; UINT64_MAX: it happens now */
	uint32_t order;  /* in which they were added */
	uint32_t size;   /* of the version; 0: unknown */
	struct feed_entry event;
	uint8_t version[];
};

void ends_begin(struct ends *ends, uint64_t arena_bytes)
{
	*ends = (struct ends){ .most = (uint32_t)min_u64(arena_bytes / sizeof(struct cart_head),
							 1u << 20),
			       .bytes_most = arena_bytes / BYTES_SHARE };
	(void)pthread_mutex_init(&ends->lock, NULL);
}

void ends_free(struct ends *ends)
{
	for (uint32_t i = 0; i < ends->count; i++)
		free(ends->told[i]);
	free(ends->told);
	(void)pthread_mutex_destroy(&ends->lock);
}

/* -ENOMEM: it is only counted. */
static int add(struct ends *ends, uint64_t former, const struct feed_entry *event,
	       const void *version, uint32_t size)
{
	if ((ends->count & (ends->count - 1)) == 0) {
		size_t room = ends->count == 0 ? 1 : (size_t)ends->count * 2;
		struct end_told **more = realloc(ends->told, room * sizeof(struct end_told *));
		if (more == NULL)
			return -ENOMEM;
		ends->told = more;
	}
	if (ends->bytes + size > ends->bytes_most)
		size = 0;
	struct end_told *told = ends->count < ends->most ? malloc(sizeof(*told) + size) : NULL;
	if (told == NULL)
		return -ENOMEM;
	told->former = former;
	told->order = ends->count;
	told->size = size;
	told->event = *event;
	if (size > 0)
		memcpy(told->version, version, size);
	ends->bytes += size;
	ends->told[ends->count++] = told;
	return 0;
}

static void add_locked(struct ends *ends, uint64_t former, const struct feed_entry *event,
		       const void *version, uint32_t size)
{
	pthread_mutex_lock(&ends->lock);
	ends->lost += add(ends, former, event, version, size) < 0;
	pthread_mutex_unlock(&ends->lock);
}

void ends_add(struct ends *ends, const struct feed_entry *event, const void *version, uint32_t size)
{
	add_locked(ends, event->number, event, version, size);
}

int ends_add_expired(struct ends *ends, const void *version, size_t size)
{
	struct feed_entry event;

	int r = cart_validate(version, size);
	if (r == 0)
		r = feed_end_event(version, size, CORRAL_EVENT_EXPIRED, arena_wall_ms(), &event);
	if (r < 0)
		return -EUCLEAN;
	event.pid = getpid();
	add_locked(ends, UINT64_MAX, &event, version, (uint32_t)size);
	return 1;
}

void ends_add_cursor(struct ends *ends, const struct feed_cursor *cursor)
{
	if (ends->cursor_count < FEED_CURSORS)
		ends->cursors[ends->cursor_count++] = *cursor;
}

void ends_add_all(struct ends *ends, const struct arena *arena)
{
	const uint64_t needed = feed_needed_from(arena);
	uint8_t *version = needed != UINT64_MAX ? malloc(CORRAL_CART_MAX) : NULL;
	struct feed_cursor cursor;
	struct feed_entry event;
	uint32_t size;

	for (uint32_t i = 0; i < FEED_CURSORS; i++)
		if (feed_cursor_read(arena, i, &cursor))
			ends_add_cursor(ends, &cursor);
	for (uint64_t from = needed; version != NULL && from != UINT64_MAX;
	     from = event.number + 1) {
		if (feed_next_end(arena, from, &event, version, CORRAL_CART_MAX, &size) < 0)
			break;
		ends_add(ends, &event, version, size);
	}
	free(version);
}

/* ------------------------------------------------------------------- tell */

static int by_former(const void *a, const void *b)
{
	const struct end_told *x = *(struct end_told *const *)a, *y = *(struct end_told *const *)b;

	if (x->former != y->former)
		return x->former < y->former ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* Cursors that had not acknowledged the end that gets this number, nor any before it. */
static void map_cursors(struct ends *ends, uint64_t mapped[FEED_CURSORS], uint64_t former,
			uint64_t number)
{
	for (uint32_t i = 0; i < ends->cursor_count; i++)
		if (mapped[i] == 0 && ends->cursors[i].acked <= former)
			mapped[i] = number;
}

static void tell_one(struct ends *ends, struct actor *actor, struct end_told *told)
{
	const struct process_record *self = &actor->arena->processes[actor->life->process];
	uint64_t number;

	if (told->event.kind == CORRAL_EVENT_GAP) { /* ends were lost there */
		(void)feed_number_gap(actor, told->event.missed);
		return;
	}
	if (told->former == UINT64_MAX)
		alive_name(self, told->event.label);
	if (feed_put_end(actor, &told->event, told->version, told->size, &number) < 0)
		ends->lost++;
}

void ends_tell(struct ends *ends, struct actor *actor)
{
	struct arena *arena = actor->arena;
	uint64_t mapped[FEED_CURSORS] = { 0 };

	if (ends->count > 0)
		qsort(ends->told, ends->count, sizeof(struct end_told *), by_former);
	for (uint32_t i = 0; i < ends->count; i++) {
		struct end_told *told = ends->told[i];
		if (i > 0 && told->former != UINT64_MAX &&
		    told->former == ends->told[i - 1]->former)
			continue; /* a base has it again */
		map_cursors(ends, mapped, told->former, feed_next(arena));
		tell_one(ends, actor, told);
	}
	map_cursors(ends, mapped, UINT64_MAX, feed_next(arena));
	for (uint32_t i = 0; i < ends->cursor_count; i++)
		if (feed_cursor_put(actor, ends->cursors[i].name, mapped[i],
				    ends->cursors[i].acked_ms) < 0)
			log_line(LOG_WARNING, "the cursor %s could not be carried over",
				 ends->cursors[i].name);
	if (ends->lost > 0)
		log_line(LOG_WARNING, "%u ends of carts could not be told: there was no memory",
			 ends->lost);
}

/* ------------------------------------------------------------------ settle */

static void nap(void)
{
	const struct timespec pause = { .tv_nsec = NAP_NS };

	(void)nanosleep(&pause, NULL);
}

static uint32_t threads(const struct arena *arena)
{
	return (uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
}

/* Wait until the thread has told the end that it is telling now, if it is. */
static bool wait_for_end(const struct arena *arena, const struct thread_record *record,
			 int64_t until_ns)
{
	/* 0: what it was is told. pairs [F7] */
	const uint32_t noted = load_acquire(&record->intent.event);

	if (!feed_is_end_noted(arena, record, noted))
		return true;
	while (load_acquire(&record->intent.event) == noted) { /* pairs [F7] */
		if (clock_now_ns() >= until_ns)
			return false;
		nap();
	}
	return true;
}

/* Number what this lane has now. */
static bool number_lane(struct actor *actor, const struct thread_record *record, int64_t until_ns)
{
	const uint64_t head = load_acquire(&record->lane_head); /* pairs [F1] */

	while (load_relaxed(&record->lane_tail) < head) {
		bool done = feed_number(actor, FEED_BATCH, NULL);
		if (load_relaxed(&record->lane_tail) >= head)
			break;
		if (clock_now_ns() >= until_ns)
			return false;
		if (!done)
			nap();
	}
	return true;
}

bool ends_settle(struct actor *actor, uint32_t patience_ms)
{
	const struct arena *arena = actor->arena;
	const int64_t until_ns = clock_now_ns() + patience_ms * 1000000ll;
	const uint32_t high = threads(arena);
	bool settled = true;

	for (uint32_t thread = 0; thread < high; thread++)
		settled &= wait_for_end(arena, &arena->threads[thread], until_ns);
	for (uint32_t thread = 0; thread < high; thread++)
		settled &= number_lane(actor, &arena->threads[thread], until_ns);
	return settled;
}
