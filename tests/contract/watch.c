/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c: lists, waiting for a change, waiting for the disk.
 */
#include <pthread.h>

#include "contract.h"

#define ROWS 7u
#define LONG_MS 60000 /* no case waits for so long, unless it fails */

/* --------------------------------------------------------------------- list */

/* How often each session of this run is listed. */
static void list_all(struct corral *corral, const struct corral_text *restaurant, size_t max,
		     uint32_t times[ROWS])
{
	struct corral_entry rows[ROWS + 1];
	struct corral_list *list;
	size_t count;

	memset(times, 0, ROWS * sizeof(times[0]));
	gives(0, corral_list_open(corral, restaurant, &list));
	for (;;) {
		gives(0, corral_list_next(list, rows, max, &count));
		assert_true(count <= max);
		if (count == 0)
			break;
		for (size_t i = 0; i < count; i++) {
			unsigned number;
			if (strcmp(rows[i].restaurant_id, contract_restaurant) != 0)
				assert_null(restaurant);
			else if (sscanf(rows[i].session_id, "row-%u", &number) == 1) {
				assert_true(number < ROWS);
				assert_int_equal(rows[i].head.total_cents, 100 + number);
				assert_true(rows[i].expires_ms > rows[i].head.created_ms);
				times[number]++;
			}
		}
	}
	corral_list_close(list);
}

static void each_cart_is_listed_once_however_many_rows_are_asked_for(struct contract *c)
{
	struct corral_text restaurant = corral_text(contract_restaurant), none = T("no such one");
	char sessions[ROWS][16];
	uint32_t times[ROWS];

	for (uint32_t i = 0; i < ROWS; i++) {
		snprintf(sessions[i], sizeof(sessions[i]), "row-%u", i);
		struct corral_item item = contract_item("tea", 100 + i, 1);
		struct corral_key key = contract_key(sessions[i]);
		gives(0, corral_add(c->corral, &key, &item, NULL, NULL));
	}
	for (size_t max = 1; max <= ROWS + 1; max++) {
		list_all(c->corral, max % 2 != 0 ? &restaurant : NULL, max, times);
		for (uint32_t i = 0; i < ROWS; i++)
			assert_int_equal(times[i], 1);
	}
	list_all(c->corral, &none, ROWS, times);
	assert_int_equal(times[0], 0);
	for (uint32_t i = 0; i < ROWS; i++) {
		struct corral_key key = contract_key(sessions[i]);
		gives(0, corral_drop(c->corral, &key, NULL, NULL));
		list_all(c->corral, &restaurant, ROWS, times);
		for (uint32_t other = 0; other < ROWS; other++)
			assert_int_equal(times[other], other > i);
	}
}

/* --------------------------------------------------------------------- wait */

static void a_wait_answers_at_once_what_is_known(struct contract *c)
{
	struct corral_view view;
	uint64_t found = 77;

	gives(-ENOENT, corral_wait(c->corral, &c->key, 1, LONG_MS, NULL, &found));
	gives(-ETIMEDOUT, corral_wait(c->corral, &c->key, 0, 0, NULL, &found));
	assert_int_equal(found, 77);
	uint64_t first = contract_add(c, "tea", 150, 1).version;
	uint64_t version = contract_add(c, "tea", 150, 1).version;
	gives(0, corral_wait(c->corral, &c->key, 0, LONG_MS, NULL, &found));
	assert_int_equal(found, version);
	found = 0;
	gives(0, corral_wait(c->corral, &c->key, first, LONG_MS, NULL, &found));
	assert_int_equal(found, version);
	gives(-ETIMEDOUT, corral_wait(c->corral, &c->key, version, 0, NULL, &found));
	gives(-ETIMEDOUT, corral_wait(c->corral, &c->key, version, 10, NULL, &found));
	gives(0, corral_read_begin(c->corral, &c->key, &view));
	gives(-EDEADLK, corral_wait(c->corral, &c->key, version, LONG_MS, NULL, &found));
	gives(0, corral_read_end(&view));
}

struct waiter {
	const struct contract *c;
	uint64_t past;
	uint32_t *cancel;
	int answer;
	uint64_t found;
};

static void *wait_for_change(void *context)
{
	struct waiter *waiter = context;

	waiter->answer = corral_wait(waiter->c->corral, &waiter->c->key, waiter->past, LONG_MS,
				     waiter->cancel, &waiter->found);
	return NULL;
}

/* Whether the thread sleeps already when the cart is changed, or finds the change. */
static void a_wait_ends_when_the_cart_is_made_changed_or_ends(struct contract *c)
{
	struct waiter waiter = { .c = c };
	struct corral_result r = { 0 };
	uint64_t found;
	pthread_t thread;

	for (int round = 0; round < 10; round++) {
		static const int events[] = { ADD, SET_TAX, CHECKOUT, DROP };
		waiter.past = 0;
		for (size_t i = 0; i < COUNT(events); i++) {
			gives(0, pthread_create(&thread, NULL, wait_for_change, &waiter));
			if (round % 2 != 0) /* mostly it sleeps by now */
				(void)corral_wait(c->corral, &c->key, waiter.past, 5, NULL, &found);
			gives(0, contract_change(c, &c->key, events[i], NULL, &r));
			gives(0, pthread_join(thread, NULL));
			gives(events[i] == DROP ? -ENOENT : 0, waiter.answer);
			if (events[i] != DROP)
				assert_int_equal(waiter.found, r.version);
			waiter.past = r.version;
		}
	}
}

