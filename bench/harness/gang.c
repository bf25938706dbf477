/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gang.c: worker processes that work in windows. See gang.h.
 *
 * Workers and parent share a page of orders: the parent writes an order, each worker looks at it
 * after every call. Who rests says so; then its figures are complete, and the parent takes them.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "child.h"
#include "gang.h"
#include "measure.h"

#define STEPS_MAX (1u << 18)
#define REST_STEP_NS 200000u
#define REST_NS_MAX 30000000000u
#define END_MS 10000
#define TRIAL_CALLS 500u
#define TRIALS 5u

enum phase { REST, WARM, MEASURE, END };

#define PHASE_BITS 2u
#define LOAD_BITS 1u
#define PHASE_MASK ((1u << PHASE_BITS) - 1)
#define LOAD_MASK ((1u << LOAD_BITS) - 1)

static_assert(GANG_DATASETS_MAX <= 1u << LOAD_BITS, "or an order cannot name the data set");

struct worker {         /* W: the worker. R: the parent, while it rests */
	uint32_t rests; /* the order by which it does */
	int32_t err;
	uint64_t changes[GANG_DATASETS_MAX];
	uint64_t cpu_ns;
	uint64_t faults;
	struct histogram calls;
	struct histogram nothing;
} __attribute__((aligned(4096)));

struct gang_board {
	uint32_t order; /* W: the parent. number, dataset, phase */
	struct worker workers[GANG_WORKERS_MAX];
};

void gang_sleep(uint64_t ns)
{
	struct timespec step = { .tv_sec = (time_t)(ns / 1000000000u),
				 .tv_nsec = (long)(ns % 1000000000u) };

	while (bench_signal == 0 && nanosleep(&step, &step) < 0 && errno == EINTR)
		;
}

/* ------------------------------------------------------------------ worker */

struct work {
	const struct gang *gang;
	struct worker *me;
	struct dataset_item item;
	uint32_t at;
	uint64_t spins; /* nothing, for as long as a call */
};

static void do_nothing(uint64_t spins)
{
	for (uint64_t i = 0; i < spins; i++)
		spin_pause();
}

static int add_one(struct work *work, uint32_t dataset)
{
	struct corral *corral = work->gang->datasets[dataset]->corral;
	struct corral_key key = dataset_key(&work->gang->steps[work->at]);
	int r;

	work->at = (work->at + 1) & (work->gang->step_count - 1);
	r = corral_add(corral, &key, &work->item.item, NULL, NULL);
	if (r == -ERANGE) /* its quantity is as large as may be */
		r = corral_set_quantity(corral, &key, 1, 1, NULL, NULL);
	work->me->changes[dataset] += r == 0;
	return r;
}

/* How much of nothing takes as long as a call: the median of some trials. */
static int calibrate(struct work *work, uint32_t dataset)
{
	double ratios[TRIALS];

	for (uint32_t trial = 0; trial < TRIALS; trial++) {
		uint64_t start = bench_now_ns(), middle;

		for (uint32_t i = 0; i < TRIAL_CALLS; i++) {
			int r = add_one(work, dataset);

			if (r < 0)
				return r;
		}
		middle = bench_now_ns();
		do_nothing(TRIAL_CALLS * 10);
		ratios[trial] =
			(double)(middle - start) * 10 / (double)(bench_now_ns() - middle + 1);
	}
	work->spins = (uint64_t)measure_median(ratios, TRIALS) + 1;
	return 0;
}

/* What this process has used up, since the figures were taken before; at first: ever. */
static void take_usage(struct worker *me)
{
	struct timespec cpu = { 0 };
	struct rusage usage = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	getrusage(RUSAGE_SELF, &usage);
	me->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec - me->cpu_ns;
	me->faults = (uint64_t)(usage.ru_minflt + usage.ru_majflt) - me->faults;
}

