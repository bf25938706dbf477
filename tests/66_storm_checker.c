/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 66_storm_checker.c: the judge of corral-bench storm acquits what is legal, whatever became of
 * pending calls, and
 * bites: each forgery of a history is found, and counted as what it is. The judge is pure: it is
 * included whole.
 *
 * A history is made by doing random calls on the judge's own model; that the model is Corral's is
 * seen in 66_storm.sh, where real calls are judged.
 */
#include "support.h"

/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "../bench/storm/checker.c"
#include "../bench/storm/linearize.c"
#include "../bench/storm/model.c"
/* NOLINTEND(bugprone-suspicious-include) */

#define CALLS 60u
#define BEFORE 41u
#define ROUNDS 300u

struct tale {
	struct storm_call calls[STORM_LIFE_CALLS];
	uint32_t count;
	struct storm_model model;
	uint64_t random;
};

static uint64_t seed;

/* ------------------------------------------------------------------ a tale */

static struct storm_call *say(struct tale *tale, enum storm_kind kind)
{
	struct storm_call *call = &tale->calls[tale->count++];

	*call = (struct storm_call){ .op = tale->count, .kind = (uint8_t)kind, .attempt = 1 };
	call->invoke_ns = 10 * tale->count;
	call->return_ns = call->invoke_ns + 5;
	return call;
}

static void answer_from(const struct storm_model *model, struct storm_call *call)
{
	call->version = model->version;
	call->subtotal_cents = model->subtotal_cents;
	call->tax_cents = model->tax_cents;
	call->item_count = (uint32_t)model->item_count;
	call->status = model->status;
	call->tax_ppm = model->tax_ppm;
	call->line_count = model->line_count;
	call->applied = 1;
}

/* It happens now, and is answered. */
static struct storm_call *happen(struct tale *tale, struct storm_call *call)
{
	call->state = STORM_ANSWERED;
	call->error = storm_is_change(call) ?
			      storm_model_apply(&tale->model, call, tale->model.version + 1,
						&call->answer_line) :
			      storm_model_error(&tale->model, call);
	if (call->error == 0)
		answer_from(&tale->model, call);
	return call;
}

/* Its caller died; whether it had happened nobody knows. */
static struct storm_call *leave(struct tale *tale, struct storm_call *call, bool happened)
{
	uint32_t line;

	if (happened)
		(void)storm_model_apply(&tale->model, call, tale->model.version + 1, &line);
	call->state = STORM_PENDING;
	call->return_ns = 0;
	return call;
}

static struct storm_call *add(struct tale *tale, uint64_t item, uint32_t quantity)
{
	struct storm_call *call = say(tale, STORM_ADD);

	call->item = item;
	call->quantity = quantity;
	return call;
}

static void begin(struct tale *tale)
{
	tale->count = 0;
	storm_model_clear(&tale->model, BEFORE);
}

static struct storm_verdict judge(const struct tale *tale)
{
	struct storm_verdict verdict;

	storm_judge(tale->calls, tale->count, BEFORE, &tale->model, &verdict);
	return verdict;
}

static void acquit(const struct tale *tale)
{
	struct storm_verdict verdict = judge(tale);

	if (verdict.lost + verdict.twice + verdict.disorder > 0)
		fail_msg("lost=%u twice=%u disorder=%u: %s", verdict.lost, verdict.twice,
			 verdict.disorder, verdict.why);
}

/* Nine adds of an item each, of quantity 3. */
static void nine_adds(struct tale *tale)
{
	begin(tale);
	for (uint32_t i = 0; i < 9; i++)
		(void)happen(tale, add(tale, 100 + i, 3));
}

/* --------------------------------------------------------------- acquittals */

static struct storm_call *random_call(struct tale *tale)
{
	struct storm_call *call =
		say(tale, (enum storm_kind)random_below(&tale->random, STORM_LIST));

