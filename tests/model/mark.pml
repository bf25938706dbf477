/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mark.pml: the dirty bit of a slot, between a thread that changes the cart and the journal
 * (mark_dirty in shm/store/slot.c, journal_drain in agent/journal_write.c), for spin(1). `make
 * model` runs it, see run.sh.
 *
 * Claim [J1]: when no process changes the cart any more and its bit is clear, the journal has its
 * last version.
 *
 * Processes: a worker changes the cart several times, and may be killed at every step (its repairer
 * repeats the steps after the publishing). A journal takes the bit and saves the slot's version,
 * and may be killed at every step (the next agent marks dirty what was drained and not forgotten).
 *
 * The machine: the store to slot.current waits in a buffer. A read-modify-write acts on memory at
 * once, with acquire and release; as on arm64 it is no full fence: the fence after it is what waits
 * for the buffer. (On x86-64 it is a fence itself.) Loads happen in program order; a mutant without
 * the fence has them early. The store buffer of a killed process drains before its repairer reads.
 */
#define CHANGES 2
#define KILLS 2 /* of each of the two */

byte current, to_current; /* slot.current; a store to it in flight, 0: none */
bool dirty, drained;      /* the bits of the slot */
byte version;             /* published last by the worker */
byte saved;               /* written and synced last by the journal */
bool done;

active proctype memory()
{
end:
	do
	:: atomic { to_current != 0 -> current = to_current; to_current = 0 }
	od
}

#define MAY_DIE \
	if \
	:: atomic { kills < KILLS -> kills++; goto killed } \
	:: true \
	fi

active proctype worker()
{
	byte kills = 0;
	bool seen = false;

	do
	:: version < CHANGES ->
		/* store_release(&slot->current, hand) */
		atomic { to_current == 0 -> version++; to_current = version };
again:		MAY_DIE;
		/* bump_change(): swap_acq_rel(&slot->change); fence_after_rmw() [J1] */
#ifndef MUTANT_J1_WORKER
		to_current == 0;
#endif
		seen = dirty; /* load_relaxed(word) */
		MAY_DIE;
		if
		/* fetch_or_acq_rel(word, bit): its release waits for the version */
		:: atomic { !seen && to_current == 0 -> dirty = true }
		:: seen
		fi;
		MAY_DIE;
		seen = false /* note(&intent.hand, 0) */
	:: else -> break
killed:		/* repair_publish(), since hand is still slot.current */
		to_current == 0;
		seen = false;
		goto again
	od;
	done = true
}

active proctype journal()
{
	byte kills = 0, copy = 0;

	do
	:: dirty ->
#ifdef MUTANT_J1_JOURNAL
		/* no fence: the slot may be read before all processes see the bit clear */
		copy = current;
#endif
#ifndef MUTANT_DRAINED_LATE
		drained = true; /* note(&arena->drained[w], ...) */
#endif
		MAY_DIE;
		dirty = false; /* fetch_and, acquire and release; fence_full() [J1] */
		MAY_DIE;
#ifdef MUTANT_DRAINED_LATE
		drained = true;
#endif
#ifndef MUTANT_J1_JOURNAL
		copy = current;
#endif
		MAY_DIE;
		atomic { saved = copy; copy = 0 }; /* written and synced */
		MAY_DIE;
		drained = false /* journal_forget_drained() */
	:: atomic { !dirty && done && to_current == 0 -> assert(saved == version); break }
killed:		/* the next agent: journal_undrain() */
		atomic { dirty = dirty || drained; copy = 0 };
		drained = false
	od
}
