/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block.c: size classes, their free lists, and the threads' caches of them.
 *
 * A class's list is touched in batches only: a thread pops up to REFILL_BLOCKS into its empty
 * cache, and pushes a list back when its cache holds too much. Each such move is a splice:
 * described in the intent (kind, first, last, rest), done under the class's lock, adopted by one
 * store, and undone or completed by splice_repair() if the thread dies in the middle.
 *
 * Lock: the class's. Progress: alloc and free take a lock once per batch only.
 */
#include <errno.h>

#include "arena/stat.h"
#include "base/atomic.h"
#include "memory/block.h"
#include "memory/class.h"
#include "memory/free_slot.h"
#include "memory/span.h"
#include "sync/lock.h"

#define REFILL_BLOCKS 16u
#define REFILL_BYTES 65536u

/* ------------------------------------------------------------------ splices */

static void splice_begin(struct intent *intent, enum splice_kind kind, uint32_t class_no,
			 block_ref first, block_ref last, block_ref rest)
{
	note(&intent->splice_class, class_no);
	note(&intent->splice_first, first);
	note(&intent->splice_last, last);
	note(&intent->splice_rest, rest);
	note(&intent->splice_kind, kind);
}

static void splice_end(struct intent *intent)
{
	note(&intent->splice_kind, SPLICE_NONE);
}

/* Walk at most count - 1 steps from `first`. NULL on damage. *ret_last: the last block reached. */
static struct block_header *walk(const struct arena *arena, block_ref first, uint32_t count,
				 block_ref *ret_last)
{
	struct block_header *block = block_at(arena, first);

	*ret_last = first;
	while (block != NULL && --count > 0 && block->next != 0) {
		*ret_last = block->next;
		block = block_at(arena, block->next);
	}
	return block;
}

/* Move blocks from the class's list into the (empty) cache. Class lock held. */
static int pop_locked(struct actor *actor, uint32_t class_no, uint32_t count)
{
	struct size_class *c = &actor->arena->classes[class_no];
	struct thread_record *record = actor->record;
	block_ref first = c->head;
	block_ref last;

	struct block_header *end = walk(actor->arena, first, count, &last);
	if (end == NULL)
		return -EUCLEAN;
	splice_begin(&record->intent, SPLICE_POP, class_no, first, last, end->next);
	note(&c->head, end->next);
	note(&end->next, 0);
	note(&record->cache[class_no], first);
	splice_end(&record->intent);
	return 0;
}

/*
 * Move never used blocks into the (empty) cache: write their headers and link them. Class lock
 * held.
 */
static int bump_locked(struct actor *actor, uint32_t class_no, uint32_t count)
{
	struct size_class *c = &actor->arena->classes[class_no];
	struct thread_record *record = actor->record;
	uint32_t units = class_bytes(class_no) / BLOCK_UNIT;
	block_ref first = load_relaxed(&c->bump); /* read once, then checked and used */
	block_ref end = load_relaxed(&c->bump_end);

	if (first > end || first < actor->arena->space_first || end > actor->arena->space_end)
		return -EUCLEAN;
	count = (uint32_t)min_u64(count, (end - first) / units);
	for (uint32_t i = 0; i < count; i++) {
		struct block_header *block = arena_block(actor->arena, first + i * units);
		block->class_no = (uint16_t)class_no;
		block->magic = BLOCK_MAGIC;
		block->slot = 0;
		block->mark = 0;
		block->next = i + 1 < count ? first + (i + 1) * units : 0;
	}
	splice_begin(&record->intent, SPLICE_BUMP, class_no, first, 0, first + count * units);
	note(&c->bump, first + count * units);
	note(&record->cache[class_no], first);
	splice_end(&record->intent);
	return 0;
}

static uint32_t refill_count(uint32_t class_no)
{
	return (uint32_t)max_u64(1, min_u64(REFILL_BLOCKS, REFILL_BYTES / class_bytes(class_no)));
}

int block_refill(struct actor *actor, uint32_t class_no, bool waits)
{
	struct size_class *c = &actor->arena->classes[class_no];
	int r = 0;

	if (actor->record->cache[class_no] != 0)
		return 0;
	if (waits ? lock_take(actor, &c->lock, LOCK_CLASS) < 0 :
		    !lock_try(actor, &c->lock, LOCK_CLASS))
		return -EBUSY;
	if (c->head != 0) {
		r = pop_locked(actor, class_no, refill_count(class_no));
	} else {
		if (c->bump == c->bump_end)
			r = waits ? span_carve(actor, class_no) : -EBUSY;
		if (r == 0)
			r = bump_locked(actor, class_no, refill_count(class_no));
	}
	lock_drop(actor, &c->lock, LOCK_CLASS);
	if (r == 0) {
		block_ref last;
		uint32_t blocks = 0;
		const struct block_header *block;
		for (block_ref at = actor->record->cache[class_no];
		     blocks < refill_count(class_no) &&
		     (block = walk(actor->arena, at, 1, &last)) != NULL;
		     at = block->next)
			blocks++;
		actor->record->cached_bytes += (uint64_t)blocks * class_bytes(class_no);
	}
	return r;
}

