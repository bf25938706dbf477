/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read.c: views, copies, decoded carts.
 */
#include "contract.h"

static const uint8_t seven[] = { 0x07 }; /* MessagePack: 7 */

/* A cart with all that a cart has. */
static uint64_t full_cart(const struct contract *c)
{
	struct corral_modifier modifiers[] = { { T("bacon"), 150 }, { T("no onion"), -20 } };
	struct corral_extra extra = { T("seat"), seven, sizeof(seven) };
	struct corral_text name = T("table"), value = T("12");
	struct corral_item item = contract_item("burger", 899, 2);
	struct corral_result r = { 0 };

	item.notes = T("well done");
	item.modifiers = modifiers;
	item.modifier_count = COUNT(modifiers);
	item.extras = &extra;
	item.extra_count = 1;
	gives(0, corral_add(c->corral, &c->key, &item, NULL, NULL));
	(void)contract_add(c, "coke", 199, 1);
	gives(0, corral_set_attribute(c->corral, &c->key, &name, &value, NULL, NULL));
	gives(0, corral_set_ttl(c->corral, &c->key, HOUR_MS, NULL, NULL));
	gives(0, corral_set_tax(c->corral, &c->key, 100000, NULL, &r));
	return r.version;
}

static void check_burger(const struct corral_item *item)
{
	assert_true(contract_same_text(item->menu_item_id, T("burger")));
	assert_true(contract_same_text(item->name, T("Item")));
	assert_true(contract_same_text(item->notes, T("well done")));
	assert_int_equal(item->unit_price_cents, 899);
	assert_int_equal(item->quantity, 2);
	assert_int_equal(item->separate, 0);
	assert_int_equal(item->modifier_count, 2);
	int64_t sum = 0;
	for (uint32_t i = 0; i < item->modifier_count; i++) /* in any order */
		sum += item->modifiers[i].price_cents;
	assert_int_equal(sum, 130);
	assert_int_equal(item->extra_count, 1);
	assert_true(contract_same_text(item->extras[0].key, T("seat")));
	assert_int_equal(item->extras[0].value_size, sizeof(seven));
	assert_memory_equal(item->extras[0].value, seven, sizeof(seven));
}

static void check_head(const struct corral_head *head, uint64_t version)
{
	assert_int_equal(head->version, version);
	assert_int_equal(head->subtotal_cents, 2 * (899 + 130) + 199);
	assert_int_equal(head->tax_ppm, 100000);
	assert_int_equal(head->tax_cents, 226); /* 10 % of 22.57 is 2.257 */
	assert_int_equal(head->total_cents, head->subtotal_cents + head->tax_cents);
	assert_int_equal(head->item_count, 3);
	assert_int_equal(head->line_count, 2);
	assert_int_equal(head->status, CORRAL_OPEN);
	assert_int_equal(head->ttl_ms, HOUR_MS);
	assert_int_equal(head->effective_ttl_ms, HOUR_MS);
	assert_true(head->created_ms > 0 && head->updated_ms >= head->created_ms);
}

static void check_view(const struct contract *c, const struct corral_view *view, uint64_t version)
{
	struct corral_attribute attribute;
	struct corral_item *item;
	struct corral_head head;
	struct corral_line line;
	struct corral_key key;

	assert_int_equal(view->version, version);
	gives(0, corral_view_verify(view));
	gives(0, corral_view_head(view, &head));
	check_head(&head, version);
	gives(0, corral_view_key(view, &key));
	assert_true(contract_same_text(key.restaurant_id, c->key.restaurant_id));
	assert_true(contract_same_text(key.session_id, c->key.session_id));
	gives(0, corral_view_line(view, 0, &line));
	assert_int_equal(line.line, 1);
	assert_int_equal(line.quantity, 2);
	assert_int_equal(line.unit_price_cents, 899);
	assert_int_equal(line.modifiers_cents, 130);
	assert_int_equal(line.total_cents, 2 * (899 + 130));
	assert_true(line.words_size > 0);
	gives(0, corral_view_item(view, 0, &item));
	check_burger(item);
	corral_item_free(item);
	gives(0, corral_view_attribute(view, 0, &attribute));
	assert_true(contract_same_text(attribute.name, T("table")));
	assert_true(contract_same_text(attribute.value, T("12")));
	assert_true(corral_view_expires_ms(view) > head.updated_ms);
	gives(-ENXIO, corral_view_line(view, 2, &line));
	gives(-ENXIO, corral_view_item(view, 2, &item));
	gives(-ENXIO, corral_view_attribute(view, 1, &attribute));
}

static void a_cart_that_is_not_there_cannot_be_read(struct contract *c)
{
	struct corral_view view;
	struct corral_cart *cart = NULL;
	char buffer[64];
	size_t size = 77;

	gives(-ENOENT, corral_read_begin(c->corral, &c->key, &view));
	gives(-ENOENT, corral_read_copy(c->corral, &c->key, buffer, sizeof(buffer), &size, &view));
	gives(-ENOENT, corral_get(c->corral, &c->key, &cart));
	assert_int_equal(size, 77);
	assert_null(cart);
}

