/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * durable.h: a change that waits until it is on disk.
 */
#ifndef CORRAL_DURABLE_H
#define CORRAL_DURABLE_H

#include "api/handle.h"
#include "base/atomic.h"

/* Does the agent want changes to wait? */
static inline bool durable_wanted(const struct corral *corral)
{
	return unlikely(load_relaxed(&corral->arena.header->journal) ==
			JOURNAL_MODE_SYNC); /* relaxed: a setting */
}

/*
 * Wait until all that this process has changed is on disk. No lock is held. 0, or why that is not
 * known: -ENOTCONN (no agent runs: found out at once), -ETIMEDOUT (an agent lives, but does not
 * sync within our patience; until it does, the same is answered at once), what the disk said,
 * -ESTALE. Signals do not end it.
 */
int durable_wait(struct corral *corral, const struct actor *actor);

#endif
