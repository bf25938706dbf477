/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.h: the command line of a benchmark. One table gives the options' names, where their
 * values go, which values are valid, and their lines in --help. The value that a target has
 * beforehand is the default that --help shows.
 */
#ifndef CORRAL_BENCH_OPTIONS_H
#define CORRAL_BENCH_OPTIONS_H

#include "bench.h"

#define OPTIONS_MAX 16u      /* rows of a table */
#define OPTIONS_LIST_MAX 16u /* numbers in a list */

enum option_kind {
	OPTION_KIND_FLAG,
	OPTION_KIND_NUMBER,
	OPTION_KIND_SECONDS,
	OPTION_KIND_LARGE,
	OPTION_KIND_LIST,
	OPTION_KIND_TEXT
};

struct option_row {
	const char *name; /* without the hyphens */
	const char *unit; /* how the help names its value: "N", "MS", "FILE" */
	enum option_kind kind;
	union {
		bool *flag;
		uint32_t *number; /* or milliseconds */
		uint64_t *large;  /* the help shows no default for it */
		uint32_t *list;   /* of OPTIONS_LIST_MAX numbers */
		const char **text;
	} target;
	uint32_t *list_count;
	uint64_t min, max;
	const char *help;
};

#define OPTION_FLAG(name_, target_, help_)                                                         \
	{                                                                                          \
		.name = (name_), .kind = OPTION_KIND_FLAG, .target.flag = (target_),               \
		.help = (help_)                                                                    \
	}
#define OPTION_NUMBER(name_, unit_, target_, min_, max_, help_)                                    \
	{                                                                                          \
		.name = (name_), .unit = (unit_), .kind = OPTION_KIND_NUMBER,                      \
		.target.number = (target_), .min = (min_), .max = (max_), .help = (help_)          \
	}
/* The user gives seconds, with up to three decimals. */
#define OPTION_SECONDS(target_ms_, max_, help_)                                                    \
	{                                                                                          \
		.name = "seconds", .unit = "S", .kind = OPTION_KIND_SECONDS,                       \
		.target.number = (target_ms_), .min = 1, .max = (max_)*1000ull, .help = (help_)    \
	}
#define OPTION_LARGE(name_, unit_, target_, help_)                                                 \
	{                                                                                          \
		.name = (name_), .unit = (unit_), .kind = OPTION_KIND_LARGE,                       \
		.target.large = (target_), .min = 0, .max = UINT64_MAX, .help = (help_)            \
	}
#define OPTION_LIST(name_, target_, count_, max_, help_)                                           \
	{                                                                                          \
		.name = (name_), .unit = "N[,N...]", .kind = OPTION_KIND_LIST,                     \
		.target.list = (target_), .list_count = (count_), .min = 1, .max = (max_),         \
		.help = (help_)                                                                    \
	}
#define OPTION_TEXT(name_, unit_, target_, help_)                                                  \
	{                                                                                          \
		.name = (name_), .unit = (unit_), .kind = OPTION_KIND_TEXT,                        \
		.target.text = (target_), .help = (help_)                                          \
	}

/* Options that many benchmarks have. */
#define OPTION_DIR(target_) OPTION_TEXT("dir", "DIR", target_, "use DIR, not a temporary directory")
#define OPTION_DISK(target_)                                                                       \
	OPTION_TEXT("dir", "DIR", target_,                                                         \
		    "in new directories in DIR, on the disk to be measured (default TMPDIR or "    \
		    "/var/tmp)")
#define OPTION_JSON(target_) OPTION_TEXT("json", "FILE", target_, "write the figures to FILE, too")
#define OPTION_ZIPF(target_)                                                                       \
	OPTION_FLAG("zipf", target_,                                                               \
		    "some carts far more often than others (default: all as often)")
#define OPTION_THREADS(target_)                                                                    \
	OPTION_FLAG("threads", target_, "workers are threads of one process (default: processes)")

struct options {
	const char *benchmark;
	const struct option_row *rows;
	size_t count;
	uint32_t operands_min, operands_max; /* arguments after the options: argv[optind] and on */
};

/*
 * BENCH_DONE, or BENCH_USAGE after a message. *ret_go: the benchmark is to run; otherwise --help
 * was asked for, and has been printed.
 */
enum bench_exit options_take(const struct options *options, int argc, char **argv, bool *ret_go);

/* The same for a benchmark without operands. rows: an array. */
#define options_only(benchmark_, rows_, argc_, argv_, ret_go_)                                     \
	options_take(&(struct options){ .benchmark = (benchmark_),                                 \
					.rows = (rows_),                                           \
					.count = sizeof(rows_) / sizeof((rows_)[0]) },             \
		     argc_, argv_, ret_go_)

#endif
