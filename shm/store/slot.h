/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slot.h: carts by key: buckets, chains, slots. Finding takes no lock; changing needs the
 * locks named. Knows keys and versions' heads, nothing of what is in a cart.
 */
#ifndef CORRAL_SLOT_H
#define CORRAL_SLOT_H

#include <errno.h>

#include "arena/layout.h"
#include "arena/lease.h"
#include "base/atomic.h"
#include "base/hash.h"
#include "cart/cart.h"
#include "sync/alive.h"

#define SLOT_GUESS_STEPS 16 /* longer chains are rare */
#define SLOT_PREFETCH_LINES 16

/* Hash of a key in this arena: keyed with its secret seed. */
static inline uint64_t slot_hash(const struct arena *arena, const struct corral_key *key)
{
	/*
	 * one after the other, the first one's hash the second one's seed: ("ab", "c") is not ("a",
	 * "bc")
	 */
	uint64_t hash = XXH3_64bits_withSeed(key->restaurant_id.data, key->restaurant_id.size,
					     arena->hash_seed);

	return XXH3_64bits_withSeed(key->session_id.data, key->session_id.size, hash);
}

static inline struct bucket *slot_bucket(const struct arena *arena, uint64_t hash)
{
	return &arena->buckets[hash & arena->bucket_mask];
}

static inline struct chain *slot_chain(const struct arena *arena, uint64_t hash)
{
	return &arena->chains[hash & arena->bucket_mask];
}

/*
 * Before the cart is looked for: ask for all its cache lines, those of its version at the place
 * that the hint names. Chain, slot and version follow from one another, so without this each cache
 * miss would wait for the one before.
 */
static inline __attribute__((always_inline)) void slot_prefetch(const struct arena *arena,
								const struct chain *chain)
{
	const uint8_t *version = (const uint8_t *)arena_block(arena, load_relaxed(&chain->hint));

	/* only an address, even of a damaged head: nothing is read there */
	__builtin_prefetch(
		(const void *)((uintptr_t)arena->slots +
			       (uint64_t)(load_relaxed(&chain->head) - 1) * sizeof(struct slot)));
	__builtin_prefetch(
		version +
		2 * CACHE_LINE); /* version, size and the ids, which may go on in the next line */
	__builtin_prefetch(version + 3 * CACHE_LINE);
}

/*
 * The same for a caller that will read most of the version: also its first lines, from which on the
 * processor fetches ahead by itself.
 */
static inline void slot_prefetch_whole(const struct arena *arena, const struct chain *chain)
{
	const uint8_t *version = (const uint8_t *)arena_block(arena, load_relaxed(&chain->hint));

	slot_prefetch(arena, chain);
	__builtin_prefetch(version);
	__builtin_prefetch(version + CACHE_LINE);
	for (uint32_t line = 4; line < SLOT_PREFETCH_LINES; line++)
		__builtin_prefetch(version + line * CACHE_LINE);
}

static_assert(offsetof(struct cart_head, version) + sizeof(struct block_header) == 2 * CACHE_LINE &&
		      sizeof(struct cart_head) + sizeof(struct block_header) < 3 * CACHE_LINE,
	      "what finding takes begins the third line");

/* A cart that was found; valid within the read-side section, or while the slot's lock is held. */
struct found {
	struct slot *slot;
	const struct cart_head *cart;
	size_t room; /* bytes up to the end of the arena: the version cannot have more */
	uint64_t lease;
};

/*
 * The cart in a slot whose lock is held, if it is (still) that of the key. 0, -ENOENT, -EUCLEAN. A
 * cart whose time is up is found too: slot_judge() decides.
 */
int slot_recheck(const struct arena *arena, struct slot *slot, uint64_t hash,
		 const struct corral_key *key, struct found *ret_found);

/* In a section: the cart in a slot, of any key. 0, -ENOENT, -EUCLEAN; slot_judge() decides. */
int slot_load(const struct arena *arena, uint32_t number, struct found *ret_found);

/* From this arena time on, the time of a cart with such a lease is up. */
static inline int64_t slot_deadline_ns(const struct arena *arena, uint64_t lease)
{
	return lease_deadline_ns(lease, load_relaxed(&arena->header->ttl_ns)); /* a setting */
}

