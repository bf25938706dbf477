/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handle.h: the handle behind the public calls, and how a thread finds the record it acts with.
 *
 * The fast path is a thread-local pair (handle, actor) with an epoch. The handle's epoch is in a
 * page that fork wipes (MADV_WIPEONFORK): in a child, however it was made, it reads 0 and matches
 * nothing, and the slow path attaches the child as itself. Epochs are never reused, so a closed
 * handle does not match, nor does a former handle at the same address.
 */
#ifndef CORRAL_HANDLE_H
#define CORRAL_HANDLE_H

#include <errno.h>

#include "base/atomic.h"
#include "corral.h"
#include "sync/alive.h"

#define PATIENCE_MAX_MS 3600000u

struct attachment { /* one thread, for all its handles of one arena */
	struct actor actor;
	uint64_t epoch;
	int64_t looked_ns; /* arena time when this thread last checked that the file is there */
	int32_t tid;
	bool abandoned;              /* its record was given back, see corral_thread_abandon() */
	const struct corral *handle; /* its patience is the actor's; under share->mutex */
	struct attachment *next;     /* in the same share; under share->mutex */
};

/* This process in one arena: what all its handles on that arena share. See attach.c. */
struct share {
	struct arena arena;
	struct life life;
	uint64_t *epoch; /* in a page that fork wipes */
	bool can_membarrier;
	bool is_agent;
	bool unregistered;                /* the arena may not be written, see unregistered.h */
	bool usable;                      /* by one more handle, when last checked */
	uint32_t lost;                    /* 1: the host closed its descriptors: no call works */
	uint32_t handles;                 /* number of open handles */
	uint32_t catchers;                /* how many of them want SIGBUS caught */
	char label[CORRAL_LABEL_MAX + 1]; /* of this process; "": the program's name */
	pthread_mutex_t mutex;
	struct attachment *attachments;
	/* in the list of all shares. All but what `mutex` protects is under the list's mutex */
	struct share *next;
};

struct corral {
	struct arena arena; /* a copy of the share's, for reads; it has no descriptors */
	struct share *share;
	uint64_t *epoch; /* the share's */
	unsigned flags;
	bool fenced;            /* see actor.fenced */
	bool unregistered;      /* the share's */
	uint32_t patience_ms;   /* under share->mutex */
	uint64_t sync_stood_at; /* the journal's position when a wait was given up; see durable.c */
	struct remote *remote;  /* NULL, or its carts are not in an arena: see remote.h */
	char directory[PATH_MAX];
};

struct handle_cache {
	const struct corral *corral;
	struct attachment *attachment;
	uint64_t epoch;
};

/*
 * initial-exec: one load instead of a call; it takes 24 bytes of the static TLS block, which
 * dlopen() can spare
 */
extern __thread struct handle_cache handle_cache __attribute__((tls_model("initial-exec")));

/*
 * corral_open() of the arena in a directory that the caller has opened and trusts. path: its name.
 */
int handle_open_at(int dir_fd, const char *path, unsigned flags, struct corral **ret_corral);

int handle_attach_thread(struct corral *corral, struct actor **ret_actor);

/*
 * The calling thread's actor on this handle, regardless of the arena's state. 0; -EUSERS, -ENOMEM.
 */
static inline int handle_own_actor(struct corral *corral, struct actor **ret_actor)
{
	if (likely(handle_cache.corral == corral && handle_cache.epoch == *corral->epoch)) {
		*ret_actor = &handle_cache.attachment->actor;
		return 0;
	}
	return handle_attach_thread(corral, ret_actor);
}

/*
 * The same for calls that read the arena: also -ESTALE if it was withdrawn, -EBADF if the handle is
 * lost, and -EREMOTE if its carts are not in an arena.
 */
static inline int handle_actor(struct corral *corral, struct actor **ret_actor)
{
	/* relaxed: a call that does not see it yet came before */
	if (unlikely(load_relaxed(&corral->share->lost) != 0))
		return corral->remote != NULL ? -EREMOTE : -EBADF;
	return arena_withdrawn(&corral->arena) ? -ESTALE : handle_own_actor(corral, ret_actor);
}

/* The result of a call: the bytes it read may be those of an arena that was withdrawn meanwhile. */
static inline int handle_verdict(const struct corral *corral, int r)
{
	return arena_withdrawn(&corral->arena) ? -ESTALE : r;
}

/* Convert arena time to wall-clock time, by their present difference. */
static inline int64_t handle_wall_ms(const struct corral *corral, int64_t deadline_ns)
{
	return arena_wall_ms() + ns_since(deadline_ns, arena_now_ns(&corral->arena)) / 1000000;
}

/* The time to live of carts that have none of their own. Relaxed: a setting. */
static inline uint64_t handle_usual_ttl_ms(const struct corral *corral)
{
	return load_relaxed(&corral->arena.header->ttl_ns) / 1000000;
}

/* Fill in what a version does not know. */
static inline void handle_complete_head(const struct corral *corral, struct corral_head *head)
{
	if (head->ttl_ms == 0)
		head->effective_ttl_ms = handle_usual_ttl_ms(corral);
}

/* Is the key well-formed? 0, -EINVAL, -ENAMETOOLONG. */
static inline int handle_check_key(const struct corral_key *key)
{
	if (unlikely(key == NULL || key->restaurant_id.data == NULL ||
		     key->session_id.data == NULL))
		return -EINVAL;
	size_t r = key->restaurant_id.size - 1;
	size_t s = key->session_id.size - 1;

	static_assert((CORRAL_ID_MAX & (CORRAL_ID_MAX - 1)) == 0,
		      "or they cannot be compared at once");
	if (likely((r | s) < CORRAL_ID_MAX))
		return 0;
	return r == SIZE_MAX || s == SIZE_MAX ? -EINVAL : -ENAMETOOLONG;
}

#endif
