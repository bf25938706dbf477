/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 50_cart_money_oracle.c: random carts with rates, adjustments and pricings against an independent
 * judge: a plain list of lines, and GMP's exact rationals, rounded where corral(7) says so.
 *
 * Each cart is made by a change of many steps and changed a few times more. After each change all
 * amounts are compared, and a change must be refused exactly when the judge says so. What the cart
 * remembers of its operations is asked for again, and some carts go through a snapshot's map.
 * CORRAL_CARTS says how many carts (make nightly: a million). timeout: 1200
 */
#include "cart/portable.h"
#include "cart_kit.h"

#include <gmp.h>

#define CARTS_USUAL 3000u
#define LINES_MAX 24u
#define STEPS_MAX 24u
#define PPM_MAX 1000000u
#define NAMES 20u
#define CHANGES 3u /* of each cart */

/* ------------------------------------------------------------ the model */

struct model_line {
	uint32_t number;
	uint32_t quantity;
	int64_t price; /* of one, modifier included */
	bool own;
	uint32_t ppm;
};

struct model {
	uint32_t line_count;
	uint32_t next_line;
	uint32_t tax_ppm;
	uint32_t pricing;
	uint32_t adjustment_count;
	struct model_line lines[LINES_MAX];
	struct corral_adjustment adjustments[CORRAL_ADJUSTMENTS_MAX];
};

/* What the judge says of a model: all that does not fit, and else the amounts. */
struct verdict {
	bool too_large;
	bool too_many;
	bool below_zero;
	uint32_t rate_count;
	uint32_t ppm[LINES_MAX + 1];
	mpz_t base[LINES_MAX + 1];
	mpz_t tax[LINES_MAX + 1];
	mpz_t amount[CORRAL_ADJUSTMENTS_MAX];
	mpz_t subtotal, before, after, all_tax, total;
	mpq_t exact, weight;
	mpz_t floor, rest, low, high;
};

static void verdict_open(struct verdict *v)
{
	memset(v, 0, sizeof(*v));
	for (uint32_t i = 0; i <= LINES_MAX; i++)
		mpz_inits(v->base[i], v->tax[i], NULL);
	for (uint32_t i = 0; i < CORRAL_ADJUSTMENTS_MAX; i++)
		mpz_init(v->amount[i]);
	mpz_inits(v->subtotal, v->before, v->after, v->all_tax, v->total, v->floor, v->rest, NULL);
	mpq_inits(v->exact, v->weight, NULL);
	mpz_init_set_si(v->low, INT64_MIN);
	mpz_init_set_si(v->high, INT64_MAX);
}

static void verdict_close(struct verdict *v)
{
	for (uint32_t i = 0; i <= LINES_MAX; i++)
		mpz_clears(v->base[i], v->tax[i], NULL);
	for (uint32_t i = 0; i < CORRAL_ADJUSTMENTS_MAX; i++)
		mpz_clear(v->amount[i]);
	mpz_clears(v->subtotal, v->before, v->after, v->all_tax, v->total, v->floor, v->rest,
		   v->low, v->high, NULL);
	mpq_clears(v->exact, v->weight, NULL);
}

static void must_fit(struct verdict *v, const mpz_t amount)
{
	if (mpz_cmp(amount, v->low) < 0 || mpz_cmp(amount, v->high) > 0)
		v->too_large = true;
}

/* The nearest integer of v->exact; of two that are equally near by the cart's pricing. */
static void round_exact(struct verdict *v, uint32_t pricing, mpz_t ret_whole)
{
	mpq_t half, distance;
	int order;

	mpq_inits(half, distance, NULL);
	mpq_set_ui(half, 1, 2);
	mpz_fdiv_q(ret_whole, mpq_numref(v->exact), mpq_denref(v->exact));
	mpq_set_z(distance, ret_whole);
	mpq_sub(distance, v->exact, distance);
	order = mpq_cmp(distance, half);
	if (order > 0 || (order == 0 && (pricing & CORRAL_HALF_EVEN ? mpz_odd_p(ret_whole) :
								      mpq_sgn(v->exact) > 0)))
		mpz_add_ui(ret_whole, ret_whole, 1);
	mpq_clears(half, distance, NULL);
}

