/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.c: copies whole carts, slot by slot, for callers that take all carts elsewhere.
 *
 * As in corral_list_next(), each slot gets its own read-side section, which lasts only as long as
 * copying one version and so stalls no grace period. No lock, no system call. The copy is verified
 * outside the section.
 */
#include <errno.h>
#include <string.h>

#include "api/copy.h"
#include "api/unregistered.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "store/slot.h"
#include "sync/grace.h"

#define AGAIN_MAX 10000u /* each time another thread made progress, or the arena is damaged */

uint32_t copy_slots(const struct corral *corral)
{
	const struct arena *arena = &corral->arena;

	return (uint32_t)min_u64(load_acquire(&arena->header->slots_used_high), arena->max_carts);
}

/* Called inside a section. */
static int copy_once(struct corral *corral, uint32_t number, bool fenced, void *buffer,
		     size_t *ret_size, uint64_t *ret_hash, int64_t *ret_idle_ns)
{
	struct arena *arena = &corral->arena;
	struct found found;
	int64_t deadline;
	int r = slot_look(arena, number, fenced, &found, &deadline);

	if (r < 0)
		return r;
	*ret_idle_ns = ns_since(arena_now_ns(arena), lease_touched_ns(found.lease));
	/* ordered by current: the slot cannot become another cart's while we are in the section */
	*ret_hash = load_relaxed(&found.slot->hash);
	uint32_t size = load_relaxed(&found.cart->size); /* read once: damaged bytes may change */
	if (size < sizeof(*found.cart) || size > found.room || size > CORRAL_CART_MAX)
		return -EUCLEAN;
	memcpy(buffer, found.cart, size);
	*ret_size = size;
	return 0;
}

/* The copy no longer changes: is it valid, and is it the cart of this slot? */
static int verify(const struct arena *arena, const void *copy, size_t size, uint64_t hash)
{
	const struct cart_head *head = copy;
	struct corral_key key;

	if (cart_validate(copy, size) < 0 || cart_get_key(copy, size, &key) < 0)
		return -EUCLEAN;
	return head->size == size && head->version <= VERSION_MAX &&
			       slot_hash(arena, &key) == hash ?
		       0 :
		       -EUCLEAN;
}

int copy_slot(struct corral *corral, uint32_t number, void *buffer, size_t *ret_size,
	      uint64_t *ret_idle_ns)
{
	uint32_t tries = AGAIN_MAX;
	int64_t idle_ns = 0;
	uint64_t hash = 0;
	struct actor *actor;

	*ret_size = 0;
	if (unlikely(corral->unregistered)) {
		int copied = unregistered_copy_slot(corral, number, buffer, ret_size, ret_idle_ns);
		hash = copied == 0 ? ((const struct cart_head *)buffer)->hash : 0;
		return copied == 0 ? verify(&corral->arena, buffer, *ret_size, hash) : copied;
	}
	int r = handle_actor(corral, &actor);
	if (r < 0)
		return r;
	if (number >= corral->arena.max_carts)
		return -ENOENT;
	*ret_size = 0;
	do {
		grace_enter(actor);
		r = copy_once(corral, number, actor->fenced, buffer, ret_size, &hash, &idle_ns);
		r = grace_leave_with(actor, r);
	} while (r == -EAGAIN && --tries > 0);
	r = handle_verdict(corral, r == -EAGAIN ? -EUCLEAN : r);
	if (r == 0)
		r = verify(&corral->arena, buffer, *ret_size, hash);
	*ret_idle_ns = idle_ns > 0 ? (uint64_t)idle_ns : 0;
	return r;
}
