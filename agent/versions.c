/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * versions.c: see versions.h. Linear in the slots and the buckets.
 */
#include "versions.h"
#include "agent.h"
#include "base/atomic.h"
#include "store/feed.h"

#define EPOCH_VERSIONS (1ull << VERSION_EPOCH_BITS)
#define LOST_VERSIONS (EPOCH_VERSIONS / 2) /* at least this many numbers are skipped */

/* The version of the cart in a slot; 0: there is none, or it is damaged. */
static uint64_t version_in(const struct arena *arena, const struct slot *slot)
{
	const uint64_t least = sizeof(struct block_header) + sizeof(struct cart_head);
	block_ref current = load_relaxed(&slot->current);

	if (!arena_block_inside(arena, current) ||
	    (uint64_t)(arena->space_end - current) * BLOCK_UNIT < least)
		return 0;
	return ((const struct cart_head *)(arena_block(arena, current) + 1))->version;
}

/* Ignore huge versions: one cart with such a version would leave no epoch for the others. */
static uint64_t greater(uint64_t greatest, uint64_t version)
{
	return version > greatest && version <= VERSION_MAX / 2 ? version : greatest;
}

static uint64_t greatest_version(const struct arena *arena)
{
	uint32_t slots =
		(uint32_t)min_u64(load_acquire(&arena->header->slots_used_high), arena->max_carts);
	uint64_t greatest = greater(0, load_relaxed(&arena->header->ended_version));

	for (uint32_t i = 0; i < slots; i++)
		greatest = greater(greatest, version_in(arena, &arena->slots[i]));
	for (uint32_t i = 0; i <= arena->bucket_mask; i++)
		greatest = greater(greatest, load_relaxed(&arena->buckets[i].version_floor));
	return greatest;
}

void versions_jump(struct arena *arena, uint32_t used)
{
	uint64_t greatest = greater(greatest_version(arena), arena_version_floor(arena));
	uint64_t epoch = (greatest + LOST_VERSIONS + EPOCH_VERSIONS - 1) >> VERSION_EPOCH_BITS;

	epoch = max_u64(epoch, used);
	if (epoch > VERSION_EPOCH_MAX) {
		epoch = VERSION_EPOCH_MAX;
		log_line(LOG_ERROR,
			 "the epochs of versions are used up: a version that was lost may "
			 "be given again");
	}
	store_relaxed(&arena->header->version_epoch, (uint32_t)epoch);
	feed_begin_epoch(arena); /* numbers of events may have been lost with the versions */
}
