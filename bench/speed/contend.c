/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * contend.c: corral-bench contend: one cart is read over and over, in turns while nothing else
 * happens and while another process changes this cart without a pause. Readers do not wait: the
 * only difference is that the cart's cache lines are in the other processor's cache each time. The
 * bare limit of the same work shows the cost of that alone: a pointer and its target, without a
 * table of keys and without protection, changed as often as Corral has changed its cart in the
 * round before.
 */
#include <errno.h>
#include <stdlib.h>

#include "harness/measure.h"
#include "peers/peer.h"
#include "speed.h"

#define ROUNDS 10u

struct side { /* Corral or the bare limit */
	const struct peer *peer;
	const struct peer_place *place;
	uint64_t each_ns; /* the time between two changes */
	const char *idle_name, *changed_name;
	void *connection;
	struct histogram idle, changed;
	uint64_t changes, round_changes;
};

struct contend {
	struct peer_place place;
	struct dataset_step step;
	struct side sides[2];
	uint64_t sink;
};

/* -------------------------------------------------------------------- writer */

struct changer {
	const struct side *side;
	struct dataset_step step;
	struct dataset_item item;
	void *connection;
	uint64_t next_ns;
};

static int begin_changes(void *context, struct pool_worker *me, uint32_t number, void **ret_state)
{
	struct changer *changer = calloc(1, sizeof(*changer));

	(void)me;
	(void)number;
	if (changer == NULL)
		return -ENOMEM;
	*ret_state = changer;
	changer->side = context;
	dataset_step_at(0, &changer->step);
	dataset_item_at(0, &changer->item);
	int r = changer->side->peer->open(changer->side->place, &changer->connection);
	changer->next_ns = bench_now_ns();
	return r;
}

/* Make a change every each_ns nanoseconds; without a pause if changes take longer. */
static int change(void *state, uint32_t argument)
{
	struct changer *changer = state;
	int r = changer->side->peer->add(changer->connection, &changer->step, &changer->item);

	(void)argument;
	for (changer->next_ns += changer->side->each_ns; bench_now_ns() < changer->next_ns;)
		;
	return r;
}

static void end_changes(void *state)
{
	struct changer *changer = state;

	if (changer->connection != NULL)
		changer->side->peer->close(changer->connection);
	free(changer);
}

/* -------------------------------------------------------------------- reader */

static int read_for(struct contend *contend, const struct side *side, uint64_t ns,
		    struct histogram *times)
{
	uint64_t start = bench_now_ns(), before = start;
	int r = 0;

	while (before - start < ns && r == 0) {
		r = side->peer->get(side->connection, &contend->step, &contend->sink);
		measure_use(contend->sink);
		uint64_t now = bench_now_ns();
		histogram_add(times, now - before);
		before = now;
	}
	return r;
}

/* Read while another process changes the cart. */
static int read_changed(struct contend *contend, struct side *side, uint64_t ns)
{
	struct pool_plan plan = { .workers = 1,
				  .context = side,
				  .begin = begin_changes,
				  .one = change,
				  .end = end_changes };
	struct pool_window window;
	struct pool pool;
	int r = pool_open(&pool, &plan);

	if (r < 0)
		return r;
	pool_start(&pool, POOL_BATCHES, 0);
	r = read_for(contend, side, ns, &side->changed);
	int rested = pool_rest(&pool, &window);
	int closed = pool_close(&pool);
	return r < 0 ? r : rested < 0 ? rested : closed;
}

static int run_round(struct contend *contend, struct side *side, uint64_t ns, uint64_t each_ns)
{
	uint64_t before = 0, after = 0;
	int r = read_for(contend, side, ns, &side->idle);

	side->each_ns = each_ns;
	if (r == 0)
		r = side->peer->version(side->connection, &contend->step, &before);
	if (r == 0)
		r = read_changed(contend, side, ns);
	if (r == 0)
		r = side->peer->version(side->connection, &contend->step, &after);
	side->round_changes = after - before;
	side->changes += after - before;
	return r;
}

static int run_rounds(struct contend *contend, uint64_t ns)
{
	struct side *corral = &contend->sides[0], *bare = &contend->sides[1];
	int r = 0;

	for (uint32_t round = 0; round < ROUNDS && r == 0 && bench_signal == 0; round++) {
		r = run_round(contend, corral, ns, 0);
		if (r == 0)
			r = run_round(contend, bare, ns, ns / max_u64(1, corral->round_changes));
	}
	return r;
}

static int run_sides(struct contend *contend, uint64_t ns)
{
	int r = 0;

	for (uint32_t i = 0; i < 2 && r == 0; i++)
		r = contend->sides[i].peer->open(&contend->place, &contend->sides[i].connection);
	if (r == 0)
		r = run_rounds(contend, ns);
	for (uint32_t i = 0; i < 2; i++)
		if (contend->sides[i].connection != NULL)
			contend->sides[i].peer->close(contend->sides[i].connection);
	return r;
}

static double quotient(const struct histogram *times, const struct histogram *yardstick)
{
	return (double)histogram_quantile(times, 999) /
	       (double)max_u64(1, histogram_quantile(yardstick, 999));
}

static void print(const struct contend *contend, uint32_t carts)
{
	const struct side *corral = &contend->sides[0], *bare = &contend->sides[1];

	measure_print("contend", carts, "changes", "changes", (double)corral->changes, 0);
	measure_print("contend", carts, "bare_changes", "changes", (double)bare->changes, 0);
	for (uint32_t i = 0; i < 2; i++) {
		measure_print_quantiles("contend", carts, contend->sides[i].idle_name,
					&contend->sides[i].idle);
		measure_print_quantiles("contend", carts, contend->sides[i].changed_name,
					&contend->sides[i].changed);
	}
	measure_print("contend", carts, "p99.9_ratio", "x",
		      quotient(&corral->changed, &corral->idle), 2);
	measure_print("contend", carts, "bare_p99.9_ratio", "x",
		      quotient(&bare->changed, &bare->idle), 2);
	measure_print("contend", carts, "p99.9_to_bare", "x",
		      quotient(&corral->changed, &bare->changed), 2);
}

static enum bench_exit contend_one(const struct measure *measure, struct dataset *dataset)
{
	struct contend *contend = calloc(1, sizeof(*contend));
	pid_t none;

	if (contend == NULL)
		return BENCH_NO_ARENA;
	contend->place.dataset = dataset;
	dataset_step_at(0, &contend->step);
	contend->sides[0] = (struct side){ .peer = &peer_corral,
					   .place = &contend->place,
					   .idle_name = "idle",
					   .changed_name = "changed" };
	contend->sides[1] = (struct side){ .peer = &peer_bare,
					   .place = &contend->place,
					   .idle_name = "bare_idle",
					   .changed_name = "bare_changed" };
	int r = peer_bare.start(&contend->place, &none);
	if (r == 0) {
		r = run_sides(contend, measure->ms * 1000000ull / ROUNDS);
		peer_bare.stop(&contend->place);
	}
	if (r < 0)
		bench_say("it failed: %s", corral_strerror(r));
	else if (bench_signal == 0)
		print(contend, dataset->carts);
	free(contend);
	return r < 0 ? BENCH_WRONG : BENCH_DONE;
}

enum bench_exit contend_run(int argc, char **argv)
{
	struct measure measure = {
		.name = "contend", .counts = { 100 }, .count_count = 1, .bytes = 5120, .ms = 3000
	};

	return measure_run(&measure, 0, argc, argv, contend_one);
}
