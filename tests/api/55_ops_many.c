/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_ops_many.c: many workers add to one cart at the same time, as processes and as threads:
 * nothing is lost or counted twice, and every version is given out once.
 */
#include "orders_support.h"

#define WORKERS 50u
#define ADDS 200u
#define ROUNDS 100u
#define IDS_A_ROUND (WORKERS / 2) /* fewer than a cart remembers */
#define PRICE_CENTS 199

struct many {
	struct yard yard;
	struct corral *corral; /* threads share a handle; processes have their own: NULL */
	pthread_barrier_t barrier;
	uint8_t seen[WORKERS * ADDS + 1]; /* how often each version was answered */
	struct corral_result answers[ROUNDS][WORKERS];
};

static struct many *many_new(bool processes)
{
	struct many *many = support_shared(sizeof(*many));

	orders_yard(&many->yard, 16u << 20, 100, 30 * 60 * 1000);
	orders_barrier_init(&many->barrier, WORKERS);
	if (!processes)
		many->corral = yard_open(&many->yard, 0);
	return many;
}

static void many_end(struct many *many)
{
	struct inspect_totals totals;

	corral_close(many->corral);
	yard_check(&many->yard, &totals);
	assert_int_equal(totals.carts_open, 1);
	assert_int_equal(totals.locks_held, 0);
	yard_remove(&many->yard);
}

/* ------------------------------------------------------------- plain adds */

static void add_many(struct crewman *self)
{
	struct many *many = self->shared;
	struct corral_key key = orders_key("restaurant", "one cart");
	struct corral *corral = orders_come(&many->yard, many->corral);
	uint64_t last = 0;
	char item[16];

	(void)pthread_barrier_wait(&many->barrier); /* all at the same time */
	for (unsigned i = 0; i < ADDS; i++) {
		struct corral_result result = { 0 };
		snprintf(item, sizeof(item), "item-%u", (self->number + i) % 5);
		int r = orders_add(corral, &key, item, PRICE_CENTS, 1, NULL, &result);
		if (r != 0)
			fprintf(stderr, "add: %s\n", corral_strerror(r));
		must(r == 0);
		must(result.applied == 1);
		must(result.version > last && result.version <= WORKERS * ADDS);
		/* each version is one add, so the version determines the totals */
		must(result.item_count == result.version);
		must(result.subtotal_cents == (int64_t)result.version * PRICE_CENTS);
		__atomic_fetch_add(&many->seen[result.version], 1, __ATOMIC_RELAXED);
		last = result.version;
	}
	orders_go(corral, many->corral);
}

static void assert_all_adds_landed(const struct many *many)
{
	struct corral *corral = yard_open(&many->yard, 0);
	struct corral_key key = orders_key("restaurant", "one cart");
	struct corral_cart *cart;
	uint32_t quantities = 0;

	assert_int_equal(corral_get(corral, &key, &cart), 0);
	assert_int_equal(cart->head.version, WORKERS * ADDS);
	assert_int_equal(cart->head.item_count, WORKERS * ADDS);
	assert_int_equal(cart->head.total_cents, (int64_t)WORKERS * ADDS * PRICE_CENTS);
	assert_int_equal(cart->line_count, 5);
	for (uint32_t i = 0; i < cart->line_count; i++) {
		assert_int_equal(cart->lines[i].item.quantity, WORKERS * ADDS / 5);
		quantities += cart->lines[i].item.quantity;
	}
	assert_int_equal(quantities, WORKERS * ADDS);
	for (unsigned version = 1; version <= WORKERS * ADDS; version++)
		assert_int_equal(many->seen[version], 1);
	corral_cart_free(cart);
	corral_close(corral);
}

static void many_adds(bool processes)
{
	struct many *many = many_new(processes);

	crew_run(NULL, processes, WORKERS, add_many, many);
	assert_all_adds_landed(many);
	many_end(many);
}

static void ten_thousand_adds_of_fifty_processes_all_land(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	many_adds(true);
}

static void ten_thousand_adds_of_fifty_threads_all_land(void **state)
{
	(void)state;
	many_adds(false);
}

/* ----------------------------------------------- each operation sent twice */

/*
 * Each round sends IDS_A_ROUND ids, each by two workers; the barrier keeps a round within the
 * number of ids that a cart remembers.
 */
