/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slot.c: find, publish, insert and end carts, and repair these steps after a death.
 *
 * Invariants:
 *   - A chain is sound at every instruction: insertion fills the slot, then stores the chain's
 *     head; unlinking is one store. An unlinked slot keeps its `next` until a grace period is over.
 *   - A change counts from the store to slot.current on. A new cart's slot is linked empty and then
 *     filled by the same store; after a death in between, the repairer fills it.
 *   - An end counts from a compare-and-swap of the lease on: to LEASE_OVER when the time is up, by
 *     any process, before it answers "no such cart"; to LEASE_ENDED under both locks. A renewal is
 *     a compare-and-swap, too, from the lease that was judged to run still. So of an end and a
 *     renewal one wins. Neither publishing nor repair renews.
 *   - LEASE_OVER is left only by the holder of the slot's lock: by an end, or by a new cart in the
 *     same slot, whose version is stored first, and which counts from the store of its lease on. A
 *     version that a death leaves under LEASE_OVER is never shown.
 *   - LEASE_ENDED, once stored, stays until the slot is inserted anew; the holder of the slot's
 *     lock finishes the unlinking before dropping it (or its repairer does).
 *   - A slot that is in no chain has no version: a walk by number sees nothing that is freed.
 *   - slot.lock and slot.change are never reset: a thread may hold or wait for the lock of a slot
 *     that was freed meanwhile; it looks again (slot_recheck) once it has it.
 *   - version_floor of a bucket is no less than the version of any cart of its chain that ended, so
 *     a key's versions grow from one cart to the next.
 *
 * Readers load the lease, the version, and the lease again [S3]: a version goes with a lease only
 * if the lease was the same before and after it. Otherwise a reader could pair the version of a new
 * cart, which does not count yet, with the lease of the cart before it, or the other way round.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/atomic.h"
#include "store/feed.h"
#include "store/slot.h"
#include "sync/death_log.h"
#include "sync/lock.h"

#define LOOK_MAX 1000u   /* as for RENEW_MAX */
#define RENEW_MAX 10000u /* each time a reader renewed it, or the arena is damaged */

int slot_recheck(const struct arena *arena, struct slot *slot, uint64_t hash,
		 const struct corral_key *key, struct found *ret_found)
{
	/*
	 * acquire: the slot may be another cart's now, inserted without its lock; then all of it is
	 * seen. pairs [S1]
	 */
	block_ref current = load_acquire(&slot->current);
	uint64_t lease = load_acquire(&slot->lease);

	if (load_relaxed(&slot->hash) != hash || lease == LEASE_ENDED || current == 0)
		return -ENOENT;
	ret_found->slot = slot;
	ret_found->lease = lease;
	return slot_look_at(arena, current, hash, key, ret_found);
}

bool slot_key_damaged(uint64_t hash, const struct cart_head *cart, size_t room)
{
	/* the hash of its key stands in the head, under the same checksum as the key */
	return cart_verify_front(cart, room) < 0 || cart->hash != hash;
}

int slot_load(const struct arena *arena, uint32_t number, struct found *ret_found)
{
	struct slot *slot = &arena->slots[number];
	uint64_t lease = load_acquire(&slot->lease);      /* before current. pairs [S3] */
	block_ref current = load_acquire(&slot->current); /* pairs [S1] */

	if (current == 0 || lease == LEASE_ENDED)
		return -ENOENT;
	ret_found->slot = slot;
	ret_found->lease = lease;
	ret_found->cart = slot_version(arena, current, &ret_found->room);
	return ret_found->cart != NULL ? 0 : -EUCLEAN;
}

/* ------------------------------------------------------------------ change */

static struct chain *chain_of(const struct arena *arena, const struct bucket *bucket)
{
	return &arena->chains[bucket - arena->buckets];
}

void slot_want(struct actor *actor, struct bucket *bucket, struct slot *slot)
{
	struct arena *arena = actor->arena;
	struct intent *intent = &actor->record->intent;

	if (bucket != NULL)
		note(&intent->bucket, (uint32_t)(bucket - arena->buckets) + 1);
	if (slot != NULL)
		note(&intent->slot, arena_slot_link(arena, slot));
}