	call->item = random_below(&tale->random, 2) == 0 ?
			     random_below(&tale->random, STORM_COMMON_ITEMS) :
			     100 + call->op * 4;
	call->line = 1 + random_below(&tale->random, 10);
	call->quantity = 1 + random_below(&tale->random, 4);
	call->value = random_below(&tale->random, 150);
	call->name = (uint8_t)random_below(&tale->random, STORM_ATTRIBUTES);
	if (call->kind == STORM_REPLACE || random_below(&tale->random, 8) == 0)
		call->if_version = random_below(&tale->random, 3) == 0 ? 0 : tale->model.version;
	return call;
}

static void what_happened_is_acquitted(void **state)
{
	static struct tale tale;

	(void)state;
	tale.random = seed;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		begin(&tale);
		for (uint32_t i = 0; i < CALLS; i++)
			(void)happen(&tale, random_call(&tale));
		acquit(&tale);
	}
}

static void whatever_became_of_pending_calls_is_acquitted(void **state)
{
	static struct tale tale;
	uint32_t pending = 0;

	(void)state;
	tale.random = seed + 1;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		begin(&tale);
		for (uint32_t i = 0; i < CALLS; i++) {
			struct storm_call *call = random_call(&tale);

			if (random_below(&tale.random, 16) != 0) {
				(void)happen(&tale, call);
				continue;
			}
			(void)leave(&tale, call,
				    storm_is_change(call) && random_below(&tale.random, 2) == 0);
			pending++;
		}
		acquit(&tale);
	}
	assert_true(pending > ROUNDS);
}

/* Sent again after a death: the answer tells which of the two it was. */
static void a_call_that_is_sent_again_counts_once(void **state)
{
	static struct tale tale;
	struct storm_call *again;
	struct storm_verdict verdict;

	(void)state;
	for (int happened = 0; happened < 2; happened++) {
		nine_adds(&tale);
		struct storm_call *first = leave(&tale, add(&tale, 200, 2), happened);
		again = add(&tale, 200, 2);
		again->op = first->op;
		again->attempt = 2;
		if (happened) {
			again->state = STORM_ANSWERED;
			again->answer_line = 10;
			answer_from(&tale.model, again);
			again->applied = 0;
		} else {
			(void)happen(&tale, again);
		}
		(void)happen(&tale, add(&tale, 300, 1));
		acquit(&tale);
		verdict = judge(&tale);
		assert_int_equal(verdict.happened, happened);
		assert_int_equal(verdict.missed, !happened);
	}
}

/* A cart that is made anew may skip versions: others of its bucket had them. */
static void versions_may_be_skipped_when_a_cart_is_made(void **state)
{
	static struct tale tale;

	(void)state;
	begin(&tale);
	(void)happen(&tale, add(&tale, 100, 1));
	(void)happen(&tale, say(&tale, STORM_DROP));
	tale.model.version += 7;
	(void)happen(&tale, add(&tale, 101, 1));
	acquit(&tale);
}

/* ---------------------------------------------------------------- forgeries */

static void take_line_out(struct storm_model *model, uint32_t index)
{
	set_quantity(model, index, 0);
}

static void a_lost_change_is_found(void **state)
{
	static struct tale tale;
	struct storm_verdict verdict;

	(void)state;
	nine_adds(&tale);
	take_line_out(&tale.model, 4);
	verdict = judge(&tale);
	assert_int_equal(verdict.lost, 1);
	assert_int_equal(verdict.twice, 0);
}

static void a_lost_last_version_is_found(void **state)
{
	static struct tale tale;

	(void)state;
	nine_adds(&tale);
	take_line_out(&tale.model, 8);
	tale.model.version--;
	assert_true(judge(&tale).lost > 0);
}

static void a_lost_cart_is_found(void **state)
{
	static struct tale tale;

	(void)state;
	nine_adds(&tale);
	tale.model.there = false;
	assert_int_equal(judge(&tale).lost, 9);
}

static void a_doubled_change_is_found(void **state)
{
	static struct tale tale;
	struct storm_verdict verdict;

	(void)state;
	nine_adds(&tale);
	set_quantity(&tale.model, 4, 6);
	verdict = judge(&tale);
	assert_int_equal(verdict.twice, 1);
	assert_int_equal(verdict.lost, 0);
}

