/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scale.c (floor 6): corral-bench scale: many worker processes, against one alone, on the same carts, in turns: zero-copy reads, and adds, which
 * are counted afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "peer.h"
#include "team.h"

#define STEPS_MAX (1u << 18)
#define ROUNDS 5u

struct scale {
	const struct measure *measure;
	struct peer_place place;
	struct load_step *steps;
	uint32_t step_count; /* a power of two */
	struct load_item item;
	bool adds;
};

struct side { /* so many workers */
	uint32_t workers;
	struct rounds rounds;  /* ns of one operation, all workers together */
	struct rounds slowest; /* slowest worker's part of the mean */
	struct histogram times;
};

struct worker {
	const struct scale *scale;
	void *connection;
	uint32_t at;
	uint64_t sink;
};

static int begin(void *context, uint32_t number, void **ret_state)
{
	const struct scale *scale = context;
	struct worker *worker = calloc(1, sizeof(*worker));

	if (worker == NULL)
		return -ENOMEM;
	worker->scale = scale;
	worker->at = (number * 2654435761u) & (scale->step_count - 1);
	*ret_state = worker;
	return peer_corral.open(&scale->place, &worker->connection);
}

static int one(void *state)
{
	struct worker *worker = state;
	const struct scale *scale = worker->scale;
	const struct load_step *step = &scale->steps[worker->at];

	worker->at = (worker->at + 1) & (scale->step_count - 1);
	if (scale->adds)
		return peer_corral.add(worker->connection, step, &scale->item);
	int r = peer_corral.get(worker->connection, step, &worker->sink);
	measure_use(worker->sink);
	return r;
}

static void end(void *state)
{
	struct worker *worker = state;

	peer_corral.close(worker->connection);
	free(worker);
}

static int take_turn(struct scale *scale, struct side *side, uint64_t *added)
{
	uint64_t ns = scale->measure->seconds * 1000000000ull / ROUNDS;
	struct team_plan plan = { .workers = side->workers,
				  .warm_ns = ns / 10,
				  .plain_ns = ns / 2,
				  .timed_ns = ns / 2,
				  .depth = 1,
				  .context = scale,
				  .begin = begin,
				  .one = one,
				  .end = end };
	struct team_result result;
	int r = team_run(&plan, &result);

	if (r == 0)
		r = result.err;
	if (r < 0 || !(result.per_second > 0))
		return r < 0 ? r : -ETIME;
	side->rounds.ns[side->rounds.count++] = 1e9 / result.per_second;
	side->slowest.ns[side->slowest.count++] = result.slowest * side->workers / result.per_second;
	histogram_merge(&side->times, &result.times);
	*added += result.done;
	return 0;
}

static int sum_of_versions(const struct scale *scale, uint64_t *ret_sum)
{
	void *connection;
	int r = peer_corral.open(&scale->place, &connection);

	*ret_sum = 0;
	for (uint32_t i = 0; r == 0 && i < scale->place.load->carts; i++) {
		struct load_step step;
		uint64_t version = 0;
		load_step_at(i, &step);
		r = peer_corral.version(connection, &step, &version);
		*ret_sum += version;
	}
	if (connection != NULL)
		peer_corral.close(connection);
	return r;
}

static void print(const struct scale *scale, const struct side *one_alone, const struct side *many)
{
	uint32_t carts = scale->place.load->carts;
	char name[96];

	snprintf(name, sizeof(name), "scale.carts_%u.%s%s", carts, scale->adds ? "add" : "get",
		 scale->measure->zipf ? "_zipf" : "");
	figure("1/s", 1e9 / rounds_median(&one_alone->rounds), 0, "%s.workers_1.per_second", name);
	figure("1/s", 1e9 / rounds_median(&many->rounds), 0, "%s.workers_%u.per_second", name, many->workers);
	figure("x", rounds_median_ratio(&one_alone->rounds, &many->rounds), 2, "%s.workers_%u.times_one", name,
	       many->workers);
	figure("x", rounds_median(&many->slowest), 2, "%s.workers_%u.slowest_to_mean", name, many->workers);
	snprintf(name, sizeof(name), "scale.carts_%u.%s%s.workers_1", carts, scale->adds ? "add" : "get",
		 scale->measure->zipf ? "_zipf" : "");
	figure_quantiles(&one_alone->times, name);
	snprintf(name, sizeof(name), "scale.carts_%u.%s%s.workers_%u", carts, scale->adds ? "add" : "get",
		 scale->measure->zipf ? "_zipf" : "", many->workers);
	figure_quantiles(&many->times, name);
}

/* Reads, or adds. */
static enum bench_exit compare(struct scale *scale, struct side *one_alone, struct side *many)
{
	uint64_t before = 0, after = 0, added = 0;
	int r = sum_of_versions(scale, &before);

	for (uint32_t round = 0; round < ROUNDS && r == 0 && bench_signal == 0; round++) {
		r = take_turn(scale, one_alone, &added);
		if (r == 0)
			r = take_turn(scale, many, &added);
	}
	if (bench_signal != 0)
		return BENCH_DONE;
	if (r == 0)
		r = sum_of_versions(scale, &after);
	if (r < 0) {
		bench_say("a worker failed: %s", corral_strerror(r));
		return BENCH_WRONG;
	}
	print(scale, one_alone, many);
	if (!scale->adds)
		return BENCH_DONE;
	figure("adds", (double)(int64_t)(before + added - after), 0, "scale.carts_%u.lost", scale->place.load->carts);
	return after == before + added ? BENCH_DONE : BENCH_WRONG;
}

static enum bench_exit scale_one(const struct measure *measure, struct load *load)
{
	struct scale scale = { .measure = measure, .place = { .load = load } };
	struct side *sides = calloc(2, sizeof(*sides));
	enum bench_exit result = BENCH_NO_ARENA;

	scale.step_count = load_steps(load, STEPS_MAX);
	scale.steps = measure->zipf ? load_walk_zipf(load, scale.step_count, 1) : load_walk(load, scale.step_count, 1);
	load_item_at(0, &scale.item);
	if (sides != NULL && scale.steps != NULL) {
		for (int adds = 0; adds < 2; adds++) {
			memset(sides, 0, 2 * sizeof(*sides));
			sides[0].workers = 1;
			sides[1].workers = measure->workers;
			scale.adds = adds == 1;
			result = compare(&scale, &sides[0], &sides[1]);
			if (result != BENCH_DONE)
				break;
		}
	}
	free(scale.steps);
	free(sides);
	return result;
}

enum bench_exit scale_run(int argc, char **argv)
{
	struct measure measure = {
		.name = "scale", .counts = { 1, 10000 }, .count_count = 2, .bytes = 5120, .seconds = 5, .workers = 50
	};

	return measure_run(&measure, MEASURE_WORKERS | MEASURE_ZIPF, argc, argv, scale_one);
}
