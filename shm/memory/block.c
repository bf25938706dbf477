/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block.c: size classes, their free lists, and the threads' caches of them.
 *
 * A class's list is touched in batches only: a thread pops up to REFILL_BLOCKS into its empty
 * cache, and pushes a list back when its cache holds too much. Each such move is a splice:
 * told in the intent (kind, first, last, rest), done under the class's lock, adopted by one store,
 * and undone or completed by splice_repair() if its thread dies in the middle.
 *
 * Lock: the class's. Progress: alloc and free take no lock but once in a batch.
 */
#include <errno.h>

#include "arena/stat.h"
#include "base/atomic.h"
#include "memory/block.h"
#include "memory/pressure.h"
#include "memory/space.h"
#include "sync/lock.h"

#define REFILL_BLOCKS 16u
#define REFILL_BYTES 65536u
#define CACHE_BYTES_MAX (2048u * 1024)

uint32_t block_span_pages(uint32_t class)
{
	uint32_t bytes = block_class_bytes(class);
	uint32_t pages = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;

	while ((pages * PAGE_BYTES) % bytes > pages * PAGE_BYTES / 32)
		pages++;
	return pages;
}

uint32_t block_span_blocks(uint32_t class)
{
	return block_span_pages(class) * PAGE_BYTES / block_class_bytes(class);
}

/* ------------------------------------------------------------------ splices */

static void splice_begin(struct intent *intent, enum splice_kind kind, uint32_t class,
			 block_ref first, block_ref last, block_ref rest)
{
	note(&intent->splice_class, class);
	note(&intent->splice_first, first);
	note(&intent->splice_last, last);
	note(&intent->splice_rest, rest);
	note(&intent->splice_kind, kind);
}

static void splice_end(struct intent *intent)
{
	note(&intent->splice_kind, SPLICE_NONE);
}

/* Walk at most count - 1 steps from first. NULL on damage. *ret_last: where we ended. */
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

/* From the class's list into the (empty) cache. Class lock held. */
static int pop_locked(struct actor *actor, uint32_t class, uint32_t count)
{
	struct size_class *c = &actor->arena->classes[class];
	struct thread_record *record = actor->record;
	block_ref first = c->head;
	block_ref last;

	struct block_header *end = walk(actor->arena, first, count, &last);
	if (end == NULL)
		return -EUCLEAN;
	splice_begin(&record->intent, SPLICE_POP, class, first, last, end->next);
	note(&c->head, end->next);
	note(&end->next, 0);
	note(&record->cache[class], first);
	splice_end(&record->intent);
	return 0;
}

/*
 * From the never used blocks into the (empty) cache: write their headers and link them. Class lock
 * held.
 */
static int bump_locked(struct actor *actor, uint32_t class, uint32_t count)
{
	struct size_class *c = &actor->arena->classes[class];
	struct thread_record *record = actor->record;
	uint32_t units = block_class_bytes(class) / BLOCK_UNIT;
	block_ref first = load_relaxed(&c->bump); /* once: looked at and used as it was */
	block_ref end = load_relaxed(&c->bump_end);

	if (first > end || first < actor->arena->space_first || end > actor->arena->space_end)
		return -EUCLEAN;
	count = (uint32_t)min_u64(count, (end - first) / units);
	for (uint32_t i = 0; i < count; i++) {
		struct block_header *block = arena_block(actor->arena, first + i * units);
		block->class = (uint16_t) class;
		block->magic = BLOCK_MAGIC;
		block->slot = 0;
		block->mark = 0;
		block->next = i + 1 < count ? first + (i + 1) * units : 0;
	}
	splice_begin(&record->intent, SPLICE_BUMP, class, first, 0, first + count * units);
	note(&c->bump, first + count * units);
	note(&record->cache[class], first);
	splice_end(&record->intent);
	return 0;
}

static uint32_t refill_count(uint32_t class)
{
	return (uint32_t)max_u64(1,
				 min_u64(REFILL_BLOCKS, REFILL_BYTES / block_class_bytes(class)));
}

