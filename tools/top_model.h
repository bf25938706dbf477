/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top_model.h: the carts that `corral top` shows, in the order that was asked for. Events and the
 * rows of a list go in; rows come out, by their place. It opens nothing, draws nothing, and reads
 * no clock.
 *
 * The carts that pass the filter stand in their order, in pieces of some hundred. An event moves
 * one of them, and a place is found by the pieces' sizes: so neither an event nor a frame goes over
 * all carts. Another order or filter does, once.
 */
#ifndef CORRAL_TOOLS_TOP_MODEL_H
#define CORRAL_TOOLS_TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "corral.h"

struct top_model;

enum top_order {
	TOP_BY_AGE, /* the oldest first */
	TOP_BY_TOTAL,
	TOP_BY_IDLE,   /* the one without activity for longest first */
	TOP_BY_CHANGE, /* what changed last first */
	TOP_BY_ITEMS,
	TOP_BY_NAME,
	TOP_ORDERS
};

struct top_cart {
	const char *restaurant_id; /* not escaped */
	const char *session_id;
	uint64_t version;
	int64_t created_ms; /* since 1970; of a cart whose beginning was not seen: when it was */
	int64_t changed_ms;
	int64_t active_ms; /* the last activity that is known, changes included */
	int64_t total_cents;
	uint32_t item_count;
	uint32_t digits;
	uint32_t status; /* enum corral_status */
	uint32_t step;   /* what the last change did first: enum corral_step_kind; 0: not known */
	int32_t pid;     /* of the process that made it; 0: not known */
};

struct top_model *top_model_new(void);
void top_model_free(struct top_model *model);

/* Take in an event. A gap counts as missed. */
void top_model_event(struct top_model *model, const struct corral_event *event);

/*
 * A list of all carts begins; a row of it; it was whole. Carts that were there before and that
 * neither the list nor an event has told of are over: top_model_sweep() takes them out, some of
 * them in each call; true: that is done.
 */
void top_model_list(struct top_model *model);
void top_model_entry(struct top_model *model, const struct corral_entry *entry);
void top_model_listed(struct top_model *model);
bool top_model_sweep(struct top_model *model, size_t most);

/* There is no such cart any more; version: the last that is known to be over. */
void top_model_ended(struct top_model *model, const char *restaurant_id, const char *session_id,
		     uint64_t version);

/* What a look at a cart has found. */
struct top_seen {
	struct corral_head head;
	int64_t expires_ms;
};
void top_model_seen(struct top_model *model, const struct top_cart *cart,
		    const struct top_seen *seen);

/* Order the carts; reverse: the other way round. */
void top_model_order(struct top_model *model, enum top_order order, bool reverse);

/* Only carts with this in one of their ids, in letters of either case; "": all. */
void top_model_filter(struct top_model *model, const char *text);

size_t top_model_carts(const struct top_model *model); /* all that are known */
size_t top_model_rows(const struct top_model *model);  /* of them, those that pass the filter */

/* The cart in this place; NULL: past the end. Valid until the model changes. */
const struct top_cart *top_model_at(const struct top_model *model, size_t place);

/* The place of a cart; SIZE_MAX: it is not there. */
size_t top_model_place(const struct top_model *model, const char *restaurant_id,
		       const char *session_id);

uint64_t top_model_missed(const struct top_model *model); /* gaps so far */

/* The words of an order, such as "age"; NULL past the last. */
const char *top_order_name(uint32_t order);

#endif
