/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.c: what each change does, and answers.
 */
#include "contract.h"

/* A change of the cart was made, which has a greater version now: that. */
static uint64_t made_one(const struct contract *c, const struct corral_result *r, uint64_t before)
{
	assert_true(r->version > before);
	assert_int_equal(r->applied, 1);
	assert_int_equal(contract_head(c).version, r->version);
	return r->version;
}

static void every_change_answers_with_the_totals_and_a_greater_version(struct contract *c)
{
	struct corral_text name = T("table"), value = T("7");
	struct corral_result r = contract_add(c, "burger", 899, 2);
	uint64_t version = 0;

	version = made_one(c, &r, version);
	assert_int_equal(r.line, 1);
	assert_int_equal(r.subtotal_cents, 1798);
	assert_int_equal(r.tax_cents, 0);
	assert_int_equal(r.total_cents, 1798);
	assert_int_equal(r.item_count, 2);
	assert_int_equal(r.status, CORRAL_OPEN);
	r = contract_add(c, "coke", 199, 1);
	version = made_one(c, &r, version);
	assert_int_equal(r.line, 2);
	gives(0, corral_set_tax(c->corral, &c->key, 82500, NULL, &r));
	version = made_one(c, &r, version);
	assert_int_equal(r.line, 0);
	assert_int_equal(r.tax_cents, 165); /* 8.25 % of 19.97 is 1.647525 */
	assert_int_equal(r.total_cents, 1997 + 165);
	gives(0, corral_set_quantity(c->corral, &c->key, 1, 1, NULL, &r));
	version = made_one(c, &r, version);
	assert_int_equal(r.line, 1);
	assert_int_equal(r.subtotal_cents, 899 + 199);
	gives(0, corral_set_attribute(c->corral, &c->key, &name, &value, NULL, &r));
	version = made_one(c, &r, version);
	gives(0, corral_set_ttl(c->corral, &c->key, HOUR_MS, NULL, &r));
	version = made_one(c, &r, version);
	gives(0, corral_remove(c->corral, &c->key, 2, NULL, &r));
	version = made_one(c, &r, version);
	assert_int_equal(r.line, 2);
	assert_int_equal(r.item_count, 1);
	gives(0, corral_clear(c->corral, &c->key, NULL, &r));
	version = made_one(c, &r, version);
	assert_int_equal(r.total_cents, 0);
	assert_int_equal(r.item_count, 0);
	gives(0, corral_checkout(c->corral, &c->key, NULL, &r));
	version = made_one(c, &r, version);
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
	gives(0, corral_drop(c->corral, &c->key, NULL, &r));
	assert_int_equal(r.version, version); /* that of the last version */
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
}

static void some_changes_make_the_cart_and_the_others_do_not(struct contract *c)
{
	struct corral_op expects = contract_op(NULL, 1);

	for (int which = 0; which < CHANGES; which++) {
		gives(-ENOENT, contract_change(c, &c->key, which, &expects, NULL));
		gives(which < MAKERS ? 0 : -ENOENT, contract_change(c, &c->key, which, NULL, NULL));
		gives(which < MAKERS ? 0 : -ENOENT, corral_drop(c->corral, &c->key, NULL, NULL));
	}
}

