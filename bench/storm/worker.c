/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.c: a worker process of a storm. See worker.h.
 *
 * Each thread chooses a cart and a call, logs the call, takes a ticket, makes the call, and logs
 * the answer. The call at which its predecessor in the slot was killed is sent again first, with
 * the same operation id.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "harness/bench.h"
#include "worker.h"

#define HOT_CARTS 6u /* every fourth call is for one of these, so that calls meet */
#define HOT_OF 4u
#define PAUSE_NS 50000
#define LINES_GUESSED 8u
#define TTL_MS_MIN 600000u
#define RATES 200000u
#define VALUES 158u /* see set_attribute() in call.c */

/* What a thread remembers about a cart. */
struct memory {
	uint32_t round;
	uint32_t line;
	uint64_t version;
};

struct hand {
	const struct storm_worker_plan *plan;
	struct corral *corral;
	struct storm_ring *ring;
	uint32_t thread;
	uint64_t random;
	uint64_t returned_ns; /* of the last call, if only our own code ran since; or 0 */
	struct memory memories[STORM_CARTS];
};

static void rest(struct hand *hand)
{
	struct timespec pause = { .tv_nsec = PAUSE_NS };

	nanosleep(&pause, NULL);
	hand->returned_ns = 0;
}

/* ------------------------------------------------------------------ choose */

static uint32_t below(struct hand *hand, uint32_t bound)
{
	return bench_random_below(&hand->random, bound);
}

/* Choose a cart whose gate is open; false: none is open. */
static bool choose_cart(struct hand *hand, uint32_t *ret_cart, uint32_t *ret_round)
{
	uint32_t first = below(hand, below(hand, HOT_OF) == 0 ? HOT_CARTS : STORM_CARTS);

	for (uint32_t i = 0; i < STORM_CARTS; i++) {
		uint32_t cart = (first + i) % STORM_CARTS;
		uint64_t word = load_acquire(&hand->plan->op_log->gates[cart].word);

		if ((uint32_t)word == 0)
			continue;
		*ret_cart = cart;
		*ret_round = (uint32_t)(word >> 32);
		return true;
	}
	return false;
}

static uint8_t choose_kind(struct hand *hand, bool may_drop)
{
	static const uint8_t weights[STORM_KINDS] = {
		[STORM_ADD] = 60,   [STORM_SET] = 20,    [STORM_REMOVE] = 12,
		[STORM_CLEAR] = 5,  [STORM_TAX] = 10,    [STORM_ATTRIBUTE] = 12,
		[STORM_TTL] = 6,    [STORM_REPLACE] = 8, [STORM_CHECKOUT] = 1,
		[STORM_APPLY] = 26, [STORM_DROP] = 8,    [STORM_READ] = 20,
		[STORM_COPY] = 11,  [STORM_LIST] = 1,
	};
	uint32_t at = below(hand, 200); /* the sum of the weights */
	uint8_t kind = 0;

	while (at >= weights[kind])
		at -= weights[kind++];
	return kind == STORM_DROP && !may_drop ? STORM_ADD : kind;
}

static uint32_t choose_value(struct hand *hand, uint8_t kind)
{
	if (kind == STORM_TTL)
		return TTL_MS_MIN + below(hand, 1000);
	if (kind == STORM_CHANGE)
		return below(hand, 6) - 2; /* wraps: it is a difference */
	if (kind == STORM_LINE_TAX)
		return below(hand, 3) * 95000; /* so few that with the cart's they are never 8 */
	return below(hand, kind == STORM_ATTRIBUTE ? VALUES : RATES);
}

/* Adjustments that leave no total below zero. */
static void choose_adjustment(struct hand *hand, struct storm_step *step)
{
	static const uint32_t most[STORM_ADJUSTMENTS] = {
		[STORM_DISCOUNT] = 150000,
		[STORM_FEE] = 500,
		[STORM_TIP] = 250000,
	};

	step->name = (uint8_t)below(hand, STORM_ADJUSTMENTS);
	step->value = below(hand, 8) == 0 ? 0 : 1 + below(hand, most[step->name]);
}

