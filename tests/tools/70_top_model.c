/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 70_top_model.c: what `corral top` shows, without a terminal and without an arena: events and rows
 * of a list go in, and rows come out in their order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "top_model.h"

#define HOUR_MS (3600 * 1000ll)

static int setup(void **state)
{
	*state = top_model_new();
	return 0;
}

static int teardown(void **state)
{
	top_model_free(*state);
	return 0;
}

static struct corral_event event_of(uint32_t kind, const char *session, uint64_t version,
				    int64_t time_ms)
{
	struct corral_event event = { .kind = kind,
				      .version = version,
				      .time_ms = time_ms,
				      .total_cents = 100 * (int64_t)version,
				      .item_count = (uint32_t)version,
				      .currency_digits = 2,
				      .pid = 77,
				      .steps_told = 1,
				      .steps = { { .kind = CORRAL_STEP_ADD } } };

	snprintf(event.restaurant_id, sizeof(event.restaurant_id), "luigi");
	snprintf(event.session_id, sizeof(event.session_id), "%s", session);
	return event;
}

static void changed(struct top_model *model, const char *session, uint64_t version, int64_t time_ms)
{
	const struct corral_event event = event_of(CORRAL_EVENT_CHANGED, session, version, time_ms);

	top_model_event(model, &event);
}

static void ended(struct top_model *model, uint32_t kind, const char *session, uint64_t version)
{
	const struct corral_event event = event_of(kind, session, version, 1);

	top_model_event(model, &event);
}

static struct corral_entry entry_of(const char *session, uint64_t version, int64_t created_ms)
{
	struct corral_entry entry = { .head = { .version = version,
						.created_ms = created_ms,
						.updated_ms = created_ms + 10,
						.total_cents = 100 * (int64_t)version,
						.item_count = (uint32_t)version,
						.currency_digits = 2,
						.effective_ttl_ms = HOUR_MS } };

	entry.expires_ms = created_ms + HOUR_MS;
	snprintf(entry.restaurant_id, sizeof(entry.restaurant_id), "luigi");
	snprintf(entry.session_id, sizeof(entry.session_id), "%s", session);
	return entry;
}

static void listed(struct top_model *model, const char *session, uint64_t version,
		   int64_t created_ms)
{
	const struct corral_entry entry = entry_of(session, version, created_ms);

	top_model_entry(model, &entry);
}

static const struct top_cart *find(struct top_model *model, const char *session)
{
	return top_model_at(model, top_model_place(model, "luigi", session));
}

/* The sessions of all rows, one after another. */
static const char *order_of(struct top_model *model)
{
	static char text[1024];
	const struct top_cart *cart;

	text[0] = '\0';
	for (size_t i = 0; (cart = top_model_at(model, i)) != NULL; i++) {
		assert_int_equal(top_model_place(model, cart->restaurant_id, cart->session_id), i);
		strcat(text, cart->session_id);
	}
	assert_int_equal(strlen(text), top_model_rows(model));
	return text;
}

/* ------------------------------------------------------------------ one cart */

static void a_change_makes_a_row_and_the_next_one_changes_it(void **state)
{
	changed(*state, "a", 1, 5000);
	changed(*state, "a", 2, 7000);
	const struct top_cart *cart = find(*state, "a");
	assert_non_null(cart);
	assert_string_equal(cart->restaurant_id, "luigi");
	assert_int_equal(cart->version, 2);
	assert_int_equal(cart->created_ms, 5000);
	assert_int_equal(cart->changed_ms, 7000);
	assert_int_equal(cart->active_ms, 7000);
	assert_int_equal(cart->total_cents, 200);
	assert_int_equal(cart->step, CORRAL_STEP_ADD);
	assert_int_equal(cart->pid, 77);
	assert_int_equal(top_model_carts(*state), 1);
}

static void an_end_takes_the_row_out_and_one_of_a_former_cart_does_not(void **state)
{
	changed(*state, "a", 3, 1);
	ended(*state, CORRAL_EVENT_EXPIRED, "a", 2); /* that of the key's former cart */
	assert_non_null(find(*state, "a"));
	ended(*state, CORRAL_EVENT_DROPPED, "a", 3);
	assert_null(find(*state, "a"));
	ended(*state, CORRAL_EVENT_DROPPED, "a", 3); /* of a cart that is not known */
	assert_int_equal(top_model_carts(*state), 0);
}

