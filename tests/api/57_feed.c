/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 57_feed.c: each change and each end is one event, in order, with what it did; what was missed is
 * said; no reader is needed, and none holds a writer up.
 */
#include <pthread.h>

#include "api/handle.h"
#include "feed_kit.h"
#include "store/expire.h"
#include "store/feed.h"

/* ------------------------------------------------------------------ content */

static void a_change_is_told_with_what_it_did(void **state)
{
	struct bench bench = begin(state);
	struct corral_op op = orders_op("call-1", 0);
	struct corral_item item = orders_item("tea", 250, 3);

	assert_int_equal(corral_set_label(bench.corral, T("till 7")), 0);
	assert_int_equal(corral_set_tax(bench.corral, &bench.key, 100000, NULL, NULL), 0);
	assert_int_equal(corral_add(bench.corral, &bench.key, &item, &op, NULL), 0);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_OLDEST), 2);
	expect(0, CORRAL_EVENT_CHANGED, 1);
	assert_int_equal(events[0].steps[0].kind, CORRAL_STEP_SET_TAX);
	assert_int_equal(events[0].steps[0].amount, 100000);
	assert_string_equal(events[0].op_id, "");
	expect(1, CORRAL_EVENT_CHANGED, 2);
	assert_string_equal(events[1].restaurant_id, "restaurant");
	assert_string_equal(events[1].session_id, "session");
	assert_string_equal(events[1].op_id, "call-1");
	assert_string_equal(events[1].label, "till 7");
	assert_int_equal(events[1].pid, getpid());
	assert_int_equal(events[1].item_count, 3);
	assert_int_equal(events[1].line_count, 1);
	assert_int_equal(events[1].subtotal_cents, 750);
	assert_int_equal(events[1].tax_cents, 75);
	assert_int_equal(events[1].total_cents, 825);
	assert_int_equal(events[1].step_count, 1);
	assert_int_equal(events[1].steps_told, 1);
	assert_int_equal(events[1].steps[0].kind, CORRAL_STEP_ADD);
	assert_int_equal(events[1].steps[0].line, 1);
	assert_int_equal(events[1].steps[0].amount, 3);
	assert_int_equal(events[1].number, events[0].number + 1);
	assert_true(events[1].time_ms >= events[0].time_ms && events[1].time_ms > 0);
	corral_close(bench.corral);
}

static void several_steps_are_one_event(void **state)
{
	struct bench bench = begin(state);
	struct corral_item item = orders_item("tea", 250, 3);
	struct corral_step steps[10];

	for (unsigned i = 0; i < COUNT(steps); i++)
		steps[i] = (struct corral_step){ .kind = CORRAL_STEP_ADD, .item = &item };
	steps[9] = (struct corral_step){ .kind = CORRAL_STEP_CHECKOUT };
	assert_int_equal(
		corral_apply(bench.corral, &bench.key, steps, COUNT(steps), NULL, NULL, NULL), 0);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_OLDEST), 1);
	expect(0, CORRAL_EVENT_CHECKED_OUT, 1);
	assert_int_equal(events[0].status, CORRAL_CHECKED_OUT);
	assert_int_equal(events[0].step_count, 10);
	assert_int_equal(events[0].steps_told, CORRAL_EVENT_STEPS);
	assert_int_equal(events[0].item_count, 27);
	assert_int_equal(events[0].steps[7].line, 1);
	corral_close(bench.corral);
}

static void the_longest_ids_fit(void **state)
{
	struct corral *corral = yard_open(*state, 0);
	char id[3][CORRAL_ID_MAX + 1];

	for (unsigned i = 0; i < 3; i++) {
		memset(id[i], 'a' + (int)i, CORRAL_ID_MAX);
		id[i][CORRAL_ID_MAX] = '\0';
	}
	struct corral_key key = orders_key(id[0], id[1]);
	assert_int_equal(orders_add(corral, &key, "tea", 1, 1, id[2], NULL), 0);
	assert_int_equal(read_from(corral, CORRAL_FEED_OLDEST), 1);
	assert_string_equal(events[0].restaurant_id, id[0]);
	assert_string_equal(events[0].session_id, id[1]);
	assert_string_equal(events[0].op_id, id[2]);
	assert_int_equal(events[0].step_count, 1);
	assert_int_equal(events[0].steps_told, 0); /* there is no room for it */
	corral_close(corral);
}

