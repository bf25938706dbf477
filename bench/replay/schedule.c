/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schedule.c: the schedule of a replay's events. See schedule.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "harness/bench.h"
#include "schedule.h"

static int compare(const void *left, const void *right)
{
	const struct event *a = left, *b = right;

	if (a->due != b->due)
		return a->due < b->due ? -1 : 1;
	return a->rank < b->rank ? -1 : a->rank > b->rank;
}

/* The middle of part `index` of `parts` equal parts of the lines. */
static uint32_t part_of(uint32_t lines, uint32_t index, uint32_t parts)
{
	return (uint32_t)((uint64_t)lines * (2 * (uint64_t)index + 1) / (2 * (uint64_t)parts));
}

int schedule_make(uint32_t lines, uint32_t workers, uint32_t deploys, uint32_t restarts,
		  uint64_t *random, struct schedule *ret_schedule)
{
	uint32_t replacements = workers * deploys, count = 0, kill_first = 0;
	struct event *events =
		calloc((size_t)replacements + 2 * (size_t)restarts + 1, sizeof(*events));

	if (events == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < replacements; i++) {
		if (i % 2 == 0)
			kill_first = bench_random_below(random, 2);
		events[count++] =
			(struct event){ .due = part_of(lines, i, replacements),
					.kind = i % 2 == kill_first ? EVENT_QUIT : EVENT_KILL,
					.slot = i % workers };
	}
	/* of 2n parts the agent dies in each odd one, and is started in the even one after it */
	for (uint32_t i = 0; i < 2 * restarts; i++)
		events[count++] =
			(struct event){ .due = part_of(lines, i, 2 * restarts),
					.kind = i % 2 == 0 ? EVENT_AGENT_KILL : EVENT_AGENT_START };
	for (uint32_t i = 0; i < count; i++)
		events[i].rank = i;
	qsort(events, count, sizeof(*events), compare);
	*ret_schedule = (struct schedule){ .events = events, .count = count };
	return 0;
}

const struct event *schedule_due(const struct schedule *schedule, uint32_t done)
{
	if (schedule->next == schedule->count || schedule->events[schedule->next].due > done)
		return NULL;
	return &schedule->events[schedule->next];
}
