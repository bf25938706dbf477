/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hub.c: see hub.h. The thread begins with the first wait and ends some time after the last one.
 *
 * Lock: hub.mutex protects the list, each wait's `owner` and `cancelled`, and each owner's `done`.
 * Under it nothing of the client is called but client_tell(), and nothing of the library but
 * corral_cancel(), which takes no lock.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/hub.h"

#define LINGER_NS 500000000l /* how long the thread stays without a wait */
#define WAITS_MAX 65536u     /* in a process */
#define NS_IN_MS 1000000ll
#define NS_IN_S 1000000000ll

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t came; /* a wait, while there was none */
	struct hub_wait *first;
	uint32_t count;
	uint32_t cancel; /* the library's cancel word: look at the list again */
	bool runs;
} hub = { .mutex = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER };

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_IN_S + now.tv_nsec;
}

static int timeout_of(int64_t give_up_ns)
{
	int64_t left = give_up_ns - now_ns();

	if (give_up_ns == HUB_NEVER)
		return -1;
	left = left <= 0 ? 0 : (left + NS_IN_MS - 1) / NS_IN_MS;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

void hub_free(struct hub_wait *list)
{
	for (struct hub_wait *next; list != NULL; list = next) {
		next = list->next;
		client_drop(list);
		free(list);
	}
}

/* ---------------------------------------------------------- the hub's thread */

static int32_t verdict(const struct hub_wait *wait, int64_t now)
{
	if (wait->awaited.result != -EAGAIN)
		return wait->awaited.result;
	if (wait->cancelled || wait->owner == NULL)
		return -ECANCELED;
	return now >= wait->give_up_ns ? -ETIMEDOUT : -EAGAIN;
}

/* Take what is decided out of the list: to its owner, or to *ret_orphans. */
static void deliver(struct hub_wait **ret_orphans)
{
	int64_t now = now_ns();
	struct hub_wait *wait;

	for (struct hub_wait **at = &hub.first; (wait = *at) != NULL;) {
		struct hub_owner *owner = wait->owner;

		wait->awaited.result = verdict(wait, now);
		if (wait->awaited.result == -EAGAIN) {
			at = &wait->next;
			continue;
		}
		*at = wait->next;
		hub.count--;
		wait->next = owner != NULL ? owner->done : *ret_orphans;
		*(owner != NULL ? &owner->done : ret_orphans) = wait;
		if (owner != NULL)
			client_tell(owner);
	}
}

/* All waits of the list into an array; returns until when to sleep. */
static int64_t gather(struct corral_awaited **awaited, uint32_t *ret_count)
{
	int64_t give_up = HUB_NEVER;
	uint32_t count = 0;

	for (struct hub_wait *wait = hub.first; wait != NULL; wait = wait->next) {
		awaited[count++] = &wait->awaited;
		if (wait->give_up_ns < give_up)
			give_up = wait->give_up_ns;
	}
	*ret_count = count;
	return give_up;
}

/* Under the mutex, with nothing to wait for: true if a wait has come. */
static bool linger(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LINGER_NS;
	until.tv_sec += until.tv_nsec / NS_IN_S;
	until.tv_nsec %= NS_IN_S;
	while (hub.first == NULL)
		if (pthread_cond_timedwait(&hub.came, &hub.mutex, &until) != 0)
			break;
	return hub.first != NULL;
}

/* One round, with the mutex, which it gives up to sleep, and to free orphans. */
static void do_round(struct corral_awaited **awaited)
{
	struct hub_wait *orphans = NULL;
	uint32_t count;
	int64_t give_up;

	deliver(&orphans);
	give_up = gather(awaited, &count);
	/*
	 * All that was said up to now has been looked at under the mutex. Relaxed: the word is set
	 * under the mutex only, and read by the call below
	 */
	__atomic_store_n(&hub.cancel, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&hub.mutex);
	hub_free(orphans);
	if (count > 0)
		(void)corral_wait_any(awaited, count, timeout_of(give_up), &hub.cancel);
	pthread_mutex_lock(&hub.mutex);
}

static void *run_hub(void *data)
{
	struct corral_awaited **awaited = data;

	pthread_mutex_lock(&hub.mutex);
	while (hub.first != NULL || linger())
		do_round(awaited);
	hub.runs = false;
	pthread_mutex_unlock(&hub.mutex);
	free((void *)awaited);
	return NULL;
}

/* Under the mutex. 0, or -errno. */
static int start_hub(void)
{
	struct corral_awaited **awaited;
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	if (hub.runs)
		return 0;
	/* as much of it is used as there are waits */
	awaited = malloc(WAITS_MAX * sizeof(struct corral_awaited *));
	if (awaited == NULL)
		return -ENOMEM;
	sigfillset(&all);
	r = pthread_attr_init(&attributes);
	if (r == 0) {
		/* signals are the other threads' */
		pthread_sigmask(SIG_SETMASK, &all, &before);
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		r = pthread_create(&thread, &attributes, run_hub, (void *)awaited);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		pthread_attr_destroy(&attributes);
	}
	hub.runs = r == 0;
	if (r != 0)
		free((void *)awaited);
	return -r;
}

/* ------------------------------------------------------------ in any thread */

int hub_set(struct hub_wait *wait, const struct corral_key *key, uint64_t past_version,
	    int64_t timeout_ms)
{
	wait->give_up_ns = timeout_ms < 0 ? HUB_NEVER : now_ns() + timeout_ms * NS_IN_MS;
	wait->awaited.past_version = past_version;
	wait->awaited.result = -EAGAIN;
	if (key == NULL)
		return 0;
	if (key->restaurant_id.size > CORRAL_ID_MAX || key->session_id.size > CORRAL_ID_MAX)
		return -ENAMETOOLONG;
	if (key->restaurant_id.size == 0 || key->session_id.size == 0)
		return -EINVAL;
	memcpy(wait->ids, key->restaurant_id.data, key->restaurant_id.size);
	memcpy(wait->ids + CORRAL_ID_MAX, key->session_id.data, key->session_id.size);
	wait->awaited.key.restaurant_id.data = wait->ids;
	wait->awaited.key.restaurant_id.size = key->restaurant_id.size;
	wait->awaited.key.session_id.data = wait->ids + CORRAL_ID_MAX;
	wait->awaited.key.session_id.size = key->session_id.size;
	return 0;
}

int hub_timeout_ms(const struct hub_wait *wait)
{
	return timeout_of(wait->give_up_ns);
}

bool hub_is_late(const struct hub_wait *wait)
{
	return now_ns() >= wait->give_up_ns;
}

int hub_begin(struct hub_wait *wait)
{
	int r;

	pthread_mutex_lock(&hub.mutex);
	r = hub.count < WAITS_MAX ? start_hub() : -EAGAIN;
	if (r == 0) {
		wait->next = hub.first;
		hub.first = wait;
		hub.count++;
		corral_cancel(&hub.cancel);
		pthread_cond_signal(&hub.came);
	}
	pthread_mutex_unlock(&hub.mutex);
	return r;
}

void hub_cancel(const struct hub_owner *owner, int64_t id)
{
	pthread_mutex_lock(&hub.mutex);
	for (struct hub_wait *wait = hub.first; wait != NULL; wait = wait->next)
		if (wait->owner == owner && wait->id == id)
			wait->cancelled = true;
	corral_cancel(&hub.cancel);
	pthread_mutex_unlock(&hub.mutex);
}

void hub_cancel_store(const void *store)
{
	pthread_mutex_lock(&hub.mutex);
	for (struct hub_wait *wait = hub.first; wait != NULL; wait = wait->next)
		if (wait->store == store)
			wait->cancelled = true;
	corral_cancel(&hub.cancel);
	pthread_mutex_unlock(&hub.mutex);
}

struct hub_wait *hub_take(struct hub_owner *owner)
{
	struct hub_wait *done;

	pthread_mutex_lock(&hub.mutex);
	done = owner->done;
	owner->done = NULL;
	pthread_mutex_unlock(&hub.mutex);
	return done;
}

void hub_leave(struct hub_owner *owner)
{
	pthread_mutex_lock(&hub.mutex);
	for (struct hub_wait *wait = hub.first; wait != NULL; wait = wait->next)
		if (wait->owner == owner)
			wait->owner = NULL;
	corral_cancel(&hub.cancel);
	pthread_mutex_unlock(&hub.mutex);
	hub_free(hub_take(owner));
}

/* --------------------------------------------------------------------- fork */

static void before_fork(void)
{
	pthread_mutex_lock(&hub.mutex);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&hub.mutex);
}

static void after_fork_in_child(void)
{
	pthread_mutex_unlock(&hub.mutex);
	/* as it is in memory, it may have waiters, which are not in this process */
	hub.came = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	hub.runs = false;
	hub.cancel = 0;
	for (struct hub_wait *wait = hub.first; wait != NULL; wait = wait->next)
		wait->owner = NULL;
}

int hub_prepare_fork(void)
{
	static bool prepared;
	int r = 0;

	pthread_mutex_lock(&hub.mutex);
	if (!prepared)
		r = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
	prepared = prepared || r == 0;
	pthread_mutex_unlock(&hub.mutex);
	return -r;
}

void hub_after_fork(void)
{
	struct hub_wait *orphans = NULL;

	pthread_mutex_lock(&hub.mutex);
	if (!hub.runs) { /* else this is no new child */
		orphans = hub.first;
		hub.first = NULL;
		hub.count = 0;
	}
	pthread_mutex_unlock(&hub.mutex);
	hub_free(orphans);
}
