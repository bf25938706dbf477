/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker_slot.h: one worker process of the replay, as the crew sees it: started, ready, leaving,
 * gone; and the lines it has on its table. See supervisor.h.
 */
#ifndef CORRAL_BENCH_SEAT_H
#define CORRAL_BENCH_SEAT_H

#include <sys/types.h>

#include "base/base.h"
#include "wire.h"

enum seat_state {
	SEAT_EMPTY,
	SEAT_STARTING, /* has not said hello yet */
	SEAT_READY,
	SEAT_LEAVING, /* was told to go, or killed, or is found dead: takes no more lines */
};

struct seat {
	enum seat_state state;
	bool called; /* its end is what we wanted */
	pid_t pid;
	int socket;
	uint32_t table[WIRE_WINDOW]; /* lines that it has and did not answer */
	uint32_t table_count;
};

/* Start a worker on an empty seat. 0 or -errno. */
int seat_start(struct seat *seat, const char *directory, const char *restaurant, int text_fd);

/* Has it room for a line? */
static inline bool seat_has_room(const struct seat *seat)
{
	return seat->state == SEAT_READY && seat->table_count < WIRE_WINDOW;
}

/* Give it a line. If it turns out to be dead the line stays on its table all the same. */
void seat_give(struct seat *seat, const struct wire_task *task);

/* Take a line from its table: it answered. False: it was not there. */
bool seat_answered(struct seat *seat, uint32_t line);

/* Its next message: 1; 0: none now; -EPIPE: it is dying, and this was all. */
int seat_receive(struct seat *seat, struct wire_answer *ret_answer);

/* Tell it to go once it has answered what it has; or kill it now. */
void seat_quit(struct seat *seat);
void seat_kill(struct seat *seat);

/* Wait for its end (killed after a while) and empty the seat; its table stays. Its wait status. */
int seat_reap(struct seat *seat);

#endif
