/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * board.h: the lists of tickets that were asked for. Several who want the same carts wait for one
 * list.
 */
#ifndef CORRAL_WEB_BOARD_H
#define CORRAL_WEB_BOARD_H

#include <jansson.h>

#include "listing.h"
#include "watch.h"

#define BOARD_JOBS_MAX 8u

struct board_job {
	struct board_job *next;
	struct listing listing;
	uint64_t position; /* the id from which one listens, to miss nothing */
	size_t rendered;   /* rows that have become tickets */
	json_t *tickets;
	uint32_t waiting; /* connections that wait for it */
	bool done;
	int error;  /* 0, or why there is no list */
	char *text; /* the answer */
};

struct board {
	struct source *source;
	struct watch *watch;
	struct board_job *jobs;
	void (*wake)(struct board_job *job); /* it is done */
};

/* The job that is to be waited for; -EAGAIN: there are too many; other -errno. */
int board_ask(struct board *board, const char *restaurant_id, uint32_t most,
	      struct board_job **ret_job);

/* A connection does not wait for it any more. */
void board_leave(struct board *board, struct board_job *job);

/* Work for some milliseconds. Is there more to do? */
bool board_step(struct board *board);

#endif
