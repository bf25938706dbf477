/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_events.c: the commands that read the feed: events, history. Like all tools they neither
 * change a cart nor prolong its life; they do number events, as any reader does.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/parse.h"
#include "common/text.h"
#include "event.h"
#include "table.h"
#include "tool.h"

#define EVENTS_BATCH 64
#define STEP_MS 1000 /* how often to check for a signal that came just before the sleep */

/* ------------------------------------------------------------------- people */

static void put_text(FILE *to, const char *string)
{
	char *escaped = must_have(text_escape(string, strlen(string)));

	fputs(escaped, to);
	free(escaped);
}

static void put_line(FILE *to, const struct corral_event *event, bool with_key)
{
	char when[FORMAT_MAX], total[FORMAT_MAX], what[512];

	fprintf(to, "%s  ", format_time(event->time_ms, when));
	if (event->kind == CORRAL_EVENT_GAP) {
		if (event->missed > 0)
			fprintf(to, "%" PRIu64 " events were missed", event->missed);
		else
			fputs("events were missed", to);
		return;
	}
	if (with_key) {
		put_text(to, event->restaurant_id);
		fputc(' ', to);
		put_text(to, event->session_id);
		fputs("  ", to);
	}
	fprintf(to, "version %" PRIu64 " %s", event->version, event_kind_name(event->kind));
	event_describe(event, what, sizeof(what));
	if (what[0] != '\0')
		fprintf(to, ": %s", what);
	fprintf(to, "; %" PRIu32 " item%s, %s", event->item_count, plural(event->item_count),
		format_amount(event->total_cents, event->currency_digits, total));
	if (event->label[0] != '\0') {
		fputs("; by ", to);
		put_text(to, event->label);
		fprintf(to, " (pid %" PRId32 ")", event->pid);
	}
	if (event->op_id[0] != '\0') {
		fputs("; operation ", to);
		put_text(to, event->op_id);
	}
}

char *event_line(const struct corral_event *event, bool with_key)
{
	char *line = NULL;
	size_t size;
	FILE *to = must_have(open_memstream(&line, &size));

	put_line(to, event, with_key);
	fclose(to);
	return must_have(line);
}

static void print_line(const struct corral_event *event, bool with_key)
{
	char *line = event_line(event, with_key);

	puts(line);
	free(line);
}

/* ------------------------------------------------------------------ commands */

/* *ret_end: the number behind what has happened by now. 0 or -errno. */
static int find_end(struct corral *corral, uint64_t *ret_end)
{
	struct corral_feed *feed = NULL;
	int r = corral_feed_open(corral, CORRAL_FEED_NOW, NULL, &feed);

	if (r == 0)
		*ret_end = corral_feed_position(feed);
	corral_feed_close(feed);
	return r;
}

/* The last version of a cart that ended. NULL: it is not kept, or the event is no end. */
static struct corral_cart *last_version(struct corral_feed *feed, const struct corral_event *event)
{
	struct corral_cart *cart = NULL;
	struct corral_view view;

	if (event->content == 0 || corral_feed_cart(feed, event->number, &view) < 0)
		return NULL;
	return corral_view_cart(&view, &cart) == 0 ? cart : NULL;
}

static void print_event(struct corral_feed *feed, const struct call *call,
			const struct corral_event *event, bool with_key)
{
	struct corral_cart *cart = call->content ? last_version(feed, event) : NULL;

	if (call->json) {
		json_t *value = json_of_event(event);
		if (cart != NULL)
			json_object_set_new(value, "cart", json_of_cart(cart));
		json_print(value);
	} else {
		print_line(event, with_key);
		if (cart != NULL)
			human_print_cart(cart);
	}
	corral_cart_free(cart);
}

/* What was printed is out: a cursor's reader is done with it. */
static int acknowledge(struct corral_feed *feed, const struct call *call)
{
	if (fflush(stdout) != 0 || call->cursor.size == 0)
		return 0;
	return corral_feed_ack(feed, corral_feed_position(feed) - 1);
}

/* Print what comes, up to the number `end`, or (follow) until a signal. 0 or -errno. */
static int print_events(struct corral_feed *feed, const struct call *call, uint64_t end,
			bool with_key)
{
	static struct corral_event events[EVENTS_BATCH];
	size_t count = 0;

	while (!signals_stop() && !ferror(stdout)) {
		int r = corral_feed_next(feed, events, EVENTS_BATCH, call->follow ? STEP_MS : 0,
					 NULL, &count);
		if ((r == -ETIMEDOUT || r == -EINTR) && call->follow)
			continue;
		if (r == -ETIMEDOUT)
			return 0;
		if (r < 0)
			return r;
		for (size_t i = 0; i < count; i++)
			print_event(feed, call, &events[i], with_key);
		r = acknowledge(feed, call);
		if (r < 0)
			return r;
		if (!call->follow && corral_feed_position(feed) >= end)
			break;
	}
	return 0;
}

