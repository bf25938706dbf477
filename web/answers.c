/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answers.c: see answers.h.
 */
#include "answers.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena/arena.h"
#include "event.h"
#include "metrics.h"
#include "sections.h"
#include "ticket.h"

#define HISTORY_MOST 500u /* events, the last ones */
#define EVENTS_BATCH 64u

unsigned answer_status(int error)
{
	return error == -ENOENT                                               ? 404 :
	       error == -EINVAL || error == -ENAMETOOLONG || error == -EILSEQ ? 400 :
										503;
}

char *answer_error(const char *what)
{
	json_t *value = must_have(json_pack("{s:o}", "error", json_of_text(what, strlen(what))));
	char *text = json_line(value);

	json_decref(value);
	return text;
}

static char *text_of(json_t *value)
{
	char *text = json_line(value);

	json_decref(value);
	return text;
}

/*
 * Put a text beside each amount in minor units: "total": "12.99" beside "total_cents". Such names
 * are ours: what strangers name stands in `attributes` and `extras`, which are left as they are.
 */
static void put_amounts(json_t *value, uint32_t digits)
{
	static const char end[] = "_cents";
	json_t *texts = json_is_object(value) ? must_have(json_object()) : NULL;
	const char *name;
	json_t *part;
	size_t i;

	json_array_foreach(value, i, part) put_amounts(part, digits);
	json_object_foreach(value, name, part)
	{
		const size_t size = strlen(name);
		if (json_is_integer(part) && size > sizeof(end) &&
		    strcmp(name + size - (sizeof(end) - 1), end) == 0) {
			char *short_name = must_have(strndup(name, size - (sizeof(end) - 1)));
			json_object_set_new(texts, short_name,
					    ticket_amount(json_integer_value(part), digits));
			free(short_name);
		} else if (strcmp(name, "attributes") != 0 && strcmp(name, "extras") != 0) {
			put_amounts(part, digits);
		}
	}
	if (texts != NULL)
		must_have(json_object_update(value, texts) == 0 ? value : NULL);
	json_decref(texts);
}

int answer_cart(struct source *source, const struct corral_key *key, char **ret_text)
{
	struct corral_cart *cart = NULL;
	struct corral *corral;
	int r = source_use(source, &corral);

	if (r == 0)
		r = source_answered(source, corral_get(corral, key, &cart));
	if (r < 0)
		return r;
	json_t *value = json_of_cart(cart);
	put_amounts(value, cart->head.currency_digits);
	json_object_set_new(value, "version", ticket_number(cart->head.version));
	*ret_text = text_of(value);
	corral_cart_free(cart);
	return 0;
}

/* An event, with what the page shows of it as texts. */
static json_t *history_row(const struct corral_event *event)
{
	char what[512];
	json_t *row = json_of_event(event);

	event_describe(event, what, sizeof(what));
	json_object_set_new(row, "what", json_of_text(what, strlen(what)));
	if (event->kind != CORRAL_EVENT_GAP) {
		json_object_set_new(row, "version", ticket_number(event->version));
		json_object_set_new(row, "total",
				    ticket_amount(event->total_cents, event->currency_digits));
	}
	return row;
}

int answer_history(struct source *source, const struct corral_key *key, char **ret_text)
{
	static struct corral_event events[EVENTS_BATCH];
	const struct corral_feed_filter filter = { .restaurant_id = &key->restaurant_id,
						   .session_id = &key->session_id };
	struct corral_feed *feed = NULL;
	struct corral *corral;
	size_t count = 0;
	int r = source_use(source, &corral);

	if (r == 0)
		r = corral_feed_open(corral, CORRAL_FEED_OLDEST, &filter, &feed);
	if (r < 0)
		return source_answered(source, r);
	json_t *list = must_have(json_array());
	while ((r = corral_feed_next(feed, events, EVENTS_BATCH, 0, NULL, &count)) == 0)
		for (size_t i = 0; i < count; i++) {
			json_array_append_new(list, history_row(&events[i]));
			if (json_array_size(list) > HISTORY_MOST)
				json_array_remove(list, 0);
		}
	corral_feed_close(feed);
	if (r != -ETIMEDOUT && r != -EINTR) {
		json_decref(list);
		return source_answered(source, r);
	}
	*ret_text = text_of(list);
	return source_answered(source, 0);
}

/* ------------------------------------------------------------------- metrics */

static void put_web(const struct metrics *to, const struct web_counts *counts, bool ready)
{
	static const char *const classes[] = { "0xx", "1xx", "2xx", "3xx", "4xx", "5xx" };

	metrics_gauge(to, "web_ready", "1: the location answers", ready);
	metrics_gauge(to, "web_connections", "connections that are open", counts->connections);
	metrics_gauge(to, "web_listeners", "streams of events that are open", counts->listeners);
	metrics_gauge(to, "web_listeners_limit", "streams of events there can be at once",
		      counts->listeners_most);
	metrics_counter(to, "web_listeners_lapped_total",
			"streams that were ended since their connection was too slow",
			counts->lapped);
	metrics_counter(to, "web_listeners_refused_total", "streams beyond the limit",
			counts->refused);
	metrics_counter(to, "web_messages_total", "messages that were made for listeners",
			counts->messages);
	metrics_counter(to, "web_gaps_total", "times that all listeners had to list again",
			counts->gaps);
	metrics_begin(to, "web_answers_total", "counter", "answers by the class of their status");
	for (size_t i = 2; i < sizeof(classes) / sizeof(classes[0]); i++)
		metrics_labelled(to, "web_answers_total", "code", classes[i], counts->answers[i]);
}

/* The rows of corral_stats(), of a location that is no directory. */
static void put_rows(const struct metrics *to, struct source *source)
{
	static struct corral_stat rows[CORRAL_STATS_MAX];
	struct corral *corral;
	size_t count = 0;
	int r = source_use(source, &corral);

	if (r == 0)
		r = source_answered(source, corral_stats(corral, rows, CORRAL_STATS_MAX, &count));
	for (size_t i = 0; r == 0 && i < count && i < CORRAL_STATS_MAX; i++) {
		char name[64];
		const bool total = rows[i].kind == CORRAL_STAT_TOTAL;
		(void)snprintf(name, sizeof(name), "%s%s", rows[i].name, total ? "_total" : "");
		if (total)
			metrics_counter(to, name, rows[i].help, (uint64_t)rows[i].value);
		else
			metrics_gauge(to, name, rows[i].help, (uint64_t)rows[i].value);
	}
}

char *answer_metrics(struct source *source, const struct web_counts *counts, bool open_metrics)
{
	char path[PATH_MAX];
	char why[ARENA_WHY_BYTES] = "";
	struct inspect *inspect = NULL;
	char *text = NULL;
	size_t size = 0;
	FILE *stream = must_have(open_memstream(&text, &size));
	const struct metrics to = { .to = stream, .open = open_metrics };

	if (arena_directory(source->location, path, why) != 0) {
		put_rows(&to, source);
	} else if (inspect_open(path, false, &inspect, why, sizeof(why)) == 0) {
		metrics_arena(&to, inspect, path);
		inspect_close(inspect);
	}
	put_web(&to, counts, source_ready(source));
	metrics_end(&to);
	must_have(fclose(stream) == 0 ? text : NULL);
	return text;
}