static void a_view_shows_all_of_a_cart(struct contract *c)
{
	uint64_t version = full_cart(c);
	struct corral_view view;

	gives(0, corral_read_begin(c->corral, &c->key, &view));
	check_view(c, &view, version);
	gives(0, corral_read_end(&view));
}

static void a_view_stays_as_it_was_whatever_becomes_of_the_cart(struct contract *c)
{
	uint64_t version = full_cart(c);
	struct corral_view view, inner;

	gives(0, corral_read_begin(c->corral, &c->key, &view));
	for (int i = 0; i < 20; i++)
		(void)contract_add(c, "tea", 150, 1);
	gives(0, corral_read_begin(c->corral, &c->key, &inner)); /* nested: the cart as it is */
	assert_true(inner.version > version);
	check_view(c, &view, version);
	gives(0, corral_drop(c->corral, &c->key, NULL, NULL));
	check_view(c, &view, version);
	gives(0, corral_read_end(&inner));
	check_view(c, &view, version);
	gives(0, corral_read_end(&view));
}

static void a_copy_says_what_room_it_needs_and_lives_as_long_as_its_buffer(struct contract *c)
{
	static char buffer[CORRAL_CART_MAX];
	uint64_t version = full_cart(c);
	struct corral_view view;
	size_t need = 0, used = 0;

	gives(-ENOBUFS, corral_read_copy(c->corral, &c->key, buffer, 16, &need, &view));
	assert_true(need > 16 && need <= sizeof(buffer));
	gives(-ENOBUFS, corral_read_copy(c->corral, &c->key, buffer, need - 1, &used, &view));
	assert_int_equal(used, need);
	gives(0, corral_read_copy(c->corral, &c->key, buffer, need, &used, &view));
	assert_int_equal(used, need);
	gives(0, corral_drop(c->corral, &c->key, NULL, NULL));
	check_view(c, &view, version);
}

static void a_decoded_cart_has_all_of_it(struct contract *c)
{
	uint64_t version = full_cart(c);
	struct corral_cart *cart = contract_get(c);

	check_head(&cart->head, version);
	assert_true(contract_same_text(cart->key.restaurant_id, c->key.restaurant_id));
	assert_true(contract_same_text(cart->key.session_id, c->key.session_id));
	assert_int_equal(cart->line_count, 2);
	assert_int_equal(cart->lines[0].line, 1);
	assert_int_equal(cart->lines[0].total_cents, 2 * (899 + 130));
	check_burger(&cart->lines[0].item);
	assert_int_equal(cart->lines[1].line, 2);
	assert_int_equal(cart->lines[1].total_cents, 199);
	assert_int_equal(cart->attribute_count, 1);
	assert_true(contract_same_text(cart->attributes[0].value, T("12")));
	assert_true(cart->expires_ms > cart->head.updated_ms);
	corral_cart_free(cart);
}

static struct corral_text flat_text(const struct corral_flat *flat, double at, double size)
{
	return (struct corral_text){ flat->text + (size_t)at, (size_t)size };
}

