/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_history.c: see power_history.h.
 */
#include "power_history.h"
#include "api/handle.h"
#include "base/hash.h"
#include "cart/cart.h"
#include "store/feed.h"
#include "support.h"

#define EVENTS_MAX 4096u
#define NOTES_BYTES 1500u
#define CURSOR "orders"
#define NOT_YET UINT32_MAX
#define UNACKED 2u /* ends that are left, at most, when the others are acknowledged */

struct event {
	uint32_t key;
	uint64_t version; /* 0: it ended */
	uint64_t hash;    /* of its bytes */
	uint64_t last;    /* of an end: the last version */
	uint64_t last_hash;
	uint32_t acked; /* of an end: how many events there were when it was acknowledged */
};

struct told { /* an end that the cursor brings */
	uint32_t key;
	uint64_t version;
	uint64_t hash; /* 0: without content: there was no memory for it */
};

static struct event events[EVENTS_MAX];
static uint32_t event_count;
static uint32_t cursor_from; /* the cursor was made when there were so many events */
static struct told told[EVENTS_MAX];
static uint32_t told_count;
static uint64_t random_state;
static uint8_t buffer[CORRAL_CART_MAX];

void power_history_begin(uint64_t seed)
{
	event_count = 0;
	cursor_from = NOT_YET;
	random_state = seed;
}

uint32_t power_history_events(void)
{
	return event_count;
}

static struct corral_key key_of(uint32_t number, char name[16])
{
	snprintf(name, 16, "s%u", number);
	return (struct corral_key){ corral_text("r"), corral_text(name) };
}

/* Read the cart's current state: 0, -ENOENT, or another -errno that means a failure. */
static int look_up(struct corral *corral, uint32_t number, struct event *ret_event)
{
	char name[16];
	struct corral_key key = key_of(number, name);
	struct corral_view view;
	struct corral_head head;
	size_t size = 0;

	*ret_event = (struct event){ .key = number };
	int r = corral_read_copy(corral, &key, buffer, sizeof(buffer), &size, &view);
	if (r == 0)
		r = cart_validate(buffer, size);
	if (r == 0)
		r = corral_view_head(&view, &head);
	if (r < 0)
		return r;
	ret_event->version = head.version;
	ret_event->hash = XXH3_64bits(buffer, size);
	return 0;
}

/* ------------------------------------------------------------------- cursor */

void power_history_begin_cursor(struct corral *corral)
{
	struct actor *actor;

	if (cursor_from != NOT_YET)
		return;
	must(handle_actor(corral, &actor) == 0);
	must(feed_cursor_put(actor, CURSOR, feed_next(&corral->arena), 1) == 0);
	cursor_from = event_count;
}

/* Read what the cursor has not acknowledged. False: there is no cursor. */
static bool read_ends(struct corral *corral, struct feed_cursor **ret_cursor,
		      uint64_t ret_numbers[EVENTS_MAX])
{
	struct feed_cursor *cursor = feed_cursor_find(&corral->arena, CURSOR);
	struct feed_entry event;
	struct actor *actor;
	uint32_t size;

	told_count = 0;
	*ret_cursor = cursor;
	if (cursor == NULL)
		return false;
	must(handle_actor(corral, &actor) == 0);
	while (feed_pending(&corral->arena))
		must(feed_number(actor, FEED_BATCH, NULL));
	for (uint64_t at = cursor->acked; told_count < EVENTS_MAX; at = event.number + 1) {
		if (feed_next_end(&corral->arena, at, &event, buffer, sizeof(buffer), &size) < 0)
			break;
		char name[16] = "";
		memcpy(name, event.bytes + event.restaurant_size,
		       event.session_size < sizeof(name) ? event.session_size : 0);
		ret_numbers[told_count] = event.number;
		told[told_count++] =
			(struct told){ (uint32_t)strtoul(name + 1, NULL, 10), event.version,
				       size > 0 ? XXH3_64bits(buffer, size) : 0 };
	}
	return true;
}

static bool is_told(const struct event *end)
{
	for (uint32_t i = 0; i < told_count; i++)
		if (told[i].key == end->key && told[i].version == end->last &&
		    (told[i].hash == 0 || told[i].hash == end->last_hash))
			return true;
	return false;
}

/* As an application does that has dealt with some of the ends. */
static void acknowledge(struct corral *corral)
{
	static uint64_t numbers[EVENTS_MAX];
	struct feed_cursor *cursor;
	uint32_t left = random_below(&random_state, UNACKED + 1);

	if (!read_ends(corral, &cursor, numbers) || told_count <= left)
		return;
	must(corral->arena.header->ends_lost == 0);
	told_count -= left;
	feed_cursor_ack(cursor, numbers[told_count - 1] + 1);
	for (uint32_t i = 0; i < event_count; i++)
		if (events[i].last != 0 && events[i].acked == NOT_YET && is_told(&events[i]))
			events[i].acked = event_count;
}

/* ------------------------------------------------------------------ changes */

static int add(struct corral *corral, const struct corral_key *key)
{
	char notes[NOTES_BYTES];
	uint32_t size = random_below(&random_state, sizeof(notes));
	struct corral_item item = { .menu_item_id = corral_text("burger"),
				    .name = corral_text("Burger"),
				    .notes = { notes, size },
				    .unit_price_cents = random_below(&random_state, 5000),
				    .quantity = 1 + random_below(&random_state, 9) };

	for (uint32_t i = 0; i < size; i++)
		notes[i] = (char)('a' + random_below(&random_state, 26));
	return corral_add(corral, key, &item, NULL, NULL);
}

