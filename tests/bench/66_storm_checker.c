/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 66_storm_checker.c: the checker of corral-bench storm accepts every legal history, whether
 * pending calls happened or not, and detects each forged one and counts it under the right fault.
 * The checker is a pure function, so its source is included here.
 *
 * A history is made by random calls on the checker's own model; 66_storm.sh judges real calls,
 * which shows that the model is Corral's.
 */
#include "support.h"

/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "storm/checker.c"
#include "storm/linearize.c"
#include "storm/model.c"
/* NOLINTEND(bugprone-suspicious-include) */

#define CALLS 60u
#define BEFORE 41u
#define ROUNDS 300u

struct history {
	struct storm_call calls[STORM_ROUND_CALLS];
	uint32_t count;
	struct storm_model model;
	uint64_t random;
};

static uint64_t seed;

/* ------------------------------------------------------------------ a history */

static struct storm_call *say(struct history *history, enum storm_kind kind)
{
	struct storm_call *call = &history->calls[history->count++];

	*call = (struct storm_call){ .op = history->count, .kind = (uint8_t)kind, .attempt = 1 };
	call->invoke_ns = 10 * history->count;
	call->return_ns = call->invoke_ns + 5;
	return call;
}

static void answer_from(const struct storm_model *model, struct storm_call *call)
{
	call->version = model->version;
	call->subtotal_cents = model->subtotal_cents;
	call->tax_cents = model->tax_cents;
	call->total_cents = model->total_cents;
	call->item_count = (uint32_t)model->item_count;
	call->status = model->status;
	call->tax_ppm = model->tax_ppm;
	call->line_count = model->line_count;
	call->applied = 1;
}

/* The call happens now, and is answered. */
static struct storm_call *happen(struct history *history, struct storm_call *call)
{
	struct storm_lines lines = { 0 };

	call->state = STORM_ANSWERED;
	call->error = storm_model_error(&history->model, call, &call->answer_step);
	if (call->error == 0 && storm_is_change(call))
		call->error = storm_model_apply(&history->model, call, history->model.version + 1,
						&lines);
	if (call->error != 0)
		return call;
	answer_from(&history->model, call);
	call->answer_line = lines.line;
	for (uint32_t i = 0; i < call->step_count; i++)
		call->steps[i].answer_line = lines.steps[i];
	return call;
}

/* The call's caller died; it may have happened or not. */
static struct storm_call *leave(struct history *history, struct storm_call *call, bool happened)
{
	struct storm_lines lines;

	if (happened)
		(void)storm_model_apply(&history->model, call, history->model.version + 1, &lines);
	call->state = STORM_PENDING;
	call->return_ns = 0;
	return call;
}

static struct storm_call *add(struct history *history, uint64_t item, uint32_t quantity)
{
	struct storm_call *call = say(history, STORM_ADD);

	call->item = item;
	call->quantity = quantity;
	return call;
}

static struct storm_step *put_step(struct storm_call *call, enum storm_kind kind)
{
	struct storm_step *one = &call->steps[call->step_count++];

	one->kind = (uint8_t)kind;
	return one;
}

static struct storm_step *add_step(struct storm_call *call, uint64_t item, uint32_t quantity)
{
	struct storm_step *added = put_step(call, STORM_ADD);

	added->item = item;
	added->quantity = quantity;
	return added;
}

/* Two of item 200, and one more of item 104. */
static struct storm_call *apply(struct history *history)
{
	struct storm_call *call = say(history, STORM_APPLY);

	(void)add_step(call, 200, 2);
	struct storm_step *more = put_step(call, STORM_CHANGE);
	more->item = 104;
	more->value = 1;
	return call;
}

static void begin(struct history *history)
{
	history->count = 0;
	storm_model_clear(&history->model, BEFORE);
}

static struct storm_verdict checked(const struct history *history)
{
	struct storm_verdict verdict;

	storm_check(history->calls, history->count, BEFORE, &history->model, &verdict);
	return verdict;
}

static void assert_clean(const struct history *history)
{
	struct storm_verdict verdict = checked(history);

	if (verdict.lost + verdict.twice + verdict.disorder > 0)
		fail_msg("lost=%u twice=%u disorder=%u: %s", verdict.lost, verdict.twice,
			 verdict.disorder, verdict.why);
}

