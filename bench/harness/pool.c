/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.c: workers that run in phases. See pool.h.
 *
 * The parent writes an order, a word that all workers share; each worker reads it after every batch
 * or call. A worker that rests writes down the order by which it does; from then on its figures are
 * complete.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "child.h"
#include "pool.h"

#define BEGIN_NS 60000000000u /* a worker must have begun within this time */
#define REST_NS 30000000000u  /* and must rest within this time of being told to */
#define SIGNALLED_NS 1000000000u
#define POLL_NS 200000
#define END_MS 10000
#define BATCH_NS 200000u /* in batches a worker reads the clock about this often */
#define BATCH_MAX 4096u

#define PHASE_BITS 2u
#define ARGUMENT_BITS 1u
#define PHASE_MASK ((1u << PHASE_BITS) - 1)
#define ARGUMENT_MASK ((1u << ARGUMENT_BITS) - 1)

static_assert(POOL_END <= PHASE_MASK && POOL_ARGUMENTS <= ARGUMENT_MASK + 1, "an order names both");

struct pool_board {
	uint32_t order;    /* futex. W: the parent. number, argument, phase */
	uint64_t phase_ns; /* how long each worker measures in the phase; 0: until the next order */
	struct pool_worker workers[];
};

const char *pool_word(enum pool_mode mode)
{
	return mode == POOL_THREADS ? "threads" : "workers";
}

void pool_sleep(uint64_t ns)
{
	struct timespec step = { .tv_sec = (time_t)(ns / 1000000000u),
				 .tv_nsec = (long)(ns % 1000000000u) };

	while (bench_signal == 0 && nanosleep(&step, &step) < 0 && errno == EINTR)
		;
}

/* ------------------------------------------------------------------ worker */

struct shift {
	const struct pool_plan *plan;
	struct pool_board *board;
	struct pool_worker *me;
	void *state;
	uint32_t batch;
	uint64_t phase_ns;
};

