/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * versions.h: a version names one content for ever, also where some were lost.
 *
 * Who made or takes up an arena of which versions may have been lost that somebody has seen begins
 * a later epoch in it: one that was recovered from the journal or rebuilt of what was sound, one of
 * an earlier boot, one that is older than its journal, a copy. The carts keep the versions they
 * have, which name what they hold; the next ones jump. An arena of this boot that is what it was
 * needs no jump: nothing of it is lost.
 */
#ifndef CORRAL_AGENT_VERSIONS_H
#define CORRAL_AGENT_VERSIONS_H

#include "arena/arena.h"

/*
 * Begin an epoch behind every version that the arena knows of. `used`: in the epochs before this
 * one others may have given versions. Before anybody attaches.
 */
void versions_jump(struct arena *arena, uint32_t used);

#endif
