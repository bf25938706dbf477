/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read.c: the public calls that read: views, copies, waiting. (Lists: list.c.)
 *
 * A read is: enter; find; read the clock; return a pointer. The clock is the vDSO's coarse one. A
 * read's activity is written to the slot only if the stored time is older than a grain of the time
 * to live. Nothing here takes a lock or makes a system call, except corral_wait(), which sleeps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/cancel.h"
#include "api/handle.h"
#include "api/look.h"
#include "api/remote.h"
#include "api/unregistered.h"
#include "arena/stat.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "store/slot.h"
#include "sync/grace.h"

#define AGAIN_MAX 10000u /* each time another thread made progress, or the arena is damaged */
#define WAIT_STEP_MS 250 /* an end by inactivity wakes no waiter by itself */

/* ------------------------------------------------------------------- views */

/* A touch is due: do it with a clock reading that is newer than what we know of the cart. */
static int touch(struct corral *corral, const struct found *found, int64_t *deadline)
{
	int64_t now = arena_now_ns(&corral->arena);
	int r = slot_judge(&corral->arena, found, now, corral->fenced, deadline);

	if (r < 0)
		return r;
	*deadline = ns_add(*deadline, (uint64_t)ns_since(now, lease_touched_ns(found->lease)));
	return slot_touch(&corral->arena, found, now, corral->fenced) ? 0 : -EAGAIN;
}

/*
 * Inside a section: the cart, if it exists and its time is not up. -EAGAIN: its lease changed
 * meanwhile, look again. The clock is read first, ahead of the cache misses that follow. Its
 * reading may be old by the time we return, which is as if we had returned then. Only a touch needs
 * a newer one.
 */
static int look_once(struct corral *corral, const struct corral_key *key, uint64_t hash, bool quiet,
		     struct found *found, int64_t *ret_deadline)
{
	struct arena *arena = &corral->arena;
	int64_t now = arena_now_ns(arena);
	int r = slot_find(arena, hash, key, found);

	if (likely(r == 0))
		r = slot_judge(arena, found, now, corral->fenced, ret_deadline);
	if (unlikely(r < 0))
		return r;
	uint64_t ttl = lease_ttl_ns(found->lease, load_relaxed(&arena->header->ttl_ns));
	if (unlikely(ns_since(now, lease_touched_ns(found->lease)) > ttl_grain_ns(ttl)) && !quiet)
		r = touch(corral, found, ret_deadline);
	if (r < 0)
		return r;
	/* it must lie within its block; the accessors check what is inside */
	uint32_t size = load_relaxed(&found->cart->size); /* read once: damaged bytes may change */
	if (unlikely(size < sizeof(struct cart_head) || size > found->room ||
		     size > CORRAL_CART_MAX))
		return -EUCLEAN;
	found->room = size;
	return 0;
}

static int look_up(struct corral *corral, const struct corral_key *key, uint64_t hash, bool quiet,
		   struct found *ret_found, int64_t *ret_deadline)
{
	uint32_t tries = AGAIN_MAX;
	int r;

	/* each round means that another thread has touched, changed or ended the cart */
	do
		r = look_once(corral, key, hash, quiet, ret_found, ret_deadline);
	while (unlikely(r == -EAGAIN && --tries > 0));
	return r;
}

static inline void fill_view(struct corral *corral, struct actor *actor,
			     const struct cart_head *cart, size_t size, int64_t deadline,
			     struct corral_view *ret_view)
{
	*ret_view = (struct corral_view){ .version = load_relaxed(&cart->version),
					  .bytes = cart,
					  .size = size,
					  .corral = corral,
					  .deadline_ns = deadline,
					  .thread = actor,
					  .of.epoch = handle_cache.epoch };
}

/* The slow path, which handles every case. */
static __attribute__((noinline)) int begin_with_care(struct corral *corral,
						     const struct corral_key *key, uint64_t hash,
						     unsigned flags, struct corral_view *ret_view)
{
	const bool quiet = ((corral->flags | flags) & CORRAL_OBSERVE) != 0;
	struct actor *actor;
	struct found found;
	int64_t deadline = 0;
	uint32_t tries = AGAIN_MAX;

	if (corral->unregistered)
		return unregistered_read_begin(corral, key, ret_view);
	if (corral->remote != NULL)
		return remote_read_begin(corral, key, flags, ret_view);
	int r = handle_actor(corral, &actor);
	if (r < 0)
		return r;
	do {
		grace_enter(actor);
		r = look_up(corral, key, hash, quiet, &found, &deadline);
		if (unlikely(r < 0 || grace_revoked(actor)))
			r = handle_verdict(corral, grace_leave_with(actor, r));
	} while (unlikely(r == -EAGAIN && --tries > 0));
	if (unlikely(r < 0))
		return r == -EAGAIN ? -EUCLEAN : r;
	fill_view(corral, actor, found.cart, found.room, deadline, ret_view);
	stat_add(actor->record, reads, 1);
	return 0;
}

