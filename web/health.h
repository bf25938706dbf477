/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * health.h: the numbers of the location, now and over the last quarter of an hour.
 */
#ifndef CORRAL_WEB_HEALTH_H
#define CORRAL_WEB_HEALTH_H

#include <jansson.h>

#include "source.h"

#define HEALTH_SAMPLES 180u
#define HEALTH_EVERY_MS 5000
#define HEALTH_CHARTED 12u

struct health {
	struct source *source;
	int64_t next_ms;  /* when the next sample is due */
	uint64_t sampled; /* how many samples there were ever; the last ones are kept */
	int64_t at_ms[HEALTH_SAMPLES];
	int64_t values[HEALTH_SAMPLES][HEALTH_CHARTED];
	char *text;      /* the last answer, which holds for a second */
	int64_t text_ms; /* when it was made */
};

void health_begin(struct health *health, struct source *source);

/* Take a sample if one is due. The milliseconds until the next one. */
int health_tick(struct health *health);

/* The answer for the page, which is the health's. about_web: what it says of corral-web. */
const char *health_text(struct health *health, json_t *(*about_web)(void *context), void *context);

void health_end(struct health *health);

#endif
