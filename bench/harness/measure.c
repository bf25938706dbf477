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
	const struct {
		uint32_t who; /* the benchmarks that have this option; 0: all */
		struct option_row row;
	} all[] = {
		{ 0, OPTION_LIST("carts", measure->counts, &measure->count_count, MEASURE_CARTS_MAX,
				 "numbers of carts") },
		{ MEASURE_WORKERS, OPTION_WORKERS(&measure->workers, MEASURE_WORKERS_MAX) },
		{ MEASURE_THREADS, OPTION_THREADS(&measure->threads) },
		{ MEASURE_ZIPF, OPTION_ZIPF(&measure->zipf) },
		{ MEASURE_BARE, OPTION_FLAG("bare", &measure->bare,
					    "as many workers that only copy such carts, too") },
		{ 0, OPTION_BYTES(&measure->bytes) },
		{ 0, OPTION_SECONDS(&measure->ms, MEASURE_SECONDS_MAX, "time for each figure") },
		{ 0, OPTION_JSON(&measure->json) },
		{ 0, OPTION_DIR(&measure->directory) },
	};
	struct option_row rows[sizeof(all) / sizeof(all[0])];
	struct options options = { .benchmark = measure->name, .rows = rows };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].who == 0 || (accepts & all[i].who) != 0)
			rows[options.count++] = all[i].row;
	return options_take(&options, argc, argv, ret_go);
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
