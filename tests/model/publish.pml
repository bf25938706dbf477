/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * publish.pml: the words that writers publish and that readers see without a lock
 * (shm/store/slot.c, slot.h, shm/api/read.c), and the wait for a cart that does not exist yet
 * (corral_wait, slot_wake), for spin(1). `make model` runs it, see run.sh. (The end of a cart by
 * time is in lease.pml.)
 *
 * Claims: [S1] a version is whole, [S2] a linked slot is filled in; [S4] no process sleeps while
 * what it waits for is there (spin's "invalid end state").
 *
 * The machine: a store waits in a buffer, and stores to different words become visible in any
 * order; a release store waits for the stores before it. A read-modify-write acts on memory at
 * once, with acquire and release, but is no full fence: its release waits for earlier stores, where
 * it has one, and with the mutants later loads may come before it. Loads happen in order after an
 * acquire; a mutant without it has them early. (corral_wait sleeps 250 ms at most; here it sleeps
 * until it is woken. Grace periods are in grace.pml: nothing is freed here.)
 */
#define OLD 1
#define NEW 2

bool whole; /* the bytes of version NEW */
bool filled; /* the words of the new slot: hash, lease */
bool head; /* bucket.head names the new slot */
byte current = OLD; /* slot.current of another slot, whose cart is changed */
bool births; /* bit 0: a process waits */
byte births_count; /* the other bits */
bool asleep; /* in the futex's queue of births */
bool to_whole, to_filled, to_head, to_current; /* the writer's buffer: stores in flight */

#define DRAINED (!to_whole && !to_filled && !to_head && !to_current)

active proctype memory()
{
end:
	do
	:: atomic { to_whole -> to_whole = false; whole = true }
	:: atomic { to_filled -> to_filled = false; filled = true }
	:: atomic { to_head -> to_head = false; head = true }
	:: atomic { to_current -> to_current = false; current = NEW }
	od
}

active proctype writer()
{
	byte seen = 0;

	/* cart_build(), then slot_publish(): store_release(&slot->current, hand) [S1] */
	to_whole = true;
#ifndef MUTANT_S1_WRITER
	DRAINED;
#endif
	to_current = true;
	/* slot_insert(): the slot's words, then store_release(&chain->head, hand_slot) [S2] */
	to_filled = true;
#ifndef MUTANT_S2_WRITER
	DRAINED;
#endif
	to_head = true;
	/* slot_wake(): fence_full(), then load_relaxed(births) [S4] */
#ifndef MUTANT_S4_WRITER
	DRAINED;
#endif
	do
	:: atomic { births -> seen = births_count }
		if
		/* cas_acq_rel() */
		:: atomic { births && births_count == seen -> births = false; births_count++; seen = 0 }
			asleep = false /* futex_wake(births, INT_MAX) */
		:: else
		fi
	:: !births -> break
	od
}

/* slot_find(), look_once(): in order, unless a mutant drops an acquire */
active proctype reader()
{
	byte version = 0;
	bool bytes = false, link = false, words = false;

#if defined(MUTANT_S1_READER)
	bytes = whole; /* of the version that it guesses */
#endif
	version = current; /* load_acquire(&slot->current) [S1] */
#if !defined(MUTANT_S1_READER)
	bytes = whole;
#endif
	assert(version == OLD || bytes);
#if defined(MUTANT_S2_READER)
	words = filled;
#endif
	link = head; /* load_acquire(&chain->head) [S2] */
#if !defined(MUTANT_S2_READER)
	words = filled;
#endif
	assert(!link || words)
}

/* corral_wait(), look_for_change() with past_version 0 */
active proctype waiter()
{
	byte seen = 0;
	bool there = false;

	do
	:: there -> break
	:: !there ->
#if defined(MUTANT_S4_WAITER)
		there = head; /* no fence: this read may come before the announcement */
#endif
		/* announce(): fetch_or_acq_rel(word, 1), fence_full() [S4] */
		atomic { births = true; seen = births_count };
#if !defined(MUTANT_S4_WAITER)
		there = head; /* slot_find() */
#endif
		if
		:: there
		/* futex_sleep(): the kernel compares */
		:: atomic { !there && births && births_count == seen -> asleep = true };
			!asleep
		:: !there && !(births && births_count == seen) /* -EAGAIN */
		fi
	od
}
