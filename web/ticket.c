/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ticket.c: see ticket.h. Texts that are too long end in an ellipsis; the page of the order has all
 * of them.
 */
#include "ticket.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/parse.h"
#include "common/utf8.h"
#include "tool.h"

#define NAME_BYTES 120u
#define NOTES_BYTES 160u
#define MODIFIERS_MOST 6u

json_t *ticket_number(uint64_t number)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, number);
	return must_have(json_string(digits));
}

json_t *ticket_amount(int64_t cents, uint32_t digits)
{
	char buffer[FORMAT_MAX];

	return must_have(json_string(format_amount(cents, digits, buffer)));
}

static json_t *number(int64_t value)
{
	return must_have(json_integer((json_int_t)value));
}

/* At most so many bytes, whole characters. */
static json_t *cut(const struct corral_text *text, size_t most)
{
	char shown[NOTES_BYTES + sizeof("\u2026")];
	size_t size = 0;
	uint32_t point;

	if (text->size <= most)
		return json_of_text(text->data, text->size);
	for (size_t step = 1; step > 0;) {
		step = utf8_next(text->data + size, text->size - size, &point);
		if (size + step > most)
			break;
		size += step;
	}
	memcpy(shown, text->data, size);
	memcpy(shown + size, "\u2026", sizeof("\u2026"));
	return json_of_text(shown, strlen(shown));
}

static json_t *modifiers_of(const struct corral_item *item)
{
	json_t *list = must_have(json_array());

	for (uint32_t i = 0; i < item->modifier_count && i < MODIFIERS_MOST; i++)
		json_array_append_new(list, cut(&item->modifiers[i].name, NAME_BYTES));
	if (item->modifier_count > MODIFIERS_MOST)
		json_array_append_new(list, must_have(json_string("\u2026")));
	return list;
}

static json_t *line_of(const struct corral_cart_line *line, uint32_t digits)
{
	const struct corral_item *item = &line->item;
	const struct corral_text *name = item->name.size > 0 ? &item->name : &item->menu_item_id;

	return must_have(json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "line", (json_int_t)line->line,
				   "quantity", (json_int_t)item->quantity, "name",
				   cut(name, NAME_BYTES), "modifiers", modifiers_of(item), "notes",
				   cut(&item->notes, NOTES_BYTES), "total",
				   ticket_amount(line->total_cents, digits)));
}

json_t *ticket_of_cart(const struct corral_cart *cart)
{
	const struct corral_head *head = &cart->head;
	const struct corral_key *key = &cart->key;
	const uint32_t first =
		cart->line_count > TICKET_LINES ? cart->line_count - TICKET_LINES : 0;
	json_t *lines = must_have(json_array());

	for (uint32_t i = first; i < cart->line_count; i++)
		json_array_append_new(lines, line_of(&cart->lines[i], head->currency_digits));
	return must_have(json_pack(
		"{s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "restaurant_id",
		json_of_text(key->restaurant_id.data, key->restaurant_id.size), "session_id",
		json_of_text(key->session_id.data, key->session_id.size), "version",
		ticket_number(head->version), "status", status_name(head->status), "items",
		number(head->item_count), "total",
		ticket_amount(head->total_cents, head->currency_digits), "currency",
		json_of_text(head->currency, strlen(head->currency)), "created_ms",
		number(head->created_ms), "updated_ms", number(head->updated_ms), "expires_ms",
		number(cart->expires_ms), "hidden", number(first), "lines", lines));
}

json_t *ticket_of_end(const char *restaurant_id, const char *session_id, const char *how)
{
	return must_have(json_pack("{s:o, s:o, s:s}", "restaurant_id",
				   json_of_text(restaurant_id, strlen(restaurant_id)), "session_id",
				   json_of_text(session_id, strlen(session_id)), "how", how));
}
