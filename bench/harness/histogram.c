/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * histogram.c: a log-linear histogram. See histogram.h.
 */
#include <string.h>

#include "histogram.h"

/*
 * A value below 2 * STEPS is its own index. For a larger value, whose top bit is 6 + n, the index
 * is n * STEPS + (value >> n): the STEPS of each power of two follow those of the one before.
 */
static uint32_t index_of(uint64_t value)
{
	uint32_t shift;

	if (value >> HISTOGRAM_TOP_BITS != 0)
		return HISTOGRAM_COUNTS - 1;
	if (value < HISTOGRAM_STEPS)
		return (uint32_t)value;
	shift = 63u - (uint32_t)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
	return shift * HISTOGRAM_STEPS + (uint32_t)(value >> shift);
}

/* The greatest value with this index. */
static uint64_t end_of(uint32_t index)
{
	uint32_t shift = index < 2 * HISTOGRAM_STEPS ? 0 : index / HISTOGRAM_STEPS - 1;

	return ((uint64_t)(index - shift * HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_clear(struct histogram *histogram)
{
	memset(histogram, 0, sizeof(*histogram));
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->counts[index_of(value)]++;
	histogram->total++;
	if (value > histogram->max)
		histogram->max = value;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
	for (uint32_t i = 0; i < HISTOGRAM_COUNTS; i++)
		histogram->counts[i] += other->counts[i];
	histogram->total += other->total;
	if (other->max > histogram->max)
		histogram->max = other->max;
}

uint64_t histogram_quantile(const struct histogram *histogram, uint32_t per_mille)
{
	return histogram_quantile_fine(histogram, per_mille * 10);
}

uint64_t histogram_quantile_fine(const struct histogram *histogram, uint32_t per_myriad)
{
	uint64_t wanted = (histogram->total * per_myriad + 9999) / 10000;
	uint64_t seen = 0;

	for (uint32_t i = 0; i < HISTOGRAM_COUNTS; i++) {
		seen += histogram->counts[i];
		if (seen >= wanted && seen > 0)
			return end_of(i) < histogram->max ? end_of(i) : histogram->max;
	}
	return histogram->max;
}
