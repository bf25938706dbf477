/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flat.c: a whole cart as one array of numbers and one run of text (struct corral_flat).
 *
 *   numbers   head | attributes | rates | adjustments | lines | modifiers and extras of line 0 |
 *             of line 1 | ...
 *   text      texts, in the order in which numbers name them | values of the extras
 *
 * One walk writes as far as there is room and counts on, so that the caller learns what a cart
 * needs. Only a cart that has extras is walked twice, since their values follow the last text.
 * Nothing here allocates, and no number is used before it was checked: damaged bytes give -EUCLEAN.
 */
#include <errno.h>

#include "cart/cart_shape.h"
#include "cart/item.h"

#define EXACT_MAX (1ll << 53) /* a double holds every integer up to this */

struct writer {
	struct corral_flat *flat;
	size_t place; /* the end of the text, in the unit that was asked for */
	size_t inexact;
};

/* ------------------------------------------------------------ numbers, texts */

static void set_number(struct writer *to, size_t at, int64_t number)
{
	if (unlikely(number > EXACT_MAX || number < -EXACT_MAX))
		to->inexact++;
	if (likely(at < to->flat->number_room))
		to->flat->numbers[at] = (double)number;
}

static void set_count(struct writer *to, size_t at, size_t count)
{
	set_number(to, at, (int64_t)count);
}

/* Begin a record of so many numbers; returns its place. */
static size_t begin_record(struct writer *to, size_t numbers)
{
	size_t at = to->flat->number_count;

	to->flat->number_count += numbers;
	return at;
}

/* Append bytes behind what the run has so far. */
static void put_bytes(struct corral_flat *flat, size_t at, const void *bytes, size_t size)
{
	if (size > 0 && at <= flat->text_room && size <= flat->text_room - at)
		memcpy(flat->text + at, bytes, size);
}

static uint64_t load_eight(const char *bytes)
{
	uint64_t eight;

	memcpy(&eight, bytes, sizeof(eight));
	return eight;
}

/* Is each character one byte? Most texts are so. */
static bool is_ascii(struct corral_text text)
{
	uint64_t seen = 0;

	if (text.size < 8) {
		for (size_t i = 0; i < text.size; i++)
			seen |= (uint8_t)text.data[i];
		return seen < 0x80;
	}
	for (size_t at = 0; at < text.size - 8; at += 8)
		seen |= load_eight(text.data + at);
	seen |= load_eight(text.data + text.size - 8); /* some of them again */
	return (seen & 0x8080808080808080ull) == 0;
}

/* How long a text of valid UTF-8 is in a unit. */
static size_t size_in_units(struct corral_text text, uint32_t unit)
{
	size_t size = 0;

	if (unit == CORRAL_FLAT_BYTES || is_ascii(text))
		return text.size;
	for (size_t at = 0; at < text.size; at++) {
		uint8_t byte = (uint8_t)text.data[at];

		size += (byte & 0xc0) != 0x80;                     /* begins a character */
		size += unit == CORRAL_FLAT_UTF16 && byte >= 0xf0; /* which takes a pair */
	}
	return size;
}

/* Append a text, and note its place and size at `at`. */
static void set_text(struct writer *to, size_t at, struct corral_text text)
{
	size_t size = size_in_units(text, to->flat->unit);

	set_count(to, at, to->place);
	set_count(to, at + 1, size);
	put_bytes(to->flat, to->flat->text_size, text.data, text.size);
	to->flat->text_size += text.size;
	to->place += size;
}

/* ------------------------------------------------------------------- records */

static void put_modifiers(struct writer *to, const struct item_parts *parts)
{
	for (uint32_t i = 0; i < parts->item.modifier_count; i++) {
		size_t at = begin_record(to, CORRAL_FLAT_MODIFIER_NOW);

		set_text(to, at + CORRAL_FLAT_MODIFIER_NAME_AT, parts->modifiers[i].name);
		set_number(to, at + CORRAL_FLAT_MODIFIER_PRICE_CENTS,
			   parts->modifiers[i].price_cents);
	}
}

