/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checker.h: the check of one round of a cart: is there one legal order for its calls, their
 * answers, and the cart as it was found at the end? Pure: it knows no arena and no process.
 *
 * A change answers with the version it made, so the order of the acknowledged changes is known. A
 * pending change may have happened or not; where a version is missing, pending changes are tried.
 * The order is legal if (by the rules of model.h) every answer follows from it, it results in the
 * cart that was found, a call that began after another one returned comes after it, and every
 * refusal and read was right at some moment between its call and its answer.
 */
#ifndef CORRAL_BENCH_STORM_CHECKER_H
#define CORRAL_BENCH_STORM_CHECKER_H

#include "model.h"

struct storm_verdict {
	uint32_t lost;     /* acknowledged changes that are not in the cart */
	uint32_t twice;    /* changes, pending or not, that are in the cart twice */
	uint32_t disorder; /* answers, versions and times that fit no legal order */
	uint32_t happened; /* pending operations that are found to have happened */
	uint32_t missed;   /* and those that are found not to have happened */
	char why[160];     /* the first fault, in words */
};

/*
 * calls: at most STORM_ROUND_CALLS, in any order, except that each attempt of an operation comes
 * after its earlier ones. before: the version of the cart that this key had last. found: the cart
 * as it is now.
 */
void storm_check(const struct storm_call *calls, uint32_t count, uint64_t before,
		 const struct storm_model *found, struct storm_verdict *ret_verdict);

#endif
