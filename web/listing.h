/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listing.h: a list of the carts that changed last, made a slice at a time, so that a list of a
 * million carts does not keep others waiting.
 */
#ifndef CORRAL_WEB_LISTING_H
#define CORRAL_WEB_LISTING_H

#include "source.h"

struct listing {
	struct source *source;
	uint64_t generation; /* of the source's handle */
	struct corral_list *list;
	char restaurant_id[CORRAL_ID_MAX + 1]; /* "": all */
	size_t most;
	struct corral_entry *rows; /* a heap, the oldest change first; at the end in order */
	size_t count;
	uint64_t open; /* carts there are, shown or not */
	uint64_t checked_out;
	bool done;
};

/* restaurant_id: NULL for all. At most `most` rows are kept. 0 or -errno. */
int listing_begin(struct listing *listing, struct source *source, const char *restaurant_id,
		  size_t most);

/*
 * Go on until until_ns. 0: look at listing->done, after which the rows are in order, the last
 * change first; -errno: it has failed for good.
 */
int listing_step(struct listing *listing, int64_t until_ns);

void listing_end(struct listing *listing);

#endif
