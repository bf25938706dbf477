/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 50_cart_damage.c: the codec on damaged bytes: each flipped bit and each truncation is found,
 * damage never passes for sound in a later version, and none causes a read or write out of bounds.
 */
#include "cart_kit.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* ------------------------------------------------------------ changes to try */

/* A cart with something in every part. */
static struct kit_cart small_cart(void)
{
	static const struct corral_modifier modifiers[] = { { T("cheese"), 150 } };
	static const struct corral_extra extras[] = { { T("x"), "\x92\x01\xa1y", 4 } };
	struct corral_item item = kit_item(T("burger"), 899, 2);
	struct kit_cart cart = { 0 };

	item.modifiers = modifiers;
	item.modifier_count = 1;
	item.extras = extras;
	item.extra_count = 1;
	assert_int_equal(kit_set_attribute(&cart, T("table"), T("7")), 0);
	assert_int_equal(kit_set_tax(&cart, 82500), 0);
	assert_int_equal(kit_add_item(&cart, &item, T("op-1")), 0);
	assert_int_equal(kit_add(&cart, T("coke"), 199, 1), 0);
	assert_int_equal(kit_add(&cart, T("fries"), 299, 1), 0);
	return cart;
}

/* The same with a section of the money. */
static struct kit_cart priced_cart(void)
{
	struct corral_item wine = kit_item(T("wine"), 650, 1);
	struct kit_cart cart = small_cart();

	wine.own_rate = 1;
	wine.tax_ppm = 190000;
	assert_int_equal(kit_add_item(&cart, &wine, T("op-2")), 0);
	assert_int_equal(kit_adjust(&cart, T("table"), CORRAL_DISCOUNT, false, 100000, 0), 0);
	return cart;
}

static void read_everything(const uint8_t *bytes, size_t size)
{
	struct corral_adjustment adjustment;
	struct corral_attribute attribute;
	struct corral_cart *cart;
	struct corral_item *item;
	struct corral_head head;
	struct corral_line line;
	struct corral_key key;
	uint64_t sum = 0;

	(void)cart_shape(bytes, size);
	(void)cart_get_head(bytes, size, &head);
	if (cart_get_key(bytes, size, &key) == 0)
		sum += XXH64(key.session_id.data, key.session_id.size, 0);
	for (uint32_t i = 0; i < 5; i++) {
		if (cart_get_line(bytes, size, i, &line) == 0)
			sum += XXH64(line.words, line.words_size,
				     0); /* reads every byte that was returned */
		if (cart_get_attribute(bytes, size, i, &attribute) == 0)
			sum += XXH64(attribute.value.data, attribute.value.size, 0);
		if (cart_get_adjustment(bytes, size, i, &adjustment) == 0)
			sum += XXH64(adjustment.name.data, adjustment.name.size, 0);
		if (cart_decode_item(bytes, size, i, &item) == 0)
			free(item);
	}
	if (cart_decode(bytes, size, sum & 1, &cart) == 0)
		free(cart);
}

static const enum cart_step_kind kinds[] = {
	CART_ADD,
	CART_SET_QUANTITY,
	CART_REMOVE,
	CART_CLEAR,
	CART_SET_TAX,
	CART_SET_ATTRIBUTE,
	CART_SET_TTL,
	CART_CHECKOUT,
	CART_REPLACE,
	CART_DROP,
	CART_CHANGE_QUANTITY,
	CART_SET_ADJUSTMENT,
	CART_REMOVE_ADJUSTMENT,
	CART_SET_PRICING,
	CART_SET_CURRENCY,
};

/* Each kind of change, as a caller would make it of these bytes. */
static struct cart_change every_change(uint32_t number, uint64_t version, uint8_t buffer[256])
{
	static struct cart_draft_line draft_line;
	struct corral_item item = kit_item(number & 1 ? T("coke") : T("tea"), 199, 1);
	struct cart_change change = kit_change(kinds[number / 2 % COUNT(kinds)]);

