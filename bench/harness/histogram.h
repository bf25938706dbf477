/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * histogram.h: a log-linear histogram of times, like HdrHistogram.
 *
 * Each power of two has 64 steps of equal width, so a quantile of any size is at most 1/64 too
 * high; values under 128 are exact. The greatest value is kept exactly.
 */
#ifndef CORRAL_BENCH_HISTOGRAM_H
#define CORRAL_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 6u
#define HISTOGRAM_STEPS (1u << HISTOGRAM_STEP_BITS)
/* 2^40 ns are 18 minutes; longer times count in the last step. */
#define HISTOGRAM_TOP_BITS 40u
#define HISTOGRAM_COUNTS ((HISTOGRAM_TOP_BITS - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS)

struct histogram {
	uint64_t total;
	uint64_t max;
	uint64_t counts[HISTOGRAM_COUNTS];
};

void histogram_clear(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);
/* Add the counts of `other`. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

/*
 * The end of the smallest step that `per_mille` of 1000 values do not exceed; 0 if there are no
 * values.
 */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t per_mille);
/* The same, in parts of 10,000. */
uint64_t histogram_quantile_fine(const struct histogram *histogram, uint32_t per_myriad);

#endif
