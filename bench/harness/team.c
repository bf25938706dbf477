/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * team.c: workers that begin together. See team.h.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "team.h"

#define READY_MS 60000u
#define BATCH_NS 200000u /* so often the clock is looked at in the plain phase, about */
#define BATCH_MAX 4096u

struct member {
	alignas(CACHE_LINE) struct histogram times; /* no line is two members' */
	uint64_t done;
	uint64_t plain_done;
	uint64_t plain_ns;
	uint64_t cpu_ns;
	int err;
};

struct board { /* shared by all */
	uint32_t ready;
	uint32_t go; /* futex: 0 wait, 1 begin, 2 go home */
	struct member members[];
};

const char *team_word(enum team_mode mode)
{
	return mode == TEAM_THREADS ? "threads" : "workers";
}

static uint64_t cpu_now_ns(enum team_mode mode)
{
	struct timespec now;

	clock_gettime(mode == TEAM_THREADS ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID,
		      &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ------------------------------------------------------------------ worker */

struct shift {
	const struct team_plan *plan;
	struct member *member;
	void *state;
	uint32_t batch;
};

/* A batch. Is it worth going on? */
static bool run_batch(struct shift *shift)
{
	for (uint32_t i = 0; i < shift->batch; i++) {
		int r = shift->plan->one(shift->state);
		if (r < 0) {
			shift->member->err = r;
			return false;
		}
		shift->member->done += shift->plan->depth;
	}
	return true;
}

/* Batches until that long has passed; their size is fitted to the clock. */
static bool run_for(struct shift *shift, uint64_t ns)
{
	uint64_t start = bench_now_ns(), before = start;

	while (before - start < ns && bench_signal == 0) {
		if (!run_batch(shift))
			return false;
		uint64_t now = bench_now_ns();
		if (now - before < BATCH_NS / 2 && shift->batch < BATCH_MAX)
			shift->batch *= 2;
		else if (now - before > BATCH_NS * 2 && shift->batch > 1)
			shift->batch /= 2;
		before = now;
	}
	return true;
}

static bool run_timed(struct shift *shift)
{
	uint64_t start = bench_now_ns(), before = start;

	shift->batch = 1;
	while (before - start < shift->plan->timed_ns && bench_signal == 0) {
		if (!run_batch(shift))
			return false;
		uint64_t now = bench_now_ns();
		histogram_add(&shift->member->times, now - before);
		before = now;
	}
	return true;
}

static void work(const struct team_plan *plan, struct board *board, uint32_t number)
{
	struct shift shift = { .plan = plan, .member = &board->members[number], .batch = 1 };
	struct member *member = shift.member;

	int r = plan->begin(plan->context, number, &shift.state);
	if (r < 0) {
		member->err = r;
		__atomic_add_fetch(&board->ready, 1, __ATOMIC_ACQ_REL);
		return;
	}
	__atomic_add_fetch(&board->ready, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&board->go, __ATOMIC_ACQUIRE) == 0)
		syscall(SYS_futex, &board->go, FUTEX_WAIT, 0, NULL, NULL, 0);
	if (board->go == 1 && run_for(&shift, plan->warm_ns)) {
		uint64_t done = member->done, cpu = cpu_now_ns(plan->mode), start = bench_now_ns();
		bool good = run_for(&shift, plan->plain_ns);
		member->plain_ns = bench_now_ns() - start;
		member->cpu_ns = cpu_now_ns(plan->mode) - cpu;
		member->plain_done = member->done - done;
		if (good)
			run_timed(&shift);
	}
	plan->end(shift.state);
}

/* -------------------------------------------------------------------- team */

struct runner { /* of one worker */
	const struct team_plan *plan;
	struct board *board;
	uint32_t number;
	pid_t pid;
	pthread_t thread;
};

struct team {
	const struct team_plan *plan;
	struct board *board;
	uint32_t sent; /* workers that there are */
	struct runner runners[TEAM_WORKERS_MAX];
};

static void *work_in_thread(void *argument)
{
	const struct runner *runner = argument;

	work(runner->plan, runner->board, runner->number);
	return NULL;
}

static int send_process(struct runner *runner)
{
	runner->pid = fork();
	if (runner->pid < 0)
		return -errno;
	if (runner->pid > 0)
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	work(runner->plan, runner->board, runner->number);
	_exit(0);
}

static int send_off(struct team *team)
{
	int r = 0;

	for (uint32_t i = 0; i < team->plan->workers && r == 0; i++) {
		struct runner *runner = &team->runners[i];
		*runner = (struct runner){ .plan = team->plan, .board = team->board, .number = i };
		r = team->plan->mode == TEAM_THREADS ?
			    -pthread_create(&runner->thread, NULL, work_in_thread, runner) :
			    send_process(runner);
		team->sent += r == 0;
	}
	return r;
}

/* All have come to the line. */
static int await_ready(const struct team_plan *plan, struct board *board)
{
	const struct timespec step = { .tv_nsec = 1000000 };
	uint64_t deadline = bench_now_ns() + READY_MS * 1000000ull;

	while (__atomic_load_n(&board->ready, __ATOMIC_ACQUIRE) < plan->workers) {
		if (bench_signal != 0 || bench_now_ns() > deadline)
			return -ETIMEDOUT;
		nanosleep(&step, NULL);
	}
	return 0;
}

static int reap(const struct runner *runner, bool at_once)
{
	int status;

	do
		if (at_once || bench_signal != 0)
			kill(runner->pid, SIGKILL);
	while (waitpid(runner->pid, &status, 0) < 0 && errno == EINTR);
	return at_once || (WIFEXITED(status) && WEXITSTATUS(status) == 0) ? 0 : -ECHILD;
}

static int come_home(const struct team *team, bool at_once)
{
	int r = 0;

	for (uint32_t i = 0; i < team->sent; i++) {
		const struct runner *runner = &team->runners[i];
		int one = team->plan->mode == TEAM_THREADS ? -pthread_join(runner->thread, NULL) :
							     reap(runner, at_once);
		r = r == 0 ? one : r;
	}
	return r;
}

static void sum_up(const struct team_plan *plan, const struct board *board,
		   struct team_result *result)
{
	for (uint32_t i = 0; i < plan->workers; i++) {
		const struct member *member = &board->members[i];
		double rate = member->plain_ns > 0 ?
				      (double)member->plain_done * 1e9 / (double)member->plain_ns :
				      0;
		histogram_merge(&result->times, &member->times);
		result->done += member->done;
		result->plain_done += member->plain_done;
		result->per_second += rate;
		result->cpu_ns += member->cpu_ns;
		if (i == 0 || rate < result->slowest)
			result->slowest = rate;
		if (rate > result->fastest)
			result->fastest = rate;
		if (result->err == 0)
			result->err = member->err;
	}
}

int team_run(const struct team_plan *plan, struct team_result *ret_result)
{
	size_t bytes = sizeof(struct board) + plan->workers * sizeof(struct member);
	struct team team = { .plan = plan };

	memset(ret_result, 0, sizeof(*ret_result));
	if (plan->workers > TEAM_WORKERS_MAX)
		return -EINVAL;
	struct board *board =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		return -errno;
	team.board = board;
	fflush(NULL); /* or each worker would write it too */
	int r = send_off(&team);
	if (r == 0)
		r = await_ready(plan, board);
	__atomic_store_n(&board->go, r == 0 ? 1 : 2, __ATOMIC_RELEASE);
	syscall(SYS_futex, &board->go, FUTEX_WAKE, plan->workers, NULL, NULL, 0);
	int home = come_home(&team, r < 0);
	if (r == 0)
		r = home;
	if (r == 0)
		sum_up(plan, board, ret_result);
	munmap(board, bytes);
	return r;
}
