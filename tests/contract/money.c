/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * money.c: tax rates of lines, prices with tax inside, adjustments, totals below zero, currencies.
 * The examples of corral(7) are in 50_cart_money.
 */
#include "contract.h"

#define PERCENT 10000u

static const struct corral_adjustment ten_off = { .name = { "ten off", 7 },
						  .kind = CORRAL_DISCOUNT,
						  .ppm = 10 * PERCENT };
static const struct corral_adjustment tip = {
	.name = { "tip", 3 }, .kind = CORRAL_TIP, .after_tax = 1, .cents = 200
};

/* A step that adds one item, with a rate of its own. */
static struct corral_step sell_at(struct corral_item *item, const char *id, int64_t cents,
				  uint32_t percent)
{
	*item = contract_item(id, cents, 1);
	item->own_rate = 1;
	item->tax_ppm = percent * PERCENT;
	return (struct corral_step){ .kind = CORRAL_STEP_ADD, .item = item };
}

static int apply(const struct contract *c, const struct corral_step *steps, uint32_t count,
		 struct corral_result *ret_result)
{
	return corral_apply(c->corral, &c->key, steps, count, NULL, ret_result, NULL);
}

/* A burger of 10.00 at 7 %, wine of 5.00 at 19 %, 10 % off, and a tip of 2.00. */
static struct corral_result order(const struct contract *c, const struct corral_op *op)
{
	struct corral_item burger = contract_item("burger", 1000, 1), wine;
	struct corral_step steps[] = {
		{ .kind = CORRAL_STEP_SET_TAX, .tax_ppm = 7 * PERCENT },
		{ .kind = CORRAL_STEP_ADD, .item = &burger },
		sell_at(&wine, "wine", 500, 19),
		{ .kind = CORRAL_STEP_SET_ADJUSTMENT, .adjustment = &ten_off },
		{ .kind = CORRAL_STEP_SET_ADJUSTMENT, .adjustment = &tip },
	};
	struct corral_result r;

	gives(0, corral_apply(c->corral, &c->key, steps, COUNT(steps), op, &r, NULL));
	return r;
}

/* 9.00 and 0.63, 4.50 and 0.86 (of 0.855), and the tip. */
static void assert_order(const struct corral_rate *rates, uint32_t count)
{
	assert_int_equal(count, 2);
	assert_int_equal(rates[0].tax_ppm, 7 * PERCENT);
	assert_int_equal(rates[0].base_cents, 900);
	assert_int_equal(rates[0].tax_cents, 63);
	assert_int_equal(rates[1].tax_ppm, 19 * PERCENT);
	assert_int_equal(rates[1].base_cents, 450);
	assert_int_equal(rates[1].tax_cents, 86);
}

static void an_answer_and_a_head_list_base_and_tax_by_rate(struct contract *c)
{
	struct corral_result r = order(c, NULL);
	struct corral_head head = contract_head(c);

	assert_order(r.rates, r.rate_count);
	assert_order(head.rates, head.rate_count);
	assert_int_equal(r.subtotal_cents, 1500);
	assert_int_equal(r.before_tax_cents, -150);
	assert_int_equal(r.after_tax_cents, 200);
	assert_int_equal(r.tax_cents, 149);
	assert_int_equal(r.total_cents, 1500 - 150 + 149 + 200);
	assert_int_equal(head.before_tax_cents, -150);
	assert_int_equal(head.after_tax_cents, 200);
	assert_int_equal(head.total_cents, r.total_cents);
	assert_int_equal(head.adjustment_count, 2);
}

static void a_cart_with_one_rate_lists_it(struct contract *c)
{
	struct corral_result r = contract_add(c, "tea", 150, 2);
	struct corral_head head = contract_head(c);

	assert_int_equal(r.rate_count, 1);
	assert_int_equal(r.rates[0].base_cents, 300);
	assert_int_equal(head.rate_count, 1);
	assert_int_equal(head.rates[0].base_cents, 300);
	gives(0, corral_clear(c->corral, &c->key, NULL, &r));
	assert_int_equal(r.rate_count, 0);
}

static void a_view_shows_rates_and_adjustments(struct contract *c)
{
	struct corral_adjustment adjustment;
	struct corral_view view;
	struct corral_line line;

	(void)order(c, NULL);
	gives(0, corral_read_begin(c->corral, &c->key, &view));
	gives(0, corral_view_line(&view, 0, &line));
	assert_int_equal(line.own_rate, 0);
	gives(0, corral_view_line(&view, 1, &line));
	assert_int_equal(line.own_rate, 1);
	assert_int_equal(line.tax_ppm, 19 * PERCENT);
	gives(0, corral_view_adjustment(&view, 0, &adjustment));
	assert_true(contract_same_text(adjustment.name, ten_off.name));
	assert_int_equal(adjustment.kind, CORRAL_DISCOUNT);
	assert_int_equal(adjustment.amount_cents, -150);
	gives(0, corral_view_adjustment(&view, 1, &adjustment));
	assert_int_equal(adjustment.after_tax, 1);
	assert_int_equal(adjustment.cents, 200);
	assert_int_equal(adjustment.amount_cents, 200);
	gives(-ENXIO, corral_view_adjustment(&view, 2, &adjustment));
	gives(0, corral_read_end(&view));
}