/* Mostly steps that a cart accepts: one that is refused refuses the others. */
static void choose_steps(struct hand *hand, const struct memory *memory, struct storm_call *call)
{
	static const uint8_t kinds[] = { STORM_ADD,    STORM_ADD,      STORM_ADD,   STORM_ADD,
					 STORM_ADD,    STORM_SET,      STORM_SET,   STORM_CHANGE,
					 STORM_CHANGE, STORM_REMOVE,   STORM_TAX,   STORM_ATTRIBUTE,
					 STORM_TTL,    STORM_LINE_TAX, STORM_ADJUST };

	call->step_count = (uint8_t)(1 + below(hand, STORM_STEPS));
	for (uint32_t i = 0; i < call->step_count; i++) {
		struct storm_step *step = &call->steps[i];

		step->kind = kinds[below(hand, sizeof(kinds))];
		if (below(hand, 64) == 0)
			step->kind = below(hand, 8) == 0 ? STORM_CHECKOUT : STORM_CLEAR;
		step->item = step->kind != STORM_ADD || below(hand, 2) == 0 ?
				     below(hand, STORM_COMMON_ITEMS) :
				     STORM_COMMON_ITEMS + call->op * 4 + i;
		step->line = below(hand, 3) == 0 ? 1 + below(hand, memory->line + 2) : 0;
		step->quantity = (step->kind == STORM_SET ? 0 : 1) + below(hand, 5);
		step->name = (uint8_t)below(hand, STORM_ATTRIBUTES);
		step->value = choose_value(hand, step->kind);
		if (step->kind == STORM_ADJUST)
			choose_adjustment(hand, step);
	}
}

static void choose_call(struct hand *hand, struct storm_call *call)
{
	struct memory *memory = &hand->memories[call->cart];
	bool may_drop = load_relaxed(&hand->plan->op_log->gates[call->cart].may_drop) != 0;

	if (memory->round != call->round)
		*memory = (struct memory){ .round = call->round };
	call->kind = choose_kind(hand, may_drop);
	call->item = below(hand, 2) == 0 ? below(hand, STORM_COMMON_ITEMS) :
					   STORM_COMMON_ITEMS + call->op * 4;
	if (call->kind == STORM_REPLACE)
		call->item = STORM_COMMON_ITEMS + call->op * 4; /* its lines must not merge */
	call->line = 1 + below(hand, memory->line + LINES_GUESSED);
	call->quantity = (call->kind == STORM_SET ? 0 : 1) + below(hand, 5);
	call->name = (uint8_t)below(hand, STORM_ATTRIBUTES);
	call->value = choose_value(hand, call->kind);
	if (call->kind == STORM_APPLY)
		choose_steps(hand, memory, call);
	if (storm_is_change(call) && (call->kind == STORM_REPLACE || below(hand, 12) == 0))
		call->if_version = memory->version;
}

/* -------------------------------------------------------------------- call */

static bool take_ticket(struct hand *hand, const struct storm_call *call)
{
	uint64_t *gate = &hand->plan->op_log->gates[call->cart].word;
	uint64_t word = load_acquire(gate);

	while (word >> 32 == call->round && (uint32_t)word > 0) {
		/*
		 * Sequentially consistent: the ticket is taken after the call is in the log, see
		 * the checker's reads of the gates.
		 */
		if (__atomic_compare_exchange_n(gate, &word, word - 1, false, __ATOMIC_SEQ_CST,
						__ATOMIC_ACQUIRE))
			return true;
	}
	return false;
}

/* Wait for a place in the log; false: the worker is to quit. */
static bool wait_for_room(struct hand *hand)
{
	while (hand->ring->head - load_acquire(&hand->ring->tail) == STORM_RING) {
		if (load_relaxed(&hand->plan->op_log->slots[hand->plan->slot].quit) != 0)
			return false;
		rest(hand);
	}
	return true;
}

