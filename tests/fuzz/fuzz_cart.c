/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_cart.c: bytes that may be a cart, or words, and every operation on such bytes.
 *
 * The input: { flags, of the change: kind, number, number, number }, then the bytes. With SEAL in
 * the flags the checksums are corrected first, so that the code behind them is reached.
 *
 * Besides not crashing: what validates can be read completely, and its numbers add up; every
 * planned change of it is built into a cart that validates again, with the numbers that were
 * answered.
 */
#include <errno.h>

#include "fuzz.h"

#include "cart/cart_shape.h"
#include "cart/item.h"
#include "cart_seal.h"
#include "tool.h"

#define FRONT 5
#define SEED 0x5eedull
#define NOW_MS 1700000000000

enum { SEAL = 1, SIZE_TOO = 2, ODD = 4, AS_WORDS = 8, AS_ATTRIBUTES = 16, LATER = 32 };

struct numbers {
	uint8_t flags;
	uint8_t kind;
	uint8_t a, b, c;
};

/* ----------------------------------------------------------------- reading */

static uint64_t touched; /* from every byte that was returned */

static void touch(const void *bytes, size_t size)
{
	touched += XXH3_64bits(bytes, size);
}

static void touch_text(struct corral_text text)
{
	touch(text.data != NULL ? text.data : "", text.size);
}

static void read_item(const struct corral_item *item)
{
	touch_text(item->menu_item_id);
	touch_text(item->name);
	touch_text(item->notes);
	for (uint32_t i = 0; i < item->modifier_count; i++)
		touch_text(item->modifiers[i].name);
	for (uint32_t i = 0; i < item->extra_count; i++) {
		touch_text(item->extras[i].key);
		touch(item->extras[i].value, item->extras[i].value_size);
	}
}

static void read_decoded(const struct corral_cart *cart)
{
	touch_text(cart->key.restaurant_id);
	touch_text(cart->key.session_id);
	for (uint32_t i = 0; i < cart->line_count; i++)
		read_item(&cart->lines[i].item);
	for (uint32_t i = 0; i < cart->attribute_count; i++) {
		touch_text(cart->attributes[i].name);
		touch_text(cart->attributes[i].value);
	}
	for (uint32_t i = 0; i < cart->adjustment_count; i++)
		touch_text(cart->adjustments[i].name);
}

/* Do the parts of the money make up the whole? */
static bool adds_up(const struct corral_head *head)
{
	__int128 base = 0, tax = 0;

	for (uint32_t i = 0; i < head->rate_count; i++) {
		base += head->rates[i].base_cents;
		tax += head->rates[i].tax_cents;
	}
	return tax == head->tax_cents && base + tax + head->after_tax_cents == head->total_cents &&
	       base == (__int128)head->subtotal_cents + head->before_tax_cents -
			       ((head->pricing & CORRAL_TAX_INSIDE) != 0 ? tax : 0);
}

/* Call every accessor on every index, and on one past the end. */
static void read_parts(const void *bytes, size_t size, bool valid)
{
	struct corral_adjustment adjustment;
	struct corral_attribute attribute;
	struct corral_item *item;
	struct corral_head head = { 0 };
	struct corral_line line;
	struct corral_key key;
	__int128 subtotal = 0;
	uint64_t items = 0;
	uint32_t lines = 0;

	must((cart_shape(bytes, size) == 0) == (cart_get_key(bytes, size, &key) == 0));
	must(cart_get_head(bytes, size, &head) == 0 || !valid);
	for (int r = 0;
	     lines <= CORRAL_LINES_MAX && (r = cart_get_line(bytes, size, lines, &line)) == 0;
	     lines++) {
		touch(line.words, line.words_size);
		subtotal += line.total_cents;
		items += line.quantity;
		r = cart_decode_item(bytes, size, lines, &item);
		must(r == 0 || !valid);
		if (r == 0) {
			read_item(item);
			free(item);
		}
	}
	for (uint32_t i = 0; cart_get_attribute(bytes, size, i, &attribute) == 0; i++) {
		touch_text(attribute.name);
		touch_text(attribute.value);
	}
	for (uint32_t i = 0; cart_get_adjustment(bytes, size, i, &adjustment) == 0; i++)
		touch_text(adjustment.name);
	must(!valid || (lines == head.line_count && items == head.item_count &&
			subtotal == head.subtotal_cents && adds_up(&head)));
}

static void read_whole(const void *bytes, size_t size, bool valid)
{
	struct corral_cart *cart;

	for (int copy = 0; copy < 2; copy++) {
		int r = cart_decode(bytes, size, copy != 0, &cart);
		must(r == 0 || !valid);
		if (r < 0)
			continue;
		read_decoded(cart);
		if (copy == 0) { /* as the tool shows it, for any bytes */
			json_t *object = json_of_cart(cart);
			char *text = json_line(object);
			must(text != NULL);
			free(text);
			json_decref(object);
		}
		free(cart);
	}
}

