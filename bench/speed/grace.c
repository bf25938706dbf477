/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grace.c: corral-bench grace: our grace periods, between processes (sync/grace.h), compared with
 * liburcu's, between threads. Measured in turns are the time of a read-side section while nothing
 * is freed and while grace periods follow one another, and the time of a grace period while nothing
 * is read and while readers read without a pause.
 *
 * A section loads a pointer and its target. A reader with liburcu's qsbr flavour goes online once
 * for a batch of sections, since it need not do more.
 */
#define _LGPL_SOURCE /* liburcu's read side inline, as ours is */
#include <errno.h>
#include <stdlib.h>
#include <urcu/urcu-mb.h>
#include <urcu/urcu-memb.h>
#include <urcu/urcu-qsbr.h>

#include "api/handle.h"
#include "harness/measure.h"
#include "harness/pool.h"
#include "speed.h"
#include "sync/grace.h"

#define ROUNDS 5u
#define SECTIONS 100u /* sections of a call, which make the pool's overhead small */
#define CART_BYTES 512u
#define PATIENCE_MS 10000u
#define NAME_BYTES 64u

static const uint64_t value = 1;
static const uint64_t *pointer = &value;

/* ---------------------------------------------------------------- flavours */

struct flavour {
	const char *name;
	enum pool_mode mode;
	int (*join)(struct corral *corral, struct actor **ret_actor); /* a reader */
	void (*leave)(void);
	uint64_t (*read)(struct actor *actor); /* SECTIONS */
	int (*wait)(struct actor *actor);      /* one grace period */
};

static int corral_join(struct corral *corral, struct actor **ret_actor)
{
	return handle_actor(corral, ret_actor);
}

static void corral_leave(void)
{
}

static uint64_t corral_read(struct actor *actor)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < SECTIONS; i++) {
		grace_enter(actor);
		sum += *load_relaxed(&pointer);
		grace_leave(actor);
	}
	return sum;
}

static int corral_wait_period(struct actor *actor)
{
	return grace_wait(actor, grace_start_poll(actor->arena), PATIENCE_MS);
}

static void nothing(void)
{
}

#define URCU_FLAVOUR(FLAVOUR, BEFORE, AFTER)                                                       \
	static int FLAVOUR##_join(struct corral *corral, struct actor **ret_actor)                 \
	{                                                                                          \
		(void)corral;                                                                      \
		(void)ret_actor;                                                                   \
		urcu_##FLAVOUR##_register_thread();                                                \
		(AFTER)();                                                                         \
		return 0;                                                                          \
	}                                                                                          \
	static void FLAVOUR##_leave(void)                                                          \
	{                                                                                          \
		urcu_##FLAVOUR##_unregister_thread();                                              \
	}                                                                                          \
	static uint64_t FLAVOUR##_read(struct actor *actor)                                        \
	{                                                                                          \
		uint64_t sum = 0;                                                                  \
                                                                                                   \
		(void)actor;                                                                       \
		(BEFORE)();                                                                        \
		for (uint32_t i = 0; i < SECTIONS; i++) {                                          \
			urcu_##FLAVOUR##_read_lock();                                              \
			sum += *load_relaxed(&pointer);                                            \
			urcu_##FLAVOUR##_read_unlock();                                            \
		}                                                                                  \
		(AFTER)();                                                                         \
		return sum;                                                                        \
	}                                                                                          \
	static int FLAVOUR##_wait(struct actor *actor)                                             \
	{                                                                                          \
		(void)actor;                                                                       \
		urcu_##FLAVOUR##_synchronize_rcu();                                                \
		return 0;                                                                          \
	}

URCU_FLAVOUR(memb, nothing, nothing)
URCU_FLAVOUR(mb, nothing, nothing)
URCU_FLAVOUR(qsbr, urcu_qsbr_thread_online, urcu_qsbr_thread_offline)

static const struct flavour flavours[] = {
	{ "corral", POOL_PROCESSES, corral_join, corral_leave, corral_read, corral_wait_period },
	{ "urcu_memb", POOL_THREADS, memb_join, memb_leave, memb_read, memb_wait },
	{ "urcu_mb", POOL_THREADS, mb_join, mb_leave, mb_read, mb_wait },
	{ "urcu_qsbr", POOL_THREADS, qsbr_join, qsbr_leave, qsbr_read, qsbr_wait },
};

#define FLAVOURS (sizeof(flavours) / sizeof(flavours[0]))

/* ----------------------------------------------------------------- readers */

struct grace_bench {
	uint32_t workers;
	uint32_t ms;
	const char *directory;
	const char *json;
	struct dataset dataset;
	struct actor *actor; /* ours */
	struct flavour_figures {
		struct rounds read, read_updated;
		struct histogram quiet, busy; /* grace periods */
		uint64_t busy_ns, ran_ns;     /* the time passed, and the readers' processor time */
	} figures[FLAVOURS];
};

struct reader {
	const struct flavour *flavour;
	struct actor *actor;
};

struct turn {
	const struct grace_bench *bench;
	const struct flavour *flavour;
};

static int begin(void *context, struct pool_worker *me, uint32_t number, void **ret_state)
{
	const struct turn *turn = context;
	struct reader *reader = calloc(1, sizeof(*reader));

	(void)me;
	(void)number;
	if (reader == NULL)
		return -ENOMEM;
	reader->flavour = turn->flavour;
	*ret_state = reader;
	return turn->flavour->join(turn->bench->dataset.corral, &reader->actor);
}

