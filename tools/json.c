/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.c: carts, rows and answers as JSON, and JSON as a line of text. Keys come in the order of
 * the code. Reads no arena.
 *
 * Texts are UTF-8 in the output; characters that control a terminal (control characters, including
 * those that JSON allows, and marks that change the text direction) are written as \u....
 */
#include <stdio.h>
#include <string.h>

#include "common/parse.h"
#include "common/text.h"
#include "common/utf8.h"
#include "tool.h"

const char *status_name(uint32_t status)
{
	return status == CORRAL_OPEN        ? "open" :
	       status == CORRAL_CHECKED_OUT ? "checked_out" :
					      "unknown";
}

json_t *json_of_text(const char *text, size_t size)
{
	json_t *value = json_stringn(size ? text : "", size);
	char *escaped;

	if (value != NULL)
		return value;
	escaped = must_have(text_escape(text, size)); /* damaged: not UTF-8 */
	value = must_have(json_string(escaped));
	free(escaped);
	return value;
}

json_t *json_of_time(int64_t unix_ms)
{
	char buffer[FORMAT_MAX];

	format_time(unix_ms, buffer);
	return must_have(*buffer ? json_string(buffer) : json_null());
}

void json_put(json_t *object, struct corral_text key, json_t *value)
{
	bool fine = key.size == 0 ||
		    (utf8_valid(key.data, key.size) && memchr(key.data, 0, key.size) == NULL);
	char *name = must_have(fine ? strndup(key.size ? key.data : "", key.size) :
				      text_escape(key.data, key.size));

	must_have(json_object_set_new(object, name, value) == 0 ? object : NULL);
	free(name);
}

static json_t *modifiers_of(const struct corral_item *item)
{
	json_t *list = must_have(json_array());

	for (uint32_t i = 0; i < item->modifier_count; i++) {
		const struct corral_modifier *modifier = &item->modifiers[i];

		json_array_append_new(
			list,
			must_have(json_pack("{s:o, s:I}", "name",
					    json_of_text(modifier->name.data, modifier->name.size),
					    "price_cents", (json_int_t)modifier->price_cents)));
	}
	return list;
}

static json_t *line_of(const struct corral_cart_line *line)
{
	const struct corral_item *item = &line->item;
	json_t *extras;
	json_t *value;

	value = must_have(json_pack(
		"{s:I, s:o, s:o, s:I, s:I, s:o, s:o, s:I}", "line", (json_int_t)line->line,
		"menu_item_id", json_of_text(item->menu_item_id.data, item->menu_item_id.size),
		"name", json_of_text(item->name.data, item->name.size), "quantity",
		(json_int_t)item->quantity, "unit_price_cents", (json_int_t)item->unit_price_cents,
		"modifiers", modifiers_of(item), "notes",
		json_of_text(item->notes.data, item->notes.size), "total_cents",
		(json_int_t)line->total_cents));
	if (item->own_rate)
		json_object_set_new(value, "tax_ppm", must_have(json_integer(item->tax_ppm)));
	if (item->separate)
		json_object_set_new(value, "separate", json_true());
	if (item->extra_count == 0)
		return value;
	extras = must_have(json_object());
	for (uint32_t i = 0; i < item->extra_count; i++)
		json_put(extras, item->extras[i].key,
			 json_of_msgpack(item->extras[i].value, item->extras[i].value_size));
	json_object_set_new(value, "extras", extras);
	return value;
}

static const char *kind_name(uint32_t kind)
{
	static const char *const names[] = { "unknown", "discount", "fee", "tip", "service" };

	return names[kind < sizeof(names) / sizeof(names[0]) ? kind : 0];
}

/* Append the sums of the adjustments, and base and tax by rate. */
static void put_rates(json_t *object, int64_t before_tax_cents, int64_t after_tax_cents,
		      const struct corral_rate *rates, uint32_t count)
{
	json_t *list = must_have(json_array());

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(
			list, must_have(json_pack("{s:I, s:I, s:I}", "tax_ppm",
						  (json_int_t)rates[i].tax_ppm, "base_cents",
						  (json_int_t)rates[i].base_cents, "tax_cents",
						  (json_int_t)rates[i].tax_cents)));
	json_object_set_new(object, "before_tax_cents", must_have(json_integer(before_tax_cents)));
	json_object_set_new(object, "after_tax_cents", must_have(json_integer(after_tax_cents)));
	json_object_set_new(object, "rates", list);
}

/* Does all that is taxed have one rate, and does the subtotal say how much it is? */
static bool is_plain(int64_t subtotal_cents, int64_t after_tax_cents,
		     const struct corral_rate *rates, uint32_t count)
{
	return after_tax_cents == 0 &&
	       (count == 0 || (count == 1 && rates[0].base_cents == subtotal_cents));
}

static json_t *pricing_of(uint32_t pricing)
{
	static const char *const names[] = { "tax_inside", "half_even", "below_zero" };
	json_t *list = must_have(json_array());

	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (pricing & 1u << i)
			json_array_append_new(list, must_have(json_string(names[i])));
	return list;
}

/* Append what only some carts have. */
static void put_money(json_t *object, const struct corral_head *head)
{
	if (*head->currency) {
		json_object_set_new(object, "currency", must_have(json_string(head->currency)));
		json_object_set_new(object, "currency_digits",
				    must_have(json_integer(head->currency_digits)));
	}
	if (head->pricing)
		json_object_set_new(object, "pricing", pricing_of(head->pricing));
	if (head->adjustment_count ||
	    !is_plain(head->subtotal_cents, head->after_tax_cents, head->rates, head->rate_count))
		put_rates(object, head->before_tax_cents, head->after_tax_cents, head->rates,
			  head->rate_count);
}