/*
 * Is this reference, within the arena, a version of that key? *ret_size comes from its head, which
 * may be damaged and may change at any time.
 */
static inline __attribute__((always_inline)) bool
is_version_of(const struct arena *arena, block_ref current, const struct corral_key *key,
	      const struct cart_head **ret_cart, uint32_t *ret_size)
{
	if (unlikely(current - arena->space_first >= arena->head_refs))
		return false;
	uint64_t at = (uint64_t)current * BLOCK_UNIT + sizeof(struct block_header);
	const struct cart_head *cart = (const struct cart_head *)(const void *)(arena->base + at);
	uint32_t size = load_relaxed(&cart->size);
	*ret_cart = cart;
	*ret_size = size;
	return likely(size <= CORRAL_CART_MAX && at + size <= arena->bytes) &&
	       cart_has_key(cart, size, key);
}

/*
 * The fast path, for nearly every read: the thread's outermost section, on a cart that exists and
 * needs no touch. False: one of these does not hold, and nothing has happened. It saves
 * instructions, and that counts: a processor looks about 250 of them ahead, and that is how far a
 * read's cache misses overlap with those of the next.
 */
static inline __attribute__((always_inline)) bool
begin_at_once(struct corral *corral, const struct corral_key *key, const struct chain *chain,
	      uint64_t hash, struct corral_view *ret_view)
{
	const struct arena *arena = &corral->arena;
	const struct cart_head *cart;
	struct slot *slot;
	uint32_t size;

	if (unlikely(handle_cache.corral != corral || handle_cache.epoch != *corral->epoch ||
		     arena_withdrawn(arena)))
		return false;
	struct actor *actor = &handle_cache.attachment->actor;
	struct thread_record *record = actor->record;
	if (unlikely(record->nest != 0))
		return false;
	grace_enter_first(actor, record, arena->header);
	int64_t now = arena_now_ns(arena);
	if (unlikely(!slot_guess(arena, chain, hash, &slot)))
		goto otherwise;
	uint64_t lease;
	block_ref current;
	bool settled = slot_read(slot, &lease, &current);
	uint64_t ttl = lease_ttl_ns(lease, load_relaxed(&arena->header->ttl_ns)); /* a setting */
	int64_t touched = lease_touched_ns(lease);
	/*
	 * unsigned: this also catches a lease that holds no time, or a time after our clock reading
	 */
	if (unlikely(!settled || (uint64_t)ns_since(now, touched) > (uint64_t)ttl_grain_ns(ttl)))
		goto otherwise;
	int64_t deadline = deadline_ns(touched + LEASE_UNIT_NS, ttl);
	if (unlikely(!is_version_of(arena, current, key, &cart, &size) || grace_revoked(actor)))
		goto otherwise;
	fill_view(corral, actor, cart, size, deadline, ret_view);
	stat_add(record, reads, 1);
	return true;
otherwise:
	grace_leave(actor);
	return false;
}

static inline __attribute__((always_inline)) int begin(struct corral *corral,
						       const struct corral_key *key, unsigned flags,
						       struct corral_view *ret_view, bool whole)
{
	int r = handle_check_key(key);

	if (unlikely(r < 0))
		return r;
	/*
	 * the cache misses begin here; entering the section and reading the clock overlap with them
	 */
	uint64_t hash = slot_hash(&corral->arena, key);
	const struct chain *chain = slot_chain(&corral->arena, hash);
	if (whole)
		slot_prefetch_whole(&corral->arena, chain);
	else
		slot_prefetch(&corral->arena, chain);
	return likely(begin_at_once(corral, key, chain, hash, ret_view)) ?
		       0 :
		       begin_with_care(corral, key, hash, flags, ret_view);
}

int corral_read_begin(struct corral *corral, const struct corral_key *key,
		      struct corral_view *ret_view)
{
	return begin(corral, key, 0, ret_view, false);
}