/* Nine adds of one item each, of quantity 3. */
static void nine_adds(struct history *history)
{
	begin(history);
	for (uint32_t i = 0; i < 9; i++)
		(void)happen(history, add(history, 100 + i, 3));
}

/* --------------------------------------------------------------- acquittals */

static void random_steps(struct history *history, struct storm_call *call)
{
	static const enum storm_kind kinds[] = { STORM_ADD,    STORM_ADD,       STORM_ADD,
						 STORM_SET,    STORM_CHANGE,    STORM_CHANGE,
						 STORM_REMOVE, STORM_ATTRIBUTE, STORM_TAX,
						 STORM_TTL,    STORM_CLEAR,     STORM_CHECKOUT,
						 STORM_ADJUST, STORM_LINE_TAX };
	uint32_t count = 1 + random_below(&history->random, STORM_STEPS);

	while (call->step_count < count) {
		struct storm_step *one =
			put_step(call, kinds[random_below(&history->random, COUNT(kinds))]);
		one->item = random_below(&history->random, STORM_COMMON_ITEMS);
		one->line = random_below(&history->random, 3) * random_below(&history->random, 5);
		one->quantity = 1 + random_below(&history->random, 4);
		one->value = one->kind == STORM_CHANGE ? random_below(&history->random, 5) - 2 :
							 random_below(&history->random, 150);
		one->name = (uint8_t)random_below(&history->random, one->kind == STORM_ADJUST ?
									    STORM_ADJUSTMENTS :
									    STORM_ATTRIBUTES);
		if (one->kind == STORM_LINE_TAX)
			one->value = one->value % 3 * 95000;
	}
}

static struct storm_call *random_call(struct history *history)
{
	struct storm_call *call =
		say(history, (enum storm_kind)random_below(&history->random, STORM_LIST));

	if (call->kind >= STORM_CHANGE && call->kind <= STORM_ADJUST)
		call->kind = STORM_APPLY;
	if (call->kind == STORM_APPLY)
		random_steps(history, call);
	call->item = random_below(&history->random, 2) == 0 ?
			     random_below(&history->random, STORM_COMMON_ITEMS) :
			     100 + call->op * 4;
	call->line = 1 + random_below(&history->random, 10);
	call->quantity = 1 + random_below(&history->random, 4);
	call->value = random_below(&history->random, 150);
	call->name = (uint8_t)random_below(&history->random, STORM_ATTRIBUTES);
	if (call->kind == STORM_REPLACE || random_below(&history->random, 8) == 0)
		call->if_version =
			random_below(&history->random, 3) == 0 ? 0 : history->model.version;
	return call;
}

static void a_history_that_happened_is_acquitted(void **state)
{
	static struct history history;

	(void)state;
	history.random = seed;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		begin(&history);
		for (uint32_t i = 0; i < CALLS; i++)
			(void)happen(&history, random_call(&history));
		assert_clean(&history);
	}
}

static void any_outcome_of_pending_calls_is_acquitted(void **state)
{
	static struct history history;
	uint32_t pending = 0;

	(void)state;
	history.random = seed + 1;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		begin(&history);
		for (uint32_t i = 0; i < CALLS; i++) {
			struct storm_call *call = random_call(&history);

			if (random_below(&history.random, 16) != 0) {
				(void)happen(&history, call);
				continue;
			}
			(void)leave(&history, call,
				    storm_is_change(call) && random_below(&history.random, 2) == 0);
			pending++;
		}
		assert_clean(&history);
	}
	assert_true(pending > ROUNDS);
}

/* Sent again after a death: the answer tells which of the two calls was applied. */
static void a_call_that_is_sent_again_counts_once(void **state)
{
	static struct history history;
	struct storm_call *again;
	struct storm_verdict verdict;

	(void)state;
	for (int happened = 0; happened < 2; happened++) {
		nine_adds(&history);
		struct storm_call *first = leave(&history, add(&history, 200, 2), happened);
		again = add(&history, 200, 2);
		again->op = first->op;
		again->attempt = 2;
		if (happened) {
			again->state = STORM_ANSWERED;
			again->answer_line = 10;
			answer_from(&history.model, again);
			again->applied = 0;
		} else {
			(void)happen(&history, again);
		}
		(void)happen(&history, add(&history, 300, 1));
		assert_clean(&history);
		verdict = checked(&history);
		assert_int_equal(verdict.happened, happened);
		assert_int_equal(verdict.missed, !happened);
	}
}

