/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_history.h: the events of each cart, in order, so that the power-loss test can judge a
 * recovered directory.
 *
 * An event is a new version of a cart, or its end. All events are counted; a promise
 * (power_trace.h) names two of these counts. After a power loss a cart must be in the state after
 * its last synced event, or after a later event that had happened: byte for byte, or absent.
 */
#ifndef POWER_HISTORY_H
#define POWER_HISTORY_H

#include "corral.h"
#include "power_trace.h"

#define POWER_KEYS 16u

void power_history_begin(uint64_t seed);
uint32_t power_history_events(void);

/*
 * Change or end a cart. The event is in the history before any other thread continues
 * (power_lock()).
 */
void power_history_change(struct corral *corral);

/*
 * Make the named cursor, which acknowledges ends while carts change: after a power loss it brings
 * each synced end that it had not acknowledged, with the cart's last version; and each other one of
 * a cart that is gone.
 */
void power_history_begin_cursor(struct corral *corral);

/*
 * Judge a recovered arena. NULL: each cart is in an allowed state and gets a new number for its
 * next version; else a sentence that is valid until the next call. Changes each cart, and makes
 * those that are absent. `known`: something survived that shows that versions had been given out.
 */
const char *power_history_judge(struct corral *corral, struct power_promise promise, bool known);

#endif
