/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lease.pml: the end of a cart by time (shm/store/slot.c, shm/arena/lease.h), for spin(1). `make
 * model` runs it, see run.sh.
 *
 * One slot: its lease (a word of last activity and time to live, or OVER) and its current version.
 * Readers judge the lease by a clock that may be old, renew it, or end it. Two writers change the
 * cart under the slot's lock, with the same, a longer or a shorter time to live, or begin a new
 * cart in its place. A writer may die at each step, and another process repairs.
 *
 * Claims: once a reader was told that a cart is gone, no later read shows that cart; a new cart's
 * version is shown only when it counts; a time to live that was shown is kept.
 *
 * The machine is that of publish.pml: plain stores wait in a buffer, a read-modify-write acts on
 * memory at once and waits for the stores before it, loads happen in order after an acquire. A
 * process that dies has no stores in its buffer (the kernel's exit path is a fence).
 */
#define OVER 1
#define LEASE(touch, ttl) (16 + (touch) * 8 + (ttl))
#define RUNS(lease) ((lease) >= 16)
#define TOUCH(lease) (((lease) - 16) / 8)
#define TTL(lease) (((lease) - 16) % 8)
#define DEADLINE(lease) (TOUCH(lease) + TTL(lease))
#define RENEWED(lease, now) LEASE(TOUCH(lease) > (now) -> TOUCH(lease) : (now), TTL(lease))

#define SHORT 1
#define LONG 3
#define CLOCK_MAX 3
#ifndef READS
#define READS 2
#endif
#ifndef READERS
#define READERS 1
#endif

byte clock;
byte lease = LEASE(0, SHORT);
byte current = 1;             /* a version: 1, or that of writer 0 (2) or 1 (3) */
byte cart[4];                 /* of each version: which cart it belongs to, from 0 */
byte ttl[4];                  /* of each version */
byte made[4];                 /* of each version: the clock when it was made */
bool counts[4];               /* of each version: it is published */
bool told[3];                 /* of each cart: a reader was told that it is gone */
byte holder;                  /* of the slot's lock: 0 none, else writer + 1 */
bool dead[2];
byte hand[2];                 /* intent.hand of a dead writer */
byte to_current, to_lease;    /* the buffer of the lock's holder; 0: empty */

#define DRAINED (to_current == 0 && to_lease == 0)

active proctype memory()
{
end:
	do
	:: atomic { to_current != 0 -> current = to_current; to_current = 0 }
	:: atomic { to_lease != 0 -> lease = to_lease; counts[current] = true; to_lease = 0 }
	:: atomic { clock < CLOCK_MAX -> clock++ }
	od
}

/* look_once(), begin_at_once(): READS times */
active [READERS] proctype reader()
{
	byte now, seen, version, n = 0;
	bool again, known, was_told[3];

	do
	:: n == READS -> break
	:: n < READS ->
		n++;
		atomic { now = clock;
			was_told[0] = told[0]; was_told[1] = told[1]; was_told[2] = told[2] };
#if defined(MUTANT_S3_READER)
		version = current;
		seen = lease;
#else
		seen = lease;      /* load_acquire(&slot->lease) [S3] */
		version = current; /* load_acquire(&slot->current) [S1] */
#endif
#if defined(MUTANT_NO_RECHECK) || defined(MUTANT_S3_READER)
		again = false;
#else
		/* load_relaxed(&slot->lease) [S3] */
		atomic { again = lease != seen; known = version == 1 || counts[version] };
#endif
		if
		:: again -> skip
		:: !again && RUNS(seen) && now < DEADLINE(seen) -> /* it is alive */
			assert(!was_told[cart[version]]);
			assert(version == 1 || counts[version]);
			if
			:: skip
			:: atomic { lease == seen -> lease = RENEWED(seen, now) } /* slot_touch() */
			:: lease != seen
			fi
		:: !again && RUNS(seen) && now >= DEADLINE(seen) -> /* it has expired */
#if defined(MUTANT_TOLD_FIRST)
			told[cart[version]] = true
#else
			if
			:: atomic { lease == seen -> lease = OVER; told[cart[version]] = true;
				assert(current == 1 || !counts[current] || now >= made[current] + ttl[current]) }
			:: lease != seen
			fi
#endif
		/* a version under OVER that does not count decides nothing */
		:: !again && !RUNS(seen) ->
			if
			:: known -> told[cart[version]] = true
			:: !known
			fi
		fi
	od
}

inline settle(wanted) /* settle_ttl(): never writes over OVER */
{
	do
	:: atomic { !RUNS(lease) ->
#if defined(MUTANT_SETTLE_OVER)
			lease = LEASE(clock, wanted);
#endif
			break }
	:: atomic { RUNS(lease) -> lease = LEASE(TOUCH(lease), wanted); break }
	od
}

active [2] proctype writer()
{
	/* process 0 is the memory, then come the readers */
	byte me = _pid - READERS - 1, mine = _pid - READERS + 1;
	byte now, seen, wanted;
	bool over;

	if
	:: wanted = SHORT
	:: wanted = LONG
	fi;
	atomic { holder == 0 -> holder = me + 1 }; /* lock_take() */
	hand[me] = mine;
	now = clock;
judge: /* slot_judge() */
	seen = lease;
	if
	:: !RUNS(seen) -> over = true
	:: RUNS(seen) && now < DEADLINE(seen) -> over = false
	:: RUNS(seen) && now >= DEADLINE(seen) ->
		if
		:: atomic { lease == seen -> lease = OVER; over = true }
		:: lease != seen -> goto judge
		fi
	fi;
	if
	:: atomic { !dead[1 - me] -> dead[me] = true; goto died }
	:: skip
	fi;
	if
	:: over -> /* slot_publish_anew() */
		atomic {
			cart[mine] = cart[current] + (counts[current] || current == 1 -> 1 : 0);
			ttl[mine] = wanted;
			made[mine] = now
		};
#if defined(MUTANT_LEASE_FIRST)
		to_lease = LEASE(now, wanted);
		DRAINED;
		to_current = mine;
		DRAINED;
		counts[mine] = true;
#else
		to_current = mine; /* store_release(&slot->current) [S1] */
		if
		:: atomic { !dead[1 - me] -> DRAINED; dead[me] = true; goto died }
		:: skip
		fi;
#if !defined(MUTANT_S3_WRITER)
		DRAINED; /* store_release(&slot->lease) [S3] */
#endif
		to_lease = LEASE(now, wanted);
		DRAINED
#endif
	:: !over -> /* slot_renew() */
		seen = lease;
		if
		:: !RUNS(seen) -> goto judge
		:: RUNS(seen) && now >= DEADLINE(seen) -> goto judge
		:: else
		fi;
		atomic { cart[mine] = cart[current]; ttl[mine] = wanted; made[mine] = now };
#if defined(MUTANT_RENEW_BLIND)
		lease = RENEWED(seen, now);
#else
		if
		:: atomic { lease == seen ->
#if defined(MUTANT_LONG_LATE)
			lease = RENEWED(seen, now)
#else
			lease = (wanted > TTL(seen) -> LEASE(TOUCH(seen) > now -> TOUCH(seen) : now, wanted) :
				RENEWED(seen, now))
#endif
		   }
		:: lease != seen -> goto judge
		fi;
#endif
		if
		:: atomic { !dead[1 - me] -> dead[me] = true; goto died }
		:: skip
		fi;
		atomic { DRAINED -> counts[mine] = true; to_current = mine }; /* slot_publish() */
		DRAINED;
		if
		:: atomic { !dead[1 - me] -> dead[me] = true; goto died }
		:: skip
		fi;
#if defined(MUTANT_PUBLISH_RENEWS)
		lease = LEASE(clock, wanted);
#endif
		settle(wanted)
	fi;
	hand[me] = 0;
	holder = 0; /* lock_drop() */
died:
	skip
}

/* slot_repair(), for one death: in the dead writer's name, whose lock excludes all others */
active proctype repairer()
{
	byte it;

end:
	if
	:: dead[0] -> it = 0
	:: dead[1] -> it = 1
	fi;
	if
	:: holder == it + 1 ->
#if defined(MUTANT_REPAIR_RENEWS)
		if
		:: current == hand[it] -> lease = LEASE(clock, ttl[current])
		:: else
		fi;
#endif
		if
		:: current == 1 -> settle(SHORT)
		:: current != 1 -> settle(ttl[current])
		fi;
		holder = 0
	:: else
	fi
}