/* amount * part / whole, rounded. */
static void share(struct verdict *v, const mpz_t amount, uint32_t part, uint32_t whole,
		  uint32_t pricing, mpz_t ret_share)
{
	mpq_set_z(v->exact, amount);
	mpq_set_ui(v->weight, part, whole);
	mpq_canonicalize(v->weight);
	mpq_mul(v->exact, v->exact, v->weight);
	round_exact(v, pricing, ret_share);
}

static uint32_t rate_at(struct verdict *v, uint32_t ppm)
{
	uint32_t place = 0;

	while (place < v->rate_count && v->ppm[place] < ppm)
		place++;
	if (place < v->rate_count && v->ppm[place] == ppm)
		return place;
	for (uint32_t i = v->rate_count++; i > place; i--) {
		v->ppm[i] = v->ppm[i - 1];
		mpz_set(v->base[i], v->base[i - 1]);
	}
	v->ppm[place] = ppm;
	mpz_set_ui(v->base[place], 0);
	return place;
}

static void judge_lines(struct verdict *v, const struct model *model)
{
	mpz_t line;

	mpz_init(line);
	v->too_large = false;
	v->rate_count = 0;
	mpz_set_ui(v->subtotal, 0);
	for (uint32_t i = 0; i < model->line_count; i++) {
		const struct model_line *from = &model->lines[i];
		uint32_t place = rate_at(v, from->own ? from->ppm : model->tax_ppm);

		mpz_set_si(line, from->price);
		mpz_mul_ui(line, line, from->quantity);
		must_fit(v, line);
		mpz_add(v->subtotal, v->subtotal, line);
		mpz_add(v->base[place], v->base[place], line);
	}
	must_fit(v, v->subtotal);
	mpz_clear(line);
}

/* Spread |amount| by the largest remainder of exact shares, and give all the amount's sign. */
static void judge_spread(struct verdict *v, uint32_t tax_ppm, const mpz_t amount)
{
	mpz_t whole, left, floors[LINES_MAX + 1];
	mpq_t fractions[LINES_MAX + 1];
	uint32_t count = v->rate_count;

	mpz_init(whole);
	for (uint32_t i = 0; i < count; i++)
		mpz_add(whole, whole, v->base[i]);
	if (mpz_sgn(whole) == 0) {
		uint32_t place = rate_at(v, tax_ppm);

		mpz_add(v->base[place], v->base[place], amount);
		must_fit(v, v->base[place]);
		mpz_clear(whole);
		return;
	}
	mpz_init(left);
	mpz_abs(left, amount);
	for (uint32_t i = 0; i < count; i++) {
		mpz_init(floors[i]);
		mpq_init(fractions[i]);
		mpz_abs(v->floor, amount);
		mpz_mul(mpq_numref(fractions[i]), v->floor, v->base[i]);
		mpz_set(mpq_denref(fractions[i]), whole);
		mpq_canonicalize(fractions[i]);
		mpz_fdiv_q(floors[i], mpq_numref(fractions[i]), mpq_denref(fractions[i]));
		mpq_set_z(v->exact, floors[i]);
		mpq_sub(fractions[i], fractions[i], v->exact);
		mpz_sub(left, left, floors[i]);
	}
	for (; mpz_sgn(left) > 0; mpz_sub_ui(left, left, 1)) {
		uint32_t best = 0;

		for (uint32_t i = 1; i < count; i++)
			if (mpq_cmp(fractions[i], fractions[best]) > 0)
				best = i;
		mpz_add_ui(floors[best], floors[best], 1);
		mpq_set_si(fractions[best], -1, 1);
	}
	assert_int_equal(mpz_sgn(left), 0);
	for (uint32_t i = 0; i < count; i++) {
		if (mpz_sgn(amount) < 0)
			mpz_neg(floors[i], floors[i]);
		mpz_add(v->base[i], v->base[i], floors[i]);
		must_fit(v, v->base[i]);
		mpz_clear(floors[i]);
		mpq_clear(fractions[i]);
	}
	mpz_clears(whole, left, NULL);
}