static int work_on(struct work *work, uint32_t order)
{
	const uint32_t *current = &work->gang->board->order;
	enum gang_work kind = work->gang->work;
	uint32_t dataset = order >> PHASE_BITS & LOAD_MASK;
	bool measured = (order & PHASE_MASK) == MEASURE;
	struct worker *me = work->me;
	uint64_t before = bench_now_ns(), after;
	int r = 0;

	while (r == 0 && load_relaxed(current) == order) { /* relaxed: soon is enough */
		r = add_one(work, dataset);
		if (r == 0 && kind == GANG_ADD_AND_SYNC) {
			before = bench_now_ns();
			r = corral_sync(work->gang->datasets[dataset]->corral);
		}
		after = bench_now_ns();
		if (measured && r == 0)
			histogram_add(&me->calls, after - before);
		before = after;
		if (kind != GANG_ADD_AND_NOTHING)
			continue;
		do_nothing(work->spins);
		after = bench_now_ns();
		if (measured)
			histogram_add(&me->nothing, after - before);
		before = after;
	}
	return r;
}

static int obey(struct work *work)
{
	const struct timespec step = { .tv_nsec = REST_STEP_NS };
	struct worker *me = work->me;

	for (;;) {
		uint32_t order = load_acquire(&work->gang->board->order);
		enum phase phase = order & PHASE_MASK;
		int r = 0;

		if (phase == END)
			return me->err;
		if (phase == REST || me->err < 0) {
			if (phase == REST)
				store_release(&me->rests, order);
			nanosleep(&step, NULL);
			continue;
		}
		histogram_clear(&me->calls);
		histogram_clear(&me->nothing);
		me->cpu_ns = me->faults = 0;
		take_usage(me);
		if (phase == WARM && work->gang->work == GANG_ADD_AND_NOTHING)
			r = calibrate(work, order >> PHASE_BITS & LOAD_MASK);
		me->err = r < 0 ? r : work_on(work, order);
		take_usage(me);
	}
}

static _Noreturn void live(const struct gang *gang, uint32_t number, pid_t parent)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	static struct work work;
	int r;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(BENCH_WRONG);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	action.sa_handler = SIG_IGN; /* an interrupt is for the parent, who ends all */
	sigaction(SIGINT, &action, NULL);
	work = (struct work){ .gang = gang,
			      .me = &gang->board->workers[number],
			      .at = gang->step_count / gang->workers * number };
	dataset_item_at(0, &work.item);
	r = obey(&work);
	for (uint32_t i = 0; i < GANG_DATASETS_MAX && gang->datasets[i] != NULL; i++)
		corral_close(gang->datasets[i]->corral);
	_exit(r < 0 ? BENCH_WRONG : BENCH_DONE);
}

/* ------------------------------------------------------------------ parent */

static void give_order(struct gang *gang, enum phase phase, uint32_t dataset)
{
	uint32_t number = ++gang->orders;

	store_release(&gang->board->order, (number << LOAD_BITS | dataset) << PHASE_BITS | phase);
}

/* Has one ended, which it should not? */
static bool one_is_gone(struct gang *gang)
{
	int status;

	for (uint32_t i = 0; i < gang->workers; i++) {
		if (gang->pids[i] == 0 || child_wait(gang->pids[i], 0, &status) == 0)
			continue;
		gang->pids[i] = 0;
		bench_say("worker %u has ended with status %d", i, status);
		return true;
	}
	return false;
}

static enum bench_exit await_rest(struct gang *gang)
{
	uint64_t deadline = bench_now_ns() + REST_NS_MAX;
	uint32_t order = gang->board->order;

	for (uint32_t i = 0; i < gang->workers;) {
		const struct worker *worker = &gang->board->workers[i];

		if (load_acquire(&worker->rests) == order) {
			if (worker->err < 0) {
				bench_say("a change or a sync failed: %s",
					  corral_strerror(worker->err));
				return BENCH_WRONG;
			}
			i++;
			continue;
		}
		if (one_is_gone(gang) || bench_now_ns() > deadline)
			return BENCH_WRONG;
		nanosleep(&(struct timespec){ .tv_nsec = REST_STEP_NS }, NULL);
	}
	return BENCH_DONE;
}

