/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_ops.c: the calls that change a cart, one worker at a time: what they answer, what they leave, operation
 * ids, expected versions, checking out, dropping and beginning anew, replacing.
 */
#include "orders_support.h"

struct bench {
	struct corral *corral;
	struct corral_key key;
};

static struct bench begin(void **state)
{
	struct bench bench = { .corral = yard_open(*state, 0), .key = orders_key("restaurant", "session") };

	return bench;
}

static struct corral_cart *get(const struct bench *bench)
{
	struct corral_cart *cart = NULL;

	assert_int_equal(corral_get(bench->corral, &bench->key, &cart), 0);
	return cart;
}

static struct corral_result add(const struct bench *bench, const char *item, int64_t price_cents, uint32_t quantity)
{
	struct corral_result result = { 0 };

	assert_int_equal(orders_add(bench->corral, &bench->key, item, price_cents, quantity, NULL, &result), 0);
	return result;
}

/* ------------------------------------------------------------------ answers */

static void every_change_answers_with_the_totals_and_the_next_version(void **state)
{
	struct bench b = begin(state);
	struct corral_text name = T("table"), value = T("7");
	struct corral_result r = add(&b, "burger", 899, 2);

	assert_int_equal(r.version, 1);
	assert_int_equal(r.line, 1);
	assert_int_equal(r.subtotal_cents, 1798);
	assert_int_equal(r.item_count, 2);
	assert_int_equal(r.applied, 1);
	assert_int_equal(r.status, CORRAL_OPEN);
	r = add(&b, "coke", 199, 1);
	assert_int_equal(r.version, 2);
	assert_int_equal(r.line, 2);
	assert_int_equal(corral_set_tax(b.corral, &b.key, 82500, NULL, &r), 0);
	assert_int_equal(r.version, 3);
	assert_int_equal(r.line, 0);
	assert_int_equal(r.tax_cents, 165); /* 8.25 % of 19.97 is 164.7525 */
	assert_int_equal(r.total_cents, 1997 + 165);
	assert_int_equal(corral_set_quantity(b.corral, &b.key, 1, 1, NULL, &r), 0);
	assert_int_equal(r.version, 4);
	assert_int_equal(r.line, 1);
	assert_int_equal(r.subtotal_cents, 899 + 199);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &name, &value, NULL, &r), 0);
	assert_int_equal(r.version, 5);
	assert_int_equal(corral_set_ttl(b.corral, &b.key, 60000, NULL, &r), 0);
	assert_int_equal(r.version, 6);
	assert_int_equal(corral_remove(b.corral, &b.key, 2, NULL, &r), 0);
	assert_int_equal(r.version, 7);
	assert_int_equal(r.line, 2);
	assert_int_equal(corral_clear(b.corral, &b.key, NULL, &r), 0);
	assert_int_equal(r.version, 8);
	assert_int_equal(r.total_cents, 0);
	assert_int_equal(r.item_count, 0);
	assert_int_equal(corral_checkout(b.corral, &b.key, NULL, &r), 0);
	assert_int_equal(r.version, 9);
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
	assert_int_equal(corral_drop(b.corral, &b.key, NULL, &r), 0);
	assert_int_equal(r.version, 9); /* of its last version */
	corral_close(b.corral);
}

static void the_same_item_raises_the_line_and_another_one_does_not(void **state)
{
	struct bench b = begin(state);
	struct corral_modifier modifiers[2] = { { T("cheese"), 100 }, { T("no onion"), 0 } };
	struct corral_modifier swapped[2] = { modifiers[1], modifiers[0] };
	struct corral_item item = orders_item("burger", 899, 1);
	struct corral_result r;

	item.modifiers = modifiers;
	item.modifier_count = 2;
	assert_int_equal(corral_add(b.corral, &b.key, &item, NULL, &r), 0);
	assert_int_equal(r.subtotal_cents, 999);
	item.modifiers = swapped;
	item.name = T("Another name");
	assert_int_equal(corral_add(b.corral, &b.key, &item, NULL, &r), 0);
	assert_int_equal(r.line, 1);
	assert_int_equal(r.item_count, 2);
	item.modifier_count = 1;
	assert_int_equal(corral_add(b.corral, &b.key, &item, NULL, &r), 0);
	assert_int_equal(r.line, 2);
	item.notes = T("well done");
	assert_int_equal(corral_add(b.corral, &b.key, &item, NULL, &r), 0);
	assert_int_equal(r.line, 3);
	struct corral_cart *cart = get(&b);
	assert_int_equal(cart->lines[0].item.quantity, 2);
	assert_int_equal(cart->lines[0].item.name.size, 4); /* "Item": it stays as it was */
	corral_cart_free(cart);
	corral_close(b.corral);
}

static void a_line_number_is_given_once_in_the_life_of_a_cart(void **state)
{
	struct bench b = begin(state);

	assert_int_equal(add(&b, "a", 1, 1).line, 1);
	assert_int_equal(add(&b, "b", 1, 1).line, 2);
	assert_int_equal(corral_remove(b.corral, &b.key, 2, NULL, NULL), 0);
	assert_int_equal(add(&b, "b", 1, 1).line, 3);
	assert_int_equal(corral_clear(b.corral, &b.key, NULL, NULL), 0);
	assert_int_equal(add(&b, "c", 1, 1).line, 4);
	assert_int_equal(corral_remove(b.corral, &b.key, 1, NULL, NULL), -ENXIO);
	corral_close(b.corral);
}

