/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 50_cart_portable.c: a cart as a map of corral-snapshot(5) and back: nothing is lost, nothing
 * invalid is accepted, and equivalent encodings by other programs are read.
 */
#include "cart/portable.h"
#include "cart_kit.h"

static uint8_t map[PORTABLE_MAP_MAX], again[PORTABLE_MAP_MAX];
static _Alignas(8) uint8_t version[CORRAL_CART_MAX];

static size_t pack(const struct kit_cart *cart, uint8_t *to)
{
	return portable_pack_cart(cart->bytes, KIT_SEED, 1234, to);
}

/* The bytes get their own allocation, so AddressSanitizer reports an access one byte past them. */
static const char *unpack_bytes(const uint8_t *bytes, size_t size, uint64_t seed,
				struct portable_version *ret)
{
	uint8_t *exact = malloc(size ? size : 1);
	size_t used = 0;

	assert_non_null(exact);
	memcpy(exact, bytes, size);
	const char *wrong =
		portable_unpack_cart(exact, size, seed, seed == KIT_SEED, version, ret, &used);
	if (!wrong) {
		assert_int_equal(cart_validate(version, ret->size), 0);
		assert_true(used <= size);
		wrong = used == size ? NULL : "the map ends before";
	}
	free(exact);
	return wrong;
}

/*
 * Pack and unpack: the same version, except for its place in the arena (hash) and the start of the
 * ring of operations.
 */
static void round_trip(const struct kit_cart *cart)
{
	struct cart_head before = kit_head(cart), after;
	size_t size = pack(cart, map);
	struct portable_version made;

	assert_null(unpack_bytes(map, size, KIT_SEED, &made));
	assert_int_equal(made.size, cart->size);
	assert_int_equal(made.idle_ms, 1234);
	assert_int_equal(made.ttl_ms, before.ttl_ms);
	assert_int_equal(portable_pack_cart(version, KIT_SEED, 1234, again), size);
	assert_memory_equal(again, map, size);
	if (before.ops_next != 0)
		return;
	memcpy(&after, version, sizeof(after));
	after.hash = before.hash;
	after.sum = before.sum;
	assert_memory_equal(&after, &before, sizeof(after));
	assert_memory_equal(version + sizeof(after), cart->bytes + sizeof(after),
			    cart->size - sizeof(after));
}

/* Make a cart with something in every part. */
static struct kit_cart rich_cart(void)
{
	static const struct corral_modifier modifiers[] = { { T("cheese"), 150 },
							    { T("small"), -70000 } };
	/* nested as deep as is allowed */
	static const struct corral_extra extras[] = {
		{ T("deep"), "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0",
		  16 }
	};
	struct corral_item item = kit_item(T("burger"), 89900, 2);
	struct cart_change ttl = kit_change(CART_SET_TTL);
	struct kit_cart cart = { 0 };

	item.modifiers = modifiers;
	item.modifier_count = COUNT(modifiers);
	item.extras = extras;
	item.extra_count = COUNT(extras);
	item.notes = T("gut gew\xc3\xbcrzt");
	ttl.one.ttl_ms = 3600000;
	assert_int_equal(kit_set_attribute(&cart, T("table"), T("7")), 0);
	assert_int_equal(kit_set_tax(&cart, 82500), 0);
	assert_int_equal(kit_apply(&cart, &ttl), 0);
	assert_int_equal(kit_add_item(&cart, &item, T("op-1")), 0);
	assert_int_equal(kit_add_item(&cart, &item, T("op-2")), 0);
	item.separate = 1;
	assert_int_equal(kit_add_item(&cart, &item, T("op-3")), 0);
	assert_int_equal(kit_add(&cart, T("coke"), 199, 1), 0);
	assert_int_equal(kit_remove(&cart, 3), 0);
	return cart;
}

static void a_cart_comes_back_as_it_was(void **state)
{
	struct kit_cart cart = rich_cart(), empty = { 0 };
	char op[16];

	(void)state;
	round_trip(&cart);
	for (uint32_t i = 0; i < 2 * CORRAL_OPS_KEPT + 5;
	     i++) { /* the ring of operations wraps around */
		struct corral_item item = kit_item(i & 1 ? T("tea") : T("coke"), 199, 1);
		snprintf(op, sizeof(op), "more-%u", i);
		assert_int_equal(kit_add_item(&cart, &item, (struct corral_text){ op, strlen(op) }),
				 0);
		round_trip(&cart);
	}
	assert_int_equal(kit_simple(&cart, CART_CHECKOUT), 0);
	round_trip(&cart);
	kit_free(&cart);
	assert_int_equal(kit_set_tax(&empty, 0), 0);
	round_trip(&empty);
	kit_free(&empty);
}

