/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * make_room.h: what a change does when it finds no memory.
 */
#ifndef CORRAL_MAKE_ROOM_H
#define CORRAL_MAKE_ROOM_H

#include "sync/alive.h"

/*
 * The caller holds no lock. Wait a little (some milliseconds in all) for readers that hold retired
 * memory back; then revoke the oldest view, one per round. False: there is nothing more to try.
 */
bool make_room(struct actor *actor, uint32_t round);

#endif