/*
 * For the journal: this slot changed. Mostly this is one load, because the bit is set already: the
 * journal has yet to clear it, and reads the slot after that. The change has to be visible before
 * we look at the bit: otherwise we may see a bit that the journal is about to clear, while the
 * journal reads the slot as it was before. Every caller has just done a read-modify-write of the
 * slot, or says `fenced`.
 */
static void mark_dirty(struct arena *arena, slot_link link, bool fenced)
{
	uint64_t *word = &arena->dirty[(link - 1) / 64];
	uint64_t bit = 1ull << ((link - 1) % 64);

	if (fenced)
		fence_full(); /* pairs [J1] */
	else
		fence_after_rmw();           /* pairs [J1] */
	if ((load_relaxed(word) & bit) == 0) /* relaxed: ordered by the fence */
		(void)fetch_or_acq_rel(word, bit);
}

/* For the journal, if one is kept: the lease has changed. */
static void mark_lease(struct arena *arena, const struct slot *slot, bool fenced)
{
	if (load_relaxed(&arena->header->journal) != 0) /* relaxed: a setting */
		mark_dirty(arena, arena_slot_link(arena, slot), fenced);
}

/* ------------------------------------------------------------------- lease */

int slot_judge(struct arena *arena, const struct found *found, int64_t now_ns, bool fenced,
	       int64_t *ret_deadline_ns)
{
	struct slot *slot = found->slot;
	uint64_t lease = found->lease;
	int64_t deadline = slot_deadline_ns(arena, lease);

	if (unlikely(load_relaxed(&slot->lease) != lease)) /* after current. pairs [S3] */
		return -EAGAIN;
	if (likely(lease_runs(lease) && now_ns < deadline)) {
		*ret_deadline_ns = deadline;
		return 0;
	}
	/* compare and swap: an end and a renewal cannot both win. pairs [S3] */
	if (lease != LEASE_OVER && !cas_acq_rel(&slot->lease, lease, LEASE_OVER))
		return -EAGAIN;
	/* every call that tells of the end marks it: the one that swapped may have died before */
	mark_lease(arena, slot, fenced);
	return -ENOENT;
}

int slot_look(struct arena *arena, uint32_t number, bool fenced, struct found *ret_found,
	      int64_t *ret_deadline_ns)
{
	for (uint32_t tries = 0; tries < LOOK_MAX; tries++) {
		int r = slot_load(arena, number, ret_found);
		if (r == 0)
			r = slot_judge(arena, ret_found, arena_now_ns(arena), fenced,
				       ret_deadline_ns);
		if (r != -EAGAIN)
			return r;
	}
	return -EBUSY;
}

bool slot_touch(struct arena *arena, const struct found *found, int64_t now_ns, bool fenced)
{
	uint64_t renewed = lease_touched(found->lease, now_ns);

	if (!cas_acq_rel(&found->slot->lease, found->lease, renewed)) /* pairs [S3] */
		return false;
	mark_lease(arena, found->slot, fenced);
	return true;
}

int slot_renew(struct arena *arena, struct slot *slot, int64_t now_ns, uint64_t ttl_ms, bool fenced)
{
	const uint64_t standard = load_relaxed(&arena->header->ttl_ns); /* relaxed: a setting */
	const uint32_t code = lease_ttl_code(ttl_ms * 1000000);

	for (uint32_t tries = 0; tries < RENEW_MAX; tries++) {
		uint64_t lease = load_acquire(&slot->lease); /* pairs [S3] */
		if (lease == LEASE_ENDED)
			return -EAGAIN;
		if (unlikely(!lease_runs(lease) || now_ns >= lease_deadline_ns(lease, standard))) {
			struct found found = { .slot = slot, .lease = lease };
			int64_t deadline;
			if (slot_judge(arena, &found, now_ns, fenced, &deadline) == -ENOENT)
				return -EAGAIN;
			continue;
		}
		uint64_t renewed = lease_touched(lease, now_ns);
		if (unlikely(code != (lease & LEASE_TTL_MASK)) &&
		    lease_ttl_ns(code, standard) > lease_ttl_ns(lease, standard))
			renewed = (renewed & ~(uint64_t)LEASE_TTL_MASK) | code;
		/* mostly it was renewed within the same unit of time already */
		if (renewed == lease || cas_acq_rel(&slot->lease, lease, renewed))
			return 0;
	}
	return -EAGAIN;
}

