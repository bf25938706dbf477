/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * expiry.c: corral-bench expiry: how late a program hears that a cart's time is up. A few carts
 * among many others, whose time is far away, become due one after the other; a reader of the feed
 * waits for their events. In the same run Redis, if it is there, has as many keys with such times,
 * and a subscriber to its keyspace events of expiry.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/measure.h"
#include "peers/peer.h"
#include "speed.h"

#define NAME "expiry"
#define DUE 200u /* carts that become due */
#define FIRST_MS 1000u
#define PATIENCE_NS 300000000000u /* from when the last one is due */
#define BOUND_NS 10000000000u     /* and a 64th of the time to live: what Corral promises */
#define LOOK_MS 250
#define TEXT_BYTES 16u

struct side { /* Corral or Redis */
	uint64_t due_ns[DUE];
	uint64_t ttl_ms[DUE];
	bool heard[DUE];
	double late_ms[DUE];
	uint32_t count;  /* that were heard of */
	uint32_t beyond; /* of them, later than what Corral promises */
};

struct expiry {
	const struct measure *measure;
	struct dataset *dataset;
	struct side corral, redis;
};

/* The time to live of each: they become due at even distances. */
static uint64_t ttl_of(const struct expiry *expiry, uint32_t number)
{
	return FIRST_MS + (uint64_t)expiry->measure->ms * number / DUE;
}

static void ask(struct side *side, uint32_t number, uint64_t ttl_ms)
{
	side->ttl_ms[number] = ttl_ms;
	side->due_ns[number] = bench_now_ns() + ttl_ms * 1000000u;
}

static uint64_t give_up_ns(const struct side *side)
{
	return side->due_ns[DUE - 1] + PATIENCE_NS;
}

/* The name of a cart or key that became due. */
static void hear(struct side *side, const char *name)
{
	const unsigned long number = strtoul(name, NULL, 10);
	const uint64_t now_ns = bench_now_ns();

	if (number >= DUE || side->heard[number])
		return;
	const uint64_t due_ns = side->due_ns[number];
	const uint64_t late_ns = now_ns > due_ns ? now_ns - due_ns : 0;
	side->heard[number] = true;
	side->late_ms[side->count++] = (double)late_ns / 1e6;
	side->beyond += late_ns > BOUND_NS + side->ttl_ms[number] * 1000000u / 64;
}

static void print(struct expiry *expiry, const char *who, struct side *side)
{
	const uint32_t carts = expiry->dataset->carts;
	char what[64];

	snprintf(what, sizeof(what), "%s_late_p50_ms", who);
	measure_print(NAME, carts, what, "ms", measure_median(side->late_ms, side->count), 1);
	snprintf(what, sizeof(what), "%s_late_max_ms", who); /* the last one: they are sorted now */
	measure_print(NAME, carts, what, "ms", side->count > 0 ? side->late_ms[side->count - 1] : 0,
		      1);
	snprintf(what, sizeof(what), "%s_beyond", who);
	measure_print(NAME, carts, what, "events", side->beyond, 0);
	snprintf(what, sizeof(what), "%s_never", who);
	measure_print(NAME, carts, what, "events", DUE - side->count, 0);
}

/* ------------------------------------------------------------------ Corral */

static int begin_carts(struct expiry *expiry)
{
	struct corral *corral = expiry->dataset->corral;
	struct dataset_item item;
	char session[TEXT_BYTES];
	int r = 0;

	dataset_item_at(0, &item);
	for (uint32_t i = 0; i < DUE && r == 0; i++) {
		snprintf(session, sizeof(session), "%u", i);
		const struct corral_key key = { corral_text("due"), corral_text(session) };
		r = corral_add(corral, &key, &item.item, NULL, NULL);
		if (r == 0)
			r = corral_set_ttl(corral, &key, ttl_of(expiry, i), NULL, NULL);
		ask(&expiry->corral, i, ttl_of(expiry, i));
	}
	return r;
}

static int hear_of_carts(struct side *side, struct corral_feed *feed)
{
	struct corral_event *events = calloc(DUE, sizeof(*events));
	int r = events != NULL ? 0 : -ENOMEM;
	size_t count;

	while (r == 0 && side->count < DUE && bench_signal == 0 &&
	       bench_now_ns() < give_up_ns(side)) {
		r = corral_feed_next(feed, events, DUE, LOOK_MS, NULL, &count);
		for (size_t i = 0; r == 0 && i < count; i++)
			hear(side, events[i].session_id);
		r = r == -ETIMEDOUT || r == -EINTR ? 0 : r;
	}
	free(events);
	return r;
}

static int measure_corral(struct expiry *expiry)
{
	const struct corral_text due = corral_text("due");
	const struct corral_feed_filter filter = { .restaurant_id = &due,
						   .kinds = CORRAL_EVENT_EXPIRED };
	struct corral_feed *feed;
	int r = corral_feed_open(expiry->dataset->corral, CORRAL_FEED_NOW, &filter, &feed);

	if (r < 0)
		return r;
	r = begin_carts(expiry);
	if (r == 0)
		r = hear_of_carts(&expiry->corral, feed);
	corral_feed_close(feed);
	return r;
}

/* ------------------------------------------------------------------ Redis */

static uint64_t begin_key(void *context, uint32_t number)
{
	struct expiry *expiry = context;

	ask(&expiry->redis, number, ttl_of(expiry, number));
	return ttl_of(expiry, number);
}

static bool hear_of_key(void *context, const char *key)
{
	struct side *side = &((struct expiry *)context)->redis;

	if (key != NULL)
		hear(side, key);
	return side->count < DUE && bench_signal == 0 && bench_now_ns() < give_up_ns(side);
}

static int measure_redis(struct expiry *expiry)
{
	const struct peer_expiry plan = { .others = expiry->dataset->carts,
					  .due = DUE,
					  .context = expiry,
					  .begin = begin_key,
					  .hear = hear_of_key };

	return peer_redis_expiry(&plan);
}

/* ------------------------------------------------------------------ both */

static enum bench_exit judge(struct expiry *expiry)
{
	print(expiry, "corral", &expiry->corral);
	if (expiry->corral.count == DUE)
		return BENCH_DONE;
	bench_say("carts that were due were not told of in %llu s", PATIENCE_NS / 1000000000ull);
	return BENCH_WRONG;
}

static enum bench_exit expiry_one(const struct measure *measure, struct dataset *dataset)
{
	struct expiry *expiry = calloc(1, sizeof(*expiry));
	enum bench_exit result = BENCH_WRONG;

	if (expiry == NULL)
		return BENCH_NO_ARENA;
	expiry->measure = measure;
	expiry->dataset = dataset;
	int r = measure_corral(expiry);
	if (r < 0)
		bench_say("expiry cannot be measured: %s", corral_strerror(r));
	else if (bench_signal == 0)
		result = judge(expiry);
	r = r == 0 && bench_signal == 0 ? measure_redis(expiry) : 1;
	if (r == 0 && bench_signal == 0)
		print(expiry, "redis", &expiry->redis);
	else if (r < 0)
		bench_say("Redis cannot be measured: %s", corral_strerror(r));
	else if (bench_signal == 0)
		figures_note("peer: redis is left out: it is not installed (make bench-deps)");
	free(expiry);
	return r < 0 && result == BENCH_DONE ? BENCH_WRONG : result;
}

enum bench_exit expiry_run(int argc, char **argv)
{
	struct measure measure = { .name = NAME,
				   .counts = { 100, 10000, 200000 },
				   .count_count = 3,
				   .bytes = 1024,
				   .ms = 20000 };

	return measure_run(&measure, 0, argc, argv, expiry_one);
}
