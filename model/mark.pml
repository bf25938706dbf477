/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mark.pml: the dirty bit of a slot, between a thread that changes the cart and the journal (mark_dirty in
 * shm/store/slot.c, journal_drain in agent/journal_write.c), for spin(1). `make model` runs it, see run.sh.
 *
 * Claim [J1]: when nobody changes the cart any more and its bit is clear, the journal has its last version.
 *
 * Who takes part: a worker that changes the cart some times, and may be killed at every step (its repairer does again
 * what follows the publishing); a journal that takes the bit and saves the slot's version, and may be killed at every
 * step (the next agent makes dirty what was drained and not forgotten).
 *
 * The machine: the store to slot.current waits in a buffer. A read-modify-write acts on memory at once; acquire and
 * release, it is no full fence, as on arm64: the fence behind it is what waits for the buffer. (On x86-64 it is a fence
 * itself.) Loads take place where they stand; a mutant without the fence has them early. The store buffer of a process
 * that is killed drains before its repairer looks.
 */
#define CHANGES 2
#define KILLS 2 /* of each of the two */

byte current, to_current; /* slot.current; a store to it on its way, 0: none */
bool dirty, drained;      /* the bits of the slot */
byte version;             /* that the worker published last */
byte saved;               /* that the journal wrote and synced last */
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
		copy = current; /* no fence: the slot may be read before the bit is clear for all */
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
killed:		/* another agent: journal_undrain() */
		atomic { dirty = dirty || drained; copy = 0 };
		drained = false
	od
}