/*
 * Give the lease the time to live that the current version states; LEASE_OVER stays. Slot lock
 * held.
 */
static void settle_ttl(struct slot *slot, uint64_t ttl_ms)
{
	const uint32_t code = lease_ttl_code(ttl_ms * 1000000);

	for (uint32_t tries = 0; tries < RENEW_MAX; tries++) {
		uint64_t lease = load_relaxed(&slot->lease); /* relaxed: the swap decides */
		uint64_t settled = (lease & ~(uint64_t)LEASE_TTL_MASK) | code;
		if (likely(settled == lease) || !lease_runs(lease) ||
		    cas_acq_rel(&slot->lease, lease, settled)) /* after current. pairs [S3] */
			return;
	}
}

/* -------------------------------------------------------------- publishing */

/* Count a change in the futex word; true when a thread sleeps on it. Slot lock held. */
static bool bump_change(struct slot *slot)
{
	uint32_t next =
		(load_relaxed(&slot->change) & ~1u) + 2; /* only we count; waiters set bit 0 */

	/*
	 * before the former version is retired, let alone written anew: a writer that builds ahead
	 * of its lock sees the count change. pairs [S6]
	 */
	return (swap_acq_rel(&slot->change, next) & 1) != 0;
}

/* Leave readers a hint where the version is, if its slot heads its chain. Slot lock held. */
static void leave_hint(const struct arena *arena, const struct slot *slot, block_ref version)
{
	uint64_t hash = load_relaxed(&slot->hash);

	struct chain *chain = slot_chain(arena, hash);

	if (load_relaxed(&chain->head) == arena_slot_link(arena, slot))
		store_relaxed(&chain->hint, version);
}

/* Salvage's first witness, in the block; stored before the version is published. */
static void mark_block(const struct arena *arena, block_ref ref, uint32_t mark)
{
	if (arena_block_inside(arena, ref))
		note(&arena_block(arena, ref)->mark, mark);
}

static void note_newest_version(struct slot *slot, uint64_t version)
{
	note(&slot->newest, SLOT_NEWEST(version, load_relaxed(&slot->hash)));
}

/* Salvage's second witness, in the slot; stored after `current`. */
static void note_newest(const struct arena *arena, struct slot *slot, block_ref ref)
{
	size_t room;
	const struct cart_head *cart = slot_version(arena, ref, &room);

	if (cart != NULL)
		note_newest_version(slot, load_relaxed(&cart->version));
}

static bool is_checked_out(const struct arena *arena, block_ref ref)
{
	size_t room;
	const struct cart_head *cart = slot_version(arena, ref, &room);

	return cart != NULL && load_relaxed(&cart->status) == CORRAL_CHECKED_OUT;
}

/* Counters for people: a cart of the version `from` (0: none) has become one of `to` (0: none). */
static void count_carts(const struct arena *arena, block_ref from, block_ref to)
{
	struct arena_header *h = arena->header;
	bool was = is_checked_out(arena, from), is = is_checked_out(arena, to);

	if ((from != 0) != (to != 0))
		(void)fetch_add_relaxed(&h->carts_live, to != 0 ? 1u : -1u);
	if (was != is)
		(void)fetch_add_relaxed(&h->carts_checked_out, is ? 1u : -1u);
}

/*
 * The steps behind the publishing store and the second witness; the repairer does them again after
 * a death in between.
 */
static bool after_publish(struct arena *arena, struct thread_record *record, struct slot *slot,
			  bool fenced)
{
	feed_complete(arena, record, &slot->stamp, NULL);
	bool wake = bump_change(slot);

	mark_dirty(arena, arena_slot_link(arena, slot), fenced);
	note(&record->intent.hand, 0); /* the change is complete: old is left to be retired */
	return wake;
}

bool slot_publish(struct actor *actor, struct slot *slot, const struct cart_head *head,
		  bool recount)
{
	struct intent *intent = &actor->record->intent;

	mark_block(actor->arena, intent->hand, BLOCK_LIVE);
	feed_note(actor, slot->stamp);
	note(&intent->old, slot->current);
	store_release(&slot->current, intent->hand); /* the version's bytes first. pairs [S1] */
	settle_ttl(slot, head->ttl_ms);
	store_relaxed(&slot->size, head->size); /* relaxed: a hint */
	leave_hint(actor->arena, slot, intent->hand);
	if (unlikely(recount))
		count_carts(actor->arena, intent->old, intent->hand); /* a death may leave it off */
	note_newest_version(slot, head->version);
	return after_publish(actor->arena, actor->record, slot, actor->fenced);
}

