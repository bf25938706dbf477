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
#include "table.h"
#include "tool.h"

#define EVENTS_BATCH 64
#define STEP_MS 1000 /* how often to check for a signal that came just before the sleep */

static const char *kind_name(uint32_t kind)
{
	return kind == CORRAL_EVENT_CHANGED     ? "changed" :
	       kind == CORRAL_EVENT_CHECKED_OUT ? "checked_out" :
	       kind == CORRAL_EVENT_DROPPED     ? "dropped" :
	       kind == CORRAL_EVENT_EXPIRED     ? "expired" :
	       kind == CORRAL_EVENT_GAP         ? "gap" :
						  "unknown";
}

const char *step_name(uint32_t kind)
{
	static const char *const names[] = {
		[CORRAL_STEP_ADD] = "add",
		[CORRAL_STEP_SET_QUANTITY] = "set_quantity",
		[CORRAL_STEP_CHANGE_QUANTITY] = "change_quantity",
		[CORRAL_STEP_REMOVE] = "remove",
		[CORRAL_STEP_CLEAR] = "clear",
		[CORRAL_STEP_SET_TAX] = "tax",
		[CORRAL_STEP_SET_ATTRIBUTE] = "attribute",
		[CORRAL_STEP_SET_TTL] = "ttl",
		[CORRAL_STEP_CHECKOUT] = "checkout",
		[CORRAL_STEP_SET_ADJUSTMENT] = "adjustment",
		[CORRAL_STEP_REMOVE_ADJUSTMENT] = "remove_adjustment",
		[CORRAL_STEP_SET_PRICING] = "pricing",
		[CORRAL_STEP_SET_CURRENCY] = "currency",
		[CORRAL_STEP_SET_LINE_TAX] = "line_tax",
	};

	if (kind == CORRAL_STEP_REPLACE)
		return "replace";
	if (kind == CORRAL_STEP_RESTORE)
		return "restore";
	return kind < sizeof(names) / sizeof(names[0]) && names[kind] != NULL ? names[kind] :
										"unknown";
}

/* ---------------------------------------------------------------------- JSON */

static json_t *text(const char *string)
{
	return json_of_text(string, strlen(string));
}

static json_t *json_of_steps(const struct corral_event *event)
{
	json_t *list = must_have(json_array());

	for (uint32_t i = 0; i < event->steps_told; i++) {
		const struct corral_event_step *step = &event->steps[i];
		json_t *value = must_have(json_pack("{s:s}", "step", step_name(step->kind)));
		if (step->line != 0)
			json_object_set_new(value, "line", must_have(json_integer(step->line)));
		if (step->amount != 0)
			json_object_set_new(value, "amount",
					    must_have(json_integer((json_int_t)step->amount)));
		json_array_append_new(list, value);
	}
	return list;
}

static json_t *json_of_event(const struct corral_event *event)
{
	json_t *value = must_have(json_pack("{s:s, s:I, s:o}", "kind", kind_name(event->kind),
					    "number", (json_int_t)event->number, "time",
					    json_of_time(event->time_ms)));

	if (event->kind == CORRAL_EVENT_GAP) {
		json_object_set_new(value, "from",
				    must_have(json_integer((json_int_t)event->from)));
		json_object_set_new(value, "to", must_have(json_integer((json_int_t)event->to)));
		json_object_set_new(value, "missed",
				    must_have(json_integer((json_int_t)event->missed)));
		return value;
	}
	json_object_update_new(
		value,
		must_have(json_pack(
			"{s:o, s:o, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, "
			"s:I, s:o}",
			"restaurant_id", text(event->restaurant_id), "session_id",
			text(event->session_id), "version", (json_int_t)event->version, "status",
			status_name(event->status), "item_count", (json_int_t)event->item_count,
			"line_count", (json_int_t)event->line_count, "subtotal_cents",
			(json_int_t)event->subtotal_cents, "tax_cents",
			(json_int_t)event->tax_cents, "total_cents", (json_int_t)event->total_cents,
			"operation_id", text(event->op_id), "process", text(event->label), "pid",
			(json_int_t)event->pid, "step_count", (json_int_t)event->step_count,
			"steps", json_of_steps(event))));
	if (event->currency[0] != '\0')
		json_object_set_new(value, "currency", text(event->currency));
	return value;
}

/* ------------------------------------------------------------------- people */

/* What an event did, such as "add line 3 (2), tax (82500)". */
static void describe(const struct corral_event *event, char *to, size_t size)
{
	size_t at = 0;

	to[0] = '\0';
	for (uint32_t i = 0; i < event->steps_told && at < size; i++) {
		const struct corral_event_step *step = &event->steps[i];
		at += (size_t)snprintf(to + at, size - at, "%s%s", i > 0 ? ", " : "",
				       step_name(step->kind));
		if (step->line != 0 && at < size)
			at += (size_t)snprintf(to + at, size - at, " line %" PRIu32, step->line);
		if (step->amount != 0 && at < size)
			at += (size_t)snprintf(to + at, size - at, " %" PRId64, step->amount);
	}
	if (event->step_count > event->steps_told && at < size)
		(void)snprintf(to + at, size - at, "%s%" PRIu32 " more",
			       event->steps_told > 0 ? ", " : "",
			       event->step_count - event->steps_told);
}

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
	fprintf(to, "version %" PRIu64 " %s", event->version, kind_name(event->kind));
	describe(event, what, sizeof(what));
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

/* Print what comes, until the end, or (follow) until a signal. 0 or -errno. */
static int print_events(struct corral_feed *feed, const struct call *call, bool with_key)
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
	int r = corral_feed_open(corral, call->from, filter, &feed);
	signals_catch();
	if (r == 0)
		r = print_events(feed, call, with_key);
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