static void attributes_are_set_replaced_and_taken_away(void **state)
{
	struct bench b = begin(state);
	struct corral_text table = T("table"), seven = T("7"), empty = { NULL, 0 }, name = T("name"), who = T("Zoë");

	assert_int_equal(corral_set_attribute(b.corral, &b.key, &table, &seven, NULL, NULL), 0);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &name, &who, NULL, NULL), 0);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &table, &empty, NULL, NULL), 0);
	struct corral_cart *cart = get(&b);
	assert_int_equal(cart->attribute_count, 2);
	assert_int_equal(cart->attributes[0].value.size + cart->attributes[1].value.size, who.size);
	corral_cart_free(cart);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &name, NULL, NULL, NULL), 0);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &name, NULL, NULL, NULL), 0); /* is not there: fine */
	cart = get(&b);
	assert_int_equal(cart->attribute_count, 1);
	assert_memory_equal(cart->attributes[0].name.data, "table", 5);
	corral_cart_free(cart);
	corral_close(b.corral);
}

/* ------------------------------------------------------------ operation ids */

/* One of each kind of change, by number; -ENOSYS past the last. */
static int any_change(const struct bench *b, unsigned kind, const struct corral_op *op, struct corral_result *ret)
{
	struct corral_text name = T("table"), value = T("7");
	struct corral_item item = orders_item("coke", 199, 1);

	switch (kind) {
	case 0:
		return corral_add(b->corral, &b->key, &item, op, ret);
	case 1:
		return corral_set_quantity(b->corral, &b->key, 1, 5, op, ret);
	case 2:
		return corral_set_tax(b->corral, &b->key, 82500, op, ret);
	case 3:
		return corral_set_attribute(b->corral, &b->key, &name, &value, op, ret);
	case 4:
		return corral_set_ttl(b->corral, &b->key, 60000, op, ret);
	case 5:
		return corral_remove(b->corral, &b->key, 1, op, ret);
	case 6:
		return corral_clear(b->corral, &b->key, op, ret);
	case 7:
		return corral_checkout(b->corral, &b->key, op, ret);
	default:
		return -ENOSYS;
	}
}

static void the_same_operation_again_changes_nothing_and_answers_the_same(void **state)
{
	struct bench b = begin(state);
	struct corral_result first[8], again;
	char id[16];

	(void)add(&b, "burger", 899, 1);
	for (unsigned kind = 0; kind < 8; kind++) {
		snprintf(id, sizeof(id), "call-%u", kind);
		struct corral_op op = orders_op(id, 0);
		assert_int_equal(any_change(&b, kind, &op, &first[kind]), 0);
		assert_int_equal(first[kind].applied, 1);
		for (unsigned earlier = 0; earlier <= kind; earlier++) {
			struct corral_result want = first[earlier];
			want.applied = 0;
			snprintf(id, sizeof(id), "call-%u", earlier);
			op = orders_op(id, earlier == 3 ? 12345 : 0); /* its condition was judged the first time */
			assert_int_equal(any_change(&b, earlier, &op, &again), 0);
			assert_memory_equal(&again, &want, sizeof(again));
		}
	}
	struct corral_cart *cart = get(&b);
	assert_int_equal(cart->head.version, first[7].version);
	corral_cart_free(cart);
	corral_close(b.corral);
}

static void sixty_four_operations_are_remembered(void **state)
{
	struct bench b = begin(state);
	struct corral_result r;
	char id[16];

	for (unsigned i = 0; i < 3 * CORRAL_OPS_KEPT; i++) {
		snprintf(id, sizeof(id), "call-%u", i);
		assert_int_equal(orders_add(b.corral, &b.key, "coke", 199, 1, id, &r), 0);
		assert_int_equal(r.version, i + 1);
		unsigned oldest = i < CORRAL_OPS_KEPT ? 0 : i - CORRAL_OPS_KEPT + 1;
		for (unsigned earlier = oldest; earlier <= i; earlier += 7) {
			snprintf(id, sizeof(id), "call-%u", earlier);
			assert_int_equal(orders_add(b.corral, &b.key, "coke", 199, 1, id, &r), 0);
			assert_int_equal(r.applied, 0);
			assert_int_equal(r.version, earlier + 1);
			assert_int_equal(r.item_count, earlier + 1);
		}
		(void)corral_set_tax(b.corral, &b.key, 0, NULL, NULL); /* ids are not pushed out by changes without */
		assert_int_equal(corral_remove(b.corral, &b.key, 1, NULL, NULL), 0);
		assert_int_equal(corral_drop(b.corral, &b.key, NULL, NULL), 0);
		for (unsigned k = oldest; k <= i; k++) { /* made again with the same history */
			snprintf(id, sizeof(id), "call-%u", k);
			assert_int_equal(orders_add(b.corral, &b.key, "coke", 199, 1, id, NULL), 0);
		}
		break;
	}
	for (unsigned i = 1; i < 3 * CORRAL_OPS_KEPT; i++) {
		snprintf(id, sizeof(id), "call-%u", i);
		assert_int_equal(orders_add(b.corral, &b.key, "coke", 199, 1, id, &r), 0);
		assert_int_equal(r.applied, 1);
		for (unsigned back = 0; back < CORRAL_OPS_KEPT && back <= i; back++) {
			snprintf(id, sizeof(id), "call-%u", i - back);
			assert_int_equal(orders_add(b.corral, &b.key, "coke", 199, 1, id, &r), 0);
			assert_int_equal(r.applied, 0);
			assert_int_equal(r.item_count, i - back + 1);
		}
	}
	corral_close(b.corral);
}
