/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grace.c (floor 3): the slow side of grace.h.
 *
 * State in the header, written by the holder of gp_lock: phase (what readers copy), fenced
 * (the last phase whose membarrier was done), completed (every reader older than this phase is
 * gone). completed <= phase <= completed + 1. Each step is one store, and a driver that
 * dies leaves a state from which the next goes on: a flip without its membarrier is
 * seen by fenced < phase, and the membarrier is done again.
 *
 * Progress: readers that begin after a flip have the new phase and are not waited for, so a
 * stream of readers cannot hold up a grace period. A stalled one can; it costs memory only.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "grace.h"
#include "lock.h"
#include "stat.h"

#define STALL_NS 2000000       /* after this long we ask whether a reader is alive */
#define WAIT_STEP_NS 100000
#define GET_REGISTRATIONS (1 << 9) /* MEMBARRIER_CMD_GET_REGISTRATIONS, Linux 6.3 */

static int membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0u, 0);
}

bool grace_register(void)
{
	if (membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) != 0)
		return false;
	int registered = membarrier(GET_REGISTRATIONS);
	/* older kernels do not tell; then the successful registration has to do */
	return registered < 0 || (registered & MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) != 0;
}

/* Make every reader's compiler barrier a fence. False: we cannot; somebody else has to drive. */
static bool fence_readers(const struct actor *actor)
{
	fence_full();
	if (actor->arena->header->full_fences != 0)
		return true;
	/* pairs [G1]: after it, a reader either shows its phase or has yet to load its pointers */
	return actor->can_membarrier && membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0;
}

/* A reader holds us up: note since when, and ask after its life when that is long. */
static void stalled(struct actor *actor, uint32_t number, uint64_t seen)
{
	struct thread_record *record = &actor->arena->threads[number];
	int64_t now = arena_now_ns(actor->arena);

	if (record->stalled_phase != seen) {
		store_relaxed(&record->stalled_ns, now); /* relaxed: for people, and under gp_lock */
		store_relaxed(&record->stalled_phase, seen);
	} else if (now - record->stalled_ns > STALL_NS) {
		(void)alive_bury_if_dead(actor, number + 1);
	}
}

/* Is every reader gone that began before `phase`? */
static bool readers_gone(struct actor *actor, uint64_t phase)
{
	struct arena *arena = actor->arena;
	/* acquire: a record claimed before our fence is counted; one claimed later sees the flip */
	uint32_t high = (uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
	bool gone = true;

	for (uint32_t number = 0; number < high; number++) {
		/* acquire: the section's loads are done before we free. pairs [G2] */
		uint64_t seen = load_acquire(&arena->threads[number].reader);
		if (likely(seen == 0 || seen >= phase))
			continue;
		stalled(actor, number, seen);
		gone = false;
	}
	return gone;
}

/* One grace period, as far as it goes. True when completed == phase. Holder of gp_lock only. */
static bool step(struct actor *actor, struct arena_header *h, uint64_t cookie)
{
	uint64_t phase = load_relaxed(&h->gp_phase); /* relaxed: we hold gp_lock */

	if (load_relaxed(&h->gp_completed) == phase) {
		if (phase >= cookie)
			return true;
		phase++;
		store_release(&h->gp_phase, phase); /* the flip. pairs [G3] */
	}
	if (load_relaxed(&h->gp_fenced) < phase) {
		if (!fence_readers(actor))
			return false;
		note(&h->gp_fenced, phase);
	}
	if (!readers_gone(actor, phase))
		return false;
	store_release(&h->gp_completed, phase); /* what readers did is over for whoever sees this. pairs [G4] */
	stat_add(actor->record, grace_periods, 1);
	return true;
}

bool grace_advance(struct actor *actor, uint64_t cookie)
{
	struct arena_header *h = actor->arena->header;

	if (grace_poll(actor->arena, cookie))
		return true;
	if (!lock_try(actor, &h->gp_lock, LOCK_GRACE))
		return false; /* another one drives */
	/* at most two: one that was under way, and ours */
	for (int i = 0; i < 2 && load_relaxed(&h->gp_completed) < cookie; i++)
		if (!step(actor, h, cookie))
			break;
	lock_drop(actor, &h->gp_lock, LOCK_GRACE);
	return grace_poll(actor->arena, cookie);
}

int grace_wait(struct actor *actor, uint64_t cookie, uint32_t timeout_ms)
{
	struct timespec step_time = { .tv_sec = 0, .tv_nsec = WAIT_STEP_NS };
	uint64_t steps = timeout_ms * 1000000ull / WAIT_STEP_NS;

	if (actor->record->nest > 0)
		return -EDEADLK;
	for (uint64_t i = 0; i <= steps; i++) {
		if (grace_advance(actor, cookie))
			return 0;
		nanosleep(&step_time, NULL);
	}
	return -ETIMEDOUT;
}
