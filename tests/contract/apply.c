/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * apply.c: several steps as one change.
 */
#include "contract.h"

static struct corral_step add(const struct corral_item *item)
{
	return (struct corral_step){ .kind = CORRAL_STEP_ADD, .item = item };
}

static struct corral_step quantity(uint32_t line, uint32_t quantity)
{
	return (struct corral_step){ .kind = CORRAL_STEP_SET_QUANTITY,
				     .line = line,
				     .quantity = quantity };
}

static struct corral_step more(struct corral_text menu_item_id, int32_t difference)
{
	return (struct corral_step){ .kind = CORRAL_STEP_CHANGE_QUANTITY,
				     .menu_item_id = menu_item_id,
				     .difference = difference };
}

static struct corral_step attribute(struct corral_text name, const struct corral_text *value)
{
	return (struct corral_step){ .kind = CORRAL_STEP_SET_ATTRIBUTE,
				     .name = name,
				     .value = value };
}

static void all_kinds_of_steps_are_one_change_with_a_line_for_each(struct contract *c)
{
	struct corral_item burger = contract_item("burger", 899, 1);
	struct corral_item fries = contract_item("fries", 299, 2);
	struct corral_text seven = T("7");
	const struct corral_step steps[] = {
		add(&fries),
		add(&burger), /* merges */
		more(T("coke"), 4),
		quantity(3, 1), /* the line that the first step makes */
		attribute(T("table"), &seven),
		{ .kind = CORRAL_STEP_SET_TAX, .tax_ppm = 100000 },
		{ .kind = CORRAL_STEP_REMOVE, .line = 1 },
		{ .kind = CORRAL_STEP_SET_TTL, .ttl_ms = HOUR_MS },
		{ .kind = CORRAL_STEP_CHECKOUT },
	};
	static const uint32_t want[] = { 3, 1, 2, 3, 0, 0, 1, 0, 0 };
	uint32_t lines[COUNT(steps)];
	struct corral_result r = { 0 };

	uint64_t version = contract_two_lines(c).version;
	gives(0, corral_apply(c->corral, &c->key, steps, COUNT(steps), NULL, &r, lines));
	assert_true(r.version > version);
	assert_int_equal(r.applied, 1);
	assert_int_equal(r.line, 1); /* of the last step that has one */
	assert_int_equal(r.step, 0);
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
	assert_int_equal(r.item_count, 6);
	assert_int_equal(r.subtotal_cents, 5 * 199 + 299);
	assert_int_equal(r.tax_cents, 129); /* 10 % of 12.94 */
	assert_memory_equal(lines, want, sizeof(want));
	struct corral_cart *cart = contract_get(c);
	assert_int_equal(cart->head.version, r.version);
	assert_int_equal(cart->head.ttl_ms, HOUR_MS);
	assert_int_equal(cart->line_count, 2);
	assert_int_equal(cart->lines[0].item.quantity, 5);
	assert_int_equal(cart->attribute_count, 1);
	corral_cart_free(cart);
}

static void the_first_step_decides_whether_the_cart_is_made(struct contract *c)
{
	struct corral_item tea = contract_item("tea", 150, 1);
	const struct corral_step adds[] = { add(&tea), { .kind = CORRAL_STEP_CHECKOUT } };
	const struct corral_step clears[] = { { .kind = CORRAL_STEP_CLEAR }, add(&tea) };
	struct corral_result r = { .version = 77 };

	gives(-ENOENT, corral_apply(c->corral, &c->key, clears, 2, NULL, &r, NULL));
	assert_int_equal(r.version, 77);
	gives(0, corral_apply(c->corral, &c->key, adds, 2, NULL, &r, NULL));
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
}

