/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * adders.h: worker processes that add items to random carts without pause, in windows; what they
 * have acknowledged is counted against the carts' versions afterwards.
 *
 * More processes than cores have to wait for each other, in the midst of a call or anywhere else:
 * how long is seen where the workers do nothing for as long as an add takes (ADDERS_NOTHING).
 */
#ifndef CORRAL_BENCH_ADDERS_H
#define CORRAL_BENCH_ADDERS_H

#include "harness/dataset.h"
#include "harness/pool.h"

enum adders_then {
	ADDERS_ONLY_ADD, /* corral_add() of an item that the cart has */
	ADDERS_SYNC,     /* and then corral_sync() */
	ADDERS_NOTHING,  /* and then nothing, for as long */
};

struct adders {
	struct pool pool;
	struct pool_plan plan;
	enum adders_then then;
	uint32_t workers;
	const struct dataset *datasets[POOL_ARGUMENTS];
	struct dataset_step *steps;
	uint32_t step_count; /* a power of two */
};

/*
 * Start the workers; they rest. datasets: of the same number of carts. All of these complain
 * themselves.
 */
enum bench_exit adders_open(struct adders *adders, const struct dataset *const *datasets,
			    uint32_t dataset_count, uint32_t workers, enum adders_then then);

/* Work on this data set: for warm_ns, then the window begins; it ends, and all rest. */
void adders_begin(struct adders *adders, uint32_t dataset, uint64_t warm_ns);
enum bench_exit adders_finish(struct adders *adders, struct pool_window *ret_window);

/*
 * Each acknowledged change is a version of some cart: are there as many? versions: the sum before
 * the work, see dataset_versions(). Prints both, as PREFIXchanges and PREFIXnew_versions.
 */
enum bench_exit adders_count(const struct adders *adders, uint32_t dataset, const char *prefix,
			     uint64_t versions);

/* End the workers. */
enum bench_exit adders_close(struct adders *adders);

#endif
