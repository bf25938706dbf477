/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * runs.h: the files that runs with --json have written, as an array of objects (see figures.h), in
 * the order of the command line.
 */
#ifndef CORRAL_BENCH_REPORT_RUNS_H
#define CORRAL_BENCH_REPORT_RUNS_H

#include <jansson.h>
#include <stdbool.h>

/* Append the contents of a file to `runs`. Prints its own error messages. */
bool runs_read(json_t *runs, const char *path);

/* The value of a run's figure; NAN: the run has none of that name. */
double run_value(const json_t *run, const char *name, ...) __attribute__((format(printf, 2, 3)));

/* The name of an entry in a run's list of figures, "" if it has none; and its value. */
const char *figure_name(const json_t *figure);
double figure_value(const json_t *figure);

#endif
