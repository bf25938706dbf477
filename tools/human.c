/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * human.c: carts and values for people. Opens nothing, reads no arena; every text goes through a
 * table or text_escape().
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/parse.h"
#include "common/text.h"
#include "table.h"
#include "tool.h"

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void print_title(const struct corral_cart *cart)
{
	char *restaurant =
		must_have(text_escape(cart->key.restaurant_id.data, cart->key.restaurant_id.size));
	char *session =
		must_have(text_escape(cart->key.session_id.data, cart->key.session_id.size));
	const int64_t left_ms = cart->expires_ms - now_ms();
	char buffer[FORMAT_MAX];

	printf("%s%s %s%s: version %" PRIu64 ", %s", style_bold(), restaurant, session, style_end(),
	       cart->head.version, cart->head.status == CORRAL_OPEN ? "open" : "checked out");
	if (left_ms > 0) /* not the last version of a cart that has ended */
		printf(", ends in %s", format_duration(left_ms, buffer));
	putchar('\n');
	free(restaurant);
	free(session);
}

/* A row with the columns ITEM and EACH only; price NULL: an empty EACH. */
static void put_detail(struct table *table, const char *mark, struct corral_text text,
		       const int64_t *price_cents, uint32_t digits)
{
	table_skip(table, 2);
	table_put(table, "  %s%.*s", mark, (int)text.size, text.size ? text.data : "");
	if (price_cents != NULL)
		table_money(table, *price_cents, digits);
	else
		table_skip(table, 1);
	table_skip(table, 2);
}

/* The rate of a line that has one of its own. */
static void put_rate(struct table *table, uint32_t tax_ppm)
{
	char rate[FORMAT_MAX];

	put_detail(table, "taxed at ", corral_text(format_percent(tax_ppm, rate)), NULL, 0);
}

static void put_line(struct table *table, const struct corral_cart_line *line, uint32_t digits)
{
	const struct corral_item *item = &line->item;

	table_put(table, "%" PRIu32, line->line);
	table_put(table, "%" PRIu32, item->quantity);
	table_text(table, item->name.data, item->name.size);
	table_money(table, item->unit_price_cents, digits);
	table_money(table, line->total_cents, digits);
	table_text(table, item->menu_item_id.data, item->menu_item_id.size);
	for (uint32_t i = 0; i < item->modifier_count; i++)
		put_detail(table, "+ ", item->modifiers[i].name, &item->modifiers[i].price_cents,
			   digits);
	if (item->own_rate)
		put_rate(table, item->tax_ppm);
	if (item->notes.size)
		put_detail(table, "note: ", item->notes, NULL, digits);
	for (uint32_t i = 0; i < item->extra_count; i++) {
		const struct corral_extra *extra = &item->extras[i];
		json_t *value = json_of_msgpack(extra->value, extra->value_size);
		char *line_text = json_line(value);
		char *shown = NULL;

		if (asprintf(&shown, "%.*s: %s", (int)extra->key.size, extra->key.data, line_text) <
		    0)
			shown = must_have(NULL);
		put_detail(table, "", corral_text(shown), NULL, digits);
		free(shown);
		free(line_text);
		json_decref(value);
	}
}

static void put_total(struct table *table, const char *name, int64_t cents, uint32_t digits)
{
	table_skip(table, 2);
	table_put(table, "%s", name);
	table_skip(table, 1);
	table_money(table, cents, digits);
	table_skip(table, 1);
}

static void put_adjustments(struct table *table, const struct corral_cart *cart, uint32_t after_tax)
{
	for (uint32_t i = 0; i < cart->adjustment_count; i++) {
		const struct corral_adjustment *adjustment = &cart->adjustments[i];

		if (adjustment->after_tax != after_tax)
			continue;
		table_skip(table, 2);
		table_text(table, adjustment->name.data, adjustment->name.size);
		table_skip(table, 1);
		table_money(table, adjustment->amount_cents, cart->head.currency_digits);
		table_skip(table, 1);
	}
}

