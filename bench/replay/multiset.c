/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * multiset.c: lines in a form that can be compared. See multiset.h.
 *
 * What makes two lines the same is written down as bytes: each text with its length before it, so
 * that no two different lines read the same; the modifiers in the order of their names.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "multiset.h"

#define FIRST_ENTRIES 64u
#define FIRST_TEXT 16384u

static bool reserve(struct pile *pile, size_t bytes)
{
	size_t text_room = pile->text_room == 0 ? FIRST_TEXT : pile->text_room;

	if (pile->count == pile->room) {
		uint32_t room = pile->room == 0 ? FIRST_ENTRIES : pile->room * 2;
		struct pile_entry *entries = reallocarray(pile->entries, room, sizeof(*entries));

		if (entries == NULL)
			return false;
		pile->entries = entries;
		pile->room = room;
	}
	while (text_room - pile->text_size < bytes)
		text_room *= 2;
	if (text_room != pile->text_room) {
		char *text = realloc(pile->text, text_room);

		if (text == NULL)
			return false;
		pile->text = text;
		pile->text_room = text_room;
	}
	return true;
}

static void put(struct pile *pile, const void *bytes, size_t size)
{
	if (size > 0)
		memcpy(pile->text + pile->text_size, bytes, size);
	pile->text_size += size;
}

static void put_text(struct pile *pile, struct corral_text text)
{
	put(pile, &text.size, sizeof(text.size));
	put(pile, text.data, text.size);
}

static int compare_modifiers(const void *left, const void *right)
{
	const struct corral_modifier *a = left, *b = right;
	size_t shorter = a->name.size < b->name.size ? a->name.size : b->name.size;
	int order = memcmp(a->name.data, b->name.data, shorter);

	if (order == 0)
		order = (a->name.size > b->name.size) - (a->name.size < b->name.size);
	return order != 0 ? order :
			    (a->price_cents > b->price_cents) - (a->price_cents < b->price_cents);
}

int pile_add(struct pile *pile, const struct corral_item *item, int64_t total_cents)
{
	struct corral_modifier modifiers[CORRAL_MODIFIERS_MAX];
	uint32_t count = item->modifier_count <= CORRAL_MODIFIERS_MAX ? item->modifier_count :
									CORRAL_MODIFIERS_MAX;
	size_t bytes = 4 * sizeof(int64_t) + item->menu_item_id.size + item->notes.size,
	       at = pile->text_size;

	for (uint32_t i = 0; i < count; i++) {
		modifiers[i] = item->modifiers[i];
		bytes += 2 * sizeof(int64_t) + modifiers[i].name.size;
	}
	if (!reserve(pile, bytes))
		return -ENOMEM;
	qsort(modifiers, count, sizeof(modifiers[0]), compare_modifiers);
	put_text(pile, item->menu_item_id);
	put_text(pile, item->notes);
	put(pile, &item->unit_price_cents, sizeof(item->unit_price_cents));
	for (uint32_t i = 0; i < count; i++) {
		put_text(pile, modifiers[i].name);
		put(pile, &modifiers[i].price_cents, sizeof(modifiers[i].price_cents));
	}
	pile->entries[pile->count++] = (struct pile_entry){ .at = at,
							    .size = pile->text_size - at,
							    .quantity = item->quantity,
							    .total_cents = total_cents,
							    .name = item->name };
	return 0;
}

int pile_compare(const struct pile *pile_a, uint32_t a, const struct pile *pile_b, uint32_t b)
{
	const struct pile_entry *left = &pile_a->entries[a], *right = &pile_b->entries[b];

	if (left->size != right->size)
		return left->size < right->size ? -1 : 1;
	return memcmp(pile_a->text + left->at, pile_b->text + right->at, left->size);
}

static int compare_entries(const void *left, const void *right, void *context)
{
	const struct pile *pile = context;
	const struct pile_entry *a = left, *b = right;

	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return memcmp(pile->text + a->at, pile->text + b->at, a->size);
}

void pile_sort(struct pile *pile)
{
	qsort_r(pile->entries, pile->count, sizeof(*pile->entries), compare_entries, pile);
}

void pile_free(struct pile *pile)
{
	free(pile->entries);
	free(pile->text);
	memset(pile, 0, sizeof(*pile));
}