/* The keys; put_values() appends the values in the same order. */
static void put_extras(struct writer *to, const struct item_parts *parts)
{
	for (uint32_t i = 0; i < parts->item.extra_count; i++) {
		const struct corral_extra *extra = &parts->extras[i];
		size_t at = begin_record(to, CORRAL_FLAT_EXTRA_NOW);

		set_text(to, at + CORRAL_FLAT_EXTRA_KEY_AT, extra->key);
		set_count(to, at + CORRAL_FLAT_EXTRA_VALUE_AT, to->flat->values_size);
		set_count(to, at + CORRAL_FLAT_EXTRA_VALUE_SIZE, extra->value_size);
		to->flat->values_size += extra->value_size;
	}
}

static int put_line(struct writer *to, const void *bytes, size_t size, uint32_t index, size_t at)
{
	struct item_parts parts;
	struct corral_line line;
	int r = cart_get_line(bytes, size, index, &line);

	if (r == 0)
		r = item_parse(line.words, line.words_size, &parts);
	if (r != 0)
		return -EUCLEAN;
	set_number(to, at + CORRAL_FLAT_LINE_NUMBER, line.line);
	set_number(to, at + CORRAL_FLAT_LINE_QUANTITY, line.quantity);
	set_number(to, at + CORRAL_FLAT_LINE_UNIT_PRICE_CENTS, line.unit_price_cents);
	set_number(to, at + CORRAL_FLAT_LINE_MODIFIERS_CENTS, line.modifiers_cents);
	set_number(to, at + CORRAL_FLAT_LINE_TOTAL_CENTS, line.total_cents);
	set_number(to, at + CORRAL_FLAT_LINE_SEPARATE, parts.item.separate);
	set_text(to, at + CORRAL_FLAT_LINE_MENU_ITEM_AT, parts.item.menu_item_id);
	set_text(to, at + CORRAL_FLAT_LINE_NAME_AT, parts.item.name);
	set_text(to, at + CORRAL_FLAT_LINE_NOTES_AT, parts.item.notes);
	set_count(to, at + CORRAL_FLAT_LINE_MODIFIERS_AT, to->flat->number_count);
	set_number(to, at + CORRAL_FLAT_LINE_MODIFIER_COUNT, parts.item.modifier_count);
	put_modifiers(to, &parts);
	set_count(to, at + CORRAL_FLAT_LINE_EXTRAS_AT, to->flat->number_count);
	set_number(to, at + CORRAL_FLAT_LINE_EXTRA_COUNT, parts.item.extra_count);
	put_extras(to, &parts);
	set_number(to, at + CORRAL_FLAT_LINE_OWN_RATE, line.own_rate);
	set_number(to, at + CORRAL_FLAT_LINE_TAX_PPM, line.tax_ppm);
	return 0;
}

static int put_lines(struct writer *to, const void *bytes, size_t size, uint32_t count)
{
	size_t at = begin_record(to, (size_t)count * CORRAL_FLAT_LINE_NOW);

	set_count(to, CORRAL_FLAT_LINES_AT, at);
	set_number(to, CORRAL_FLAT_LINE_COUNT, count);
	set_number(to, CORRAL_FLAT_LINE_STRIDE, CORRAL_FLAT_LINE_NOW);
	for (uint32_t i = 0; i < count; i++) {
		int r = put_line(to, bytes, size, i, at);

		if (r < 0)
			return r;
		at += CORRAL_FLAT_LINE_NOW;
	}
	return 0;
}

