/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rounds.c: check the carts of a storm, round after round. See rounds.h.
 *
 * A round is over when its gate has no tickets left, no call is inside, and everything that its
 * dead workers held is repaired: until then a call whose caller died may still happen. For a while
 * dead workers are left to the processes that meet them; then the checker buries them.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "api/handle.h"
#include "call.h"
#include "checker.h"
#include "harness/bench.h"
#include "history.h"
#include "rounds.h"
#include "store/feed.h"
#include "store/repair.h"

#define COMPLAINTS_MAX 10u
#define DEAD_NS 20000000u /* the time for which the dead are left to the workers and the agent */
#define DROP_ROUND_CALLS 160u
#define SHORT_ROUND_CALLS 16u
#define LANE_SLACK 64u /* events of a thread that may wait for the feed's reader */
#define AGAIN_OF 4u    /* of this many pending calls all but one are sent again */
#define END_TURNS 2000
#define END_PAUSE_NS 1000000

static_assert(DROP_ROUND_CALLS + 64 < STORM_ROUND_CALLS,
	      "room for calls that died without a ticket");
static_assert(CORRAL_OPS_KEPT <= DROP_ROUND_CALLS, "the same");

/* ------------------------------------------------------------------- gates */

static void open_gate(struct storm_rounds *rounds, uint32_t cart)
{
	struct storm_round *round = &rounds->carts[cart];
	struct storm_gate *gate = &rounds->op_log->gates[cart];
	uint32_t most;

	round->number++;
	round->over = false;
	round->count = 0;
	round->dead = 0;
	round->may_drop = bench_random_below(&rounds->random, 4) == 0;
	most = round->may_drop ? DROP_ROUND_CALLS : CORRAL_OPS_KEPT;
	store_relaxed(&gate->may_drop, round->may_drop);
	store_release(&gate->word,
		      (uint64_t)round->number << 32 |
			      (SHORT_ROUND_CALLS +
			       bench_random_below(&rounds->random, most - SHORT_ROUND_CALLS + 1)));
}

void storm_rounds_begin(struct storm_rounds *rounds)
{
	for (uint32_t cart = 0; cart < STORM_CARTS; cart++)
		open_gate(rounds, cart);
}

static bool is_closed(const struct storm_rounds *rounds, uint32_t cart)
{
	return (uint32_t)__atomic_load_n(&rounds->op_log->gates[cart].word, __ATOMIC_SEQ_CST) == 0;
}

/* -------------------------------------------------------------------- feed */

/*
 * Is all told that happened, but for so little that no lane is full before the next turn? A thread
 * makes at most STORM_RING calls until its log is taken, so its lane has at most so many more.
 */
static bool feed_keeps_up(const struct storm_rounds *rounds)
{
	const struct arena *arena = &rounds->corral->arena;
	const uint64_t most = arena->lane_mask + 1 - STORM_RING - LANE_SLACK;
	const uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);

	if (rounds->outrun)
		return true;
	for (uint32_t thread = 0; thread < high; thread++) {
		const struct thread_record *record = &arena->threads[thread];
		const uint64_t tail = load_relaxed(&record->lane_tail);
		if (load_relaxed(&record->lane_head) - tail > most)
			return false;
	}
	return feed_next(arena) - rounds->judge->next <= arena->feed_mask / 4;
}

bool storm_rounds_may_start(const struct storm_rounds *rounds)
{
	return rounds->behind_since_ns == 0;
}

static void note_behind(struct storm_rounds *rounds, bool behind)
{
	const uint64_t now = bench_now_ns();

	if (rounds->behind_since_ns != 0)
		rounds->behind_ns = max_u64(rounds->behind_ns, now - rounds->behind_since_ns);
	if (!behind)
		rounds->behind_since_ns = 0;
	else if (rounds->behind_since_ns == 0)
		rounds->behind_since_ns = now;
}

static void judge_call(struct storm_rounds *rounds, const struct storm_call *call)
{
	const struct storm_facts facts = { .version = call->version,
					   .op = call->op,
					   .subtotal_cents = call->subtotal_cents,
					   .tax_cents = call->tax_cents,
					   .total_cents = call->total_cents,
					   .item_count = call->item_count,
					   .status = call->status };

	if (call->state == STORM_ANSWERED && call->error == 0 && call->applied)
		storm_judge_answer(rounds->judge, call->cart, call->kind == STORM_DROP, &facts);
}

