/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk.c: a read-only walk that finds the place of every block and slot, and verifies what it
 * meets.
 *
 * Nothing is trusted: references are checked against the page table before they are followed, and
 * lists are bounded by the number of blocks. A killed thread may have left a move half done. Its
 * intent says which move; such a block counts as on the way ("cached"), where its repair will put
 * it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "inspect/walk.h"
#include "memory/class.h"
#include "store/slot.h"
#include "sync/alive.h"

#define COPY_TRIES 8

/* ------------------------------------------------------------------- spans */

/*
 * Find the classes whose spans were being dissolved when a process died: once, not for each page.
 */
static void find_dissolving(struct inspect *inspect)
{
	const struct arena *arena = &inspect->arena;
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);

	memset(inspect->dissolving, 0, sizeof(inspect->dissolving));
	for (uint32_t number = 0; number < high; number++) {
		const struct intent *intent = &arena->threads[number].intent;
		uint32_t class_no = load_relaxed(&intent->splice_class);
		if (load_relaxed(&intent->splice_kind) == SPLICE_DISSOLVE && class_no < CLASS_COUNT)
			inspect->dissolving[class_no] = true;
	}
}

static void walk_pages(struct inspect *inspect)
{
	const struct arena *arena = &inspect->arena;

	for (uint32_t page = 0; page < arena->page_count;) {
		uint32_t word = arena->pages[page];
		if (word == 0) {
			page++;
			continue;
		}
		uint32_t class_no = PAGE_SPAN_CLASS(word);
		uint32_t pages = PAGE_SPAN_PAGES(word);
		if (class_no >= CLASS_COUNT || pages != class_span_pages(class_no) ||
		    pages > arena->page_count - page) {
			walk_tell(inspect, "page %u: its page-table word 0x%08x is no span", page,
				  word);
			page++;
			continue;
		}
		if ((word & PAGE_DOOMED) != 0 && !inspect->dissolving[class_no])
			walk_tell(inspect,
				  "page %u: its span is marked as being dissolved, but no thread "
				  "is dissolving it",
				  page);
		if (page + pages > arena->header->reserved_pages)
			walk_tell(inspect, "page %u: its span is not reserved on disk", page);
		for (uint32_t i = 0; i < pages; i++) {
			if (i > 0 && arena->pages[page + i] != 0)
				walk_tell(inspect,
					  "page %u: a span begins inside the span of page %u",
					  page + i, page);
			inspect->head_of_page[page + i] = page + 1;
		}
		inspect->spans[class_no]++;
		inspect->totals.span_bytes += (uint64_t)pages * PAGE_BYTES;
		page += pages;
	}
}

/*
 * Classes whose bump region a killed thread was moving into a new span: its ends do not belong
 * together, so nothing is between them.
 */
static void find_carving(const struct inspect *inspect, bool carving[CLASS_COUNT])
{
	const struct arena *arena = &inspect->arena;
	uint32_t high = (uint32_t)min_u64(arena->header->threads_high, arena->max_threads);

	for (uint32_t number = 0; number < high; number++) {
		const struct intent *intent = &arena->threads[number].intent;
		if (intent->splice_kind == SPLICE_CARVE && intent->splice_class < CLASS_COUNT &&
		    arena->classes[intent->splice_class].bump != intent->splice_rest)
			carving[intent->splice_class] = true;
	}
}

static void walk_classes(struct inspect *inspect)
{
	const struct arena *arena = &inspect->arena;
	bool carving[CLASS_COUNT] = { false };
	char where[64];

	find_carving(inspect, carving);

	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++) {
		const struct size_class *c = &arena->classes[class_no];
		uint32_t units = class_bytes(class_no) / BLOCK_UNIT;
		snprintf(where, sizeof(where), "class %u (%u bytes), free list", class_no,
			 class_bytes(class_no));
		walk_list(inspect, c->head, 0, PLACE_FREE, where);
		for (block_ref at = c->bump;
		     !carving[class_no] && at < c->bump_end && c->bump_end <= arena->space_end;
		     at += units)
			if (!walk_put(inspect, at, PLACE_NEVER_USED, "never used blocks"))
				break;
	}
}

/* ------------------------------------------------------------------- carts */

/*
 * Copy the version's bytes, since other threads may free them. NULL: the version is gone, or is
 * damaged (reported).
 */