/* The list is made while events come: the newer version counts, whichever came first. */
static void a_list_and_events_may_overtake_each_other(void **state)
{
	top_model_list(*state);
	changed(*state, "a", 9, 90);
	listed(*state, "a", 8, 10);
	assert_int_equal(find(*state, "a")->version, 9);
	listed(*state, "b", 9, 10);
	changed(*state, "b", 8, 20);
	assert_int_equal(find(*state, "b")->version, 9);
	listed(*state, "a", 9, 10);
	assert_int_equal(find(*state, "a")->created_ms, 10); /* the list knows it */
	assert_int_equal(find(*state, "a")->step, CORRAL_STEP_ADD);
	listed(*state, "a", 10, 10);
	assert_int_equal(find(*state, "a")->step, 0); /* nothing is known of that change */
}

static void reads_are_activity(void **state)
{
	struct corral_entry entry = entry_of("a", 1, 1000);

	top_model_entry(*state, &entry);
	assert_int_equal(find(*state, "a")->active_ms, 1010);
	const int64_t grain_ms = HOUR_MS / 128;
	struct top_seen seen = { entry.head, 50 * HOUR_MS + HOUR_MS + grain_ms };
	top_model_seen(*state, find(*state, "a"), &seen);
	assert_in_range(find(*state, "a")->active_ms, 50 * HOUR_MS - 1000, 50 * HOUR_MS);
	assert_int_equal(find(*state, "a")->changed_ms, 1010);
}

static void what_is_not_listed_any_more_is_over(void **state)
{
	char session[16];

	for (int i = 0; i < 5000; i++) {
		snprintf(session, sizeof(session), "s%d", i);
		changed(*state, session, 1, i);
	}
	top_model_list(*state);
	for (int i = 0; i < 5000; i += 2) {
		snprintf(session, sizeof(session), "s%d", i);
		listed(*state, session, 1, i);
	}
	changed(*state, "s1", 2, 1); /* an event tells that it is there */
	changed(*state, "s3", 1, 3); /* also one that was known */
	top_model_listed(*state);
	int rounds = 1;
	while (!top_model_sweep(*state, 100))
		rounds++;
	assert_true(rounds > 10);
	assert_int_equal(top_model_carts(*state), 2502);
	assert_int_equal(top_model_rows(*state), 2502);
	assert_non_null(find(*state, "s1"));
	assert_non_null(find(*state, "s3"));
	assert_null(find(*state, "s5"));
	assert_true(top_model_sweep(*state, 100));
}

static void gaps_are_counted_and_change_nothing(void **state)
{
	struct corral_event gap = { .kind = CORRAL_EVENT_GAP, .missed = 12 };

	changed(*state, "a", 1, 1);
	top_model_event(*state, &gap);
	assert_int_equal(top_model_missed(*state), 1);
	assert_int_equal(top_model_carts(*state), 1);
}

/* ------------------------------------------------------------------ order, filter */

static void each_order_and_its_reverse(void **state)
{
	static const struct {
		enum top_order order;
		const char *rows, *reversed;
	} claims[] = {
		{ TOP_BY_AGE, "bca", "acb" },   { TOP_BY_TOTAL, "cab", "bac" },
		{ TOP_BY_ITEMS, "cab", "bac" }, { TOP_BY_CHANGE, "acb", "bca" },
		{ TOP_BY_IDLE, "bca", "acb" },  { TOP_BY_NAME, "abc", "cba" },
	};

	changed(*state, "a", 5, 3000);
	changed(*state, "b", 4, 1000);
	changed(*state, "c", 6, 2000);
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		top_model_order(*state, claims[i].order, false);
		assert_string_equal(order_of(*state), claims[i].rows);
		top_model_order(*state, claims[i].order, true);
		assert_string_equal(order_of(*state), claims[i].reversed);
	}
	assert_non_null(top_order_name(TOP_ORDERS - 1));
	assert_null(top_order_name(TOP_ORDERS));
}

static void of_equal_ones_the_older_stands_first(void **state)
{
	changed(*state, "a", 5, 3000);
	changed(*state, "b", 5, 1000);
	changed(*state, "d", 5, 2000);
	changed(*state, "c", 5, 2000);
	top_model_order(*state, TOP_BY_TOTAL, false);
	assert_string_equal(order_of(*state), "bcda");
	top_model_order(*state, TOP_BY_TOTAL, true);
	assert_string_equal(order_of(*state), "adcb");
}

