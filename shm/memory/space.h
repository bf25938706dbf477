/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * space.h: the page table. Only block.c and scavenge.c use it.
 */
#ifndef CORRAL_SPACE_H
#define CORRAL_SPACE_H

#include "sync/alive.h"

/*
 * Find and reserve a run of free pages and give it to a class. The caller holds the class's lock
 * and no intent; *ret_first: the span's first page. -ENOMEM: no run; -ENOSPC ...: the disk; -EBUSY.
 * On return the class's bump region is the new span.
 */
int space_carve(struct actor *actor, uint32_t class);

/* Give a span's pages back. The caller holds space_lock; the last store is the one that counts. */
void space_uncarve(struct arena *arena, uint32_t page);

#endif
