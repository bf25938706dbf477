/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed_ends.c: see feed_ends.h.
 *
 * A place is written before its event is numbered, and counts from the store of feed_next on that
 * numbers it: that store decides, too, who owns the copy, the lane or the place. A place whose
 * event was not numbered when its sequencer died is taken back.
 *
 * An end is let go in three steps: the copy's reference is noted in hand; ends_first moves past its
 * place; the hand is freed. After a death before the second, the hand and the place name the same
 * block, and it is left to the place.
 *
 * A reader looks at ends_first again after it has copied [F5]: if it has not moved past the place,
 * no byte of it, or of its copy, was written meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "memory/allocate.h"
#include "memory/block.h"
#include "store/feed.h"
#include "store/feed_ends.h"

#define BYTES_SHARE 32u             /* the copies take this part of the space */
#define AGE_MS (24ll * 3600 * 1000) /* and are let go after a day */
#define FREE_SHARE 8u               /* of the ring are kept free */
#define LOOKS 64u                   /* each time another end was let go */
#define EVENT_AT offsetof(struct feed_copy, event)
#define SUM_AT offsetof(struct feed_entry, version)

static struct feed_end *end_at(const struct arena *arena, uint64_t index)
{
	return &arena->ends[index & arena->ends_mask];
}

/* ------------------------------------------------------------------ writers */

uint64_t feed_copy_make(struct actor *actor, uint32_t place, const struct feed_entry *event,
			const void *version, uint32_t size)
{
	const struct arena *arena = actor->arena;
	block_ref *word = &actor->record->intent.copies[place];
	const uint32_t used = feed_used(event);
	const uint32_t event_size = (uint32_t)align_up(used, 16);
	const uint32_t bytes = (uint32_t)EVENT_AT + event_size + size;

	if (size < sizeof(struct cart_head) || size > CORRAL_CART_MAX ||
	    !block_take_modestly(actor, bytes, word))
		return 0;
	const block_ref ref = *word; /* read once, and checked: it may be damaged */
	if (!arena_block_inside(arena, ref) ||
	    (uint64_t)(arena->space_end - ref) * BLOCK_UNIT < bytes) {
		note(word, 0);
		return 0;
	}
	struct feed_copy *copy = (struct feed_copy *)(void *)arena_block(arena, ref);
	copy->size = size;
	copy->event_size = event_size;
	copy->event.number = 0;
	copy->event.stamp = 0;
	memcpy((uint8_t *)&copy->event + SUM_AT, (const uint8_t *)event + SUM_AT, used - SUM_AT);
	copy->event.copy = ref;
	copy->sum = XXH3_64bits((const uint8_t *)&copy->event + SUM_AT, used - SUM_AT);
	memcpy((uint8_t *)&copy->event + event_size, version, size);
	note(&copy->block.mark, BLOCK_COPY);
	return ref;
}

void feed_copies_free(struct actor *actor)
{
	for (uint32_t which = 0; which < END_COPIES; which++)
		if (actor->record->intent.copies[which] != 0)
			block_free_copy(actor, which);
}

/* ------------------------------------------------------------ the sequencer */

static uint32_t block_bytes(const struct arena *arena, uint64_t ref)
{
	const struct block_header *block =
		ref != 0 && ref <= UINT32_MAX ? block_at(arena, (block_ref)ref) : NULL;

	return block != NULL && block->mark == BLOCK_COPY ? class_bytes(block->class_no) : 0;
}

void feed_ends_put(struct arena *arena, const struct feed_entry *event)
{
	struct arena_header *h = arena->header;
	struct feed_end *place = end_at(arena, h->ends_next);
	const bool is_end = (event->kind & FEED_ENDS) != 0;
	const uint32_t bytes = is_end ? block_bytes(arena, event->copy) : 0;

	if (!feed_ends_room(arena)) {
		store_release(&h->ends_from, h->feed_next + 1);
		return;
	}
	store_relaxed(&place->number, 0); /* relaxed: ordered by the fence */
	fence_stores();                   /* before the place changes. pairs [F5] */
	place->time_ms = arena_wall_ms(); /* an end that is told again is as old as its number */
	place->copy = bytes != 0 ? (block_ref)event->copy : 0;
	place->bytes = bytes;
	place->kind = event->kind;
	place->missed = is_end ? 0 : (uint32_t)min_u64(event->missed, UINT32_MAX);
	store_release(&place->number, h->feed_next);
	store_relaxed(&h->ends_bytes, h->ends_bytes + bytes);
	store_release(&h->ends_next, h->ends_next + 1); /* the place first. pairs [F5] */
}

void feed_ends_finish(struct arena *arena)
{
	struct arena_header *h = arena->header;

	if (h->ends_next == h->ends_first || end_at(arena, h->ends_next - 1)->number < h->feed_next)
		return;
	store_release(&h->ends_next, h->ends_next - 1);
}

/* The bytes of the copies, counted anew: a death may have left the sum off. */
static void count_bytes(struct arena *arena)
{
	struct arena_header *h = arena->header;
	uint64_t bytes = 0;

	for (uint64_t i = h->ends_first; i < h->ends_next && i - h->ends_first <= arena->ends_mask;
	     i++)
		bytes += end_at(arena, i)->bytes;
	store_relaxed(&h->ends_bytes, bytes);
}

