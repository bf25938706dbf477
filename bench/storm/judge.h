/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * judge.h: judges the feed of a storm: replayed, it gives the carts that are there. Pure: it knows
 * no arena and no process.
 *
 * Each event has the next number. The changes of a cart stand in the order of its versions, each
 * version once; its end comes once, with its last version, and nothing comes behind it but another
 * cart. What was answered to a caller, and each cart that was read, is what the event of that
 * version says, whichever of the two is known first. What is missing was counted by a gap.
 */
#ifndef CORRAL_BENCH_STORM_JUDGE_H
#define CORRAL_BENCH_STORM_JUDGE_H

#include "op_log.h"

#define STORM_KEPT 512u /* versions of a cart whose event and answer wait for each other */

/* What is known of a version: from its event, from an answer, or from the cart as it was read. */
struct storm_facts {
	uint64_t version;
	uint64_t op; /* 0: not known */
	int64_t subtotal_cents;
	int64_t tax_cents;
	int64_t total_cents;
	uint32_t item_count;
	uint32_t status;
};

/* An event, as it was read. */
struct storm_told {
	uint64_t number;
	uint64_t from;   /* a gap: the first number that was not read */
	uint64_t missed; /* a gap: how many events; 0: not known */
	uint32_t kind;   /* enum corral_event_kind */
	uint32_t cart;
	struct storm_facts facts;
};

struct storm_kept {
	struct storm_facts facts;
	bool told;     /* its event was read */
	bool answered; /* a caller knows of it, or it was read */
};

struct storm_judged_cart {
	uint64_t version; /* of the last event; 0: there was none */
	bool ended;
	struct storm_kept changes[STORM_KEPT]; /* by version */
	struct storm_kept ends[STORM_KEPT];
};

struct storm_judge {
	uint64_t next; /* the number of the next event */
	/* counts */
	uint64_t changes;
	uint64_t ends;
	uint64_t gaps;
	uint64_t missed;   /* as the gaps count them */
	bool vague;        /* a gap did not know how many, or counted numbers that were not read */
	uint64_t compared; /* events with an answer, or a cart that was read */
	/* what must be in gaps: at least so many versions, or so many that were answered */
	uint64_t skipped;
	uint64_t unheard;
	/* faults */
	uint64_t untold; /* events that are missing, and in no gap */
	uint64_t twice;
	uint64_t wrong; /* out of order, of another content, or impossible */
	char why[160];  /* the first fault, in words */
	struct storm_judged_cart carts[STORM_CARTS];
};

/* next: the number of the first event. */
void storm_judge_begin(struct storm_judge *judge, uint64_t next);

void storm_judge_event(struct storm_judge *judge, const struct storm_told *told);

/* A change, or (end) a drop, was answered; or the cart was read with this version. */
void storm_judge_answer(struct storm_judge *judge, uint32_t cart, bool end,
			const struct storm_facts *facts);

/* All events were read; the carts are gone. last: a version that the cart had. */
void storm_judge_end(struct storm_judge *judge, uint32_t cart, uint64_t last);

#endif
