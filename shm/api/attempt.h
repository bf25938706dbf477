/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attempt.h: one attempt to change an existing cart, from finding it to publishing the new version;
 * for change.c.
 */
#ifndef CORRAL_ATTEMPT_H
#define CORRAL_ATTEMPT_H

#include "api/handle.h"
#include "cart/cart.h"
#include "store/slot.h"

/* One change under way. */
struct attempt {
	struct corral *corral;
	struct actor *actor;
	const struct corral_key *key;
	struct cart_change *change;
	struct cart_plan plan;
	int64_t now_ns;
	uint64_t idle_ns; /* of a version from elsewhere: the time since its last activity */
	const struct corral_op *op;
	int64_t give_up_ns;  /* CLOCK_MONOTONIC: the call's own deadline; 0: none */
	bool content_wanted; /* op asks for whole versions, see content.h */
	bool held;           /* a read-side section keeps `now`, which is to be handed out */
	bool delivered;      /* `now` has been handed out */
	const struct cart_head *now;
	int refused; /* what the last plan said, and of which step */
	uint32_t refused_step;
	uint32_t adds_bytes; /* what the steps add to the version, about */
	bool checks_out;     /* a step does */
	bool wake;           /* a thread sleeps on the slot's change word */
};

/* Does the change make the cart, if there is none? */
bool attempt_makes_cart(const struct cart_change *change);

/*
 * Read the clock, and note the time in the intent: under a lock, reports tell from it how long the
 * lock has been held.
 */
void attempt_look_at_clock(struct attempt *attempt);

/* The time that was read. (attempt->now_ns is that of the activity: earlier, for a version from
 * elsewhere.) */
int64_t attempt_clock_ns(const struct attempt *attempt);

/* Plan the change as cart_plan() does, with the present time. */
int attempt_plan(struct attempt *attempt, const struct cart_head *old, size_t room);

/*
 * Build the plan's version in a block that is then in hand; nothing else changes. `locked`: no
 * other thread can change or free `old`. 0 or -errno.
 */
int attempt_build(struct attempt *attempt, const struct cart_head *old, bool locked);

static inline struct corral_text attempt_op_id(const struct attempt *attempt)
{
	return attempt->op != NULL ? attempt->op->id : (struct corral_text){ 0 };
}

/*
 * Prepare the event of the planned change, as the first or the second one of the call (place 0 or
 * 1); attempt_build() has done so, as the first.
 */
void attempt_tell(struct attempt *attempt, uint32_t place);

uint64_t attempt_ttl_ms(const struct attempt *attempt);

/*
 * Change the cart in this slot. 0; 1: the change was made before; -EAGAIN: the slot has another
 * cart by now; -errno.
 */
int attempt_existing(struct attempt *attempt, struct slot *slot);

#endif
