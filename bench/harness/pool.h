/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.h: workers that repeat the same operation, in phases that their parent begins and ends. In a
 * phase they work in batches, for throughput, or read the clock after each call, for latencies
 * (batches exist because two clock readings would be half the time of the fastest operations).
 * Between phases they rest.
 *
 * Workers are processes, or threads of this one. A worker's figures lie in memory that it shares
 * with the parent, which reads them while the worker rests.
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

/* The word for workers in the names of figures: "workers" (processes), "threads". */
const char *pool_word(enum pool_mode mode);

enum pool_phase { POOL_REST, POOL_BATCHES, POOL_SINGLE_CALLS, POOL_END };

struct pool_worker {                   /* W: the worker. R: the parent, while it rests */
	uint32_t rests;                /* the order by which it rests */
	int32_t err;                   /* the first error; after an error the worker only rests */
	uint64_t done[POOL_ARGUMENTS]; /* operations in all phases, by the phase's argument */
	/* The figures of its last phase follow. */
	uint64_t phase_done;
	uint64_t ns;
	uint64_t cpu_ns;
	uint64_t faults; /* its page faults */
	struct histogram ones, thens;
} __attribute__((aligned(4096))); /* no two workers share a cache line */

struct pool_plan {
	enum pool_mode mode;
	uint32_t workers;
	uint32_t depth; /* operations that one call of one() does; 0 means 1 */
	void *context;

	/*
	 * Called in the worker: make its state. 0 or -errno. me: for a worker that does its own
	 * counting.
	 */
	int (*begin)(void *context, struct pool_worker *me, uint32_t number, void **ret_state);
	/*
	 * Do one call, with the phase's argument. 0; 1: the worker has nothing more to do in this
	 * phase; -errno.
	 */
	int (*one)(void *state, uint32_t argument);
	/* Follows each call, and is timed separately; NULL: nothing follows. 0 or -errno. */
	int (*then)(void *state, uint32_t argument);
	void (*end)(void *state);
};

struct pool_window {       /* a phase of all workers */
	uint64_t ns;       /* by the parent's clock */
	uint64_t done;     /* operations */
	double per_second; /* operations, as the sum of the workers' rates */
	double slowest;    /* operations, of the slowest worker */
	uint64_t cpu_ns; /* processor time of the workers: other load on the machine is not in it */
	uint64_t faults;
	struct histogram ones, thens; /* of POOL_SINGLE_CALLS */
};

struct pool {
	const struct pool_plan *plan;
	struct pool_board *board;
	uint32_t started; /* the workers that were started */
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
 * Start the workers. 0: all have begun and rest. -errno, also if begin() failed in a worker: then
 * no worker is left. The plan must stay valid until pool_close().
 */
int pool_open(struct pool *pool, const struct pool_plan *plan);

/*
 * Begin a phase, directly after another phase or after a rest. It lasts until the next phase, or a
 * rest.
 */
void pool_start(struct pool *pool, enum pool_phase phase, uint32_t argument);

/* Wait until all workers have nothing more to do in this phase. 0 or -errno, see pool_rest(). */
int pool_await(struct pool *pool, struct pool_window *ret_window);

/*
 * Run a phase in which each worker measures for `ns` by its own clock, however late it gets a
 * processor. After batches the workers go on for as long again, or until the next phase or a rest,
 * so that the last worker meets the same load as the first. 0 or -errno, see pool_rest().
 */
int pool_measure(struct pool *pool, enum pool_phase phase, uint32_t argument, uint64_t ns,
		 struct pool_window *ret_window);

/*
 * End the phase, and collect its figures. 0: all workers rest; -errno: a worker's error; -ECHILD: a
 * worker has ended; -ETIMEDOUT: a worker does not rest.
 */
int pool_rest(struct pool *pool, struct pool_window *ret_window);

/* The operations of all phases with this argument. */
uint64_t pool_done(const struct pool *pool, uint32_t argument);

/* End the workers. 0, or -ETIMEDOUT: a worker had to be killed. */
int pool_close(struct pool *pool);

/* Sleep, unless a signal has arrived. */
void pool_sleep(uint64_t ns);

#endif
