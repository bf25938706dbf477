/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 55_apply.c: several steps as one change: what they answer, that all happen or none, what a
 * repeat says. The oracle is the same steps as single changes.
 */
#include "orders_support.h"

#define LINES 8u

struct bench {
	struct corral *corral;
	struct corral_key key;
};

static struct bench begin(void **state)
{
	struct bench bench = { .corral = yard_open(*state, 0),
			       .key = orders_key("restaurant", "session") };

	return bench;
}

static struct corral_cart *get(struct corral *corral, const struct corral_key *key)
{
	struct corral_cart *cart = NULL;

	assert_int_equal(corral_get(corral, key, &cart), 0);
	return cart;
}

static uint64_t version_of(const struct bench *b)
{
	struct corral_head head;

	assert_int_equal(orders_head(b->corral, &b->key, &head), 0);
	return head.version;
}

/* ------------------------------------------------------------------- steps */

static struct corral_step add_step(const struct corral_item *item)
{
	return (struct corral_step){ .kind = CORRAL_STEP_ADD, .item = item };
}

static struct corral_step quantity_step(uint32_t line, uint32_t quantity)
{
	return (struct corral_step){ .kind = CORRAL_STEP_SET_QUANTITY,
				     .line = line,
				     .quantity = quantity };
}

static struct corral_step more_step(struct corral_text menu_item_id, int32_t difference)
{
	return (struct corral_step){ .kind = CORRAL_STEP_CHANGE_QUANTITY,
				     .menu_item_id = menu_item_id,
				     .difference = difference };
}

static struct corral_step attribute_step(struct corral_text name, const struct corral_text *value)
{
	return (struct corral_step){ .kind = CORRAL_STEP_SET_ATTRIBUTE,
				     .name = name,
				     .value = value };
}

static struct corral_step plain_step(enum corral_step_kind kind)
{
	return (struct corral_step){ .kind = kind };
}

/* Two lines: 1 has two burgers, 2 a coke. */
static void two_lines(const struct bench *b)
{
	assert_int_equal(orders_add(b->corral, &b->key, "burger", 899, 2, NULL, NULL), 0);
	assert_int_equal(orders_add(b->corral, &b->key, "coke", 199, 1, NULL, NULL), 0);
}

/* ---------------------------------------------------------------- contract */

static void all_kinds_of_steps_are_one_change_with_a_line_for_each(void **state)
{
	struct bench b = begin(state);
	struct corral_item burger = orders_item("burger", 899, 1);
	struct corral_item fries = orders_item("fries", 299, 2);
	struct corral_text value = T("7");
	struct corral_result r = { 0 };
	struct corral_cart *cart;
	uint32_t lines[LINES];

	two_lines(&b);
	const struct corral_step steps[] = {
		add_step(&fries),  /* a new line */
		add_step(&burger), /* merges */
		more_step(T("coke"), 4),
		quantity_step(3, 1), /* the line that the first step has made */
		attribute_step(T("table"), &value),
		{ .kind = CORRAL_STEP_SET_TAX, .tax_ppm = 100000 },
		{ .kind = CORRAL_STEP_REMOVE, .line = 1 },
		plain_step(CORRAL_STEP_CHECKOUT),
	};
	assert_int_equal(corral_apply(b.corral, &b.key, steps, COUNT(steps), NULL, &r, lines), 0);
	assert_int_equal(r.version, 3);
	assert_int_equal(r.applied, 1);
	assert_int_equal(r.line, 1); /* of the last step that has one */
	assert_int_equal(r.step, 0);
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
	assert_int_equal(r.item_count, 6);
	assert_int_equal(r.subtotal_cents, 5 * 199 + 299);
	assert_int_equal(r.tax_cents, 129); /* 10 % of 12.94 */
	assert_int_equal(lines[0], 3);
	assert_int_equal(lines[1], 1);
	assert_int_equal(lines[2], 2);
	assert_int_equal(lines[3], 3);
	assert_int_equal(lines[4], 0);
	assert_int_equal(lines[5], 0);
	assert_int_equal(lines[6], 1);
	assert_int_equal(lines[7], 0);
	cart = get(b.corral, &b.key);
	assert_int_equal(cart->line_count, 2);
	assert_int_equal(cart->lines[0].line, 2);
	assert_int_equal(cart->lines[0].item.quantity, 5);
	assert_int_equal(cart->lines[1].line, 3);
	assert_int_equal(cart->attribute_count, 1);
	corral_cart_free(cart);
	corral_close(b.corral);
}

