/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.c: corral-bench journal: the cost of the journal for workers that change carts.
 *
 * There are two arenas on the same disk, each with an agent of its own; one agent keeps a journal.
 * The same worker processes add items to the carts of both arenas, in windows that alternate. A
 * window with the journal begins half an interval after a sync and lasts for whole intervals, so it
 * has its fair number of the journal's rounds: their costs are neither deferred past the end of the
 * measurement, nor paid in another window.
 *
 * Each window is compared with its neighbour; the figure is the median of the pairs.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adders.h"
#include "api/handle.h"
#include "base/atomic.h"
#include "harness/measure.h"
#include "harness/memory.h"
#include "speed.h"

#define ROUNDS_MAX 1000u
#define WINDOW_MS_MIN 1000u
#define INTERVAL_MS_MAX 10000u
#define INTERVAL_MS_MIN 10u

enum side { OFF, ON, SIDES };

static const char *const side_names[SIDES] = { "off", "on" };

struct journal_bench {
	uint32_t counts[MEASURE_COUNTS_MAX];
	uint32_t count_count;
	uint32_t workers[MEASURE_COUNTS_MAX];
	uint32_t worker_count;
	uint32_t bytes;
	uint32_t rounds;
	uint32_t interval_ms;
	const char *directory;
	struct dataset datasets[SIDES];
	/* The figures of one series of windows follow. */
	struct histogram all[SIDES];
	double per_second[SIDES][ROUNDS_MAX];
	double tails[SIDES][ROUNDS_MAX];
	double add_cpu_ns[SIDES][ROUNDS_MAX]; /* of an add, in its worker */
	double all_cpu_ns[SIDES][ROUNDS_MAX]; /* including the agent's share */
	uint64_t faults[SIDES];
	uint64_t cpu_ns[SIDES];
	uint64_t window_ns[SIDES];
	uint64_t syncs;
	uint32_t done;
};

/* ----------------------------------------------------------------- windows */

static uint64_t agent_cpu_ns(const struct dataset *dataset)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(dataset->sandbox.agent, &clock) != 0 ||
	    clock_gettime(clock, &used) != 0)
		return 0;
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static uint64_t syncs_of(const struct dataset *dataset)
{
	return load_relaxed(&dataset->corral->arena.header->journal_syncs); /* relaxed: a figure */
}

/* Wait until all changes are on disk, and the journal's next round is an interval away. */
static enum bench_exit settle(const struct dataset *dataset)
{
	int r = corral_sync(dataset->corral, -1, NULL);

	if (r == 0)
		return BENCH_DONE;
	bench_say("cannot sync: %s", corral_strerror(r));
	return BENCH_WRONG;
}

static enum bench_exit one_window(struct journal_bench *bench, struct adders *adders,
				  enum side side)
{
	uint64_t interval_ns = bench->interval_ms * 1000000ull;
	uint64_t intervals = (WINDOW_MS_MIN + bench->interval_ms - 1) / bench->interval_ms;
	const struct dataset *dataset = &bench->datasets[side];
	static struct pool_window window;
	uint64_t cpu, syncs;
	double adds;
	enum bench_exit result = settle(&bench->datasets[ON]);

	if (result != BENCH_DONE)
		return result;
	adders_begin(adders, side, interval_ns / 2);
	cpu = agent_cpu_ns(dataset);
	syncs = syncs_of(dataset);
	pool_sleep(intervals * interval_ns);
	cpu = agent_cpu_ns(dataset) - cpu;
	bench->cpu_ns[side] += cpu;
	bench->syncs += syncs_of(dataset) - syncs;
	result = adders_finish(adders, &window);
	bench->window_ns[side] += window.ns;
	bench->faults[side] += window.faults;
	adds = (double)max_u64(window.ones.total, 1);
	bench->per_second[side][bench->done] = adds * 1e9 / (double)window.ns;
	bench->add_cpu_ns[side][bench->done] = (double)window.cpu_ns / adds;
	bench->all_cpu_ns[side][bench->done] = (double)(window.cpu_ns + cpu) / adds;
	bench->tails[side][bench->done] = (double)histogram_quantile(&window.ones, 999);
	histogram_merge(&bench->all[side], &window.ones);
	return result;
}