static void judge_adjustments(struct verdict *v, const struct model *model)
{
	mpz_set_ui(v->before, 0);
	mpz_set_ui(v->after, 0);
	for (uint32_t i = 0; i < model->adjustment_count; i++) {
		const struct corral_adjustment *from = &model->adjustments[i];

		mpz_set_si(v->amount[i], from->cents);
		if (from->ppm > 0)
			share(v, v->subtotal, from->ppm, PPM_MAX, model->pricing, v->amount[i]);
		if (from->kind == CORRAL_DISCOUNT)
			mpz_neg(v->amount[i], v->amount[i]);
		must_fit(v, v->amount[i]);
		if (from->after_tax) {
			mpz_add(v->after, v->after, v->amount[i]);
			continue;
		}
		mpz_add(v->before, v->before, v->amount[i]);
		if (mpz_sgn(v->amount[i]) != 0)
			judge_spread(v, model->tax_ppm, v->amount[i]);
	}
	must_fit(v, v->before);
	must_fit(v, v->after);
}

static void judge(struct verdict *v, const struct model *model)
{
	judge_lines(v, model);
	for (uint32_t i = 0; i < v->rate_count; i++)
		must_fit(v, v->base[i]);
	judge_adjustments(v, model);
	v->too_many = v->rate_count > CORRAL_RATES_MAX;
	mpz_set_ui(v->all_tax, 0);
	mpz_set(v->total, v->after);
	for (uint32_t i = 0; i < v->rate_count; i++) {
		bool inside = model->pricing & CORRAL_TAX_INSIDE;

		share(v, v->base[i], v->ppm[i], inside ? PPM_MAX + v->ppm[i] : PPM_MAX,
		      model->pricing, v->tax[i]);
		if (inside)
			mpz_sub(v->base[i], v->base[i], v->tax[i]);
		mpz_add(v->all_tax, v->all_tax, v->tax[i]);
		mpz_add(v->total, v->total, v->base[i]);
		mpz_add(v->total, v->total, v->tax[i]);
	}
	must_fit(v, v->all_tax);
	must_fit(v, v->total);
	v->below_zero = mpz_sgn(v->total) < 0 && !(model->pricing & CORRAL_BELOW_ZERO);
}

/* ------------------------------------------------------------ compare */

#define SAME(exact, cents) assert_int_equal(mpz_cmp_si(exact, cents), 0)

static void compare_parts(const struct corral_head *head)
{
	__int128 base = 0, tax = 0;

	for (uint32_t i = 0; i < head->rate_count; i++) {
		base += head->rates[i].base_cents;
		tax += head->rates[i].tax_cents;
	}
	assert_true(tax == head->tax_cents);
	assert_true(base + tax + head->after_tax_cents == head->total_cents);
	assert_true(base == (__int128)head->subtotal_cents + head->before_tax_cents -
				    (head->pricing & CORRAL_TAX_INSIDE ? tax : 0));
}

static void compare(const struct kit_cart *cart, const struct model *model, const struct verdict *v)
{
	const struct corral_result *result = &cart->result;
	struct corral_adjustment adjustment;
	struct corral_head head;

	assert_int_equal(cart_get_head(cart->bytes, cart->size, &head), 0);
	SAME(v->subtotal, head.subtotal_cents);
	SAME(v->all_tax, head.tax_cents);
	SAME(v->total, head.total_cents);
	SAME(v->before, head.before_tax_cents);
	SAME(v->after, head.after_tax_cents);
	SAME(v->total, result->total_cents);
	assert_int_equal(head.line_count, model->line_count);
	assert_int_equal(head.pricing, model->pricing);
	assert_int_equal(head.rate_count, v->rate_count);
	assert_int_equal(result->rate_count, v->rate_count);
	for (uint32_t i = 0; i < v->rate_count; i++) {
		assert_int_equal(head.rates[i].tax_ppm, v->ppm[i]);
		SAME(v->base[i], head.rates[i].base_cents);
		SAME(v->tax[i], head.rates[i].tax_cents);
		assert_memory_equal(&head.rates[i], &result->rates[i], sizeof(head.rates[i]));
	}
	assert_int_equal(head.adjustment_count, model->adjustment_count);
	for (uint32_t i = 0; i < model->adjustment_count; i++) {
		assert_int_equal(cart_get_adjustment(cart->bytes, cart->size, i, &adjustment), 0);
		kit_text_equal(adjustment.name, model->adjustments[i].name);
		SAME(v->amount[i], adjustment.amount_cents);
	}
	for (uint32_t i = 0; i < model->line_count; i++) {
		struct corral_line line = kit_line(cart, i);

		assert_int_equal(line.line, model->lines[i].number);
		assert_int_equal(line.own_rate, model->lines[i].own);
		assert_int_equal(line.tax_ppm, model->lines[i].own ? model->lines[i].ppm : 0);
	}
	compare_parts(&head);
}

