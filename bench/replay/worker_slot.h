/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker_slot.h: one worker process of the replay, as the supervisor sees it: started, ready,
 * leaving, gone; and the lines that it has and did not answer. See supervisor.h.
 */
#ifndef CORRAL_BENCH_WORKER_SLOT_H
#define CORRAL_BENCH_WORKER_SLOT_H

#include <sys/types.h>

#include "base/base.h"
#include "wire.h"

enum slot_state {
	SLOT_EMPTY,
	SLOT_STARTING, /* has not said hello yet */
	SLOT_READY,
	SLOT_LEAVING, /* was told to go, or killed, or is found dead: takes no more lines */
};

struct worker_slot {
	enum slot_state state;
	bool called; /* its end is what we wanted */
	pid_t pid;
	int socket;
	uint32_t pending[WIRE_WINDOW]; /* lines that it has and did not answer */
	uint32_t pending_count;
};

/* Start a worker on an empty slot. 0 or -errno. */
int slot_start(struct worker_slot *slot, const char *directory, const char *restaurant,
	       int text_fd);

/* Has it room for a line? */
static inline bool slot_has_room(const struct worker_slot *slot)
{
	return slot->state == SLOT_READY && slot->pending_count < WIRE_WINDOW;
}

/* Give it a line. If it turns out to be dead the line counts as given all the same. */
void slot_give(struct worker_slot *slot, const struct wire_task *task);

/* It answered: the line is no longer pending. False: it was not there. */
bool slot_answered(struct worker_slot *slot, uint32_t line);

/* Its next message: 1; 0: none now; -EPIPE: it is dying, and this was all. */
int slot_receive(struct worker_slot *slot, struct wire_answer *ret_answer);

/* Tell it to go once it has answered what it has; or kill it now. */
void slot_quit(struct worker_slot *slot);
void slot_kill(struct worker_slot *slot);

/* Wait for its end (killed after a while) and empty the slot; its pending lines stay. Its wait
 * status. */
int slot_reap(struct worker_slot *slot);

#endif
