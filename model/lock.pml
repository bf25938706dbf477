/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.pml: locks that survive their holder: shm/lock.c, shm/alive.c, shm/repair.c and the part of shm/slot.c that
 * publishes a version and repairs it, for spin(1). `make model` runs it, see run.sh.
 *
 * Claims: one holder at a time, and while a repairer is at the dead one's cart, none; the next holder sees what the last one
 * wrote; each published version is marked for the journal before anybody else has the lock; each version is in one place
 * in the end, retired once when another has replaced it; nobody sleeps for ever (spin's "invalid end state").
 *
 * Who takes part: SEATS processes of one thread each, that change one cart once, under its slot's lock. DEATHS of them
 * may be killed, after any store that others see, also as a repairer or asleep; what then comes to the seat is another
 * process, which attaches (alive_claim, claim_record, block_settle) and makes its own change; with NO_HEIRS nobody comes, and
 * the waiters alone must get on. Stopped (SIGSTOP) needs no word of
 * its own: a process that does not get on for a while is in every run that spin tries.
 *
 * The machine. The lock word is a read-modify-write word for all. What the lock protects is of two kinds: what a repairer
 * looks at (hand, old, current, the dirty mark) and the rest. The rest is `tally`: it stands for all plain words under a lock
 * (version_floor, the heads of lists), its stores wait in a buffer until they drain. The former need no buffer here: others
 * look at them with the lock [L1], which tally shows, or when the writer is dead: its buffer has drained before the kernel frees its byte.
 * (Readers without the lock: publish.pml.)
 *
 * Liveness: a byte is an exclusive lock of the kernel, which frees it with its holder's death: `byte_of` says which seat has
 * it. Whoever takes the byte of a process that stands in `used` repairs it. A generation is not looked at by anybody: a
 * record's number in the lock word cannot be that of an earlier owner, since `owner` becomes 0 last of all, when no lock word
 * names it. What would be the missing check of a generation elsewhere are the mutants OWNER_FIRST (a record is
 * given away while a lock word names it) and NO_RECHECK (what was seen before the byte was taken is believed afterwards).
 *
 * Time: each sleep ends by itself; one that does while the holder lives and the word is the same changes nothing, so it is left
 * out. That it may also end by a wake-up, when LOCK_WAITERS was set, decides nothing: nobody depends on it.
 *
 * What is left out: spinning before the sleep, patience (-EBUSY), lock_try (it asks for the holder's life without sleeping),
 * levels of locks, the lists in which a retired block goes (they have a lock of their own, and tests/80_crash_matrix.c).
 */
#ifndef SEATS
#define SEATS 3
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef PROCESSES
#define PROCESSES SEATS /* numbers that a process may get */
#endif
#define VERSIONS (2 + SEATS + DEATHS) /* numbers of blocks; 0 is none, 1 the first version */
#define NONE 0
#define NOBODY 0

byte holder;  /* the lock word: LOCK_HOLDER, a record plus one, 0 free ... */
bool waiters; /* ... and LOCK_WAITERS */

byte owner[SEATS];   /* thread_record.owner: process plus one */
bool used[PROCESSES];    /* process_record.state */
byte byte_of[PROCESSES]; /* DIR/lock: which seat (plus one) has the byte of a process */
byte hand[SEATS];    /* thread_record.intent.hand */
byte old[SEATS];     /* thread_record.intent.old */

byte current = 1;     /* slot.current */
bool dirty[VERSIONS]; /* the dirty bit was set after this version was published */
byte tally;           /* a plain word under the lock */
byte buffer[SEATS];   /* stores to tally on their way; 0 none */

bool asleep[SEATS]; /* in the futex's queue */

/* What only the model knows. */
byte deaths;
byte fresh = 2;         /* the next block that block_alloc() gives */
byte changes;           /* what tally should be */
byte inside;            /* seats between take and drop */
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

/* Somebody may be killed here: after a store that others see. */
#define MAY_DIE \
	if \
	:: deaths < DEATHS -> deaths++; goto dead \
	:: true \
	fi

/* futex_wake(word, 1): one of those in the queue, whichever */
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

/* repair_thread() of record r. The byte of its process is ours. Every step may be the last; the next repairer begins anew. */
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
		:: atomic { hand[r] != NONE && current == hand[r] -> /* published: repair_publish() */
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

/* repair_process(process), free_record(process): the byte is ours */
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

/* swap, wake, and what comes after: in proctype seat, since a death may come between */
proctype seat(byte me)
{
	byte process = me; /* ours; while we bury or attach, the dead one's */
	byte mine = me;    /* process while attached */
	byte record = me;
	byte r = 0;
	byte seen = 0;
	byte version = 0;
	byte count = 0;
	bool wake = false;
	bool within = false; /* between take and drop */

	goto attached;

attach:
	/* alive_claim(): any byte that is free; what stands in its record is repaired first */
end_no_byte:
	atomic {
		if
		:: byte_of[0] == NOBODY -> process = 0
		:: byte_of[1] == NOBODY -> process = 1
#if PROCESSES > 2
		:: byte_of[2] == NOBODY -> process = 2
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
	:: count = tally; /* no acquire: what stands after it may be loaded before it */
		if
		:: atomic { holder == 0 -> holder = record + 1; waiters = false; break }
		:: else
		fi
#endif
	:: atomic { holder == 0 -> holder = record + 1; waiters = false; break } /* cas_acq_rel(word, 0, name) */
	/* nap() */
	:: atomic { holder != 0 -> seen = holder };
		atomic { /* cas_acq_rel(word, seen, seen | LOCK_WAITERS) */
			if
			:: holder == seen -> waiters = true
			:: else -> seen = 0
			fi
		};
		if
		:: atomic { seen != 0 && holder == seen && waiters -> asleep[me] = true }; /* futex_sleep(): the kernel looks again */
			if
			:: atomic { !asleep[me] -> seen = 0; MAY_DIE } /* woken */
			:: atomic { deaths < DEATHS -> deaths++; goto dead }
			:: atomic { asleep[me] && (holder != seen || !waiters) -> asleep[me] = false; seen = 0 } /* -ETIMEDOUT */
#if defined(MUTANT_GUESS)
			:: atomic { asleep[me] -> asleep[me] = false; process = owner[seen - 1]; /* "it must be dead by now" */
				if
				:: process == 0 -> seen = 0; process = mine
				:: else -> process--; goto bury
				fi }
#elif !defined(MUTANT_NOBODY_ASKS)
			/* -ETIMEDOUT, alive_bury_if_dead(): load_acquire(&owner). Asking after one who lives changes nothing. */
			:: atomic { asleep[me] && (owner[seen - 1] == 0 || byte_of[owner[seen - 1] - 1] == NOBODY) ->
				asleep[me] = false;
				process = owner[seen - 1];
				if
				:: process == 0 -> seen = 0; process = mine; goto again
				:: else -> process--
				fi };
				if
				:: atomic { byte_of[process] == NOBODY -> byte_of[process] = me + 1; goto bury } /* alive_take() */
				:: atomic { else -> seen = 0; process = mine }
				fi
#endif
			fi
		:: atomic { else -> seen = 0 }
		fi;
again:		skip
	od;
	atomic { within = true; inside++; assert(inside == 1); MAY_DIE };

	/* slot_recheck() and what else it looks at under the lock */
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
	atomic { current = hand[record]; MAY_DIE }; /* store_release(&slot->current, intent->hand) */
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
		buffer[me] == 0; /* release: what we wrote first */
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

bury:	/* The byte of `process` is ours: bury(), or claim_one(). seen is 0 when it is an attachment. */
	atomic { skip; MAY_DIE };
#if defined(MUTANT_BYTE_EARLY)
	byte_of[process] = NOBODY; /* asked (F_OFD_GETLK), not taken */
#endif
#if defined(MUTANT_NO_RECHECK)
	if
	:: seen != 0 -> atomic { r = seen - 1 }; /* the record that the lock word named, whose ever it is now */
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
	:: atomic { else -> byte_of[process] = NOBODY; process = mine; seen = 0; MAY_DIE; goto attached }
	fi;

dead:	/* Killed: its stores drain, the kernel frees its bytes, also that of one whom it was repairing. */
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
			:: byte_of[r] == me + 1 -> byte_of[r] = NOBODY
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

/* When all is quiet: each version is in one place. */
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
		/* an old version is still the current one when the death came before the publishing */
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
