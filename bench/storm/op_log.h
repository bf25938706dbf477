/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * op_log.h: the memory that the checker of a storm and its workers share: a log for each worker
 * thread, and a gate for each cart.
 *
 * The log is memory that outlives its writer. A worker logs each call before it makes it, and its
 * answer before the next call. A worker that is killed by SIGKILL has done each earlier store and
 * none of the later ones, so the log has what a pipe would have carried: a call without an answer
 * is pending, and may have happened or not. A write to a pipe is a system call, which takes longer
 * than most calls of Corral, so most kills would strike the logging; with a log in memory most of
 * them strike in the middle of a change.
 *
 * A cart is checked in rounds of a bounded number of calls. A worker takes a ticket at the gate
 * before each call. When no ticket is left, the checker waits for the calls that are inside,
 * compares the whole round with the cart, drops the cart, and opens the gate for the next round. In
 * most rounds a call whose answer was lost is sent again. Such rounds have at most CORRAL_OPS_KEPT
 * calls, so that no operation id is forgotten, and workers do not drop their carts, since operation
 * ids end with their cart. In the other rounds carts are dropped and made again all the time.
 */
#ifndef CORRAL_BENCH_STORM_OP_LOG_H
#define CORRAL_BENCH_STORM_OP_LOG_H

#include "base/atomic.h"
#include "base/base.h"
#include "corral.h"

#define STORM_CARTS 48u
#define STORM_SLOTS_MAX 128u
#define STORM_THREADS 2u /* at most, of a worker */
#define STORM_RING 128u  /* the calls in a log */
#define STORM_ATTRIBUTES 4u
#define STORM_NO_CART UINT32_MAX

enum storm_kind {
	STORM_ADD,
	STORM_SET,
	STORM_REMOVE,
	STORM_CLEAR,
	STORM_TAX,
	STORM_ATTRIBUTE,
	STORM_TTL,
	STORM_REPLACE,
	STORM_CHECKOUT,
	STORM_APPLY,  /* several steps, of the kinds above but REPLACE, and of the next */
	STORM_CHANGE, /* only as a step, and so the next two */
	STORM_LINE_TAX,
	STORM_ADJUST,
	STORM_DROP,
	STORM_READ, /* from here on the calls are no changes */
	STORM_COPY,
	STORM_LIST,
	STORM_KINDS
};

enum storm_state {
	STORM_CALLED,   /* the call is logged; no answer yet */
	STORM_ANSWERED, /* the answer is logged too */
	STORM_VOID,     /* there was no ticket, so no call was made */
	STORM_PENDING   /* the caller died before it logged an answer. W: checker */
};

#define STORM_STEPS 4u /* at most, of an APPLY */

struct storm_step {
	/* ADD; and of the kinds that name a line, if line is 0: the line that has it */
	uint64_t item;
	uint32_t line;     /* SET, REMOVE, CHANGE, LINE_TAX */
	uint32_t quantity; /* ADD, SET */
	/*
	 * As of a call; CHANGE: the difference, of type int32_t; LINE_TAX: the line's own rate in
	 * ppm, plus one, or 0: it has none; ADJUST: see storm_adjustments, 0 takes it away.
	 */
	uint32_t value;
	uint32_t answer_line;
	uint8_t kind;
	uint8_t name; /* ATTRIBUTE, ADJUST: which one */
	uint8_t reserved[6];
};

struct storm_call {
	/* what is called */
	uint64_t op;         /* the operation's number, the same for each attempt */
	uint64_t if_version; /* 0: any */
	uint64_t item;       /* ADD, REPLACE */
	uint32_t cart;
	uint32_t round;
	uint32_t line;     /* SET, REMOVE */
	uint32_t quantity; /* ADD, SET, REPLACE */
	uint32_t value;    /* TAX: parts per million; ATTRIBUTE: 0 removes it; TTL: milliseconds;
			      REPLACE: tax */
	uint16_t worker;
	uint8_t thread;
	uint8_t kind;
	uint8_t name; /* ATTRIBUTE: which one */
	uint8_t attempt;
	uint8_t state; /* store release by the worker once the rest is written, load acquire by the
			  checker */
	uint8_t step_count;                   /* APPLY */
	struct storm_step steps[STORM_STEPS]; /* with their answers */
	/* the answer */
	int32_t error; /* 0 or -errno; -EBADMSG: the cart that was read contradicts itself */
	uint32_t answer_line;
	uint32_t answer_step; /* APPLY: the one that was refused; 0: none alone */
	uint32_t item_count;
	uint32_t tax_ppm; /* READ, COPY */
	uint32_t line_count;
	uint8_t applied;
	uint8_t status;
	uint64_t version;
	int64_t subtotal_cents;
	int64_t tax_cents;
	int64_t total_cents;
	/* when */
	uint64_t before_ns; /* when the call before it returned, if only the worker's own code ran
			       in between; or 0 */
	uint64_t invoke_ns;
	uint64_t return_ns;
};

struct storm_ring {
	uint64_t head
		__attribute__((aligned(CACHE_LINE))); /* calls logged, ever. W: worker, release */
	uint64_t tail
		__attribute__((aligned(CACHE_LINE))); /* calls taken, ever. W: checker, release */
	bool has_again;                               /* W: checker, while the slot has no worker */
	struct storm_call again; /* the call at which the slot's last worker was killed */
	struct storm_call calls[STORM_RING];
};

struct storm_slot {
	uint32_t quit; /* the worker is to quit. W: checker */
	struct storm_ring rings[STORM_THREADS];
};

struct storm_gate {
	uint64_t word __attribute__((aligned(CACHE_LINE))); /* round << 32 | tickets left */
	uint32_t may_drop; /* W: checker, while there are no tickets */
};

struct storm_op_log {
	struct storm_gate gates[STORM_CARTS];
	struct storm_slot slots[STORM_SLOTS_MAX];
};

static inline bool storm_is_change(const struct storm_call *call)
{
	return call->kind < STORM_READ;
}

/*
 * Menu items: all calls use the first few, whose lines merge; each other item belongs to one call.
 */
#define STORM_COMMON_ITEMS 6u
#define STORM_REPLACE_LINES 3u

/* A discount and a tip in parts per million, and a fee in cents. The tip is not taxed. */
enum { STORM_DISCOUNT, STORM_FEE, STORM_TIP, STORM_ADJUSTMENTS };

static inline int64_t storm_price_cents(uint64_t item)
{
	return 99 + 250 * (int64_t)(item % 7);
}

static inline int64_t storm_modifier_cents(uint64_t item)
{
	return item % 2 == 0 ? 0 : 45;
}

#endif
