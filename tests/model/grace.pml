/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grace.pml: the grace period of shm/sync/grace.h and grace.c, for spin(1). `make model` runs it,
 * see run.sh.
 *
 * Claims: no reader ever reads a freed block; and no process is stuck (spin's "invalid end state"):
 * an updater's wait ends when no live reader is inside, whichever processes died.
 *
 * Processes:
 *   reader    one for each reader record: grace_enter, a load of the pointer, grace_leave, several
 *             times. It may be killed anywhere; once it is buried, the next process claims the
 *             record.
 *   updater   replaces the block that the pointer names, several times: publish, grace_start_poll,
 *             grace_advance until grace_poll, free. (slot_publish, block_retire_old and
 *             rotate_locked amount to this.)
 *   agent     also drives grace periods; it may be killed at every step, even while it buries, and
 *             is started again.
 *   memory    drains the store buffers.
 *
 * The machine. A store enters a first-in-first-out buffer and becomes visible some time later.
 * There is one buffer for each reader's words and one for the updater's pointer. Loads and stores
 * of other processes may come in between, and stores in different buffers become visible in any
 * order. Read-modify-writes act on memory at once, after their process's buffer has drained. Loads
 * happen in program order unless no acquire stands before them: a mutant that removes an acquire
 * lets the load happen earlier. The loads of a section (of the block's bytes) happen at any time
 * between the load of the pointer and the moment when the section's end is VISIBLE, as its release
 * demands. So the claim is checked where a block is freed: no section may hold it. A section whose
 * end is not yet visible may overlap the next one: the reader runs ahead of its buffer.
 *
 * A section is heavy (with a full fence) or light (without one, in a phase that its record has
 * announced, see grace.h). The C code announces after 4,096 heavy sections in a phase; the model
 * may announce at any of them.
 *
 * membarrier(GLOBAL_EXPEDITED) is a full fence in each running thread of every registered process
 * at some moment during the call. At a fence everything before it in program order is done and
 * visible, and nothing after it has begun. So for one record after the other the model waits for a
 * moment at which that is so: these are exactly the executions with a fence at this place. (A
 * reader always reaches such a moment: it waits for no other process.)
 *
 * A driver that may not call membarrier (WITHOUT) waits for each record until its announcement is
 * taken back, or until enough time has passed that nothing is in flight that was when the phase was
 * flipped: SETTLED. That is the same moment that a membarrier makes, only that nothing makes it.
 * NO_TIME shows that safety does not depend on the time: the time is needed only for records of
 * idle threads.
 *
 * Death by SIGKILL falls between two instructions, and the victim's stores drain before the kernel
 * frees its byte: so other processes see a reader die at a moment when its buffer is empty and none
 * of its loads is early. Its word stays.
 *
 * Names: a process is the holder of a liveness byte; a record's owner is a process. Numbers are
 * those of the C code, except that the phase is a byte: the model ends long before it wraps, as 64
 * bits do. Reader record r is first used by process r, then by process r + READERS. Left out:
 * nesting (nest is private to the owner), the process records' state and the claim of a byte
 * (lock.pml has them), the number of records (all are scanned), the 2 ms of waiting before a
 * reader's life is checked (only a matter of cost), several threads in one process.
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

#define PROCESSES ((DEATHS + 1) * READERS) /* process numbers */
#define NONE 0 /* no block; 1 is the first version */
#define LIGHT 128 /* flag in a buffer: the store is to light_phase */
#define UNHELD 0
#define LIVING 1     /* the process itself holds its byte */
#define UPDATER 2    /* the updater holds it, as repairer */
#define AGENT 3

byte gp_phase = 1, gp_completed = 1, gp_fenced = 1; /* struct arena_header */
byte word[READERS];                                 /* thread_record.reader */
byte light[READERS];                                /* thread_record.light_phase */
byte owner[READERS];                                /* thread_record.owner: process plus one */
/* DIR/lock: the holder of each process's byte */
byte life[PROCESSES];
byte current = 1;                                   /* slot.current */

/* stores in flight to word[r] and, with LIGHT, to light[r] */
chan buffer[READERS] = [5] of { byte };
byte holds[READERS];                    /* the block that a section may still read ... */
/* ... and that of the next section, while the first one's end is in flight */
byte holds_next[READERS];
/* a load happened before something that precedes it in program order */
bool early[READERS];
byte current_buffer;                    /* the updater's store to current, in flight */
byte deaths;
byte blocker, blocker_word; /* of the updater: the reader that held up its last step */

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
#define MAY_TAKE(process) (life[process] == UNHELD)
#endif
#ifdef MUTANT_NEVER_ASKS
#define MAY_BURY(r) false
#else
#define MAY_BURY(r) (owner[r] != 0 && MAY_TAKE(owner[r] - 1))
#endif

/*
 * FENCED: the reader always fences, in a process that could not register; FULL_FENCES: no process
 * could (actor.fenced). OUT_OF_REACH: membarrier does not reach its process.
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
		:: arrived == 0 -> /* the section's end is visible; its loads are done [G2] */
#ifdef MUTANT_G2_LEAVE
			skip; /* its loads may still be in flight: see reader */
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
		/*
		 * grace_enter_first: store_relaxed(&record->reader, mine). (Storing 0 over 0
		 * changes nothing.)
		 */
		if
#if defined(MUTANT_LOOK_FIRST)
		:: atomic { mine != 0 && gp_phase == mine -> skip };
			buffer[r] ! mine;
			goto look_done
#elif defined(MUTANT_G1_READER)
		/* no compiler barrier: the compiler may move the loads before the store */
		:: atomic { mine != 0 && gp_phase == mine -> load_current(r) };
			buffer[r] ! mine;
			goto leave
#endif
		:: mine != 0 -> buffer[r] ! mine
		:: mine == 0
		fi;
		if
		/* load_acquire(&gp_phase): light */
		:: atomic { mine != 0 && gp_phase == mine -> skip }
		/* grace_enter_heavy */
		:: atomic { mine == 0 || gp_phase != mine ->
			take_back = mine != 0; mine = 0; phase = gp_phase };
			/* store_relaxed(&record->reader, phase) */
			buffer[r] ! phase;
			/*
			 * store_release(&record->light_phase, 0): after the last light section's
			 * loads [G6]
			 */
			if
#ifdef MUTANT_TAKEN_BACK_EARLY
			/* relaxed: visible before earlier accesses */
			:: atomic { take_back -> light[r] = 0; take_back = false }
#else
			:: atomic { take_back && nfull(buffer[r]) -> buffer[r] ! LIGHT; take_back = false }
#endif
			:: !take_back
			fi;
			if
			/*
			 * after LIGHT_AFTER sections, here after any:
			 * store_relaxed(&record->light_phase, phase)
			 */
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
			/* announced after the fence */
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
/*
 * grace_leave: store_release(&record->reader, 0): the section's loads are done before the store is
 * visible [G2]
 */
leave:
#if defined(MUTANT_G2_LEAVE)
		/* no release: the loads may come later */
		atomic { buffer[r] ! 0; early[r] = true };
		atomic { empty(buffer[r]) -> early[r] = false; holds[r] = NONE }
#else
		buffer[r] ! 0
#endif
	:: atomic { sections == SECTIONS -> break }
dead:		/* the kernel frees the byte; the word stays */
		atomic { life[process] = UNHELD; holds[r] = NONE; holds_next[r] = NONE };
	/* claim_free_record() by another process: cas_acq_rel(&record->owner, 0, process + 1) */
end_buried:
		atomic { owner[r] == 0 -> process = process + READERS; life[process] = LIVING;
			owner[r] = process + 1; mine = 0; take_back = false };
		buffer[r] ! LIGHT /* grace_begin: store_relaxed(&record->light_phase, 0) */
	od
}

/* ---------------------------------------------------------------- driving */

/*
 * A driver may be killed here; its successor knows only the arena's contents. MAY_DIE stands after
 * each store that is visible to others: a death after a few more loads leaves the same state.
 */
#define MAY_DIE \
	if \
	:: goto killed \
	:: true \
	fi

/* cas_acq_rel() is a read-modify-write: it waits for its own process's buffer. */
#define RMW(driver) (driver != UPDATER || current_buffer == NONE)

/* Continue with the next record, or leave the loop. */
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
	skip /* fences only the caller's process, as PRIVATE_EXPEDITED does */
#endif
}