	item.own_rate = number & 1;
	assert_int_equal(cart_pack_item(&item, KIT_SEED, buffer, 256, &change.one.words), 0);
	draft_line = (struct cart_draft_line){ .line = number & 1,
					       .quantity = 3,
					       .words = change.one.words };
	change.one.line = 2;
	change.one.quantity = number & 1;
	if (change.one.kind == CART_ADD)
		change.one.quantity = 4;
	change.one.name = number & 1 ? T("table") : T("new");
	change.one.value = T("a new value");
	change.one.remove_attribute = number & 2;
	change.draft.lines = &draft_line;
	change.draft.line_count = 1;
	if (change.one.kind == CART_REPLACE)
		change.if_version = version;
	change.one.difference = 1;
	change.one.adjustment_kind = CORRAL_FEE;
	change.one.after_tax = number & 1;
	change.one.cents = 150;
	change.one.pricing = number & 1 ? CORRAL_TAX_INSIDE : CORRAL_HALF_EVEN;
	change.one.currency = cart_currency(T("EUR"));
	assert_int_equal(cart_hash_op(number & 1 ? T("op-9") : T(""), KIT_SEED, &change), 0);
	return change;
}

#define EVERY_CHANGE (2 * COUNT(kinds))

/* A drop is not built, a cart with lines keeps its currency, and one adjustment is not there. */
#define BUILT_PRICED (EVERY_CHANGE - 5)
#define BUILT_PLAIN (EVERY_CHANGE - 6)

/*
 * Plan and build all changes. `later`, unless NULL, holds the bytes as changed between plan and
 * build.
 */
static uint32_t change_everything(const uint8_t *bytes, size_t size, const uint8_t *later,
				  int validity)
{
	struct corral_head head = { 0 };
	uint32_t built = 0;
	uint8_t words[256];

	(void)cart_get_head(bytes, size, &head);
	for (uint32_t number = 0; number < EVERY_CHANGE; number++) {
		struct cart_change change = every_change(number, head.version, words);
		struct cart_plan plan;
		uint8_t *new;

		if (cart_plan(bytes, size, &change, &plan) != 0 || change.one.kind == CART_DROP)
			continue;
		assert_true(plan.size <= CORRAL_CART_MAX);
		new = malloc(plan.size);
		cart_build(later ? later : bytes, &change, &plan, new);
		if (validity <= 0)
			assert_int_equal(cart_validate(new, plan.size), validity);
		read_everything(new, plan.size);
		free(new);
		built++;
	}
	return built;
}

#define ANY_VALIDITY 1

/* Recompute the head's checksum, so that a test reaches the damage behind it. */
static void reseal(uint8_t *bytes)
{
	struct cart_head head;
	uint64_t end;

	memcpy(&head, bytes, sizeof(head));
	end = sizeof(head) + align_up((uint64_t)head.restaurant_size + head.session_size, 8) +
	      align_up(head.attributes_size, 8) + head.money_size;
	if (cart_shape(bytes, head.size) != 0)
		return;
	head.sum = XXH3_64bits(bytes + 8, end - 8);
	memcpy(bytes, &head.sum, sizeof(head.sum));
}

/* ------------------------------------------------------------ the claims */

static void every_flipped_bit_is_found_and_survived(void **state)
{
	struct kit_cart sound = priced_cart();

	(void)state;
	assert_int_equal(change_everything(sound.bytes, sound.size, NULL, 0), BUILT_PRICED);
	for (size_t bit = 0; bit < 8 * sound.size; bit++) {
		struct kit_cart cart = kit_copy(&sound);

		cart.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(cart_validate(cart.bytes, cart.size), -EUCLEAN);
		assert_int_equal(cart_verify(cart.bytes, cart.size), -EUCLEAN);
		read_everything(cart.bytes, cart.size);
		if (bit % 2 == 0) /* half of the bits with each: it takes the most time */
			(void)change_everything(cart.bytes, cart.size, NULL, ANY_VALIDITY);
		if (bit / 8 < sizeof(uint64_t) || bit / 8 >= sizeof(uint64_t) + sizeof(uint32_t))
			reseal(cart.bytes);
		read_everything(cart.bytes, cart.size);
		if (bit % 2 == 1)
			(void)change_everything(cart.bytes, cart.size, NULL, ANY_VALIDITY);
		kit_free(&cart);
	}
	kit_free(&sound);
}