static enum exit_code complain_cursor(const struct call *call, int r)
{
	if (r == -EINVAL)
		return complain(EXIT_USAGE, "a cursor's name has letters, digits, and . _ -");
	if (r == -ENOSPC)
		return complain(EXIT_NO, "there are %u cursors already: see corral cursors",
				CORRAL_CURSORS);
	if (r == -ENOENT)
		return complain(EXIT_NO, "there is no cursor %s", call->cursor.data);
	return complain(EXIT_ARENA, "%s", corral_strerror(r));
}

static enum exit_code read_feed(struct call *call, const struct corral_feed_filter *filter,
				bool with_key)
{
	struct corral_feed *feed = NULL;
	struct corral *corral = NULL;
	const bool kept = call->cursor.size > 0;

	if (kept && call->from != CORRAL_FEED_OLDEST)
		return complain(EXIT_USAGE, "a cursor knows where to begin: leave --from out");
	enum exit_code code = open_arena(call, kept ? CORRAL_OBSERVE : LOOK_ONLY, &corral);
	if (code)
		return code;
	uint64_t end = 0;
	int r = kept ? corral_feed_open_cursor(corral, call->cursor, filter, &feed) :
		       corral_feed_open(corral, call->from, filter, &feed);
	signals_catch();
	if (r == 0)
		r = find_end(corral, &end);
	if (r == 0)
		r = print_events(feed, call, end, with_key);
	corral_feed_close(feed);
	corral_close(corral);
	signals_end();
	if (kept && (r == -EINVAL || r == -ENOSPC || r == -ENOENT))
		return complain_cursor(call, r);
	if (r == -EOPNOTSUPP)
		return complain(EXIT_ARENA, "no events are written: corral-agent --feed off");
	if (r < 0)
		return complain(EXIT_ARENA, "%s", corral_strerror(r));
	return EXIT_DONE;
}

enum exit_code run_events(struct call *call)
{
	const struct corral_feed_filter filter = {
		.restaurant_id = call->key.restaurant_id.size > 0 ? &call->key.restaurant_id : NULL,
		.kinds = call->kinds,
	};

	return read_feed(call, &filter, true);
}

enum exit_code run_history(struct call *call)
{
	const struct corral_feed_filter filter = { .restaurant_id = &call->key.restaurant_id,
						   .session_id = &call->key.session_id };

	call->from = CORRAL_FEED_OLDEST;
	call->content = true;
	return read_feed(call, &filter, false);
}

/* ------------------------------------------------------------------ cursors */

static void put_cursor(struct table *table, const struct corral_cursor *cursor)
{
	char when[FORMAT_MAX];

	table_text(table, cursor->name, strlen(cursor->name));
	table_put(table, "%" PRIu64, cursor->next);
	table_put(table, "%" PRIu64, cursor->lag);
	table_put(table, "%" PRIu64, cursor->ends);
	table_put(table, "%s", format_time(cursor->acked_ms, when));
}

static void print_cursors(const struct call *call, const struct corral_cursor *cursors,
			  size_t count)
{
	static const struct table_column columns[] = {
		{ "CURSOR", 0 },         { "NEXT", TABLE_RIGHT }, { "LAG", TABLE_RIGHT },
		{ "ENDS", TABLE_RIGHT }, { "ACKNOWLEDGED", 0 },
	};
	struct table *table = NULL;
	json_t *list = NULL;

	if (call->json)
		list = must_have(json_array());
	else
		table = table_new(columns, sizeof(columns) / sizeof(*columns));
	for (size_t i = 0; i < count; i++) {
		if (call->json)
			json_array_append_new(list, json_of_cursor(&cursors[i]));
		else
			put_cursor(table, &cursors[i]);
	}
	if (call->json) {
		json_print(list);
	} else {
		table_sort(table);
		table_print(table);
	}
}

enum exit_code run_cursors(struct call *call)
{
	struct corral_cursor cursors[CORRAL_CURSORS];
	struct corral *corral = NULL;
	const bool removes = call->cursor.size > 0;
	enum exit_code code = open_arena(call, removes ? CORRAL_OBSERVE : LOOK_ONLY, &corral);
	size_t count = 0;

	if (code)
		return code;
	int r = removes ? corral_cursor_remove(corral, call->cursor) :
			  corral_cursors(corral, cursors, CORRAL_CURSORS, &count);
	corral_close(corral);
	if (r < 0)
		return complain_cursor(call, r);
	if (!removes)
		print_cursors(call, cursors, count);
	return EXIT_DONE;
}
