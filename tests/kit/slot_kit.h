/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slot_kit.h: make, change and end carts through the memory and store layers only, as change.c
 * does. A cart has the attributes "0" to "9"; each value is one byte repeated, so a reader notices
 * a mixture of two versions.
 */
#ifndef SLOT_KIT_H
#define SLOT_KIT_H

#include "support.h"

#include "base/atomic.h"
#include "cart/cart.h"
#include "memory/allocate.h"
#include "memory/block.h"
#include "memory/free_slot.h"
#include "memory/retire.h"
#include "store/repair.h"
#include "store/slot.h"
#include "sync/grace.h"
#include "sync/lock.h"

struct kit_key {
	struct corral_key key;
	uint64_t hash;
	char session[16];
};

/* Keys whose carts share a chain: the `number`-th key of this bucket. */
static inline void kit_key_in(const struct arena *arena, uint32_t bucket, uint32_t number,
			      struct kit_key *ret_key)
{
	for (uint32_t i = 0;; i++) {
		int n = snprintf(ret_key->session, sizeof(ret_key->session), "s%u", i);
		ret_key->key =
			(struct corral_key){ { "burger", 6 }, { ret_key->session, (size_t)n } };
		ret_key->hash = slot_hash(arena, &ret_key->key);
		if ((ret_key->hash & arena->bucket_mask) == bucket && number-- == 0)
			return;
	}
}

/*
 * Build the version that follows `old` (NULL: a new cart's first) with one attribute set. It is in
 * hand afterwards.
 */
static inline int kit_build(struct actor *actor, const struct kit_key *key, const struct found *old,
			    uint64_t first_version, uint32_t dice, uint64_t *ret_version)
{
	static const char names[] = "0123456789", bytes[] = "abcdefghijklmnopqrstuvwxyz";
	char value[CORRAL_ATTRIBUTE_VALUE_MAX];
	struct cart_plan plan;
	uint32_t size = dice % 8 != 0 ? dice / 8 % 300 : dice / 8 % sizeof(value);

	memset(value, bytes[dice / 64 % 26], size);
	struct cart_change change = { .one = { .kind = CART_SET_ATTRIBUTE,
					       .name = { &names[dice / 8 % 10], 1 },
					       .value = { value, size } },
				      .key = key->key,
				      .hash = key->hash,
				      .seed = actor->arena->header->hash_seed,
				      .now_ms = arena_wall_ms(),
				      .first_version = first_version };
	int r = cart_plan(old != NULL ? old->cart : NULL, old != NULL ? old->room : 0, &change,
			  &plan);
	if (r == 0)
		r = block_alloc(actor, plan.size + (uint32_t)sizeof(struct block_header));
	if (r != 0)
		return r;
	cart_build(old != NULL ? old->cart : NULL, &change, &plan,
		   arena_block(actor->arena, actor->record->intent.hand) + 1);
	*ret_version = plan.result.version;
	return 0;
}

static inline int kit_find(struct actor *actor, const struct kit_key *key, struct found *ret_found)
{
	grace_enter(actor);
	int r = slot_find(actor->arena, key->hash, &key->key, ret_found);
	grace_leave(actor);
	return r;
}

static inline int kit_insert_locked(struct actor *actor, struct bucket *bucket,
				    const struct kit_key *key, uint32_t dice, uint64_t *ret_version)
{
	struct found found;
	int r = kit_find(actor, key, &found);

	if (r != -ENOENT)
		return r == 0 ? -EEXIST : r;
	r = kit_build(actor, key, NULL, bucket->version_floor + 1, dice, ret_version);
	if (r != 0)
		return r;
	r = block_take_slot(actor);
	if (r == 0)
		r = slot_insert(actor, bucket, key->hash, 0, 0, arena_now_ns(actor->arena));
	if (r < 0)
		block_free_hand(actor);
	return r;
}

/* Make the cart. Fails with -EEXIST, -ENOMEM, -ENFILE or -EBUSY. */
static inline int kit_make(struct actor *actor, const struct kit_key *key, uint32_t dice,
			   uint64_t *ret_version)
{
	struct bucket *bucket = slot_bucket(actor->arena, key->hash);

	slot_want(actor, bucket, NULL);
	if (lock_take(actor, &bucket->lock, LOCK_BUCKET) < 0)
		return -EBUSY;
	int r = kit_insert_locked(actor, bucket, key, dice, ret_version);
	lock_drop(actor, &bucket->lock, LOCK_BUCKET);
	return r;
}

/* Publish the version in hand, as one with this time to live. */
static inline void kit_publish(struct actor *actor, struct slot *slot, uint64_t ttl_ms)
{
	struct cart_head head;

	memcpy(&head, arena_block(actor->arena, actor->record->intent.hand) + 1, sizeof(head));
	head.ttl_ms = ttl_ms;
	(void)slot_publish(actor, slot, &head, true);
}

/* Change the cart. Fails with -ENOENT, with -EAGAIN when it ended just now, ... */
static inline int kit_change(struct actor *actor, const struct kit_key *key, uint32_t dice,
			     uint64_t *ret_version)
{
	struct found found;
	int r = kit_find(actor, key, &found);

	if (r != 0)
		return r;
	slot_want(actor, NULL, found.slot);
	if (lock_take(actor, &found.slot->lock, LOCK_SLOT) < 0)
		return -EBUSY;
	struct slot *slot = found.slot;
	r = slot_recheck(actor->arena, slot, key->hash, &key->key, &found);
	if (r == -ENOENT)
		r = -EAGAIN;
	if (r == 0)
		r = kit_build(actor, key, &found, 0, dice, ret_version);
	if (r == 0)
		r = slot_renew(actor->arena, slot, arena_now_ns(actor->arena), 0, actor->fenced);
	if (r == 0)
		kit_publish(actor, slot, 0);
	else if (actor->record->intent.hand != 0)
		block_free_hand(actor);
	lock_drop(actor, &slot->lock, LOCK_SLOT);
	if (actor->record->intent.old != 0)
		block_retire_old(actor);
	return r;
}

/* End the cart. Fails with -ENOENT, or with -EAGAIN while another actor holds its lock. */
static inline int kit_end(struct actor *actor, const struct kit_key *key)
{
	struct bucket *bucket = slot_bucket(actor->arena, key->hash);
	struct found found;
	bool wake;
	int r = kit_find(actor, key, &found);

	if (r != 0)
		return r;
	struct slot *slot = found.slot;
	slot_want(actor, bucket, slot);
	if (lock_take(actor, &bucket->lock, LOCK_BUCKET) < 0)
		return -EBUSY;
	if (lock_try(actor, &slot->lock, LOCK_SLOT)) {
		r = slot_recheck(actor->arena, slot, key->hash, &key->key, &found);
		if (r == 0)
			r = slot_end(actor, bucket, slot, found.lease, &wake);
		lock_drop(actor, &slot->lock, LOCK_SLOT);
	} else {
		r = -EAGAIN;
	}
	lock_drop(actor, &bucket->lock, LOCK_BUCKET);
	if (actor->record->intent.old != 0)
		block_retire_old(actor);
	return r;
}

#endif
