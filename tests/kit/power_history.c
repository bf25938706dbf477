/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_history.c: see power_history.h.
 */
#include "power_history.h"
#include "base/hash.h"
#include "cart/cart.h"
#include "support.h"

#define EVENTS_MAX 4096u
#define NOTES_BYTES 1500u

struct event {
	uint32_t key;
	uint64_t version; /* 0: it ended */
	uint64_t hash;    /* of its bytes */
};

static struct event events[EVENTS_MAX];
static uint32_t event_count;
static uint64_t random_state;
static uint8_t buffer[CORRAL_CART_MAX];

void power_history_begin(uint64_t seed)
{
	event_count = 0;
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
	struct event event;
	uint32_t number = random_below(&random_state, POWER_KEYS);
	struct corral_key key = key_of(number, name);
	int r;

	must(event_count < EVENTS_MAX);
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
	events[event_count++] = event;
}

/* -------------------------------------------------------------------- judge */

static bool is_event(const struct event *found, const struct event *event)
{
	return found->version == event->version && found->hash == event->hash;
}

static bool may_be(const struct event *found, struct power_promise promise)
{
	const struct event *last = NULL;

	for (uint32_t i = 0; i < promise.synced; i++)
		if (events[i].key == found->key)
			last = &events[i];
	if (last != NULL ? is_event(found, last) : found->version == 0)
		return true;
	for (uint32_t i = promise.synced; i < promise.made; i++)
		if (events[i].key == found->key && is_event(found, &events[i]))
			return true;
	return false;
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
	long there = 0;
	struct event found;

	for (uint32_t number = 0; number < POWER_KEYS; number++) {
		int r = look_up(corral, number, &found);
		if (r < 0 && r != -ENOENT)
			return corral_strerror(r);
		if (!may_be(&found, promise))
			return tell(&found, promise);
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
