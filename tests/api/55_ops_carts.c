/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_ops_carts.c: whole carts: dropping and beginning anew, replacing, listing, the limits of the
 * arena and of a cart.
 */
#include "api/handle.h"
#include "orders_bench.h"

#include "base/atomic.h"

/* -------------------------------------------------- dropping, beginning anew */

static void versions_of_a_key_grow_from_cart_to_cart(void **state)
{
	struct bench b = begin(state);
	struct corral_result r;
	uint64_t last = 0;

	for (unsigned i = 0; i < 300; i++) {
		r = add(&b, "burger", 899, 1);
		assert_true(r.version > last);
		assert_int_equal(r.item_count, 1);
		assert_int_equal(r.line, 1);
		last = r.version;
		assert_int_equal(corral_drop(b.corral, &b.key, NULL, &r), 0);
		assert_int_equal(r.version, last);
		assert_int_equal(corral_drop(b.corral, &b.key, NULL, &r), -ENOENT);
	}
	corral_close(b.corral);
}

static void operations_end_with_their_cart(void **state)
{
	struct bench b = begin(state);
	struct corral_result r;

	assert_int_equal(orders_add(b.corral, &b.key, "burger", 899, 1, "call", NULL), 0);
	assert_int_equal(corral_drop(b.corral, &b.key, NULL, NULL), 0);
	assert_int_equal(orders_add(b.corral, &b.key, "burger", 899, 1, "call", &r), 0);
	assert_int_equal(r.applied, 1);
	corral_close(b.corral);
}

static void restaurants_do_not_see_each_others_carts(void **state)
{
	struct bench b = begin(state);
	struct corral_key keys[] = { orders_key("a", "bc"), orders_key("ab", "c"),
				     orders_key("abc", "a") };
	struct corral_cart *cart;

	for (size_t i = 0; i < COUNT(keys); i++)
		assert_int_equal(
			orders_add(b.corral, &keys[i], "burger", (int64_t)i + 1, 1, NULL, NULL), 0);
	for (size_t i = 0; i < COUNT(keys); i++) {
		assert_int_equal(corral_get(b.corral, &keys[i], &cart), 0);
		assert_int_equal(cart->head.total_cents, i + 1);
		assert_int_equal(cart->key.restaurant_id.size, keys[i].restaurant_id.size);
		corral_cart_free(cart);
	}
	corral_close(b.corral);
}

static void a_dropped_cart_makes_room_for_another_at_once(void **state)
{
	struct yard yard;

	(void)state;
	orders_yard(&yard, 4u << 20, 10, 30 * 60 * 1000);
	struct corral *corral = yard_open(&yard, 0);
	struct corral_key key = orders_key("restaurant", "session");
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(orders_add(corral, &key, "burger", 899, 1, NULL, NULL), 0);
		assert_int_equal(corral_drop(corral, &key, NULL, NULL), 0);
	}
	corral_close(corral);
	yard_check(&yard, NULL);
	yard_remove(&yard);
}

/* ------------------------------------------------------------------- replace */

static void what_get_returns_replace_takes(void **state)
{
	struct bench b = begin(state);
	struct corral_text table = T("table"), seven = T("7");
	struct corral_result r;

	(void)add(&b, "burger", 899, 2);
	(void)add(&b, "coke", 199, 1);
	assert_int_equal(corral_set_attribute(b.corral, &b.key, &table, &seven, NULL, NULL), 0);
	assert_int_equal(corral_set_tax(b.corral, &b.key, 100000, NULL, NULL), 0);
	struct corral_cart *cart = get(&b);
	struct corral_op op = orders_op("swap", cart->head.version);
	cart->lines[0].item.quantity = 3;
	cart->lines[1].line = 0; /* a new number */
	assert_int_equal(corral_replace(b.corral, &b.key, cart, &op, &r), 0);
	assert_int_equal(r.version, op.if_version + 1);
	assert_int_equal(r.subtotal_cents, 3 * 899 + 199);
	assert_int_equal(r.tax_cents, 290); /* 289.6 */
	op.id = corral_text("late");
	assert_int_equal(corral_replace(b.corral, &b.key, cart, &op, NULL), -ECANCELED);
	op.id = corral_text("swap");
	assert_int_equal(corral_replace(b.corral, &b.key, cart, &op, &r), 0);
	assert_int_equal(r.applied, 0);
	corral_cart_free(cart);
	cart = get(&b);
	assert_int_equal(cart->line_count, 2);
	assert_int_equal(cart->lines[0].line, 1);
	assert_int_equal(cart->lines[1].line, 3);
	assert_int_equal(cart->attribute_count, 1);
	assert_int_equal(cart->head.tax_ppm, 100000);
	corral_cart_free(cart);
	corral_close(b.corral);
}