static int put_values(struct corral_flat *flat, const void *bytes, size_t size, uint32_t count)
{
	size_t at = flat->text_size;
	struct item_parts parts;
	struct corral_line line;

	for (uint32_t i = 0; i < count; i++) {
		if (cart_get_line(bytes, size, i, &line) != 0 ||
		    item_parse(line.words, line.words_size, &parts) != 0)
			return -EUCLEAN;
		for (uint32_t j = 0; j < parts.item.extra_count; j++) {
			put_bytes(flat, at, parts.extras[j].value, parts.extras[j].value_size);
			at += parts.extras[j].value_size;
		}
	}
	/* else the bytes have changed since the first walk */
	return at == flat->text_size + flat->values_size ? 0 : -EUCLEAN;
}

static int put_attributes(struct writer *to, const void *bytes, size_t size)
{
	uint32_t count = 0;
	int r;

	set_count(to, CORRAL_FLAT_ATTRIBUTES_AT, to->flat->number_count);
	set_number(to, CORRAL_FLAT_ATTRIBUTE_STRIDE, CORRAL_FLAT_ATTRIBUTE_NOW);
	for (;; count++) {
		struct corral_attribute attribute;
		size_t at;

		r = cart_get_attribute(bytes, size, count, &attribute);
		if (r < 0)
			break;
		at = begin_record(to, CORRAL_FLAT_ATTRIBUTE_NOW);
		set_text(to, at + CORRAL_FLAT_ATTRIBUTE_NAME_AT, attribute.name);
		set_text(to, at + CORRAL_FLAT_ATTRIBUTE_VALUE_AT, attribute.value);
	}
	set_number(to, CORRAL_FLAT_ATTRIBUTE_COUNT, count);
	return r == -ENXIO ? 0 : r;
}

static void put_rates(struct writer *to, const struct corral_head *head)
{
	set_count(to, CORRAL_FLAT_RATES_AT, to->flat->number_count);
	set_number(to, CORRAL_FLAT_RATE_COUNT, head->rate_count);
	set_number(to, CORRAL_FLAT_RATE_STRIDE, CORRAL_FLAT_RATE_NOW);
	for (uint32_t i = 0; i < head->rate_count; i++) {
		size_t at = begin_record(to, CORRAL_FLAT_RATE_NOW);

		set_number(to, at + CORRAL_FLAT_RATE_TAX_PPM, head->rates[i].tax_ppm);
		set_number(to, at + CORRAL_FLAT_RATE_BASE_CENTS, head->rates[i].base_cents);
		set_number(to, at + CORRAL_FLAT_RATE_TAX_CENTS, head->rates[i].tax_cents);
	}
}

static int put_adjustments(struct writer *to, const void *bytes, size_t size, uint32_t count)
{
	set_count(to, CORRAL_FLAT_ADJUSTMENTS_AT, to->flat->number_count);
	set_number(to, CORRAL_FLAT_ADJUSTMENT_COUNT, count);
	set_number(to, CORRAL_FLAT_ADJUSTMENT_STRIDE, CORRAL_FLAT_ADJUSTMENT_NOW);
	for (uint32_t i = 0; i < count; i++) {
		struct corral_adjustment adjustment;
		size_t at = begin_record(to, CORRAL_FLAT_ADJUSTMENT_NOW);

		if (cart_get_adjustment(bytes, size, i, &adjustment) != 0)
			return -EUCLEAN;
		set_text(to, at + CORRAL_FLAT_ADJUSTMENT_NAME_AT, adjustment.name);
		set_number(to, at + CORRAL_FLAT_ADJUSTMENT_KIND, adjustment.kind);
		set_number(to, at + CORRAL_FLAT_ADJUSTMENT_AFTER_TAX, adjustment.after_tax);
		set_number(to, at + CORRAL_FLAT_ADJUSTMENT_PPM, adjustment.ppm);
		set_number(to, at + CORRAL_FLAT_ADJUSTMENT_CENTS, adjustment.cents);
		set_number(to, at + CORRAL_FLAT_ADJUSTMENT_AMOUNT_CENTS, adjustment.amount_cents);
	}
	return 0;
}

