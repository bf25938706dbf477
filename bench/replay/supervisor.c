/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * supervisor.c: the poll loop that feeds the workers of a replay. See supervisor.h.
 *
 * A line is waiting, pending at a slot, to be sent again, or done. At most WIRE_WINDOW lines are
 * pending at each slot, and lines that are to be sent again go first, so the list of these is
 * bounded.
 *
 * A cart remembers its last CORRAL_OPS_KEPT operation ids. A line that is sent again must find its
 * own id still remembered. So of each order only lines within ORDER_WINDOW of the oldest one that
 * is not done are under way: fewer than ORDER_WINDOW before any line, and as many after it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "harness/progress.h"
#include "schedule.h"
#include "supervisor.h"
#include "worker_slot.h"

#define ORDER_WINDOW (CORRAL_OPS_KEPT / 2)
#define LINES_AHEAD                                                                                \
	(4 * WIRE_WINDOW) /* of an event: so that it finds lines under way, and some are left for  \
			     the next */
#define ATTEMPTS_MAX 3    /* for a line that corral_add() refuses */
#define CRASHES_MAX 16    /* unexpected ends of workers before the replay gives up */
#define STALL_S 30u       /* time without any message after which the replay gives up */
#define POLL_MS 100
#define POLL_AGENT_MS 1
#define KILL_DELAY_NS 100000u /* a kill comes at a random moment within this time */

struct supervisor {
	const struct supervisor_settings *settings;
	struct supervisor_outcome *outcome;
	struct sandbox *sandbox;
	struct worker_slot *slots;
	struct pollfd *polls;
	struct schedule schedule;
	uint64_t random;
	uint32_t line_count;
	uint32_t next;     /* the first line that was never sent */
	uint32_t done;     /* acknowledged or given up */
	uint8_t *is_done;  /* by line */
	uint8_t *attempts; /* by line: the number of corral_add()'s refusals */
	uint8_t *sent;     /* by line: it went out before */
	uint32_t *oldest;  /* by order: its first line that is not done */
	uint32_t *again;   /* lines to send again */
	uint32_t again_count;
	uint64_t progress_ns; /* when the last message came */
};

/* ------------------------------------------------------------------ lines */

static void finish_line(struct supervisor *supervisor, uint32_t line)
{
	const struct order_line *lines = supervisor->settings->orders->lines;
	uint32_t *oldest = &supervisor->oldest[lines[line].order];

	supervisor->is_done[line] = 1;
	supervisor->done++;
	while (*oldest != ORDERS_NONE && supervisor->is_done[*oldest])
		*oldest = lines[*oldest].next;
}

static bool take_line(struct supervisor *supervisor, uint32_t *ret_line)
{
	const struct order_line *lines = supervisor->settings->orders->lines;
	uint32_t oldest, next_event = supervisor->schedule.next;

	if (supervisor->again_count > 0) {
		*ret_line = supervisor->again[--supervisor->again_count];
		return true;
	}
	if (supervisor->next == supervisor->line_count ||
	    (next_event < supervisor->schedule.count &&
	     supervisor->next >= supervisor->schedule.events[next_event].due + LINES_AHEAD))
		return false;
	oldest = supervisor->oldest[lines[supervisor->next].order];
	if (lines[supervisor->next].rank - lines[oldest].rank >= ORDER_WINDOW)
		return false;
	*ret_line = supervisor->next++;
	return true;
}

/* Pick a slot with room at random; NULL: none has room. */
static struct worker_slot *pick_slot(struct supervisor *supervisor)
{
	struct worker_slot *picked = NULL;
	uint32_t seen = 0;

	for (uint32_t i = 0; i < supervisor->settings->workers; i++)
		if (slot_has_room(&supervisor->slots[i]) &&
		    bench_random_below(&supervisor->random, ++seen) == 0)
			picked = &supervisor->slots[i];
	return picked;
}

/*
 * Give out lines until all slots are full, or until enough lines beyond the next event are out. A
 * worker that is about to be replaced (NULL: none) gets half of them, so that it has work when it
 * ends.
 */
static void give_lines(struct supervisor *supervisor, struct worker_slot *leaving)
{
	struct worker_slot *slot;
	uint32_t line;

	while ((slot = pick_slot(supervisor)) != NULL && take_line(supervisor, &line)) {
		const struct order_line *it = &supervisor->settings->orders->lines[line];
		struct wire_task task = { .kind = WIRE_ADD,
					  .line = line,
					  .at = it->at,
					  .size = it->size,
					  .number = it->number };

		if (leaving != NULL && slot_has_room(leaving) &&
		    bench_random_below(&supervisor->random, 2) == 0)
			slot = leaving;
		supervisor->outcome->resent += supervisor->sent[line];
		supervisor->sent[line] = 1;
		slot_give(slot, &task);
	}
}

