/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waits.c: what waits (for a change of a cart, for the disk), on one thread for all waits of the
 * process, which it sleeps for at once. It begins with the first wait and ends some time after the
 * last one. Node's own pool of threads has four, which files and DNS need: no wait is put there.
 *
 * A wait belongs to the hub from wait() until it is decided. Only the hub's thread takes waits out
 * of its list and frees them, since it uses them without the mutex while it sleeps; the end of an
 * instance makes its waits orphans, which are dropped then. Decided waits go to their instance's
 * list `done`, and its thread is called.
 *
 * Nothing is called in a thread that ends: the hook that Node calls first takes the mutex and
 * removes the way to it, and the hub calls under the mutex only.
 *
 * Lock: hub.mutex protects the list, each wait's `owner` and `cancelled`, and each `done`. No call
 * of the library or of JavaScript is made under it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "addon.h"

#define LINGER_NS 500000000l /* how long the thread stays without a wait */
#define WAITS_MAX 65536u     /* in a process */
#define NS_IN_MS 1000000ll
#define NS_IN_S 1000000000ll
#define NEVER INT64_MAX

struct wait {
	struct wait *next;
	struct waits *owner; /* NULL: an orphan */
	struct store *store; /* a reference */
	double id;           /* JavaScript's */
	int64_t give_up_ns;  /* CLOCK_MONOTONIC; NEVER */
	bool cancelled;
	struct corral_awaited awaited; /* only the hub's thread uses it; its ids are in `ids` */
	char ids[2 * CORRAL_ID_MAX];
};

struct waits {
	struct instance *instance;
	napi_threadsafe_function call; /* NULL once the instance has ended */
	struct wait *done;
	uint32_t pending; /* begun and not answered; its own thread's */
};

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t came; /* a wait, while there was none */
	struct wait *first;
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

static void wait_free(struct wait *wait)
{
	store_drop(wait->store);
	free(wait);
}

/* ---------------------------------------------------------- the hub's thread */

static int32_t verdict(const struct wait *wait, int64_t now)
{
	if (wait->awaited.result != -EAGAIN)
		return wait->awaited.result;
	if (wait->cancelled || wait->owner == NULL)
		return -ECANCELED;
	return now >= wait->give_up_ns ? -ETIMEDOUT : -EAGAIN;
}

/*
 * Take what is decided out of the list: to its instance, or to *ret_orphans, to be freed without
 * the mutex.
 */
static void deliver(struct wait **ret_orphans)
{
	int64_t now = now_ns();
	struct wait *wait;

	for (struct wait **at = &hub.first; (wait = *at) != NULL;) {
		wait->awaited.result = verdict(wait, now);
		if (wait->awaited.result == -EAGAIN) {
			at = &wait->next;
			continue;
		}
		*at = wait->next;
		hub.count--;
		if (wait->owner == NULL) {
			wait->next = *ret_orphans;
			*ret_orphans = wait;
			continue;
		}
		wait->next = wait->owner->done;
		wait->owner->done = wait;
		/* a call that is refused would be that of a thread that ends, and its hook comes */
		(void)napi_call_threadsafe_function(wait->owner->call, NULL, napi_tsfn_nonblocking);
	}
}

/* All waits of the list into an array; returns until when to sleep. */
static int64_t gather(struct corral_awaited **awaited, uint32_t *ret_count)
{
	int64_t give_up = NEVER;
	uint32_t count = 0;

	for (struct wait *wait = hub.first; wait != NULL; wait = wait->next) {
		awaited[count++] = &wait->awaited;
		if (wait->give_up_ns < give_up)
			give_up = wait->give_up_ns;
	}
	*ret_count = count;
	return give_up;
}

