/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * speed.h: the benchmarks that measure times; see main.c.
 */
#ifndef CORRAL_BENCH_SPEED_H
#define CORRAL_BENCH_SPEED_H

#include "harness/bench.h"

enum bench_exit get_run(int argc, char **argv);
enum bench_exit add_run(int argc, char **argv);
enum bench_exit scale_run(int argc, char **argv);
enum bench_exit grace_run(int argc, char **argv);
enum bench_exit contend_run(int argc, char **argv);
enum bench_exit rate_run(int argc, char **argv);
enum bench_exit idle_run(int argc, char **argv);
enum bench_exit takeover_run(int argc, char **argv);
enum bench_exit journal_bench_run(int argc, char **argv);
enum bench_exit sync_bench_run(int argc, char **argv);
enum bench_exit snapshot_bench_run(int argc, char **argv);
enum bench_exit feed_run(int argc, char **argv);
enum bench_exit expiry_run(int argc, char **argv);
enum bench_exit recovery_run(int argc, char **argv);

#endif
