/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench.h: what all benchmarks of corral-bench share: the table's row, exit codes,
 * the clock, random numbers, messages, signals.
 */
#ifndef CORRAL_BENCH_BENCH_H
#define CORRAL_BENCH_BENCH_H

#include <signal.h>
#include <stdio.h>

#include "base/base.h"
#include "common/streams.h"

#define PROGRAM "corral-bench"

enum bench_exit {
	BENCH_DONE = 0,
	BENCH_WRONG = 1,    /* something was lost or is wrong */
	BENCH_USAGE = 2,    /* a bad argument or a bad file */
	BENCH_NO_ARENA = 3, /* the arena cannot be used */
	BENCH_NO_AGENT = 4, /* no agent, and none could be started */
	BENCH_NO_OUTPUT = 5 /* standard output could not be written; see common/streams.h */
};

struct benchmark {
	const char *name;
	enum bench_exit (*run)(int argc, char **argv); /* argv[0] is the name */
	const char *about;                             /* one line; NULL: not listed */
};

/* The benchmark that is running; main() sets it. */
extern const struct benchmark *bench_running;

#define bench_say streams_complain /* "corral-bench: ..." */

/* CLOCK_MONOTONIC, in nanoseconds. */
uint64_t bench_now_ns(void);

/* The next number of a splitmix64 sequence. */
uint64_t bench_random(uint64_t *state);
/* A random number in [0, below). */
uint32_t bench_random_below(uint64_t *state, uint32_t below);

/*
 * From now on SIGINT, SIGTERM and SIGHUP only set bench_signal, so that the benchmark can remove
 * the files and processes it created; SIGPIPE is ignored. bench_die_of_signal() ends the process by
 * the signal that arrived, if any.
 */
extern volatile sig_atomic_t bench_signal;
void bench_catch_signals(void);
void bench_die_of_signal(void);

/* "machine: cpu, N cores, kernel ..." */
void bench_print_machine(FILE *stream);

#endif
