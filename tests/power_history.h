/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_history.h: what happened to each cart, in order, so that a recovered directory can be
 * judged: for the power-loss test.
 *
 * An event is a new version of a cart, or its end. All events are counted; a promise
 * (power_trace.h) names two of these counts. Where the power went, a cart is what it was after its
 * last event that was synced, or after a later one that had
 * happened: byte for byte, or not there.
 */
#ifndef POWER_HISTORY_H
#define POWER_HISTORY_H

#include "corral.h"
#include "power_trace.h"

#define POWER_KEYS 16u

void power_history_begin(uint64_t seed);
uint32_t power_history_events(void);

/* Change or end some cart; it is in the history before anybody is let go on (power_lock()). */
void power_history_change(struct corral *corral);

/*
 * NULL: what is there is one of what may be, and each next version is a new one; else a sentence
 * that is valid until the next call. Changes each cart, and makes those that are not there.
 * known: something was left that tells that versions had been given.
 */
const char *power_history_judge(struct corral *corral, struct power_promise promise, bool known);

#endif
