/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.c (floor 3): see lock.h.
 *
 * Waiting. The lock is held for a microsecond or so, so who finds it taken spins a little. If that does not help its
 * holder does not run: asleep, preempted, stopped or dead. The first nap is on the word, so that the holder wakes the sleeper; but
 * a holder that woke somebody at every drop would do little else where many want one lock, and each of them would be
 * in the others' way. So later naps are just time, and at their end a lock that nobody is at is taken; one that is taken again and
 * again is left to those who run, until one's turn comes (TURN_NS): then one runs, too, until one loses the processor.
 *
 * Nobody depends on being woken, neither by one who dies nor in the order of sleeping: every nap ends by itself, and with a look
 * at the holder's life if it has not changed meanwhile.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lock.h"
#include "stat.h"

#define SPIN_ROUNDS 1000 /* about 27 us */
#define IDLE_ROUNDS 32
#define NAP_FIRST_NS 200000ll
#define NAP_LONG_NS 8000000ll /* a dead holder is found within that; after that a lock is to be free again in 10 ms */
#define NAP_GROWTH 5
#define TURN_NS 100000000ll

static void level_enter(struct actor *actor, enum lock_level level, bool waits)
{
	assert(!waits || actor->held >> level == 0); /* lock order */
	actor->held |= 1u << level;
}

static bool take_spinning(lock_word *word, uint32_t name)
{
	for (int round = 0; round < SPIN_ROUNDS; round++) {
		/* pairs [L1] with the release in lock_drop: what the last holder wrote is seen */
		if (load_relaxed(word) == 0 && cas_acq_rel(word, 0, name))
			return true;
		spin_pause();
	}
	return false;
}

/* Free for longer than somebody needs who takes it again and again? */
static bool is_idle(const lock_word *word)
{
	for (int round = 0; round < IDLE_ROUNDS; round++) {
		if (load_relaxed(word) != 0)
			return false;
		spin_pause();
	}
	return true;
}

static void nap(struct actor *actor, lock_word *word, int64_t nap_ns)
{
	const struct timespec time = { .tv_sec = 0, .tv_nsec = nap_ns };
	uint32_t seen = load_relaxed(word); /* relaxed: the compare-and-swap and the kernel check it again */

	if (seen == 0)
		return;
	stat_add(actor->record, lock_sleeps, 1);
	if (nap_ns > NAP_FIRST_NS)
		(void)syscall(SYS_nanosleep, &time, NULL); /* by number: glibc's is a cancellation point */
	else if ((seen & LOCK_WAITERS) != 0 || cas_acq_rel(word, seen, seen | LOCK_WAITERS))
		(void)futex_sleep(word, seen | LOCK_WAITERS, &time);
	if ((load_relaxed(word) & LOCK_HOLDER) == (seen & LOCK_HOLDER))
		(void)alive_bury_if_dead(actor, seen & LOCK_HOLDER);
}

static int take_sleeping(struct actor *actor, lock_word *word)
{
	int64_t patience_ns = load_relaxed(&actor->patience_ms) * 1000000ll; /* relaxed: a setting */
	int64_t began = clock_now_ns();

	for (int64_t nap_ns = NAP_FIRST_NS;;
	     nap_ns = nap_ns < NAP_LONG_NS / NAP_GROWTH ? nap_ns * NAP_GROWTH : NAP_LONG_NS) {
		nap(actor, word, nap_ns);
		int64_t waited = clock_now_ns() - began;
		if ((waited > TURN_NS || is_idle(word)) && take_spinning(word, actor->name))
			return 0;
		if (waited > patience_ns && load_relaxed(word) != 0)
			return -EBUSY;
	}
}

int lock_take(struct actor *actor, lock_word *word, enum lock_level level)
{
	/* pairs [L1] */
	if (unlikely(!cas_acq_rel(word, 0, actor->name)) && !take_spinning(word, actor->name) &&
	    take_sleeping(actor, word) < 0)
		return -EBUSY;
	level_enter(actor, level, true);
	return 0;
}

bool lock_try(struct actor *actor, lock_word *word, enum lock_level level)
{
	uint32_t seen = load_relaxed(word);

	if (seen != 0 && !alive_bury_if_dead(actor, seen & LOCK_HOLDER))
		return false;
	if (!cas_acq_rel(word, 0, actor->name))
		return false;
	level_enter(actor, level, false);
	return true;
}

void lock_drop(struct actor *actor, lock_word *word, enum lock_level level)
{
	actor->held &= ~(1u << level);
	/* pairs [L1]: what we wrote is seen by the next holder */
	if (likely(cas_acq_rel(word, actor->name, 0)))
		return;
	lock_release_of(word, actor->name); /* somebody sleeps; or, in a damaged arena, it is no longer ours */
}

void lock_release_of(lock_word *word, uint32_t name)
{
	if (lock_held_by(word, name) && (swap_acq_rel(word, 0) & LOCK_WAITERS) != 0)
		futex_wake(word, 1);
}