static void a_refused_step_is_named_and_none_happens(struct contract *c)
{
	struct corral_item tea = contract_item("tea", 150, 1), none = contract_item("tea", 150, 0);
	struct corral_item cold = contract_item("coke", 199, 1);
	const struct {
		struct corral_step step;
		int error;
	} rows[] = {
		{ quantity(9, 1), -ENXIO },
		{ quantity(0, 1), -ENXIO },
		{ quantity(1, CORRAL_QUANTITY_MAX + 1), -ERANGE },
		{ more(T("burger"), -3), -ERANGE },
		{ more(T("burger"), CORRAL_QUANTITY_MAX), -ERANGE },
		{ more(T("nothing"), 1), -ENXIO },
		{ more(T("coke"), 1), -EMLINK },
		{ more(T("\xff"), 1), -EILSEQ },
		{ { .kind = CORRAL_STEP_REMOVE, .line = 1, .menu_item_id = T("burger") }, -EINVAL },
		{ add(&none), -ERANGE },
		{ add(NULL), -EINVAL },
		{ { .kind = CORRAL_STEP_SET_TAX, .tax_ppm = CORRAL_TAX_PPM_MAX + 1 }, -ERANGE },
		{ { .kind = CORRAL_STEP_SET_TTL, .ttl_ms = 1 }, -ERANGE },
		{ { .kind = CORRAL_STEP_SET_LINE_TAX, .line = 9 }, -ENXIO },
		{ { .kind = CORRAL_STEP_SET_LINE_TAX, .menu_item_id = T("coke") }, -EMLINK },
		{ { .kind = CORRAL_STEP_SET_LINE_TAX, .line = 1, .own_rate = 2 }, -EINVAL },
		{ { .kind = CORRAL_STEP_SET_LINE_TAX,
		    .line = 1,
		    .own_rate = 1,
		    .tax_ppm = CORRAL_TAX_PPM_MAX + 1 },
		  -ERANGE },
		{ attribute(T(""), NULL), -EINVAL },
		{ { .kind = 0 }, -EINVAL },
		{ { .kind = 9999 }, -EINVAL },
	};

	(void)contract_two_lines(c);
	cold.notes = T("no ice"); /* a second line of this item */
	gives(0, corral_add(c->corral, &c->key, &cold, NULL, NULL));
	uint64_t version = contract_head(c).version;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct corral_step steps[] = { add(&tea), add(&tea), rows[i].step,
						     add(&tea) };
		struct corral_result r = { .version = 77 };
		uint32_t lines[COUNT(steps)] = { 88 };
		gives(rows[i].error,
		      corral_apply(c->corral, &c->key, steps, COUNT(steps), NULL, &r, lines));
		assert_int_equal(r.step, 3);
		assert_int_equal(r.version, 77);
		assert_int_equal(lines[0], 88);
		gives(rows[i].error,
		      corral_apply(c->corral, &c->key, &rows[i].step, 1, NULL, &r, NULL));
		assert_int_equal(r.step, 1);
		assert_int_equal(contract_head(c).version, version);
	}
}

static void what_is_refused_as_a_whole_names_no_step(struct contract *c)
{
	struct corral_item tea = contract_item("tea", 150, 1);
	struct corral_item gold = contract_item("gold", INT64_MAX / 2, 1);
	static struct corral_step steps[CORRAL_STEPS_MAX + 1];
	struct corral_op op = contract_op(NULL, UINT64_MAX);
	const struct corral_step rich[] = { add(&gold),
					    { .kind = CORRAL_STEP_SET_TAX,
					      .tax_ppm = CORRAL_TAX_PPM_MAX },
					    add(&tea) };
	struct corral_result r = { .step = 9 };

	for (size_t i = 0; i < COUNT(steps); i++)
		steps[i] = add(&tea);
	gives(-EINVAL, corral_apply(c->corral, &c->key, steps, 0, NULL, &r, NULL));
	assert_int_equal(r.step, 0);
	gives(-EINVAL, corral_apply(c->corral, &c->key, NULL, 1, NULL, NULL, NULL));
	gives(-E2BIG, corral_apply(c->corral, &c->key, steps, COUNT(steps), NULL, &r, NULL));
	gives(0, corral_apply(c->corral, &c->key, steps, CORRAL_STEPS_MAX, NULL, &r, NULL));
	assert_int_equal(r.item_count, CORRAL_STEPS_MAX);
	r.step = 9;
	gives(-ECANCELED, corral_apply(c->corral, &c->key, steps, 2, &op, &r, NULL));
	assert_int_equal(r.step, 0);
	r.step = 9;
	gives(-EOVERFLOW, corral_apply(c->corral, &c->key, rich, COUNT(rich), NULL, &r, NULL));
	assert_int_equal(r.step, 0); /* the total, once all steps are done */
	assert_int_equal(contract_head(c).item_count, CORRAL_STEPS_MAX);
}

