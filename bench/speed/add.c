/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * add.c: corral-bench add: a change, compared with copying a cart's bytes, the least that every
 * change of an immutable version has to do.
 *
 *   bare          memcpy() of a cart to the next place of a ring as large as all carts
 *   add_merge     corral_add() of an item that the cart has: its quantity is raised
 *   add_three     corral_apply() of three such items, as one change
 *   add_new_line  corral_add() of an item that the cart does not have; the line is removed again
 *                 outside of the measured time
 *
 * They are measured in turns, over random carts.
 */
#include <stdlib.h>

#include "baseline.h"
#include "harness/measure.h"
#include "speed.h"

#define STEPS_MAX (1u << 19)
#define BATCH 4000u
#define NEW_BATCH 1000u /* at most the number of carts: each gets one line at a time */
#define THREE 3u
#define FEW_CARTS                                                                                  \
	1000u /* with this few carts quantities would reach their limit, and must be reset */

struct add {
	const struct measure *measure;
	struct dataset *dataset;
	struct baseline baseline;
	uint8_t *ring;
	size_t ring_at;
	struct dataset_step *steps;    /* random */
	struct dataset_step *shuffled; /* each cart once */
	uint32_t step_count;           /* a power of two */
	uint32_t at;
	uint32_t shuffled_at;
	struct dataset_item known[THREE]; /* the first lines of each cart */
	struct corral_step steps_of_three[THREE];
	struct dataset_item fresh; /* in no cart */
	uint32_t lines[NEW_BATCH];
	int err;
	struct rounds bare, merge, three, new_line;
	struct histogram merge_times, new_times;
};

static void note_error(struct add *add, int err)
{
	if (err < 0 && add->err == 0)
		add->err = err;
}

static const struct dataset_step *next_step(struct add *add)
{
	const struct dataset_step *step = &add->steps[add->at];

	add->at = (add->at + 1) & (add->step_count - 1);
	return step;
}

/* Each of these returns the nanoseconds of one operation. */
static double run_bare(struct add *add)
{
	uint64_t start = bench_now_ns();

	for (uint32_t i = 0; i < BATCH; i++) {
		const struct dataset_step *step = next_step(add);

		memcpy(add->ring + add->ring_at,
		       add->baseline.values + step->cart * add->baseline.stride +
			       sizeof(struct block_header),
		       add->dataset->cart_bytes);
		measure_use((uint64_t)add->ring_at);
		add->ring_at += add->baseline.stride;
		if (add->ring_at == add->baseline.value_bytes)
			add->ring_at = 0;
	}
	return (double)(bench_now_ns() - start) / BATCH;
}

static void merge_one(struct add *add)
{
	struct corral_key key = dataset_key(next_step(add));

	note_error(add, corral_add(add->dataset->corral, &key, &add->known[0].item, NULL, NULL));
}

static void set_back(struct add *add)
{
	for (uint32_t i = 0; add->dataset->carts <= FEW_CARTS && i < add->dataset->carts; i++) {
		struct corral_key key = dataset_key(&add->shuffled[i]);

		for (uint32_t line = 1; line <= THREE; line++)
			note_error(add, corral_set_quantity(add->dataset->corral, &key, line, 1,
							    NULL, NULL));
	}
}

static double run_merge(struct add *add)
{
	uint64_t start = bench_now_ns(), took;

	for (uint32_t i = 0; i < BATCH; i++)
		merge_one(add);
	took = bench_now_ns() - start;
	set_back(add);
	return (double)took / BATCH;
}

static double run_three(struct add *add)
{
	uint64_t start = bench_now_ns(), took;

	for (uint32_t i = 0; i < BATCH; i++) {
		struct corral_key key = dataset_key(next_step(add));

		note_error(add, corral_apply(add->dataset->corral, &key, add->steps_of_three, THREE,
					     NULL, NULL, NULL));
	}
	took = bench_now_ns() - start;
	set_back(add);
	return (double)took / BATCH;
}

/*
 * Add a line to each of the next carts, then remove the lines again. times: gets the time of each
 * add; or NULL.
 */
static double run_new_line(struct add *add, struct histogram *times)
{
	uint32_t carts = add->dataset->carts, count = (uint32_t)min_u64(NEW_BATCH, carts);
	const struct dataset_step *steps;
	uint64_t start, before, took;

	if (count > carts - add->shuffled_at)
		add->shuffled_at = 0;
	steps = &add->shuffled[add->shuffled_at];
	start = before = bench_now_ns();
	for (uint32_t i = 0; i < count; i++) {
		struct corral_key key = dataset_key(&steps[i]);
		struct corral_result result = { 0 };

		note_error(add,
			   corral_add(add->dataset->corral, &key, &add->fresh.item, NULL, &result));
		add->lines[i] = result.line;
		if (times != NULL) {
			uint64_t after = bench_now_ns();

			histogram_add(times, after - before);
			before = after;
		}
	}
	took = bench_now_ns() - start;
	for (uint32_t i = 0; i < count; i++) {
		struct corral_key key = dataset_key(&steps[i]);

		note_error(add,
			   corral_remove(add->dataset->corral, &key, add->lines[i], NULL, NULL));
	}
	add->shuffled_at += count;
	return (double)took / count;
}

