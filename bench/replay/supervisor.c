/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * supervisor.c: the poll loop that feeds the workers of a replay. See supervisor.h.
 *
 * A line is waiting, on a seat's table, to be sent again, or done. At most WIRE_WINDOW lines
 * are on each table, and lines that are to be sent again go first, so that list is bounded.
 *
 * A cart remembers its last CORRAL_OPS_KEPT operation ids. A line that is sent again must find its
 * own still there, so of one order only lines within ORDER_WINDOW of the oldest one that is not
 * done are under way: fewer than ORDER_WINDOW before the line, and as many behind it.
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
#define ATTEMPTS_MAX 3    /* of a line that corral_add() refuses */
#define CRASHES_MAX 16    /* workers that end uncalled, before we give up */
#define STALL_S 30u       /* without any message: we give up */
#define POLL_MS 100
#define POLL_AGENT_MS 1
#define KILL_DELAY_NS 100000u /* a kill strikes somewhere in this time */

struct crew {
	const struct crew_settings *settings;
	struct crew_outcome *outcome;
	struct sandbox *sandbox;
	struct seat *seats;
	struct pollfd *polls;
	struct schedule schedule;
	uint64_t random;
	uint32_t line_count;
	uint32_t next;     /* the first line that was never sent */
	uint32_t done;     /* acknowledged or given up */
	uint8_t *is_done;  /* by line */
	uint8_t *attempts; /* by line: how often corral_add() refused it */
	uint8_t *sent;     /* by line: it went out before */
	uint32_t *oldest;  /* by order: its first line that is not done */
	uint32_t *again;   /* lines to send again */
	uint32_t again_count;
	uint64_t progress_ns; /* when the last message came */
};

/* ------------------------------------------------------------------ lines */

static void finish_line(struct crew *crew, uint32_t line)
{
	const struct order_line *lines = crew->settings->orders->lines;
	uint32_t *oldest = &crew->oldest[lines[line].order];

	crew->is_done[line] = 1;
	crew->done++;
	while (*oldest != ORDERS_NONE && crew->is_done[*oldest])
		*oldest = lines[*oldest].next;
}

static bool take_line(struct crew *crew, uint32_t *ret_line)
{
	const struct order_line *lines = crew->settings->orders->lines;
	uint32_t oldest, next_event = crew->schedule.next;

	if (crew->again_count > 0) {
		*ret_line = crew->again[--crew->again_count];
		return true;
	}
	if (crew->next == crew->line_count ||
	    (next_event < crew->schedule.count &&
	     crew->next >= crew->schedule.events[next_event].due + LINES_AHEAD))
		return false;
	oldest = crew->oldest[lines[crew->next].order];
	if (lines[crew->next].rank - lines[oldest].rank >= ORDER_WINDOW)
		return false;
	*ret_line = crew->next++;
	return true;
}

/* A seat with room, picked at random; NULL: none. */
static struct seat *pick_seat(struct crew *crew)
{
	struct seat *picked = NULL;
	uint32_t seen = 0;

	for (uint32_t i = 0; i < crew->settings->workers; i++)
		if (seat_has_room(&crew->seats[i]) &&
		    bench_random_below(&crew->random, ++seen) == 0)
			picked = &crew->seats[i];
	return picked;
}

/*
 * Give out lines until all tables are full, or far enough beyond the next event. A worker that is
 * about to be replaced (NULL: none) gets half of them, so that it has some.
 */
static void give_lines(struct crew *crew, struct seat *leaving)
{
	struct seat *seat;
	uint32_t line;

	while ((seat = pick_seat(crew)) != NULL && take_line(crew, &line)) {
		const struct order_line *it = &crew->settings->orders->lines[line];
		struct wire_task task = { .kind = WIRE_ADD,
					  .line = line,
					  .at = it->at,
					  .size = it->size,
					  .number = it->number };

		if (leaving != NULL && seat_has_room(leaving) &&
		    bench_random_below(&crew->random, 2) == 0)
			seat = leaving;
		crew->outcome->resent += crew->sent[line];
		crew->sent[line] = 1;
		seat_give(seat, &task);
	}
}

static void take_answer(struct crew *crew, const struct wire_answer *answer)
{
	struct crew_outcome *outcome = crew->outcome;

	if (answer->error == 0) {
		outcome->acknowledged++;
		outcome->repeated += !answer->applied;
		histogram_add(&outcome->adds, answer->add_ns);
		finish_line(crew, answer->line);
		return;
	}
	if (++crew->attempts[answer->line] < ATTEMPTS_MAX) {
		crew->again[crew->again_count++] = answer->line;
		return;
	}
	progress_clear();
	bench_say("line %u of the file: %s", crew->settings->orders->lines[answer->line].number,
		  corral_strerror(answer->error));
	outcome->failed++;
	finish_line(crew, answer->line);
}

