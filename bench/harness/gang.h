/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gang.h: worker processes that add items to random carts when they are told to, of one
 * arena or of several in turns, and rest in between.
 *
 * What is compared runs in windows that alternate, in the same processes: who else uses the machine
 * strikes both alike. A window has a time of warming up, which does not count, and then one that
 * does.
 *
 * "Nothing" is the yardstick for long calls: after each call a worker runs for about as long
 * through code of its own that touches nothing. Whatever the machine does to one of its processes
 * it does to both, so what calls take longer than nothing is Corral's.
 */
#ifndef CORRAL_BENCH_GANG_H
#define CORRAL_BENCH_GANG_H

#include <sys/types.h>

#include "dataset.h"
#include "histogram.h"

#define GANG_WORKERS_MAX 64u
#define GANG_DATASETS_MAX 2u

enum gang_work {
	GANG_ADD,             /* corral_add() of an item that the cart has */
	GANG_ADD_AND_SYNC,    /* and corral_sync(), whose time is taken */
	GANG_ADD_AND_NOTHING, /* and nothing, for as long */
};

struct gang_window {
	uint64_t ns;
	uint64_t cpu_ns; /* of the workers: what the machine gave them, whoever else used it */
	uint64_t faults; /* pages that they had to ask the kernel for */
	struct histogram calls;
	struct histogram nothing; /* with GANG_ADD_AND_NOTHING */
};

struct gang_board;

struct gang {
	struct gang_board *board;
	const struct dataset *datasets[GANG_DATASETS_MAX];
	enum gang_work work;
	uint32_t workers;
	pid_t pids[GANG_WORKERS_MAX];
	struct dataset_step *steps;
	uint32_t step_count; /* a power of two */
	uint32_t orders;
	uint64_t began_ns;
};

/*
 * Start the workers; they rest. datasets: of the same number of carts. All of these complain
 * themselves.
 */
enum bench_exit gang_open(struct gang *gang, const struct dataset *const *datasets,
			  uint32_t dataset_count, uint32_t workers, enum gang_work work);

/* Work on this data set: for warm_ns, then the window begins; it ends, and all rest. */
enum bench_exit gang_begin(struct gang *gang, uint32_t dataset, uint64_t warm_ns);
enum bench_exit gang_finish(struct gang *gang, struct gang_window *ret_window);
/* Both, with a window of so long. */
enum bench_exit gang_run(struct gang *gang, uint32_t dataset, uint64_t warm_ns, uint64_t ns,
			 struct gang_window *ret_window);

/* Changes of this data set's carts that were acknowledged, in windows and before them. */
uint64_t gang_changes(const struct gang *gang, uint32_t dataset);

/* End the workers. */
enum bench_exit gang_close(struct gang *gang);

/*
 * Each acknowledged change is a version of some cart: are there as many? versions: the sum before
 * the work, see dataset_versions(). Prints both, as PREFIXchanges and PREFIXnew_versions.
 */
enum bench_exit gang_count(const struct gang *gang, uint32_t dataset, const char *prefix,
			   uint64_t versions);

/* Sleep, unless a signal came. */
void gang_sleep(uint64_t ns);

#endif