bool slot_publish_anew(struct actor *actor, struct slot *slot, uint32_t size, uint64_t ttl_ms,
		       int64_t now_ns)
{
	struct intent *intent = &actor->record->intent;

	mark_block(actor->arena, intent->hand, BLOCK_LIVE);
	feed_note(actor, slot->stamp);
	note(&intent->old, slot->current);
	store_release(&slot->current, intent->hand); /* the version's bytes first. pairs [S1] */
	note_newest(actor->arena, slot, intent->hand);
	/* the cart is there from here on: its version before its lease. pairs [S3] */
	store_release(&slot->lease, lease_of(now_ns, lease_ttl_code(ttl_ms * 1000000)));
	store_relaxed(&slot->size, size); /* relaxed: a hint */
	leave_hint(actor->arena, slot, intent->hand);
	count_carts(actor->arena, intent->old, intent->hand); /* a death may leave it off */
	return after_publish(actor->arena, actor->record, slot, actor->fenced);
}

/* The steps behind the link; the repairer does them again after a death in between. */
static void after_insert(struct arena *arena, struct thread_record *record, bool fenced)
{
	struct slot *slot = arena_slot(arena, load_relaxed(&record->intent.hand_slot));

	if (slot == NULL)
		return; /* damaged */
	/*
	 * The slot is linked, so the cart is sure to be there. It is told of first: its slot is not
	 * locked, and the next change must not be told of before this one.
	 */
	feed_complete(arena, record, &slot->stamp, NULL);
	/* empty only until the first time: others may have changed the cart since */
	if (record->intent.hand != 0 && load_relaxed(&slot->current) == 0) {
		note_newest(arena, slot, record->intent.hand);
		store_release(&slot->current,
			      record->intent.hand); /* the cart is there from here on. pairs [S1] */
	}
	count_carts(arena, 0, load_relaxed(&record->intent.hand)); /* a death may leave it off */
	mark_dirty(arena, arena_slot_link(arena, slot), fenced);
	note(&record->intent.hand, 0);
	note(&record->intent.hand_slot, 0);
}

int slot_insert(struct actor *actor, struct bucket *bucket, uint64_t hash, uint32_t size,
		uint64_t ttl_ms, int64_t now_ns)
{
	struct intent *intent = &actor->record->intent;
	slot_link link = load_relaxed(&intent->hand_slot);
	struct slot *slot = arena_slot(actor->arena, link);
	struct chain *chain = chain_of(actor->arena, bucket);

	if (slot == NULL)
		return -EUCLEAN;                 /* nothing is linked */
	store_relaxed(&slot->next, chain->head); /* relaxed: published by the head [S2] */
	store_relaxed(&slot->hash, hash);        /* relaxed: published by the head [S2] */
	/* relaxed: published by the head [S2] */
	store_relaxed(&slot->lease, lease_of(now_ns, lease_ttl_code(ttl_ms * 1000000)));
	store_relaxed(&slot->size, size);
	note(&slot->stamp, bucket->stamp); /* also if this is not told */
	mark_block(actor->arena, intent->hand, BLOCK_LIVE);
	feed_note(actor, bucket->stamp);
	store_release(&chain->head, link); /* the slot's words before its link. pairs [S2] */
	leave_hint(actor->arena, slot, intent->hand);
	after_insert(actor->arena, actor->record, actor->fenced);
	return 0;
}

/* ----------------------------------------------------------------- the end */

static void unlink_slot(const struct arena *arena, const struct bucket *bucket, slot_link link)
{
	slot_link *at = &chain_of(arena, bucket)->head;
	uint32_t bound = arena->max_carts;

	while (*at != 0 && bound-- > 0) {
		struct slot *slot = arena_slot(arena, *at);
		if (slot == NULL)
			return; /* damaged */
		if (*at == link) {
			store_release(at, slot->next); /* pairs [S2] */
			return;
		}
		at = &slot->next;
	}
}

/*
 * Remember the greatest version of all carts that ended: the slot may hold another cart before the
 * journal looks at it again, and then says nothing of this one's last version. relaxed: the locks
 * of the lists that the slot goes through order this before the slot's next version.
 */
