/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.c (floor 3): see lock.h.
 *
 * Lost wake-up: who slept takes the word with the waiters bit set, since it cannot
 * know whether it was the last sleeper. Who is woken and dies leaves the word free; the others
 * sleep at most SLEEP_LONG_NS at a time, so nobody depends on a wake-up that never comes.
 */
#include <errno.h>

#include "lock.h"
#include "stat.h"

#define SPIN_ROUNDS 100
#define SLEEP_FIRST_NS 200000 /* then the holder's life is looked at */
#define SLEEP_LONG_NS 1000000

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

/* Sleep until the word may be free, once. */
static void sleep_once(struct actor *actor, lock_word *word, int64_t sleep_ns)
{
	struct timespec timeout = { .tv_sec = 0, .tv_nsec = sleep_ns };
	uint32_t seen = load_relaxed(word); /* relaxed: the compare-and-swap and the kernel check it again */

	if (seen == 0)
		return;
	if ((seen & LOCK_WAITERS) == 0 && !cas_acq_rel(word, seen, seen | LOCK_WAITERS))
		return;
	stat_add(actor->record, lock_sleeps, 1);
	if (futex_sleep(word, seen | LOCK_WAITERS, &timeout) == -ETIMEDOUT)
		(void)alive_bury_if_dead(actor, seen & LOCK_HOLDER);
}

static int take_sleeping(struct actor *actor, lock_word *word)
{
	int64_t give_up = clock_now_ns() + load_relaxed(&actor->patience_ms) * 1000000ll; /* relaxed: a setting */

	for (int64_t sleep_ns = SLEEP_FIRST_NS;; sleep_ns = SLEEP_LONG_NS) {
		if (load_relaxed(word) == 0 && cas_acq_rel(word, 0, actor->name | LOCK_WAITERS))
			return 0;
		sleep_once(actor, word, sleep_ns);
		if (clock_now_ns() > give_up && load_relaxed(word) != 0)
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
