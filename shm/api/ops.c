/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ops.c: how a cart is changed: glue of the rooms below. The public calls are in calls.c.
 *
 * The way of a change: find the slot, if need be in a read-side critical section; leave it; make
 * the new version, take the slot's lock and publish it (a slot stays a slot for ever, so waiting
 * for its lock needs no section); drop the lock; retire the former version: change.c. A cart that
 * is not there is made under its bucket's lock instead. One whose time is up is replaced in its
 * slot by a new one whose versions go on.
 *
 * Nothing is allocated from the heap, logged or called back while a lock is held; items are packed
 * before.
 */
#include <errno.h>

#include "api/change.h"
#include "api/handle.h"
#include "api/ops.h"
#include "api/room.h"
#include "api/sync.h"
#include "arena/stat.h"
#include "cart/cart.h"
#include "memory/allocate.h"
#include "memory/block.h"
#include "memory/free_slot.h"
#include "memory/retire.h"
#include "store/slot.h"
#include "sync/grace.h"
#include "sync/lock.h"

#define TRIES_MAX 10000u      /* each retry means that somebody else got on */
#define LOOK_NS 1000000000ull /* a thread looks no more often whether the arena is still there */
#define STOCK_MAX                                                                                  \
	65536u /* a block that is larger is not kept in stock: copying takes longer than what is   \
		  saved */

/* The bucket's lock is ours: make the cart, unless another did. */
static int insert_locked(struct work *work, struct bucket *bucket)
{
	struct found found = { 0 };

	grace_enter(work->actor);
	int r = slot_find(work->actor->arena, work->change->hash, work->key, &found);
	r = grace_leave_with(work->actor, r);
	if (r == 0)
		return -EAGAIN;
	if (r != -ENOENT)
		return r;
	uint64_t floor = min_u64(bucket->version_floor, VERSION_MAX);
	work->change->first_version = max_u64(floor, work->change->version_floor) + 1;
	r = change_plan(work, NULL, 0);
	if (r == 0)
		r = change_build(work, NULL, true);
	if (r != 0)
		return r;
	r = block_take_slot(work->actor);
	if (r == 0)
		r = slot_insert(work->actor, bucket, work->change->hash, work->plan.size,
				change_ttl_ms(work), work->now_ns);
	if (r < 0)
		block_free_hand(work->actor);
	return r;
}

static int change_absent(struct work *work)
{
	struct bucket *bucket = slot_bucket(work->actor->arena, work->change->hash);

	if (!change_makes_cart(work->change))
		return -ENOENT;
	if (!cart_text_valid(work->key->restaurant_id) || !cart_text_valid(work->key->session_id))
		return -EILSEQ;
	slot_want(work->actor, bucket, NULL);
	if (lock_take(work->actor, &bucket->lock, LOCK_BUCKET) < 0)
		return -EBUSY;
	change_look_at_clock(work);
	int r = insert_locked(work, bucket);
	lock_drop(work->actor, &bucket->lock, LOCK_BUCKET);
	if (r == 0) {
		stat_add(work->actor->record, created, 1);
		slot_wake(work->actor->arena, NULL);
	}
	return r;
}

static int drop_locked(struct work *work, struct bucket *bucket, struct slot *slot)
{
	struct arena *arena = work->actor->arena;
	struct found found = { 0 };
	int64_t deadline;
	int r = slot_recheck(arena, slot, work->change->hash, work->key, &found);

	if (r == -ENOENT)
		return -EAGAIN;
	if (r == 0)
		r = slot_judge(arena, &found, change_clock_ns(work), work->actor->fenced,
			       &deadline);
	if (r == 0)
		r = change_plan(work, found.cart, found.room);
	if (r == 0)
		r = slot_end(work->actor, bucket, slot, found.lease, &work->wake);
	return r;
}

/*
 * Dropping needs two locks. The bucket's is not kept while we wait for the slot's: a stopped holder
 * of one cart must not hold up the others of its bucket.
 */
