/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * adders.h: worker processes that add items to random carts without pause, in windows. Their
 * acknowledged changes are compared with the carts' versions afterwards.
 *
 * If there are more processes than cores, a process waits for a core, in a call or outside of it.
 * To see how long, the workers also run an empty loop for as long as an add takes (ADDERS_NOTHING).
 */
#ifndef CORRAL_BENCH_ADDERS_H
#define CORRAL_BENCH_ADDERS_H

#include "harness/dataset.h"
#include "harness/pool.h"

enum adders_then {
	ADDERS_ONLY_ADD, /* corral_add() of an item that the cart has */
	ADDERS_SYNC,     /* the add, then corral_sync() */
	ADDERS_NOTHING,  /* the add, then an empty loop that takes as long */
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
 * Start the workers, which rest at first. datasets: with the same number of carts each. All
 * functions here print their own error messages.
 */
enum bench_exit adders_open(struct adders *adders, const struct dataset *const *datasets,
			    uint32_t dataset_count, uint32_t workers, enum adders_then then);

/*
 * Let the workers work on this data set. The window begins after warm_ns; after its end all workers
 * rest.
 */
void adders_begin(struct adders *adders, uint32_t dataset, uint64_t warm_ns);
enum bench_exit adders_finish(struct adders *adders, struct pool_window *ret_window);

/*
 * Check that there are as many new versions of carts as acknowledged changes. versions: the sum
 * before the work, see dataset_versions(). Prints both, as PREFIXchanges and PREFIXnew_versions.
 */
enum bench_exit adders_count(const struct adders *adders, uint32_t dataset, const char *prefix,
			     uint64_t versions);

/* End the workers. */
enum bench_exit adders_close(struct adders *adders);

#endif
