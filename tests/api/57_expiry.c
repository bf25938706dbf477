/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 57_expiry.c: how long carts live. Most tests set the clock themselves, so the limits are exact to
 * the nanosecond and independent of the machine's speed.
 */
#include "false_clock.h"
#include "orders_support.h"

#define TTL_MS 2000
#define DAY_NS (86400ll * 1000 * MS)
#define LATEST_NS(ttl_ms)                                                                          \
	((ttl_ms)*MS + (ttl_ms)*MS / 64 + CLOCK_TICK_NS) /* from here on the cart is gone */

struct fixture {
	struct yard yard;
	struct corral *corral;
	struct corral *observer;
	struct corral_key key;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	orders_yard(&fixture->yard, 8u << 20, 20, TTL_MS);
	clock_freeze();
	fixture->corral = yard_open(&fixture->yard, 0);
	fixture->observer = yard_open(&fixture->yard, CORRAL_OBSERVE);
	fixture->key = orders_key("restaurant", "session");
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	corral_close(fixture->observer);
	corral_close(fixture->corral);
	clock_run();
	yard_check(&fixture->yard, NULL);
	yard_remove(&fixture->yard);
	free(fixture);
	return 0;
}

static void add_one(struct fixture *fixture)
{
	assert_int_equal(orders_add(fixture->corral, &fixture->key, "burger", 899, 1, NULL, NULL),
			 0);
}

static bool is_there(struct fixture *fixture)
{
	struct corral_head head;
	int r = orders_head(fixture->observer, &fixture->key, &head);

	assert_true(r == 0 || r == -ENOENT);
	return r == 0;
}

static size_t count_list(struct fixture *fixture)
{
	struct corral_entry entries[20];
	size_t count;

	assert_int_equal(support_list(fixture->corral, NULL, entries, 20, &count), 0);
	return count;
}

/* -------------------------------------------------------------- never before */

static void no_cart_ends_before_its_time_and_each_soon_after(void **state)
{
	static const int64_t ttls_ms[] = {
		100, 101, 1000, 2000, 1800000, (int64_t)CORRAL_TTL_MS_MAX
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(ttls_ms); i++) {
		add_one(fixture);
		assert_int_equal(corral_set_ttl(fixture->corral, &fixture->key,
						(uint64_t)ttls_ms[i], NULL, NULL),
				 0);
		clock_pass(ttls_ms[i] * MS - 1);
		assert_true(is_there(fixture));
		clock_pass(1);
		assert_true(is_there(fixture));
		assert_int_equal(count_list(fixture), 1);
		clock_pass(LATEST_NS(ttls_ms[i]) - ttls_ms[i] * MS);
		assert_false(is_there(fixture));
		assert_int_equal(count_list(fixture), 0);
	}
}

/* A read's touch is stored only when the stored one is old enough: that must not shorten a life. */
static void a_read_at_any_moment_gives_a_whole_time_to_live(void **state)
{
	struct fixture *fixture = *state;
	uint64_t random = support_seed();
	struct corral_head head;

	add_one(fixture);
	for (int i = 0; i < 2000; i++) {
		clock_pass(random_below(&random,
					TTL_MS * (i % 2 == 0 ? (uint32_t)MS / 64 : (uint32_t)MS)));
		assert_int_equal(orders_head(fixture->corral, &fixture->key, &head), 0);
		clock_pass(TTL_MS * MS);
		assert_true(is_there(fixture));
		clock_pass(-TTL_MS * MS);
	}
}