static void every_truncation_is_found_and_survived(void **state)
{
	struct kit_cart sound = priced_cart();

	(void)state;
	for (size_t size = 0; size < sound.size; size++) {
		uint8_t *exact = malloc(size + 1);

		memcpy(exact + 1, sound.bytes, size); /* and unaligned */
		assert_int_equal(cart_validate(exact + 1, size), -EUCLEAN);
		assert_int_equal(cart_verify(exact + 1, size), -EUCLEAN);
		read_everything(exact + 1, size);
		assert_int_equal(change_everything(exact + 1, size, NULL, ANY_VALIDITY), 0);
		free(exact);
	}
	kit_free(&sound);
}

static void bytes_after_the_version_do_not_matter(void **state)
{
	struct kit_cart sound = small_cart();
	uint8_t *larger = malloc(sound.size + 100);

	(void)state;
	memcpy(larger, sound.bytes, sound.size);
	memset(larger + sound.size, 0xff, 100);
	assert_int_equal(cart_validate(larger, sound.size + 100), 0);
	assert_int_equal(cart_verify(larger, sound.size + 100), 0);
	assert_int_equal(change_everything(larger, sound.size + 100, NULL, 0), BUILT_PLAIN);
	free(larger);
	kit_free(&sound);
}

static void damage_to_a_line_or_operation_stays_visible_in_later_versions(void **state)
{
	struct kit_cart sound = small_cart();
	struct cart_head head = kit_head(&sound);
	size_t words_at = sound.size - head.words_size;
	size_t ops_at = words_at - head.line_count * sizeof(struct cart_line) -
			head.ops_count * sizeof(struct cart_op);
	uint8_t words[256];

	(void)state;
	for (size_t at = ops_at; at < sound.size; at++) {
		struct cart_change change = every_change(0, 0, words); /* this change adds a line */
		struct kit_cart cart = kit_copy(&sound);
		struct cart_plan plan;
		uint8_t *new;

		cart.bytes[at] ^= 0x10;
		assert_int_equal(cart_plan(cart.bytes, cart.size, &change, &plan), 0);
		new = malloc(plan.size);
		cart_build(cart.bytes, &change, &plan, new);
		assert_int_equal(cart_validate(new, plan.size), -EUCLEAN);
		free(new);
		kit_free(&cart);
	}
	kit_free(&sound);
}

static void a_damaged_front_refuses_every_change(void **state)
{
	struct kit_cart sound = priced_cart();
	struct cart_head head = kit_head(&sound);
	size_t ops_at = sound.size - head.words_size - head.line_count * sizeof(struct cart_line) -
			head.ops_count * sizeof(struct cart_op);

	(void)state;
	for (size_t at = 0; at < ops_at; at++) {
		struct kit_cart cart = kit_copy(&sound);

		cart.bytes[at] ^= 0x01;
		assert_int_equal(change_everything(cart.bytes, cart.size, NULL, ANY_VALIDITY), 0);
		kit_free(&cart);
	}
	kit_free(&sound);
}

static int plan_after_damage(const struct kit_cart *sound, size_t at,
			     const struct cart_change *change)
{
	struct kit_cart cart = kit_copy(sound);
	struct cart_plan plan;
	int answer;

	cart.bytes[at] ^= 0x04;
	answer = cart_plan(cart.bytes, cart.size, change, &plan);
	kit_free(&cart);
	return answer;
}

static void no_answer_comes_from_a_damaged_memory_of_operations(void **state)
{
	struct cart_change change = kit_change(CART_CLEAR);
	struct kit_cart sound = small_cart();
	struct cart_head head = kit_head(&sound);
	size_t op_at = sound.size - head.words_size - head.line_count * sizeof(struct cart_line) -
		       sizeof(struct cart_op);

	(void)state;
	assert_int_equal(cart_hash_op(T("op-1"), KIT_SEED, &change), 0);
	assert_int_equal(kit_apply(&sound, &change), -ENOTUNIQ);
	memcpy(&change.fingerprint, sound.bytes + op_at + offsetof(struct cart_op, fingerprint),
	       sizeof(change.fingerprint));
	assert_int_equal(kit_apply(&sound, &change), 1);
	for (size_t at = op_at + sizeof(change.op_id); at < op_at + sizeof(struct cart_op); at++)
		assert_int_equal(plan_after_damage(&sound, at, &change), -EUCLEAN);
	kit_free(&sound);
}