/* ------------------------------------------------------------ random changes */

struct world {
	struct kit_cart cart;
	struct model model;
	struct model next;
	struct verdict verdict;
	bool huge;
	uint32_t step_count;
	uint32_t item_number; /* so that no item merges into another */
	uint32_t op_count;
	struct corral_result answers[CHANGES]; /* of operation 1, 2 ... */
	uint64_t seen[3];                      /* changes made, refused, and below zero */
	uint8_t *map;
	struct cart_step steps[STEPS_MAX];
	struct line_edit line_edits[STEPS_MAX];
	struct pair_edit pair_edits[STEPS_MAX];
	uint32_t lines[STEPS_MAX];
	char ids[STEPS_MAX][16];
	uint8_t words[STEPS_MAX][256];
};

static const struct corral_text names[NAMES] = {
	T("a"), T("b"), T("c"), T("d"), T("e"), T("f"), T("g"), T("h"), T("i"), T("j"),
	T("k"), T("l"), T("m"), T("n"), T("o"), T("p"), T("q"), T("r"), T("s"), T("t"),
};

static uint32_t random_ppm(void)
{
	static const uint32_t usual[] = { 0,     1,      25000,  50000,  70000,  82500,
					  88750, 190000, 200000, 333333, 500000, 1000000 };

	return kit_below(8) ? usual[kit_below(COUNT(usual))] : kit_below(PPM_MAX + 1);
}

static int64_t random_cents(bool huge)
{
	if (huge && kit_below(3) == 0)
		return (int64_t)(kit_random() >> 1) >> kit_below(8);
	return kit_below(4) ? (int64_t)kit_below(5000) : (int64_t)kit_below(4);
}

static struct cart_step *step_of(struct world *w, enum cart_step_kind kind)
{
	struct cart_step *step = &w->steps[w->step_count++];

	memset(step, 0, sizeof(*step));
	step->kind = kind;
	return step;
}

static void add(struct world *w)
{
	struct model_line *line = &w->next.lines[w->next.line_count];
	uint32_t place = w->step_count;
	struct corral_modifier modifier = { .name = T("less") };
	struct corral_item item = { .modifiers = &modifier };
	struct cart_step *step;

	if (w->next.line_count == LINES_MAX)
		return;
	step = step_of(w, CART_ADD);
	snprintf(w->ids[place], sizeof(w->ids[place]), "i%u", w->item_number++);
	item.menu_item_id = (struct corral_text){ w->ids[place], strlen(w->ids[place]) };
	item.unit_price_cents = random_cents(w->huge);
	item.quantity = kit_below(4) ? 1 + kit_below(3) : 1 + kit_below(CORRAL_QUANTITY_MAX);
	item.own_rate = kit_below(3) > 0;
	item.tax_ppm = random_ppm();
	item.modifier_count = kit_below(3) == 0;
	modifier.price_cents = -random_cents(w->huge);
	assert_int_equal(cart_pack_item(&item, KIT_SEED, w->words[place], sizeof(w->words[place]),
					&step->words),
			 0);
	step->quantity = item.quantity;
	*line = (struct model_line){ .number = w->next.next_line++,
				     .quantity = item.quantity,
				     .price = item.unit_price_cents +
					      (item.modifier_count ? modifier.price_cents : 0),
				     .own = item.own_rate,
				     .ppm = item.tax_ppm };
	w->next.line_count++;
}

static void remove_line(struct world *w)
{
	uint32_t place;

	if (w->next.line_count == 0)
		return;
	place = kit_below(w->next.line_count);
	step_of(w, CART_REMOVE)->line = w->next.lines[place].number;
	memmove(&w->next.lines[place], &w->next.lines[place + 1],
		(--w->next.line_count - place) * sizeof(w->next.lines[0]));
}

static void set_quantity(struct world *w)
{
	struct model_line *line;
	struct cart_step *step;

	if (w->next.line_count == 0)
		return;
	line = &w->next.lines[kit_below(w->next.line_count)];
	step = step_of(w, CART_SET_QUANTITY);
	step->line = line->number;
	line->quantity = step->quantity = 1 + kit_below(9);
}