static void replace_makes_a_cart_only_where_there_is_none(void **state)
{
	struct bench b = begin(state);
	struct corral_cart_line line = { .item = orders_item("burger", 899, 2) };
	struct corral_cart cart = { .lines = &line, .line_count = 1, .head.tax_ppm = 1000 };
	struct corral_op none = orders_op(NULL, 0), first = orders_op(NULL, 1);
	struct corral_result r;

	assert_int_equal(corral_replace(b.corral, &b.key, &cart, &first, NULL), -ENOENT);
	assert_int_equal(corral_replace(b.corral, &b.key, &cart, NULL, NULL), -EINVAL);
	assert_int_equal(corral_replace(b.corral, &b.key, &cart, &none, &r), 0);
	assert_int_equal(r.subtotal_cents, 1798);
	assert_int_equal(corral_replace(b.corral, &b.key, &cart, &none, NULL), -ECANCELED);
	line.line = 9; /* a number the cart never gave out */
	assert_int_equal(corral_replace(b.corral, &b.key, &cart, &first, NULL), -ENXIO);
	struct corral_cart_line twice[2] = { line, line };
	twice[0].line = twice[1].line = 1;
	cart.lines = twice;
	cart.line_count = 2;
	assert_int_equal(corral_replace(b.corral, &b.key, &cart, &first, NULL), -EINVAL);
	corral_close(b.corral);
}

/* ------------------------------------------------------------------- listing */

#define LISTED 300u

static uint32_t disturbing;

/* Make, change and drop carts all the time. */
static void *disturb(void *context)
{
	struct bench *b = context;
	uint64_t random = support_seed();
	char session[32];

	while (load_relaxed(&disturbing) != 0) {
		snprintf(session, sizeof(session), "passing %u", random_below(&random, 100));
		struct corral_key key = orders_key("other", session);
		int r = random_below(&random, 2) == 0 ?
				orders_add(b->corral, &key, "coke", 199, 1, NULL, NULL) :
				corral_drop(b->corral, &key, NULL, NULL);
		/*
		 * -ENFILE: the lister was preempted in its section, so the slots of dropped carts
		 * are not free yet
		 */
		must(r == 0 || r == -ENOENT || r == -ENFILE);
		snprintf(session, sizeof(session), "staying %u", random_below(&random, LISTED));
		key = orders_key("restaurant", session);
		must(orders_add(b->corral, &key, "coke", 199, 1, NULL, NULL) == 0);
	}
	return NULL;
}

static unsigned list_once(const struct bench *b, const struct corral_text *restaurant, size_t max,
			  uint8_t seen[LISTED])
{
	struct corral_entry *entries = calloc(max, sizeof(*entries));
	unsigned rows = 0, number;
	struct corral_list *list;
	size_t count;

	assert_non_null(entries);
	assert_int_equal(corral_list_open(b->corral, restaurant, &list), 0);
	do {
		assert_int_equal(corral_list_next(list, entries, max, &count), 0);
		assert_true(count <= max);
		for (size_t i = 0; i < count; i++) {
			if (sscanf(entries[i].session_id, "staying %u", &number) == 1) {
				assert_string_equal(entries[i].restaurant_id, "restaurant");
				assert_true(entries[i].head.version > 0 &&
					    entries[i].head.item_count > 0);
				seen[number]++;
			}
			rows++;
		}
	} while (count > 0);
	corral_list_close(list);
	free(entries);
	return rows;
}