/* What this worker has used since the last call; on the first call, since its start. */
static void take_usage(const struct shift *shift)
{
	bool thread = shift->plan->mode == POOL_THREADS;
	struct timespec cpu = { 0 };
	struct rusage usage = { 0 };

	clock_gettime(thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID, &cpu);
	getrusage(thread ? RUSAGE_THREAD : RUSAGE_SELF, &usage);
	shift->me->cpu_ns =
		(uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec - shift->me->cpu_ns;
	shift->me->faults = (uint64_t)(usage.ru_minflt + usage.ru_majflt) - shift->me->faults;
}

static int one_call(struct shift *shift, uint32_t argument)
{
	int r = shift->plan->one(shift->state, argument);

	if (r >= 0)
		shift->me->done[argument] += shift->plan->depth == 0 ? 1 : shift->plan->depth;
	return r;
}

/* Does the phase go on? Relaxed: it is enough that the worker sees a new order soon. */
static bool goes_on(const struct shift *shift, uint32_t order, uint64_t gone_ns)
{
	return load_relaxed(&shift->board->order) == order && gone_ns < shift->phase_ns;
}

/* Batches are sized so that each takes about BATCH_NS. */
static int run_batches(struct shift *shift, uint32_t order, uint32_t argument)
{
	uint64_t start = bench_now_ns(), before = start;
	int r = 0;

	while (r == 0 && goes_on(shift, order, before - start)) {
		for (uint32_t i = 0; i < shift->batch && r == 0; i++) {
			r = one_call(shift, argument);
			if (r == 0 && shift->plan->then != NULL)
				r = shift->plan->then(shift->state, argument);
		}
		uint64_t now = bench_now_ns();
		if (now - before < BATCH_NS / 2 && shift->batch < BATCH_MAX)
			shift->batch *= 2;
		else if (now - before > BATCH_NS * 2 && shift->batch > 1)
			shift->batch /= 2;
		before = now;
	}
	return r;
}

static int run_single_calls(struct shift *shift, uint32_t order, uint32_t argument)
{
	uint64_t start = bench_now_ns(), before = start, after;
	int r = 0;

	while (r == 0 && goes_on(shift, order, before - start)) {
		r = one_call(shift, argument);
		after = bench_now_ns();
		if (r == 0)
			histogram_add(&shift->me->ones, after - before);
		before = after;
		if (r != 0 || shift->plan->then == NULL)
			continue;
		r = shift->plan->then(shift->state, argument);
		after = bench_now_ns();
		if (r == 0)
			histogram_add(&shift->me->thens, after - before);
		before = after;
	}
	return r;
}

static void run_phase(struct shift *shift, uint32_t order)
{
	uint32_t argument = order >> PHASE_BITS & ARGUMENT_MASK;
	struct pool_worker *me = shift->me;
	uint64_t start, done = me->done[argument];

	histogram_clear(&me->ones);
	histogram_clear(&me->thens);
	me->cpu_ns = me->faults = 0;
	shift->phase_ns = load_relaxed(&shift->board->phase_ns);
	if (shift->phase_ns == 0)
		shift->phase_ns = UINT64_MAX;
	take_usage(shift);
	start = bench_now_ns();
	int r = (order & PHASE_MASK) == POOL_BATCHES ? run_batches(shift, order, argument) :
						       run_single_calls(shift, order, argument);
	me->ns = bench_now_ns() - start;
	take_usage(shift);
	me->phase_done = me->done[argument] - done;
	if (r == 0 && (order & PHASE_MASK) == POOL_BATCHES && goes_on(shift, order, 0)) {
		/*
		 * The others still measure, and are to meet the same load as this worker met, so it
		 * goes on. But not for ever: a worker that always waits for this one would never
		 * reach its end.
		 */
		store_release(&me->rests, order);
		r = run_batches(shift, order, argument);
	}
	if (r < 0)
		me->err = r;
}

static void work(const struct pool_runner *runner)
{
	struct pool_board *board = runner->pool->board;
	struct shift shift = { .plan = runner->pool->plan,
			       .board = board,
			       .me = &board->workers[runner->number],
			       .batch = 1 };
	uint32_t order, over = 0;

	shift.me->err =
		shift.plan->begin(shift.plan->context, shift.me, runner->number, &shift.state);
	while (((order = load_acquire(&board->order)) & PHASE_MASK) != POOL_END) {
		if ((order & PHASE_MASK) == POOL_REST || order == over || shift.me->err < 0) {
			store_release(&shift.me->rests, order);
			syscall(SYS_futex, &board->order, FUTEX_WAIT, order, NULL, NULL, 0);
			continue;
		}
		run_phase(&shift, order);
		over = order;
	}
	if (shift.state != NULL)
		shift.plan->end(shift.state);
}

static int work_as_process(void *runner)
{
	work(runner);
	return BENCH_DONE;
}

static void *work_as_thread(void *runner)
{
	work(runner);
	return NULL;
}

/* ------------------------------------------------------------------ parent */

static void order(struct pool *pool, enum pool_phase phase, uint32_t argument, uint64_t ns)
{
	uint32_t number = ++pool->orders;

	pool->began_ns = bench_now_ns();
	store_relaxed(&pool->board->phase_ns, ns); /* the order publishes it */
	store_release(&pool->board->order,
		      (number << ARGUMENT_BITS | argument) << PHASE_BITS | phase);
	syscall(SYS_futex, &pool->board->order, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void pool_start(struct pool *pool, enum pool_phase phase, uint32_t argument)
{
	order(pool, phase, argument, 0);
}

/* Has this worker ended unexpectedly? */
static bool is_gone(struct pool *pool, uint32_t number)
{
	struct pool_runner *runner = &pool->runners[number];
	int status;

	if (pool->plan->mode == POOL_THREADS || child_wait(runner->pid, 0, &status) == 0)
		return false;
	runner->pid = 0;
	bench_say("worker %u has ended with status %d", number, status);
	return true;
}

/* Wait until all workers rest, or have measured, by the last order. ns: the time limit; 0: none. */
static int await_all(struct pool *pool, uint64_t ns)
{
	uint64_t start = bench_now_ns();
	int r = 0;

	for (uint32_t i = 0; i < pool->started;) {
		const struct pool_worker *worker = &pool->board->workers[i];

		if (load_acquire(&worker->rests) == pool->board->order) {
			r = r == 0 ? worker->err : r;
			i++;
			continue;
		}
		if (is_gone(pool, i))
			return -ECHILD;
		uint64_t waited = bench_now_ns() - start;
		if ((ns > 0 && waited > ns) || (bench_signal != 0 && waited > SIGNALLED_NS))
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){ .tv_nsec = POLL_NS }, NULL);
	}
	return r;
}

int pool_open(struct pool *pool, const struct pool_plan *plan)
{
	size_t bytes = sizeof(struct pool_board) + plan->workers * sizeof(struct pool_worker);
	int r = 0;

	assert(plan->workers <= POOL_WORKERS_MAX);
	*pool = (struct pool){ .plan = plan };
	pool->board = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pool->board == MAP_FAILED)
		return -errno;
	pool_start(pool, POOL_REST, 0);
	for (uint32_t i = 0; i < plan->workers && r == 0; i++) {
		struct pool_runner *runner = &pool->runners[i];

		*runner = (struct pool_runner){ .pool = pool, .number = i };
		if (plan->mode == POOL_THREADS)
			r = -pthread_create(&runner->thread, NULL, work_as_thread, runner);
		else if ((runner->pid = child_fork(work_as_process, runner)) < 0)
			r = (int)runner->pid;
		pool->started += r == 0;
	}
	if (r == 0)
		r = await_all(pool, BEGIN_NS);
	if (r < 0)
		(void)pool_close(pool);
	return r;
}

