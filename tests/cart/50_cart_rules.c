/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 50_cart_rules.c: when a change is made, refused or remembered: missing and checked out carts,
 * expected versions, operation ids; and the replacement of whole carts.
 */
#include "cart_kit.h"

/* ------------------------------------------------------------ conditions */

static void only_some_changes_make_a_cart(void **state)
{
	static const struct {
		enum cart_step_kind kind;
		int answer;
	} cases[] = {
		{ CART_SET_QUANTITY, -ENOENT },
		{ CART_REMOVE, -ENOENT },
		{ CART_CLEAR, -ENOENT },
		{ CART_CHECKOUT, -ENOENT },
		{ CART_DROP, -ENOENT },
		{ CART_SET_TAX, 0 },
		{ CART_SET_TTL, 0 },
		{ CART_REPLACE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cart_change change = kit_change(cases[i].kind);
		struct kit_cart cart = { 0 };

		assert_int_equal(kit_apply(&cart, &change), cases[i].answer);
		kit_free(&cart);
		change.if_version = 1;
		assert_int_equal(kit_apply(&cart, &change), -ENOENT);
	}
}

static void a_cart_is_not_made_under_a_malformed_key(void **state)
{
	static char text[CORRAL_ID_MAX + 1];
	struct kit_cart cart = { 0 };
	struct cart_change change;

	(void)state;
	memset(text, 'k', sizeof(text));
	change = kit_change(CART_SET_TAX);
	change.key.session_id = T("");
	assert_int_equal(kit_apply(&cart, &change), -EINVAL);
	change.key.session_id = (struct corral_text){ text, sizeof(text) };
	assert_int_equal(kit_apply(&cart, &change), -ENAMETOOLONG);
	change.key.session_id = T("\xff");
	assert_int_equal(kit_apply(&cart, &change), -EILSEQ);
	change.key.session_id = (struct corral_text){ text, CORRAL_ID_MAX };
	change.key.restaurant_id = (struct corral_text){ text, CORRAL_ID_MAX };
	assert_int_equal(kit_apply(&cart, &change), 0);
	kit_free(&cart);
}

static void a_change_for_another_version_is_cancelled(void **state)
{
	struct cart_change change = kit_change(CART_SET_TAX);
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_apply(&cart, &change), 0);
	change.if_version = 2;
	assert_int_equal(kit_apply(&cart, &change), -ECANCELED);
	change.if_version = 1;
	assert_int_equal(kit_apply(&cart, &change), 0);
	assert_int_equal(kit_apply(&cart, &change), -ECANCELED);
	kit_free(&cart);
}

static void a_checked_out_cart_refuses_all_but_drop_and_the_same_operation(void **state)
{
	struct cart_change change = kit_change(CART_CHECKOUT);
	struct corral_item item = kit_item(T("a"), 100, 3);
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_add_item(&cart, &item, T("add")), 0);
	assert_int_equal(cart_hash_op(T("checkout"), KIT_SEED, &change), 0);
	assert_int_equal(kit_apply(&cart, &change), 0);
	assert_int_equal(cart.result.status, CORRAL_CHECKED_OUT);
	memset(&cart.result, 0, sizeof(cart.result));
	assert_int_equal(kit_apply(&cart, &change), 1);
	assert_int_equal(cart.result.status, CORRAL_CHECKED_OUT);
	assert_int_equal(cart.result.applied, 0);
	assert_int_equal(cart.result.total_cents, 300);
	assert_int_equal(kit_add_item(&cart, &item, T("add")), 1);
	assert_int_equal(cart.result.status, CORRAL_OPEN);
	assert_int_equal(kit_add_item(&cart, &item, T("other")), -ESHUTDOWN);
	for (int kind = CART_SET_QUANTITY; kind <= CART_CHECKOUT; kind++)
		if (kind != CART_SET_TTL)
			assert_int_equal(kit_simple(&cart, (enum cart_step_kind)kind), -ESHUTDOWN);
	change = kit_change(CART_REPLACE);
	change.if_version = kit_head(&cart).version;
	assert_int_equal(kit_apply(&cart, &change), -ESHUTDOWN);
	assert_int_equal(kit_simple(&cart, CART_DROP), 0);
	kit_free(&cart);
}

static int set_ttl(struct kit_cart *cart, uint64_t ttl_ms)
{
	struct cart_change change = kit_change(CART_SET_TTL);

	change.one.ttl_ms = ttl_ms;
	change.usual_ttl_ms = 5000; /* the default for a cart without its own */
	return kit_apply(cart, &change);
}

