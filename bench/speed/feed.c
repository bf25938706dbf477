/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed.c: corral-bench feed: what readers of the feed get, and what they cost those that change
 * carts. In this order, for each number of carts:
 *
 *   replay  one reader goes through the events that have numbers already, again and again
 *   live    events are made, and then a reader numbers and reads them: how long that takes it
 *   adds    workers add items with no reader, and with one that keeps up, in turns
 *   wait    an item is added now and then, and a reader waits for its event
 *   away    a reader is stopped (SIGSTOP) while workers make very many events; then it goes on
 *
 * Readers check that each number is told once, in order, by an event or by a gap.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "adders.h"
#include "api/handle.h"
#include "base/atomic.h"
#include "harness/child.h"
#include "harness/measure.h"
#include "harness/memory.h"
#include "speed.h"

#define ROUNDS 10u
#define TAKEN 256u            /* events at a call */
#define LOOK_MS 20            /* how often a reader looks whether it is to end */
#define READY_NS 10000000000u /* a reader begins, or has caught up, before that */
#define WAIT_MIN_NS 200000u   /* between two adds that a reader waits for */
#define WAIT_SPREAD_NS 1800000u
#define AGAIN_EVENTS 200u /* after a reader was away */
#define NAME "feed"

/* What a reader has read; it lies in memory that the reader shares with its parent. */
struct reading {
	uint32_t ready;
	uint32_t end;    /* the parent's wish */
	int32_t err;     /* of the reader */
	uint32_t wrong;  /* a number was told twice, or not at all */
	uint64_t at;     /* the number to be read next */
	uint64_t events; /* without gaps */
	uint64_t gaps;
	uint64_t missed; /* as the gaps tell */
	/* when the event of that version was asked for: for the wait */
	uint64_t asked_ns;
	uint64_t asked_version;
	struct histogram waits;
};

struct feed_bench {
	const struct measure *measure;
	struct dataset *dataset;
	struct corral *corral;
	struct adders adders;
	struct reading *reading;
	pid_t reader;
	uint64_t away_events; /* so many are made while a reader is stopped */
	struct corral_event *events;
	struct dataset_step *steps;
	uint32_t step_count;
	struct dataset_item item;
};

static void print(const struct feed_bench *bench, const char *what, const char *unit, double value,
		  int decimals)
{
	measure_print(NAME, bench->dataset->carts, what, unit, value, decimals);
}

/* ------------------------------------------------------------------ readers */

static void note_events(struct reading *reading, const struct corral_event *events, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		reading->wrong += events[i].from != reading->at || events[i].to < events[i].from;
		reading->at = events[i].to + 1;
		if (events[i].kind == CORRAL_EVENT_GAP) {
			reading->gaps++;
			reading->missed += events[i].missed;
		} else {
			reading->events++;
		}
	}
}

/* Note how long the event took that was asked for. */
static void note_wait(struct reading *reading, const struct corral_event *events, size_t count)
{
	const uint64_t now_ns = bench_now_ns();
	const uint64_t version = load_acquire(&reading->asked_version);

	for (size_t i = 0; i < count && version != 0; i++)
		if (events[i].version == version && events[i].kind != CORRAL_EVENT_GAP)
			histogram_add(&reading->waits, now_ns - reading->asked_ns);
}

/* Runs in the child. */
static int read_on(void *context)
{
	const struct feed_bench *bench = context;
	struct reading *reading = bench->reading;
	struct corral_feed *feed = NULL;
	size_t count;
	int r = corral_feed_open(bench->corral, CORRAL_FEED_NOW, NULL, &feed);

	if (r == 0) {
		reading->at = corral_feed_position(feed);
		store_release(&reading->ready, 1u);
	}
	while (r == 0) {
		r = corral_feed_next(feed, bench->events, TAKEN, LOOK_MS, NULL, &count);
		if (r == -ETIMEDOUT && load_acquire(&reading->end) == 0)
			r = 0;
		else if (r == 0) {
			note_wait(reading, bench->events, count);
			note_events(reading, bench->events, count);
		}
	}
	reading->err = r == -ETIMEDOUT ? 0 : r;
	corral_feed_close(feed);
	return reading->err == 0 ? 0 : 1;
}