/* A new cart may skip versions that other carts of its bucket had. */
static void versions_may_be_skipped_when_a_cart_is_made(void **state)
{
	static struct history history;

	(void)state;
	begin(&history);
	(void)happen(&history, add(&history, 100, 1));
	(void)happen(&history, say(&history, STORM_DROP));
	history.model.version += 7;
	(void)happen(&history, add(&history, 101, 1));
	assert_clean(&history);
}

/* ---------------------------------------------------------------- forgeries */

static void take_line_out(struct storm_model *model, uint32_t index)
{
	set_quantity(model, index, 0);
}

static void a_lost_change_is_found(void **state)
{
	static struct history history;
	struct storm_verdict verdict;

	(void)state;
	nine_adds(&history);
	take_line_out(&history.model, 4);
	verdict = checked(&history);
	assert_int_equal(verdict.lost, 1);
	assert_int_equal(verdict.twice, 0);
}

static void a_lost_last_version_is_found(void **state)
{
	static struct history history;

	(void)state;
	nine_adds(&history);
	take_line_out(&history.model, 8);
	history.model.version--;
	assert_true(checked(&history).lost > 0);
}

static void a_lost_cart_is_found(void **state)
{
	static struct history history;

	(void)state;
	nine_adds(&history);
	history.model.there = false;
	assert_int_equal(checked(&history).lost, 9);
}

static void a_doubled_change_is_found(void **state)
{
	static struct history history;
	struct storm_verdict verdict;

	(void)state;
	nine_adds(&history);
	set_quantity(&history.model, 4, 6);
	verdict = checked(&history);
	assert_int_equal(verdict.twice, 1);
	assert_int_equal(verdict.lost, 0);
}

static void a_pending_change_that_is_there_twice_is_found(void **state)
{
	static struct history history;

	(void)state;
	nine_adds(&history);
	(void)leave(&history, add(&history, 200, 2), true);
	assert_clean(&history);
	set_quantity(&history.model, 9, 4);
	history.model.version++;
	assert_int_equal(checked(&history).twice, 1);
}

static void an_operation_applied_by_two_attempts_is_found(void **state)
{
	static struct history history;
	struct storm_call *again;

	(void)state;
	nine_adds(&history);
	struct storm_call *first = leave(&history, add(&history, 200, 2), true);
	again = add(&history, 200, 2); /* a pending call that had happened happens again */
	again->op = first->op;
	again->attempt = 2;
	(void)happen(&history, again);
	assert_int_equal(checked(&history).twice, 1);

	nine_adds(&history);
	first = happen(&history, add(&history, 200, 2));
	again = add(&history, 200, 2); /* an acknowledged call is applied again */
	again->op = first->op;
	again->attempt = 2;
	(void)happen(&history, again);
	assert_true(checked(&history).twice > 0);
}

static void versions_that_come_twice_or_go_back_are_found(void **state)
{
	static struct history history;

	(void)state;
	nine_adds(&history);
	history.calls[5].version = history.calls[4].version;
	assert_true(checked(&history).disorder > 0);

	nine_adds(&history); /* the cart continues from a version that it had before */
	(void)happen(&history, say(&history, STORM_DROP));
	history.model.version = BEFORE;
	(void)happen(&history, add(&history, 200, 1));
	assert_true(checked(&history).disorder > 0);
}

static void a_call_behind_one_that_began_later_is_found(void **state)
{
	static struct history history;

	(void)state;
	nine_adds(&history);
	history.calls[7].invoke_ns = 1; /* it returned before calls with smaller versions began */
	history.calls[7].return_ns = 2;
	assert_int_equal(checked(&history).disorder, 1);

	nine_adds(&history); /* a read returns an old version after a newer one had been answered */
	struct storm_call *read = happen(&history, say(&history, STORM_READ));
	(void)happen(&history, add(&history, 200, 1));
	read->invoke_ns = 1000;
	read->return_ns = 1001;
	assert_int_equal(checked(&history).disorder, 1);
}

static void a_pending_call_cannot_have_happened_before_it_was_made(void **state)
{
	static struct history history;

	(void)state;
	nine_adds(&history);
	struct storm_call *pending = leave(&history, add(&history, 200, 1), true);
	(void)happen(&history, add(&history, 201, 1));
	assert_clean(&history);
	pending->invoke_ns = 1000;
	assert_true(checked(&history).disorder + checked(&history).twice > 0);
}

