/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block.h: memory: size classes, spans of pages, retired blocks, free slots.
 *
 * A block is at every instant in exactly one of these places:
 *   - never used: in its class between bump and bump_end
 *   - free: in its class's list, or in a thread's cache
 *   - in a thread's hand (intent.hand): being filled, or on its way to a list
 *   - live: the current version of a slot
 *   - about to be retired: intent.old
 *   - retired: in a thread's open, waiting or ready list
 * and every step from one to the next is one store, told beforehand in the thread's
 * intent. What the intent says is resolved by block_repair() under the locks the dead one
 * held; what is then still in hand is settled by the record's next owner.
 */
#ifndef CORRAL_BLOCK_H
#define CORRAL_BLOCK_H

#include "arena/layout.h"
#include "sync/alive.h"

/* ------------------------------------------------------------ size classes */

/*
 * Classes: 256 to 1024 bytes in steps of 64, then sixteen to each doubling up to 1 MiB (the last
 * one 64 bytes more, for a cart of CORRAL_CART_MAX and its block header): at most 1/16 wasted.
 */
static inline uint32_t block_class_of(uint32_t bytes)
{
	if (bytes <= CLASS_SMALLEST)
		return 0;
	if (bytes <= 1024)
		return (bytes - CLASS_SMALLEST + 63) / 64;
	if (bytes > 1024 * 1024)
		return CLASS_COUNT - 1;
	uint32_t exponent = 31 - (uint32_t)__builtin_clz(bytes - 1);

	return 12 + (exponent - 10) * 16 + (((bytes - 1) >> (exponent - 4)) & 15) + 1;
}

static inline uint32_t block_class_bytes(uint32_t class)
{
	if (class <= 12)
		return CLASS_SMALLEST + 64 * class;
	if (class >= CLASS_COUNT - 1)
		return CLASS_LARGEST;
	uint32_t exponent = 10 + (class - 13) / 16;

	return (1u << exponent) + ((class - 13) % 16 + 1) * (1u << (exponent - 4));
}

/* Pages of a span of this class, and the blocks in it: at most 1/32 of a span is left over. */
uint32_t block_span_pages(uint32_t class);
uint32_t block_span_blocks(uint32_t class);

/* A block's header, if the reference and the header are plausible; else NULL. */
static inline struct block_header *block_at(const struct arena *arena, block_ref ref)
{
	if (!arena_block_inside(arena, ref))
		return NULL;
	struct block_header *block = arena_block(arena, ref);

	if (unlikely(block->magic != BLOCK_MAGIC || block->class >= CLASS_COUNT ||
		     (uint64_t)ref * BLOCK_UNIT + block_class_bytes(block->class) >
			     (uint64_t)arena->space_end * BLOCK_UNIT))
		return NULL;
	return block;
}

/* ------------------------------------------------------- what a writer does */

/*
 * Before a cart's lock is wanted: see to it that block_alloc() will find a block for `bytes` in the
 * cache, since getting one from elsewhere may take a grace period's barrier or other locks, for
 * which nobody who wants that cart should wait. The hand is empty. Waits for nobody.
 */
void block_stock(struct actor *actor, uint32_t bytes);

/*
 * Take a free block with room for `bytes` (header included) into the actor's hand. The hand must be
 * empty. -ENOMEM: the arena is full; -ENOSPC...: the disk is; -EUCLEAN.
 */
int block_alloc(struct actor *actor, uint32_t bytes);

/* Free the block in hand: into the cache. Its slot, if it has one, was freed before. */
void block_free_hand(struct actor *actor);

/*
 * The slot that ends with a block, which is noted in hand and first in a ready list, goes to the
 * free slots. False: somebody is at them; nothing was done.
 */
bool block_free_slot(struct actor *actor, struct block_header *block);

/*
 * Retire intent.old: into our open list; now and then, drive a grace period and free what is ready.
 * Waits for nobody.
 */
void block_retire_old(struct actor *actor);

/* Take a free slot into intent.hand_slot (or use the one still there). -ENFILE, -EBUSY. */
int block_take_slot(struct actor *actor);

/* ------------------------------------------------- what the agent does, too */

/*
 * Free what of target's retired lists has had its grace period; stamp the rest. False: somebody
 * else is at it.
 */
bool block_reclaim(struct actor *actor, struct thread_record *target);

/*
 * Reclaim from all records that have something retired; empty those that nobody owns; give all of
 * it back to the classes. What somebody else is at is passed over. True: something is still
 * retired, because somebody reads or is at it.
 */
bool block_reclaim_all(struct actor *actor);

/* Bytes that are retired and wait for sections that began in this phase or before; about. */
uint64_t block_held_back(const struct arena *arena, uint64_t phase);

/* Has this record anything in its lists, cache or hand? */
bool block_has_leftovers(const struct thread_record *record);

/*
 * Give the cache back to the classes, and a slot in hand to the free slots; what is locked by
 * others stays.
 */
void block_flush(struct actor *actor);

/* Settle what the last owner of our record left in hand. Before the record is used. */
void block_settle(struct actor *actor);

/* Give spans in which every block is free back to the page table. Returns the pages freed. */
uint32_t block_scavenge(struct actor *actor);

/*
 * Give disk space behind the last span back to the file system, `most` bytes at a time (a multiple
 * of EXTENT_BYTES), if at least `least` bytes of it are reserved. For quiet times, some time after
 * block_scavenge(). Returns the bytes given back; 0: there are none to give; -EBUSY: not now;
 * -EOPNOTSUPP ...: what fallocate() says.
 */
int64_t block_trim(struct actor *actor, uint64_t least, uint64_t most);

/* ------------------------------------------------------------------ repair */

/*
 * Resolve the intents of this floor for a dead thread, and free its locks of this floor. Never
 * waits. Returns DEATH_...
 */
uint32_t block_repair(struct arena *arena, struct thread_record *record, uint32_t name);

#endif
