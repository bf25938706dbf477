/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover.h: a new arena from the journal.
 */
#ifndef CORRAL_AGENT_RECOVER_H
#define CORRAL_AGENT_RECOVER_H

#include "rebuild.h"

/*
 * If there is a journal, make a new arena with every cart in it, in place of DIR/arena, which is
 * set aside. 1: done; 0: there is no journal to recover from; -errno and why. The caller holds the
 * agent's byte, and no process is attached.
 */
int recover_arena(struct agent *agent, char *why);

/*
 * Hand each cart of an index (recover_index.h) to take(), which returns what change_put() does.
 * Several threads call it at once. 0 or -errno.
 */
struct recover;
int recover_put(struct recover *recover, rebuild_take take, void *take_context,
		struct salvage_totals *ret_totals);

#endif
