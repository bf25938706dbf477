/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * charts.h: the figures as people look at them: tables of few numbers, which a
 * page draws and Markdown prints.
 */
#ifndef CORRAL_BENCH_REPORT_CHARTS_H
#define CORRAL_BENCH_REPORT_CHARTS_H

#include "report.h"

#define CHART_ROWS_MAX 32u
#define CHART_COLUMNS_MAX 6u
#define CHART_LABEL 64

enum chart_kind {
	CHART_BARS,   /* of each row a bar for each column, logarithmic */
	CHART_SIZES,  /* the same, from 0 on */
	CHART_SPREAD, /* of each row its quantiles as dots on a line, logarithmic */
	CHART_LINES,  /* of each column a line; rows are places on the x axis, each twice the one
			 before */
};

struct chart_row {
	char label[CHART_LABEL];
	double x;                         /* CHART_LINES; else what rows are sorted by */
	double values[CHART_COLUMNS_MAX]; /* NAN: none */
	bool ours;
};

struct chart {
	enum chart_kind kind;
	char title[160];
	const char *about; /* a sentence */
	const char *unit;  /* of all values: as figures have it */
	const char *row_name;
	unsigned column_count;
	const char *columns[CHART_COLUMNS_MAX];
	unsigned row_count;
	struct chart_row rows[CHART_ROWS_MAX];
};

/* Make each chart that there are figures for, and show it. */
void report_charts(const struct report *report,
		   void (*show)(const struct chart *chart, FILE *stream), FILE *stream);

/* report_svg.c: the drawing, for a page that has the colours. */
void report_svg(const struct chart *chart, FILE *stream);

#endif
