/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * health.c: see health.h. Samples are rows of corral_stats(), whose cost does not grow with the
 * carts.
 */
#include "health.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "arena/arena.h"
#include "sections.h"

#define ANSWER_MS 1000
#define NO_VALUE INT64_MIN

static const char *const charted[HEALTH_CHARTED] = {
	"changes",    "carts_open",    "carts_checked_out", "checked_out", "dropped", "expired",
	"live_bytes", "retired_bytes", "span_bytes",        "lock_sleeps", "deaths",  "processes",
};

void health_begin(struct health *health, struct source *source)
{
	*health = (struct health){ .source = source };
}

static int read_rows(struct source *source, struct corral_stat rows[CORRAL_STATS_MAX],
		     size_t *ret_count)
{
	struct corral *corral;
	int r = source_use(source, &corral);

	*ret_count = 0;
	if (r == 0)
		r = source_answered(source,
				    corral_stats(corral, rows, CORRAL_STATS_MAX, ret_count));
	if (*ret_count > CORRAL_STATS_MAX)
		*ret_count = CORRAL_STATS_MAX;
	return r;
}

int health_tick(struct health *health)
{
	static struct corral_stat rows[CORRAL_STATS_MAX];
	const int64_t now_ms = web_now_ms();
	size_t count;

	if (now_ms < health->next_ms)
		return (int)(health->next_ms - now_ms);
	health->next_ms = now_ms + HEALTH_EVERY_MS;
	const size_t at = health->sampled++ % HEALTH_SAMPLES;
	health->at_ms[at] = web_wall_ms();
	for (size_t i = 0; i < HEALTH_CHARTED; i++)
		health->values[at][i] = NO_VALUE;
	(void)read_rows(health->source, rows, &count);
	for (size_t row = 0; row < count; row++)
		for (size_t i = 0; i < HEALTH_CHARTED; i++)
			if (strcmp(rows[row].name, charted[i]) == 0)
				health->values[at][i] = rows[row].value;
	return HEALTH_EVERY_MS;
}

static json_t *number(int64_t value)
{
	return value == NO_VALUE ? must_have(json_null()) :
				   must_have(json_integer((json_int_t)value));
}

/* Add the samples, the oldest first. */
static void put_samples(const struct health *health, json_t *answer)
{
	const uint64_t first =
		health->sampled > HEALTH_SAMPLES ? health->sampled - HEALTH_SAMPLES : 0;
	json_t *samples = must_have(json_object());
	json_t *at = must_have(json_array());

	for (uint64_t i = first; i < health->sampled; i++)
		json_array_append_new(at, number(health->at_ms[i % HEALTH_SAMPLES]));
	for (size_t k = 0; k < HEALTH_CHARTED; k++) {
		json_t *values = must_have(json_array());
		for (uint64_t i = first; i < health->sampled; i++)
			json_array_append_new(values,
					      number(health->values[i % HEALTH_SAMPLES][k]));
		json_object_set_new(samples, charted[k], values);
	}
	json_object_set_new(answer, "at", at);
	json_object_set_new(answer, "samples", samples);
}

static void put_rows(struct source *source, json_t *answer)
{
	static struct corral_stat rows[CORRAL_STATS_MAX];
	json_t *list = must_have(json_array());
	size_t count;

	(void)read_rows(source, rows, &count);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(
			list, must_have(json_pack("{s:s, s:s, s:s, s:I, s:b}", "name", rows[i].name,
						  "unit", rows[i].unit, "help", rows[i].help,
						  "value", (json_int_t)rows[i].value, "total",
						  (int)(rows[i].kind == CORRAL_STAT_TOTAL))));
	json_object_set_new(answer, "rows", list);
}

/* Add what a walk over a directory's arena tells besides; nothing, for other locations. */
static void put_sections(const struct source *source, json_t *answer)
{
	char path[PATH_MAX];
	char why[ARENA_WHY_BYTES] = "";
	struct inspect *inspect = NULL;

	if (arena_directory(source->location, path, why) != 0 ||
	    inspect_open(path, false, &inspect, why, sizeof(why)) != 0)
		return;
	json_object_set_new(answer, "journal", section_journal(inspect));
	json_object_set_new(answer, "feed", section_feed(inspect));
	json_object_set_new(answer, "processes", section_processes(inspect));
	json_object_set_new(answer, "deaths", section_deaths(inspect));
	inspect_close(inspect);
}

const char *health_text(struct health *health, json_t *(*about_web)(void *context), void *context)
{
	const int64_t now_ms = web_now_ms();

	if (health->text != NULL && now_ms < health->text_ms + ANSWER_MS)
		return health->text;
	const bool ready = source_ready(health->source);
	json_t *answer = must_have(json_pack(
		"{s:I, s:b, s:o, s:s, s:I, s:o}", "now_ms", (json_int_t)web_wall_ms(), "ready",
		(int)ready, "why", json_of_text(health->source->why, strlen(health->source->why)),
		"version", corral_version(), "every_ms", (json_int_t)HEALTH_EVERY_MS, "web",
		about_web(context)));
	put_rows(health->source, answer);
	put_samples(health, answer);
	if (ready)
		put_sections(health->source, answer);
	free(health->text);
	health->text = json_line(answer);
	health->text_ms = now_ms;
	json_decref(answer);
	return health->text;
}

void health_end(struct health *health)
{
	free(health->text);
}
