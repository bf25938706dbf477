/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 50_cart_money.c: the rules of corral(7), "Taxes, adjustments and currencies", each with the
 * example that stands there; and what is refused.
 */
#include "cart_kit.h"

#define PERCENT 10000u

/* Add one item of an id, at the cart's rate, or at one of its own. */
static void sell(struct kit_cart *cart, struct corral_text id, int64_t cents)
{
	assert_int_equal(kit_add(cart, id, cents, 1), 0);
}

static int sell_at(struct kit_cart *cart, struct corral_text id, int64_t cents, uint32_t percent)
{
	struct corral_item item = kit_item(id, cents, 1);

	item.own_rate = 1;
	item.tax_ppm = percent * PERCENT;
	return kit_add_item(cart, &item, T(""));
}

static void assert_rate(const struct corral_head *head, uint32_t index, uint32_t percent,
			int64_t base_cents, int64_t tax_cents)
{
	assert_true(index < head->rate_count);
	assert_int_equal(head->rates[index].tax_ppm, percent * PERCENT);
	assert_int_equal(head->rates[index].base_cents, base_cents);
	assert_int_equal(head->rates[index].tax_cents, tax_cents);
}

/* ------------------------------------------------------------ taxes */

static void each_rate_is_rounded_once_on_the_sum_of_its_lines(void **state)
{
	struct kit_cart cart = { 0 };
	struct corral_head head;

	(void)state;
	assert_int_equal(kit_set_tax(&cart, 7 * PERCENT), 0);
	sell(&cart, T("burger"), 899);
	sell(&cart, T("fries"), 299);
	assert_int_equal(sell_at(&cart, T("wine"), 650, 19), 0);
	head = kit_numbers(&cart);
	assert_int_equal(head.rate_count, 2);
	assert_rate(&head, 0, 7, 1198, 84);  /* of 83.86; by lines it were 63 + 21 */
	assert_rate(&head, 1, 19, 650, 124); /* of 123.5 */
	assert_int_equal(head.tax_cents, 208);
	assert_int_equal(head.total_cents, 2056);
	kit_free(&cart);
}

static void a_rate_of_its_own_stays_when_the_carts_is_changed(void **state)
{
	struct kit_cart cart = { 0 };
	struct corral_head head;

	(void)state;
	sell(&cart, T("tea"), 100);
	assert_int_equal(sell_at(&cart, T("beer"), 100, 19), 0);
	assert_int_equal(kit_set_tax(&cart, 19 * PERCENT), 0);
	head = kit_numbers(&cart);
	assert_int_equal(head.rate_count, 1); /* the two are one */
	assert_rate(&head, 0, 19, 200, 38);
	assert_int_equal(kit_set_tax(&cart, 0), 0);
	head = kit_numbers(&cart);
	assert_rate(&head, 0, 0, 100, 0);
	assert_rate(&head, 1, 19, 100, 19);
	kit_free(&cart);
}

static void items_of_different_rates_are_different_lines(void **state)
{
	struct kit_cart cart = { 0 };

	(void)state;
	sell(&cart, T("tea"), 100);
	assert_int_equal(sell_at(&cart, T("tea"), 100, 7), 0);
	assert_int_equal(sell_at(&cart, T("tea"), 100, 19), 0);
	assert_int_equal(sell_at(&cart, T("tea"), 100, 7), 0);
	sell(&cart, T("tea"), 100);
	assert_int_equal(kit_head(&cart).line_count, 3);
	assert_int_equal(kit_line(&cart, 0).quantity, 2);
	assert_int_equal(kit_line(&cart, 1).quantity, 2);
	assert_int_equal(kit_line(&cart, 1).tax_ppm, 7 * PERCENT);
	assert_int_equal(kit_line(&cart, 2).quantity, 1);
	kit_free(&cart);
}

