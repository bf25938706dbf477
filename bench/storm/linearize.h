/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * linearize.h: the events of one round of a cart, on which the check of a round works. For
 * checker.c and linearize.c only.
 */
#ifndef CORRAL_BENCH_STORM_LINEARIZE_H
#define CORRAL_BENCH_STORM_LINEARIZE_H

#include "checker.h"

struct storm_event {
	const struct storm_call *call; /* the attempt that was answered with success, if any;
					  otherwise the first attempt */
	uint64_t invoke_ns;            /* of the first attempt */
	uint64_t return_ns;            /* UINT64_MAX: unknown */
	bool known;                    /* its version is known */
	bool may_have;                 /* it is pending, and may have happened */
	bool used;                     /* the present order contains it */
	uint64_t version;              /* of a pending one: its version in that order */
};

struct storm_check {
	struct storm_verdict *verdict;
	const struct storm_model *found;
	struct storm_event events[STORM_ROUND_CALLS];
	uint32_t event_count;
	struct storm_event *order[STORM_ROUND_CALLS]; /* the known events, sorted */
	uint64_t returned_ns[STORM_ROUND_CALLS + 1];  /* the first return from there on */
	uint32_t order_count;
	struct storm_event *pending[STORM_ROUND_CALLS];
	uint32_t pending_count;
	const struct storm_call *refused[STORM_ROUND_CALLS];
	uint32_t refused_count;
	struct storm_event *linear[STORM_ROUND_CALLS];
	uint32_t linear_count;
	uint32_t trials;
	bool refusals_count; /* the order must explain them */
};

/*
 * Look for a legal order of the known events, with pending ones between them, which also explains
 * the refused calls if refusals_count. True: the order is in check->linear.
 */
bool storm_linearize(struct storm_check *check, uint64_t before, bool refusals_count);

#endif
