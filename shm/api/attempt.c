/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attempt.c: see attempt.h. The new version is made before the slot's lock is taken, and
 * under it once more if the slot has changed meanwhile.
 */
#include <errno.h>

#include "api/attempt.h"
#include "api/content.h"
#include "arena/stat.h"
#include "memory/allocate.h"
#include "memory/block.h"
#include "memory/retire.h"
#include "store/feed.h"
#include "sync/lock.h"

#define STEP_BACK_ROUNDS 500 /* some 14 us: about twenty changes */
#define PUBLISHED_ROUNDS 200 /* some 5 us */
#ifdef __SANITIZE_THREAD__
#define BUILT_UNDER_LOCK true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BUILT_UNDER_LOCK true
#endif
#endif
#ifndef BUILT_UNDER_LOCK
#define BUILT_UNDER_LOCK false
#endif

bool attempt_makes_cart(const struct cart_change *change)
{
	switch (cart_kind(change)) {
	case CART_ADD:
	case CART_SET_TAX:
	case CART_SET_ATTRIBUTE:
	case CART_SET_TTL:
	case CART_SET_ADJUSTMENT:
	case CART_SET_PRICING:
	case CART_SET_CURRENCY:
		return change->if_version == 0;
	case CART_REPLACE: /* cart_plan() decides */
	case CART_PUT:
		return true;
	default:
		return false;
	}
}

void attempt_look_at_clock(struct attempt *attempt)
{
	int64_t now_ns = arena_now_ns(attempt->actor->arena);

	note(&attempt->actor->record->intent.since_ns, now_ns);
	attempt->now_ns = ns_since(now_ns, (int64_t)attempt->idle_ns);
}

int64_t attempt_clock_ns(const struct attempt *attempt)
{
	return ns_add(attempt->now_ns, attempt->idle_ns);
}

int attempt_plan(struct attempt *attempt, const struct cart_head *old, size_t room)
{
	attempt->change->now_ms = arena_wall_ms();
	int r = cart_plan(old, room, attempt->change, &attempt->plan);
	attempt->refused = r;
	attempt->refused_step = attempt->plan.step;
	return r;
}

static bool overlap(const void *a, uint32_t a_size, const void *b, uint32_t b_size)
{
	return (uintptr_t)a < (uintptr_t)b + b_size && (uintptr_t)b < (uintptr_t)a + a_size;
}

/* Free a version that was made and not published. */
static void drop_hand(struct actor *actor)
{
	if (unlikely(actor->record->intent.hand != 0))
		block_free_hand(actor);
}

/* ------------------------------------------------------------------ the event */

static int64_t amount_of(const struct cart_step *step)
{
	switch (step->kind) {
	case CART_ADD:
	case CART_SET_QUANTITY:
		return step->quantity;
	case CART_CHANGE_QUANTITY:
		return step->difference;
	case CART_SET_TAX:
	case CART_SET_LINE_TAX:
		return step->tax_ppm;
	case CART_SET_TTL:
		return (int64_t)min_u64(step->ttl_ms, INT64_MAX);
	case CART_SET_ADJUSTMENT:
		return step->tax_ppm != 0 ? step->tax_ppm : step->cents;
	case CART_SET_PRICING:
		return step->pricing;
	default:
		return 0;
	}
}

/* The version in hand is its cart's last one. */
static void keep_hand(struct actor *actor, uint32_t place, uint32_t size)
{
	size_t room = 0;
	const struct cart_head *version =
		slot_version(actor->arena, load_relaxed(&actor->record->intent.hand), &room);

	if (version != NULL && size <= room)
		feed_keep_version(actor, place, version, size);
}

void attempt_tell(struct attempt *attempt, uint32_t place)
{
	const struct cart_change *change = attempt->change;
	const struct cart_plan *plan = &attempt->plan;
	const struct cart_step *steps = cart_steps(change);

	if (!feed_wanted(attempt->actor, place))
		return;
	struct feed_entry *entry = feed_prepare(
		attempt->actor, place,
		&(struct feed_about){ .kind = attempt->checks_out ? CORRAL_EVENT_CHECKED_OUT :
								    CORRAL_EVENT_CHANGED,
				      .time_ms = change->now_ms,
				      .head = &plan->head,
				      .key = attempt->key,
				      .op_id = attempt_op_id(attempt),
				      .step_count = cart_step_count(change) });
	if (unlikely(entry == NULL))
		return;
	struct feed_step *told =
		(struct feed_step *)(void *)(entry->bytes + feed_texts_bytes(entry));
	const uint32_t count = feed_steps_told(entry);
	for (uint32_t i = 0; i < count; i++)
		told[i] = (struct feed_step){ .kind = steps[i].kind,
					      .line = change->steps != NULL ? change->lines[i] :
									      plan->result.line,
					      .amount = amount_of(&steps[i]) };
	feed_prepared(attempt->actor, place, entry);
	if (unlikely(attempt->checks_out))
		keep_hand(attempt->actor, place, plan->size);
}