static void the_same_item_raises_its_line(struct contract *c)
{
	static const uint8_t one[] = { 0x01 }, two[] = { 0x02 };
	struct corral_modifier modifiers[] = { { T("cheese"), 100 }, { T("no onion"), 0 } };
	struct corral_modifier swapped[] = { modifiers[1], modifiers[0] };
	struct corral_extra extras[] = { { T("a"), one, 1 }, { T("b"), two, 1 } };
	struct corral_extra turned[] = { extras[1], extras[0] }, other = { T("a"), two, 1 };
	const struct corral_item plain = contract_item("burger", 899, 1);
	struct corral_item same = plain, item = plain;
	struct corral_result r;

	same.modifiers = modifiers, same.modifier_count = 2;
	same.extras = extras, same.extra_count = 2;
	gives(0, corral_add(c->corral, &c->key, &same, NULL, &r));
	assert_int_equal(r.line, 1);
	assert_int_equal(r.subtotal_cents, 999);
	same.modifiers = swapped, same.extras = turned, same.name = T("Another name");
	same.quantity = 3;
	gives(0, corral_add(c->corral, &c->key, &same, NULL, &r));
	assert_int_equal(r.line, 1);
	assert_int_equal(r.item_count, 4);
	struct corral_item others[7];
	for (size_t i = 0; i < COUNT(others); i++)
		others[i] = same;
	others[0].modifier_count = 1;
	others[1].notes = T("well done");
	others[2].unit_price_cents = 900;
	others[3].extra_count = 1;
	others[4].extras = &other, others[4].extra_count = 1;
	others[5].menu_item_id = T("Burger");
	others[6].separate = 1;
	for (size_t i = 0; i < COUNT(others); i++) {
		gives(0, corral_add(c->corral, &c->key, &others[i], NULL, &r));
		assert_int_equal(r.line, i + 2);
	}
	gives(0, corral_add(c->corral, &c->key, &others[6], NULL, &r));
	assert_int_equal(r.line, 9); /* to a separate line nothing is added, either */
	gives(0, corral_add(c->corral, &c->key, &same, NULL, &r));
	assert_int_equal(r.line, 1);
	struct corral_cart *cart = contract_get(c);
	assert_int_equal(cart->lines[0].item.quantity, 7);
	assert_true(contract_same_text(cart->lines[0].item.name, item.name)); /* the first one */
	corral_cart_free(cart);
}

static void a_line_number_is_given_once_in_the_life_of_a_cart(struct contract *c)
{
	assert_int_equal(contract_add(c, "a", 1, 1).line, 1);
	assert_int_equal(contract_add(c, "b", 1, 1).line, 2);
	gives(0, corral_set_quantity(c->corral, &c->key, 2, 0, NULL, NULL)); /* removes it */
	gives(-ENXIO, corral_remove(c->corral, &c->key, 2, NULL, NULL));
	assert_int_equal(contract_add(c, "b", 1, 1).line, 3);
	gives(0, corral_clear(c->corral, &c->key, NULL, NULL));
	gives(-ENXIO, corral_set_quantity(c->corral, &c->key, 1, 1, NULL, NULL));
	assert_int_equal(contract_add(c, "c", 1, 1).line, 4);
	gives(0, corral_drop(c->corral, &c->key, NULL, NULL));
	assert_int_equal(contract_add(c, "c", 1, 1).line, 1);
}

static void a_cleared_cart_keeps_all_but_its_lines(struct contract *c)
{
	struct corral_op op = contract_op("first", 0);
	struct corral_result r;

	gives(0, contract_change(c, &c->key, ADD, &op, NULL));
	gives(0, contract_change(c, &c->key, SET_TAX, NULL, NULL));
	gives(0, contract_change(c, &c->key, SET_ATTRIBUTE, NULL, NULL));
	gives(0, contract_change(c, &c->key, SET_TTL, NULL, NULL));
	gives(0, corral_clear(c->corral, &c->key, NULL, NULL));
	struct corral_cart *cart = contract_get(c);
	assert_int_equal(cart->line_count, 0);
	assert_int_equal(cart->head.line_count, 0);
	assert_int_equal(cart->head.tax_ppm, 82500);
	assert_int_equal(cart->head.ttl_ms, HOUR_MS / 2);
	assert_int_equal(cart->attribute_count, 1);
	corral_cart_free(cart);
	gives(0, contract_change(c, &c->key, ADD, &op, &r));
	assert_int_equal(r.applied, 0);
}

