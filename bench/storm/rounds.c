/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rounds.c: the carts of a storm, life after life. See rounds.h.
 *
 * A life is over when its gate has no tickets left, nobody is inside, and what the dead of it held
 * is repaired: a call whose caller died may still happen until then. The dead are left to those who
 * meet them for a while; then the judge buries them.
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
#include "store/repair.h"

#define COMPLAINTS_MAX 10u
#define GHOST_NS 20000000u /* so long the dead are left to the workers and the agent */
#define DROP_LIFE_CALLS 160u
#define SHORT_LIFE_CALLS 16u
#define AGAIN_OF 4u /* of so many pending calls all but one are sent again */
#define END_ROUNDS 2000
#define END_PAUSE_NS 1000000

static_assert(DROP_LIFE_CALLS + 64 < STORM_LIFE_CALLS, "room for calls that died without a ticket");
static_assert(CORRAL_OPS_KEPT <= DROP_LIFE_CALLS, "the same");

/* ------------------------------------------------------------------- gates */

static void open_gate(struct storm_lives *lives, uint32_t cart)
{
	struct storm_life *life = &lives->lives[cart];
	struct storm_gate *gate = &lives->board->gates[cart];
	uint32_t most;

	life->number++;
	life->over = false;
	life->count = 0;
	life->ghosts = 0;
	life->may_drop = bench_random_below(&lives->random, 4) == 0;
	most = life->may_drop ? DROP_LIFE_CALLS : CORRAL_OPS_KEPT;
	store_relaxed(&gate->may_drop, life->may_drop);
	store_release(&gate->word,
		      (uint64_t)life->number << 32 |
			      (SHORT_LIFE_CALLS +
			       bench_random_below(&lives->random, most - SHORT_LIFE_CALLS + 1)));
}

void storm_lives_begin(struct storm_lives *lives)
{
	for (uint32_t cart = 0; cart < STORM_CARTS; cart++)
		open_gate(lives, cart);
}

static bool is_closed(const struct storm_lives *lives, uint32_t cart)
{
	return (uint32_t)__atomic_load_n(&lives->board->gates[cart].word, __ATOMIC_SEQ_CST) == 0;
}

/* -------------------------------------------------------------------- logs */

static void count_call(struct storm_lives *lives, const struct storm_call *call)
{
	struct storm_counts *counts = &lives->counts;

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

static void take_call(struct storm_lives *lives, const struct storm_call *call)
{
	struct storm_life *life;

	if (call->state == STORM_VOID)
		return;
	count_call(lives, call);
	if (call->state == STORM_ANSWERED)
		storm_waits_take(&lives->waits, call);
	if (call->kind == STORM_LIST) {
		if (call->state == STORM_ANSWERED && call->error != 0) {
			bench_say("a list of the carts: %s", corral_strerror(call->error));
			lives->counts.disorder++;
		}
		return;
	}
	if (lives->history != NULL)
		storm_history_write(lives->history, call);
	life = &lives->lives[call->cart];
	if (call->life != life->number || life->count == STORM_LIFE_CALLS) {
		if (call->state == STORM_PENDING && call->life != life->number)
			return; /* it died before it had asked for a ticket */
		bench_say("cart %u: a call too many in life %u", call->cart, life->number);
		lives->counts.disorder++;
		return;
	}
	life->calls[life->count++] = *call;
	if (call->state == STORM_PENDING)
		life->ghosts = lives->ghosts_seen;
}

/* Take what is complete. The cart of a call that is not is returned; else STORM_NO_CART. */
static uint32_t drain(struct storm_lives *lives, struct storm_ring *ring, bool *ret_some)
{
	uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_SEQ_CST);

	while (ring->tail < head) {
		const struct storm_call *call = &ring->calls[ring->tail % STORM_RING];

		if (load_acquire(&call->state) == STORM_CALLED)
			return call->kind == STORM_LIST ? STORM_NO_CART : call->cart;
		take_call(lives, call);
		store_release(&ring->tail, ring->tail + 1);
		*ret_some = true;
	}
	return STORM_NO_CART;
}

