/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader.c: see reader.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "api/handle.h"
#include "call.h"
#include "harness/bench.h"
#include "harness/child.h"
#include "reader.h"
#include "store/feed.h"
#include "store/repair.h"

#define BATCH 64u
#define WAIT_MS 20
#define ROOM_NS 100000
#define STRIKE_NS 60000000u /* between two strikes, on average half of this */
#define STOP_NS_MAX 20000000u
#define AWAY_NS 4000000u
#define STOPS_OF 4u /* of so many strikes one is no kill */
#define END_TURNS 1000
#define END_PAUSE_NS 10000000

/* -------------------------------------------------------------- the process */

static uint32_t cart_of(const struct corral_event *event)
{
	char session[STORM_KEY_BYTES];
	const char *digits = event->session_id + strcspn(event->session_id, "0123456789");
	uint32_t cart = (uint32_t)strtoul(digits, NULL, 10);

	(void)storm_key(cart, session);
	return strcmp(event->restaurant_id, STORM_RESTAURANT) == 0 &&
			       strcmp(event->session_id, session) == 0 ?
		       cart :
		       STORM_NO_CART;
}

static void log_event(struct storm_feed_log *log, const struct corral_event *event)
{
	struct storm_told *told = &log->told[log->head % STORM_TOLD];

	*told = (struct storm_told){
		.number = event->number,
		.from = event->from,
		.missed = event->missed,
		.kind = event->kind,
		.cart = event->kind == CORRAL_EVENT_GAP ? STORM_NO_CART : cart_of(event),
		.facts = { .version = event->version,
			   .op = strtoull(event->op_id, NULL, 16),
			   .subtotal_cents = event->subtotal_cents,
			   .tax_cents = event->tax_cents,
			   .total_cents = event->total_cents,
			   .item_count = event->item_count,
			   .status = event->status },
	};
	store_release(&log->head, log->head + 1); /* after the event: a successor goes on there */
}

/* Behind the last event that is in the log. */
static uint64_t position(const struct storm_feed_log *log)
{
	return log->head == 0 ? log->begin : log->told[(log->head - 1) % STORM_TOLD].number + 1;
}

/* Log the next events; none if there is no room. 0 or -errno. */
static int read_some(struct corral_feed *feed, struct storm_feed_log *log, int timeout_ms)
{
	static struct corral_event events[BATCH];
	const struct timespec pause = { .tv_nsec = ROOM_NS };
	const uint64_t most = min_u64(STORM_TOLD - (log->head - load_acquire(&log->tail)), BATCH);
	size_t count = 0;

	if (most == 0)
		return nanosleep(&pause, NULL);
	int r = corral_feed_next(feed, events, most, timeout_ms, NULL, &count);
	for (size_t i = 0; i < count; i++)
		log_event(log, &events[i]);
	return r;
}

struct plan {
	struct storm_feed_log *log;
	struct corral *corral; /* NULL: open one */
	const char *directory;
};

/* Runs in the child until it is killed. */
static int read_until_killed(void *context)
{
	const struct plan *plan = context;
	struct corral *corral = plan->corral;
	struct corral_feed *feed;
	int r = corral != NULL ? 0 : corral_open(plan->directory, CORRAL_CATCH_SIGBUS, &corral);

	if (r == 0)
		r = corral_feed_open(corral, position(plan->log), NULL, &feed);
	while (r == 0 || r == -ETIMEDOUT || r == -EINTR)
		r = read_some(feed, plan->log, WAIT_MS);
	bench_say("the feed's reader: %s", corral_strerror(r));
	return BENCH_NO_ARENA;
}

/* -------------------------------------------------------------- its parent */

static uint64_t within(struct storm_reader *reader, uint64_t ns)
{
	return bench_random(&reader->random) % (ns + 1);
}

