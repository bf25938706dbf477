/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * op_log.h: what the checker of a storm and its workers share: a log for each worker
 * thread, and a gate for each cart.
 *
 * The log is memory that outlives its writer. A call is written down before it is made, and its
 * answer before the next one; who is killed by SIGKILL has done each earlier store and none of the
 * later ones, so what stands there is what a pipe would have carried: a call without an answer is
 * pending, it may have happened or not. A pipe costs a system call, more than most calls of Corral,
 * so kills would strike the writing of the log; like this most of them strike in the midst of a
 * change.
 *
 * A cart is accounted for in rounds of a bounded number of calls. Who wants to call takes a ticket
 * at the gate first; when there are none left the checker waits for those who are inside, compares
 * all of it with the cart, drops it, and opens the gate for the next round. In most rounds a call
 * whose answer nobody saw is sent again: those have at most CORRAL_OPS_KEPT calls, so that none is
 * forgotten, and are not dropped by workers, since operation ids end with their cart. The others
 * are dropped and made again all the time.
 */
#ifndef CORRAL_BENCH_STORM_OP_LOG_H
#define CORRAL_BENCH_STORM_OP_LOG_H

#include "base/atomic.h"
#include "base/base.h"
#include "corral.h"

#define STORM_CARTS 48u
#define STORM_SLOTS_MAX 128u
#define STORM_THREADS 2u /* of a worker, at most */
#define STORM_RING 128u  /* calls in a log */
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
	STORM_DROP,
	STORM_READ, /* from here on: no changes */
	STORM_COPY,
	STORM_LIST,
	STORM_KINDS
};

enum storm_state {
	STORM_CALLED,   /* written down; no answer yet */
	STORM_ANSWERED, /* the answer is written down */
	STORM_VOID,     /* there was no ticket, and no call */
	STORM_PENDING   /* its caller died. W: checker */
};

struct storm_call {
	/* what is called */
	uint64_t op;         /* number of the operation: the same for each attempt */
	uint64_t if_version; /* 0: any */
	uint64_t item;       /* ADD, REPLACE */
	uint32_t cart;
	uint32_t round;
	uint32_t line;     /* SET, REMOVE */
	uint32_t quantity; /* ADD, SET, REPLACE */
	uint32_t value;    /* TAX: parts per million; ATTRIBUTE: 0 takes it away; TTL: milliseconds;
			      REPLACE: tax */
	uint16_t worker;
	uint8_t thread;
	uint8_t kind;
	uint8_t name; /* ATTRIBUTE: which */
	uint8_t attempt;
	uint8_t state; /* store release by the worker once the rest is written, load acquire by the
			  checker */
	uint8_t reserved;
	/* the answer */
	int32_t error; /* 0 or -errno; -EBADMSG: what was read contradicts itself */
	uint32_t answer_line;
	uint32_t item_count;
	uint32_t tax_ppm; /* READ, COPY */
	uint32_t line_count;
	uint8_t applied;
	uint8_t status;
	uint64_t version;
	int64_t subtotal_cents;
	int64_t tax_cents;
	/* when */
	uint64_t before_ns; /* when the call before it returned, if nothing but our own code came in
			       between; or 0 */
	uint64_t invoke_ns;
	uint64_t return_ns;
};

struct storm_ring {
	uint64_t head __attribute__((
		aligned(CACHE_LINE))); /* calls written down, ever. W: worker, release */
	uint64_t tail
		__attribute__((aligned(CACHE_LINE))); /* calls taken, ever. W: checker, release */
	bool has_again;                               /* W: checker, while nobody works here */
	struct storm_call again;                      /* what the last one here was killed at */
	struct storm_call calls[STORM_RING];
};

struct storm_slot {
	uint32_t quit; /* W: checker: go, plainly */
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

/* Menu items: the first few are everybody's and merge, all others are of one call. */
#define STORM_COMMON_ITEMS 6u
#define STORM_REPLACE_LINES 3u

static inline int64_t storm_price_cents(uint64_t item)
{
	return 99 + 250 * (int64_t)(item % 7);
}

static inline int64_t storm_modifier_cents(uint64_t item)
{
	return item % 2 == 0 ? 0 : 45;
}

#endif
