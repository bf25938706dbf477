/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 50_cart_change.c: changes of lines, tax, time to live and attributes, up to their limits.
 * kit_apply() validates every version that is built.
 */
#include "cart_kit.h"

/* ------------------------------------------------------------ lines */

static void the_first_item_makes_the_cart(void **state)
{
	struct cart_change change = kit_change(CART_SET_TTL);
	struct kit_cart cart = { 0 };
	struct corral_head head;
	struct corral_key key;

	(void)state;
	change.first_version = 41;
	assert_int_equal(kit_apply(&cart, &change), 0);
	assert_int_equal(kit_add(&cart, T("burger"), 899, 2), 0);
	assert_int_equal(cart_get_head(cart.bytes, cart.size, &head), 0);
	assert_int_equal(head.version, 42);
	assert_int_equal(head.subtotal_cents, 1798);
	assert_int_equal(head.item_count, 2);
	assert_int_equal(head.line_count, 1);
	assert_int_equal(head.created_ms, change.now_ms);
	assert_int_equal(cart.result.line, 1);
	assert_int_equal(cart.result.applied, 1);
	assert_int_equal(cart_get_key(cart.bytes, cart.size, &key), 0);
	kit_text_equal(key.restaurant_id, T("restaurant-1"));
	kit_text_equal(key.session_id, T("session-9"));
	assert_true(cart_has_key((const struct cart_head *)cart.bytes, cart.size, &key));
	kit_free(&cart);
}

/* Ids are compared in pieces that depend on their length; a difference in any byte must count. */
static void a_key_differs_in_any_byte(void **state)
{
	struct {
		struct cart_head head;
		char ids[2 * CORRAL_ID_MAX];
	} cart = { .head = { 0 } };
	char ids[2 * CORRAL_ID_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(ids); i++)
		ids[i] = cart.ids[i] = (char)(1 + i % 127);
	for (size_t r = 1; r <= CORRAL_ID_MAX; r++) {
		for (size_t s = 1; s <= CORRAL_ID_MAX; s += r % 16 < 2 ? 1 : 13) {
			struct corral_key key = { { ids, r }, { ids + r, s } };
			cart.head.restaurant_size = (uint16_t)r;
			cart.head.session_size = (uint16_t)s;
			assert_true(cart_has_key(&cart.head, sizeof(cart.head) + r + s, &key));
			assert_false(cart_has_key(&cart.head, sizeof(cart.head) + r + s - 1, &key));
			for (size_t i = 0; i < r + s; i++) {
				ids[i] ^= (char)(1 << i % 7);
				assert_false(
					cart_has_key(&cart.head, sizeof(cart.head) + r + s, &key));
				ids[i] ^= (char)(1 << i % 7);
			}
			ids[r + s - 1] ^= 1; /* bytes after the id do not count */
			key.session_id.size = s - (s > 1);
			cart.head.session_size = (uint16_t)(s - (s > 1));
			assert_int_equal(cart_has_key(&cart.head, sizeof(cart), &key), s > 1);
			ids[r + s - 1] ^= 1;
		}
	}
}

static void adding_the_same_item_raises_the_quantity(void **state)
{
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_add(&cart, T("burger"), 899, 2), 0);
	assert_int_equal(kit_add(&cart, T("coke"), 199, 1), 0);
	assert_int_equal(kit_add(&cart, T("burger"), 899, 3), 0);
	assert_int_equal(cart.result.line, 1);
	assert_int_equal(cart.result.item_count, 6);
	assert_int_equal(cart.result.subtotal_cents, 5 * 899 + 199);
	assert_int_equal(kit_head(&cart).line_count, 2);
	assert_int_equal(kit_line(&cart, 0).quantity, 5);
	kit_free(&cart);
}

static void another_price_is_another_line(void **state)
{
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_add(&cart, T("burger"), 899, 1), 0);
	assert_int_equal(kit_add(&cart, T("burger"), 900, 1), 0);
	assert_int_equal(cart.result.line, 2);
	kit_free(&cart);
}