static void what_changes_nothing_is_not_told(void **state)
{
	struct bench bench = begin(state);
	struct corral_op once = orders_op("once", 0), late = orders_op("late", 99);
	struct corral_item item = orders_item("tea", 250, 1);

	assert_int_equal(corral_add(bench.corral, &bench.key, &item, &once, NULL), 0);
	assert_int_equal(corral_add(bench.corral, &bench.key, &item, &once, NULL), 0);
	assert_int_equal(corral_add(bench.corral, &bench.key, &item, &late, NULL), -ECANCELED);
	assert_int_equal(corral_remove(bench.corral, &bench.key, 77, NULL, NULL), -ENXIO);
	add(&bench, "coffee", 1, 1);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_OLDEST), 2);
	expect(0, CORRAL_EVENT_CHANGED, 1);
	expect(1, CORRAL_EVENT_CHANGED, 2);
	corral_close(bench.corral);
}

static void a_feed_that_is_off_tells_nothing(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_feed(bench.corral, CORRAL_FEED_NOW);
	size_t count;

	bench.corral->arena.header->feed = 0;
	add(&bench, "tea", 1, 1);
	assert_int_equal(corral_feed_next(feed, events, EVENTS, 1000, NULL, &count), -EOPNOTSUPP);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

/* --------------------------------------------------------------------- ends */

static void a_drop_is_the_last_event_of_its_cart(void **state)
{
	struct bench bench = begin(state);
	struct corral_op op = orders_op("bye", 0);

	add(&bench, "tea", 250, 2);
	assert_int_equal(corral_drop(bench.corral, &bench.key, &op, NULL), 0);
	add(&bench, "tea", 250, 1);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_OLDEST), 3);
	expect(0, CORRAL_EVENT_CHANGED, 1);
	expect(1, CORRAL_EVENT_DROPPED, 1);
	assert_string_equal(events[1].op_id, "bye");
	assert_int_equal(events[1].total_cents, 500);
	assert_int_equal(events[1].item_count, 2);
	expect(2, CORRAL_EVENT_CHANGED, 2);
	corral_close(bench.corral);
}

static void set_short_life(struct corral *corral, const struct corral_key *key)
{
	assert_int_equal(corral_set_ttl(corral, key, CORRAL_TTL_MS_MIN, NULL, NULL), 0);
}

static void a_cart_begun_in_the_place_of_one_that_is_over_is_two_events(void **state)
{
	struct bench bench = begin(state);

	add(&bench, "tea", 250, 2);
	set_short_life(bench.corral, &bench.key);
	support_sleep_us(150000);
	add(&bench, "coffee", 300, 1);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_OLDEST), 4);
	expect(2, CORRAL_EVENT_EXPIRED, 2);
	assert_int_equal(events[2].total_cents, 500);
	expect(3, CORRAL_EVENT_CHANGED, 3);
	assert_int_equal(events[3].total_cents, 300);
	corral_close(bench.corral);
}

/* Many more than a lane has room for, and by a thread that has none so far. */
static void each_of_many_carts_that_a_sweep_ends_is_told_once(void **state)
{
	struct corral *corral = yard_open(*state, 0);
	struct actor *actor;
	char name[8];
	bool told[100] = { false };

	assert_int_equal(handle_actor(corral, &actor), 0);
	for (unsigned i = 0; i < COUNT(told); i++) {
		snprintf(name, sizeof(name), "%u", i);
		struct corral_key key = orders_key("r", name);
		assert_int_equal(orders_add(corral, &key, "tea", 1, 1, NULL, NULL), 0);
		set_short_life(corral, &key);
	}
	support_sleep_us(150000);
	struct corral_feed *feed = open_feed(corral, CORRAL_FEED_NOW);
	(void)read_all(feed);
	assert_int_equal(expire_slots(actor, 0, UINT32_MAX), COUNT(told));
	assert_int_equal(read_all(feed), COUNT(told));
	for (unsigned i = 0; i < COUNT(told); i++) {
		expect(i, CORRAL_EVENT_EXPIRED, 2);
		unsigned long number = strtoul(events[i].session_id, NULL, 10);
		assert_true(number < COUNT(told) && !told[number]);
		told[number] = true;
	}
	corral_feed_close(feed);
	corral_close(corral);
}

/* ------------------------------------------------------------------ readers */

