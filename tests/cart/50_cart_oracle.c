/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 50_cart_oracle.c: random carts against an independent model: a plain array of lines, and money in
 * GMP's unbounded integers. Every number is compared after each change; a change must be refused
 * exactly when the model says so.
 */
#include "cart_model.h"

/* ------------------------------------------------------------ compare */

static void compare_line(struct world *w, uint32_t index)
{
	const struct shadow_line *expected = &w->shadow.lines[index];
	const struct product *product = &w->products[expected->product];
	struct corral_line line;
	struct corral_item *item;

	assert_int_equal(cart_get_line(w->cart.bytes, w->cart.size, index, &line), 0);
	assert_int_equal(line.line, expected->line);
	assert_int_equal(line.quantity, expected->quantity);
	assert_int_equal(line.unit_price_cents, product->price);
	line_total(w, expected);
	assert_int_equal(mpz_cmp_si(w->line, line.total_cents), 0);
	assert_int_equal(cart_decode_item(w->cart.bytes, w->cart.size, index, &item), 0);
	kit_text_equal(item->menu_item_id,
		       (struct corral_text){ product->id, strlen(product->id) });
	assert_int_equal(item->modifier_count, product->modifier_count);
	free(item);
}

static void compare(struct world *w)
{
	const struct corral_result *result = &w->cart.result;
	struct corral_head head;
	uint64_t items = 0;

	assert_int_equal(cart_get_head(w->cart.bytes, w->cart.size, &head), 0);
	assert_true(compute(w, &w->shadow));
	assert_int_equal(mpz_cmp_si(w->subtotal, head.subtotal_cents), 0);
	assert_int_equal(mpz_cmp_si(w->tax, head.tax_cents), 0);
	assert_int_equal(mpz_cmp_si(w->total, head.total_cents), 0);
	assert_int_equal(result->subtotal_cents, head.subtotal_cents);
	assert_int_equal(result->tax_cents, head.tax_cents);
	assert_int_equal(result->total_cents, head.total_cents);
	assert_int_equal(result->version, w->shadow.version);
	assert_int_equal(head.version, w->shadow.version);
	assert_int_equal(head.line_count, w->shadow.count);
	for (uint32_t i = 0; i < w->shadow.count; i++) {
		items += w->shadow.lines[i].quantity;
		compare_line(w, i);
	}
	assert_int_equal(head.item_count, items);
	assert_int_equal(result->item_count, items);
}

/* ------------------------------------------------------------ random worlds */

static int64_t random_price(bool huge)
{
	if (!huge)
		return kit_below(8) ? (int64_t)kit_below(5000) : 0;
	return (int64_t)(kit_random() >> 1) >> kit_below(40);
}

static uint32_t random_quantity(void)
{
	switch (kit_below(4)) {
	case 0:
		return 1 + kit_below(CORRAL_QUANTITY_MAX);
	case 1:
		return CORRAL_QUANTITY_MAX - kit_below(2);
	default:
		return 1 + kit_below(9);
	}
}

static uint32_t random_tax(void)
{
	static const uint32_t rates[] = { 0, 1, 82500, 88750, 1000000, 500000, 499999 };

	return kit_below(4) ? rates[kit_below(COUNT(rates))] : kit_below(CORRAL_TAX_PPM_MAX + 1);
}

static void make_product(struct product *product, uint32_t number, bool huge)
{
	static const struct corral_text names[] = { T("cheese"), T("no onions"), T("large"),
						    T("gl\xc3\xbcten free") };

	memset(product, 0, sizeof(*product));
	snprintf(product->id, sizeof(product->id), "item-%u", number / 3);
	if (number % 3 == 1)
		snprintf(product->notes, sizeof(product->notes), "crispy");
	product->price = random_price(huge);
	product->modifier_count = kit_below(5);
	for (uint32_t i = 0; i < product->modifier_count; i++) {
		int64_t price = random_price(huge);

		product->modifiers[i].name = names[i];
		product->modifiers[i].price_cents = kit_below(2) ? price : -price - kit_below(2);
	}
	if (number % 3 == 2) /* it differs from its neighbours only by this */
		snprintf(product->notes, sizeof(product->notes), "n%u", number);
}