static void keys_of_another_seed_never_merge(void **state)
{
	struct cart_change change = kit_change(CART_ADD);
	struct corral_item item = kit_item(T("burger"), 899, 1);
	struct kit_cart cart = { 0 };
	uint8_t buffer[256];

	(void)state;
	assert_int_equal(cart_pack_item(&item, KIT_SEED, buffer, sizeof(buffer), &change.one.words),
			 0);
	change.one.quantity = 1;
	assert_int_equal(kit_apply(&cart, &change), 0);
	change.seed = KIT_SEED + 1;
	assert_int_equal(kit_apply(&cart, &change), 0);
	assert_int_equal(kit_head(&cart).line_count, 2);
	assert_int_equal(kit_head(&cart).seed, KIT_SEED);
	kit_free(&cart);
}

static void a_quantity_stays_within_its_limit(void **state)
{
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_add(&cart, T("a"), 1, CORRAL_QUANTITY_MAX), 0);
	assert_int_equal(kit_add(&cart, T("a"), 1, 1), -ERANGE);
	assert_int_equal(kit_set_quantity(&cart, 1, CORRAL_QUANTITY_MAX + 1), -ERANGE);
	assert_int_equal(kit_set_quantity(&cart, 1, 1), 0);
	assert_int_equal(kit_head(&cart).item_count, 1);
	kit_free(&cart);
}

static void quantity_zero_and_remove_take_the_line_away_and_its_number_never_returns(void **state)
{
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_add(&cart, T("a"), 1, 1), 0);
	assert_int_equal(kit_add(&cart, T("bb"), 20, 2), 0);
	assert_int_equal(kit_add(&cart, T("ccc"), 300, 3), 0);
	assert_int_equal(kit_set_quantity(&cart, 2, 0), 0);
	assert_int_equal(cart.result.line, 2);
	assert_int_equal(cart.result.subtotal_cents, 901);
	assert_int_equal(kit_line(&cart, 1).line, 3);
	assert_int_equal(kit_remove(&cart, 2), -ENXIO);
	assert_int_equal(kit_remove(&cart, 1), 0);
	assert_int_equal(kit_remove(&cart, 3), 0);
	assert_int_equal(cart.result.subtotal_cents, 0);
	assert_int_equal(kit_head(&cart).words_size, 0);
	assert_int_equal(kit_add(&cart, T("a"), 1, 1), 0);
	assert_int_equal(cart.result.line, 4);
	assert_int_equal(kit_set_quantity(&cart, 0, 1), -ENXIO);
	kit_free(&cart);
}

static void the_words_of_the_other_lines_survive_a_removal(void **state)
{
	static const struct corral_text ids[] = { T("a"), T("a longer one"), T("b"),
						  T("the last") };

	(void)state;
	for (uint32_t removed = 0; removed < COUNT(ids); removed++) {
		struct kit_cart cart = { 0 };
		struct corral_item *item;

		for (size_t i = 0; i < COUNT(ids); i++)
			assert_int_equal(kit_add(&cart, ids[i], 5, 1), 0);
		assert_int_equal(kit_remove(&cart, removed + 1), 0);
		for (uint32_t i = 0; i < COUNT(ids) - 1; i++) {
			assert_int_equal(cart_decode_item(cart.bytes, cart.size, i, &item), 0);
			kit_text_equal(item->menu_item_id, ids[i < removed ? i : i + 1]);
			free(item);
		}
		kit_free(&cart);
	}
}

static void clear_keeps_tax_attributes_time_to_live_and_operations(void **state)
{
	struct cart_change ttl = kit_change(CART_SET_TTL);
	struct corral_item item = kit_item(T("a"), 100, 1);
	struct kit_cart cart = { 0 };
	uint64_t version;

	(void)state;
	ttl.one.ttl_ms = 5000;
	assert_int_equal(kit_add_item(&cart, &item, T("op-1")), 0);
	assert_int_equal(kit_set_tax(&cart, 100000), 0);
	assert_int_equal(kit_set_attribute(&cart, T("k"), T("v")), 0);
	assert_int_equal(kit_apply(&cart, &ttl), 0);
	assert_int_equal(kit_simple(&cart, CART_CLEAR), 0);
	assert_int_equal(cart.result.total_cents, 0);
	assert_int_equal(kit_head(&cart).tax_ppm, 100000);
	assert_int_equal(kit_head(&cart).ttl_ms, 5000);
	kit_assert_attribute(&cart, 0, T("k"), T("v"));
	version = kit_head(&cart).version;
	assert_int_equal(kit_add_item(&cart, &item, T("op-1")), 1);
	assert_int_equal(kit_head(&cart).version, version);
	kit_free(&cart);
}