void power_history_change(struct corral *corral)
{
	char name[16];
	struct event event, former;
	uint32_t number = random_below(&random_state, POWER_KEYS);
	struct corral_key key = key_of(number, name);
	int r;

	must(event_count < EVENTS_MAX);
	if (random_below(&random_state, 8) == 0)
		acknowledge(corral);
	(void)look_up(corral, number, &former);
	switch (random_below(&random_state, 8)) {
	case 0:
	case 1:
		r = corral_drop(corral, &key, NULL, NULL);
		break;
	case 2:
		r = corral_clear(corral, &key, NULL, NULL);
		break;
	case 3:
		r = corral_set_tax(corral, &key, random_below(&random_state, 100000), NULL, NULL);
		break;
	default:
		r = add(corral, &key);
		break;
	}
	if (r == -ENOENT)
		return;
	must(r == 0);
	r = look_up(corral, number, &event);
	must(r == 0 || r == -ENOENT);
	if (r == -ENOENT) {
		event.last = former.version;
		event.last_hash = former.hash;
		event.acked = NOT_YET;
	}
	events[event_count++] = event;
}

/* -------------------------------------------------------------------- judge */

static bool is_event(const struct event *found, const struct event *event)
{
	return found->version == event->version && found->hash == event->hash;
}

/* *ret_at: the state is that after events[*ret_at - 1], or it was synced. */
static bool may_be(const struct event *found, struct power_promise promise, uint32_t *ret_at)
{
	const struct event *last = NULL;

	*ret_at = promise.synced;
	for (uint32_t i = 0; i < promise.synced; i++)
		if (events[i].key == found->key)
			last = &events[i];
	if (last != NULL ? is_event(found, last) : found->version == 0)
		return true;
	for (uint32_t i = promise.synced; i < promise.made; i++) {
		*ret_at = i + 1;
		if (events[i].key == found->key && is_event(found, &events[i]))
			return true;
	}
	return false;
}

/*
 * Does the cursor bring each end of this cart up to this event that it had not acknowledged? Or
 * else the end is lost, and the cart with it.
 */
static bool has_ends(uint32_t key, uint32_t at, struct power_promise promise)
{
	for (uint32_t i = cursor_from; i < at; i++) {
		const struct event *end = &events[i];
		if (end->key == key && end->last != 0 && end->acked > promise.made && !is_told(end))
			return false;
	}
	return true;
}

/*
 * The next version of a cart, also of one made after another had ended, must differ from every
 * version that was seen before the power loss, synced or not.
 */
static bool goes_on(struct corral *corral, uint32_t number, struct power_promise promise)
{
	char name[16];
	struct corral_key key = key_of(number, name);
	struct corral_result result = { 0 };
	uint64_t greatest = 0;

	for (uint32_t i = 0; i < promise.made; i++)
		if (events[i].key == number && events[i].version > greatest)
			greatest = events[i].version;
	return corral_set_tax(corral, &key, 1, NULL, &result) == 0 && result.version > greatest;
}

static const char *tell(const struct event *found, struct power_promise promise)
{
	static char text[512];
	size_t used = (size_t)snprintf(text, sizeof(text),
				       "cart s%u has version %llu; its history:", found->key,
				       (unsigned long long)found->version);

	for (uint32_t i = 0; i < promise.made && used < sizeof(text) - 32; i++)
		if (events[i].key == found->key)
			used += (size_t)snprintf(text + used, sizeof(text) - used, " %s%llu",
						 i < promise.synced ? "synced " : "",
						 (unsigned long long)events[i].version);
	return text;
}

static const char *tell_end(uint32_t key, uint32_t at)
{
	static char text[128];

	snprintf(text, sizeof(text), "an end of cart s%u among the first %u events is lost", key,
		 at);
	return text;
}

/* How many carts a list has. Negative: -errno. */
static long count_carts(struct corral *corral)
{
	static struct corral_entry entries[POWER_KEYS + 1];
	struct corral_list *list;
	size_t count = 1;
	long listed = 0;
	int r = corral_list_open(corral, NULL, &list);

	if (r < 0)
		return r;
	while (r == 0 && count > 0) {
		r = corral_list_next(list, entries, COUNT(entries), &count);
		listed += r == 0 ? (long)count : 0;
	}
	corral_list_close(list);
	return r < 0 ? r : listed;
}

const char *power_history_judge(struct corral *corral, struct power_promise promise, bool known)
{
	static uint64_t numbers[EVENTS_MAX];
	long there = 0;
	struct event found;
	struct feed_cursor *cursor;
	uint32_t at;
	bool has_cursor = read_ends(corral, &cursor, numbers);

	if (!has_cursor && promise.synced > cursor_from)
		return "the cursor is gone";
	for (uint32_t number = 0; number < POWER_KEYS; number++) {
		int r = look_up(corral, number, &found);
		if (r < 0 && r != -ENOENT)
			return corral_strerror(r);
		if (!may_be(&found, promise, &at))
			return tell(&found, promise);
		/* before the first sync nothing was promised */
		if (has_cursor && promise.synced > 0 && !has_ends(number, at, promise))
			return tell_end(number, at);
		there += r == 0;
	}
	long listed = count_carts(corral);
	if (listed < 0)
		return corral_strerror((int)listed);
	if (listed != there)
		return "there are carts that were never made";
	for (uint32_t number = 0; number < POWER_KEYS && known; number++)
		if (!goes_on(corral, number, promise))
			return "a version that was seen is given again";
	return NULL;
}
