/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics.h: numbers for Prometheus and its like. `corral status --metrics` and corral-web's
 * /metrics are written here.
 */
#ifndef CORRAL_TOOLS_METRICS_H
#define CORRAL_TOOLS_METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct inspect;

struct metrics {
	FILE *to;
	bool open; /* OpenMetrics 1.0.0; else Prometheus' text format 0.0.4 */
};

/* All numbers of `corral status`. */
void metrics_arena(const struct metrics *to, struct inspect *inspect, const char *directory);

/* A metric with one value; "corral_" is put in front of its name. That of a counter ends in _total.
 */
void metrics_gauge(const struct metrics *to, const char *name, const char *help, uint64_t value);
void metrics_counter(const struct metrics *to, const char *name, const char *help, uint64_t value);
void metrics_seconds(const struct metrics *to, const char *name, const char *help, int64_t ms);

/* A metric with several values: its head, and then each of them. */
void metrics_begin(const struct metrics *to, const char *name, const char *type, const char *help);
void metrics_labelled(const struct metrics *to, const char *name, const char *label,
		      const char *text, uint64_t value);

/* What stands at the end of all. */
void metrics_end(const struct metrics *to);

#endif
