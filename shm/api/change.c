/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.c: how a cart is changed, with the layers below. The public calls are in change_calls.c.
 *
 * A change takes these steps: find the slot, if need be in a read-side critical section; leave the
 * section; make the new version, take the slot's lock and publish the version (a slot stays a slot
 * for ever, so waiting for its lock needs no section); drop the lock; retire the former version. A
 * cart that does not exist is made under its bucket's lock instead. A cart whose time is up is
 * replaced in its slot by a new one, which continues its versions.
 *
 * While a lock is held nothing is allocated from the heap, nothing is logged, and no callback is
 * called; items are packed before.
 */
#include <errno.h>

#include "api/attempt.h"
#include "api/change.h"
#include "api/content.h"
#include "api/durable.h"
#include "api/handle.h"
#include "api/make_room.h"
#include "api/remote.h"
#include "api/timing.h"
#include "arena/stat.h"
#include "cart/cart.h"
#include "memory/allocate.h"
#include "memory/block.h"
#include "memory/free_slot.h"
#include "memory/retire.h"
#include "store/feed.h"
#include "store/slot.h"
#include "sync/grace.h"
#include "sync/lock.h"

#define TRIES_MAX 10000u      /* each retry means that another process got on */
#define TRIES_LATE 16u        /* so many take less time than a wait, and a late call has them too */
#define LOOK_NS 1000000000ull /* between two checks of one thread that the arena is still there */
#define STOCK_MAX                                                                                  \
	65536u /* a larger block is not stocked: copying the cart takes longer than what is saved  \
		*/

/* The caller holds the bucket's lock: make the cart, unless another process has made it. */
static int insert_locked(struct attempt *attempt, struct bucket *bucket)
{
	struct found found = { 0 };

	grace_enter(attempt->actor);
	int r = slot_find(attempt->actor->arena, attempt->change->hash, attempt->key, &found);
	r = grace_leave_with(attempt->actor, r);
	if (r == 0)
		return -EAGAIN;
	if (r != -ENOENT)
		return r;
	uint64_t floor = min_u64(bucket->version_floor, VERSION_MAX);
	attempt->change->first_version = max_u64(floor, attempt->change->version_floor) + 1;
	r = attempt_plan(attempt, NULL, 0);
	if (r == 0)
		r = attempt_build(attempt, NULL, true);
	if (r != 0)
		return r;
	r = block_take_slot(attempt->actor);
	if (r == 0)
		content_hold(attempt, NULL);
	if (r == 0)
		r = slot_insert(attempt->actor, bucket, attempt->change->hash, attempt->plan.size,
				attempt_ttl_ms(attempt), attempt->now_ns);
	if (r < 0)
		block_free_hand(attempt->actor);
	return r;
}

static int change_absent(struct attempt *attempt)
{
	struct bucket *bucket = slot_bucket(attempt->actor->arena, attempt->change->hash);

	if (!attempt_makes_cart(attempt->change))
		return -ENOENT;
	if (!cart_text_valid(attempt->key->restaurant_id) ||
	    !cart_text_valid(attempt->key->session_id))
		return -EILSEQ;
	slot_want(attempt->actor, bucket, NULL);
	if (lock_take(attempt->actor, &bucket->lock, LOCK_BUCKET) < 0)
		return -EBUSY;
	attempt_look_at_clock(attempt);
	int r = insert_locked(attempt, bucket);
	lock_drop(attempt->actor, &bucket->lock, LOCK_BUCKET);
	if (r == 0) {
		stat_add(attempt->actor->record, created, 1);
		slot_wake(attempt->actor->arena, NULL);
	}
	feed_wake(attempt->actor->arena);
	content_deliver(attempt, r);
	return r;
}

static int drop_locked(struct attempt *attempt, struct bucket *bucket, struct slot *slot)
{
	struct arena *arena = attempt->actor->arena;
	struct found found = { 0 };
	int64_t deadline;
	int r = slot_recheck(arena, slot, attempt->change->hash, attempt->key, &found);

	if (r == -ENOENT)
		return -EAGAIN;
	if (r == 0)
		r = slot_judge(arena, &found, attempt_clock_ns(attempt), attempt->actor->fenced,
			       &deadline);
	if (r == 0)
		r = attempt_plan(attempt, found.cart, found.room);
	if (r >= 0)
		content_hold(attempt, found.cart);
	if (r == 0) {
		slot_prepare_end(attempt->actor, found.cart, found.room, CORRAL_EVENT_DROPPED,
				 attempt_op_id(attempt));
		r = slot_end(attempt->actor, bucket, slot, found.lease, &attempt->wake);
	}
	return r;
}

