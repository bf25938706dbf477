/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scale.c: corral-bench scale: many workers compared with a single one, on the same carts, in
 * turns. They do zero-copy reads, and adds, which are counted afterwards. With --bare, as a
 * yardstick, as many workers only copy such carts (peers/bare.c). Workers are processes, or threads
 * that share one handle.
 */
#include <stdlib.h>
#include <string.h>

#include "harness/measure.h"
#include "harness/pin.h"
#include "peers/job.h"
#include "speed.h"

#define STEPS_MAX (1u << 18)
#define ROUNDS 5u

struct scale {
	const struct measure *measure;
	const struct peer *peer;
	struct peer_place place;
	void *connection; /* this process's own */
	struct dataset_step *steps;
	uint32_t step_count; /* a power of two */
	struct dataset_item item;
	enum peer_work work;
};

struct side { /* the figures for one number of workers */
	uint32_t workers;
	struct rounds rounds;  /* ns of one operation, all workers together */
	struct rounds slowest; /* the slowest worker's share of the mean */
	struct rounds cpu;     /* ns of processor time for one operation */
	struct histogram times;
};

static int take_turn(struct scale *scale, struct side *side, uint64_t *added)
{
	uint64_t ns = scale->measure->ms * 1000000ull / ROUNDS;
	struct peer_job job = { .peer = scale->peer,
				.place = &scale->place,
				.work = scale->work,
				.connection = scale->connection,
				.steps = scale->steps,
				.step_count = scale->step_count,
				.item = &scale->item,
				.cpu = PIN_NONE,
				.warm_ns = ns / 10,
				.ns = ns / 2 };
	struct peer_result result;

	scale->place.workers = side->workers;
	int r = peer_job_run(&job, &result);
	if (r < 0 || bench_signal != 0)
		return r;
	side->rounds.ns[side->rounds.count++] = 1e9 / result.batches.per_second;
	side->slowest.ns[side->slowest.count++] =
		result.batches.slowest * side->workers / result.batches.per_second;
	side->cpu.ns[side->cpu.count++] =
		(double)result.batches.cpu_ns / (double)result.batches.done;
	histogram_merge(&side->times, &result.singles.ones);
	*added += result.done;
	return 0;
}

/* "scale.carts_N.add_zipf.workers_N", "scale.carts_N.add_bare_zipf.workers_N" */
static void name_side(const struct scale *scale, const struct side *side, char name[96])
{
	snprintf(name, 96, "scale.carts_%u.%s%s%s.%s_%u", scale->place.dataset->carts,
		 peer_work_names[scale->work], scale->peer == &peer_bare ? "_bare" : "",
		 scale->measure->zipf ? "_zipf" : "", pool_word(scale->place.mode), side->workers);
}

static void print(const struct scale *scale, const struct side *one_alone, const struct side *many)
{
	char one_name[96], name[96];

	name_side(scale, one_alone, one_name);
	name_side(scale, many, name);
	figure("1/s", 1e9 / rounds_median(&one_alone->rounds), 0, "%s.per_second", one_name);
	figure("1/s", 1e9 / rounds_median(&many->rounds), 0, "%s.per_second", name);
	figure("x", rounds_median_ratio(&one_alone->rounds, &many->rounds), 2, "%s.times_one",
	       name);
	figure("x", rounds_median(&many->slowest), 2, "%s.slowest_to_mean", name);
	figure("ns", rounds_median(&one_alone->cpu), 1, "%s.cpu_ns", one_name);
	figure("ns", rounds_median(&many->cpu), 1, "%s.cpu_ns", name);
	figure_quantiles(&one_alone->times, one_name);
	figure_quantiles(&many->times, name);
}

/* Measure reads or adds, with one worker and with many, in turns. */
static int take_turns(struct scale *scale, struct side *one_alone, struct side *many,
		      uint64_t *ret_added)
{
	int r = 0;

	*ret_added = 0;
	for (uint32_t round = 0; round < ROUNDS && r == 0 && bench_signal == 0; round++) {
		r = take_turn(scale, one_alone, ret_added);
		if (r == 0)
			r = take_turn(scale, many, ret_added);
	}
	return r;
}

