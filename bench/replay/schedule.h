/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schedule.h: what happens when in a replay: spread evenly over its progress, not over
 * time, so that all of it happens on a fast machine too.
 */
#ifndef CORRAL_BENCH_SCHEDULE_H
#define CORRAL_BENCH_SCHEDULE_H

#include "base/base.h"

enum event_kind { EVENT_QUIT, EVENT_KILL, EVENT_AGENT_KILL, EVENT_AGENT_START };

struct event {
	uint32_t due; /* when so many lines are done */
	enum event_kind kind;
	uint32_t slot; /* QUIT, KILL */
	uint32_t rank; /* orders those that are due together */
};

struct schedule {
	struct event *events;
	uint32_t count;
	uint32_t next;
};

/*
 * Each of `workers` slots is replaced `deploys` times, one slot after the other, of two
 * replacements always one by SIGKILL; the agent is killed `restarts` times and started halfway to
 * its next death. 0 or -ENOMEM; ret_schedule->events is for free().
 */
int schedule_make(uint32_t lines, uint32_t workers, uint32_t deploys, uint32_t restarts,
		  uint64_t *random, struct schedule *ret_schedule);

/* The event that is due when `done` lines are; NULL: none. */
const struct event *schedule_due(const struct schedule *schedule, uint32_t done);

#endif
