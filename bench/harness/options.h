/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.h: the command line of a benchmark, by the table of common/options.h, and the options
 * that many benchmarks have.
 */
#ifndef CORRAL_BENCH_OPTIONS_H
#define CORRAL_BENCH_OPTIONS_H

#include "bench.h"
#include "common/options.h"

#define OPTION_DIR(target)                                                                         \
	OPTION(WORD, "dir", "DIR", word = (target), "use DIR, not a temporary directory")
#define OPTION_DISK(target)                                                                        \
	OPTION(WORD, "dir", "DIR", word = (target),                                                \
	       "in new directories in DIR, on the disk to be measured (default TMPDIR or "         \
	       "/var/tmp)")
#define OPTION_JSON(target)                                                                        \
	OPTION(WORD, "json", "FILE", word = (target), "write the figures to FILE, too")
#define OPTION_ZIPF(target, ...)                                                                   \
	OPTION(FLAG, "zipf", NULL, flag = (target),                                                \
	       "some carts far more often than others (default: all as often)", ##__VA_ARGS__)
#define OPTION_THREADS(target, ...)                                                                \
	OPTION(FLAG, "threads", NULL, flag = (target),                                             \
	       "workers are threads of one process (default: processes)", ##__VA_ARGS__)
#define OPTION_SEED(target)                                                                        \
	OPTION(LARGE, "seed", "S", large = (target),                                               \
	       "for the random choices (default: the clock; it is printed)",                       \
	       BOUNDS(0, UINT64_MAX))

/* options_take() for the benchmark that is running. */
enum bench_exit bench_take(struct options *options, int argc, char **argv, bool *ret_go);

/* The same for one without operands. rows: an array. */
#define bench_options(rows_, argc, argv, ret_go)                                                   \
	bench_take(                                                                                \
		&(struct options){ .rows = (rows_), .count = sizeof(rows_) / sizeof((rows_)[0]) }, \
		argc, argv, ret_go)

/* Complain of a wrong argument; the message also points to --help. BENCH_USAGE. */
#define bench_usage(...)                                                                           \
	((enum bench_exit)options_wrong(&(struct options){ .command = bench_running->name },       \
					__VA_ARGS__))

#endif