/* Log the call, make it if there is a ticket, and log the answer. */
static void do_call(struct hand *hand, const struct storm_call *what)
{
	struct storm_call *call;

	if (!wait_for_room(hand))
		return;
	call = &hand->ring->calls[hand->ring->head % STORM_RING];
	*call = *what;
	call->state = STORM_CALLED;
	call->before_ns = hand->returned_ns;
	call->invoke_ns = bench_now_ns();
	__atomic_store_n(&hand->ring->head, hand->ring->head + 1, __ATOMIC_SEQ_CST);
	if (call->kind != STORM_LIST && !take_ticket(hand, call)) {
		store_release(&call->state, STORM_VOID);
		hand->returned_ns = 0;
		return;
	}
	storm_make_call(hand->corral, call);
	hand->returned_ns = call->return_ns;
	if (call->error == 0 && call->kind != STORM_LIST) {
		hand->memories[call->cart].version = call->version;
		hand->memories[call->cart].line = call->answer_line;
	}
	store_release(&call->state, STORM_ANSWERED);
}

static bool do_something(struct hand *hand)
{
	struct storm_call call = { .worker = (uint16_t)hand->plan->slot,
				   .thread = (uint8_t)hand->thread,
				   .attempt = 1 };

	if (!choose_cart(hand, &call.cart, &call.round))
		return false;
	call.op = ((uint64_t)(hand->plan->slot * STORM_THREADS + hand->thread) << 40) +
		  hand->ring->head + 1;
	choose_call(hand, &call);
	do_call(hand, &call);
	if (storm_is_change(&call) && call.kind != STORM_DROP && below(hand, 64) == 0 &&
	    load_relaxed(&hand->plan->op_log->gates[call.cart].may_drop) == 0) {
		call.attempt = 2; /* as if the answer had been lost: send the same call again */
		do_call(hand, &call);
	}
	return true;
}

/* Send the call at which the predecessor was killed again, with the same operation id. */
static void do_again(struct hand *hand, struct storm_ring *left_by)
{
	struct storm_call call = left_by->again;

	if (!left_by->has_again)
		return;
	left_by->has_again = false;
	call.attempt++;
	call.worker = (uint16_t)hand->plan->slot;
	call.thread = (uint8_t)hand->thread;
	do_call(hand, &call);
}

static void *work(void *context)
{
	struct hand *hand = context;
	struct storm_slot *slot = &hand->plan->op_log->slots[hand->plan->slot];

	do_again(hand, hand->ring);
	for (uint32_t i = hand->plan->threads; hand->thread == 0 && i < STORM_THREADS; i++)
		do_again(hand, &slot->rings[i]);
	while (load_relaxed(&slot->quit) == 0)
		if (!do_something(hand))
			rest(hand);
	return NULL;
}

int storm_work(const struct storm_worker_plan *plan)
{
	struct storm_slot *slot = &plan->op_log->slots[plan->slot];
	static struct hand hands[STORM_THREADS];
	struct corral *corral = plan->corral;
	uint64_t random = plan->random;
	pthread_t second;
	bool has_second = false;

	if (corral == NULL && corral_open(plan->directory, CORRAL_CATCH_SIGBUS, &corral) < 0) {
		bench_say("worker %u: %s", plan->slot, corral_why());
		return BENCH_NO_ARENA;
	}
	(void)corral_set_patience(corral, plan->patience_ms);
	for (uint32_t i = 0; i < plan->threads; i++)
		hands[i] = (struct hand){ .plan = plan,
					  .corral = corral,
					  .ring = &slot->rings[i],
					  .thread = i,
					  .random = bench_random(&random) };
	if (plan->threads > 1)
		has_second = pthread_create(&second, NULL, work, &hands[1]) == 0;
	(void)work(&hands[0]);
	if (has_second)
		pthread_join(second, NULL);
	corral_close(corral);
	return BENCH_DONE;
}
