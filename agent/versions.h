/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * versions.h: a version names one content for ever, even where versions were lost.
 *
 * An agent that makes or takes up an arena begins a later epoch in it if versions that callers saw
 * may have been lost: if the arena was recovered from the journal or rebuilt from its valid parts,
 * is of an earlier boot, is older than its journal, or is a copy. The carts keep their versions,
 * which name what they contain; the next ones jump. An unchanged arena of this boot needs no jump:
 * nothing of it is lost.
 */
#ifndef CORRAL_AGENT_VERSIONS_H
#define CORRAL_AGENT_VERSIONS_H

#include "arena/arena.h"

/*
 * Begin an epoch beyond every version that the arena knows. `used`: versions of epochs before this
 * one may have been given elsewhere. Called before any process attaches.
 */
void versions_jump(struct arena *arena, uint32_t used);

#endif
