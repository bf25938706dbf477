/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.h: a report of runs: a document, from which a page and Markdown are made.
 *
 *   { "machine": "...", "goals": [ ... ], "charts": [ ... ], "runs": [ ... ] }
 *
 * A goal:  { "what", "at_least" (else at most), "bound", "measured", "met" }
 * A chart: { "kind", "title", "about", "unit" (of all values, in the form that figures use), "row"
 *          (what a row is), "columns": [ "..." ], "rows": [ { "label", "ours", "x", "values":
 *          [ number or null ] } ] }, of one of these kinds:
 *   bars    for each row a bar for each column, on a logarithmic scale
 *   sizes   the same, on a linear scale from 0
 *   spread  for each row its quantiles as dots on a line, on a logarithmic scale
 *   lines   for each column a line; x is the rows' place on an axis on which each step doubles
 */
#ifndef CORRAL_BENCH_REPORT_REPORT_H
#define CORRAL_BENCH_REPORT_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "harness/bench.h"

/* The goals, and the charts, for which there are figures. */
json_t *report_goals(const json_t *runs);
json_t *report_charts(const json_t *runs);

void report_page(const json_t *document, FILE *stream);
void report_markdown(const json_t *document, FILE *stream);

enum bench_exit report_run(int argc, char **argv);

#endif