/* ------------------------------------------------------------------ the version */

/* Take a block in hand and build the new version in it. Nothing else changes yet. */
int attempt_build(struct attempt *attempt, const struct cart_head *old, bool locked)
{
	uint32_t size = attempt->plan.size + (uint32_t)sizeof(struct block_header);
	struct intent *intent = &attempt->actor->record->intent;
	drop_hand(attempt->actor); /* made ahead in vain; mostly it comes back at once */
	int r = block_alloc(attempt->actor, size);

	if (r < 0)
		return r;
	/*
	 * The reference is read once and checked: damaged bytes may change between taking a block
	 * and writing into it.
	 */
	const struct arena *arena = attempt->actor->arena;
	block_ref hand = load_relaxed(&intent->hand);
	if (!arena_block_inside(arena, hand) ||
	    (uint64_t)(arena->space_end - hand) * BLOCK_UNIT < size)
		return -EUCLEAN;
	struct block_header *block = arena_block(arena, hand);
	if (old != NULL && overlap(block, size, old, attempt->plan.old.size)) {
		/*
		 * In a damaged arena a "free" block may be a live one: then it is left alone.
		 * Without the lock, `old` itself may have been freed meanwhile, and be this block.
		 */
		if (locked)
			note(&intent->hand, 0);
		return -EUCLEAN;
	}
	cart_build(old, attempt->change, &attempt->plan, block + 1);
	attempt_tell(attempt, 0);
	return 0;
}

uint64_t attempt_ttl_ms(const struct attempt *attempt)
{
	return attempt->plan.head.ttl_ms;
}

/* May the new version have another status? A plan for a version from elsewhere cannot tell. */
static bool status_differs(const struct attempt *attempt)
{
	const struct cart_plan *plan = &attempt->plan;

	return cart_kind(attempt->change) == CART_PUT || plan->head.status != plan->old.status;
}

/*
 * Publish the version in hand; the caller holds the lock. 0; -EAGAIN: the cart's time was up: look
 * again.
 */
static int publish(struct attempt *attempt, struct slot *slot)
{
	struct actor *actor = attempt->actor;
	uint64_t ttl_ms = attempt_ttl_ms(attempt);

	int r = slot_renew(actor->arena, slot, attempt->now_ns, ttl_ms, actor->fenced);
	if (r == 0) {
		content_hold(attempt, NULL);
		attempt->wake =
			slot_publish(actor, slot, &attempt->plan.head, status_differs(attempt));
	}
	return r;
}

/*
 * Change an existing cart, whose lock the caller holds. 0; 1: the change was made before; -errno.
 */
static int change_locked(struct attempt *attempt, const struct found *found)
{
	struct arena *arena = attempt->actor->arena;
	const struct cart_head *old = found->cart;
	size_t room = found->room;
	const bool fenced = attempt->actor->fenced;
	int64_t deadline;

	int r = slot_judge(arena, found, attempt_clock_ns(attempt), fenced, &deadline);
	if (r == -EAGAIN)
		return r; /* a reader renewed it just now */
	const bool over = r == -ENOENT;
	if (over && !attempt_makes_cart(attempt->change))
		return -ENOENT;
	if (over) { /* the next cart in the same slot */
		attempt->change->first_version =
			max_u64(old->version, attempt->change->version_floor) + 1;
		old = NULL;
		room = 0;
	}
	r = attempt_plan(attempt, old, room);
	if (r == 1) {
		/* a repeat counts as activity; if the touch fails, another has just renewed */
		(void)slot_touch(arena, found, attempt->now_ns, fenced);
		content_hold(attempt, found->cart);
	}
	if (r != 0)
		return r;
	r = attempt_build(attempt, old, true);
	if (r < 0)
		return r;
	if (over) {
		slot_prepare_end(attempt->actor, found->cart, found->room, CORRAL_EVENT_EXPIRED,
				 (struct corral_text){ 0 });
		attempt_tell(attempt, attempt->actor->events == 1 ? 1 : 0);
		content_hold(attempt, NULL);
		attempt->wake = slot_publish_anew(attempt->actor, found->slot, attempt->plan.size,
						  attempt_ttl_ms(attempt), attempt->now_ns);
		return 0;
	}
	return publish(attempt, found->slot);
}

