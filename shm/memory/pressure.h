/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pressure.h: what to do when a class has no block and the page table no run of pages. */
#ifndef CORRAL_PRESSURE_H
#define CORRAL_PRESSURE_H

#include "sync/alive.h"

/*
 * Find memory: retired blocks whose grace period can end now, the leftovers of records without an
 * owner, spans that are all free, a block of a larger class. *class_no may grow. 0, or `error` if
 * there is none. The caller holds no lock of this layer.
 */
int pressure_relieve(struct actor *actor, uint32_t *class_no, int error);

/* Give spans whose blocks are all free back to the page table. Returns the pages freed. */
uint32_t block_scavenge(struct actor *actor);

/*
 * Give disk space behind the last span back to the file system, `most` bytes at a time (a multiple
 * of EXTENT_BYTES), if at least `least` bytes of it are reserved. For quiet times, some time after
 * block_scavenge(). Returns the bytes given back; 0: there are none to give; -EBUSY: not now;
 * -EOPNOTSUPP ...: the error of fallocate().
 */
int64_t block_trim(struct actor *actor, uint64_t least, uint64_t most);

/*
 * Take the blocks of a class's doomed spans out of its list and give the pages back. The caller (or
 * the dead thread under repair) holds the class's lock and space_lock; every block of these spans
 * is in the list, or was.
 */
void pressure_dissolve(struct arena *arena, uint32_t class_no);

#endif