static void take_answer(struct supervisor *supervisor, const struct wire_answer *answer)
{
	struct supervisor_outcome *outcome = supervisor->outcome;

	if (answer->error == 0) {
		outcome->acknowledged++;
		outcome->repeated += !answer->applied;
		histogram_add(&outcome->adds, answer->add_ns);
		finish_line(supervisor, answer->line);
		return;
	}
	if (++supervisor->attempts[answer->line] < ATTEMPTS_MAX) {
		supervisor->again[supervisor->again_count++] = answer->line;
		return;
	}
	progress_clear();
	bench_say("line %u of the file: %s",
		  supervisor->settings->orders->lines[answer->line].number,
		  corral_strerror(answer->error));
	outcome->failed++;
	finish_line(supervisor, answer->line);
}

/* ------------------------------------------------------------------ slots */

static enum bench_exit fill_slot(struct supervisor *supervisor, struct worker_slot *slot)
{
	int r = slot_start(slot, supervisor->sandbox->directory, supervisor->settings->restaurant,
			   supervisor->settings->orders->fd);

	if (r == 0)
		return BENCH_DONE;
	bench_say("cannot start a worker: %s", strerror(-r));
	return BENCH_NO_ARENA;
}

/* A worker is gone: its unanswered lines go to other workers, and a new worker takes its slot. */
static enum bench_exit replace(struct supervisor *supervisor, struct worker_slot *slot)
{
	bool called = slot->called;
	int status = slot_reap(slot);

	if (!called && bench_signal != 0)
		return BENCH_DONE; /* a Ctrl-C also reaches all workers */
	if (!called) {
		progress_clear();
		bench_say("a worker ended by itself (%s %d)",
			  WIFSIGNALED(status) ? "signal" : "exit code",
			  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		if (++supervisor->outcome->crashes == CRASHES_MAX)
			return BENCH_WRONG;
	}
	for (uint32_t i = 0; i < slot->pending_count; i++)
		supervisor->again[supervisor->again_count++] = slot->pending[i];
	return fill_slot(supervisor, slot);
}

static enum bench_exit listen_to(struct supervisor *supervisor, struct worker_slot *slot)
{
	struct wire_answer answer;
	int got;

	while ((got = slot_receive(slot, &answer)) > 0) {
		supervisor->progress_ns = bench_now_ns();
		if (answer.kind == WIRE_HELLO && answer.error != 0) {
			bench_say("a worker cannot attach: %s", corral_strerror(answer.error));
			return BENCH_NO_ARENA;
		}
		if (answer.kind == WIRE_HELLO && slot->state == SLOT_STARTING)
			slot->state = SLOT_READY;
		else if (answer.kind == WIRE_DONE && slot_answered(slot, answer.line))
			take_answer(supervisor, &answer);
	}
	return got < 0 ? replace(supervisor, slot) : BENCH_DONE;
}

/* ----------------------------------------------------------------- events */

/* Can the event happen now? 1 or 0; -1: the agent is gone. */
static int can_happen(const struct supervisor *supervisor, const struct event *event)
{
	switch (event->kind) {
	case EVENT_QUIT:
	case EVENT_KILL:
		return supervisor->slots[event->slot].state == SLOT_READY;
	case EVENT_AGENT_KILL:
		return sandbox_agent_ready(supervisor->sandbox);
	default:
		return 1;
	}
}

/*
 * Wait so that the kill can strike the worker at any point of its work. The wait does not give up
 * the processor, since the workers must not have finished their lines before the kill.
 */
static void wait_a_random_moment(struct supervisor *supervisor)
{
	uint64_t until = bench_now_ns() + bench_random_below(&supervisor->random, KILL_DELAY_NS);

	while (bench_now_ns() < until)
		;
}

static enum bench_exit happen(struct supervisor *supervisor, const struct event *event)
{
	struct worker_slot *slot = &supervisor->slots[event->slot];

	supervisor->schedule.next++;
	supervisor->progress_ns = bench_now_ns();
	wait_a_random_moment(supervisor);
	switch (event->kind) {
	case EVENT_QUIT:
		slot_quit(slot);
		supervisor->outcome->deploys++;
		break;
	case EVENT_KILL:
		slot_kill(slot);
		supervisor->outcome->deploys++;
		supervisor->outcome->killed++;
		break;
	case EVENT_AGENT_KILL:
		sandbox_kill_agent(supervisor->sandbox);
		supervisor->outcome->agent_kills++;
		break;
	case EVENT_AGENT_START:
		return sandbox_start_agent(supervisor->sandbox);
	}
	return BENCH_DONE;
}

/* ------------------------------------------------------------------- loop */

static enum bench_exit poll_slot(struct supervisor *supervisor, int timeout_ms)
{
	uint32_t count = supervisor->settings->workers;
	enum bench_exit result = BENCH_DONE;