static void set_line_tax(struct world *w)
{
	struct model_line *line;
	struct cart_step *step;

	if (w->next.line_count == 0)
		return;
	line = &w->next.lines[kit_below(w->next.line_count)];
	step = step_of(w, CART_SET_LINE_TAX);
	step->line = line->number;
	line->own = kit_below(3) > 0;
	line->ppm = random_ppm();
	step->own_rate = line->own ? line->ppm + 1 : 0;
}

static uint32_t find_adjustment(const struct model *model, struct corral_text name)
{
	uint32_t i = 0;

	while (i < model->adjustment_count && model->adjustments[i].name.data != name.data)
		i++;
	return i;
}

static void set_adjustment(struct world *w)
{
	struct corral_text name = names[kit_below(NAMES)];
	uint32_t place = find_adjustment(&w->next, name);
	struct corral_adjustment *to = &w->next.adjustments[place];
	struct cart_step *step;

	if (place == CORRAL_ADJUSTMENTS_MAX)
		return;
	step = step_of(w, CART_SET_ADJUSTMENT);
	step->name = name;
	step->adjustment_kind = (uint8_t)(CORRAL_DISCOUNT + kit_below(4));
	step->after_tax = kit_below(3) == 0;
	if (kit_below(2))
		step->tax_ppm = random_ppm() / (1 + kit_below(3));
	else
		step->cents = random_cents(w->huge);
	*to = (struct corral_adjustment){ .name = name,
					  .kind = step->adjustment_kind,
					  .after_tax = step->after_tax,
					  .ppm = step->tax_ppm,
					  .cents = step->cents };
	if (place == w->next.adjustment_count)
		w->next.adjustment_count++;
}

static void remove_adjustment(struct world *w)
{
	uint32_t place;

	if (w->next.adjustment_count == 0)
		return;
	place = kit_below(w->next.adjustment_count);
	step_of(w, CART_REMOVE_ADJUSTMENT)->name = w->next.adjustments[place].name;
	memmove(&w->next.adjustments[place], &w->next.adjustments[place + 1],
		(--w->next.adjustment_count - place) * sizeof(w->next.adjustments[0]));
}

static void settings(struct world *w)
{
	if (kit_below(2))
		w->next.tax_ppm = step_of(w, CART_SET_TAX)->tax_ppm = random_ppm();
	else
		w->next.pricing = step_of(w, CART_SET_PRICING)->pricing = (uint8_t)kit_below(8);
}

static void random_step(struct world *w)
{
	uint32_t dice = kit_below(100);

	if (dice < 40)
		add(w);
	else if (dice < 47)
		set_line_tax(w);
	else if (dice < 55)
		remove_line(w);
	else if (dice < 62)
		set_quantity(w);
	else if (dice < 82)
		set_adjustment(w);
	else if (dice < 87)
		remove_adjustment(w);
	else if (dice < 99)
		settings(w);
	else {
		step_of(w, CART_CLEAR);
		w->next.line_count = w->next.adjustment_count = 0;
	}
}

/* The subtotal has to fit after each step, too. */
static void random_change(struct world *w, uint32_t steps)
{
	struct cart_change change = kit_change(CART_ADD);
	bool overflow = false;
	int answer;

	w->next = w->model;
	w->step_count = 0;
	add(w);
	for (uint32_t i = 1; i < steps; i++) {
		judge_lines(&w->verdict, &w->next);
		overflow |= w->verdict.too_large;
		random_step(w);
	}
	if (w->step_count == 0)
		return;
	change.steps = w->steps;
	change.step_count = w->step_count;
	change.line_edits = w->line_edits;
	change.pair_edits = w->pair_edits;
	change.lines = w->lines;
	change.has_op = kit_below(2);
	change.op_id[0] = w->op_count + 1;
	change.fingerprint = 1;
	answer = kit_apply(&w->cart, &change);
	judge(&w->verdict, &w->next);
	overflow |= w->verdict.too_large;
	if (overflow || w->verdict.too_many) {
		assert_true((overflow && answer == -EOVERFLOW) ||
			    (w->verdict.too_many && answer == -E2BIG));
		w->seen[1]++;
		return;
	}
	assert_int_equal(answer, w->verdict.below_zero ? -EDOM : 0);
	if (answer == 0) {
		w->model = w->next;
		compare(&w->cart, &w->model, &w->verdict);
		if (change.has_op)
			w->answers[w->op_count++] = w->cart.result;
	}
	w->seen[answer == 0 ? 0 : 2]++;
}

