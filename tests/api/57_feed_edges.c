/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 57_feed_edges.c: the feed where others are in the way: locks that are held, processes that are
 * stopped, and a feed that is switched off and on.
 */
#include <pthread.h>
#include <signal.h>

#include "api/handle.h"
#include "feed_kit.h"
#include "memory/class.h"
#include "store/feed.h"
#include "store/slot.h"
#include "sync/grace.h"
#include "sync/lock.h"

/* ------------------------------------------------------------------- lanes */

struct late { /* a thread that does not get a lane at first */
	struct bench *bench;
	pthread_barrier_t barrier;
	uint32_t untold;
};

static void *add_without_a_lane(void *context)
{
	struct late *late = context;
	struct actor *actor;

	must(handle_actor(late->bench->corral, &actor) == 0);
	for (uint32_t i = 0; i < 3; i++)
		add(late->bench, "tea", 1, 1);
	must(actor->record->lane == 0);
	(void)pthread_barrier_wait(&late->barrier);
	(void)pthread_barrier_wait(&late->barrier); /* the lock is free */
	for (late->untold = 2; actor->record->lane == 0 && late->untold < 200; late->untold++) {
		add(late->bench, "tea", 1, 1);
		support_sleep_us(1000);
	}
	return NULL;
}

/* The handle's patience is an hour, so a change that waited for a lane would outlast the test. */
static void a_change_does_not_wait_for_a_lane(void **state)
{
	struct bench bench = begin(state);
	struct late late = { .bench = &bench };
	struct actor *actor;
	pthread_t thread;

	assert_int_equal(corral_set_patience(bench.corral, 3600000), 0);
	assert_int_equal(handle_actor(bench.corral, &actor), 0);
	assert_int_equal(pthread_barrier_init(&late.barrier, NULL, 2), 0);
	add(&bench, "tea", 1, 1);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_OLDEST), 1);
	/* the class's blocks that are left, and the pages for more */
	struct arena *arena = &bench.corral->arena;
	lock_word *class = &arena->classes[class_of(feed_lane_bytes(arena))].lock;
	lock_word *space = &arena->header->space_lock;
	assert_int_equal(lock_take(actor, class, LOCK_CLASS), 0);
	assert_int_equal(lock_take(actor, space, LOCK_SPACE), 0);
	assert_int_equal(pthread_create(&thread, NULL, add_without_a_lane, &late), 0);
	(void)pthread_barrier_wait(&late.barrier);
	lock_drop(actor, space, LOCK_SPACE);
	lock_drop(actor, class, LOCK_CLASS);
	(void)pthread_barrier_wait(&late.barrier);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(late.untold < 200);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_OLDEST), 3);
	expect(0, CORRAL_EVENT_CHANGED, 1);
	assert_int_equal(events[1].kind, CORRAL_EVENT_GAP);
	assert_int_equal(events[1].missed, late.untold);
	expect(2, CORRAL_EVENT_CHANGED, late.untold + 2);
	pthread_barrier_destroy(&late.barrier);
	corral_close(bench.corral);
}

/* -------------------------------------------------------------------- ends */

/* Carts of many sizes, so that the copy of the last version often has to look for memory. */
static void a_cart_that_is_checked_out_stays_there(void **state)
{
	struct bench bench = begin(state);
	struct corral_head head;
	char item[16];

	for (uint32_t round = 0; round < 400; round++) {
		for (uint32_t i = 0; i <= round % 23; i++) {
			snprintf(item, sizeof(item), "item %u", i);
			add(&bench, item, 100, 1);
		}
		assert_int_equal(corral_checkout(bench.corral, &bench.key, NULL, NULL), 0);
		assert_int_equal(orders_head(bench.corral, &bench.key, &head), 0);
		assert_int_equal(head.status, CORRAL_CHECKED_OUT);
		assert_int_equal(head.line_count, round % 23 + 1);
		assert_int_equal(corral_drop(bench.corral, &bench.key, NULL, NULL), 0);
	}
	corral_close(bench.corral);
}