static void a_cart_that_is_read_lives_on(void **state)
{
	struct fixture *fixture = *state;
	size_t size = CORRAL_CART_MAX;
	void *buffer = malloc(size);
	struct corral_view view;
	struct corral_cart *cart;
	struct corral_head head;

	add_one(fixture);
	for (int i = 0; i < 30; i++) {
		clock_pass(TTL_MS * MS);
		if (i % 3 == 0) {
			assert_int_equal(orders_head(fixture->corral, &fixture->key, &head), 0);
		} else if (i % 3 == 1) {
			assert_int_equal(corral_get(fixture->corral, &fixture->key, &cart), 0);
			corral_cart_free(cart);
		} else {
			size = CORRAL_CART_MAX;
			assert_int_equal(corral_read_copy(fixture->corral, &fixture->key, buffer,
							  size, &size, &view),
					 0);
		}
	}
	free(buffer);
	clock_pass(LATEST_NS(TTL_MS));
	assert_false(is_there(fixture));
}

static void a_change_is_activity_also_when_it_is_a_repetition(void **state)
{
	struct fixture *fixture = *state;
	struct corral_result result;

	for (int i = 0; i < 20; i++) {
		assert_int_equal(orders_add(fixture->corral, &fixture->key, "burger", 899, 1,
					    "the same", &result),
				 0);
		assert_int_equal(result.applied, i == 0);
		clock_pass(TTL_MS * MS);
	}
	assert_true(is_there(fixture));
}

static void observing_listing_and_waiting_prolong_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct corral_cart *cart;
	uint64_t version;

	add_one(fixture);
	for (int i = 0; i < 20; i++) {
		clock_pass(TTL_MS * MS / 20);
		assert_int_equal(corral_get(fixture->observer, &fixture->key, &cart), 0);
		corral_cart_free(cart);
		assert_int_equal(count_list(fixture), 1);
		assert_int_equal(corral_wait(fixture->corral, &fixture->key, 0, 0, NULL, &version),
				 0);
		assert_int_equal(
			corral_wait(fixture->corral, &fixture->key, version, 0, NULL, &version),
			-ETIMEDOUT);
	}
	clock_pass(LATEST_NS(TTL_MS) - TTL_MS * MS);
	assert_false(is_there(fixture));
}

/* Read without touching: through a handle whose other reads are activity. */
static void read_quietly(struct fixture *fixture)
{
	static double numbers[256];
	static char text[1024];
	struct corral_flat flat = { .numbers = numbers,
				    .number_room = COUNT(numbers),
				    .text = text,
				    .text_room = sizeof(text),
				    .flags = CORRAL_OBSERVE };
	struct corral_cart *cart;
	struct corral_view view;

	assert_int_equal(
		corral_read_begin_with(fixture->corral, &fixture->key, CORRAL_OBSERVE, &view), 0);
	assert_int_equal(corral_view_cart(&view, &cart), 0);
	assert_int_equal(corral_read_end(&view), 0);
	assert_int_equal(cart->head.total_cents, 899);
	corral_cart_free(cart);
	assert_int_equal(corral_read_flat(fixture->corral, &fixture->key, &flat), 0);
}

static void a_read_that_observes_prolongs_nothing(void **state)
{
	struct fixture *fixture = *state;

	add_one(fixture);
	for (int i = 0; i < 20; i++) {
		clock_pass(TTL_MS * MS / 20);
		read_quietly(fixture);
	}
	clock_pass(LATEST_NS(TTL_MS) - TTL_MS * MS);
	assert_false(is_there(fixture));
}

static void a_read_with_no_flag_or_an_unknown_one(void **state)
{
	struct fixture *fixture = *state;
	struct corral_flat flat = { .flags = CORRAL_READ_ONLY };
	struct corral_view view;

	add_one(fixture);
	for (int i = 0; i < 4; i++) {
		clock_pass(TTL_MS * MS * 3 / 4);
		assert_int_equal(corral_read_begin_with(fixture->corral, &fixture->key, 0, &view),
				 0); /* without the flag it is activity */
		assert_int_equal(corral_read_end(&view), 0);
	}
	/* what is refused is no activity */
	clock_pass(TTL_MS * MS * 3 / 4);
	assert_int_equal(corral_read_begin_with(fixture->corral, &fixture->key,
						CORRAL_OBSERVE | CORRAL_READ_ONLY, &view),
			 -EINVAL);
	assert_int_equal(corral_read_flat(fixture->corral, &fixture->key, &flat), -EINVAL);
	clock_pass(LATEST_NS(TTL_MS) - TTL_MS * MS * 3 / 4);
	assert_false(is_there(fixture));
}