/* What was answered under an operation id is answered again. */
static void repeat(struct world *w)
{
	struct cart_change again = kit_change(CART_CHECKOUT);
	const struct corral_result *is = &w->cart.result, *was;

	if (w->op_count == 0)
		return;
	again.has_op = true;
	again.op_id[0] = 1 + kit_below(w->op_count);
	again.fingerprint = 1;
	was = &w->answers[again.op_id[0] - 1];
	assert_int_equal(kit_apply(&w->cart, &again), 1);
	assert_int_equal(is->version, was->version);
	assert_int_equal(is->subtotal_cents, was->subtotal_cents);
	assert_int_equal(is->tax_cents, was->tax_cents);
	assert_int_equal(is->total_cents, was->total_cents);
	assert_int_equal(is->line, was->line);
	if (is->version != kit_head(&w->cart).version) {
		assert_int_equal(is->rate_count, 0); /* not remembered */
		return;
	}
	assert_int_equal(is->rate_count, was->rate_count);
	assert_int_equal(is->before_tax_cents, was->before_tax_cents);
	assert_int_equal(is->after_tax_cents, was->after_tax_cents);
	assert_memory_equal(is->rates, was->rates, was->rate_count * sizeof(is->rates[0]));
}

/* Through the map of a snapshot and back: the same amounts, and the same memory. */
static void carry(struct world *w)
{
	struct portable_version version;
	struct corral_head head;
	size_t size, used;
	uint8_t *bytes;

	if (!w->cart.bytes)
		return;
	size = portable_pack_cart(w->cart.bytes, KIT_SEED, 0, w->map);
	bytes = malloc(CORRAL_CART_MAX);
	assert_non_null(bytes);
	assert_null(portable_unpack_cart(w->map, size, KIT_SEED, true, bytes, &version, &used));
	assert_int_equal(used, size);
	assert_int_equal(version.size, w->cart.size);
	free(w->cart.bytes);
	w->cart.bytes = realloc(bytes, version.size);
	assert_non_null(w->cart.bytes);
	assert_int_equal(cart_get_head(w->cart.bytes, w->cart.size, &head), 0);
	w->cart.result.total_cents = head.total_cents;
	w->cart.result.rate_count = head.rate_count;
	memcpy(w->cart.result.rates, head.rates, sizeof(head.rates));
	judge(&w->verdict, &w->model);
	compare(&w->cart, &w->model, &w->verdict);
}

static uint64_t carts_wanted(void)
{
	const char *given = getenv("CORRAL_CARTS");

	return given ? strtoull(given, NULL, 10) : CARTS_USUAL;
}

static void run_carts(bool huge)
{
	uint64_t carts = carts_wanted();
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	verdict_open(&w->verdict);
	w->huge = huge;
	w->map = malloc(PORTABLE_MAP_MAX);
	assert_non_null(w->map);
	for (uint64_t i = 0; i < carts; i++) {
		memset(&w->model, 0, sizeof(w->model));
		w->model.next_line = 1;
		w->op_count = 0;
		for (uint32_t change = 0; change < CHANGES; change++) {
			random_change(w, 1 + kit_below(change ? 4 : STEPS_MAX));
			if (kit_below(8) == 0)
				carry(w);
			repeat(w);
		}
		kit_free(&w->cart);
	}
	print_message("changes: %llu made, %llu refused as too large, %llu as below zero\n",
		      (unsigned long long)w->seen[0], (unsigned long long)w->seen[1],
		      (unsigned long long)w->seen[2]);
	for (uint32_t i = 0; i < COUNT(w->seen); i++)
		assert_true(w->seen[i] > carts / 100);
	verdict_close(&w->verdict);
	free(w->map);
	free(w);
}

static void orders_are_right_to_the_cent(void **state)
{
	(void)state;
	kit_seed(__func__);
	run_carts(false);
}

static void huge_amounts_are_right_or_refused(void **state)
{
	(void)state;
	kit_seed(__func__);
	run_carts(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_are_right_to_the_cent),
		cmocka_unit_test(huge_amounts_are_right_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
