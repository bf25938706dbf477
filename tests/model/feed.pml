/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed.pml: the lanes of threads that change carts, and the sequencer that numbers their events
 * (shm/store/feed.c, and slot.c for the moment that counts), for spin(1). `make model` runs it, see
 * run.sh.
 *
 * Claims: the numbered events of a cart stand in the order of its versions, and a version that is
 * left out is in a gap that was numbered before; a change that happened is told once, as an event
 * or in a gap; one that did not happen is not told; no event is put together out of two; the
 * sequencer gets on when no writer does anything.
 *
 * Processes: writers, each with a lane of LANE entries, which it overwrites; one sequencer at a
 * time, under its lock. All are killed anywhere. A writer's repairer does what slot_repair() does,
 * and may be killed, too; then the next thread has the lane. The next sequencer begins with
 * feed_finish().
 *
 * The machine: loads and stores happen in program order, for the order that counts is between
 * releases and acquires [F1] and around the number of an entry [F2]; a mutant has them in another
 * one. Readers of the ring are not here: they look at an entry in the same way as the sequencer.
 */
#ifndef CARTS
#define CARTS 1
#endif
#ifndef CHANGES
#define CHANGES 2 /* of each writer */
#endif
#ifndef LANE
#define LANE 1
#endif
#ifndef VIEWS
#define VIEWS 2 /* lanes that are numbered at a time */
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define WRITERS 2
#define NONE 255
#define GREATEST 100 /* a stamp */

typedef cart {
	byte version; /* slot.current */
	byte stamp;   /* slot.stamp */
	bool locked;
	byte numbered; /* the last version that has a number */
};

typedef entry {
	byte number; /* 0: being written */
	byte stamp;
	byte whose;
	byte version, again; /* two words of one event */
};

typedef lane {
	byte head, tail, stamp;
	entry at[LANE]
};

cart carts[CARTS];
lane lanes[WRITERS];
byte lost;         /* events in gaps that no version has been put down to so far */
byte last_lane = NONE, last_index; /* what the ring's last entry says it was */
byte deaths;
byte writing = WRITERS;

#define MAY_DIE \
	if \
	:: atomic { deaths < DEATHS -> deaths++; goto killed } \
	:: true \
	fi
#define OWN lanes[self]
#define ENTRY OWN.at[OWN.head % LANE]

proctype writer(byte self)
{
	byte changes = 0, own = 0, stamp = 0;
	byte noted = 0; /* intent.event */
	byte hand = 0;  /* the version that intent.hand would be */

	do
	:: changes < CHANGES ->
		changes++;
		if
		:: own = 0
		:: CARTS > 1 -> own = CARTS - 1
		fi;
		atomic { !carts[own].locked -> carts[own].locked = true };
		/* feed_prepare() */
#ifndef MUTANT_F2_WRITER
		ENTRY.number = 0;
#endif
		ENTRY.whose = own;
		ENTRY.version = carts[own].version + 1;
		ENTRY.again = carts[own].version + 1;
		ENTRY.number = OWN.head + 1; /* store_release() [F2] */
		hand = carts[own].version + 1;
		MAY_DIE;
		/* feed_note() */
#ifdef MUTANT_STAMP_OF_LANE
		stamp = OWN.stamp + 1;
#else
		stamp = (carts[own].stamp > OWN.stamp -> carts[own].stamp : OWN.stamp) + 1;
#endif
		ENTRY.stamp = stamp;
		atomic { OWN.stamp = stamp; stamp = 0 };
#ifdef MUTANT_TOLD_EARLY
		OWN.head = OWN.head + 1;
		MAY_DIE;
		carts[own].version = hand;
#else
		noted = OWN.head + 1;
		MAY_DIE;
		carts[own].version = hand; /* store_release(&slot->current, hand) */
		MAY_DIE;
#ifdef MUTANT_UNLOCKED_FIRST
		carts[own].locked = false;
#endif
		/* feed_complete() */
		carts[own].stamp = OWN.stamp;
		MAY_DIE;
		OWN.head = noted; /* store_release() [F1] */
		MAY_DIE;
#endif
		atomic { noted = 0; hand = 0 };
		MAY_DIE;
		carts[own].locked = false
	:: else -> break
killed:		/* slot_repair(), which begins anew if it dies, too */
		if
		:: hand != 0 && carts[own].version == hand && noted != 0 ->
#ifndef MUTANT_NOT_COMPLETED
			if
#ifndef MUTANT_TOLD_TWICE
			:: noted == OWN.head -> skip /* it was told before the death */
			:: else ->
#else
			:: true ->
#endif
				carts[own].stamp = OWN.stamp;
				MAY_DIE;
				OWN.head = OWN.head + 1
			fi
#else
			skip
#endif
		:: else
		fi;
		MAY_DIE;
		atomic { noted = 0; hand = 0; carts[own].locked = false }
	od;
	writing--
}

/* The sequencer's views of the lanes: [at, end), the stamp of the first, and whether it has one. */
byte at[WRITERS], end[WRITERS], next[WRITERS];
bool seen[WRITERS];

/* Number an event (gap 0) or a gap, that stands for the entry `index` of lane l. */
inline append(gap, the_cart, the_version, l, index)
{
	MAY_DIE; /* the ring's place is written */
	atomic { /* store_release(&h->feed_next, ...) */
		if
		:: gap == 0 ->
			assert(the_version > carts[the_cart].numbered);
			assert(the_version <= carts[the_cart].version);
			assert(the_version - 1 - carts[the_cart].numbered <= lost);
			lost = lost - (the_version - 1 - carts[the_cart].numbered);
			carts[the_cart].numbered = the_version
		:: else -> lost = lost + gap
		fi;
		last_lane = l;
		last_index = index
	};
	MAY_DIE;
	lanes[l].tail = index + 1;
	got_on = true
}

