/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * latency.h: which times a histogram counts together: up to 128 ns; then four buckets for each
 * doubling, up to 2^36 ns (69 s); the last one has what took longer, too. So a time is known to a
 * fifth of itself, of whatever size it is.
 */
#ifndef CORRAL_ARENA_LATENCY_H
#define CORRAL_ARENA_LATENCY_H

#include "base/base.h"
#include "corral.h"

#define LATENCY_LEAST_BITS 7u
#define LATENCY_PART_BITS 2u
#define LATENCY_PARTS (1u << LATENCY_PART_BITS)

static inline uint32_t latency_bucket(uint64_t ns)
{
	if (ns < 1u << LATENCY_LEAST_BITS)
		return 0;
	const uint32_t octave = 63 - (uint32_t)__builtin_clzll(ns);
	const uint64_t part = (ns >> (octave - LATENCY_PART_BITS)) % LATENCY_PARTS;
	const uint64_t bucket = (octave - LATENCY_LEAST_BITS) * LATENCY_PARTS + part + 1;

	return (uint32_t)min_u64(bucket, CORRAL_LATENCY_BUCKETS - 1);
}

/* The shortest time that is in a bucket, which may be one more than there are. */
static inline uint64_t latency_least_ns(uint32_t bucket)
{
	if (bucket == 0)
		return 0;
	return (uint64_t)(LATENCY_PARTS + (bucket - 1) % LATENCY_PARTS)
	       << ((bucket - 1) / LATENCY_PARTS + LATENCY_LEAST_BITS - LATENCY_PART_BITS);
}

#endif