/* ------------------------------------------------------------ settings */

static void tax_is_rounded_half_away_from_zero(void **state)
{
	static const struct {
		int64_t subtotal;
		uint32_t ppm;
		int64_t tax;
	} cases[] = {
		{ 0, 82500, 0 },
		{ 1000, 82500, 83 },
		{ -1000, 82500, -83 },
		{ 994, 82500, 82 },
		{ 1, 500000, 1 },
		{ -1, 500000, -1 },
		{ 1, 499999, 0 },
		{ -1, 499999, 0 },
		{ INT64_MAX, 0, 0 },
		{ 3, 500000, 2 },
		{ 499999, 1, 0 },
		{ 500000, 1, 1 },
		{ -500000, 1, -1 },
		{ 1500000, 1, 2 },
		{ INT64_MAX, 1, 9223372036855 },
		{ INT64_MAX, 1000000, INT64_MAX },
		{ INT64_MIN, 1000000, INT64_MIN },
		{ INT64_MIN, 1, -9223372036855 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(cart_tax(cases[i].subtotal, cases[i].ppm), cases[i].tax);
}

static void settings_out_of_range_are_refused(void **state)
{
	struct cart_change ttl = kit_change(CART_SET_TTL);
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_set_tax(&cart, CORRAL_TAX_PPM_MAX + 1), -ERANGE);
	assert_int_equal(kit_set_tax(&cart, CORRAL_TAX_PPM_MAX), 0);
	ttl.one.ttl_ms = CORRAL_TTL_MS_MIN - 1;
	assert_int_equal(kit_apply(&cart, &ttl), -ERANGE);
	ttl.one.ttl_ms = CORRAL_TTL_MS_MAX + 1;
	assert_int_equal(kit_apply(&cart, &ttl), -ERANGE);
	ttl.one.ttl_ms = CORRAL_TTL_MS_MAX;
	assert_int_equal(kit_apply(&cart, &ttl), 0);
	ttl.one.ttl_ms = 0;
	assert_int_equal(kit_apply(&cart, &ttl), 0);
	kit_free(&cart);
}

static void attributes_are_set_replaced_in_place_and_taken_away(void **state)
{
	struct corral_attribute none;
	struct kit_cart cart = { 0 };

	(void)state;
	assert_int_equal(kit_set_attribute(&cart, T("a"), T("1")), 0);
	assert_int_equal(kit_set_attribute(&cart, T("b"), T("2")), 0);
	assert_int_equal(kit_set_attribute(&cart, T("c"), T("")), 0);
	assert_int_equal(kit_add(&cart, T("x"), 1, 1), 0);
	assert_int_equal(
		kit_set_attribute(&cart, T("b"), T("a value that is longer than thirty-one bytes")),
		0);
	kit_assert_attribute(&cart, 0, T("a"), T("1"));
	kit_assert_attribute(&cart, 1, T("b"), T("a value that is longer than thirty-one bytes"));
	kit_assert_attribute(&cart, 2, T("c"), T(""));
	assert_int_equal(kit_remove_attribute(&cart, T("a")), 0);
	assert_int_equal(kit_remove_attribute(&cart, T("never there")), 0);
	kit_assert_attribute(&cart, 1, T("c"), T(""));
	assert_int_equal(kit_remove_attribute(&cart, T("b")), 0);
	assert_int_equal(kit_remove_attribute(&cart, T("c")), 0);
	assert_int_equal(cart_get_attribute(cart.bytes, cart.size, 0, &none), -ENXIO);
	assert_int_equal(kit_head(&cart).attributes_size, 0);
	kit_free(&cart);
}

static void the_most_and_the_longest_attributes_allowed_fit(void **state)
{
	static char text[CORRAL_ATTRIBUTE_VALUE_MAX + 1];
	struct kit_cart cart = { 0 };
	char name[CORRAL_ATTRIBUTE_NAME_MAX + 2];

	(void)state;
	memset(text, 'v', sizeof(text));
	memset(name, 'n', sizeof(name));
	for (uint32_t i = 0; i <= CORRAL_ATTRIBUTES_MAX; i++) {
		static const size_t sizes[] = { 0, 31, 32, 255, 256, CORRAL_ATTRIBUTE_VALUE_MAX };
		struct corral_text value = { text, sizes[i % COUNT(sizes)] };

		name[0] = (char)('0' + i);
		assert_int_equal(kit_set_attribute(&cart,
						   (struct corral_text){ name, 1 + 2 * (i % 64) },
						   value),
				 i < CORRAL_ATTRIBUTES_MAX ? 0 : -E2BIG);
	}
	kit_assert_attribute(&cart, 5, (struct corral_text){ "5nnnnnnnnnn", 11 },
			     (struct corral_text){ text, CORRAL_ATTRIBUTE_VALUE_MAX });
	assert_int_equal(kit_set_attribute(&cart, T("0"), T("again")), 0);
	assert_int_equal(kit_set_attribute(&cart, T(""), T("v")), -EINVAL);
	assert_int_equal(kit_set_attribute(&cart, (struct corral_text){ NULL, 1 }, T("v")),
			 -EINVAL);
	assert_int_equal(
		kit_set_attribute(
			&cart, (struct corral_text){ name, CORRAL_ATTRIBUTE_NAME_MAX + 1 }, T("v")),
		-ENAMETOOLONG);
	assert_int_equal(
		kit_set_attribute(&cart, T("0"), (struct corral_text){ text, sizeof(text) }),
		-ENAMETOOLONG);
	assert_int_equal(kit_set_attribute(&cart, T("0"), T("\xff")), -EILSEQ);
	assert_int_equal(kit_set_attribute(&cart, T("\xff"), T("v")), -EILSEQ);
	for (uint32_t i = CORRAL_ATTRIBUTES_MAX; i-- > 0;) {
		name[0] = (char)('0' + i);
		assert_int_equal(
			kit_remove_attribute(&cart, (struct corral_text){ name, 1 + 2 * (i % 64) }),
			0);
		assert_int_equal(kit_head(&cart).attribute_count, i);
	}
	kit_free(&cart);
}

/* ------------------------------------------------------------ limits */

static void a_cart_takes_its_greatest_number_of_lines_and_no_more(void **state)
{
	static struct cart_draft_line lines[CORRAL_LINES_MAX];
	static uint8_t buffer[256];
	struct corral_item item = kit_item(T("a"), 1, CORRAL_QUANTITY_MAX);
	struct cart_change change = kit_change(CART_REPLACE);
	struct kit_cart cart = { 0 };

	(void)state;
	for (uint32_t i = 0; i < CORRAL_LINES_MAX; i++) {
		lines[i].quantity = CORRAL_QUANTITY_MAX;
		assert_int_equal(
			cart_pack_item(&item, KIT_SEED, buffer, sizeof(buffer), &lines[i].words),
			0);
	}
	change.draft = (struct cart_draft){ .lines = lines, .line_count = CORRAL_LINES_MAX };
	assert_int_equal(kit_apply(&cart, &change), 0);
	assert_true(cart.result.item_count == 4096u * 999999u);
	assert_int_equal(kit_add(&cart, T("b"), 1, 1), -E2BIG);
	for (uint32_t i = 0; i < CORRAL_LINES_MAX; i++) /* all by name, in another order */
		lines[i].line = CORRAL_LINES_MAX - i;
	change.if_version = 1;
	assert_int_equal(kit_apply(&cart, &change), 0);
	lines[0].line = 1;
	change.if_version = 2;
	assert_int_equal(kit_apply(&cart, &change), -EINVAL);
	assert_int_equal(kit_remove(&cart, 17), 0);
	assert_int_equal(kit_add(&cart, T("b"), 1, 1), 0);
	kit_free(&cart);
}

static void a_cart_grows_to_its_greatest_size_and_no_further(void **state)
{
	static char notes[CORRAL_WORDS_MAX];
	struct corral_item item = kit_item(T("a"), 1, 1);
	struct kit_cart cart = { 0 };
	int error = 0;

	(void)state;
	memset(notes, 'n', sizeof(notes));
	item.notes = (struct corral_text){ notes, 16000 };
	for (int i = 0; error == 0; i++) {
		notes[0] = (char)('0' + i);
		error = kit_add_item(&cart, &item, T(""));
	}
	assert_int_equal(error, -E2BIG);
	assert_true(cart.size > CORRAL_CART_MAX - 17000 && cart.size <= CORRAL_CART_MAX);
	kit_free(&cart);
}

static void money_that_does_not_fit_is_refused_and_nothing_changes(void **state)
{
	struct kit_cart cart = { 0 };
	struct kit_cart before;

	(void)state;
	assert_int_equal(kit_add(&cart, T("a"), INT64_MAX, 1), 0);
	before = kit_copy(&cart);
	assert_int_equal(kit_add(&cart, T("b"), INT64_MAX, 2), -EOVERFLOW); /* the line */
	assert_int_equal(kit_add(&cart, T("b"), 1, 1), -EOVERFLOW);         /* the subtotal */
	assert_int_equal(kit_add(&cart, T("a"), INT64_MAX, 1), -EOVERFLOW); /* a line that merges */
	assert_int_equal(kit_set_quantity(&cart, 1, 2), -EOVERFLOW);
	assert_int_equal(kit_set_tax(&cart, 1), -EOVERFLOW); /* the total */
	assert_int_equal(cart.size, before.size);
	assert_memory_equal(cart.bytes, before.bytes, before.size);
	kit_free(&before);
	kit_free(&cart);
}

static void a_failed_plan_leaves_the_cart(void **state)
{
	struct cart_change change = kit_change(CART_REMOVE);
	struct kit_cart cart = { 0 }, before;
	struct cart_plan plan;

	(void)state;
	assert_int_equal(kit_add(&cart, T("a"), 1, 1), 0);
	before = kit_copy(&cart);
	change.one.line = 5;
	assert_int_equal(cart_plan(cart.bytes, cart.size, &change, &plan), -ENXIO);
	assert_int_equal(cart_plan(NULL, 0, &change, &plan), -ENOENT);
	assert_int_equal(cart_plan(cart.bytes, 100, &change, &plan), -EUCLEAN);
	assert_memory_equal(cart.bytes, before.bytes, before.size);
	kit_free(&before);
	kit_free(&cart);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_item_makes_the_cart),
		cmocka_unit_test(a_key_differs_in_any_byte),
		cmocka_unit_test(adding_the_same_item_raises_the_quantity),
		cmocka_unit_test(another_price_is_another_line),
		cmocka_unit_test(keys_of_another_seed_never_merge),
		cmocka_unit_test(a_quantity_stays_within_its_limit),
		cmocka_unit_test(
			quantity_zero_and_remove_take_the_line_away_and_its_number_never_returns),
		cmocka_unit_test(the_words_of_the_other_lines_survive_a_removal),
		cmocka_unit_test(clear_keeps_tax_attributes_time_to_live_and_operations),
		cmocka_unit_test(tax_is_rounded_half_away_from_zero),
		cmocka_unit_test(settings_out_of_range_are_refused),
		cmocka_unit_test(attributes_are_set_replaced_in_place_and_taken_away),
		cmocka_unit_test(the_most_and_the_longest_attributes_allowed_fit),
		cmocka_unit_test(a_cart_takes_its_greatest_number_of_lines_and_no_more),
		cmocka_unit_test(a_cart_grows_to_its_greatest_size_and_no_further),
		cmocka_unit_test(money_that_does_not_fit_is_refused_and_nothing_changes),
		cmocka_unit_test(a_failed_plan_leaves_the_cart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