/*
 * Dropping needs two locks. The bucket's is not kept while we wait for the slot's: a stopped holder
 * of one cart must not hold up the others of its bucket.
 */
static int drop_existing(struct attempt *attempt, struct slot *slot)
{
	struct actor *actor = attempt->actor;
	struct bucket *bucket = slot_bucket(actor->arena, attempt->change->hash);
	int r = -EAGAIN;

	slot_want(actor, bucket, slot);
	if (lock_take(actor, &bucket->lock, LOCK_BUCKET) < 0)
		return -EBUSY;
	bool both = lock_try(actor, &slot->lock, LOCK_SLOT);
	if (both) {
		attempt_look_at_clock(attempt);
		r = drop_locked(attempt, bucket, slot);
		lock_drop(actor, &slot->lock, LOCK_SLOT);
	}
	lock_drop(actor, &bucket->lock, LOCK_BUCKET);
	if (!both) { /* wait until the slot's lock is free, and try again */
		if (lock_take(actor, &slot->lock, LOCK_SLOT) < 0)
			return -EBUSY;
		lock_drop(actor, &slot->lock, LOCK_SLOT);
	}
	if (attempt->wake)
		slot_wake(actor->arena, slot);
	feed_wake(actor->arena);
	content_deliver(attempt, r);
	if (actor->record->intent.old != 0)
		block_retire_old(actor);
	return r;
}

/*
 * Stock a block for the new version, which will be about as large as the old one, or larger by what
 * is added.
 */
static void stock(struct attempt *attempt, uint32_t old_size)
{
	const uint32_t header = sizeof(struct block_header);
	const uint32_t more = attempt->adds_bytes;

	if (old_size + more + header > STOCK_MAX || cart_kind(attempt->change) == CART_DROP)
		return;
	block_stock(attempt->actor, old_size + header);
	if (more > 0)
		block_stock(attempt->actor, old_size + more + header);
}

static int change_in(struct attempt *attempt, struct slot *slot)
{
	stock(attempt, load_relaxed(&slot->size)); /* relaxed: a hint */
	return cart_kind(attempt->change) == CART_DROP ? drop_existing(attempt, slot) :
							 attempt_existing(attempt, slot);
}

/*
 * Try the change once. A guess of the slot needs no section and is nearly always right; further
 * tries search for it.
 */
static int change_once(struct attempt *attempt, bool guess)
{
	struct arena *arena = attempt->actor->arena;
	const struct chain *chain = slot_chain(arena, attempt->change->hash);
	struct found found = { 0 };
	struct slot *slot;

	slot_prefetch_whole(arena, chain);
	/*
	 * Inside a view of this thread the section tells whether the view was revoked: then this
	 * call fails, too.
	 */
	guess = guess && attempt->actor->record->nest == 0;
	if (guess && slot_guess(arena, chain, attempt->change->hash, &slot))
		return change_in(attempt, slot);
	grace_enter(attempt->actor);
	int r = slot_find(arena, attempt->change->hash, attempt->key, &found);
	r = grace_leave_with(attempt->actor, r);
	if (r == -ENOENT)
		return change_absent(attempt);
	return r < 0 ? r : change_in(attempt, found.slot);
}

/* Has the call's deadline passed, if it has one? A change that has not waited yet has none. */
static bool is_late(const struct actor *actor)
{
	return unlikely(actor->give_up_ns != 0) && clock_now_ns() >= actor->give_up_ns;
}

static int change_until_done(struct attempt *attempt)
{
	uint32_t rounds = 0;
	int r = -EBUSY;

	for (uint32_t tries = 0; tries < TRIES_MAX; tries++) {
		r = change_once(attempt, tries == 0);
		if (r == -ENOMEM || r == -ENFILE || r == -ENOSPC) {
			/* the first round does not wait */
			if ((rounds > 0 && is_late(attempt->actor)) ||
			    !make_room(attempt->actor, rounds++))
				return r;
			feed_get_ready(attempt->actor); /* carts may have ended, in our lane */
		} else if (r != -EAGAIN || (tries >= TRIES_LATE && is_late(attempt->actor))) {
			break;
		}
	}
	return r == -EAGAIN ? -EBUSY : r;
}

