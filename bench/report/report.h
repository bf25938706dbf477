/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.h: the figures of several runs (figures.h), gathered for `corral-bench report`:
 * what is to hold, charts (charts.h), and the two forms in which it is written.
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
	unsigned cart_bytes; /* of a run with carts of about so many bytes; 0: of any */
};

extern const struct goal goals[];
extern const unsigned goal_count;

/* The last figure of that goal. false: no run had it. */
bool report_find(const struct report *report, const struct goal *goal, double *ret_value);
bool report_is_met(const struct goal *goal, double value);

/* A figure of a run; NAN: it has none of that name. */
double report_value(const json_t *run, const char *name, ...) __attribute__((format(printf, 2, 3)));

void report_html(const struct report *report, FILE *stream);
void report_markdown(const struct report *report, FILE *stream);

/* What HTML would take for its own is escaped. */
void report_put_text(const char *text, FILE *stream);

/* "1,234", "12.3", "0.041"; with their unit "1.2 µs", "4.1 MB", "1,234 /s": for people. */
#define REPORT_TEXT 32
const char *report_number(double value, char text[REPORT_TEXT]);
const char *report_quantity(double value, const char *unit, char text[REPORT_TEXT]);

#endif