void feed_ends_repair(struct arena *arena, struct intent *intent)
{
	const struct arena_header *h = arena->header;

	if (intent->hand != 0 && h->ends_first != h->ends_next &&
	    intent->hand == end_at(arena, h->ends_first)->copy)
		note(&intent->hand, 0); /* it was not let go yet */
	if (intent->copies[0] != 0 && h->ends_first != h->ends_next &&
	    intent->copies[0] == end_at(arena, h->ends_next - 1)->copy)
		note(&intent->copies[0], 0); /* feed_put_end() has put it there */
	count_bytes(arena);
}

static void let_go_oldest(struct actor *actor, uint64_t needed)
{
	struct arena_header *h = actor->arena->header;
	struct intent *intent = &actor->record->intent;
	const struct feed_end *oldest = end_at(actor->arena, h->ends_first);
	const uint64_t bytes = oldest->bytes;

	if (oldest->number >= needed) {
		store_relaxed(&h->ends_lost, h->ends_lost + 1);
		store_relaxed(&h->ends_lost_ms, arena_wall_ms());
	}
	if (block_bytes(actor->arena, oldest->copy) != 0) /* else it is damaged */
		note(&intent->hand, oldest->copy);
	store_release(&h->ends_from, oldest->number + 1);
	fence_compiler(); /* for a repairer */
	store_release(&h->ends_first, h->ends_first + 1);
	fence_stores(); /* before the copy's bytes change. pairs [F5] */
	store_relaxed(&h->ends_bytes, h->ends_bytes - min_u64(bytes, h->ends_bytes));
	if (intent->hand != 0)
		block_free_hand(actor);
}

static bool must_go(const struct arena *arena, uint64_t needed, int64_t now_ms)
{
	const struct arena_header *h = arena->header;
	const struct feed_end *oldest = end_at(arena, h->ends_first);
	const uint64_t kept = h->ends_next - h->ends_first;
	const uint64_t room = (uint64_t)arena->page_count * PAGE_BYTES / BYTES_SHARE;

	if (kept > arena->ends_mask - arena->ends_mask / FREE_SHARE)
		return true;
	if (h->ends_bytes <= room && now_ms - oldest->time_ms < AGE_MS)
		return false;
	/* what a cursor needs waits until it is on disk, within limits */
	return oldest->number < needed || load_relaxed(&h->journal) == JOURNAL_MODE_OFF ||
	       oldest->number < load_relaxed(&h->ends_journaled) || h->ends_bytes > 2 * room;
}

/* Damaged counts are told as a gap, and made whole. What was kept is lost. */
static bool counts_are_sound(struct arena *arena)
{
	struct arena_header *h = arena->header;

	if (h->ends_next - h->ends_first <= arena->ends_mask + 1)
		return true;
	store_release(&h->ends_from, h->feed_next);
	store_release(&h->ends_first, h->ends_next);
	return false;
}

void feed_ends_trim(struct actor *actor)
{
	const struct arena_header *h = actor->arena->header;
	const uint64_t needed = feed_needed_from(actor->arena);
	const int64_t now_ms = arena_wall_ms();

	if (!counts_are_sound(actor->arena) || actor->record->intent.hand != 0)
		return;
	while (h->ends_first != h->ends_next && must_go(actor->arena, needed, now_ms))
		let_go_oldest(actor, needed);
}

bool feed_ends_let_go(struct actor *actor, uint64_t before)
{
	struct arena *arena = actor->arena;
	const struct arena_header *h = arena->header;
	bool some = false;

	while (counts_are_sound(arena) && h->ends_first != h->ends_next &&
	       end_at(arena, h->ends_first)->number < before) {
		some |= end_at(arena, h->ends_first)->copy != 0;
		let_go_oldest(actor, before);
	}
	return some;
}

void feed_ends_journaled(struct arena *arena, uint64_t before)
{
	store_release(&arena->header->ends_journaled, before);
}

/* ------------------------------------------------------------------ readers */

/* The first place with a number >= from, and where it is. False: there is none. */
static bool find(const struct arena *arena, uint64_t from, uint64_t *ret_index,
		 struct feed_end *ret_end)
{
	const struct arena_header *h = arena->header;
	uint64_t low = load_acquire(&h->ends_first); /* pairs [F5] */
	uint64_t high = load_acquire(&h->ends_next); /* pairs [F5] */
	const uint64_t end = high;

