/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_wait.c: waits for carts that an engine keeps: for one, or for many at once.
 *
 * The engine tells of changes; so each cart is looked at when it was told of, and once a second,
 * since a word may get lost with a server, and the end of a cart's time is not told.
 */
#include <errno.h>
#include <stdlib.h>

#include "api/cancel.h"
#include "api/remote.h"
#include "sync/lock.h"

#define LOOK_NS 1000000000ll
#define CANCEL_NS 50000000ll /* a look at the word that ends a wait */
#define DISK_NS 100000000ll

int remote_look(struct corral *corral, const struct corral_key *key, uint64_t past_version,
		uint64_t *ret_version)
{
	struct engine_value value;

	if (remote_leave_thread(corral) < 0) /* it has views */
		return -EDEADLK;
	int r = remote_get(corral, key, 0, remote_give_up_ns(corral), &value, NULL);
	if (r < 0)
		return r;
	free(value.record);
	if (value.version == 0 || value.ended)
		return past_version == 0 ? -EAGAIN : -ENOENT;
	if (value.version <= past_version)
		return -EAGAIN;
	*ret_version = value.version;
	return 0;
}

/* Wait until a cart is told of, or a caller wants us to end (0, too), at most until then. */
static int wait_told(struct remote *remote, void *watch, int64_t until_ns, const uint32_t *cancel,
		     uint32_t *ret_number)
{
	for (;;) {
		int64_t now_ns = clock_now_ns();
		int64_t slice_ns = cancel != NULL ? now_ns + CANCEL_NS : until_ns;
		*ret_number = UINT32_MAX;
		if (cancel_wanted(cancel))
			return 0;
		int r = remote->engine->watch_next(remote->store, watch,
						   slice_ns < until_ns ? slice_ns : until_ns,
						   ret_number);
		if (r != -ETIMEDOUT || clock_now_ns() >= until_ns)
			return r;
	}
}

int remote_wait(struct corral *corral, const struct corral_key *key, uint64_t past_version,
		int timeout_ms, uint32_t *cancel, uint64_t *ret_version)
{
	const int64_t give_up_ns =
		timeout_ms < 0 ? INT64_MAX : clock_now_ns() + timeout_ms * 1000000ll;
	struct remote *remote = corral->remote;
	void *watch = NULL;
	uint32_t number;
	int r, state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	for (;;) {
		r = remote_look(corral, key, past_version, ret_version);
		if (r != -EAGAIN)
			break;
		const int64_t look_ns = clock_now_ns() + LOOK_NS;
		r = cancel_wanted(cancel)        ? -ECANCELED :
		    clock_now_ns() >= give_up_ns ? -ETIMEDOUT :
		    watch != NULL                ? 0 :
				    remote->engine->watch_add(remote->store, &watch, key);
		if (r == 0)
			r = wait_told(remote, watch, look_ns < give_up_ns ? look_ns : give_up_ns,
				      cancel, &number);
		if (r < 0 && r != -ETIMEDOUT)
			break;
		if (r == -ETIMEDOUT && clock_now_ns() >= give_up_ns)
			break;
	}
	remote->engine->watch_end(watch);
	pthread_setcancelstate(state, NULL);
	return r;
}

int remote_look_at_disk(struct corral *corral)
{
	int r = remote_sync(corral, (int)(DISK_NS / 1000000), NULL);

	return r == -ETIMEDOUT ? -EAGAIN : r;
}

/* --------------------------------------------------------------- many carts */

bool remote_is_awaited(const struct corral_awaited *awaited)
{
	return awaited->feed == NULL && awaited->corral->remote != NULL &&
	       awaited->key.session_id.size != 0;
}

/* The watch of a handle; NULL: there is no memory. */
static struct remote_watch *watch_of(struct remote_waits *waits, struct corral *corral)
{
	uint32_t i = 0;

	while (i < waits->watch_count && waits->watches[i].corral != corral)
		i++;
	if (i < waits->watch_count)
		return &waits->watches[i];
	struct remote_watch *watches = realloc(waits->watches, (i + 1) * sizeof(*watches));
	if (watches == NULL)
		return NULL;
	waits->watches = watches;
	watches[i] = (struct remote_watch){ .corral = corral };
	waits->watch_count = i + 1;
	return &watches[i];
}

/* Without memory they are looked at in each round. */
static void begin(struct remote_waits *waits, struct corral_awaited *const *awaited, uint32_t count)
{
	waits->begun = true;
	waits->carts = calloc(count, sizeof(*waits->carts));
	if (waits->carts == NULL)
		return;
	waits->count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct remote_waited *cart = &waits->carts[i];
		if (awaited[i]->result != -EAGAIN || !remote_is_awaited(awaited[i]))
			continue;
		struct remote_watch *watch = watch_of(waits, awaited[i]->corral);
		if (watch == NULL)
			continue;
		struct remote *remote = watch->corral->remote;
		if (remote->engine->watch_add(remote->store, &watch->watch, &awaited[i]->key) < 0)
			continue;
		cart->corral = watch->corral;
		cart->number = watch->count++;
		cart->look_ns = clock_now_ns() + LOOK_NS;
	}
}

bool remote_waits_skip(const struct remote_waits *waits, uint32_t index)
{
	const struct remote_waited *cart = index < waits->count ? &waits->carts[index] : NULL;

	return cart != NULL && cart->corral != NULL && !cart->told &&
	       clock_now_ns() < cart->look_ns;
}

void remote_waits_looked(struct remote_waits *waits, uint32_t index)
{
	if (index >= waits->count)
		return;
	waits->carts[index].told = false;
	waits->carts[index].look_ns = clock_now_ns() + LOOK_NS;
}

static void note_told(struct remote_waits *waits, const struct remote_watch *watch, uint32_t number)
{
	for (uint32_t i = 0; i < waits->count; i++)
		if (waits->carts[i].corral == watch->corral && waits->carts[i].number == number)
			waits->carts[i].told = true;
}

/* Wait until a cart is told of or to be looked at, at most until then, and take all that is told.
 */
static int take_told(struct remote_waits *waits, int64_t until_ns, const uint32_t *cancel)
{
	int r = -ETIMEDOUT;

	if (waits->watch_count > 1) /* it cannot sleep on both: the caller sleeps */
		until_ns = 0;
	for (uint32_t i = 0; i < waits->count; i++)
		if (waits->carts[i].corral != NULL && waits->carts[i].look_ns < until_ns)
			until_ns = waits->carts[i].look_ns;
	for (uint32_t i = 0; i < waits->watch_count; i++) {
		const struct remote_watch *watch = &waits->watches[i];
		uint32_t number;
		if (watch->watch == NULL)
			continue;
		r = wait_told(watch->corral->remote, watch->watch, until_ns, cancel, &number);
		while (r == 0 && number != UINT32_MAX) {
			note_told(waits, watch, number);
			r = wait_told(watch->corral->remote, watch->watch, 0, NULL, &number);
		}
	}
	return r;
}

int remote_waits_sleep(struct remote_waits *waits, struct corral_awaited *const *awaited,
		       uint32_t count, int64_t until_ns, const uint32_t *cancel)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	if (!waits->begun)
		begin(waits, awaited, count);
	int r = waits->watch_count == 0 ? -ENOENT : take_told(waits, until_ns, cancel);
	pthread_setcancelstate(state, NULL);
	return r;
}

void remote_waits_end(struct remote_waits *waits)
{
	for (uint32_t i = 0; i < waits->watch_count; i++)
		waits->watches[i].corral->remote->engine->watch_end(waits->watches[i].watch);
	free(waits->watches);
	free(waits->carts);
}
