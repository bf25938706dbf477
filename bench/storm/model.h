/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * model.h: what a cart must be after which calls: the rules of corral.h once more,
 * by other means, for the checker of a storm.
 */
#ifndef CORRAL_BENCH_STORM_MODEL_H
#define CORRAL_BENCH_STORM_MODEL_H

#include "op_log.h"

#define STORM_ROUND_CALLS 256u /* in one round of a cart, at most */
#define STORM_LINES (STORM_ROUND_CALLS + STORM_REPLACE_LINES + 1u) /* of a cart in it */

struct storm_line {
	uint64_t item;
	uint32_t line;
	uint32_t quantity;
};

struct storm_model {
	uint64_t version; /* also while it is not there: that of its last cart */
	bool there;
	uint8_t status;
	uint32_t tax_ppm;
	uint32_t ttl_ms;
	uint32_t next_line;
	uint32_t attributes[STORM_ATTRIBUTES]; /* values; 0: not there */
	uint32_t line_count;
	uint64_t item_count;
	int64_t subtotal_cents;
	int64_t tax_cents;
	struct storm_line lines[STORM_LINES];
};

/* A cart that is not there, and whose last one had this version. */
void storm_model_clear(struct storm_model *model, uint64_t version);

/*
 * Do a change. 0, or the -errno that it must answer, and nothing has changed. *ret_line: the line
 * that it answers. A cart that this makes gets the version first_version.
 */
int storm_model_apply(struct storm_model *model, const struct storm_call *call,
		      uint64_t first_version, uint32_t *ret_line);

/* The error that a call must answer in this state; 0: none. */
int storm_model_error(const struct storm_model *model, const struct storm_call *call);

/* Is this answer the one of the model's state? (Version, sums; for reads all of it.) */
bool storm_model_answers(const struct storm_model *model, const struct storm_call *call);

bool storm_model_equal(const struct storm_model *left, const struct storm_model *right);

/* Its lines, attributes and sums, from a cart that was read. 0, or -EUCLEAN: it is none of ours. */
int storm_model_read(const struct corral_cart *cart, struct storm_model *ret_model);

#endif
