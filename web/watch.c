/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c: see watch.h.
 */
#include "watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "ticket.h"
#include "tool.h"

#define TICK_MS 50
#define LISTS_MS 2000
#define BEAT_MS 15000
#define COUNTS_MS 1000
#define SLICE_NS 5000000
#define EVENTS_BATCH 64u
#define EVENTS_MOST 8192u /* of one tick; with more there is a gap */
#define CARTS_MOST 256u   /* that changed in one tick, or since one went away */
#define CATCH_UP_BYTES (256u * 1024)
#define FOLLOWED_MOST 2000u

/* A cart that changed, and how its last event says that it ended; "": it did not. */
struct touched {
	char restaurant_id[CORRAL_ID_MAX + 1];
	char session_id[CORRAL_ID_MAX + 1];
	const char *how;
};

struct touched_carts {
	struct touched rows[CARTS_MOST];
	size_t count;
	bool gap; /* there were more, or events were missed */
};

struct followed {
	char restaurant_id[CORRAL_ID_MAX + 1];
	char session_id[CORRAL_ID_MAX + 1];
	uint64_t version;
	uint32_t status;
	uint64_t told;
	bool seen;
};

void watch_begin(struct watch *watch, struct source *source, struct stream *stream)
{
	*watch = (struct watch){
		.source = source, .stream = stream, .open = UINT64_MAX, .checked_out = UINT64_MAX
	};
}

/* ---------------------------------------------------------------- messages */

/* One message as it is sent; data NULL: none, so that the browser notes the id and says nothing. */
static char *message_text(const char *kind, uint64_t id, json_t *data)
{
	char *line = data != NULL ? json_line(data) : NULL;
	char *text = NULL;
	int size = line != NULL ? asprintf(&text, "event: %s\nid: %" PRIu64 "\ndata: %s\n\n", kind,
					   id, line) :
				  asprintf(&text, "id: %" PRIu64 "\n\n", id);

	free(line);
	json_decref(data);
	return must_have(size < 0 ? NULL : text);
}

static void publish(struct watch *watch, const char *restaurant_id, char *text)
{
	watch->messages++;
	stream_publish(watch->stream, restaurant_id, text);
}

static json_t *gap_data(void)
{
	return must_have(json_object());
}

static void publish_gap(struct watch *watch)
{
	watch->gaps++;
	publish(watch, "", message_text("gap", watch->told, gap_data()));
}

/* The cart as it is now, or its end. how: what the last event says, or "". NULL and -errno. */
static char *cart_text(struct watch *watch, const struct touched *touched, uint64_t id, int *ret_r)
{
	const struct corral_key key = { corral_text(touched->restaurant_id),
					corral_text(touched->session_id) };
	struct corral_cart *cart = NULL;
	struct corral *corral;
	int r = source_use(watch->source, &corral);

	if (r == 0)
		r = corral_get(corral, &key, &cart);
	*ret_r = r;
	if (r == 0) {
		char *text = message_text("cart", id, ticket_of_cart(cart));
		corral_cart_free(cart);
		return text;
	}
	if (r != -ENOENT && r != -EUCLEAN) {
		(void)source_answered(watch->source, r);
		return NULL;
	}
	*ret_r = 0;
	return message_text("ended", id,
			    ticket_of_end(touched->restaurant_id, touched->session_id,
					  r == -EUCLEAN         ? "damaged" :
					  *touched->how != '\0' ? touched->how :
								  "gone"));
}

/* ---------------------------------------------------------------- by the feed */

static bool is_end(uint32_t kind)
{
	return kind == CORRAL_EVENT_DROPPED || kind == CORRAL_EVENT_EXPIRED;
}