int corral_read_begin_with(struct corral *corral, const struct corral_key *key, unsigned flags,
			   struct corral_view *ret_view)
{
	if ((flags & ~CORRAL_OBSERVE) != 0)
		return -EINVAL;
	return begin(corral, key, flags, ret_view, false);
}

/* The view was not begun by the calling thread, or belongs to another process. */
static int end_elsewhere(struct corral_view *view)
{
	struct actor *ours;

	if (view->thread == NULL || view->corral == NULL)
		return -EINVAL;
	if (*view->corral->epoch != view->of.epoch)
		return -ESTALE; /* from before a fork: not ours to end */
	int r = handle_own_actor(view->corral, &ours);
	if (r < 0)
		return r;
	return ours == view->thread ? 0 : -EINVAL;
}

static inline int end_here(struct corral_view *view, struct actor *actor)
{
	bool revoked = grace_revoked(actor);

	view->bytes = NULL;
	view->size = 0;
	view->thread = NULL;
	grace_leave(actor);
	return unlikely(revoked) ? -ESTALE : 0;
}

/* The view is not of the thread's cached attachment, or not the thread's at all. */
static __attribute__((noinline)) int end_with_care(struct corral_view *view)
{
	if (view->corral != NULL && view->corral->unregistered)
		return unregistered_read_end(view);
	if (view->corral != NULL && view->corral->remote != NULL)
		return remote_read_end(view);
	int r = end_elsewhere(view);
	return r < 0 ? r : end_here(view, view->thread);
}

int corral_read_end(struct corral_view *view)
{
	const struct attachment *ours = handle_cache.attachment;

	/*
	 * the view is this thread's, and still this process's (fork wipes the handle's epoch); a
	 * copy has no thread
	 */
	if (unlikely(ours == NULL || view->thread != &ours->actor ||
		     *view->corral->epoch != view->of.epoch))
		return end_with_care(view);
	return end_here(view, view->thread);
}

/* A damaged time to live may exceed all times: the product wraps. */
static int64_t ns_of_ms(int64_t ms)
{
	return (int64_t)((uint64_t)ms * 1000000);
}

int64_t corral_view_expires_ms(const struct corral_view *view)
{
	/* a copy's time was computed when the copy was made */
	return view->corral != NULL ? handle_wall_ms(view->corral, view->deadline_ns) :
				      view->deadline_ns / 1000000;
}

int corral_read_copy(struct corral *corral, const struct corral_key *key, void *buffer, size_t size,
		     size_t *ret_size, struct corral_view *ret_view)
{
	struct corral_view view, copy;
	uint32_t tries = AGAIN_MAX;
	int r, ended;
	size_t need;

	do { /* again, if the view was revoked during the copy */
		r = begin(corral, key, 0, &view, true);
		if (r < 0)
			return r;
		need = view.size;
		copy = view;
		copy.bytes = buffer;
		copy.thread = NULL;
		copy.corral = NULL; /* the copy may outlive the handle */
		copy.of.usual_ttl_ms = handle_usual_ttl_ms(corral);
		copy.deadline_ns = ns_of_ms(corral_view_expires_ms(&view));
		if (need <= size)
			memcpy(buffer, view.bytes, need);
		ended = corral_read_end(&view);
	} while (unlikely(ended < 0 && --tries > 0));
	if (unlikely(ended < 0))
		return -EUCLEAN;
	*ret_size = need;
	if (need > size)
		return -ENOBUFS;
	*ret_view = copy;
	return 0;
}

/* The bytes of a revoked view may have become another cart's: that is no damage. */
static int judge(const struct corral_view *view, int r)
{
	const struct attachment *ours = handle_cache.attachment;

	if (unlikely(r == -EUCLEAN) && view->corral != NULL && ours != NULL &&
	    view->thread == &ours->actor && *view->corral->epoch == view->of.epoch &&
	    grace_revoked(&ours->actor))
		return -ESTALE;
	return r;
}

int corral_view_verify(const struct corral_view *view)
{
	return judge(view, cart_verify(view->bytes, view->size));
}

static uint64_t usual_ttl_ms(const struct corral_view *view)
{
	return view->corral != NULL ? handle_usual_ttl_ms(view->corral) : view->of.usual_ttl_ms;
}