/*
 * Is a cart that was found still alive for a caller that read the clock at now_ns? Every answer
 * about a cart that was found comes from here. (A read that finds the lease renewed less than a
 * grain ago knows the answer without asking.)
 *
 *   0        the cart is there; *ret_deadline_ns says until when
 *   -ENOENT  its time is up. That is final when this returns: the slot has LEASE_OVER, and is
 *            marked for the journal
 *   -EAGAIN  its lease has changed since it was found: look again
 *
 * fenced: the actor's, as for the dirty mark. In a section, or with the slot's lock.
 */
int slot_judge(struct arena *arena, const struct found *found, int64_t now_ns, bool fenced,
	       int64_t *ret_deadline_ns);

/*
 * In a section: slot_load() and slot_judge(), repeated while the lease changes. 0, -ENOENT,
 * -EUCLEAN; -EBUSY: the lease changes each time we look, which only a hostile member of the group
 * brings about.
 */
int slot_look(struct arena *arena, uint32_t number, bool fenced, struct found *ret_found,
	      int64_t *ret_deadline_ns);

/* An activity that changes nothing. False: the lease has changed since: look again. */
bool slot_touch(struct arena *arena, const struct found *found, int64_t now_ns, bool fenced);

/* Note which locks are about to be wanted. Before lock_take(). */
void slot_want(struct actor *actor, struct bucket *bucket, struct slot *slot);

/*
 * The slot's lock is held, and a change is about to be published: renew the lease, for the former
 * or the new time to live, whichever is longer. 0; -EAGAIN: the cart's time is up, or it has ended:
 * look again. Nothing renews the lease between this and the end of the call: if the time is up
 * before the change is published, then the change came just before the end.
 */
int slot_renew(struct arena *arena, struct slot *slot, int64_t now_ns, uint64_t ttl_ms,
	       bool fenced);

/*
 * Publish the version in hand as the slot's current one: the slot's lock is held, and the lease was
 * renewed. The former version is then in intent.old, to be retired once the lock is dropped. head:
 * of the version in hand; recount: its status may differ from the former one's. True: a thread
 * sleeps on slot->change.
 */
bool slot_publish(struct actor *actor, struct slot *slot, const struct cart_head *head,
		  bool recount);

/* The same for a new cart, in the place of one that is over (LEASE_OVER). */
bool slot_publish_anew(struct actor *actor, struct slot *slot, uint32_t size, uint64_t ttl_ms,
		       int64_t now_ns);

/*
 * Link intent.hand_slot with the version in hand into the bucket whose lock is held. 0; -EUCLEAN:
 * it is no slot.
 */
int slot_insert(struct actor *actor, struct bucket *bucket, uint64_t hash, uint32_t size,
		uint64_t ttl_ms, int64_t now_ns);

/*
 * End a cart whose lease is known: readers no longer find it; its version is in intent.old, and its
 * slot is freed with it. Both locks are held. 0; -EAGAIN: the lease has changed since: look again.
 * *ret_wake: a thread sleeps on slot->change.
 */
int slot_end(struct actor *actor, struct bucket *bucket, struct slot *slot, uint64_t lease,
	     bool *ret_wake);

/*
 * Under the slot's lock, before slot_end(): prepare the event of the end of this cart, of a kind
 * CORRAL_EVENT_...; nothing is told of a damaged one.
 */
void slot_prepare_end(struct actor *actor, const struct cart_head *cart, size_t room, uint32_t kind,
		      struct corral_text op_id);

/* End the cart if its time is up. -EAGAIN: it still lives, or has ended. *ret_wake: slot_end(). */
int slot_end_if_over(struct actor *actor, struct bucket *bucket, struct slot *slot, int64_t now_ns,
		     bool *ret_wake);

/* Wake the threads that wait for the slot's change, or (NULL) for any new cart. */
void slot_wake(struct arena *arena, struct slot *slot);

/*
 * Resolve the intents of this layer for a dead thread, and free its slot and bucket locks. Never
 * waits. Returns what was found, DEATH_... of death_log.h.
 */
uint32_t slot_repair(struct arena *arena, struct thread_record *record, uint32_t name);

/*
 * For a slot with the hash of the key that is looked for, whose version has another key. True: the
 * version is damaged, and may be the cart that is looked for; a caller that took this for "no such
 * cart" would make a second one. False: two keys have one hash.
 */
bool slot_key_damaged(uint64_t hash, const struct cart_head *cart, size_t room);

/* ------------------------------------------------- finding, inlined into every read */

/*
 * The version that a reference names, and how many bytes there are up to the end of the arena (its
 * class is not looked at, which saves a cache line). NULL: there is no room for one.
 */
