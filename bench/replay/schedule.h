/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schedule.h: the schedule of a replay's events. They are spread evenly over its progress, not over
 * time, so that all of them happen on a fast machine too.
 */
#ifndef CORRAL_BENCH_SCHEDULE_H
#define CORRAL_BENCH_SCHEDULE_H

#include "base/base.h"

enum event_kind { EVENT_QUIT, EVENT_KILL, EVENT_AGENT_KILL, EVENT_AGENT_START };

struct event {
	uint32_t due; /* the number of done lines at which it is due */
	enum event_kind kind;
	uint32_t slot; /* QUIT, KILL */
	uint32_t rank; /* the order of events that are due together */
};

struct schedule {
	struct event *events;
	uint32_t count;
	uint32_t next;
};

/*
 * The worker of each of `workers` slots is replaced `deploys` times, one slot after the other;
 * every second replacement is by SIGKILL. The agent is killed `restarts` times, and started halfway
 * to its next death. 0 or -ENOMEM; the caller frees ret_schedule->events.
 */
int schedule_make(uint32_t lines, uint32_t workers, uint32_t deploys, uint32_t restarts,
		  uint64_t *random, struct schedule *ret_schedule);

/* The event that is due once `done` lines are done; NULL: none. */
const struct event *schedule_due(const struct schedule *schedule, uint32_t done);

#endif
