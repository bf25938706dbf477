/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nemesis.c: the worker processes of a storm. See nemesis.h.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nemesis.h"
#include "worker.h"

#define WORKERS_NICE 5       /* the judge has to keep up with all of them */
#define STRIKES 16u          /* kinds of strikes, see strike() */
#define KILLS_OF_STRIKES 13u /* that so many of them bring */
#define STOP_NS_MAX 20000000u
#define LATER_KILLS 16u /* an empty seat stays so for half as many kills, on average */
#define AGENT_DIES_NS 1000000000u
#define AGENT_BACK_NS 200000000u
#define AGENT_AWAY_NS 3000000000u
#define SHORT_PATIENCE_MS 4u
#define PATIENCE_MS 1000u
#define LEAVE_NS 10000000000u
#define PAUSE_NS 500000

static uint64_t within(struct storm_crowd *crowd, uint64_t ns)
{
	return bench_random(&crowd->random) % (ns + 1);
}

static bool chance(struct storm_crowd *crowd, uint32_t of)
{
	return bench_random_below(&crowd->random, of) == 0;
}

/* ------------------------------------------------------------------- birth */

static _Noreturn void live(const struct storm_birth *birth, pid_t parent)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(BENCH_WRONG);
	(void)setpriority(PRIO_PROCESS, 0, WORKERS_NICE);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	action.sa_handler = SIG_IGN; /* an interrupt is for the judge, who ends all */
	sigaction(SIGINT, &action, NULL);
	_exit(storm_work(birth));
}

static void start(struct storm_crowd *crowd, uint32_t seat)
{
	struct storm_place *place = &crowd->places[seat];
	struct storm_birth birth = { .board = crowd->lives->board,
				     .corral = chance(crowd, 2) ? crowd->lives->corral : NULL,
				     .directory = crowd->sandbox->directory,
				     .seat = seat,
				     .threads = chance(crowd, 4) ? 2 : 1,
				     .patience_ms =
					     chance(crowd, 4) ? SHORT_PATIENCE_MS : PATIENCE_MS,
				     .random = bench_random(&crowd->random) };
	pid_t parent = getpid(), pid;

	store_relaxed(&crowd->lives->board->seats[seat].quit, 0);
	pid = fork();
	if (pid == 0)
		live(&birth, parent);
	if (pid < 0) {
		place->due_ns = bench_now_ns() + AGENT_BACK_NS; /* out of memory: later */
		return;
	}
	place->pid = pid;
	place->state = STORM_LIVING;
}

static bool fill_places(struct storm_crowd *crowd, uint64_t now)
{
	uint32_t living = 0;
	bool some = false;

	for (uint32_t seat = 0; seat < crowd->workers; seat++)
		living += crowd->places[seat].state == STORM_LIVING;
	for (uint32_t seat = 0; seat < crowd->workers; seat++) {
		const struct storm_place *place = &crowd->places[seat];

		if (place->state != STORM_EMPTY ||
		    (place->due_ns > now && living > crowd->workers / 4))
			continue;
		start(crowd, seat);
		living++;
		some = true;
	}
	return some;
}

/* ------------------------------------------------------------------- death */

static void took_leave(struct storm_crowd *crowd, uint32_t seat, int status)
{
	struct storm_place *place = &crowd->places[seat];
	bool wanted = place->state == STORM_DYING ?
			      WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL :
			      place->state == STORM_LEAVING && WIFEXITED(status) &&
				      WEXITSTATUS(status) == BENCH_DONE;

	if (!wanted) {
		crowd->crashes++;
		if (WIFSIGNALED(status))
			bench_say("worker %u (pid %d) died of signal %d", seat, (int)place->pid,
				  WTERMSIG(status));
		else
			bench_say("worker %u (pid %d) ended with exit code %d", seat,
				  (int)place->pid, WEXITSTATUS(status));
	}
	if (place->state == STORM_DYING)
		crowd->lives->waits.dying_ns =
			max_u64(crowd->lives->waits.dying_ns, bench_now_ns() - place->due_ns);
	storm_waits_go_on(&crowd->lives->waits, seat, bench_now_ns());
	storm_lives_bury(crowd->lives, seat, place->pid);
	place->state = STORM_EMPTY;
	place->due_ns = bench_now_ns();
	if (chance(crowd, 2))
		place->due_ns += within(crowd, LATER_KILLS * crowd->kill_every_ns);
}

static bool reap(struct storm_crowd *crowd)
{
	siginfo_t ended = { 0 };
	bool some = false;

	/* one question for all of them; the agent is not ours to reap */
	if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0)
		return false;
	for (uint32_t seat = 0; seat < crowd->workers; seat++) {
		struct storm_place *place = &crowd->places[seat];
		int status;

		if (place->state == STORM_EMPTY ||
		    waitpid(place->pid, &status, WNOHANG) != place->pid)
			continue;
		took_leave(crowd, seat, status);
		some = true;
	}
	return some;
}

static void kill_one(struct storm_crowd *crowd, uint32_t seat)
{
	kill(crowd->places[seat].pid, SIGKILL);
	crowd->places[seat].state = STORM_DYING;
	crowd->places[seat].due_ns = bench_now_ns();
	crowd->kills++;
}

