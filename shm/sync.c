/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sync.c (floor 5): corral_sync(): wait until what was acknowledged is on disk.
 *
 * Group commit, over two futex words in the header: a caller counts itself into sync_requested and wakes the journal;
 * the journal reads that number, writes all that is dirty, syncs once, and stores the number into sync_done. Who
 * comes while it syncs is served by its next round, together with all others. An agent that dies takes no request
 * with it: the next one serves it.
 */
#include <errno.h>
#include <limits.h>

#include "atomic.h"
#include "handle.h"

#define LOOK_NS 100000000 /* so often a waiter looks whether an agent is there at all */

/* Numbers wrap: compared by their distance. */
static bool is_done(const struct arena_header *h, uint32_t ticket)
{
	/* acquire: what the journal stored before */
	return (int32_t)(load_acquire(&h->sync_done) - ticket) >= 0;
}

int corral_sync(struct corral *corral)
{
	const struct timespec timeout = { .tv_sec = 0, .tv_nsec = LOOK_NS };
	struct arena_header *h = corral->arena.header;
	struct actor *actor;
	int r = handle_actor(corral, &actor);

	if (r < 0)
		return r;
	if (load_relaxed(&h->journal) == 0) /* relaxed: a setting */
		return -EOPNOTSUPP;
	/* a full barrier: what we changed and marked is seen by who sees the request */
	uint32_t ticket = __atomic_add_fetch(&h->sync_requested, 1, __ATOMIC_SEQ_CST);
	futex_wake(&h->sync_requested, INT_MAX);
	while (!is_done(h, ticket)) {
		int32_t error = load_relaxed(&h->journal_error);
		if (error < 0 && error > -4096)
			return error;
		if (arena_withdrawn(&corral->arena))
			return -ESTALE;
		if (load_relaxed(&h->journal) == 0)
			return -EOPNOTSUPP; /* the next agent keeps none */
		uint32_t seen = load_relaxed(&h->sync_done);
		if (is_done(h, ticket))
			break;
		r = futex_sleep(&h->sync_done, seen, &timeout);
		if (r == -EINTR)
			return r;
		if (r == -ETIMEDOUT && !alive_test(corral->life.fd, ALIVE_AGENT_BYTE))
			return -ENOTCONN;
	}
	return handle_verdict(corral, 0);
}
