/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * get.c: corral-bench get: find a cart and read its version.
 *
 *   bare    baseline.h: hash, probe, compare the key, read
 *   corral  corral_read_begin(), corral_read_end()
 *   bare_copy, corral_copy  the same, and the whole cart copied out: memcpy(), corral_read_copy()
 *   verified_copy           corral_read_copy() and corral_view_verify(), beside corral_copy
 *
 * All go over the same random walk. The two sides of each pair take turns, each time after some
 * operations that warm the caches for this side. One run knows the keys beforehand, so the
 * processor works on several reads at a time; another run, "alone", prevents that. Finally the
 * memory that the arena takes for these carts is printed once.
 */
#include <stdlib.h>

#include "baseline.h"
#include "harness/measure.h"
#include "harness/memory.h"
#include "speed.h"

#define STEPS_MAX (1u << 20)
#define BATCH_MIN 10000u
#define BATCH_MAX 200000u
#define COPY_PART 4u /* copies take longer, so there are fewer, by this factor */

struct get {
	const struct measure *measure;
	struct dataset *dataset;
	struct baseline baseline;
	struct dataset_step *steps;
	uint32_t step_count; /* a power of two */
	uint32_t at;         /* the next step */
	uint32_t missing;    /* carts that were not found; must stay 0 */
	struct rounds bare, corral, bare_alone, corral_alone, bare_copy, corral_copy, again_copy,
		verified_copy;
	uint8_t *buffer; /* the target of copies */
	struct histogram times;
};

typedef uint64_t getter(struct get *get, const struct dataset_step *step);

static inline uint64_t get_bare(struct get *get, const struct dataset_step *step)
{
	struct corral_key key = dataset_key(step);
	const struct cart_head *cart = baseline_find(&get->baseline, &key);

	if (unlikely(cart == NULL)) {
		get->missing++;
		return 0;
	}
	return cart->version;
}

static inline uint64_t get_corral(struct get *get, const struct dataset_step *step)
{
	struct corral_key key = dataset_key(step);
	struct corral_view view;

	if (unlikely(corral_read_begin(get->dataset->corral, &key, &view) < 0)) {
		get->missing++;
		return 0;
	}
	corral_read_end(&view);
	return view.version;
}

static inline uint64_t get_bare_copy(struct get *get, const struct dataset_step *step)
{
	struct corral_key key = dataset_key(step);
	const struct cart_head *cart = baseline_find(&get->baseline, &key);

	if (unlikely(cart == NULL)) {
		get->missing++;
		return 0;
	}
	memcpy(get->buffer, cart, cart->size);
	return cart->version;
}

static inline uint64_t get_corral_copy(struct get *get, const struct dataset_step *step)
{
	struct corral_key key = dataset_key(step);
	struct corral_view view;
	size_t size;

	if (unlikely(corral_read_copy(get->dataset->corral, &key, get->buffer, CORRAL_CART_MAX,
				      &size, &view) < 0)) {
		get->missing++;
		return 0;
	}
	return size;
}

static inline uint64_t get_verified_copy(struct get *get, const struct dataset_step *step)
{
	struct corral_key key = dataset_key(step);
	struct corral_view view;
	size_t size;

	if (unlikely(corral_read_copy(get->dataset->corral, &key, get->buffer, CORRAL_CART_MAX,
				      &size, &view) < 0 ||
		     corral_view_verify(&view) < 0)) {
		get->missing++;
		return 0;
	}
	return size;
}

/*
 * Do `count` operations from step `from` on, and return the time they took. alone: the address of
 * the next key depends on the value just read (by adding 0: no sum has the top bit), so that the
 * processor cannot begin the next read early.
 */
static inline __attribute__((always_inline)) uint64_t run(struct get *get, getter *one,
							  uint32_t from, uint32_t count, bool alone)
{
	uint32_t mask = get->step_count - 1;
	uint64_t sum = 0, last = 0, start = bench_now_ns();

	for (uint32_t i = 0; i < count; i++) {
		last = one(get,
			   &get->steps[(from + i + (alone ? (uint32_t)(last >> 63) : 0)) & mask]);
		sum += last;
	}
	measure_use(sum);
	return bench_now_ns() - start;
}

/* The same for each side, which is inlined into a loop of its own. */
typedef uint64_t runner(struct get *get, uint32_t from, uint32_t count);

#define RUNNER(NAME, ONE, ALONE)                                                                   \
	static uint64_t NAME(struct get *get, uint32_t from, uint32_t count)                       \
	{                                                                                          \
		return run(get, ONE, from, count, ALONE);                                          \
	}

RUNNER(run_bare, get_bare, false)
RUNNER(run_corral, get_corral, false)
RUNNER(run_bare_alone, get_bare, true)
RUNNER(run_corral_alone, get_corral, true)
RUNNER(run_bare_copy, get_bare_copy, false)
RUNNER(run_corral_copy, get_corral_copy, false)
RUNNER(run_verified_copy, get_verified_copy, false)

/* Warm the caches for this side, then measure. */
static void run_round(struct get *get, runner *side, struct rounds *rounds, uint32_t batch)
{
	side(get, get->at, batch / 2);
	rounds->ns[rounds->count++] = (double)side(get, get->at + batch / 2, batch) / batch;
}