/* Flat, first into no room at all, then into as much as that says: exactly, for a sanitizer. */
static void read_flat(const void *bytes, size_t size, uint32_t unit, bool valid)
{
	const struct cart_times times = { 1800000, NOW_MS };
	struct corral_flat flat = { .unit = unit };
	int r = cart_flatten(bytes, size, &times, &flat);

	must(r == -ENOBUFS || !valid);
	if (r != -ENOBUFS)
		return;
	size_t count = flat.number_count, text = flat.text_size + flat.values_size;
	flat.numbers = malloc(count * sizeof(*flat.numbers));
	flat.text = malloc(text);
	must(flat.numbers != NULL && flat.text != NULL);
	flat.number_room = count;
	flat.text_room = text;
	must(cart_flatten(bytes, size, &times, &flat) == 0);
	must(flat.number_count == count && flat.text_size + flat.values_size == text);
	must(cart_text_valid((struct corral_text){ flat.text, flat.text_size }) || !valid);
	touch(flat.numbers, count * sizeof(*flat.numbers));
	touch(flat.text, text);
	free(flat.numbers);
	free(flat.text);
}

/* ----------------------------------------------------------------- changes */

static struct cart_change a_change(enum cart_step_kind kind, const struct numbers *n,
				   uint64_t version)
{
	static struct cart_draft_line draft_line;
	static uint8_t buffer[512];
	static const struct corral_modifier modifier = { { "cheese", 6 }, -150 };
	struct corral_item item = { .menu_item_id = { "item-0", 6 },
				    .name = { "Burger", 6 },
				    .unit_price_cents =
					    n->a % 2 != 0 ? 899 : INT64_MAX >> n->b % 64,
				    .quantity = 1 + n->c,
				    .modifier_count = n->b % 2,
				    .modifiers = &modifier,
				    .own_rate = n->b / 2 % 2,
				    .tax_ppm = n->c * 3921u };
	struct cart_change change = { .one = { .kind = kind },
				      .key = { { "r", 1 }, { "s", 1 } },
				      .hash = 0x1234,
				      .seed = SEED,
				      .now_ms = NOW_MS,
				      .first_version = 1 };

	must(cart_pack_item(&item, SEED, buffer, sizeof(buffer), &change.one.words) == 0);
	draft_line = (struct cart_draft_line){ .line = n->a,
					       .quantity = 1 + n->c,
					       .words = change.one.words };
	change.one.line = n->a;
	change.one.quantity = kind == CART_ADD ? item.quantity : n->c;
	change.one.tax_ppm = n->b * 3921u;
	change.one.own_rate = n->c % 2 != 0 ? change.one.tax_ppm + 1 : 0;
	change.one.difference = n->a - n->b;
	change.one.adjustment_kind = (uint8_t)(n->a % 4 + 1);
	change.one.after_tax = n->c % 2 != 0;
	change.one.cents = kind == CART_SET_ADJUSTMENT && n->b == 0 ? INT64_MAX >> n->c % 64 : 0;
	change.one.pricing = n->a % 8;
	change.one.currency = cart_currency((struct corral_text){ "JPY", 3 });
	change.one.ttl_ms = n->b % 2 != 0 ? 0 : 60000;
	change.one.name = n->a % 2 != 0 ? (struct corral_text){ "table", 5 } :
					  (struct corral_text){ "note", 4 };
	change.one.value = (struct corral_text){ "a new value", n->b % 12 };
	change.one.remove_attribute = n->c % 2 != 0;
	change.draft.lines = &draft_line;
	change.draft.line_count = n->b % 2;
	if (kind == CART_REPLACE || n->b % 16 == 3)
		change.if_version = version;
	must(cart_hash_op((struct corral_text){ "item-0", n->c % 4 == 0 ? 6 : 0 }, SEED, &change) ==
	     0);
	return change;
}

/* Assert that the answered numbers are the built ones. */
static void compare(const struct corral_result *result, const uint8_t *bytes, size_t size)
{
	struct corral_head head;

	must(cart_get_head(bytes, size, &head) == 0);
	must(head.version == result->version && head.subtotal_cents == result->subtotal_cents &&
	     head.tax_cents == result->tax_cents && head.total_cents == result->total_cents &&
	     head.item_count == result->item_count && head.status == result->status);
}