/* the kernel frees all its bytes, including that of a process it was repairing */
inline forget(driver)
{
	n = 0;
	do
	:: n < PROCESSES ->
		if
		:: life[n] == driver -> life[n] = UNHELD
		:: else
		fi;
		n++
	:: else -> break
	od;
	phase = 0; dead = 0; n = 0; gone = true; flipped = false; lit = false; fenced = 0
}

/*
 * stalled(), alive_bury_if_dead(), repair_process(), repair_thread(): record n holds up the driver.
 * Checking a live process changes nothing.
 */
inline bury(driver)
{
	if
	:: atomic { MAY_BURY(n) -> dead = owner[n] } /* load_acquire(&owner) */
		if
		/* alive_take() */
		:: atomic { MAY_TAKE(dead - 1) -> life[dead - 1] = driver; MAY_DIE }
			if
#if defined(MUTANT_NO_RECHECK)
			:: true ->
#else
			/* repair_process() checks again, now that it holds the byte */
			:: owner[n] == dead ->
#endif
#if defined(MUTANT_OWNER_FIRST)
				atomic { owner[n] = 0; MAY_DIE };
				atomic { word[n] = 0; MAY_DIE };
				atomic { light[n] = 0; MAY_DIE }
#else
				/* grace_end(): store_release(&record->reader, 0) */
				atomic { word[n] = 0; MAY_DIE };
				/* store_release(&record->light_phase, 0) */
				atomic { light[n] = 0; MAY_DIE };
				/* store_release(&record->owner, 0): last of all */
				atomic { owner[n] = 0; MAY_DIE }
#endif
			:: else
			fi;
			atomic { life[dead - 1] = UNHELD; dead = 0 } /* alive_drop() */
		:: atomic { else -> dead = 0 } /* another repairer has it */
		fi
	:: else
	fi
}