/* Start a reader, and wait until it reads. */
static int start_reader(struct feed_bench *bench)
{
	const uint64_t give_up_ns = bench_now_ns() + READY_NS;

	memset(bench->reading, 0, sizeof(*bench->reading));
	bench->reader = child_fork(read_on, bench);
	if (bench->reader < 0)
		return (int)bench->reader;
	while (load_acquire(&bench->reading->ready) == 0 && bench_signal == 0) {
		if (bench_now_ns() > give_up_ns)
			return -ETIMEDOUT;
		pool_sleep(1000000);
	}
	return 0;
}

/* It reads what there is, and ends. */
static int end_reader(struct feed_bench *bench)
{
	int status = 0;

	if (bench->reader <= 0)
		return 0;
	store_release(&bench->reading->end, 1u);
	if (child_wait(bench->reader, READY_NS / 1000000, &status) == 0) {
		kill(bench->reader, SIGKILL);
		(void)waitpid(bench->reader, &status, 0);
		bench->reading->err = -ETIMEDOUT;
	}
	bench->reader = 0;
	if (bench->reading->wrong != 0) {
		bench_say("a number was told twice, or was neither an event nor in a gap");
		return -EPROTO;
	}
	return bench->reading->err;
}

static uint64_t reader_cpu_ns(const struct feed_bench *bench)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(bench->reader, &clock) != 0 || clock_gettime(clock, &time) < 0)
		return 0;
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* ------------------------------------------------------------------ replay, live */

static int add_one(struct feed_bench *bench, uint64_t at, struct corral_result *ret_result)
{
	const struct corral_key key = dataset_key(&bench->steps[at & (bench->step_count - 1)]);
	int r = corral_add(bench->corral, &key, &bench->item.item, NULL, ret_result);

	if (r == -ERANGE) /* its quantity is at the limit */
		r = corral_set_quantity(bench->corral, &key, 1, 1, NULL, ret_result);
	return r;
}

/* Read until there is nothing more, or that many were read; *ret_ns: how long that took. */
static int read_there(struct feed_bench *bench, struct corral_feed *feed, uint64_t most,
		      uint64_t *ret_ns, uint64_t *ret_count)
{
	const uint64_t start = bench_now_ns();
	uint64_t sum = 0;
	size_t count;
	int r = 0;

	*ret_count = 0;
	while (r == 0 && *ret_count < most) {
		r = corral_feed_next(feed, bench->events, TAKEN, 0, NULL, &count);
		if (r == 0) {
			sum += bench->events[count - 1].version;
			*ret_count += count;
		}
	}
	measure_use(sum);
	*ret_ns = bench_now_ns() - start;
	return r == -ETIMEDOUT ? 0 : r;
}

/* Make events by batches of half a lane, and read each batch: the time of the median batch. */
static int measure_live(struct feed_bench *bench)
{
	const uint32_t batch = (bench->corral->arena.lane_mask + 1) / 2;
	const uint64_t least = bench->corral->arena.feed_mask + 1;
	const uint64_t end_ns = bench_now_ns() + bench->measure->ms * 1000000ull;
	struct histogram *times = calloc(1, sizeof(*times));
	struct corral_feed *feed = NULL;
	uint64_t count = 0, ns, read;
	int r = times != NULL ? corral_feed_open(bench->corral, CORRAL_FEED_NOW, NULL, &feed) :
				-ENOMEM;

	while (r == 0 && bench_signal == 0 && (count < least || bench_now_ns() < end_ns)) {
		for (uint32_t i = 0; i < batch && r == 0; i++)
			r = add_one(bench, count + i, NULL);
		if (r == 0)
			r = read_there(bench, feed, batch, &ns, &read);
		if (r == 0 && read == batch)
			histogram_add(times, ns);
		count += batch;
	}
	corral_feed_close(feed);
	if (r == 0 && bench_signal == 0) {
		const double each = (double)histogram_quantile(times, 500) / batch;
		print(bench, "live_ns", "ns", each, 1);
		print(bench, "live_per_second", "1/s", each > 0 ? 1e9 / each : 0, 0);
	}
	free(times);
	return r;
}