/* The count in the slot's change word; its lowest bit says that a thread sleeps on it. */
static uint32_t changes_of(const struct slot *slot)
{
	return load_relaxed(&slot->change) & ~1u;
}

/* Is the slot unchanged since? Then the bytes that were read of its version were whole. */
static bool still(const struct slot *slot, uint32_t changes)
{
	fence_loads(); /* the version's bytes before the count. pairs [S6] */
	return changes_of(slot) == changes;
}

/* Wait a little for the lock: a slot's lock is mostly held only for as long as publishing takes. */
static bool becomes_free(const lock_word *lock)
{
	for (int round = 0; round < PUBLISHED_ROUNDS; round++) {
		if (load_relaxed(lock) == 0) /* relaxed: a hint */
			return true;
		spin_pause();
	}
	return false;
}

/*
 * Another thread changed the cart meanwhile, and will change it again. The cart's cache lines are
 * in its processor's cache, so it is cheaper to let it make its next changes than to take turns.
 */
static bool step_back(void)
{
	for (int round = 0; round < STEP_BACK_ROUNDS; round++)
		spin_pause();
	return false;
}

/*
 * Make the new version before the lock is taken, so that the lock is held for what publishing takes
 * and no longer: a thread that loses its processor mostly does so without the lock, and no other
 * has to wait for it. The former version is read without a read-side section (which would hold up
 * grace periods for just as long), so it may be retired, freed and overwritten meanwhile.
 * cart_plan() and cart_build() stay inside their bytes even if they read garbage, and their result
 * counts only if the slot has not changed since, as for a sequence lock's reader. True: the version
 * is in hand, and *ret_changes is the count of changes at which it was made. False: it has to be
 * made under the lock.
 */
static bool build_ahead(struct attempt *attempt, struct slot *slot, uint32_t *ret_changes)
{
	const struct arena *arena = attempt->actor->arena;
	struct found found = { 0 };

	if (BUILT_UNDER_LOCK || attempt->actor->record->nest != 0 || !becomes_free(&slot->lock))
		return false;
	*ret_changes = load_acquire(&slot->change) & ~1u; /* before the version. pairs [S6] */
	attempt_look_at_clock(attempt);
	if (slot_recheck(arena, slot, attempt->change->hash, attempt->key, &found) != 0 ||
	    !lease_runs(found.lease) ||
	    attempt_clock_ns(attempt) >= slot_deadline_ns(arena, found.lease) ||
	    attempt_plan(attempt, found.cart, found.room) != 0)
		return false;           /* a refusal has to be for what is there under the lock */
	if (!still(slot, *ret_changes)) /* else torn bytes may ask for a block of any size */
		return step_back();
	if (attempt_build(attempt, found.cart, false) != 0)
		return false;
	return still(slot, *ret_changes) || step_back();
}

/*
 * The caller holds the lock. Publish the version that was made ahead, if it was made from the
 * present one.
 */
static bool publish_ahead(struct attempt *attempt, struct slot *slot, uint32_t changes)
{
	/* the count includes ends of carts */
	return changes_of(slot) == changes && publish(attempt, slot) == 0;
}

int attempt_existing(struct attempt *attempt, struct slot *slot)
{
	struct found found = { 0 };
	uint32_t changes = 0;
	int r = 0;

	slot_want(attempt->actor, NULL, slot);
	bool ahead = build_ahead(attempt, slot, &changes);
	if (lock_take(attempt->actor, &slot->lock, LOCK_SLOT) < 0) {
		drop_hand(attempt->actor);
		return -EBUSY;
	}
	attempt_look_at_clock(attempt); /* waiting may have taken a while */
	if (!ahead || !publish_ahead(attempt, slot, changes)) {
		r = slot_recheck(attempt->actor->arena, slot, attempt->change->hash, attempt->key,
				 &found);
		if (r == -ENOENT)
			r = -EAGAIN; /* it ended while we waited: look again */
		if (r == 0)
			r = change_locked(attempt, &found);
	}
	lock_drop(attempt->actor, &slot->lock, LOCK_SLOT);
	if (attempt->wake)
		slot_wake(attempt->actor->arena, slot);
	feed_wake(attempt->actor->arena);
	content_deliver(attempt, r);
	if (attempt->actor->record->intent.old != 0)
		block_retire_old(attempt->actor);
	drop_hand(attempt->actor); /* made ahead, and then there was nothing to publish */
	return r;
}
