/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listing.c: see listing.h. What is kept is a heap whose root is the row to go next.
 */
#include "listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define BATCH 64u

int listing_begin(struct listing *listing, struct source *source, const char *restaurant_id,
		  size_t most)
{
	struct corral *corral;
	struct corral_text only = corral_text(restaurant_id);
	int r = source_use(source, &corral);

	*listing = (struct listing){ .source = source,
				     .generation = source->generation,
				     .most = most };
	if (r < 0)
		return r;
	r = corral_list_open(corral, only.size > 0 ? &only : NULL, &listing->list);
	if (r < 0) {
		listing->list = NULL;
		return source_answered(source, r);
	}
	if (only.size > 0)
		memcpy(listing->restaurant_id, only.data, only.size);
	listing->rows = must_have(calloc(most, sizeof(*listing->rows)));
	return 0;
}

/* Did a change before b? Carts of one moment are told apart by their versions. */
static bool is_older(const struct corral_entry *a, const struct corral_entry *b)
{
	if (a->head.updated_ms != b->head.updated_ms)
		return a->head.updated_ms < b->head.updated_ms;
	return a->head.version < b->head.version;
}

static void swap_rows(struct corral_entry *a, struct corral_entry *b)
{
	const struct corral_entry kept = *a;

	*a = *b;
	*b = kept;
}

static void sink(struct corral_entry *rows, size_t count)
{
	for (size_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && is_older(&rows[child + 1], &rows[child]))
			child++;
		if (!is_older(&rows[child], &rows[at]))
			return;
		swap_rows(&rows[child], &rows[at]);
	}
}

static void rise(struct corral_entry *rows, size_t at)
{
	for (size_t parent; at > 0; at = parent) {
		parent = (at - 1) / 2;
		if (!is_older(&rows[at], &rows[parent]))
			return;
		swap_rows(&rows[at], &rows[parent]);
	}
}

static void keep(struct listing *listing, const struct corral_entry *entry)
{
	if (entry->head.status == CORRAL_OPEN)
		listing->open++;
	else
		listing->checked_out++;
	if (listing->count < listing->most) {
		listing->rows[listing->count] = *entry;
		rise(listing->rows, listing->count++);
	} else if (is_older(&listing->rows[0], entry)) {
		listing->rows[0] = *entry;
		sink(listing->rows, listing->count);
	}
}

static int compare_rows(const void *a, const void *b)
{
	return is_older(a, b) ? 1 : is_older(b, a) ? -1 : 0;
}

int listing_step(struct listing *listing, int64_t until_ns)
{
	static struct corral_entry entries[BATCH];
	size_t count = 0;

	if (listing->generation != listing->source->generation || listing->source->corral == NULL)
		return -ESTALE;
	do {
		int r = corral_list_next(listing->list, entries, BATCH, &count);
		if (r < 0)
			return source_answered(listing->source, r);
		for (size_t i = 0; i < count; i++)
			keep(listing, &entries[i]);
		listing->done = count == 0;
	} while (!listing->done && web_now_ns() < until_ns);
	if (listing->done && listing->count > 0)
		qsort(listing->rows, listing->count, sizeof(*listing->rows), compare_rows);
	return source_answered(listing->source, 0);
}

void listing_end(struct listing *listing)
{
	corral_list_close(listing->list);
	free(listing->rows);
	listing->list = NULL;
	listing->rows = NULL;
}