static int one(void *state, uint32_t argument)
{
	struct reader *reader = state;

	(void)argument;
	measure_use(reader->flavour->read(reader->actor));
	return 0;
}

static void end(void *state)
{
	struct reader *reader = state;

	reader->flavour->leave();
	free(reader);
}

/* ------------------------------------------------------------------- turns */

static int wait_periods(struct grace_bench *bench, const struct flavour *flavour, uint64_t ns,
			struct histogram *times)
{
	uint64_t start = bench_now_ns(), before = start;
	int r = 0;

	while (r == 0 && before - start < ns && bench_signal == 0) {
		r = flavour->wait(bench->actor);
		uint64_t after = bench_now_ns();
		histogram_add(times, after - before);
		before = after;
	}
	return r;
}

/* Take the processor time of reads: other load on the machine does not count in it. */
static void take_read(struct rounds *rounds, const struct pool_window *window)
{
	if (window->done > 0)
		rounds->ns[rounds->count++] = (double)window->cpu_ns / (double)window->done;
}

static int run_phases(struct grace_bench *bench, const struct flavour *flavour, struct pool *pool,
		      struct flavour_figures *figures)
{
	uint64_t ns = bench->ms * 1000000ull / ROUNDS;
	struct pool_window window = { 0 };
	int r = wait_periods(bench, flavour, ns / 4, &figures->quiet);

	if (r == 0)
		r = pool_measure(pool, POOL_BATCHES, 0, ns / 4, &window);
	if (r < 0)
		return r;
	take_read(&figures->read, &window);
	pool_start(pool, POOL_BATCHES, 0);
	r = wait_periods(bench, flavour, ns / 2, &figures->busy);
	int rested = pool_rest(pool, &window);
	take_read(&figures->read_updated, &window);
	figures->busy_ns += window.ns;
	figures->ran_ns += window.cpu_ns;
	return r < 0 ? r : rested;
}

static int take_turn(struct grace_bench *bench, uint32_t number)
{
	struct turn turn = { .bench = bench, .flavour = &flavours[number] };
	struct pool_plan plan = { .mode = turn.flavour->mode,
				  .workers = bench->workers,
				  .depth = SECTIONS,
				  .context = &turn,
				  .begin = begin,
				  .one = one,
				  .end = end };
	struct pool pool;
	int r = pool_open(&pool, &plan);

	if (r < 0)
		return r;
	r = run_phases(bench, turn.flavour, &pool, &bench->figures[number]);
	int closed = pool_close(&pool);
	return r < 0 ? r : closed;
}

static void print(const struct grace_bench *bench)
{
	char name[NAME_BYTES], full[NAME_BYTES + 16];

	for (uint32_t i = 0; i < FLAVOURS; i++) {
		const struct flavour_figures *figures = &bench->figures[i];

		snprintf(name, sizeof(name), "grace.readers_%u.%s", bench->workers,
			 flavours[i].name);
		figure("ns", rounds_median(&figures->read), 2, "%s.read_ns", name);
		figure("ns", rounds_median(&figures->read_updated), 2, "%s.read_updated_ns", name);
		snprintf(full, sizeof(full), "%s.period", name);
		figure_quantiles(&figures->busy, full);
		figure("%", 100.0 * (double)figures->ran_ns / (double)max_u64(1, figures->busy_ns),
		       1, "%s.readers_percent", name);
		snprintf(full, sizeof(full), "%s.quiet_period", name);
		figure_quantiles(&figures->quiet, full);
	}
}

static enum bench_exit run(struct grace_bench *bench)
{
	int r = handle_actor(bench->dataset.corral, &bench->actor);

	for (uint32_t round = 0; round < ROUNDS && r == 0 && bench_signal == 0; round++)
		for (uint32_t i = 0; i < FLAVOURS && r == 0 && bench_signal == 0; i++)
			r = take_turn(bench, i);
	if (bench_signal != 0)
		return BENCH_DONE;
	if (r < 0) {
		bench_say("it failed: %s", corral_strerror(r));
		return BENCH_WRONG;
	}
	print(bench);
	return BENCH_DONE;
}

enum bench_exit grace_run(int argc, char **argv)
{
	static struct grace_bench bench = { .workers = 1, .ms = 4000 };
	const struct option_row rows[] = {
		OPTION(NUMBER, "workers", "N", number = &bench.workers, "so many readers",
		       BOUNDS(1, MEASURE_WORKERS_MAX)),
		OPTION(SECONDS, "seconds", "S", number = &bench.ms, "time for each flavour",
		       BOUNDS(1, 1000 * MEASURE_SECONDS_MAX)),
		OPTION_JSON(&bench.json),
		OPTION_DIR(&bench.directory),
	};
	bool go;
	enum bench_exit result = bench_options(rows, argc, argv, &go);

	if (!go)
		return result;
	bench_catch_signals();
	figures_begin("grace", bench.json);
	result = dataset_open(&bench.dataset, bench.directory, 1, CART_BYTES);
	if (result == BENCH_DONE) {
		result = run(&bench);
		dataset_close(&bench.dataset);
	}
	if (!figures_end() && result == BENCH_DONE)
		result = BENCH_WRONG;
	bench_die_of_signal();
	return result;
}