static void an_event_moves_a_row(void **state)
{
	top_model_order(*state, TOP_BY_TOTAL, false);
	changed(*state, "a", 5, 1);
	changed(*state, "b", 4, 1);
	changed(*state, "c", 6, 1);
	changed(*state, "b", 7, 2);
	assert_string_equal(order_of(*state), "bca");
	ended(*state, CORRAL_EVENT_DROPPED, "c", 6);
	assert_string_equal(order_of(*state), "ba");
}

static void a_filter_shows_what_has_it_in_an_id(void **state)
{
	changed(*state, "a", 1, 1);
	changed(*state, "B", 1, 2);
	top_model_filter(*state, "b");
	assert_string_equal(order_of(*state), "B");
	changed(*state, "b", 1, 3);
	changed(*state, "c", 1, 3);
	assert_string_equal(order_of(*state), "Bb");
	top_model_filter(*state, "LUI"); /* the restaurant's */
	assert_int_equal(top_model_rows(*state), 4);
	top_model_filter(*state, "nothing");
	assert_int_equal(top_model_rows(*state), 0);
	assert_null(top_model_at(*state, 0));
	assert_int_equal(top_model_place(*state, "luigi", "a"), SIZE_MAX);
	top_model_filter(*state, "");
	assert_int_equal(top_model_rows(*state), 4);
	assert_int_equal(top_model_carts(*state), 4);
}

/* Against what sorting says, after many changes at random. */
static int by_total(const void *a, const void *b)
{
	const int64_t *left = a, *right = b;

	return (*left < *right) - (*left > *right);
}

static void many_changes_leave_the_order_right(void **state)
{
	static int64_t totals[500];
	uint64_t version = 0;
	unsigned random = 20261130;
	char session[16];
	size_t there = 0;

	top_model_order(*state, TOP_BY_TOTAL, false);
	for (int i = 0; i < 20000; i++) {
		random = random * 1664525 + 1013904223;
		const unsigned at = random / 65536 % 500;
		snprintf(session, sizeof(session), "s%u", at);
		if (random / 256 % 4 == 0) {
			ended(*state, CORRAL_EVENT_EXPIRED, session, ++version);
			totals[at] = 0;
		} else {
			changed(*state, session, ++version, i);
			totals[at] = 100 * (int64_t)version;
		}
	}
	qsort(totals, 500, sizeof(totals[0]), by_total);
	for (; there < 500 && totals[there] > 0; there++) {
		const struct top_cart *cart = top_model_at(*state, there);
		assert_non_null(cart);
		assert_int_equal(cart->total_cents, totals[there]);
		assert_int_equal(top_model_place(*state, cart->restaurant_id, cart->session_id),
				 there);
	}
	assert_true(there > 100);
	assert_int_equal(top_model_rows(*state), there);
	assert_null(top_model_at(*state, there));
}

static void all_may_end_and_others_begin(void **state)
{
	char session[16];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 1000; i++) {
			snprintf(session, sizeof(session), "s%d", i * 7 % 1000);
			changed(*state, session, 1, i * 7 % 1000);
		}
		assert_int_equal(top_model_rows(*state), 1000);
		assert_string_equal(top_model_at(*state, 500)->session_id, "s500");
		for (int i = 0; i < 1000; i++) {
			snprintf(session, sizeof(session), "s%d", i * 11 % 1000);
			ended(*state, CORRAL_EVENT_EXPIRED, session, 1);
		}
		assert_int_equal(top_model_rows(*state), 0);
		assert_null(top_model_at(*state, 0));
	}
}

int main(void)
{
#define with_model(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		with_model(a_change_makes_a_row_and_the_next_one_changes_it),
		with_model(an_end_takes_the_row_out_and_one_of_a_former_cart_does_not),
		with_model(a_list_and_events_may_overtake_each_other),
		with_model(reads_are_activity),
		with_model(what_is_not_listed_any_more_is_over),
		with_model(gaps_are_counted_and_change_nothing),
		with_model(each_order_and_its_reverse),
		with_model(of_equal_ones_the_older_stands_first),
		with_model(an_event_moves_a_row),
		with_model(a_filter_shows_what_has_it_in_an_id),
		with_model(many_changes_leave_the_order_right),
		with_model(all_may_end_and_others_begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
