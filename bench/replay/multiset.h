/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * multiset.h: lines of an order, or of a cart, in a form that can be compared: sorted by
 * what makes two lines the same line (menu item, unit price, modifiers in any order, notes).
 */
#ifndef CORRAL_BENCH_PILE_H
#define CORRAL_BENCH_PILE_H

#include "base/base.h"
#include "corral.h"

struct pile_entry {
	size_t at; /* what makes it the same line, in the pile's text */
	size_t size;
	uint32_t quantity;
	int64_t total_cents;
	struct corral_text name;
};

struct pile {
	struct pile_entry *entries;
	uint32_t count;
	uint32_t room;
	char *text;
	size_t text_size;
	size_t text_room;
};

/* Take everything off; the memory stays for the next use. */
static inline void pile_clear(struct pile *pile)
{
	pile->count = 0;
	pile->text_size = 0;
}

/* Put a line on it. Texts other than the name are copied. 0 or -ENOMEM. */
int pile_add(struct pile *pile, const struct corral_item *item, int64_t total_cents);

void pile_sort(struct pile *pile);

/* Are entry a of one pile and entry b of another the same line? Negative, 0 or positive. */
int pile_compare(const struct pile *pile_a, uint32_t a, const struct pile *pile_b, uint32_t b);

void pile_free(struct pile *pile);

#endif
