/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.h: workers that do the same thing over and over, in phases that their parent begins and
 * ends: in batches (throughput), or with a look at the clock after each call (latencies; the two
 * readings of the clock would be half of what the fastest operations take). In between they rest.
 *
 * Workers are processes, or threads of this one. What a worker has measured lies in memory that it
 * shares with the parent, who reads it while the worker rests.
 */
#ifndef CORRAL_BENCH_POOL_H
#define CORRAL_BENCH_POOL_H

#include <pthread.h>
#include <sys/types.h>

#include "bench.h"
#include "histogram.h"

#define POOL_WORKERS_MAX 64u
#define POOL_ARGUMENTS 2u

enum pool_mode { POOL_PROCESSES, POOL_THREADS };

/* What a worker is called in the names of figures: "workers" (processes), "threads". */
const char *pool_word(enum pool_mode mode);

enum pool_phase { POOL_REST, POOL_BATCHES, POOL_SINGLE_CALLS, POOL_END };

struct pool_worker {                   /* W: the worker. R: the parent, while it rests */
	uint32_t rests;                /* the order by which it does */
	int32_t err;                   /* the first error; after one it only rests */
	uint64_t done[POOL_ARGUMENTS]; /* operations in all phases, by the phase's argument */
	/* of its last phase */
	uint64_t phase_done;
	uint64_t ns;
	uint64_t cpu_ns;
	uint64_t faults; /* pages that it had to ask the kernel for */
	struct histogram ones, thens;
} __attribute__((aligned(4096))); /* no line is two workers' */

struct pool_plan {
	enum pool_mode mode;
	uint32_t workers;
	uint32_t depth; /* operations that a call of one() does; 0 is 1 */
	void *context;

	/* In the worker: make its state. 0 or -errno. me: for a worker that counts by itself. */
	int (*begin)(void *context, struct pool_worker *me, uint32_t number, void **ret_state);
	/*
	 * One call, with the phase's argument. 0; 1: there is nothing more to do in this phase;
	 * -errno.
	 */
	int (*one)(void *state, uint32_t argument);
	/* What follows each call, and is timed by itself; NULL: nothing does. 0 or -errno. */
	int (*then)(void *state, uint32_t argument);
	void (*end)(void *state);
};

struct pool_window {       /* a phase of all workers */
	uint64_t ns;       /* by the parent's clock */
	uint64_t done;     /* operations */
	double per_second; /* of these, the sum of the workers' rates */
	double slowest;    /* of these, one worker's rate */
	uint64_t cpu_ns;   /* what the machine gave the workers, whoever else used it */
	uint64_t faults;
	struct histogram ones, thens; /* of POOL_SINGLE_CALLS */
};

struct pool {
	const struct pool_plan *plan;
	struct pool_board *board;
	uint32_t started; /* workers that there are */
	uint32_t orders;
	uint64_t began_ns;
	struct pool_runner {
		struct pool *pool;
		uint32_t number;
		pid_t pid; /* 0: it has ended */
		pthread_t thread;
	} runners[POOL_WORKERS_MAX];
};

/*
 * Start the workers. 0, and all have begun and rest; or -errno, the first one of a worker included:
 * then none is left. The plan stays until pool_close().
 */
int pool_open(struct pool *pool, const struct pool_plan *plan);

/* Begin a phase, at once after the one before or a rest. It lasts until the next one, or a rest. */
void pool_start(struct pool *pool, enum pool_phase phase, uint32_t argument);

/* Wait until all workers have nothing more to do in this phase. 0 or -errno, see pool_rest(). */
int pool_await(struct pool *pool, struct pool_window *ret_window);

/*
 * A phase in which each worker measures for so long, by its own clock: however late it gets a
 * processor. After batches they go on for as long again, or until the next phase or a rest, so
 * that the last one meets what the first one met. 0 or -errno, see pool_rest().
 */
int pool_measure(struct pool *pool, enum pool_phase phase, uint32_t argument, uint64_t ns,
		 struct pool_window *ret_window);

/*
 * End the phase, and see what was measured in it. 0: all rest; -errno: of a worker; -ECHILD: one
 * has ended; -ETIMEDOUT: one does not rest.
 */
int pool_rest(struct pool *pool, struct pool_window *ret_window);

/* Operations of all phases with this argument. */
uint64_t pool_done(const struct pool *pool, uint32_t argument);

/* End the workers. 0, or -ETIMEDOUT: one had to be killed. */
int pool_close(struct pool *pool);

/* Sleep, unless a signal came. */
void pool_sleep(uint64_t ns);

#endif