static void a_line_may_get_another_rate_later(void **state)
{
	struct kit_cart cart = { 0 };
	struct corral_head head;

	(void)state;
	assert_int_equal(sell_at(&cart, T("coffee"), 360, 19), 0);
	head = kit_numbers(&cart);
	assert_rate(&head, 0, 19, 360, 68); /* of 68.4 */
	assert_int_equal(kit_set_line_tax(&cart, 1, 7 * PERCENT + 1), 0);
	head = kit_numbers(&cart);
	assert_rate(&head, 0, 7, 360, 25); /* of 25.2 */
	assert_int_equal(kit_line(&cart, 0).own_rate, 1);
	assert_int_equal(sell_at(&cart, T("coffee"), 360, 7), 0); /* merges */
	assert_int_equal(sell_at(&cart, T("coffee"), 360, 19), 0);
	assert_int_equal(kit_numbers(&cart).line_count, 2);
	assert_int_equal(kit_set_line_tax(&cart, 1, 0), 0);
	sell(&cart, T("coffee"), 360); /* merges, too */
	assert_int_equal(kit_line(&cart, 0).quantity, 3);
	assert_int_equal(kit_line(&cart, 0).own_rate, 0);
	assert_int_equal(kit_set_line_tax(&cart, 1, CORRAL_TAX_PPM_MAX + 2), -ERANGE);
	assert_int_equal(kit_set_line_tax(&cart, 3, 0), -ENXIO);
	kit_free(&cart);
}

static void a_line_that_stays_separate_does_so_at_any_rate(void **state)
{
	struct kit_cart cart = { 0 };
	struct corral_item item = kit_item(T("cake"), 500, 1);

	(void)state;
	item.separate = 1;
	assert_int_equal(kit_add_item(&cart, &item, T("")), 0);
	assert_int_equal(kit_set_line_tax(&cart, 1, 7 * PERCENT + 1), 0);
	assert_int_equal(sell_at(&cart, T("cake"), 500, 7), 0);
	assert_int_equal(kit_numbers(&cart).line_count, 2);
	kit_free(&cart);
}

static void a_cart_has_eight_rates_at_most(void **state)
{
	struct kit_cart cart = { 0 };

	(void)state;
	sell(&cart, T("at the cart's"), 100);
	for (uint32_t percent = 1; percent < 8; percent++)
		assert_int_equal(sell_at(&cart, T("x"), 100, percent), 0);
	assert_int_equal(sell_at(&cart, T("x"), 100, 9), -E2BIG);
	assert_int_equal(kit_remove(&cart, 3), 0); /* 2 % has no line any more */
	assert_int_equal(sell_at(&cart, T("x"), 100, 9), 0);
	assert_int_equal(kit_numbers(&cart).rate_count, 8);
	assert_int_equal(kit_set_tax(&cart, 5 * PERCENT), 0);
	assert_int_equal(kit_numbers(&cart).rate_count, 7);
	kit_free(&cart);
}

static void prices_may_have_the_tax_inside(void **state)
{
	struct kit_cart cart = { 0 };
	struct corral_head head;

	(void)state;
	assert_int_equal(kit_set_pricing(&cart, CORRAL_TAX_INSIDE), 0);
	assert_int_equal(kit_set_tax(&cart, 7 * PERCENT), 0);
	sell(&cart, T("soup"), 535);
	assert_int_equal(sell_at(&cart, T("beer"), 500, 19), 0);
	head = kit_numbers(&cart);
	assert_rate(&head, 0, 7, 500, 35);
	assert_rate(&head, 1, 19, 420, 80); /* of 79.83 */
	assert_int_equal(head.subtotal_cents, 1035);
	assert_int_equal(head.tax_cents, 115);
	assert_int_equal(head.total_cents, 1035);
	kit_free(&cart);
}

static void half_a_cent_goes_away_from_zero_or_to_the_even_one(void **state)
{
	static const struct {
		int64_t cents, away, even;
	} examples[] = {
		{ 250, 13, 12 },    /* 5 % of 2.50 are 12.5 cents */
		{ 350, 18, 18 },    /* 17.5 */
		{ -250, -13, -12 }, /* -12.5 */
		{ -350, -18, -18 }, /* -17.5 */
		{ 251, 13, 13 },    /* 12.55: not half */
	};

	(void)state;
	for (uint32_t i = 0; i < COUNT(examples); i++) {
		assert_int_equal(cart_tax_of(examples[i].cents, 5 * PERCENT, 0), examples[i].away);
		assert_int_equal(cart_tax_of(examples[i].cents, 5 * PERCENT, CORRAL_HALF_EVEN),
				 examples[i].even);
	}
}

