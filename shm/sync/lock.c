/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.c: see lock.h.
 *
 * Waiting. A lock is held for a microsecond or so; a thread that finds it taken spins a little. If
 * that does not help, its holder is not running: it sleeps, is preempted, stopped or dead. The
 * waiter's first nap is a sleep on the word, from which the holder wakes it. But a holder that woke
 * a waiter at every drop would do little else where many threads want one lock, and those threads
 * would get in each other's way. So the later naps are plain sleeps. At the end of each, the waiter
 * takes the lock if it stays free. A lock that is taken again and again is left to the threads that
 * run, until it is the waiter's turn (after TURN_NS, or a quarter of its patience): from then on it
 * naps for a shorter time and spins for the lock, until it gets it or is preempted.
 *
 * No waiter depends on being woken, whether the waker dies or other threads sleep ahead of it:
 * every nap ends by itself, and ends with a check that the lock's holder is alive.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arena/stat.h"
#include "sync/lock.h"

#define SPIN_ROUNDS 1000 /* about 27 us */
#define IDLE_ROUNDS 32   /* no busy thread leaves the lock free that long */
#define STUCK_ROUNDS 128 /* about 3 us */
#define NAP_FIRST_NS 200000ll
/* the limit: a dead holder is found within this time; its lock is to be free again in 10 ms */
#define NAP_LONG_NS 8000000ll
#define NAP_GROWTH 5
#define NAP_TURN_NS 1000000ull
#define TURN_NS 100000000ll

static void level_enter(struct actor *actor, enum lock_level level, bool waits)
{
	assert(!waits || actor->held >> level == 0); /* lock order */
	actor->held |= 1u << level;
}

static bool take_spinning(lock_word *word, uint32_t name)
{
	for (int round = 0; round < SPIN_ROUNDS; round++) {
		/* pairs [L1] with the release in lock_drop: we see what the last holder wrote */
		if (load_relaxed(word) == 0 && cas_acq_rel(word, 0, name))
			return true;
		spin_pause();
	}
	return false;
}

/* Does the word keep this value for `rounds` pauses? */
static bool stays(const lock_word *word, uint32_t value, int rounds)
{
	while (rounds-- > 0) {
		if (load_relaxed(word) != value)
			return false;
		spin_pause();
	}
	return true;
}

/* Nap on the word, woken at the drop; or just for a time. */
static void nap(struct actor *actor, lock_word *word, int64_t nap_ns, bool on_word)
{
	const struct timespec time = { .tv_sec = nap_ns / 1000000000,
				       .tv_nsec = nap_ns % 1000000000 };
	/* relaxed: the compare-and-swap and the kernel check it again */
	uint32_t seen = load_relaxed(word);

	if (seen == 0)
		return;
	stat_add(actor->record, lock_sleeps, 1);
	if (!on_word) /* by number: glibc's nanosleep is a cancellation point */
		(void)syscall(SYS_nanosleep, &time, NULL);
	else if ((seen & LOCK_WAITERS) != 0 || cas_acq_rel(word, seen, seen | LOCK_WAITERS))
		(void)futex_sleep(word, seen | LOCK_WAITERS, &time);
	/*
	 * check the present holder; a word that keeps changing is in the hands of the living, and
	 * the check takes microseconds
	 */
	uint32_t now = load_relaxed(word);
	if (now != 0 && stays(word, now, STUCK_ROUNDS))
		(void)alive_bury_if_dead(actor, now & LOCK_HOLDER);
}

/*
 * How long this wait may take: what is left until the call's deadline. A change that has none of
 * its own gets one when it first has to wait, from the handle's patience, so that it does not wait
 * so long for each of several locks.
 */
static int64_t patience_of(struct actor *actor, int64_t now_ns)
{
	int64_t patience_ns =
		load_relaxed(&actor->patience_ms) * 1000000ll; /* relaxed: a setting */

	if (actor->give_up_ns == 0 && actor->in_change)
		actor->give_up_ns = now_ns + patience_ns;
	if (actor->give_up_ns == 0)
		return patience_ns;
	return actor->give_up_ns > now_ns ? actor->give_up_ns - now_ns : 0;
}

static int take_sleeping(struct actor *actor, lock_word *word)
{
	int64_t began = clock_now_ns(), waited = 0;
	int64_t patience_ns = patience_of(actor, began);
	int64_t turn_ns = (int64_t)min_u64(TURN_NS, (uint64_t)patience_ns / 4);

	for (int64_t nap_ns = NAP_FIRST_NS;;
	     nap_ns = nap_ns < NAP_LONG_NS / NAP_GROWTH ? nap_ns * NAP_GROWTH : NAP_LONG_NS) {
		bool my_turn = waited > turn_ns;
		int64_t left = patience_ns > waited ? patience_ns - waited : 1;
		nap(actor, word,
		    (int64_t)min_u64(my_turn ? NAP_TURN_NS : (uint64_t)nap_ns, (uint64_t)left),
		    nap_ns == NAP_FIRST_NS);
		waited = clock_now_ns() - began;
		if ((my_turn || stays(word, 0, IDLE_ROUNDS)) && take_spinning(word, actor->name))
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
	/* a waiter sleeps; or the arena is damaged and the lock is no longer ours */
	lock_release_of(word, actor->name);
}

void lock_release_of(lock_word *word, uint32_t name)
{
	if (lock_held_by(word, name) && (swap_acq_rel(word, 0) & LOCK_WAITERS) != 0)
		futex_wake(word, 1);
}
