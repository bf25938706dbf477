/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * storm.h: corral-bench storm.
 */
#ifndef CORRAL_BENCH_STORM_H
#define CORRAL_BENCH_STORM_H

#include "harness/bench.h"

enum bench_exit storm_run(int argc, char **argv);

#endif
