/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * atomic.h: the whole memory model of Corral. No other file includes a header of liburcu
 * (userspace-rcu).
 *
 * There are three kinds of order, each with a name:
 *
 *    load_/store_  relaxed, acquire, release, and the read-modify-writes: order between living
 *                  threads. They are GCC's builtins, as in liburcu itself since 0.15;
 *                  ThreadSanitizer understands them.
 *    note()        order for the repairer of a dead thread: a plain store that the compiler may
 *                  not move. It needs no fence. A SIGKILL lands between two instructions: the
 *                  victim's earlier stores are done and its later ones never happen. The kernel's
 *                  exit path, which the repairer observes through the freed OFD lock, orders the
 *                  rest.
 *    fences        full fences, where a store must be seen before a later load is done. A reader
 *                  that seldom meets a change uses an asymmetric one, see grace.h.
 *
 * Labels [X1] mark the partners of a pairing; `make lint` checks that each label stands at two
 * sites or more.
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

/* A store for a repairer: it stays in program order, by a fence against the compiler only. */
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
	 * For cached memory this is as full a fence as liburcu's mfence, in an eighth of the time.
	 * Linux has used it as smp_mb() since 450cbdd0125c.
	 */
	__asm__ __volatile__("lock; addl $0, -4(%%rsp)" ::: "memory", "cc");
#else
	cmm_smp_mb();
#endif
}

/*
 * A full fence right behind a read-modify-write. On x86-64 the read-modify-write is itself one, in
 * every memory order. Linux has the same as smp_mb__after_atomic().
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

/* Every store before it is seen before any store after it. */
static inline void fence_stores(void)
{
	cmm_smp_wmb();
}

static inline void fence_compiler(void)
{
	cmm_barrier();
}

/*
 * The cache line will be written soon: fetch it, and take it from the processor that has it.
 * Without a newer -march the compiler's builtin only fetches it, so the store would wait all the
 * same. Processors of before 2014 take the instruction for none.
 */
static inline void prefetch_to_write(const void *p)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/* A pause of about 30 ns, for the other hyperthread. Spin limits are counted in these. */
static inline void spin_pause(void)
{
#ifdef __aarch64__
	/* liburcu has nothing for arm64, and `yield` does nothing on most of its processors */
	__asm__ volatile("isb" : : : "memory");
#else
	caa_cpu_relax();
#endif
}

/*
 * Sleep while *word == value, for at most `timeout` (NULL: without limit). 0 or -errno. The word
 * may be shared between processes.
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
