/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grace.c: the slow side of grace.h.
 *
 * State in the header: phase (copied by readers), fenced (a membarrier was done after the flip to
 * this phase; not every phase needs one), completed (every reader older than this phase is gone).
 * completed <= phase <= completed + 1. All three only grow, each by a compare-and-swap that fails
 * when another driver was faster. There is no lock: a stopped driver holds up no other, and a
 * driver that dies leaves a state from which the next one continues.
 *
 * Progress: readers that begin after a flip have the new phase and are not waited for, so a stream
 * of readers cannot hold up a grace period. A stalled reader can; that costs memory only.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arena/stat.h"
#include "sync/grace.h"
#include "sync/lock.h"

#define STALL_NS 2000000 /* how long before, and between, checks that a stalled reader is alive */
#define WAIT_STEP_NS 100000
#define SETTLE_NS 10000000 /* see has_settled() */
/* so many fences cost about as much as one membarrier and its interrupts */
#define LIGHT_AFTER 4096u
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
	/* older kernels cannot be asked; there a successful registration has to do */
	return registered < 0 || (registered & MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) != 0;
}

void grace_enter_heavy(struct actor *actor)
{
	struct thread_record *record = actor->record;
	/* acquire: a reader that saw the flip sees what was unpublished before it. pairs [G3] */
	uint64_t phase = load_acquire(&actor->arena->header->gp_phase);

	store_relaxed(&record->reader, phase); /* relaxed, both: ordered by the fence */
	if (phase != actor->heavy_phase) {
		actor->heavy_phase = phase;
		actor->heavy_entries = 0;
		if (actor->light_phase != 0) {
			actor->light_phase = 0;
			store_release(&record->light_phase, 0); /* as in grace_end(). pairs [G6] */
		}
	} else if (++actor->heavy_entries >= LIGHT_AFTER && !actor->fenced) {
		store_relaxed(&record->light_phase, phase);
		actor->light_phase = phase;
	}
	/* our phase before pointers, light_phase before the next section's load of the phase.
	   pairs [G1, G6] */
	fence_full();
}

/* Can a section have begun unfenced, in a phase that no membarrier has covered yet? */
static bool some_light(const struct arena *arena, uint64_t fenced)
{
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);

	for (uint32_t number = 0; number < high; number++) {
		const struct thread_record *record = &arena->threads[number];
		/*
		 * after the caller's fence. acquire: when this reads 0, or finds no owner, the
		 * loads of the record's light sections are done. pairs [G6]
		 */
		if (unlikely(load_acquire(&record->light_phase) >= fenced) &&
		    load_acquire(&record->owner) != 0)
			return true;
	}
	return false;
}

/*
 * The substitute for a membarrier that we may not call: is the flip to `phase` so old that nothing
 * a light section had in flight at that moment is still in flight? A thread that goes on reading
 * resets its light_phase in its next section, behind a fence; it is not judged here. A thread that
 * has begun no section since the flip is judged here: all that can be outstanding of its last
 * section is the store to `reader`, in a store buffer. Such a buffer holds some tens of stores and
 * drains as fast as the cache takes them, in microseconds, no matter what else the processor does;
 * each interrupt and each context switch drains it, too. No architecture gives a bound in
 * nanoseconds ("in finite time"), so we wait ten thousand times as long, and at most once for each
 * light_phase.
 */
static bool has_settled(struct actor *actor, uint64_t phase)
{
	int64_t now_ns = clock_now_ns();

	if (actor->settle_phase != phase) {
		actor->settle_phase = phase;
		actor->settle_since_ns = now_ns; /* after the caller's fence: the flip is older */
	}
	return now_ns - actor->settle_since_ns >= SETTLE_NS;
}

/*
 * Make unfenced sections of the phases from `fenced` on visible to a scan. False: not yet; a later
 * call, here or in another driver, will succeed.
 */
static bool fence_light(struct actor *actor, struct arena_header *h, uint64_t fenced,
			uint64_t phase)
{
	if (fenced >= phase || !some_light(actor->arena, fenced))
		return true;
	/* pairs [G1]: after it, a light reader either shows its phase or has yet to load it */
	if ((!actor->can_membarrier || membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) != 0) &&
	    !has_settled(actor, phase))
		return false;
	(void)cas_acq_rel(&h->gp_fenced, fenced, phase); /* spares other drivers theirs */
	return true;
}

/* A reader holds us up: note since when. After a while, check that it is alive. */
static void stalled(struct actor *actor, uint32_t number, uint64_t seen)
{
	struct thread_record *record = &actor->arena->threads[number];
	int64_t now = arena_now_ns(actor->arena);

	/* relaxed: shown to people, and to us a hint when to ask whether the reader lives */
	if (load_relaxed(&record->stalled_phase) != seen) {
		store_relaxed(&record->stalled_ns, now);
		store_relaxed(&record->asked_ns, now);
		store_relaxed(&record->stalled_phase, seen);
	} else if (ns_since(now, load_relaxed(&record->asked_ns)) > STALL_NS) {
		store_relaxed(&record->asked_ns, now); /* one driver asks for all */
		(void)alive_bury_if_dead(actor, number + 1);
	}
}

