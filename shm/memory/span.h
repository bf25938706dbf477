/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * span.h: the page table.
 */
#ifndef CORRAL_SPAN_H
#define CORRAL_SPAN_H

#include "sync/alive.h"

/* So many pages are to be reserved where this many are in use: some are kept spare. */
uint32_t span_pages_with_spare(const struct arena *arena, uint32_t pages);

/*
 * Find and reserve a run of free pages and give it to a class, whose lock the caller holds, with no
 * intent: its bump region is the new span. -ENOMEM: no run; -ENOSPC ...: the disk; -EBUSY.
 */
int span_carve(struct actor *actor, uint32_t class_no);

/* Give a span's pages back. The caller holds space_lock; the last store is the one that counts. */
void span_uncarve(struct arena *arena, uint32_t page);

#endif
