/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_ops.c: the calls that change a cart, one worker at a time: their answers and effects,
 * operation ids, expected versions, checking out.
 */
#include "orders_bench.h"

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
	assert_int_equal(r.version, 9); /* that of the last version */
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
	assert_int_equal(cart->lines[0].item.name.size,
			 4); /* "Item": the line keeps its first name */
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
	struct corral_text table = T("table"), seven = T("7"), empty = { NULL, 0 },
			   name = T("name"), who = T("Zoë");

	assert_int_equal(corral_set_attribute(b.corral, &b.key, &table, &seven, NULL, NULL), 0);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &name, &who, NULL, NULL), 0);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &table, &empty, NULL, NULL), 0);
	struct corral_cart *cart = get(&b);
	assert_int_equal(cart->attribute_count, 2);
	assert_int_equal(cart->attributes[0].value.size + cart->attributes[1].value.size, who.size);
	corral_cart_free(cart);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &name, NULL, NULL, NULL), 0);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &name, NULL, NULL, NULL),
			 0); /* missing is fine */
	cart = get(&b);
	assert_int_equal(cart->attribute_count, 1);
	assert_memory_equal(cart->attributes[0].name.data, "table", 5);
	corral_cart_free(cart);
	corral_close(b.corral);
}

/* ------------------------------------------------------------ operation ids */

/* The change of this kind, by number; -ENOSYS past the last. */
static int any_change(const struct bench *b, unsigned kind, const struct corral_op *op,
		      struct corral_result *ret)
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
			op = orders_op(id, earlier == 3 ?
						   12345 :
						   0); /* its condition was judged the first time */
			assert_int_equal(any_change(&b, earlier, &op, &again), 0);
			assert_memory_equal(&again, &want,
					    offsetof(struct corral_result, rate_count));
		}
	}
	struct corral_cart *cart = get(&b);
	assert_int_equal(cart->head.version, first[7].version);
	corral_cart_free(cart);
	corral_close(b.corral);
}

static void an_id_of_another_change_is_refused_and_nothing_is_changed(void **state)
{
	struct bench b = begin(state);
	struct corral_op op = orders_op("call-1", 0);
	struct corral_result untouched, result, first;

	memset(&untouched, 0x5a, sizeof(untouched));
	assert_int_equal(any_change(&b, 0, &op, &first), 0);
	struct corral_cart *before = get(&b);
	for (unsigned kind = 1; kind < 8; kind++) {
		result = untouched;
		assert_int_equal(any_change(&b, kind, &op, &result), -ENOTUNIQ);
		assert_memory_equal(&result, &untouched, sizeof(result));
	}
	op.if_version = first.version;
	assert_int_equal(corral_replace(b.corral, &b.key, before, &op, NULL), -ENOTUNIQ);
	op.if_version = 999; /* the id is compared before the version */
	assert_int_equal(corral_drop(b.corral, &b.key, &op, NULL), -ENOTUNIQ);
	first.applied = 0;
	assert_int_equal(any_change(&b, 0, &op, &result), 0);
	assert_memory_equal(&result, &first, offsetof(struct corral_result, rate_count));
	struct corral_cart *after = get(&b);
	assert_memory_equal(&after->head, &before->head, sizeof(after->head));
	corral_cart_free(before);
	corral_cart_free(after);
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
		assert_int_equal(r.applied, 1);
		for (unsigned back = 0; back < CORRAL_OPS_KEPT && back <= i; back++) {
			snprintf(id, sizeof(id), "call-%u", i - back);
			assert_int_equal(orders_add(b.corral, &b.key, "coke", 199, 1, id, &r), 0);
			assert_int_equal(r.applied, 0);
			assert_int_equal(r.version, i - back + 1);
			assert_int_equal(r.item_count, i - back + 1);
		}
	}
	assert_int_equal(corral_clear(b.corral, &b.key, NULL, NULL), 0);
	for (unsigned i = 0; i < 100; i++) /* changes without an id evict no id */
		assert_int_equal(corral_set_tax(b.corral, &b.key, i, NULL, NULL), 0);
	assert_int_equal(orders_add(b.corral, &b.key, "coke", 199, 1, id, &r), 0);
	assert_int_equal(r.applied, 0);
	corral_close(b.corral);
}

