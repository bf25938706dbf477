/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * make_room.h: a change found no room.
 */
#ifndef CORRAL_MAKE_ROOM_H
#define CORRAL_MAKE_ROOM_H

#include "sync/alive.h"

/*
 * No lock is held. Readers who hold back what is retired are waited for a little (some milliseconds
 * in all); then the oldest view is revoked, one a round. False: there is nothing more to hope for.
 */
bool make_room(struct actor *actor, uint32_t round);

#endif