/*
 * readers_gone(phase): sets gone; when it is false, the updater's `blocker` is a reader that held
 * it up.
 */
inline readers_gone(driver)
{
	do
	/* load_acquire(&record->reader) [G2] */
	:: atomic { word[n] == 0 || word[n] >= phase -> NEXT }
	:: atomic { word[n] != 0 && word[n] < phase ->
		gone = false;
		if
		:: driver == UPDATER -> blocker = n; blocker_word = word[n]
		:: else
		fi };
		bury(driver);
		atomic { NEXT }
	od
}

/* current_period() */
inline current_period(driver)
{
	phase = gp_phase; /* load_acquire */
	if
	:: gp_completed < phase /* load_acquire: a period is under way */
	/*
	 * it is over, and stays so, hence check and flip can be one step: cas_acq_rel(&gp_phase,
	 * phase, phase + 1) [G3]
	 */
	:: atomic { gp_completed >= phase && RMW(driver) ->
#if defined(MUTANT_NO_FLIP)
		skip
		}
#elif defined(MUTANT_FLIP_STORED)
		skip
		}
		/* a plain store instead of a compare-and-swap */
		atomic { gp_phase = phase + 1; flipped = true; MAY_DIE };
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
	/* load_acquire(&light_phase), after the flip and a fence [G6] */
	:: atomic { !IS_LIGHT(n) -> NEXT }
	:: IS_LIGHT(n) ->
		atomic { lit = lit || owner[n] != 0; NEXT } /* load_acquire(&owner) */
	od
}

/* The middle of step(): membarrier, unless no reader is light or another driver did it. */
inline fence_once(driver)
{
	atomic { RMW(driver) -> fenced = gp_fenced }; /* fence_full(); load_acquire(&gp_fenced) */
	if
#if defined(MUTANT_G6_DRIVER)
	:: true /* assumes that no reader is light */
#elif defined(MUTANT_FENCED_EARLY)
	:: atomic { fenced < phase -> gp_fenced = phase; MAY_DIE };
		membarrier()
#elif defined(MUTANT_FENCED_BY_FLIPPER)
	:: fenced < phase && flipped -> /* a driver that did not flip trusts the one that did */
		membarrier()
	:: fenced < phase && !flipped
#else
	:: fenced < phase ->
		some_light();
		if
		:: lit ->
#ifdef WITHOUT
			do /* fence_light() is called again until has_settled() */
			:: atomic { SETTLED(n) || !IS_LIGHT(n) || owner[n] == 0 -> NEXT }
			od;
#else
			membarrier();
#endif
			atomic { RMW(driver); /* cas_acq_rel(&gp_fenced, fenced, phase) */
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
inline complete(driver)
{
	atomic { RMW(driver);
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
inline step(driver)
{
	current_period(driver);
	fence_once(driver);
#if defined(MUTANT_G4_DRIVER)
	/*
	 * no release: the store may become visible before the scan's loads, provided that they end
	 * the scan
	 */
	atomic { RMW(driver) && gp_completed == phase - 1 -> gp_completed = phase };
	readers_gone(driver);
	atomic { gone -> phase = 0; flipped = false }
#elif defined(MUTANT_NO_SCAN)
	complete(driver)
#else
	readers_gone(driver);
	if
	:: gone -> complete(driver)
	:: atomic { else -> phase = 0; flipped = false }
	fi
#endif
}

#ifdef ONE_BIT
/*
 * For comparison: a one-bit phase, with a lock for drivers (the updater is the only one). ONE_BIT
 * is what urcu-memb in liburcu does: wait, flip, wait. TWO_FLIPS is its older form: flip, wait,
 * flip, wait. Flip and wait, as we do with a counter, is not enough with one bit.
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

/*
 * grace_advance() is step() up to twice, and its callers repeat it: so each of them is a loop of
 * steps here.
 */

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
		/*
		 * no acquire: accesses after the poll may happen before it, provided that it finds
		 * the period over
		 */
		freed_under = HELD(old);
#endif
		}
		do
		/* grace_poll: load_acquire [G4] */
		:: atomic { gp_completed >= cookie -> cookie = 0; break }
		:: gp_completed < cookie ->
#ifdef ONE_BIT
			one_bit_period();
#else
			step(UPDATER);
#endif
			if
			:: gone
			/* a check before anything has changed would find the same */
			:: atomic { !gone && (word[blocker] != blocker_word || MAY_BURY(blocker)) ->
				gone = true; blocker = 0; blocker_word = 0 }
			:: false ->
killed:			/* its successor continues: cookie and block are in the record's lists */
				atomic { forget(UPDATER); blocker = 0; blocker_word = 0 }
			fi
		od;
		atomic { /* free the block: from here on another process may write to it */
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
