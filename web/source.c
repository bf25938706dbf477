/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.c: open the location, and open it again.
 */
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

#define RETRY_MS 500

/* Say it once on standard error, not at each try. */
static void note_error(struct source *source, int error, const char *why)
{
	const bool news = source->error != error || strcmp(source->why, why) != 0;

	source->error = error;
	(void)snprintf(source->why, sizeof(source->why), "%s", why);
	if (news && error != 0)
		streams_complain("%s", source->why);
}

int source_use(struct source *source, struct corral **ret_corral)
{
	const int64_t now_ms = web_now_ms();

	if (source->corral == NULL) {
		if (now_ms < source->retry_ms)
			return source->error;
		source->retry_ms = now_ms + RETRY_MS;
		int r = corral_open_as(source->location, LOOK_ONLY | CORRAL_CATCH_SIGBUS,
				       corral_text("corral-web"), &source->corral);
		if (r < 0) {
			source->corral = NULL;
			note_error(source, r, *corral_why() ? corral_why() : corral_strerror(r));
			return r;
		}
		source->generation++;
		note_error(source, 0, "");
	}
	*ret_corral = source->corral;
	return 0;
}

int source_answered(struct source *source, int r)
{
	if (r == -ESTALE || r == -EBADF) {
		source_close(source);
		note_error(source, r, corral_strerror(r));
	} else if (r == -EHOSTDOWN || r == -ETIMEDOUT || r == -EACCES) {
		note_error(source, r, corral_strerror(r));
	} else {
		note_error(source, 0, "");
	}
	return r;
}

bool source_ready(struct source *source)
{
	struct corral_stat row;
	struct corral *corral;
	size_t count;
	int r = source_use(source, &corral);

	if (r == 0)
		r = source_answered(source, corral_stats(corral, &row, 1, &count));
	if (r < 0 && source->error == 0)
		note_error(source, r, corral_strerror(r));
	return r == 0;
}

void source_close(struct source *source)
{
	corral_feed_close(source->feed);
	source->feed = NULL;
	corral_close(source->corral);
	source->corral = NULL;
}
