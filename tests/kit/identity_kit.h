/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identity_kit.h: what the 59_identity tests share: stopping in the middle of a change, and
 * counting the records in use.
 */
#ifndef IDENTITY_KIT_H
#define IDENTITY_KIT_H

#include "orders_support.h"

#include "api/handle.h"

#define IDENTITY_PATIENCE_MS 60

/* Wait until a shared word is nonzero. */
void identity_wait_for(const uint32_t *word);

/* Take the cart's slot lock, as a change does in the middle. */
struct slot *identity_take_cart(struct corral *corral, const struct corral_key *key);
void identity_drop_cart(struct corral *corral, struct slot *slot);

/* Repair all dead processes; returns how many there were. */
uint32_t identity_bury_all(struct corral *corral);

/* The record in use with this pid; with pid 0, any but ours. NULL: there is none. */
const struct process_record *identity_record_of(const struct corral *corral, pid_t pid);

/* True if /proc says that the process runs sleep(1). */
bool identity_is_sleep(pid_t pid);

#endif
