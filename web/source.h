/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.h: the location that is shown. It is opened when it is first wanted, and again after it
 * was replaced, so corral-web may start before the agent, and outlives upgrades.
 */
#ifndef CORRAL_WEB_SOURCE_H
#define CORRAL_WEB_SOURCE_H

#include "web.h"

#define SOURCE_WHY_BYTES 256

struct source {
	const char *location;
	struct corral *corral;    /* NULL: it is not open */
	struct corral_feed *feed; /* the one of watch.c, closed with the handle; or NULL */
	uint64_t generation;      /* one more each time it is opened */
	int64_t retry_ms;         /* not to be opened again before */
	int error;                /* why it is not open, or did not answer; 0: it did */
	char why[SOURCE_WHY_BYTES];
};

/* The open handle. 0, or why there is none (source->why). */
int source_use(struct source *source, struct corral **ret_corral);

/* Hand in what a call on the handle returned. Returns it; a handle that is of no use is closed. */
int source_answered(struct source *source, int r);

/* Does it answer? */
bool source_ready(struct source *source);

void source_close(struct source *source);

#endif
