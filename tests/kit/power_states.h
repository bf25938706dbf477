/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_states.h: every state that a disk may be in after a power loss, derived from a trace
 * (power_trace.h).
 *
 * The power may fail before each step, and after the last. A step before that point is settled if a
 * later sync of its file (for written bytes) or of its directory (for entries) precedes the power
 * loss. The other steps are pending: each may have reached the disk or not, independently of all
 * others, including earlier ones. A rename is one step; a sync of either directory settles it. Any
 * 512-byte or 4-KiB block of a pending write may be present or missing. A file may have the size
 * that pending writes gave it, with zeroes where they did not arrive, or not.
 *
 * Up to 6 pending steps: all their subsets. More: each one alone missing, each one alone present,
 * the first n present for each n, and as many random subsets. Each pending write is torn, with all
 * others present, after each block, without each single block, and at random. States with the same
 * files and the same promise come once.
 */
#ifndef POWER_STATES_H
#define POWER_STATES_H

#include "power_trace.h"

#define POWER_PENDING_MAX 256u

enum power_tear { POWER_WHOLE, POWER_FIRST_BLOCKS, POWER_ALL_BUT_ONE_BLOCK, POWER_RANDOM_BLOCKS };

struct power_state {
	uint32_t at; /* the power fails before this step */
	uint32_t pending[POWER_PENDING_MAX];
	bool kept[POWER_PENDING_MAX];
	uint32_t pending_count;
	bool grown; /* files have their full size, even where writes did not arrive */
	enum power_tear tear;
	uint32_t torn; /* the pending step that is torn */
	uint32_t block_bytes;
	uint64_t block; /* a number of blocks, a block's number, or a seed */
	struct power_promise promise;
};

struct power_totals {
	uint64_t considered; /* including duplicates */
	uint64_t states;
	uint64_t looked_at;
};

/* Enumerate all states; look() gets one in `stride`, and more of those without a torn write. */
void power_states(uint64_t seed, uint32_t stride, void (*look)(const struct power_state *state),
		  struct power_totals *ret_totals);

/* Describe the state in messages. */
void power_state_describe(const struct power_state *state, char *text, size_t size);

#endif
