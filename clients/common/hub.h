/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hub.h: one thread that waits for all waits of a process: for changes of carts, for the disk. The
 * clients for other languages share it.
 *
 * An event loop has a hub_owner. It begins a wait and goes on; once the wait is decided, the hub
 * puts it on the owner's list and tells the client, whose event loop takes it. The hub knows
 * nothing of the client's language: it only calls the two functions below that the client defines.
 *
 * A wait belongs to the hub from hub_begin() until hub_take(). Only the hub's thread takes waits
 * out of its list, since it uses them without the mutex while it sleeps; the end of an owner makes
 * its waits orphans, which that thread frees.
 */
#ifndef CORRAL_CLIENTS_HUB_H
#define CORRAL_CLIENTS_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "corral.h"

#define HUB_NEVER INT64_MAX

struct hub_owner {
	struct hub_wait *done; /* what is decided; the hub's mutex protects it */
};

/* The first member of what the client has for a wait, or all of it; memory from calloc(). */
struct hub_wait {
	struct hub_wait *next;
	struct hub_owner *owner; /* NULL: an orphan */
	void *store;             /* the client's, see client_drop() */
	int64_t id;              /* the client's */
	int64_t give_up_ns;      /* CLOCK_MONOTONIC; HUB_NEVER */
	bool cancelled;
	struct corral_awaited awaited; /* its ids lie in `ids`; its result is that of the wait */
	char ids[2 * CORRAL_ID_MAX];
};

/* ---------------------------------------------------- what a client defines */

/* Something is decided: have the owner's event loop call hub_take(). Must not call the hub. */
void client_tell(struct hub_owner *owner);

/* The wait is about to be freed, in any thread: drop its reference to the store. */
void client_drop(struct hub_wait *wait);

/* ------------------------------------------------------- in any thread */

/*
 * What is waited for: a change of the cart after past_version, or the disk, for which the key is
 * NULL. The ids are copied. -EINVAL: one is empty; -ENAMETOOLONG. timeout_ms -1: for ever.
 */
int hub_set(struct hub_wait *wait, const struct corral_key *key, uint64_t past_version,
	    int64_t timeout_ms);

/* How long that is from now, for corral_wait_any(). */
int hub_timeout_ms(const struct hub_wait *wait);
bool hub_is_late(const struct hub_wait *wait);

/* Hand it over; all members but `next` and `cancelled` are set. -EAGAIN: there are too many. */
int hub_begin(struct hub_wait *wait);

/* The wait is decided soon, if it is not yet. */
void hub_cancel(const struct hub_owner *owner, int64_t id);
void hub_cancel_store(const void *store);

/* All that is decided, a list that the caller frees. */
struct hub_wait *hub_take(struct hub_owner *owner);
void hub_free(struct hub_wait *list);

/* The owner ends: its waits are forgotten, and the hub does not know it any more. */
void hub_leave(struct hub_owner *owner);

/* --------------------------------------------------------------- fork */

/*
 * For hosts that fork without exec. The mutex is held across a fork, so the child finds the list
 * whole; it has no hub, and makes orphans of all waits. Once in a process. -errno.
 */
int hub_prepare_fork(void);

/* In the child: free what the parent waited for. */
void hub_after_fork(void);

#endif
