/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure.c: options, rounds and figures of benchmarks on a filled arena. See measure.h.
 */
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "memory.h"

static enum bench_exit take_options(int argc, char **argv, uint32_t accepts,
				    struct measure *measure, bool *ret_go)
{
	const struct option_row rows[] = {
		OPTION(LIST, "carts", "N[,N...]", number = measure->counts, "numbers of carts",
		       BOUNDS(1, MEASURE_CARTS_MAX), .list_count = &measure->count_count),
		OPTION_WORKERS(&measure->workers, MEASURE_WORKERS_MAX,
			       .hidden = !(accepts & MEASURE_WORKERS)),
		OPTION_THREADS(&measure->threads, .hidden = !(accepts & MEASURE_THREADS)),
		OPTION_ZIPF(&measure->zipf, .hidden = !(accepts & MEASURE_ZIPF)),
		OPTION(FLAG, "bare", NULL, flag = &measure->bare,
		       "as many workers that only copy such carts, too",
		       .hidden = !(accepts & MEASURE_BARE)),
		OPTION(NUMBER, "events", "N", number = &measure->events,
		       "so many events are made while a reader is stopped",
		       BOUNDS(1, MEASURE_EVENTS_MAX), .hidden = !(accepts & MEASURE_EVENTS)),
		OPTION_BYTES(&measure->bytes),
		OPTION(SECONDS, "seconds", "S", number = &measure->ms, "time for each figure",
		       BOUNDS(1, 1000 * MEASURE_SECONDS_MAX)),
		OPTION_JSON(&measure->json),
		OPTION_DIR(&measure->directory),
	};

	return bench_options(rows, argc, argv, ret_go);
}

enum bench_exit measure_run(struct measure *measure, uint32_t accepts, int argc, char **argv,
			    enum bench_exit (*one)(const struct measure *measure,
						   struct dataset *dataset))
{
	bool go;
	enum bench_exit result = take_options(argc, argv, accepts, measure, &go);
	struct dataset dataset;

	if (!go)
		return result;
	bench_catch_signals();
	figures_begin(measure->name, measure->json);
	for (uint32_t i = 0; i < measure->count_count && result == BENCH_DONE && bench_signal == 0;
	     i++) {
		fflush(stdout);
		result = dataset_open(&dataset, measure->directory, measure->counts[i],
				      measure->bytes);
		if (result != BENCH_DONE)
			break;
		measure_print(measure->name, dataset.carts, "cart_bytes", "bytes",
			      dataset.cart_bytes, 0);
		result = one(measure, &dataset);
		if (result == BENCH_DONE && bench_signal == 0)
			memory_print_arena(measure->name, &dataset);
		dataset_close(&dataset);
	}
	if (!figures_end() && result == BENCH_DONE)
		result = BENCH_WRONG;
	bench_die_of_signal();
	return result;
}

void measure_print(const char *name, uint32_t carts, const char *what, const char *unit,
		   double value, int decimals)
{
	figure(unit, value, decimals, "%s.carts_%u.%s", name, carts, what);
}

void measure_print_quantiles(const char *name, uint32_t carts, const char *what,
			     const struct histogram *times)
{
	char full[96];

	snprintf(full, sizeof(full), "%s.carts_%u.%s", name, carts, what);
	figure_quantiles(times, full);
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

double measure_median(double *values, uint32_t count)
{
	if (count == 0)
		return 0;
	qsort(values, count, sizeof(*values), compare);
	return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double rounds_median(const struct rounds *rounds)
{
	double values[MEASURE_ROUNDS_MAX];

	memcpy(values, rounds->ns, rounds->count * sizeof(values[0]));
	return measure_median(values, rounds->count);
}

double rounds_median_ratio(const struct rounds *rounds, const struct rounds *base)
{
	double values[MEASURE_ROUNDS_MAX];
	uint32_t count = rounds->count < base->count ? rounds->count : base->count;

	for (uint32_t i = 0; i < count; i++)
		values[i] = base->ns[i] > 0 ? rounds->ns[i] / base->ns[i] : 0;
	return measure_median(values, count);
}

bool measure_goes_on(const struct measure *measure, uint64_t start_ns, uint32_t rounds)
{
	if (bench_signal != 0 || rounds == MEASURE_ROUNDS_MAX)
		return false;
	return rounds < MEASURE_ROUNDS_MIN || bench_now_ns() - start_ns < measure->ms * 1000000ull;
}
