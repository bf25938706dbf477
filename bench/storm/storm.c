/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * storm.c: corral-bench storm: workers that change carts while they are killed and stopped, and a
 * checker that compares all their calls with the carts.
 *
 * This process is the checker: it strikes the workers (nemesis.h), takes the calls from the logs
 * and checks cart after cart (rounds.h). At the end it drops all carts and checks that the arena is
 * as empty as before. The last line of standard output is the result.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "api/handle.h"
#include "harness/options.h"
#include "harness/progress.h"
#include "inspect/inspect.h"
#include "memory/retire.h"
#include "nemesis.h"
#include "reader.h"
#include "store/repair.h"
#include "storm.h"

#define WORKERS 8u
#define SECONDS 10u
#define SECONDS_MAX 86400u
#define KILL_EVERY_MS 5u
#define ARENA_BYTES (1ull << 30) /* so large that lanes have room for the calls in a log */
#define CARTS_MAX 65536u         /* gives so many buckets that two of our carts seldom share one */
#define CHECKER_PATIENCE_MS 5u
#define PAUSE_NS 200000
#define RECLAIM_ROUNDS 3
#define SHOW_NS 100000000u

struct storm_options {
	const char *directory;
	const char *history;
	uint32_t workers;
	uint32_t kill_every_ms;
	uint32_t seconds;
	bool kill_agent;
	bool outrun;
	uint64_t seed;
};

struct storm_logs { /* shared with the processes */
	struct storm_op_log calls;
	struct storm_feed_log feed;
};

struct storm {
	const struct storm_options *options;
	struct sandbox *sandbox;
	struct storm_rounds rounds;
	struct storm_nemesis nemesis;
	struct storm_reader reader;
	struct storm_judge judge;
	uint64_t took_ns;
	uint64_t leaked; /* bytes */
	uint32_t faults; /* of the arena, and locks, records and slots that are still in use */
};

/* ----------------------------------------------------------------- options */

static enum bench_exit take_options(int argc, char **argv, struct storm_options *options,
				    bool *ret_go)
{
	const struct option_row rows[] = {
		OPTION(NUMBER, "workers", "N", number = &options->workers, "worker processes",
		       BOUNDS(1, STORM_SLOTS_MAX)),
		OPTION(NUMBER, "kill-every", "MS", number = &options->kill_every_ms,
		       "a SIGKILL so often, on average", BOUNDS(1, 60000)),
		OPTION(NUMBER, "seconds", "S", number = &options->seconds, "how long",
		       BOUNDS(1, SECONDS_MAX)),
		OPTION(FLAG, "kill-agent", NULL, flag = &options->kill_agent,
		       "kill the agent too, about once a second, and start it again"),
		OPTION(FLAG, "outrun", NULL, flag = &options->outrun,
		       "do not wait for the feed's reader, so that it is told gaps"),
		OPTION(WORD, "history", "FILE", word = &options->history,
		       "write all calls to FILE, as JSON lines"),
		OPTION_SEED(&options->seed),
		OPTION_DIR(&options->directory),
	};

	return bench_options(rows, argc, argv, ret_go);
}

/* ------------------------------------------------------------------- arena */

static void tell_fault(void *context, const char *line)
{
	(void)context;
	bench_say("check: %s", line);
}

/* Count what the arena has in use. 0, or -errno after a message. */
static int take_stock(const struct sandbox *sandbox, struct inspect_totals *ret_totals,
		      uint64_t *ret_faults)
{
	char why[ARENA_WHY_BYTES];
	struct inspect *inspect;
	bool quiet;
	int r = inspect_open(sandbox->directory, false, &inspect, why, sizeof(why));

	if (r < 0) {
		bench_say("%s", why);
		return r;
	}
	r = inspect_check(inspect, tell_fault, NULL, ret_faults, &quiet, ret_totals);
	inspect_close(inspect);
	if (r < 0)
		bench_say("cannot check the arena: %s", corral_strerror(r));
	return r;
}

/* Check that the arena is without carts: that is the baseline. */
static enum bench_exit look_around(const struct sandbox *sandbox)
{
	struct inspect_totals totals;
	uint64_t faults;

