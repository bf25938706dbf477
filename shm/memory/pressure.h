/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pressure.h: what to do when a class has no block and the page table no run of pages. */
#ifndef CORRAL_PRESSURE_H
#define CORRAL_PRESSURE_H

#include "sync/alive.h"

/*
 * Find memory: retired blocks whose grace period can be ended now, the leftovers of records without
 * owner, spans in which all is free, a block of a larger class. *class_no may grow. 0, or `error`
 * when there is none. Called with no lock of this layer held.
 */
int pressure_relieve(struct actor *actor, uint32_t *class_no, int error);

/* Give spans in which every block is free back to the page table. Returns the pages freed. */
uint32_t block_scavenge(struct actor *actor);

/*
 * Give disk space behind the last span back to the file system, `most` bytes at a time (a multiple
 * of EXTENT_BYTES), if at least `least` bytes of it are reserved. For quiet times, some time after
 * block_scavenge(). Returns the bytes given back; 0: there are none to give; -EBUSY: not now;
 * -EOPNOTSUPP ...: what fallocate() says.
 */
int64_t block_trim(struct actor *actor, uint64_t least, uint64_t most);

/*
 * Take the blocks of a class's doomed spans out of its list and give the pages back. The caller (or
 * the dead one being repaired) holds the class's lock and space_lock; every block of these spans is
 * in the list, or was.
 */
void pressure_dissolve(struct arena *arena, uint32_t class_no);

#endif