static void judge_cart(struct storm_rounds *rounds, uint32_t cart, const struct storm_model *found)
{
	const struct storm_facts facts = { .version = found->version,
					   .subtotal_cents = found->subtotal_cents,
					   .tax_cents = found->tax_cents,
					   .total_cents = found->total_cents,
					   .item_count = (uint32_t)found->item_count,
					   .status = found->status };

	if (found->there)
		storm_judge_answer(rounds->judge, cart, false, &facts);
}

/* -------------------------------------------------------------------- logs */

static void count_call(struct storm_rounds *rounds, const struct storm_call *call)
{
	struct storm_counts *counts = &rounds->counts;

	counts->sent_again += call->attempt > 1 && storm_is_change(call);
	if (call->state == STORM_PENDING)
		counts->pending += storm_is_change(call);
	else if (call->error == -EBUSY || call->error == -ENOMEM || call->error == -ENOSPC ||
		 call->error == -ENFILE)
		counts->refused++;
	else if (call->error < 0)
		counts->declined++;
	else if (storm_is_change(call))
		counts->acknowledged++;
	else
		counts->reads++;
}

static void take_call(struct storm_rounds *rounds, const struct storm_call *call)
{
	struct storm_round *round;

	if (call->state == STORM_VOID)
		return;
	count_call(rounds, call);
	if (call->state == STORM_ANSWERED)
		storm_latencies_take(&rounds->latencies, call);
	if (call->kind == STORM_LIST) {
		if (call->state == STORM_ANSWERED && call->error != 0) {
			bench_say("a list of the carts: %s", corral_strerror(call->error));
			rounds->counts.disorder++;
		}
		return;
	}
	if (rounds->history != NULL)
		storm_history_write(rounds->history, call);
	if (storm_is_change(call))
		judge_call(rounds, call);
	round = &rounds->carts[call->cart];
	if (call->round != round->number || round->count == STORM_ROUND_CALLS) {
		if (call->state == STORM_PENDING && call->round != round->number)
			return; /* the worker died before it took a ticket */
		bench_say("cart %u: a call too many in round %u", call->cart, round->number);
		rounds->counts.disorder++;
		return;
	}
	round->calls[round->count++] = *call;
	if (call->state == STORM_PENDING)
		round->dead = rounds->dead_seen;
}

static uint64_t logged(const struct storm_ring *ring)
{
	return __atomic_load_n(&ring->head, __ATOMIC_SEQ_CST);
}

/*
 * Take the calls before `head` that are complete. Returns the cart of a call that is not; otherwise
 * STORM_NO_CART.
 */
static uint32_t drain(struct storm_rounds *rounds, struct storm_ring *ring, uint64_t head,
		      bool *ret_some)
{
	while (ring->tail < head) {
		const struct storm_call *call = &ring->calls[ring->tail % STORM_RING];

		if (load_acquire(&call->state) == STORM_CALLED)
			return call->kind == STORM_LIST ? STORM_NO_CART : call->cart;
		take_call(rounds, call);
		store_release(&ring->tail, ring->tail + 1);
		*ret_some = true;
	}
	return STORM_NO_CART;
}

/*
 * Mark a call without an answer as pending. Often it is sent again, in rounds whose carts remember
 * its id.
 */
static void leave_pending(struct storm_rounds *rounds, struct storm_ring *ring)
{
	struct storm_call *call = &ring->calls[ring->tail % STORM_RING];
	const struct storm_round *round;

	call->state = STORM_PENDING;
	call->error = 0;
	take_call(rounds, call);
	store_release(&ring->tail, ring->tail + 1);
	if (call->kind == STORM_LIST)
		return;
	round = &rounds->carts[call->cart];
	ring->again = *call;
	ring->has_again = storm_is_change(call) && round->number == call->round &&
			  !round->may_drop && bench_random_below(&rounds->random, AGAIN_OF) != 0;
}

void storm_rounds_bury(struct storm_rounds *rounds, uint32_t slot, pid_t pid)
{
	bool some;

	if (rounds->dead_seen == rounds->dead_gone)
		rounds->dead_ns = bench_now_ns();
	rounds->dead[rounds->dead_seen++ % STORM_DEAD] = pid;
	for (uint32_t i = 0; i < STORM_THREADS; i++) {
		struct storm_ring *ring = &rounds->op_log->slots[slot].rings[i];

		(void)drain(rounds, ring, logged(ring), &some);
		if (ring->tail < ring->head)
			leave_pending(rounds, ring);
	}
}