static void world_open(struct world *w, bool huge)
{
	memset(w, 0, sizeof(*w));
	mpz_inits(w->subtotal, w->tax, w->total, w->line, w->low, w->high, NULL);
	set_i64(w->low, INT64_MIN);
	set_i64(w->high, INT64_MAX);
	for (uint32_t i = 0; i < CATALOGUE; i++)
		make_product(&w->products[i], i, huge && kit_below(2));
	w->shadow.next_line = 1;
}

static void world_close(struct world *w)
{
	mpz_clears(w->subtotal, w->tax, w->total, w->line, w->low, w->high, NULL);
	kit_free(&w->cart);
}

/* ------------------------------------------------------------ random changes */

/* The item of a product, its modifiers in a random order. */
static struct corral_item shuffled_item(const struct product *product, uint32_t quantity,
					struct corral_modifier modifiers[4])
{
	struct corral_item item = { .menu_item_id = { product->id, strlen(product->id) },
				    .notes = { product->notes, strlen(product->notes) },
				    .name = T("Name"),
				    .unit_price_cents = product->price,
				    .quantity = quantity,
				    .modifier_count = product->modifier_count,
				    .modifiers = modifiers };

	memcpy(modifiers, product->modifiers, sizeof(product->modifiers));
	for (uint32_t i = product->modifier_count; i > 1; i--) {
		uint32_t other = kit_below(i);
		struct corral_modifier swap = modifiers[i - 1];

		modifiers[i - 1] = modifiers[other];
		modifiers[other] = swap;
	}
	return item;
}

/* Whether unit price plus modifiers fits at all, for any quantity. */
static bool product_fits(struct world *w, uint32_t product)
{
	struct shadow_line one = { 0, 1, product };
	struct product plain = w->products[product];
	bool sum_fits;

	line_total(w, &one);
	sum_fits = fits(w, w->line);
	w->products[product].price = 0;
	line_total(w, &one);
	sum_fits = sum_fits && fits(w, w->line);
	w->products[product] = plain;
	return sum_fits;
}

/* Compare: the change succeeds exactly when the model's next state fits. */
static void settle(struct world *w, const struct shadow *next, int answer, int refusal)
{
	if (refusal == 0 && !compute(w, next))
		refusal = -EOVERFLOW;
	else if (refusal == 0 && mpz_sgn(w->total) < 0)
		refusal = -EDOM;
	assert_int_equal(answer, refusal);
	if (answer == 0) {
		w->shadow = *next;
		w->shadow.version++;
	}
	if (w->cart.bytes && answer == 0)
		compare(w);
}

static void random_add(struct world *w)
{
	struct corral_modifier modifiers[4];
	uint32_t product = kit_below(CATALOGUE), quantity = random_quantity(), i;
	struct corral_item item = shuffled_item(&w->products[product], quantity, modifiers);
	struct shadow next = w->shadow;
	int refusal = 0;

	if (next.count == SHADOW_LINES)
		return;
	for (i = 0; i < next.count && next.lines[i].product != product; i++)
		;
	if (i < next.count) {
		next.lines[i].quantity += quantity;
		if (next.lines[i].quantity > CORRAL_QUANTITY_MAX)
			refusal = -ERANGE;
	} else {
		next.lines[next.count++] =
			(struct shadow_line){ next.next_line++, quantity, product };
	}
	if (!product_fits(w, product))
		refusal = -EOVERFLOW;
	settle(w, &next, kit_add_item(&w->cart, &item, T("")), refusal);
	if (refusal == 0 && memcmp(&next.lines, &w->shadow.lines, sizeof(next.lines)) == 0)
		assert_int_equal(w->cart.result.line, next.lines[i].line);
}

static void random_set_quantity(struct world *w)
{
	struct shadow next = w->shadow;
	uint32_t line = kit_below(next.next_line + 2),
		 quantity = kit_below(3) ? random_quantity() : 0, i;

	for (i = 0; i < next.count && next.lines[i].line != line; i++)
		;
	if (i < next.count && quantity)
		next.lines[i].quantity = quantity;
	else if (i < next.count)
		memmove(&next.lines[i], &next.lines[i + 1],
			(--next.count - i) * sizeof(next.lines[0]));
	settle(w, &next,
	       quantity == 0 && kit_below(2) ? kit_remove(&w->cart, line) :
					       kit_set_quantity(&w->cart, line, quantity),
	       !w->cart.bytes       ? -ENOENT :
	       i == w->shadow.count ? -ENXIO :
				      0);
}

