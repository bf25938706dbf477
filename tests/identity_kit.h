/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identity_kit.h: what the 59_identity tests share: somebody who stops in the middle of a change,
 * and looks at who is there.
 */
#ifndef IDENTITY_KIT_H
#define IDENTITY_KIT_H

#include "orders_support.h"

#include "api/handle.h"

#define IDENTITY_PATIENCE_MS 60

/* Wait until a word that others share is set. */
void identity_wait_for(const uint32_t *word);

/* As in the middle of a change of the cart: its slot's lock is ours. */
struct slot *identity_take_cart(struct corral *corral, const struct corral_key *key);
void identity_drop_cart(struct corral *corral, struct slot *slot);

/* How many dead processes were found and repaired. */
uint32_t identity_bury_all(struct corral *corral);

/* The record in use that has this pid; any but ours for 0. NULL: none. */
const struct process_record *identity_record_of(const struct corral *corral, pid_t pid);

/* Does /proc say that the process runs sleep(1)? */
bool identity_is_sleep(pid_t pid);

#endif