static void only_the_sum_of_a_rate_has_to_fit(void **state)
{
	static const struct corral_modifier less = { T("less"), INT64_MIN + 1 };
	struct corral_item item = kit_item(T("less"), 0, 1);
	struct kit_cart cart = { 0 };

	(void)state;
	item.modifiers = &less;
	item.modifier_count = 1;
	item.own_rate = 1; /* 0 %, as the cart's */
	assert_int_equal(kit_set_pricing(&cart, CORRAL_BELOW_ZERO), 0);
	assert_int_equal(kit_add_item(&cart, &item, T("")), 0);
	sell(&cart, T("a"), INT64_MAX);
	sell(&cart, T("b"), 10); /* with "a" more than fits, with "less" 10 */
	assert_int_equal(kit_numbers(&cart).total_cents, 10);
	kit_free(&cart);
}

/* ------------------------------------------------------------ adjustments */

static void adjustments_come_before_or_after_tax(void **state)
{
	struct kit_cart cart = { 0 };
	struct corral_head head;

	(void)state;
	assert_int_equal(kit_set_tax(&cart, 8 * PERCENT), 0);
	sell(&cart, T("pizza"), 2000);
	assert_int_equal(kit_adjust(&cart, T("10 % off"), CORRAL_DISCOUNT, false, 100000, 0), 0);
	assert_int_equal(kit_adjust(&cart, T("delivery"), CORRAL_FEE, false, 0, 300), 0);
	assert_int_equal(kit_adjust(&cart, T("tip"), CORRAL_TIP, true, 150000, 0), 0);
	head = kit_numbers(&cart);
	assert_int_equal(head.subtotal_cents, 2000);
	assert_int_equal(head.before_tax_cents, -200 + 300);
	assert_rate(&head, 0, 8, 2100, 168);
	assert_int_equal(head.after_tax_cents, 300); /* 15 % of the subtotal, not of 21.00 */
	assert_int_equal(head.total_cents, 2568);
	kit_free(&cart);
}

static void a_discount_is_spread_without_losing_a_cent(void **state)
{
	struct kit_cart cart = { 0 };
	struct corral_head head;

	(void)state;
	assert_int_equal(sell_at(&cart, T("c"), 1000, 20), 0);
	assert_int_equal(sell_at(&cart, T("a"), 1000, 5), 0);
	assert_int_equal(sell_at(&cart, T("b"), 1000, 10), 0);
	assert_int_equal(kit_adjust(&cart, T("first"), CORRAL_DISCOUNT, false, 0, 100), 0);
	head = kit_numbers(&cart);
	assert_rate(&head, 0, 5, 966, 48); /* 33.3 each: the lower rate has the cent left */
	assert_rate(&head, 1, 10, 967, 97);
	assert_rate(&head, 2, 20, 967, 193);
	assert_int_equal(kit_adjust(&cart, T("second"), CORRAL_DISCOUNT, false, 0, 2), 0);
	head = kit_numbers(&cart);
	/* 0.6662, 0.6669 and 0.6669 of what the first has left: two get a cent */
	assert_rate(&head, 0, 5, 966, 48);
	assert_rate(&head, 1, 10, 966, 97);
	assert_rate(&head, 2, 20, 966, 193);
	assert_int_equal(head.total_cents, 3000 - 102 + 48 + 97 + 193);
	kit_free(&cart);
}

static void an_adjustment_keeps_its_place_until_it_is_taken_away(void **state)
{
	struct corral_adjustment adjustment;
	struct kit_cart cart = { 0 };

	(void)state;
	sell(&cart, T("a"), 1000);
	assert_int_equal(kit_adjust(&cart, T("x"), CORRAL_FEE, true, 0, 1), 0);
	assert_int_equal(kit_adjust(&cart, T("y"), CORRAL_FEE, true, 0, 2), 0);
	assert_int_equal(kit_adjust(&cart, T("x"), CORRAL_DISCOUNT, true, 0, 3), 0);
	assert_int_equal(cart_get_adjustment(cart.bytes, cart.size, 0, &adjustment), 0);
	kit_text_equal(adjustment.name, T("x"));
	assert_int_equal(adjustment.amount_cents, -3);
	assert_int_equal(kit_numbers(&cart).total_cents, 999);
	assert_int_equal(kit_remove_adjustment(&cart, T("z")), -ENXIO);
	assert_int_equal(kit_remove_adjustment(&cart, T("x")), 0);
	assert_int_equal(cart_get_adjustment(cart.bytes, cart.size, 0, &adjustment), 0);
	kit_text_equal(adjustment.name, T("y"));
	assert_int_equal(cart_get_adjustment(cart.bytes, cart.size, 1, &adjustment), -ENXIO);
	kit_free(&cart);
}

