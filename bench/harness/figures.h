/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * figures.h: the output of a benchmark: a line about the machine, then one line "name value unit"
 * for each figure. If a JSON file is asked for, the same goes into it, for `corral-bench report`
 * and for other programs:
 *
 *   { "benchmark": "get", "machine": "...", "begun_ms": 0, "figures": [ { "name", "value", "unit"
 *   }, ... ], "notes": [ "...", ... ] }
 *
 * A note says how something was measured. It is printed unchanged, and begins with a word and a
 * colon, as no figure does.
 */
#ifndef CORRAL_BENCH_FIGURES_H
#define CORRAL_BENCH_FIGURES_H

#include <stdbool.h>

#include "histogram.h"

/*
 * Print the line about the machine. path: of the JSON file, which figures_end() writes; NULL: none.
 */
void figures_begin(const char *benchmark, const char *path);

void figure(const char *unit, double value, int decimals, const char *name, ...)
	__attribute__((format(printf, 4, 5)));

void figures_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print the figures NAME_p50_ns, _p90_ns, _p99_ns, _p99.9_ns and _max_ns. */
void figure_quantiles(const struct histogram *times, const char *name);

/* Write the JSON file. false: it could not be written, and a message says why. */
bool figures_end(void);

#endif
