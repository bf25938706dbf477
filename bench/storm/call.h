/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.h: a call of a storm, from its numbers to Corral and back.
 */
#ifndef CORRAL_BENCH_STORM_CALL_H
#define CORRAL_BENCH_STORM_CALL_H

#include "op_log.h"

#define STORM_RESTAURANT "storm"
#define STORM_KEY_BYTES 16

/* The key of a cart; its text is written to session. */
struct corral_key storm_key(uint32_t cart, char session[STORM_KEY_BYTES]);

/* Make the call; the answer goes into it, but not its state. */
void storm_make_call(struct corral *corral, struct storm_call *call);

/* As it stands in histories. */
const char *storm_kind_name(uint32_t kind);

#endif
