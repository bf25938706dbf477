/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * runs.h: what runs with --json have written, as an array of objects (see figures.h), in the order
 * of the command line.
 */
#ifndef CORRAL_BENCH_REPORT_RUNS_H
#define CORRAL_BENCH_REPORT_RUNS_H

#include <jansson.h>
#include <stdbool.h>

/* Append what is in a file. Complains itself. */
bool runs_read(json_t *runs, const char *path);

/* A figure of a run; NAN: it has none of that name. */
double run_value(const json_t *run, const char *name, ...) __attribute__((format(printf, 2, 3)));

/* The name of a figure that is in a run's list; "" if it has none. And its value. */
const char *figure_name(const json_t *figure);
double figure_value(const json_t *figure);

#endif
