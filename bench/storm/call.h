/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.h: make a call of a storm: turn its numbers into a call of Corral, and the answer into
 * numbers.
 */
#ifndef CORRAL_BENCH_STORM_CALL_H
#define CORRAL_BENCH_STORM_CALL_H

#include "op_log.h"

#define STORM_RESTAURANT "storm"
#define STORM_KEY_BYTES 16

/* The key of a cart, whose text is written to `session`. */
struct corral_key storm_key(uint32_t cart, char session[STORM_KEY_BYTES]);

/* Make the call, and store the answer in it. The caller sets its state. */
void storm_make_call(struct corral *corral, struct storm_call *call);

/* The name of a kind of call in histories. */
const char *storm_kind_name(uint32_t kind);

#endif
