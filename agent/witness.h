/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * witness.h: the journal as a second source when a damaged arena is rebuilt: its versions of each
 * cart, by the hash of the key.
 */
#ifndef CORRAL_AGENT_WITNESS_H
#define CORRAL_AGENT_WITNESS_H

#include "agent.h"
#include "inspect/salvage.h"

struct witness;

struct witness_arena { /* the arena whose carts the journal is asked for */
	uint64_t hash_seed;
	const struct salvage *salvage; /* it is damaged; NULL: it is sound, and has this uuid */
	const uint8_t *uuid;
};

/*
 * Read the journal of the directory, past all damage in it, for this arena. 0; -ENOENT: there is no
 * journal; -ENOMEM; other -errno: the directory cannot be opened. A journal that is not about this
 * arena, or cannot be read, is a source without carts.
 */
int witness_open(const struct agent *agent, const struct witness_arena *arena,
		 struct witness **ret_witness);
void witness_close(struct witness *witness);

/* For salvage_carts(); valid as long as the witness is open. */
const struct salvage_witness *witness_voice(struct witness *witness);

/*
 * Not every cart has come over: link the journal's files into a directory, so that the base of the
 * new arena's journal does not remove the last copy of one. *ret_name: that directory. 0 or -errno.
 */
int witness_keep(const struct witness *witness, const char **ret_name);

#endif