/* ---------------------------------------------------------------- afterwards */

static void from_its_end_on_no_call_finds_the_cart(void **state)
{
	struct fixture *fixture = *state;
	struct corral *corral = fixture->corral;
	const struct corral_key *key = &fixture->key;
	struct corral_text name = T("table");
	struct corral_result result;
	struct corral_item item = orders_item("burger", 899, 1);
	struct corral_cart *cart;
	struct corral_view view;
	uint64_t version;
	char buffer[4096];
	size_t size;

	assert_int_equal(orders_add(corral, key, "burger", 899, 1, NULL, &result), 0);
	clock_pass(LATEST_NS(TTL_MS));
	struct corral_op op = orders_op(NULL, result.version);
	assert_int_equal(corral_read_begin(corral, key, &view), -ENOENT);
	assert_int_equal(corral_read_copy(corral, key, buffer, sizeof(buffer), &size, &view),
			 -ENOENT);
	assert_int_equal(corral_get(corral, key, &cart), -ENOENT);
	assert_int_equal(count_list(fixture), 0);
	assert_int_equal(corral_wait(corral, key, result.version, 1000, NULL, &version), -ENOENT);
	assert_int_equal(corral_wait(corral, key, 0, 0, NULL, &version), -ETIMEDOUT);
	assert_int_equal(corral_set_quantity(corral, key, 1, 2, NULL, NULL), -ENOENT);
	assert_int_equal(corral_remove(corral, key, 1, NULL, NULL), -ENOENT);
	assert_int_equal(corral_clear(corral, key, NULL, NULL), -ENOENT);
	assert_int_equal(corral_checkout(corral, key, NULL, NULL), -ENOENT);
	assert_int_equal(corral_drop(corral, key, NULL, NULL), -ENOENT);
	assert_int_equal(corral_add(corral, key, &item, &op, NULL), -ENOENT);
	assert_int_equal(corral_set_tax(corral, key, 1000, &op, NULL), -ENOENT);
	assert_int_equal(corral_set_attribute(corral, key, &name, NULL, &op, NULL), -ENOENT);
	assert_int_equal(corral_set_ttl(corral, key, 0, &op, NULL), -ENOENT);
}

static void an_add_after_the_end_begins_a_new_cart_with_a_greater_version(void **state)
{
	struct fixture *fixture = *state;
	struct corral_text name = T("table"), value = T("7");
	struct corral_result before, after;
	struct corral_cart *cart;

	assert_int_equal(corral_set_tax(fixture->corral, &fixture->key, 82500, NULL, NULL), 0);
	assert_int_equal(
		corral_set_attribute(fixture->corral, &fixture->key, &name, &value, NULL, NULL), 0);
	assert_int_equal(corral_set_ttl(fixture->corral, &fixture->key, 500, NULL, NULL), 0);
	assert_int_equal(
		orders_add(fixture->corral, &fixture->key, "burger", 899, 3, "call", &before), 0);
	clock_pass(LATEST_NS(500));
	assert_int_equal(orders_add(fixture->corral, &fixture->key, "coke", 199, 1, "call", &after),
			 0);
	assert_true(after.version > before.version);
	assert_int_equal(after.applied, 1); /* operation ids end with their cart */
	assert_int_equal(corral_get(fixture->corral, &fixture->key, &cart), 0);
	assert_int_equal(cart->head.version, after.version);
	assert_int_equal(cart->head.total_cents, 199);
	assert_int_equal(cart->head.tax_ppm, 0);
	assert_int_equal(cart->head.ttl_ms, 0);
	assert_int_equal(cart->line_count, 1);
	assert_int_equal(cart->lines[0].line, 1);
	assert_int_equal(cart->attribute_count, 0);
	corral_cart_free(cart);
	clock_pass(TTL_MS * MS);
	assert_true(is_there(fixture));
}