static enum bench_exit all_windows(struct journal_bench *bench, struct adders *adders)
{
	enum bench_exit result = BENCH_DONE;

	for (bench->done = 0;
	     result == BENCH_DONE && bench->done < bench->rounds && bench_signal == 0;) {
		enum side first = bench->done % 2 == 0 ? OFF : ON;

		result = one_window(bench, adders, first);
		if (result == BENCH_DONE)
			result = one_window(bench, adders, first == OFF ? ON : OFF);
		bench->done++;
	}
	return result;
}

/* ----------------------------------------------------------------- figures */

static double median_ratio(const double *values, const double *base, uint32_t count)
{
	static double ratios[ROUNDS_MAX];

	for (uint32_t i = 0; i < count; i++)
		ratios[i] = base[i] > 0 ? values[i] / base[i] : 0;
	return measure_median(ratios, count);
}

static void print(const struct journal_bench *bench, uint32_t workers, const char *figure,
		  const char *unit, double value, int decimals)
{
	char full[96];

	snprintf(full, sizeof(full), "workers_%u.%s", workers, figure);
	measure_print("journal", bench->datasets[OFF].carts, full, unit, value, decimals);
}

static void print_figures(struct journal_bench *bench, uint32_t workers)
{
	uint32_t done = bench->done;
	/* This comes before the medians, which sort and so lose the pairs. */
	double kept = median_ratio(bench->per_second[ON], bench->per_second[OFF], done);
	double tail = median_ratio(bench->tails[ON], bench->tails[OFF], done);
	double add_cpu = median_ratio(bench->add_cpu_ns[ON], bench->add_cpu_ns[OFF], done);
	double all_cpu = median_ratio(bench->all_cpu_ns[ON], bench->all_cpu_ns[OFF], done);
	char name[64];

	for (enum side side = OFF; side < SIDES; side++) {
		snprintf(name, sizeof(name), "%s_adds_per_second", side_names[side]);
		print(bench, workers, name, "1/s",
		      measure_median(bench->per_second[side], bench->done), 0);
		snprintf(name, sizeof(name), "workers_%u.%s", workers, side_names[side]);
		measure_print_quantiles("journal", bench->datasets[OFF].carts, name,
					&bench->all[side]);
		snprintf(name, sizeof(name), "%s_add_cpu_ns", side_names[side]);
		print(bench, workers, name, "ns",
		      measure_median(bench->add_cpu_ns[side], bench->done), 0);
		snprintf(name, sizeof(name), "%s_faults_per_second", side_names[side]);
		print(bench, workers, name, "1/s",
		      (double)bench->faults[side] * 1e9 / (double)bench->window_ns[side], 0);
		snprintf(name, sizeof(name), "%s_agent_cpu", side_names[side]);
		print(bench, workers, name, "%",
		      100.0 * (double)bench->cpu_ns[side] / (double)bench->window_ns[side], 2);
	}
	print(bench, workers, "loss", "%", 100 * (1 - kept), 2);
	print(bench, workers, "cpu_loss", "%", 100 * (1 - 1 / add_cpu), 2);
	print(bench, workers, "cpu_loss_with_agent", "%", 100 * (1 - 1 / all_cpu), 2);
	print(bench, workers, "p99.9_ratio", "x", tail, 2);
	print(bench, workers, "rounds", "rounds", bench->done, 0);
	print(bench, workers, "disk_syncs", "syncs", (double)bench->syncs, 0);
}

/* -------------------------------------------------------------------- runs */

static enum bench_exit count_changes(const struct adders *adders, const uint64_t *versions)
{
	enum bench_exit result = BENCH_DONE;
	char prefix[64];

	for (enum side side = OFF; side < SIDES && result == BENCH_DONE; side++) {
		snprintf(prefix, sizeof(prefix), "journal.carts_%u.workers_%u.%s_",
			 adders->datasets[side]->carts, adders->workers, side_names[side]);
		result = adders_count(adders, side, prefix, versions[side]);
	}
	return result;
}