struct neighbours {
	struct corral *corral;
	struct corral_key keys[2];
	char names[2][16];
};

static void drop(const struct neighbours *two, uint32_t which)
{
	must(corral_drop(two->corral, &two->keys[which], NULL, NULL) == 0);
}

static void put(const struct neighbours *two, uint32_t which)
{
	must(orders_add(two->corral, &two->keys[which], "tea", 1, 1, NULL, NULL) == 0);
}

/* Two keys of one bucket. */
static void find_neighbours(struct neighbours *two)
{
	struct arena *arena = &two->corral->arena;

	for (uint32_t i = 0, found = 0; found < 2; i++) {
		snprintf(two->names[found], sizeof(two->names[found]), "%u", i);
		two->keys[found] = orders_key("r", two->names[found]);
		found += found == 0 || slot_bucket(arena, slot_hash(arena, &two->keys[0])) ==
					       slot_bucket(arena, slot_hash(arena, &two->keys[1]));
	}
}

static void *drop_the_other_and_make_the_first(void *context)
{
	drop(context, 1);
	put(context, 0);
	return NULL;
}

/*
 * A cart ends that was changed often, and then its neighbour, by a thread that has done nothing so
 * far: the first one's next cart comes after its end all the same.
 */
static void a_new_cart_comes_after_the_end_of_the_one_before(void **state)
{
	struct neighbours two = { .corral = yard_open(*state, 0) };
	pthread_t thread;

	find_neighbours(&two);
	put(&two, 1);
	for (uint32_t i = 0; i < 5; i++)
		put(&two, 0);
	drop(&two, 0);
	assert_int_equal(pthread_create(&thread, NULL, drop_the_other_and_make_the_first, &two), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(read_from(two.corral, CORRAL_FEED_OLDEST), 9);
	expect(6, CORRAL_EVENT_DROPPED, 5);
	assert_string_equal(events[6].session_id, two.names[0]);
	expect(7, CORRAL_EVENT_DROPPED, 1);
	expect(8, CORRAL_EVENT_CHANGED, 6);
	corral_close(two.corral);
}

/* ----------------------------------------------------------------- waiting */

/* As a signal handler may: it frees no block of a thread that may be freeing one. */
static void a_reader_in_the_middle_of_a_change_numbers_nothing(void **state)
{
	struct bench bench = begin(state);
	struct corral_feed *feed = open_feed(bench.corral, CORRAL_FEED_NOW);
	struct actor *actor;

	assert_int_equal(handle_actor(bench.corral, &actor), 0);
	add(&bench, "tea", 1, 1);
	actor->in_change = true;
	assert_int_equal(read_all(feed), 0);
	actor->in_change = false;
	assert_int_equal(read_all(feed), 1);
	corral_feed_close(feed);
	corral_close(bench.corral);
}

struct waiter {
	struct corral_feed *feed;
	int result;
	uint32_t done;
};

static void *wait_for_ever(void *context)
{
	struct waiter *waiter = context;
	struct corral_event event;
	size_t count;

	waiter->result = corral_feed_next(waiter->feed, &event, 1, -1, NULL, &count);
	store_release(&waiter->done, 1u);
	return NULL;
}

static void do_nothing(int number)
{
	(void)number;
}

/* Also the wait of a handle that may write nothing, and so sleeps on no word. */
static void a_signal_ends_a_wait(void **state)
{
	const struct sigaction action = { .sa_handler = do_nothing };
	struct bench bench = begin(state);

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	for (int blind = 0; blind < 2; blind++) {
		struct waiter waiter = { .feed = open_feed(bench.corral, CORRAL_FEED_NOW) };
		pthread_t thread;

		bench.corral->unregistered = blind != 0;
		assert_int_equal(pthread_create(&thread, NULL, wait_for_ever, &waiter), 0);
		while (load_acquire(&waiter.done) == 0) {
			assert_int_equal(pthread_kill(thread, SIGUSR1), 0);
			support_sleep_us(1000);
		}
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(waiter.result, -EINTR);
		bench.corral->unregistered = false;
		corral_feed_close(waiter.feed);
	}
	corral_close(bench.corral);
}

/* -------------------------------------------------------------- off and on */

struct writer {
	struct bench *bench;
	lock_word *lock; /* the cart's */
};

static lock_word *lock_of(struct actor *actor, const struct corral_key *key)
{
	struct found found = { 0 };

	grace_enter(actor);
	assert_int_equal(slot_find(actor->arena, slot_hash(actor->arena, key), key, &found), 0);
	grace_leave(actor);
	slot_want(actor, NULL, found.slot);
	return &found.slot->lock;
}

static void *add_one(void *context)
{
	const struct writer *writer = context;

	add(writer->bench, "tea", 1, 1);
	return NULL;
}

/* Its event is not prepared, since none are written, and the feed is on when it happens. */
static void a_change_that_began_before_the_feed_was_on_is_in_a_gap(void **state)
{
	struct bench bench = begin(state);
	uint32_t *feed = &bench.corral->arena.header->feed;
	struct writer writer = { .bench = &bench };
	struct actor *actor;
	pthread_t thread;
	uint64_t stamp = 0;

	assert_int_equal(corral_set_patience(bench.corral, 3600000), 0);
	assert_int_equal(handle_actor(bench.corral, &actor), 0);
	add(&bench, "tea", 1, 1);
	store_relaxed(feed, FEED_OFF);
	writer.lock = lock_of(actor, &bench.key);
	assert_int_equal(lock_take(actor, writer.lock, LOCK_SLOT), 0);
	assert_int_equal(pthread_create(&thread, NULL, add_one, &writer), 0);
	while ((load_relaxed(writer.lock) & LOCK_WAITERS) == 0)
		support_sleep_us(1000);
	store_relaxed(feed, FEED_ON);
	lock_drop(actor, writer.lock, LOCK_SLOT);
	assert_int_equal(pthread_join(thread, NULL), 0);
	add(&bench, "tea", 1, 1);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_OLDEST), 3);
	size_t gap = events[0].kind == CORRAL_EVENT_GAP ? 0 : 1;
	assert_int_equal(events[gap].kind, CORRAL_EVENT_GAP);
	assert_int_equal(events[gap].missed, 1);
	expect(2, CORRAL_EVENT_CHANGED, 3);
	/* the same without a wait in between, after which an event is prepared once more */
	store_relaxed(feed, FEED_OFF);
	assert_false(feed_wanted(actor, 0));
	store_relaxed(feed, FEED_ON);
	feed_note(actor, 0);
	feed_complete(actor->arena, actor->record, &stamp, NULL);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_OLDEST), 4);
	assert_int_equal(events[3].kind, CORRAL_EVENT_GAP);
	assert_int_equal(events[3].missed, 1);
	/* while it is off, nothing is counted, and nothing of it comes later */
	store_relaxed(feed, FEED_OFF);
	add(&bench, "tea", 1, 1);
	store_relaxed(feed, FEED_ON);
	add(&bench, "tea", 1, 1);
	assert_int_equal(read_from(bench.corral, CORRAL_FEED_OLDEST), 5);
	expect(4, CORRAL_EVENT_CHANGED, 5);
	corral_close(bench.corral);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_change_does_not_wait_for_a_lane),
		TEST(a_cart_that_is_checked_out_stays_there),
		TEST(a_new_cart_comes_after_the_end_of_the_one_before),
		TEST(a_reader_in_the_middle_of_a_change_numbers_nothing),
		TEST(a_signal_ends_a_wait),
		TEST(a_change_that_began_before_the_feed_was_on_is_in_a_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
