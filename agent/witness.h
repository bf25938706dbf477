/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * witness.h: the journal as the second witness when a damaged arena is rebuilt: what it has of each
 * cart, by the hash of its key.
 */
#ifndef CORRAL_AGENT_WITNESS_H
#define CORRAL_AGENT_WITNESS_H

#include "agent.h"
#include "inspect/salvage.h"

struct witness;

/*
 * Read the journal of the directory, over all that is damaged in it, for the arena with this hash
 * seed and uuid (NULL: not known). 0; -ENOENT: there is no journal; -ENOMEM; other -errno: the
 * directory cannot be opened. A journal that says nothing of this arena, or cannot be read, is a
 * witness that knows nothing.
 */
int witness_open(const struct agent *agent, uint64_t hash_seed, const uint8_t *uuid,
		 struct witness **ret_witness);
void witness_close(struct witness *witness);

/* For salvage_carts(); as long as it is open. */
const struct salvage_witness *witness_voice(struct witness *witness);

/*
 * Not every cart has come over: the journal's files get a second name each, so that the base of the
 * new arena's journal does not remove the last copy of one. *ret_name: of their directory. 0 or
 * -errno.
 */
int witness_keep(const struct witness *witness, const char **ret_name);

#endif
