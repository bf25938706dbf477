/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * goals.c: the goals that the figures are to meet. See report.h.
 *
 * A bound on a time is a ratio: to the machine's own limit in the same run, or to another store. A
 * bound that no program could meet would say nothing about this one.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "report.h"
#include "runs.h"

#define READ "zero-copy read by key, over the bare limit"
#define ADD "add an item, one worker, over copying the cart"
#define USUAL 5120 /* the usual bytes of a cart */

/* A goal of Corral: a figure, and its bound. */
struct goal {
	const char *what;
	const char *figure;
	bool at_least; /* otherwise at most */
	double bound;
	unsigned cart_bytes; /* for runs with carts of about this size; 0: for any run */
};

static const struct goal goals[] = {
	{ READ ", 100 carts", "get.carts_100.ratio", false, 1.3, USUAL },
	{ READ ", 10,000 carts", "get.carts_10000.ratio", false, 1.3, USUAL },
	{ READ ", 200,000 carts", "get.carts_200000.ratio", false, 1.3, USUAL },
	{ READ ", 10,000 carts, Zipf", "get_zipf.carts_10000.ratio", false, 1.3, USUAL },
	{ READ ", 100 carts, one at a time", "get.carts_100.alone_ratio", false, 1.3, USUAL },
	{ READ ", 10,000 carts, one at a time", "get.carts_10000.alone_ratio", false, 1.3, USUAL },
	{ READ ", 200,000 carts, one at a time", "get.carts_200000.alone_ratio", false, 1.3,
	  USUAL },
	{ "LMDB's get takes as many times as long", "peers.carts_10000.get.lmdb.times_corral", true,
	  3, 0 },
	{ "Redis' GET takes as many times as long",
	  "peers.carts_10000.get.redis_watch.times_corral", true, 500, 0 },
	{ "the same, the server on any CPU",
	  "peers.carts_10000.get_unpinned.redis_watch.times_corral", true, 500, 0 },
	{ "reads of 2 processes, over one's", "scale.carts_10000.get.workers_2.times_one", true,
	  1.9, 0 },
	{ "read while another process changes that cart: p99.9 over bare memory's",
	  "contend.carts_100.p99.9_to_bare", false, 2, USUAL },
	{ "copying read, over hash + probe + memcpy, 10,000 carts", "get.carts_10000.copy_ratio",
	  false, 1.2, USUAL },
	{ ADD ", 100 carts", "add.carts_100.add_merge_ratio", false, 4, USUAL },
	{ ADD ", 10,000 carts", "add.carts_10000.add_merge_ratio", false, 2.5, USUAL },
	{ ADD ", 200,000 carts", "add.carts_200000.add_merge_ratio", false, 2.5, USUAL },
	{ "Redis' atomic add in Lua takes as many times as long",
	  "peers.carts_10000.add.redis_lua.times_corral", true, 100, 0 },
	{ "the same, the server on any CPU",
	  "peers.carts_10000.add_unpinned.redis_lua.times_corral", true, 100, 0 },
	{ "LMDB's read-modify-write takes as many times as long",
	  "peers.carts_10000.add.lmdb.times_corral", true, 10, 0 },
	{ "50 processes add to ONE cart: throughput over one's",
	  "scale.carts_1.add.workers_50.times_one", true, 0.33, 0 },
	{ "50 processes add to ONE cart: p99.9, ns", "scale.carts_1.add.workers_50_p99.9_ns", false,
	  100000, 0 },
	{ "50 processes add to ONE cart: slowest over mean",
	  "scale.carts_1.add.workers_50.slowest_to_mean", true, 0.25, 0 },
	{ "50 processes add to ONE cart: lost", "scale.carts_1.lost", false, 0, 0 },
	{ "50 processes, 10,000 carts, Zipf: throughput over bare copying's",
	  "scale.carts_10000.add_bare_zipf.workers_50.corral_to_bare", true, 1, 0 },
	{ "100 voice orders, 2 adds a second each: p99.9 over only waking up",
	  "rate.p99.9_to_wake_up", false, 1.5, 0 },
	{ "the same: processor time over only waking up", "rate.cpu_to_wake_up", false, 1.5, 0 },
	{ "1,000,000 carts of 1 KB: read over the bare limit", "get.carts_1000000.ratio", false,
	  1.5, 1024 },
	{ "memory over the carts' bytes, 5 KB, %", "memory.carts_10000.overhead_percent", false, 15,
	  USUAL },
	{ "the feed: events that one reader numbers and reads in a second",
	  "feed.carts_100.live_per_second", true, 2000000, USUAL },
	{ "from an add to a reader that waits for its event: p50, ns", "feed.carts_100.wait_p50_ns",
	  false, 150000, USUAL },
	{ "an add beside a reader of the feed, over none", "feed.carts_100.add_with_reader_ratio",
	  false, 1.1, USUAL },
	{ "idle agent: processor time over only waking up as often",
	  "idle.carts_100.cpu_to_wake_up", false, 1.5, 0 },
	{ "idle agent, wake-ups a second", "idle.carts_100.agent_wake_ups", false, 10, 0 },
};

/*
 * Has the run carts of about the goal's size, or does it not say? The size for
 * "get.carts_100.ratio" is in "get.carts_100.cart_bytes".
 */
static bool has_size(const json_t *run, const struct goal *goal)
{
	const char *benchmark = json_string_value(json_object_get(run, "benchmark"));
	unsigned carts = 0;
	const char *at = strstr(goal->figure, ".carts_");

	if (goal->cart_bytes == 0 || benchmark == NULL || at == NULL ||
	    sscanf(at, ".carts_%u", &carts) != 1)
		return true;
	double bytes = run_value(run, "%s.carts_%u.cart_bytes", benchmark, carts);
	return isnan(bytes) || fabs(bytes - goal->cart_bytes) < goal->cart_bytes / 10.0;
}

/* The last figure for that goal. NAN: no run has one. */
static double find(const json_t *runs, const struct goal *goal)
{
	double found = NAN;
	json_t *run;
	size_t i;

	json_array_foreach(runs, i, run)
	{
		double value = run_value(run, "%s", goal->figure);
		if (!isnan(value) && has_size(run, goal))
			found = value;
	}
	return found;
}

json_t *report_goals(const json_t *runs)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < sizeof(goals) / sizeof(goals[0]); i++) {
		const struct goal *goal = &goals[i];
		double value = find(runs, goal);
		bool met = goal->at_least ? value >= goal->bound : value <= goal->bound;

		if (!isnan(value))
			json_array_append_new(rows, json_pack("{s:s, s:b, s:f, s:f, s:b}", "what",
							      goal->what, "at_least",
							      goal->at_least, "bound", goal->bound,
							      "measured", value, "met", met));
	}
	return rows;
}