/* Its answer did not come. Often it is sent again, where its id will be remembered. */
static void leave_pending(struct storm_lives *lives, struct storm_ring *ring)
{
	struct storm_call *call = &ring->calls[ring->tail % STORM_RING];
	const struct storm_life *life;

	call->state = STORM_PENDING;
	call->error = 0;
	take_call(lives, call);
	store_release(&ring->tail, ring->tail + 1);
	if (call->kind == STORM_LIST)
		return;
	life = &lives->lives[call->cart];
	ring->again = *call;
	ring->has_again = storm_is_change(call) && life->number == call->life && !life->may_drop &&
			  bench_random_below(&lives->random, AGAIN_OF) != 0;
}

void storm_lives_bury(struct storm_lives *lives, uint32_t seat, pid_t pid)
{
	bool some;

	if (lives->ghosts_seen == lives->ghosts_gone)
		lives->ghost_ns = bench_now_ns();
	lives->ghosts[lives->ghosts_seen++ % STORM_GHOSTS] = pid;
	for (uint32_t i = 0; i < STORM_THREADS; i++) {
		struct storm_ring *ring = &lives->board->seats[seat].rings[i];

		(void)drain(lives, ring, &some);
		if (ring->tail < ring->head)
			leave_pending(lives, ring);
	}
}

/* ------------------------------------------------------------------ ghosts */

/* Has a process of this pid a record? A dead one keeps it until what it held is repaired. */
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

/* The dead in the order of their deaths; who has waited too long is buried. */
static void lay_ghosts(struct storm_lives *lives)
{
	struct arena *arena = &lives->corral->arena;

	if (lives->ghosts_gone == lives->ghosts_seen)
		return;
	if (bench_now_ns() - lives->ghost_ns > GHOST_NS ||
	    lives->ghosts_seen - lives->ghosts_gone > STORM_GHOSTS / 2)
		(void)alive_bury_all(arena, &lives->corral->share->life, repair_process);
	while (lives->ghosts_gone < lives->ghosts_seen &&
	       !has_record(arena, lives->ghosts[lives->ghosts_gone % STORM_GHOSTS])) {
		lives->ghosts_gone++;
		lives->ghost_ns = bench_now_ns();
	}
}

/* ------------------------------------------------------------------- judge */

static void complain(const struct storm_lives *lives, uint32_t cart,
		     const struct storm_verdict *verdict)
{
	const struct storm_life *life = &lives->lives[cart];

	if (lives->counts.lost + lives->counts.twice + lives->counts.disorder >= COMPLAINTS_MAX)
		return;
	bench_say("cart %u, life %u, %u calls: lost=%u twice=%u disorder=%u: %s", cart,
		  life->number, life->count, verdict->lost, verdict->twice, verdict->disorder,
		  verdict->why);
	for (uint32_t i = 0; i < life->count; i++)
		storm_history_write(stderr, &life->calls[i]);
}

/* The cart as it is. 0 or -errno. */
static int look(struct storm_lives *lives, uint32_t cart, struct storm_model *found)
{
	char session[STORM_KEY_BYTES];
	struct corral_key key = storm_key(cart, session);
	struct corral_cart *whole;
	int err = corral_get(lives->corral, &key, &whole);

	storm_model_clear(found, 0);
	if (err < 0)
		return err == -ENOENT ? 0 : err;
	err = storm_model_read(whole, found);
	corral_cart_free(whole);
	return err;
}

static void pronounce(struct storm_lives *lives, uint32_t cart)
{
	struct storm_life *life = &lives->lives[cart];
	static struct storm_model found;
	struct storm_verdict verdict;
	int err = look(lives, cart, &found);

	if (err < 0) {
		bench_say("cart %u cannot be read: %s", cart, corral_strerror(err));
		lives->counts.disorder++;
	}
	storm_judge(life->calls, life->count, life->before, &found, &verdict);
	if (verdict.lost + verdict.twice + verdict.disorder > 0)
		complain(lives, cart, &verdict);
	lives->counts.lost += verdict.lost;
	lives->counts.twice += verdict.twice;
	lives->counts.disorder += verdict.disorder;
	lives->counts.happened += verdict.happened;
	lives->counts.lives++;
	for (uint32_t i = 0; i < life->count; i++)
		if (life->calls[i].state == STORM_ANSWERED && life->calls[i].error == 0)
			life->before = max_u64(life->before, life->calls[i].version);
	if (found.there)
		life->before = max_u64(life->before, found.version);
	life->over = true;
}