static void raise_ended_version(struct arena_header *h, uint64_t version)
{
	uint64_t seen = load_relaxed(&h->ended_version);

	while (seen < version && !cas_acq_rel(&h->ended_version, seen, version))
		seen = load_relaxed(&h->ended_version);
}

/* Everything after LEASE_ENDED was stored; done again from the start by a repairer. */
static bool finish_end(struct arena *arena, struct thread_record *record, struct bucket *bucket,
		       struct slot *slot, block_ref current, bool fenced)
{
	slot_link link = arena_slot_link(arena, slot);

	size_t room;
	const struct cart_head *cart = slot_version(arena, current, &room);

	if (cart != NULL) {
		uint64_t version = load_relaxed(&cart->version);
		if (version > bucket->version_floor && version <= VERSION_MAX)
			note(&bucket->version_floor, version);
		if (version <= VERSION_MAX)
			raise_ended_version(arena->header, version);
		note(&arena_block(arena, current)->slot,
		     link); /* freeing the block frees the slot, too */
		note(&record->intent.old, current);
	}
	unlink_slot(arena, bucket, link);
	note(&slot->newest, 0); /* before current: a slot without a version claims none */
	if (current != 0) {
		note(&slot->current, 0);
		count_carts(arena, current, 0); /* a death may leave it off */
	}
	if (slot->stamp >
	    bucket->stamp) /* also if the end is not told: the next cart's is greater */
		note(&bucket->stamp, slot->stamp);
	feed_complete(arena, record, &bucket->stamp, &slot->stamp);
	bool wake = bump_change(slot);

	mark_dirty(arena, link, fenced);
	return wake;
}

int slot_end(struct actor *actor, struct bucket *bucket, struct slot *slot, uint64_t lease,
	     bool *ret_wake)
{
	if (lease == LEASE_ENDED || load_relaxed(&slot->current) == 0) {
		feed_forget(actor);
		return -EAGAIN;
	}
	/* greater than that of each end in the chain: the bucket keeps this one */
	feed_note(actor, max_u64(slot->stamp, bucket->stamp));
	if (!cas_acq_rel(&slot->lease, lease, LEASE_ENDED)) { /* a reader was quicker. pairs [S3] */
		feed_void(actor->record);
		return -EAGAIN;
	}
	fence_compiler();
	*ret_wake =
		finish_end(actor->arena, actor->record, bucket, slot, slot->current, actor->fenced);
	return 0;
}

void slot_prepare_end(struct actor *actor, const struct cart_head *cart, size_t room, uint32_t kind,
		      struct corral_text op_id)
{
	struct cart_head head;
	struct corral_key key;

	feed_forget(actor);
	if (!feed_wanted(actor, 0) || cart == NULL || cart_get_key(cart, room, &key) < 0)
		return;
	memcpy(&head, cart, sizeof(head));
	struct feed_entry *entry = feed_prepare(actor, 0,
						&(struct feed_about){ .kind = kind,
								      .time_ms = arena_wall_ms(),
								      .head = &head,
								      .key = &key,
								      .op_id = op_id });
	if (entry != NULL)
		feed_prepared(actor, 0, entry);
	feed_keep_version(actor, 0, cart, (uint32_t)min_u64(head.size, room));
}

static void tell_expired(struct actor *actor, const struct slot *slot)
{
	size_t room = 0;
	const struct cart_head *cart =
		slot_version(actor->arena, load_relaxed(&slot->current), &room);

	slot_prepare_end(actor, cart, room, CORRAL_EVENT_EXPIRED, (struct corral_text){ 0 });
}

int slot_end_if_over(struct actor *actor, struct bucket *bucket, struct slot *slot, int64_t now_ns,
		     bool *ret_wake)
{
	uint64_t lease = load_acquire(&slot->lease); /* pairs [S3] */

	if (lease_runs(lease) && now_ns < slot_deadline_ns(actor->arena, lease))
		return -EAGAIN;
	tell_expired(actor, slot);
	return slot_end(actor, bucket, slot, lease, ret_wake);
}