static void a_filter_chooses(void **state)
{
	struct corral *corral = yard_open(*state, 0);
	struct corral_text one = T("one"), s = T("s");
	struct corral_feed_filter filter = { .restaurant_id = &one };
	struct corral_feed *feed;

	for (unsigned i = 0; i < 4; i++) {
		struct corral_key key =
			orders_key(i % 2 == 0 ? "one" : "two", i / 2 == 0 ? "s" : "ss");
		assert_int_equal(orders_add(corral, &key, "tea", 1, 1, NULL, NULL), 0);
		assert_int_equal(corral_drop(corral, &key, NULL, NULL), 0);
	}
	assert_int_equal(corral_feed_open(corral, 0, &filter, &feed), 0);
	assert_int_equal(read_all(feed), 4);
	corral_feed_close(feed);
	filter.session_id = &s;
	assert_int_equal(corral_feed_open(corral, 0, &filter, &feed), 0);
	assert_int_equal(read_all(feed), 2);
	assert_string_equal(events[0].session_id, "s");
	corral_feed_close(feed);
	filter = (struct corral_feed_filter){ .kinds = CORRAL_EVENT_DROPPED };
	assert_int_equal(corral_feed_open(corral, 0, &filter, &feed), 0);
	assert_int_equal(read_all(feed), 4);
	assert_int_equal(events[3].kind, CORRAL_EVENT_DROPPED);
	corral_feed_close(feed);
	corral_close(corral);
}

static void reading_goes_on_where_it_stopped(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_feed(bench.corral, CORRAL_FEED_NOW);
	size_t count;

	for (uint32_t i = 0; i < 5; i++)
		add(&bench, "tea", 1, 1);
	assert_int_equal(corral_feed_next(feed, events, 2, 0, NULL, &count), 0);
	assert_int_equal(count, 2);
	uint64_t position = corral_feed_position(feed);
	corral_feed_close(feed);
	assert_int_equal(position, events[1].number + 1);
	assert_int_equal(read_from(bench.corral, position), 3);
	expect(0, CORRAL_EVENT_CHANGED, 3);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_NOW), 0);
	corral_close(bench.corral);
}

