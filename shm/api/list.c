/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.c: corral_list(): the slots by number, in read-side sections of bounded length. Takes no
 * lock, makes no system call.
 */
#include <errno.h>

#include "api/handle.h"
#include "api/list_row.h"
#include "api/unregistered.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "store/slot.h"
#include "sync/grace.h"

#define LIST_ROWS_AT_A_TIME 64u
/* then the section ends, so that a long list stalls no grace period */
#define LIST_SLOTS_AT_A_TIME 4096u
/* each time another thread made progress, or the arena is damaged */
#define AGAIN_MAX 10000u

/*
 * Inside a section: fill a row with one slot's cart. 1; 0: there is none to show; -EBUSY as
 * slot_look().
 */
static int fill_entry(struct corral *corral, uint32_t number, bool fenced,
		      const struct corral_text *restaurant, struct corral_entry *entry)
{
	struct found found;
	int64_t deadline = 0;

	int r = slot_look(&corral->arena, number, fenced, &found, &deadline);
	if (r < 0)
		return r == -EBUSY ? r : 0; /* none, or damaged, which `corral check` reports */
	size_t room = min_u64(found.room, CLASS_LARGEST - sizeof(struct block_header));
	if (!list_fill_row(found.cart, room, restaurant, entry))
		return 0;
	entry->expires_ms = handle_wall_ms(corral, deadline);
	handle_complete_head(corral, &entry->head);
	return 1;
}

int corral_list(struct corral *corral, const struct corral_text *restaurant_id, uint64_t *cursor,
		struct corral_entry *ret_entries, size_t max, size_t *ret_count)
{
	struct actor *actor;

	if (unlikely(corral->unregistered))
		return unregistered_list(corral, restaurant_id, cursor, ret_entries, max,
					 ret_count);
	int r = handle_actor(corral, &actor);
	if (r < 0)
		return r;
	uint64_t end = min_u64(load_acquire(&corral->arena.header->slots_used_high),
			       corral->arena.max_carts);
	uint64_t at = *cursor;
	uint32_t tries = AGAIN_MAX;
	size_t count = 0;
	while (at < end && count < max) {
		uint64_t stop = min_u64(end, at + LIST_SLOTS_AT_A_TIME);
		size_t rows = min_u64(max, count + LIST_ROWS_AT_A_TIME);
		uint64_t next = at;
		size_t filled = count;
		grace_enter(actor);
		for (r = 0; next < stop && filled < rows && r >= 0; next++) {
			r = fill_entry(corral, (uint32_t)next, actor->fenced, restaurant_id,
				       &ret_entries[filled]);
			filled += r > 0;
		}
		r = grace_leave_with(actor, r < 0 ? r : 0);
		if (r == -EAGAIN && --tries > 0)
			continue; /* the rows may be garbage: fill them again */
		if (r == -EAGAIN)
			r = -EUCLEAN;
		if (r < 0)
			return r;
		at = next;
		count = filled;
	}
	r = handle_verdict(corral, 0);
	if (r < 0)
		return r;
	*cursor = at;
	*ret_count = count;
	return 0;
}