	if (take_stock(sandbox, &totals, &faults) < 0 || faults > 0)
		return BENCH_NO_ARENA;
	if (totals.slots_used == 0)
		return BENCH_DONE;
	bench_say("there are carts in %s already; a storm needs an arena of its own",
		  sandbox->directory);
	return BENCH_USAGE;
}

/*
 * Reclaim the memory that all processes have retired, as a worker does when the arena is full. The
 * agent, which has retired memory too, is stopped before.
 */
static void reclaim(struct storm *storm)
{
	struct corral *corral = storm->rounds.corral;
	struct actor *actor;

	if (handle_actor(corral, &actor) < 0)
		return;
	(void)alive_bury_all(&corral->arena, &corral->share->life, repair_process);
	for (int i = 0; i < RECLAIM_ROUNDS; i++)
		(void)block_reclaim_all(actor);
}

static enum bench_exit clear_away(struct storm *storm)
{
	struct inspect_totals totals;
	uint64_t faults = 0;

	sandbox_stop_agent(storm->sandbox);
	reclaim(storm);
	corral_close(storm->rounds.corral);
	storm->rounds.corral = NULL;
	if (take_stock(storm->sandbox, &totals, &faults) < 0)
		return BENCH_NO_ARENA;
	storm->leaked =
		totals.live_bytes + totals.cached_bytes + totals.retired_bytes + totals.lost_bytes;
	storm->faults += (uint32_t)faults + totals.locks_held + totals.slots_used +
			 totals.processes + totals.processes_dead + totals.threads + totals.readers;
	if (totals.locks_held + totals.slots_used + totals.processes + totals.processes_dead +
		    totals.threads >
	    0)
		bench_say("left behind: %u locks, %u slots, %u processes, %u dead, %u threads",
			  totals.locks_held, totals.slots_used, totals.processes,
			  totals.processes_dead, totals.threads);
	return BENCH_DONE;
}

/* -------------------------------------------------------------------- rage */

static void show(const struct storm *storm, uint64_t gone_ns)
{
	static uint64_t shown;
	char text[96];

	if (gone_ns / SHOW_NS == shown)
		return;
	shown = gone_ns / SHOW_NS;
	snprintf(text, sizeof(text), "s, %llu kills, %llu changes",
		 (unsigned long long)storm->nemesis.kills,
		 (unsigned long long)storm->rounds.counts.acknowledged);
	progress_show((uint32_t)(gone_ns / 1000000000), storm->options->seconds, text);
}

/* All carts were dropped, and all processes but the agent are gone: is the feed told to its end? */
static void end_feed(struct storm *storm)
{
	struct storm_judge *judge = &storm->judge;

	if (!storm_reader_end(&storm->reader)) {
		bench_say("the feed could not be read to its end");
		storm->faults++;
	}
	for (uint32_t cart = 0; cart < STORM_CARTS; cart++)
		storm_judge_end(judge, cart, storm->rounds.carts[cart].before);
	if (judge->why[0] != '\0')
		bench_say("feed: %s", judge->why);
}

static void rage(struct storm *storm)
{
	uint64_t start = bench_now_ns(), end = start + storm->options->seconds * 1000000000ull, now;
	struct timespec pause = { .tv_nsec = PAUSE_NS };

	storm_rounds_begin(&storm->rounds);
	storm_nemesis_begin(&storm->nemesis);
	while ((now = bench_now_ns()) < end && bench_signal == 0) {
		bool some = storm_nemesis_go_on(&storm->nemesis);

		some |= storm_reader_go_on(&storm->reader);
		if (!storm_rounds_go_on(&storm->rounds) && !some)
			nanosleep(&pause, NULL);
		show(storm, now - start);
	}
	if (!storm_nemesis_end(&storm->nemesis))
		storm->faults++;
	if (!storm_rounds_end(&storm->rounds)) {
		bench_say("some carts could not be checked or dropped");
		storm->faults++;
	}
	end_feed(storm);
	progress_clear();
	storm->took_ns = bench_now_ns() - start;
}