static void a_reader_that_is_lapped_is_told_which_it_missed(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_feed(bench.corral, CORRAL_FEED_NOW);
	const uint64_t begun = corral_feed_position(feed);
	struct actor *actor;
	const uint32_t all = 3 * ((uint32_t)bench.corral->arena.feed_mask + 1);

	assert_int_equal(handle_actor(bench.corral, &actor), 0);
	for (uint32_t i = 0; i < all; i++) {
		add(&bench, "tea", 1, 1);
		assert_true(feed_number(actor, UINT32_MAX, NULL));
	}
	size_t count = read_all(feed);
	assert_int_equal(events[0].kind, CORRAL_EVENT_GAP);
	assert_int_equal(events[0].from, begun);
	assert_int_equal(events[0].missed, events[0].to + 1 - events[0].from);
	assert_int_equal(events[0].missed + count - 1, all);
	for (size_t i = 1; i < count; i++)
		expect(i, CORRAL_EVENT_CHANGED, events[0].missed + i);
	assert_int_equal(corral_feed_position(feed), begun + all);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

static void events_that_no_reader_numbered_in_time_are_a_gap(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_feed(bench.corral, CORRAL_FEED_NOW);
	const uint32_t room = bench.corral->arena.lane_mask + 1, all = 5 * room + 3;

	for (uint32_t i = 0; i < all; i++)
		add(&bench, "tea", 1, 1);
	size_t count = read_all(feed);
	assert_int_equal(count, room + 1);
	assert_int_equal(events[0].kind, CORRAL_EVENT_GAP);
	assert_int_equal(events[0].missed, all - room);
	assert_int_equal(events[0].from, events[0].to);
	for (uint32_t i = 1; i <= room; i++)
		expect(i, CORRAL_EVENT_CHANGED, all - room + i);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

/* What is told leads without a hole from one number to another; returns how many changes it was. */
static uint64_t sum_of(size_t count, uint64_t from, uint64_t to)
{
	uint64_t changes = 0;

	for (size_t i = 0; i < count; i++) {
		assert_int_equal(events[i].from, from);
		from = events[i].to + 1;
		changes += events[i].kind == CORRAL_EVENT_GAP ? events[i].missed : 1;
	}
	assert_int_equal(from, to);
	return changes;
}

#define VERY_MANY 20000u

/* In the first half of the time another reader numbers the events, in the second one none does. */
static void a_reader_that_is_away_for_very_many_events_costs_nothing(void **state)
{
	struct bench bench = begin(state);
	const struct arena *arena = &bench.corral->arena;
	struct corral_feed *other = open_feed(bench.corral, CORRAL_FEED_NOW);

	for (uint32_t i = 0; i < VERY_MANY / 10; i++)
		add(&bench, "tea", 1, 1);
	struct corral_feed *feed = open_feed(bench.corral, CORRAL_FEED_NOW);
	const uint64_t begun = corral_feed_position(feed);
	const uint32_t pages = arena->header->pages_used;
	for (uint32_t i = 0; i < VERY_MANY; i++) {
		add(&bench, "tea", 1, 1);
		if (i < VERY_MANY / 2 && i % (arena->lane_mask + 1) == 0)
			(void)read_all(other);
	}
	/* former versions wait for grace periods; the events have 600 pages */
	assert_true(arena->header->pages_used <= pages + SPAN_PAGES_MAX);
	assert_true(VERY_MANY / 2 > 2 * (arena->feed_mask + 1));
	size_t count = read_all(feed);
	assert_int_equal(sum_of(count, begun, arena->header->feed_next), VERY_MANY);
	assert_int_equal(events[0].kind, CORRAL_EVENT_GAP);
	add(&bench, "tea", 1, 1); /* from here on it misses nothing */
	assert_int_equal(read_all(feed), 1);
	expect(0, CORRAL_EVENT_CHANGED, VERY_MANY / 10 + VERY_MANY + 1);
	corral_feed_close(feed);
	corral_feed_close(other);
	corral_close(bench.corral);
}

static void numbers_of_another_arena_are_a_gap(void **state)
{
	struct bench bench = begin(state);

	add(&bench, "tea", 1, 1);
	assert_int_equal(read_from(bench.corral, 1ull << 50), 2);
	assert_int_equal(events[0].kind, CORRAL_EVENT_GAP);
	assert_int_equal(events[0].missed, 0);
	expect(1, CORRAL_EVENT_CHANGED, 1);
	corral_close(bench.corral);
}

static void numbers_begin_anew_with_an_epoch(void **state)
{
	struct bench bench = begin(state);
	struct arena *arena = &bench.corral->arena;

	add(&bench, "tea", 1, 1);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_OLDEST), 1);
	uint64_t last = events[0].number;
	add(&bench, "tea", 1, 1);
	arena->header->version_epoch++;
	feed_begin_epoch(arena);
	add(&bench, "tea", 1, 1);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_OLDEST), 1);
	assert_true(events[0].number > last + (1ull << 39));
	assert_int_equal(read_from(bench.corral, last + 1), 2);
	assert_int_equal(events[0].kind, CORRAL_EVENT_GAP);
	assert_int_equal(events[0].from, last + 1);
	assert_int_equal(events[0].missed, 0);
	corral_close(bench.corral);
}

static void nonsense_is_refused(void **state)
{
	struct bench bench = begin(state);
	char long_id[CORRAL_ID_MAX + 1] = { 0 };
	struct corral_text too_long = { long_id, sizeof(long_id) }, none = { 0 };
	struct corral_feed_filter filter = { .restaurant_id = &too_long };
	struct corral_feed *feed = NULL;
	size_t count;

	assert_int_equal(corral_feed_open(bench.corral, 0, &filter, &feed), -ENAMETOOLONG);
	filter.restaurant_id = &none;
	assert_int_equal(corral_feed_open(bench.corral, 0, &filter, &feed), -EINVAL);
	assert_null(feed);
	feed = open_feed(bench.corral, 0);
	assert_int_equal(corral_feed_next(feed, events, 0, 0, NULL, &count), -EINVAL);
	corral_feed_close(feed);
	corral_feed_close(NULL);
	corral_close(bench.corral);
}

struct meeting {
	struct corral *corral;
	pthread_barrier_t barrier;
	uint32_t came;
};

