/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base.h: what every layer may use: alignment, checked arithmetic. No state, no system calls.
 */
#ifndef CORRAL_BASE_H
#define CORRAL_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE 64

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Checked arithmetic: true when the result does not fit. */
#define add_overflows(a, b, ret) __builtin_add_overflow((a), (b), (ret))
#define mul_overflows(a, b, ret) __builtin_mul_overflow((a), (b), (ret))

/*
 * Pin what was copied out of shared bytes into `object`: the compiler may not read those bytes
 * again.
 */
#define read_once(object) __asm__("" : "+m"(object))

static inline uint64_t align_up(uint64_t value, uint64_t power_of_two)
{
	return (value + power_of_two - 1) & ~(power_of_two - 1);
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