/* `later`: the bytes as changed between plan and build; only in a damaged arena. */
static void change_it(const uint8_t *bytes, size_t size, const struct cart_change *change,
		      bool valid, const uint8_t *later)
{
	struct cart_plan plan;

	if (cart_plan(bytes, size, change, &plan) != 0 || change->one.kind == CART_DROP)
		return;
	must(plan.size <= CORRAL_CART_MAX && plan.size >= sizeof(struct cart_head));
	uint8_t *built = malloc(plan.size);
	must(built != NULL);
	cart_build(later != NULL ? later : bytes, change, &plan, built);
	if (later == NULL)
		compare(&plan.result, built, plan.size);
	if (valid && later == NULL) {
		must(cart_validate(built, plan.size) == 0);
		read_whole(built, plan.size, true);
	}
	free(built);
}

static void change_every_way(const uint8_t *bytes, size_t size, const struct numbers *n, bool valid)
{
	struct corral_head head = { 0 };
	uint8_t *later = NULL;

	(void)cart_get_head(bytes, size, &head);
	if ((n->flags & LATER) != 0) {
		later = exact_copy(bytes, size);
		for (size_t i = 0; i < size; i += 1 + n->a)
			later[i] ^= (uint8_t)(n->b + i);
	}
	for (uint32_t kind = CART_ADD; kind <= CART_SET_LINE_TAX; kind++) {
		if (kind == CART_PUT)
			continue;
		struct cart_change change = a_change((enum cart_step_kind)kind, n, head.version);
		change_it(bytes, size, &change, valid, later);
	}
	free(later);
}

/* ------------------------------------------------------------------- words */

static void as_words(const uint8_t *bytes, size_t size, const struct numbers *n)
{
	struct item_parts parts;
	uint8_t buffer[CORRAL_WORDS_MAX];
	struct cart_words words;

	if (item_value_valid(bytes, size)) { /* only valid values get this far */
		json_t *value = json_of_msgpack(bytes, size);
		char *line = json_line(value);
		must(strlen(line) <= 64 * size); /* whatever its keys are */
		free(line);
		json_decref(value);
	}
	struct corral_text text = { (const char *)bytes, size };
	struct corral_extra extra = { { "x", 1 }, bytes, size };
	struct corral_item item = {
		.menu_item_id = { "i", 1 }, .quantity = 1, .extra_count = 1, .extras = &extra
	};
	int r = cart_pack_item(&item, SEED, buffer, sizeof(buffer), &words);
	must(r != 0 || item_value_valid(bytes, size));
	must(r != 0 || item_parse(words.bytes, words.size, &parts) == 0);
	item = (struct corral_item){ .menu_item_id = { "i", 1 }, .notes = text, .quantity = n->a };
	r = cart_pack_item(&item, SEED, buffer, sizeof(buffer), &words);
	must(r != 0 || cart_text_valid(text));
	if (item_parse(bytes, size, &parts) < 0)
		return;
	read_item(&(struct corral_item){ .menu_item_id = parts.item.menu_item_id,
					 .name = parts.item.name,
					 .notes = parts.item.notes,
					 .modifier_count = parts.item.modifier_count,
					 .modifiers = parts.modifiers,
					 .extra_count = parts.item.extra_count,
					 .extras = parts.extras });
}

static void as_attributes(const uint8_t *bytes, size_t size, const struct numbers *n)
{
	static const struct corral_text name = { "table", 5 };
	struct attribute_place place;

	if (attributes_check(bytes, (uint32_t)size, n->a) == 0)
		must(attribute_find(bytes, (uint32_t)size, n->a, name, &place) == 0);
	if (attribute_find(bytes, (uint32_t)size, n->a, name, &place) == 0)
		must(place.at <= size && place.size <= size - place.at &&
		     place.header_size <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct numbers n;

	if (size < FRONT)
		return 0;
	memcpy(&n, data, FRONT);
	size -= FRONT;
	size_t odd = (n.flags & ODD) != 0 ? 3 : 0;
	uint8_t *block = malloc(size + odd + (size + odd == 0));
	must(block != NULL);
	uint8_t *bytes = block + odd;
	memcpy(bytes, data + FRONT, size);
	if ((n.flags & AS_WORDS) != 0) {
		as_words(bytes, size, &n);
	} else if ((n.flags & AS_ATTRIBUTES) != 0) {
		as_attributes(bytes, size, &n);
	} else {
		if ((n.flags & SIZE_TOO) != 0 && size >= sizeof(struct cart_head))
			memcpy(bytes + offsetof(struct cart_head, size),
			       &(uint32_t){ (uint32_t)size }, sizeof(uint32_t));
		if ((n.flags & SEAL) != 0)
			cart_seal(bytes, size);
		bool valid = cart_validate(bytes, size) == 0;
		read_parts(bytes, size, valid);
		read_whole(bytes, size, valid);
		read_flat(bytes, size, n.a % 3, valid);
		change_every_way(bytes, size, &n, valid);
	}
	free(block);
	return 0;
}