static void a_pending_change_that_is_there_twice_is_found(void **state)
{
	static struct tale tale;

	(void)state;
	nine_adds(&tale);
	(void)leave(&tale, add(&tale, 200, 2), true);
	acquit(&tale);
	set_quantity(&tale.model, 9, 4);
	tale.model.version++;
	assert_int_equal(judge(&tale).twice, 1);
}

static void an_operation_applied_by_two_attempts_is_found(void **state)
{
	static struct tale tale;
	struct storm_call *again;

	(void)state;
	nine_adds(&tale);
	struct storm_call *first = leave(&tale, add(&tale, 200, 2), true);
	again = add(&tale, 200, 2); /* a pending one that had happened, and happens again */
	again->op = first->op;
	again->attempt = 2;
	(void)happen(&tale, again);
	assert_int_equal(judge(&tale).twice, 1);

	nine_adds(&tale);
	first = happen(&tale, add(&tale, 200, 2));
	again = add(&tale, 200, 2); /* an acknowledged one that is applied again */
	again->op = first->op;
	again->attempt = 2;
	(void)happen(&tale, again);
	assert_true(judge(&tale).twice > 0);
}

static void versions_that_come_twice_or_go_back_are_found(void **state)
{
	static struct tale tale;

	(void)state;
	nine_adds(&tale);
	tale.calls[5].version = tale.calls[4].version;
	assert_true(judge(&tale).disorder > 0);

	nine_adds(&tale); /* its cart went on from a version that it had before */
	(void)happen(&tale, say(&tale, STORM_DROP));
	tale.model.version = BEFORE;
	(void)happen(&tale, add(&tale, 200, 1));
	assert_true(judge(&tale).disorder > 0);
}

static void a_call_behind_one_that_began_later_is_found(void **state)
{
	static struct tale tale;

	(void)state;
	nine_adds(&tale);
	tale.calls[7].invoke_ns =
		1; /* it returned before those whose versions are smaller were called */
	tale.calls[7].return_ns = 2;
	assert_int_equal(judge(&tale).disorder, 1);

	nine_adds(
		&tale); /* a read that returns an old version after a newer one had been answered */
	struct storm_call *read = happen(&tale, say(&tale, STORM_READ));
	(void)happen(&tale, add(&tale, 200, 1));
	read->invoke_ns = 1000;
	read->return_ns = 1001;
	assert_int_equal(judge(&tale).disorder, 1);
}

static void a_pending_call_cannot_have_happened_before_it_was_made(void **state)
{
	static struct tale tale;

	(void)state;
	nine_adds(&tale);
	struct storm_call *pending = leave(&tale, add(&tale, 200, 1), true);
	(void)happen(&tale, add(&tale, 201, 1));
	acquit(&tale);
	pending->invoke_ns = 1000;
	assert_true(judge(&tale).disorder + judge(&tale).twice > 0);
}

static void wrong_answers_are_found(void **state)
{
	static struct tale tale;

	(void)state;
	nine_adds(&tale);
	tale.calls[3].subtotal_cents++;
	assert_true(judge(&tale).disorder > 0);

	nine_adds(&tale);
	tale.calls[3].answer_line = 9;
	assert_true(judge(&tale).disorder > 0);

	nine_adds(&tale); /* refused for a line that is there all the while */
	struct storm_call *set = say(&tale, STORM_SET);
	set->line = 2;
	set->state = STORM_ANSWERED;
	set->error = -ENXIO;
	assert_int_equal(judge(&tale).disorder, 1);

	nine_adds(&tale); /* what was read is half a change */
	struct storm_call *read = happen(&tale, say(&tale, STORM_READ));
	acquit(&tale);
	read->line_count--;
	assert_true(judge(&tale).disorder > 0);

	nine_adds(&tale);
	happen(&tale, say(&tale, STORM_READ))->error = -EBADMSG;
	assert_int_equal(judge(&tale).disorder, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happened_is_acquitted),
		cmocka_unit_test(whatever_became_of_pending_calls_is_acquitted),
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
		cmocka_unit_test(wrong_answers_are_found),
	};

	seed = support_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