int corral_view_head(const struct corral_view *view, struct corral_head *ret_head)
{
	int r = cart_get_head(view->bytes, view->size, ret_head);

	if (r == 0 && ret_head->ttl_ms == 0)
		ret_head->effective_ttl_ms = usual_ttl_ms(view);
	return r;
}

int corral_view_key(const struct corral_view *view, struct corral_key *ret_key)
{
	return cart_get_key(view->bytes, view->size, ret_key);
}

int corral_view_line(const struct corral_view *view, uint32_t index, struct corral_line *ret_line)
{
	return cart_get_line(view->bytes, view->size, index, ret_line);
}

int corral_view_attribute(const struct corral_view *view, uint32_t index,
			  struct corral_attribute *ret_attribute)
{
	return cart_get_attribute(view->bytes, view->size, index, ret_attribute);
}

int corral_view_adjustment(const struct corral_view *view, uint32_t index,
			   struct corral_adjustment *ret_adjustment)
{
	return cart_get_adjustment(view->bytes, view->size, index, ret_adjustment);
}

void corral_default_currency(struct corral *corral, char ret_code[4], uint32_t *ret_digits)
{
	/* relaxed: any recent value will do */
	uint32_t currency = load_relaxed(&corral->arena.header->currency);

	cart_currency_code(cart_currency_valid(currency) ? currency : 0, ret_code, ret_digits);
}

int corral_view_item(const struct corral_view *view, uint32_t index, struct corral_item **ret_item)
{
	return cart_decode_item(view->bytes, view->size, index, ret_item);
}

void corral_item_free(struct corral_item *item)
{
	free(item);
}

static int decode(const struct corral_view *view, struct corral_cart **ret_cart)
{
	int r = cart_decode(view->bytes, view->size, true, ret_cart);

	if (r < 0)
		return r;
	(*ret_cart)->expires_ms = corral_view_expires_ms(view);
	if ((*ret_cart)->head.ttl_ms == 0)
		(*ret_cart)->head.effective_ttl_ms = usual_ttl_ms(view);
	return 0;
}

int corral_view_cart(const struct corral_view *view, struct corral_cart **ret_cart)
{
	return judge(view, decode(view, ret_cart));
}

int corral_get(struct corral *corral, const struct corral_key *key, struct corral_cart **ret_cart)
{
	struct corral_view view;
	struct corral_cart *cart;
	uint32_t tries = AGAIN_MAX;
	int r, ended;

	do { /* again, if the view was revoked during decoding */
		r = begin(corral, key, 0, &view, true);
		if (r < 0)
			return r;
		r = decode(&view, &cart);
		ended = corral_read_end(&view);
		if (r == 0 && unlikely(ended < 0))
			free(cart);
	} while (unlikely(ended < 0 && --tries > 0));
	if (unlikely(ended < 0))
		return -EUCLEAN;
	if (r == 0)
		*ret_cart = cart;
	return r < 0 ? handle_verdict(corral, r) : 0;
}

void corral_cart_free(struct corral_cart *cart)
{
	free(cart);
}

int corral_view_flat(const struct corral_view *view, struct corral_flat *flat)
{
	const struct cart_times times = { usual_ttl_ms(view), corral_view_expires_ms(view) };

	return cart_flatten(view->bytes, view->size, &times, flat);
}

int corral_read_flat(struct corral *corral, const struct corral_key *key, struct corral_flat *flat)
{
	struct corral_view view;
	uint32_t tries = AGAIN_MAX;
	int r, ended;

	if ((flat->flags & ~CORRAL_OBSERVE) != 0)
		return -EINVAL;
	do { /* again, if the view was revoked meanwhile */
		r = begin(corral, key, flat->flags, &view, true);
		if (r < 0)
			return r;
		r = cart_verify(view.bytes, view.size);
		if (r == 0)
			r = corral_view_flat(&view, flat);
		ended = corral_read_end(&view);
	} while (unlikely(ended < 0 && --tries > 0));
	if (unlikely(ended < 0))
		return -EUCLEAN;
	return r < 0 ? handle_verdict(corral, r) : 0;
}

/* -------------------------------------------------------------------- wait */

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* Announce that we are about to sleep on a word; *ret_seen is the value to sleep on. */
static void announce(uint32_t *word, uint32_t *ret_seen)
{
	*ret_seen = fetch_or_acq_rel(word, 1u) | 1;
	fence_full(); /* announced before we look for the change. pairs [S4] */
}

