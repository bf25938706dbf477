/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pressure.c: memory is short. See pressure.h. It is slow by nature, but bounded, and it never
 * waits: it tries locks and polls grace periods.
 *
 * A span is dissolved when every block of it is free: in its class's list, or never used. All such
 * spans of a class go in one pass. The intent says that a dissolve is under way; then their page
 * words are marked (PAGE_DOOMED); the bump region is closed if it is in one of them; their blocks
 * are unlinked by single stores, each of which leaves a valid list; last, the page words are
 * cleared. Repair runs the same steps for the spans that were marked.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "memory/block.h"
#include "memory/class.h"
#include "memory/pressure.h"
#include "memory/retire.h"
#include "memory/span.h"
#include "sync/lock.h"

#define LARGER_CLASSES 16u
#define UNITS_PER_PAGE (PAGE_BYTES / BLOCK_UNIT)

static uint32_t block_bound(const struct arena *arena)
{
	return arena->page_count * (PAGE_BYTES / CLASS_SMALLEST);
}

/* The head page of the span that a block is in; page_count when there is none. */
static uint32_t head_page(const struct arena *arena, block_ref ref)
{
	uint32_t page = (ref - arena->space_first) / UNITS_PER_PAGE;

	for (uint32_t back = 0; back <= page && back < SPAN_PAGES_MAX; back++)
		if (arena->pages[page - back] != 0)
			return page - back;
	return arena->page_count;
}

static bool is_doomed(const struct arena *arena, uint32_t class_no, uint32_t page)
{
	return page < arena->page_count &&
	       arena->pages[page] ==
		       (PAGE_WORD(class_no, class_span_pages(class_no)) | PAGE_DOOMED);
}

void pressure_dissolve(struct arena *arena, uint32_t class_no)
{
	struct size_class *c = &arena->classes[class_no];
	block_ref bump = load_relaxed(&c->bump); /* read once, then checked and used */
	block_ref *link = &c->head;
	struct ring ring = { 0 };

	if (bump < c->bump_end && arena_block_inside(arena, bump) &&
	    is_doomed(arena, class_no, head_page(arena, bump)))
		note(&c->bump_end, bump); /* the never used rest goes with it */
	for (uint32_t bound = block_bound(arena); *link != 0 && bound > 0; bound--) {
		struct block_header *block = block_at(arena, *link);
		if (block == NULL || ring_closes(&ring, *link))
			return; /* damaged: leave everything as it is */
		if (is_doomed(arena, class_no, head_page(arena, *link)))
			note(link, block->next);
		else
			link = &block->next;
	}
	for (uint32_t page = 0; page < arena->page_count; page++)
		if (is_doomed(arena, class_no, page))
			span_uncarve(arena, page);
}

/*
 * The number of free blocks in the span that starts at a page, and their class. An entry of another
 * class counts as 0, so that this large table need not be cleared for each class.
 */
struct tally {
	uint32_t class_plus_one;
	uint32_t blocks;
};

static uint32_t tally_of(const struct tally *tallies, uint32_t class_no, uint32_t page)
{
	const struct tally *tally = &tallies[page];

	return tally->class_plus_one == class_no + 1 ? tally->blocks : 0;
}

/* Returns the new count. */
static uint32_t tally_add(struct tally *tallies, uint32_t class_no, uint32_t page, uint32_t blocks)
{
	blocks += tally_of(tallies, class_no, page);
	tallies[page] = (struct tally){ class_no + 1, blocks };
	return blocks;
}

/* Mark the spans whose blocks are all free. Stale marks of a damaged page table are cleared. */
static uint32_t doom(struct arena *arena, uint32_t class_no, const struct tally *tallies)
{
	uint32_t span_word = PAGE_WORD(class_no, class_span_pages(class_no));
	uint32_t span_blocks = class_span_blocks(class_no);
	uint32_t pages = 0;

	for (uint32_t page = 0; page < arena->page_count; page++) {
		uint32_t word = arena->pages[page] & ~PAGE_DOOMED;
		if (word != span_word)
			continue;
		bool all_free = tally_of(tallies, class_no, page) == span_blocks;
		if (all_free)
			pages += PAGE_SPAN_PAGES(word);
		if (arena->pages[page] != (all_free ? word | PAGE_DOOMED : word))
			note(&arena->pages[page], all_free ? word | PAGE_DOOMED : word);
	}
	return pages;
}

/* Class lock held. */
static uint32_t dissolve_spans(struct actor *actor, uint32_t class_no, const struct tally *tallies)
{
	struct intent *intent = &actor->record->intent;
	lock_word *lock = &actor->arena->header->space_lock;

	if (!lock_try(actor, lock, LOCK_SPACE))
		return 0;
	note(&intent->splice_class, class_no);
	note(&intent->splice_kind, SPLICE_DISSOLVE);
	uint32_t pages = doom(actor->arena, class_no, tallies);
	pressure_dissolve(actor->arena, class_no);
	note(&intent->splice_kind, SPLICE_NONE);
	lock_drop(actor, lock, LOCK_SPACE);
	return pages;
}