/* Are all readers gone that began before `phase`? */
static bool readers_gone(struct actor *actor, uint64_t phase)
{
	struct arena *arena = actor->arena;
	/* acquire: a record claimed before our fence is counted; one claimed later sees the flip */
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
	bool gone = true;

	for (uint32_t number = 0; number < high; number++) {
		/* acquire: the section's loads are done before we free. pairs [G2] */
		uint64_t seen = load_acquire(&arena->threads[number].reader);
		/* a revoked section is void: its reader will find that out. pairs [G5] */
		if (likely(seen == 0 || seen >= phase) ||
		    seen <= load_acquire(&arena->threads[number].revoked))
			continue;
		stalled(actor, number, seen);
		gone = false;
	}
	return gone;
}

/* The phase of the current grace period; begins one if there is none. */
static uint64_t current_period(struct arena_header *h)
{
	uint64_t phase = load_acquire(&h->gp_phase);

	/* completed is loaded after the phase: if they are equal, that phase's period is over */
	if (load_acquire(&h->gp_completed) < phase)
		return phase;
	/* the flip, by us or by another driver. pairs [G3] */
	(void)cas_acq_rel(&h->gp_phase, phase, phase + 1);
	return load_acquire(&h->gp_phase);
}

/* Drive one grace period as far as it goes. True: it is over. */
static bool step(struct actor *actor, struct arena_header *h)
{
	uint64_t phase = current_period(h);

	fence_full(); /* the flip, ours or not, before the scans. pairs [G1, G6] */
	if (!fence_light(actor, h, load_acquire(&h->gp_fenced), phase) ||
	    !readers_gone(actor, phase))
		return false;
	/* a thread that sees this sees all that the readers did. pairs [G4] */
	if (cas_acq_rel(&h->gp_completed, phase - 1, phase))
		stat_add(actor->record, grace_periods, 1);
	return true;
}

bool grace_advance(struct actor *actor, uint64_t cookie)
{
	struct arena_header *h = actor->arena->header;

	/* at most two periods: one that was under way, and one that begins now */
	for (int i = 0; i < 2 && !grace_poll(actor->arena, cookie); i++)
		if (!step(actor, h))
			break;
	return grace_poll(actor->arena, cookie);
}

/* The phase of the record's section if it stalls grace periods (else 0), and since when. */
static uint64_t stalled_section(const struct arena *arena, const struct thread_record *record,
				int64_t *ret_since_ns)
{
	uint64_t seen = load_acquire(&record->reader);

	*ret_since_ns = load_relaxed(&record->stalled_ns); /* relaxed, both: a rough time */
	return seen < load_acquire(&arena->header->gp_phase) &&
			       seen > load_acquire(&record->revoked) &&
			       load_relaxed(&record->stalled_phase) == seen ?
		       seen :
		       0;
}

int64_t grace_stalled_ms(const struct arena *arena, const struct thread_record *record)
{
	int64_t since_ns;

	if (stalled_section(arena, record, &since_ns) == 0)
		return 0;
	return ns_since(arena_now_ns(arena), since_ns) / 1000000;
}

bool grace_revoke_oldest(struct actor *actor, uint32_t min_stall_ms, uint32_t *ret_thread)
{
	struct arena *arena = actor->arena;
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->threads_high), arena->max_threads);
	uint32_t oldest = high;
	uint64_t phase = UINT64_MAX;
	int64_t now_ns = arena_now_ns(arena);
	int64_t since_ns;

	for (uint32_t number = 0; number < high; number++) {
		const struct thread_record *record = &arena->threads[number];
		uint64_t seen =
			record == actor->record ? 0 : stalled_section(arena, record, &since_ns);
		if (seen != 0 && seen < phase &&
		    ns_since(now_ns, since_ns) >= min_stall_ms * 1000000ll) {
			oldest = number;
			phase = seen;
		}
	}
	if (oldest == high)
		return false;
	if (ret_thread != NULL)
		*ret_thread = oldest;
	if (alive_bury_if_dead(actor, oldest + 1) &&
	    load_acquire(&arena->threads[oldest].reader) != phase)
		/* else the record has no owner that would end its section: the arena is damaged */
		return true;
	uint64_t *revoked = &arena->threads[oldest].revoked;
	for (uint64_t old = load_relaxed(revoked); old < phase; old = load_relaxed(revoked))
		if (cas_acq_rel(revoked, old, phase)) { /* before any free. pairs [G5] */
			stat_add(actor->record, revoked, 1);
			break;
		}
	return true;
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
