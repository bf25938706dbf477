/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sync.c (floor 6): corral-bench sync: how many waiting workers one sync of the disk serves.
 *
 * Each worker adds an item to a random cart and waits in corral_sync(), again and again. The syncs of the disk are those
 * that the journal counts in the arena's header.
 */
#include <getopt.h>
#include <string.h>

#include "atomic.h"
#include "gang.h"
#include "handle.h"
#include "measure.h"
#include "memory.h"

#define WARM_NS 200000000u
#define INTERVAL_MS_MAX 10000u
#define INTERVAL_MS_MIN 10u

struct sync_bench {
	uint32_t workers[MEASURE_COUNTS_MAX];
	uint32_t worker_count;
	uint64_t seconds;
	uint64_t carts;
	uint64_t bytes;
	uint64_t interval_ms;
	const char *directory;
	bool help;
	struct load load;
};

static void print(uint32_t workers, const char *figure, const char *unit, double value, int decimals)
{
	printf("sync.workers_%u.%s %.*f %s\n", workers, figure, decimals, value, unit);
}

static void print_figures(uint32_t workers, const struct gang_window *window, uint64_t syncs)
{
	static const struct {
		const char *name;
		uint32_t per_mille;
	} quantiles[] = { { "p50_us", 500 }, { "p99_us", 990 }, { "p99.9_us", 999 } };
	const struct histogram *calls = &window->calls;

	print(workers, "acknowledged", "syncs", (double)calls->total, 0);
	print(workers, "disk_syncs", "syncs", (double)syncs, 0);
	print(workers, "per_disk_sync", "x", syncs > 0 ? (double)calls->total / (double)syncs : 0, 2);
	print(workers, "per_second", "1/s", (double)calls->total * 1e9 / (double)window->ns, 0);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		print(workers, quantiles[i].name, "us",
		      (double)histogram_quantile(calls, quantiles[i].per_mille) / 1000, 1);
	print(workers, "max_us", "us", (double)calls->max / 1000, 1);
}

static uint64_t syncs_of(const struct load *load)
{
	return load_relaxed(&load->corral->arena.header->journal_syncs); /* relaxed: a figure */
}

static enum bench_exit with_workers(struct sync_bench *bench, uint32_t workers)
{
	const struct load *load = &bench->load;
	static struct gang_window window;
	uint64_t versions = 0, syncs = 0;
	enum bench_exit result, closed;
	struct gang gang;
	char prefix[64];

	if (load_versions(load, &versions) < 0)
		return BENCH_WRONG;
	result = gang_open(&gang, &load, 1, workers, GANG_ADD_AND_SYNC);
	if (result != BENCH_DONE)
		return result;
	result = gang_begin(&gang, 0, WARM_NS);
	if (result == BENCH_DONE) {
		syncs = syncs_of(load);
		gang_sleep(bench->seconds * 1000000000u);
		syncs = syncs_of(load) - syncs;
		result = gang_finish(&gang, &window);
	}
	if (result == BENCH_DONE && bench_signal == 0) {
		print_figures(workers, &window, syncs);
		snprintf(prefix, sizeof(prefix), "sync.workers_%u.", workers);
		result = gang_count(&gang, 0, prefix, versions);
	}
	closed = gang_close(&gang);
	return result == BENCH_DONE ? closed : result;
}

static bool take_option(int option, struct sync_bench *bench)
{
	switch (option) {
	case 'w':
		return measure_take_counts("workers", optarg, GANG_WORKERS_MAX, bench->workers, &bench->worker_count);
	case 's':
		return bench_number("seconds", optarg, 1, MEASURE_SECONDS_MAX, &bench->seconds);
	case 'c':
		return bench_number("carts", optarg, 1, MEASURE_CARTS_MAX, &bench->carts);
	case 'b':
		return bench_number("bytes", optarg, MEASURE_BYTES_MIN, MEASURE_BYTES_MAX, &bench->bytes);
	case 'i':
		return bench_number("interval", optarg, INTERVAL_MS_MIN, INTERVAL_MS_MAX, &bench->interval_ms);
	case 'd':
		bench->directory = optarg;
		return true;
	case 'h':
		bench->help = true;
		return true;
	default:
		return false;
	}
}

static enum bench_exit take_options(int argc, char **argv, struct sync_bench *bench)
{
	static const struct option long_options[] = {
		{ "workers", required_argument, NULL, 'w' },  { "seconds", required_argument, NULL, 's' },
		{ "carts", required_argument, NULL, 'c' },    { "bytes", required_argument, NULL, 'b' },
		{ "interval", required_argument, NULL, 'i' }, { "dir", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },           { NULL, 0, NULL, 0 },
	};
	int option;

	optind = 1;
	while (!bench->help && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (!take_option(option, bench))
			return bench_usage("sync", "wrong arguments");
	return bench->help || optind == argc ? BENCH_DONE : bench_usage("sync", "what is '%s'?", argv[optind]);
}

enum bench_exit sync_bench_run(int argc, char **argv)
{
	static struct sync_bench bench = {
		.workers = { 1, 16 }, .worker_count = 2, .seconds = 3, .carts = 1000, .bytes = 5120, .interval_ms = 1000
	};
	enum bench_exit result = take_options(argc, argv, &bench);

	if (result != BENCH_DONE)
		return result;
	if (bench.help) {
		bench_help("sync");
		return BENCH_DONE;
	}
	bench_catch_signals();
	bench_print_machine(stdout);
	result = load_open_on_disk(&bench.load, bench.directory, (uint32_t)bench.carts, (uint32_t)bench.bytes,
				   (uint32_t)bench.interval_ms);
	if (result == BENCH_DONE) {
		stage_print_place(&bench.load.stage, stdout);
		for (uint32_t i = 0; i < bench.worker_count && result == BENCH_DONE && bench_signal == 0; i++) {
			result = with_workers(&bench, bench.workers[i]);
			fflush(stdout);
		}
		if (result == BENCH_DONE && bench_signal == 0)
			memory_print_arena("sync", &bench.load);
		load_close(&bench.load);
	}
	bench_die_of_signal();
	return result;
}