/* Count each span's free blocks, then dissolve the spans that are all free. Class lock held. */
static uint32_t scavenge_class(struct actor *actor, uint32_t class_no, struct tally *tallies)
{
	struct arena *arena = actor->arena;
	struct size_class *c = &arena->classes[class_no];
	uint32_t span_blocks = class_span_blocks(class_no);
	uint32_t bound = block_bound(arena);
	bool some = false; /* a span is all free */

	block_ref bump = load_relaxed(&c->bump); /* read once, then checked and used */

	if (bump < c->bump_end && arena_block_inside(arena, bump)) {
		uint32_t page = head_page(arena, bump);
		uint32_t blocks = (c->bump_end - bump) / (class_bytes(class_no) / BLOCK_UNIT);
		if (page < arena->page_count)
			some |= tally_add(tallies, class_no, page, blocks) == span_blocks;
	}
	for (block_ref at = c->head; at != 0 && bound > 0; bound--) {
		struct block_header *block = block_at(arena, at);
		uint32_t page = block != NULL ? head_page(arena, at) : arena->page_count;
		if (page >= arena->page_count || PAGE_SPAN_CLASS(arena->pages[page]) != class_no)
			return 0; /* damaged */
		uint32_t blocks = tally_add(tallies, class_no, page, 1);
		if (blocks > span_blocks)
			return 0; /* damaged: a ring */
		some |= blocks == span_blocks;
		at = block->next;
	}
	return some ? dissolve_spans(actor, class_no, tallies) : 0;
}

uint32_t block_scavenge(struct actor *actor)
{
	struct arena *arena = actor->arena;
	uint32_t freed = 0;

	/* before any lock of this layer: malloc may block, and must not while we hold one */
	struct tally *tallies = calloc(arena->page_count, sizeof(*tallies));
	if (tallies == NULL)
		return 0;
	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++) {
		struct size_class *c = &arena->classes[class_no];
		if ((load_relaxed(&c->head) == 0 &&
		     load_relaxed(&c->bump) == load_relaxed(&c->bump_end)) ||
		    !lock_try(actor, &c->lock, LOCK_CLASS))
			continue;
		freed += scavenge_class(actor, class_no, tallies);
		lock_drop(actor, &c->lock, LOCK_CLASS);
	}
	free(tallies);
	return freed;
}

/* Pages up to the end of the last span; all reserved pages if the table is damaged there. */
static uint32_t pages_in_use(const struct arena *arena)
{
	uint32_t reserved = (uint32_t)min_u64(load_relaxed(&arena->header->reserved_pages),
					      arena->page_count); /* it may grow */

	for (uint32_t page = reserved; page > 0; page--) {
		uint32_t word = load_relaxed(&arena->pages[page - 1]);
		uint32_t class_no = PAGE_SPAN_CLASS(word), pages = PAGE_SPAN_PAGES(word);
		if (word == 0)
			continue;
		bool sound = class_no < CLASS_COUNT && pages == class_span_pages(class_no) &&
			     pages <= reserved - (page - 1);
		return sound ? page - 1 + pages : reserved;
	}
	return 0;
}

/*
 * Is there a version behind these pages? Then the page table is damaged, and the pages are kept for
 * salvage.
 */
static bool some_version_behind(const struct arena *arena, uint32_t pages)
{
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->slots_used_high), arena->max_carts);

	for (uint32_t i = 0; i < high; i++) {
		block_ref current = load_relaxed(&arena->slots[i].current);
		if (current >= arena->space_first &&
		    (current - arena->space_first) / UNITS_PER_PAGE >= pages)
			return true;
	}
	return false;
}

/*
 * Is any thread still reading in a revoked view? What it reads may be garbage, but has to be
 * mapped.
 */
static bool some_void_view(const struct arena *arena)
{
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);

	for (uint32_t number = 0; number < high; number++) {
		uint64_t reader = load_relaxed(&arena->threads[number].reader);
		if (reader != 0 && reader <= load_relaxed(&arena->threads[number].revoked))
			return true;
	}
	return false;
}

/*
 * While the lock is held no span is dissolved: what readers are using is in a span, unless their
 * view was void before we looked.
 */
static int64_t trim_locked(struct arena *arena, uint32_t keep, uint64_t most)
{
	if (some_void_view(arena))
		return -EBUSY;
	keep = (uint32_t)max_u64(keep, span_pages_with_spare(arena, pages_in_use(arena)));
	return arena_unreserve(arena, keep, most);
}

/*
 * A thread that builds a version ahead of time, outside a section, may still be reading what was
 * freed and dissolved long ago. It then reads zeroes, and will not publish that version.
 */
int64_t block_trim(struct actor *actor, uint64_t least, uint64_t most)
{
	struct arena *arena = actor->arena;
	lock_word *lock = &arena->header->space_lock;
	uint32_t keep = span_pages_with_spare(arena, pages_in_use(arena));
	uint64_t reserved =
		min_u64(load_relaxed(&arena->header->reserved_pages), arena->page_count);

	/* before the lock: a thread that carves meanwhile only adds to the reserve */
	if (reserved <= keep || (reserved - keep) * PAGE_BYTES < least ||
	    some_version_behind(arena, keep))
		return 0;
	if (!lock_try(actor, lock, LOCK_SPACE))
		return -EBUSY;
	int64_t bytes = trim_locked(arena, keep, most);
	lock_drop(actor, lock, LOCK_SPACE);
	return bytes;
}

int pressure_relieve(struct actor *actor, uint32_t *class_no, int error)
{
	/*
	 * A full disk has no new span for any class, and each class would ask it again: only
	 * existing blocks will do. A change that makes room may use the spare pages.
	 */
	bool may_carve = error != -ENOSPC || actor->makes_room;

	(void)block_reclaim_all(actor);
	if (block_refill(actor, *class_no, may_carve) == 0)
		return 0;
	if (block_scavenge(actor) > 0 && block_refill(actor, *class_no, true) == 0)
		return 0;
	for (uint32_t larger = *class_no + 1;
	     larger < CLASS_COUNT && larger <= *class_no + LARGER_CLASSES; larger++) {
		if (block_refill(actor, larger, may_carve) != 0)
			continue;
		*class_no = larger;
		return 0;
	}
	return error;
}