static void a_checked_out_cart_ends_too_and_makes_room(void **state)
{
	struct fixture *fixture = *state;
	struct corral_result result;

	add_one(fixture);
	assert_int_equal(corral_checkout(fixture->corral, &fixture->key, NULL, NULL), 0);
	assert_int_equal(orders_add(fixture->corral, &fixture->key, "coke", 199, 1, NULL, NULL),
			 -ESHUTDOWN);
	clock_pass(LATEST_NS(TTL_MS));
	assert_int_equal(orders_add(fixture->corral, &fixture->key, "coke", 199, 1, NULL, &result),
			 0);
	assert_int_equal(result.status, CORRAL_OPEN);
	assert_int_equal(result.item_count, 1);
}

/* ------------------------------------------------------------------- clocks */

static void a_wall_clock_step_by_a_day_ends_no_cart_and_keeps_none(void **state)
{
	static const int64_t steps_ns[] = { DAY_NS, -DAY_NS, 400 * DAY_NS, -400 * DAY_NS };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(steps_ns); i++) {
		add_one(fixture);
		false_wall_ns = steps_ns[i];
		clock_pass(TTL_MS * MS);
		assert_true(is_there(fixture));
		assert_int_equal(count_list(fixture), 1);
		clock_pass(LATEST_NS(TTL_MS) - TTL_MS * MS);
		assert_false(is_there(fixture));
		false_wall_ns = 0;
	}
}

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static void assert_ends_in(int64_t expires_ms, int64_t before_ms, int64_t ns)
{
	assert_true(expires_ms >= before_ms + ns / MS - 1);
	assert_true(expires_ms <= wall_ms() + ns / MS + TTL_MS / 64 + CLOCK_TICK_NS / MS + 1);
}

static void a_read_says_when_the_cart_ends_after_this_read(void **state)
{
	struct fixture *fixture = *state;
	struct corral_view view;
	struct corral_cart *cart;

	add_one(fixture);
	clock_pass(TTL_MS * MS / 2);
	int64_t before = wall_ms();
	assert_int_equal(corral_read_begin(fixture->observer, &fixture->key, &view), 0);
	assert_ends_in(corral_view_expires_ms(&view), before,
		       TTL_MS * MS / 2); /* observed: unchanged */
	assert_int_equal(corral_read_end(&view), 0);
	before = wall_ms();
	assert_int_equal(corral_read_begin(fixture->corral, &fixture->key, &view), 0);
	assert_ends_in(corral_view_expires_ms(&view), before, TTL_MS * MS); /* renewed */
	assert_int_equal(corral_read_end(&view), 0);
	clock_pass(TTL_MS * MS / 2);
	before = wall_ms();
	assert_int_equal(corral_get(fixture->corral, &fixture->key, &cart), 0);
	assert_ends_in(cart->expires_ms, before, TTL_MS * MS);
	corral_cart_free(cart);
}

/* --------------------------------------------------------------------- room */

static void add_cart(struct fixture *fixture, unsigned number, const struct corral_item *item,
		     int want)
{
	char session[32];

	snprintf(session, sizeof(session), "session %u", number);
	struct corral_key key = orders_key("restaurant", session);
	assert_int_equal(corral_add(fixture->corral, &key, item, NULL, NULL), want);
}