static void check_flat(const struct contract *c, const struct corral_flat *flat, uint64_t version)
{
	const double *n = flat->numbers;
	const double *line = n + (size_t)n[CORRAL_FLAT_LINES_AT];
	const double *modifier = n + (size_t)line[CORRAL_FLAT_LINE_MODIFIERS_AT];
	const double *extra = n + (size_t)line[CORRAL_FLAT_LINE_EXTRAS_AT];
	const double *attribute = n + (size_t)n[CORRAL_FLAT_ATTRIBUTES_AT];

	assert_true(n[CORRAL_FLAT_LAYOUT] == CORRAL_FLAT_LAYOUT_NOW);
	assert_true(n[CORRAL_FLAT_HEAD_COUNT] >= CORRAL_FLAT_HEAD_NOW);
	assert_true(n[CORRAL_FLAT_INEXACT] == 0);
	assert_true(n[CORRAL_FLAT_VERSION] == (double)version);
	assert_true(n[CORRAL_FLAT_STATUS] == CORRAL_OPEN);
	assert_true(n[CORRAL_FLAT_TOTAL_CENTS] == 2257 + 226);
	assert_true(n[CORRAL_FLAT_TTL_MS] == HOUR_MS);
	assert_true(n[CORRAL_FLAT_EFFECTIVE_TTL_MS] == HOUR_MS);
	assert_true(n[CORRAL_FLAT_EXPIRES_MS] > n[CORRAL_FLAT_UPDATED_MS]);
	assert_true(contract_same_text(
		flat_text(flat, n[CORRAL_FLAT_SESSION_AT], n[CORRAL_FLAT_SESSION_SIZE]),
		c->key.session_id));
	assert_true(n[CORRAL_FLAT_LINE_COUNT] == 2 && n[CORRAL_FLAT_ATTRIBUTE_COUNT] == 1);
	assert_true(line[CORRAL_FLAT_LINE_NUMBER] == 1);
	assert_true(line[CORRAL_FLAT_LINE_QUANTITY] == 2);
	assert_true(line[CORRAL_FLAT_LINE_UNIT_PRICE_CENTS] == 899);
	assert_true(line[CORRAL_FLAT_LINE_MODIFIERS_CENTS] == 130);
	assert_true(contract_same_text(
		flat_text(flat, line[CORRAL_FLAT_LINE_NOTES_AT], line[CORRAL_FLAT_LINE_NOTES_SIZE]),
		T("well done")));
	assert_true(line[CORRAL_FLAT_LINE_MODIFIER_COUNT] == 2);
	assert_true(modifier[CORRAL_FLAT_MODIFIER_PRICE_CENTS] +
			    modifier[(size_t)n[CORRAL_FLAT_MODIFIER_STRIDE] +
				     CORRAL_FLAT_MODIFIER_PRICE_CENTS] ==
		    130);
	assert_true(line[CORRAL_FLAT_LINE_EXTRA_COUNT] == 1);
	assert_true(extra[CORRAL_FLAT_EXTRA_VALUE_SIZE] == sizeof(seven));
	assert_memory_equal(flat->text + flat->text_size +
				    (size_t)extra[CORRAL_FLAT_EXTRA_VALUE_AT],
			    seven, sizeof(seven));
	line += (size_t)n[CORRAL_FLAT_LINE_STRIDE];
	assert_true(line[CORRAL_FLAT_LINE_TOTAL_CENTS] == 199);
	assert_true(contract_same_text(flat_text(flat, attribute[CORRAL_FLAT_ATTRIBUTE_VALUE_AT],
						 attribute[CORRAL_FLAT_ATTRIBUTE_VALUE_SIZE]),
				       T("12")));
}

static void a_flat_cart_has_all_of_it(struct contract *c)
{
	static double numbers[512];
	static char text[4096];
	const struct corral_flat room = { .numbers = numbers,
					  .number_room = COUNT(numbers),
					  .text = text,
					  .text_room = sizeof(text) };
	struct corral_flat flat = room, small = { .unit = CORRAL_FLAT_BYTES };
	struct corral_view view;

	gives(-ENOENT, corral_read_flat(c->corral, &c->key, &flat));
	uint64_t version = full_cart(c);
	for (uint32_t unit = CORRAL_FLAT_BYTES; unit <= CORRAL_FLAT_CODE_POINTS; unit++) {
		flat = room;
		flat.unit = unit; /* all texts here are of ASCII */
		gives(0, corral_read_flat(c->corral, &c->key, &flat));
		check_flat(c, &flat, version);
	}
	gives(-ENOBUFS, corral_read_flat(c->corral, &c->key, &small));
	assert_int_equal(small.number_count, flat.number_count);
	assert_int_equal(small.text_size, flat.text_size);
	assert_int_equal(small.values_size, flat.values_size);
	flat = room;
	flat.unit = 99;
	gives(-EINVAL, corral_read_flat(c->corral, &c->key, &flat));
	flat = room;
	gives(0, corral_read_begin(c->corral, &c->key, &view));
	gives(0, corral_view_flat(&view, &flat));
	gives(0, corral_read_end(&view));
	check_flat(c, &flat, version);
}

static void one_bit_that_differs_in_a_copy_is_found(struct contract *c)
{
	static char buffer[CORRAL_CART_MAX];
	struct corral_view view;
	size_t size;

	(void)full_cart(c);
	gives(0, corral_read_copy(c->corral, &c->key, buffer, sizeof(buffer), &size, &view));
	for (size_t bit = 0; bit < 8 * size; bit += 13) {
		buffer[bit / 8] = (char)(buffer[bit / 8] ^ 1 << bit % 8);
		gives(-EUCLEAN, corral_view_verify(&view));
		buffer[bit / 8] = (char)(buffer[bit / 8] ^ 1 << bit % 8);
	}
	gives(0, corral_view_verify(&view));
}

const struct contract_case read_cases[] = {
	CASE(a_cart_that_is_not_there_cannot_be_read),
	CASE(a_view_shows_all_of_a_cart),
	CASE(a_view_stays_as_it_was_whatever_becomes_of_the_cart),
	CASE(a_copy_says_what_room_it_needs_and_lives_as_long_as_its_buffer),
	CASE(a_decoded_cart_has_all_of_it),
	CASE(a_flat_cart_has_all_of_it),
	CASE(one_bit_that_differs_in_a_copy_is_found),
	{ NULL, NULL },
};