static const struct cart_head *copy_cart(struct inspect *inspect, const struct slot *slot,
					 block_ref current, uint8_t *copy, size_t *ret_room)
{
	uint32_t class_no = walk_class_at(inspect, current);

	if (class_no == CLASS_COUNT)
		return NULL;
	size_t room = class_bytes(class_no) - sizeof(struct block_header);
	const struct cart_head *cart =
		(const struct cart_head *)(arena_block(&inspect->arena, current) + 1);
	size_t size = min_u64(room, max_u64(load_relaxed(&cart->size), sizeof(*cart)));
	memcpy(copy, cart, size);
	*ret_room = size;
	return load_acquire(&slot->current) == current ? (const struct cart_head *)(void *)copy :
							 NULL;
}

static void add_cart(struct inspect *inspect, const struct slot *slot, const struct cart_head *cart,
		     bool ended)
{
	struct inspect_totals *totals = &inspect->totals;

	(void)slot;
	totals->cart_bytes += cart->size;
	if (ended)
		totals->carts_ending++;
	else if (cart->status == CORRAL_CHECKED_OUT)
		totals->carts_checked_out++;
	else
		totals->carts_open++;
}

static void verify_cart(struct inspect *inspect, uint32_t number, const struct cart_head *cart,
			size_t room)
{
	const struct slot *slot = &inspect->arena.slots[number];
	struct corral_key key;

	if (cart_validate(cart, room) < 0) {
		walk_tell(inspect, "slot %u: its cart (block 0x%x) is damaged", number,
			  slot->current);
		return;
	}
	if (cart_get_key(cart, room, &key) < 0 || slot_hash(&inspect->arena, &key) != slot->hash)
		walk_tell(inspect, "slot %u: its hash is not that of its cart's key", number);
}

static void walk_cart(struct inspect *inspect, uint32_t number, bool verify, uint8_t *copy)
{
	const struct slot *slot = &inspect->arena.slots[number];
	char where[32];
	size_t room;

	snprintf(where, sizeof(where), "slot %u", number);
	for (int tries = 0; tries < COPY_TRIES; tries++) {
		block_ref current = load_acquire(&slot->current); /* pairs [S1] */
		uint64_t lease = load_relaxed(&slot->lease);
		if (current == 0)
			return; /* ending */
		if (walk_class_at(inspect, current) == CLASS_COUNT) {
			walk_tell(inspect, "slot %u: reference 0x%x is no block", number, current);
			return;
		}
		const struct cart_head *cart = copy_cart(inspect, slot, current, copy, &room);
		if (cart == NULL)
			continue;
		bool ended = !lease_runs(lease) || arena_now_ns(&inspect->arena) >=
							   slot_deadline_ns(&inspect->arena, lease);
		add_cart(inspect, slot, cart, ended);
		if (verify)
			verify_cart(inspect, number, cart, room);
		/* a lock holder may have died before it stored this word */
		if (inspect->accounting && load_relaxed(&slot->lock) == 0 &&
		    slot->newest != SLOT_NEWEST(cart->version, slot->hash))
			walk_tell(inspect, "slot %u: its word on the newest version is wrong",
				  number);
		(void)walk_put(inspect, current, PLACE_LIVE, where);
		return;
	}
}

static void walk_chain(struct inspect *inspect, uint32_t index, bool verify, uint8_t *copy)
{
	const struct arena *arena = &inspect->arena;
	uint32_t bound = arena->max_carts;

	for (slot_link link = load_acquire(&arena->chains[index].head);
	     link != 0;) { /* pairs [S2] */
		const struct slot *slot = arena_slot(arena, link);
		if (slot == NULL || bound-- == 0) {
			walk_tell(inspect, "bucket %u: its chain is damaged", index);
			return;
		}
		if ((slot->hash & arena->bucket_mask) != index) {
			if (inspect->accounting)
				walk_tell(inspect,
					  "bucket %u: slot %u does not belong into its chain",
					  index, link - 1);
			return; /* or it was freed and reused meanwhile */
		}
		if (inspect->slot_places[link - 1] == PLACE_LIVE) {
			if (inspect->accounting)
				walk_tell(inspect, "slot %u is in two chains, or twice in one",
					  link - 1);
			return;
		}
		inspect->slot_places[link - 1] = PLACE_LIVE;
		walk_cart(inspect, link - 1, verify, copy);
		link = load_acquire(&slot->next); /* pairs [S2] */
	}
}

