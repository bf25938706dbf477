/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * orders_support.h: what the tests of the public calls share beyond support.h: keys, items and
 * operations in one line, and workers that each open the arena themselves.
 */
#ifndef ORDERS_SUPPORT_H
#define ORDERS_SUPPORT_H

#include <pthread.h>

#include "support.h"

#define T(literal) ((struct corral_text){ (literal), sizeof(literal) - 1 })

/* cmocka setup and teardown: *state is a yard whose arena holds 1000 carts. */
int orders_setup(void **state);
int orders_teardown(void **state);

/* Make a yard. */
void orders_yard(struct yard *yard, uint64_t bytes, uint32_t max_carts, uint64_t ttl_ms);

struct corral_key orders_key(const char *restaurant, const char *session);

/* A plain item. */
struct corral_item orders_item(const char *menu_item_id, int64_t price_cents, uint32_t quantity);

/* An operation with this id (or NULL) and expected version. */
struct corral_op orders_op(const char *id, uint64_t if_version);

/* Add a plain item; op_id may be NULL. Returns what corral_add() returns. */
int orders_add(struct corral *corral, const struct corral_key *key, const char *menu_item_id,
	       int64_t price_cents, uint32_t quantity, const char *op_id,
	       struct corral_result *ret_result);

/* Read the cart's head. Returns what corral_read_begin() returns. */
int orders_head(struct corral *corral, const struct corral_key *key, struct corral_head *ret_head);

/* A handle for a body: a thread uses `shared`; a process (shared NULL) opens its own. */
struct corral *orders_come(const struct yard *yard, struct corral *shared);
void orders_go(struct corral *corral, const struct corral *shared);

/* A barrier in shared memory. */
void orders_barrier_init(pthread_barrier_t *barrier, unsigned count);

#endif
