/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rounds.h: checks the carts of a storm, round after round: takes calls from the workers' logs, and
 * when a round is over, compares it with the cart, drops the cart, and opens its gate again. See
 * op_log.h.
 */
#ifndef CORRAL_BENCH_STORM_ROUNDS_H
#define CORRAL_BENCH_STORM_ROUNDS_H

#include <stdio.h>
#include <sys/types.h>

#include "judge.h"
#include "latencies.h"
#include "model.h"

#define STORM_DEAD 256u

/* One round of a cart, with the calls that were taken from the logs so far. */
struct storm_round {
	uint32_t number;
	bool may_drop;
	bool over;       /* checked, but not dropped yet, since a stopped process holds a lock */
	uint64_t before; /* the version of the cart before this one */
	uint64_t dead;   /* the number of deaths when the last call of a dead worker was taken */
	uint32_t count;
	struct storm_call calls[STORM_ROUND_CALLS];
};

struct storm_counts {
	uint64_t acknowledged; /* changes */
	uint64_t reads;
	uint64_t refused;  /* for lack of a lock or of room */
	uint64_t declined; /* by the rules: no such line, another version, checked out... */
	uint64_t pending;
	uint64_t happened; /* of the pending ones; known where the round was checked whole */
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
	/*
	 * The feed's judge. Unless `outrun` is set, workers get no further calls while the reader
	 * is behind, so no event is overwritten before it is read.
	 */
	struct storm_judge *judge;
	bool outrun;
	uint64_t behind_since_ns; /* 0: it is not */
	uint64_t behind_ns;       /* the longest time */
	uint64_t random;
	uint32_t workers;
	struct storm_counts counts;
	struct storm_latencies latencies;
	struct storm_round carts[STORM_CARTS];
	/* the dead, until everything they held is repaired; the n-th death is at n % STORM_DEAD */
	uint64_t dead_seen;
	uint64_t dead_gone;
	pid_t dead[STORM_DEAD];
	uint64_t dead_ns;
};

/* Open all gates for the first round. */
void storm_rounds_begin(struct storm_rounds *rounds);

/*
 * Take the calls in the logs, and check the rounds that are over. False: there was nothing to do.
 */
bool storm_rounds_go_on(struct storm_rounds *rounds);

/* May further workers begin? Not while the feed's reader is behind. */
bool storm_rounds_may_start(const struct storm_rounds *rounds);

/* The process of this slot is dead and reaped, so its last calls will get no answer. */
void storm_rounds_bury(struct storm_rounds *rounds, uint32_t slot, pid_t pid);

/*
 * Check all rounds and drop all carts, once no worker is left. False: this did not come to an end.
 */
bool storm_rounds_end(struct storm_rounds *rounds);

#endif
