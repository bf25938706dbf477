/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover_second.h: the arena as a second witness, where the journal is damaged.
 */
#ifndef CORRAL_AGENT_RECOVER_SECOND_H
#define CORRAL_AGENT_RECOVER_SECOND_H

#include "inspect/salvage.h"
#include "rebuild.h"
#include "recover_index.h"

/* Before recover_index(): what does the header of DIR/arena say of the journal, if it can be read?
 */
void recover_ask_arena(struct recover *recover, struct arena_header *ret_header);

/*
 * After it: is the file that the arena wrote last not there, or shorter than what it knows to be on
 * disk? Then that is damage, and is said.
 */
void recover_compare(struct recover *recover, const struct arena_header *h);

/*
 * After recover_index(), where the journal is damaged: a cart that has ended is in no slot any
 * more, though the record that it left one slot may be what is damaged.
 */
void recover_apply_ends(struct recover *recover);

/*
 * After recover_ask_arena() and recover_index(): is it the very arena that the journal is about, so
 * that the journal's slots are its own? If its header is damaged, and so perhaps its uuid, the file
 * that it wrote last may say so, or most of its carts being in the same slots.
 */
bool recover_same_arena(const struct recover *recover, const struct salvage *salvage);

/* Hand carts of DIR/arena to take() that the journal does not have as new. 0 or -errno. */
int recover_second(struct recover *recover, rebuild_take take,
		   void (*finding)(void *take_context, const char *line), void *take_context,
		   struct salvage_totals *totals);

#endif
