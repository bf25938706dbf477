/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nemesis.c: the worker processes of a storm. See nemesis.h.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/child.h"
#include "nemesis.h"
#include "worker.h"

#define WORKERS_NICE 5       /* the checker has to keep up with all workers */
#define STRIKES 16u          /* the number of kinds of strikes, see strike() */
#define KILLS_OF_STRIKES 13u /* the kills in one strike of each kind */
#define STOP_NS_MAX 20000000u
#define LATER_KILLS 16u /* an empty slot stays empty for half this many kills, on average */
#define AGENT_DIES_NS 1000000000u
#define AGENT_BACK_NS 200000000u
#define AGENT_AWAY_NS 3000000000u
#define SHORT_PATIENCE_MS 4u
#define PATIENCE_MS 1000u
#define LEAVE_NS 10000000000u
#define PAUSE_NS 500000

static uint64_t within(struct storm_nemesis *nemesis, uint64_t ns)
{
	return bench_random(&nemesis->random) % (ns + 1);
}

static bool chance(struct storm_nemesis *nemesis, uint32_t of)
{
	return bench_random_below(&nemesis->random, of) == 0;
}

/* ------------------------------------------------------------------- start */

static int live(void *plan)
{
	(void)setpriority(PRIO_PROCESS, 0, WORKERS_NICE);
	return storm_work(plan);
}

static void start(struct storm_nemesis *nemesis, uint32_t slot)
{
	struct storm_process *process = &nemesis->processes[slot];
	struct storm_worker_plan plan = {
		.op_log = nemesis->rounds->op_log,
		.corral = chance(nemesis, 2) ? nemesis->rounds->corral : NULL,
		.directory = nemesis->sandbox->directory,
		.slot = slot,
		.threads = chance(nemesis, 4) ? 2 : 1,
		.patience_ms = chance(nemesis, 4) ? SHORT_PATIENCE_MS : PATIENCE_MS,
		.random = bench_random(&nemesis->random)
	};
	pid_t pid;

	store_relaxed(&nemesis->rounds->op_log->slots[slot].quit, 0);
	pid = child_fork(live, &plan);
	if (pid < 0) {
		process->due_ns = bench_now_ns() + AGENT_BACK_NS; /* no memory: retry later */
		return;
	}
	process->pid = pid;
	process->state = STORM_LIVING;
}

static bool fill_slots(struct storm_nemesis *nemesis, uint64_t now)
{
	uint32_t living = 0;
	bool some = false;

	for (uint32_t slot = 0; slot < nemesis->workers; slot++)
		living += nemesis->processes[slot].state == STORM_LIVING;
	for (uint32_t slot = 0; slot < nemesis->workers; slot++) {
		const struct storm_process *process = &nemesis->processes[slot];

		if (process->state != STORM_EMPTY ||
		    (process->due_ns > now && living > nemesis->workers / 4))
			continue;
		start(nemesis, slot);
		living++;
		some = true;
	}
	return some;
}

/* ------------------------------------------------------------------- death */

static void took_leave(struct storm_nemesis *nemesis, uint32_t slot, int status)
{
	struct storm_process *process = &nemesis->processes[slot];
	bool wanted = process->state == STORM_DYING ?
			      WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL :
			      process->state == STORM_LEAVING && WIFEXITED(status) &&
				      WEXITSTATUS(status) == BENCH_DONE;

	if (!wanted) {
		nemesis->crashes++;
		if (WIFSIGNALED(status))
			bench_say("worker %u (pid %d) died of signal %d", slot, (int)process->pid,
				  WTERMSIG(status));
		else
			bench_say("worker %u (pid %d) ended with exit code %d", slot,
				  (int)process->pid, WEXITSTATUS(status));
	}
	if (process->state == STORM_DYING)
		nemesis->rounds->latencies.dying_ns = max_u64(nemesis->rounds->latencies.dying_ns,
							      bench_now_ns() - process->due_ns);
	storm_latencies_go_on(&nemesis->rounds->latencies, slot, bench_now_ns());
	storm_rounds_bury(nemesis->rounds, slot, process->pid);
	process->state = STORM_EMPTY;
	process->due_ns = bench_now_ns();
	if (chance(nemesis, 2))
		process->due_ns += within(nemesis, LATER_KILLS * nemesis->kill_every_ns);
}

static bool reap(struct storm_nemesis *nemesis)
{
	siginfo_t ended = { 0 };
	bool some = false;

	/* ask once for all workers, without reaping: the sandbox reaps the agent */
	if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0)
		return false;
	for (uint32_t slot = 0; slot < nemesis->workers; slot++) {
		struct storm_process *process = &nemesis->processes[slot];
		int status;

		if (process->state == STORM_EMPTY ||
		    waitpid(process->pid, &status, WNOHANG) != process->pid)
			continue;
		took_leave(nemesis, slot, status);
		some = true;
	}
	return some;
}

static void kill_one(struct storm_nemesis *nemesis, uint32_t slot)
{
	kill(nemesis->processes[slot].pid, SIGKILL);
	nemesis->processes[slot].state = STORM_DYING;
	nemesis->processes[slot].due_ns = bench_now_ns();
	nemesis->kills++;
}

static void stop_one(struct storm_nemesis *nemesis, uint32_t slot, bool kill_stopped)
{
	struct storm_process *process = &nemesis->processes[slot];
	uint64_t now = bench_now_ns();

	storm_latencies_stop(&nemesis->rounds->latencies, slot, now);
	kill(process->pid, SIGSTOP);
	process->state = STORM_STOPPED;
	process->kill_stopped = kill_stopped;
	process->due_ns = now + within(nemesis, STOP_NS_MAX);
	nemesis->stops++;
}