/* ------------------------------------------------------------------ dead */

/*
 * Has a process with this pid a record? A dead process keeps its record until everything it held is
 * repaired.
 */
static bool has_record(const struct arena *arena, pid_t pid)
{
	uint32_t high = (uint32_t)min_u64(load_acquire(&arena->header->processes_high),
					  arena->max_processes);

	for (uint32_t number = 0; number < high; number++)
		if (load_acquire(&arena->processes[number].state) != PROCESS_FREE &&
		    load_relaxed(&arena->processes[number].pid) == pid)
			return true;
	return false;
}

/*
 * Wait for the repair of the dead in the order of their deaths. If the oldest has waited too long,
 * or there are too many, bury them all.
 */
static void repair_dead(struct storm_rounds *rounds)
{
	struct arena *arena = &rounds->corral->arena;

	if (rounds->dead_gone == rounds->dead_seen)
		return;
	if (bench_now_ns() - rounds->dead_ns > DEAD_NS ||
	    rounds->dead_seen - rounds->dead_gone > STORM_DEAD / 2)
		(void)alive_bury_all(arena, &rounds->corral->share->life, repair_process);
	while (rounds->dead_gone < rounds->dead_seen &&
	       !has_record(arena, rounds->dead[rounds->dead_gone % STORM_DEAD])) {
		rounds->dead_gone++;
		rounds->dead_ns = bench_now_ns();
	}
}

/* ------------------------------------------------------------------- checks */

static void complain(const struct storm_rounds *rounds, uint32_t cart,
		     const struct storm_verdict *verdict)
{
	const struct storm_round *round = &rounds->carts[cart];

	if (rounds->counts.lost + rounds->counts.twice + rounds->counts.disorder >= COMPLAINTS_MAX)
		return;
	bench_say("cart %u, round %u, %u calls: lost=%u twice=%u disorder=%u: %s", cart,
		  round->number, round->count, verdict->lost, verdict->twice, verdict->disorder,
		  verdict->why);
	for (uint32_t i = 0; i < round->count; i++)
		storm_history_write(stderr, &round->calls[i]);
}

/* Read the cart as it is. 0 or -errno. */
static int look(struct storm_rounds *rounds, uint32_t cart, struct storm_model *found)
{
	char session[STORM_KEY_BYTES];
	struct corral_key key = storm_key(cart, session);
	struct corral_cart *whole;
	int r = corral_get(rounds->corral, &key, &whole);

	storm_model_clear(found, 0);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = storm_model_read(whole, found);
	corral_cart_free(whole);
	return r;
}

static void check_round(struct storm_rounds *rounds, uint32_t cart)
{
	struct storm_round *round = &rounds->carts[cart];
	static struct storm_model found;
	struct storm_verdict verdict;
	int r = look(rounds, cart, &found);

	if (r < 0) {
		bench_say("cart %u cannot be read: %s", cart, corral_strerror(r));
		rounds->counts.disorder++;
	}
	judge_cart(rounds, cart, &found);
	storm_check(round->calls, round->count, round->before, &found, &verdict);
	if (verdict.lost + verdict.twice + verdict.disorder > 0)
		complain(rounds, cart, &verdict);
	rounds->counts.lost += verdict.lost;
	rounds->counts.twice += verdict.twice;
	rounds->counts.disorder += verdict.disorder;
	rounds->counts.happened += verdict.happened;
	rounds->counts.rounds++;
	for (uint32_t i = 0; i < round->count; i++)
		if (round->calls[i].state == STORM_ANSWERED && round->calls[i].error == 0)
			round->before = max_u64(round->before, round->calls[i].version);
	if (found.there)
		round->before = max_u64(round->before, found.version);
	round->over = true;
}

static void tell_drop(const struct storm_rounds *rounds, struct storm_call *call, uint32_t cart,
		      uint64_t invoke_ns, const struct corral_result *result)
{
	*call = (struct storm_call){ .cart = cart,
				     .round = rounds->carts[cart].number,
				     .worker = (uint16_t)rounds->workers, /* the checker */
				     .kind = STORM_DROP,
				     .attempt = 1,
				     .state = STORM_ANSWERED,
				     .applied = 1,
				     .status = result->status,
				     .version = result->version,
				     .subtotal_cents = result->subtotal_cents,
				     .tax_cents = result->tax_cents,
				     .total_cents = result->total_cents,
				     .item_count = result->item_count,
				     .invoke_ns = invoke_ns,
				     .return_ns = bench_now_ns() };
}