static int drop_existing(struct work *work, struct slot *slot)
{
	struct actor *actor = work->actor;
	struct bucket *bucket = slot_bucket(actor->arena, work->change->hash);
	int r = -EAGAIN;

	slot_want(actor, bucket, slot);
	if (lock_take(actor, &bucket->lock, LOCK_BUCKET) < 0)
		return -EBUSY;
	bool both = lock_try(actor, &slot->lock, LOCK_SLOT);
	if (both) {
		change_look_at_clock(work);
		r = drop_locked(work, bucket, slot);
		lock_drop(actor, &slot->lock, LOCK_SLOT);
	}
	lock_drop(actor, &bucket->lock, LOCK_BUCKET);
	if (!both) { /* wait until it is free, and try again */
		if (lock_take(actor, &slot->lock, LOCK_SLOT) < 0)
			return -EBUSY;
		lock_drop(actor, &slot->lock, LOCK_SLOT);
	}
	if (work->wake)
		slot_wake(actor->arena, slot);
	if (actor->record->intent.old != 0)
		block_retire_old(actor);
	return r;
}

/* The new version will be about as large as the old one, or larger by what is added. */
static void stock(struct work *work, uint32_t old_size)
{
	const uint32_t header = sizeof(struct block_header);
	uint32_t more = work->change->kind == CART_ADD ?
				work->change->words.size + sizeof(struct cart_line) :
				0;

	if (old_size + more + header > STOCK_MAX || work->change->kind == CART_DROP)
		return;
	block_stock(work->actor, old_size + header);
	if (more > 0)
		block_stock(work->actor, old_size + more + header);
}

static int change_in(struct work *work, struct slot *slot)
{
	stock(work, load_relaxed(&slot->size)); /* relaxed: a hint */
	return work->change->kind == CART_DROP ? drop_existing(work, slot) :
						 change_existing(work, slot);
}

/* A guess is right but in rare cases, and needs no section; each further try makes sure. */
static int change_once(struct work *work, bool guess)
{
	struct arena *arena = work->actor->arena;
	struct found found = { 0 };

	slot_prefetch_whole(arena, work->change->hash);
	/*
	 * inside a view of one's own the section tells whether that is void: then this call is, too
	 */
	guess = guess && work->actor->record->nest == 0;
	struct slot *slot = guess ? slot_guess(arena, work->change->hash) : NULL;
	if (slot != NULL)
		return change_in(work, slot);
	grace_enter(work->actor);
	int r = slot_find(arena, work->change->hash, work->key, &found);
	r = grace_leave_with(work->actor, r);
	if (r == -ENOENT)
		return change_absent(work);
	return r < 0 ? r : change_in(work, found.slot);
}

static int change_until_done(struct work *work)
{
	uint32_t rounds = 0;
	int r = -EBUSY;

	for (uint32_t tries = 0; tries < TRIES_MAX; tries++) {
		r = change_once(work, tries == 0);
		if (r == -ENOMEM || r == -ENFILE || r == -ENOSPC) {
			if (!room_make(work->actor, rounds++))
				return r;
		} else if (r != -EAGAIN) {
			return r;
		}
	}
	return r == -EAGAIN ? -EBUSY : r;
}

static void count(struct actor *actor, const struct cart_change *change, int r)
{
	if (r == 0)
		stat_add(actor->record, changes, 1);
	if (r == 0 && change->kind == CART_CHECKOUT)
		stat_add(actor->record, checked_out, 1);
	if (r == 0 && change->kind == CART_DROP)
		stat_add(actor->record, dropped, 1);
	if (r == 1)
		stat_add(actor->record, repeats, 1);
	if (r == -ENOMEM || r == -ENFILE || r == -ENOSPC)
		stat_add(actor->record, refused_full, 1);
	if (r == -EBUSY)
		stat_add(actor->record, refused_busy, 1);
}

/*
 * Now and then, when a change is done: if the arena's file is not there any more, the change is
 * lost with it, and nobody shall go on.
 */
static void look_after_arena(struct work *work)
{
	struct arena *arena = work->actor->arena;
	struct attachment *self = handle_cache.attachment;
	int64_t now_ns = work->now_ns != 0 ? ns_add(work->now_ns, work->idle_ns) :
					     arena_now_ns(arena); /* 0: no lock */

	if (likely((uint64_t)ns_since(now_ns, self->looked_ns) < LOOK_NS))
		return;
	self->looked_ns = now_ns;
	int r = arena_still_there(arena, NULL);
	if (r == -EBADF ||
	    !descriptor_is(work->corral->share->life.fd, &work->corral->share->life.id))
		store_relaxed(&work->corral->share->lost,
			      1u); /* this change stands; it is the last one */
	else if (r < 0)
		arena_withdraw(arena);
}

