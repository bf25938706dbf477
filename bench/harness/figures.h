/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * figures.h: what a benchmark has measured: the machine's line first, then a line "name
 * value unit" each; and the same in a JSON file, if one is asked for, for `corral-bench report` and
 * for other programs:
 *
 *   { "benchmark": "get", "machine": "...", "begun_ms": 0, "figures": [ { "name", "value", "unit"
 *   }, ... ], "notes": [ "...", ... ] }
 *
 * A note says how something was measured; it is printed as it is, and begins with a word and a
 * colon, which no figure does.
 */
#ifndef CORRAL_BENCH_FIGURES_H
#define CORRAL_BENCH_FIGURES_H

#include <stdbool.h>

#include "histogram.h"

/* Print the machine's line. path: of the JSON file, which is written at the end; NULL: none. */
void figures_begin(const char *benchmark, const char *path);

void figure(const char *unit, double value, int decimals, const char *name, ...)
	__attribute__((format(printf, 4, 5)));

void figures_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* NAME_p50_ns, _p90_ns, _p99_ns, _p99.9_ns and _max_ns. */
void figure_quantiles(const struct histogram *times, const char *name);

/* Write the file. false: it could not be written (complains). */
bool figures_end(void);

#endif