static void a_checked_out_cart_may_live_longer_and_not_shorter(void **state)
{
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_add(&cart, T("a"), 250, 2), 0);
	assert_int_equal(kit_simple(&cart, CART_CHECKOUT), 0);
	assert_int_equal(set_ttl(&cart, 4999), -ESHUTDOWN);
	assert_int_equal(set_ttl(&cart, 0), 0); /* no change */
	assert_int_equal(set_ttl(&cart, 6000), 0);
	assert_int_equal(set_ttl(&cart, 0), -ESHUTDOWN);
	assert_int_equal(set_ttl(&cart, 5999), -ESHUTDOWN);
	assert_int_equal(set_ttl(&cart, CORRAL_TTL_MS_MAX + 1), -ERANGE);
	assert_int_equal(set_ttl(&cart, 6001), 0);
	assert_int_equal(kit_head(&cart).ttl_ms, 6001);
	assert_int_equal(kit_head(&cart).status, CORRAL_CHECKED_OUT);
	assert_int_equal(cart.result.total_cents, 500);
	assert_int_equal(kit_head(&cart).version, 5);
	kit_free(&cart);
}

static void an_empty_cart_may_be_checked_out(void **state)
{
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_set_tax(&cart, 1), 0);
	assert_int_equal(kit_simple(&cart, CART_CHECKOUT), 0);
	assert_int_equal(cart.result.item_count, 0);
	kit_free(&cart);
}

static void drop_answers_the_last_version_and_minds_the_expected_one(void **state)
{
	struct cart_change change = kit_change(CART_DROP);
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_add(&cart, T("a"), 250, 2), 0);
	change.if_version = 9;
	assert_int_equal(kit_apply(&cart, &change), -ECANCELED);
	change.if_version = 1;
	assert_int_equal(kit_apply(&cart, &change), 0);
	assert_int_equal(cart.result.version, 1);
	assert_int_equal(cart.result.total_cents, 500);
	assert_int_equal(cart.result.applied, 1);
	kit_free(&cart);
}

static void a_version_that_cannot_grow_is_damage(void **state)
{
	struct cart_change change = kit_change(CART_SET_TAX);
	struct kit_cart cart = { 0 };

	(void)state;
	change.first_version = VERSION_MAX + 1;
	assert_int_equal(kit_apply(&cart, &change), -EINVAL);
	change.first_version = 0;
	assert_int_equal(kit_apply(&cart, &change), -EINVAL);
	change.first_version = VERSION_MAX - 1;
	assert_int_equal(kit_apply(&cart, &change), 0);
	assert_int_equal(kit_apply(&cart, &change), 0);
	assert_int_equal(kit_apply(&cart, &change), -EUCLEAN);
	kit_free(&cart);
}

/* ------------------------------------------------------------ operation ids */

static void a_remembered_operation_answers_what_it_answered_the_first_time(void **state)
{
	struct corral_item item = kit_item(T("a"), 100, 3);
	struct corral_result first;
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_set_tax(&cart, 82500), 0);
	assert_int_equal(kit_add(&cart, T("other"), 7, 1), 0);
	assert_int_equal(kit_add_item(&cart, &item, T("op")), 0);
	first = cart.result;
	assert_int_equal(kit_add(&cart, T("more"), 7, 1), 0);
	assert_int_equal(kit_add_item(&cart, &item, T("op")), 1);
	first.applied = 0;
	assert_memory_equal(&cart.result, &first, offsetof(struct corral_result, rate_count));
	assert_int_equal(kit_head(&cart).item_count, 5);
	kit_free(&cart);
}

static void the_last_operations_are_remembered_and_older_ones_forgotten(void **state)
{
	struct corral_item item = kit_item(T("a"), 1, 1);
	struct kit_cart cart = { 0 };
	char id[16];

	(void)state;
	for (int i = 0; i < 3 * CORRAL_OPS_KEPT; i++) {
		struct corral_text op = { id, (size_t)snprintf(id, sizeof(id), "op-%d", i) };

		assert_int_equal(kit_add_item(&cart, &item, op), 0);
		for (int j = 0; j <= i; j += 1 + i / 8) {
			struct kit_cart copy = kit_copy(&cart);
			int kept = i - j < CORRAL_OPS_KEPT;

			op.size = (size_t)snprintf(id, sizeof(id), "op-%d", j);
			assert_int_equal(kit_add_item(&copy, &item, op), kept);
			if (kept)
				assert_int_equal(copy.result.version, j + 1);
			kit_free(&copy);
		}
	}
	assert_int_equal(kit_head(&cart).ops_count, CORRAL_OPS_KEPT);
	kit_free(&cart);
}

/* ------------------------------------------------------------ replace */

struct draft_line {
	struct corral_text id;
	uint32_t line;
	uint32_t quantity;
};

static int replace(struct kit_cart *cart, const struct draft_line *lines, uint32_t count,
		   uint64_t if_version)
{
	static uint8_t words[8][128];
	struct cart_change change = kit_change(CART_REPLACE);
	struct cart_draft_line drafts[8];
	struct corral_attribute attribute = { T("from"), T("draft") };
	uint8_t attributes[64];

	for (uint32_t i = 0; i < count; i++) {
		struct corral_item item = kit_item(lines[i].id, 10, 1);

		drafts[i].line = lines[i].line;
		drafts[i].quantity = lines[i].quantity;
		assert_int_equal(cart_pack_item(&item, change.seed, words[i], sizeof(words[i]),
						&drafts[i].words),
				 0);
	}
	change.if_version = if_version;
	change.draft =
		(struct cart_draft){ .lines = drafts, .line_count = count, .tax_ppm = 500000 };
	change.draft.attributes = attributes;
	change.draft.attribute_count = 1;
	assert_int_equal(cart_pack_attributes(&attribute, 1, attributes, sizeof(attributes),
					      &change.draft.attributes_size),
			 0);
	return kit_apply(cart, &change);
}

