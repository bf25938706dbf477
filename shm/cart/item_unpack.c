/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * item_unpack.c: takes a line's words and a cart's attributes apart.
 *
 * Everything is bounded by the limits of corral.h and by the bytes, which may be damaged.
 * Texts and values are spans of the bytes; extras stay as they came. The few lines that
 * write a text are here as well, for cart_build(), which may not call a library inside
 * its critical section.
 *
 * Does not pack items (item_pack.c), does not allocate (decode.c does).
 */
#include <errno.h>

#include "cart/cart_shape.h"
#include "cart/item.h"
#include "cart/unpack.h"

/* ---------------------------------------------------------------- items */

/* Without the header, and the literal's final zero. */
#define KEY_TEXT(packed)                                                                           \
	{                                                                                          \
		&(packed)[1], sizeof(packed) - 2                                                   \
	}

const struct corral_text item_own_keys[ITEM_KEYS_MAX] = {
	KEY_TEXT(ITEM_KEY_MENU_ITEM_ID), KEY_TEXT(ITEM_KEY_MODIFIERS), KEY_TEXT(ITEM_KEY_NOTES),
	KEY_TEXT(ITEM_KEY_NAME),         KEY_TEXT(ITEM_KEY_SEPARATE),
};

bool item_value_valid(const void *value, size_t size)
{
	struct cursor cursor = { value, (const uint8_t *)value + size, NULL };

	return take_value(&cursor) && cursor.at == cursor.end;
}

bool item_extras_distinct(const struct corral_extra *extras, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t j = 0; j < ITEM_KEYS_MAX; j++)
			if (text_equal(extras[i].key, item_own_keys[j]))
				return false;
		for (uint32_t j = 0; j < i; j++)
			if (text_equal(extras[i].key, extras[j].key))
				return false;
	}
	return true;
}

/* Take the key that has to come next. Inlined, so that the key's size is a constant. */
static inline __attribute__((always_inline)) bool take_own_key(struct cursor *cursor,
							       uint32_t index)
{
	struct corral_text key;

	return take_short_text(cursor, item_own_keys[index]) ||
	       (take_text(cursor, &key) && text_equal(key, item_own_keys[index]));
}

/* The key that only some items have, which is followed by true. */
static bool take_separate(struct cursor *cursor, uint64_t *pairs_left, struct corral_item *item)
{
	struct cursor ahead = *cursor;

	if (*pairs_left == 0 || !take_own_key(&ahead, ITEM_SEPARATE))
		return true;
	if (ahead.at == ahead.end || *ahead.at != ITEM_TRUE)
		return false;
	ahead.at++;
	*cursor = ahead;
	--*pairs_left;
	item->separate = 1;
	return true;
}

static bool take_modifiers(struct cursor *cursor, struct item_parts *parts)
{
	uint64_t count, two;

	if (!take_array(cursor, &count) || count > CORRAL_MODIFIERS_MAX)
		return false;
	for (uint64_t i = 0; i < count; i++)
		if (!take_array(cursor, &two) || two != 2 ||
		    !take_text(cursor, &parts->modifiers[i].name) ||
		    !take_int(cursor, &parts->modifiers[i].price_cents))
			return false;
	parts->item.modifier_count = (uint32_t)count;
	return cart_modifiers_cents(parts->modifiers, parts->item.modifier_count,
				    &parts->modifiers_cents);
}

static bool take_extras(struct cursor *cursor, uint64_t count, struct item_parts *parts)
{
	for (uint64_t i = 0; i < count; i++) {
		struct corral_extra *extra = &parts->extras[i];

		if (!take_text(cursor, &extra->key))
			return false;
		extra->value = cursor->at;
		if (!take_value(cursor))
			return false;
		extra->value_size = (size_t)(cursor->at - (const uint8_t *)extra->value);
	}
	parts->item.extra_count = (uint32_t)count;
	return item_extras_distinct(parts->extras, parts->item.extra_count);
}

size_t item_parse_first(const void *bytes, size_t size, struct item_parts *ret_parts)
{
	struct cursor cursor = { bytes, (const uint8_t *)bytes + min_u64(size, CORRAL_WORDS_MAX),
				 NULL };
	struct corral_item *item = &ret_parts->item;
	uint64_t pairs;

	memset(item, 0, sizeof(*item));
	if (!take_map(&cursor, &pairs) || pairs < ITEM_OWN_KEYS ||
	    pairs > ITEM_KEYS_MAX + CORRAL_EXTRAS_MAX)
		return 0;
	pairs -= ITEM_OWN_KEYS;
	if (!take_own_key(&cursor, 0) || !take_text(&cursor, &item->menu_item_id) ||
	    item->menu_item_id.size == 0 || !take_own_key(&cursor, 1) ||
	    !take_modifiers(&cursor, ret_parts) || !take_own_key(&cursor, 2) ||
	    !take_text(&cursor, &item->notes) || !take_own_key(&cursor, 3) ||
	    !take_text(&cursor, &item->name) || !take_separate(&cursor, &pairs, item) ||
	    pairs > CORRAL_EXTRAS_MAX || !take_extras(&cursor, pairs, ret_parts))
		return 0;
	return (size_t)(cursor.at - (const uint8_t *)bytes);
}

