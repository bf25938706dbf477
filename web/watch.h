/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.h: what changes, told to all who listen.
 *
 * While there are listeners, the feed is read twenty times a second. Of each cart that changed
 * since, one message says what it is now. The id of a message is the number of the last event
 * before which all is told; so a browser that connects again with it is told the carts that changed
 * since, also by another corral-web than before.
 *
 * Where there is no feed (carts on other machines; corral-agent --feed off) the carts that changed
 * last are listed every two seconds, and compared.
 *
 * Messages: `cart`, a ticket; `ended`; `gap`: list again; `counts`, how many carts there are. An
 * empty one every fifteen seconds, which tells the id, finds those who went away.
 */
#ifndef CORRAL_WEB_WATCH_H
#define CORRAL_WEB_WATCH_H

#include "listing.h"
#include "stream.h"

struct followed;

struct watch {
	struct source *source;
	struct stream *stream;
	bool running;
	bool by_lists; /* there is no feed */
	uint64_t generation;
	uint64_t told; /* the id: the number of the last event that is told */
	uint64_t gaps;
	uint64_t messages;
	int64_t tick_ms; /* when to look next */
	int64_t beat_ms;
	int64_t counts_ms;
	uint64_t open, checked_out; /* as they were told; UINT64_MAX: never */
	struct listing listing;     /* by lists: the one that is made */
	bool listing_open;
	struct followed *followed; /* by lists: as they were, and when that was told */
	size_t followed_count;
	uint64_t ended; /* by lists: the id of the last end */
};

void watch_begin(struct watch *watch, struct source *source, struct stream *stream);

/* The id from which one who lists the carts now is to listen. */
uint64_t watch_position(struct watch *watch);

/* What one who has `from` is to be told first; "" behind that if it is all. To be freed. */
char *watch_catch_up(struct watch *watch, uint64_t from, const char *restaurant_id);

/* Do what is due. The milliseconds until it is to be called again, at most a second. */
int watch_tick(struct watch *watch);

void watch_end(struct watch *watch);

#endif
