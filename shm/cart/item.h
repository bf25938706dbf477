/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * item.h: a line's words and a cart's attributes as MessagePack bytes.
 *
 * For the files cart*.c, item*.c and portable*.c only. Reading is bounded by the
 * size given, also of damaged bytes, and nothing declared here allocates.
 */
#ifndef CORRAL_ITEM_H
#define CORRAL_ITEM_H

#include "cart/cart.h"

#define ITEM_OWN_KEYS 4u  /* menu_item_id, modifiers, notes, name: in this order */
#define ITEM_KEYS_MAX 5u  /* and separate, which only some items have */
#define ITEM_SEPARATE 4u  /* its index */
#define ITEM_TRUE 0xc3    /* its value, packed */
#define MAP_HEADER_MAX 3u /* bytes of the header of an attributes map */

/* The keys, packed: each is a header of one byte, and a text. */
#define ITEM_KEY_MENU_ITEM_ID "\xacmenu_item_id"
#define ITEM_KEY_MODIFIERS "\xa9modifiers"
#define ITEM_KEY_NOTES "\xa5notes"
#define ITEM_KEY_NAME "\xa4name"
#define ITEM_KEY_SEPARATE "\xa8separate"

extern const struct corral_text item_own_keys[ITEM_KEYS_MAX];

/*
 * Words taken apart; texts and values point into the bytes. item.modifiers and .extras are not set.
 */
struct item_parts {
	struct corral_item item; /* the quantity and the unit price are not in the words: 0 */
	int64_t modifiers_cents;
	struct corral_modifier modifiers[CORRAL_MODIFIERS_MAX];
	struct corral_extra extras[CORRAL_EXTRAS_MAX];
};

/* Take words apart and check all of them. 0 or -EUCLEAN. */
int item_parse(const void *bytes, size_t size, struct item_parts *ret_parts);

/* The same, but more may follow. Returns the size of the words; 0: there are none. */
size_t item_parse_first(const void *bytes, size_t size, struct item_parts *ret_parts);

/* Are these the words of this menu item? Looks no further than it has to. */
bool item_is_of(const void *words, size_t size, struct corral_text menu_item_id);

/* Are these bytes one MessagePack object, whole, nested no deeper than a cursor goes? */
bool item_value_valid(const void *value, size_t size);

/* Do the keys differ from ours and from each other? */
bool item_extras_distinct(const struct corral_extra *extras, uint32_t count);

static inline bool text_equal(struct corral_text a, struct corral_text b)
{
	return a.size == b.size && (a.size == 0 || __builtin_memcmp(a.data, b.data, a.size) == 0);
}

/*
 * The merge key of an item: items with equal keys become one line (their prices are compared
 * besides). It covers the menu item, modifiers and extras in any order, and notes. 0 and 0: the
 * item is to be a line of its own.
 */
void item_merge_key(const struct corral_item *item, uint64_t seed, uint64_t ret_merge[2]);

/* The same for an item with this rate of its own, in ppm plus one. */
void item_merge_rate(uint32_t own_rate, uint64_t seed, uint64_t merge[2]);

/* The key of a line that gets another rate. 0: it has, or gets, none of its own. */
void item_merge_rate_anew(uint32_t former, uint32_t own_rate, uint64_t seed, uint64_t merge[2]);

/* Sum of the modifiers' prices; false when it does not fit. */
bool cart_modifiers_cents(const struct corral_modifier *modifiers, uint32_t count,
			  int64_t *ret_cents);

/* ------------------------------------------------------------ attributes */
/* A map of strings; no attributes are no bytes at all. */

/* The place of an attribute in its map. */
struct attribute_place {
	uint32_t header_size; /* of the map's header */
	uint32_t at;          /* of the pair, or the end of the map if it has none of this name */
	uint32_t size;        /* of the pair, 0 if there is none */
};

/* 0 or -EUCLEAN. */
int attribute_find(const uint8_t *map, uint32_t size, uint32_t count, struct corral_text name,
		   struct attribute_place *ret_place);

/* All of them: texts, limits, names that differ. 0 or -EUCLEAN. */
int attributes_check(const uint8_t *map, uint32_t size, uint32_t count);

/* Write a map's header, or none for 0; returns its size, at most MAP_HEADER_MAX. */
uint32_t pack_map_header(uint32_t count, uint8_t *at);

/* ------------------------------------------------------------ texts */

#define FIXSTR 0xa0
#define FIXSTR_MAX 31u
#define STR_8 0xd9
#define STR_16 0xda

static inline uint32_t text_header_size(size_t size)
{
	return size <= FIXSTR_MAX ? 1 : size <= UINT8_MAX ? 2 : 3;
}

/* Bytes of a text of at most 65535 bytes, packed. */
static inline uint32_t packed_text_size(struct corral_text text)
{
	return text_header_size(text.size) + (uint32_t)text.size;
}

/*
 * Copy bytes that are mostly few, then in two pieces which may overlap: a call of memcpy() takes
 * longer than the copying.
 */
static inline __attribute__((always_inline)) void copy_few(uint8_t *to, const char *from,
							   size_t size)
{
	if (size > 2 * sizeof(cart_pair)) {
		__builtin_memcpy(to, from, size);
	} else if (size >= sizeof(cart_pair)) {
		size_t last = size - sizeof(cart_pair);
		__builtin_memcpy(to, from, sizeof(cart_pair));
		__builtin_memcpy(to + last, from + last, sizeof(cart_pair));
	} else if (size >= sizeof(uint64_t)) {
		size_t last = size - sizeof(uint64_t);
		__builtin_memcpy(to, from, sizeof(uint64_t));
		__builtin_memcpy(to + last, from + last, sizeof(uint64_t));
	} else if (size >= sizeof(uint32_t)) {
		size_t last = size - sizeof(uint32_t);
		__builtin_memcpy(to, from, sizeof(uint32_t));
		__builtin_memcpy(to + last, from + last, sizeof(uint32_t));
	} else if (size > 0) {
		to[0] = (uint8_t)from[0];
		to[size / 2] = (uint8_t)from[size / 2];
		to[size - 1] = (uint8_t)from[size - 1];
	}
}

/* Write such a text, packed. Returns the byte after it. */
static inline __attribute__((always_inline)) uint8_t *pack_text_at(struct corral_text text,
								   uint8_t *at)
{
	if (text.size <= FIXSTR_MAX) {
		*at++ = (uint8_t)(FIXSTR | text.size);
	} else if (text.size <= UINT8_MAX) {
		*at++ = STR_8;
		*at++ = (uint8_t)text.size;
	} else {
		*at++ = STR_16;
		*at++ = (uint8_t)(text.size >> 8);
		*at++ = (uint8_t)text.size;
	}
	copy_few(at, text.data, text.size);
	return at + text.size;
}

#endif