/*
 * Look once. 0 and the version if it is newer than `past`; -EAGAIN and the word to sleep on;
 * -ERESTART: look again; -ENOENT.
 */
static int look_for_change(struct corral *corral, struct actor *actor, const struct corral_key *key,
			   uint64_t past, uint32_t **ret_word, uint32_t *ret_seen,
			   uint64_t *ret_version)
{
	struct arena *arena = &corral->arena;
	uint64_t hash = slot_hash(arena, key);
	struct found found;
	int64_t deadline;
	int r;

	*ret_word = &arena->header->births;
	if (past == 0)
		announce(*ret_word, ret_seen);
	grace_enter(actor);
	r = slot_find(arena, hash, key, &found);
	if (r == 0) {
		struct slot *slot = found.slot;
		*ret_word = &slot->change;
		announce(*ret_word, ret_seen);
		r = slot_find(arena, hash, key, &found); /* again, now that a change will wake us */
		if (r == 0 && found.slot != slot)
			r = -ERESTART; /* a new cart, in another slot */
	}
	if (r == 0) {
		r = slot_judge(arena, &found, arena_now_ns(arena), actor->fenced, &deadline);
		r = r == -EAGAIN ? -ERESTART : r;
	}
	if (r == 0)
		r = cart_verify_front(found.cart, found.room);
	if (r == 0) {
		*ret_version = load_relaxed(&found.cart->version);
		r = *ret_version > past ? 0 : -EAGAIN;
	}
	int left = grace_leave_with(actor, 0);
	if (left < 0)
		return left == -EUCLEAN ? -EUCLEAN : -ERESTART;
	return r == -ENOENT && past == 0 ? -EAGAIN : r;
}

int look_at_cart(struct corral *corral, const struct corral_key *key, uint64_t past_version,
		 uint32_t **ret_word, uint32_t *ret_seen, uint64_t *ret_version)
{
	struct actor *actor;
	uint32_t tries = AGAIN_MAX;

	int r = handle_check_key(key);
	if (r == 0 && corral->unregistered) {
		*ret_word = NULL;
		r = unregistered_wait(corral, key, past_version, 0, NULL, ret_version);
		return r == -ETIMEDOUT ? -EAGAIN : r;
	}
	if (r == 0)
		r = handle_actor(corral, &actor);
	if (r == -EREMOTE) {
		*ret_word = NULL;
		return remote_look(corral, key, past_version, ret_version);
	}
	if (r == 0 && actor->record->nest > 0)
		r = -EDEADLK;
	if (r < 0)
		return r;
	do {
		uint64_t version = 0;
		r = look_for_change(corral, actor, key, past_version, ret_word, ret_seen, &version);
		r = handle_verdict(corral, r);
		if (r == 0)
			*ret_version = version;
	} while (r == -ERESTART && --tries > 0);
	return r == -ERESTART ? -EUCLEAN : r;
}

int corral_wait(struct corral *corral, const struct corral_key *key, uint64_t past_version,
		int timeout_ms, uint32_t *cancel, uint64_t *ret_version)
{
	int64_t give_up = timeout_ms < 0 ? INT64_MAX : monotonic_ms() + timeout_ms;
	struct actor *actor;
	uint32_t *word;
	uint32_t seen = 0;
	uint32_t tries = AGAIN_MAX;

	int r = handle_check_key(key);
	if (r == 0 && corral->unregistered)
		return unregistered_wait(corral, key, past_version, timeout_ms, cancel,
					 ret_version);
	if (r == 0)
		r = handle_actor(corral, &actor);
	if (r == -EREMOTE)
		return remote_wait(corral, key, past_version, timeout_ms, cancel, ret_version);
	if (r == 0 && actor->record->nest > 0)
		r = -EDEADLK;
	while (r == 0) {
		uint64_t version = 0;
		r = look_for_change(corral, actor, key, past_version, &word, &seen, &version);
		r = handle_verdict(corral, r);
		if (r == -ERESTART) {
			r = --tries > 0 ? 0 : -EUCLEAN;
			continue;
		}
		if (r == 0)
			*ret_version = version;
		if (r != -EAGAIN)
			return r;
		if (cancel_wanted(cancel))
			return -ECANCELED;
		int64_t left = give_up - monotonic_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		left = left < WAIT_STEP_MS ? left : WAIT_STEP_MS;
		r = cancel_sleep(word, seen, cancel, left * 1000000) == -EINTR ? -EINTR : 0;
	}
	return r;
}
