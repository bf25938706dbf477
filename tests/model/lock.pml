/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.pml: locks that survive their holder: shm/sync/lock.c, shm/sync/alive.c, shm/store/repair.c
 * and the part of shm/store/slot.c that publishes a version and repairs it, for spin(1). `make
 * model` runs it, see run.sh.
 *
 * Claims: a lock has one holder at a time, and none while a repairer works on a dead process's
 * cart; the next holder sees what the last one wrote; each published version is marked for the
 * journal before another process gets the lock; in the end each version is in one place, and was
 * retired once if another replaced it; no process sleeps for ever (spin's "invalid end state").
 *
 * Processes: SEATS processes of one thread each, which change one cart once, under its slot's lock.
 * DEATHS of them may be killed, after any store that is visible to others, even as a repairer or
 * asleep. Another process then takes the seat, attaches (alive_claim, claim_record, block_settle)
 * and makes its own change; with NO_HEIRS none comes, and the waiters must proceed alone. SIGSTOP
 * needs no state of its own: spin tries every run in which a process pauses for a while.
 *
 * The machine. The lock word is changed by read-modify-writes only. The lock protects two kinds of
 * words: those that a repairer reads (hand, old, current, the dirty mark) and the rest. `tally`
 * stands for the rest, which is all plain words under a lock (version_floor, the heads of lists);
 * its stores wait in a buffer until they drain. The first kind needs no buffer here: other
 * processes read it either with the lock [L1], whose ordering tally shows, or after the writer's
 * death, when its buffer has drained before the kernel freed its byte. (Readers without the lock:
 * publish.pml.)
 *
 * Liveness: a byte is an exclusive lock of the kernel, which frees it when its holder dies:
 * `byte_of` says which seat holds it. A process that takes the byte of a process in `used` repairs
 * it. No code compares generations: the record number in a lock word cannot be that of an earlier
 * owner, since `owner` becomes 0 last of all, when no lock word names the record. The mutants
 * OWNER_FIRST (a record is given away while a lock word names it) and NO_RECHECK (an observation
 * made before the byte was taken is trusted afterwards) correspond to a missing generation check in
 * other designs.
 *
 * Time: each sleep times out by itself; a timeout while the holder lives and the word is unchanged
 * has no effect, so it is left out. A sleep may also end by a wake-up, when LOCK_WAITERS was set,
 * but no process depends on it.
 *
 * Left out: spinning before the sleep, patience (-EBUSY), lock_try (it checks the holder's life
 * without sleeping), levels of locks, the lists of retired blocks (they have their own lock, and
 * tests/whole/80_crash_matrix.c).
 */
#ifndef SEATS
#define SEATS 3
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef PROCESSES
#define PROCESSES SEATS /* process numbers */
#endif
#define VERSIONS (2 + SEATS + DEATHS) /* block numbers; 0 is none, 1 the first version */
#define NONE 0
#define UNHELD 0

byte holder;  /* the lock word: LOCK_HOLDER, a record plus one, 0 free ... */
bool waiters; /* ... and LOCK_WAITERS */

byte owner[SEATS];   /* thread_record.owner: process plus one */
bool used[PROCESSES];    /* process_record.state */
byte byte_of[PROCESSES]; /* DIR/lock: the seat (plus one) that holds each process's byte */
byte hand[SEATS];    /* thread_record.intent.hand */
byte old[SEATS];     /* thread_record.intent.old */

byte current = 1;     /* slot.current */
bool dirty[VERSIONS]; /* the dirty bit was set after this version was published */
byte tally;           /* a plain word under the lock */
byte buffer[SEATS];   /* stores to tally in flight; 0: none */

bool asleep[SEATS]; /* in the futex's queue */

/* Not in the program: bookkeeping of the model. */
byte deaths;
byte fresh = 2;         /* the next block that block_alloc() gives */
byte changes;           /* what tally should be */
byte inside;            /* seats between lock_take() and lock_drop() */
bool over[VERSIONS];    /* retired or freed */
byte finished;

active proctype memory()
{
end:
	do
	:: atomic { buffer[0] != 0 -> tally = buffer[0]; buffer[0] = 0 }
	:: atomic { buffer[1] != 0 -> tally = buffer[1]; buffer[1] = 0 }
#if SEATS > 2
	:: atomic { buffer[2] != 0 -> tally = buffer[2]; buffer[2] = 0 }
#endif
	od
}

/* A process may be killed here: after a store that is visible to others. */
#define MAY_DIE \
	if \
	:: deaths < DEATHS -> deaths++; goto dead \
	:: true \
	fi

/* futex_wake(word, 1): wakes any one of the sleepers */
inline futex_wake()
{
	if
	:: asleep[0] -> asleep[0] = false
	:: asleep[1] -> asleep[1] = false
#if SEATS > 2
	:: asleep[2] -> asleep[2] = false
#endif
	:: else
	fi
}

/* ---------------------------------------------------------------- repair */

/*
 * repair_thread() of record r, whose process's byte the repairer holds. It may die after every
 * step; the next repairer starts over.
 */
inline repair_thread()
{
#if defined(MUTANT_OWNER_FIRST)
	atomic { owner[r] = 0; MAY_DIE };
#endif
	/* slot_repair() */
	if
#if defined(MUTANT_RELEASE_UNASKED)
	:: holder != 0 ->
#else
	:: holder == r + 1 -> /* lock_held_by() */
#endif
#ifndef MUTANT_UNFINISHED
		if
		/* published: repair_publish() */
		:: atomic { hand[r] != NONE && current == hand[r] ->
			assert(inside == 0);
			dirty[hand[r]] = true;
			MAY_DIE };
			atomic { hand[r] = NONE; MAY_DIE }
		:: atomic { hand[r] != NONE && current == old[r] -> /* not published */
			assert(inside == 0);
			old[r] = NONE;
			MAY_DIE }
		:: else
		fi;
#endif
		atomic { /* lock_release_of(): swap_acq_rel(word, 0) */
			MAY_DIE;
			holder = 0;
			wake = waiters;
			waiters = false;
			MAY_DIE
		};
		if
		:: atomic { wake -> wake = false; futex_wake() }
		:: else
		fi
	:: else
	fi;
#if !defined(MUTANT_OWNER_FIRST)
	atomic { owner[r] = 0; MAY_DIE } /* store_release(&record->owner, 0): last of all */
#endif
}

/* repair_process(process), free_record(process): the repairer holds the byte */
inline repair_process()
{
	r = 0;
	do
	:: atomic { r < SEATS && owner[r] != process + 1 -> r++ }
	:: r < SEATS && owner[r] == process + 1 ->
		repair_thread()
	:: atomic { r == SEATS -> r = 0; break }
	od;
	used[process] = false
}

/* ---------------------------------------------------------------- a seat */

/*
 * The wake and the later steps of lock_drop() stand in the seat itself, since a death may come
 * between.
 */
proctype seat(byte me)
{
	byte process = me; /* its own process; while it buries or attaches, the dead one */
	byte mine = me;    /* process while attached */
	byte record = me;
	byte r = 0;
	byte seen = 0;
	byte version = 0;
	byte count = 0;
	bool wake = false;
	bool within = false; /* between lock_take() and lock_drop() */

	goto attached;

attach:
	/* alive_claim(): any free byte; the process in its record is repaired first */
end_no_byte:
	atomic {
		if
		:: byte_of[0] == UNHELD -> process = 0
		:: byte_of[1] == UNHELD -> process = 1
#if PROCESSES > 2
		:: byte_of[2] == UNHELD -> process = 2
#endif
		fi;
		byte_of[process] = me + 1
	};
	if
	:: used[process] -> goto bury
	:: else
	fi;
claimed:
	atomic { used[process] = true; mine = process };
end_no_record:
	/* claim_free_record() */
	atomic {
		if
		:: owner[0] == 0 -> record = 0
		:: owner[1] == 0 -> record = 1
#if SEATS > 2
		:: owner[2] == 0 -> record = 2
#endif
		fi;
		owner[record] = mine + 1;
		MAY_DIE
	};
	/* block_settle() */
	if
	:: atomic { old[record] != NONE ->
		assert(old[record] != current && !over[old[record]]);
		over[old[record]] = true;
		old[record] = NONE;
		MAY_DIE }
	:: else
	fi;
	if
	:: atomic { hand[record] != NONE ->
		assert(hand[record] != current && !over[hand[record]]);
		over[hand[record]] = true;
		hand[record] = NONE;
		MAY_DIE }
	:: else
	fi;

attached:
	/* lock_take() */
	do
#if defined(MUTANT_L1_TAKE)
	:: count = tally; /* no acquire: later loads may happen before it */
		if
		:: atomic { holder == 0 -> holder = record + 1; waiters = false; break }
		:: else
		fi
#endif
	/* cas_acq_rel(word, 0, name) */
	:: atomic { holder == 0 -> holder = record + 1; waiters = false; break }
	/* nap() */
	:: atomic { holder != 0 -> seen = holder };
		atomic { /* cas_acq_rel(word, seen, seen | LOCK_WAITERS) */
			if
			:: holder == seen -> waiters = true
			:: else -> seen = 0
			fi
		};
		if
		/* futex_sleep(): the kernel compares the word again */
		:: atomic { seen != 0 && holder == seen && waiters -> asleep[me] = true };
			if
			:: atomic { !asleep[me] -> seen = 0; MAY_DIE } /* woken */
			:: atomic { deaths < DEATHS -> deaths++; goto dead }
			/* -ETIMEDOUT */
			:: atomic { asleep[me] && (holder != seen || !waiters) -> asleep[me] = false; seen = 0 }
#if defined(MUTANT_GUESS)
			/* "it must be dead by now" */
			:: atomic { asleep[me] -> asleep[me] = false; process = owner[seen - 1];
				if
				:: process == 0 -> seen = 0; process = mine
				:: else -> process--; goto bury
				fi }
#elif !defined(MUTANT_NEVER_ASKS)
			/*
			 * -ETIMEDOUT, alive_bury_if_dead(): load_acquire(&owner). Checking a live
			 * process changes nothing.
			 */
			:: atomic { asleep[me] && (owner[seen - 1] == 0 || byte_of[owner[seen - 1] - 1] == UNHELD) ->
				asleep[me] = false;
				process = owner[seen - 1];
				if
				:: process == 0 -> seen = 0; process = mine; goto again
				:: else -> process--
				fi };
				if
				/* alive_take() */
				:: atomic { byte_of[process] == UNHELD -> byte_of[process] = me + 1; goto bury }
				:: atomic { else -> seen = 0; process = mine }
				fi
#endif
			fi
		:: atomic { else -> seen = 0 }
		fi;
again:		skip
	od;
	atomic { within = true; inside++; assert(inside == 1); MAY_DIE };

	/* slot_recheck() and the other reads under the lock */
	atomic {
		version = current;
#if !defined(MUTANT_L1_TAKE)
		count = tally;
#endif
		assert(dirty[version] && count == changes)
	};
	/* block_alloc(): intent.hand; cart_build() */
#if !defined(MUTANT_NOTED_LATE)
	atomic { hand[record] = fresh; fresh++; MAY_DIE };
#else
	atomic { seen = fresh; fresh++ };
#endif
	/* slot_publish(): note(&intent->old, slot->current) */
#if !defined(MUTANT_OLD_LATE)
	atomic { old[record] = version; MAY_DIE };
#endif
#if defined(MUTANT_NOTED_LATE)
	atomic { current = seen; MAY_DIE };
	atomic { hand[record] = seen; seen = 0 };
#else
	/* store_release(&slot->current, intent->hand) */
	atomic { current = hand[record]; MAY_DIE };
#endif
#if defined(MUTANT_OLD_LATE)
	atomic { old[record] = version; MAY_DIE };
#endif
	/* after_publish(): mark_dirty(), note(&intent->hand, 0) */
	atomic { dirty[hand[record]] = true; MAY_DIE };
#if !defined(MUTANT_HAND_AFTER_DROP)
	atomic { hand[record] = NONE; MAY_DIE };
#endif
	atomic { changes++; buffer[me] = count + 1; count = 0; version = 0; MAY_DIE };

	/* lock_drop(): swap_acq_rel(word, 0) [L1]; futex_wake() */
	atomic {
#ifndef MUTANT_L1_DROP
		buffer[me] == 0; /* release: earlier stores first */
#endif
		assert(holder == record + 1);
		holder = 0;
		wake = waiters;
		waiters = false;
		within = false;
		inside--;
		MAY_DIE
	};
	if
	:: atomic { wake -> wake = false; futex_wake(); MAY_DIE }
	:: else
	fi;
#if defined(MUTANT_HAND_AFTER_DROP)
	atomic { hand[record] = NONE; MAY_DIE };
#endif
	/* block_retire_old() */
	atomic {
		assert(old[record] != current && !over[old[record]]);
		over[old[record]] = true;
		old[record] = NONE;
		MAY_DIE
	};
	goto done;

/* The seat holds the byte of `process`: bury(), or claim_one(). seen is 0 when it attaches. */
bury:
	atomic { skip; MAY_DIE };
#if defined(MUTANT_BYTE_EARLY)
	byte_of[process] = UNHELD; /* only queried (F_OFD_GETLK), not taken */
#endif
#if defined(MUTANT_NO_RECHECK)
	if
	/* the record that the lock word named, whose owner may have changed */
	:: seen != 0 -> atomic { r = seen - 1 };
		repair_thread();
		atomic { r = 0; used[process] = false }
	:: else ->
		repair_process()
	fi;
#else
	if
	:: used[process] -> /* load_acquire(&record->state) */
		repair_process()
	:: else
	fi;
#endif
	if
	:: atomic { seen == 0 -> skip; MAY_DIE; goto claimed }
	:: atomic { else -> byte_of[process] = UNHELD; process = mine; seen = 0; MAY_DIE; goto attached }
	fi;

/*
 * Killed: its stores drain, and the kernel frees its bytes, including that of a process it was
 * repairing.
 */
dead:
	atomic {
		if
		:: buffer[me] != 0 -> tally = buffer[me]; buffer[me] = 0
		:: else
		fi;
		if
		:: within -> within = false; inside--
		:: else
		fi;
		r = 0;
		do
		:: r < PROCESSES ->
			if
			:: byte_of[r] == me + 1 -> byte_of[r] = UNHELD
			:: else
			fi;
			r++
		:: else -> break
		od;
		asleep[me] = false;
		process = 0; mine = 0; record = 0; r = 0; seen = 0; version = 0; count = 0; wake = false;
#if defined(NO_HEIRS)
		goto done
#else
		goto attach
#endif
	};

done:
	atomic { finished++; process = 0; record = 0; mine = 0 }
}

/* At rest, each version is in one place. */
inline account()
{
	n = 1;
	do
	:: n < fresh ->
		places = over[n] + (current == n);
		r = 0;
		do
		:: r < SEATS -> places = places + (old[r] == n) + (hand[r] == n && current != n); r++
		:: else -> break
		od;
		/* an old version is still current if the death came before the publishing */
		assert(places == 1 || (current == n && holder != 0));
		n++
	:: else -> break
	od
}

init
{
	byte n = 0, r = 0, places = 0;

	atomic {
		dirty[1] = true;
		do
		:: n < SEATS -> owner[n] = n + 1; used[n] = true; byte_of[n] = n + 1; run seat(n); n++
		:: else -> break
		od
	};
end_quiet:
	atomic { finished == SEATS -> account() }
}