/* A row for each rate, with its base where there are several. */
static void put_taxes(struct table *table, const struct corral_head *head)
{
	const char *inside = head->pricing & CORRAL_TAX_INSIDE ? " inside" : "";
	char rate[FORMAT_MAX], base[FORMAT_MAX], name[128];

	if (head->rate_count == 0) {
		snprintf(name, sizeof(name), "Tax %s%s", format_percent(head->tax_ppm, rate),
			 inside);
		put_total(table, name, 0, head->currency_digits);
	}
	for (uint32_t i = 0; i < head->rate_count; i++) {
		const struct corral_rate *taxed = &head->rates[i];

		format_percent(taxed->tax_ppm, rate);
		format_amount(taxed->base_cents, head->currency_digits, base);
		if (head->rate_count == 1)
			snprintf(name, sizeof(name), "Tax %s%s", rate, inside);
		else
			snprintf(name, sizeof(name), "Tax %s of %s%s", rate, base, inside);
		put_total(table, name, taxed->tax_cents, head->currency_digits);
	}
}

static void print_lines(const struct corral_cart *cart)
{
	static const struct table_column columns[] = {
		{ "LINE", TABLE_RIGHT }, { "QTY", TABLE_RIGHT },   { "ITEM", TABLE_WRAP },
		{ "EACH", TABLE_RIGHT }, { "TOTAL", TABLE_RIGHT }, { "ID", TABLE_CUT },
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(*columns));
	const uint32_t digits = cart->head.currency_digits;
	char name[64];

	for (uint32_t i = 0; i < cart->line_count; i++)
		put_line(table, &cart->lines[i], digits);
	snprintf(name, sizeof(name), "Subtotal (%" PRIu32 " item%s)", cart->head.item_count,
		 plural(cart->head.item_count));
	put_total(table, name, cart->head.subtotal_cents, digits);
	put_adjustments(table, cart, 0);
	put_taxes(table, &cart->head);
	put_adjustments(table, cart, 1);
	snprintf(name, sizeof(name), "Total%s%s", *cart->head.currency ? " " : "",
		 cart->head.currency);
	put_total(table, name, cart->head.total_cents, digits);
	table_print(table);
}

void human_print_cart(const struct corral_cart *cart)
{
	static const struct table_column columns[] = { { NULL, TABLE_CUT }, { NULL, TABLE_WRAP } };
	struct table *table;

	print_title(cart);
	print_lines(cart);
	if (cart->attribute_count == 0)
		return;
	table = table_new(columns, 2);
	for (uint32_t i = 0; i < cart->attribute_count; i++) {
		table_text(table, cart->attributes[i].name.data, cart->attributes[i].name.size);
		table_text(table, cart->attributes[i].value.data, cart->attributes[i].value.size);
	}
	table_print(table);
}

static bool ends_with(const char *text, const char *ending)
{
	size_t size = strlen(text);

	return size >= strlen(ending) && strcmp(text + size - strlen(ending), ending) == 0;
}

void human_put_value(struct table *table, const char *key, const json_t *value)
{
	char buffer[FORMAT_MAX];

	if (json_is_integer(value) && strcmp(key, "started_ms") == 0)
		table_put(table, "%s", format_time(json_integer_value(value), buffer));
	else if (json_is_integer(value) && ends_with(key, "_bytes"))
		table_put(table, "%s", format_bytes((uint64_t)json_integer_value(value), buffer));
	else if (json_is_integer(value) && (ends_with(key, "_ms") || ends_with(key, "_ms_ago")))
		table_put(table, "%s", format_duration(json_integer_value(value), buffer));
	else if (json_is_integer(value) && ends_with(key, "_ns"))
		table_put(table, "%s", format_ns((uint64_t)json_integer_value(value), buffer));
	else if (json_is_integer(value))
		table_put(table, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_boolean(value))
		table_put(table, json_is_true(value) ? "yes" : "no");
	else if (json_is_string(value))
		table_put(table, "%s", json_string_value(value));
	else
		table_put(table, "-");
}