static int timeout_of(int64_t give_up_ns)
{
	int64_t left = give_up_ns - now_ns();

	if (give_up_ns == NEVER)
		return -1;
	left = left <= 0 ? 0 : (left + NS_IN_MS - 1) / NS_IN_MS;
	return left > INT32_MAX ? INT32_MAX : (int)left;
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

/*
 * Free orphans without the mutex, and take it again: meanwhile other waits may have been decided.
 */
static void free_orphans(struct wait *orphans)
{
	pthread_mutex_unlock(&hub.mutex);
	for (struct wait *next; orphans != NULL; orphans = next) {
		next = orphans->next;
		wait_free(orphans);
	}
	pthread_mutex_lock(&hub.mutex);
}

/* One round, with the mutex, which it gives up to sleep. */
static void do_round(struct corral_awaited **awaited)
{
	struct wait *orphans = NULL;
	uint32_t count;
	int64_t give_up;

	deliver(&orphans);
	if (orphans != NULL) {
		free_orphans(orphans);
		return;
	}
	give_up = gather(awaited, &count);
	if (count == 0)
		return;
	/*
	 * All that was said up to now has been looked at under the mutex. Relaxed: the word is set
	 * under the mutex only, and read by the call below
	 */
	__atomic_store_n(&hub.cancel, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&hub.mutex);
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
	awaited = malloc(WAITS_MAX *
			 sizeof(struct corral_awaited *)); /* used as far as there are waits */
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

/* --------------------------------------------------- in the instance's thread */

/* How many waits have no answer yet: while there are some, they keep the event loop alive. */
static bool count_pending(struct waits *waits, int difference)
{
	uint32_t before = waits->pending;

	waits->pending += (uint32_t)difference;
	if (before == 0)
		return napi_ref_threadsafe_function(waits->instance->env, waits->call) == napi_ok;
	if (waits->pending == 0)
		return napi_unref_threadsafe_function(waits->instance->env, waits->call) == napi_ok;
	return true;
}

static bool answer_one(napi_env env, napi_value callback, const struct wait *wait)
{
	napi_value values[3], undefined;

	return napi_create_double(env, wait->id, &values[0]) == napi_ok &&
	       napi_create_double(env, wait->awaited.result, &values[1]) == napi_ok &&
	       napi_create_double(env, (double)wait->awaited.version, &values[2]) == napi_ok &&
	       napi_get_undefined(env, &undefined) == napi_ok &&
	       napi_call_function(env, undefined, callback, 3, values, NULL) == napi_ok;
}

/* Node calls this in the instance's thread; without an environment when that ends. */
static void answer(napi_env env, napi_value callback, void *context, void *data)
{
	struct waits *waits = context;
	struct wait *done, *next;

	(void)data;
	if (env == NULL)
		return;
	pthread_mutex_lock(&hub.mutex);
	done = waits->done;
	waits->done = NULL;
	pthread_mutex_unlock(&hub.mutex);
	for (; done != NULL; done = next) {
		next = done->next;
		/* what Node refuses here ends with the thread; the callback throws nothing */
		(void)(count_pending(waits, -1) && answer_one(env, callback, done));
		wait_free(done);
	}
}

/* Before Node takes the way to this thread away: the hub forgets it. */
static void end_waits(void *data)
{
	struct waits *waits = data;
	struct wait *done, *next;

	pthread_mutex_lock(&hub.mutex);
	for (struct wait *wait = hub.first; wait != NULL; wait = wait->next)
		if (wait->owner == waits)
			wait->owner = NULL;
	done = waits->done;
	waits->done = NULL;
	corral_cancel(&hub.cancel);
	pthread_mutex_unlock(&hub.mutex);
	for (; done != NULL; done = next) {
		next = done->next;
		wait_free(done);
	}
	free(waits);
}

/*
 * watch(callback): which is called with an id, a result and a version for each wait that is
 * decided. Once, before the first wait.
 */
napi_value waits_watch(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	struct waits *waits;
	napi_value callback, name;

	if (!node_arguments(env, info, 1, &callback, &instance))
		return NULL;
	if (instance->waits != NULL)
		return node_number(env, -EINVAL);
	waits = calloc(1, sizeof(*waits));
	if (waits == NULL)
		return node_number(env, -ENOMEM);
	waits->instance = instance;
	if (napi_create_string_utf8(env, "corral", NAPI_AUTO_LENGTH, &name) != napi_ok ||
	    napi_create_threadsafe_function(env, callback, NULL, name, 0, 1, NULL, NULL, waits,
					    answer, &waits->call) != napi_ok) {
		free(waits);
		return node_refused(env);
	}
	/* hooks run in reverse: this one before that of the function, whose context it frees */
	if (napi_unref_threadsafe_function(env, waits->call) != napi_ok ||
	    napi_add_env_cleanup_hook(env, end_waits, waits) != napi_ok)
		return node_refused(env); /* not to be used, so it stays as it is */
	instance->waits = waits;
	return node_number(env, 0);
}

/* The ids of a key, copied; no key: wait for the disk. 0, -errno, or 1: Node-API refused. */
static int take_key(struct instance *instance, napi_value text, napi_value units, struct wait *wait)
{
	struct corral_key key, *own = &wait->awaited.key;
	napi_valuetype type;
	int r;

	if (napi_typeof(instance->env, text, &type) != napi_ok)
		return 1;
	if (type == napi_undefined)
		return 0;
	r = request_key(instance, text, units, &key);
	if (r != 0)
		return r;
	if (key.restaurant_id.size > CORRAL_ID_MAX || key.session_id.size > CORRAL_ID_MAX)
		return -ENAMETOOLONG;
	if (key.restaurant_id.size == 0 || key.session_id.size == 0)
		return -EINVAL;
	own->restaurant_id = (struct corral_text){ wait->ids, key.restaurant_id.size };
	own->session_id = (struct corral_text){ wait->ids + CORRAL_ID_MAX, key.session_id.size };
	memcpy(wait->ids, key.restaurant_id.data, key.restaurant_id.size);
	memcpy(wait->ids + CORRAL_ID_MAX, key.session_id.data, key.session_id.size);
	return 0;
}

static bool take_numbers(napi_env env, const napi_value values[], struct wait *wait)
{
	double after, timeout_ms;

	if (napi_get_value_double(env, values[0], &after) != napi_ok ||
	    napi_get_value_double(env, values[1], &timeout_ms) != napi_ok ||
	    napi_get_value_double(env, values[2], &wait->id) != napi_ok ||
	    !(after >= 0 && after <= SAFE_MAX) || !(timeout_ms >= -1 && timeout_ms <= INT32_MAX))
		return false;
	wait->awaited.past_version = (uint64_t)after;
	wait->awaited.result = -EAGAIN;
	wait->give_up_ns = timeout_ms < 0 ? NEVER : now_ns() + (int64_t)timeout_ms * NS_IN_MS;
	return true;
}

/* Give it to the hub. */
static int begin(struct wait *wait)
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

/*
 * wait(store, key, restaurant_units, after, timeout_ms, id): 0, and the callback of watch() is
 * called later; or a negative error. key undefined: wait for the disk. timeout_ms -1: for ever.
 */
napi_value waits_begin(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[6];
	struct store *store;
	struct wait *wait;
	int r = -EINVAL;

	if (!node_arguments(env, info, 6, values, &instance))
		return NULL;
	store = store_find(instance, values[0]);
	if (store == NULL || instance->waits == NULL)
		return node_number(env, store == NULL ? -EBADF : -EINVAL);
	wait = calloc(1, sizeof(*wait));
	if (wait == NULL)
		return node_number(env, -ENOMEM);
	wait->owner = instance->waits;
	wait->store = store;
	wait->awaited.corral = store->corral;
	__atomic_add_fetch(&store->references, 1, __ATOMIC_RELAXED);
	if (take_numbers(env, values + 3, wait))
		r = take_key(instance, values[1], values[2], wait);
	if (r == 0)
		r = count_pending(instance->waits, 1) ? begin(wait) : 1;
	if (r == 0)
		return node_number(env, 0);
	wait_free(wait);
	return r > 0 ? node_refused(env) : node_number(env, r);
}

/* cancel(id): the wait is decided soon, if it is not yet. */
napi_value waits_cancel(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value value;
	double id;

	if (!node_arguments(env, info, 1, &value, &instance))
		return NULL;
	if (napi_get_value_double(env, value, &id) != napi_ok)
		return node_number(env, -EINVAL);
	pthread_mutex_lock(&hub.mutex);
	for (struct wait *wait = hub.first; wait != NULL; wait = wait->next)
		if (wait->owner == instance->waits && wait->id == id)
			wait->cancelled = true;
	corral_cancel(&hub.cancel);
	pthread_mutex_unlock(&hub.mutex);
	return node_number(env, 0);
}