/* ------------------------------------------------------------------ seats */

static enum bench_exit fill_seat(struct crew *crew, struct seat *seat)
{
	int err = seat_start(seat, crew->sandbox->directory, crew->settings->restaurant,
			     crew->settings->orders->fd);

	if (err == 0)
		return BENCH_DONE;
	bench_say("cannot start a worker: %s", strerror(-err));
	return BENCH_NO_ARENA;
}

/* The worker is gone: what it did not answer goes to others, a new one takes its seat. */
static enum bench_exit replace(struct crew *crew, struct seat *seat)
{
	bool called = seat->called;
	int status = seat_reap(seat);

	if (!called && bench_signal != 0)
		return BENCH_DONE; /* a Ctrl-C reaches all */
	if (!called) {
		progress_clear();
		bench_say("a worker ended by itself (%s %d)",
			  WIFSIGNALED(status) ? "signal" : "exit code",
			  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		if (++crew->outcome->crashes == CRASHES_MAX)
			return BENCH_WRONG;
	}
	for (uint32_t i = 0; i < seat->table_count; i++)
		crew->again[crew->again_count++] = seat->table[i];
	return fill_seat(crew, seat);
}

static enum bench_exit listen_to(struct crew *crew, struct seat *seat)
{
	struct wire_answer answer;
	int got;

	while ((got = seat_receive(seat, &answer)) > 0) {
		crew->progress_ns = bench_now_ns();
		if (answer.kind == WIRE_HELLO && answer.error != 0) {
			bench_say("a worker cannot attach: %s", corral_strerror(answer.error));
			return BENCH_NO_ARENA;
		}
		if (answer.kind == WIRE_HELLO && seat->state == SEAT_STARTING)
			seat->state = SEAT_READY;
		else if (answer.kind == WIRE_DONE && seat_answered(seat, answer.line))
			take_answer(crew, &answer);
	}
	return got < 0 ? replace(crew, seat) : BENCH_DONE;
}

/* ----------------------------------------------------------------- events */

/* Can it happen now? 1 or 0; -1: the agent is gone. */
static int can_happen(const struct crew *crew, const struct event *event)
{
	switch (event->kind) {
	case EVENT_QUIT:
	case EVENT_KILL:
		return crew->seats[event->seat].state == SEAT_READY;
	case EVENT_AGENT_KILL:
		return sandbox_agent_ready(crew->sandbox);
	default:
		return 1;
	}
}

/*
 * So that the kill strikes the worker anywhere in its work. Without giving up the processor: what
 * the workers were given must not be done by then.
 */
static void wait_a_random_moment(struct crew *crew)
{
	uint64_t until = bench_now_ns() + bench_random_below(&crew->random, KILL_DELAY_NS);

	while (bench_now_ns() < until)
		;
}

static enum bench_exit happen(struct crew *crew, const struct event *event)
{
	struct seat *seat = &crew->seats[event->seat];

	crew->schedule.next++;
	crew->progress_ns = bench_now_ns();
	wait_a_random_moment(crew);
	switch (event->kind) {
	case EVENT_QUIT:
		seat_quit(seat);
		crew->outcome->deploys++;
		break;
	case EVENT_KILL:
		seat_kill(seat);
		crew->outcome->deploys++;
		crew->outcome->killed++;
		break;
	case EVENT_AGENT_KILL:
		sandbox_kill_agent(crew->sandbox);
		crew->outcome->agent_kills++;
		break;
	case EVENT_AGENT_START:
		return sandbox_start_agent(crew->sandbox);
	}
	return BENCH_DONE;
}

/* ------------------------------------------------------------------- loop */

static enum bench_exit poll_seats(struct crew *crew, int timeout_ms)
{
	uint32_t count = crew->settings->workers;
	enum bench_exit result = BENCH_DONE;