static int prepare(struct corral *corral, const struct corral_key *key, struct actor **ret_actor)
{
	if ((corral->flags & CORRAL_READ_ONLY) != 0)
		return -EROFS;
	int r = handle_check_key(key);
	if (r == 0)
		r = handle_actor(corral, ret_actor);
	if (r == 0 && (*ret_actor)->in_change)
		r = -EDEADLK; /* from a signal handler, in the middle of another change */
	return r;
}

/* Does it close the order, or leave less of it? */
static bool makes_room(const struct cart_change *change)
{
	return change->kind == CART_CHECKOUT || change->kind == CART_REMOVE ||
	       change->kind == CART_CLEAR ||
	       (change->kind == CART_SET_QUANTITY && change->quantity == 0);
}

/* All but the operation id is in place. */
static int change_now(struct work *work)
{
	struct cart_change *change = work->change;

	change->key = *work->key;
	change->hash = slot_hash(&work->corral->arena, work->key);
	change->seed = work->corral->arena.hash_seed;
	change->usual_ttl_ms = load_relaxed(&work->corral->arena.header->ttl_ns) / 1000000;
	change->version_floor = arena_version_floor(&work->corral->arena);
	work->actor->in_change = true;
	work->actor->makes_room = makes_room(change);
	fence_compiler(); /* for signal handlers of this thread */
	int r = change_until_done(work);
	count(work->actor, change, r);
	look_after_arena(work);
	fence_compiler();
	work->actor->in_change = false;
	return handle_verdict(work->corral, r);
}

/* The change stands, whatever comes of this. */
static void wait_for_disk(struct work *work)
{
	int r = sync_change(work->corral, work->actor);

	work->plan.result.durable = r == 0;
	work->plan.result.sync_error = r;
}

int ops_change(struct corral *corral, const struct corral_key *key, struct cart_change *change,
	       const struct corral_op *op, struct corral_result *ret_result)
{
	struct work work; /* but for the plan, which takes a while to clear, and is made later */

	work.corral = corral;
	work.key = key;
	work.change = change;
	work.now_ns = 0;
	work.idle_ns = 0;
	work.wake = false;
	int r = prepare(corral, key, &work.actor);

	if (r < 0)
		return r;
	if (op != NULL) {
		change->if_version = op->if_version;
		r = cart_hash_op(op->id, corral->arena.hash_seed, change);
		if (r < 0)
			return r;
	}
	r = change_now(&work);
	if (r < 0)
		return r;
	if (sync_wanted(corral)) /* also for a repeat: what it repeats may not be on disk yet */
		wait_for_disk(&work);
	if (ret_result != NULL)
		*ret_result = work.plan.result;
	return 0;
}

int ops_put_numbered(struct corral *corral, uint32_t slot, const void *version, size_t size,
		     uint64_t idle_ns)
{
	struct actor *actor;
	int r = handle_actor(corral, &actor);

	if (r < 0)
		return r;
	if (slot >= corral->arena.max_carts)
		return -ENFILE;
	note(&actor->record->intent.hand_slot, slot + 1);
	r = ops_put(corral, version, size, idle_ns);
	note(&actor->record->intent.hand_slot,
	     0); /* slot_end_numbered() finds those that nobody has used */
	return r;
}

int ops_put(struct corral *corral, const void *version, size_t size, uint64_t idle_ns)
{
	struct cart_change put = { .kind = CART_PUT, .version = version };
	struct corral_key key;
	struct work work = { .corral = corral, .key = &key, .change = &put, .idle_ns = idle_ns };

	int r = cart_validate(version, size);
	if (r == 0)
		r = cart_get_key(version, size, &key);
	if (r == 0)
		r = prepare(corral, &key, &work.actor);
	if (r != 0)
		return r;
	assert(work.actor != NULL);
	return change_now(&work);
}