static void without_an_agent_a_worker_ends_carts_when_all_places_are_taken(void **state)
{
	struct fixture *fixture = *state;
	struct corral_item item = orders_item("burger", 899, 1);

	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < 20; i++)
			add_cart(fixture, 100 * round + i, &item, 0);
		assert_int_equal(count_list(fixture), 20);
		add_cart(fixture, 9999, &item, -ENFILE); /* no live cart was dropped for it */
		assert_int_equal(count_list(fixture), 20);
		clock_pass(LATEST_NS(TTL_MS));
	}
}

static void without_an_agent_a_worker_ends_carts_when_memory_is_full(void **state)
{
	struct fixture *fixture = *state;
	static char notes[CORRAL_WORDS_MAX - 256];
	struct corral_item item = orders_item("burger", 899, 1);
	unsigned lines = 0;
	char name[16] = "";
	int r = 0;

	memset(notes, 'n', sizeof(notes));
	item.notes = (struct corral_text){ notes, sizeof(notes) };
	for (; r == 0 && lines < 1200;
	     lines += r == 0) { /* 20 carts of 60 lines of 16 KB do not fit */
		struct corral_key key = orders_key("restaurant", name);
		snprintf(name, sizeof(name), "%u", lines / 60);
		key.session_id = corral_text(name);
		item.unit_price_cents = lines;
		r = corral_add(fixture->corral, &key, &item, NULL, NULL);
	}
	assert_int_equal(r, -ENOMEM);
	assert_int_equal(count_list(fixture),
			 (lines + 59) / 60); /* every acknowledged line is still there */
	clock_pass(LATEST_NS(TTL_MS));
	for (unsigned i = 0; i < 60; i++) {
		item.unit_price_cents = i;
		assert_int_equal(corral_add(fixture->corral, &fixture->key, &item, NULL, NULL), 0);
	}
}

/* ----------------------------------------------------------- the real clock */

static void by_the_real_clock_a_cart_ends_neither_early_nor_never(void **state)
{
	struct fixture *fixture = *state;
	struct corral_head head;

	clock_run();
	int64_t active = support_now_ms(); /* not later than the last activity */
	assert_int_equal(corral_set_ttl(fixture->corral, &fixture->key, 150, NULL, NULL), 0);
	for (int i = 0; i < 20;
	     i++) { /* kept alive for three times its life, unless the machine is suspended */
		support_sleep_us(20000);
		int64_t before = support_now_ms();
		int r = orders_head(fixture->corral, &fixture->key, &head);
		assert_true(r == 0 || support_now_ms() - active >= 150);
		active = r == 0 ? before : support_now_ms();
		if (r != 0)
			assert_int_equal(
				corral_set_ttl(fixture->corral, &fixture->key, 150, NULL, NULL), 0);
	}
	int64_t last = support_now_ms(), seen = last;
	add_one(fixture);
	while (is_there(fixture))
		seen = support_now_ms();
	assert_true(support_now_ms() - last >= 150 && seen - last < SUPPORT_WAIT_MS);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(no_cart_ends_before_its_time_and_each_soon_after),
		CASE(a_read_at_any_moment_gives_a_whole_time_to_live),
		CASE(a_cart_that_is_read_lives_on),
		CASE(a_change_is_activity_also_when_it_is_a_repetition),
		CASE(observing_listing_and_waiting_prolong_nothing),
		CASE(a_read_that_observes_prolongs_nothing),
		CASE(a_read_with_no_flag_or_an_unknown_one),
		CASE(from_its_end_on_no_call_finds_the_cart),
		CASE(an_add_after_the_end_begins_a_new_cart_with_a_greater_version),
		CASE(a_checked_out_cart_ends_too_and_makes_room),
		CASE(a_wall_clock_step_by_a_day_ends_no_cart_and_keeps_none),
		CASE(a_read_says_when_the_cart_ends_after_this_read),
		CASE(without_an_agent_a_worker_ends_carts_when_all_places_are_taken),
		CASE(without_an_agent_a_worker_ends_carts_when_memory_is_full),
		CASE(by_the_real_clock_a_cart_ends_neither_early_nor_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
