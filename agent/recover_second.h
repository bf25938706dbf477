/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover_second.h: the arena as a second witness, where the journal is damaged.
 */
#ifndef CORRAL_AGENT_RECOVER_SECOND_H
#define CORRAL_AGENT_RECOVER_SECOND_H

#include "inspect/salvage.h"
#include "rebuild.h"
#include "recover_index.h"

/*
 * Called before recover_index(): note what the header of DIR/arena says of the journal, if it can
 * be read.
 */
void recover_ask_arena(struct recover *recover, struct arena_header *ret_header);

/*
 * Called after recover_index(): if the file that the arena wrote last is missing, or shorter than
 * the arena knows it to be on disk, log that as damage.
 */
void recover_compare(struct recover *recover, const struct arena_header *h);

/*
 * Called after recover_index(), if the journal is damaged: take a cart that has ended out of every
 * slot, since the record that it left one of them may be what is damaged.
 */
void recover_apply_ends(struct recover *recover);

/*
 * Called after recover_ask_arena() and recover_index(): is this the very arena that the journal is
 * about, so that the journal's slots are its own? If its header is damaged, and so perhaps its
 * uuid, the file that it wrote last may show it, or that most of its carts are in the same slots.
 */
bool recover_same_arena(const struct recover *recover, const struct salvage *salvage);

/* Hand carts of DIR/arena to take() that the journal does not have as new. 0 or -errno. */
int recover_second(struct recover *recover, rebuild_take take,
		   void (*finding)(void *take_context, const char *line), void *take_context,
		   struct salvage_totals *totals);

#endif