static void tax_is_rounded_half_away_from_zero(struct contract *c)
{
	static const struct {
		int64_t cents;
		uint32_t ppm;
		int64_t tax;
	} rows[] = {
		{ 100, 0, 0 },        { 100, 1000000, 100 },
		{ 1, 499999, 0 },     { 1, 500000, 1 },
		{ 10, 50000, 1 },     { 10, 49999, 0 },
		{ 30, 50000, 2 },     { 999, 82500, 82 },
		{ 1997, 82500, 165 }, { 123456789, 190000, 23456790 },
	};
	struct corral_result r;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct corral_item item = contract_item("x", rows[i].cents, 1);
		gives(0, corral_add(c->corral, &c->key, &item, NULL, NULL));
		gives(0, corral_set_tax(c->corral, &c->key, rows[i].ppm, NULL, &r));
		assert_int_equal(r.subtotal_cents, rows[i].cents);
		assert_int_equal(r.tax_cents, rows[i].tax);
		assert_int_equal(r.total_cents, rows[i].cents + rows[i].tax);
		gives(0, corral_clear(c->corral, &c->key, NULL, NULL));
	}
	struct corral_modifier rebate = { T("rebate"), -110 };
	struct corral_item item = contract_item("x", 100, 1);
	item.modifiers = &rebate, item.modifier_count = 1;
	gives(-EDOM, corral_add(c->corral, &c->key, &item, NULL, NULL));
	struct corral_step below = { .kind = CORRAL_STEP_SET_PRICING,
				     .pricing = CORRAL_BELOW_ZERO };
	gives(0, corral_apply(c->corral, &c->key, &below, 1, NULL, NULL, NULL));
	gives(0, corral_add(c->corral, &c->key, &item, NULL, NULL));
	gives(0, corral_set_tax(c->corral, &c->key, 50000, NULL, &r));
	assert_int_equal(r.subtotal_cents, -10);
	assert_int_equal(r.tax_cents, -1); /* 5 % is -0.5 */
}

static void attributes_are_set_replaced_and_taken_away(struct contract *c)
{
	struct corral_text table = T("table"), seven = T("7"), empty = { NULL, 0 };
	struct corral_text name = T("name"), zoe = T("Zo\xc3\xab");

	gives(0, corral_set_attribute(c->corral, &c->key, &table, &seven, NULL, NULL));
	gives(0, corral_set_attribute(c->corral, &c->key, &name, &zoe, NULL, NULL));
	gives(0, corral_set_attribute(c->corral, &c->key, &table, &empty, NULL, NULL));
	struct corral_cart *cart = contract_get(c);
	assert_int_equal(cart->attribute_count, 2);
	for (uint32_t i = 0; i < 2; i++) { /* in any order */
		bool is_name = contract_same_text(cart->attributes[i].name, name);
		assert_true(contract_same_text(cart->attributes[i].value, is_name ? zoe : empty));
	}
	corral_cart_free(cart);
	gives(0, corral_set_attribute(c->corral, &c->key, &name, NULL, NULL, NULL));
	gives(0, corral_set_attribute(c->corral, &c->key, &name, NULL, NULL, NULL)); /* is fine */
	cart = contract_get(c);
	assert_int_equal(cart->attribute_count, 1);
	assert_true(contract_same_text(cart->attributes[0].name, table));
	corral_cart_free(cart);
}

static void a_change_expects_a_version_and_is_refused_at_another(struct contract *c)
{
	struct corral_result untouched, r = { 0 };

	memset(&untouched, 0x5a, sizeof(untouched));
	uint64_t first = contract_add(c, "burger", 899, 2).version;
	uint64_t version = contract_two_lines(c).version;
	for (int which = 0; which < CHANGES; which++) {
		const uint64_t others[] = { first, version + 1, UINT64_MAX };
		for (size_t i = 0; i < COUNT(others); i++) {
			struct corral_op op = contract_op(NULL, others[i]);
			r = untouched;
			gives(-ECANCELED, contract_change(c, &c->key, which, &op, &r));
			if (which != APPLY) /* which says what step, too */
				assert_memory_equal(&r, &untouched, sizeof(r));
		}
	}
	assert_int_equal(contract_head(c).version, version);
	for (int which = 0; which < CHANGES; which++) {
		struct corral_op op = contract_op(NULL, version);
		gives(0, contract_change(c, &c->key, which, &op, &r));
		version = r.version;
		if (which == REMOVE || which == CLEAR)
			version = contract_two_lines(c).version;
	}
}

