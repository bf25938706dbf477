/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grace.h: RCU between processes.
 *
 * It has liburcu's semantics over reader records that lie in the arena (a flavour in shared
 * memory):
 *
 *    here                    liburcu (urcu-memb)          what
 *    grace_enter/leave       rcu_read_lock/unlock         read-side critical section, nests
 *    grace_start_poll        start_poll_synchronize_rcu   a cookie for all present readers
 *    grace_poll              poll_state_synchronize_rcu   are they gone?
 *    grace_advance           (the work of synchronize)    drive; never waits
 *    grace_wait              synchronize_rcu              wait, with a deadline
 *
 * The phase is a 64-bit counter that never wraps, where liburcu's memb flavour has one bit. One bit
 * is ambiguous when a reader stores a phase that it loaded two flips ago; so liburcu waits twice in
 * a grace period, before its flip and after it. A counter is not ambiguous: one flip and one wait
 * are enough (as in liburcu's own qsbr flavour on 64-bit machines). See docs/grace-periods.md.
 *
 * Ordering, by label:
 *    [G1] reader: store own phase, full fence, then load pointers.
 *         driver: flip, full fence, then scan.
 *         A light section has a compiler barrier instead of the fence, and then checks that the
 *         phase is still its own; membarrier turns the barrier into a full fence. If membarrier
 *         lands before that check, the section sees the flip and begins again with a fence. If it
 *         lands after, the scan sees the section.
 *    [G2] reader: all loads of the section, then store 0 (release).
 *         driver: scan (acquire), then free.
 *    [G3] updater: unpublish, full fence, then load the phase for the cookie.
 *         driver: flip, then scan.
 *         A reader that saw the flip (acquire) sees the unpublishing.
 *    [G5] revoker: store `revoked`, then free.
 *         reader: all loads of the section, then load `revoked`.
 *    [G6] reader: store light_phase, full fence, then load the phase of its next section.
 *         driver: flip, full fence, then load light_phase.
 *         Either the section sees the flip and is not light, or the driver calls membarrier. A
 *         reader that has seen the flip resets its light_phase (release): a driver that sees the
 *         reset (acquire) knows that the loads of the light sections are done.
 *
 * What it costs: a fence costs a reader a few nanoseconds; a membarrier interrupts every processor
 * that runs one of our processes, for some microseconds each. A record begins each phase with
 * fences, and goes without once it has paid for LIGHT_AFTER of them: the ski-rental rule, so the
 * cost is never more than twice the cheaper choice. Where carts change all the time, no driver
 * calls membarrier; where they do not, no reader fences.
 *
 * A driver that may not call membarrier waits instead until every light reader has reset its
 * light_phase, or ten milliseconds have passed since the flip; see has_settled().
 *
 * Revocation: when memory runs out, a section that has held memory back for long can be declared
 * void (grace_revoke_oldest). Grace periods no longer wait for it. Its reader finds that out at its
 * end and discards what it read. The phases of a record's sections never shrink, and `revoked` only
 * grows: so a late revoker cannot bring a void section back to life, and "phase <= revoked" means
 * the same to every thread.
 */
#ifndef CORRAL_GRACE_H
#define CORRAL_GRACE_H

#include <errno.h>

#include "base/atomic.h"
#include "sync/alive.h"

/* We have become the record's owner. */
static inline void grace_begin(struct actor *actor)
{
	struct thread_record *record = actor->record;

	record->nest = 0;
	/* no section can have been revoked in this phase yet: if one was, the arena is damaged */
	if (load_relaxed(&record->revoked) >= load_relaxed(&actor->arena->header->gp_phase))
		store_relaxed(&record->revoked, 0);
	store_relaxed(&record->light_phase, 0); /* its last owner's */
}

/*
 * The record is about to lose its owner: it has no section, and no unfenced one. Called by its
 * owner, or by its repairer.
 */
static inline void grace_end(struct thread_record *record)
{
	record->nest = 0;
	store_release(&record->reader, 0);      /* pairs [G2] */
	store_release(&record->light_phase, 0); /* after its last section's loads. pairs [G6] */
}

/* The slow half of grace_enter_first(): with a full fence. */
void grace_enter_heavy(struct actor *actor);

/* Enter an outermost section: record->nest is 0. */
static inline void grace_enter_first(struct actor *actor, struct thread_record *record,
				     const struct arena_header *header)
{
	uint64_t phase = actor->light_phase;

	record->nest = 1; /* plain: read by the owner only, or by its repairer */
	store_relaxed(&record->reader, phase);
	/* our phase before the check and the pointers; the driver's membarrier completes it.
	   pairs [G1] */
	fence_compiler();
	/* acquire: a reader that saw the flip sees what was unpublished before it. pairs [G3] */
	if (unlikely(load_acquire(&header->gp_phase) != phase))
		grace_enter_heavy(actor);
}

/*
 * Enter a read-side critical section. A light one costs two stores and a load, with no fence
 * instruction on x86-64 and arm64.
 */
static inline void grace_enter(struct actor *actor)
{
	struct thread_record *record = actor->record;

	if (record->nest > 0)
		record->nest++;
	else
		grace_enter_first(actor, record, actor->arena->header);
}

static inline void grace_leave(struct actor *actor)
{
	struct thread_record *record = actor->record;
	uint32_t nest = record->nest;

	if (unlikely(nest > 1)) {
		record->nest = nest - 1;
		return;
	}
	record->nest = 0; /* even if it was not 1: the arena may be damaged */
	/* our loads before it, else they read freed memory. pairs [G2] */
	store_release(&record->reader, 0);
}

/*
 * Inside a section, after its loads: was the section revoked? If so, what was read may be garbage.
 */
static inline bool grace_revoked(const struct actor *actor)
{
	const struct thread_record *record = actor->record;

	fence_loads(); /* loads before it, else freed memory passes for valid. pairs [G5] */
	return load_relaxed(&record->revoked) >= record->reader; /* relaxed: ordered by the fence */
}

/*
 * Leave the section and return `result`, unless the section was revoked. Then: -EAGAIN (do it
 * again); -ESTALE if it was inside another section, which is void with it; -EUCLEAN if it cannot
 * have been revoked.
 */
static inline int grace_leave_with(struct actor *actor, int result)
{
	bool revoked = grace_revoked(actor);

	grace_leave(actor);
	if (likely(!revoked))
		return result;
	if (actor->record->nest > 0)
		return -ESTALE;
	/* a section is only revoked in a later phase than its own; otherwise every new section
	   would be void */
	/* acquire: before the phase, which the revoker saw. pairs [G5] */
	uint64_t last = load_acquire(&actor->record->revoked);
	return last < load_acquire(&actor->arena->header->gp_phase) ? -EAGAIN : -EUCLEAN;
}

/* A cookie for what was unpublished before this call. */
static inline uint64_t grace_start_poll(const struct arena *arena)
{
	/* unpublished before the phase is read, else the cookie is too old. pairs [G3] */
	fence_full();
	return load_relaxed(&arena->header->gp_phase) + 1;
}

/* Are all readers gone that may have seen what the cookie stands for? */
static inline bool grace_poll(const struct arena *arena, uint64_t cookie)
{
	return load_acquire(&arena->header->gp_completed) >= cookie; /* pairs [G4] */
}

/*
 * Drive grace periods towards the cookie as far as that needs no waiting. True: the cookie is
 * reached. Any number of threads may call this at once, also inside sections of their own (the
 * cookie is not reached then). A dead reader is repaired.
 */
bool grace_advance(struct actor *actor, uint64_t cookie);

/*
 * Wait for the cookie, at most timeout_ms. 0, -ETIMEDOUT; -EDEADLK inside a section of the caller.
 */
int grace_wait(struct actor *actor, uint64_t cookie, uint32_t timeout_ms);

/*
 * How long a grace period has waited for this record's section, in milliseconds. 0: none waits for
 * it, or the section is void.
 */
int64_t grace_stalled_ms(const struct arena *arena, const struct thread_record *record);

/*
 * Memory is short: revoke the oldest section that has stalled a grace period for min_stall_ms or
 * longer, but none of this thread. A dead reader is repaired instead. *ret_thread (or NULL): the
 * thread record. False: there is no such section.
 */
bool grace_revoke_oldest(struct actor *actor, uint32_t min_stall_ms, uint32_t *ret_thread);

/*
 * Register this process for membarrier(2), once per process. False: the kernel or a sandbox does
 * not provide it, so no membarrier reaches us; use full fences.
 */
bool grace_register(void);

#endif
