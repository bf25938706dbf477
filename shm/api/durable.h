/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * durable.h: changes that wait until they are on disk.
 */
#ifndef CORRAL_DURABLE_H
#define CORRAL_DURABLE_H

#include "api/handle.h"
#include "base/atomic.h"

/* Does the agent's setting make changes wait? */
static inline bool durable_wanted(const struct corral *corral)
{
	return unlikely(load_relaxed(&corral->arena.header->journal) ==
			JOURNAL_MODE_SYNC); /* relaxed: a setting */
}

/*
 * Wait until all that this process has changed is on disk. The caller holds no lock. 0, or the
 * reason why that is unknown: -ENOTCONN (no agent runs, found at once), -ETIMEDOUT (an agent is
 * alive, but does not sync within our patience; until it does, further calls return this at once),
 * the error of the disk, -ESTALE. Signals do not end the wait. give_up_ns: 0, or when this call's
 * own patience ends (CLOCK_MONOTONIC), of which other calls learn nothing.
 */
int durable_wait(struct corral *corral, const struct actor *actor, int64_t give_up_ns);

#endif
