/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_watch.c: the command watch. It reads the feed: it tells each change of the cart, and then
 * shows the cart as it is. Where no events are written it waits for versions, of which it may see
 * only the last. Like all tools it neither changes a cart nor prolongs its life.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/parse.h"
#include "event.h"
#include "tool.h"

#define STEP_MS 1000 /* how often to check for a signal that came just before the sleep */
#define BATCH 64
#define RECENT 8u /* the changes that stand below the cart on a terminal */
#define CLEAR_SCREEN "\033[H\033[2J"

struct watcher {
	struct corral *corral;
	const struct call *call;
	bool screen;          /* for people, on a terminal */
	bool begun;           /* the cart was there since the events began */
	uint64_t found;       /* the version that was there when the events began; 0: none */
	uint64_t shown;       /* the version that was shown last; 0: none */
	uint64_t told;        /* events that were told */
	uint64_t drawn;       /* of them, those that were on the screen already */
	char *recent[RECENT]; /* the lines of the last ones, the n-th at n % RECENT */
};

/* The events from the n-th on, as far as they are kept. */
static void put_recent(struct watcher *watcher, uint64_t n)
{
	if (watcher->told > RECENT && n < watcher->told - RECENT)
		n = watcher->told - RECENT;
	for (; n < watcher->told; n++)
		puts(watcher->recent[n % RECENT]);
	watcher->drawn = watcher->told;
}

static void draw(struct watcher *watcher, const struct corral_cart *cart)
{
	if (watcher->screen)
		fputs(CLEAR_SCREEN, stdout);
	print_cart(watcher->call, cart);
	if (watcher->screen) {
		putchar('\n');
		put_recent(watcher, 0);
	}
}

/* Show the cart as it is, if there is something new. 0, or -errno; -ENOENT: it is not there. */
static int show(struct watcher *watcher)
{
	struct corral_cart *cart = NULL;
	int r = corral_get(watcher->corral, &watcher->call->key, &cart);

	if (r == 0) {
		if (cart->head.version > watcher->shown ||
		    (watcher->screen && watcher->told > watcher->drawn))
			draw(watcher, cart);
		watcher->shown = cart->head.version;
		watcher->begun = true;
		corral_cart_free(cart);
	}
	fflush(stdout);
	return r;
}

/* -------------------------------------------------------------- by the feed */

static bool is_end(const struct corral_event *event)
{
	return (event->kind & (CORRAL_EVENT_DROPPED | CORRAL_EVENT_EXPIRED)) != 0;
}

/* Is it of a cart, or led to a version, that was there before? Versions of one key only grow. */
static bool is_earlier(const struct watcher *watcher, const struct corral_event *event)
{
	if (event->kind == CORRAL_EVENT_GAP)
		return false;
	if (!is_end(event))
		return event->version <= watcher->found;
	return event->version < watcher->found || !watcher->begun;
}

static void tell(struct watcher *watcher, const struct corral_event *event)
{
	char **line = &watcher->recent[watcher->told++ % RECENT];

	watcher->begun |= event->kind != CORRAL_EVENT_GAP;
	if (watcher->call->json) {
		json_print(json_of_event(event));
		return;
	}
	free(*line);
	*line = event_line(event, false);
	if (!watcher->screen)
		puts(*line);
}

/* True: the cart has ended. */
static bool tell_all(struct watcher *watcher, const struct corral_event *events, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_earlier(watcher, &events[i]))
			continue;
		tell(watcher, &events[i]);
		if (!is_end(&events[i]))
			continue;
		if (watcher->screen)
			put_recent(watcher, watcher->drawn);
		return true;
	}
	return false;
}

/*
 * Until the cart has ended: -ENOENT; until a signal, or standard output is closed: 0. Or -errno.
 *
 * A cart whose time is over is not there any more, and its event comes later, when the agent ends
 * it. So when it was not there twice, and no event came in between, it has ended. (A drop's event
 * comes at once.)
 */
static int follow(struct watcher *watcher, struct corral_feed *feed)
{
	static struct corral_event events[BATCH];
	uint32_t gone = 0;
	size_t count = 0;
	int r = show(watcher);

	watcher->found = watcher->shown;
	while ((r == 0 || r == -ENOENT) && !signals_stop() && !ferror(stdout)) {
		int next = corral_feed_next(feed, events, BATCH, STEP_MS, NULL, &count);
		if (next < 0 && next != -ETIMEDOUT && next != -EINTR)
			return next;
		if (next == 0 && tell_all(watcher, events, count))
			return -ENOENT;
		r = show(watcher);
		gone = r == -ENOENT && next == -ETIMEDOUT && watcher->begun ? gone + 1 : 0;
		if (gone == 2)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

static int watch_feed(struct watcher *watcher)
{
	const struct corral_key *key = &watcher->call->key;
	const struct corral_feed_filter filter = { .restaurant_id = &key->restaurant_id,
						   .session_id = &key->session_id };
	struct corral_feed *feed = NULL;
	int r = corral_feed_open(watcher->corral, CORRAL_FEED_NOW, &filter, &feed);

	if (r == 0)
		r = follow(watcher, feed);
	corral_feed_close(feed);
	for (uint32_t i = 0; i < RECENT; i++)
		free(watcher->recent[i]);
	return r;
}

/* ---------------------------------------------------------- without the feed */

/* As follow(). */
static int watch_versions(struct watcher *watcher)
{
	uint64_t version;
	int r = 0;

	watcher->told = watcher->drawn = 0;
	while (r == 0 && !signals_stop() && !ferror(stdout)) {
		r = corral_wait(watcher->corral, &watcher->call->key, watcher->shown, STEP_MS, NULL,
				&version);
		if (r == 0)
			r = show(watcher);
		else if (r == -ETIMEDOUT || r == -EINTR)
			r = 0;
	}
	return r;
}

enum exit_code run_watch(struct call *call)
{
	struct watcher watcher = { .call = call, .screen = isatty(STDOUT_FILENO) && !call->json };
	enum exit_code code = open_arena(call, LOOK_ONLY, &watcher.corral);

	if (code)
		return code;
	signals_catch();
	int r = watch_feed(&watcher);
	if (r == -EOPNOTSUPP) /* carts on servers, or corral-agent --feed off */
		r = watch_versions(&watcher);
	corral_close(watcher.corral);
	signals_end();
	if (r && r != -ENOENT)
		return complain_cart(call, r);
	if (r && !call->json)
		puts("The cart has ended.");
	return EXIT_DONE;
}
