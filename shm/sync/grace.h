/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grace.h: RCU between processes.
 *
 * liburcu's semantics over reader records that lie in the arena (a flavour in shared memory):
 *
 *   here                    liburcu (urcu-memb)          what
 *   grace_enter/leave       rcu_read_lock/unlock         read-side critical section, nests
 *   grace_start_poll        start_poll_synchronize_rcu   a cookie for "all who read now"
 *   grace_poll              poll_state_synchronize_rcu   are they gone?
 *   grace_advance           (the work of synchronize)    drive; never waits
 *   grace_wait              synchronize_rcu              wait, with a deadline
 *
 * The phase is a 64-bit counter that never wraps, where liburcu's memb flavour has one bit. One bit
 * is ambiguous when a reader stores a phase it loaded two flips ago, which is why liburcu
 * waits twice a grace period, before its flip and after it; a counter is not, and one flip and one
 * wait suffice (as in liburcu's own qsbr flavour on 64-bit machines). See ARCHITECTURE.md, "Grace
 * periods".
 *
 * Ordering, lettered:
 *   [G1] reader: store own phase, full fence, then load pointers. driver: flip, full fence, then
 *   scan.
 *        A light section has a compiler barrier and a look whether the phase is still its own
 *        instead: membarrier makes it a full fence. Before that look: then the section sees the
 *        flip, and begins again with a fence. Behind it: then the scan sees the section.
 *   [G2] reader: all loads of the section, then store 0 (release). driver: scan (acquire), then
 *   free.
 *   [G3] updater: unpublish, full fence, then load the phase for the cookie. driver: flip, then
 *   scan.
 *        A reader that saw the flip (acquire) sees the unpublishing.
 *   [G5] revoker: store `revoked`, then free. reader: all loads of the section, then load
 *   `revoked`.
 *   [G6] reader: store light_phase, full fence, then load the phase of its next section. driver:
 *   flip, full fence, then
 *        load light_phase. Either the section sees the flip and is not light, or the driver calls
 *        membarrier. A reader that has seen the flip takes its light_phase back (release): a driver
 *        that sees that (acquire) knows that the loads of the light sections are done.
 *
 * Who pays: a fence costs a reader a few nanoseconds; membarrier interrupts every processor that
 * runs one of us, for some microseconds each. A record begins each phase with fences, and goes
 * without once it has paid for LIGHT_AFTER of them: the rule of who may rent or buy, so never more
 * than twice the cheaper of the two. Where carts change all the time, nobody calls membarrier;
 * where they do not, nobody fences.
 *
 * A driver that may not call membarrier waits instead, until every light reader has taken its
 * light_phase back or ten milliseconds have passed since the flip, see has_settled().
 *
 * Revocation: when memory runs out, a section that has held it back for long can be declared void
 * (grace_revoke_oldest). Grace periods no longer wait for it; its reader finds that out at its end,
 * and what it read counts for nothing. Sections of one record have phases that do not shrink, and
 * `revoked` only grows: so a late revoker cannot bring a void section back to life, and "phase <=
 * revoked" says the same to all.
 */
#ifndef CORRAL_GRACE_H
#define CORRAL_GRACE_H

#include <errno.h>

#include "base/atomic.h"
#include "sync/alive.h"

/* The record is ours from now on. */
static inline void grace_begin(struct actor *actor)
{
	struct thread_record *record = actor->record;

	record->nest = 0;
	if (load_relaxed(&record->revoked) >= load_relaxed(&actor->arena->header->gp_phase))
		store_relaxed(&record->revoked,
			      0);               /* damaged: no section can have been revoked yet */
	store_relaxed(&record->light_phase, 0); /* its former owner's */
}

/*
 * The record is to be nobody's: no section, and none without a fence. By its owner, or by who
 * repairs it.
 */
static inline void grace_end(struct thread_record *record)
{
	record->nest = 0;
	store_release(&record->reader, 0);      /* pairs [G2] */
	store_release(&record->light_phase, 0); /* behind its last section's loads. pairs [G6] */
}

/* The other half of grace_enter_first(): with a full fence. */
void grace_enter_heavy(struct actor *actor);

/* Enter an outermost section: whose record->nest is 0. */
static inline void grace_enter_first(struct actor *actor, struct thread_record *record,
				     const struct arena_header *header)
{
	uint64_t phase = actor->light_phase;

	record->nest = 1; /* plain: only the owner looks, or its repairer when it is dead */
	store_relaxed(&record->reader, phase);
	fence_compiler(); /* our phase before the look and the pointers, completed by the driver's
			     membarrier. pairs [G1] */
	/* acquire: who saw the flip sees what was unpublished before it. pairs [G3] */
	if (unlikely(load_acquire(&header->gp_phase) != phase))
		grace_enter_heavy(actor);
}

/*
 * Enter a read-side critical section. A light one: two stores and a load, no fence instruction on
 * x86-64 and arm64.
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
	record->nest = 0; /* whatever it was: the arena may be damaged */
	store_release(&record->reader,
		      0); /* our loads before it, else they read freed memory. pairs [G2] */
}

