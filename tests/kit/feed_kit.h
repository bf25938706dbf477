/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* feed_kit.h: reading the feed in tests: all events that there are, into `events`. */
#ifndef CORRAL_TESTS_FEED_KIT_H
#define CORRAL_TESTS_FEED_KIT_H

#include "orders_bench.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, orders_setup, orders_teardown)

#define EVENTS 512u

static struct corral_event events[EVENTS];

static inline struct corral_feed *open_feed(struct corral *corral, uint64_t from)
{
	struct corral_feed *feed = NULL;

	assert_int_equal(corral_feed_open(corral, from, NULL, &feed), 0);
	return feed;
}

/* All events that there are; how many. */
static inline size_t read_all(struct corral_feed *feed)
{
	size_t count = 0, more = 0;

	while (count < EVENTS &&
	       corral_feed_next(feed, &events[count], EVENTS - count, 0, NULL, &more) == 0)
		count += more;
	return count;
}

static inline size_t read_from(struct corral *corral, uint64_t from)
{
	struct corral_feed *feed = open_feed(corral, from);
	size_t count = read_all(feed);

	corral_feed_close(feed);
	return count;
}

static inline void expect(size_t index, uint32_t kind, uint64_t version)
{
	if (events[index].kind != kind || events[index].version != version)
		fail_msg("event %zu is of kind %u and version %llu, not %u and %llu", index,
			 events[index].kind, (unsigned long long)events[index].version, kind,
			 (unsigned long long)version);
}

#endif