static void no_line_is_cut_where_the_words_are_not_in_place(void **state)
{
	struct cart_change change = kit_change(CART_REMOVE);
	struct kit_cart sound = small_cart();
	struct cart_head head = kit_head(&sound);
	size_t lines_at = sound.size - head.words_size - head.line_count * sizeof(struct cart_line);

	(void)state;
	change.one.line = 2;
	for (uint32_t i = 0; i < head.line_count; i++) {
		size_t line_at = lines_at + i * sizeof(struct cart_line);

		for (size_t at = offsetof(struct cart_line, words_at);
		     at < offsetof(struct cart_line, rate); at++)
			assert_int_equal(plan_after_damage(&sound, line_at + at, &change),
					 -EUCLEAN);
	}
	kit_free(&sound);
}

static void line_numbers_run_out_rather_than_come_again(void **state)
{
	struct cart_draft_line line = { .quantity = 1 };
	struct cart_change change = kit_change(CART_REPLACE);
	struct kit_cart cart = small_cart();
	struct cart_head head = kit_head(&cart);
	uint8_t buffer[256];
	struct corral_item item = kit_item(T("tea"), 1, 1);

	(void)state;
	head.next_line = 0x7fffffff;
	memcpy(cart.bytes, &head, sizeof(head));
	reseal(cart.bytes);
	assert_int_equal(kit_add(&cart, T("tea"), 1, 1), 0);
	assert_int_equal(cart.result.line, 0x7fffffff);
	assert_int_equal(kit_add(&cart, T("water"), 1, 1), -E2BIG);
	assert_int_equal(cart_pack_item(&item, KIT_SEED, buffer, sizeof(buffer), &line.words), 0);
	change.if_version = cart.result.version;
	change.draft.lines = &line;
	change.draft.line_count = 1;
	assert_int_equal(kit_apply(&cart, &change), -E2BIG);
	line.line = 0x7fffffff;
	assert_int_equal(kit_apply(&cart, &change), 0);
	kit_free(&cart);
}

static void random_damage_is_survived_by_plan_and_build(void **state)
{
	struct kit_cart sound = small_cart();
	uint32_t built = 0;

	(void)state;
	kit_seed(__func__);
	for (int round = 0; round < 20000; round++) {
		struct kit_cart cart = kit_copy(&sound);

		for (uint32_t i = 1 + kit_below(3); i > 0; i--)
			cart.bytes[12 + kit_below((uint32_t)cart.size - 12)] =
				(uint8_t)(kit_below(4) ? kit_random() : 0xff);
		reseal(cart.bytes);
		read_everything(cart.bytes, cart.size);
		built += change_everything(cart.bytes, cart.size, NULL, ANY_VALIDITY);
		(void)cart_validate(cart.bytes, cart.size);
		kit_free(&cart);
	}
	assert_true(built > 10000);
	kit_free(&sound);
}

static void bytes_that_change_between_plan_and_build_are_survived(void **state)
{
	struct kit_cart sound = small_cart();

	(void)state;
	kit_seed(__func__);
	for (int round = 0; round < 3000; round++) {
		struct kit_cart later = kit_copy(&sound);
		int pattern = round % 3;

		for (size_t i = 0; i < later.size; i++)
			later.bytes[i] = pattern == 0 ? 0xff :
					 pattern == 1 ? 0 :
							(uint8_t)kit_random();
		assert_true(change_everything(sound.bytes, sound.size, later.bytes, ANY_VALIDITY) >
			    0);
		kit_free(&later);
	}
	kit_free(&sound);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flipped_bit_is_found_and_survived),
		cmocka_unit_test(every_truncation_is_found_and_survived),
		cmocka_unit_test(bytes_after_the_version_do_not_matter),
		cmocka_unit_test(damage_to_a_line_or_operation_stays_visible_in_later_versions),
		cmocka_unit_test(a_damaged_front_refuses_every_change),
		cmocka_unit_test(no_answer_comes_from_a_damaged_memory_of_operations),
		cmocka_unit_test(no_line_is_cut_where_the_words_are_not_in_place),
		cmocka_unit_test(line_numbers_run_out_rather_than_come_again),
		cmocka_unit_test(random_damage_is_survived_by_plan_and_build),
		cmocka_unit_test(bytes_that_change_between_plan_and_build_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
