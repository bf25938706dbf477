/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_kit.h: what the 50_cart tests share: carts in blocks of exactly their size (so
 * AddressSanitizer reports an access one byte past the end), short forms for each change, a seeded
 * generator.
 */
#ifndef CART_KIT_H
#define CART_KIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cart/cart.h"

#define KIT_SEED 0x5eedull
#define T(string) ((struct corral_text){ (string), sizeof(string) - 1 })
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------ random numbers */

static uint64_t kit_state;

static inline uint64_t kit_random(void)
{
	uint64_t z = kit_state += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static inline uint32_t kit_below(uint32_t bound)
{
	return (uint32_t)(kit_random() % bound);
}

/* Start from $CORRAL_SEED, else from a fixed seed; print which. */
static inline void kit_seed(const char *test)
{
	const char *given = getenv("CORRAL_SEED");

	kit_state = given ? strtoull(given, NULL, 0) : 20240607;
	printf("%s: CORRAL_SEED=%llu\n", test, (unsigned long long)kit_state);
}

/* ------------------------------------------------------------ carts */

struct kit_cart {
	uint8_t *bytes; /* NULL: no cart */
	size_t size;
	struct corral_result result; /* of the last change, made now or remembered */
};

static inline void kit_free(struct kit_cart *cart)
{
	free(cart->bytes);
	memset(cart, 0, sizeof(*cart));
}

static inline struct kit_cart kit_copy(const struct kit_cart *cart)
{
	struct kit_cart copy = *cart;

	copy.bytes = malloc(cart->size);
	assert_non_null(copy.bytes);
	memcpy(copy.bytes, cart->bytes, cart->size);
	return copy;
}

static inline struct cart_head kit_head(const struct kit_cart *cart)
{
	struct cart_head head;

	memcpy(&head, cart->bytes, sizeof(head));
	return head;
}

static inline struct cart_change kit_change(enum cart_step_kind kind)
{
	struct cart_change change = { .one = { .kind = kind },
				      .key = { T("restaurant-1"), T("session-9") },
				      .hash = 0x1234,
				      .seed = KIT_SEED,
				      .now_ms = 1700000000000,
				      .first_version = 1 };

	return change;
}

/* Plan and build; the new version must be valid. A failure leaves the cart as it was. */
static inline int kit_apply(struct kit_cart *cart, const struct cart_change *change)
{
	struct cart_plan plan;
	uint8_t *new;
	int answer = cart_plan(cart->bytes, cart->size, change, &plan);

	if (answer < 0)
		return answer;
	cart->result = plan.result;
	if (answer == 1 || change->one.kind == CART_DROP)
		return answer;
	new = malloc(plan.size);
	assert_non_null(new);
	memset(new, 0xa5, plan.size);
	cart_build(cart->bytes, change, &plan, new);
	assert_int_equal(cart_validate(new, plan.size), 0);
	free(cart->bytes);
	cart->bytes = new;
	cart->size = plan.size;
	return 0;
}

/* ------------------------------------------------------------ short ways */

static inline struct corral_item kit_item(struct corral_text id, int64_t price_cents,
					  uint32_t quantity)
{
	return (struct corral_item){ .menu_item_id = id,
				     .name = T("A name"),
				     .unit_price_cents = price_cents,
				     .quantity = quantity };
}

static inline int kit_add_item(struct kit_cart *cart, const struct corral_item *item,
			       struct corral_text op)
{
	struct cart_change change = kit_change(CART_ADD);
	uint8_t buffer[CORRAL_WORDS_MAX];
	int error = cart_pack_item(item, change.seed, buffer, sizeof(buffer), &change.one.words);

	change.one.quantity = item->quantity;
	if (error == 0)
		error = cart_hash_op(op, change.seed, &change);
	return error ? error : kit_apply(cart, &change);
}

static inline int kit_add(struct kit_cart *cart, struct corral_text id, int64_t price_cents,
			  uint32_t quantity)
{
	struct corral_item item = kit_item(id, price_cents, quantity);

	return kit_add_item(cart, &item, (struct corral_text){ NULL, 0 });
}

static inline int kit_set_quantity(struct kit_cart *cart, uint32_t line, uint32_t quantity)
{
	struct cart_change change = kit_change(CART_SET_QUANTITY);

	change.one.line = line;
	change.one.quantity = quantity;
	return kit_apply(cart, &change);
}

static inline int kit_remove(struct kit_cart *cart, uint32_t line)
{
	struct cart_change change = kit_change(CART_REMOVE);

	change.one.line = line;
	return kit_apply(cart, &change);
}

static inline int kit_set_tax(struct kit_cart *cart, uint32_t tax_ppm)
{
	struct cart_change change = kit_change(CART_SET_TAX);

	change.one.tax_ppm = tax_ppm;
	return kit_apply(cart, &change);
}

static inline int kit_set_attribute(struct kit_cart *cart, struct corral_text name,
				    struct corral_text value)
{
	struct cart_change change = kit_change(CART_SET_ATTRIBUTE);

	change.one.name = name;
	change.one.value = value;
	return kit_apply(cart, &change);
}

static inline int kit_remove_attribute(struct kit_cart *cart, struct corral_text name)
{
	struct cart_change change = kit_change(CART_SET_ATTRIBUTE);

	change.one.name = name;
	change.one.remove_attribute = true;
	return kit_apply(cart, &change);
}

/* own_rate: in ppm plus one; 0: the cart's. */
static inline int kit_set_line_tax(struct kit_cart *cart, uint32_t line, uint32_t own_rate)
{
	struct cart_change change = kit_change(CART_SET_LINE_TAX);

	change.one.line = line;
	change.one.own_rate = own_rate;
	return kit_apply(cart, &change);
}

static inline int kit_set_pricing(struct kit_cart *cart, uint8_t pricing)
{
	struct cart_change change = kit_change(CART_SET_PRICING);

	change.one.pricing = pricing;
	return kit_apply(cart, &change);
}

/* Set an adjustment, of ppm if it is not 0, else of cents. */
static inline int kit_adjust(struct kit_cart *cart, struct corral_text name,
			     enum corral_adjustment_kind kind, bool after_tax, uint32_t ppm,
			     int64_t cents)
{
	struct cart_change change = kit_change(CART_SET_ADJUSTMENT);

	change.one.name = name;
	change.one.adjustment_kind = (uint8_t)kind;
	change.one.after_tax = after_tax;
	change.one.tax_ppm = ppm;
	change.one.cents = cents;
	return kit_apply(cart, &change);
}

static inline int kit_remove_adjustment(struct kit_cart *cart, struct corral_text name)
{
	struct cart_change change = kit_change(CART_REMOVE_ADJUSTMENT);

	change.one.name = name;
	return kit_apply(cart, &change);
}

static inline int kit_set_currency(struct kit_cart *cart, struct corral_text code)
{
	struct cart_change change = kit_change(CART_SET_CURRENCY);

	change.one.currency = cart_currency(code);
	return kit_apply(cart, &change);
}

static inline struct corral_head kit_numbers(const struct kit_cart *cart)
{
	struct corral_head head = { 0 };

	assert_int_equal(cart_get_head(cart->bytes, cart->size, &head), 0);
	return head;
}

static inline int kit_simple(struct kit_cart *cart, enum cart_step_kind kind)
{
	struct cart_change change = kit_change(kind);

	return kit_apply(cart, &change);
}

static inline void kit_text_equal(struct corral_text text, struct corral_text expected)
{
	assert_int_equal(text.size, expected.size);
	if (text.size)
		assert_memory_equal(text.data, expected.data, text.size);
}

static inline struct corral_line kit_line(const struct kit_cart *cart, uint32_t index)
{
	struct corral_line line;

	assert_int_equal(cart_get_line(cart->bytes, cart->size, index, &line), 0);
	return line;
}

static inline void kit_assert_attribute(const struct kit_cart *cart, uint32_t index,
					struct corral_text name, struct corral_text value)
{
	struct corral_attribute attribute;

	assert_int_equal(cart_get_attribute(cart->bytes, cart->size, index, &attribute), 0);
	kit_text_equal(attribute.name, name);
	kit_text_equal(attribute.value, value);
}

#endif
