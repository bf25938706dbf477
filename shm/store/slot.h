/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slot.h: carts by key: buckets, chains, slots. Finding takes no lock; changing needs the
 * locks named. Knows keys and versions' heads, nothing of what is in a cart.
 */
#ifndef CORRAL_SLOT_H
#define CORRAL_SLOT_H

#include <errno.h>

#include "arena/layout.h"
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
 * Before the cart is looked for: have all its cache lines on the way, those of its version too,
 * where the hint says. Chain, slot and version follow from one another, so without it each miss
 * would wait for the one before.
 */
static inline __attribute__((always_inline)) void slot_prefetch(const struct arena *arena,
								uint64_t hash)
{
	const struct chain *chain = slot_chain(arena, hash);
	const uint8_t *version = (const uint8_t *)arena_block(arena, load_relaxed(&chain->hint));

	/* an address, whatever the head is: nothing is read there */
	__builtin_prefetch(
		(const void *)((uintptr_t)arena->slots +
			       (uint64_t)(load_relaxed(&chain->head) - 1) * sizeof(struct slot)));
	__builtin_prefetch(
		version +
		2 * CACHE_LINE); /* version, size and the ids, which may go on in the next line */
	__builtin_prefetch(version + 3 * CACHE_LINE);
}

/*
 * The same for who will read all of the version, or much of it: the first lines, from where on the
 * processor sees where it goes.
 */
static inline void slot_prefetch_whole(const struct arena *arena, uint64_t hash)
{
	const uint8_t *version =
		(const uint8_t *)arena_block(arena, load_relaxed(&slot_chain(arena, hash)->hint));

	slot_prefetch(arena, hash);
	__builtin_prefetch(version);
	__builtin_prefetch(version + CACHE_LINE);
	for (uint32_t line = 4; line < SLOT_PREFETCH_LINES; line++)
		__builtin_prefetch(version + line * CACHE_LINE);
}

static_assert(offsetof(struct cart_head, version) + sizeof(struct block_header) == 2 * CACHE_LINE &&
		      sizeof(struct cart_head) + sizeof(struct block_header) < 3 * CACHE_LINE,
	      "what finding takes begins the third line");

/* What was found; valid within the read-side critical section, or while the slot's lock is held. */
struct found {
	struct slot *slot;
	const struct cart_head *cart;
	size_t room; /* bytes up to the end of the arena: the version cannot have more */
	int64_t touched_ns;
};

/* The cart in a slot whose lock is held, if it is (still) that of the key. 0, -ENOENT, -EUCLEAN. */
int slot_recheck(const struct arena *arena, struct slot *slot, uint64_t hash,
		 const struct corral_key *key, struct found *ret_found);

/* From this arena time on, the cart in the slot is gone. */
int64_t slot_deadline_ns(const struct arena *arena, const struct slot *slot, int64_t touched_ns);

/* Note which locks are about to be wanted. Before lock_take(). */
void slot_want(struct actor *actor, struct bucket *bucket, struct slot *slot);

/*
 * Publish the version in hand as the slot's current one: the slot's lock is held. The former
 * version is then in intent.old, to be retired once the lock is dropped. replaces_ended: the former
 * one's time is up, and slot_forgo() was called. True: somebody sleeps on slot->change.
 */
bool slot_publish(struct actor *actor, struct slot *slot, uint32_t size, uint64_t ttl_ms,
		  int64_t now_ns, bool replaces_ended);

/*
 * Link intent.hand_slot with the version in hand into the bucket whose lock is held. 0; -EUCLEAN:
 * it is no slot.
 */
int slot_insert(struct actor *actor, struct bucket *bucket, uint64_t hash, uint32_t size,
		uint64_t ttl_ms, int64_t now_ns);

/*
 * End a cart: it is found no more; its version is in intent.old, and its slot is freed with it.
 * Both locks are held.
 * True: somebody sleeps on slot->change.
 */
bool slot_end(struct actor *actor, struct bucket *bucket, struct slot *slot);

/*
 * End it only if its time is up and no reader renews it at this moment. -EAGAIN: it lives.
 * *ret_wake as slot_end().
 */
int slot_end_if_over(struct actor *actor, struct bucket *bucket, struct slot *slot, int64_t now_ns,
		     bool *ret_wake);

/* A reader's touch: false when somebody else has changed the time meanwhile: look again. */
bool slot_touch(struct slot *slot, int64_t touched_ns, int64_t now_ns);

/* For the journal, if one is kept: the slot's time was renewed. */
void slot_mark_touched(struct arena *arena, struct slot *slot, bool fenced);

