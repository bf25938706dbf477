/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_feed.c: see crash_feed.h. Of a cart whose first events were lapped, or are of an earlier
 * epoch, the story begins in the middle.
 */
#include "crash_feed.h"
#include "api/handle.h"
#include "base/atomic.h"
#include "support.h"

#define KEYS_MAX 128u

struct story { /* of one key */
	char restaurant_id[CORRAL_ID_MAX + 1];
	char session_id[CORRAL_ID_MAX + 1];
	struct corral_event last;
};

static struct story stories[KEYS_MAX];
static uint32_t story_count;
static bool missed; /* there was a gap: what its carts were like is not told */
static char fault[512];

static struct story *story_of(const struct corral_event *event)
{
	for (uint32_t i = 0; i < story_count; i++)
		if (strcmp(stories[i].restaurant_id, event->restaurant_id) == 0 &&
		    strcmp(stories[i].session_id, event->session_id) == 0)
			return &stories[i];
	assert_true(story_count < KEYS_MAX);
	struct story *story = &stories[story_count++];
	memset(story, 0, sizeof(*story));
	memcpy(story->restaurant_id, event->restaurant_id, sizeof(story->restaurant_id));
	memcpy(story->session_id, event->session_id, sizeof(story->session_id));
	return story;
}

static bool is_end(const struct corral_event *event)
{
	return (event->kind & (CORRAL_EVENT_DROPPED | CORRAL_EVENT_EXPIRED)) != 0;
}

static const char *say(const struct corral_event *event, const char *what, uint64_t wanted)
{
	snprintf(fault, sizeof(fault), "event %llu of %s/%s (kind %u, version %llu): %s %llu",
		 (unsigned long long)event->number, event->restaurant_id, event->session_id,
		 event->kind, (unsigned long long)event->version, what, (unsigned long long)wanted);
	return fault;
}

/* The next event of a key, after the last one. */
static const char *tell(struct story *story, const struct corral_event *event)
{
	const struct corral_event last = story->last;

	story->last = *event;
	if (last.kind == 0)
		return NULL;
	if (is_end(event) && !missed) {
		if (is_end(&last))
			return say(event, "a cart that had ended before, at version", last.version);
		if (event->version != last.version)
			return say(event, "an end of another version than", last.version);
		return NULL;
	}
	if (is_end(event) && event->version >= last.version)
		return NULL;
	/* another cart of its bucket may have raised the next cart's version */
	if (event->version != last.version + 1 && !is_end(&last) && !missed)
		return say(event, "it follows version", last.version);
	if (event->version <= last.version)
		return say(event, "a version that is not greater than", last.version);
	return NULL;
}

/* Memory is so short that an end may be told without its cart's last version. */
static bool full;

/* An end has its cart's last version with it. */
static const char *look_at_content(struct corral_feed *feed, const struct corral_event *event)
{
	const uint32_t ends =
		CORRAL_EVENT_CHECKED_OUT | CORRAL_EVENT_DROPPED | CORRAL_EVENT_EXPIRED;
	struct corral_view view;
	struct corral_head head;

	if ((event->kind & ends) == 0)
		return NULL;
	if (event->content == 0)
		return full ? NULL : say(event, "an end without a copy", 0);
	int r = corral_feed_cart(feed, event->number, &view);
	if (r == -ESTALE) /* it was let go */
		return NULL;
	if (r < 0)
		return say(event, "its last version cannot be read", (uint64_t)-r);
	if (corral_view_head(&view, &head) < 0 || head.version != event->version ||
	    head.total_cents != event->total_cents)
		return say(event, "its last version is another", view.version);
	return NULL;
}

static const char *read_events(struct corral *corral)
{
	static struct corral_event events[64];
	struct corral_feed *feed;
	const char *wrong = NULL;
	size_t count;

	story_count = 0;
	missed = false;
	assert_int_equal(corral_feed_open(corral, CORRAL_FEED_OLDEST, NULL, &feed), 0);
	while (wrong == NULL &&
	       corral_feed_next(feed, events, COUNT(events), 0, NULL, &count) == 0) {
		for (size_t i = 0; i < count && wrong == NULL; i++) {
			if (events[i].kind == CORRAL_EVENT_GAP) {
				story_count = 0;
				missed = true;
				continue;
			}
			wrong = tell(story_of(&events[i]), &events[i]);
			if (wrong == NULL)
				wrong = look_at_content(feed, &events[i]);
		}
	}
	corral_feed_close(feed);
	return wrong;
}

/* The last event of a key says what its cart is. */
static const char *compare(struct corral *corral, const struct story *story, bool ended)
{
	const struct corral_event *last = &story->last;
	const struct corral_key key = { corral_text(story->restaurant_id),
					corral_text(story->session_id) };
	struct corral_cart *cart;
	int r = corral_get(corral, &key, &cart);

	if (r == -ENOENT)
		return ended && !is_end(last) ? say(last, "its cart has ended, untold", 0) : NULL;
	if (r < 0)
		return say(last, "its cart cannot be read", (uint64_t)-r);
	const struct corral_head head = cart->head;
	corral_cart_free(cart);
	if (is_end(last) || last->version != head.version)
		return say(last, "its cart is there, with version", head.version);
	if (last->total_cents != head.total_cents || last->item_count != head.item_count ||
	    last->line_count != head.line_count || last->status != head.status)
		return say(last, "its cart's total is", (uint64_t)head.total_cents);
	return NULL;
}

const char *crash_check_feed(struct corral *corral, bool ended)
{
	const struct arena *arena = &corral->arena;

	if (!ended) /* when all have ended, pages may be free that were not when they did */
		full = load_relaxed(&arena->header->pages_used) == arena->page_count;
	const char *wrong = read_events(corral);

	for (uint32_t i = 0; i < story_count && wrong == NULL; i++)
		wrong = compare(corral, &stories[i], ended);
	return wrong;
}
