/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.h: be told of changes of carts, as watch_add() and the others of api/engine.h.
 */
#ifndef CORRAL_REDIS_WATCH_H
#define CORRAL_REDIS_WATCH_H

#include "store.h"

struct watch;

int watch_add(struct store *store, struct watch **watch, const struct corral_key *key);
int watch_next(struct store *store, struct watch *watch, int64_t until_ns, uint32_t *ret_number);
void watch_end(struct watch *watch);

#endif
