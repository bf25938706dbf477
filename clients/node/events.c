/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events.c: feeds of events. A feed is a position in the arena's own ring: what JavaScript has not
 * read yet takes no memory here, and what a slow reader misses it is told as a gap.
 *
 * Reading never waits. A reader that has come to the end waits as for anything else (waits.c), and
 * that wait has the feed for itself: the thread that waits moves it behind events that are not
 * wanted. The table of the store has one reference to a feed, and the wait another.
 */
#include <errno.h>
#include <stdlib.h>

#include "addon.h"

#define EVENTS_MAX 32u
#define FROM_NOW (-1.0)

struct events {
	struct corral_feed *feed;
	uint32_t references; /* atomic: the thread that waits drops one */
	uint32_t awaited; /* 1: a wait has it. W: JavaScript's thread sets it; events_release() */
};

struct events *events_hold(const struct store *store, double number)
{
	void **place = table_find(&store->feeds, number);
	struct events *feed = place != NULL ? *place : NULL;

	/* acquire: what the last wait has done to it comes before */
	if (feed == NULL || __atomic_load_n(&feed->awaited, __ATOMIC_ACQUIRE) != 0)
		return NULL;
	__atomic_store_n(&feed->awaited, 1, __ATOMIC_RELAXED); /* the mutex of the hub follows */
	__atomic_add_fetch(&feed->references, 1, __ATOMIC_RELAXED);
	return feed;
}

struct corral_feed *events_feed(const struct events *feed)
{
	return feed->feed;
}

void events_release(struct events *feed)
{
	__atomic_store_n(&feed->awaited, 0, __ATOMIC_RELEASE);
	events_drop(feed);
}

void events_drop(struct events *feed)
{
	/* acquire and release: what others did with the feed comes before its end */
	if (__atomic_sub_fetch(&feed->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	corral_feed_close(feed->feed);
	free(feed);
}

static int open_feed(struct store *store, uint64_t from, const struct corral_feed_filter *filter,
		     double *ret_number)
{
	struct events *feed = calloc(1, sizeof(*feed));
	int r = feed != NULL ? corral_feed_open(store->corral, from, filter, &feed->feed) : -ENOMEM;

	if (r < 0) {
		free(feed);
		return r;
	}
	feed->references = 1;
	r = table_put(&store->feeds, feed, ret_number);
	if (r < 0)
		events_drop(feed);
	return r;
}

/* 0, -errno, or 1: Node-API refused. */
static int open_wanted(struct instance *instance, struct store *store, const napi_value values[],
		       double *ret_number)
{
	struct corral_feed_filter filter = { .restaurant_id = NULL };
	struct corral_key key;
	double from, kinds;
	int r;

	if (napi_get_value_double(instance->env, values[0], &from) != napi_ok ||
	    napi_get_value_double(instance->env, values[1], &kinds) != napi_ok ||
	    !(from >= FROM_NOW && from <= SAFE_MAX) || !(kinds >= 0 && kinds <= UINT32_MAX))
		return -EINVAL;
	r = request_key(instance, values[2], values[3], &key);
	if (r != 0)
		return r;
	filter.kinds = (uint32_t)kinds;
	if (key.restaurant_id.size > 0)
		filter.restaurant_id = &key.restaurant_id;
	if (key.session_id.size > 0)
		filter.session_id = &key.session_id;
	return open_feed(store, from < 0 ? CORRAL_FEED_NOW : (uint64_t)from, &filter, ret_number);
}

/*
 * feedOpen(store, from, kinds, key, restaurant_units): the feed's number, or a negative error.
 * from: an event's number; 0: the oldest; -1: what happens from now on. key: as of get(); an id
 * that is empty: any.
 */
napi_value events_open(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[5];
	struct store *store;
	double number = 0;
	int r;

	if (!node_arguments(env, info, 5, values, &instance))
		return NULL;
	store = store_find(instance, values[0]);
	if (store == NULL)
		return node_number(env, -EBADF);
	r = open_wanted(instance, store, values + 1, &number);
	return r > 0 ? node_refused(env) : node_number(env, r < 0 ? r : number);
}

/* -EAGAIN: there are none yet. */
static int next_events(struct corral_feed *feed, double *numbers, struct flat *flat)
{
	struct corral_event *events = malloc(EVENTS_MAX * sizeof(*events));
	size_t count = 0;
	int r;

	if (events == NULL)
		return -ENOMEM;
	r = corral_feed_next(feed, events, EVENTS_MAX, 0, NULL, &count);
	numbers[0] = (double)count;
	for (size_t i = 0; r == 0 && i < count; i++) {
		flat_event(flat, &events[i]);
		if (events[i].number > (uint64_t)SAFE_MAX)
			r = -EOVERFLOW;
	}
	free(events);
	return r == -ETIMEDOUT ? -EAGAIN : r;
}

/* What a call has in a store's table, for reading. */
static struct events *find(const struct store *store, napi_env env, napi_value value)
{
	void **place;
	double number;

	if (store == NULL || napi_get_value_double(env, value, &number) != napi_ok)
		return NULL;
	place = table_find(&store->feeds, number);
	return place != NULL ? *place : NULL;
}

/*
 * feedNext(store, feed, numbers): the text, and in the numbers how many events there are, and the
 * events; or a negative error: -EAGAIN: none; -EBUSY: a wait has the feed. The numbers have room
 * for EVENTS_MAX events of any kind, or it is -EINVAL.
 */
napi_value events_next(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[3];
	struct store *store;
	struct events *feed;
	struct flat flat;
	double *numbers;
	size_t room;
	int r;

	if (!node_arguments(env, info, 3, values, &instance))
		return NULL;
	store = store_find(instance, values[0]);
	feed = find(store, env, values[1]);
	if (feed == NULL)
		return node_number(env, -EBADF);
	if (!node_doubles(env, values[2], &numbers, &room) || room < 1 + EVENTS_MAX * EVENT_NUMBERS)
		return node_number(env, -EINVAL);
	if (__atomic_load_n(&feed->awaited, __ATOMIC_ACQUIRE) != 0)
		return node_number(env, -EBUSY);
	if (!flat_begin(&flat, instance, numbers + 1, room - 1))
		return node_number(env, -ENOMEM);
	r = next_events(feed->feed, numbers, &flat);
	return flat_end(&flat, r);
}

/* feedClose(store, feed): 0, or -EBADF. A wait keeps it until that is decided. */
napi_value events_close(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[2];
	struct store *store;
	double number;
	void **place;

	if (!node_arguments(env, info, 2, values, &instance))
		return NULL;
	store = store_find(instance, values[0]);
	if (store == NULL || napi_get_value_double(env, values[1], &number) != napi_ok)
		return node_number(env, -EBADF);
	place = table_find(&store->feeds, number);
	if (place == NULL)
		return node_number(env, -EBADF);
	events_drop(*place);
	*place = NULL;
	return node_number(env, 0);
}
