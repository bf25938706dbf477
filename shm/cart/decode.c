/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decode.c: a line, or a whole cart, as the structs of corral.h.
 *
 * One malloc() holds all of a result, so one free() ends it. A first walk counts, a
 * second fills; should the bytes have changed in between, the second finds it has no
 * room and says -EUCLEAN. Not for critical sections.
 *
 * Does not read MessagePack itself (item_unpack.c). Checksums are verified of a copy only, whose
 * bytes do not change between the look and the use.
 */
#include <errno.h>
#include <stdlib.h>

#include "cart/cart_shape.h"
#include "cart/item.h"

/* Line and words of an index; the item is complete but for its arrays. */
static int parse_line(const void *bytes, size_t size, uint32_t index, struct corral_line *line,
		      struct item_parts *parts)
{
	int r = cart_get_line(bytes, size, index, line);

	if (r == 0)
		r = item_parse(line->words, line->words_size, parts);
	if (r)
		return r;
	parts->item.quantity = line->quantity;
	parts->item.unit_price_cents = line->unit_price_cents;
	parts->item.own_rate = line->own_rate;
	parts->item.tax_ppm = line->tax_ppm;
	return 0;
}

/* The place for the arrays of items, and the room that is left there. */
struct pool {
	struct corral_modifier *modifiers;
	struct corral_extra *extras;
	uint64_t modifiers_left;
	uint64_t extras_left;
};

static bool fill_item(const struct item_parts *parts, struct pool *pool,
		      struct corral_item *ret_item)
{
	uint32_t modifier_count = parts->item.modifier_count;
	uint32_t extra_count = parts->item.extra_count;

	if (modifier_count > pool->modifiers_left || extra_count > pool->extras_left)
		return false;
	*ret_item = parts->item;
	ret_item->modifiers = modifier_count ? pool->modifiers : NULL;
	ret_item->extras = extra_count ? pool->extras : NULL;
	memcpy(pool->modifiers, parts->modifiers, modifier_count * sizeof(parts->modifiers[0]));
	memcpy(pool->extras, parts->extras, extra_count * sizeof(parts->extras[0]));
	pool->modifiers += modifier_count;
	pool->extras += extra_count;
	pool->modifiers_left -= modifier_count;
	pool->extras_left -= extra_count;
	return true;
}

int cart_decode_item(const void *bytes, size_t size, uint32_t index, struct corral_item **ret_item)
{
	struct item_parts parts;
	struct corral_item *item;
	struct corral_line line;
	struct pool pool;
	int r = parse_line(bytes, size, index, &line, &parts);

	if (r)
		return r;
	pool.modifiers_left = parts.item.modifier_count;
	pool.extras_left = parts.item.extra_count;
	item = malloc(sizeof(*item) + pool.modifiers_left * sizeof(*pool.modifiers) +
		      pool.extras_left * sizeof(*pool.extras));
	if (item == NULL)
		return -ENOMEM;
	pool.modifiers = (struct corral_modifier *)(item + 1);
	pool.extras = (struct corral_extra *)(pool.modifiers + pool.modifiers_left);
	fill_item(&parts, &pool, item);
	*ret_item = item;
	return 0;
}

/* ---------------------------------------------------------------- whole carts */

static int count_arrays(const void *bytes, size_t size, uint32_t line_count, struct pool *pool)
{
	struct item_parts parts;
	struct corral_line line;

	pool->modifiers_left = 0;
	pool->extras_left = 0;
	for (uint32_t i = 0; i < line_count; i++) {
		int r = parse_line(bytes, size, i, &line, &parts);

		if (r)
			return r == -ENXIO ? -EUCLEAN : r;
		pool->modifiers_left += parts.item.modifier_count;
		pool->extras_left += parts.item.extra_count;
	}
	return 0;
}

static int fill_cart(const void *bytes, size_t size, struct pool *pool, struct corral_cart *cart)
{
	struct item_parts parts;
	struct corral_head *head = &cart->head;
	struct corral_line line;
	int r = cart_get_head(bytes, size, head);

	if (r == 0)
		r = cart_get_key(bytes, size, &cart->key);
	if (r)
		return r;
	if (head->line_count != cart->line_count || head->adjustment_count > cart->adjustment_count)
		return -EUCLEAN;
	cart->adjustment_count = head->adjustment_count;
	for (uint32_t i = 0; i < cart->adjustment_count; i++) {
		r = cart_get_adjustment(bytes, size, i, &cart->adjustments[i]);
		if (r)
			return r == -ENXIO ? -EUCLEAN : r;
	}
	for (uint32_t i = 0; i < cart->line_count; i++) {
		r = parse_line(bytes, size, i, &line, &parts);
		if (r)
			return r == -ENXIO ? -EUCLEAN : r;
		cart->lines[i].line = line.line;
		cart->lines[i].reserved = 0;
		cart->lines[i].total_cents = line.total_cents;
		if (!fill_item(&parts, pool, &cart->lines[i].item))
			return -EUCLEAN;
	}
	for (uint32_t i = 0; i < cart->attribute_count; i++) {
		r = cart_get_attribute(bytes, size, i, &cart->attributes[i]);
		if (r)
			return r == -ENXIO ? -EUCLEAN : r;
	}
	return 0;
}

/* One block: the cart, its lines, attributes, modifiers, extras, and at the end the copy. */
static struct corral_cart *alloc_cart(const struct cart_head *head, size_t copy_size,
				      struct pool *pool, void **ret_copy)
{
	/* their number is in the section, so there is room for all that there may be */
	uint32_t adjustments = head->money_size != 0 ? CORRAL_ADJUSTMENTS_MAX : 0;
	struct corral_cart *cart;

	cart = malloc(sizeof(*cart) + head->line_count * sizeof(*cart->lines) +
		      head->attribute_count * sizeof(*cart->attributes) +
		      adjustments * sizeof(*cart->adjustments) +
		      pool->modifiers_left * sizeof(*pool->modifiers) +
		      pool->extras_left * sizeof(*pool->extras) + copy_size);
	if (cart == NULL)
		return NULL;
	memset(cart, 0, sizeof(*cart));
	cart->line_count = head->line_count;
	cart->attribute_count = head->attribute_count;
	cart->adjustment_count = adjustments;
	cart->lines = (struct corral_cart_line *)(cart + 1);
	cart->attributes = (struct corral_attribute *)(cart->lines + cart->line_count);
	cart->adjustments = (struct corral_adjustment *)(cart->attributes + cart->attribute_count);
	pool->modifiers = (struct corral_modifier *)(cart->adjustments + adjustments);
	pool->extras = (struct corral_extra *)(pool->modifiers + pool->modifiers_left);
	*ret_copy = pool->extras + pool->extras_left;
	return cart;
}

int cart_decode(const void *bytes, size_t size, bool copy, struct corral_cart **ret_cart)
{
	struct corral_cart *cart;
	struct cart_head head;
	struct pool pool;
	void *copied;
	int r = cart_load(bytes, size, &head);

	if (r == 0)
		r = count_arrays(bytes, size, head.line_count, &pool);
	if (r)
		return r;
	cart = alloc_cart(&head, copy ? head.size : 0, &pool, &copied);
	if (cart == NULL)
		return -ENOMEM;
	if (copy) {
		memcpy(copied, bytes, head.size);
		r = cart_verify(copied, head.size);
	}
	if (r == 0)
		r = fill_cart(copy ? copied : bytes, head.size, &pool, cart);
	if (r) {
		free(cart);
		return r;
	}
	*ret_cart = cart;
	return 0;
}
