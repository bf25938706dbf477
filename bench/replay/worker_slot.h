/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker_slot.h: one worker process of the replay, as the supervisor sees it: started, ready,
 * leaving, gone; and the lines that it has not answered yet. See supervisor.h.
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
	SLOT_LEAVING, /* told to quit, killed or found dead: it is given no lines */
};

struct worker_slot {
	enum slot_state state;
	bool called; /* its end is expected */
	pid_t pid;
	int socket;
	uint32_t pending[WIRE_WINDOW]; /* its unanswered lines */
	uint32_t pending_count;
};

/* Start a worker in an empty slot. 0 or -errno. */
int slot_start(struct worker_slot *slot, const char *directory, const char *restaurant,
	       int text_fd);

/* Has the slot room for a line? */
static inline bool slot_has_room(const struct worker_slot *slot)
{
	return slot->state == SLOT_READY && slot->pending_count < WIRE_WINDOW;
}

/* Give the worker a line. The line counts as given even if the worker turns out to be dead. */
void slot_give(struct worker_slot *slot, const struct wire_task *task);

/* The worker has answered: the line is no longer pending. False: the line was not pending. */
bool slot_answered(struct worker_slot *slot, uint32_t line);

/*
 * Receive the worker's next message. 1: a message was received; 0: none has arrived yet; -EPIPE:
 * the worker's end of the socket is closed.
 */
int slot_receive(struct worker_slot *slot, struct wire_answer *ret_answer);

/* Tell the worker to quit once it has answered its lines; or kill it now. */
void slot_quit(struct worker_slot *slot);
void slot_kill(struct worker_slot *slot);

/*
 * Wait for the worker's end (after a while it is killed), and empty the slot, except for its
 * pending lines. Returns its wait status.
 */
int slot_reap(struct worker_slot *slot);

#endif
