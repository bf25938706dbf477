/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_guests.c: see crash_guests.h.
 */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "api/attach.h"
#include "base/atomic.h"
#include "crash_guests.h"
#include "store/repair.h"

const char *const crash_arrival_names[CRASH_ARRIVALS] = { "a newcomer",
							  "a waiter",
							  "the agent",
							  "a new agent",
							  "two newcomers",
							  "two waiters",
							  "a waiter and the agent" };
struct agent crash_agent;

/*
 * The agent is already zeroed; clearing this large struct again would cost a traced process
 * thousands of steps.
 */
static void begin_as(struct agent *agent, const struct agent_options *options)
{
	agent->options = options;
	agent->dir_fd = agent->log_fd = agent->listen_fd = agent->signal_fd = -1;
}

int crash_take_up(struct agent *agent, const char *directory)
{
	static __thread struct agent_options options = { .size_bytes = ARENA_BYTES_MIN,
							 .max_carts = 64,
							 .ttl_ms = CRASH_TTL_MS };

	options.location = directory;
	begin_as(agent, &options);
	return agent_take_up(agent);
}

uint32_t crash_processes(const struct crash_stage *stage)
{
	const struct arena_header *h = (const struct arena_header *)(const void *)stage->other_map;
	const struct process_record *processes =
		(const struct process_record *)(const void *)(stage->other_map + h->processes_at);
	uint32_t all = 0;

	for (uint32_t i = 0; i < 8; i++)
		all |= processes[i].state != PROCESS_FREE ? 1u << i : 0;
	return all;
}

void crash_hold(const struct crash_stage *stage, uint32_t processes, struct life *ret_holder)
{
	char why[ARENA_WHY_BYTES];

	assert_int_equal(alive_open(stage->other.dir_fd, false, ret_holder, why), 0);
	for (uint32_t i = 0; i < 8; i++)
		if ((processes >> i & 1) != 0)
			assert_true(alive_take(ret_holder, ALIVE_BYTE(i)));
}

/* ------------------------------------------------------------------ arriving */

/*
 * When the arena is of an earlier boot, workers are told to start an agent; so they do, possibly
 * both at the same time.
 */
static int open_worker(const struct crash_stage *stage, struct corral **ret_corral)
{
	int r = corral_open(stage->other.path, 0, ret_corral);

	for (int i = 0; r == -ESTALE && i < 1000; i++) {
		struct agent agent = { 0 };
		if (crash_take_up(&agent, stage->other.path) == EXIT_DONE)
			agent_give_up(&agent);
		r = corral_open(stage->other.path, 0, ret_corral);
	}
	return r;
}

static void open_running_agent(const struct crash_stage *stage, struct crash_guest *guest)
{
	static const struct agent_options options;
	struct corral *worker;

	int r = corral_open(stage->other.path, ATTACH_AGENT | CORRAL_OBSERVE, &guest->corral);
	if (r == -ESTALE) {
		assert_int_equal(open_worker(stage, &worker), 0);
		corral_close(worker);
		r = corral_open(stage->other.path, ATTACH_AGENT | CORRAL_OBSERVE, &guest->corral);
	}
	assert_int_equal(r, 0);
	begin_as(&guest->agent, &options);
	guest->agent.corral = guest->corral;
}

static void open_new_agent(const struct crash_stage *stage, struct crash_guest *guest)
{
	assert_int_equal(crash_take_up(&guest->agent, stage->other.path), EXIT_DONE);
	guest->takes_up = true;
	guest->corral = guest->agent.corral;
}

static void do_round(struct crash_guest *guest)
{
	must(handle_actor(guest->corral, &guest->agent.actor) == 0);
	if (guest->agent.damaged == NULL)
		must(damaged_begin(&guest->agent) == 0);
	agent_tick(&guest->agent);
}

/* ------------------------------------------------------------------ two at once */

struct runner {
	const struct crash_stage *stage;
	struct crash_guest *guest;
	int (*again)(struct corral *corral);
	const char *id;
	uint32_t *ready; /* number of threads at the start */
	int ret;
	bool is_agent;
	unsigned cpu;
};

static void *run(void *context)
{
	struct runner *self = context;
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(self->cpu, &cpu);
	(void)sched_setaffinity(0, sizeof(cpu),
				&cpu); /* where that is not allowed they take turns */
	crash_op_id = self->id;
	fetch_add_relaxed(self->ready, 1u);
	while (load_acquire(self->ready) < 2)
		sched_yield();
	if (self->guest->corral == NULL)
		self->ret = open_worker(self->stage, &self->guest->corral);
	if (self->ret == 0 && self->is_agent)
		do_round(self->guest);
	if (self->ret == 0)
		self->ret = self->again(self->guest->corral);
	return NULL; /* the thread gives its record back as it ends */
}

static void run_both(struct runner runners[2], int rets[2])
{
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t other;
	cpu_set_t before;
	uint32_t ready = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	for (unsigned i = 0; i < 2; i++) {
		runners[i].cpu = i % (unsigned)cpus;
		runners[i].ready = &ready;
	}
	assert_int_equal(pthread_create(&other, NULL, run, &runners[1]), 0);
	const char *id = crash_op_id;
	run(&runners[0]);
	crash_op_id = id;
	assert_int_equal(pthread_join(other, NULL), 0);
	(void)sched_setaffinity(0, sizeof(before), &before);
	rets[0] = runners[0].ret;
	rets[1] = runners[1].ret;
}

void crash_arrive(const struct crash_stage *stage, enum crash_arrival who, uint32_t dead,
		  int (*again)(struct corral *corral), const char *const ids[2],
		  struct crash_guest guests[2], int rets[2])
{
	bool before = who == CRASH_WAITER || who == CRASH_RUNNING_AGENT ||
		      who == CRASH_TWO_WAITERS || who == CRASH_WAITER_AND_AGENT;
	struct runner runners[2] = { { stage, &guests[0], again, ids[0], NULL, 0, false, 0 },
				     { stage, &guests[1], again, ids[1], NULL, 0,
				       who == CRASH_WAITER_AND_AGENT, 0 } };
	struct life holder;

	memset(guests, 0, 2 * sizeof(*guests));
	if (before) /* attach while the others still live */
		crash_hold(stage, dead, &holder);
	if (who == CRASH_NEW_AGENT)
		open_new_agent(stage, &guests[0]);
	else if (who == CRASH_RUNNING_AGENT)
		open_running_agent(stage, &guests[0]);
	else if (who != CRASH_TWO_NEWCOMERS)
		assert_int_equal(open_worker(stage, &guests[0].corral), 0);
	if (who == CRASH_TWO_WAITERS)
		assert_int_equal(open_worker(stage, &guests[1].corral), 0);
	if (who == CRASH_WAITER_AND_AGENT)
		open_running_agent(stage, &guests[1]);
	for (int i = 0; i < 2 && guests[i].corral != NULL; i++)
		assert_int_equal(corral_set_patience(guests[i].corral, 200), 0);
	if (before)
		alive_close(&holder);
	if (who == CRASH_NEW_AGENT || who == CRASH_RUNNING_AGENT)
		do_round(&guests[0]);
	if (who == CRASH_NEWCOMER)
		(void)alive_bury_all(&guests[0].corral->arena, &guests[0].corral->share->life,
				     repair_process);
	if (crash_two(who))
		run_both(runners, rets);
}

void crash_leave(struct crash_guest guests[2])
{
	for (int i = 0; i < 2; i++) {
		if (guests[i].takes_up)
			agent_give_up(&guests[i].agent);
		else
			corral_close(guests[i].corral);
		damaged_end(&guests[i].agent);
	}
}
