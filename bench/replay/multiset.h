/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * multiset.h: the lines of an order, or of a cart, in a form that can be compared: sorted by the
 * identity of a line (menu item, unit price, modifiers in any order, notes).
 */
#ifndef CORRAL_BENCH_MULTISET_H
#define CORRAL_BENCH_MULTISET_H

#include "base/base.h"
#include "corral.h"

struct multiset_entry {
	size_t at; /* its identity, as an offset into the multiset's text */
	size_t size;
	uint32_t quantity;
	int64_t total_cents;
	struct corral_text name;
};

struct multiset {
	struct multiset_entry *entries;
	uint32_t count;
	uint32_t room;
	char *text;
	size_t text_size;
	size_t text_room;
};

/* Empty the multiset; its memory is kept for the next use. */
static inline void multiset_clear(struct multiset *multiset)
{
	multiset->count = 0;
	multiset->text_size = 0;
}

/* Add a line. Texts other than the name are copied. 0 or -ENOMEM. */
int multiset_add(struct multiset *multiset, const struct corral_item *item, int64_t total_cents);

void multiset_sort(struct multiset *multiset);

/* Are entry a of one multiset and entry b of another the same line? Negative, 0 or positive. */
int multiset_compare(const struct multiset *multiset_a, uint32_t a,
		     const struct multiset *multiset_b, uint32_t b);

void multiset_free(struct multiset *multiset);

#endif
