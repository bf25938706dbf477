/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pin.h: keep threads and processes on one CPU, so that a server and its client do not take turns
 * on the same one.
 */
#ifndef CORRAL_BENCH_PIN_H
#define CORRAL_BENCH_PIN_H

#include <sched.h>
#include <stdbool.h>

#define PIN_NONE (-1)

/* Two CPUs that this process may use. false: there is only one. */
bool pin_two(int *ret_first, int *ret_second);

/*
 * From now on the calling thread, and each thread and process it starts, runs only on this CPU.
 * PIN_NONE: no change.
 */
void pin_me(int cpu);
/* The same, until pin_back(), which restores the affinity kept in *ret_before. */
struct pin_before {
	cpu_set_t cpus;
	bool known;
};
void pin_me_for_now(int cpu, struct pin_before *ret_before);
void pin_back(const struct pin_before *before);

#endif