/* Make a cart with the greatest number of lines, and words that fill it. */
static struct kit_cart largest_cart(void)
{
	static struct cart_draft_line lines[CORRAL_LINES_MAX];
	static uint8_t words[CORRAL_LINES_MAX][256];
	struct cart_change change = kit_change(CART_REPLACE);
	struct kit_cart cart = { 0 };
	char id[16], notes[140];

	memset(notes, 'n', sizeof(notes));
	for (uint32_t i = 0; i < CORRAL_LINES_MAX; i++) {
		struct corral_item item =
			kit_item((struct corral_text){ id, 0 }, INT64_MAX / 10000000, 1000);
		item.menu_item_id.size = (size_t)snprintf(id, sizeof(id), "item-%u", i);
		item.notes = (struct corral_text){ notes, sizeof(notes) };
		lines[i].quantity = 1000;
		assert_int_equal(cart_pack_item(&item, KIT_SEED, words[i], sizeof(words[i]),
						&lines[i].words),
				 0);
	}
	change.draft = (struct cart_draft){ .lines = lines, .line_count = CORRAL_LINES_MAX };
	assert_int_equal(kit_apply(&cart, &change), 0);
	return cart;
}

static void the_largest_cart_has_room(void **state)
{
	struct kit_cart cart = largest_cart();
	char id[16];

	(void)state;
	for (uint32_t i = 0; i < CORRAL_OPS_KEPT; i++) {
		struct cart_change change = kit_change(CART_SET_TAX);
		struct corral_text op = { id, (size_t)snprintf(id, sizeof(id), "op-%u", i) };
		assert_int_equal(cart_hash_op(op, KIT_SEED, &change), 0);
		assert_int_equal(kit_apply(&cart, &change), 0);
	}
	assert_true(cart.size > CORRAL_CART_MAX - 32768);
	round_trip(&cart);
	kit_free(&cart);
}

static void carts_of_all_kinds_come_back(void **state)
{
	struct kit_cart cart = { 0 };

	(void)state;
	for (uint32_t step = 0; step < 1500; step++) {
		char text[300];
		uint32_t size = 1 + kit_below(sizeof(text) - 1);
		memset(text, 'a' + (int)kit_below(26), size);
		struct corral_item item =
			kit_item((struct corral_text){ text, size }, kit_below(1u << kit_below(31)),
				 1 + kit_below(70000));
		switch (kit_below(6)) {
		case 0:
			(void)kit_set_attribute(&cart, (struct corral_text){ text, size % 128 + 1 },
						(struct corral_text){ text, size });
			break;
		case 1:
			(void)kit_remove(&cart, kit_below(step + 1));
			break;
		case 2:
			(void)kit_set_tax(&cart, kit_below(1000001));
			break;
		default:
			(void)kit_add_item(&cart, &item,
					   kit_below(3) ?
						   T("") :
						   (struct corral_text){ text, size % 128 + 1 });
			break;
		}
		if (cart.bytes)
			round_trip(&cart);
		if (kit_below(200) == 0)
			kit_free(&cart);
	}
	kit_free(&cart);
}

static void under_another_seed_lines_merge_and_operations_are_forgotten(void **state)
{
	struct kit_cart cart = rich_cart(), moved;
	struct cart_change change = kit_change(CART_ADD);
	struct corral_item item = kit_item(T("tea"), 100, 1);
	uint8_t words[CORRAL_WORDS_MAX];
	struct portable_version made;
	struct cart_plan plan;

	(void)state;
	assert_int_equal(kit_add_item(&cart, &item, T("op-9")), 0);
	assert_null(unpack_bytes(map, pack(&cart, map), KIT_SEED + 1, &made));
	moved = (struct kit_cart){ .bytes = version, .size = made.size };
	assert_int_equal(kit_head(&moved).ops_count, 0);
	assert_int_equal(kit_head(&moved).total_cents, kit_head(&cart).total_cents);
	change.seed = KIT_SEED + 1;
	assert_int_equal(
		cart_pack_item(&item, change.seed, words, sizeof(words), &change.one.words), 0);
	change.one.quantity = 1;
	assert_int_equal(cart_hash_op(T("op-9"), change.seed, &change), 0);
	assert_int_equal(cart_plan(version, made.size, &change, &plan), 0);
	assert_int_equal(plan.result.line, cart.result.line);
	/* a version with operations of another seed is packed without them */
	assert_true(portable_pack_cart(cart.bytes, KIT_SEED + 1, 0, again) < pack(&cart, map));
	kit_free(&cart);
}

static void each_truncation_is_refused(void **state)
{
	struct kit_cart cart = rich_cart();
	struct portable_version made;
	size_t size = pack(&cart, map);

	(void)state;
	for (size_t cut = 0; cut < size; cut++)
		assert_non_null(unpack_bytes(map, cut, KIT_SEED, &made));
	kit_free(&cart);
}