static void a_fee_on_nothing_is_taxed_at_the_carts_rate(void **state)
{
	struct kit_cart cart = { 0 };
	struct corral_head head;

	(void)state;
	assert_int_equal(kit_set_tax(&cart, 10 * PERCENT), 0);
	assert_int_equal(kit_adjust(&cart, T("cover"), CORRAL_FEE, false, 0, 500), 0);
	head = kit_numbers(&cart);
	assert_rate(&head, 0, 10, 500, 50);
	assert_int_equal(sell_at(&cart, T("bread"), 0, 5), 0); /* free */
	head = kit_numbers(&cart);
	assert_rate(&head, 0, 5, 0, 0);
	assert_rate(&head, 1, 10, 500, 50);
	kit_free(&cart);
}

static void a_cleared_cart_has_no_adjustments_and_keeps_its_pricing(void **state)
{
	struct kit_cart cart = { 0 };

	(void)state;
	sell(&cart, T("a"), 1000);
	assert_int_equal(kit_set_pricing(&cart, CORRAL_TAX_INSIDE), 0);
	assert_int_equal(kit_adjust(&cart, T("off"), CORRAL_DISCOUNT, false, 0, 500), 0);
	assert_int_equal(kit_simple(&cart, CART_CLEAR), 0);
	assert_int_equal(kit_numbers(&cart).adjustment_count, 0);
	assert_int_equal(kit_numbers(&cart).total_cents, 0);
	assert_int_equal(kit_numbers(&cart).pricing, CORRAL_TAX_INSIDE);
	kit_free(&cart);
}

static void malformed_adjustments_are_refused(void **state)
{
	static char long_name[CORRAL_ADJUSTMENT_NAME_MAX + 1];
	struct corral_text too_long = { long_name, sizeof(long_name) };
	struct kit_cart cart = { 0 };
	char name[] = "0";

	(void)state;
	memset(long_name, 'x', sizeof(long_name));
	sell(&cart, T("a"), 1000);
	assert_int_equal(kit_adjust(&cart, T(""), CORRAL_FEE, false, 0, 1), -EINVAL);
	assert_int_equal(kit_adjust(&cart, too_long, CORRAL_FEE, false, 0, 1), -ENAMETOOLONG);
	assert_int_equal(kit_adjust(&cart, T("\xff"), CORRAL_FEE, false, 0, 1), -EILSEQ);
	assert_int_equal(kit_adjust(&cart, T("x"), 0, false, 0, 1), -EINVAL);
	assert_int_equal(kit_adjust(&cart, T("x"), CORRAL_SERVICE + 1, false, 0, 1), -EINVAL);
	assert_int_equal(kit_adjust(&cart, T("x"), CORRAL_FEE, false, 1, 1), -EINVAL);
	assert_int_equal(kit_adjust(&cart, T("x"), CORRAL_FEE, false, 0, -1), -ERANGE);
	assert_int_equal(kit_adjust(&cart, T("x"), CORRAL_FEE, false, CORRAL_TAX_PPM_MAX + 1, 0),
			 -ERANGE);
	assert_int_equal(kit_set_pricing(&cart, 8), -EINVAL);
	for (uint32_t i = 0; i < CORRAL_ADJUSTMENTS_MAX; i++) {
		name[0] = (char)('a' + i);
		assert_int_equal(
			kit_adjust(&cart, (struct corral_text){ name, 1 }, CORRAL_FEE, false, 0, 1),
			0);
	}
	assert_int_equal(kit_adjust(&cart, T("more"), CORRAL_FEE, false, 0, 1), -E2BIG);
	assert_int_equal(kit_numbers(&cart).total_cents, 1000 + CORRAL_ADJUSTMENTS_MAX);
	kit_free(&cart);
}