/* ------------------------------------------------------------------ result */

static void print_ms(const char *name, uint64_t ns)
{
	printf("%s=%llu.%02llu\n", name, (unsigned long long)(ns / 1000000),
	       (unsigned long long)(ns / 10000 % 100));
}

static void print_us(const char *name, uint64_t ns)
{
	printf("%s=%llu.%llu\n", name, (unsigned long long)(ns / 1000),
	       (unsigned long long)(ns / 100 % 10));
}

static void print_number(const char *name, uint64_t value)
{
	printf("%s=%llu\n", name, (unsigned long long)value);
}

static void print_figures(const struct storm *storm)
{
	const struct storm_counts *counts = &storm->rounds.counts;
	const struct storm_latencies *latencies = &storm->rounds.latencies;

	print_number("seed", storm->options->seed);
	print_number("workers", storm->options->workers);
	print_ms("seconds", storm->took_ns / 1000); /* microseconds print as seconds */
	print_number("kills", storm->nemesis.kills);
	print_number("stops", storm->nemesis.stops);
	print_number("exits", storm->nemesis.exits);
	print_number("agent_kills", storm->nemesis.agent_kills);
	print_number("crashes", storm->nemesis.crashes);
	print_number("acknowledged", counts->acknowledged);
	print_number("reads", counts->reads);
	print_number("declined", counts->declined);
	print_number("refused", counts->refused);
	print_number("pending", counts->pending);
	print_number("pending_happened", counts->happened);
	print_number("sent_again", counts->sent_again);
	print_number("rounds", counts->rounds);
	print_us("p50_us", histogram_quantile(&latencies->changes, 500));
	print_us("p99_us", histogram_quantile(&latencies->changes, 990));
	print_us("p99.9_us", histogram_quantile(&latencies->changes, 999));
	print_ms("longest_wait_ms", latencies->changes.max);
	print_ms("dying_ms", latencies->dying_ns);
	print_ms("longest_wait_stopped_ms", latencies->longest_stopped_ns);
	print_ms("scheduling_ms", latencies->scheduling_ns);
	print_number("reader_kills", storm->reader.kills);
	print_number("reader_stops", storm->reader.stops);
	print_ms("reader_behind_ms", storm->rounds.behind_ns);
	print_number("events", storm->judge.changes);
	print_number("event_ends", storm->judge.ends);
	print_number("event_gaps", storm->judge.gaps);
	print_number("events_missed", storm->judge.missed);
	print_number("events_compared", storm->judge.compared);
	print_number("events_untold", storm->judge.untold);
	print_number("events_twice", storm->judge.twice);
	print_number("events_wrong", storm->judge.wrong);
	print_number("disorder", counts->disorder);
	print_number("faults", storm->faults);
}

static enum bench_exit print_result(const struct storm *storm)
{
	const struct storm_counts *counts = &storm->rounds.counts;
	uint64_t longest = storm->rounds.latencies.changes.max;

	print_figures(storm);
	printf("kills=%llu operations=%llu longest_wait_ms=%llu.%02llu lost=%llu twice=%llu "
	       "leaked=%llu\n",
	       (unsigned long long)storm->nemesis.kills, (unsigned long long)counts->acknowledged,
	       (unsigned long long)(longest / 1000000), (unsigned long long)(longest / 10000 % 100),
	       (unsigned long long)counts->lost, (unsigned long long)counts->twice,
	       (unsigned long long)storm->leaked);
	const struct storm_judge *judge = &storm->judge;
	return counts->lost + counts->twice + counts->disorder + storm->leaked + storm->faults +
				       judge->untold + judge->twice + judge->wrong ==
			       0 ?
		       BENCH_DONE :
		       BENCH_WRONG;
}

/* ------------------------------------------------------------------- storm */

static enum bench_exit play(struct storm *storm)
{
	enum bench_exit result = look_around(storm->sandbox);

