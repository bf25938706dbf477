/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * span.h: the page table.
 */
#ifndef CORRAL_SPAN_H
#define CORRAL_SPAN_H

#include "sync/alive.h"

/* The number of pages to keep reserved when `pages` are in use: some are spare. */
uint32_t span_pages_with_spare(const struct arena *arena, uint32_t pages);

/*
 * Find and reserve a run of free pages and make it the bump region of a class. The caller holds the
 * class's lock and has no intent. -ENOMEM: no run; -ENOSPC ...: the disk; -EBUSY.
 */
int span_carve(struct actor *actor, uint32_t class_no);

/*
 * Count header.pages_used anew, which a death may have left off. False: the table is locked; try
 * again.
 */
bool span_count_used(struct actor *actor);

/* Give a span's pages back. The caller holds space_lock; the last store takes effect. */
void span_uncarve(struct arena *arena, uint32_t page);

#endif
