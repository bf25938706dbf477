/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block.h: blocks, the pieces of memory that versions are built in.
 *
 * The modules of this layer. Each uses only those above it:
 *
 *   class         the sizes that blocks have
 *   span          which pages belong to which span, and the disk space behind them
 *   free_slot     slots without a cart
 *   block         the classes' lists of free blocks, and the threads' caches of them
 *   retire        blocks that readers may still see
 *   pressure      what to do when memory is short; giving disk space back
 *   allocate      a block for a writer
 *   block_repair  completes or undoes what a dead thread left half done
 *
 * At every instant, a block is in exactly one of these places:
 *   - never used: in its class between bump and bump_end
 *   - free: in its class's list, or in a thread's cache
 *   - in a thread's hand (intent.hand): being filled, or on its way to a list
 *   - live: the current version of a slot
 *   - about to be retired: intent.old
 *   - retired: in a thread's open, waiting or ready list
 *   - a thread's lane, or a copy of an ended cart, see store/feed_ends.h
 * and every step from one to the next is one store, described in advance in the thread's intent.
 * block_repair() resolves that intent under the locks that the dead thread held; the record's next
 * owner settles what is still in hand then.
 */
#ifndef CORRAL_BLOCK_H
#define CORRAL_BLOCK_H

#include "memory/class.h"
#include "sync/alive.h"

#define CACHE_BYTES_MAX (2048u * 1024) /* a thread's cache that holds more is emptied */

/* A block's header, or NULL if the reference or the header is implausible. */
static inline struct block_header *block_at(const struct arena *arena, block_ref ref)
{
	if (!arena_block_inside(arena, ref))
		return NULL;
	struct block_header *block = arena_block(arena, ref);

	if (unlikely(block->magic != BLOCK_MAGIC || block->class_no >= CLASS_COUNT ||
		     (uint64_t)ref * BLOCK_UNIT + class_bytes(block->class_no) >
			     (uint64_t)arena->space_end * BLOCK_UNIT))
		return NULL;
	return block;
}

/*
 * A list that was written to in bad faith may lead into a ring, where a walk would go on for as
 * long as the bound on lists says, each time. So a walk remembers one of the blocks, and from time
 * to time another one, after twice as many steps: coming back to it shows (Brent's way).
 */
struct ring {
	block_ref seen;
	uint32_t steps, most;
};

static inline bool ring_closes(struct ring *ring, block_ref at)
{
	if (at == ring->seen)
		return true;
	if (ring->steps++ >= ring->most) {
		ring->seen = at;
		ring->most = 2 * ring->steps;
		ring->steps = 0;
	}
	return false;
}

/*
 * Fill the actor's cache of a class if it is empty: from the class, or, if `waits` allows waiting
 * for locks, from a new span. 0, -ENOMEM (no block, no page), -ENOSPC ..., -EBUSY, -EUCLEAN.
 */
int block_refill(struct actor *actor, uint32_t class_no, bool waits);

/* Free the block in hand into the cache. Its slot, if it has one, is freed already. */
void block_free_hand(struct actor *actor);

/* The same for one of intent.copies. */
void block_free_copy(struct actor *actor, uint32_t which);

/*
 * Give the cache back to the classes, and a slot in hand to the free slots. Blocks of a class that
 * another thread has locked stay in the cache.
 */
void block_flush(struct actor *actor);

/*
 * The same, of at most *budget bytes, which is lowered by what was given back: for the caches of
 * many records. Sound caches hold at most the bytes of all blocks together.
 */
void block_flush_within(struct actor *actor, uint64_t *budget);

static inline uint64_t block_bytes_in_all(const struct arena *arena)
{
	return (uint64_t)arena->page_count * PAGE_BYTES;
}

#endif
