/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot.c: corral-bench snapshot: the cost of `corral snapshot` for workers that change carts.
 *
 * Worker processes add items without pause, in windows that alternate. In one window snapshots are
 * taken, one after the other, by the program in the same directory; the next window lasts as long,
 * without snapshots. If there are more processes than cores, a process waits for a core, in a call
 * or outside of it. The windows in which workers run an empty loop (see adders.h) show the longest
 * such wait. The time that calls take beyond it, with snapshots compared with without, is the
 * snapshot's cost.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adders.h"
#include "harness/child.h"
#include "harness/measure.h"
#include "harness/memory.h"
#include "speed.h"

#define TOOL "corral"
#define ROUNDS_MAX 1000u
#define WINDOW_NS_MIN 500000000u
#define WARM_NS 50000000u
#define SNAPSHOT_MS_MAX 60000

enum side { QUIET, DURING, SIDES };

static const char *const side_names[SIDES] = { "quiet", "snapshot" };

struct snapshot_bench {
	uint32_t counts[MEASURE_COUNTS_MAX];
	uint32_t count_count;
	uint32_t workers;
	uint32_t bytes;
	uint32_t rounds;
	const char *directory;
	struct dataset dataset;
	char tool[PATH_MAX];
	char file[PATH_MAX + 16];
	/* The figures for one number of carts follow. */
	struct pool_window all[SIDES];
	double calls_max[SIDES][ROUNDS_MAX]; /* of each window */
	double nothing_max[SIDES][ROUNDS_MAX];
	struct histogram snapshots; /* the time of each */
	uint32_t done;
};

/* ----------------------------------------------------------------- windows */

static enum bench_exit one_snapshot(struct snapshot_bench *bench)
{
	char *argv[] = { bench->tool, "--dir",     bench->dataset.sandbox.directory,
			 "snapshot",  bench->file, NULL };
	uint64_t start = bench_now_ns();
	pid_t pid = child_start(&(struct child_plan){ .path = bench->tool,
						      .argv = argv,
						      .keep = { -1, -1 },
						      .output = bench->dataset.sandbox.log });
	int status = 0;

	if (pid < 0) {
		bench_say("cannot start %s: %s", bench->tool, strerror((int)-pid));
		return BENCH_NO_AGENT;
	}
	if (child_wait(pid, SNAPSHOT_MS_MAX, &status) == 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		bench_say("a snapshot took more than %d s", SNAPSHOT_MS_MAX / 1000);
		return BENCH_WRONG;
	}
	if (status != 0) {
		bench_say("%s snapshot ended with status %d", TOOL, status);
		return BENCH_WRONG;
	}
	histogram_add(&bench->snapshots, bench_now_ns() - start);
	return BENCH_DONE;
}

static void take_window(struct snapshot_bench *bench, enum side side,
			const struct pool_window *window)
{
	bench->calls_max[side][bench->done] = (double)window->ones.max;
	bench->nothing_max[side][bench->done] = (double)window->thens.max;
	histogram_merge(&bench->all[side].ones, &window->ones);
	histogram_merge(&bench->all[side].thens, &window->thens);
	bench->all[side].ns += window->ns;
}

/* Measure a window with snapshots, and one without that lasts as long. */
static enum bench_exit one_pair(struct snapshot_bench *bench, struct adders *adders)
{
	static struct pool_window window;
	enum bench_exit result;

	adders_begin(adders, 0, WARM_NS);
	uint64_t start = bench_now_ns();
	do {
		result = one_snapshot(bench);
	} while (result == BENCH_DONE && bench_now_ns() - start < WINDOW_NS_MIN &&
		 bench_signal == 0);
	enum bench_exit finished = adders_finish(adders, &window);
	if (result != BENCH_DONE || finished != BENCH_DONE)
		return result != BENCH_DONE ? result : finished;
	take_window(bench, DURING, &window);
	adders_begin(adders, 0, WARM_NS);
	pool_sleep(window.ns);
	result = adders_finish(adders, &window);
	if (result == BENCH_DONE)
		take_window(bench, QUIET, &window);
	return result;
}

/* ----------------------------------------------------------------- figures */

static void print(const struct snapshot_bench *bench, const char *figure, const char *unit,
		  double value, int decimals)
{
	measure_print("snapshot", bench->dataset.carts, figure, unit, value, decimals);
}

static void print_times(const struct snapshot_bench *bench, const char *side, const char *what,
			const struct histogram *times)
{
	static const struct {
		const char *name;
		uint32_t per_myriad;
	} quantiles[] = { { "p50", 5000 }, { "p99.9", 9990 }, { "p99.99", 9999 } };
	char full[64];

	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		snprintf(full, sizeof(full), "%s_%s_%s_us", side, what, quantiles[i].name);
		print(bench, full, "us",
		      (double)histogram_quantile_fine(times, quantiles[i].per_myriad) / 1000, 1);
	}
	snprintf(full, sizeof(full), "%s_%s_max_us", side, what);
	print(bench, full, "us", (double)times->max / 1000, 1);
}

