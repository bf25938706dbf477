/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lease.h: a cart's lease in one word: when it was last active, and its time to live.
 *
 *   63                             21 20    16 15                   0
 *  +---------------------------------+--------+----------------------+
 *  | last activity, in units + 2^42  | shift  | mantissa             |
 *  +---------------------------------+--------+----------------------+
 *
 * A unit is 2^17 ns, 0.13 ms. The time to live is mantissa << shift units, rounded up; 0 means the
 * arena's default. Since both are in one word, one compare-and-swap renews a cart or ends it, and
 * if two threads try at once, one of them wins. Two words are not times:
 *
 * LEASE_ENDED: the slot has no cart, and is being unlinked or is free.
 *
 * LEASE_OVER: the cart's time is up, and a caller may have been told so. Its version is still the
 * slot's current one, so that later versions get greater numbers, but is no longer shown. Only the
 * holder of the slot's lock leaves this state: it ends the cart, or puts a new cart in its place.
 *
 * All functions are pure; a damaged word decodes to some time.
 */
#ifndef CORRAL_LEASE_H
#define CORRAL_LEASE_H

#include "arena/arena.h"

#define LEASE_UNIT_SHIFT 17
#define LEASE_UNIT_NS (1ll << LEASE_UNIT_SHIFT)
#define LEASE_TTL_BITS 21
#define LEASE_MANTISSA_BITS 16
#define LEASE_TTL_MASK ((1u << LEASE_TTL_BITS) - 1)
#define LEASE_MANTISSA_MAX ((1u << LEASE_MANTISSA_BITS) - 1)
#define LEASE_SHIFT_MAX 31u
#define LEASE_EPOCH (1ull << 42) /* arena time 0, in units; carts may be older than the arena */

#define LEASE_OVER 1ull /* (0: the slot was never used) */
#define LEASE_ENDED 2ull

/* Does the word hold a time? If not, it is one of the two words above, or damaged. */
static inline bool lease_runs(uint64_t lease)
{
	return lease >> LEASE_TTL_BITS != 0;
}

/* The code of a time to live, rounded up; 0 for 0 (the arena's default). */
static inline uint32_t lease_ttl_code(uint64_t ttl_ns)
{
	uint64_t units = ttl_ns / (uint64_t)LEASE_UNIT_NS + (ttl_ns % (uint64_t)LEASE_UNIT_NS != 0);
	uint32_t shift = 0;

	while (units > LEASE_MANTISSA_MAX && shift < LEASE_SHIFT_MAX) {
		units = units / 2 + units % 2;
		shift++;
	}
	if (units > LEASE_MANTISSA_MAX)
		units = LEASE_MANTISSA_MAX;
	return shift << LEASE_MANTISSA_BITS | (uint32_t)units;
}

static inline uint64_t lease_of(int64_t touched_ns, uint32_t ttl_code)
{
	/* arithmetic shift: rounded down, so that no reader finds a cart touched after its clock */
	int64_t units = (touched_ns >> LEASE_UNIT_SHIFT) + (int64_t)LEASE_EPOCH;

	if (units < 1)
		units = 1;
	if (units > (int64_t)(2 * LEASE_EPOCH - 1))
		units = (int64_t)(2 * LEASE_EPOCH - 1);
	return (uint64_t)units << LEASE_TTL_BITS | (ttl_code & LEASE_TTL_MASK);
}

/* The last activity, in arena time. For a word that holds no time: earlier than any. */
static inline int64_t lease_touched_ns(uint64_t lease)
{
	return (int64_t)(((lease >> LEASE_TTL_BITS) - LEASE_EPOCH) << LEASE_UNIT_SHIFT);
}

/* A time to live that is not the default, as rare as it is: out of the way of the readers' code. */
static inline __attribute__((cold)) uint64_t lease_own_ttl_ns(uint64_t code, uint64_t default_ns)
{
	uint64_t units = (code & LEASE_MANTISSA_MAX) << (code >> LEASE_MANTISSA_BITS);

	return units == 0 ? default_ns : units << LEASE_UNIT_SHIFT; /* 0: a damaged code */
}

/* The time to live, or the default if the lease names none. */
static inline uint64_t lease_ttl_ns(uint64_t lease, uint64_t default_ns)
{
	uint64_t code = lease & LEASE_TTL_MASK;

	return likely(code == 0) ? default_ns : lease_own_ttl_ns(code, default_ns);
}

/*
 * From this arena time on, the cart's time is up. (One unit is added, since the last activity was
 * rounded down.)
 */
static inline int64_t lease_deadline_ns(uint64_t lease, uint64_t default_ns)
{
	return deadline_ns(lease_touched_ns(lease) + LEASE_UNIT_NS,
			   lease_ttl_ns(lease, default_ns));
}

/* The lease after an activity now, with the same time to live. The time never goes back. */
static inline uint64_t lease_touched(uint64_t lease, int64_t now_ns)
{
	uint64_t renewed = lease_of(now_ns, (uint32_t)(lease & LEASE_TTL_MASK));

	return renewed > lease ? renewed : lease;
}

#endif
