/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * durable.c: wait until acknowledged changes are on disk: corral_sync(), and each change under
 * `--journal sync`.
 *
 * Group commit, over two futex words in the header: a caller adds itself to sync_requested and
 * wakes the journal. The journal reads that number, writes all that is dirty, syncs once, and
 * stores the number in sync_done. A caller that comes during the sync is served by the next round,
 * together with all others. If the agent dies, no request is lost: the next agent serves it.
 *
 * No wake-up is lost: a waiter sleeps only while sync_done has the value that it compared with its
 * ticket. The other ends of a wait, which do not change sync_done (an error, another agent's
 * setting, a death), are found by polling ten times a second.
 */
#include <errno.h>
#include <limits.h>

#include "api/cancel.h"
#include "api/durable.h"
#include "api/look.h"
#include "api/remote.h"
#include "sync/lock.h"

#define LOOK_NS 100000000 /* how often a waiter checks that there is an agent at all */
#define CHANGE_MS_LEAST 1000u

/* Numbers wrap, so they are compared by their distance. */
static bool is_done(const struct arena_header *h, uint32_t ticket)
{
	/* acquire: we see what the journal stored before it */
	return (int32_t)(load_acquire(&h->sync_done) - ticket) >= 0;
}

/* Why a wait would be in vain; 0: it would not. */
static int journal_trouble(const struct corral *corral)
{
	const struct arena_header *h = corral->arena.header;
	/* relaxed, as all loads here: any recent value will do */
	int32_t error = load_relaxed(&h->journal_error);

	if (arena_withdrawn(&corral->arena))
		return -ESTALE;
	if (!descriptor_is(corral->share->life.fd, &corral->share->life.id))
		return -EBADF; /* it cannot be checked whether an agent is alive */
	if (load_relaxed(&h->journal) == JOURNAL_MODE_OFF)
		return -EOPNOTSUPP; /* the next agent may have another setting */
	return error < 0 && error > -4096 ? error : 0;
}

static bool agent_lives(const struct corral *corral)
{
	return alive_test(corral->share->life.fd, ALIVE_AGENT_BYTE);
}

/* Request a sync. Returns the ticket to wait for. */
static uint32_t request(struct arena_header *h)
{
	/* a full barrier: a thread that sees the request sees what we changed and marked */
	uint32_t ticket = __atomic_add_fetch(&h->sync_requested, 1, __ATOMIC_SEQ_CST);

	futex_wake(&h->sync_requested, INT_MAX);
	return ticket;
}

/* The other ends of a wait for the disk. */
struct limits {
	int64_t give_up_ns; /* CLOCK_MONOTONIC; INT64_MAX: none, as long as an agent is alive */
	uint32_t *cancel;   /* NULL: none */
	bool signals;
};

/* Wait for a ticket. */
static int wait_for(struct corral *corral, uint32_t ticket, const struct limits *limits)
{
	struct arena_header *h = corral->arena.header;

	for (;;) {
		/* relaxed: compared again below, and by the futex */
		uint32_t seen = load_relaxed(&h->sync_done);
		if (is_done(h, ticket))
			return handle_verdict(corral, 0);
		int r = journal_trouble(corral);
		if (r < 0)
			return r;
		if (cancel_wanted(limits->cancel))
			return -ECANCELED;
		int64_t left = limits->give_up_ns - clock_now_ns();
		if (left <= 0)
			return -ETIMEDOUT;
		r = cancel_sleep(&h->sync_done, seen, limits->cancel,
				 left < LOOK_NS ? left : LOOK_NS);
		if (r == -EINTR && limits->signals)
			return r;
		if (r == -ETIMEDOUT && !agent_lives(corral))
			return -ENOTCONN;
	}
}

int corral_sync(struct corral *corral, int timeout_ms, uint32_t *cancel)
{
	const struct limits limits = {
		.give_up_ns = timeout_ms < 0 ? INT64_MAX : clock_now_ns() + timeout_ms * 1000000ll,
		.cancel = cancel,
		.signals = true,
	};
	struct actor *actor;
	int r = handle_actor(corral, &actor);

	if (r == -EREMOTE)
		return remote_sync(corral, timeout_ms, cancel);
	if (r == 0)
		r = journal_trouble(corral);
	return r == 0 ? wait_for(corral, request(corral->arena.header), &limits) : r;
}

int look_at_disk(struct corral *corral, uint64_t *ticket, bool slept, uint32_t **ret_word,
		 uint32_t *ret_seen)
{
	struct arena_header *h = corral->arena.header;
	struct actor *actor;
	int r = handle_actor(corral, &actor);

	if (r == -EREMOTE) {
		*ret_word = NULL;
		return remote_look_at_disk(corral);
	}
	if (r < 0)
		return r;
	if (*ticket == 0 && (r = journal_trouble(corral)) == 0)
		*ticket = 1ull << 32 | request(h);
	*ret_word = &h->sync_done;
	/* relaxed: compared again below, and by the futex */
	*ret_seen = load_relaxed(&h->sync_done);
	if (r < 0)
		return r;
	if (is_done(h, (uint32_t)*ticket))
		return handle_verdict(corral, 0);
	r = journal_trouble(corral);
	if (r == 0 && slept && !agent_lives(corral))
		r = -ENOTCONN;
	return r < 0 ? r : -EAGAIN;
}

/*
 * The journal's position when a wait for it is given up: until it moves, no change waits for it
 * again. Never 0.
 */
static uint64_t standstill(const struct arena_header *h)
{
	return 1ull << 32 | load_relaxed(&h->sync_done);
}

int durable_wait(struct corral *corral, const struct actor *actor, int64_t give_up_ns)
{
	struct arena_header *h = corral->arena.header;
	int64_t patience_ns =
		(int64_t)max_u64(load_relaxed(&actor->patience_ms), CHANGE_MS_LEAST) * 1000000;
	const struct limits limits = {
		.give_up_ns = give_up_ns != 0 ? give_up_ns : clock_now_ns() + patience_ns,
	};
	int r = journal_trouble(corral);

	if (r == 0 && !agent_lives(corral))
		r = -ENOTCONN;
	if (r == 0 && load_relaxed(&corral->sync_stood_at) == standstill(h))
		r = -ETIMEDOUT; /* the request made then still stands */
	if (r < 0)
		return r;
	r = wait_for(corral, request(h), &limits);
	if (r == -ETIMEDOUT && give_up_ns == 0)
		store_relaxed(&corral->sync_stood_at, standstill(h));
	return r;
}