	for (uint32_t i = 0; i < count; i++)
		crew->polls[i] = (struct pollfd){ .fd = crew->seats[i].socket, .events = POLLIN };
	if (poll(crew->polls, count, timeout_ms) < 0 && errno != EINTR) {
		bench_say("poll: %s", strerror(errno));
		return BENCH_NO_ARENA;
	}
	for (uint32_t i = 0; i < count && result == BENCH_DONE; i++)
		if (crew->polls[i].revents != 0)
			result = listen_to(crew, &crew->seats[i]);
	return result;
}

/* The seat of a worker that is about to be replaced; NULL: none. */
static struct seat *leaving_seat(const struct crew *crew, const struct event *event)
{
	if (event == NULL || (event->kind != EVENT_QUIT && event->kind != EVENT_KILL))
		return NULL;
	return &crew->seats[event->seat];
}

/*
 * One turn. An event that is due but cannot happen yet (its worker is still starting) holds the
 * lines back, else the file would be done before the workers are.
 */
static enum bench_exit turn(struct crew *crew)
{
	const struct event *event = schedule_due(&crew->schedule, crew->done);
	int can = event == NULL ? 1 : can_happen(crew, event);

	if (can < 0)
		return BENCH_NO_AGENT;
	if (can)
		give_lines(crew, leaving_seat(crew, event));
	if (can && event != NULL)
		return happen(crew, event);
	if (bench_now_ns() - crew->progress_ns > STALL_S * 1000000000ull) {
		bench_say("no worker has answered for %u s: %u of %u lines are done", STALL_S,
			  crew->done, crew->line_count);
		return BENCH_WRONG;
	}
	progress_show(crew->done, crew->line_count, "lines");
	return poll_seats(crew, event != NULL && event->kind == EVENT_AGENT_KILL ? POLL_AGENT_MS :
										   POLL_MS);
}

static void dismiss(struct crew *crew)
{
	for (uint32_t i = 0; i < crew->settings->workers; i++)
		if (crew->seats[i].state != SEAT_EMPTY)
			seat_quit(&crew->seats[i]);
	for (uint32_t i = 0; i < crew->settings->workers; i++)
		if (crew->seats[i].state != SEAT_EMPTY)
			seat_reap(&crew->seats[i]);
}

static bool make_crew(struct crew *crew, const struct crew_settings *settings)
{
	const struct orders *orders = settings->orders;

	crew->seats = calloc(settings->workers, sizeof(*crew->seats));
	crew->polls = calloc(settings->workers, sizeof(*crew->polls));
	crew->again = calloc((size_t)settings->workers * WIRE_WINDOW, sizeof(*crew->again));
	crew->is_done = calloc(orders->line_count, 1);
	crew->attempts = calloc(orders->line_count, 1);
	crew->sent = calloc(orders->line_count, 1);
	crew->oldest = calloc(orders->order_count, sizeof(*crew->oldest));
	if (crew->seats == NULL || crew->polls == NULL || crew->again == NULL ||
	    crew->is_done == NULL || crew->attempts == NULL || crew->sent == NULL ||
	    crew->oldest == NULL ||
	    schedule_make(orders->line_count, settings->workers, settings->deploys,
			  settings->agent_restarts, &crew->random, &crew->schedule) < 0)
		return false;
	for (uint32_t i = 0; i < orders->order_count; i++)
		crew->oldest[i] = orders->orders[i].first_line;
	for (uint32_t i = 0; i < settings->workers; i++)
		crew->seats[i].socket = -1;
	return true;
}

static void free_crew(struct crew *crew)
{
	free(crew->seats);
	free(crew->polls);
	free(crew->again);
	free(crew->is_done);
	free(crew->attempts);
	free(crew->sent);
	free(crew->oldest);
	free(crew->schedule.events);
}

enum bench_exit crew_run(const struct crew_settings *settings, struct crew_outcome *ret_outcome)
{
	struct crew crew = { .settings = settings,
			     .outcome = ret_outcome,
			     .sandbox = settings->sandbox,
			     .random = settings->seed,
			     .line_count = settings->orders->line_count };
	enum bench_exit result = BENCH_DONE;

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	if (!make_crew(&crew, settings)) {
		bench_say("out of memory");
		free_crew(&crew);
		return BENCH_NO_ARENA;
	}
	crew.progress_ns = bench_now_ns();
	for (uint32_t i = 0; i < settings->workers && result == BENCH_DONE; i++)
		result = fill_seat(&crew, &crew.seats[i]);
	while (result == BENCH_DONE && bench_signal == 0 &&
	       (crew.done < crew.line_count || crew.schedule.next < crew.schedule.count))
		result = turn(&crew);
	progress_clear();
	dismiss(&crew);
	free_crew(&crew);
	if (result == BENCH_DONE && (ret_outcome->failed > 0 || ret_outcome->crashes > 0))
		result = BENCH_WRONG;
	return result;
}
