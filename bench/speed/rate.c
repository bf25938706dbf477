/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rate.c: corral-bench rate: voice orders at the pace of people: each has an event at
 * fixed times, an add to its cart, whether the one before is done or not. What is measured is the
 * time from when the event was due, the scheduler's part included: so a stall is seen by all events
 * that were due in it (no coordinated omission).
 *
 * Beside it, in the same run and with the same schedule, workers that only wake up and read the
 * clock: what no store can be faster than.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/measure.h"
#include "peers/peer.h"

#define START_NS 300000000u /* by then all have attached and added once to each of their orders */
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

struct member {
	struct histogram times;
	uint64_t cpu_ns;
	uint64_t events;
	int err;
};

struct scene {
	const struct settings *settings;
	struct peer_place place;
	struct dataset_item item;
	bool idle; /* only wake up */
	uint64_t start_ns;
	struct member *members;
};

static void sleep_until(uint64_t ns)
{
	const struct timespec when = { .tv_sec = (time_t)(ns / 1000000000u),
				       .tv_nsec = (long)(ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
		;
}

static uint64_t cpu_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int add_to(const struct scene *scene, void *connection, uint32_t order)
{
	struct dataset_step step;

	dataset_step_at(order, &step);
	return peer_corral.add(connection, &step, &scene->item);
}

/* Orders number, number + workers, ...: their events, evenly over the interval. */
static int work(const struct scene *scene, uint32_t number, struct member *member)
{
	const struct settings *settings = scene->settings;
	uint64_t interval = settings->interval_ms * 1000000ull,
		 events = settings->ms / settings->interval_ms;
	void *connection;

	int r = peer_corral.open(&scene->place, &connection);
	prctl(PR_SET_TIMERSLACK, SLACK_NS);
	for (uint32_t order = number; order < settings->orders && r == 0 && !scene->idle;
	     order += settings->workers)
		r = add_to(scene, connection, order); /* a worker's first call registers it */
	uint64_t cpu = cpu_now_ns();
	for (uint64_t event = 0; event < events && r == 0; event++) {
		for (uint32_t order = number; order < settings->orders && r == 0;
		     order += settings->workers) {
			uint64_t due = scene->start_ns + event * interval +
				       interval * order / settings->orders;
			sleep_until(due);
			if (!scene->idle)
				r = add_to(scene, connection, order);
			histogram_add(&member->times, bench_now_ns() - due);
			member->events++;
		}
	}
	member->cpu_ns = cpu_now_ns() - cpu;
	if (connection != NULL)
		peer_corral.close(connection);
	return r;
}

static int run(struct scene *scene, struct member *ret_all)
{
	pid_t pids[MEASURE_WORKERS_MAX] = { 0 };
	uint32_t workers = scene->settings->workers;
	int r = 0, status;

	scene->start_ns = bench_now_ns() + START_NS;
	fflush(NULL);
	for (uint32_t i = 0; i < workers && r == 0; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			r = -errno;
		if (pids[i] != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		scene->members[i].err = work(scene, i, &scene->members[i]);
		_exit(0);
	}
	memset(ret_all, 0, sizeof(*ret_all));
	for (uint32_t i = 0; i < workers && pids[i] > 0; i++) {
		do
			if (r < 0 || bench_signal != 0)
				kill(pids[i], SIGKILL);
		while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR);
		const struct member *member = &scene->members[i];
		if (r == 0)
			r = status != 0 ? -ECHILD : member->err;
		histogram_merge(&ret_all->times, &member->times);
		ret_all->cpu_ns += member->cpu_ns;
		ret_all->events += member->events;
	}
	memset(scene->members, 0, workers * sizeof(*scene->members));
	return r;
}

static int run_both(struct scene *scene)
{
	const struct settings *settings = scene->settings;
	struct member *all = calloc(2, sizeof(*all));
	double percent = 100 / (settings->ms * 1e6);

	if (all == NULL)
		return -ENOMEM;
	scene->idle = true;
	int r = run(scene, &all[0]);
	scene->idle = false;
	if (r == 0)
		r = run(scene, &all[1]);
	if (r == 0 && bench_signal == 0) {
		figure("events", (double)all[1].events, 0, "rate.orders_%u.events",
		       settings->orders);
		figure_quantiles(&all[0].times, "rate.wake_up");
		figure_quantiles(&all[1].times, "rate.add");
		figure("%", (double)all[0].cpu_ns * percent, 3, "rate.wake_up_cpu_percent");
		figure("%", (double)all[1].cpu_ns * percent, 3, "rate.add_cpu_percent");
	}
	free(all);
	return r;
}

static enum bench_exit run_scene(const struct settings *settings)
{
	size_t bytes = settings->workers * sizeof(struct member);
	struct dataset dataset;
	enum bench_exit result =
		dataset_open(&dataset, settings->directory, settings->orders, settings->bytes);

	if (result != BENCH_DONE)
		return result;
	struct scene scene = { .settings = settings, .place = { .dataset = &dataset } };
	dataset_item_at(0, &scene.item);
	scene.members =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r = scene.members == MAP_FAILED ? -errno : run_both(&scene);
	if (r < 0 && bench_signal == 0) {
		bench_say("a worker failed: %s", corral_strerror(r));
		result = BENCH_WRONG;
	}
	if (scene.members != MAP_FAILED)
		munmap(scene.members, bytes);
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
		OPTION_NUMBER("orders", "N", &settings.orders, 1, 100000, "orders at a time"),
		OPTION_NUMBER("interval", "MS", &settings.interval_ms, 1, 1000,
			      "between two adds of an order"),
		OPTION_WORKERS(&settings.workers, MEASURE_WORKERS_MAX),
		OPTION_SECONDS(&settings.ms, 3600, "how long"),
		OPTION_BYTES(&settings.bytes),
		OPTION_JSON(&settings.json),
		OPTION_DIR(&settings.directory),
	};
	bool go;
	enum bench_exit result = options_only("rate", rows, argc, argv, &go);

	if (!go)
		return result;
	if (settings.ms < settings.interval_ms)
		return bench_usage("rate", "--seconds %g is less than one interval of %u ms",
				   settings.ms / 1000.0, settings.interval_ms);
	bench_catch_signals();
	figures_begin("rate", settings.json);
	result = run_scene(&settings);
	if (!figures_end() && result == BENCH_DONE)
		result = BENCH_WRONG;
	bench_die_of_signal();
	return result;
}
