/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * damaged.c: the slots whose cart is known to have wrong checksums. They are found by the journal,
 * which verifies the carts it writes, and by the sweep, which verifies a part of all carts in each
 * of its rounds. header.carts_damaged has their number, for `corral status` and the metrics.
 *
 * There is a bit for each slot, in the agent's own memory: the next agent begins anew. The
 * journal's thread and the agent's both change the bits; a damaged cart is named in the log once.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent.h"
#include "base/atomic.h"
#include "cart/cart.h"
#include "store/slot.h"
#include "sync/grace.h"

int damaged_begin(struct agent *agent)
{
	struct arena *arena = agent->actor->arena;

	/* relaxed, here and below: the number is only shown */
	store_relaxed(&arena->header->carts_damaged, 0u);
	agent->damaged = calloc((arena->max_carts + 63) / 64, sizeof(*agent->damaged));
	return agent->damaged != NULL ? 0 : -ENOMEM;
}

void damaged_end(struct agent *agent)
{
	free(agent->damaged);
	agent->damaged = NULL;
}

static uint64_t bit_of(uint32_t number)
{
	return 1ull << (number % 64);
}

bool damaged_is(const struct agent *agent, uint32_t number)
{
	return (load_relaxed(&agent->damaged[number / 64]) & bit_of(number)) != 0;
}

bool damaged_note(const struct agent *agent, uint32_t number, bool damaged)
{
	uint32_t *count = &agent->actor->arena->header->carts_damaged;
	uint64_t *word = &agent->damaged[number / 64];
	uint64_t bit = bit_of(number);

	if (damaged_is(agent, number) == damaged)
		return false;
	uint64_t before = damaged ? fetch_or_acq_rel(word, bit) :
				    __atomic_fetch_and(word, ~bit, __ATOMIC_ACQ_REL);
	if (((before & bit) != 0) == damaged)
		return false; /* the other thread was quicker */
	(void)fetch_add_relaxed(count, damaged ? 1u : -1u);
	return true;
}

void damaged_look_at(struct agent *agent, uint32_t number)
{
	const struct arena *arena = agent->actor->arena;
	struct found found;

	grace_enter(agent->actor);
	int r = slot_load(arena, number, &found);
	if (r == 0 && cart_verify(found.cart, found.room) < 0)
		r = -EUCLEAN;
	/* -ESTALE: our view was revoked, and what we saw may have been anything */
	r = grace_leave_with(agent->actor, r);
	if (arena_withdrawn(arena))
		return; /* zeroes may stand in place of the arena */
	if (r != -ESTALE && damaged_note(agent, number, r == -EUCLEAN) && r == -EUCLEAN)
		log_line(LOG_WARNING, "the cart in slot %u is damaged: see corral check", number);
}