static void a_cart_that_was_read_can_be_put_back_whole(struct contract *c)
{
	struct corral_step pricing = { .kind = CORRAL_STEP_SET_PRICING,
				       .pricing = CORRAL_HALF_EVEN };
	struct corral_result r;
	struct corral_cart *cart;

	(void)order(c, NULL);
	gives(0, apply(c, &pricing, 1, &r));
	cart = contract_get(c);
	assert_int_equal(cart->adjustment_count, 2);
	assert_int_equal(cart->lines[1].item.tax_ppm, 19 * PERCENT);
	gives(0, corral_clear(c->corral, &c->key, NULL, &r));
	struct corral_op op = { .if_version = r.version };
	cart->lines[0].line = cart->lines[1].line = 0;
	gives(0, corral_replace(c->corral, &c->key, cart, &op, &r));
	assert_int_equal(r.total_cents, cart->head.total_cents);
	assert_memory_equal(r.rates, cart->head.rates, 2 * sizeof(r.rates[0]));
	assert_int_equal(contract_head(c).pricing, CORRAL_HALF_EVEN);
	corral_cart_free(cart);
}

static void a_repeat_answers_the_total_of_the_first_time(struct contract *c)
{
	struct corral_op op = contract_op("order", 0);
	struct corral_result first = order(c, &op), again = order(c, &op);

	assert_int_equal(again.applied, 0);
	assert_int_equal(again.before_tax_cents, first.before_tax_cents);
	assert_int_equal(again.after_tax_cents, first.after_tax_cents);
	assert_order(again.rates, again.rate_count); /* nothing has changed it since */
	gives(0, corral_clear(c->corral, &c->key, NULL, NULL));
	again = order(c, &op);
	assert_int_equal(again.applied, 0);
	assert_int_equal(again.subtotal_cents, first.subtotal_cents);
	assert_int_equal(again.tax_cents, first.tax_cents);
	assert_int_equal(again.total_cents, first.total_cents);
	assert_int_equal(again.rate_count, 0); /* they are not remembered with an operation */
	assert_int_equal(again.before_tax_cents, 0);
	assert_int_equal(again.after_tax_cents, 0);
}

static void another_amount_is_another_change(struct contract *c)
{
	struct corral_op op = contract_op("fee", 0);
	struct corral_adjustment fee = { .name = T("fee"), .kind = CORRAL_FEE, .cents = 100 };
	struct corral_step set = { .kind = CORRAL_STEP_SET_ADJUSTMENT, .adjustment = &fee };
	struct corral_item item;
	struct corral_step sell = sell_at(&item, "tea", 100, 7);

	gives(0, corral_apply(c->corral, &c->key, &set, 1, &op, NULL, NULL));
	fee.cents = 101;
	gives(-ENOTUNIQ, corral_apply(c->corral, &c->key, &set, 1, &op, NULL, NULL));
	fee = (struct corral_adjustment){ .name = T("fee"), .kind = CORRAL_TIP, .cents = 100 };
	gives(-ENOTUNIQ, corral_apply(c->corral, &c->key, &set, 1, &op, NULL, NULL));
	op = contract_op("tea", 0);
	gives(0, corral_apply(c->corral, &c->key, &sell, 1, &op, NULL, NULL));
	item.tax_ppm++;
	gives(-ENOTUNIQ, corral_apply(c->corral, &c->key, &sell, 1, &op, NULL, NULL));
	item.own_rate = 0;
	gives(-ENOTUNIQ, corral_apply(c->corral, &c->key, &sell, 1, &op, NULL, NULL));
}

static struct corral_step tax_line(uint32_t line, uint32_t percent)
{
	return (struct corral_step){ .kind = CORRAL_STEP_SET_LINE_TAX,
				     .line = line,
				     .own_rate = 1,
				     .tax_ppm = percent * PERCENT };
}