/*
 * All caches together are limited to an eighth of the space, since no other thread gets at what a
 * cache holds. A cache is enough for two retired batches that are freed at once.
 */
static uint64_t cache_limit(const struct arena *arena)
{
	uint64_t bytes = (uint64_t)arena->page_count * PAGE_BYTES;
	uint64_t threads =
		max_u64(1, load_relaxed(&arena->header->threads_high)); /* relaxed: about as many */

	return max_u64(65536, min_u64(CACHE_BYTES_MAX, min_u64(bytes / 512, bytes / 8 / threads)));
}

/*
 * Give one class's cache back: all of it, or as much as a cache may hold. A longer list was left by
 * a thread that did not get the class's lock several times, or it is damaged: the caches of many
 * records may then lead into one list that has most of the arena's blocks, and each cache would be
 * walked to its end. The rest stays in the cache. Returns the bytes that were given back; 0: the
 * class is locked, or the list is damaged.
 */
static uint64_t push_class(struct actor *actor, uint32_t class_no)
{
	struct size_class *c = &actor->arena->classes[class_no];
	struct thread_record *record = actor->record;
	block_ref first = record->cache[class_no];
	block_ref last = first, rest = 0;
	uint64_t bytes = class_bytes(class_no), limit = cache_limit(actor->arena);
	struct block_header *end = block_at(actor->arena, first);
	struct ring ring = { 0 };

	while (end != NULL && (rest = end->next) != 0 && bytes <= limit) {
		last = rest;
		end = ring_closes(&ring, last) ? NULL : block_at(actor->arena, last);
		bytes += class_bytes(class_no);
	}
	if (end == NULL || !lock_try(actor, &c->lock, LOCK_CLASS))
		return 0; /* the list stays in our cache */
	splice_begin(&record->intent, SPLICE_PUSH, class_no, first, last, rest);
	note(&end->next, c->head);
	note(&c->head, first);
	note(&record->cache[class_no], rest);
	splice_end(&record->intent);
	lock_drop(actor, &c->lock, LOCK_CLASS);
	record->cached_bytes -= min_u64(bytes, record->cached_bytes);
	return bytes;
}

/* Give back what each class's cache may hold at most. */
static uint64_t flush_cache(struct actor *actor)
{
	uint64_t bytes = 0;

	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++)
		if (actor->record->cache[class_no] != 0)
			bytes += push_class(actor, class_no);
	return bytes;
}

/* The block that a word of our intent names goes to the cache. */
static inline __attribute__((always_inline)) void free_from(struct actor *actor, block_ref *word)
{
	struct thread_record *record = actor->record;
	block_ref ref = *word;
	struct block_header *block = block_at(actor->arena, ref);

	if (block == NULL) { /* damaged: the block is lost, but nothing depends on it */
		note(word, 0);
		return;
	}
	uint32_t class_no = load_relaxed(&block->class_no);
	if (class_no >= CLASS_COUNT) { /* damaged since the check above */
		note(word, 0);
		return;
	}
	note(&block->next, record->cache[class_no]);
	note(&record->cache[class_no], ref);
	note(word, 0);
	record->cached_bytes += class_bytes(class_no);
	if (unlikely(record->cached_bytes > cache_limit(actor->arena)))
		(void)flush_cache(actor);
}

void block_free_hand(struct actor *actor)
{
	free_from(actor, &actor->record->intent.hand);
}

void block_free_copy(struct actor *actor, uint32_t which)
{
	free_from(actor, &actor->record->intent.copies[which]);
}

void block_flush_within(struct actor *actor, uint64_t *budget)
{
	while (*budget > 0) {
		uint64_t bytes = flush_cache(actor);
		*budget -= min_u64(bytes, *budget);
		if (bytes == 0)
			break;
	}
	if (actor->record->intent.hand_slot != 0)
		block_give_hand_slot(actor);
}

void block_flush(struct actor *actor)
{
	uint64_t budget = block_bytes_in_all(actor->arena);

	block_flush_within(actor, &budget);
}
