/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure.c (floor 6): options, rounds and figures of `get` and `add`. See measure.h.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "memory.h"

enum {
	OPTION_CARTS = 1,
	OPTION_BYTES,
	OPTION_SECONDS,
	OPTION_WORKERS,
	OPTION_ZIPF,
	OPTION_THREADS,
	OPTION_DIR,
	OPTION_JSON,
	OPTION_HELP
};

static const struct option long_options[] = {
	{ "carts", required_argument, NULL, OPTION_CARTS },
	{ "bytes", required_argument, NULL, OPTION_BYTES },
	{ "seconds", required_argument, NULL, OPTION_SECONDS },
	{ "workers", required_argument, NULL, OPTION_WORKERS },
	{ "zipf", no_argument, NULL, OPTION_ZIPF },
	{ "threads", no_argument, NULL, OPTION_THREADS },
	{ "dir", required_argument, NULL, OPTION_DIR },
	{ "json", required_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

bool measure_take_counts(const char *option, char *list, uint32_t max, uint32_t counts[MEASURE_COUNTS_MAX],
			 uint32_t *ret_count)
{
	uint32_t count = 0;

	for (char *next = list; next != NULL;) {
		char *text = strsep(&next, ",");
		uint64_t value;

		if (count == MEASURE_COUNTS_MAX) {
			bench_say("--%s: more than %d numbers", option, MEASURE_COUNTS_MAX);
			return false;
		}
		if (!bench_number(option, text, 1, max, &value))
			return false;
		counts[count++] = (uint32_t)value;
	}
	*ret_count = count;
	return true;
}

static bool take_option(int option, uint32_t accepts, struct measure *measure)
{
	uint64_t value;

	switch (option) {
	case OPTION_CARTS:
		return measure_take_counts("carts", optarg, MEASURE_CARTS_MAX, measure->counts, &measure->count_count);
	case OPTION_BYTES:
		if (!bench_number("bytes", optarg, MEASURE_BYTES_MIN, MEASURE_BYTES_MAX, &value))
			return false;
		measure->bytes = (uint32_t)value;
		return true;
	case OPTION_SECONDS:
		if (!bench_number("seconds", optarg, 1, MEASURE_SECONDS_MAX, &value))
			return false;
		measure->seconds = (uint32_t)value;
		return true;
	case OPTION_WORKERS:
		if (!(accepts & MEASURE_WORKERS) || !bench_number("workers", optarg, 1, MEASURE_WORKERS_MAX, &value))
			return false;
		measure->workers = (uint32_t)value;
		return true;
	case OPTION_ZIPF:
		measure->zipf = true;
		return accepts & MEASURE_ZIPF;
	case OPTION_THREADS:
		measure->threads = true;
		return accepts & MEASURE_THREADS;
	case OPTION_DIR:
		measure->directory = optarg;
		return true;
	case OPTION_JSON:
		measure->json = optarg;
		return true;
	default:
		return false;
	}
}

/* BENCH_DONE; with no counts: help was asked for. */
static enum bench_exit take_options(int argc, char **argv, uint32_t accepts, struct measure *measure)
{
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPTION_HELP) {
			bench_help(measure->name);
			measure->count_count = 0;
			return BENCH_DONE;
		}
		if (!take_option(option, accepts, measure))
			return bench_usage(measure->name, "wrong arguments");
	}
	return optind == argc ? BENCH_DONE : bench_usage(measure->name, "what is '%s'?", argv[optind]);
}

enum bench_exit measure_run(struct measure *measure, uint32_t accepts, int argc, char **argv,
			    enum bench_exit (*one)(const struct measure *measure, struct load *load))
{
	enum bench_exit result = take_options(argc, argv, accepts, measure);
	struct load load;

	if (result != BENCH_DONE || measure->count_count == 0)
		return result;
	bench_catch_signals();
	figures_begin(measure->name, measure->json);
	for (uint32_t i = 0; i < measure->count_count && result == BENCH_DONE && bench_signal == 0; i++) {
		fflush(stdout);
		result = load_open(&load, measure->directory, measure->counts[i], measure->bytes);
		if (result != BENCH_DONE)
			break;
		measure_print(measure->name, load.carts, "cart_bytes", "bytes", load.cart_bytes, 0);
		result = one(measure, &load);
		if (result == BENCH_DONE && bench_signal == 0)
			memory_print_arena(measure->name, &load);
		load_close(&load);
	}
	if (!figures_end() && result == BENCH_DONE)
		result = BENCH_WRONG;
	bench_die_of_signal();
	return result;
}

void measure_print(const char *name, uint32_t carts, const char *what, const char *unit, double value, int decimals)
{
	figure(unit, value, decimals, "%s.carts_%u.%s", name, carts, what);
}

void measure_print_quantiles(const char *name, uint32_t carts, const char *what, const struct histogram *times)
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
	return rounds < MEASURE_ROUNDS_MIN || bench_now_ns() - start_ns < measure->seconds * 1000000000ull;
}