/* *ret_stamp, or 0: the entry was overwritten. */
inline peek(l, index)
{
	stamp = 0;
	if
	:: lanes[l].at[index % LANE].number == index + 1 ->
		stamp = lanes[l].at[index % LANE].stamp;
		if
		:: lanes[l].at[index % LANE].number != index + 1 -> stamp = 0
		:: else
		fi
	:: else
	fi
}

inline find_next(l)
{
	from = at[l];
	do
	:: at[l] < end[l] ->
		h = lanes[l].head;
		if
		:: h - at[l] > LANE -> at[l] = (h - LANE < end[l] -> h - LANE : end[l])
		:: else
		fi;
		if
		:: at[l] == end[l] -> break
		:: else ->
			peek(l, at[l]);
			if
			:: stamp != 0 -> next[l] = stamp; break
			:: else -> at[l] = at[l] + 1
			fi
		fi
	:: else -> break
	od;
	h = 0;
	stamp = 0;
	if
	:: at[l] > from -> append(at[l] - from, 0, 0, l, at[l] - 1)
	:: else
	fi;
	from = 0
}

active proctype sequencer()
{
	byte l = 0, limit = GREATEST, stamp = 0, from = 0, h = 0, count = 0;
	byte copied_cart = 0, copied = 0;
	bool got_on = false, quiet = false;

	run writer(0);
	run writer(1);
again:	quiet = writing == 0;
	got_on = false;
#ifndef MUTANT_NOT_FINISHED
	/* feed_finish() */
	if
	:: last_lane != NONE && lanes[last_lane].tail <= last_index ->
		lanes[last_lane].tail = last_index + 1;
		got_on = true
	:: else
	fi;
#endif
	/* see_lanes() */
	limit = GREATEST;
	count = 0;
	l = 0;
	do
	:: l < WRITERS ->
		seen[l] = false;
		at[l] = lanes[l].tail;
		end[l] = lanes[l].head; /* load_acquire() [F1] */
		find_next(l);
		if
		:: at[l] < end[l] && count < VIEWS -> seen[l] = true; count++
		:: at[l] < end[l] && count == VIEWS ->
			/* put_view(): one of two; that with the greater stamp waits */
			if
			:: next[1] < next[0] -> seen[1] = true; seen[0] = false; limit = next[0]
			:: else -> limit = next[1]
			fi
		:: else
		fi;
		l++
	:: else -> break
	od;
#ifndef MUTANT_ONE_PASS
	/* see_lanes_again() */
	l = 0;
	do
	:: l < WRITERS ->
		if
		:: seen[l] && lanes[l].head > end[l] ->
			peek(l, end[l]);
#ifdef MUTANT_LAPPED_IS_NONE
			if
			:: stamp == 0 -> stamp = GREATEST
			:: else
			fi;
#endif
			limit = (stamp < limit -> stamp : limit)
		:: seen[l] && lanes[l].head == end[l]
		:: !seen[l] ->
			at[l] = lanes[l].tail;
			end[l] = lanes[l].head;
			find_next(l);
			if
			:: at[l] < end[l] -> limit = (next[l] < limit -> next[l] : limit)
			:: else
			fi
		fi;
		stamp = 0;
		l++
	:: else -> break
	od;
#endif
	/* number_views() */
	do
	:: seen[0] && (!seen[1] || next[0] <= next[1]) -> l = 0; goto number
	:: seen[1] && (!seen[0] || next[1] < next[0]) -> l = 1; goto number
	:: else -> break
number:
#ifdef MUTANT_EQUAL_WAITS
		if
		:: next[l] >= limit && limit != GREATEST -> break
#else
		if
		:: next[l] > limit -> break
#endif
		:: else
		fi;
		/* copy_if_numbered() */
		copied = 0;
		if
		:: lanes[l].at[at[l] % LANE].number == at[l] + 1 ->
			copied_cart = lanes[l].at[at[l] % LANE].whose;
			copied = lanes[l].at[at[l] % LANE].version;
			stamp = lanes[l].at[at[l] % LANE].again;
			if
#ifndef MUTANT_F2_READER
			:: lanes[l].at[at[l] % LANE].number != at[l] + 1 -> copied = 0
#endif
			:: else -> assert(stamp == copied)
			fi;
			stamp = 0
		:: else
		fi;
		if
		:: copied != 0 -> append(0, copied_cart, copied, l, at[l])
		:: else -> append(1, 0, 0, l, at[l])
		fi;
		copied = 0;
		copied_cart = 0;
		at[l] = at[l] + 1;
		find_next(l);
		seen[l] = at[l] < end[l]
	od;
	if
	:: !quiet -> goto again
	:: quiet && lanes[0].head == lanes[0].tail && lanes[1].head == lanes[1].tail -> skip
	:: else -> assert(got_on); goto again
	fi;
	h = 0;
	l = 0;
	do /* each change was told */
	:: l < CARTS ->
		assert(carts[l].version - carts[l].numbered <= lost);
		lost = lost - (carts[l].version - carts[l].numbered);
		l++
	:: else -> break
	od;
	assert(lost == 0);
	goto done;
killed:	/* the lock is repaired; the next sequencer */
	atomic { l = 0; stamp = 0; from = 0; h = 0; count = 0; copied = 0; copied_cart = 0 };
	goto again;
done:	skip
}
