/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk_places.c: the results of a walk: the place of each block, and the faults.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/atomic.h"
#include "inspect/walk.h"
#include "memory/block.h"
#include "memory/class.h"

void walk_tell(struct inspect *inspect, const char *format, ...)
{
	char line[256];
	va_list arguments;

	inspect->faults++;
	if (inspect->finding == NULL)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	inspect->finding(inspect->context, line);
}

static uint32_t blocks_bound(const struct inspect *inspect)
{
	return inspect->arena.page_count * (PAGE_BYTES / CLASS_SMALLEST);
}

uint32_t walk_class_at(const struct inspect *inspect, block_ref ref)
{
	const struct arena *arena = &inspect->arena;

	if (!arena_block_inside(arena, ref))
		return CLASS_COUNT;
	uint32_t head = inspect->head_of_page[(ref - arena->space_first) / WALK_UNITS_PER_PAGE];
	if (head == 0)
		return CLASS_COUNT;
	uint32_t class_no = PAGE_SPAN_CLASS(arena->pages[head - 1]);
	if (class_no >= CLASS_COUNT)
		return CLASS_COUNT;
	uint32_t units = class_bytes(class_no) / BLOCK_UNIT;
	uint32_t offset = ref - arena->space_first - (head - 1) * WALK_UNITS_PER_PAGE;
	if (units > arena->space_end - ref)
		return CLASS_COUNT; /* the page table has changed since it was walked */
	return offset % units == 0 && offset / units < class_span_blocks(class_no) ? class_no :
										     CLASS_COUNT;
}

/* A block in a hand, or on the way, may have either mark. */
static bool mark_fits(enum place place, uint32_t mark)
{
	if (place == PLACE_LIVE)
		return mark == BLOCK_LIVE;
	if (place == PLACE_COPY)
		return mark == BLOCK_COPY;
	return mark != BLOCK_LIVE || (place != PLACE_FREE && place != PLACE_RETIRED);
}

bool walk_put(struct inspect *inspect, block_ref ref, enum place place, const char *where)
{
	uint32_t class_no = walk_class_at(inspect, ref);

	if (class_no == CLASS_COUNT) {
		walk_tell(inspect, "%s: reference 0x%x is no block", where, ref);
		return false;
	}
	uint8_t *mark = &inspect->places[ref - inspect->arena.space_first];
	if (*mark != PLACE_NONE) {
		if (inspect->accounting)
			walk_tell(inspect, "%s: block 0x%x has another place already (%u)", where,
				  ref, *mark);
		return false;
	}
	const struct block_header *block = arena_block(&inspect->arena, ref);
	if (place != PLACE_NEVER_USED &&
	    (block->class_no != class_no || block->magic != BLOCK_MAGIC)) {
		walk_tell(inspect, "%s: block 0x%x has a damaged header", where, ref);
		return false;
	}
	if (inspect->accounting && !mark_fits(place, block->mark))
		walk_tell(inspect, "%s: block 0x%x has the wrong mark (0x%08x)", where, ref,
			  block->mark);
	*mark = (uint8_t)place;
	inspect->counts[class_no * PLACE_COUNT + place]++;
	return true;
}

bool walk_placed(const struct inspect *inspect, block_ref ref)
{
	return arena_block_inside(&inspect->arena, ref) &&
	       inspect->places[ref - inspect->arena.space_first] != PLACE_NONE;
}

void walk_list(struct inspect *inspect, block_ref first, block_ref last, enum place place,
	       const char *where)
{
	uint32_t bound = blocks_bound(inspect);

	for (block_ref at = first; at != 0 && bound > 0; bound--) {
		if (!walk_put(inspect, at, place, where) || at == last)
			return;
		const struct block_header *block = arena_block(&inspect->arena, at);
		if (place == PLACE_RETIRED && block->slot - 1 < inspect->arena.max_carts)
			inspect->slot_places[block->slot - 1] = PLACE_RETIRED;
		at = block->next;
	}
}
