/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * orders_support.c: see orders_support.h.
 */
#include "orders_support.h"

#define PATIENCE_MS 20000 /* many workers share two cores: a live holder may be slow */

void orders_yard(struct yard *yard, uint64_t bytes, uint32_t max_carts, uint64_t ttl_ms)
{
	const struct arena_settings settings = { .arena_bytes = bytes,
						 .max_carts = max_carts,
						 .ttl_ns = ttl_ms * 1000000 };

	yard_make(yard, &settings);
}

int orders_setup(void **state)
{
	struct yard *yard = malloc(sizeof(*yard));

	assert_non_null(yard);
	orders_yard(yard, 16u << 20, 1000, 30 * 60 * 1000);
	*state = yard;
	return 0;
}

int orders_teardown(void **state)
{
	yard_remove(*state);
	free(*state);
	return 0;
}

struct corral_key orders_key(const char *restaurant, const char *session)
{
	return (struct corral_key){ corral_text(restaurant), corral_text(session) };
}

struct corral_item orders_item(const char *menu_item_id, int64_t price_cents, uint32_t quantity)
{
	return (struct corral_item){ .menu_item_id = corral_text(menu_item_id),
				     .name = corral_text("Item"),
				     .unit_price_cents = price_cents,
				     .quantity = quantity };
}

struct corral_op orders_op(const char *id, uint64_t if_version)
{
	return (struct corral_op){ .id = corral_text(id), .if_version = if_version };
}

int orders_add(struct corral *corral, const struct corral_key *key, const char *menu_item_id,
	       int64_t price_cents, uint32_t quantity, const char *op_id,
	       struct corral_result *ret_result)
{
	struct corral_item item = orders_item(menu_item_id, price_cents, quantity);
	struct corral_op op = orders_op(op_id, 0);

	return corral_add(corral, key, &item, &op, ret_result);
}

int orders_head(struct corral *corral, const struct corral_key *key, struct corral_head *ret_head)
{
	struct corral_view view;
	int r = corral_read_begin(corral, key, &view);

	if (r < 0)
		return r;
	r = corral_view_head(&view, ret_head);
	must(corral_read_end(&view) == 0);
	return r;
}

struct corral *orders_come(const struct yard *yard, struct corral *shared)
{
	struct corral *corral = shared;

	if (shared == NULL) {
		must(corral_open(yard->path, 0, &corral) == 0);
		must(corral_set_patience(corral, PATIENCE_MS) == 0);
	}
	return corral;
}

void orders_go(struct corral *corral, const struct corral *shared)
{
	if (shared == NULL)
		corral_close(corral);
}

void orders_barrier_init(pthread_barrier_t *barrier, unsigned count)
{
	pthread_barrierattr_t attributes;

	assert_int_equal(pthread_barrierattr_init(&attributes), 0);
	assert_int_equal(pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
	assert_int_equal(pthread_barrier_init(barrier, &attributes, count), 0);
	(void)pthread_barrierattr_destroy(&attributes);
}
