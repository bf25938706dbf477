/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top_source.c: `corral top` follows an arena. The carts are listed once, in pieces; from then on
 * events say what has changed. What a tick and a frame cost is bounded, and does not grow with the
 * number of carts:
 *
 * - events are read twenty times a second, a bounded number of them: so often, since a thread's
 *   lane has room for few events that have no number yet. There is no waiting for the feed, so no
 *   writer has to wake this process;
 * - where events were missed, or come faster than they are taken in, or are not written, another
 *   list is made, so slowly that it costs less than a hundredth of a processor;
 * - a frame looks at the carts that it shows, one by one: what it says of them is true, also if
 *   their places are not.
 */
#include "top.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "arena/arena.h"

#define EVENTS_BATCH 64u
#define EVENTS_PER_TICK 128u
#define LIST_BATCH 128u
#define FIRST_LIST_PER_TICK 8192u
#define LIST_PER_TICK 128u
#define SWEEP_PER_TICK 1024u
#define BEHIND_MAX 40u /* two seconds */
#define LATENCY_NS 10000000000ll

int64_t top_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int64_t top_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ open and close */

static const struct corral_text *wanted(const struct top *top)
{
	const struct corral_text *restaurant_id = &top->call->key.restaurant_id;

	return restaurant_id->size > 0 ? restaurant_id : NULL;
}

static void begin_list(struct top *top)
{
	corral_list_close(top->list);
	top->list = NULL;
	if (corral_list_open(top->corral, wanted(top), &top->list) < 0)
		return; /* tried again at the next tick */
	top->list_again = false;
	top->list_rows = 0;
	top_model_list(top->model);
}

/* Events from now on. */
static int begin_feed(struct top *top)
{
	const struct corral_feed_filter filter = { .restaurant_id = wanted(top) };

	corral_feed_close(top->feed);
	top->feed = NULL;
	return corral_feed_open(top->corral, CORRAL_FEED_NOW, &filter, &top->feed);
}

static void let_go(struct top *top)
{
	corral_list_close(top->list);
	corral_feed_close(top->feed);
	corral_feed_close(top->history);
	corral_close(top->corral);
	inspect_close(top->inspect);
	top->list = NULL;
	top->feed = NULL;
	top->history = NULL;
	top->corral = NULL;
	top->inspect = NULL;
}

/* Begin with an arena that has been opened. */
static int follow(struct top *top)
{
	const enum top_order order = (enum top_order)top->call->order;
	int r = begin_feed(top);

	if (r < 0)
		return r;
	top_model_free(top->model);
	top->model = top_model_new();
	top_model_order(top->model, order, false);
	top->listed = false;
	top->no_feed = false;
	top->behind = 0;
	top->now = (struct top_figures){ 0 }; /* rates are of this arena only */
	top->latency_next_ns = 0;
	begin_list(top);
	top_measure(top);
	return 0;
}

enum exit_code top_begin(struct top *top, const struct call *call)
{
	enum exit_code code;
	char why[ARENA_WHY_BYTES] = "";

	*top = (struct top){ .call = call };
	code = open_arena(call, LOOK_ONLY, &top->corral);
	if (code)
		return code;
	if (arena_directory(call->dir, top->directory, why) != 0) {
		let_go(top);
		return complain(EXIT_ARENA,
				"top shows an arena, and the carts of this location are on other "
				"machines: see them with: corral ls");
	}
	code = open_inspect(call->dir, false, &top->inspect);
	if (code) {
		let_go(top);
		return code;
	}
	int r = follow(top);
	if (r < 0) {
		top_end(top);
		return complain(EXIT_ARENA, "%s: %s", top->directory, corral_strerror(r));
	}
	return EXIT_DONE;
}

void top_end(struct top *top)
{
	let_go(top);
	top_model_free(top->model);
	top->model = NULL;
}

/* The arena was replaced, or is not there any more: see whether it can be opened again. */
static void come_back(struct top *top)
{
	char why[ARENA_WHY_BYTES] = "";
	int r = corral_open(top->call->dir, LOOK_ONLY | CORRAL_CATCH_SIGBUS, &top->corral);

	if (r < 0) {
		snprintf(top->gone, sizeof(top->gone), "%s", corral_why());
		return;
	}
	r = inspect_open(top->directory, false, &top->inspect, why, sizeof(why));
	if (r == 0)
		r = follow(top);
	if (r < 0) {
		let_go(top);
		snprintf(top->gone, sizeof(top->gone), "%s",
			 why[0] != '\0' ? why : corral_strerror(r));
	}
}

/* Has the arena gone? Then this is said, and it is opened again at later ticks. */
static bool is_gone(struct top *top, int r)
{
	if (r != -ESTALE && r != -EBADF)
		return false;
	let_go(top);
	snprintf(top->gone, sizeof(top->gone), "%s", corral_strerror(r));
	return true;
}

/* ------------------------------------------------------------------ a tick */

/* Too much happens to take in each event: begin with what happens from now on, and list. */
static int leave_behind(struct top *top)
{
	top->behind = 0;
	top->skipped++;
	top->list_again = true;
	return begin_feed(top);
}

static int read_events(struct top *top)
{
	static struct corral_event events[EVENTS_BATCH];
	const uint64_t missed = top_model_missed(top->model);
	size_t all = 0, count = EVENTS_BATCH;
	int r = 0;

	while (r == 0 && count == EVENTS_BATCH && all < EVENTS_PER_TICK) {
		count = 0;
		r = corral_feed_next(top->feed, events, EVENTS_BATCH, 0, NULL, &count);
		for (size_t i = 0; r == 0 && i < count; i++)
			top_model_event(top->model, &events[i]);
		all += count;
	}
	if (top_model_missed(top->model) != missed)
		top->list_again = true;
	top->behind = all >= EVENTS_PER_TICK ? top->behind + 1 : 0;
	if (r == 0 && top->behind >= BEHIND_MAX)
		r = leave_behind(top);
	if (r == -EOPNOTSUPP) {
		top->no_feed = true;
		return 0;
	}
	if (r == 0 && top->no_feed) { /* events are written again */
		top->no_feed = false;
		top->list_again = true;
	}
	return r == -ETIMEDOUT || r == -EINTR || r == -EUSERS ? 0 : r;
}

