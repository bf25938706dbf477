/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * model.h: a model of a cart, which says what the cart must be after which calls: a second,
 * independent implementation of the rules of corral.h, for the checker of a storm.
 */
#ifndef CORRAL_BENCH_STORM_MODEL_H
#define CORRAL_BENCH_STORM_MODEL_H

#include "op_log.h"

#define STORM_ROUND_CALLS 256u                             /* at most, in one round of a cart */
#define STORM_LINES (STORM_ROUND_CALLS * STORM_STEPS + 1u) /* of a cart in a round */

struct storm_line {
	uint64_t item;
	uint32_t line;
	uint32_t quantity;
	uint32_t own_rate; /* in ppm, plus one; 0: the cart's */
};

struct storm_adjustment {
	uint32_t name;
	uint32_t value; /* as in struct storm_step */
};

struct storm_model {
	uint64_t version; /* while there is no cart: the version of the last one */
	bool there;
	uint8_t status;
	uint32_t tax_ppm;
	uint32_t ttl_ms;
	uint32_t next_line;
	uint32_t attributes[STORM_ATTRIBUTES]; /* their values; 0: absent */
	uint32_t line_count;
	uint64_t item_count;
	int64_t subtotal_cents;
	int64_t tax_cents;
	int64_t total_cents;
	uint32_t adjustment_count;
	struct storm_adjustment adjustments[STORM_ADJUSTMENTS]; /* in the order of their places */
	struct storm_line lines[STORM_LINES];
};

/* Set the model to: there is no cart, and the last one had this version. */
void storm_model_clear(struct storm_model *model, uint64_t version);

/* The lines that a change answers. */
struct storm_lines {
	uint32_t line;               /* the last one */
	uint32_t steps[STORM_STEPS]; /* APPLY: of each step; 0: none */
};

/*
 * Apply a change. 0, or the -errno that the call must answer, with the model unchanged. A cart that
 * this makes gets the version first_version.
 */
int storm_model_apply(struct storm_model *model, const struct storm_call *call,
		      uint64_t first_version, struct storm_lines *ret_lines);

/*
 * The error that the call must answer in this state; 0: none. *ret_step: the step that is refused,
 * as corral_apply() tells it; else 0.
 */
int storm_model_error(const struct storm_model *model, const struct storm_call *call,
		      uint32_t *ret_step);

/* Is the call's error the right one in this state? */
bool storm_model_refuses(const struct storm_model *model, const struct storm_call *call);

/*
 * Is the call's answer the right one for the model's state? (The version and the sums; for reads
 * all of it.)
 */
bool storm_model_answers(const struct storm_model *model, const struct storm_call *call);

/* Are the lines that the call answers the right ones? A repeat has only the last one of the first.
 */
bool storm_model_names(const struct storm_lines *lines, const struct storm_call *call);

/* Copy a model: only the lines that it has. */
void storm_model_copy(struct storm_model *to, const struct storm_model *from);

/* The steps of a change: those of an APPLY, else the call as one step. Returns how many. */
uint32_t storm_model_steps(const struct storm_call *call, struct storm_step steps[STORM_STEPS]);

bool storm_model_equal(const struct storm_model *left, const struct storm_model *right);

/*
 * Set the model's lines, attributes and sums from a cart that was read. 0, or -EUCLEAN: it is not a
 * cart of the storm.
 */
int storm_model_read(const struct corral_cart *cart, struct storm_model *ret_model);

#endif