static void a_total_below_zero_is_refused_unless_the_cart_allows_it(void **state)
{
	struct kit_cart cart = { 0 };

	(void)state;
	sell(&cart, T("a"), 500);
	sell(&cart, T("b"), 500);
	assert_int_equal(kit_adjust(&cart, T("voucher"), CORRAL_DISCOUNT, true, 0, 800), 0);
	assert_int_equal(kit_remove(&cart, 1), -EDOM); /* 5.00 - 8.00 */
	assert_int_equal(kit_numbers(&cart).total_cents, 200);
	assert_int_equal(kit_set_pricing(&cart, CORRAL_BELOW_ZERO), 0);
	assert_int_equal(kit_remove(&cart, 1), 0);
	assert_int_equal(kit_numbers(&cart).total_cents, -300);
	assert_int_equal(kit_set_pricing(&cart, 0), -EDOM);
	kit_free(&cart);
}

static void a_total_below_zero_of_a_plain_cart_is_refused(void **state)
{
	static const struct corral_modifier less = { T("less"), -200 };
	struct corral_item item = kit_item(T("a"), 100, 1);
	struct kit_cart cart = { 0 };

	(void)state;
	item.modifiers = &less;
	item.modifier_count = 1;
	assert_int_equal(kit_add_item(&cart, &item, T("")), -EDOM);
	sell(&cart, T("b"), 100);
	assert_int_equal(kit_add_item(&cart, &item, T("")), 0);
	assert_int_equal(kit_numbers(&cart).total_cents, 0);
	kit_free(&cart);
}

/* ------------------------------------------------------------ currencies */

static void a_cart_with_lines_keeps_its_currency(void **state)
{
	struct kit_cart cart = { 0 };
	struct corral_head head;

	(void)state;
	assert_int_equal(kit_set_currency(&cart, T("EUR")), 0);
	assert_int_equal(kit_set_currency(&cart, T("JPY")), 0);
	sell(&cart, T("ramen"), 500);
	assert_int_equal(kit_set_currency(&cart, T("EUR")), -ENOTEMPTY);
	assert_int_equal(kit_set_currency(&cart, T("JPY")), 0); /* it has it */
	head = kit_numbers(&cart);
	assert_string_equal(head.currency, "JPY");
	assert_int_equal(head.currency_digits, 0);
	assert_int_equal(kit_simple(&cart, CART_CLEAR), 0);
	assert_int_equal(kit_set_currency(&cart, T("KWD")), 0);
	assert_int_equal(kit_numbers(&cart).currency_digits, 3);
	assert_int_equal(kit_adjust(&cart, T("fee"), CORRAL_FEE, true, 0, 1), 0);
	assert_int_equal(kit_set_currency(&cart, T("EUR")), -ENOTEMPTY);
	kit_free(&cart);
}

static void codes_are_those_of_iso_4217(void **state)
{
	static const struct {
		struct corral_text code;
		int digits;
	} examples[] = {
		{ T("EUR"), 2 },           { T("USD"), 2 }, { T("JPY"), 0 },  { T("KWD"), 3 },
		{ T("CLF"), 4 },           { T("AED"), 2 }, { T("ZWG"), 2 },  { T("BIF"), 0 },
		{ T("XPF"), 0 },           { T("UYW"), 4 }, { T("XTS"), -1 }, { T("eur"), -1 },
		{ T("EURO"), -1 },         { T("EU"), -1 }, { T("UR "), -1 }, { T(""), -1 },
		{ T("\xff\xff\xff"), -1 },
	};
	uint32_t digits;
	char code[4];

	(void)state;
	for (uint32_t i = 0; i < COUNT(examples); i++) {
		uint32_t currency = cart_currency(examples[i].code);

		assert_true(cart_currency_valid(currency));
		assert_int_equal(currency != 0, examples[i].digits >= 0);
		if (currency == 0)
			continue;
		cart_currency_code(currency, code, &digits);
		assert_int_equal(digits, examples[i].digits);
		kit_text_equal((struct corral_text){ code, strlen(code) }, examples[i].code);
	}
	cart_currency_code(0, code, &digits);
	assert_string_equal(code, "");
	assert_int_equal(digits, 2);
}