enum bench_exit gang_open(struct gang *gang, const struct dataset *const *datasets,
			  uint32_t dataset_count, uint32_t workers, enum gang_work work)
{
	pid_t parent = getpid();

	assert(dataset_count <= GANG_DATASETS_MAX && workers <= GANG_WORKERS_MAX);
	*gang = (struct gang){ .work = work };
	for (uint32_t i = 0; i < dataset_count; i++)
		gang->datasets[i] = datasets[i];
	gang->step_count = dataset_steps(datasets[0], STEPS_MAX);
	gang->steps = dataset_walk(datasets[0], gang->step_count, 1);
	gang->board = mmap(NULL, sizeof(*gang->board), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (gang->steps == NULL || gang->board == MAP_FAILED) {
		bench_say("no memory for the workers");
		free(gang->steps);
		if (gang->board != MAP_FAILED)
			munmap(gang->board, sizeof(*gang->board));
		return BENCH_NO_ARENA;
	}
	give_order(gang, REST, 0);
	gang->workers = workers;
	for (uint32_t i = 0; i < workers; i++) {
		gang->pids[i] = fork();
		if (gang->pids[i] == 0)
			live(gang, i, parent);
		if (gang->pids[i] < 0) {
			bench_say("cannot start a worker: %s", strerror(errno));
			gang->workers = i;
			(void)gang_close(gang);
			return BENCH_NO_ARENA;
		}
	}
	return BENCH_DONE;
}

enum bench_exit gang_begin(struct gang *gang, uint32_t dataset, uint64_t warm_ns)
{
	enum bench_exit result = await_rest(gang);

	if (result != BENCH_DONE)
		return result;
	give_order(gang, WARM, dataset);
	gang_sleep(warm_ns);
	gang->began_ns = bench_now_ns();
	give_order(gang, MEASURE, dataset);
	return BENCH_DONE;
}

enum bench_exit gang_finish(struct gang *gang, struct gang_window *ret_window)
{
	enum bench_exit result;

	memset(ret_window, 0, sizeof(*ret_window));
	ret_window->ns = bench_now_ns() - gang->began_ns;
	give_order(gang, REST, 0);
	result = await_rest(gang);
	for (uint32_t i = 0; i < gang->workers && result == BENCH_DONE; i++) {
		ret_window->cpu_ns += gang->board->workers[i].cpu_ns;
		ret_window->faults += gang->board->workers[i].faults;
		histogram_merge(&ret_window->calls, &gang->board->workers[i].calls);
		histogram_merge(&ret_window->nothing, &gang->board->workers[i].nothing);
	}
	return result;
}

enum bench_exit gang_run(struct gang *gang, uint32_t dataset, uint64_t warm_ns, uint64_t ns,
			 struct gang_window *ret_window)
{
	enum bench_exit result = gang_begin(gang, dataset, warm_ns);

	if (result != BENCH_DONE)
		return result;
	gang_sleep(ns);
	return gang_finish(gang, ret_window);
}

uint64_t gang_changes(const struct gang *gang, uint32_t dataset)
{
	uint64_t changes = 0;

	for (uint32_t i = 0; i < gang->workers; i++)
		changes += gang->board->workers[i].changes[dataset];
	return changes;
}

enum bench_exit gang_close(struct gang *gang)
{
	enum bench_exit result = BENCH_DONE;
	int status;

	give_order(gang, END, 0);
	for (uint32_t i = 0; i < gang->workers; i++) {
		if (gang->pids[i] == 0)
			continue;
		if (child_wait(gang->pids[i], END_MS, &status) == 0) {
			bench_say("worker %u does not end; killed", i);
			kill(gang->pids[i], SIGKILL);
			waitpid(gang->pids[i], NULL, 0);
			result = BENCH_WRONG;
		}
	}
	free(gang->steps);
	munmap(gang->board, sizeof(*gang->board));
	return result;
}

enum bench_exit gang_count(const struct gang *gang, uint32_t dataset, const char *prefix,
			   uint64_t versions)
{
	uint64_t now = 0, changes = gang_changes(gang, dataset);
	int r = dataset_versions(gang->datasets[dataset], &now);

	if (r < 0) {
		bench_say("a cart cannot be read: %s", corral_strerror(r));
		return BENCH_WRONG;
	}
	printf("%schanges %llu changes\n", prefix, (unsigned long long)changes);
	printf("%snew_versions %llu versions\n", prefix, (unsigned long long)(now - versions));
	if (now - versions == changes)
		return BENCH_DONE;
	bench_say("not each change that was acknowledged is in the carts, or others are");
	return BENCH_WRONG;
}
