/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * false_clock.h: a clock that the test sets. Exactly one file of a program includes it: it defines
 * clock_gettime(), and the library, linked into the program, calls that definition.
 *
 * The test can set the clock that decides a cart's age (CLOCK_MONOTONIC_COARSE) and step the wall
 * clock (CLOCK_REALTIME...). Everything else, such as patience with a lock, uses the real clocks.
 */
#ifndef FALSE_CLOCK_H
#define FALSE_CLOCK_H

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arena/arena.h"
#include "support.h"

#define MS 1000000ll /* nanoseconds */

static int64_t false_now_ns;  /* 0: the real time */
static int64_t false_wall_ns; /* added to the wall clock */
static __thread void (*at_next_look)(
	void); /* called once, right after this thread has read the carts' clock */

static int false_clock(clockid_t id, struct timespec *now)
{
	int r = (int)syscall(SYS_clock_gettime, id, now);
	int64_t ns = 0;

	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		ns = now->tv_sec * 1000000000ll + now->tv_nsec +
		     __atomic_load_n(&false_wall_ns, __ATOMIC_RELAXED);
	else if (id == CLOCK_MONOTONIC_COARSE)
		ns = __atomic_load_n(&false_now_ns, __ATOMIC_SEQ_CST);
	if (ns != 0)
		*now = (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
	if (id == CLOCK_MONOTONIC_COARSE && at_next_look != NULL) {
		void (*look)(void) = at_next_look;
		at_next_look = NULL;
		look();
	}
	return r;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	return false_clock(id, now);
}

/* The library reads the clock through this pointer, past clock_gettime(). */
static __attribute__((constructor(65535))) void set_false_clock(void)
{
	arena_clock = false_clock;
}

/* From now on the carts' clock advances only by clock_pass(). */
static inline void clock_freeze(void)
{
	struct timespec now;

	(void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	__atomic_store_n(&false_now_ns, now.tv_sec * 1000000000ll + now.tv_nsec, __ATOMIC_SEQ_CST);
}

static inline void clock_pass(int64_t ns)
{
	__atomic_fetch_add(&false_now_ns, ns, __ATOMIC_SEQ_CST);
}

static inline void clock_run(void)
{
	__atomic_store_n(&false_now_ns, 0, __ATOMIC_SEQ_CST);
}

#endif
