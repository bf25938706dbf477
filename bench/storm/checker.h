/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checker.h: the check of one round of a cart: do its calls, their answers, and
 * the cart as it was found at the end have one legal order? Pure: knows no arena and no process.
 *
 * A change answers with the version it made, so the order of the acknowledged changes is known. A
 * pending one may have happened or not; where a version is missing one of them is tried. The order
 * is legal when (by the rules of model.h) every answer follows, the cart found is what
 * remains, a call that began after another one returned stands behind it, and every refusal and
 * read was right at some moment between its call and its answer.
 */
#ifndef CORRAL_BENCH_STORM_CHECKER_H
#define CORRAL_BENCH_STORM_CHECKER_H

#include "model.h"

struct storm_verdict {
	uint32_t lost;     /* acknowledged changes that are not there */
	uint32_t twice;    /* changes that are there twice, pending or not */
	uint32_t disorder; /* answers, versions, times that fit into no legal order */
	uint32_t happened; /* pending operations that turned out to have happened */
	uint32_t missed;   /* and that turned out not to have */
	char why[160];     /* the first fault, in words */
};

/*
 * calls: in any order, but each attempt of an operation behind those before it; at most
 * STORM_ROUND_CALLS.
 * before: the version of the cart that this key had last. found: as it is now.
 */
void storm_check(const struct storm_call *calls, uint32_t count, uint64_t before,
		 const struct storm_model *found, struct storm_verdict *ret_verdict);

#endif