static json_t *adjustments_of(const struct corral_cart *cart)
{
	json_t *list = must_have(json_array());

	for (uint32_t i = 0; i < cart->adjustment_count; i++) {
		const struct corral_adjustment *from = &cart->adjustments[i];
		json_t *to = must_have(json_pack(
			"{s:o, s:s, s:b}", "name", json_of_text(from->name.data, from->name.size),
			"kind", kind_name(from->kind), "after_tax", (int)from->after_tax));

		if (from->ppm)
			json_object_set_new(to, "ppm", must_have(json_integer(from->ppm)));
		else
			json_object_set_new(to, "cents", must_have(json_integer(from->cents)));
		json_object_set_new(to, "amount_cents",
				    must_have(json_integer(from->amount_cents)));
		json_array_append_new(list, to);
	}
	return list;
}

/* Append the cart's totals to the object. */
static void put_totals(json_t *object, const struct corral_head *head)
{
	json_t *totals = must_have(
		json_pack("{s:I, s:I, s:I, s:I, s:I}", "item_count", (json_int_t)head->item_count,
			  "subtotal_cents", (json_int_t)head->subtotal_cents, "tax_ppm",
			  (json_int_t)head->tax_ppm, "tax_cents", (json_int_t)head->tax_cents,
			  "total_cents", (json_int_t)head->total_cents));

	must_have(json_object_update(object, totals) == 0 ? object : NULL);
	json_decref(totals);
}

static void put_times(json_t *object, const struct corral_head *head, int64_t expires_ms)
{
	json_object_set_new(object, "created_at", json_of_time(head->created_ms));
	json_object_set_new(object, "updated_at", json_of_time(head->updated_ms));
	json_object_set_new(object, "expires_at", json_of_time(expires_ms));
}

static json_t *begin_cart(json_t *restaurant_id, json_t *session_id, const struct corral_head *head)
{
	return must_have(json_pack("{s:o, s:o, s:I, s:s}", "restaurant_id", restaurant_id,
				   "session_id", session_id, "version", (json_int_t)head->version,
				   "status", status_name(head->status)));
}

json_t *json_of_cart(const struct corral_cart *cart)
{
	json_t *items = must_have(json_array());
	json_t *attributes = must_have(json_object());
	const struct corral_key *key = &cart->key;
	json_t *value;

	value = begin_cart(json_of_text(key->restaurant_id.data, key->restaurant_id.size),
			   json_of_text(key->session_id.data, key->session_id.size), &cart->head);
	for (uint32_t i = 0; i < cart->line_count; i++)
		json_array_append_new(items, line_of(&cart->lines[i]));
	for (uint32_t i = 0; i < cart->attribute_count; i++) {
		const struct corral_text *text = &cart->attributes[i].value;

		json_put(attributes, cart->attributes[i].name,
			 json_of_text(text->data, text->size));
	}
	json_object_set_new(value, "items", items);
	put_totals(value, &cart->head);
	put_money(value, &cart->head);
	if (cart->adjustment_count)
		json_object_set_new(value, "adjustments", adjustments_of(cart));
	json_object_set_new(value, "attributes", attributes);
	put_times(value, &cart->head, cart->expires_ms);
	return value;
}

json_t *json_of_entry(const struct corral_entry *entry)
{
	json_t *value = begin_cart(json_of_text(entry->restaurant_id, strlen(entry->restaurant_id)),
				   json_of_text(entry->session_id, strlen(entry->session_id)),
				   &entry->head);

	put_totals(value, &entry->head);
	put_money(value, &entry->head);
	put_times(value, &entry->head, entry->expires_ms);
	return value;
}

json_t *json_of_result(const struct corral_result *result)
{
	json_t *answer = must_have(json_pack(
		"{s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:s, s:b}", "version",
		(json_int_t)result->version, "applied", (int)result->applied, "line",
		(json_int_t)result->line, "item_count", (json_int_t)result->item_count,
		"subtotal_cents", (json_int_t)result->subtotal_cents, "tax_cents",
		(json_int_t)result->tax_cents, "total_cents", (json_int_t)result->total_cents,
		"status", status_name(result->status), "durable", (int)result->durable));

	if (!is_plain(result->subtotal_cents, result->after_tax_cents, result->rates,
		      result->rate_count))
		put_rates(answer, result->before_tax_cents, result->after_tax_cents, result->rates,
			  result->rate_count);
	return answer;
}

json_t *json_of_lines(const uint32_t *lines, uint32_t count)
{
	json_t *list = must_have(json_array());

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, must_have(json_integer((json_int_t)lines[i])));
	return list;
}

/* -------------------------------------------------------------------- as text */

char *json_line(const json_t *value)
{
	char *dump = must_have(json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY));
	size_t size = strlen(dump);
	char *line = must_have(malloc(size * 6 + 1)); /* \uxxxx for each byte at worst */
	char *out = line;
	uint32_t point = 0;

	/* Everything that is not plain is inside a string, where JSON allows the escape. */
	for (size_t at = 0, step; at < size; at += step) {
		step = utf8_next(dump + at, size - at, &point);
		if (step == 0)
			step = 1; /* cannot happen: jansson writes valid UTF-8 */
		else if (text_is_plain(point))
			out = mempcpy(out, dump + at, step);
		else if (point > 0xffff)
			out += sprintf(out, "\\u%04X\\u%04X", 0xd7c0 + (point >> 10),
				       0xdc00 + (point & 0x3ff));
		else
			out += sprintf(out, "\\u%04X", point);
	}
	*out = 0;
	free(dump);
	return line;
}

void json_print(json_t *value)
{
	char *line = json_line(value);

	puts(line);
	free(line);
	json_decref(value);
}