static void a_line_gets_another_rate_and_the_carts_again(struct contract *c)
{
	struct corral_step step = tax_line(1, 19);
	struct corral_op op = contract_op("take away", 0);
	struct corral_result r;
	uint32_t line = 0;

	(void)order(c, NULL);
	gives(0, corral_apply(c->corral, &c->key, &step, 1, &op, &r, &line)); /* the burger */
	assert_int_equal(line, 1);
	assert_int_equal(r.rate_count, 1);
	assert_int_equal(r.rates[0].tax_ppm, 19 * PERCENT);
	assert_int_equal(r.rates[0].base_cents, 1350);
	assert_int_equal(r.rates[0].tax_cents, 257); /* of 256.5 */
	assert_int_equal(r.total_cents, 1350 + 257 + 200);
	gives(0, corral_apply(c->corral, &c->key, &step, 1, &op, &r, &line));
	assert_int_equal(r.applied, 0);
	assert_int_equal(line, 1);
	step.tax_ppm++;
	gives(-ENOTUNIQ, corral_apply(c->corral, &c->key, &step, 1, &op, NULL, NULL));
	step = (struct corral_step){ .kind = CORRAL_STEP_SET_LINE_TAX, .line = 1 };
	gives(0, apply(c, &step, 1, &r));
	assert_order(r.rates, r.rate_count);
	step.line = 0, step.menu_item_id = T("wine");
	gives(0, apply(c, &step, 1, &r));
	assert_int_equal(r.line, 2);
	assert_int_equal(r.rate_count, 1);
	assert_int_equal(r.rates[0].tax_ppm, 7 * PERCENT);
	assert_int_equal(r.rates[0].base_cents, 1350);
}

static void equal_items_merge_into_the_line_with_their_rate(struct contract *c)
{
	struct corral_item in[2], out[2];
	struct corral_step steps[] = {
		sell_at(&in[0], "tea", 100, 19), /* line 1 */
		tax_line(1, 7),
		sell_at(&in[1], "tea", 100, 19), /* line 2 */
		sell_at(&out[0], "tea", 100, 7), /* into line 1 */
		tax_line(2, 7),                  /* equal to line 1, but another line */
		sell_at(&out[1], "tea", 100, 7), /* into the first of them */
	};
	static const uint32_t want[] = { 1, 1, 2, 1, 2, 1 };
	uint32_t lines[COUNT(steps)];
	struct corral_result r;

	gives(0, corral_apply(c->corral, &c->key, steps, COUNT(steps), NULL, &r, lines));
	assert_memory_equal(lines, want, sizeof(want));
	assert_int_equal(r.rate_count, 1);
	assert_int_equal(r.rates[0].base_cents, 400);
	/* what is in the cart already goes the same way */
	gives(0, corral_clear(c->corral, &c->key, NULL, NULL));
	for (size_t i = 0; i < COUNT(steps); i++) {
		steps[i].line += steps[i].line != 0 ? 2 : 0; /* numbers are not given out again */
		gives(0, apply(c, &steps[i], 1, &r));
		assert_int_equal(r.line, want[i] + 2);
	}
	assert_int_equal(r.rates[0].base_cents, 400);
}

static void a_cart_has_so_many_rates_and_no_more(struct contract *c)
{
	struct corral_item items[CORRAL_RATES_MAX + 1];
	struct corral_step steps[CORRAL_RATES_MAX + 1];
	struct corral_result r;

	for (uint32_t i = 0; i < COUNT(steps); i++)
		steps[i] = sell_at(&items[i], i % 2 != 0 ? "tea" : "pie", 100, i < 8 ? i : 3);
	gives(0, apply(c, steps, COUNT(steps), &r));
	assert_int_equal(r.rate_count, CORRAL_RATES_MAX);
	steps[0] = tax_line(9, 50); /* the pie at 3 %, which is a line of its own */
	gives(-E2BIG, apply(c, steps, 1, &r));
	assert_int_equal(r.step, 0); /* rates count when all steps are done */
	steps[1] = tax_line(1, 50);  /* now no line is at 0 % any more */
	gives(0, apply(c, steps, 2, &r));
	assert_int_equal(r.rate_count, CORRAL_RATES_MAX);
	assert_int_equal(r.rates[CORRAL_RATES_MAX - 1].base_cents, 200);
}

static void an_adjustment_is_taken_away_by_its_name(struct contract *c)
{
	struct corral_step steps[] = {
		{ .kind = CORRAL_STEP_REMOVE_ADJUSTMENT, .name = T("tip") },
		{ .kind = CORRAL_STEP_REMOVE_ADJUSTMENT, .name = T("tip") },
	};
	struct corral_result r = order(c, NULL);
	int64_t total_cents = r.total_cents;

	gives(-ENXIO, apply(c, steps, 2, &r)); /* the first has taken it away */
	assert_int_equal(r.step, 2);
	assert_int_equal(contract_head(c).total_cents, total_cents);
	gives(0, apply(c, steps, 1, &r));
	assert_int_equal(r.total_cents, total_cents - 200);
}

