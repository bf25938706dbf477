/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sync.c: corral-bench sync: the number of waiting workers that one sync of the disk serves.
 *
 * Each worker adds an item to a random cart and waits in corral_sync(), again and again. The number
 * of syncs is the one that the journal counts in the arena's header.
 */
#include <string.h>

#include "adders.h"
#include "api/handle.h"
#include "base/atomic.h"
#include "harness/measure.h"
#include "harness/memory.h"
#include "speed.h"

#define WARM_NS 200000000u
#define INTERVAL_MS_MAX 10000u
#define INTERVAL_MS_MIN 10u

struct sync_bench {
	uint32_t workers[MEASURE_COUNTS_MAX];
	uint32_t worker_count;
	uint32_t ms;
	uint32_t carts;
	uint32_t bytes;
	uint32_t interval_ms;
	const char *directory;
	struct dataset dataset;
};

static void print(uint32_t workers, const char *figure, const char *unit, double value,
		  int decimals)
{
	printf("sync.workers_%u.%s %.*f %s\n", workers, figure, decimals, value, unit);
}

static void print_figures(uint32_t workers, const struct pool_window *window, uint64_t syncs)
{
	static const struct {
		const char *name;
		uint32_t per_mille;
	} quantiles[] = { { "p50_us", 500 }, { "p99_us", 990 }, { "p99.9_us", 999 } };
	const struct histogram *calls = &window->thens;

	print(workers, "acknowledged", "syncs", (double)calls->total, 0);
	print(workers, "disk_syncs", "syncs", (double)syncs, 0);
	print(workers, "per_disk_sync", "x", syncs > 0 ? (double)calls->total / (double)syncs : 0,
	      2);
	print(workers, "per_second", "1/s", (double)calls->total * 1e9 / (double)window->ns, 0);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		print(workers, quantiles[i].name, "us",
		      (double)histogram_quantile(calls, quantiles[i].per_mille) / 1000, 1);
	print(workers, "max_us", "us", (double)calls->max / 1000, 1);
}

static uint64_t syncs_of(const struct dataset *dataset)
{
	return load_relaxed(&dataset->corral->arena.header->journal_syncs); /* relaxed: a figure */
}

static enum bench_exit with_workers(struct sync_bench *bench, uint32_t workers)
{
	const struct dataset *dataset = &bench->dataset;
	static struct pool_window window;
	uint64_t versions = 0, syncs = 0;
	enum bench_exit result, closed;
	struct adders adders;
	char prefix[64];

	if (dataset_versions(dataset, &versions) < 0)
		return BENCH_WRONG;
	result = adders_open(&adders, &dataset, 1, workers, ADDERS_SYNC);
	if (result != BENCH_DONE)
		return result;
	adders_begin(&adders, 0, WARM_NS);
	syncs = syncs_of(dataset);
	pool_sleep(bench->ms * 1000000ull);
	syncs = syncs_of(dataset) - syncs;
	result = adders_finish(&adders, &window);
	if (result == BENCH_DONE && bench_signal == 0) {
		print_figures(workers, &window, syncs);
		snprintf(prefix, sizeof(prefix), "sync.workers_%u.", workers);
		result = adders_count(&adders, 0, prefix, versions);
	}
	closed = adders_close(&adders);
	return result == BENCH_DONE ? closed : result;
}

enum bench_exit sync_bench_run(int argc, char **argv)
{
	static struct sync_bench bench = { .workers = { 1, 16 },
					   .worker_count = 2,
					   .ms = 3000,
					   .carts = 1000,
					   .bytes = 5120,
					   .interval_ms = 1000 };
	const struct option_row rows[] = {
		OPTION(LIST, "workers", "N[,N...]", number = bench.workers,
		       "numbers of worker processes", BOUNDS(1, POOL_WORKERS_MAX),
		       .list_count = &bench.worker_count),
		OPTION(SECONDS, "seconds", "S", number = &bench.ms, "time for each number",
		       BOUNDS(1, 1000 * MEASURE_SECONDS_MAX)),
		OPTION(NUMBER, "carts", "N", number = &bench.carts, "number of carts",
		       BOUNDS(1, MEASURE_CARTS_MAX)),
		OPTION_BYTES(&bench.bytes),
		OPTION(NUMBER, "interval", "MS", number = &bench.interval_ms, "of the journal",
		       BOUNDS(INTERVAL_MS_MIN, INTERVAL_MS_MAX)),
		OPTION_DISK(&bench.directory),
	};
	bool go;
	enum bench_exit result = bench_options(rows, argc, argv, &go);

	if (!go)
		return result;
	bench_catch_signals();
	bench_print_machine(stdout);
	result = dataset_open_on_disk(&bench.dataset, bench.directory, bench.carts, bench.bytes,
				      bench.interval_ms);
	if (result == BENCH_DONE) {
		sandbox_print_place(&bench.dataset.sandbox, stdout);
		for (uint32_t i = 0;
		     i < bench.worker_count && result == BENCH_DONE && bench_signal == 0; i++) {
			result = with_workers(&bench, bench.workers[i]);
			fflush(stdout);
		}
		if (result == BENCH_DONE && bench_signal == 0)
			memory_print_arena("sync", &bench.dataset);
		dataset_close(&bench.dataset);
	}
	bench_die_of_signal();
	return result;
}
