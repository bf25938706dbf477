/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unregistered.c: see unregistered.h.
 *
 * A process that cannot write the arena cannot announce that it reads: no writer waits for it, so
 * what it reads may be freed and overwritten meanwhile. Each read is therefore a copy that is
 * judged afterwards, like a sequence lock's reader does: the slot's change count must be the same
 * before and after [S6], and the checksums of the copy must hold. A view is such a copy, in memory
 * of its own.
 *
 * It takes no lock, stores nothing in the arena, counts as no activity, and ends no cart: a cart
 * whose time is up is not shown, though another process may still renew it. Retries are bounded.
 * Waiting is polling, since no process can be asked to wake us.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "api/cancel.h"
#include "api/list_row.h"
#include "api/unregistered.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "store/slot.h"

#define AGAIN_MAX 10000u /* each time another process changed the cart */
#define SAME_ANSWERS 8u  /* "none" and "damaged" may be seen in the middle of a change */
#define ROOM_FIRST 8192u
#define POLL_MS 20

struct copied {
	size_t size;
	int64_t touched_ns;
	int64_t deadline_ns;
};

/* 0; -ENOBUFS, and the size is set; -ENOENT; -EUCLEAN; -EAGAIN: it changed meanwhile. */
static int copy_once(const struct arena *arena, const struct slot *slot, void *buffer, size_t size,
		     struct copied *ret_copied)
{
	uint32_t changes = load_acquire(&slot->change) & ~1u; /* before the version. pairs [S6] */
	struct found found;
	int r = slot_load(arena, (uint32_t)(slot - arena->slots), &found);

	if (r < 0)
		return r;
	uint32_t need = load_relaxed(&found.cart->size); /* read once: it may change at any time */
	if (need < sizeof(*found.cart) || need > found.room || need > CORRAL_CART_MAX)
		return -EUCLEAN;
	if (need <= size)
		memcpy(buffer, found.cart, need);
	*ret_copied = (struct copied){ need, lease_touched_ns(found.lease),
				       slot_deadline_ns(arena, found.lease) };
	fence_loads(); /* the version's bytes before the count. pairs [S6] */
	if ((load_relaxed(&slot->change) & ~1u) != changes)
		return -EAGAIN;
	if (found.lease == LEASE_OVER || arena_now_ns(arena) >= ret_copied->deadline_ns)
		return -ENOENT;
	if (need > size)
		return -ENOBUFS;
	return cart_verify(buffer, need);
}

/* The results of a read so far. */
struct answers {
	uint32_t tries;
	uint32_t same;
	int last;
};

/* True: this result is final. */
static bool stands(struct answers *answers, int r)
{
	answers->same = r == answers->last ? answers->same + 1 : 1;
	answers->last = r;
	return r == 0 || r == -ENOBUFS || ++answers->tries >= AGAIN_MAX ||
	       (r != -EAGAIN && answers->same >= SAME_ANSWERS);
}

static int copy_by_key(const struct arena *arena, const struct corral_key *key, void *buffer,
		       size_t size, struct copied *ret_copied)
{
	uint64_t hash = slot_hash(arena, key);
	struct answers answers = { 0 };
	struct found found;
	int r;

	do {
		r = slot_find(arena, hash, key, &found);
		if (r == 0)
			r = copy_once(arena, found.slot, buffer, size, ret_copied);
		/* the slot may have become another cart's before it was read */
		if (r == 0 && !cart_has_key(buffer, ret_copied->size, key))
			r = -EAGAIN;
	} while (!stands(&answers, r));
	return r == -EAGAIN ? -EBUSY : r;
}

static int check_arena(const struct corral *corral)
{
	return arena_withdrawn(&corral->arena) ? -ESTALE : 0;
}

/* ------------------------------------------------------------------- views */

int unregistered_read_begin(struct corral *corral, const struct corral_key *key,
			    struct corral_view *ret_view)
{
	size_t room = ROOM_FIRST;
	struct copied copied = { 0 };
	void *bytes = NULL;
	int r = check_arena(corral);