void slot_wake(struct arena *arena, struct slot *slot)
{
	uint32_t *births = &arena->header->births;

	if (slot != NULL) {
		futex_wake(&slot->change, INT_MAX);
		return;
	}
	fence_full(); /* the new cart is linked before we look for waiters. pairs [S4] */
	for (uint32_t seen = load_relaxed(births); (seen & 1) != 0; seen = load_relaxed(births))
		if (cas_acq_rel(births, seen, (seen & ~1u) + 2))
			futex_wake(births, INT_MAX);
}

/* ------------------------------------------------------------------- repair */

/*
 * If the cart had ended, do again what follows that. (The slot may have been freed since, and be
 * another cart's: then it is left alone.)
 */
static bool repair_end(struct arena *arena, struct thread_record *record, struct bucket *bucket,
		       struct slot *slot)
{
	block_ref current = load_acquire(
		&slot->current); /* before the lease: an inserter stores it after. pairs [S1] */

	if (load_relaxed(&slot->lease) != LEASE_ENDED ||
	    slot_bucket(arena, load_relaxed(&slot->hash)) != bucket)
		return false;
	(void)finish_end(arena, record, bucket, slot, current, true);
	return true;
}

static uint32_t repair_held(struct arena *arena, struct thread_record *record, struct slot *slot,
			    struct bucket *bucket)
{
	struct intent *intent = &record->intent;
	uint32_t found = 0;

	if (bucket != NULL && arena_slot(arena, intent->hand_slot) != NULL &&
	    chain_of(arena, bucket)->head == intent->hand_slot) {
		after_insert(arena, record, true); /* it was linked */
		found |= DEATH_INSERTED;
	}
	if (slot != NULL && bucket != NULL && repair_end(arena, record, bucket, slot))
		found |= DEATH_ENDED;
	if (slot != NULL && intent->hand != 0 && slot->current == intent->hand) {
		note_newest(arena, slot, intent->hand);
		(void)after_publish(arena, record, slot, true);
		found |= DEATH_PUBLISHED;
	}
	if (slot != NULL && intent->hand != 0) { /* still: not published */
		if (slot->current == intent->old)
			note(&intent->old, 0); /* old is still current, hand will be freed */
		found |= DEATH_UNPUBLISHED;
	}
	if (slot != NULL) { /* renewed for a change that was not published, or not settled yet */
		size_t room;
		const struct cart_head *cart =
			slot_version(arena, load_relaxed(&slot->current), &room);
		if (cart != NULL)
			settle_ttl(slot, load_relaxed(&cart->ttl_ms));
	}
	feed_void(record);     /* of what has happened it was told above */
	if (intent->hand != 0) /* salvage shall not take it for a published version */
		mark_block(arena, intent->hand, BLOCK_STALE);
	return found;
}

uint32_t slot_repair(struct arena *arena, struct thread_record *record, uint32_t name)
{
	struct intent *intent = &record->intent;
	struct slot *slot = arena_slot(arena, intent->slot);
	uint32_t number = load_relaxed(&intent->bucket) - 1;
	struct bucket *bucket = number <= arena->bucket_mask ? &arena->buckets[number] : NULL;
	uint32_t found = 0;

	if (slot != NULL && !lock_held_by(&slot->lock, name))
		slot = NULL;
	if (bucket != NULL && !lock_held_by(&bucket->lock, name))
		bucket = NULL;
	feed_repair(arena, intent, name); /* what is in hand may be an end's copy */
	found |= repair_held(arena, record, slot, bucket);
	if (slot != NULL) {
		futex_wake(&slot->change, INT_MAX);
		lock_release_of(&slot->lock, name);
		found |= DEATH_SLOT;
	}
	if (bucket != NULL) {
		lock_release_of(&bucket->lock, name);
		found |= DEATH_BUCKET;
	}
	return found;
}

/* ---------------------------------------------------------------- by number */

void slot_begin_numbered(struct arena *arena, uint32_t count)
{
	store_relaxed(&arena->header->slots_used_high, (uint32_t)min_u64(count, arena->max_carts));
}

void slot_end_numbered(struct arena *arena)
{
	struct arena_header *h = arena->header;

	h->slots_free = 0;
	for (uint32_t number = h->slots_used_high; number-- > 0;) {
		struct slot *slot = &arena->slots[number];
		if (slot->current != 0)
			continue;
		store_relaxed(&slot->next, h->slots_free);
		h->slots_free = number + 1;
	}
}
