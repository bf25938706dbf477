/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure.h (floor 6): what `get` and `add` share: options, rounds, and how figures are printed:
 * one line "name value unit" each, after a line about the machine.
 *
 * Figures of one machine differ from another's, and of one day from the next; ratios hold. So
 * what is compared is measured in turns within one run, in whole batches, and the ratio is
 * the median of the rounds' ratios.
 */
#ifndef CORRAL_BENCH_MEASURE_H
#define CORRAL_BENCH_MEASURE_H

#include "histogram.h"
#include "load.h"

#define MEASURE_COUNTS_MAX 16
#define MEASURE_CARTS_MAX 4000000u
#define MEASURE_BYTES_MIN 512u
#define MEASURE_BYTES_MAX (256u * 1024)
#define MEASURE_SECONDS_MAX 60u
#define MEASURE_ROUNDS_MIN 5u
#define MEASURE_ROUNDS_MAX 2000u

struct measure {
	const char *name; /* of the benchmark */
	uint32_t counts[MEASURE_COUNTS_MAX];
	uint32_t count_count;
	uint32_t bytes;
	uint32_t seconds;
	const char *directory;
};

/* One benchmark for each number of carts. */
enum bench_exit measure_run(const char *name, int argc, char **argv,
			    enum bench_exit (*one)(const struct measure *measure, struct load *load));

/* "100,10000", each from 1 to max: taken apart in place. Complains itself. */
bool measure_take_counts(const char *option, char *list, uint32_t max, uint32_t counts[MEASURE_COUNTS_MAX],
			 uint32_t *ret_count);

/* "NAME.carts_N.figure value unit" */
void measure_print(const char *name, uint32_t carts, const char *figure, const char *unit, double value, int decimals);
/* p50, p99 and p99.9 of single calls: "NAME.carts_N.figure_p50_ns ..." */
void measure_print_quantiles(const char *name, uint32_t carts, const char *figure, const struct histogram *times);

/* Of so many values, which it sorts; 0 of none. */
double measure_median(double *values, uint32_t count);

/* Nanoseconds of one operation, round by round. */
struct rounds {
	uint32_t count;
	double ns[MEASURE_ROUNDS_MAX];
};
double rounds_median(const struct rounds *rounds);
double rounds_median_ratio(const struct rounds *rounds, const struct rounds *base);

/* Is there time for another round? start_ns: when the first one began. */
bool measure_goes_on(const struct measure *measure, uint64_t start_ns, uint32_t rounds);

/* So that the compiler cannot leave out what nobody reads. */
static inline void measure_use(uint64_t value)
{
	__asm__ volatile("" : : "r"(value) : "memory");
}

#endif
