/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * orders_bench.h: one handle and one key, for tests of a call after another on one cart.
 */
#ifndef ORDERS_BENCH_H
#define ORDERS_BENCH_H

#include "orders_support.h"

struct bench {
	struct corral *corral;
	struct corral_key key;
};

static inline struct bench begin(void **state)
{
	return (struct bench){ .corral = yard_open(*state, 0),
			       .key = orders_key("restaurant", "session") };
}

static inline struct corral_cart *get(const struct bench *bench)
{
	struct corral_cart *cart = NULL;

	assert_int_equal(corral_get(bench->corral, &bench->key, &cart), 0);
	return cart;
}

static inline struct corral_result add(const struct bench *bench, const char *item,
				       int64_t price_cents, uint32_t quantity)
{
	struct corral_result result = { 0 };

	assert_int_equal(
		orders_add(bench->corral, &bench->key, item, price_cents, quantity, NULL, &result),
		0);
	return result;
}

#endif
