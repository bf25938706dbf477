/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_content.c: the new order with the answer: every change hands out the version that it made and
 * the one that it was made of. Both are whole, regardless of concurrent changes.
 */
#include "orders_support.h"

#define THREADS 4u
#define ADDS 300u

struct bench {
	struct corral *corral;
	struct corral_key key;
};

static struct bench begin(void **state)
{
	struct bench bench = { .corral = yard_open(*state, 0),
			       .key = orders_key("restaurant", "session") };

	assert_int_equal(orders_add(bench.corral, &bench.key, "burger", 899, 2, NULL, NULL), 0);
	assert_int_equal(orders_add(bench.corral, &bench.key, "coke", 199, 1, NULL, NULL), 0);
	return bench;
}

/* An operation that asks for both versions, copied and decoded. */
struct asked {
	struct corral_op op;
	struct corral_content now;
	struct corral_content before;
	uint8_t buffers[2][8192];
};

static struct asked *ask(struct asked *asked, const char *id)
{
	asked->op = orders_op(id, 0);
	asked->now = (struct corral_content){ .buffer = asked->buffers[0],
					      .size = sizeof(asked->buffers[0]),
					      .decode = 1,
					      .error = 1 };
	asked->before = asked->now;
	asked->before.buffer = asked->buffers[1];
	asked->op.now = &asked->now;
	asked->op.before = &asked->before;
	return asked;
}

static void give_back(struct asked *asked)
{
	corral_cart_free(asked->now.cart);
	corral_cart_free(asked->before.cart);
}

/* A content is what a read gave: byte for byte, and decoded. */
static void assert_is(const struct corral_content *content, const void *bytes, size_t size)
{
	const struct corral_cart *cart = content->cart;
	struct corral_head head;

	assert_int_equal(content->error, 0);
	assert_int_equal(content->need, size);
	assert_int_equal(content->view.size, size);
	assert_memory_equal(content->view.bytes, bytes, size);
	assert_int_equal(corral_view_verify(&content->view), 0);
	assert_int_equal(corral_view_head(&content->view, &head), 0);
	assert_non_null(cart);
	assert_int_equal(cart->head.version, content->view.version);
	assert_int_equal(cart->head.total_cents, head.total_cents);
	assert_int_equal(cart->line_count, head.line_count);
	assert_int_equal(cart->expires_ms, corral_view_expires_ms(&content->view));
}

static size_t read_cart(const struct bench *b, uint8_t *buffer, size_t room)
{
	struct corral_view view;
	size_t size;

	assert_int_equal(corral_read_copy(b->corral, &b->key, buffer, room, &size, &view), 0);
	return size;
}

/* ---------------------------------------------------------------- contract */

static int make_change(const struct bench *b, uint32_t number, const struct corral_op *op,
		       struct corral_result *ret_result)
{
	struct corral_item pie = orders_item("pie", 300, 1);
	struct corral_text name = T("table"), value = T("7");
	const struct corral_step steps[] = { { .kind = CORRAL_STEP_ADD, .item = &pie },
					     { .kind = CORRAL_STEP_REMOVE, .line = 2 } };

	switch (number) {
	case 0:
		return corral_add(b->corral, &b->key, &pie, op, ret_result);
	case 1:
		return corral_set_quantity(b->corral, &b->key, 1, 5, op, ret_result);
	case 2:
		return corral_set_attribute(b->corral, &b->key, &name, &value, op, ret_result);
	case 3:
		return corral_set_tax(b->corral, &b->key, 82500, op, ret_result);
	case 4:
		return corral_set_ttl(b->corral, &b->key, 7200000, op, ret_result);
	case 5:
		return corral_apply(b->corral, &b->key, steps, 2, op, ret_result, NULL);
	case 6:
		return corral_clear(b->corral, &b->key, op, ret_result);
	case 7:
		return corral_checkout(b->corral, &b->key, op, ret_result);
	default:
		return -ENOSYS;
	}
}

static void every_change_hands_out_what_it_made_and_what_it_found(void **state)
{
	struct bench b = begin(state);
	static uint8_t before[8192], after[8192];
	static struct asked asked;

	for (uint32_t i = 0; i <= 7; i++) {
		struct corral_result r = { 0 };
		size_t size = read_cart(&b, before, sizeof(before));

		assert_int_equal(make_change(&b, i, &ask(&asked, NULL)->op, &r), 0);
		assert_is(&asked.before, before, size);
		assert_is(&asked.now, after, read_cart(&b, after, sizeof(after)));
		assert_int_equal(asked.now.view.version, r.version);
		assert_int_equal(asked.now.cart->head.total_cents, r.total_cents);
		give_back(&asked);
	}
	corral_close(b.corral);
}

static void a_new_cart_was_nothing_before_and_a_dropped_one_is_handed_out_as_it_was(void **state)
{
	struct bench b = begin(state);
	struct corral_key other = orders_key("restaurant", "other");
	struct corral_item pie = orders_item("pie", 300, 1);
	static uint8_t last[8192];
	static struct asked asked;
	size_t size = read_cart(&b, last, sizeof(last));

	assert_int_equal(corral_add(b.corral, &other, &pie, &ask(&asked, NULL)->op, NULL), 0);
	assert_int_equal(asked.before.error, -ENOENT);
	assert_int_equal(asked.before.need, 0);
	assert_null(asked.before.cart);
	assert_int_equal(asked.now.error, 0);
	assert_int_equal(asked.now.cart->line_count, 1);
	assert_true(asked.now.cart->expires_ms > asked.now.cart->head.updated_ms);
	give_back(&asked);
	assert_int_equal(corral_drop(b.corral, &b.key, &ask(&asked, NULL)->op, NULL), 0);
	assert_is(&asked.now, last, size);
	assert_is(&asked.before, last, size);
	give_back(&asked);
	/* the next cart of the key */
	assert_int_equal(corral_add(b.corral, &b.key, &pie, &ask(&asked, NULL)->op, NULL), 0);
	assert_int_equal(asked.before.error, -ENOENT);
	assert_int_equal(asked.now.cart->line_count, 1);
	give_back(&asked);
	corral_close(b.corral);
}

