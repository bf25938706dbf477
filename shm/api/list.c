/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.c: corral_list(): the slots by number, in read-side sections of bounded length.
 * Takes no lock, makes no system call.
 */
#include <errno.h>
#include <string.h>

#include "api/handle.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "store/slot.h"
#include "sync/grace.h"

#define LIST_ROWS_AT_A_TIME 64u
#define LIST_SLOTS_AT_A_TIME                                                                       \
	4096u            /* then the section is left, so that a long list stalls nobody            \
			  */
#define AGAIN_MAX 10000u /* each time somebody else got on, or the arena is damaged */

/* In a section: one slot's cart as a row; false when there is none to show. */
static bool fill_entry(struct corral *corral, uint32_t number, const struct corral_text *restaurant,
		       struct corral_entry *entry)
{
	const struct arena *arena = &corral->arena;
	struct slot *slot = &arena->slots[number];
	int64_t touched = load_acquire(&slot->touched_ns); /* before current. pairs [S3] */
	block_ref current = load_acquire(&slot->current);  /* pairs [S1] */
	struct corral_key key;

	if (current == 0 || touched == TOUCHED_ENDED || !arena_block_inside(arena, current))
		return false;
	int64_t deadline = slot_deadline_ns(arena, slot, touched);
	if (load_relaxed(&slot->touched_ns) != touched || /* pairs [S5] */
	    (arena_now_ns(arena) >= deadline && !slot_forgo(slot, touched)))
		return fill_entry(corral, number, restaurant,
				  entry); /* it changed under us: look again */
	if (arena_now_ns(arena) >= deadline)
		return false;
	const void *cart = arena_block(arena, current) + 1;
	size_t room = min_u64((uint64_t)(arena->space_end - current) * BLOCK_UNIT, CLASS_LARGEST) -
		      sizeof(struct block_header);
	if (cart_verify_front(cart, room) < 0 || cart_get_key(cart, room, &key) < 0 ||
	    cart_get_head(cart, room, &entry->head) < 0)
		return false; /* damaged: `corral check` tells */
	if (key.restaurant_id.size > CORRAL_ID_MAX || key.session_id.size > CORRAL_ID_MAX ||
	    (restaurant != NULL &&
	     (restaurant->size != key.restaurant_id.size ||
	      memcmp(restaurant->data, key.restaurant_id.data, restaurant->size) != 0)))
		return false;
	memcpy(entry->restaurant_id, key.restaurant_id.data, key.restaurant_id.size);
	entry->restaurant_id[key.restaurant_id.size] = '\0';
	memcpy(entry->session_id, key.session_id.data, key.session_id.size);
	entry->session_id[key.session_id.size] = '\0';
	entry->expires_ms = handle_wall_ms(corral, deadline);
	return true;
}

int corral_list(struct corral *corral, const struct corral_text *restaurant_id, uint64_t *cursor,
		struct corral_entry *ret_entries, size_t max, size_t *ret_count)
{
	struct actor *actor;
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
		for (; next < stop && filled < rows; next++)
			filled += fill_entry(corral, (uint32_t)next, restaurant_id,
					     &ret_entries[filled]);
		r = grace_leave_with(actor, 0);
		if (r == -EAGAIN && --tries > 0)
			continue; /* the rows may be anything: fill them again */
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