static void a_wait_is_ended_by_another_thread(struct contract *c)
{
	uint32_t cancel = 0;
	struct waiter waiters[3] = { { .c = c, .cancel = &cancel }, { .c = c, .cancel = &cancel } };
	pthread_t threads[2];

	waiters[1].past = contract_add(c, "tea", 150, 1).version;
	waiters[0].past = waiters[1].past;
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 2; i++)
			gives(0, pthread_create(&threads[i], NULL, wait_for_change, &waiters[i]));
		contract_sleep_ms(round % 2 != 0 ? 20 : 0); /* mostly they sleep by now */
		corral_cancel(&cancel);
		for (int i = 0; i < 2; i++) {
			gives(0, pthread_join(threads[i], NULL));
			gives(-ECANCELED, waiters[i].answer);
		}
		assert_int_equal(cancel, 1);
		/* it ends later waits, too, unless there is something to report */
		(void)wait_for_change(&waiters[0]);
		gives(-ECANCELED, waiters[0].answer);
		waiters[2] = waiters[0];
		waiters[2].past = waiters[0].past - 1;
		(void)wait_for_change(&waiters[2]);
		gives(0, waiters[2].answer);
		assert_int_equal(waiters[2].found, waiters[0].past);
		cancel = 0;
	}
}

static struct corral_awaited await(const struct contract *c, const struct corral_key *key,
				   uint64_t past)
{
	return (struct corral_awaited){
		.corral = c->corral, .key = *key, .past_version = past, .result = -EAGAIN
	};
}

/* Each is decided as its own wait would be; those that are decided already do not count. */
static void one_of_many_waits_ends_the_call(struct contract *c)
{
	const struct corral_key absent = contract_key("absent"), later = contract_key("later");
	struct corral_item item = contract_item("tea", 150, 1);
	struct corral_result r = { 0 };
	uint32_t cancel = 0;

	uint64_t version = contract_add(c, "tea", 150, 1).version;
	struct corral_awaited all[] = { await(c, &c->key, version), await(c, &absent, 1),
					await(c, &later, 0) };
	struct corral_awaited *const those[] = { &all[0], &all[1], &all[2] };
	gives(0, corral_wait_any(those, 3, LONG_MS, NULL));
	gives(-EAGAIN, all[0].result);
	gives(-ENOENT, all[1].result);
	gives(-EAGAIN, all[2].result);
	gives(-ETIMEDOUT, corral_wait_any(those, 3, 0, NULL));
	gives(0, corral_add(c->corral, &later, &item, NULL, &r));
	gives(0, corral_wait_any(those, 3, LONG_MS, NULL));
	gives(0, all[2].result);
	assert_int_equal(all[2].version, r.version);
	gives(-EAGAIN, all[0].result);
	corral_cancel(&cancel);
	gives(-ECANCELED, corral_wait_any(those, 3, LONG_MS, &cancel));
	gives(0, corral_drop(c->corral, &c->key, NULL, NULL));
	gives(0, corral_wait_any(those, 3, LONG_MS, NULL));
	gives(-ENOENT, all[0].result);
	gives(0, corral_drop(c->corral, &later, NULL, NULL));
}

/* --------------------------------------------------------------------- sync */

static void what_was_synced_is_durable_and_no_change_waits_that_need_not(struct contract *c)
{
	struct corral_op op = contract_op(NULL, 0);
	struct corral_result r = contract_add(c, "tea", 150, 1);

	int synced = corral_sync(c->corral, LONG_MS, NULL);
	assert_true(synced == 0 || synced == -EOPNOTSUPP || synced == -ENOTCONN);
	assert_true(r.durable == 0 || (r.durable == 1 && r.sync_error == 0));
	if (synced == -EOPNOTSUPP) /* there is no journal */
		assert_int_equal(r.durable, 0);
	op.flags = CORRAL_OP_NO_DISK;
	gives(0, contract_change(c, &c->key, ADD, &op, &r));
	assert_int_equal(r.durable, 0);
	assert_int_equal(r.sync_error, 0);
	gives(synced, corral_sync(c->corral, -1, NULL));
	struct corral_awaited disk = { .corral = c->corral, .result = -EAGAIN };
	struct corral_awaited *const those[] = { &disk };
	gives(0, corral_wait_any(those, 1, LONG_MS, NULL));
	gives(synced, disk.result);
	uint32_t cancel = 1;
	int cancelled = corral_sync(c->corral, LONG_MS, &cancel);
	assert_true(cancelled == synced || cancelled == -ECANCELED);
	gives(0, contract_change(c, &c->key, ADD, &op, &r));
	int in_time = corral_sync(c->corral, 0, NULL);
	assert_true(in_time == synced || in_time == -ETIMEDOUT);
	op.flags = CORRAL_OP_NO_DISK | CORRAL_OP_PATIENCE;
	op.patience_ms = 0;
	int answer = contract_change(c, &c->key, ADD, &op, &r);
	assert_true(answer == 0 || answer == -EBUSY); /* others may be at work in the same place */
	op.patience_ms = HOUR_MS + 1;
	gives(-ERANGE, contract_change(c, &c->key, ADD, &op, &r));
	op.flags = 1u << 31;
	gives(-EINVAL, contract_change(c, &c->key, ADD, &op, &r));
}

const struct contract_case watch_cases[] = {
	CASE(each_cart_is_listed_once_however_many_rows_are_asked_for),
	CASE(a_wait_answers_at_once_what_is_known),
	CASE(a_wait_ends_when_the_cart_is_made_changed_or_ends),
	CASE(a_wait_is_ended_by_another_thread),
	CASE(one_of_many_waits_ends_the_call),
	CASE(what_was_synced_is_durable_and_no_change_waits_that_need_not),
	{ NULL, NULL },
};