static void a_repeat_hands_out_the_cart_as_it_is_now(void **state)
{
	struct bench b = begin(state);
	struct corral_result first = { 0 }, again = { 0 };
	static uint8_t bytes[8192];
	static struct asked asked;

	assert_int_equal(make_change(&b, 0, &ask(&asked, "call-1")->op, &first), 0);
	give_back(&asked);
	assert_int_equal(orders_add(b.corral, &b.key, "tea", 100, 1, NULL, NULL), 0);
	size_t size = read_cart(&b, bytes, sizeof(bytes));
	assert_int_equal(make_change(&b, 0, &ask(&asked, "call-1")->op, &again), 0);
	assert_int_equal(again.applied, 0);
	assert_int_equal(again.version, first.version);
	assert_is(&asked.now, bytes, size);
	assert_int_equal(asked.now.view.version, first.version + 1);
	assert_int_equal(asked.before.error, -ENOENT);
	give_back(&asked);
	corral_close(b.corral);
}

static void a_buffer_that_is_too_small_is_told_and_the_change_stands(void **state)
{
	struct bench b = begin(state);
	static uint8_t bytes[8192];
	static struct asked asked;

	ask(&asked, NULL)->now.size = 100;
	asked.before.buffer = NULL;
	asked.before.decode = 0; /* only how large it is */
	size_t old_size = read_cart(&b, bytes, sizeof(bytes));
	assert_int_equal(make_change(&b, 0, &asked.op, NULL), 0);
	size_t size = read_cart(&b, bytes, sizeof(bytes));
	assert_int_equal(asked.now.error, -ENOBUFS);
	assert_int_equal(asked.now.need, size);
	assert_null(asked.now.cart);
	assert_null(asked.now.view.bytes);
	assert_int_equal(asked.before.error, 0);
	assert_int_equal(asked.before.need, old_size);
	assert_null(asked.before.cart);
	corral_close(b.corral);
}

static void a_change_that_fails_touches_no_content(void **state)
{
	struct bench b = begin(state);
	static struct asked asked;

	ask(&asked, NULL)->op.if_version = 99;
	for (uint32_t i = 0; i <= 7; i++)
		assert_int_equal(make_change(&b, i, &asked.op, NULL), -ECANCELED);
	assert_int_equal(corral_drop(b.corral, &b.key, &asked.op, NULL), -ECANCELED);
	assert_int_equal(asked.now.error, 1);
	assert_int_equal(asked.before.error, 1);
	assert_null(asked.now.cart);
	corral_close(b.corral);
}

/* ------------------------------------------------------------------- others */

struct crowd {
	struct corral *corral;
	struct corral_key key;
	int wrong;
};

static bool fits(const struct asked *asked, const struct corral_result *result)
{
	return asked->now.error == 0 && asked->before.error == 0 &&
	       asked->now.view.version == result->version &&
	       asked->before.view.version == result->version - 1 &&
	       asked->now.cart->head.total_cents == result->total_cents &&
	       asked->before.cart->head.item_count == result->item_count - 1 &&
	       corral_view_verify(&asked->now.view) == 0 &&
	       corral_view_verify(&asked->before.view) == 0;
}

static void *add_many(void *context)
{
	struct crowd *crowd = context;
	struct asked *asked = calloc(1, sizeof(*asked));
	struct corral_item items[] = { orders_item("burger", 899, 1), orders_item("tea", 100, 1),
				       orders_item("pie", 300, 1) };

	for (uint32_t i = 0; asked != NULL && i < ADDS; i++) {
		struct corral_result result = { 0 };
		int r = corral_add(crowd->corral, &crowd->key, &items[i % 3], &ask(asked, NULL)->op,
				   &result);

		if (r != 0 || !fits(asked, &result))
			__atomic_add_fetch(&crowd->wrong, 1, __ATOMIC_RELAXED);
		if (r == 0)
			give_back(asked);
	}
	free(asked);
	return NULL;
}

static void what_is_handed_out_is_of_this_change_and_of_no_other(void **state)
{
	struct bench b = begin(state);
	struct crowd crowd = { .corral = b.corral, .key = b.key };
	pthread_t threads[THREADS];
	struct corral_head head;

	for (uint32_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, &crowd), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(crowd.wrong, 0);
	assert_int_equal(orders_head(b.corral, &b.key, &head), 0);
	assert_int_equal(head.item_count, 3 + THREADS * ADDS);
	corral_close(b.corral);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_change_hands_out_what_it_made_and_what_it_found, orders_setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(
			a_new_cart_was_nothing_before_and_a_dropped_one_is_handed_out_as_it_was,
			orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(a_repeat_hands_out_the_cart_as_it_is_now,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(
			a_buffer_that_is_too_small_is_told_and_the_change_stands, orders_setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(a_change_that_fails_touches_no_content,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(
			what_is_handed_out_is_of_this_change_and_of_no_other, orders_setup,
			orders_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