static void a_cart_that_is_not_there_is_made_if_the_first_step_would(void **state)
{
	struct bench b = begin(state);
	struct corral_item tea = orders_item("tea", 100, 1);
	struct corral_step steps[] = { add_step(&tea), plain_step(CORRAL_STEP_CHECKOUT) };
	struct corral_step clear[] = { plain_step(CORRAL_STEP_CLEAR), add_step(&tea) };
	struct corral_result r = { .version = 77 };

	assert_int_equal(corral_apply(b.corral, &b.key, clear, 2, NULL, &r, NULL), -ENOENT);
	assert_int_equal(r.version, 77); /* untouched */
	assert_int_equal(corral_apply(b.corral, &b.key, steps, 2, NULL, &r, NULL), 0);
	assert_int_equal(r.version, 1);
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
	corral_close(b.corral);
}

static void a_line_may_be_named_by_its_menu_item_if_no_other_has_it(void **state)
{
	struct bench b = begin(state);
	struct corral_item hot = orders_item("coke", 199, 1);
	struct corral_step more = more_step(T("coke"), -1);
	struct corral_step gone = { .kind = CORRAL_STEP_REMOVE, .menu_item_id = T("burger") };
	struct corral_result r = { 0 };

	two_lines(&b);
	hot.notes = T("no ice");
	const struct corral_step several[] = { add_step(&hot), more };
	assert_int_equal(corral_apply(b.corral, &b.key, several, 2, NULL, &r, NULL), -EMLINK);
	assert_int_equal(r.step, 2);
	assert_int_equal(corral_apply(b.corral, &b.key, &more, 1, NULL, &r, NULL), 0);
	assert_int_equal(r.line, 2); /* none is left: the line is gone */
	assert_int_equal(r.item_count, 2);
	assert_int_equal(corral_apply(b.corral, &b.key, &more, 1, NULL, &r, NULL), -ENXIO);
	assert_int_equal(r.step, 1);
	assert_int_equal(corral_apply(b.corral, &b.key, &gone, 1, NULL, &r, NULL), 0);
	assert_int_equal(r.item_count, 0);
	corral_close(b.corral);
}