static void random_set_tax(struct world *w)
{
	struct shadow next = w->shadow;

	next.tax_ppm = random_tax();
	settle(w, &next, kit_set_tax(&w->cart, next.tax_ppm), 0);
}

static void clear(struct world *w)
{
	struct shadow next = w->shadow;

	next.count = 0;
	settle(w, &next, kit_simple(&w->cart, CART_CLEAR), w->cart.bytes ? 0 : -ENOENT);
}

/*
 * Draft a random selection of old lines in random order and some new ones; each product at most
 * once.
 */
static uint32_t random_draft(struct world *w, struct shadow *next, struct cart_draft_line *drafts,
			     uint8_t (*buffers)[256])
{
	uint32_t count = 0;

	for (uint32_t product = 0; product < CATALOGUE; product++) {
		struct corral_modifier modifiers[4];
		struct corral_item item =
			shuffled_item(&w->products[product], random_quantity(), modifiers);
		uint32_t named =
			kit_below(2) && w->shadow.count > count ? w->shadow.lines[count].line : 0;

		if (!product_fits(w, product) || kit_below(3))
			continue;
		assert_int_equal(
			cart_pack_item(&item, KIT_SEED, buffers[count], 256, &drafts[count].words),
			0);
		drafts[count].line = named;
		drafts[count].quantity = item.quantity;
		next->lines[count] = (struct shadow_line){ named ? named : next->next_line++,
							   item.quantity, product };
		count++;
	}
	return count;
}

static void random_replace(struct world *w)
{
	static uint8_t buffers[CATALOGUE][256];
	struct cart_draft_line drafts[CATALOGUE];
	struct cart_change change = kit_change(CART_REPLACE);
	struct shadow next = w->shadow;

	next.count = random_draft(w, &next, drafts, buffers);
	next.tax_ppm = random_tax();
	change.if_version = w->shadow.version;
	change.draft = (struct cart_draft){ .lines = drafts,
					    .line_count = next.count,
					    .tax_ppm = next.tax_ppm };
	settle(w, &next, kit_apply(&w->cart, &change), 0);
}

static void random_attribute(struct world *w)
{
	static const struct corral_text names[] = { T("table"), T("phone"), T("a name"), T("b") };
	static char text[300];
	struct corral_text name = names[kit_below(COUNT(names))];
	struct shadow next = w->shadow;

	memset(text, 'x', sizeof(text));
	settle(w, &next,
	       kit_below(3) ? kit_set_attribute(&w->cart, name,
						(struct corral_text){ text, kit_below(300) }) :
			      kit_remove_attribute(&w->cart, name),
	       0);
}

static void random_change(struct world *w)
{
	uint32_t dice = kit_below(100);

	if (dice < 60)
		random_add(w);
	else if (dice < 80)
		random_set_quantity(w);
	else if (dice < 88)
		random_set_tax(w);
	else if (dice < 94)
		random_attribute(w);
	else if (dice < 98)
		random_replace(w);
	else if (dice < 99)
		clear(w);
}

static void run_worlds(bool huge)
{
	for (int round = 0; round < 150; round++) {
		struct world w;

		world_open(&w, huge);
		for (int change = 0; change < 80; change++)
			random_change(&w);
		world_close(&w);
	}
}

static void everyday_carts_are_right_to_the_cent(void **state)
{
	(void)state;
	kit_seed(__func__);
	run_worlds(false);
}

static void huge_prices_are_right_to_the_cent_or_refused_when_they_do_not_fit(void **state)
{
	(void)state;
	kit_seed(__func__);
	run_worlds(true);
}

static void tax_is_exact_for_any_amount(void **state)
{
	struct world w;

	(void)state;
	kit_seed(__func__);
	world_open(&w, false);
	for (int round = 0; round < 1000000; round++) {
		int64_t subtotal = (int64_t)kit_random() >> kit_below(64);
		uint32_t tax_ppm = random_tax();

		set_i64(w.subtotal, subtotal);
		tax_of(&w, tax_ppm);
		assert_int_equal(mpz_cmp_si(w.tax, cart_tax(subtotal, tax_ppm)), 0);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everyday_carts_are_right_to_the_cent),
		cmocka_unit_test(huge_prices_are_right_to_the_cent_or_refused_when_they_do_not_fit),
		cmocka_unit_test(tax_is_exact_for_any_amount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