/* Every version that is accepted must be sound: unpack_bytes() checks that. */
static void damaged_maps_make_no_unsound_version(void **state)
{
	struct kit_cart cart = rich_cart();
	struct portable_version made;
	size_t size = pack(&cart, map);
	uint32_t refused = 0, tries = 0;

	(void)state;
	for (size_t at = 0; at < size; at++) {
		for (unsigned value = 0; value < 256; value += 1 + kit_below(7), tries++) {
			uint8_t before = map[at];
			map[at] = (uint8_t)value;
			refused += unpack_bytes(map, size, KIT_SEED, &made) != NULL;
			map[at] = before;
		}
	}
	assert_true(refused >
		    tries / 2); /* most changes are noticed even without the file's checksum */
	for (uint32_t round = 0; round < 10000; round++) {
		memcpy(again, map, size);
		for (uint32_t i = kit_below(8) + 1; i > 0; i--)
			again[kit_below((uint32_t)size)] = (uint8_t)kit_random();
		(void)unpack_bytes(again, size, KIT_SEED, &made);
	}
	kit_free(&cart);
}

/* Append a packed key and its value to the map, which begins with de 00 N. */
static size_t with_pair(size_t size, const char *pair, size_t pair_size)
{
	assert_int_equal(map[0], 0xde);
	memcpy(again, map, size);
	again[2]++;
	memcpy(again + size, pair, pair_size);
	return size + pair_size;
}

static void unknown_keys_are_skipped_and_known_ones_come_once(void **state)
{
	struct kit_cart cart = rich_cart();
	struct portable_version made;
	size_t size = pack(&cart, map);

	(void)state;
	assert_null(unpack_bytes(
		again, with_pair(size, "\xa3new\x92\x81\xa1k\xcb\0\0\0\0\0\0\0\0\xc0", 18),
		KIT_SEED, &made));
	assert_int_equal(made.size, cart.size);
	assert_string_equal(
		unpack_bytes(again, with_pair(size, "\xa7version\x01", 9), KIT_SEED, &made),
		"version");
	assert_non_null(unpack_bytes(again, with_pair(size, "\xa3new\xc1", 5), KIT_SEED, &made));
	kit_free(&cart);
}

static void the_frame_comes_back_as_it_was(void **state)
{
	struct portable_header header = { .format = PORTABLE_FORMAT,
					  .arena_uuid = "00112233-4455-6677-8899-aabbccddeeff",
					  .taken_ms = -5,
					  .ttl_ms = 1800000,
					  .arena_bytes = 1ull << 38,
					  .max_carts = 16000000,
					  .hash_seed = 0x8123456789abcdefull },
			       header_again;
	struct portable_trailer trailer = { .carts = 70000, .sum = 0xfedcba9876543210ull },
				trailer_again;
	size_t size = portable_pack_header(&header, map), used = 0;

	(void)state;
	assert_null(portable_unpack_header(map, size, &header_again, &used));
	assert_int_equal(used, size);
	assert_string_equal(header_again.arena_uuid, header.arena_uuid);
	assert_true(header_again.format == header.format &&
		    header_again.taken_ms == header.taken_ms &&
		    header_again.ttl_ms == header.ttl_ms &&
		    header_again.arena_bytes == header.arena_bytes &&
		    header_again.max_carts == header.max_carts &&
		    header_again.hash_seed == header.hash_seed);
	assert_false(portable_is_trailer(map, size));
	for (size_t cut = 0; cut < size; cut++)
		assert_non_null(portable_unpack_header(map, cut, &header_again, &used));
	size = portable_pack_trailer(&trailer, map);
	assert_true(portable_is_trailer(map, size));
	assert_null(portable_unpack_trailer(map, size, &trailer_again, &used));
	assert_int_equal(used, size);
	assert_true(trailer_again.carts == trailer.carts && trailer_again.sum == trailer.sum);
	for (size_t cut = 0; cut < size; cut++)
		assert_non_null(portable_unpack_trailer(map, cut, &trailer_again, &used));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cart_comes_back_as_it_was),
		cmocka_unit_test(the_largest_cart_has_room),
		cmocka_unit_test(carts_of_all_kinds_come_back),
		cmocka_unit_test(under_another_seed_lines_merge_and_operations_are_forgotten),
		cmocka_unit_test(each_truncation_is_refused),
		cmocka_unit_test(damaged_maps_make_no_unsound_version),
		cmocka_unit_test(unknown_keys_are_skipped_and_known_ones_come_once),
		cmocka_unit_test(the_frame_comes_back_as_it_was),
	};

	kit_seed("50_cart_portable");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