static void touch(struct touched_carts *carts, const struct corral_event *event)
{
	struct touched *row = carts->rows;

	if (event->kind == CORRAL_EVENT_GAP) {
		carts->gap = true;
		return;
	}
	while (row < carts->rows + carts->count &&
	       (strcmp(row->session_id, event->session_id) != 0 ||
		strcmp(row->restaurant_id, event->restaurant_id) != 0))
		row++;
	if (row == carts->rows + CARTS_MOST) {
		carts->gap = true;
		return;
	}
	if (row == carts->rows + carts->count) {
		(void)strcpy(row->restaurant_id, event->restaurant_id);
		(void)strcpy(row->session_id, event->session_id);
		carts->count++;
	}
	row->how = is_end(event->kind) ? event_kind_name(event->kind) : "";
}

/* Read the feed up to its present end, or until there is a gap. 0 or -errno. */
static int read_feed(struct corral_feed *feed, struct touched_carts *carts)
{
	static struct corral_event events[EVENTS_BATCH];
	size_t count = 0;
	size_t total = 0;
	int r = 0;

	while (!carts->gap && total < EVENTS_MOST) {
		r = corral_feed_next(feed, events, EVENTS_BATCH, 0, NULL, &count);
		if (r < 0)
			break;
		for (size_t i = 0; i < count; i++)
			touch(carts, &events[i]);
		total += count;
	}
	if (total >= EVENTS_MOST)
		carts->gap = true;
	return r == -ETIMEDOUT || r == -EINTR ? 0 : r;
}

/* The number of the last event that the feed has gone through. */
static uint64_t last_number(const struct corral_feed *feed)
{
	const uint64_t position = corral_feed_position(feed);

	return position > 0 ? position - 1 : 0;
}

/* Begin at the present end of the feed. */
static int open_feed(struct watch *watch)
{
	struct source *source = watch->source;
	struct corral *corral;
	int r = source_use(source, &corral);

	if (r < 0)
		return r;
	corral_feed_close(source->feed);
	source->feed = NULL;
	r = corral_feed_open(corral, CORRAL_FEED_NOW, NULL, &source->feed);
	if (r < 0) {
		source->feed = NULL;
		return source_answered(source, r);
	}
	watch->told = last_number(source->feed);
	watch->generation = source->generation;
	return 0;
}

static int tell_carts(struct watch *watch, const struct touched_carts *carts, uint64_t until)
{
	int r = 0;

	for (size_t i = 0; i < carts->count && r == 0; i++) {
		const struct touched *row = &carts->rows[i];
		/* one who has part of these only is told all of them again */
		const uint64_t id = i + 1 == carts->count ? until : watch->told;
		char *text = cart_text(watch, row, id, &r);
		if (text != NULL)
			publish(watch, row->restaurant_id, text);
	}
	if (r == 0)
		watch->told = until;
	return r;
}

static void tick_feed(struct watch *watch)
{
	static struct touched_carts carts;
	struct source *source = watch->source;

	carts.count = 0;
	carts.gap = false;
	if (source->feed == NULL || watch->generation != source->generation) {
		int r = open_feed(watch);
		watch->by_lists = r == -EOPNOTSUPP;
		if (r == 0)
			publish_gap(watch);
		return;
	}
	int r = read_feed(source->feed, &carts);
	if (r == -EOPNOTSUPP)
		watch->by_lists = true;
	if (r < 0) {
		(void)source_answered(source, r);
		return;
	}
	if (carts.gap) {
		if (open_feed(watch) == 0)
			publish_gap(watch);
		return;
	}
	(void)tell_carts(watch, &carts, last_number(source->feed));
}

/* ------------------------------------------------------------------ by lists */

/* Ids grow with the clock, so that those of another corral-web are smaller or unknown. */
static uint64_t next_id(struct watch *watch)
{
	const uint64_t now_ms = (uint64_t)web_wall_ms();

	watch->told = now_ms > watch->told ? now_ms : watch->told + 1;
	return watch->told;
}

static int compare_followed(const void *a, const void *b)
{
	const struct followed *left = a;
	const struct followed *right = b;
	int order = strcmp(left->restaurant_id, right->restaurant_id);

	return order != 0 ? order : strcmp(left->session_id, right->session_id);
}