static void items_are_as_large_as_a_line_may_be_and_no_larger(struct contract *c)
{
	static char words[CORRAL_WORDS_MAX];
	struct corral_item tea = contract_item("tea", 150, 1), cake = contract_item("cake", 500, 1),
			   wish = contract_item("wish", 0, 1);
	const struct corral_step steps[] = { add(&tea), add(&cake), add(&wish) };
	struct corral_result r = { 0 };

	memset(words, 'x', sizeof(words));
	cake.notes = (struct corral_text){ words, CORRAL_WORDS_MAX / 2 };
	wish.notes = (struct corral_text){ words, CORRAL_WORDS_MAX - 100 };
	gives(0, corral_apply(c->corral, &c->key, steps, COUNT(steps), NULL, &r, NULL));
	struct corral_cart *cart = contract_get(c);
	assert_int_equal(cart->line_count, 3);
	assert_true(contract_same_text(cart->lines[2].item.notes, wish.notes));
	corral_cart_free(cart);
	wish.notes.size = CORRAL_WORDS_MAX - 10; /* with the rest of it more than a line may have */
	gives(-E2BIG, corral_apply(c->corral, &c->key, steps, COUNT(steps), NULL, &r, NULL));
	assert_int_equal(r.step, 3);
	cake.notes.size = CORRAL_WORDS_MAX;
	gives(-E2BIG, corral_apply(c->corral, &c->key, steps, COUNT(steps), NULL, &r, NULL));
	assert_int_equal(r.step, 2);
	assert_int_equal(contract_head(c).line_count, 3);
}

static void nothing_left_removes_the_line(struct contract *c)
{
	const struct corral_step less = more(T("burger"), -1);
	struct corral_result r = { 0 };

	(void)contract_two_lines(c);
	gives(0, corral_apply(c->corral, &c->key, &less, 1, NULL, &r, NULL));
	assert_int_equal(r.item_count, 2);
	gives(0, corral_apply(c->corral, &c->key, &less, 1, NULL, &r, NULL));
	assert_int_equal(r.item_count, 1);
	assert_int_equal(r.line, 1);
	gives(-ENXIO, corral_apply(c->corral, &c->key, &less, 1, NULL, &r, NULL));
}

static void a_repeat_has_the_first_answer_and_says_where_the_items_are_now(struct contract *c)
{
	struct corral_item tea = contract_item("tea", 150, 1), pie = contract_item("pie", 300, 1);
	struct corral_step steps[] = {
		add(&tea), more(T("burger"), 1), add(&pie), { .kind = CORRAL_STEP_CLEAR }
	};
	struct corral_op op = contract_op("call-1", 0);
	struct corral_result first = { 0 }, r = { 0 };
	static const uint32_t all[] = { 3, 1, 4 }, left[] = { 0, 1, 4 };
	uint32_t lines[3];

	(void)contract_two_lines(c);
	gives(0, corral_apply(c->corral, &c->key, steps, 3, &op, &first, lines));
	assert_memory_equal(lines, all, sizeof(all));
	for (int removed = 0; removed < 2; removed++) {
		memset(lines, 0x5a, sizeof(lines));
		gives(0, corral_apply(c->corral, &c->key, steps, 3, &op, &r, lines));
		assert_int_equal(r.applied, 0);
		assert_int_equal(r.version, first.version);
		assert_int_equal(r.total_cents, first.total_cents);
		assert_int_equal(r.line, 4);
		assert_memory_equal(lines, removed ? left : all, sizeof(all));
		gives(removed ? -ENXIO : 0, corral_remove(c->corral, &c->key, 3, NULL, NULL));
	}
	static const uint32_t other_counts[] = { 1, 2, 4 };
	for (size_t i = 0; i < COUNT(other_counts); i++)
		gives(-ENOTUNIQ,
		      corral_apply(c->corral, &c->key, steps, other_counts[i], &op, &r, NULL));
	steps[0] = add(&pie), steps[2] = add(&tea);
	gives(-ENOTUNIQ, corral_apply(c->corral, &c->key, steps, 3, &op, &r, NULL));
}