	while (r == 0) {
		bytes = malloc(room);
		if (bytes == NULL)
			return -ENOMEM;
		r = handle_verdict(corral, copy_by_key(&corral->arena, key, bytes, room, &copied));
		if (r != -ENOBUFS)
			break;
		free(bytes);
		bytes = NULL;
		room = copied.size + copied.size / 4; /* it may have grown by the next try */
		r = 0;
	}
	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret_view = (struct corral_view){ .version = ((const struct cart_head *)bytes)->version,
					  .bytes = bytes,
					  .size = copied.size,
					  .corral = corral,
					  .deadline_ns = copied.deadline_ns };
	return 0;
}

int unregistered_read_end(struct corral_view *view)
{
	if (view->bytes == NULL)
		return -EINVAL;
	free((void *)(uintptr_t)view->bytes);
	view->bytes = NULL;
	view->size = 0;
	return 0;
}

/* ------------------------------------------------------------------- slots */

static int copy_by_number(const struct corral *corral, uint32_t number, void *buffer,
			  struct copied *ret_copied)
{
	const struct slot *slot = &corral->arena.slots[number];
	struct answers answers = { 0 };
	int r;

	do
		r = copy_once(&corral->arena, slot, buffer, CORRAL_CART_MAX, ret_copied);
	while (!stands(&answers, r));
	return r == -EAGAIN ? -EBUSY : r;
}

int unregistered_copy_slot(struct corral *corral, uint32_t number, void *buffer, size_t *ret_size,
			   uint64_t *ret_idle_ns)
{
	struct copied copied = { 0 };
	int r = check_arena(corral);

	if (r < 0)
		return r;
	if (number >= corral->arena.max_carts)
		return -ENOENT;
	r = copy_by_number(corral, number, buffer, &copied);
	*ret_size = copied.size;
	int64_t idle_ns = ns_since(arena_now_ns(&corral->arena), copied.touched_ns);
	*ret_idle_ns = idle_ns > 0 ? (uint64_t)idle_ns : 0;
	return handle_verdict(corral, r);
}

int unregistered_list(struct corral *corral, const struct corral_text *restaurant_id, void *buffer,
		      uint64_t *at, struct corral_entry *ret_entries, size_t max, size_t *ret_count)
{
	uint64_t end = min_u64(load_acquire(&corral->arena.header->slots_used_high),
			       corral->arena.max_carts);
	size_t count = 0;

	for (; *at < end && count < max; ++*at) {
		struct copied copied;

		/* a damaged one is left out: `corral check` reports it */
		if (copy_by_number(corral, (uint32_t)*at, buffer, &copied) < 0 ||
		    !list_fill_row(buffer, copied.size, restaurant_id, &ret_entries[count]))
			continue;
		handle_complete_head(corral, &ret_entries[count].head);
		ret_entries[count++].expires_ms = handle_wall_ms(corral, copied.deadline_ns);
	}
	*ret_count = count;
	return check_arena(corral);
}

/* -------------------------------------------------------------------- wait */

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

int unregistered_wait(struct corral *corral, const struct corral_key *key, uint64_t past_version,
		      int timeout_ms, const uint32_t *cancel, uint64_t *ret_version)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000l };
	int64_t give_up = timeout_ms < 0 ? INT64_MAX : monotonic_ms() + timeout_ms;
	struct corral_view view;

	for (;;) {
		int r = unregistered_read_begin(corral, key, &view);
		if (r == 0)
			(void)unregistered_read_end(&view);
		if (r == 0 && view.version > past_version) {
			*ret_version = view.version;
			return 0;
		}
		if (r < 0 && r != -EBUSY && (r != -ENOENT || past_version > 0))
			return r;
		if (cancel_wanted(cancel))
			return -ECANCELED;
		if (monotonic_ms() >= give_up)
			return -ETIMEDOUT;
		/* by number: glibc's nanosleep is a cancellation point */
		if (syscall(SYS_nanosleep, &pause, NULL) < 0)
			return -EINTR;
	}
}