	*ret_index = high;
	if (high - low > arena->ends_mask + 1)
		return false; /* damaged */
	while (low < high) {  /* places that are let go meanwhile lead to one that is not ours */
		const uint64_t middle = low + (high - low) / 2;
		if (load_relaxed(&end_at(arena, middle)->number) < from)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_index = low;
	if (low == end)
		return false;
	feed_copy_words(ret_end, end_at(arena, low), sizeof(*ret_end));
	fence_loads(); /* the place before what it is compared with */
	return ret_end->number < load_acquire(&h->feed_next); /* else it does not count yet */
}

/* Has the place been let go since? Then what was copied of it may be anything. */
static bool still_kept(const struct arena *arena, uint64_t index)
{
	fence_loads(); /* pairs [F5] */
	return load_relaxed(&arena->header->ends_first) <= index;
}

/* A version's bytes, which need not be a multiple of 8. */
static void copy_bytes(uint8_t *to, const uint8_t *from, uint32_t size)
{
	uint64_t last;

	feed_copy_words(to, from, size);
	if (size % 8 == 0)
		return;
	feed_copy_words(&last, from + size / 8 * 8, 8); /* a block has whole words */
	memcpy(to + size / 8 * 8, &last, size % 8);
}

/* Copy the event; and the version, if there is memory for it. False: it is damaged. */
static bool copy_out(const struct arena *arena, const struct feed_end *end,
		     struct feed_entry *event, uint8_t *version, uint32_t room, uint32_t *ret_size)
{
	const uint8_t *copy = (const uint8_t *)arena_block(arena, end->copy);
	struct feed_copy head;

	if (end->bytes < EVENT_AT || end->bytes > CLASS_LARGEST ||
	    !arena_block_inside(arena, end->copy) ||
	    (uint64_t)(arena->space_end - end->copy) * BLOCK_UNIT < end->bytes)
		return false;
	feed_copy_words(&head, copy, EVENT_AT);
	if (head.block.mark != BLOCK_COPY || head.event_size > sizeof(*event) ||
	    head.event_size < offsetof(struct feed_entry, bytes) || head.event_size % 16 != 0 ||
	    head.event_size > end->bytes - EVENT_AT ||
	    head.size > end->bytes - EVENT_AT - head.event_size)
		return false;
	feed_copy_words(event, copy + EVENT_AT, head.event_size);
	if (!feed_is_sound(event) || feed_used(event) > head.event_size ||
	    XXH3_64bits((const uint8_t *)event + SUM_AT, feed_used(event) - SUM_AT) != head.sum)
		return false;
	event->number = end->number;
	*ret_size = version == NULL || head.size <= room ? head.size : 0;
	if (version != NULL && head.size <= room)
		copy_bytes(version, copy + EVENT_AT + head.event_size, head.size);
	return true;
}

/* Is it the version that the event tells of? */
static bool is_version_of(const struct feed_entry *event, const void *version, uint32_t size)
{
	const struct cart_head *head = version;
	struct corral_key key;

	return size >= sizeof(*head) && cart_validate(version, size) == 0 &&
	       cart_get_key(version, size, &key) == 0 && head->version == event->version &&
	       key.restaurant_id.size == event->restaurant_size &&
	       key.session_id.size == event->session_size &&
	       memcmp(key.restaurant_id.data, event->bytes, event->restaurant_size) == 0 &&
	       memcmp(key.session_id.data, event->bytes + event->restaurant_size,
		      event->session_size) == 0;
}

static void tell_nothing_left(const struct feed_end *end, struct feed_entry *ret_event)
{
	memset(ret_event, 0, sizeof(*ret_event));
	ret_event->number = end->number;
	ret_event->time_ms = end->time_ms;
	ret_event->kind = CORRAL_EVENT_GAP;
	ret_event->missed = end->kind == CORRAL_EVENT_GAP ? end->missed : 1;
}

static int next_end(const struct arena *arena, uint64_t from, struct feed_entry *ret_event,
		    uint8_t *version, uint32_t room, uint32_t *ret_size)
{
	struct feed_end end;
	uint64_t index;

	for (uint32_t looks = 0; looks < LOOKS; looks++) {
		*ret_size = 0;
		bool found = find(arena, from, &index, &end);
		if (!still_kept(arena, index))
			continue;
		if (!found)
			return -ENOENT;
		bool whole =
			end.copy != 0 && copy_out(arena, &end, ret_event, version, room, ret_size);
		if (!still_kept(arena, index))
			continue;
		if (!whole && !feed_read(arena, end.number, ret_event))
			tell_nothing_left(&end, ret_event);
		return 0;
	}
	return -ENOENT; /* they are let go as quickly as we look */
}

uint64_t feed_ends_since(const struct arena *arena, uint64_t from)
{
	struct feed_end end;
	uint64_t index;

	if (!find(arena, from, &index, &end))
		return 0;
	const uint64_t next = load_acquire(&arena->header->ends_next); /* pairs [F5] */
	return next > index ? next - index : 0;
}

int feed_find_end(const struct arena *arena, uint64_t from, struct feed_entry *ret_event,
		  uint32_t *ret_size)
{
	return next_end(arena, from, ret_event, NULL, 0, ret_size);
}

int feed_next_end(const struct arena *arena, uint64_t from, struct feed_entry *ret_event,
		  void *version, uint32_t room, uint32_t *ret_size)
{
	int r = next_end(arena, from, ret_event, version, room, ret_size);

	if (r == 0 && *ret_size > 0 && !is_version_of(ret_event, version, *ret_size))
		*ret_size = 0;
	return r;
}