	for (uint32_t i = 0; i < count; i++)
		supervisor->polls[i] =
			(struct pollfd){ .fd = supervisor->slots[i].socket, .events = POLLIN };
	if (poll(supervisor->polls, count, timeout_ms) < 0 && errno != EINTR) {
		bench_say("poll: %s", strerror(errno));
		return BENCH_NO_ARENA;
	}
	for (uint32_t i = 0; i < count && result == BENCH_DONE; i++)
		if (supervisor->polls[i].revents != 0)
			result = listen_to(supervisor, &supervisor->slots[i]);
	return result;
}

/* The slot whose worker is about to be replaced; NULL: none. */
static struct worker_slot *leaving_slot(const struct supervisor *supervisor,
					const struct event *event)
{
	if (event == NULL || (event->kind != EVENT_QUIT && event->kind != EVENT_KILL))
		return NULL;
	return &supervisor->slots[event->slot];
}

/*
 * One turn of the loop. An event that is due but cannot happen yet (its worker is still starting)
 * holds back further lines; otherwise the file would be done before all replacements have happened.
 */
static enum bench_exit turn(struct supervisor *supervisor)
{
	const struct event *event = schedule_due(&supervisor->schedule, supervisor->done);
	int can = event == NULL ? 1 : can_happen(supervisor, event);

	if (can < 0)
		return BENCH_NO_AGENT;
	if (can)
		give_lines(supervisor, leaving_slot(supervisor, event));
	if (can && event != NULL)
		return happen(supervisor, event);
	if (bench_now_ns() - supervisor->progress_ns > STALL_S * 1000000000ull) {
		bench_say("no worker has answered for %u s: %u of %u lines are done", STALL_S,
			  supervisor->done, supervisor->line_count);
		return BENCH_WRONG;
	}
	progress_show(supervisor->done, supervisor->line_count, "lines");
	return poll_slot(supervisor, event != NULL && event->kind == EVENT_AGENT_KILL ?
					     POLL_AGENT_MS :
					     POLL_MS);
}

static void dismiss(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->settings->workers; i++)
		if (supervisor->slots[i].state != SLOT_EMPTY)
			slot_quit(&supervisor->slots[i]);
	for (uint32_t i = 0; i < supervisor->settings->workers; i++)
		if (supervisor->slots[i].state != SLOT_EMPTY)
			slot_reap(&supervisor->slots[i]);
}

static bool make_supervisor(struct supervisor *supervisor,
			    const struct supervisor_settings *settings)
{
	const struct orders *orders = settings->orders;

	supervisor->slots = calloc(settings->workers, sizeof(*supervisor->slots));
	supervisor->polls = calloc(settings->workers, sizeof(*supervisor->polls));
	supervisor->again =
		calloc((size_t)settings->workers * WIRE_WINDOW, sizeof(*supervisor->again));
	supervisor->is_done = calloc(orders->line_count, 1);
	supervisor->attempts = calloc(orders->line_count, 1);
	supervisor->sent = calloc(orders->line_count, 1);
	supervisor->oldest = calloc(orders->order_count, sizeof(*supervisor->oldest));
	if (supervisor->slots == NULL || supervisor->polls == NULL || supervisor->again == NULL ||
	    supervisor->is_done == NULL || supervisor->attempts == NULL ||
	    supervisor->sent == NULL || supervisor->oldest == NULL ||
	    schedule_make(orders->line_count, settings->workers, settings->deploys,
			  settings->agent_restarts, &supervisor->random, &supervisor->schedule) < 0)
		return false;
	for (uint32_t i = 0; i < orders->order_count; i++)
		supervisor->oldest[i] = orders->orders[i].first_line;
	for (uint32_t i = 0; i < settings->workers; i++)
		supervisor->slots[i].socket = -1;
	return true;
}

static void free_supervisor(struct supervisor *supervisor)
{
	free(supervisor->slots);
	free(supervisor->polls);
	free(supervisor->again);
	free(supervisor->is_done);
	free(supervisor->attempts);
	free(supervisor->sent);
	free(supervisor->oldest);
	free(supervisor->schedule.events);
}

enum bench_exit supervisor_run(const struct supervisor_settings *settings,
			       struct supervisor_outcome *ret_outcome)
{
	struct supervisor supervisor = { .settings = settings,
					 .outcome = ret_outcome,
					 .sandbox = settings->sandbox,
					 .random = settings->seed,
					 .line_count = settings->orders->line_count };
	enum bench_exit result = BENCH_DONE;

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	if (!make_supervisor(&supervisor, settings)) {
		bench_say("out of memory");
		free_supervisor(&supervisor);
		return BENCH_NO_ARENA;
	}
	supervisor.progress_ns = bench_now_ns();
	for (uint32_t i = 0; i < settings->workers && result == BENCH_DONE; i++)
		result = fill_slot(&supervisor, &supervisor.slots[i]);
	while (result == BENCH_DONE && bench_signal == 0 &&
	       (supervisor.done < supervisor.line_count ||
		supervisor.schedule.next < supervisor.schedule.count))
		result = turn(&supervisor);
	progress_clear();
	dismiss(&supervisor);
	free_supervisor(&supervisor);
	if (result == BENCH_DONE && (ret_outcome->failed > 0 || ret_outcome->crashes > 0))
		result = BENCH_WRONG;
	return result;
}