static void run_rounds(struct add *add)
{
	uint32_t batch = (uint32_t)min_u64(NEW_BATCH, add->dataset->carts);
	uint64_t start = bench_now_ns();

	assert(batch > 0);
	while (add->err == 0 && measure_goes_on(add->measure, start, add->bare.count)) {
		uint32_t batches = BATCH / batch;
		double sum = 0;

		add->bare.ns[add->bare.count++] = run_bare(add);
		add->merge.ns[add->merge.count++] = run_merge(add);
		add->three.ns[add->three.count++] = run_three(add);
		for (uint32_t i = 0; i < batches; i++)
			sum += run_new_line(add, NULL);
		add->new_line.ns[add->new_line.count++] = sum / batches;
	}
}

/* Time single adds, for the tail; each time includes a clock reading. */
static void run_single(struct add *add)
{
	uint64_t end = bench_now_ns() + add->measure->ms * 1000000ull;

	while (add->err == 0 && bench_signal == 0 && bench_now_ns() < end) {
		uint64_t before = bench_now_ns();

		for (uint32_t i = 0; i < NEW_BATCH; i++) {
			uint64_t after;

			merge_one(add);
			after = bench_now_ns();
			histogram_add(&add->merge_times, after - before);
			before = after;
		}
		set_back(add);
		run_new_line(add, &add->new_times);
	}
}

static void print_figures(const struct add *add)
{
	uint32_t carts = add->dataset->carts;

	measure_print("add", carts, "bare_ns", "ns", rounds_median(&add->bare), 0);
	measure_print("add", carts, "add_merge_ns", "ns", rounds_median(&add->merge), 0);
	measure_print("add", carts, "add_merge_ratio", "x",
		      rounds_median_ratio(&add->merge, &add->bare), 2);
	measure_print("add", carts, "add_three_ns", "ns", rounds_median(&add->three), 0);
	measure_print("add", carts, "add_three_to_merge", "x",
		      rounds_median_ratio(&add->three, &add->merge), 2);
	measure_print("add", carts, "add_new_line_ns", "ns", rounds_median(&add->new_line), 0);
	measure_print("add", carts, "add_new_line_ratio", "x",
		      rounds_median_ratio(&add->new_line, &add->bare), 2);
	measure_print("add", carts, "rounds", "rounds", add->bare.count, 0);
	measure_print_quantiles("add", carts, "add_merge", &add->merge_times);
	measure_print_quantiles("add", carts, "add_new_line", &add->new_times);
}

static bool prepare(struct add *add)
{
	add->step_count = dataset_steps(add->dataset, STEPS_MAX);
	add->steps = dataset_walk(add->dataset, add->step_count, 1);
	add->shuffled = dataset_shuffled(add->dataset, 2);
	for (uint32_t i = 0; i < THREE; i++) {
		dataset_item_at(i, &add->known[i]);
		add->steps_of_three[i] = (struct corral_step){ .kind = CORRAL_STEP_ADD,
							       .item = &add->known[i].item };
	}
	dataset_item_at(add->dataset->lines, &add->fresh);
	if (add->steps == NULL || add->shuffled == NULL ||
	    baseline_make(&add->baseline, add->dataset) < 0)
		return false;
	add->ring = aligned_alloc(CACHE_LINE, add->baseline.value_bytes);
	if (add->ring != NULL)
		memset(add->ring, 0, add->baseline.value_bytes);
	return add->ring != NULL;
}

static enum bench_exit add_one(const struct measure *measure, struct dataset *dataset)
{
	struct add *add = calloc(1, sizeof(*add));
	enum bench_exit result = BENCH_DONE;

	if (add == NULL)
		return BENCH_NO_ARENA;
	add->measure = measure;
	add->dataset = dataset;
	if (!prepare(add)) {
		bench_say("cannot copy the carts");
		result = BENCH_NO_ARENA;
	} else {
		run_rounds(add);
		run_single(add);
		if (add->err == 0 && bench_signal == 0)
			print_figures(add);
	}
	if (add->err < 0) {
		bench_say("a change failed: %s", corral_strerror(add->err));
		result = BENCH_WRONG;
	}
	baseline_free(&add->baseline);
	free(add->ring);
	free(add->steps);
	free(add->shuffled);
	free(add);
	return result;
}

enum bench_exit add_run(int argc, char **argv)
{
	struct measure measure = MEASURE_DEFAULT("add");

	return measure_run(&measure, 0, argc, argv, add_one);
}
