/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waits.c: what waits (for a change of a cart, for events, for the disk) is one thread's for the
 * whole process (common/hub.c). Node's own pool of threads has four, which files and DNS need: no
 * wait is put there.
 *
 * Nothing is called in a thread that ends: the hook that Node calls first removes the hub's way to
 * it, under the mutex under which the hub calls.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "addon.h"
#include "common/hub.h"

struct waits {
	struct hub_owner owner;
	struct instance *instance;
	napi_threadsafe_function call;
	uint32_t pending; /* begun and not answered; its own thread's */
};

struct wait {
	struct hub_wait hub;
	struct events *feed; /* NULL, or the one that is waited for */
};

void client_tell(struct hub_owner *owner)
{
	struct waits *waits = (struct waits *)owner; /* its first member */

	/* a call that is refused would be that of a thread that ends, and its hook comes */
	(void)napi_call_threadsafe_function(waits->call, NULL, napi_tsfn_nonblocking);
}

/* The feed may be read again. */
static void let_go(struct wait *wait)
{
	if (wait->feed != NULL)
		events_release(wait->feed);
	wait->feed = NULL;
}

void client_drop(struct hub_wait *hub)
{
	let_go((struct wait *)hub); /* its first member */
	store_drop(hub->store);
}

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

static bool answer_one(napi_env env, napi_value callback, const struct hub_wait *wait)
{
	napi_value values[3], undefined;

	return napi_create_double(env, (double)wait->id, &values[0]) == napi_ok &&
	       napi_create_double(env, wait->awaited.result, &values[1]) == napi_ok &&
	       napi_create_double(env, (double)wait->awaited.version, &values[2]) == napi_ok &&
	       napi_get_undefined(env, &undefined) == napi_ok &&
	       napi_call_function(env, undefined, callback, 3, values, NULL) == napi_ok;
}

/* Node calls this in the instance's thread; without an environment when that ends. */
static void answer(napi_env env, napi_value callback, void *context, void *data)
{
	struct waits *waits = context;
	struct hub_wait *done;

	(void)data;
	if (env == NULL)
		return;
	done = hub_take(&waits->owner);
	for (struct hub_wait *wait = done; wait != NULL; wait = wait->next) {
		let_go((struct wait *)wait);
		/* what Node refuses here ends with the thread; the callback throws nothing */
		(void)(count_pending(waits, -1) && answer_one(env, callback, wait));
	}
	hub_free(done);
}

/* Before Node takes the way to this thread away: the hub forgets it. */
static void end_waits(void *data)
{
	struct waits *waits = data;

	hub_leave(&waits->owner);
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

static int take_feed(napi_env env, const struct store *store, napi_value value, struct wait *wait)
{
	double number;

	if (napi_get_value_double(env, value, &number) != napi_ok)
		return 1;
	wait->feed = events_hold(store, number);
	if (wait->feed == NULL)
		return -EBADF;
	wait->hub.awaited.feed = events_feed(wait->feed);
	return 0;
}

/* What is waited for. 0, -errno, or 1: Node-API refused. */
static int take(struct instance *instance, const struct store *store, const napi_value values[],
		struct wait *wait)
{
	napi_env env = instance->env;
	double after, timeout_ms, id;
	struct corral_key key;
	napi_valuetype type;
	int r;

	if (napi_get_value_double(env, values[2], &after) != napi_ok ||
	    napi_get_value_double(env, values[3], &timeout_ms) != napi_ok ||
	    napi_get_value_double(env, values[4], &id) != napi_ok ||
	    !(after >= 0 && after <= SAFE_MAX) || !(timeout_ms >= -1 && timeout_ms <= INT32_MAX) ||
	    !(id >= 0 && id <= SAFE_MAX))
		return -EINVAL;
	if (napi_typeof(env, values[0], &type) != napi_ok)
		return 1;
	wait->hub.id = (int64_t)id;
	if (type == napi_number) {
		r = take_feed(env, store, values[0], wait);
		return r == 0 ? hub_set(&wait->hub, NULL, 0, (int64_t)timeout_ms) : r;
	}
	if (type == napi_undefined)
		return hub_set(&wait->hub, NULL, 0, (int64_t)timeout_ms);
	r = request_key(instance, values[0], values[1], &key);
	return r == 0 ? hub_set(&wait->hub, &key, (uint64_t)after, (int64_t)timeout_ms) : r;
}

/*
 * wait(store, key, restaurant_units, after, timeout_ms, id): 0, and the callback of watch() is
 * called later; or a negative error. key: as of get(), of a cart; undefined: wait for the disk; a
 * feed's number: for events. timeout_ms -1: for ever.
 */
napi_value waits_begin(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[6];
	struct store *store;
	struct wait *wait;
	int r;

	if (!node_arguments(env, info, 6, values, &instance))
		return NULL;
	store = store_find(instance, values[0]);
	if (store == NULL || instance->waits == NULL)
		return node_number(env, store == NULL ? -EBADF : -EINVAL);
	wait = calloc(1, sizeof(*wait));
	if (wait == NULL)
		return node_number(env, -ENOMEM);
	wait->hub.owner = &instance->waits->owner;
	wait->hub.store = store;
	wait->hub.awaited.corral = store->corral;
	__atomic_add_fetch(&store->references, 1, __ATOMIC_RELAXED);
	r = take(instance, store, values + 1, wait);
	if (r == 0 && !count_pending(instance->waits, 1))
		r = 1;
	if (r == 0) {
		r = hub_begin(&wait->hub);
		if (r == 0)
			return node_number(env, 0);
		(void)count_pending(instance->waits, -1); /* refused where the thread ends */
	}
	hub_free(&wait->hub);
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
	if (napi_get_value_double(env, value, &id) != napi_ok || !(id >= 0 && id <= SAFE_MAX))
		return node_number(env, -EINVAL);
	if (instance->waits != NULL)
		hub_cancel(&instance->waits->owner, (int64_t)id);
	return node_number(env, 0);
}