static void one_step_is_the_same_change_as_the_call_of_its_name(struct contract *c)
{
	struct corral_item tea = contract_item("tea", 150, 1);
	const struct corral_step step = add(&tea), set = quantity(1, 5);
	struct corral_op one = contract_op("call-1", 0), two = contract_op("call-2", 0);
	struct corral_result r = { 0 };
	uint32_t line = 0;

	gives(0, corral_add(c->corral, &c->key, &tea, &one, &r));
	gives(0, corral_apply(c->corral, &c->key, &step, 1, &one, &r, &line));
	assert_int_equal(r.applied, 0);
	assert_int_equal(line, 1);
	gives(0, corral_apply(c->corral, &c->key, &set, 1, &two, &r, &line));
	gives(0, corral_set_quantity(c->corral, &c->key, 1, 5, &two, &r));
	assert_int_equal(r.applied, 0);
	assert_int_equal(r.item_count, 5);
}

static void a_cart_has_so_many_lines_and_no_more(struct contract *c)
{
	static struct corral_item items[CORRAL_STEPS_MAX];
	static struct corral_step steps[CORRAL_STEPS_MAX];
	static char ids[CORRAL_STEPS_MAX][16];
	struct corral_item last = contract_item("one more", 1, 1);
	struct corral_result r = { 0 };

	for (uint32_t round = 0; round < CORRAL_LINES_MAX / CORRAL_STEPS_MAX; round++) {
		for (uint32_t i = 0; i < CORRAL_STEPS_MAX; i++) {
			snprintf(ids[i], sizeof(ids[i]), "%u-%u", round, i);
			items[i] = contract_item(ids[i], 1, 1);
			steps[i] = add(&items[i]);
		}
		gives(0, corral_apply(c->corral, &c->key, steps, CORRAL_STEPS_MAX, NULL, &r, NULL));
	}
	assert_int_equal(r.item_count, CORRAL_LINES_MAX);
	gives(-E2BIG, corral_add(c->corral, &c->key, &last, NULL, &r));
	const struct corral_step swap[] = { { .kind = CORRAL_STEP_REMOVE, .line = 1 }, add(&last) };
	gives(0, corral_apply(c->corral, &c->key, swap, 2, NULL, &r, NULL));
	assert_int_equal(r.item_count, CORRAL_LINES_MAX);
}

const struct contract_case apply_cases[] = {
	CASE(all_kinds_of_steps_are_one_change_with_a_line_for_each),
	CASE(the_first_step_decides_whether_the_cart_is_made),
	CASE(a_refused_step_is_named_and_none_happens),
	CASE(what_is_refused_as_a_whole_names_no_step),
	CASE(items_are_as_large_as_a_line_may_be_and_no_larger),
	CASE(nothing_left_removes_the_line),
	CASE(a_repeat_has_the_first_answer_and_says_where_the_items_are_now),
	CASE(one_step_is_the_same_change_as_the_call_of_its_name),
	CASE(a_cart_has_so_many_lines_and_no_more),
	{ NULL, NULL },
};