static void a_total_below_zero_is_refused_unless_the_cart_allows_it(struct contract *c)
{
	struct corral_adjustment voucher = {
		.name = T("voucher"), .kind = CORRAL_DISCOUNT, .after_tax = 1, .cents = 800
	};
	struct corral_step steps[] = {
		{ .kind = CORRAL_STEP_SET_ADJUSTMENT, .adjustment = &voucher },
		{ .kind = CORRAL_STEP_SET_PRICING, .pricing = CORRAL_BELOW_ZERO },
	};
	struct corral_result r;

	(void)contract_add(c, "tea", 500, 1);
	gives(-EDOM, apply(c, steps, 1, &r));
	assert_int_equal(r.step, 0); /* totals count when all steps are done */
	assert_int_equal(contract_head(c).total_cents, 500);
	gives(0, apply(c, steps, 2, &r));
	assert_int_equal(r.total_cents, -300);
}

static void malformed_steps_are_refused(struct contract *c)
{
	struct corral_adjustment bad[] = {
		{ .name = T(""), .kind = CORRAL_FEE },
		{ .name = T("x"), .kind = 0 },
		{ .name = T("x"), .kind = CORRAL_SERVICE + 1 },
		{ .name = T("x"), .kind = CORRAL_FEE, .after_tax = 2 },
		{ .name = T("x"), .kind = CORRAL_FEE, .ppm = 1, .cents = 1 },
		{ .name = T("x"), .kind = CORRAL_FEE, .reserved = 1 },
	};
	struct corral_step step = { .kind = CORRAL_STEP_SET_ADJUSTMENT };
	struct corral_item item = contract_item("tea", 100, 1);

	gives(-EINVAL, apply(c, &step, 1, NULL));
	for (size_t i = 0; i < COUNT(bad); i++) {
		step.adjustment = &bad[i];
		gives(-EINVAL, apply(c, &step, 1, NULL));
	}
	step = (struct corral_step){ .kind = CORRAL_STEP_SET_PRICING, .pricing = 8 };
	gives(-EINVAL, apply(c, &step, 1, NULL));
	step.pricing = 256;
	gives(-EINVAL, apply(c, &step, 1, NULL));
	step = (struct corral_step){ .kind = CORRAL_STEP_SET_CURRENCY, .name = T("eur") };
	gives(-EINVAL, apply(c, &step, 1, NULL));
	item.own_rate = 2;
	gives(-EINVAL, corral_add(c->corral, &c->key, &item, NULL, NULL));
	item.own_rate = 1, item.tax_ppm = CORRAL_TAX_PPM_MAX + 1;
	gives(-ERANGE, corral_add(c->corral, &c->key, &item, NULL, NULL));
}

static void a_cart_with_lines_keeps_its_currency(struct contract *c)
{
	struct corral_step set = { .kind = CORRAL_STEP_SET_CURRENCY, .name = T("JPY") };
	struct corral_head head;

	gives(0, apply(c, &set, 1, NULL)); /* it makes the cart */
	(void)contract_add(c, "ramen", 500, 1);
	head = contract_head(c);
	assert_string_equal(head.currency, "JPY");
	assert_int_equal(head.currency_digits, 0);
	set.name = T("EUR");
	gives(-ENOTEMPTY, apply(c, &set, 1, NULL));
	struct corral_cart *cart = contract_get(c);
	struct corral_op op = { .if_version = cart->head.version };
	memcpy(cart->head.currency, "EUR", 4);
	gives(-ENOTEMPTY, corral_replace(c->corral, &c->key, cart, &op, NULL));
	memcpy(cart->head.currency, "", 1);
	gives(0, corral_replace(c->corral, &c->key, cart, &op, NULL));
	corral_cart_free(cart);
	gives(0, corral_clear(c->corral, &c->key, NULL, NULL));
	gives(0, apply(c, &set, 1, NULL));
	assert_string_equal(contract_head(c).currency, "EUR");
	assert_int_equal(corral_currency_digits(T("EUR")), 2);
	assert_int_equal(corral_currency_digits(T("KWD")), 3);
	assert_int_equal(corral_currency_digits(T("euro")), -EINVAL);
}

const struct contract_case money_cases[] = {
	CASE(an_answer_and_a_head_list_base_and_tax_by_rate),
	CASE(a_cart_with_one_rate_lists_it),
	CASE(a_view_shows_rates_and_adjustments),
	CASE(a_cart_that_was_read_can_be_put_back_whole),
	CASE(a_repeat_answers_the_total_of_the_first_time),
	CASE(another_amount_is_another_change),
	CASE(a_line_gets_another_rate_and_the_carts_again),
	CASE(equal_items_merge_into_the_line_with_their_rate),
	CASE(a_cart_has_so_many_rates_and_no_more),
	CASE(an_adjustment_is_taken_away_by_its_name),
	CASE(a_total_below_zero_is_refused_unless_the_cart_allows_it),
	CASE(malformed_steps_are_refused),
	CASE(a_cart_with_lines_keeps_its_currency),
	{ NULL, NULL },
};