static void tell_drop(const struct storm_lives *lives, struct storm_call *call, uint32_t cart,
		      uint64_t invoke_ns, const struct corral_result *result)
{
	*call = (struct storm_call){ .cart = cart,
				     .life = lives->lives[cart].number,
				     .worker = (uint16_t)lives->workers, /* the judge */
				     .kind = STORM_DROP,
				     .attempt = 1,
				     .state = STORM_ANSWERED,
				     .applied = 1,
				     .status = result->status,
				     .version = result->version,
				     .subtotal_cents = result->subtotal_cents,
				     .tax_cents = result->tax_cents,
				     .item_count = result->item_count,
				     .invoke_ns = invoke_ns,
				     .return_ns = bench_now_ns() };
}

/* False: not now. */
static bool drop(struct storm_lives *lives, uint32_t cart)
{
	struct storm_life *life = &lives->lives[cart];
	char session[STORM_KEY_BYTES];
	struct corral_key key = storm_key(cart, session);
	struct corral_result result;
	struct storm_call call;
	uint64_t invoke_ns = bench_now_ns();
	int err = corral_drop(lives->corral, &key, NULL, &result);

	if (err == -EBUSY)
		return false;
	if (err < 0 && err != -ENOENT) {
		bench_say("cart %u cannot be dropped: %s", cart, corral_strerror(err));
		lives->counts.disorder++;
	}
	if (err < 0)
		return true;
	if (result.version != life->before) {
		bench_say("cart %u was dropped at version %llu, not %llu", cart,
			  (unsigned long long)result.version, (unsigned long long)life->before);
		lives->counts.disorder++;
	}
	if (lives->history != NULL) {
		tell_drop(lives, &call, cart, invoke_ns, &result);
		storm_history_write(lives->history, &call);
	}
	return true;
}

/* Judge those lives that are closed and have nobody inside. */
static bool judge_lives(struct storm_lives *lives, const bool *closed, const bool *busy)
{
	bool some = false;

	for (uint32_t cart = 0; cart < STORM_CARTS; cart++) {
		struct storm_life *life = &lives->lives[cart];

		if (!closed[cart] || busy[cart] || life->ghosts > lives->ghosts_gone)
			continue;
		if (!life->over)
			pronounce(lives, cart);
		if (drop(lives, cart)) {
			open_gate(lives, cart);
			some = true;
		}
	}
	return some;
}

bool storm_lives_go_on(struct storm_lives *lives)
{
	bool closed[STORM_CARTS], busy[STORM_CARTS] = { false }, some = false;

	/*
	 * first the gates, then the logs: who is inside had written its call down before it took
	 * its ticket
	 */
	for (uint32_t cart = 0; cart < STORM_CARTS; cart++)
		closed[cart] = is_closed(lives, cart);
	for (uint32_t seat = 0; seat < lives->workers; seat++) {
		for (uint32_t i = 0; i < STORM_THREADS; i++) {
			uint32_t cart = drain(lives, &lives->board->seats[seat].rings[i], &some);

			if (cart < STORM_CARTS)
				busy[cart] = true;
		}
	}
	lay_ghosts(lives);
	return judge_lives(lives, closed, busy) || some;
}

/* Close the gates one life after the other, until each is at its end. */
bool storm_lives_end(struct storm_lives *lives)
{
	struct timespec pause = { .tv_nsec = END_PAUSE_NS };
	bool closed[STORM_CARTS];

	for (uint32_t cart = 0; cart < STORM_CARTS; cart++)
		closed[cart] = true;
	for (int round = 0; round < END_ROUNDS; round++) {
		bool left = false;

		lay_ghosts(lives);
		for (uint32_t cart = 0; cart < STORM_CARTS; cart++) {
			struct storm_life *life = &lives->lives[cart];

			if (!closed[cart] || life->ghosts > lives->ghosts_gone) {
				left |= closed[cart];
				continue;
			}
			if (!life->over)
				pronounce(lives, cart);
			closed[cart] = !drop(lives, cart);
			left |= closed[cart];
		}
		if (!left)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}