static void put_value(struct storm_call *call, enum storm_kind kind, uint8_t name, uint64_t item,
		      uint32_t value)
{
	struct storm_step *one = put_step(call, kind);

	one->name = name;
	one->item = item;
	one->value = value;
}

/* 9.90 at 10 % and 5.99 at 19 %, 10 % off, and a tip of 5 %. */
static void one_priced_cart(struct history *history)
{
	struct storm_call *call;

	begin(history);
	call = say(history, STORM_APPLY);
	(void)add_step(call, 0, 10);
	(void)add_step(call, 2, 1);
	(void)happen(history, call);
	call = say(history, STORM_APPLY);
	put_value(call, STORM_TAX, 0, 0, 100000);
	put_value(call, STORM_LINE_TAX, 0, 2, 190001);
	put_value(call, STORM_ADJUST, STORM_DISCOUNT, 0, 100000);
	put_value(call, STORM_ADJUST, STORM_TIP, 0, 50000);
	(void)happen(history, call);
}

static void totals_are_those_of_rates_and_adjustments(void **state)
{
	static struct history history;

	(void)state;
	one_priced_cart(&history);
	/* 1.59 off, as 0.99 and 0.60; on 8.91 and 5.39 taxes of 0.89 and 1.02; 0.79 as a tip */
	assert_int_equal(history.model.tax_cents, 191);
	assert_int_equal(history.model.total_cents, 1700);
	assert_clean(&history);
	history.calls[1].total_cents++;
	assert_true(checked(&history).disorder > 0);

	one_priced_cart(&history);
	history.model.lines[1].own_rate = 0;
	assert_true(checked(&history).disorder > 0);

	one_priced_cart(&history);
	history.model.adjustment_count--;
	assert_true(checked(&history).disorder > 0);
}

static void wrong_answers_are_found(void **state)
{
	static struct history history;

	(void)state;
	nine_adds(&history);
	history.calls[3].subtotal_cents++;
	assert_true(checked(&history).disorder > 0);

	nine_adds(&history);
	history.calls[3].answer_line = 9;
	assert_true(checked(&history).disorder > 0);

	nine_adds(&history); /* refused for a line that exists throughout */
	struct storm_call *set = say(&history, STORM_SET);
	set->line = 2;
	set->state = STORM_ANSWERED;
	set->error = -ENXIO;
	assert_int_equal(checked(&history).disorder, 1);

	nine_adds(&history); /* a read sees half a change */
	struct storm_call *read = happen(&history, say(&history, STORM_READ));
	assert_clean(&history);
	read->line_count--;
	assert_true(checked(&history).disorder > 0);

	nine_adds(&history);
	happen(&history, say(&history, STORM_READ))->error = -EBADMSG;
	assert_int_equal(checked(&history).disorder, 1);
}

/* ------------------------------------------------------------ several steps */

static void all_of_a_changes_steps_or_none_is_acquitted(void **state)
{
	static struct history history;
	struct storm_verdict verdict;

	(void)state;
	for (int happened = 0; happened < 2; happened++) {
		nine_adds(&history);
		(void)leave(&history, apply(&history), happened);
		(void)happen(&history, add(&history, 300, 1));
		(void)happen(&history, say(&history, STORM_READ));
		assert_clean(&history);
		verdict = checked(&history);
		assert_int_equal(verdict.happened, happened);
		assert_int_equal(verdict.missed, !happened);
	}
}

static void a_step_that_is_missing_or_comes_twice_is_found(void **state)
{
	static struct history history;
	struct storm_verdict verdict;

	(void)state;
	nine_adds(&history);
	(void)happen(&history, apply(&history));
	assert_clean(&history);
	take_line_out(&history.model, 9); /* the first step is not in the cart */
	verdict = checked(&history);
	assert_int_equal(verdict.lost, 1);

	nine_adds(&history);
	(void)happen(&history, apply(&history));
	set_quantity(&history.model, 4, 3); /* nor the second one */
	verdict = checked(&history);
	assert_int_equal(verdict.lost, 1);

	nine_adds(&history);
	(void)happen(&history, apply(&history));
	set_quantity(&history.model, 4, 5);
	verdict = checked(&history);
	assert_int_equal(verdict.twice, 1);
}

