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
		for (size_t i = 0; i < count; i++) {
			if (call->json)
				json_print(json_of_event(&events[i]));
			else
				print_line(&events[i], with_key);
		}
		fflush(stdout);
		if (!call->follow && corral_feed_position(feed) >= end)
			break;
	}
	return 0;
}

static enum exit_code read_feed(struct call *call, const struct corral_feed_filter *filter,
				bool with_key)
{
	struct corral_feed *feed = NULL;
	struct corral *corral = NULL;
	enum exit_code code = open_arena(call, LOOK_ONLY, &corral);

	if (code)
		return code;
	uint64_t end = 0;
	int r = corral_feed_open(corral, call->from, filter, &feed);
	signals_catch();
	if (r == 0)
		r = find_end(corral, &end);
	if (r == 0)
		r = print_events(feed, call, end, with_key);
	corral_feed_close(feed);
	corral_close(corral);
	signals_end();
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
	return read_feed(call, &filter, false);
}
