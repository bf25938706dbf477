/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * allocate.c: a block for a writer: from the thread's cache, else from its own retired blocks, else
 * from the size class, else from what pressure.c finds.
 */
#include <errno.h>

#include "base/atomic.h"
#include "memory/allocate.h"
#include "memory/block.h"
#include "memory/class.h"
#include "memory/pressure.h"
#include "memory/retire.h"
#include "sync/lock.h"

#define MODEST_WAIT_NS 10000000ll

/* Refill from our own retired blocks, if their grace period is over; else from the class. */
static int restock(struct actor *actor, uint32_t class_no, bool waits)
{
	struct thread_record *record = actor->record;

	/* relaxed: another thread may be working on our lists; their lock decides */
	if (load_relaxed(&record->retired.waiting) != 0 ||
	    load_relaxed(&record->retired.ready) != 0)
		(void)block_reclaim(actor, record);
	return record->cache[class_no] == 0 ? block_refill(actor, class_no, waits) : 0;
}

void block_stock(struct actor *actor, uint32_t bytes)
{
	uint32_t class_no = class_of(bytes);

	if (unlikely(actor->record->cache[class_no] == 0))
		/* a failure shows again in block_alloc(), which reports it */
		(void)restock(actor, class_no, false);
}

/* The first block of our cache, if there is one, goes to a word of our intent. */
static int take_cached(struct actor *actor, uint32_t class_no, block_ref *word)
{
	struct thread_record *record = actor->record;
	block_ref ref = record->cache[class_no];
	struct block_header *block = block_at(actor->arena, ref);

	if (unlikely(block == NULL || block->class_no != class_no))
		return -EUCLEAN;
	note(word, ref);
	note(&record->cache[class_no], block->next);
	record->cached_bytes -= min_u64(class_bytes(class_no), record->cached_bytes);
	return 0;
}

bool block_take_modestly(struct actor *actor, uint32_t bytes, block_ref *word)
{
	const uint32_t class_no = class_of(bytes);
	const int64_t give_up_ns = actor->give_up_ns;
	const bool makes_room = actor->makes_room;
	int r = 0;

	if (actor->record->cache[class_no] == 0) {
		if (!actor->in_change) /* a change waits as for its other blocks */
			actor->give_up_ns = clock_now_ns() + MODEST_WAIT_NS;
		actor->makes_room = false;
		/* our retired blocks are freed by way of the hand */
		r = actor->record->intent.hand == 0 ? restock(actor, class_no, true) :
						      block_refill(actor, class_no, true);
		if (!actor->in_change)
			actor->give_up_ns = give_up_ns;
		actor->makes_room = makes_room;
	}
	return r == 0 && take_cached(actor, class_no, word) == 0;
}

int block_alloc(struct actor *actor, uint32_t bytes)
{
	struct thread_record *record = actor->record;
	uint32_t class_no = class_of(bytes);

	if (unlikely(record->cache[class_no] == 0)) {
		int r = restock(actor, class_no, true);
		if (r == -ENOMEM || r == -ENOSPC || r == -EBUSY)
			r = pressure_relieve(actor, &class_no, r);
		if (r < 0)
			return r;
	}
	return take_cached(actor, class_no, &record->intent.hand);
}