static void put_head(struct writer *to, const struct corral_head *head,
		     const struct cart_times *times)
{
	uint64_t ttl_ms = head->ttl_ms != 0 ? head->ttl_ms : times->usual_ttl_ms;

	set_number(to, CORRAL_FLAT_LAYOUT, CORRAL_FLAT_LAYOUT_NOW);
	set_number(to, CORRAL_FLAT_HEAD_COUNT, CORRAL_FLAT_HEAD_NOW);
	set_number(to, CORRAL_FLAT_VERSION, (int64_t)head->version);
	set_number(to, CORRAL_FLAT_STATUS, head->status);
	set_number(to, CORRAL_FLAT_SUBTOTAL_CENTS, head->subtotal_cents);
	set_number(to, CORRAL_FLAT_TAX_CENTS, head->tax_cents);
	set_number(to, CORRAL_FLAT_TOTAL_CENTS, head->total_cents);
	set_number(to, CORRAL_FLAT_TAX_PPM, head->tax_ppm);
	set_number(to, CORRAL_FLAT_ITEM_COUNT, head->item_count);
	set_number(to, CORRAL_FLAT_TTL_MS, (int64_t)head->ttl_ms);
	set_number(to, CORRAL_FLAT_EFFECTIVE_TTL_MS, (int64_t)ttl_ms);
	set_number(to, CORRAL_FLAT_CREATED_MS, head->created_ms);
	set_number(to, CORRAL_FLAT_UPDATED_MS, head->updated_ms);
	set_number(to, CORRAL_FLAT_EXPIRES_MS, times->expires_ms);
	set_number(to, CORRAL_FLAT_MODIFIER_STRIDE, CORRAL_FLAT_MODIFIER_NOW);
	set_number(to, CORRAL_FLAT_EXTRA_STRIDE, CORRAL_FLAT_EXTRA_NOW);
	set_number(to, CORRAL_FLAT_PRICING, head->pricing);
	set_number(to, CORRAL_FLAT_CURRENCY_DIGITS, head->currency_digits);
	set_number(to, CORRAL_FLAT_BEFORE_TAX_CENTS, head->before_tax_cents);
	set_number(to, CORRAL_FLAT_AFTER_TAX_CENTS, head->after_tax_cents);
}

int cart_flatten(const void *bytes, size_t size, const struct cart_times *times,
		 struct corral_flat *flat)
{
	struct writer to = { .flat = flat };
	struct corral_head head;
	struct corral_key key;
	int r;

	if (flat->unit > CORRAL_FLAT_CODE_POINTS || (flat->flags & ~CORRAL_OBSERVE) != 0)
		return -EINVAL;
	r = cart_get_head(bytes, size, &head);
	if (r == 0)
		r = cart_get_key(bytes, size, &key);
	if (r != 0)
		return r;
	flat->number_count = flat->text_size = flat->values_size = 0;
	(void)begin_record(&to, CORRAL_FLAT_HEAD_NOW);
	put_head(&to, &head, times);
	set_text(&to, CORRAL_FLAT_RESTAURANT_AT, key.restaurant_id);
	set_text(&to, CORRAL_FLAT_SESSION_AT, key.session_id);
	set_text(&to, CORRAL_FLAT_CURRENCY_AT,
		 (struct corral_text){ head.currency, strlen(head.currency) });
	r = put_attributes(&to, bytes, size);
	put_rates(&to, &head);
	if (r == 0)
		r = put_adjustments(&to, bytes, size, head.adjustment_count);
	if (r == 0)
		r = put_lines(&to, bytes, size, head.line_count);
	if (r == 0 && flat->values_size > 0)
		r = put_values(flat, bytes, size, head.line_count);
	if (r < 0)
		return r;
	set_count(&to, CORRAL_FLAT_INEXACT, to.inexact);
	return flat->number_count > flat->number_room ||
			       flat->text_size + flat->values_size > flat->text_room ?
		       -ENOBUFS :
		       0;
}