static void walk_free_slots(struct inspect *inspect)
{
	const struct arena *arena = &inspect->arena;
	uint32_t bound = arena->max_carts;

	for (slot_link link = arena->header->slots_free; link != 0;
	     link = arena->slots[link - 1].next) {
		if (link > arena->max_carts || bound-- == 0 ||
		    inspect->slot_places[link - 1] == PLACE_FREE) {
			if (inspect->accounting)
				walk_tell(inspect, "the list of free slots is damaged at link %u",
					  link);
			return;
		}
		if (inspect->slot_places[link - 1] == PLACE_LIVE && inspect->accounting)
			walk_tell(inspect, "slot %u is free and in a chain", link - 1);
		inspect->slot_places[link - 1] = PLACE_FREE;
	}
}

/* -------------------------------------------------------------- the totals */

static void add_up(struct inspect *inspect)
{
	struct inspect_totals *totals = &inspect->totals;
	uint64_t *const sums[PLACE_COUNT] = {
		[PLACE_NEVER_USED] = &totals->free_bytes, [PLACE_FREE] = &totals->free_bytes,
		[PLACE_CACHED] = &totals->cached_bytes,   [PLACE_LIVE] = &totals->live_bytes,
		[PLACE_RETIRED] = &totals->retired_bytes, [PLACE_LANE] = &totals->lane_bytes,
		[PLACE_COPY] = &totals->ends_bytes
	};

	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++) {
		uint64_t known = 0;
		for (uint32_t place = PLACE_NEVER_USED; place < PLACE_COUNT; place++) {
			uint64_t count = inspect->counts[class_no * PLACE_COUNT + place];
			*sums[place] += count * class_bytes(class_no);
			known += count;
		}
		uint64_t all = (uint64_t)inspect->spans[class_no] * class_span_blocks(class_no);
		if (known >= all)
			continue;
		totals->lost_bytes += (all - known) * class_bytes(class_no);
		if (inspect->accounting)
			walk_tell(inspect, "class %u (%u bytes): %llu of %llu blocks are nowhere",
				  class_no, class_bytes(class_no),
				  (unsigned long long)(all - known), (unsigned long long)all);
	}
}

static void account_slots(struct inspect *inspect)
{
	uint32_t high =
		(uint32_t)min_u64(inspect->arena.header->slots_used_high, inspect->arena.max_carts);

	for (uint32_t number = 0; number < high; number++) {
		if (inspect->slot_places[number] == PLACE_NONE && inspect->accounting)
			walk_tell(inspect, "slot %u is nowhere: in no chain, and not free", number);
		inspect->totals.slots_used += inspect->slot_places[number] == PLACE_LIVE;
	}
}

void walk_forget(struct inspect *inspect)
{
	free(inspect->places);
	free(inspect->head_of_page);
	free(inspect->slot_places);
	free(inspect->counts);
	free(inspect->spans);
	inspect->places = inspect->slot_places = NULL;
	inspect->head_of_page = inspect->counts = inspect->spans = NULL;
}

int walk_arena(struct inspect *inspect, bool verify_carts, bool accounting)
{
	const struct arena *arena = &inspect->arena;
	uint8_t *copy = malloc(CLASS_LARGEST);

	walk_forget(inspect);
	memset(&inspect->totals, 0, sizeof(inspect->totals));
	inspect->faults = 0;
	inspect->accounting = accounting;
	inspect->places = calloc(arena->space_end - arena->space_first, 1);
	inspect->head_of_page = calloc(arena->page_count, sizeof(uint32_t));
	inspect->slot_places = calloc(arena->max_carts, 1);
	inspect->counts = calloc((size_t)CLASS_COUNT * PLACE_COUNT, sizeof(uint32_t));
	inspect->spans = calloc(CLASS_COUNT, sizeof(uint32_t));
	if (copy == NULL || inspect->places == NULL || inspect->head_of_page == NULL ||
	    inspect->slot_places == NULL || inspect->counts == NULL || inspect->spans == NULL) {
		free(copy);
		walk_forget(inspect);
		return -ENOMEM;
	}
	uint32_t threads = (uint32_t)min_u64(arena->header->threads_high, arena->max_threads);
	find_dissolving(inspect);
	walk_pages(inspect);
	for (uint32_t index = 0; index <= arena->bucket_mask; index++)
		walk_chain(inspect, index, verify_carts, copy);
	walk_classes(inspect);
	walk_free_slots(inspect);
	for (uint32_t number = 0; number < threads; number++)
		walk_thread(inspect, number);
	walk_ends(inspect);
	walk_dissolving(inspect);
	for (uint32_t number = 0; number < threads; number++)
		walk_hands(inspect, number);
	free(copy);
	add_up(inspect);
	account_slots(inspect);
	walk_count_people(inspect);
	return 0;
}