static void a_list_has_each_cart_once_while_others_come_and_go(void **state)
{
	struct bench b = begin(state);
	struct corral_text restaurant = T("restaurant"), nobody = T("nobody");
	pthread_t thread;
	char session[32];

	for (unsigned i = 0; i < LISTED; i++) {
		snprintf(session, sizeof(session), "staying %u", i);
		b.key = orders_key("restaurant", session);
		(void)add(&b, "burger", 899, 1);
	}
	store_relaxed(&disturbing, 1);
	assert_int_equal(pthread_create(&thread, NULL, disturb, &b), 0);
	for (size_t max = 1; max <= 1000; max += max < 8 ? 1 : 97) {
		uint8_t seen[LISTED] = { 0 };
		assert_int_equal(list_once(&b, &restaurant, max, seen), LISTED);
		assert_true(list_once(&b, NULL, max, seen) >= LISTED);
		for (unsigned i = 0; i < LISTED; i++)
			assert_int_equal(seen[i], 2);
		assert_int_equal(list_once(&b, &nobody, max, seen), 0);
	}
	store_relaxed(&disturbing, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	corral_close(b.corral);
}

static void lists_do_not_disturb_each_other_and_hold_nothing_between_calls(void **state)
{
	struct bench b = begin(state);
	char sessions[2][3][CORRAL_ID_MAX + 1] = { 0 };
	struct corral_list *lists[2];
	struct corral_entry row;
	struct actor *actor;
	char session[32];
	size_t count;

	for (unsigned i = 0; i < 3; i++) {
		snprintf(session, sizeof(session), "%u", i);
		b.key = orders_key("restaurant", session);
		(void)add(&b, "burger", 899, 1);
	}
	assert_int_equal(handle_actor(b.corral, &actor), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(corral_list_open(b.corral, NULL, &lists[i]), 0);
	for (unsigned k = 0; k < 6; k++) { /* in turns */
		assert_int_equal(corral_list_next(lists[k % 2], &row, 1, &count), 0);
		assert_int_equal(count, 1);
		assert_int_equal(actor->record->nest, 0);
		assert_int_equal(actor->record->reader, 0);
		strcpy(sessions[k % 2][k / 2], row.session_id);
	}
	assert_memory_equal(sessions[0], sessions[1], sizeof(sessions[0]));
	corral_list_close(lists[0]); /* the other goes on */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(corral_list_next(lists[1], &row, 1, &count), 0);
		assert_int_equal(count, 0);
	}
	corral_close(b.corral);
	corral_list_close(lists[1]);
	corral_list_close(NULL);
}

static void a_list_of_no_restaurant_is_refused(void **state)
{
	static char long_id[CORRAL_ID_MAX + 1];
	struct corral_text empty = T(""), none = corral_text(NULL);
	struct corral_text longest = { long_id, CORRAL_ID_MAX },
			   longer = { long_id, sizeof(long_id) };
	struct bench b = begin(state);
	struct corral_list *list = NULL;

	memset(long_id, 'x', sizeof(long_id));
	assert_int_equal(corral_list_open(b.corral, &empty, &list), -EINVAL);
	assert_int_equal(corral_list_open(b.corral, &none, &list), -EINVAL);
	assert_int_equal(corral_list_open(b.corral, &longer, &list), -ENAMETOOLONG);
	assert_null(list);
	assert_int_equal(corral_list_open(b.corral, &longest, &list), 0);
	corral_list_close(list);
	corral_close(b.corral);
}

/* --------------------------------------------------------------------- room */

static void one_more_cart_than_there_is_room_for_is_refused_and_none_is_lost(void **state)
{
	struct yard yard;
	struct bench b;
	char session[32];

	(void)state;
	orders_yard(&yard, 4u << 20, 10, 30 * 60 * 1000);
	b.corral = yard_open(&yard, 0);
	for (unsigned i = 0; i < 12; i++) {
		snprintf(session, sizeof(session), "session %u", i);
		b.key = orders_key("restaurant", session);
		assert_int_equal(orders_add(b.corral, &b.key, "burger", 899, 1, NULL, NULL),
				 i < 10 ? 0 : -ENFILE);
	}
	b.key = orders_key("restaurant", "session 0");
	corral_cart_free(get(&b));
	assert_int_equal(corral_drop(b.corral, &b.key, NULL, NULL), 0);
	b.key = orders_key("restaurant", "another");
	(void)add(&b, "burger", 899, 1);
	corral_close(b.corral);
	yard_check(&yard, NULL);
	yard_remove(&yard);
}

static void one_cart_may_grow_to_its_limit_in_a_small_arena(void **state)
{
	static char notes[CORRAL_WORDS_MAX - 256];
	struct yard yard;
	struct bench b = { .key = orders_key("restaurant", "session") };
	struct corral_item item = orders_item("burger", 0, 1);
	struct corral_result result = { 0 };
	int r = 0;

	(void)state;
	memset(notes, 'n', sizeof(notes));
	item.notes = (struct corral_text){ notes, sizeof(notes) };
	orders_yard(&yard, 8u << 20, 10, 30 * 60 * 1000);
	b.corral = yard_open(&yard, 0);
	while (r == 0) {
		item.unit_price_cents++;
		r = corral_add(b.corral, &b.key, &item, NULL, &result);
	}
	assert_int_equal(r, -E2BIG);
	assert_true(result.item_count > CORRAL_CART_MAX / CORRAL_WORDS_MAX - 2);
	struct corral_cart *cart = get(&b);
	assert_int_equal(cart->head.version, result.version);
	corral_cart_free(cart);
	corral_close(b.corral);
	yard_check(&yard, NULL);
	yard_remove(&yard);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, orders_setup, orders_teardown)
	const struct CMUnitTest tests[] = {
		CASE(versions_of_a_key_grow_from_cart_to_cart),
		CASE(operations_end_with_their_cart),
		CASE(restaurants_do_not_see_each_others_carts),
		CASE(a_dropped_cart_makes_room_for_another_at_once),
		CASE(what_get_returns_replace_takes),
		CASE(replace_makes_a_cart_only_where_there_is_none),
		CASE(a_list_has_each_cart_once_while_others_come_and_go),
		CASE(lists_do_not_disturb_each_other_and_hold_nothing_between_calls),
		CASE(a_list_of_no_restaurant_is_refused),
		CASE(one_more_cart_than_there_is_room_for_is_refused_and_none_is_lost),
		CASE(one_cart_may_grow_to_its_limit_in_a_small_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