/*
 * Measure two sides in turns, without the other pairs, whose traces in the caches would distort the
 * figures.
 */
static void run_pair(struct get *get, runner *bare, struct rounds *bare_rounds, runner *corral,
		     struct rounds *corral_rounds, uint32_t part)
{
	uint32_t batch = (uint32_t)max_u64(BATCH_MIN,
					   min_u64(BATCH_MAX, 2 * (uint64_t)get->dataset->carts)) /
			 part;
	uint64_t start = bench_now_ns();

	while (measure_goes_on(get->measure, start, bare_rounds->count)) {
		run_round(get, bare, bare_rounds, batch);
		run_round(get, corral, corral_rounds, batch);
		get->at = (get->at + batch + batch / 2) & (get->step_count - 1);
	}
}

static void run_rounds(struct get *get)
{
	run_pair(get, run_bare, &get->bare, run_corral, &get->corral, 1);
	run_pair(get, run_bare_alone, &get->bare_alone, run_corral_alone, &get->corral_alone, 1);
	run_pair(get, run_bare_copy, &get->bare_copy, run_corral_copy, &get->corral_copy,
		 COPY_PART);
	run_pair(get, run_corral_copy, &get->again_copy, run_verified_copy, &get->verified_copy,
		 COPY_PART);
}

/* Time single reads, for the tail; each time includes a clock reading. */
static void run_single(struct get *get)
{
	uint64_t end = bench_now_ns() + get->measure->ms * 1000000ull, before = bench_now_ns(),
		 sum = 0;

	while (before < end && bench_signal == 0) {
		uint64_t after;

		sum += get_corral(get, &get->steps[get->at]);
		after = bench_now_ns();
		histogram_add(&get->times, after - before);
		before = after;
		get->at = (get->at + 1) & (get->step_count - 1);
	}
	measure_use(sum);
}

/* The average time of a clock reading. */
static double clock_ns(void)
{
	uint64_t start = bench_now_ns();
	uint32_t count = 100000;

	for (uint32_t i = 0; i < count; i++)
		measure_use(bench_now_ns());
	return (double)(bench_now_ns() - start) / count;
}

static void print_figures(const struct get *get)
{
	const char *name = get->measure->zipf ? "get_zipf" : "get";
	uint32_t carts = get->dataset->carts;

	measure_print(name, carts, "bare_ns", "ns", rounds_median(&get->bare), 1);
	measure_print(name, carts, "corral_ns", "ns", rounds_median(&get->corral), 1);
	measure_print(name, carts, "ratio", "x", rounds_median_ratio(&get->corral, &get->bare), 2);
	measure_print(name, carts, "alone_bare_ns", "ns", rounds_median(&get->bare_alone), 1);
	measure_print(name, carts, "alone_corral_ns", "ns", rounds_median(&get->corral_alone), 1);
	measure_print(name, carts, "alone_ratio", "x",
		      rounds_median_ratio(&get->corral_alone, &get->bare_alone), 2);
	measure_print(name, carts, "bare_copy_ns", "ns", rounds_median(&get->bare_copy), 1);
	measure_print(name, carts, "corral_copy_ns", "ns", rounds_median(&get->corral_copy), 1);
	measure_print(name, carts, "copy_ratio", "x",
		      rounds_median_ratio(&get->corral_copy, &get->bare_copy), 2);
	measure_print(name, carts, "verified_copy_ns", "ns", rounds_median(&get->verified_copy), 1);
	measure_print(name, carts, "verified_ratio", "x",
		      rounds_median_ratio(&get->verified_copy, &get->again_copy), 2);
	measure_print(name, carts, "rounds", "rounds", get->bare.count, 0);
	measure_print_quantiles(name, carts, "corral", &get->times);
	measure_print(name, carts, "clock_ns", "ns", clock_ns(), 1);
}

static enum bench_exit get_one(const struct measure *measure, struct dataset *dataset)
{
	struct get *get = calloc(1, sizeof(*get));
	enum bench_exit result = BENCH_NO_ARENA;

	if (get == NULL)
		return BENCH_NO_ARENA;
	get->measure = measure;
	get->dataset = dataset;
	memory_print_carts(dataset);
	get->step_count = dataset_steps(dataset, STEPS_MAX);
	get->steps = measure->zipf ? dataset_walk_zipf(dataset, get->step_count, 1) :
				     dataset_walk(dataset, get->step_count, 1);
	get->buffer = malloc(CORRAL_CART_MAX);
	if (get->steps == NULL || get->buffer == NULL ||
	    baseline_make(&get->baseline, dataset) < 0) {
		bench_say("cannot copy the carts into a plain map");
	} else {
		run_rounds(get);
		run_single(get);
		result = get->missing == 0 ? BENCH_DONE : BENCH_WRONG;
		if (get->missing != 0)
			bench_say("%u reads found no cart, or a damaged one", get->missing);
		else if (bench_signal == 0)
			print_figures(get);
		baseline_free(&get->baseline);
	}
	free(get->buffer);
	free(get->steps);
	free(get);
	return result;
}

enum bench_exit get_run(int argc, char **argv)
{
	struct measure measure = MEASURE_DEFAULT("get");

	return measure_run(&measure, MEASURE_ZIPF, argc, argv, get_one);
}