static void a_dropped_cart_is_gone_and_the_next_one_begins_anew(struct contract *c)
{
	struct corral_op op = contract_op("call-1", 0);
	struct corral_result r;

	gives(0, contract_change(c, &c->key, ADD, &op, NULL));
	gives(0, contract_change(c, &c->key, SET_TAX, NULL, NULL));
	gives(0, contract_change(c, &c->key, SET_ATTRIBUTE, NULL, NULL));
	uint64_t version = contract_two_lines(c).version;
	gives(0, corral_drop(c->corral, &c->key, NULL, &r));
	assert_int_equal(r.version, version);
	assert_int_equal(r.item_count, 4);
	gives(-ENOENT, corral_drop(c->corral, &c->key, NULL, &r));
	gives(0, contract_change(c, &c->key, ADD, &op, &r));
	assert_int_equal(r.applied, 1); /* ids end with their cart */
	assert_true(r.version > version);
	struct corral_cart *cart = contract_get(c);
	assert_int_equal(cart->line_count, 1);
	assert_int_equal(cart->head.tax_ppm, 0);
	assert_int_equal(cart->attribute_count, 0);
	corral_cart_free(cart);
}

/* ------------------------------------------------------------------ replace */

static void a_whole_cart_is_compared_and_swapped(struct contract *c)
{
	struct corral_cart draft = { 0 };
	struct corral_op op = contract_op(NULL, 0);
	struct corral_cart_line lines[3] = { 0 };
	struct corral_text name = T("table"), value = T("9");
	struct corral_attribute attribute = { name, value };
	struct corral_result r = { 0 };

	for (uint32_t i = 0; i < 3; i++)
		lines[i].item = contract_item(i == 0 ? "a" : "b", 100 + i, i + 1);
	draft.lines = lines, draft.line_count = 2;
	draft.attributes = &attribute, draft.attribute_count = 1;
	draft.head.tax_ppm = 100000;
	gives(-EINVAL, corral_replace(c->corral, &c->key, &draft, NULL, NULL));
	op.if_version = 5;
	int absent = corral_replace(c->corral, &c->key, &draft, &op, NULL);
	assert_true(absent == -ENOENT || absent == -ECANCELED);
	op.if_version = 0;
	gives(0, corral_replace(c->corral, &c->key, &draft, &op, &r)); /* makes it */
	assert_int_equal(r.subtotal_cents, 100 + 2 * 101);
	assert_int_equal(r.tax_cents, 30);
	gives(-ECANCELED, corral_replace(c->corral, &c->key, &draft, &op, NULL)); /* it is there */
	struct corral_cart *cart = contract_get(c);
	op.if_version = cart->head.version;
	cart->lines[1].item.quantity = 5;
	cart->attribute_count = 0;
	cart->head.tax_ppm = 0;
	gives(0, corral_replace(c->corral, &c->key, cart, &op, &r));
	assert_true(r.version > cart->head.version);
	assert_int_equal(r.total_cents, 100 + 5 * 101);
	gives(-ECANCELED, corral_replace(c->corral, &c->key, cart, &op, NULL));
	corral_cart_free(cart);
	uint64_t version = op.if_version = r.version;
	lines[0].line = 2, lines[1].line = 0, lines[2].line = 2;
	draft.line_count = 3;
	gives(-EINVAL, corral_replace(c->corral, &c->key, &draft, &op, NULL)); /* two of a number */
	lines[2].line = 99;
	gives(-ENXIO, corral_replace(c->corral, &c->key, &draft, &op, NULL)); /* never given out */
	assert_int_equal(contract_head(c).version, version);
	draft.line_count = 2;
	gives(0, corral_replace(c->corral, &c->key, &draft, &op, &r));
	cart = contract_get(c);
	assert_int_equal(cart->line_count, 2);
	assert_int_equal(cart->lines[0].line + cart->lines[1].line, 2 + 3); /* 3 is a new number */
	corral_cart_free(cart);
}

