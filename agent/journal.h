/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.h: the agent's journal: a thread of its own that writes dirty carts, off the workers'
 * path.
 */
#ifndef CORRAL_AGENT_JOURNAL_H
#define CORRAL_AGENT_JOURNAL_H

#include "agent.h"

/* Begin to keep a journal, or none, as the options say. 0, or -errno and why. */
int journal_start(struct agent *agent, char *why);

/* Write all that is dirty, and end the thread. */
void journal_stop(struct agent *agent);

#endif