/* The ring is full: measure_live() made as many events as it has room for. */
static int measure_replay(struct feed_bench *bench)
{
	struct rounds *rounds = calloc(1, sizeof(*rounds));
	const uint64_t start_ns = bench_now_ns();
	uint64_t ns = 0, count = 0;
	int r = rounds != NULL ? 0 : -ENOMEM;

	while (r == 0 && measure_goes_on(bench->measure, start_ns, rounds->count)) {
		struct corral_feed *feed;
		r = corral_feed_open(bench->corral, CORRAL_FEED_OLDEST, NULL, &feed);
		if (r < 0)
			break;
		r = read_there(bench, feed, UINT64_MAX, &ns, &count);
		corral_feed_close(feed);
		if (r == 0 && count > 0)
			rounds->ns[rounds->count++] = (double)ns / (double)count;
	}
	if (r == 0 && bench_signal == 0) {
		print(bench, "replay_events", "events", (double)count, 0);
		print(bench, "replay_ns", "ns", rounds_median(rounds), 1);
		print(bench, "replay_per_second", "1/s", 1e9 / rounds_median(rounds), 0);
	}
	free(rounds);
	return r;
}

/* ------------------------------------------------------------------ adds beside a reader */

static int add_for(struct feed_bench *bench, uint64_t ns, struct rounds *rounds)
{
	struct pool_window window;
	int r = pool_measure(&bench->adders.pool, POOL_BATCHES, 0, ns, &window);

	if (r == 0 && window.done > 0)
		rounds->ns[rounds->count++] = (double)window.cpu_ns / (double)window.done;
	return r;
}

static int measure_adds(struct feed_bench *bench)
{
	const uint64_t ns = bench->measure->ms * 1000000ull / ROUNDS;
	struct rounds *sides = calloc(2, sizeof(*sides));
	uint64_t events = 0, missed = 0, cpu_ns = 0, read_ns = 0;
	struct pool_window window;
	int r = sides != NULL ? 0 : -ENOMEM;

	for (uint32_t round = 0; round < ROUNDS && r == 0 && bench_signal == 0; round++) {
		r = add_for(bench, ns, &sides[0]);
		if (r == 0)
			r = start_reader(bench);
		const uint64_t start_ns = bench_now_ns();
		if (r == 0)
			r = add_for(bench, ns, &sides[1]);
		int rested = pool_rest(&bench->adders.pool, &window);
		read_ns += bench_now_ns() - start_ns;
		cpu_ns += reader_cpu_ns(bench);
		int ended = end_reader(bench);
		r = r < 0 ? r : rested < 0 ? rested : ended;
		events += bench->reading->events;
		missed += bench->reading->missed;
	}
	if (r == 0 && bench_signal == 0) {
		print(bench, "add_cpu_ns", "ns", rounds_median(&sides[0]), 1);
		print(bench, "add_with_reader_cpu_ns", "ns", rounds_median(&sides[1]), 1);
		print(bench, "add_with_reader_ratio", "x",
		      rounds_median_ratio(&sides[1], &sides[0]), 3);
		print(bench, "reader_per_second", "1/s", 1e9 * (double)events / (double)read_ns, 0);
		print(bench, "reader_cpu_ns", "ns", (double)cpu_ns / (double)max_u64(1, events), 1);
		print(bench, "reader_missed", "events", (double)missed, 0);
	}
	free(sides);
	return r;
}