static void *add_one_and_stay(void *context)
{
	struct meeting *meeting = context;
	char name[8];

	snprintf(name, sizeof(name), "%u", fetch_add_relaxed(&meeting->came, 1u));
	const struct corral_key key = orders_key("r", name);
	must(orders_add(meeting->corral, &key, "tea", 1, 1, NULL, NULL) == 0);
	(void)pthread_barrier_wait(&meeting->barrier);
	(void)pthread_barrier_wait(&meeting->barrier);
	return NULL;
}

/* More lanes than a sequencer looks at at once, and none of their events came before another. */
static void first_events_of_many_threads_are_told(void **state)
{
	struct meeting meeting = { .corral = yard_open(*state, 0) };
	pthread_t threads[80];

	assert_int_equal(pthread_barrier_init(&meeting.barrier, NULL, COUNT(threads) + 1), 0);
	for (unsigned i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_one_and_stay, &meeting), 0);
	(void)pthread_barrier_wait(&meeting.barrier);
	assert_int_equal(read_from(meeting.corral, CORRAL_FEED_OLDEST), COUNT(threads));
	(void)pthread_barrier_wait(&meeting.barrier);
	for (unsigned i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	pthread_barrier_destroy(&meeting.barrier);
	corral_close(meeting.corral);
}

static void damaged_counts_are_a_gap(void **state)
{
	static const uint64_t damage[] = { 1ull << 62, 1ull << 53, 1ull << 40, 77, UINT64_MAX };
	struct bench bench = begin(state);
	struct actor *actor;

	add(&bench, "tea", 1, 1);
	assert_int_equal(handle_actor(bench.corral, &actor), 0);
	for (unsigned i = 0; i < 2 * COUNT(damage); i++) {
		uint64_t *const words[] = { &actor->record->lane_head, &actor->record->lane_tail };
		*words[i % 2] = damage[i / 2];
		struct corral_feed *feed = open_feed(bench.corral, CORRAL_FEED_OLDEST);
		size_t count = read_all(feed);
		assert_in_range(count, 1, EVENTS - 1);
		assert_int_equal(events[count - 1].kind, CORRAL_EVENT_GAP);
		assert_false(feed_pending(&bench.corral->arena));
		corral_feed_close(feed);
	}
	corral_close(bench.corral);
}

/* ------------------------------------------------------------------- waiting */

struct waiter {
	struct corral *corral;
	struct corral_feed *feed;
	uint32_t cancel;
	int result;
	size_t count;
	struct corral_event event;
};

static void *wait_for_one(void *context)
{
	struct waiter *waiter = context;

	waiter->result = corral_feed_next(waiter->feed, &waiter->event, 1, SUPPORT_WAIT_MS,
					  &waiter->cancel, &waiter->count);
	return NULL;
}

/* Two things, of which one comes. */
struct sleeper {
	struct corral_awaited **list;
	int result;
};

static void *wait_for_any(void *context)
{
	struct sleeper *sleeper = context;

	sleeper->result = corral_wait_any(sleeper->list, 2, SUPPORT_WAIT_MS, NULL);
	return NULL;
}

static bool sleeps(const struct corral *corral)
{
	return (load_relaxed(&corral->arena.header->feed_sleepers) & 1) != 0;
}

static void a_reader_that_sleeps_is_woken_by_the_change(void **state)
{
	struct bench bench = begin(state);
	struct waiter waiter = { .corral = bench.corral,
				 .feed = open_feed(bench.corral, CORRAL_FEED_NOW) };
	pthread_t thread;

	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(pthread_create(&thread, NULL, wait_for_one, &waiter), 0);
		assert_true(wait_until(sleeps(bench.corral), SUPPORT_WAIT_MS));
		add(&bench, "tea", 1, 1);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(waiter.result, 0);
		assert_int_equal(waiter.event.version, i);
	}
	corral_feed_close(waiter.feed);
	corral_close(bench.corral);
}

static void a_reader_about_to_sleep_is_woken_though_another_one_comes_between(void **state)
{
	struct bench bench = begin(state);
	uint32_t *word = &bench.corral->arena.header->feed_sleepers;
	const uint32_t seen = fetch_or_acq_rel(word, 1u) | 1; /* it has looked */

	add(&bench, "tea", 1, 1);
	(void)fetch_or_acq_rel(word, 1u); /* another one looks, and sleeps */
	assert_int_not_equal(load_relaxed(word), seen);
	corral_close(bench.corral);
}

