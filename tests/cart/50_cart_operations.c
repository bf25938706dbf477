/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 50_cart_operations.c: an operation id names one change: the same change again is a repeat, and
 * any other change of any kind is refused. The tests also fix which parts of a change count for
 * that.
 */
#include "cart_kit.h"

#define CHANGES_MAX 64u

/*
 * Changes that all differ from each other. Their words are packed into `words`, which must outlive
 * them.
 */
struct changes {
	struct cart_change all[CHANGES_MAX];
	uint32_t count;
	uint8_t words[CHANGES_MAX][256];
	struct cart_draft_line lines[4][2];
	uint8_t attributes[4][64];
};

static struct cart_change *next(struct changes *changes, enum cart_step_kind kind)
{
	assert_true(changes->count < CHANGES_MAX);
	struct cart_change *change = &changes->all[changes->count++];

	*change = kit_change(kind);
	return change;
}

static void item(struct changes *changes, const struct corral_item *item)
{
	uint8_t *words = changes->words[changes->count];
	struct cart_change *add = next(changes, CART_ADD);

	assert_int_equal(
		cart_pack_item(item, KIT_SEED, words, sizeof(changes->words[0]), &add->one.words),
		0);
	add->one.quantity = item->quantity;
}

static void items(struct changes *changes)
{
	const struct corral_modifier one[] = { { T("cheese"), 50 } };
	const struct corral_modifier two[] = { { T("cheese"), 51 } };
	const struct corral_extra extra = { T("kitchen"), "\x01", 1 };
	struct corral_item tea = kit_item(T("tea"), 100, 1);

	item(changes, &tea);
	tea.quantity = 2;
	item(changes, &tea);
	tea.unit_price_cents = 101;
	item(changes, &tea);
	tea.name = T("Tea");
	item(changes, &tea);
	tea.notes = T("hot");
	item(changes, &tea);
	tea.modifiers = one;
	tea.modifier_count = 1;
	item(changes, &tea);
	tea.modifiers = two;
	item(changes, &tea);
	tea.extras = &extra;
	tea.extra_count = 1;
	item(changes, &tea);
	tea.menu_item_id = T("teb");
	item(changes, &tea);
}

static void attribute(struct changes *changes, struct corral_text name, struct corral_text value,
		      bool remove)
{
	struct cart_change *set = next(changes, CART_SET_ATTRIBUTE);

	set->one.name = name;
	set->one.value = value;
	set->one.remove_attribute = remove;
}

/* A whole cart of two lines with these quantities; with an attribute if it has a name. */
static void whole_cart(struct changes *changes, uint32_t number, uint32_t first, uint32_t second,
		       struct corral_text name)
{
	struct corral_attribute pair = { name, T("v") };
	struct corral_item tea = kit_item(T("tea"), 100, 1);
	uint8_t *words = changes->words[changes->count];
	struct cart_change *replace = next(changes, CART_REPLACE);
	struct cart_draft_line *lines = changes->lines[number];

	assert_int_equal(
		cart_pack_item(&tea, KIT_SEED, words, sizeof(changes->words[0]), &lines[0].words),
		0);
	lines[1].words = lines[0].words;
	lines[0].quantity = first;
	lines[1].quantity = second;
	replace->draft = (struct cart_draft){ .lines = lines,
					      .line_count = 2,
					      .attributes = changes->attributes[number],
					      .attribute_count = name.size != 0 };
	assert_int_equal(cart_pack_attributes(&pair, name.size != 0, changes->attributes[number],
					      sizeof(changes->attributes[0]),
					      &replace->draft.attributes_size),
			 0);
	replace->if_version = 2;
}

static struct changes *changes_of_all_kinds(void)
{
	struct changes *changes = calloc(1, sizeof(*changes));

	assert_non_null(changes);
	items(changes);
	for (uint32_t line = 1; line <= 2; line++) {
		next(changes, CART_SET_QUANTITY)->one.line = line;
		next(changes, CART_SET_QUANTITY)->one.line = line;
		changes->all[changes->count - 1].one.quantity = 5;
		next(changes, CART_REMOVE)->one.line = line;
	}
	next(changes, CART_CLEAR);
	next(changes, CART_SET_TAX)->one.tax_ppm = 1;
	next(changes, CART_SET_TAX)->one.tax_ppm = 2;
	attribute(changes, T("ab"), T("c"), false);
	attribute(changes, T("a"), T("bc"), false);
	attribute(changes, T("ab"), T(""), false);
	attribute(changes, T("ab"), T(""), true);
	next(changes, CART_SET_TTL)->one.ttl_ms = 1000;
	next(changes, CART_SET_TTL)->one.ttl_ms = 1001;
	next(changes, CART_CHECKOUT);
	next(changes, CART_DROP);
	whole_cart(changes, 0, 1, 2, T(""));
	whole_cart(changes, 1, 2, 1, T(""));
	whole_cart(changes, 2, 1, 2, T("t"));
	whole_cart(changes, 3, 1, 2, T("u"));
	for (uint32_t i = 0; i < changes->count; i++)
		assert_int_equal(cart_hash_op(T("call-1"), KIT_SEED, &changes->all[i]), 0);
	return changes;
}

