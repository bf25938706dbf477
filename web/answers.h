/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answers.h: what is answered at once: a cart, its history, metrics. Each returns a text that is to
 * be freed.
 */
#ifndef CORRAL_WEB_ANSWERS_H
#define CORRAL_WEB_ANSWERS_H

#include "source.h"

/* For -errno, an HTTP status. */
unsigned answer_status(int error);

/* {"error": ...} */
char *answer_error(const char *what);

/* As corral show --json. 0 or -errno. */
int answer_cart(struct source *source, const struct corral_key *key, char **ret_text);

/* The last events of a cart, as corral history --json, the oldest first. 0 or -errno. */
int answer_history(struct source *source, const struct corral_key *key, char **ret_text);

/* What corral-web has counted itself. */
struct web_counts {
	uint64_t listeners, listeners_most, connections, lapped, refused, gaps, messages;
	uint64_t answers[6]; /* by the first digit of their status */
};

char *answer_metrics(struct source *source, const struct web_counts *counts, bool open_metrics);

#endif