/* Inside a section, after its loads: was it revoked? Then what was read may be anything. */
static inline bool grace_revoked(const struct actor *actor)
{
	const struct thread_record *record = actor->record;

	fence_loads(); /* else we read freed memory and are told that all is well. pairs [G5] */
	return load_relaxed(&record->revoked) >= record->reader; /* relaxed: ordered by the fence */
}

/*
 * Leave, and answer `result`, unless the section was revoked: then -EAGAIN (do it again), or, if it
 * was inside another one that is void with it, -ESTALE; -EUCLEAN if it cannot have been.
 */
static inline int grace_leave_with(struct actor *actor, int result)
{
	bool revoked = grace_revoked(actor);

	grace_leave(actor);
	if (likely(!revoked))
		return result;
	if (actor->record->nest > 0)
		return -ESTALE;
	/*
	 * a section is revoked in a later phase than its own: else it would be void again and again
	 */
	uint64_t last = load_acquire(
		&actor->record->revoked); /* before the phase, which the revoker saw. pairs [G5] */
	return last < load_acquire(&actor->arena->header->gp_phase) ? -EAGAIN : -EUCLEAN;
}

/* The cookie of what was unpublished before this call. */
static inline uint64_t grace_start_poll(const struct arena *arena)
{
	fence_full(); /* unpublished before the phase is read, else the cookie is too old. pairs
			 [G3] */
	return load_relaxed(&arena->header->gp_phase) + 1;
}

/* Are all readers gone that may have seen what the cookie stands for? */
static inline bool grace_poll(const struct arena *arena, uint64_t cookie)
{
	return load_acquire(&arena->header->gp_completed) >= cookie; /* pairs [G4] */
}

/*
 * Drive grace periods towards the cookie as far as that needs no waiting; true when it is reached.
 * Any thread may call it, also inside a section of its own (then it will not be reached), and any
 * number at once. A dead reader is buried.
 */
bool grace_advance(struct actor *actor, uint64_t cookie);

/*
 * Wait for the cookie, at most timeout_ms. 0, -ETIMEDOUT; -EDEADLK inside a section of one's own.
 */
int grace_wait(struct actor *actor, uint64_t cookie, uint32_t timeout_ms);

/*
 * How long a grace period has waited for this record's section, in milliseconds; 0: it does not, or
 * it is void.
 */
int64_t grace_stalled_ms(const struct arena *arena, const struct thread_record *record);

/*
 * Memory is short: declare the oldest section void that has stalled a grace period for min_stall_ms
 * or longer, not one of our own thread. A dead reader is buried instead. *ret_thread (or NULL):
 * whose. False: there is none.
 */
bool grace_revoke_oldest(struct actor *actor, uint32_t min_stall_ms, uint32_t *ret_thread);

/*
 * Register this process for membarrier(2), once a process. False: it is not to be had, and does not
 * reach us; use full fences.
 */
bool grace_register(void);

#endif