static void print_figures(struct snapshot_bench *bench)
{
	const struct pool_window *all = bench->all;
	double calls[SIDES], nothing[SIDES];
	char full[64];

	for (enum side side = QUIET; side < SIDES; side++) {
		print_times(bench, side_names[side], "add", &all[side].ones);
		print_times(bench, side_names[side], "nothing", &all[side].thens);
		snprintf(full, sizeof(full), "%s_adds_per_second", side_names[side]);
		print(bench, full, "1/s", (double)all[side].ones.total * 1e9 / (double)all[side].ns,
		      0);
		calls[side] = measure_median(bench->calls_max[side], bench->done);
		nothing[side] = measure_median(bench->nothing_max[side], bench->done);
		snprintf(full, sizeof(full), "%s_add_window_max_us", side_names[side]);
		print(bench, full, "us", calls[side] / 1000, 1);
		snprintf(full, sizeof(full), "%s_nothing_window_max_us", side_names[side]);
		print(bench, full, "us", nothing[side] / 1000, 1);
	}
	print(bench, "delay_p99.99_us", "us",
	      ((double)histogram_quantile_fine(&all[DURING].ones, 9999) -
	       (double)histogram_quantile_fine(&all[QUIET].ones, 9999)) /
		      1000,
	      1);
	print(bench, "delay_window_max_us", "us", (calls[DURING] - calls[QUIET]) / 1000, 1);
	print(bench, "delay_max_us", "us",
	      ((double)all[DURING].ones.max - (double)all[QUIET].ones.max) / 1000, 1);
	print(bench, "beyond_nothing_window_max_us", "us", (calls[DURING] - nothing[DURING]) / 1000,
	      1);
	print(bench, "rounds", "rounds", bench->done, 0);
	print(bench, "snapshots", "snapshots", (double)bench->snapshots.total, 0);
	print(bench, "snapshot_p50_ms", "ms",
	      (double)histogram_quantile(&bench->snapshots, 500) / 1e6, 1);
}

/* -------------------------------------------------------------------- runs */

static enum bench_exit work(struct snapshot_bench *bench)
{
	const struct dataset *dataset = &bench->dataset;
	enum bench_exit result, closed;
	uint64_t versions = 0;
	struct adders adders;
	char prefix[64];

	memset(bench->all, 0, sizeof(bench->all));
	histogram_clear(&bench->snapshots);
	if (dataset_versions(dataset, &versions) < 0)
		return BENCH_WRONG;
	result = adders_open(&adders, &dataset, 1, bench->workers, ADDERS_NOTHING);
	if (result != BENCH_DONE)
		return result;
	for (bench->done = 0;
	     result == BENCH_DONE && bench->done < bench->rounds && bench_signal == 0;
	     bench->done++)
		result = one_pair(bench, &adders);
	if (result == BENCH_DONE && bench_signal == 0) {
		print_figures(bench);
		snprintf(prefix, sizeof(prefix), "snapshot.carts_%u.", dataset->carts);
		result = adders_count(&adders, 0, prefix, versions);
	}
	closed = adders_close(&adders);
	return result == BENCH_DONE ? closed : result;
}

static enum bench_exit with_carts(struct snapshot_bench *bench, uint32_t carts)
{
	enum bench_exit result =
		dataset_open_on_disk(&bench->dataset, bench->directory, carts, bench->bytes, 0);

	if (result != BENCH_DONE)
		return result;
	sandbox_print_place(&bench->dataset.sandbox, stdout);
	snprintf(bench->file, sizeof(bench->file), "%s/snapshot", bench->dataset.sandbox.directory);
	result = work(bench);
	if (result == BENCH_DONE && bench_signal == 0)
		memory_print_arena("snapshot", &bench->dataset);
	fflush(stdout);
	dataset_close(&bench->dataset);
	return result;
}

enum bench_exit snapshot_bench_run(int argc, char **argv)
{
	static struct snapshot_bench bench = { .counts = { 100, 10000 },
					       .count_count = 2,
					       .workers = 2,
					       .bytes = 5120,
					       .rounds = 10 };
	const struct option_row rows[] = {
		OPTION(LIST, "carts", "N[,N...]", number = bench.counts, "numbers of carts",
		       BOUNDS(1, MEASURE_CARTS_MAX), .list_count = &bench.count_count),
		OPTION_WORKERS(&bench.workers, POOL_WORKERS_MAX),
		OPTION_BYTES(&bench.bytes),
		OPTION(NUMBER, "rounds", "N", number = &bench.rounds,
		       "pairs of windows, of half a second and one snapshot at least",
		       BOUNDS(1, ROUNDS_MAX)),
		OPTION_DISK(&bench.directory),
	};
	bool go;
	enum bench_exit result = bench_options(rows, argc, argv, &go);

	if (!go)
		return result;
	if (child_path_beside(TOOL, bench.tool) < 0) {
		bench_say("cannot find %s beside myself", TOOL);
		return BENCH_NO_AGENT;
	}
	bench_catch_signals();
	bench_print_machine(stdout);
	for (uint32_t i = 0; i < bench.count_count && result == BENCH_DONE && bench_signal == 0;
	     i++)
		result = with_carts(&bench, bench.counts[i]);
	bench_die_of_signal();
	return result;
}
