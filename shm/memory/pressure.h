/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pressure.h: what to do when a class has no block and the
 * page table no run of pages.
 */
#ifndef CORRAL_PRESSURE_H
#define CORRAL_PRESSURE_H

#include "sync/alive.h"

/*
 * Find memory: retired blocks whose grace period can be ended now, the leftovers of records without
 * owner, spans in which all is free, a block of a larger class. *class may grow. `refill` fills the
 * actor's cache of a class. 0, or `error` when there is none. Called with no lock of this floor
 * held.
 */
int pressure_relieve(struct actor *actor, uint32_t *class, int error,
		     int (*refill)(struct actor *actor, uint32_t class, bool waits));

/*
 * Take the blocks of a class's doomed spans out of its list and give the pages back. The caller (or
 * the dead one being repaired) holds the class's lock and space_lock; every block of these spans is
 * in the list, or was.
 */
void pressure_dissolve(struct arena *arena, uint32_t class);

#endif