/* ------------------------------------------------------------------ waiting */

static int ask_and_wait(struct feed_bench *bench)
{
	const uint64_t end_ns = bench_now_ns() + bench->measure->ms * 1000000ull;
	struct reading *reading = bench->reading;
	struct corral_result result;
	uint64_t state = 1;
	int r = add_one(bench, 0, &result); /* no reader waits for it: it tells the version */

	while (r == 0 && bench_now_ns() < end_ns && bench_signal == 0) {
		pool_sleep(WAIT_MIN_NS + bench_random_below(&state, WAIT_SPREAD_NS));
		reading->asked_ns = bench_now_ns();
		store_release(&reading->asked_version, result.version + 1);
		r = add_one(bench, 0, &result);
	}
	return r;
}

static int measure_wait(struct feed_bench *bench)
{
	char name[64];
	int r = start_reader(bench);

	if (r == 0)
		r = ask_and_wait(bench);
	int ended = end_reader(bench);
	r = r < 0 ? r : ended;
	if (r < 0 || bench_signal != 0)
		return r;
	snprintf(name, sizeof(name), NAME ".carts_%u.wait", bench->dataset->carts);
	figure_quantiles(&bench->reading->waits, name);
	return 0;
}

/* ------------------------------------------------------------------ away */

/* Let the workers make so many changes. */
static int make_events(struct feed_bench *bench, uint64_t count, struct histogram *ones)
{
	struct pool_window window;
	const uint64_t before = pool_done(&bench->adders.pool, 0);
	const uint64_t ns = bench->measure->ms * 1000000ull / ROUNDS;
	int r = 0;

	memset(ones, 0, sizeof(*ones));
	while (r == 0 && bench_signal == 0) {
		r = pool_measure(&bench->adders.pool, POOL_SINGLE_CALLS, 0, ns, &window);
		histogram_merge(ones, &window.ones);
		int rested = pool_rest(&bench->adders.pool, &window);
		r = r < 0 ? r : rested;
		if (pool_done(&bench->adders.pool, 0) - before >= count)
			break;
	}
	return r;
}

/* Wait until the reader has what was told so far. */
static int catch_up(struct feed_bench *bench)
{
	const uint64_t give_up_ns = bench_now_ns() + READY_NS;

	pool_sleep(LOOK_MS * 1000000u);
	while (load_relaxed(&bench->reading->at) < /* a count that only grows */
	       load_acquire(&bench->corral->arena.header->feed_next)) {
		if (bench_now_ns() > give_up_ns)
			return -ETIMEDOUT;
		pool_sleep(1000000);
	}
	return 0;
}

struct away {
	struct histogram beside, stopped;
	uint64_t bytes_before, bytes_after;
	uint64_t events, gaps, missed;
};

static int be_away(struct feed_bench *bench, struct away *away)
{
	const struct reading *reading = bench->reading;
	const char *directory = bench->dataset->sandbox.directory;
	int r = make_events(bench, 1, &away->beside);

	if (r == 0)
		r = catch_up(bench);
	away->bytes_before = memory_of_files(directory);
	away->events = reading->events;
	away->gaps = reading->gaps;
	away->missed = reading->missed;
	if (r == 0 && kill(bench->reader, SIGSTOP) < 0)
		r = -errno;
	if (r == 0)
		r = make_events(bench, bench->away_events, &away->stopped);
	away->bytes_after = memory_of_files(directory);
	(void)kill(bench->reader, SIGCONT);
	if (r == 0)
		r = catch_up(bench);
	away->events = reading->events - away->events;
	away->gaps = reading->gaps - away->gaps;
	away->missed = reading->missed - away->missed;
	return r;
}

