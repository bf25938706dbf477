/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* block_repair.h: what a death leaves of memory to do. See block_repair.c. */
#ifndef CORRAL_BLOCK_REPAIR_H
#define CORRAL_BLOCK_REPAIR_H

#include "sync/alive.h"

/*
 * Resolve the intents of this layer for a dead thread, and free its locks of this layer. Never
 * waits. Returns DEATH_...
 */
uint32_t block_repair(struct arena *arena, struct thread_record *record, uint32_t name);

#endif
