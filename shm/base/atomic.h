/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * atomic.h: the whole memory model of Corral, and the only includer of
 * liburcu (userspace-rcu) headers.
 *
 * Three kinds of order, each with a name:
 *
 *   load_/store_  relaxed, acquire, release, and the read-modify-writes: order
 *                 between living threads. GCC's builtins, as liburcu itself uses
 *                 since 0.15; ThreadSanitizer understands them.
 *   note()        order for those who come after a death: a plain store that the
 *                 compiler may not move. No fence is needed: who died by SIGKILL died
 *                 between two instructions, its earlier stores are done, its later ones
 *                 never happen, and the kernel's exit path, which the repairer observes
 *                 through the freed OFD lock, orders the rest.
 *   fences        full fences where a store must be seen before a later
 *                 load is done; that of readers who seldom meet a change is asymmetric, see
 *                 grace.h.
 *
 * Labels [X1] mark the partners of a pairing; `make lint` checks that each
 * stands at two sites or more.
 */
#ifndef CORRAL_ATOMIC_H
#define CORRAL_ATOMIC_H

#include <stdint.h>
#include <urcu/arch.h>
#include <urcu/compiler.h>
#include <urcu/futex.h>

#define load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* Read-modify-writes, acquire and release in one. */
#define swap_acq_rel(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define fetch_or_acq_rel(p, v) __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define fetch_add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define fetch_sub_relaxed(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)

/* Compare and swap: true when *p was `expected` and is `desired` now. */
#define cas_acq_rel(p, expected, desired)                                                          \
	__extension__({                                                                            \
		__typeof__(*(p)) cas_expected_ = (expected);                                       \
		__atomic_compare_exchange_n((p), &cas_expected_, (desired), 0, __ATOMIC_ACQ_REL,   \
					    __ATOMIC_ACQUIRE);                                     \
	})

/* A store for the repairer of the dead: in program order, fenced against the compiler only. */
#define note(p, v)                                                                                 \
	do {                                                                                       \
		cmm_barrier();                                                                     \
		__atomic_store_n((p), (v), __ATOMIC_RELAXED);                                      \
		cmm_barrier();                                                                     \
	} while (0)

/* Every store before it is seen before any load after it is done. */
static inline void fence_full(void)
{
#ifdef __x86_64__
	/*
	 * For memory that is cached, as full as liburcu's mfence, in an eighth of the time; Linux'
	 * smp_mb() is this since 450cbdd0125c.
	 */
	__asm__ __volatile__("lock; addl $0, -4(%%rsp)" ::: "memory", "cc");
#else
	cmm_smp_mb();
#endif
}

/*
 * A full fence right behind a read-modify-write: on x86-64 that is one already, whatever order was
 * asked of it. As Linux' smp_mb__after_atomic().
 */
static inline void fence_after_rmw(void)
{
#ifdef __x86_64__
	cmm_barrier();
#else
	cmm_smp_mb();
#endif
}

/* Every load before it is done before any load after it. */
static inline void fence_loads(void)
{
	cmm_smp_rmb();
}

static inline void fence_compiler(void)
{
	cmm_barrier();
}

/*
 * Some 30 ns in which the processor may do something else: how long waiters spin is counted in
 * these.
 */
static inline void spin_pause(void)
{
#ifdef __aarch64__
	__asm__ volatile(
		"isb"
		:
		:
		: "memory"); /* liburcu has nothing for it, and `yield` does nothing on most */
#else
	caa_cpu_relax();
#endif
}

/*
 * Sleep while *word == value, at most timeout (NULL: for ever). 0 or -errno. Shared between
 * processes.
 */
static inline int futex_sleep(uint32_t *word, uint32_t value, const struct timespec *timeout)
{
	return futex((int32_t *)word, FUTEX_WAIT, (int32_t)value, timeout, NULL, 0) < 0 ? -errno :
											  0;
}

static inline void futex_wake(uint32_t *word, int32_t how_many)
{
	(void)futex((int32_t *)word, FUTEX_WAKE, how_many, NULL, NULL, 0);
}

#endif