static int read_list(struct top *top)
{
	static struct corral_entry entries[LIST_BATCH];
	const size_t most = top->listed ? LIST_PER_TICK : FIRST_LIST_PER_TICK;
	size_t all = 0, count = 1;
	int r = 0;

	while (r == 0 && count > 0 && all < most) {
		count = 0;
		r = corral_list_next(top->list, entries, LIST_BATCH, &count);
		for (size_t i = 0; r == 0 && i < count; i++)
			top_model_entry(top->model, &entries[i]);
		all += count;
	}
	top->list_rows += all;
	if (r == -EBUSY || r == -EUSERS)
		return 0; /* the list stands where it stood */
	if (r == -EUCLEAN || (r == 0 && count == 0)) {
		corral_list_close(top->list);
		top->list = NULL;
		top->listed = true;
	}
	if (r == 0 && count == 0) /* else the rest is damaged, and not known */
		top_model_listed(top->model);
	return r == -EUCLEAN ? 0 : r;
}

void top_tick(struct top *top)
{
	if (top->corral == NULL)
		come_back(top);
	if (top->corral == NULL || is_gone(top, read_events(top)))
		return;
	if (top->list != NULL)
		(void)is_gone(top, read_list(top));
	else if (top_model_sweep(top->model, SWEEP_PER_TICK) && (top->list_again || top->no_feed))
		begin_list(top);
}

int top_tick_ms(const struct top *top)
{
	return top->corral != NULL && !top->listed ? TOP_FIRST_MS : TOP_TICK_MS;
}

/* ------------------------------------------------------------------ a frame */

static double rate(const struct top *top, enum stat_index index, uint64_t but)
{
	const double seconds = (double)(top->now.at_ns - top->before.at_ns) / 1e9;
	const uint64_t more = top->now.counts[index] - top->before.counts[index];

	return top->before.at_ns > 0 && seconds > 0 && more > but ? (double)(more - but) / seconds :
								    0;
}

static void measure_latency(struct top *top)
{
	struct corral_latency now;

	inspect_latency(top->inspect, &now);
	if (top->latency_next_ns == 0) {
		top->latency_from = top->latency_next = now;
		top->latency_next_ns = top->now.at_ns + LATENCY_NS;
	} else if (top->now.at_ns >= top->latency_next_ns) {
		top->latency_from = top->latency_next;
		top->latency_next = now;
		top->latency_next_ns = top->now.at_ns + LATENCY_NS;
	}
	top->latency = now;
	top->latency.changes -= top->latency_from.changes;
	top->latency.total_ns -= top->latency_from.total_ns;
	for (uint32_t i = 0; i < CORRAL_LATENCY_BUCKETS; i++)
		top->latency.counts[i] -= top->latency_from.counts[i];
}

static void measure_rates(struct top *top)
{
	top->rates = (struct top_rates){
		.changes = rate(top, STAT_changes, 0),
		.reads = rate(top, STAT_reads, top->looks),
		.created = rate(top, STAT_created, 0),
		.checked_out = rate(top, STAT_checked_out, 0),
		.dropped = rate(top, STAT_dropped, 0),
		.expired = rate(top, STAT_expired, 0),
		.lock_sleeps = rate(top, STAT_lock_sleeps, 0),
		.refused = rate(top, STAT_refused_full, 0) + rate(top, STAT_refused_busy, 0),
	};
	top->looks = 0;
}

/* 0: it is there; -ENOENT: it is over; another error: not known. */
static int look_at(struct top *top, const struct top_cart *cart, struct top_seen *ret_seen)
{
	const struct corral_key key = { corral_text(cart->restaurant_id),
					corral_text(cart->session_id) };
	struct corral_view view;
	int r = corral_read_begin(top->corral, &key, &view);

	if (r < 0)
		return r;
	top->looks++;
	r = corral_view_head(&view, &ret_seen->head);
	ret_seen->expires_ms = corral_view_expires_ms(&view);
	int ended = corral_read_end(&view);
	return r == 0 ? ended : r;
}

/* What is found may give a cart another place: then one of the next ones is not looked at. */
void top_look(struct top *top, size_t first, size_t count)
{
	for (size_t i = 0; top->corral != NULL && i < count; i++) {
		const struct top_cart *cart = top_model_at(top->model, first + i);
		struct top_seen seen;

		if (cart == NULL)
			return;
		int r = look_at(top, cart, &seen);
		if (r == 0)
			top_model_seen(top->model, cart, &seen);
		else if (r == -ENOENT)
			top_model_ended(top->model, cart->restaurant_id, cart->session_id,
					cart->version);
		else if (is_gone(top, r))
			return;
	}
}

void top_measure(struct top *top)
{
	top->before = top->now;
	top->now.at_ns = top_clock_ns();
	top->now.wall_ms = top_wall_ms();
	if (top->corral == NULL)
		return;
	const struct arena_header *header = inspect_header(top->inspect);
	top->now.agent = inspect_agent_lives(top->inspect);
	inspect_counters(top->inspect, top->now.counts);
	top->now.deaths = header->deaths;
	if (inspect_summary(top->inspect, &top->now.totals) != 0)
		memset(&top->now.totals, 0, sizeof(top->now.totals));
	measure_latency(top);
	measure_rates(top);
}