/*
 * Fill the cache of a class if it is empty: with blocks of the class, or, if a lock may be waited
 * for, of a new span. 0, -ENOMEM (no block, no page), -ENOSPC ..., -EBUSY, -EUCLEAN.
 */
static int refill_from(struct actor *actor, uint32_t class, bool waits)
{
	struct size_class *c = &actor->arena->classes[class];
	int r = 0;

	if (actor->record->cache[class] != 0)
		return 0;
	if (waits ? lock_take(actor, &c->lock, LOCK_CLASS) < 0 :
		    !lock_try(actor, &c->lock, LOCK_CLASS))
		return -EBUSY;
	if (c->head != 0) {
		r = pop_locked(actor, class, refill_count(class));
	} else {
		if (c->bump == c->bump_end)
			r = waits ? space_carve(actor, class) : -EBUSY;
		if (r == 0)
			r = bump_locked(actor, class, refill_count(class));
	}
	lock_drop(actor, &c->lock, LOCK_CLASS);
	if (r == 0) {
		block_ref last;
		uint32_t blocks = 0;
		const struct block_header *block;
		for (block_ref at = actor->record->cache[class];
		     blocks < refill_count(class) &&
		     (block = walk(actor->arena, at, 1, &last)) != NULL;
		     at = block->next)
			blocks++;
		actor->record->cached_bytes += (uint64_t)blocks * block_class_bytes(class);
	}
	return r;
}

/* Give one class's cache back. */
static void push_class(struct actor *actor, uint32_t class)
{
	struct size_class *c = &actor->arena->classes[class];
	struct thread_record *record = actor->record;
	block_ref first = record->cache[class];
	block_ref last = first;
	uint64_t bytes = block_class_bytes(class);
	struct block_header *end = block_at(actor->arena, first);

	/* bounded: a damaged list may be a ring */
	for (uint32_t i = actor->arena->page_count * (PAGE_BYTES / CLASS_SMALLEST);
	     end != NULL && end->next != 0 && i > 0; i--) {
		last = end->next;
		end = block_at(actor->arena, last);
		bytes += block_class_bytes(class);
	}
	if (end == NULL || !lock_try(actor, &c->lock, LOCK_CLASS))
		return; /* it stays in our cache */
	splice_begin(&record->intent, SPLICE_PUSH, class, first, last, 0);
	note(&end->next, c->head);
	note(&c->head, first);
	note(&record->cache[class], 0);
	splice_end(&record->intent);
	lock_drop(actor, &c->lock, LOCK_CLASS);
	record->cached_bytes -= min_u64(bytes, record->cached_bytes);
}

static void flush_cache(struct actor *actor)
{
	for (uint32_t class = 0; class < CLASS_COUNT; class ++)
		if (actor->record->cache[class] != 0)
			push_class(actor, class);
}

/*
 * Two batches that come back at once; of all threads together an eighth of the space, since nobody
 * else gets at it.
 */
static uint64_t cache_limit(const struct arena *arena)
{
	uint64_t bytes = (uint64_t)arena->page_count * PAGE_BYTES;
	uint64_t threads =
		max_u64(1, load_relaxed(&arena->header->threads_high)); /* relaxed: about as many */

	return max_u64(65536, min_u64(CACHE_BYTES_MAX, min_u64(bytes / 512, bytes / 8 / threads)));
}

/* ------------------------------------------------------------ alloc and free */

bool block_free_slot(struct actor *actor, struct block_header *block)
{
	struct arena_header *h = actor->arena->header;
	struct slot *slot = arena_slot(actor->arena, block->slot);

	if (slot == NULL) { /* damaged */
		note(&block->slot, 0);
		return true;
	}
	if (!lock_try(actor, &h->slots_lock, LOCK_SLOTS))
		return false;
	store_relaxed(&slot->next, h->slots_free); /* relaxed: slot_guess() may still look, and
						      looks again under the lock */
	note(&h->slots_free, block->slot);
	note(&block->slot, 0);
	lock_drop(actor, &h->slots_lock, LOCK_SLOTS);
	return true;
}