static void a_feed_is_one_of_the_things_that_a_thread_waits_for(void **state)
{
	struct bench bench = begin(state);
	struct corral_text other = T("another");
	const struct corral_feed_filter filter = { .restaurant_id = &other };
	struct corral_feed *feed = open_feed(bench.corral, CORRAL_FEED_NOW), *wrong = NULL;
	struct corral_awaited any = { .corral = bench.corral, .feed = feed, .result = -EAGAIN };
	struct corral_awaited never = { .corral = bench.corral, .result = -EAGAIN };
	struct corral_awaited *list[] = { &never, &any };
	struct sleeper sleeper = { .list = list };
	pthread_t thread;

	assert_int_equal(corral_feed_open(bench.corral, CORRAL_FEED_NOW, &filter, &wrong), 0);
	never.feed = wrong;
	assert_int_equal(corral_wait_any(list, 2, 0, NULL), -ETIMEDOUT);
	for (uint64_t version = 1; version <= 100; version++) {
		any.result = -EAGAIN;
		assert_int_equal(pthread_create(&thread, NULL, wait_for_any, &sleeper), 0);
		if (version % 2 == 0) /* else before or after the look, as it happens */
			while (!sleeps(bench.corral))
				(void)sched_yield();
		assert_int_equal(
			corral_set_tax(bench.corral, &bench.key, (uint32_t)version, NULL, NULL), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(sleeper.result, 0);
		assert_int_equal(any.result, 0);
		assert_int_equal(read_all(feed), 1);
		expect(0, CORRAL_EVENT_CHANGED, version);
	}
	/* what was not wanted is behind it now */
	assert_int_equal(corral_wait_any(list, 2, 0, NULL), -ETIMEDOUT);
	assert_int_equal(never.result, -EAGAIN);
	assert_int_equal(corral_feed_position(wrong), corral_feed_position(feed));
	corral_feed_close(wrong);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

static void a_wait_ends_when_it_is_cancelled_or_takes_too_long(void **state)
{
	struct bench bench = begin(state);
	struct waiter waiter = { .corral = bench.corral,
				 .feed = open_feed(bench.corral, CORRAL_FEED_NOW) };
	pthread_t thread;
	size_t count;

	assert_int_equal(pthread_create(&thread, NULL, wait_for_one, &waiter), 0);
	assert_true(wait_until(sleeps(bench.corral), SUPPORT_WAIT_MS));
	corral_cancel(&waiter.cancel);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(waiter.result, -ECANCELED);
	assert_int_equal(corral_feed_next(waiter.feed, events, 1, 1, NULL, &count), -ETIMEDOUT);
	corral_feed_close(waiter.feed);
	corral_close(bench.corral);
}

/* --------------------------------------------------------------- many writers */

#define WRITERS 4u
#define ROUNDS 3000u
#define CARTS 6u

struct crowd {
	const struct yard *yard;
	struct corral *corral; /* NULL: processes, each with its own */
	uint32_t working;
	uint32_t ended; /* carts dropped by all */
	uint32_t changes;
};

static void write_much(struct crewman *self)
{
	struct crowd *crowd = self->shared;
	struct corral *corral = orders_come(crowd->yard, crowd->corral);
	char name[2] = "0";

	for (uint32_t i = 0; i < ROUNDS; i++) {
		name[0] = (char)('0' + random_below(&self->random, CARTS));
		struct corral_key key = orders_key("r", name);
		if (random_below(&self->random, 20) == 0) {
			int r = corral_drop(corral, &key, NULL, NULL);
			must(r == 0 || r == -ENOENT);
			(void)fetch_add_relaxed(&crowd->ended, r == 0 ? 1u : 0u);
		} else {
			must(orders_add(corral, &key, "tea", 1, 1, NULL, NULL) == 0);
			(void)fetch_add_relaxed(&crowd->changes, 1u);
		}
	}
	(void)__atomic_sub_fetch(&crowd->working, 1u, __ATOMIC_RELEASE); /* and the counts */
	orders_go(corral, crowd->corral);
}

struct judge {
	uint64_t version[CARTS];
	uint32_t changes, ends, missed;
	bool lapped; /* the numbers that it missed may have been gaps, too */
};

/* Each cart's versions follow one another, also from one cart to the next; but behind a gap. */
static void judge_event(struct judge *judge, const struct corral_event *event)
{
	uint32_t cart = (uint32_t)(event->session_id[0] - '0');

	if (event->kind == CORRAL_EVENT_GAP) {
		must(event->missed > 0);
		judge->missed += (uint32_t)event->missed;
		judge->lapped |= event->from != event->to;
		return;
	}
	must(cart < CARTS);
	uint64_t last = judge->version[cart];
	bool ends = event->kind == CORRAL_EVENT_DROPPED;
	uint64_t wanted = ends ? last : last + 1;
	must(event->version == wanted || (judge->missed > 0 && event->version > last));
	judge->version[cart] = event->version;
	judge->changes += !ends;
	judge->ends += ends;
}

struct reader {
	struct crowd *crowd;
	struct corral *corral;
	struct corral_feed *feed;
	pthread_t thread;
};

static void *read_while_they_write(void *context)
{
	const struct reader *reader = context;
	struct crowd *crowd = reader->crowd;
	struct corral_event some[64];
	struct judge judge = { 0 };
	size_t count;

	for (;;) {
		const bool over =
			load_acquire(&crowd->working) == 0 &&
			!feed_pending(&reader->corral->arena) &&
			corral_feed_position(reader->feed) == feed_next(&reader->corral->arena);
		if (over)
			break;
		int r = corral_feed_next(reader->feed, some, COUNT(some), 5, NULL, &count);
		must(r == 0 || r == -ETIMEDOUT);
		for (size_t i = 0; r == 0 && i < count; i++)
			judge_event(&judge, &some[i]);
	}
	must(judge.lapped ||
	     judge.changes + judge.ends + judge.missed == crowd->changes + crowd->ended);
	return NULL;
}

static void read_in_order(const struct yard *yard, bool processes)
{
	struct crowd *crowd = support_shared(sizeof(*crowd));
	struct reader readers[2];

	memset(crowd, 0, sizeof(*crowd));
	crowd->yard = yard;
	crowd->working = WRITERS;
	crowd->corral = processes ? NULL : yard_open(yard, 0);
	for (unsigned i = 0; i < COUNT(readers); i++) {
		readers[i].crowd = crowd;
		readers[i].corral = yard_open(yard, 0);
		readers[i].feed = open_feed(readers[i].corral, CORRAL_FEED_NOW);
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_while_they_write,
						&readers[i]),
				 0);
	}
	crew_run(NULL, processes, WRITERS, write_much, crowd);
	for (unsigned i = 0; i < COUNT(readers); i++) {
		assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
		corral_feed_close(readers[i].feed);
		corral_close(readers[i].corral);
	}
	corral_close(crowd->corral);
}

