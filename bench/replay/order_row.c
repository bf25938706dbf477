/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * order_row.c: one line of an order file, from bytes to numbers. See orders.h. Pure: it opens no
 * file and allocates nothing.
 */
#include <errno.h>
#include <string.h>

#include "cart/cart.h"
#include "orders.h"

enum { COLUMN_ORDER, COLUMN_QUANTITY, COLUMN_ITEM, COLUMN_CHOICES, COLUMN_PRICE, COLUMNS };

static const char *const column_names[COLUMNS] = { "order_id", "quantity", "item_name",
						   "choice_description", "item_total_price" };

/* Write the reason to `why`; yields -EINVAL. */
#define refuse(why, ...) (snprintf((why), ORDERS_WHY_BYTES, __VA_ARGS__), -EINVAL)

/* The beginning of a text, as long as an error message shows it. */
#define SHOWN(text) (int)min_u64((text).size, 40), (text).data

static int split(const char *line, size_t size, struct corral_text columns[COLUMNS], char *why)
{
	const char *end = line + size;
	int count = 0;

	for (;;) {
		const char *tab = memchr(line, '\t', (size_t)(end - line));

		if (count < COLUMNS)
			columns[count] =
				(struct corral_text){ line,
						      (size_t)((tab != NULL ? tab : end) - line) };
		count++;
		if (tab == NULL)
			break;
		line = tab + 1;
	}
	if (count < COLUMNS)
		return refuse(why, "%d columns instead of %d: no %s", count, COLUMNS,
			      column_names[count]);
	if (count > COLUMNS)
		return refuse(why, "%d columns instead of %d", count, COLUMNS);
	return 0;
}

/*
 * Parse the decimal digits of `text` from *at on: at least one digit, and a number of at most max.
 */
static bool take_digits(struct corral_text text, size_t *at, int64_t max, int64_t *ret_value)
{
	int64_t value = 0;
	size_t i = *at;

	for (; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
		value = value * 10 + (text.data[i] - '0');
		if (value > max)
			return false;
	}
	if (i == *at)
		return false;
	*at = i;
	*ret_value = value;
	return true;
}

static int parse_quantity(struct corral_text text, uint32_t *ret_quantity, char *why)
{
	size_t at = 0;
	int64_t value;

	if (!take_digits(text, &at, CORRAL_QUANTITY_MAX, &value) || at != text.size || value == 0)
		return refuse(why, "quantity '%.*s' is no number from 1 to %d", SHOWN(text),
			      CORRAL_QUANTITY_MAX);
	*ret_quantity = (uint32_t)value;
	return 0;
}

/* Parse a price like "$12.34". */
static int parse_price(struct corral_text text, int64_t *ret_cents, char *why)
{
	size_t at = 1, point;
	int64_t whole, cents;

	if (text.size > 0 && text.data[0] == '$' &&
	    take_digits(text, &at, ORDERS_CENTS_MAX / 100 - 1, &whole) && at < text.size &&
	    text.data[at] == '.') {
		point = at++;
		if (take_digits(text, &at, 99, &cents) && at == point + 3 && at == text.size) {
			*ret_cents = whole * 100 + cents;
			return 0;
		}
	}
	return refuse(why, "item_total_price '%.*s' is no price like $12.34", SHOWN(text));
}

static int parse_choices(struct corral_text text, struct order_row *row, char *why)
{
	const char *at = text.data, *end = text.data + text.size;

	row->modifier_count = 0;
	if (text.size == 4 && memcmp(text.data, "NULL", 4) == 0)
		return 0;
	for (;;) {
		const char *comma = memmem(at, (size_t)(end - at), ", ", 2);
		struct corral_text name = { at, (size_t)((comma != NULL ? comma : end) - at) };

		if (name.size == 0 || name.size > ORDERS_NAME_MAX)
			return refuse(why,
				      "choice_description has a modifier of %zu bytes (1 to %u)",
				      name.size, ORDERS_NAME_MAX);
		if (row->modifier_count == CORRAL_MODIFIERS_MAX)
			return refuse(why, "choice_description has more than %d modifiers",
				      CORRAL_MODIFIERS_MAX);
		row->modifiers[row->modifier_count++] = name;
		if (comma == NULL)
			return 0;
		at = comma + 2;
	}
}

static int check_ids(const struct order_row *row, char *why)
{
	if (row->order_id.size == 0 || row->order_id.size > CORRAL_ID_MAX)
		return refuse(why, "order_id has %zu bytes (1 to %d)", row->order_id.size,
			      CORRAL_ID_MAX);
	if (row->item_name.size == 0 || row->item_name.size > ORDERS_NAME_MAX)
		return refuse(why, "item_name has %zu bytes (1 to %u)", row->item_name.size,
			      ORDERS_NAME_MAX);
	return 0;
}

int order_row_parse(const char *line, size_t size, struct order_row *ret_row,
		    char why[ORDERS_WHY_BYTES])
{
	struct corral_text columns[COLUMNS];
	struct order_row row;
	int r;

	if (!cart_text_valid((struct corral_text){ line, size }))
		return refuse(why, "not UTF-8, or with a NUL byte");
	r = split(line, size, columns, why);
	if (r == 0)
		r = parse_quantity(columns[COLUMN_QUANTITY], &row.quantity, why);
	if (r == 0)
		r = parse_choices(columns[COLUMN_CHOICES], &row, why);
	if (r == 0)
		r = parse_price(columns[COLUMN_PRICE], &row.total_cents, why);
	if (r != 0)
		return r;
	row.order_id = columns[COLUMN_ORDER];
	row.item_name = columns[COLUMN_ITEM];
	r = check_ids(&row, why);
	if (r != 0)
		return r;
	if (row.total_cents % row.quantity != 0)
		return refuse(why,
			      "item_total_price '%.*s' does not divide evenly by the quantity %u",
			      SHOWN(columns[COLUMN_PRICE]), row.quantity);
	row.unit_price_cents = row.total_cents / row.quantity;
	*ret_row = row;
	return 0;
}

size_t order_slug(struct corral_text name, char ret_slug[ORDERS_NAME_MAX])
{
	size_t size = 0;

	for (size_t i = 0; i < name.size && size < ORDERS_NAME_MAX; i++) {
		char c = name.data[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80)
			ret_slug[size++] = c;
		else if (size > 0 && ret_slug[size - 1] != '-')
			ret_slug[size++] = '-';
	}
	if (size > 0 && ret_slug[size - 1] == '-')
		size--;
	if (size == 0)
		ret_slug[size++] = '-';
	return size;
}
