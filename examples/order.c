/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * order.c: open the store, put two items into a cart, show the cart.
 *
 * With an agent's directory in $CORRAL_DIR it prints, the first time:
 *
 *   version 3, 3 items
 *    1   2 x Burger                   17.98
 *    2   1 x Coke                      2.50
 *   tax                                1.69
 *   total                             22.17
 */
#include <corral.h>

#include <err.h>
#include <stdio.h>

static void check(int r)
{
	if (r < 0)
		errx(1, "%s", corral_strerror(r));
}

static void print_cents(const char *what, int64_t cents)
{
	printf("%-28s %7lld.%02lld\n", what, (long long)(cents / 100), (long long)(cents % 100));
}

/* corral_get() copies, verifies and decodes the cart: all of it is in one piece of memory. */
static void show(struct corral *corral, const struct corral_key *key)
{
	struct corral_cart *cart;

	check(corral_get(corral, key, &cart));
	printf("version %llu, %u items\n", (unsigned long long)cart->head.version,
	       cart->head.item_count);
	for (uint32_t i = 0; i < cart->line_count; i++) {
		const struct corral_cart_line *line = &cart->lines[i];
		char what[64];
		snprintf(what, sizeof(what), "%2u %3u x %.*s", line->line, line->item.quantity,
			 (int)line->item.name.size, line->item.name.data);
		print_cents(what, line->total_cents);
	}
	print_cents("tax", cart->head.tax_cents);
	print_cents("total", cart->head.total_cents);
	corral_cart_free(cart);
}

int main(void)
{
	const struct corral_key key = { corral_text("luigi"), corral_text("call-1") };
	const struct corral_item burger = { .menu_item_id = corral_text("burger"),
					    .name = corral_text("Burger"),
					    .unit_price_cents = 899,
					    .quantity = 2 };
	const struct corral_item coke = { .menu_item_id = corral_text("coke"),
					  .name = corral_text("Coke"),
					  .unit_price_cents = 250,
					  .quantity = 1 };
	struct corral *corral;

	/* NULL: $CORRAL_DIR. A refusal is a sentence that says what to do. */
	if (corral_open(NULL, 0, &corral) < 0)
		errx(1, "%s", corral_why());
	check(corral_add(corral, &key, &burger, NULL, NULL));
	check(corral_add(corral, &key, &coke, NULL, NULL));
	check(corral_set_tax(corral, &key, 82500, NULL, NULL)); /* 8.25 % */
	show(corral, &key);
	corral_close(corral);
}
