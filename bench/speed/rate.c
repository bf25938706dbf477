/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rate.c: corral-bench rate: voice orders at the pace of people. Each order has events at fixed
 * times, each an add to its cart, whether the event before is done or not. Measured is the time
 * from the moment at which an event was due, including the scheduler's part. So a stall counts in
 * all events that were due during it (no coordinated omission).
 *
 * In the same run and with the same schedule there are workers that only wake up and read the
 * clock: no store can be faster than these.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "harness/measure.h"
#include "peers/peer.h"
#include "speed.h"

#define START_NS 300000000u /* by then all have attached and added to each of their orders */
#define SLACK_NS 1ul

struct settings {
	uint32_t orders;
	uint32_t workers;
	uint32_t ms;
	uint32_t interval_ms; /* between two events of an order */
	uint32_t bytes;
	const char *directory;
	const char *json;
};

struct scene {
	const struct settings *settings;
	struct peer_place place;
	struct dataset_item item;
	bool idle; /* only wake up */
	uint64_t start_ns;
};

struct worker {
	const struct scene *scene;
	struct pool_worker *me; /* its `ones` get the times since events were due */
	void *connection;
	uint32_t number;
	uint32_t order; /* the order of the next event */
	uint64_t event;
};

static void sleep_until(uint64_t ns)
{
	const struct timespec when = { .tv_sec = (time_t)(ns / 1000000000u),
				       .tv_nsec = (long)(ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
		;
}

static int add_to(const struct scene *scene, void *connection, uint32_t order)
{
	struct dataset_step step;

	dataset_step_at(order, &step);
	return peer_corral.add(connection, &step, &scene->item);
}

/* Attach, and add once to each order, since a worker's first call registers it. */
static int begin(void *context, struct pool_worker *me, uint32_t number, void **ret_state)
{
	const struct scene *scene = context;
	struct worker *worker = calloc(1, sizeof(*worker));

	if (worker == NULL)
		return -ENOMEM;
	*worker = (struct worker){ .scene = scene, .me = me, .number = number, .order = number };
	*ret_state = worker;
	prctl(PR_SET_TIMERSLACK, SLACK_NS);
	int r = peer_corral.open(&scene->place, &worker->connection);
	for (uint32_t order = number; order < scene->settings->orders && r == 0 && !scene->idle;
	     order += scene->settings->workers)
		r = add_to(scene, worker->connection, order);
	return r;
}

/*
 * Serve the events of the orders number, number + workers, ..., which are spread evenly over the
 * interval.
 */
static int one(void *state, uint32_t argument)
{
	struct worker *worker = state;
	const struct scene *scene = worker->scene;
	const struct settings *settings = scene->settings;
	uint64_t interval = settings->interval_ms * 1000000ull;
	int r = 0;

	(void)argument;
	if (worker->order >= settings->orders) {
		worker->order = worker->number;
		worker->event++;
	}
	if (worker->order >= settings->orders ||
	    worker->event >= settings->ms / settings->interval_ms)
		return 1;
	uint64_t due = scene->start_ns + worker->event * interval +
		       interval * worker->order / settings->orders;
	sleep_until(due);
	if (!scene->idle)
		r = add_to(scene, worker->connection, worker->order);
	histogram_add(&worker->me->ones, bench_now_ns() - due);
	worker->order += settings->workers;
	return r;
}

static void end(void *state)
{
	struct worker *worker = state;

	if (worker->connection != NULL)
		peer_corral.close(worker->connection);
	free(worker);
}

static int run(struct scene *scene, struct pool_window *ret_window)
{
	struct pool_plan plan = { .workers = scene->settings->workers,
				  .context = scene,
				  .begin = begin,
				  .one = one,
				  .end = end };
	struct pool pool;

	scene->start_ns = bench_now_ns() + START_NS;
	int r = pool_open(&pool, &plan);
	if (r < 0)
		return r;
	pool_start(&pool, POOL_BATCHES, 0);
	r = pool_await(&pool, ret_window);
	int closed = pool_close(&pool);
	return r < 0 ? r : closed;
}

static double quotient(uint64_t value, uint64_t base)
{
	return (double)value / (double)max_u64(1, base);
}

static int run_both(struct scene *scene)
{
	const struct settings *settings = scene->settings;
	struct pool_window *all = calloc(2, sizeof(*all));
	double percent = 100 / (settings->ms * 1e6);

	if (all == NULL)
		return -ENOMEM;
	scene->idle = true;
	int r = run(scene, &all[0]);
	scene->idle = false;
	if (r == 0)
		r = run(scene, &all[1]);
	if (r == 0 && bench_signal == 0) {
		figure("events", (double)all[1].ones.total, 0, "rate.orders_%u.events",
		       settings->orders);
		figure_quantiles(&all[0].ones, "rate.wake_up");
		figure_quantiles(&all[1].ones, "rate.add");
		figure("%", (double)all[0].cpu_ns * percent, 3, "rate.wake_up_cpu_percent");
		figure("%", (double)all[1].cpu_ns * percent, 3, "rate.add_cpu_percent");
		figure("x",
		       quotient(histogram_quantile(&all[1].ones, 999),
				histogram_quantile(&all[0].ones, 999)),
		       2, "rate.p99.9_to_wake_up");
		figure("x", quotient(all[1].cpu_ns, all[0].cpu_ns), 2, "rate.cpu_to_wake_up");
	}
	free(all);
	return r;
}

static enum bench_exit run_scene(const struct settings *settings)
{
	struct dataset dataset;
	enum bench_exit result =
		dataset_open(&dataset, settings->directory, settings->orders, settings->bytes);

	if (result != BENCH_DONE)
		return result;
	struct scene scene = { .settings = settings, .place = { .dataset = &dataset } };
	dataset_item_at(0, &scene.item);
	int r = run_both(&scene);
	if (r < 0 && bench_signal == 0) {
		bench_say("a worker failed: %s", corral_strerror(r));
		result = BENCH_WRONG;
	}
	dataset_close(&dataset);
	return result;
}

/* ------------------------------------------------------------------ options */

enum bench_exit rate_run(int argc, char **argv)
{
	struct settings settings = {
		.orders = 100, .workers = 4, .ms = 10000, .interval_ms = 500, .bytes = 5120
	};
	const struct option_row rows[] = {
		OPTION(NUMBER, "orders", "N", number = &settings.orders, "orders at a time",
		       BOUNDS(1, 100000)),
		OPTION(NUMBER, "interval", "MS", number = &settings.interval_ms,
		       "between two adds of an order", BOUNDS(1, 1000)),
		OPTION_WORKERS(&settings.workers, MEASURE_WORKERS_MAX),
		OPTION(SECONDS, "seconds", "S", number = &settings.ms, "how long",
		       BOUNDS(1, 1000 * 3600)),
		OPTION_BYTES(&settings.bytes),
		OPTION_JSON(&settings.json),
		OPTION_DIR(&settings.directory),
	};
	bool go;
	enum bench_exit result = bench_options(rows, argc, argv, &go);

	if (!go)
		return result;
	if (settings.ms < settings.interval_ms)
		return bench_usage("--seconds %g is less than one interval of %u ms",
				   settings.ms / 1000.0, settings.interval_ms);
	bench_catch_signals();
	figures_begin("rate", settings.json);
	result = run_scene(&settings);
	if (!figures_end() && result == BENCH_DONE)
		result = BENCH_WRONG;
	bench_die_of_signal();
	return result;
}