/* ------------------------------------------------------------------ content */

static void a_change_hands_out_the_cart_before_and_after(struct contract *c)
{
	static char before_bytes[CORRAL_CART_MAX], now_bytes[CORRAL_CART_MAX];
	struct corral_content before = { .buffer = before_bytes,
					 .size = sizeof(before_bytes),
					 .decode = 1 };
	struct corral_content now = { .buffer = now_bytes, .size = sizeof(now_bytes), .decode = 1 };
	struct corral_op op = { .id = T("call-1"), .now = &now, .before = &before };
	struct corral_result r = { 0 };

	gives(0, contract_change(c, &c->key, ADD, &op, &r));
	assert_int_equal(before.error, -ENOENT);
	assert_int_equal(now.error, 0);
	assert_int_equal(now.view.version, r.version);
	assert_int_equal(now.cart->head.version, r.version);
	assert_int_equal(now.cart->line_count, 1);
	corral_cart_free(now.cart);
	uint64_t first = r.version, version = contract_add(c, "coke", 199, 1).version;
	op.id = T("call-2");
	gives(0, contract_change(c, &c->key, REMOVE, &op, &r));
	assert_int_equal(before.error, 0);
	assert_int_equal(before.view.version, version);
	assert_int_equal(before.cart->line_count, 2); /* the removed line as it was */
	assert_int_equal(now.cart->line_count, 1);
	assert_int_equal(now.cart->head.version, r.version);
	corral_cart_free(before.cart);
	corral_cart_free(now.cart);
	/* of a repeat: the cart as it is now, beside the first answer */
	op.id = T("call-1");
	gives(0, contract_change(c, &c->key, ADD, &op, &r));
	assert_int_equal(r.applied, 0);
	assert_int_equal(r.version, first);
	assert_int_equal(before.error, -ENOENT);
	assert_true(now.cart->head.version > version);
	corral_cart_free(now.cart);
	/* a buffer that is too small: the change stands */
	op.id = T("call-3");
	now = (struct corral_content){ .buffer = now_bytes, .size = 8 };
	op.before = NULL;
	gives(0, contract_change(c, &c->key, ADD, &op, &r));
	assert_int_equal(now.error, -ENOBUFS);
	assert_true(now.need > 8);
	assert_int_equal(contract_head(c).version, r.version);
	/* of a drop: the last version */
	op.id = T("call-4");
	now = (struct corral_content){ .decode = 1 };
	gives(0, contract_change(c, &c->key, DROP, &op, &r));
	assert_int_equal(now.cart->head.version, r.version);
	corral_cart_free(now.cart);
}

const struct contract_case change_cases[] = {
	CASE(every_change_answers_with_the_totals_and_a_greater_version),
	CASE(some_changes_make_the_cart_and_the_others_do_not),
	CASE(the_same_item_raises_its_line),
	CASE(a_line_number_is_given_once_in_the_life_of_a_cart),
	CASE(a_cleared_cart_keeps_all_but_its_lines),
	CASE(tax_is_rounded_half_away_from_zero),
	CASE(attributes_are_set_replaced_and_taken_away),
	CASE(a_change_expects_a_version_and_is_refused_at_another),
	CASE(a_dropped_cart_is_gone_and_the_next_one_begins_anew),
	CASE(a_whole_cart_is_compared_and_swapped),
	CASE(a_change_hands_out_the_cart_before_and_after),
	{ NULL, NULL },
};