	if (result != BENCH_DONE)
		return result;
	if (corral_open(storm->sandbox->directory, CORRAL_CATCH_SIGBUS, &storm->rounds.corral) <
	    0) {
		bench_say("%s", corral_why());
		return BENCH_NO_ARENA;
	}
	(void)corral_set_patience(storm->rounds.corral, CHECKER_PATIENCE_MS);
	storm->reader.corral = storm->rounds.corral;
	int r = storm_reader_begin(&storm->reader);
	if (r < 0) {
		bench_say("the feed cannot be read: %s", corral_strerror(r));
		return BENCH_NO_ARENA;
	}
	rage(storm);
	result = clear_away(storm);
	return result != BENCH_DONE || bench_signal != 0 ? result : print_result(storm);
}

static enum bench_exit open_history(const struct storm_options *options, struct storm *storm)
{
	if (options->history == NULL)
		return BENCH_DONE;
	storm->rounds.history = fopen(options->history, "we");
	if (storm->rounds.history != NULL)
		return BENCH_DONE;
	bench_say("cannot write %s: %s", options->history, strerror(errno));
	return BENCH_USAGE;
}

static enum bench_exit close_history(const struct storm_options *options, struct storm *storm)
{
	bool wrong;

	if (storm->rounds.history == NULL)
		return BENCH_DONE;
	wrong = ferror(storm->rounds.history) != 0;
	wrong |= fclose(storm->rounds.history) != 0;
	if (wrong)
		bench_say("cannot write %s to its end", options->history);
	return wrong ? BENCH_WRONG : BENCH_DONE;
}

static void prepare(struct storm *storm, const struct storm_options *options,
		    struct sandbox *sandbox, struct storm_logs *logs)
{
	uint64_t random = options->seed;

	storm->options = options;
	storm->sandbox = sandbox;
	storm->rounds.op_log = &logs->calls;
	storm->rounds.workers = options->workers;
	storm->rounds.random = bench_random(&random);
	storm->nemesis =
		(struct storm_nemesis){ .rounds = &storm->rounds,
					.sandbox = sandbox,
					.workers = options->workers,
					.kill_every_ns = options->kill_every_ms * 1000000ull,
					.kill_agent = options->kill_agent,
					.random = bench_random(&random) };
	storm->rounds.judge = &storm->judge;
	storm->rounds.outrun = options->outrun;
	storm->reader = (struct storm_reader){ .log = &logs->feed,
					       .directory = sandbox->directory,
					       .judge = &storm->judge,
					       .random = bench_random(&random) };
}

/* Run the storm in its sandbox, from opening to closing the arena. */
static enum bench_exit perform(const struct storm_options *options, struct storm *storm,
			       struct storm_logs *logs)
{
	struct sandbox sandbox;
	enum bench_exit result, written;

	prepare(storm, options, &sandbox, logs);
	result = open_history(options, storm);
	if (result != BENCH_DONE)
		return result;
	bench_catch_signals();
	result = sandbox_open(&sandbox, options->directory, ARENA_BYTES, CARTS_MAX, true);
	if (result == BENCH_DONE) {
		result = play(storm);
		corral_close(storm->rounds.corral);
		sandbox_close(&sandbox);
	}
	written = close_history(options, storm);
	return result == BENCH_DONE ? written : result;
}

enum bench_exit storm_run(int argc, char **argv)
{
	struct storm_options options = { .workers = WORKERS,
					 .kill_every_ms = KILL_EVERY_MS,
					 .seconds = SECONDS,
					 .seed = bench_now_ns() };
	struct storm_logs *logs;
	struct storm *storm;
	enum bench_exit result;
	bool go;

	result = take_options(argc, argv, &options, &go);
	if (result != BENCH_DONE || !go)
		return result;
	logs = mmap(NULL, sizeof(*logs), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	storm = calloc(1, sizeof(*storm));
	if (logs == MAP_FAILED || storm == NULL) {
		bench_say("no memory: %s", strerror(errno));
		result = BENCH_NO_ARENA;
	} else {
		result = perform(&options, storm, logs);
	}
	if (logs != MAP_FAILED)
		munmap(logs, sizeof(*logs));
	free(storm);
	bench_die_of_signal();
	return result;
}