static void tell_row(struct watch *watch, const struct followed *row, const char *how)
{
	struct touched touched = { .how = how };
	int r;

	(void)strcpy(touched.restaurant_id, row->restaurant_id);
	(void)strcpy(touched.session_id, row->session_id);
	char *text = cart_text(watch, &touched, watch->told, &r);
	if (text != NULL)
		publish(watch, row->restaurant_id, text);
}

/* Tell what differs between the list before and this one, which takes its place. */
static void compare_lists(struct watch *watch)
{
	const struct listing *listing = &watch->listing;
	struct followed *rows = must_have(calloc(listing->count + 1, sizeof(*rows)));
	const bool first = watch->followed == NULL;

	for (size_t i = 0; i < listing->count; i++) {
		const struct corral_entry *entry = &listing->rows[i];
		struct followed *row = &rows[i];
		(void)strcpy(row->restaurant_id, entry->restaurant_id);
		(void)strcpy(row->session_id, entry->session_id);
		row->version = entry->head.version;
		row->status = entry->head.status;
		struct followed *old = first ? NULL :
					       bsearch(row, watch->followed, watch->followed_count,
						       sizeof(*row), compare_followed);
		if (old != NULL)
			old->seen = true;
		row->told = old != NULL ? old->told : 0;
		if (old == NULL || old->version != row->version || old->status != row->status) {
			row->told = next_id(watch);
			if (!first)
				tell_row(watch, row, "");
		}
	}
	for (size_t i = 0; i < watch->followed_count; i++)
		if (!watch->followed[i].seen) {
			watch->ended = next_id(watch);
			tell_row(watch, &watch->followed[i], "gone");
		}
	qsort(rows, listing->count, sizeof(*rows), compare_followed);
	free(watch->followed);
	watch->followed = rows;
	watch->followed_count = listing->count;
	if (first)
		publish_gap(watch);
}

static void drop_listing(struct watch *watch)
{
	if (watch->listing_open)
		listing_end(&watch->listing);
	watch->listing_open = false;
}

static void tick_lists(struct watch *watch, int64_t now_ms)
{
	int r = 0;

	if (!watch->listing_open) {
		r = listing_begin(&watch->listing, watch->source, NULL, FOLLOWED_MOST);
		watch->listing_open = r == 0;
	}
	if (r == 0)
		r = listing_step(&watch->listing, web_now_ns() + SLICE_NS);
	if (r == 0 && watch->listing.done)
		compare_lists(watch);
	if (r < 0 || watch->listing.done) {
		drop_listing(watch);
		watch->tick_ms = now_ms + LISTS_MS;
	}
}

static char *catch_up_lists(struct watch *watch, uint64_t from)
{
	const bool known = watch->followed != NULL && from <= watch->told && from >= watch->ended;
	bool fresh = known;

	for (size_t i = 0; known && i < watch->followed_count; i++)
		fresh = fresh && watch->followed[i].told <= from;
	return fresh ? message_text("", watch->told, NULL) :
		       message_text("gap", watch->told, gap_data());
}

/* ------------------------------------------------------------------ the calls */

/* Begin to look, for the first who listens, or who lists in order to listen. */
static void start(struct watch *watch)
{
	if (watch->running)
		return;
	watch->by_lists = false;
	if (open_feed(watch) == -EOPNOTSUPP) {
		watch->by_lists = true;
		(void)next_id(watch);
	}
	watch->running = true;
	watch->tick_ms = watch->beat_ms = watch->counts_ms = 0;
	watch->open = watch->checked_out = UINT64_MAX;
}

static void stop(struct watch *watch)
{
	drop_listing(watch);
	free(watch->followed);
	watch->followed = NULL;
	watch->followed_count = 0;
	corral_feed_close(watch->source->feed);
	watch->source->feed = NULL;
	watch->running = false;
}

