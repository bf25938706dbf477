/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replay.h: corral-bench replay, and the program that its workers run.
 */
#ifndef CORRAL_BENCH_REPLAY_H
#define CORRAL_BENCH_REPLAY_H

#include "harness/bench.h"

enum bench_exit replay_run(int argc, char **argv);
enum bench_exit replay_worker_run(int argc, char **argv);

#endif
