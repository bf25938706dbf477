/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rounds.h: the carts of a storm, round after round: takes the workers' logs, and when
 * a round is over compares it with the cart, drops the cart, and opens its gate again. See
 * op_log.h.
 */
#ifndef CORRAL_BENCH_STORM_ROUNDS_H
#define CORRAL_BENCH_STORM_ROUNDS_H

#include <stdio.h>
#include <sys/types.h>

#include "latencies.h"
#include "model.h"

#define STORM_DEAD 256u

/* One round of a cart, as far as its calls were taken from the logs. */
struct storm_round {
	uint32_t number;
	bool may_drop;
	bool over;       /* checked, and not dropped yet: somebody stopped has a lock */
	uint64_t before; /* version of the cart before */
	uint64_t dead;   /* so many had died when the last call of a dead one was taken */
	uint32_t count;
	struct storm_call calls[STORM_ROUND_CALLS];
};

struct storm_counts {
	uint64_t acknowledged; /* changes */
	uint64_t reads;
	uint64_t refused;  /* for want of a lock or room */
	uint64_t declined; /* by the rules: no such line, other version, checked out... */
	uint64_t pending;
	uint64_t happened; /* of those; known where the round was checked whole */
	uint64_t sent_again;
	uint64_t rounds;
	uint64_t lost;
	uint64_t twice;
	uint64_t disorder;
};

struct storm_rounds {
	struct storm_op_log *op_log;
	struct corral *corral; /* the checker's */
	FILE *history;         /* or NULL */
	uint64_t random;
	uint32_t workers;
	struct storm_counts counts;
	struct storm_latencies latencies;
	struct storm_round carts[STORM_CARTS];
	/*
	 * the dead, until what they held is repaired; who died as number n is at n % STORM_DEAD
	 */
	uint64_t dead_seen;
	uint64_t dead_gone;
	pid_t dead[STORM_DEAD];
	uint64_t dead_ns;
};

/* Open all gates. */
void storm_rounds_begin(struct storm_rounds *rounds);

/* Take what is in the logs, check the rounds that are over. False: there was nothing to do. */
bool storm_rounds_go_on(struct storm_rounds *rounds);

/* The process of this slot is dead and reaped: its last calls have no answer. */
void storm_rounds_bury(struct storm_rounds *rounds, uint32_t slot, pid_t pid);

/* No worker is left: check all rounds and drop all carts. False: that did not come to an end. */
bool storm_rounds_end(struct storm_rounds *rounds);

#endif
