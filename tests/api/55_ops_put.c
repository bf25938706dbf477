/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_ops_put.c: carts are copied out of an arena slot by slot while it is in use, and put into
 * another one: the newer version wins, versions of a key only grow, operation ids count under the
 * seed that they were hashed with, and the time to live goes on.
 */
#include "api/change.h"
#include "api/copy.h"
#include "cart/portable.h"
#include "support.h"

#define T(string) ((struct corral_text){ (string), sizeof(string) - 1 })
#define SEED 0x1234567890abcdefull

static const struct corral_key key = { T("roma"), T("s1") };
static _Alignas(8) uint8_t version[CORRAL_CART_MAX];
static uint8_t map[PORTABLE_MAP_MAX];

static void make(struct yard *yard, uint64_t seed)
{
	struct arena_settings settings = { .arena_bytes = 8 << 20,
					   .max_carts = 64,
					   .ttl_ns = 1800000000000ull,
					   .hash_seed = seed };

	yard_make(yard, &settings);
}

static int add(struct corral *corral, const char *id, const char *op_id,
	       struct corral_result *ret_result)
{
	struct corral_item item = { .menu_item_id = corral_text(id),
				    .name = T("Item"),
				    .unit_price_cents = 250,
				    .quantity = 2 };
	struct corral_op op = { .id = corral_text(op_id) };

	return corral_add(corral, &key, &item, &op, ret_result);
}

/* Copy the only cart of the arena. */
static size_t copy_only(struct corral *corral, uint64_t *ret_idle_ns)
{
	size_t size = 0, found = 0;

	for (uint32_t number = 0; number < copy_slots(corral); number++) {
		int r = copy_slot(corral, number, version, &size, ret_idle_ns);
		assert_true(r == 0 || r == -ENOENT);
		found += r == 0;
	}
	assert_int_equal(found, 1);
	return size;
}

/* Copy all carts into another arena, by way of a map, as `corral restore` does. */
static int carry(struct corral *from, struct corral *to)
{
	struct portable_version made;
	uint64_t idle_ns;
	size_t used;

	(void)copy_only(from, &idle_ns);
	size_t size = portable_pack_cart(version, from->arena.hash_seed, idle_ns / 1000000, map);
	assert_null(portable_unpack_cart(map, size, to->arena.hash_seed,
					 from->arena.hash_seed == to->arena.hash_seed, version,
					 &made, &used));
	return change_put(to, version, made.size, made.idle_ms * 1000000);
}

struct pair {
	struct yard from_yard;
	struct yard to_yard;
	struct corral *from;
	struct corral *to;
};

static struct pair open_pair(uint64_t to_seed)
{
	struct pair pair;

	make(&pair.from_yard, SEED);
	make(&pair.to_yard, to_seed);
	pair.from = yard_open(&pair.from_yard, 0);
	pair.to = yard_open(&pair.to_yard, 0);
	return pair;
}

static void close_pair(struct pair *pair)
{
	corral_close(pair->from);
	corral_close(pair->to);
	yard_check(&pair->to_yard, NULL);
	yard_remove(&pair->from_yard);
	yard_remove(&pair->to_yard);
}

static void an_operation_counts_once_under_the_same_seed(void **state)
{
	struct pair pair = open_pair(SEED);
	struct corral_result before, after;

	(void)state;
	assert_int_equal(add(pair.from, "p1", "call-1", &before), 0);
	assert_int_equal(add(pair.from, "p2", "call-2", NULL), 0);
	assert_int_equal(carry(pair.from, pair.to), 0);
	assert_int_equal(add(pair.to, "p1", "call-1", &after), 0);
	assert_int_equal(after.applied, 0);
	before.applied = 0;
	assert_memory_equal(&after, &before, offsetof(struct corral_result, rate_count));
	close_pair(&pair);
}

static void under_another_seed_it_is_a_new_operation_on_the_same_line(void **state)
{
	struct pair pair = open_pair(SEED + 1);
	struct corral_result result;

	(void)state;
	assert_int_equal(add(pair.from, "p1", "call-1", NULL), 0);
	assert_int_equal(add(pair.from, "p2", "call-2", NULL), 0);
	assert_int_equal(carry(pair.from, pair.to), 0);
	assert_int_equal(add(pair.to, "p1", "call-1", &result), 0);
	assert_true(result.applied == 1 && result.line == 1 && result.version == 3 &&
		    result.item_count == 6);
	close_pair(&pair);
}