static void a_refused_step_is_named_and_nothing_is_changed(void **state)
{
	static char long_value[CORRAL_ATTRIBUTE_VALUE_MAX + 1];
	struct bench b = begin(state);
	struct corral_item tea = orders_item("tea", 100, 1), none = orders_item("tea", 100, 0);
	struct corral_text much = { long_value, sizeof(long_value) };
	const struct {
		struct corral_step step;
		int error;
	} refused[] = {
		{ quantity_step(9, 1), -ENXIO },
		{ quantity_step(1, CORRAL_QUANTITY_MAX + 1), -ERANGE },
		{ quantity_step(0, 1), -ENXIO },
		{ more_step(T("burger"), -3), -ERANGE },
		{ more_step(T("burger"), CORRAL_QUANTITY_MAX), -ERANGE },
		{ more_step(T("burger"), INT32_MIN), -ERANGE },
		{ more_step(T("nothing"), 1), -ENXIO },
		{ more_step(T("\xff"), 1), -EILSEQ },
		{ { .kind = CORRAL_STEP_REMOVE, .line = 1, .menu_item_id = T("tea") }, -EINVAL },
		{ add_step(&none), -ERANGE },
		{ add_step(NULL), -EINVAL },
		{ { .kind = CORRAL_STEP_SET_TAX, .tax_ppm = CORRAL_TAX_PPM_MAX + 1 }, -ERANGE },
		{ { .kind = CORRAL_STEP_SET_TTL, .ttl_ms = 1 }, -ERANGE },
		{ attribute_step(T("a"), &much), -ENAMETOOLONG },
		{ attribute_step(T(""), NULL), -EINVAL },
		{ plain_step(0), -EINVAL },
		{ plain_step(CORRAL_STEP_CHECKOUT + 1), -EINVAL },
	};

	two_lines(&b);
	for (size_t i = 0; i < COUNT(refused); i++) {
		const struct corral_step steps[] = { add_step(&tea), add_step(&tea),
						     refused[i].step, add_step(&tea) };
		struct corral_result r = { .version = 77 };
		uint32_t lines[4] = { 88, 88, 88, 88 };

		assert_int_equal(corral_apply(b.corral, &b.key, steps, 4, NULL, &r, lines),
				 refused[i].error);
		assert_int_equal(r.step, 3);
		assert_int_equal(r.version, 77);
		assert_int_equal(lines[0], 88);
		assert_int_equal(
			corral_apply(b.corral, &b.key, &refused[i].step, 1, NULL, &r, NULL),
			refused[i].error);
		assert_int_equal(r.step, 1);
		assert_int_equal(version_of(&b), 2);
	}
	corral_close(b.corral);
}