static enum bench_exit compare(struct scale *scale, struct side *one_alone, struct side *many)
{
	const struct dataset *dataset = scale->place.dataset;
	uint64_t before = 0, after = 0, added = 0;
	int r = dataset_versions(dataset, &before);

	if (r == 0)
		r = take_turns(scale, one_alone, many, &added);
	if (bench_signal != 0)
		return BENCH_DONE;
	if (r == 0)
		r = dataset_versions(dataset, &after);
	if (r < 0) {
		bench_say("a worker failed: %s", corral_strerror(r));
		return BENCH_WRONG;
	}
	print(scale, one_alone, many);
	if (scale->work != PEER_ADD)
		return BENCH_DONE;
	figure("adds", (double)(int64_t)(before + added - after), 0, "scale.carts_%u.lost%s",
	       dataset->carts, scale->place.mode == POOL_THREADS ? "_threads" : "");
	return after == before + added ? BENCH_DONE : BENCH_WRONG;
}

/*
 * Measure the same numbers of workers, which only copy. add_ns: the time of an add by Corral's
 * workers.
 */
static enum bench_exit measure_bare(struct scale *scale, struct side *one_alone, struct side *many,
				    double add_ns)
{
	char name[96];
	uint64_t added;
	pid_t pid;

	scale->peer = &peer_bare;
	scale->work = PEER_ADD;
	int r = peer_bare.start(&scale->place, &pid);
	if (r == 0) {
		r = take_turns(scale, one_alone, many, &added);
		peer_bare.stop(&scale->place);
	}
	if (r < 0) {
		bench_say("the bare limit cannot be measured: %s", corral_strerror(r));
		return BENCH_NO_ARENA;
	}
	if (bench_signal != 0)
		return BENCH_DONE;
	print(scale, one_alone, many);
	name_side(scale, many, name);
	figure("x", rounds_median(&many->rounds) / add_ns, 2, "%s.corral_to_bare", name);
	return BENCH_DONE;
}

static void begin_sides(const struct scale *scale, struct side sides[2])
{
	memset(sides, 0, 2 * sizeof(*sides));
	sides[0].workers = 1;
	sides[1].workers = scale->measure->workers;
}

static enum bench_exit scale_one(const struct measure *measure, struct dataset *dataset)
{
	struct scale scale = { .measure = measure,
			       .peer = &peer_corral,
			       .connection = dataset->corral,
			       .place = { .dataset = dataset,
					  .mode = measure->threads ? POOL_THREADS :
								     POOL_PROCESSES } };
	struct side *sides = calloc(2, sizeof(*sides));
	enum bench_exit result = BENCH_NO_ARENA;

	scale.step_count = dataset_steps(dataset, STEPS_MAX);
	scale.steps = measure->zipf ? dataset_walk_zipf(dataset, scale.step_count, 1) :
				      dataset_walk(dataset, scale.step_count, 1);
	dataset_item_at(0, &scale.item);
	if (sides != NULL && scale.steps != NULL) {
		for (scale.work = PEER_GET; scale.work <= PEER_ADD; scale.work++) {
			begin_sides(&scale, sides);
			result = compare(&scale, &sides[0], &sides[1]);
			if (result != BENCH_DONE)
				break;
		}
		double ns = rounds_median(&sides[1].rounds);
		begin_sides(&scale, sides);
		if (result == BENCH_DONE && bench_signal == 0 && measure->bare)
			result = measure_bare(&scale, &sides[0], &sides[1], ns);
	}
	free(scale.steps);
	free(sides);
	return result;
}

enum bench_exit scale_run(int argc, char **argv)
{
	struct measure measure = { .name = "scale",
				   .counts = { 1, 10000 },
				   .count_count = 2,
				   .bytes = 5120,
				   .ms = 5000,
				   .workers = 50 };

	return measure_run(&measure,
			   MEASURE_WORKERS | MEASURE_THREADS | MEASURE_ZIPF | MEASURE_BARE, argc,
			   argv, scale_one);
}