static void sum_up(const struct pool *pool, struct pool_window *window)
{
	*window = (struct pool_window){ .ns = window->ns };
	for (uint32_t i = 0; i < pool->started; i++) {
		const struct pool_worker *worker = &pool->board->workers[i];
		double rate =
			worker->ns > 0 ? (double)worker->phase_done * 1e9 / (double)worker->ns : 0;

		window->done += worker->phase_done;
		window->per_second += rate;
		window->slowest = i == 0 || rate < window->slowest ? rate : window->slowest;
		window->cpu_ns += worker->cpu_ns;
		window->faults += worker->faults;
		histogram_merge(&window->ones, &worker->ones);
		histogram_merge(&window->thens, &worker->thens);
	}
}

int pool_await(struct pool *pool, struct pool_window *ret_window)
{
	int r = await_all(pool, 0);

	ret_window->ns = bench_now_ns() - pool->began_ns;
	sum_up(pool, ret_window);
	return r;
}

int pool_measure(struct pool *pool, enum pool_phase phase, uint32_t argument, uint64_t ns,
		 struct pool_window *ret_window)
{
	order(pool, phase, argument, ns);
	return pool_await(pool, ret_window);
}

int pool_rest(struct pool *pool, struct pool_window *ret_window)
{
	ret_window->ns = bench_now_ns() - pool->began_ns;
	pool_start(pool, POOL_REST, 0);
	int r = await_all(pool, REST_NS);
	sum_up(pool, ret_window);
	return r;
}

uint64_t pool_done(const struct pool *pool, uint32_t argument)
{
	uint64_t done = 0;

	for (uint32_t i = 0; i < pool->started; i++)
		done += pool->board->workers[i].done[argument];
	return done;
}

int pool_close(struct pool *pool)
{
	int status, r = 0;

	pool_start(pool, POOL_END, 0);
	for (uint32_t i = 0; i < pool->started; i++) {
		struct pool_runner *runner = &pool->runners[i];

		if (pool->plan->mode == POOL_THREADS) {
			pthread_join(runner->thread, NULL);
		} else if (runner->pid > 0 &&
			   child_wait(runner->pid, bench_signal != 0 ? 0 : END_MS, &status) == 0) {
			kill(runner->pid, SIGKILL);
			waitpid(runner->pid, NULL, 0);
			r = -ETIMEDOUT;
		}
	}
	munmap(pool->board,
	       sizeof(struct pool_board) + pool->plan->workers * sizeof(struct pool_worker));
	return r;
}