static void what_is_refused_as_a_whole_names_no_step(void **state)
{
	struct bench b = begin(state);
	struct corral_item tea = orders_item("tea", 100, 1);
	struct corral_item gold = orders_item("gold", INT64_MAX / 2, 1);
	struct corral_step steps[CORRAL_STEPS_MAX + 1];
	struct corral_op expects = orders_op(NULL, 9);
	struct corral_result r = { .step = 9 };

	for (size_t i = 0; i < COUNT(steps); i++)
		steps[i] = add_step(&tea);
	assert_int_equal(corral_apply(b.corral, &b.key, steps, 0, NULL, &r, NULL), -EINVAL);
	assert_int_equal(r.step, 0);
	assert_int_equal(corral_apply(b.corral, &b.key, NULL, 1, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(corral_apply(b.corral, &b.key, steps, COUNT(steps), NULL, &r, NULL),
			 -E2BIG);
	assert_int_equal(r.step, 0);
	assert_int_equal(corral_apply(b.corral, &b.key, steps, CORRAL_STEPS_MAX, NULL, &r, NULL),
			 0);
	assert_int_equal(r.item_count, CORRAL_STEPS_MAX);
	r.step = 9;
	assert_int_equal(corral_apply(b.corral, &b.key, steps, 2, &expects, &r, NULL), -ECANCELED);
	assert_int_equal(r.step, 0);
	const struct corral_step rich[] = { add_step(&gold),
					    { .kind = CORRAL_STEP_SET_TAX,
					      .tax_ppm = CORRAL_TAX_PPM_MAX },
					    add_step(&tea) };
	assert_int_equal(corral_apply(b.corral, &b.key, rich, 3, NULL, &r, NULL), -EOVERFLOW);
	assert_int_equal(r.step, 0); /* the total, when all is done */
	const struct corral_step richer[] = { add_step(&tea), add_step(&gold), add_step(&gold) };
	assert_int_equal(corral_apply(b.corral, &b.key, richer, 3, NULL, &r, NULL), -EOVERFLOW);
	assert_int_equal(r.step, 3); /* the second of them is too much by itself */
	assert_int_equal(version_of(&b), 1);
	corral_close(b.corral);
}

static void behind_a_checkout_only_a_longer_life_is_a_step(void **state)
{
	struct bench b = begin(state);
	struct corral_item tea = orders_item("tea", 100, 1);
	struct corral_step steps[] = { add_step(&tea),
				       plain_step(CORRAL_STEP_CHECKOUT),
				       { .kind = CORRAL_STEP_SET_TTL, .ttl_ms = 3 * 3600 * 1000 },
				       add_step(&tea) };
	struct corral_result r = { 0 };

	assert_int_equal(corral_apply(b.corral, &b.key, steps, 4, NULL, &r, NULL), -ESHUTDOWN);
	assert_int_equal(r.step, 4);
	assert_int_equal(corral_apply(b.corral, &b.key, steps, 3, NULL, &r, NULL), 0);
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
	assert_int_equal(corral_apply(b.corral, &b.key, &steps[3], 1, NULL, &r, NULL), -ESHUTDOWN);
	corral_close(b.corral);
}

/* ----------------------------------------------------------------- repeats */

static void a_repeat_has_the_first_answer_and_says_where_the_items_are_now(void **state)
{
	struct bench b = begin(state);
	struct corral_item tea = orders_item("tea", 100, 1), pie = orders_item("pie", 300, 1);
	struct corral_step steps[] = { add_step(&tea), more_step(T("burger"), 1), add_step(&pie),
				       plain_step(CORRAL_STEP_CLEAR) };
	struct corral_op op = orders_op("call-1", 0);
	struct corral_result first = { 0 }, again = { 0 };
	uint32_t lines[3];

	two_lines(&b);
	assert_int_equal(corral_apply(b.corral, &b.key, steps, 3, &op, &first, lines), 0);
	assert_int_equal(first.line, 4);
	assert_int_equal(corral_apply(b.corral, &b.key, steps, 3, &op, &again, lines), 0);
	assert_int_equal(again.applied, 0);
	assert_int_equal(again.version, first.version);
	assert_int_equal(again.total_cents, first.total_cents);
	assert_int_equal(again.item_count, first.item_count);
	assert_int_equal(again.line, 4);
	assert_int_equal(lines[0], 3);
	assert_int_equal(lines[1], 1);
	assert_int_equal(lines[2], 4);
	assert_int_equal(corral_remove(b.corral, &b.key, 3, NULL, NULL), 0);
	assert_int_equal(corral_remove(b.corral, &b.key, 4, NULL, NULL), 0);
	assert_int_equal(corral_apply(b.corral, &b.key, steps, 3, &op, &again, lines), 0);
	assert_int_equal(again.version, first.version);
	assert_int_equal(lines[0], 0); /* the tea is gone */
	assert_int_equal(lines[1], 1);
	assert_int_equal(lines[2], 4); /* the one line that is remembered */
	/* other steps, fewer or more of them, or in another order: another change */
	assert_int_equal(corral_apply(b.corral, &b.key, steps, 2, &op, &again, NULL), -ENOTUNIQ);
	assert_int_equal(corral_apply(b.corral, &b.key, steps, 4, &op, &again, NULL), -ENOTUNIQ);
	assert_int_equal(corral_apply(b.corral, &b.key, steps, 1, &op, &again, NULL), -ENOTUNIQ);
	steps[0] = add_step(&pie);
	steps[2] = add_step(&tea);
	assert_int_equal(corral_apply(b.corral, &b.key, steps, 3, &op, &again, NULL), -ENOTUNIQ);
	corral_close(b.corral);
}

static void one_step_is_the_same_change_as_the_call_of_its_name(void **state)
{
	struct bench b = begin(state);
	struct corral_item tea = orders_item("tea", 100, 1);
	struct corral_step add = add_step(&tea), set = quantity_step(1, 5);
	struct corral_step minus = more_step(T("tea"), -1);
	struct corral_op one = orders_op("call-1", 0), two = orders_op("call-2", 0),
			 three = orders_op("call-3", 0);
	struct corral_result r = { 0 };
	uint32_t line = 0;

	assert_int_equal(corral_add(b.corral, &b.key, &tea, &one, &r), 0);
	assert_int_equal(corral_apply(b.corral, &b.key, &add, 1, &one, &r, &line), 0);
	assert_int_equal(r.applied, 0);
	assert_int_equal(line, 1);
	assert_int_equal(corral_apply(b.corral, &b.key, &set, 1, &two, &r, &line), 0);
	assert_int_equal(corral_set_quantity(b.corral, &b.key, 1, 5, &two, &r), 0);
	assert_int_equal(r.applied, 0);
	/* a difference happens once */
	assert_int_equal(corral_apply(b.corral, &b.key, &minus, 1, &three, &r, &line), 0);
	assert_int_equal(r.item_count, 4);
	assert_int_equal(corral_apply(b.corral, &b.key, &minus, 1, &three, &r, &line), 0);
	assert_int_equal(r.applied, 0);
	assert_int_equal(r.item_count, 4);
	minus.line = 1; /* the same line, named in another way: another change */
	minus.menu_item_id = T("");
	assert_int_equal(corral_apply(b.corral, &b.key, &minus, 1, &three, &r, &line), -ENOTUNIQ);
	corral_close(b.corral);
}

/* ------------------------------------------------------------------ oracle */

#define MENU 6u
#define STEPS_MOST 12u
#define CARTS 400u
#define CHANGES 12u

struct menu {
	char ids[MENU][8];
	struct corral_item items[MENU];
	struct corral_text names[4];
	struct corral_text values[4];
};

static void write_menu(struct menu *menu)
{
	static const struct corral_modifier cheese = { T("cheese"), 50 };
	static char large[300];

	memset(large, 'x', sizeof(large));
	memset(menu, 0, sizeof(*menu));
	for (uint32_t i = 0; i < MENU; i++) {
		snprintf(menu->ids[i], sizeof(menu->ids[i]), "item-%u", i / 2);
		menu->items[i] = orders_item(menu->ids[i], 100 + 7 * (int64_t)i, 1);
		if (i % 2 != 0) {
			menu->items[i].modifiers = &cheese;
			menu->items[i].modifier_count = 1;
		}
	}
	menu->items[2].notes = (struct corral_text){ large, sizeof(large) };
	menu->items[3].unit_price_cents = INT64_MAX / 1000;
	for (uint32_t i = 0; i < 4; i++) {
		menu->names[i] = (struct corral_text){ &"wxyz"[i], 1 };
		menu->values[i] = (struct corral_text){ large, i * 80 };
	}
}

static struct corral_step random_line(uint64_t *seed, enum corral_step_kind kind)
{
	static const struct corral_text ids[] = { T("item-0"), T("item-1"), T("item-2") };
	struct corral_step step = { .kind = kind,
				    .quantity = random_below(seed, 3),
				    .difference = (int32_t)random_below(seed, 7) - 3 };

	if (random_below(seed, 2) != 0)
		step.line = 1 + random_below(seed, 9);
	else
		step.menu_item_id = ids[random_below(seed, 3)];
	return step;
}

static struct corral_step random_step(uint64_t *seed, struct menu *menu)
{
	uint32_t dice = random_below(seed, 100);

	if (dice < 45)
		return add_step(&menu->items[random_below(seed, MENU)]);
	if (dice < 55)
		return random_line(seed, CORRAL_STEP_SET_QUANTITY);
	if (dice < 65)
		return random_line(seed, CORRAL_STEP_CHANGE_QUANTITY);
	if (dice < 75)
		return random_line(seed, CORRAL_STEP_REMOVE);
	if (dice < 92)
		return attribute_step(
			menu->names[random_below(seed, 4)],
			random_below(seed, 3) == 0 ? NULL : &menu->values[random_below(seed, 4)]);
	if (dice < 94)
		return (struct corral_step){ .kind = CORRAL_STEP_SET_TAX,
					     .tax_ppm = random_below(seed, 200000) };
	if (dice < 96)
		return (struct corral_step){ .kind = CORRAL_STEP_SET_TTL,
					     .ttl_ms = 60000 + random_below(seed, 60000) };
	return plain_step(dice < 99 ? CORRAL_STEP_CLEAR : CORRAL_STEP_CHECKOUT);
}

static void same_text(struct corral_text a, struct corral_text b)
{
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.data, b.data, a.size);
}

static void same_lines(const struct corral_cart *a, const struct corral_cart *b)
{
	assert_int_equal(a->line_count, b->line_count);
	for (uint32_t i = 0; i < a->line_count; i++) {
		const struct corral_item *one = &a->lines[i].item, *other = &b->lines[i].item;

		assert_int_equal(a->lines[i].line, b->lines[i].line);
		assert_int_equal(a->lines[i].total_cents, b->lines[i].total_cents);
		assert_int_equal(one->quantity, other->quantity);
		assert_int_equal(one->modifier_count, other->modifier_count);
		same_text(one->menu_item_id, other->menu_item_id);
		same_text(one->notes, other->notes);
	}
}

static void same_carts(const struct corral_cart *a, const struct corral_cart *b)
{
	assert_int_equal(a->head.subtotal_cents, b->head.subtotal_cents);
	assert_int_equal(a->head.total_cents, b->head.total_cents);
	assert_int_equal(a->head.item_count, b->head.item_count);
	assert_int_equal(a->head.status, b->head.status);
	assert_int_equal(a->head.ttl_ms, b->head.ttl_ms);
	same_lines(a, b);
	assert_int_equal(a->attribute_count, b->attribute_count);
	for (uint32_t i = 0; i < a->attribute_count; i++) {
		same_text(a->attributes[i].name, b->attributes[i].name);
		same_text(a->attributes[i].value, b->attributes[i].value);
	}
}

/* Does nothing to `other` from the first refused step on; what that answers. */
static int one_by_one(struct corral *corral, const struct corral_key *key,
		      const struct corral_step *steps, uint32_t count, uint32_t *ret_lines,
		      uint32_t *ret_step)
{
	for (uint32_t i = 0; i < count; i++) {
		struct corral_result result = { 0 };
		int r = corral_apply(corral, key, &steps[i], 1, NULL, &result, NULL);

		*ret_step = i + 1;
		if (r < 0)
			return r;
		ret_lines[i] = result.line;
	}
	*ret_step = 0;
	return 0;
}

/* One change of both carts; false when they have parted, since only the single steps stand. */
static bool change_both(struct corral *corral, const struct corral_key keys[2], uint64_t *seed,
			struct menu *menu, uint32_t *applied)
{
	struct corral_step steps[STEPS_MOST];
	uint32_t lines[2][STEPS_MOST], step = 0;
	uint32_t count = 1 + random_below(seed, STEPS_MOST);
	struct corral_head before = { 0 }, after = { 0 };
	struct corral_result result = { 0 };

	for (uint32_t i = 0; i < count; i++)
		steps[i] = random_step(seed, menu);
	int there = orders_head(corral, &keys[0], &before);
	int r = corral_apply(corral, &keys[0], steps, count, NULL, &result, lines[0]);
	int single = one_by_one(corral, &keys[1], steps, count, lines[1], &step);
	assert_int_equal(r, single);
	if (r == 0) {
		struct corral_cart *a = get(corral, &keys[0]), *b = get(corral, &keys[1]);

		if (there == 0)
			assert_int_equal(result.version, before.version + 1);
		assert_memory_equal(lines[0], lines[1], count * sizeof(lines[0][0]));
		same_carts(a, b);
		corral_cart_free(a);
		corral_cart_free(b);
		(*applied)++;
		return true;
	}
	if (step != 1 || r != -ENOENT) /* that is no step's */
		assert_int_equal(result.step, step);
	assert_int_equal(orders_head(corral, &keys[0], &after), there);
	assert_memory_equal(&after, &before, sizeof(after));
	return step == 1;
}

static void steps_do_together_what_they_do_one_by_one(void **state)
{
	struct bench b = begin(state);
	uint64_t seed = support_seed();
	uint32_t applied = 0;
	struct menu menu;

	write_menu(&menu);
	for (uint32_t cart = 0; cart < CARTS; cart++) {
		const struct corral_key keys[2] = { orders_key("one change", "cart"),
						    orders_key("one by one", "cart") };
		bool together = true;

		for (uint32_t i = 0; i < CHANGES && together; i++)
			together = change_both(b.corral, keys, &seed, &menu, &applied);
		(void)corral_drop(b.corral, &keys[0], NULL, NULL);
		(void)corral_drop(b.corral, &keys[1], NULL, NULL);
	}
	assert_true(applied > CARTS / 4); /* most end with a step that is refused */
	corral_close(b.corral);
}

/* ------------------------------------------------------------------ extremes */

static void a_change_fills_a_cart_and_takes_it_apart_again(void **state)
{
	struct bench b = begin(state);
	struct corral_item items[CORRAL_STEPS_MAX];
	char ids[CORRAL_STEPS_MAX][16];
	struct corral_step steps[CORRAL_STEPS_MAX];
	uint32_t lines[CORRAL_STEPS_MAX];
	struct corral_result r = { 0 };

	for (uint32_t round = 0; round < CORRAL_LINES_MAX / CORRAL_STEPS_MAX; round++) {
		for (uint32_t i = 0; i < CORRAL_STEPS_MAX; i++) {
			snprintf(ids[i], sizeof(ids[i]), "%u-%u", round, i);
			items[i] = orders_item(ids[i], 1, 1);
			steps[i] = add_step(&items[i]);
		}
		assert_int_equal(
			corral_apply(b.corral, &b.key, steps, CORRAL_STEPS_MAX, NULL, &r, lines),
			0);
		assert_int_equal(lines[CORRAL_STEPS_MAX - 1], (round + 1) * CORRAL_STEPS_MAX);
	}
	assert_int_equal(r.item_count, CORRAL_LINES_MAX);
	items[0] = orders_item("one more", 1, 1);
	const struct corral_step full[] = { add_step(&items[1]), add_step(&items[0]) };
	assert_int_equal(corral_apply(b.corral, &b.key, full, 2, NULL, &r, NULL), -E2BIG);
	assert_int_equal(r.step, 2);
	for (uint32_t i = 0; i < CORRAL_STEPS_MAX; i++) /* from the end, every other line */
		steps[i] = (struct corral_step){ .kind = CORRAL_STEP_REMOVE,
						 .line = CORRAL_LINES_MAX - 2 * i };
	assert_int_equal(corral_apply(b.corral, &b.key, steps, CORRAL_STEPS_MAX, NULL, &r, NULL),
			 0);
	assert_int_equal(r.item_count, CORRAL_LINES_MAX - CORRAL_STEPS_MAX);
	struct corral_cart *cart = get(b.corral, &b.key);
	assert_int_equal(cart->line_count, CORRAL_LINES_MAX - CORRAL_STEPS_MAX);
	assert_int_equal(cart->lines[cart->line_count - 1].line, CORRAL_LINES_MAX - 1);
	corral_cart_free(cart);
	corral_close(b.corral);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			all_kinds_of_steps_are_one_change_with_a_line_for_each, orders_setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(
			a_cart_that_is_not_there_is_made_if_the_first_step_would, orders_setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(
			a_line_may_be_named_by_its_menu_item_if_no_other_has_it, orders_setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(a_refused_step_is_named_and_nothing_is_changed,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(what_is_refused_as_a_whole_names_no_step,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(behind_a_checkout_only_a_longer_life_is_a_step,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(
			a_repeat_has_the_first_answer_and_says_where_the_items_are_now,
			orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(one_step_is_the_same_change_as_the_call_of_its_name,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(steps_do_together_what_they_do_one_by_one,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(a_change_fills_a_cart_and_takes_it_apart_again,
						orders_setup, orders_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