static void a_new_cart_gets_the_currency_of_its_arena(void **state)
{
	struct cart_change change = kit_change(CART_SET_TAX);
	struct kit_cart cart = { 0 };

	(void)state;
	change.currency = cart_currency(T("CHF"));
	assert_int_equal(kit_apply(&cart, &change), 0);
	change.currency = cart_currency(T("EUR"));
	assert_int_equal(kit_apply(&cart, &change), 0);
	assert_string_equal(kit_numbers(&cart).currency, "CHF");
	kit_free(&cart);
}

/* ------------------------------------------------------------ whole carts */

static void a_replacement_brings_its_rates_adjustments_and_pricing(void **state)
{
	static const struct corral_adjustment adjustments[] = {
		{ .name = T("off"), .kind = CORRAL_DISCOUNT, .ppm = 500000 },
		{ .name = T("tip"), .kind = CORRAL_TIP, .after_tax = 1, .cents = 100 },
	};
	struct cart_change change = kit_change(CART_REPLACE);
	struct corral_item item = kit_item(T("a"), 1000, 1);
	struct cart_draft_line line = { .quantity = 1 };
	struct kit_cart cart = { 0 };
	struct corral_head head;
	uint8_t words[256];

	(void)state;
	assert_int_equal(sell_at(&cart, T("old"), 1, 3), 0);
	assert_int_equal(kit_adjust(&cart, T("old"), CORRAL_FEE, false, 0, 1), 0);
	item.own_rate = 1;
	item.tax_ppm = 10 * PERCENT;
	assert_int_equal(cart_pack_item(&item, KIT_SEED, words, sizeof(words), &line.words), 0);
	change.if_version = 2;
	change.draft = (struct cart_draft){ .lines = &line,
					    .line_count = 1,
					    .pricing = CORRAL_HALF_EVEN,
					    .adjustments = adjustments,
					    .adjustment_count = COUNT(adjustments) };
	assert_int_equal(kit_apply(&cart, &change), 0);
	head = kit_numbers(&cart);
	assert_int_equal(head.rate_count, 1);
	assert_rate(&head, 0, 10, 500, 50);
	assert_int_equal(head.adjustment_count, 2);
	assert_int_equal(head.pricing, CORRAL_HALF_EVEN);
	assert_int_equal(head.total_cents, 650);
	change.if_version = 3;
	change.draft.currency = cart_currency(T("EUR"));
	assert_int_equal(kit_apply(&cart, &change), -ENOTEMPTY);
	kit_free(&cart);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rate_is_rounded_once_on_the_sum_of_its_lines),
		cmocka_unit_test(a_rate_of_its_own_stays_when_the_carts_is_changed),
		cmocka_unit_test(items_of_different_rates_are_different_lines),
		cmocka_unit_test(a_line_may_get_another_rate_later),
		cmocka_unit_test(a_line_that_stays_separate_does_so_at_any_rate),
		cmocka_unit_test(a_cart_has_eight_rates_at_most),
		cmocka_unit_test(prices_may_have_the_tax_inside),
		cmocka_unit_test(half_a_cent_goes_away_from_zero_or_to_the_even_one),
		cmocka_unit_test(only_the_sum_of_a_rate_has_to_fit),
		cmocka_unit_test(adjustments_come_before_or_after_tax),
		cmocka_unit_test(a_discount_is_spread_without_losing_a_cent),
		cmocka_unit_test(an_adjustment_keeps_its_place_until_it_is_taken_away),
		cmocka_unit_test(a_fee_on_nothing_is_taxed_at_the_carts_rate),
		cmocka_unit_test(a_cleared_cart_has_no_adjustments_and_keeps_its_pricing),
		cmocka_unit_test(malformed_adjustments_are_refused),
		cmocka_unit_test(a_total_below_zero_is_refused_unless_the_cart_allows_it),
		cmocka_unit_test(a_total_below_zero_of_a_plain_cart_is_refused),
		cmocka_unit_test(a_cart_with_lines_keeps_its_currency),
		cmocka_unit_test(codes_are_those_of_iso_4217),
		cmocka_unit_test(a_new_cart_gets_the_currency_of_its_arena),
		cmocka_unit_test(a_replacement_brings_its_rates_adjustments_and_pricing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
