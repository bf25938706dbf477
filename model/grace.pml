/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grace.pml: the grace period of shm/grace.h and shm/grace.c, for spin(1). `make model` runs it, see run.sh.
 *
 * Claim: no reader ever reads a block that was freed; and nothing gets stuck (spin's "invalid end state"): an
 * updater's wait ends when no living reader is inside, whoever died.
 *
 * Who takes part:
 *   reader    one for each reader record: grace_enter, a load of the pointer, grace_leave, some times over. May be killed
 *             anywhere; once it is buried, the next process claims the record.
 *   updater   replaces the block that the pointer names, some times over: publish, grace_start_poll, grace_advance until
 *             grace_poll, free. (What slot_publish, block_retire_old and rotate_locked come to.)
 *   agent     drives grace periods too: may be killed at every step, also while it buries, and is started again.
 *   memory    drains the store buffers.
 *
 * The machine. A store goes into a first-in-first-out buffer, one for each reader's word and one for the updater's
 * pointer: it becomes visible some time later, all others' loads and stores may come between, and those of
 * different words in any order. Read-modify-writes act on memory at once, after their process's buffer has drained.
 * Loads take place where they stand, unless no acquire stands before them: a mutant that takes one away lets the load
 * happen earlier. The loads of a section (of the block's bytes) happen any time from the load of the pointer until the
 * section's end is VISIBLE, that is what its release says: hence the claim is checked where a block is freed: nobody may
 * hold it. A section that is not yet visibly over may overlap the next one: the reader runs ahead of its buffer.
 *
 * A section is heavy (with a full fence) or light (without, in a phase that its record has announced, see grace.h). The C code
 * announces after 4,096 heavy sections in a phase; the model at any of them.
 *
 * membarrier(GLOBAL_EXPEDITED) is a full fence in each running thread of every registered process at some moment
 * during the call. At a fence all that stands before it in the program is done and visible, and nothing that stands after
 * it has begun. So the model looks, one record after the other, for a moment at which that is so, and goes on from there:
 * these are just the executions with a fence at this place. (A reader always gets to such a moment: it waits for nobody.)
 *
 * A driver that may not call membarrier (WITHOUT) waits for each record until either its announcement is taken back, or
 * so much time has passed that nothing is in flight that was when the phase was flipped: SETTLED, which is the same moment
 * that a membarrier makes, only that nothing makes it. NO_TIME shows that nothing unsafe depends on the time: it is needed
 * for records whose threads do nothing any more.
 *
 * Death by SIGKILL falls between two instructions, and its stores drain before the kernel frees the byte: so a reader
 * dies, for all others, at a moment when its buffer is empty and no load of it is early. Its word stays.
 *
 * Names: process = what holds a liveness byte; a record's owner is a process. Numbers are those of the C code,
 * but the phase is a byte: the model ends long before it wraps, as 64 bits do. Reader record number r is in use from the
 * beginning by process r, then by process r + READERS. What is left out: nesting (nest is the owner's own), the process
 * records' state and the claim of a byte (lock.pml has them), the number of records (all are looked at), waiting 2 ms before
 * a reader's life is asked for (a matter of cost), several threads of one process.
 */
#ifndef READERS
#define READERS 2
#endif
#ifndef SECTIONS
#define SECTIONS 2 /* of each reader record, over all its owners */
#endif
#ifndef UPDATES
#define UPDATES 2
#endif
#ifndef ROUNDS
#define ROUNDS 2 /* how often the agent drives */
#endif
#ifndef DEATHS
#define DEATHS 1 /* of readers; the agent may always die */
#endif

#define PROCESSES ((DEATHS + 1) * READERS) /* numbers that a process may get */
#define NONE 0 /* of blocks; 1 is the first version */
#define LIGHT 128 /* in a buffer: the rest is for light_phase */
#define NOBODY 0
#define LIVING 1     /* whose byte it is holds it */
#define UPDATER 2    /* a repairer holds it: this one */
#define AGENT 3

byte gp_phase = 1, gp_completed = 1, gp_fenced = 1; /* struct arena_header */
byte word[READERS];                                 /* thread_record.reader */
byte light[READERS];                                /* thread_record.light_phase */
byte owner[READERS];                                /* thread_record.owner: process plus one */
byte life[PROCESSES];                               /* DIR/lock: who has the byte of each process */
byte current = 1;                                   /* slot.current */

chan buffer[READERS] = [5] of { byte }; /* stores to word[r], and with LIGHT to light[r], that are on their way */
byte holds[READERS];                    /* the block a section may still read ... */
byte holds_next[READERS];               /* ... and the next section, while the end of the first is on its way */
bool early[READERS];                    /* a load was done before something that stands before it */
byte current_buffer;                    /* the updater's store to current, on its way */
byte deaths;
byte blocker, blocker_word; /* the updater's: a reader that held up its last step */

#define IN_ORDER(r) (empty(buffer[r]) && !early[r])
#if defined(NO_TIME)
#define SETTLED(r) false
#elif defined(MUTANT_SETTLED_AT_ONCE)
#define SETTLED(r) true
#else
#define SETTLED(r) IN_ORDER(r)
#endif
#define HELD(block) (HELD_BY(0, block) || (READERS > 1 && HELD_BY(READERS - 1, block)))
#define HELD_BY(r, block) (holds[r] == block || holds_next[r] == block)
#ifdef MUTANT_GUESS
#define MAY_TAKE(process) true /* "it must be dead by now" */
#else
#define MAY_TAKE(process) (life[process] == NOBODY)
#endif
#ifdef MUTANT_NOBODY_ASKS
#define MAY_BURY(r) false
#else
#define MAY_BURY(r) (owner[r] != 0 && MAY_TAKE(owner[r] - 1))
#endif

/*
 * FENCED: the reader never goes without a fence, in a process that could not register; FULL_FENCES: no process could
 * (actor.fenced). OUT_OF_REACH: membarrier does not reach its process.
 */
#if defined(FULL_FENCES)
#define FENCED(r) true
#define OUT_OF_REACH(r) true
#elif defined(UNREGISTERED)
#define FENCED(r) ((r) == 0)
#define OUT_OF_REACH(r) ((r) == 0)
#elif defined(MUTANT_UNREGISTERED)
#define FENCED(r) false
#define OUT_OF_REACH(r) ((r) == 0)
#else
#define FENCED(r) false
#define OUT_OF_REACH(r) false
#endif

/* ---------------------------------------------------------------- memory */

inline drain(r)
{
	atomic {
		buffer[r] ? arrived;
		if
		:: arrived >= LIGHT -> light[r] = arrived - LIGHT
		:: arrived < LIGHT -> word[r] = arrived
		fi;
		if
		:: arrived == 0 -> /* the section is over for all; its loads are done [G2] */
#ifdef MUTANT_G2_LEAVE
			skip; /* its loads may still be under way: see reader */
#else
			holds[r] = holds_next[r];
			holds_next[r] = NONE;
#endif
		:: else
		fi;
		arrived = 0
	}
}

active proctype memory()
{
	byte arrived = 0;
end:
	do
	:: nempty(buffer[0]) -> drain(0)
#if READERS > 1
	:: nempty(buffer[READERS - 1]) -> drain(READERS - 1)
#endif
	:: current_buffer != NONE -> atomic { current = current_buffer; current_buffer = NONE }
	od
}

/* ---------------------------------------------------------------- readers */

inline load_current(r) /* load_acquire(&slot->current) */
{
	if
	:: holds[r] == NONE -> holds[r] = current
	:: else -> holds_next[r] = current
	fi
}

proctype reader(byte r)
{
	byte process = r;
	byte sections = 0;
	byte phase = 0;
	byte mine = 0; /* actor.light_phase */
	bool take_back = false;

	do
	:: atomic { sections < SECTIONS -> sections++ };
		/* grace_enter_first: store_relaxed(&record->reader, mine). (A 0 where there is a 0 changes nothing.) */
		if
#if defined(MUTANT_LOOK_FIRST)
		:: atomic { mine != 0 && gp_phase == mine -> skip };
			buffer[r] ! mine;
			goto look_done
#elif defined(MUTANT_G1_READER)
		/* no compiler barrier: in the program itself the loads may stand before the store */
		:: atomic { mine != 0 && gp_phase == mine -> load_current(r) };
			buffer[r] ! mine;
			goto leave
#endif
		:: mine != 0 -> buffer[r] ! mine
		:: mine == 0
		fi;
		if
		:: atomic { mine != 0 && gp_phase == mine -> skip } /* load_acquire(&gp_phase): light */
		:: atomic { mine == 0 || gp_phase != mine -> take_back = mine != 0; mine = 0; phase = gp_phase }; /* grace_enter_heavy */
			/* store_relaxed(&record->reader, phase) */
			buffer[r] ! phase;
			/* store_release(&record->light_phase, 0): behind the last light section's loads [G6] */
			if
#ifdef MUTANT_TAKEN_BACK_EARLY
			:: atomic { take_back -> light[r] = 0; take_back = false } /* relaxed: visible before what stands before it */
#else
			:: atomic { take_back && nfull(buffer[r]) -> buffer[r] ! LIGHT; take_back = false }
#endif
			:: !take_back
			fi;
			if
			/* after LIGHT_AFTER sections; here at any: store_relaxed(&record->light_phase, phase) */
			:: atomic { !FENCED(r) -> mine = phase };
#ifndef MUTANT_G6_READER
				buffer[r] ! LIGHT + phase
#endif
			:: true
			fi;
			phase = 0;
#ifndef MUTANT_G1_HEAVY
			empty(buffer[r]); /* fence_full() [G1, G6] */
#endif
#ifdef MUTANT_G6_READER
			/* announced behind the fence */
			if
			:: mine != 0 -> buffer[r] ! LIGHT + mine
			:: else
			fi
#endif
		fi;
#ifdef MUTANT_LOOK_FIRST
look_done:
#endif
		if
		:: atomic { true -> load_current(r) }
		:: atomic { deaths < DEATHS && IN_ORDER(r) -> deaths++; goto dead }
		fi;
leave:		/* grace_leave: store_release(&record->reader, 0): the section's loads are done before it shows [G2] */
#if defined(MUTANT_G2_LEAVE)
		atomic { buffer[r] ! 0; early[r] = true }; /* no release: the loads may come later */
		atomic { empty(buffer[r]) -> early[r] = false; holds[r] = NONE }
#else
		buffer[r] ! 0
#endif
	:: atomic { sections == SECTIONS -> break }
dead:		/* the kernel frees the byte; the word stays */
		atomic { life[process] = NOBODY; holds[r] = NONE; holds_next[r] = NONE };
end_buried:	/* claim_free_record() by another process: cas_acq_rel(&record->owner, 0, process + 1) */
		atomic { owner[r] == 0 -> process = process + READERS; life[process] = LIVING; owner[r] = process + 1; mine = 0; take_back = false };
		buffer[r] ! LIGHT /* grace_begin: store_relaxed(&record->light_phase, 0) */
	od
}

/* ---------------------------------------------------------------- driving */

/*
 * A driver may be killed here; who comes next knows nothing but what is in the arena. It stands after each store that others
 * see: who dies later, after some loads, leaves the same.
 */
#define MAY_DIE \
	if \
	:: goto killed \
	:: true \
	fi

/* cas_acq_rel() is a read-modify-write: it waits for its own process's buffer. */
#define RMW(who) (who != UPDATER || current_buffer == NONE)

/* On to the next record, or out of the loop. */
#define NEXT \
	if \
	:: n < READERS - 1 -> n++ \
	:: else -> n = 0; break \
	fi

/* membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) */
inline membarrier()
{
#ifndef MUTANT_G1_DRIVER
	do
	:: atomic { OUT_OF_REACH(n) || IN_ORDER(n) -> NEXT }
	od
#else
	skip /* the caller's own fence only, as with PRIVATE_EXPEDITED */
#endif
}

inline forget(who) /* the kernel frees all its bytes, also that of a process it was repairing */
{
	n = 0;
	do
	:: n < PROCESSES ->
		if
		:: life[n] == who -> life[n] = NOBODY
		:: else
		fi;
		n++
	:: else -> break
	od;
	phase = 0; dead = 0; n = 0; gone = true; flipped = false; lit = false; fenced = 0
}

/*
 * stalled(), alive_bury_if_dead(), repair_process(), repair_thread(): record n holds us up. Asking after the life of one who
 * lives changes nothing.
 */
inline bury(who)
{
	if
	:: atomic { MAY_BURY(n) -> dead = owner[n] } /* load_acquire(&owner) */
		if
		:: atomic { MAY_TAKE(dead - 1) -> life[dead - 1] = who; MAY_DIE } /* alive_take() */
			if
#if defined(MUTANT_NO_RECHECK)
			:: true ->
#else
			:: owner[n] == dead -> /* repair_process() looks again, now that the byte is ours */
#endif
#if defined(MUTANT_OWNER_FIRST)
				atomic { owner[n] = 0; MAY_DIE };
				atomic { word[n] = 0; MAY_DIE };
				atomic { light[n] = 0; MAY_DIE }
#else
				atomic { word[n] = 0; MAY_DIE };  /* grace_end(): store_release(&record->reader, 0) */
				atomic { light[n] = 0; MAY_DIE }; /* store_release(&record->light_phase, 0) */
				atomic { owner[n] = 0; MAY_DIE } /* store_release(&record->owner, 0): last of all */
#endif
			:: else
			fi;
			atomic { life[dead - 1] = NOBODY; dead = 0 } /* alive_drop() */
		:: atomic { else -> dead = 0 } /* another is at it */
		fi
	:: else
	fi
}

/* readers_gone(phase). Sets gone; when it is false, the updater's `blocker` is a reader that held it up. */
inline readers_gone(who)
{
	do
	:: atomic { word[n] == 0 || word[n] >= phase -> NEXT } /* load_acquire(&record->reader) [G2] */
	:: atomic { word[n] != 0 && word[n] < phase ->
		gone = false;
		if
		:: who == UPDATER -> blocker = n; blocker_word = word[n]
		:: else
		fi };
		bury(who);
		atomic { NEXT }
	od
}

/* current_period() */
inline current_period(who)
{
	phase = gp_phase; /* load_acquire */
	if
	:: gp_completed < phase /* load_acquire: a period is under way */
	/* it is over (and stays so: looking and flipping can be one step): cas_acq_rel(&gp_phase, phase, phase + 1) [G3] */
	:: atomic { gp_completed >= phase && RMW(who) ->
#if defined(MUTANT_NO_FLIP)
		skip
		}
#elif defined(MUTANT_FLIP_STORED)
		skip
		}
		atomic { gp_phase = phase + 1; flipped = true; MAY_DIE }; /* a store where a compare-and-swap should be */
		phase = gp_phase
#else
		if
		:: gp_phase == phase -> gp_phase = phase + 1; flipped = true
		:: else
		fi;
		MAY_DIE
		}
		phase = gp_phase /* load_acquire */
#endif
	fi
}

#ifdef MUTANT_LIGHT_BELOW
#define IS_LIGHT(r) (light[r] > fenced)
#else
#define IS_LIGHT(r) (light[r] >= fenced)
#endif

/* some_light(): sets lit */
inline some_light()
{
	do
	:: atomic { !IS_LIGHT(n) -> NEXT } /* load_acquire(&light_phase), behind the flip and a fence [G6] */
	:: IS_LIGHT(n) ->
		atomic { lit = lit || owner[n] != 0; NEXT } /* load_acquire(&owner) */
	od
}

/* The middle of step(): membarrier, unless nobody is light or somebody did. */
inline fence_once(who)
{
	atomic { RMW(who) -> fenced = gp_fenced }; /* fence_full(); load_acquire(&gp_fenced) */
	if
#if defined(MUTANT_G6_DRIVER)
	:: true /* "nobody is light" */
#elif defined(MUTANT_FENCED_EARLY)
	:: atomic { fenced < phase -> gp_fenced = phase; MAY_DIE };
		membarrier()
#elif defined(MUTANT_FENCED_BY_FLIPPER)
	:: fenced < phase && flipped -> /* who did not flip trusts who did */
		membarrier()
	:: fenced < phase && !flipped
#else
	:: fenced < phase ->
		some_light();
		if
		:: lit ->
#ifdef WITHOUT
			do /* fence_light() comes again and again; has_settled() */
			:: atomic { SETTLED(n) || !IS_LIGHT(n) || owner[n] == 0 -> NEXT }
			od;
#else
			membarrier();
#endif
			atomic { RMW(who); /* cas_acq_rel(&gp_fenced, fenced, phase) */
				if
				:: gp_fenced == fenced -> gp_fenced = phase
				:: else
				fi;
				MAY_DIE
			}
		:: else
		fi
#endif
	:: fenced >= phase
	fi;
	atomic { fenced = 0; lit = false }
}

/* The end of step(): cas_acq_rel(&gp_completed, phase - 1, phase) [G4] */
inline complete(who)
{
	atomic { RMW(who);
		if
#if defined(MUTANT_NO_FLIP)
		:: true -> gp_completed++
#else
		:: gp_completed == phase - 1 -> gp_completed = phase
#endif
		:: else
		fi;
		phase = 0;
		flipped = false
	}
}

/* step() */
inline step(who)
{
	current_period(who);
	fence_once(who);
#if defined(MUTANT_G4_DRIVER)
	/* no release: the store may become visible before the scan's loads, if they turn out to say so */
	atomic { RMW(who) && gp_completed == phase - 1 -> gp_completed = phase };
	readers_gone(who);
	atomic { gone -> phase = 0; flipped = false }
#elif defined(MUTANT_NO_SCAN)
	complete(who)
#else
	readers_gone(who);
	if
	:: gone -> complete(who)
	:: atomic { else -> phase = 0; flipped = false }
	fi
#endif
}

#ifdef ONE_BIT
/*
 * For comparison: a phase of one bit, with a lock for drivers (the updater is the only one). ONE_BIT is what urcu-memb in
 * liburcu does: wait, flip, wait. TWO_FLIPS is its older form: flip, wait, flip, wait. What we do with a counter, flip and
 * wait, is not enough with one bit.
 */
#define FLIP gp_phase = 3 - gp_phase

inline wait_for_readers()
{
	do
	:: atomic { word[n] == 0 || word[n] == gp_phase -> NEXT }
	od
}

inline one_bit_period()
{
#if defined(TWO_FLIPS)
	FLIP;
	membarrier();
	wait_for_readers();
	FLIP;
	membarrier();
	wait_for_readers();
#elif defined(MUTANT_ONE_FLIP)
	FLIP;
	membarrier();
	wait_for_readers();
#else
	membarrier();
	wait_for_readers();
	FLIP;
	wait_for_readers();
	membarrier();
#endif
	gp_completed = cookie
}
#endif

/* grace_advance() is step() up to twice, and its callers come again: so each of them is a loop of steps here. */

proctype agent()
{
	byte rounds = 0, phase = 0, dead = 0, n = 0, fenced = 0;
	bool gone = true, flipped = false, lit = false;

	do
	:: atomic { rounds < ROUNDS -> rounds++; gone = true }
		step(AGENT)
	:: rounds == ROUNDS -> break
killed:	/* another agent is started */
		atomic { forget(AGENT) }
	od
}

/* ---------------------------------------------------------------- updater */

proctype updater()
{
	byte old = 1, cookie = 0, phase = 0, dead = 0, n = 0, fenced = 0;
	bool gone = true, flipped = false, lit = false, freed_under = false;

	do
	:: atomic { old <= UPDATES ->
		/* store_release(&slot->current, hand) */
		current_buffer = old + 1 }
		/* grace_start_poll: fence_full(), then load_relaxed(&gp_phase) [G3] */
		atomic {
#ifndef MUTANT_G3_UPDATER
		current_buffer == NONE;
#endif
#if defined(MUTANT_COOKIE_OLD)
		cookie = gp_phase;
#elif defined(MUTANT_NO_FLIP) || defined(ONE_BIT)
		cookie = gp_completed + 1;
#else
		cookie = gp_phase + 1;
#endif
#if defined(MUTANT_G4_POLL)
		/* no acquire: what follows the poll may be done before it, if it turns out to be over */
		freed_under = HELD(old);
#endif
		}
		do
		:: atomic { gp_completed >= cookie -> cookie = 0; break } /* grace_poll: load_acquire [G4] */
		:: gp_completed < cookie ->
#ifdef ONE_BIT
			one_bit_period();
#else
			step(UPDATER);
#endif
			if
			:: gone
			/* looking again before anything has changed would find the same */
			:: atomic { !gone && (word[blocker] != blocker_word || MAY_BURY(blocker)) ->
				gone = true; blocker = 0; blocker_word = 0 }
			:: false ->
killed:				/* its heir goes on: cookie and block are in the record's lists */
				atomic { forget(UPDATER); blocker = 0; blocker_word = 0 }
			fi
		od;
		atomic { /* free the block: from here on somebody may write to it */
			current_buffer == NONE;
#if !defined(MUTANT_G4_POLL)
			freed_under = HELD(old);
#endif
			assert(!freed_under);
			old++
		}
	:: else -> break
	od
}

init
{
	byte r = 0;

	atomic {
		do
		:: r < READERS -> owner[r] = r + 1; life[r] = LIVING; run reader(r); r++
		:: else -> break
		od;
		run updater();
#if ROUNDS > 0
		run agent()
#endif
	}
}
