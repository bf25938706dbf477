/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * span.c: which pages belong to which span, and the disk space behind them.
 *
 * The page table is an array of words: 0, or a span's head; the words inside a span stay 0. One
 * store to its head's word makes a span exist, and one ends it. The table is walked from page_hint,
 * below which no page is free, always from span to span.
 *
 * The disk may be full before the arena is. SPARE_PAGES more than are in use are kept reserved, for
 * changes that close an order or make it smaller: such a change is not refused, though for a while
 * it needs one more version. The header remembers for DISK_FULL_NS that the disk is full: a refused
 * change tries many classes, twice, and asking a full disk each time would take longer than all the
 * rest.
 *
 * Carving, under the class's lock and space_lock: note the page in the intent, reserve, store the
 * head word, move the class's bump region there. Repair: if bump has not moved there, clear the
 * head word.
 */
#include <errno.h>

#include "base/atomic.h"
#include "memory/class.h"
#include "memory/span.h"
#include "sync/lock.h"

#define DISK_FULL_NS 100000000u
#define SPARE_PAGES SPAN_PAGES_MAX /* a span of any class fits */

static block_ref page_block(const struct arena *arena, uint32_t page)
{
	return arena->space_first + page * (PAGE_BYTES / BLOCK_UNIT);
}

/* First fit from the hint. page_count: there is none. */
static uint32_t find_run(const struct arena *arena, uint32_t count)
{
	uint32_t page = arena->header->page_hint;
	uint32_t run = 0;

	while (page < arena->page_count) {
		uint32_t word = arena->pages[page];
		if (word == 0) {
			page++;
			if (++run == count)
				return page - count;
		} else {
			run = 0;
			/* 0 pages: damaged */
			page += PAGE_SPAN_PAGES(word) != 0 ? PAGE_SPAN_PAGES(word) : 1;
		}
	}
	return arena->page_count;
}

uint32_t span_pages_with_spare(const struct arena *arena, uint32_t pages)
{
	return (uint32_t)min_u64((uint64_t)pages + SPARE_PAGES, arena->page_count);
}

/* Ask the disk, unless it was full a moment ago. space_lock is held. */
static int ask_disk(struct arena *arena, uint32_t first, uint32_t count)
{
	struct arena_header *h = arena->header;
	int64_t now_ns = arena_now_ns(arena), full_ns = h->disk_full_ns;

	if (full_ns != 0 && (uint64_t)ns_since(now_ns, full_ns) < DISK_FULL_NS)
		return -ENOSPC;
	int r = arena_reserve(arena, first, count);
	if (r == -EDQUOT)
		r = -ENOSPC; /* full for this user */
	h->disk_full_ns = r == -ENOSPC ? now_ns : 0;
	return r;
}

/* Reserve disk space for these pages, and for the spare pages behind them. */
static int have_disk(struct actor *actor, uint32_t page, uint32_t count)
{
	struct arena *arena = actor->arena;
	uint32_t reserved = arena->header->reserved_pages;
	uint32_t end = span_pages_with_spare(arena, page + count);
	int r = end <= reserved ? 0 : ask_disk(arena, page, end - page);

	return r == -ENOSPC && actor->makes_room && page + count <= reserved ? 0 : r;
}

static int carve_locked(struct actor *actor, uint32_t class_no)
{
	struct arena *arena = actor->arena;
	struct arena_header *h = arena->header;
	struct size_class *c = &arena->classes[class_no];
	struct intent *intent = &actor->record->intent;
	uint32_t count = class_span_pages(class_no);

	uint32_t page = find_run(arena, count);
	if (page >= arena->page_count)
		return -ENOMEM;
	int r = have_disk(actor, page, count);
	if (r < 0)
		return r;
	block_ref first = page_block(arena, page);
	note(&intent->splice_class, class_no);
	note(&intent->splice_first, page + 1);
	note(&intent->splice_rest, first);
	note(&intent->splice_kind, SPLICE_CARVE);
	note(&arena->pages[page], PAGE_WORD(class_no, count));
	note(&c->bump_end,
	     first + class_span_blocks(class_no) * (class_bytes(class_no) / BLOCK_UNIT));
	note(&c->bump, first); /* from here on the span belongs to the class */
	note(&intent->splice_kind, SPLICE_NONE);
	if (page == h->page_hint)
		h->page_hint = page + count;
	h->pages_used += count;
	return 0;
}

int span_carve(struct actor *actor, uint32_t class_no)
{
	lock_word *lock = &actor->arena->header->space_lock;

	if (lock_take(actor, lock, LOCK_SPACE) < 0)
		return -EBUSY;
	int r = carve_locked(actor, class_no);
	lock_drop(actor, lock, LOCK_SPACE);
	return r;
}

bool span_count_used(struct actor *actor)
{
	struct arena *arena = actor->arena;
	lock_word *lock = &arena->header->space_lock;
	uint32_t used = 0;

	if (!lock_try(actor, lock, LOCK_SPACE))
		return false;
	for (uint32_t page = 0; page < arena->page_count; page++)
		used += PAGE_SPAN_PAGES(arena->pages[page]);
	arena->header->pages_used = (uint32_t)min_u64(used, arena->page_count);
	lock_drop(actor, lock, LOCK_SPACE);
	return true;
}

void span_uncarve(struct arena *arena, uint32_t page)
{
	struct arena_header *h = arena->header;

	h->pages_used -= PAGE_SPAN_PAGES(arena->pages[page]);
	if (page < h->page_hint)
		note(&h->page_hint, page); /* before the page: below the hint none is free */
	note(&arena->pages[page], 0);
}
