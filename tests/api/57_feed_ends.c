/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 57_feed_ends.c: how carts end is kept, with their last versions, however much happens meanwhile;
 * what is let go is said; a named cursor finds what it has not acknowledged.
 */
#include <pthread.h>

#include "api/handle.h"
#include "orders_bench.h"
#include "store/expire.h"
#include "store/feed.h"
#include "sync/lock.h"

#define EVENTS 2048u
#define ENDS ((uint32_t)CORRAL_EVENT_CHECKED_OUT | CORRAL_EVENT_DROPPED | CORRAL_EVENT_EXPIRED)

static struct corral_event events[EVENTS];

static size_t read_all(struct corral_feed *feed)
{
	size_t count = 0, more = 0;

	while (count < EVENTS &&
	       corral_feed_next(feed, &events[count], EVENTS - count, 0, NULL, &more) == 0)
		count += more;
	return count;
}

static struct corral_feed *open_kinds(struct corral *corral, uint64_t from, uint32_t kinds)
{
	const struct corral_feed_filter filter = { .kinds = kinds };
	struct corral_feed *feed = NULL;

	assert_int_equal(corral_feed_open(corral, from, &filter, &feed), 0);
	return feed;
}

static struct actor *actor_of(struct corral *corral)
{
	struct actor *actor;

	assert_int_equal(handle_actor(corral, &actor), 0);
	return actor;
}

/* More changes than the ring has room for, each of which is numbered. */
static void lap(const struct bench *bench)
{
	struct actor *actor = actor_of(bench->corral);

	for (uint64_t i = 0; i <= 2 * bench->corral->arena.feed_mask; i++) {
		add(bench, "tea", 1, 1);
		assert_true(feed_number(actor, UINT32_MAX, NULL));
	}
}

static void expect_end(struct corral_feed *feed, const struct corral_event *event, uint32_t kind,
		       uint64_t version, uint32_t lines)
{
	struct corral_view view;
	struct corral_head head;
	struct corral_key key;

	assert_int_equal(event->kind, kind);
	assert_int_equal(event->version, version);
	assert_int_equal(event->content, 1);
	assert_int_equal(corral_feed_cart(feed, event->number, &view), 0);
	assert_int_equal(corral_view_verify(&view), 0);
	assert_int_equal(corral_view_head(&view, &head), 0);
	assert_int_equal(head.version, version);
	assert_int_equal(head.line_count, lines);
	assert_int_equal(head.total_cents, event->total_cents);
	assert_int_equal(corral_view_key(&view, &key), 0);
	assert_int_equal(key.session_id.size, strlen(event->session_id));
	assert_memory_equal(key.session_id.data, event->session_id, key.session_id.size);
	assert_int_equal(corral_view_expires_ms(&view), event->time_ms);
}

/* ------------------------------------------------------------------ content */