static void add_twice(struct crewman *self)
{
	struct many *many = self->shared;
	struct corral_key key = orders_key("restaurant", "one cart");
	struct corral *corral = orders_come(&many->yard, many->corral);
	char op_id[32];

	for (unsigned round = 0; round < ROUNDS; round++) {
		snprintf(op_id, sizeof(op_id), "call-%u-%u", round, self->number % IDS_A_ROUND);
		must(orders_add(corral, &key, "item", PRICE_CENTS, 2, op_id,
				&many->answers[round][self->number]) == 0);
		(void)pthread_barrier_wait(&many->barrier);
	}
	orders_go(corral, many->corral);
}

static void each_operation_twice(bool processes)
{
	struct many *many = many_new(processes);
	struct corral_key key = orders_key("restaurant", "one cart");
	struct corral_view view;
	struct corral_head head;

	crew_run(NULL, processes, WORKERS, add_twice, many);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < IDS_A_ROUND; i++) {
			struct corral_result *one = &many->answers[round][i];
			struct corral_result *two = &many->answers[round][i + IDS_A_ROUND];
			assert_int_equal(one->applied + two->applied, 1);
			one->applied = two->applied = 0;
			assert_memory_equal(one, two, offsetof(struct corral_result, rate_count));
		}
	}
	struct corral *corral = yard_open(&many->yard, 0);
	assert_int_equal(corral_read_begin(corral, &key, &view), 0);
	assert_int_equal(corral_view_head(&view, &head), 0);
	assert_int_equal(head.item_count, 2 * ROUNDS * IDS_A_ROUND);
	assert_int_equal(head.version, ROUNDS * IDS_A_ROUND);
	assert_int_equal(corral_read_end(&view), 0);
	corral_close(corral);
	many_end(many);
}

static void an_operation_sent_twice_by_processes_counts_once(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	each_operation_twice(true);
}

static void an_operation_sent_twice_by_threads_counts_once(void **state)
{
	(void)state;
	each_operation_twice(false);
}

/* -------------------------------------------------- compare and swap by many */

/*
 * Every worker reads the cart, adds one to a counter and replaces the cart; a worker that comes
 * late tries again.
 */
static void count_by_replacing(struct crewman *self)
{
	struct many *many = self->shared;
	struct corral_key key = orders_key("restaurant", "one cart");
	struct corral *corral = orders_come(&many->yard, many->corral);

	for (unsigned done = 0; done < 20;) {
		struct corral_cart *cart;
		must(corral_get(corral, &key, &cart) == 0);
		struct corral_op op = orders_op(NULL, cart->head.version);
		cart->lines[0].item.quantity++;
		int r = corral_replace(corral, &key, cart, &op, NULL);
		must(r == 0 || r == -ECANCELED);
		done += r == 0;
		corral_cart_free(cart);
	}
	orders_go(corral, many->corral);
}

static void counting_by_replacing(bool processes)
{
	struct many *many = many_new(processes);
	struct corral_key key = orders_key("restaurant", "one cart");
	struct corral *corral = yard_open(&many->yard, 0);
	struct corral_cart *cart;

	assert_int_equal(orders_add(corral, &key, "item", PRICE_CENTS, 1, NULL, NULL), 0);
	crew_run(NULL, processes, 10, count_by_replacing, many);
	assert_int_equal(corral_get(corral, &key, &cart), 0);
	assert_int_equal(cart->head.item_count, 1 + 10 * 20);
	assert_int_equal(cart->head.version, 1 + 10 * 20);
	corral_cart_free(cart);
	corral_close(corral);
	many_end(many);
}

static void no_replacement_by_processes_overwrites_what_it_did_not_see(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	counting_by_replacing(true);
}

static void no_replacement_by_threads_overwrites_what_it_did_not_see(void **state)
{
	(void)state;
	counting_by_replacing(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_adds_of_fifty_processes_all_land),
		cmocka_unit_test(ten_thousand_adds_of_fifty_threads_all_land),
		cmocka_unit_test(an_operation_sent_twice_by_processes_counts_once),
		cmocka_unit_test(an_operation_sent_twice_by_threads_counts_once),
		cmocka_unit_test(no_replacement_by_processes_overwrites_what_it_did_not_see),
		cmocka_unit_test(no_replacement_by_threads_overwrites_what_it_did_not_see),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