static void the_newer_version_wins(void **state)
{
	struct pair pair = open_pair(SEED);
	struct corral_result result;

	(void)state;
	assert_int_equal(add(pair.from, "p1", "call-1", NULL), 0);
	assert_int_equal(carry(pair.from, pair.to), 0);
	assert_int_equal(carry(pair.from, pair.to), 1); /* as a new cart */
	assert_int_equal(add(pair.to, "p3", "", NULL), 0);
	assert_int_equal(carry(pair.from, pair.to), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(add(pair.from, "p2", "", NULL), 0);
	assert_int_equal(carry(pair.from, pair.to), 0);
	assert_int_equal(add(pair.to, "p2", "", &result), 0);
	assert_true(result.version == 5 && result.item_count == 10);
	close_pair(&pair);
}

static void versions_of_a_key_grow_past_those_of_its_ended_carts(void **state)
{
	struct pair pair = open_pair(SEED);
	struct corral_result dropped;
	struct corral_view view;
	struct corral_head head;

	(void)state;
	assert_int_equal(add(pair.from, "p1", "call-1", NULL), 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(add(pair.to, "p2", "", NULL), 0);
	assert_int_equal(corral_drop(pair.to, &key, NULL, &dropped), 0);
	assert_int_equal(carry(pair.from, pair.to), 0);
	assert_int_equal(corral_read_begin(pair.to, &key, &view), 0);
	assert_int_equal(corral_view_head(&view, &head), 0);
	assert_int_equal(corral_read_end(&view), 0);
	assert_true(head.version > dropped.version);
	assert_int_equal(head.item_count, 2);
	close_pair(&pair);
}

static void the_time_to_live_goes_on(void **state)
{
	struct pair pair = open_pair(SEED);
	struct portable_version made;
	struct corral_view view;
	uint64_t idle_ns;
	size_t used;

	(void)state;
	assert_int_equal(add(pair.from, "p1", "", NULL), 0);
	(void)copy_only(pair.from, &idle_ns);
	size_t size = portable_pack_cart(version, SEED, 1200000, map); /* 20 minutes of 30 */
	assert_null(portable_unpack_cart(map, size, SEED, true, version, &made, &used));
	assert_int_equal(change_put(pair.to, version, made.size, made.idle_ms * 1000000), 0);
	struct corral *observer = yard_open(&pair.to_yard, CORRAL_OBSERVE);
	assert_int_equal(corral_read_begin(observer, &key, &view), 0);
	int64_t left_ms = corral_view_expires_ms(&view) - arena_wall_ms();
	assert_int_equal(corral_read_end(&view), 0);
	assert_in_range(left_ms, 400000, 700000);
	corral_close(observer);
	close_pair(&pair);
}

static void slots_without_a_cart_have_none(void **state)
{
	struct pair pair = open_pair(SEED);
	uint64_t idle_ns;
	size_t size;

	(void)state;
	assert_int_equal(copy_slots(pair.from), 0);
	assert_int_equal(copy_slot(pair.from, 0, version, &size, &idle_ns), -ENOENT);
	assert_int_equal(copy_slot(pair.from, UINT32_MAX, version, &size, &idle_ns), -ENOENT);
	assert_int_equal(add(pair.from, "p1", "", NULL), 0);
	assert_int_equal(corral_drop(pair.from, &key, NULL, NULL), 0);
	assert_int_equal(copy_slot(pair.from, 0, version, &size, &idle_ns), -ENOENT);
	close_pair(&pair);
}

/* Writers change one cart, which grows and shrinks; each copy is one version. */

#define COPIES 2000

static void write_until_told(struct crewman *self)
{
	struct yard *yard = ((void **)self->shared)[0];
	uint32_t *stop = ((void **)self->shared)[1];
	struct corral *corral = yard_open(yard, 0);
	char id[16];

	if (self->number == 0) {
		static _Alignas(8) uint8_t copy[CORRAL_CART_MAX];
		uint32_t sound = 0;
		for (uint32_t i = 0; i < COPIES; i++) {
			uint64_t idle_ns;
			size_t size = 0;
			int r = copy_slot(corral, 0, copy, &size, &idle_ns);
			must(r == 0 || r == -ENOENT); /* -EUCLEAN would be a torn one */
			sound += r == 0;
		}
		__atomic_store_n(stop, 1, __ATOMIC_RELEASE);
		must(sound > 0);
	}
	for (uint32_t i = 0; self->number != 0 && !__atomic_load_n(stop, __ATOMIC_ACQUIRE); i++) {
		snprintf(id, sizeof(id), "p%u", i % 50);
		must(add(corral, id, "", NULL) == 0);
		if (i % 50 == 49)
			must(corral_clear(corral, &key, NULL, NULL) == 0);
	}
	corral_close(corral);
}

static void each_copy_is_one_version(void **state)
{
	struct yard yard;
	uint32_t *stop = support_shared(sizeof(*stop));
	void *shared[] = { &yard, stop };

	(void)state;
	make(&yard, SEED);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(add(corral, "p1", "", NULL), 0);
	crew_run(NULL, !support_threads_only(), 3, write_until_told, shared);
	corral_close(corral);
	yard_check(&yard, NULL);
	yard_remove(&yard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_operation_counts_once_under_the_same_seed),
		cmocka_unit_test(under_another_seed_it_is_a_new_operation_on_the_same_line),
		cmocka_unit_test(the_newer_version_wins),
		cmocka_unit_test(versions_of_a_key_grow_past_those_of_its_ended_carts),
		cmocka_unit_test(the_time_to_live_goes_on),
		cmocka_unit_test(slots_without_a_cart_have_none),
		cmocka_unit_test(each_copy_is_one_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