/* Its caller died in the middle, and so did the change: no version has half of it. */
static void half_of_a_pending_change_is_found(void **state)
{
	static struct history history;

	(void)state;
	for (uint32_t half = 0; half < 2; half++) {
		nine_adds(&history);
		struct storm_call *call = leave(&history, apply(&history), true);
		assert_clean(&history);
		if (half == 0)
			take_line_out(&history.model, 9);
		else
			set_quantity(&history.model, 4, 3);
		struct storm_verdict verdict = checked(&history);
		assert_true(verdict.lost + verdict.twice + verdict.disorder > 0);
		/* also if a later change was built upon the half */
		call->return_ns = 0;
		(void)happen(&history, add(&history, 300, 1));
		verdict = checked(&history);
		assert_true(verdict.lost + verdict.twice + verdict.disorder > 0);
	}
}

static void a_read_of_half_a_change_is_found(void **state)
{
	static struct history history;

	(void)state;
	nine_adds(&history);
	struct storm_model before = history.model;
	struct storm_call *call = happen(&history, apply(&history));
	struct storm_call *read = happen(&history, say(&history, STORM_READ));
	assert_clean(&history);
	read->line_count--;
	read->item_count -= 2;
	read->subtotal_cents -= 2 * (storm_price_cents(200) + storm_modifier_cents(200));
	assert_true(checked(&history).disorder > 0);
	/* and two versions of which the first has half of the change */
	call->version++;
	read->version++;
	history.model.version++;
	assert_true(history.model.version == before.version + 2);
	assert_true(checked(&history).disorder > 0);
}

static void a_refused_change_of_which_a_step_happened_is_found(void **state)
{
	static struct history history;

	(void)state;
	nine_adds(&history);
	struct storm_call *call = apply(&history);
	put_step(call, STORM_REMOVE)->line = 77; /* is refused */
	(void)happen(&history, call);
	assert_int_equal(call->error, -ENXIO);
	assert_int_equal(call->answer_step, 3);
	assert_clean(&history);
	call->answer_step = 2; /* the wrong one is named */
	assert_int_equal(checked(&history).disorder, 1);
	call->answer_step = 3;
	call->error = -ERANGE; /* or the wrong error */
	assert_int_equal(checked(&history).disorder, 1);
	call->error = -ENXIO;
	(void)add_item(&history.model, 200, 2, true); /* its first step happened */
	history.model.version++;
	assert_true(checked(&history).twice > 0);
}

static void wrong_lines_of_steps_are_found(void **state)
{
	static struct history history;

	(void)state;
	nine_adds(&history);
	struct storm_call *call = happen(&history, apply(&history));
	assert_int_equal(call->steps[0].answer_line, 10);
	assert_int_equal(call->steps[1].answer_line, 5);
	assert_int_equal(call->answer_line, 5);
	call->steps[0].answer_line = 9;
	assert_true(checked(&history).disorder > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_history_that_happened_is_acquitted),
		cmocka_unit_test(any_outcome_of_pending_calls_is_acquitted),
		cmocka_unit_test(a_call_that_is_sent_again_counts_once),
		cmocka_unit_test(versions_may_be_skipped_when_a_cart_is_made),
		cmocka_unit_test(a_lost_change_is_found),
		cmocka_unit_test(a_lost_last_version_is_found),
		cmocka_unit_test(a_lost_cart_is_found),
		cmocka_unit_test(a_doubled_change_is_found),
		cmocka_unit_test(a_pending_change_that_is_there_twice_is_found),
		cmocka_unit_test(an_operation_applied_by_two_attempts_is_found),
		cmocka_unit_test(versions_that_come_twice_or_go_back_are_found),
		cmocka_unit_test(a_call_behind_one_that_began_later_is_found),
		cmocka_unit_test(a_pending_call_cannot_have_happened_before_it_was_made),
		cmocka_unit_test(totals_are_those_of_rates_and_adjustments),
		cmocka_unit_test(wrong_answers_are_found),
		cmocka_unit_test(all_of_a_changes_steps_or_none_is_acquitted),
		cmocka_unit_test(a_step_that_is_missing_or_comes_twice_is_found),
		cmocka_unit_test(half_of_a_pending_change_is_found),
		cmocka_unit_test(a_read_of_half_a_change_is_found),
		cmocka_unit_test(a_refused_change_of_which_a_step_happened_is_found),
		cmocka_unit_test(wrong_lines_of_steps_are_found),
	};

	seed = support_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
