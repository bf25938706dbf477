/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_words_kit.h: what the tests of words share: packing into a static buffer, and an item with
 * every field set.
 */
#ifndef CART_WORDS_KIT_H
#define CART_WORDS_KIT_H

#include "cart_kit.h"

static inline int pack(const struct corral_item *item, struct cart_words *words)
{
	static uint8_t buffer[CORRAL_WORDS_MAX];

	return cart_pack_item(item, KIT_SEED, buffer, sizeof(buffer), words);
}

static const struct corral_modifier cheese_onions[] = { { T("extra cheese"), 150 },
							{ T("no onions"), -25 } };
static const uint8_t value_map[] = { 0x82, 0xa1, 'a', 0x01, 0xa1, 'b', 0x92, 0xc0, 0xcb,
				     0x3f, 0xf0, 0,   0,    0,    0,   0,    0 };
static const uint8_t value_wide_int[] = {
	0xd3, 0, 0, 0, 0, 0, 0, 0, 7
}; /* 7, and not in its shortest form */
static const struct corral_extra two_extras[] = {
	{ T("kitchen"), value_map, sizeof(value_map) },
	{ T("sk\xc3\xbc"), value_wide_int, sizeof(value_wide_int) },
};

static inline struct corral_item rich_item(void)
{
	struct corral_item item = { .menu_item_id = T("burger-1"),
				    .name = T("Burger \xf0\x9f\x8d\x94"),
				    .notes = T("well done"),
				    .unit_price_cents = 899,
				    .quantity = 2,
				    .modifier_count = 2,
				    .extra_count = 2,
				    .modifiers = cheese_onions,
				    .extras = two_extras };

	return item;
}

#endif
