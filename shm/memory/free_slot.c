/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * free_slot.c: the list of free slots, under slots_lock. See free_slot.h.
 */
#include <errno.h>

#include "base/atomic.h"
#include "memory/free_slot.h"
#include "sync/lock.h"

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
	/* relaxed: slot_guess() may still read it, and checks again under the lock */
	store_relaxed(&slot->next, h->slots_free);
	note(&h->slots_free, block->slot);
	note(&block->slot, 0);
	lock_drop(actor, &h->slots_lock, LOCK_SLOTS);
	return true;
}

void block_give_hand_slot(struct actor *actor)
{
	struct arena_header *h = actor->arena->header;
	struct intent *intent = &actor->record->intent;
	struct slot *slot = arena_slot(actor->arena, intent->hand_slot);

	if (slot == NULL || !lock_try(actor, &h->slots_lock, LOCK_SLOTS))
		return;
	/* relaxed: slot_guess() may still read it, and checks again under the lock */
	store_relaxed(&slot->next, h->slots_free);
	note(&h->slots_free, intent->hand_slot);
	note(&intent->hand_slot, 0);
	lock_drop(actor, &h->slots_lock, LOCK_SLOTS);
}

int block_take_slot(struct actor *actor)
{
	struct arena_header *h = actor->arena->header;
	struct intent *intent = &actor->record->intent;
	int r = 0;

	/* else there is none in hand, or it is damaged and is overwritten */
	if (arena_slot(actor->arena, intent->hand_slot) != NULL)
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
