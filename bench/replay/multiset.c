/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * multiset.c: a multiset of lines, in a form that can be compared. See multiset.h.
 *
 * The identity of a line is written as bytes: each text is preceded by its length, so that no two
 * different lines have the same bytes, and the modifiers are sorted by name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "multiset.h"

#define FIRST_ENTRIES 64u
#define FIRST_TEXT 16384u

static bool reserve(struct multiset *multiset, size_t bytes)
{
	size_t text_room = multiset->text_room == 0 ? FIRST_TEXT : multiset->text_room;

	if (multiset->count == multiset->room) {
		uint32_t room = multiset->room == 0 ? FIRST_ENTRIES : multiset->room * 2;
		struct multiset_entry *entries =
			reallocarray(multiset->entries, room, sizeof(*entries));

		if (entries == NULL)
			return false;
		multiset->entries = entries;
		multiset->room = room;
	}
	while (text_room - multiset->text_size < bytes)
		text_room *= 2;
	if (text_room != multiset->text_room) {
		char *text = realloc(multiset->text, text_room);

		if (text == NULL)
			return false;
		multiset->text = text;
		multiset->text_room = text_room;
	}
	return true;
}

static void put(struct multiset *multiset, const void *bytes, size_t size)
{
	if (size > 0)
		memcpy(multiset->text + multiset->text_size, bytes, size);
	multiset->text_size += size;
}

static void put_text(struct multiset *multiset, struct corral_text text)
{
	put(multiset, &text.size, sizeof(text.size));
	put(multiset, text.data, text.size);
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

int multiset_add(struct multiset *multiset, const struct corral_item *item, int64_t total_cents)
{
	struct corral_modifier modifiers[CORRAL_MODIFIERS_MAX];
	uint32_t count = item->modifier_count <= CORRAL_MODIFIERS_MAX ? item->modifier_count :
									CORRAL_MODIFIERS_MAX;
	size_t bytes = 4 * sizeof(int64_t) + item->menu_item_id.size + item->notes.size,
	       at = multiset->text_size;

	for (uint32_t i = 0; i < count; i++) {
		modifiers[i] = item->modifiers[i];
		bytes += 2 * sizeof(int64_t) + modifiers[i].name.size;
	}
	if (!reserve(multiset, bytes))
		return -ENOMEM;
	qsort(modifiers, count, sizeof(modifiers[0]), compare_modifiers);
	put_text(multiset, item->menu_item_id);
	put_text(multiset, item->notes);
	put(multiset, &item->unit_price_cents, sizeof(item->unit_price_cents));
	for (uint32_t i = 0; i < count; i++) {
		put_text(multiset, modifiers[i].name);
		put(multiset, &modifiers[i].price_cents, sizeof(modifiers[i].price_cents));
	}
	multiset->entries[multiset->count++] =
		(struct multiset_entry){ .at = at,
					 .size = multiset->text_size - at,
					 .quantity = item->quantity,
					 .total_cents = total_cents,
					 .name = item->name };
	return 0;
}

int multiset_compare(const struct multiset *multiset_a, uint32_t a,
		     const struct multiset *multiset_b, uint32_t b)
{
	const struct multiset_entry *left = &multiset_a->entries[a],
				    *right = &multiset_b->entries[b];

	if (left->size != right->size)
		return left->size < right->size ? -1 : 1;
	return memcmp(multiset_a->text + left->at, multiset_b->text + right->at, left->size);
}

static int compare_entries(const void *left, const void *right, void *context)
{
	const struct multiset *multiset = context;
	const struct multiset_entry *a = left, *b = right;

	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return memcmp(multiset->text + a->at, multiset->text + b->at, a->size);
}

void multiset_sort(struct multiset *multiset)
{
	qsort_r(multiset->entries, multiset->count, sizeof(*multiset->entries), compare_entries,
		multiset);
}

void multiset_free(struct multiset *multiset)
{
	free(multiset->entries);
	free(multiset->text);
	memset(multiset, 0, sizeof(*multiset));
}
