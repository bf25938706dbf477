/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify.h: check the carts of a replay against the file. The carts are read through the public
 * API, and compared with an expectation that is computed from the file alone.
 */
#ifndef CORRAL_BENCH_VERIFY_H
#define CORRAL_BENCH_VERIFY_H

#include "corral.h"
#include "harness/bench.h"
#include "orders.h"

struct verdict {         /* counted by reading the carts */
	uint32_t orders; /* carts that belong to an order of the file */
	uint32_t lines;  /* lines of the file that are in them */
	uint64_t items;
	int64_t revenue_cents;
	uint32_t lost;  /* lines of the file that are not in them */
	uint32_t wrong; /* carts that differ from the file, are missing, or are surplus */
};

/*
 * Prints a message for each of the first few wrong carts. BENCH_NO_ARENA if the carts cannot be
 * listed.
 */
enum bench_exit verify_carts(struct corral *corral, struct corral_text restaurant,
			     const struct orders *orders, struct verdict *ret_verdict);

#endif