static inline __attribute__((always_inline)) const struct cart_head *
slot_version(const struct arena *arena, block_ref ref, size_t *ret_room)
{
	const size_t header = sizeof(struct block_header);

	if (unlikely(!arena_block_inside(arena, ref)))
		return NULL;
	*ret_room = (size_t)(arena->space_end - ref) * BLOCK_UNIT - header;
	if (unlikely(*ret_room < sizeof(struct cart_head)))
		return NULL;
	return (const struct cart_head *)(arena_block(arena, ref) + 1);
}

/* Is this the version of a cart, and of this one? */
static inline __attribute__((always_inline)) int slot_look_at(const struct arena *arena,
							      block_ref current, uint64_t hash,
							      const struct corral_key *key,
							      struct found *found)
{
	found->cart = slot_version(arena, current, &found->room);
	if (unlikely(found->cart == NULL))
		return -EUCLEAN;
	if (likely(cart_has_key(found->cart, found->room, key)))
		return 0;
	return slot_key_damaged(hash, found->cart, found->room) ? -EUCLEAN : -ENOENT;
}

/*
 * A slot's lease and current version, as one: the lease is read before the version and again after
 * it. False: it has changed meanwhile, and the version may go with another lease. One after the
 * other, so that a writer that wants this cache line back takes it once.
 */
static inline __attribute__((always_inline)) bool
slot_read(const struct slot *slot, uint64_t *ret_lease, block_ref *ret_current)
{
	*ret_lease = load_acquire(&slot->lease);         /* before current. pairs [S3] */
	*ret_current = load_acquire(&slot->current);     /* its bytes are written. pairs [S1] */
	return load_relaxed(&slot->lease) == *ret_lease; /* after current. pairs [S3] */
}

/*
 * Find a cart. The caller is in a read-side critical section. 0, -ENOENT, or -EUCLEAN when the
 * chain or the version is damaged. A cart whose time is up is found too: slot_judge() decides.
 */
static inline __attribute__((always_inline)) int slot_find(const struct arena *arena, uint64_t hash,
							   const struct corral_key *key,
							   struct found *ret_found)
{
	/* the slot's words are filled in. pairs [S2] */
	slot_link link = load_acquire(&slot_chain(arena, hash)->head);
	uint32_t bound = arena->max_carts;

	while (link != 0 && bound-- > 0) {
		struct slot *slot = arena_slot(arena, link);
		if (unlikely(slot == NULL))
			return -EUCLEAN;
		if (likely(load_relaxed(&slot->hash) == hash)) { /* ordered by the link [S2] */
			uint64_t lease =
				load_acquire(&slot->lease); /* before current. pairs [S3] */
			block_ref current = load_acquire(&slot->current); /* pairs [S1] */
			if (likely(lease != LEASE_ENDED && current != 0)) {
				int r = slot_look_at(arena, current, hash, key, ret_found);
				ret_found->slot = slot;
				ret_found->lease = lease;
				if (likely(r != -ENOENT))
					return r;
			}
		}
		link = load_acquire(&slot->next); /* pairs [S2] */
	}
	return link == 0 ? -ENOENT : -EUCLEAN; /* a ring */
}

/*
 * The first slot of the chain with this hash, for a caller that will take the slot's lock and look
 * again (slot_recheck). Needs no read-side section, since slots stay slots and versions are not
 * looked at; so writers hold no grace period up, wherever they lose the processor. But a slot on
 * the way may be freed and linked elsewhere meanwhile, or two keys may have one hash. So false, or
 * a slot of another cart, does not mean that the cart is not there: slot_find() tells. chain: the
 * hash's.
 */
static inline bool slot_guess(const struct arena *arena, const struct chain *chain, uint64_t hash,
			      struct slot **ret_slot)
{
	slot_link link = load_acquire(&chain->head); /* pairs [S2] */

	for (int steps = 0; link - 1 < arena->max_carts && steps < SLOT_GUESS_STEPS; steps++) {
		struct slot *slot = &arena->slots[link - 1];
		*ret_slot = slot;
		if (likely(load_relaxed(&slot->hash) ==
			   hash)) /* relaxed: ordered by the link [S2] */
			return true;
		link = load_acquire(&slot->next); /* pairs [S2] */
	}
	return false;
}

/*
 * In an arena that only we use. slot_begin_numbered(): from here on, slots below `count` are taken
 * by number (the caller sets intent.hand_slot). slot_end_numbered(): those that hold no cart are
 * free.
 */
void slot_begin_numbered(struct arena *arena, uint32_t count);
void slot_end_numbered(struct arena *arena);

#endif