int item_parse(const void *bytes, size_t size, struct item_parts *ret_parts)
{
	size_t used = item_parse_first(bytes, size, ret_parts);

	return used > 0 && used == size ? 0 : -EUCLEAN;
}

bool item_is_of(const void *words, size_t size, struct corral_text menu_item_id)
{
	struct cursor cursor = { words, (const uint8_t *)words + size, NULL };
	struct corral_text id;
	uint64_t pairs;

	return take_map(&cursor, &pairs) && take_own_key(&cursor, 0) && take_text(&cursor, &id) &&
	       text_equal(id, menu_item_id);
}

/* ---------------------------------------------------------------- attributes */

static bool take_attribute(struct cursor *cursor, struct corral_attribute *ret_attribute)
{
	return take_text(cursor, &ret_attribute->name) && take_text(cursor, &ret_attribute->value);
}

/* A cursor on the first pair; count is that of the cart's head. */
static bool open_attributes(const uint8_t *map, uint32_t size, uint32_t count,
			    struct cursor *ret_cursor)
{
	uint64_t pairs = 0;

	*ret_cursor = (struct cursor){ map, map + size, NULL };
	if (count > CORRAL_ATTRIBUTES_MAX || (count == 0) != (size == 0))
		return false;
	return count == 0 || (take_map(ret_cursor, &pairs) && pairs == count);
}

int attribute_find(const uint8_t *map, uint32_t size, uint32_t count, struct corral_text name,
		   struct attribute_place *ret_place)
{
	struct attribute_place place = { 0, size, 0 };
	struct cursor cursor;

	if (!open_attributes(map, size, count, &cursor))
		return -EUCLEAN;
	place.header_size = (uint32_t)(cursor.at - map);
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *at = cursor.at;
		struct corral_attribute attribute;

		if (!take_attribute(&cursor, &attribute))
			return -EUCLEAN;
		if (place.size == 0 && text_equal(attribute.name, name)) {
			place.at = (uint32_t)(at - map);
			place.size = (uint32_t)(cursor.at - at);
		}
	}
	if (cursor.at != cursor.end)
		return -EUCLEAN;
	*ret_place = place;
	return 0;
}

int attributes_check(const uint8_t *map, uint32_t size, uint32_t count)
{
	struct corral_attribute all[CORRAL_ATTRIBUTES_MAX];
	struct cursor cursor;

	if (!open_attributes(map, size, count, &cursor))
		return -EUCLEAN;
	for (uint32_t i = 0; i < count; i++) {
		if (!take_attribute(&cursor, &all[i]) || all[i].name.size == 0 ||
		    all[i].name.size > CORRAL_ATTRIBUTE_NAME_MAX ||
		    all[i].value.size > CORRAL_ATTRIBUTE_VALUE_MAX)
			return -EUCLEAN;
		for (uint32_t j = 0; j < i; j++)
			if (text_equal(all[j].name, all[i].name))
				return -EUCLEAN;
	}
	return cursor.at == cursor.end ? 0 : -EUCLEAN;
}

int cart_get_attribute(const void *bytes, size_t size, uint32_t index,
		       struct corral_attribute *ret_attribute)
{
	struct corral_attribute attribute;
	struct cart_head head;
	struct cursor cursor;
	int r = cart_load(bytes, size, &head);

	if (r)
		return r;
	if (index >= head.attribute_count)
		return -ENXIO;
	if (!open_attributes((const uint8_t *)bytes + cart_sections(&head).attributes_at,
			     head.attributes_size, head.attribute_count, &cursor))
		return -EUCLEAN;
	for (uint32_t i = 0; i <= index; i++)
		if (!take_attribute(&cursor, &attribute))
			return -EUCLEAN;
	*ret_attribute = attribute;
	return 0;
}

/* ---------------------------------------------------------------- write */

#define FIXMAP 0x80
#define FIXMAP_MAX 15
#define MAP_16 0xde

uint32_t pack_map_header(uint32_t count, uint8_t *at)
{
	if (count == 0)
		return 0;
	if (count <= FIXMAP_MAX) {
		at[0] = (uint8_t)(FIXMAP | count);
		return 1;
	}
	at[0] = MAP_16;
	at[1] = (uint8_t)(count >> 8);
	at[2] = (uint8_t)count;
	return MAP_HEADER_MAX;
}
