/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.h (floor 6): the figures of several runs (figures.h), gathered for `corral-bench report`: what is to hold, and the
 * two forms in which it is written.
 */
#ifndef CORRAL_BENCH_REPORT_H
#define CORRAL_BENCH_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct report {
	json_t *runs; /* objects as in figures.h, in the order of the command line */
	const char *machine;
};

/* What Corral means to be: a figure, and its bound. */
struct goal {
	const char *what;
	const char *figure;
	bool at_least; /* else at most */
	double bound;
};

extern const struct goal goals[];
extern const unsigned goal_count;

/* The last figure of that name. false: no run had it. */
bool report_find(const struct report *report, const char *name, double *ret_value, const char **ret_unit);

void report_html(const struct report *report, FILE *stream);
void report_markdown(const struct report *report, FILE *stream);

/* "1,234", "12.3", "0.041": for people. */
const char *report_number(double value, char text[32]);

#endif