static void start(struct storm_reader *reader, uint64_t now)
{
	struct plan plan = { .log = reader->log,
			     .corral = bench_random_below(&reader->random, 2) == 0 ?
					       reader->corral :
					       NULL,
			     .directory = reader->directory };
	const pid_t pid = child_fork(read_until_killed, &plan);

	reader->due_ns = now + within(reader, STRIKE_NS);
	if (pid > 0) /* else there was no memory: later */
		reader->pid = pid;
}

static void kill_it(struct storm_reader *reader)
{
	kill(reader->pid, SIGKILL);
	reader->stopped = false;
	reader->dying = true;
	reader->kills++;
}

static void strike(struct storm_reader *reader, uint64_t now)
{
	const bool kill_stopped = bench_random_below(&reader->random, 2) == 0;

	if (reader->stopped && !kill_stopped) {
		kill(reader->pid, SIGCONT);
		reader->stopped = false;
		reader->due_ns = now + within(reader, STRIKE_NS);
	} else if (!reader->stopped && bench_random_below(&reader->random, STOPS_OF) == 0) {
		kill(reader->pid, SIGSTOP);
		reader->stopped = true;
		reader->stops++;
		reader->due_ns = now + within(reader, STOP_NS_MAX);
	} else {
		kill_it(reader);
	}
}

static bool reap(struct storm_reader *reader, uint64_t now)
{
	int status;

	if (waitpid(reader->pid, &status, WNOHANG) != reader->pid)
		return false;
	if (!reader->dying) {
		bench_say("the feed's reader ended by itself");
		reader->crashes++;
	}
	reader->pid = 0;
	reader->stopped = reader->dying = false;
	reader->due_ns = now + within(reader, AWAY_NS);
	return true;
}

static bool judge(struct storm_reader *reader)
{
	struct storm_feed_log *log = reader->log;
	const uint64_t head = load_acquire(&log->head);
	const bool some = log->tail < head;

	for (; log->tail < head; store_release(&log->tail, log->tail + 1))
		storm_judge_event(reader->judge, &log->told[log->tail % STORM_TOLD]);
	return some;
}

int storm_reader_begin(struct storm_reader *reader)
{
	struct corral_feed *feed;
	int r = corral_feed_open(reader->corral, CORRAL_FEED_NOW, NULL, &feed);

	if (r < 0)
		return r;
	reader->log->begin = corral_feed_position(feed);
	corral_feed_close(feed);
	storm_judge_begin(reader->judge, reader->log->begin);
	return 0;
}

bool storm_reader_go_on(struct storm_reader *reader)
{
	const uint64_t now = bench_now_ns();
	bool some = judge(reader);

	if (reader->pid != 0)
		some |= reap(reader, now);
	if (reader->dying || now < reader->due_ns)
		return some;
	if (reader->pid == 0)
		start(reader, now);
	else
		strike(reader, now);
	return true;
}

/* Read to the end in this process. The dead hold nothing any more. */
static bool read_rest(struct storm_reader *reader)
{
	const struct timespec pause = { .tv_nsec = END_PAUSE_NS };
	struct corral_feed *feed;
	bool pending = true;
	int r = corral_feed_open(reader->corral, position(reader->log), NULL, &feed);

	if (r < 0)
		return false;
	for (int turn = 0; turn < END_TURNS && pending; turn++) {
		do {
			r = read_some(feed, reader->log, 0);
			(void)judge(reader);
		} while (r == 0);
		pending = r != -ETIMEDOUT || feed_pending(&reader->corral->arena);
		if (pending)
			nanosleep(&pause, NULL); /* the agent numbers events */
	}
	corral_feed_close(feed);
	return !pending;
}

bool storm_reader_end(struct storm_reader *reader)
{
	int status;

	if (reader->pid != 0) {
		kill(reader->pid, SIGKILL);
		waitpid(reader->pid, &status, 0);
		reader->pid = 0;
	}
	(void)alive_bury_all(&reader->corral->arena, &reader->corral->share->life, repair_process);
	return read_rest(reader) && reader->crashes == 0;
}