static enum bench_exit with_workers(struct journal_bench *bench, uint32_t workers)
{
	const struct dataset *datasets[SIDES] = { &bench->datasets[OFF], &bench->datasets[ON] };
	uint64_t versions[SIDES] = { 0 };
	enum bench_exit result;
	struct adders adders;

	memset(bench->all, 0, sizeof(bench->all));
	memset(bench->cpu_ns, 0, sizeof(bench->cpu_ns));
	memset(bench->faults, 0, sizeof(bench->faults));
	memset(bench->window_ns, 0, sizeof(bench->window_ns));
	bench->syncs = 0;
	for (enum side side = OFF; side < SIDES; side++)
		if (dataset_versions(datasets[side], &versions[side]) < 0)
			return BENCH_WRONG;
	result = adders_open(&adders, datasets, SIDES, workers, ADDERS_ONLY_ADD);
	if (result != BENCH_DONE)
		return result;
	result = all_windows(bench, &adders);
	if (result == BENCH_DONE && bench_signal == 0) {
		print_figures(bench, workers);
		result = count_changes(&adders, versions);
	}
	enum bench_exit closed = adders_close(&adders);
	return result == BENCH_DONE ? closed : result;
}

static enum bench_exit with_carts(struct journal_bench *bench, uint32_t carts)
{
	enum bench_exit result = dataset_open_on_disk(&bench->datasets[OFF], bench->directory,
						      carts, bench->bytes, 0);

	if (result != BENCH_DONE)
		return result;
	result = dataset_open_on_disk(&bench->datasets[ON], bench->directory, carts, bench->bytes,
				      bench->interval_ms);
	if (result == BENCH_DONE) {
		sandbox_print_place(&bench->datasets[ON].sandbox, stdout);
		for (uint32_t i = 0;
		     i < bench->worker_count && result == BENCH_DONE && bench_signal == 0; i++) {
			result = with_workers(bench, bench->workers[i]);
			fflush(stdout);
		}
		if (result == BENCH_DONE && bench_signal == 0)
			memory_print_arena("journal", &bench->datasets[ON]);
		dataset_close(&bench->datasets[ON]);
	}
	dataset_close(&bench->datasets[OFF]);
	return result;
}

enum bench_exit journal_bench_run(int argc, char **argv)
{
	static struct journal_bench bench = { .counts = { 100, 10000 },
					      .count_count = 2,
					      .workers = { 1, 2 },
					      .worker_count = 2,
					      .bytes = 5120,
					      .rounds = 10,
					      .interval_ms = 1000 };
	const struct option_row rows[] = {
		OPTION(LIST, "carts", "N[,N...]", number = bench.counts, "numbers of carts",
		       BOUNDS(1, MEASURE_CARTS_MAX), .list_count = &bench.count_count),
		OPTION(LIST, "workers", "N[,N...]", number = bench.workers,
		       "numbers of worker processes", BOUNDS(1, POOL_WORKERS_MAX),
		       .list_count = &bench.worker_count),
		OPTION(NUMBER, "interval", "MS", number = &bench.interval_ms, "of the journal",
		       BOUNDS(INTERVAL_MS_MIN, INTERVAL_MS_MAX)),
		OPTION_BYTES(&bench.bytes),
		OPTION(NUMBER, "rounds", "N", number = &bench.rounds,
		       "pairs of windows, of an interval and a second at least",
		       BOUNDS(1, ROUNDS_MAX)),
		OPTION_DISK(&bench.directory),
	};
	bool go;
	enum bench_exit result = bench_options(rows, argc, argv, &go);

	if (!go)
		return result;
	bench_catch_signals();
	bench_print_machine(stdout);
	for (uint32_t i = 0; i < bench.count_count && result == BENCH_DONE && bench_signal == 0;
	     i++)
		result = with_carts(&bench, bench.counts[i]);
	bench_die_of_signal();
	return result;
}
