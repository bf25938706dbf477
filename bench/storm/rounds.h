/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rounds.h: the carts of a storm, life after life: takes the workers' logs, and when
 * a life is over compares it with the cart, drops the cart, and opens its gate again. See
 * storm_board.h.
 */
#ifndef CORRAL_BENCH_STORM_LIVES_H
#define CORRAL_BENCH_STORM_LIVES_H

#include <stdio.h>
#include <sys/types.h>

#include "latencies.h"
#include "model.h"

#define STORM_GHOSTS 256u

/* One life of a cart, as far as its calls were taken from the logs. */
struct storm_life {
	uint32_t number;
	bool may_drop;
	bool over;       /* judged, and not dropped yet: somebody stopped has a lock */
	uint64_t before; /* version of the cart before */
	uint64_t ghosts; /* so many had died when the last call of a dead one was taken */
	uint32_t count;
	struct storm_call calls[STORM_LIFE_CALLS];
};

struct storm_counts {
	uint64_t acknowledged; /* changes */
	uint64_t reads;
	uint64_t refused;  /* for want of a lock or room */
	uint64_t declined; /* by the rules: no such line, other version, checked out... */
	uint64_t pending;
	uint64_t happened; /* of those; known where the life was judged whole */
	uint64_t sent_again;
	uint64_t lives;
	uint64_t lost;
	uint64_t twice;
	uint64_t disorder;
};

struct storm_lives {
	struct storm_board *board;
	struct corral *corral; /* the judge's */
	FILE *history;         /* or NULL */
	uint64_t random;
	uint32_t workers;
	struct storm_counts counts;
	struct storm_waits waits;
	struct storm_life lives[STORM_CARTS];
	/*
	 * the dead, until what they held is repaired; who died as number n is at n % STORM_GHOSTS
	 */
	uint64_t ghosts_seen;
	uint64_t ghosts_gone;
	pid_t ghosts[STORM_GHOSTS];
	uint64_t ghost_ns;
};

/* Open all gates. */
void storm_lives_begin(struct storm_lives *lives);

/* Take what is in the logs, judge the lives that are over. False: there was nothing to do. */
bool storm_lives_go_on(struct storm_lives *lives);

/* The process of this seat is dead and reaped: its last calls have no answer. */
void storm_lives_bury(struct storm_lives *lives, uint32_t seat, pid_t pid);

/* No worker is left: judge all lives and drop all carts. False: that did not come to an end. */
bool storm_lives_end(struct storm_lives *lives);

#endif
