/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 58_day.c: a day's worth of changes leaves memory where it began.
 *
 * 100 voice orders at a time, as a restaurant has them: each begins, gets lines, is changed, is
 * checked out or given up, and is dropped; then the next order begins. Sizes vary over all the
 * classes that orders have. Freed memory must serve the next orders: after the first ones no
 * further page is taken.
 *
 * CORRAL_CHANGES=2000000 is a day of 100 orders with two changes in nine seconds each; the default
 * is a tenth of that.
 */
#include "orders_support.h"

#include "api/handle.h"
#include "memory/class.h"
#include "memory/pressure.h"
#include "memory/retire.h"
#include "store/feed.h"

#define ORDERS 100u
#define LINES_MAX 40u

struct day {
	struct corral *corral;
	uint64_t random;
	uint64_t changes;
	uint32_t begun;
};

struct order {
	char session[24];
	uint32_t lines;
	uint32_t wanted;
};

static void add_line(struct day *day, struct order *order)
{
	struct corral_key key = orders_key("restaurant", order->session);
	char item[64];

	/* ids of different lengths, so that carts grow in different steps */
	snprintf(item, sizeof(item), "item %u %.*s", order->lines,
		 (int)random_below(&day->random, 40), "with cheese, without onions, extra pickles");
	assert_int_equal(orders_add(day->corral, &key, item, 100, 1 + random_below(&day->random, 3),
				    item, NULL),
			 0);
	order->lines++;
}

static void begin(struct day *day, struct order *order)
{
	snprintf(order->session, sizeof(order->session), "order %u", day->begun++);
	order->lines = 0;
	order->wanted = 1 + random_below(&day->random, LINES_MAX);
	add_line(day, order);
}

static void end(struct day *day, struct order *order)
{
	struct corral_key key = orders_key("restaurant", order->session);

	if (random_below(&day->random, 3) != 0)
		assert_int_equal(corral_checkout(day->corral, &key, NULL, NULL), 0);
	assert_int_equal(corral_drop(day->corral, &key, NULL, NULL), 0);
	begin(day, order);
}

static void go_on(struct day *day, struct order *order)
{
	struct corral_key key = orders_key("restaurant", order->session);
	struct corral_text name = T("table"), value = T("12");

	day->changes++;
	switch (random_below(&day->random, 8)) {
	case 0:
		assert_int_equal(
			corral_set_quantity(day->corral, &key, order->lines, 5, NULL, NULL), 0);
		break;
	case 1:
		assert_int_equal(corral_set_attribute(day->corral, &key, &name, &value, NULL, NULL),
				 0);
		break;
	default:
		if (order->lines < order->wanted)
			add_line(day, order);
		else
			end(day, order);
	}
}

/* Bytes in pages given to size classes; no process is attached. */
static uint64_t span_bytes(const struct yard *yard)
{
	struct inspect_totals totals;

	yard_check(yard, &totals);
	return totals.span_bytes;
}

static void close_of_day(struct day *day, struct order orders[ORDERS])
{
	struct actor *actor;

	for (uint32_t i = 0; i < ORDERS; i++) {
		struct corral_key key = orders_key("restaurant", orders[i].session);
		assert_int_equal(corral_drop(day->corral, &key, NULL, NULL), 0);
	}
	assert_int_equal(handle_actor(day->corral, &actor), 0);
	assert_true(feed_number(actor, UINT32_MAX, NULL));
	(void)feed_ends_relieve(actor); /* as if memory were short */
	for (int i = 0; i < 3; i++)
		(void)block_reclaim_all(actor);
	(void)block_scavenge(actor);
}

static void a_day_of_changes_leaves_memory_where_it_began(void **state)
{
	const char *wanted = getenv("CORRAL_CHANGES");
	uint64_t changes = wanted != NULL ? strtoull(wanted, NULL, 10) : 200000;
	struct order orders[ORDERS];
	struct inspect_totals totals;
	struct yard *yard = *state;
	struct day day = { .corral = yard_open(yard, 0), .random = support_seed() };
	uint64_t first_half = 0;

	for (uint32_t i = 0; i < ORDERS; i++)
		begin(&day, &orders[i]);
	while (day.changes < changes) {
		go_on(&day, &orders[random_below(&day.random, ORDERS)]);
		if (day.changes == changes / 2)
			first_half = day.corral->arena.header->pages_used;
	}
	uint64_t last = day.corral->arena.header->pages_used;
	print_message("%llu changes, %u orders; %llu pages in spans at noon, %llu at night\n",
		      (unsigned long long)day.changes, day.begun, (unsigned long long)first_half,
		      (unsigned long long)last);
	assert_true(last <= first_half + first_half / 4);
	close_of_day(&day, orders);
	const uint32_t lane_class = class_of(feed_lane_bytes(&day.corral->arena));
	corral_close(day.corral);
	/* as before the first order, but for our lane of events */
	assert_int_equal(span_bytes(yard), class_span_pages(lane_class) * PAGE_BYTES);
	yard_check(yard, &totals);
	assert_int_equal(totals.live_bytes + totals.cached_bytes + totals.retired_bytes +
				 totals.slots_used,
			 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_day_of_changes_leaves_memory_where_it_began,
						orders_setup, orders_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