/* It is live again: no event is missed any more. */
static int be_back(struct feed_bench *bench)
{
	const uint64_t events = bench->reading->events, missed = bench->reading->missed;
	int r = 0;

	for (uint32_t i = 0; i < AGAIN_EVENTS && r == 0; i++) {
		r = add_one(bench, i, NULL);
		pool_sleep(100000);
	}
	if (r == 0)
		r = catch_up(bench);
	if (r == 0 &&
	    (bench->reading->missed != missed || bench->reading->events != events + AGAIN_EVENTS)) {
		bench_say("a reader that was stopped is not live again");
		r = -EPROTO;
	}
	return r;
}

static int measure_away(struct feed_bench *bench)
{
	struct away *away = calloc(1, sizeof(*away));
	int r = away != NULL ? start_reader(bench) : -ENOMEM;

	if (r == 0)
		r = be_away(bench, away);
	if (r == 0 && bench_signal == 0)
		r = be_back(bench);
	int ended = end_reader(bench);
	r = r < 0 ? r : ended;
	if (r == 0 && bench_signal == 0) {
		char name[64];
		snprintf(name, sizeof(name), NAME ".carts_%u.beside_add", bench->dataset->carts);
		figure_quantiles(&away->beside, name);
		snprintf(name, sizeof(name), NAME ".carts_%u.away_add", bench->dataset->carts);
		figure_quantiles(&away->stopped, name);
		print(bench, "away_events", "events", (double)away->stopped.total, 0);
		print(bench, "away_read", "events", (double)away->events, 0);
		print(bench, "away_missed", "events", (double)away->missed, 0);
		print(bench, "away_gaps", "events", (double)away->gaps, 0);
		print(bench, "away_grown_bytes", "bytes",
		      (double)away->bytes_after - (double)away->bytes_before, 0);
	}
	free(away);
	return r;
}

/* ------------------------------------------------------------------ all */

static int measure_all(struct feed_bench *bench)
{
	int r = measure_live(bench);

	if (r == 0)
		r = measure_replay(bench);
	if (r == 0)
		r = measure_adds(bench);
	if (r == 0)
		r = measure_wait(bench);
	if (r == 0)
		r = measure_away(bench);
	return r;
}

static enum bench_exit with_adders(struct feed_bench *bench)
{
	const struct dataset *datasets[] = { bench->dataset };
	const uint32_t workers = bench->measure->workers;
	enum bench_exit result = adders_open(&bench->adders, datasets, 1, workers, ADDERS_ONLY_ADD);

	if (result != BENCH_DONE)
		return result;
	int r = measure_all(bench);
	result = adders_close(&bench->adders);
	if (r < 0) {
		if (bench_signal == 0 && r != -EPROTO)
			bench_say("the feed cannot be measured: %s", corral_strerror(r));
		return BENCH_WRONG;
	}
	return result;
}

static enum bench_exit feed_one(const struct measure *measure, struct dataset *dataset)
{
	struct feed_bench bench = { .measure = measure,
				    .dataset = dataset,
				    .corral = dataset->corral,
				    .away_events = measure->events };
	enum bench_exit result = BENCH_NO_ARENA;

	bench.step_count = dataset_steps(dataset, 1u << 18);
	bench.steps = dataset_walk(dataset, bench.step_count, 1);
	bench.events = calloc(TAKEN, sizeof(*bench.events));
	bench.reading = mmap(NULL, sizeof(*bench.reading), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	dataset_item_at(0, &bench.item);
	if (bench.steps != NULL && bench.events != NULL && bench.reading != MAP_FAILED)
		result = with_adders(&bench);
	if (bench.reading != MAP_FAILED)
		munmap(bench.reading, sizeof(*bench.reading));
	free(bench.events);
	free(bench.steps);
	return result;
}

enum bench_exit feed_run(int argc, char **argv)
{
	struct measure measure = { .name = NAME,
				   .counts = { 100, 10000 },
				   .count_count = 2,
				   .bytes = 5120,
				   .ms = 2000,
				   .workers = 1,
				   .events = 1000000 };

	return measure_run(&measure, MEASURE_WORKERS | MEASURE_EVENTS, argc, argv, feed_one);
}
