/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover.h: a new arena out of the journal.
 */
#ifndef CORRAL_AGENT_RECOVER_H
#define CORRAL_AGENT_RECOVER_H

#include "rebuild.h"

/*
 * If there is a journal: make a new arena with every cart in it, in place of DIR/arena, which is
 * set aside. 1: done; 0: there is no journal to recover from; -errno and why. We hold the agent's
 * byte, and nobody is attached.
 */
int recover_arena(struct agent *agent, char *why);

/*
 * Hand each cart of an index (recover_index.h) to take(), which answers as change_put() does.
 * Several threads at once. 0 or -errno.
 */
struct recover;
int recover_put(struct recover *recover, rebuild_take take, void *take_context,
		struct salvage_totals *ret_totals);

#endif
