/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* block_repair.h: the repair of this layer after a death. See block_repair.c. */
#ifndef CORRAL_BLOCK_REPAIR_H
#define CORRAL_BLOCK_REPAIR_H

#include "sync/alive.h"

/*
 * Resolve a dead thread's intents in this layer, and free its locks of this layer. Never waits.
 * Returns what it held, as DEATH_... bits.
 */
uint32_t block_repair(struct arena *arena, struct thread_record *record, uint32_t name);

#endif