static void each_way_to_end_keeps_the_last_version(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_kinds(bench.corral, CORRAL_FEED_NOW, ENDS);

	add(&bench, "tea", 250, 1);
	add(&bench, "pie", 300, 1);
	assert_int_equal(corral_checkout(bench.corral, &bench.key, NULL, NULL), 0);
	assert_int_equal(corral_drop(bench.corral, &bench.key, NULL, NULL), 0);
	add(&bench, "cake", 300, 1);
	assert_int_equal(corral_set_ttl(bench.corral, &bench.key, CORRAL_TTL_MS_MIN, NULL, NULL),
			 0);
	support_sleep_us(150000);
	assert_int_equal(expire_slots(actor_of(bench.corral), 0, UINT32_MAX), 1);
	assert_int_equal(read_all(feed), 3);
	expect_end(feed, &events[0], CORRAL_EVENT_CHECKED_OUT, 3, 2);
	expect_end(feed, &events[1], CORRAL_EVENT_DROPPED, 3, 2);
	expect_end(feed, &events[2], CORRAL_EVENT_EXPIRED, 5, 1);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

/* A cart in the place of one that is over, and checked out at once. */
static void two_ends_in_one_change_keep_both_versions(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_kinds(bench.corral, CORRAL_FEED_NOW, ENDS);
	struct corral_item item = orders_item("tea", 250, 1);
	const struct corral_step steps[] = { { .kind = CORRAL_STEP_ADD, .item = &item },
					     { .kind = CORRAL_STEP_CHECKOUT } };

	add(&bench, "pie", 300, 1);
	add(&bench, "cake", 300, 1);
	assert_int_equal(corral_set_ttl(bench.corral, &bench.key, CORRAL_TTL_MS_MIN, NULL, NULL),
			 0);
	support_sleep_us(150000);
	assert_int_equal(
		corral_apply(bench.corral, &bench.key, steps, COUNT(steps), NULL, NULL, NULL), 0);
	assert_int_equal(read_all(feed), 2);
	expect_end(feed, &events[0], CORRAL_EVENT_EXPIRED, 3, 2);
	expect_end(feed, &events[1], CORRAL_EVENT_CHECKED_OUT, 4, 1);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

static void a_change_that_is_refused_keeps_no_copy(void **state)
{
	struct bench bench = begin(state);
	struct corral_op late = { .if_version = 77 };
	struct actor *actor = actor_of(bench.corral);

	add(&bench, "tea", 250, 1);
	assert_int_equal(corral_checkout(bench.corral, &bench.key, &late, NULL), -ECANCELED);
	assert_int_equal(corral_drop(bench.corral, &bench.key, &late, NULL), -ECANCELED);
	assert_false(feed_has_copies(actor->record));
	assert_int_equal(corral_drop(bench.corral, &bench.key, NULL, NULL), 0);
	assert_false(feed_has_copies(actor->record));
	corral_close(bench.corral);
}

static void what_is_no_end_has_no_last_version(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_kinds(bench.corral, CORRAL_FEED_NOW, 0);
	struct corral_view view;

	add(&bench, "tea", 250, 1);
	assert_int_equal(read_all(feed), 1);
	assert_int_equal(events[0].content, 0);
	assert_int_equal(corral_feed_cart(feed, events[0].number, &view), -ENOENT);
	assert_int_equal(corral_feed_cart(feed, events[0].number + 1, &view), -ENOENT);
	assert_int_equal(corral_feed_cart(feed, UINT64_MAX, &view), -ENOENT);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

static void damage_of_a_copy_shows(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_kinds(bench.corral, CORRAL_FEED_NOW, ENDS);
	struct arena *arena = &bench.corral->arena;
	struct corral_view view;

	add(&bench, "tea", 250, 1);
	assert_int_equal(corral_drop(bench.corral, &bench.key, NULL, NULL), 0);
	assert_int_equal(read_all(feed), 1);
	uint8_t *copy = (uint8_t *)arena_block(arena, arena->ends[0].copy);
	const struct feed_copy *head = (const struct feed_copy *)(const void *)copy;
	const size_t last = offsetof(struct feed_copy, event) + head->event_size + head->size - 9;
	copy[last] ^= 1;
	assert_int_equal(corral_feed_cart(feed, events[0].number, &view), -EUCLEAN);
	copy[last] ^= 1;
	assert_int_equal(corral_feed_cart(feed, events[0].number, &view), 0);
	arena->ends[0].bytes = 200; /* less than the event alone */
	assert_int_equal(corral_feed_cart(feed, events[0].number, &view), -ENOENT);
	arena->ends[0].bytes = UINT32_MAX;
	assert_int_equal(corral_feed_cart(feed, events[0].number, &view), -ENOENT);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

/* ------------------------------------------------------------------ laps */

static void no_change_laps_an_end_in_its_lane(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_kinds(bench.corral, CORRAL_FEED_NOW, ENDS);
	const uint32_t room = bench.corral->arena.lane_mask + 1;

	for (unsigned end = 0; end < 3; end++) {
		add(&bench, "tea", 250, 1);
		assert_int_equal(corral_drop(bench.corral, &bench.key, NULL, NULL), 0);
		for (uint32_t i = 0; i < 3 * room; i++)
			add(&bench, "tea", 1, 1);
		assert_int_equal(corral_drop(bench.corral, &bench.key, NULL, NULL), 0);
	}
	const size_t count = read_all(feed);
	size_t ends = 0;
	for (size_t i = 0; i < count; i++) {
		if (events[i].kind == CORRAL_EVENT_GAP)
			continue;
		expect_end(feed, &events[i], CORRAL_EVENT_DROPPED, events[i].version, 1);
		ends++;
	}
	assert_int_equal(ends, 6);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

struct holder {
	struct corral *corral;
	pthread_barrier_t barrier;
};

static void *hold_the_lock(void *context)
{
	struct holder *holder = context;
	lock_word *lock = &holder->corral->arena.header->feed_lock;
	struct actor *actor;

	must(handle_actor(holder->corral, &actor) == 0);
	must(lock_take(actor, lock, LOCK_FEED) == 0);
	(void)pthread_barrier_wait(&holder->barrier);
	(void)pthread_barrier_wait(&holder->barrier);
	lock_drop(actor, lock, LOCK_FEED);
	return NULL;
}

/* No end is lost, and no writer waits: its changes are not told, and that is said. */
static void a_stopped_sequencer_costs_changes_and_no_end(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_kinds(bench.corral, CORRAL_FEED_NOW, 0);
	struct holder holder = { .corral = bench.corral };
	const uint32_t room = bench.corral->arena.lane_mask + 1, all = 5 * room;
	uint64_t missed = 0, told = 0, last = 0;
	pthread_t thread;

	assert_int_equal(pthread_barrier_init(&holder.barrier, NULL, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, hold_the_lock, &holder), 0);
	(void)pthread_barrier_wait(&holder.barrier);
	add(&bench, "tea", 250, 1);
	assert_int_equal(corral_drop(bench.corral, &bench.key, NULL, NULL), 0);
	for (uint32_t i = 0; i < all; i++)
		last = add(&bench, "tea", 1, 1).version;
	(void)pthread_barrier_wait(&holder.barrier);
	assert_int_equal(pthread_join(thread, NULL), 0);
	add(&bench, "tea", 1, 1);
	const size_t count = read_all(feed);
	bool ended = false;
	for (size_t i = 0; i < count; i++) {
		missed += events[i].missed;
		told += events[i].kind == CORRAL_EVENT_CHANGED;
		ended |= events[i].kind == CORRAL_EVENT_DROPPED;
		if (events[i].kind == CORRAL_EVENT_DROPPED)
			expect_end(feed, &events[i], CORRAL_EVENT_DROPPED, 1, 1);
	}
	assert_true(ended);
	assert_true(missed >= all - room);
	assert_int_equal(missed + told, all + 2);
	assert_int_equal(events[count - 1].version, last + 1);
	pthread_barrier_destroy(&holder.barrier);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

static void a_reader_that_the_ring_has_lapped_still_finds_the_ends(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *all = open_kinds(bench.corral, CORRAL_FEED_NOW, 0);
	struct corral_feed *ends = open_kinds(bench.corral, CORRAL_FEED_NOW, ENDS);
	const uint64_t begun = corral_feed_position(all);

	add(&bench, "tea", 250, 1);
	assert_int_equal(corral_drop(bench.corral, &bench.key, NULL, NULL), 0);
	add(&bench, "pie", 250, 1);
	add(&bench, "cake", 250, 1);
	assert_int_equal(corral_checkout(bench.corral, &bench.key, NULL, NULL), 0);
	const struct bench other = { bench.corral, orders_key("restaurant", "other") };
	lap(&other);
	size_t count = read_all(all);
	assert_int_equal(events[0].kind, CORRAL_EVENT_GAP);
	assert_int_equal(events[0].from, begun);
	assert_int_equal(events[0].missed, 1);
	expect_end(all, &events[1], CORRAL_EVENT_DROPPED, 1, 1);
	assert_int_equal(events[1].number, begun + 1);
	assert_int_equal(events[2].kind, CORRAL_EVENT_GAP);
	assert_int_equal(events[2].missed, 2);
	expect_end(all, &events[3], CORRAL_EVENT_CHECKED_OUT, 4, 2);
	assert_int_equal(events[4].kind, CORRAL_EVENT_GAP);
	assert_int_equal(events[4].from, begun + 5);
	for (size_t i = 5; i < count; i++)
		assert_int_equal(events[i].kind, CORRAL_EVENT_CHANGED);
	assert_int_equal(read_all(ends), 2); /* and no gap, since no end was missed */
	expect_end(ends, &events[0], CORRAL_EVENT_DROPPED, 1, 1);
	expect_end(ends, &events[1], CORRAL_EVENT_CHECKED_OUT, 4, 2);
	assert_int_equal(corral_feed_position(ends), corral_feed_position(all));
	struct corral_feed *oldest = open_kinds(bench.corral, CORRAL_FEED_OLDEST, ENDS);
	assert_int_equal(read_all(oldest), 2);
	corral_feed_close(oldest);
	corral_feed_close(ends);
	corral_feed_close(all);
	corral_close(bench.corral);
}

/* ------------------------------------------------------------------ let go */

static void end_a_cart(const struct bench *bench)
{
	add(bench, "tea", 250, 1);
	assert_int_equal(corral_drop(bench->corral, &bench->key, NULL, NULL), 0);
	assert_true(feed_number(actor_of(bench->corral), UINT32_MAX, NULL));
}

static void a_full_ring_lets_the_oldest_ends_go(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_kinds(bench.corral, CORRAL_FEED_NOW, ENDS);
	const uint64_t begun = corral_feed_position(feed);
	const struct arena_header *h = bench.corral->arena.header;
	const uint64_t room = bench.corral->arena.ends_mask + 1, all = room + room / 2;
	struct corral_view view;

	for (uint64_t i = 0; i < all; i++)
		end_a_cart(&bench);
	const uint64_t kept = h->ends_next - h->ends_first;
	assert_in_range(kept, room / 2, room);
	size_t count = read_all(feed);
	assert_int_equal(events[0].kind, CORRAL_EVENT_GAP);
	assert_int_equal(events[0].from, begun);
	assert_int_equal(count, kept + 1);
	for (size_t i = 1; i < count; i++)
		expect_end(feed, &events[i], CORRAL_EVENT_DROPPED, all - kept + i, 1);
	assert_int_equal(corral_feed_cart(feed, begun + 1, &view), -ESTALE);
	assert_int_equal(h->ends_lost, 0); /* there is no cursor */
	corral_feed_close(feed);
	corral_close(bench.corral);
}

static void copies_take_a_part_of_the_space_at_most(void **state)
{
	struct bench bench = begin(state);
	const struct arena_header *h = bench.corral->arena.header;
	const uint64_t space = (uint64_t)bench.corral->arena.page_count * PAGE_BYTES;
	static char notes[16000];
	struct corral_item item = orders_item("tea", 250, 1);

	memset(notes, 'n', sizeof(notes));
	item.notes = (struct corral_text){ notes, sizeof(notes) };
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(corral_add(bench.corral, &bench.key, &item, NULL, NULL), 0);
		assert_int_equal(corral_drop(bench.corral, &bench.key, NULL, NULL), 0);
		assert_true(feed_number(actor_of(bench.corral), UINT32_MAX, NULL));
	}
	assert_true(h->ends_next == 64 && h->ends_first > 0 && h->ends_first < 64);
	assert_in_range(h->ends_bytes, 1, space / 32 + CLASS_LARGEST);
	corral_close(bench.corral);
}

static void an_end_is_let_go_after_a_day(void **state)
{
	struct bench bench = begin(state);
	struct arena *arena = &bench.corral->arena;

	end_a_cart(&bench);
	end_a_cart(&bench);
	arena->ends[0].time_ms -= 24ll * 3600 * 1000;
	assert_true(feed_number(actor_of(bench.corral), UINT32_MAX, NULL));
	assert_int_equal(arena->header->ends_first, 1);
	assert_int_equal(arena->header->ends_next, 2);
	corral_close(bench.corral);
}

static void ends_that_no_cursor_needs_make_room(void **state)
{
	struct bench bench = begin(state);
	struct actor *actor = actor_of(bench.corral);
	const struct arena_header *h = bench.corral->arena.header;

	end_a_cart(&bench);
	assert_int_equal(feed_cursor_put(actor, "texts", feed_next(&bench.corral->arena), 1), 0);
	end_a_cart(&bench);
	assert_true(feed_ends_relieve(actor));
	assert_int_equal(h->ends_first, 1);
	assert_false(feed_ends_relieve(actor));
	assert_int_equal(h->ends_next, 2);
	corral_close(bench.corral);
}

/* -------------------------------------------------- ends that nobody told */

static void an_end_can_be_put_into_an_arena(void **state)
{
	struct bench bench = begin(state);
	struct actor *actor = actor_of(bench.corral);
	struct corral_feed *feed = open_kinds(bench.corral, CORRAL_FEED_NOW, ENDS);
	uint8_t buffer[4096];
	struct corral_view view;
	struct feed_entry event;
	const int64_t then_ms = arena_wall_ms() - 60000;
	uint64_t number = 0;
	size_t size;

	add(&bench, "tea", 250, 1);
	assert_int_equal(
		corral_read_copy(bench.corral, &bench.key, buffer, sizeof(buffer), &size, &view),
		0);
	assert_int_equal(feed_end_event((const struct cart_head *)(const void *)buffer, size,
					CORRAL_EVENT_EXPIRED, then_ms, &event),
			 0);
	assert_int_equal(feed_put_end(actor, &event, buffer, (uint32_t)size, &number), 0);
	assert_int_equal(feed_put_end(actor, &event, NULL, 0, &number), 0);
	assert_false(feed_has_copies(actor->record));
	assert_int_equal(read_all(feed), 2);
	expect_end(feed, &events[0], CORRAL_EVENT_EXPIRED, 1, 1);
	assert_int_equal(events[0].time_ms, then_ms);
	assert_int_equal(events[1].content, 0);
	assert_int_equal(events[1].number, number);
	event.kind = CORRAL_EVENT_CHANGED;
	assert_int_equal(feed_put_end(actor, &event, NULL, 0, &number), -EINVAL);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

static void ends_without_a_number_outlive_an_epoch(void **state)
{
	struct bench bench = begin(state);
	struct arena *arena = &bench.corral->arena;
	struct corral_feed *feed = open_kinds(bench.corral, CORRAL_FEED_NOW, ENDS);

	end_a_cart(&bench);
	add(&bench, "pie", 250, 1);
	assert_int_equal(corral_drop(bench.corral, &bench.key, NULL, NULL), 0);
	arena->header->version_epoch++;
	feed_begin_epoch(arena);
	assert_int_equal(read_all(feed), 2);
	expect_end(feed, &events[0], CORRAL_EVENT_DROPPED, 1, 1);
	expect_end(feed, &events[1], CORRAL_EVENT_DROPPED, 2, 1);
	assert_true(events[1].number >= arena_feed_begin(arena->header->version_epoch));
	corral_feed_close(feed);
	corral_close(bench.corral);
}

/* ------------------------------------------------------------------ cursors */

static struct corral_feed *open_cursor(struct corral *corral, const char *name)
{
	struct corral_feed *feed = NULL;

	assert_int_equal(corral_feed_open_cursor(corral, corral_text(name), NULL, &feed), 0);
	return feed;
}

static void a_cursor_goes_on_behind_what_it_has_acknowledged(void **state)
{
	struct bench bench = begin(state);
	struct corral_cursor rows[CORRAL_CURSORS];
	size_t count = 0;

	add(&bench, "tea", 250, 1);
	struct corral_feed *feed = open_cursor(bench.corral, "texts");
	assert_int_equal(read_all(feed), 0); /* a new one begins now */
	end_a_cart(&bench);
	assert_int_equal(read_all(feed), 2);
	assert_int_equal(corral_feed_ack(feed, events[0].number), 0);
	corral_feed_close(feed);
	assert_int_equal(corral_cursors(bench.corral, rows, COUNT(rows), &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(rows[0].name, "texts");
	assert_int_equal(rows[0].next, events[1].number);
	assert_int_equal(rows[0].lag, 1);
	assert_int_equal(rows[0].ends, 1);
	assert_true(rows[0].acked_ms > 0);
	corral_close(bench.corral);
	bench = begin(state);
	feed = open_cursor(bench.corral, "texts");
	assert_int_equal(read_all(feed), 1); /* at least once */
	expect_end(feed, &events[0], CORRAL_EVENT_DROPPED, 2, 1);
	assert_int_equal(corral_feed_ack(feed, events[0].number), 0);
	assert_int_equal(corral_feed_ack(feed, events[0].number - 1), 0); /* it never goes back */
	assert_int_equal(corral_cursors(bench.corral, rows, COUNT(rows), &count), 0);
	assert_int_equal(rows[0].lag, 0);
	assert_int_equal(rows[0].ends, 0);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

static void what_a_cursor_had_not_seen_is_counted_when_it_is_let_go(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_cursor(bench.corral, "texts");
	const struct arena_header *h = bench.corral->arena.header;
	const uint64_t room = bench.corral->arena.ends_mask + 1;

	for (uint64_t i = 0; i < room; i++)
		end_a_cart(&bench);
	assert_true(h->ends_first > 0);
	assert_int_equal(h->ends_lost, h->ends_first);
	assert_true(h->ends_lost_ms > 0);
	assert_true(read_all(feed) > 0);
	assert_int_equal(events[0].kind, CORRAL_EVENT_GAP);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

static void with_a_journal_ends_wait_until_they_are_on_disk(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_cursor(bench.corral, "texts");
	struct arena *arena = &bench.corral->arena;
	struct actor *actor = actor_of(bench.corral);

	store_relaxed(&arena->header->journal, JOURNAL_MODE_TIME);
	end_a_cart(&bench);
	end_a_cart(&bench);
	arena->ends[0].time_ms -= 24ll * 3600 * 1000; /* too old */
	assert_true(feed_number(actor, UINT32_MAX, NULL));
	assert_int_equal(arena->header->ends_first, 0);
	feed_ends_journaled(arena, arena->ends[0].number + 1);
	assert_true(feed_number(actor, UINT32_MAX, NULL));
	assert_int_equal(arena->header->ends_first, 1);
	store_relaxed(&arena->header->journal, JOURNAL_MODE_OFF);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

static void nonsense_is_refused(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = NULL, *plain;
	char name[8];

	const char *const wrong[] = { "", "a b", "a/b", "\xc3\xa4",
				      "0123456789012345678901234567890x" };
	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_int_equal(
			corral_feed_open_cursor(bench.corral, corral_text(wrong[i]), NULL, &feed),
			-EINVAL);
		assert_int_equal(corral_cursor_remove(bench.corral, corral_text(wrong[i])),
				 -EINVAL);
	}
	for (unsigned i = 0; i < CORRAL_CURSORS; i++) {
		snprintf(name, sizeof(name), "c.%u", i);
		corral_feed_close(open_cursor(bench.corral, name));
	}
	assert_int_equal(
		corral_feed_open_cursor(bench.corral, corral_text("one-more"), NULL, &feed),
		-ENOSPC);
	assert_int_equal(corral_cursor_remove(bench.corral, corral_text("nil")), -ENOENT);
	feed = open_cursor(bench.corral, "c.3");
	assert_int_equal(corral_feed_ack(feed, corral_feed_position(feed)), -EINVAL); /* not yet */
	assert_int_equal(corral_cursor_remove(bench.corral, corral_text("c.3")), 0);
	assert_int_equal(corral_feed_ack(feed, corral_feed_position(feed) - 1), -ENOENT);
	corral_feed_close(feed);
	corral_feed_close(open_cursor(bench.corral, "one-more"));
	assert_int_equal(corral_feed_open(bench.corral, CORRAL_FEED_NOW, NULL, &plain), 0);
	assert_int_equal(corral_feed_ack(plain, 0), -EINVAL); /* it is no cursor's */
	corral_feed_close(plain);
	struct corral *reader = yard_open(*state, CORRAL_READ_ONLY);
	assert_int_equal(corral_feed_open_cursor(reader, corral_text("c.1"), NULL, &feed), -EROFS);
	assert_int_equal(corral_cursor_remove(reader, corral_text("c.1")), -EROFS);
	corral_close(reader);
	corral_close(bench.corral);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, orders_setup, orders_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_way_to_end_keeps_the_last_version),
		TEST(two_ends_in_one_change_keep_both_versions),
		TEST(a_change_that_is_refused_keeps_no_copy),
		TEST(what_is_no_end_has_no_last_version),
		TEST(damage_of_a_copy_shows),
		TEST(no_change_laps_an_end_in_its_lane),
		TEST(a_stopped_sequencer_costs_changes_and_no_end),
		TEST(a_reader_that_the_ring_has_lapped_still_finds_the_ends),
		TEST(a_full_ring_lets_the_oldest_ends_go),
		TEST(copies_take_a_part_of_the_space_at_most),
		TEST(an_end_is_let_go_after_a_day),
		TEST(ends_that_no_cursor_needs_make_room),
		TEST(an_end_can_be_put_into_an_arena),
		TEST(ends_without_a_number_outlive_an_epoch),
		TEST(a_cursor_goes_on_behind_what_it_has_acknowledged),
		TEST(what_a_cursor_had_not_seen_is_counted_when_it_is_let_go),
		TEST(with_a_journal_ends_wait_until_they_are_on_disk),
		TEST(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