uint64_t watch_position(struct watch *watch)
{
	if (!watch->running)
		start(watch);
	return watch->told;
}

/* The carts that changed behind `from`, each once, or a gap. */
static char *catch_up_feed(struct watch *watch, uint64_t from, const char *restaurant_id)
{
	static struct touched_carts carts;
	const struct corral_text only = corral_text(restaurant_id);
	const struct corral_feed_filter filter = { .restaurant_id = only.size > 0 ? &only : NULL };
	struct corral_feed *feed = NULL;
	struct corral *corral;
	char *all = NULL;
	size_t size = 0;
	int r = source_use(watch->source, &corral);
	FILE *stream = must_have(open_memstream(&all, &size));

	carts.count = 0;
	carts.gap = false;
	if (r == 0)
		r = corral_feed_open(corral, from + 1, &filter, &feed);
	if (r == 0)
		r = read_feed(feed, &carts);
	corral_feed_close(feed);
	for (size_t i = 0; i < carts.count && r == 0 && !carts.gap; i++) {
		char *text = cart_text(watch, &carts.rows[i], from, &r);
		if (text != NULL)
			fputs(text, stream);
		free(text);
		carts.gap = ftell(stream) > (long)CATCH_UP_BYTES;
	}
	char *last = r < 0 || carts.gap ? message_text("gap", watch->told, gap_data()) :
					  message_text("", watch->told, NULL);
	fputs(last, stream);
	free(last);
	must_have(fclose(stream) == 0 ? all : NULL);
	return all;
}

char *watch_catch_up(struct watch *watch, uint64_t from, const char *restaurant_id)
{
	start(watch);
	if (watch->by_lists)
		return catch_up_lists(watch, from);
	return catch_up_feed(watch, from, restaurant_id);
}

static void tell_counts(struct watch *watch)
{
	static struct corral_stat rows[CORRAL_STATS_MAX];
	uint64_t open = 0, checked_out = 0;
	struct corral *corral;
	size_t count = 0;
	int r = source_use(watch->source, &corral);

	if (r == 0)
		r = source_answered(watch->source,
				    corral_stats(corral, rows, CORRAL_STATS_MAX, &count));
	if (r < 0)
		return;
	for (size_t i = 0; i < count && i < CORRAL_STATS_MAX; i++) {
		if (strcmp(rows[i].name, "carts_open") == 0)
			open = (uint64_t)rows[i].value;
		else if (strcmp(rows[i].name, "carts_checked_out") == 0)
			checked_out = (uint64_t)rows[i].value;
	}
	if (open == watch->open && checked_out == watch->checked_out)
		return;
	watch->open = open;
	watch->checked_out = checked_out;
	publish(watch, "",
		message_text("counts", watch->told,
			     must_have(json_pack("{s:I, s:I}", "open", (json_int_t)open,
						 "checked_out", (json_int_t)checked_out))));
}

int watch_tick(struct watch *watch)
{
	const int64_t now_ms = web_now_ms();

	if (watch->stream->count == 0) {
		if (watch->running)
			stop(watch);
		return 1000;
	}
	start(watch);
	if (now_ms >= watch->tick_ms) {
		watch->tick_ms = now_ms + TICK_MS;
		if (watch->by_lists)
			tick_lists(watch, now_ms);
		else
			tick_feed(watch);
	}
	if (now_ms >= watch->counts_ms) {
		watch->counts_ms = now_ms + COUNTS_MS;
		tell_counts(watch);
	}
	if (now_ms >= watch->beat_ms) {
		watch->beat_ms = now_ms + BEAT_MS;
		publish(watch, "", message_text("", watch->told, NULL));
	}
	const int64_t left_ms = watch->tick_ms - web_now_ms();
	return left_ms < 0 ? 0 : left_ms < 1000 ? (int)left_ms : 1000;
}

void watch_end(struct watch *watch)
{
	stop(watch);
}
