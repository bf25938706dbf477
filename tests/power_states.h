/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_states.h: every state that a disk may be in when the power goes, out of a trace
 * (power_trace.h).
 *
 * The power may go before each step, and after the last. Of the steps before, those are settled
 * that a sync of their file (what is written into it) or of their directory (its entries) has
 * followed. The others are pending: each may have reached the disk or not, whatever became of the
 * rest, also of earlier ones. A rename is one step; a sync of either directory settles it. Of a
 * pending write any block of 512 bytes or of 4 KiB may be there or not; a file may have the size
 * that it got by pending writes, with zeroes where they did not arrive, or not.
 *
 * Up to 6 pending steps: all subsets of them. More: each alone missing, each alone there, the first
 * n there for each n, and as many random ones. Each pending write is torn, while all others are
 * there, after each block, without each single block, and at random. What gives the same files
 * under the same promise comes once.
 */
#ifndef POWER_STATES_H
#define POWER_STATES_H

#include "power_trace.h"

#define POWER_PENDING_MAX 256u

enum power_tear { POWER_WHOLE, POWER_FIRST_BLOCKS, POWER_ALL_BUT_ONE_BLOCK, POWER_RANDOM_BLOCKS };

struct power_state {
	uint32_t at; /* the power goes before this step */
	uint32_t pending[POWER_PENDING_MAX];
	bool kept[POWER_PENDING_MAX];
	uint32_t pending_count;
	bool grown; /* files have their size, whatever became of the writes */
	enum power_tear tear;
	uint32_t torn; /* this one of the pending steps */
	uint32_t block_bytes;
	uint64_t block; /* so many; which one; a seed */
	struct power_promise promise;
};

struct power_totals {
	uint64_t considered; /* with those that are the same */
	uint64_t states;
	uint64_t looked_at;
};

/* All of them; one in `stride` is handed to look(), of those with no torn write more. */
void power_states(uint64_t seed, uint32_t stride, void (*look)(const struct power_state *state),
		  struct power_totals *ret_totals);

/* For messages. */
void power_state_describe(const struct power_state *state, char *text, size_t size);

#endif