static void two_readers_see_the_changes_of_threads_in_order(void **state)
{
	read_in_order(*state, false);
}

static void two_readers_see_the_changes_of_processes_in_order(void **state)
{
	NEEDS_PROCESSES();
	if (!support_forks_with_threads())
		skip_because("a process forked from one with threads may make none here");
	read_in_order(*state, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_change_is_told_with_what_it_did),
		TEST(several_steps_are_one_event),
		TEST(the_longest_ids_fit),
		TEST(what_changes_nothing_is_not_told),
		TEST(a_feed_that_is_off_tells_nothing),
		TEST(a_drop_is_the_last_event_of_its_cart),
		TEST(a_cart_begun_in_the_place_of_one_that_is_over_is_two_events),
		TEST(each_of_many_carts_that_a_sweep_ends_is_told_once),
		TEST(a_filter_chooses),
		TEST(reading_goes_on_where_it_stopped),
		TEST(a_reader_that_is_lapped_is_told_which_it_missed),
		TEST(events_that_no_reader_numbered_in_time_are_a_gap),
		TEST(a_reader_that_is_away_for_very_many_events_costs_nothing),
		TEST(numbers_of_another_arena_are_a_gap),
		TEST(numbers_begin_anew_with_an_epoch),
		TEST(nonsense_is_refused),
		TEST(first_events_of_many_threads_are_told),
		TEST(damaged_counts_are_a_gap),
		TEST(a_reader_that_sleeps_is_woken_by_the_change),
		TEST(a_reader_about_to_sleep_is_woken_though_another_one_comes_between),
		TEST(a_feed_is_one_of_the_things_that_a_thread_waits_for),
		TEST(a_wait_ends_when_it_is_cancelled_or_takes_too_long),
		TEST(two_readers_see_the_changes_of_threads_in_order),
		TEST(two_readers_see_the_changes_of_processes_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