static void stop_one(struct storm_crowd *crowd, uint32_t seat, bool kill_stopped)
{
	struct storm_place *place = &crowd->places[seat];
	uint64_t now = bench_now_ns();

	storm_waits_stop(&crowd->lives->waits, seat, now);
	kill(place->pid, SIGSTOP);
	place->state = STORM_STOPPED;
	place->kill_stopped = kill_stopped;
	place->due_ns = now + within(crowd, STOP_NS_MAX);
	crowd->stops++;
}

static void end_stop(struct storm_crowd *crowd, uint32_t seat)
{
	struct storm_place *place = &crowd->places[seat];

	if (place->kill_stopped) {
		kill_one(crowd, seat); /* it counts as stopped until it is reaped */
		return;
	}
	kill(place->pid, SIGCONT);
	storm_waits_go_on(&crowd->lives->waits, seat, bench_now_ns());
	place->state = STORM_LIVING;
}

static bool end_stops(struct storm_crowd *crowd, uint64_t now)
{
	bool some = false;

	for (uint32_t seat = 0; seat < crowd->workers; seat++) {
		if (crowd->places[seat].state != STORM_STOPPED || crowd->places[seat].due_ns > now)
			continue;
		end_stop(crowd, seat);
		some = true;
	}
	return some;
}

static void send_away(struct storm_crowd *crowd, uint32_t seat)
{
	store_relaxed(&crowd->lives->board->seats[seat].quit, 1);
	crowd->places[seat].state = STORM_LEAVING;
	crowd->exits++;
}

/* A living worker; UINT32_MAX: there is none. */
static uint32_t somebody(struct storm_crowd *crowd)
{
	uint32_t first = bench_random_below(&crowd->random, crowd->workers);

	for (uint32_t i = 0; i < crowd->workers; i++) {
		uint32_t seat = (first + i) % crowd->workers;

		if (crowd->places[seat].state == STORM_LIVING)
			return seat;
	}
	return UINT32_MAX;
}

static void strike(struct storm_crowd *crowd)
{
	uint32_t seat = somebody(crowd), way = bench_random_below(&crowd->random, STRIKES);

	if (seat == UINT32_MAX)
		return;
	switch (way) {
	case 0:
	case 1:
		stop_one(crowd, seat, false);
		break;
	case 2:
		stop_one(crowd, seat, true);
		break;
	case 3:
	case 4:
		send_away(crowd, seat);
		break;
	default:
		kill_one(crowd, seat);
		seat = way == 5 ? somebody(crowd) : UINT32_MAX;
		if (seat != UINT32_MAX)
			kill_one(crowd, seat); /* two at once */
		break;
	}
}

/* ------------------------------------------------------------------- agent */

static bool strike_agent(struct storm_crowd *crowd, uint64_t now)
{
	if (sandbox_agent_gone(crowd->sandbox))
		crowd->crashes++;
	if (!crowd->kill_agent || now < crowd->agent_ns)
		return false;
	if (crowd->sandbox->agent != 0) {
		sandbox_kill_agent(crowd->sandbox);
		crowd->agent_kills++;
		crowd->agent_ns =
			now + within(crowd, chance(crowd, 4) ? AGENT_AWAY_NS : AGENT_BACK_NS);
	} else {
		(void)sandbox_start_agent(crowd->sandbox);
		crowd->agent_ns = now + within(crowd, 2 * (uint64_t)AGENT_DIES_NS);
	}
	return true;
}

/* ------------------------------------------------------------------- crowd */

void storm_crowd_begin(struct storm_crowd *crowd)
{
	uint64_t now = bench_now_ns();

	crowd->strike_ns = now + crowd->kill_every_ns;
	crowd->agent_ns = now + AGENT_DIES_NS;
	for (uint32_t seat = 0; seat < crowd->workers; seat++)
		start(crowd, seat);
}

bool storm_crowd_go_on(struct storm_crowd *crowd)
{
	uint64_t now = bench_now_ns();
	bool some = reap(crowd);

	some |= end_stops(crowd, now);
	if (crowd->strike_ns <= now) {
		strike(crowd);
		crowd->strike_ns +=
			within(crowd, 2 * crowd->kill_every_ns * KILLS_OF_STRIKES / STRIKES);
		some = true;
	}
	some |= fill_places(crowd, now);
	return strike_agent(crowd, now) || some;
}

static bool everybody_gone(const struct storm_crowd *crowd)
{
	for (uint32_t seat = 0; seat < crowd->workers; seat++)
		if (crowd->places[seat].state != STORM_EMPTY)
			return false;
	return true;
}

bool storm_crowd_end(struct storm_crowd *crowd)
{
	struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint64_t give_up = bench_now_ns() + LEAVE_NS;
	bool patient = true;

	for (uint32_t seat = 0; seat < crowd->workers; seat++) {
		if (crowd->places[seat].state == STORM_STOPPED)
			end_stop(crowd, seat);
		if (crowd->places[seat].state == STORM_LIVING) {
			store_relaxed(&crowd->lives->board->seats[seat].quit, 1);
			crowd->places[seat].state = STORM_LEAVING;
		}
	}
	while (!everybody_gone(crowd)) {
		(void)storm_lives_go_on(crowd->lives);
		(void)reap(crowd);
		nanosleep(&pause, NULL);
		if (!patient || bench_now_ns() < give_up)
			continue;
		patient = false;
		for (uint32_t seat = 0; seat < crowd->workers; seat++)
			if (crowd->places[seat].state != STORM_EMPTY) {
				bench_say("worker %u does not end; killed", seat);
				kill(crowd->places[seat].pid, SIGKILL);
			}
	}
	return patient && crowd->crashes == 0;
}