/* A slot that was taken and not used. */
static void give_hand_slot(struct actor *actor)
{
	struct arena_header *h = actor->arena->header;
	struct intent *intent = &actor->record->intent;
	struct slot *slot = arena_slot(actor->arena, intent->hand_slot);

	if (slot == NULL || !lock_try(actor, &h->slots_lock, LOCK_SLOTS))
		return;
	store_relaxed(&slot->next, h->slots_free); /* relaxed: slot_guess() may still look, and
						      looks again under the lock */
	note(&h->slots_free, intent->hand_slot);
	note(&intent->hand_slot, 0);
	lock_drop(actor, &h->slots_lock, LOCK_SLOTS);
}

/* From our own retired blocks, if any are over; else from the class. */
static int restock(struct actor *actor, uint32_t class, bool waits)
{
	struct thread_record *record = actor->record;

	/* relaxed: another may be at our lists; their lock decides */
	if (load_relaxed(&record->retired.waiting) != 0 ||
	    load_relaxed(&record->retired.ready) != 0)
		(void)block_reclaim(actor, record);
	return record->cache[class] == 0 ? refill_from(actor, class, waits) : 0;
}

void block_stock(struct actor *actor, uint32_t bytes)
{
	uint32_t class = block_class_of(bytes);

	if (unlikely(actor->record->cache[class] == 0))
		(void)restock(actor, class,
			      false); /* else block_alloc() will say what is the matter */
}

int block_alloc(struct actor *actor, uint32_t bytes)
{
	struct thread_record *record = actor->record;
	uint32_t class = block_class_of(bytes);

	if (unlikely(record->cache[class] == 0)) {
		int r = restock(actor, class, true);
		if (r == -ENOMEM || r == -ENOSPC || r == -EBUSY)
			r = pressure_relieve(actor, &class, r, refill_from);
		if (r < 0)
			return r;
	}
	block_ref ref = record->cache[class];
	struct block_header *block = block_at(actor->arena, ref);
	if (unlikely(block == NULL || block->class != class))
		return -EUCLEAN;
	note(&record->intent.hand, ref);
	note(&record->cache[class], block->next);
	record->cached_bytes -= min_u64(block_class_bytes(class), record->cached_bytes);
	return 0;
}

void block_free_hand(struct actor *actor)
{
	struct thread_record *record = actor->record;
	block_ref ref = record->intent.hand;
	struct block_header *block = block_at(actor->arena, ref);

	if (block == NULL) { /* damaged: lost, but nothing is built on it */
		note(&record->intent.hand, 0);
		return;
	}
	uint32_t class = load_relaxed(&block->class);
	if (class >= CLASS_COUNT) { /* the same, just now */
		note(&record->intent.hand, 0);
		return;
	}
	note(&block->next, record->cache[class]);
	note(&record->cache[class], ref);
	note(&record->intent.hand, 0);
	record->cached_bytes += block_class_bytes(class);
	if (unlikely(record->cached_bytes > cache_limit(actor->arena)))
		flush_cache(actor);
}

void block_flush(struct actor *actor)
{
	flush_cache(actor);
	if (actor->record->intent.hand_slot != 0)
		give_hand_slot(actor);
}

int block_take_slot(struct actor *actor)
{
	struct arena_header *h = actor->arena->header;
	struct intent *intent = &actor->record->intent;
	int r = 0;

	if (arena_slot(actor->arena, intent->hand_slot) !=
	    NULL) /* none, or damaged: it is written anew */
		return 0;
	if (lock_take(actor, &h->slots_lock, LOCK_SLOTS) < 0)
		return -EBUSY;
	struct slot *slot = arena_slot(actor->arena, h->slots_free);
	if (slot != NULL) {
		note(&intent->hand_slot, h->slots_free);
		note(&h->slots_free, slot->next);
	} else if (h->slots_used_high < actor->arena->max_carts) {
		note(&intent->hand_slot, h->slots_used_high + 1);
		store_release(&h->slots_used_high, h->slots_used_high + 1);
	} else {
		r = -ENFILE;
	}
	lock_drop(actor, &h->slots_lock, LOCK_SLOTS);
	return r;
}