/* Drop the cart. False: this cannot be done now. */
static bool drop(struct storm_rounds *rounds, uint32_t cart)
{
	struct storm_round *round = &rounds->carts[cart];
	char session[STORM_KEY_BYTES];
	struct corral_key key = storm_key(cart, session);
	struct corral_result result;
	struct storm_call call;
	uint64_t invoke_ns = bench_now_ns();
	int r = corral_drop(rounds->corral, &key, NULL, &result);

	if (r == -EBUSY)
		return false;
	if (r < 0 && r != -ENOENT) {
		bench_say("cart %u cannot be dropped: %s", cart, corral_strerror(r));
		rounds->counts.disorder++;
	}
	if (r < 0)
		return true;
	if (result.version != round->before) {
		bench_say("cart %u was dropped at version %llu, not %llu", cart,
			  (unsigned long long)result.version, (unsigned long long)round->before);
		rounds->counts.disorder++;
	}
	tell_drop(rounds, &call, cart, invoke_ns, &result);
	judge_call(rounds, &call);
	if (rounds->history != NULL)
		storm_history_write(rounds->history, &call);
	return true;
}

/* Check the rounds that are closed and have no call inside. */
static bool check_rounds(struct storm_rounds *rounds, const bool *closed, const bool *busy)
{
	bool some = false;

	for (uint32_t cart = 0; cart < STORM_CARTS; cart++) {
		struct storm_round *round = &rounds->carts[cart];

		if (!closed[cart] || busy[cart] || round->dead > rounds->dead_gone)
			continue;
		if (!round->over)
			check_round(rounds, cart);
		if (drop(rounds, cart)) {
			open_gate(rounds, cart);
			some = true;
		}
	}
	return some;
}

/*
 * Take the calls of all logs, up to `heads`. busy: the carts that a call is inside. True: there
 * were some.
 */
static bool drain_all(struct storm_rounds *rounds, const uint64_t (*heads)[STORM_THREADS],
		      bool *busy)
{
	bool some = false;

	for (uint32_t slot = 0; slot < rounds->workers; slot++) {
		for (uint32_t i = 0; i < STORM_THREADS; i++) {
			uint32_t cart = drain(rounds, &rounds->op_log->slots[slot].rings[i],
					      heads[slot][i], &some);

			if (cart < STORM_CARTS)
				busy[cart] = true;
		}
	}
	return some;
}

bool storm_rounds_go_on(struct storm_rounds *rounds)
{
	bool closed[STORM_CARTS], busy[STORM_CARTS] = { false }, some = false;
	uint64_t heads[STORM_SLOTS_MAX][STORM_THREADS];

	/*
	 * The gates are read first, then the logs: a worker that is inside has logged its call
	 * before it took its ticket. The logs are read before the feed is looked at: what is taken
	 * from them makes room for as many calls, and what these tell comes on top of what was not
	 * read then.
	 */
	for (uint32_t cart = 0; cart < STORM_CARTS; cart++)
		closed[cart] = is_closed(rounds, cart);
	for (uint32_t slot = 0; slot < rounds->workers; slot++)
		for (uint32_t i = 0; i < STORM_THREADS; i++)
			heads[slot][i] = logged(&rounds->op_log->slots[slot].rings[i]);
	const bool behind = !feed_keeps_up(rounds);
	note_behind(rounds, behind);
	if (!behind)
		some = drain_all(rounds, heads, busy);
	repair_dead(rounds);
	return (!behind && check_rounds(rounds, closed, busy)) || some;
}

/* Close the gates, round after round, until every round has come to its end. */
bool storm_rounds_end(struct storm_rounds *rounds)
{
	struct timespec pause = { .tv_nsec = END_PAUSE_NS };
	bool closed[STORM_CARTS];

	for (uint32_t cart = 0; cart < STORM_CARTS; cart++)
		closed[cart] = true;
	for (int turn = 0; turn < END_TURNS; turn++) {
		bool left = false;

		repair_dead(rounds);
		for (uint32_t cart = 0; cart < STORM_CARTS; cart++) {
			struct storm_round *round = &rounds->carts[cart];

			if (!closed[cart] || round->dead > rounds->dead_gone) {
				left |= closed[cart];
				continue;
			}
			if (!round->over)
				check_round(rounds, cart);
			closed[cart] = !drop(rounds, cart);
			left |= closed[cart];
		}
		if (!left)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}
