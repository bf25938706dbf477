/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure.h: what benchmarks on a filled arena share: options, rounds, and the names of figures.
 *
 * Absolute figures differ between machines, and between days on one machine; ratios are stable. So
 * the sides of a comparison are measured in turns within one run, in whole batches, and the ratio
 * is the median of the rounds' ratios.
 */
#ifndef CORRAL_BENCH_MEASURE_H
#define CORRAL_BENCH_MEASURE_H

#include "dataset.h"
#include "figures.h"
#include "options.h"

#define MEASURE_COUNTS_MAX OPTIONS_LIST_MAX
#define MEASURE_CARTS_MAX 4000000u
#define MEASURE_BYTES_MIN 512u
#define MEASURE_BYTES_MAX DATASET_CART_BYTES_MAX
#define MEASURE_SECONDS_MAX 60u
#define MEASURE_WORKERS_MAX 64u
#define MEASURE_EVENTS_MAX 100000000u
#define MEASURE_ROUNDS_MIN 5u
#define MEASURE_ROUNDS_MAX 2000u

struct measure {
	const char *name; /* of the benchmark */
	uint32_t counts[MEASURE_COUNTS_MAX];
	uint32_t count_count;
	uint32_t bytes;
	uint32_t ms;      /* for each figure */
	uint32_t workers; /* 0: not asked for */
	uint32_t events;  /* that are made while a reader of the feed is stopped */
	bool zipf;
	bool threads; /* the workers are threads of one process */
	bool bare;    /* also measure as many workers that only copy */
	const char *directory;
	const char *json;
};

/* Options that not every benchmark has. */
#define MEASURE_WORKERS 1u
#define MEASURE_ZIPF 2u
#define MEASURE_THREADS 4u
#define MEASURE_BARE 8u
#define MEASURE_EVENTS 16u

/*
 * Run the benchmark once for each number of carts. measure: the defaults that options override;
 * accepts: MEASURE_...
 */
enum bench_exit measure_run(struct measure *measure, uint32_t accepts, int argc, char **argv,
			    enum bench_exit (*one)(const struct measure *measure,
						   struct dataset *dataset));
#define MEASURE_DEFAULT(benchmark)                                                                 \
	{                                                                                          \
		.name = (benchmark), .counts = { 100, 10000, 200000 }, .count_count = 3,           \
		.bytes = 5120, .ms = 1000                                                          \
	}

/* Options that many benchmarks have, beside those of options.h. */
#define OPTION_BYTES(target)                                                                       \
	OPTION(NUMBER, "bytes", "N", number = (target), "bytes of a cart, about",                  \
	       BOUNDS(MEASURE_BYTES_MIN, MEASURE_BYTES_MAX))
#define OPTION_WORKERS(target, max, ...)                                                           \
	OPTION(NUMBER, "workers", "N", number = (target), "so many workers at a time",             \
	       BOUNDS(1, max), ##__VA_ARGS__)

/* "NAME.carts_N.WHAT value unit" */
void measure_print(const char *name, uint32_t carts, const char *what, const char *unit,
		   double value, int decimals);
/* The quantiles of single calls: "NAME.carts_N.WHAT_p50_ns ..." */
void measure_print_quantiles(const char *name, uint32_t carts, const char *what,
			     const struct histogram *times);

/* The median of `count` values, which it sorts; 0 if there are none. */
double measure_median(double *values, uint32_t count);

/* The nanoseconds of one operation, for each round. */
struct rounds {
	uint32_t count;
	double ns[MEASURE_ROUNDS_MAX];
};
double rounds_median(const struct rounds *rounds);
double rounds_median_ratio(const struct rounds *rounds, const struct rounds *base);

/* Is there time for another round? start_ns: when the first round began. */
bool measure_goes_on(const struct measure *measure, uint64_t start_ns, uint32_t rounds);

/* Keeps the compiler from optimizing away a value that is not used otherwise. */
static inline void measure_use(uint64_t value)
{
	__asm__ volatile("" : : "r"(value) : "memory");
}

#endif