static void an_operation_that_was_refused_is_not_remembered(void **state)
{
	struct bench b = begin(state);
	struct corral_op op = orders_op("call", 0);
	struct corral_result r;

	(void)add(&b, "burger", 899, 1);
	assert_int_equal(corral_set_quantity(b.corral, &b.key, 9, 1, &op, NULL), -ENXIO);
	op.if_version = 99;
	assert_int_equal(corral_set_quantity(b.corral, &b.key, 1, 2, &op, NULL), -ECANCELED);
	op.if_version = 1;
	assert_int_equal(corral_set_quantity(b.corral, &b.key, 1, 2, &op, &r), 0);
	assert_int_equal(r.applied, 1);
	corral_close(b.corral);
}

static int repeat_in_another_process(void *context)
{
	struct yard *yard = context;
	struct bench b = { .corral = orders_come(yard, NULL),
			   .key = orders_key("restaurant", "session") };
	struct corral_result r;

	must(orders_add(b.corral, &b.key, "burger", 899, 1, "call", &r) == 0);
	must(r.applied == 0 && r.version == 1 && r.item_count == 1 && r.line == 1);
	corral_close(b.corral);
	return 0;
}

static void operations_are_remembered_across_processes_and_attachments(void **state)
{
	NEEDS_PROCESSES();
	struct bench b = begin(state);

	assert_int_equal(orders_add(b.corral, &b.key, "burger", 899, 1, "call", NULL), 0);
	assert_int_equal(child_wait(child_start(repeat_in_another_process, *state)), 0);
	corral_close(b.corral);
	assert_int_equal(child_wait(child_start(repeat_in_another_process, *state)), 0);
}

/* --------------------------------------------------------- expected versions */

static void a_change_with_another_expected_version_is_refused(void **state)
{
	struct bench b = begin(state);
	struct corral_op op = orders_op(NULL, 1);
	struct corral_result r;

	for (unsigned kind = 0; kind < 8; kind++)
		assert_int_equal(any_change(&b, kind, &op, NULL),
				 -ENOENT); /* an expected version implies an existing cart */
	(void)add(&b, "burger", 899, 1);
	(void)add(&b, "coke", 199, 1);
	for (unsigned kind = 0; kind < 8; kind++) {
		assert_int_equal(any_change(&b, kind, &op, NULL), -ECANCELED);
		op.if_version = 3;
		assert_int_equal(any_change(&b, kind, &op, NULL), -ECANCELED);
		op.if_version = 1;
	}
	assert_int_equal(corral_drop(b.corral, &b.key, &op, NULL), -ECANCELED);
	op.if_version = 2;
	assert_int_equal(corral_checkout(b.corral, &b.key, &op, &r), 0);
	assert_int_equal(r.version, 3);
	corral_close(b.corral);
}

/* ------------------------------------------------------------- checking out */

static void a_checked_out_cart_can_be_read_and_dropped_but_not_changed(void **state)
{
	struct bench b = begin(state);
	struct corral_op op = orders_op("order it", 0), same = orders_op(NULL, 2);
	struct corral_result r;

	(void)add(&b, "burger", 899, 1);
	assert_int_equal(corral_checkout(b.corral, &b.key, &op, &r), 0);
	for (unsigned kind = 0; kind < 8; kind++)
		assert_int_equal(any_change(&b, kind, NULL, NULL), -ESHUTDOWN);
	struct corral_cart *cart = get(&b);
	assert_int_equal(cart->head.status, CORRAL_CHECKED_OUT);
	assert_int_equal(cart->head.total_cents, 899);
	assert_int_equal(corral_replace(b.corral, &b.key, cart, &same, NULL), -ESHUTDOWN);
	corral_cart_free(cart);
	assert_int_equal(corral_checkout(b.corral, &b.key, &op, &r), 0);
	assert_int_equal(r.applied, 0);
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
	assert_int_equal(corral_drop(b.corral, &b.key, NULL, &r), 0);
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
	assert_int_equal(r.total_cents, 899);
	corral_close(b.corral);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, orders_setup, orders_teardown)
	const struct CMUnitTest tests[] = {
		CASE(every_change_answers_with_the_totals_and_the_next_version),
		CASE(the_same_item_raises_the_line_and_another_one_does_not),
		CASE(a_line_number_is_given_once_in_the_life_of_a_cart),
		CASE(attributes_are_set_replaced_and_taken_away),
		CASE(the_same_operation_again_changes_nothing_and_answers_the_same),
		CASE(an_id_of_another_change_is_refused_and_nothing_is_changed),
		CASE(sixty_four_operations_are_remembered),
		CASE(an_operation_that_was_refused_is_not_remembered),
		CASE(operations_are_remembered_across_processes_and_attachments),
		CASE(a_change_with_another_expected_version_is_refused),
		CASE(a_checked_out_cart_can_be_read_and_dropped_but_not_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