static void count(const struct attempt *attempt, int r)
{
	struct actor *actor = attempt->actor;

	if (likely(r == 0)) {
		stat_add(actor->record, changes, 1);
		if (unlikely(attempt->checks_out))
			stat_add(actor->record, checked_out, 1);
		if (cart_kind(attempt->change) == CART_DROP)
			stat_add(actor->record, dropped, 1);
		return;
	}
	if (r == 1)
		stat_add(actor->record, repeats, 1);
	if (r == -ENOMEM || r == -ENFILE || r == -ENOSPC)
		stat_add(actor->record, refused_full, 1);
	if (r == -EBUSY)
		stat_add(actor->record, refused_busy, 1);
}

/*
 * Once a second, when a change is done: if the arena's file is not there any more, the change is
 * lost with it, so the arena is withdrawn.
 */
static void look_after_arena(struct attempt *attempt)
{
	struct arena *arena = attempt->actor->arena;
	struct attachment *self = handle_cache.attachment;
	int64_t now_ns = attempt->now_ns != 0 ? ns_add(attempt->now_ns, attempt->idle_ns) :
						arena_now_ns(arena); /* 0: no lock */

	if (likely((uint64_t)ns_since(now_ns, self->looked_ns) < LOOK_NS))
		return;
	self->looked_ns = now_ns;
	int r = arena_still_there(arena, NULL);
	if (r == -EBADF ||
	    !descriptor_is(attempt->corral->share->life.fd, &attempt->corral->share->life.id))
		store_relaxed(&attempt->corral->share->lost,
			      1u); /* this change stands; the next call is refused */
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

static bool step_makes_room(const struct cart_step *step)
{
	return step->kind == CART_REMOVE || step->kind == CART_CLEAR ||
	       (step->kind == CART_SET_QUANTITY && step->quantity == 0);
}

/* Note what the steps together are like. */
static void look_at_steps(struct attempt *attempt)
{
	const struct cart_step *steps = cart_steps(attempt->change);
	const uint32_t count = cart_step_count(attempt->change);
	uint32_t less = 0;

	attempt->adds_bytes = 0;
	attempt->checks_out = false;
	for (uint32_t i = 0; i < count; i++) {
		if (steps[i].kind == CART_ADD)
			attempt->adds_bytes +=
				steps[i].words.size + (uint32_t)sizeof(struct cart_line);
		attempt->checks_out |= steps[i].kind == CART_CHECKOUT;
		less += step_makes_room(&steps[i]);
	}
	attempt->actor->makes_room = less == count || attempt->checks_out;
}

/* Make the change, which is complete except for the key, and this arena's seed and settings. */
static int change_now(struct attempt *attempt)
{
	struct cart_change *change = attempt->change;

	change->key = *attempt->key;
	change->hash = slot_hash(&attempt->corral->arena, attempt->key);
	change->seed = attempt->corral->arena.hash_seed;
	change->usual_ttl_ms = load_relaxed(&attempt->corral->arena.header->ttl_ns) / 1000000;
	change->version_floor = arena_version_floor(&attempt->corral->arena);
	/* relaxed: any recent value will do */
	change->currency = load_relaxed(&attempt->corral->arena.header->currency);
	attempt->actor->give_up_ns = attempt->give_up_ns;
	attempt->actor->in_change = true;
	look_at_steps(attempt);
	fence_compiler(); /* for signal handlers of this thread */
	feed_get_ready(attempt->actor);
	int r = change_until_done(attempt);
	if (unlikely(feed_has_copies(attempt->actor->record)))
		feed_copies_free(attempt->actor);
	count(attempt, r);
	look_after_arena(attempt);
	fence_compiler();
	attempt->actor->in_change = false;
	attempt->actor->give_up_ns = 0;
	return handle_verdict(attempt->corral, r);
}

/* Wait until the change is on disk. The change stands, also if this fails. */
static void wait_for_disk(struct attempt *attempt)
{
	int r = durable_wait(attempt->corral, attempt->actor, attempt->give_up_ns);

	attempt->plan.result.durable = r == 0;
	attempt->plan.result.sync_error = r;
}

/* *ret_give_up_ns: the deadline of the whole call, if it has one of its own. */
static int take_options(const struct corral_op *op, int64_t *ret_give_up_ns)
{
	if (likely(op->flags == 0))
		return 0;
	if ((op->flags & ~(CORRAL_OP_PATIENCE | CORRAL_OP_NO_DISK)) != 0)
		return -EINVAL;
	if ((op->flags & CORRAL_OP_PATIENCE) == 0)
		return 0;
	if (op->patience_ms > PATIENCE_MAX_MS)
		return -ERANGE;
	*ret_give_up_ns = clock_now_ns() + op->patience_ms * 1000000ll;
	return 0;
}

/* The same as change_cart() of a cart that is not in an arena. */
static int change_remote(struct corral *corral, const struct corral_key *key,
			 struct cart_change *change, const struct corral_op *op,
			 struct corral_result *ret_result, uint32_t *ret_step)
{
	int64_t give_up_ns = 0;
	int r = 0;

	if (op != NULL) {
		change->if_version = op->if_version;
		r = take_options(op, &give_up_ns);
		if (r == 0)
			r = cart_hash_op(op->id, corral->arena.hash_seed, change);
	}
	return r < 0 ? r : remote_change(corral, key, change, op, give_up_ns, ret_result, ret_step);
}

int change_cart(struct corral *corral, const struct corral_key *key, struct cart_change *change,
		const struct corral_op *op, struct corral_result *ret_result, uint32_t *ret_step)
{
	struct attempt
		attempt; /* but for the plan, which takes a while to clear, and is made later */

	attempt.corral = corral;
	attempt.key = key;
	attempt.change = change;
	attempt.now_ns = 0;
	attempt.idle_ns = 0;
	attempt.refused = 0;
	attempt.refused_step = 0;
	attempt.op = op;
	attempt.content_wanted = op != NULL && (op->now != NULL || op->before != NULL);
	attempt.held = false;
	attempt.delivered = false;
	attempt.give_up_ns = 0;
	attempt.wake = false;
	int r = prepare(corral, key, &attempt.actor);

	if (r < 0)
		return r == -EREMOTE ?
			       change_remote(corral, key, change, op, ret_result, ret_step) :
			       r;
	if (op != NULL) {
		change->if_version = op->if_version;
		r = take_options(op, &attempt.give_up_ns);
		if (r == 0)
			r = cart_hash_op(op->id, corral->arena.hash_seed, change);
		if (r < 0)
			return r;
	}
	const int64_t begun_ns = timing_begin(attempt.actor);
	r = change_now(&attempt);
	if (ret_step != NULL)
		*ret_step = r < 0 && r == attempt.refused ? attempt.refused_step : 0;
	if (r < 0) {
		content_withdraw(&attempt);
		return r;
	}
	/* also for a repeat: the first change may not be on disk yet */
	if (durable_wanted(corral) && (op == NULL || (op->flags & CORRAL_OP_NO_DISK) == 0))
		wait_for_disk(&attempt);
	timing_end(attempt.actor, begun_ns);
	if (ret_result != NULL)
		result_copy(ret_result, &attempt.plan.result);
	return 0;
}

int change_put_numbered(struct corral *corral, uint32_t slot, const void *version, size_t size,
			uint64_t idle_ns)
{
	struct actor *actor;
	int r = handle_actor(corral, &actor);

	if (r < 0)
		return r;
	if (slot >= corral->arena.max_carts)
		return -ENFILE;
	note(&actor->record->intent.hand_slot, slot + 1);
	r = change_put(corral, version, size, idle_ns);
	note(&actor->record->intent.hand_slot,
	     0); /* slot_end_numbered() frees slots that were not used */
	return r;
}

int change_put(struct corral *corral, const void *version, size_t size, uint64_t idle_ns)
{
	int r = cart_validate(version, size);

	return r != 0 ? r : change_put_validated(corral, version, size, idle_ns);
}

int change_put_validated(struct corral *corral, const void *version, size_t size, uint64_t idle_ns)
{
	struct cart_change put = { .one = { .kind = CART_PUT }, .version = version };
	struct corral_key key;
	struct attempt attempt = {
		.corral = corral, .key = &key, .change = &put, .idle_ns = idle_ns
	};

	int r = cart_get_key(version, size, &key);
	if (r == 0)
		r = prepare(corral, &key, &attempt.actor);
	if (r != 0)
		return r == -EREMOTE ? remote_put(corral, &key, &put, idle_ns) : r;
	assert(attempt.actor != NULL);
	return change_now(&attempt);
}