/* Version 2, lines 1 and 2. */
static struct kit_cart two_lines(void)
{
	struct kit_cart cart = { 0 };

	assert_int_equal(kit_add(&cart, T("bun"), 250, 2), 0);
	assert_int_equal(kit_add(&cart, T("pie"), 350, 1), 0);
	return cart;
}

static void an_id_is_refused_to_every_change_but_the_one_it_names(void **state)
{
	struct changes *changes = changes_of_all_kinds();

	(void)state;
	for (uint32_t i = 0; i < changes->count; i++) {
		struct kit_cart cart = two_lines();

		assert_int_equal(kit_apply(&cart, &changes->all[i]), 0);
		if (changes->all[i].one.kind == CART_DROP) { /* a dropped cart remembers nothing */
			kit_free(&cart);
			continue;
		}
		struct corral_result first = cart.result;
		for (uint32_t j = 0; j < changes->count; j++) {
			struct kit_cart again = kit_copy(&cart);
			int answer = kit_apply(&again, &changes->all[j]);

			if (answer != (i == j ? 1 : -ENOTUNIQ))
				fail_msg("change %u, then change %u: %d", i, j, answer);
			assert_memory_equal(again.bytes, cart.bytes, cart.size);
			first.applied = 0;
			if (i == j)
				assert_memory_equal(&again.result, &first,
						    offsetof(struct corral_result, rate_count));
			kit_free(&again);
		}
		kit_free(&cart);
	}
	free(changes);
}

static void the_condition_the_time_and_other_changes_do_not_matter_to_a_repeat(void **state)
{
	struct cart_change set = kit_change(CART_SET_TAX);
	struct kit_cart cart = two_lines();

	(void)state;
	set.one.tax_ppm = 82500;
	set.if_version = 2;
	assert_int_equal(cart_hash_op(T("call-1"), KIT_SEED, &set), 0);
	assert_int_equal(kit_apply(&cart, &set), 0);
	assert_int_equal(kit_add(&cart, T("jam"), 50, 1), 0);
	for (uint64_t version = 0; version < 6; version++) {
		set.if_version = version;
		set.now_ms += 1000;
		assert_int_equal(cart_hash_op(T("call-1"), KIT_SEED, &set), 0);
		assert_int_equal(kit_apply(&cart, &set), 1);
		assert_int_equal(cart.result.version, 3);
	}
	kit_free(&cart);
}

/* Carts of a former format have no fingerprints. */
static void an_operation_without_a_fingerprint_answers_whatever_comes_with_its_id(void **state)
{
	struct changes *changes = changes_of_all_kinds();
	struct cart_change old = changes->all[0];
	struct kit_cart cart = two_lines();

	(void)state;
	old.fingerprint = CART_NO_FINGERPRINT;
	assert_int_equal(kit_apply(&cart, &old), 0);
	for (uint32_t i = 0; i < changes->count; i++) {
		assert_int_equal(kit_apply(&cart, &changes->all[i]), 1);
		assert_int_equal(cart.result.version, 3);
	}
	kit_free(&cart);
	free(changes);
}

static void fingerprints_differ_by_seed_and_are_never_the_one_that_means_none(void **state)
{
	struct changes *changes = changes_of_all_kinds();

	(void)state;
	for (uint32_t i = 0; i < changes->count; i++) {
		const struct cart_change *change = &changes->all[i];

		assert_int_not_equal(change->fingerprint, CART_NO_FINGERPRINT);
		assert_int_equal(cart_fingerprint(change, KIT_SEED), change->fingerprint);
		assert_int_not_equal(cart_fingerprint(change, KIT_SEED + 1), change->fingerprint);
	}
	free(changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_refused_to_every_change_but_the_one_it_names),
		cmocka_unit_test(
			the_condition_the_time_and_other_changes_do_not_matter_to_a_repeat),
		cmocka_unit_test(
			an_operation_without_a_fingerprint_answers_whatever_comes_with_its_id),
		cmocka_unit_test(fingerprints_differ_by_seed_and_are_never_the_one_that_means_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