static void end_stop(struct storm_nemesis *nemesis, uint32_t slot)
{
	struct storm_process *process = &nemesis->processes[slot];

	if (process->kill_stopped) {
		kill_one(nemesis, slot); /* the worker counts as stopped until it is reaped */
		return;
	}
	kill(process->pid, SIGCONT);
	storm_latencies_go_on(&nemesis->rounds->latencies, slot, bench_now_ns());
	process->state = STORM_LIVING;
}

static bool end_stops(struct storm_nemesis *nemesis, uint64_t now)
{
	bool some = false;

	for (uint32_t slot = 0; slot < nemesis->workers; slot++) {
		if (nemesis->processes[slot].state != STORM_STOPPED ||
		    nemesis->processes[slot].due_ns > now)
			continue;
		end_stop(nemesis, slot);
		some = true;
	}
	return some;
}

static void send_away(struct storm_nemesis *nemesis, uint32_t slot)
{
	store_relaxed(&nemesis->rounds->op_log->slots[slot].quit, 1);
	nemesis->processes[slot].state = STORM_LEAVING;
	nemesis->exits++;
}

/* Pick a living worker at random; UINT32_MAX: there is none. */
static uint32_t somebody(struct storm_nemesis *nemesis)
{
	uint32_t first = bench_random_below(&nemesis->random, nemesis->workers);

	for (uint32_t i = 0; i < nemesis->workers; i++) {
		uint32_t slot = (first + i) % nemesis->workers;

		if (nemesis->processes[slot].state == STORM_LIVING)
			return slot;
	}
	return UINT32_MAX;
}

static void strike(struct storm_nemesis *nemesis)
{
	uint32_t slot = somebody(nemesis), way = bench_random_below(&nemesis->random, STRIKES);

	if (slot == UINT32_MAX)
		return;
	switch (way) {
	case 0:
	case 1:
		stop_one(nemesis, slot, false);
		break;
	case 2:
		stop_one(nemesis, slot, true);
		break;
	case 3:
	case 4:
		send_away(nemesis, slot);
		break;
	default:
		kill_one(nemesis, slot);
		slot = way == 5 ? somebody(nemesis) : UINT32_MAX;
		if (slot != UINT32_MAX)
			kill_one(nemesis, slot); /* a second one at the same time */
		break;
	}
}

/* ------------------------------------------------------------------- agent */

static bool strike_agent(struct storm_nemesis *nemesis, uint64_t now)
{
	if (sandbox_agent_gone(nemesis->sandbox))
		nemesis->crashes++;
	if (!nemesis->kill_agent || now < nemesis->agent_ns)
		return false;
	if (nemesis->sandbox->agent != 0) {
		sandbox_kill_agent(nemesis->sandbox);
		nemesis->agent_kills++;
		nemesis->agent_ns =
			now + within(nemesis, chance(nemesis, 4) ? AGENT_AWAY_NS : AGENT_BACK_NS);
	} else {
		(void)sandbox_start_agent(nemesis->sandbox);
		nemesis->agent_ns = now + within(nemesis, 2 * (uint64_t)AGENT_DIES_NS);
	}
	return true;
}

/* ------------------------------------------------------------------- nemesis */

void storm_nemesis_begin(struct storm_nemesis *nemesis)
{
	uint64_t now = bench_now_ns();

	nemesis->strike_ns = now + nemesis->kill_every_ns;
	nemesis->agent_ns = now + AGENT_DIES_NS;
	for (uint32_t slot = 0; slot < nemesis->workers; slot++)
		start(nemesis, slot);
}

bool storm_nemesis_go_on(struct storm_nemesis *nemesis)
{
	uint64_t now = bench_now_ns();
	bool some = reap(nemesis);

	some |= end_stops(nemesis, now);
	if (nemesis->strike_ns <= now) {
		strike(nemesis);
		nemesis->strike_ns +=
			within(nemesis, 2 * nemesis->kill_every_ns * KILLS_OF_STRIKES / STRIKES);
		some = true;
	}
	if (storm_rounds_may_start(nemesis->rounds))
		some |= fill_slots(nemesis, now);
	return strike_agent(nemesis, now) || some;
}

static bool everybody_gone(const struct storm_nemesis *nemesis)
{
	for (uint32_t slot = 0; slot < nemesis->workers; slot++)
		if (nemesis->processes[slot].state != STORM_EMPTY)
			return false;
	return true;
}

bool storm_nemesis_end(struct storm_nemesis *nemesis)
{
	struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint64_t give_up = bench_now_ns() + LEAVE_NS;
	bool patient = true;

	for (uint32_t slot = 0; slot < nemesis->workers; slot++) {
		if (nemesis->processes[slot].state == STORM_STOPPED)
			end_stop(nemesis, slot);
		if (nemesis->processes[slot].state == STORM_LIVING) {
			store_relaxed(&nemesis->rounds->op_log->slots[slot].quit, 1);
			nemesis->processes[slot].state = STORM_LEAVING;
		}
	}
	while (!everybody_gone(nemesis)) {
		(void)storm_rounds_go_on(nemesis->rounds);
		(void)reap(nemesis);
		nanosleep(&pause, NULL);
		if (!patient || bench_now_ns() < give_up)
			continue;
		patient = false;
		for (uint32_t slot = 0; slot < nemesis->workers; slot++)
			if (nemesis->processes[slot].state != STORM_EMPTY) {
				bench_say("worker %u does not end; killed", slot);
				kill(nemesis->processes[slot].pid, SIGKILL);
			}
	}
	return patient && nemesis->crashes == 0;
}