static void replace_makes_a_cart_only_where_none_is(void **state)
{
	static const struct draft_line lines[] = { { T("a"), 0, 1 }, { T("a"), 0, 2 } };
	static const struct draft_line named[] = { { T("a"), 1, 1 } };
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(replace(&cart, named, 1, 0), -ENXIO);
	assert_int_equal(replace(&cart, lines, 2, 7), -ENOENT);
	assert_int_equal(replace(&cart, lines, 2, 0), 0);
	assert_int_equal(kit_head(&cart).line_count, 2); /* equal items are not merged */
	assert_int_equal(cart.result.subtotal_cents, 30);
	assert_int_equal(cart.result.tax_cents, 15);
	assert_int_equal(cart.result.line, 0);
	assert_int_equal(kit_line(&cart, 1).line, 2);
	kit_assert_attribute(&cart, 0, T("from"), T("draft"));
	assert_int_equal(replace(&cart, lines, 2, 0), -ECANCELED);
	kit_free(&cart);
}

static void replace_keeps_named_lines_and_numbers_new_ones(void **state)
{
	static const struct draft_line lines[] = {
		{ T("new"), 0, 1 }, { T("b"), 3, 5 }, { T("newer"), 0, 1 }, { T("a"), 1, 2 }
	};
	static const uint32_t numbers[] = { 4, 3, 5, 1 };
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_add(&cart, T("a"), 1, 1), 0);
	assert_int_equal(kit_add(&cart, T("gone"), 1, 1), 0);
	assert_int_equal(kit_add(&cart, T("b"), 1, 1), 0);
	assert_int_equal(replace(&cart, lines, 4, 2), -ECANCELED);
	assert_int_equal(replace(&cart, lines, 4, 3), 0);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(kit_line(&cart, i).line, numbers[i]);
	assert_int_equal(cart.result.item_count, 9);
	assert_int_equal(kit_head(&cart).next_line, 6);
	assert_int_equal(replace(&cart, NULL, 0, 4), 0);
	assert_int_equal(cart.result.total_cents, 0);
	kit_free(&cart);
}

static void replace_refuses_malformed_drafts(void **state)
{
	static const struct draft_line twice[] = { { T("a"), 1, 1 }, { T("b"), 1, 1 } };
	static const struct draft_line future[] = { { T("a"), 2, 1 } };
	static const struct draft_line none[] = { { T("a"), 1, 0 } };
	static const struct draft_line many[] = { { T("a"), 1, CORRAL_QUANTITY_MAX + 1 } };
	struct cart_change change = kit_change(CART_REPLACE);
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_add(&cart, T("a"), 1, 1), 0);
	assert_int_equal(replace(&cart, twice, 2, 1), -EINVAL);
	assert_int_equal(replace(&cart, future, 1, 1), -ENXIO);
	assert_int_equal(replace(&cart, none, 1, 1), -ERANGE);
	assert_int_equal(replace(&cart, many, 1, 1), -ERANGE);
	change.if_version = 1;
	change.draft.tax_ppm = CORRAL_TAX_PPM_MAX + 1;
	assert_int_equal(kit_apply(&cart, &change), -ERANGE);
	change.draft = (struct cart_draft){ .line_count = CORRAL_LINES_MAX + 1 };
	assert_int_equal(kit_apply(&cart, &change), -E2BIG);
	change.draft = (struct cart_draft){ .line_count = 1 };
	assert_int_equal(kit_apply(&cart, &change), -EINVAL);
	change.draft = (struct cart_draft){ .attributes_size = 1 };
	assert_int_equal(kit_apply(&cart, &change), -EINVAL);
	kit_free(&cart);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_some_changes_make_a_cart),
		cmocka_unit_test(a_cart_is_not_made_under_a_malformed_key),
		cmocka_unit_test(a_change_for_another_version_is_cancelled),
		cmocka_unit_test(a_checked_out_cart_refuses_all_but_drop_and_the_same_operation),
		cmocka_unit_test(a_checked_out_cart_may_live_longer_and_not_shorter),
		cmocka_unit_test(an_empty_cart_may_be_checked_out),
		cmocka_unit_test(drop_answers_the_last_version_and_minds_the_expected_one),
		cmocka_unit_test(a_version_that_cannot_grow_is_damage),
		cmocka_unit_test(a_remembered_operation_answers_what_it_answered_the_first_time),
		cmocka_unit_test(the_last_operations_are_remembered_and_older_ones_forgotten),
		cmocka_unit_test(replace_makes_a_cart_only_where_none_is),
		cmocka_unit_test(replace_keeps_named_lines_and_numbers_new_ones),
		cmocka_unit_test(replace_refuses_malformed_drafts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