/*
 * Before anybody is told that a cart's time is up: from now on no reader whose clock reading is old
 * can renew it. False: somebody just has, look again. A death right after it leaves a cart whose
 * time is up.
 */
bool slot_forgo(struct slot *slot, int64_t touched_ns);

/* Wake those who wait for the slot's change, or (NULL) for any new cart. */
void slot_wake(struct arena *arena, struct slot *slot);

/*
 * Resolve the intents of this floor for a dead thread, and free its slot and bucket locks. Never
 * waits. What was found, DEATH_... of deaths.h.
 */
uint32_t slot_repair(struct arena *arena, struct thread_record *record, uint32_t name);

/*
 * A slot has the hash of the key that is looked for, and its version another key. True: the version
 * is damaged, and may be the cart that is looked for; a caller that took this for "no such cart"
 * would make a second one. False: two keys have one hash.
 */
bool slot_key_damaged(uint64_t hash, const struct cart_head *cart, size_t room);

/* ------------------------------------------------- finding, inlined into every read */

/* Is this the version of a cart, and of this one? */
static inline __attribute__((always_inline)) int slot_look_at(const struct arena *arena,
							      block_ref current, uint64_t hash,
							      const struct corral_key *key,
							      struct found *found)
{
	if (unlikely(!arena_block_inside(arena, current)))
		return -EUCLEAN;
	const struct block_header *block = arena_block(arena, current);
	const struct cart_head *cart = (const struct cart_head *)(block + 1);
	/* the class is not looked at (a cache line saved); the arena's end bounds it */
	size_t room = (size_t)(arena->space_end - current) * BLOCK_UNIT - sizeof(*block);

	if (unlikely(room < sizeof(*cart)))
		return -EUCLEAN;
	if (unlikely(!cart_has_key(cart, room, key)))
		return slot_key_damaged(hash, cart, room) ? -EUCLEAN : -ENOENT;
	found->cart = cart;
	found->room = room;
	return 0;
}

/*
 * Find a cart. The caller is in a read-side critical section. 0, -ENOENT, or -EUCLEAN when the
 * chain or the version is damaged. Carts whose time is up are found too: the caller looks at the
 * clock.
 */
static inline __attribute__((always_inline)) int slot_find(const struct arena *arena, uint64_t hash,
							   const struct corral_key *key,
							   struct found *ret_found)
{
	slot_link link = load_acquire(
		&slot_chain(arena, hash)->head); /* the slot's words are filled in. pairs [S2] */
	uint32_t bound = arena->max_carts;

	while (link != 0 && bound-- > 0) {
		struct slot *slot = arena_slot(arena, link);
		if (unlikely(slot == NULL))
			return -EUCLEAN;
		if (likely(load_relaxed(&slot->hash) ==
			   hash)) { /* relaxed: ordered by the link [S2] */
			int64_t touched =
				load_acquire(&slot->touched_ns); /* before current. pairs [S3] */
			block_ref current = load_acquire(
				&slot->current); /* its bytes are written. pairs [S1] */
			if (likely(touched != TOUCHED_ENDED && current != 0)) {
				int r = slot_look_at(arena, current, hash, key, ret_found);
				ret_found->slot = slot;
				ret_found->touched_ns = touched;
				if (likely(r != -ENOENT))
					return r;
			}
		}
		link = load_acquire(&slot->next); /* pairs [S2] */
	}
	return link == 0 ? -ENOENT : -EUCLEAN; /* a ring */
}

/*
 * For who will take the slot's lock and look again (slot_recheck): the first slot of the chain with
 * this hash. Needs no read-side section, since slots stay slots and versions are not looked at; so
 * writers hold no grace period up, wherever they lose the processor. But a slot on the way may be
 * freed and linked elsewhere meanwhile, or two keys have one hash: NULL, or a slot that is another
 * cart's, are no answers; then slot_find() gives one.
 */
static inline struct slot *slot_guess(const struct arena *arena, uint64_t hash)
{
	slot_link link = load_acquire(&slot_chain(arena, hash)->head); /* pairs [S2] */

	for (int steps = 0; link - 1 < arena->max_carts && steps < SLOT_GUESS_STEPS; steps++) {
		struct slot *slot = &arena->slots[link - 1];
		if (likely(load_relaxed(&slot->hash) ==
			   hash)) /* relaxed: ordered by the link [S2] */
			return slot;
		link = load_acquire(&slot->next); /* pairs [S2] */
	}
	return NULL;
}

/*
 * In an arena that is ours alone: from here on, slots below `count` are taken by number
 * (intent.hand_slot is set); then: those of them that hold no cart are free.
 */
void slot_begin_numbered(struct arena *arena, uint32_t count);
void slot_end_numbered(struct arena *arena);

#endif
