/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 66_storm_judge.c: the judge of a storm's feed accepts what happened, also with gaps that count
 * what is missing, and finds each forged feed: an event that is missing, comes twice, comes too
 * early or says something else. The judge is a pure function, so its source is included here;
 * 66_storm.sh judges real feeds.
 */
#include "support.h"

#include "storm/judge.c" /* NOLINT(bugprone-suspicious-include) */

#define FIRST 100u
#define CART 3u
#define OTHER 4u
#define EVENTS 20u

static struct storm_judge judge;
static struct storm_told feed[EVENTS];
static uint32_t count;

static struct storm_facts facts_of(uint64_t version)
{
	return (struct storm_facts){ .version = version,
				     .op = 1000 + version,
				     .total_cents = (int64_t)(10 * version),
				     .item_count = (uint32_t)version };
}

static struct storm_told *say(uint32_t cart, uint32_t kind, uint64_t version)
{
	feed[count] = (struct storm_told){
		.number = FIRST + count, .kind = kind, .cart = cart, .facts = facts_of(version)
	};
	return &feed[count++];
}

static struct storm_told *say_gap(uint64_t missed)
{
	struct storm_told *gap = say(STORM_NO_CART, CORRAL_EVENT_GAP, 0);

	gap->from = gap->number;
	gap->missed = missed;
	return gap;
}

/* Two carts of three and two versions, of which the first ends and is made again. */
static void tell(void)
{
	count = 0;
	say(CART, CORRAL_EVENT_CHANGED, 1);
	say(OTHER, CORRAL_EVENT_CHANGED, 7);
	say(CART, CORRAL_EVENT_CHANGED, 2);
	say(CART, CORRAL_EVENT_CHECKED_OUT, 3);
	say(OTHER, CORRAL_EVENT_CHANGED, 8);
	say(CART, CORRAL_EVENT_DROPPED, 3);
	say(CART, CORRAL_EVENT_CHANGED, 5);
	say(OTHER, CORRAL_EVENT_DROPPED, 8);
	say(CART, CORRAL_EVENT_DROPPED, 5);
}

static void take_out(uint32_t index)
{
	memmove(&feed[index], &feed[index + 1], (--count - index) * sizeof(feed[0]));
}

static void number_anew(void)
{
	for (uint32_t i = 0; i < count; i++)
		feed[i].number = feed[i].from = FIRST + i;
}

/* All that was answered, some of it before and some of it after the feed told it. */
static void answer(bool before)
{
	static const struct {
		uint32_t cart;
		bool end;
		uint64_t version;
	} answers[] = { { CART, false, 1 }, { CART, false, 2 },  { CART, false, 3 },
			{ CART, true, 3 },  { OTHER, false, 7 }, { OTHER, false, 8 },
			{ OTHER, true, 8 }, { CART, false, 5 },  { CART, true, 5 } };

	for (uint32_t i = 0; i < COUNT(answers); i++) {
		const struct storm_facts facts = facts_of(answers[i].version);
		if ((i % 2 == 0) == before)
			storm_judge_answer(&judge, answers[i].cart, answers[i].end, &facts);
	}
}

static uint64_t judged(void)
{
	storm_judge_begin(&judge, FIRST);
	answer(true);
	for (uint32_t i = 0; i < count; i++)
		storm_judge_event(&judge, &feed[i]);
	answer(false);
	for (uint32_t cart = 0; cart < STORM_CARTS; cart++)
		storm_judge_end(&judge, cart, cart == CART ? 5 : cart == OTHER ? 8 : 0);
	return judge.untold + judge.twice + judge.wrong;
}

static void what_happened_is_accepted(void **state)
{
	(void)state;
	tell();
	if (judged() != 0)
		fail_msg("%s", judge.why);
	assert_int_equal(judge.changes, 6);
	assert_int_equal(judge.ends, 3);
	assert_int_equal(judge.compared, 9);
}

static void each_event_that_is_missing_is_found(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 9; i++) {
		tell();
		take_out(i);
		number_anew(); /* so that the numbers do not tell */
		if (judged() == 0)
			fail_msg("without event %u", i);
		assert_true(judge.untold > 0);
	}
}

/* A pending change has no answer: only the versions tell that its event is missing. */
static void a_missing_event_that_was_not_answered_is_found(void **state)
{
	(void)state;
	count = 0;
	say(CART, CORRAL_EVENT_CHANGED, 1);
	say(CART, CORRAL_EVENT_CHANGED, 3);
	storm_judge_begin(&judge, FIRST);
	storm_judge_event(&judge, &feed[0]);
	assert_int_equal(judge.untold, 0);
	storm_judge_event(&judge, &feed[1]);
	assert_int_equal(judge.untold, 1);
	storm_judge_end(&judge, CART, 3); /* the cart is gone, and its end is missing, too */
	assert_int_equal(judge.untold, 2);
}

static void each_event_that_comes_twice_is_found(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 9; i++) {
		tell();
		const struct storm_told again = feed[i];
		feed[count++] = again; /* much later */
		number_anew();
		if (judged() == 0)
			fail_msg("with event %u twice", i);

		tell(); /* at once, as by a reader that went on one event too early */
		memmove(&feed[i + 1], &feed[i], (count++ - i) * sizeof(feed[0]));
		assert_true(judged() > 0);
		assert_true(judge.twice > 0);
		number_anew();
		assert_true(judged() > 0);
		assert_true(judge.twice > 0);
	}
}

static void versions_in_another_order_are_found(void **state)
{
	(void)state;
	tell();
	const struct storm_told second = feed[2];
	feed[2] = feed[3];
	feed[3] = second;
	number_anew();
	assert_true(judged() > 0);
	assert_true(judge.wrong > 0);
}

static void what_is_told_wrongly_is_found(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 9; i++) {
		tell();
		feed[i].facts.total_cents++;
		assert_int_equal(judged(), 1);
		assert_int_equal(judge.wrong, 1);
		tell();
		feed[i].facts.op = 77;
		assert_int_equal(judged(), 1);
	}
	tell();
	feed[4].cart = STORM_NO_CART; /* a cart that the storm does not have */
	assert_true(judged() > 0);
}

static void numbers_that_are_left_out_are_found(void **state)
{
	(void)state;
	tell();
	for (uint32_t i = 4; i < count; i++)
		feed[i].number++;
	assert_int_equal(judged(), 1);
}

/* In the place of the second and the third version of a cart, and of its end. */
static void a_gap_stands_for_as_many_as_it_counts(void **state)
{
	(void)state;
	for (uint64_t missed = 1; missed <= 4; missed++) {
		tell();
		take_out(5);
		take_out(3);
		say_gap(missed);
		feed[2] = feed[--count];
		number_anew();
		if (missed < 3)
			assert_true(judged() > 0);
		else
			assert_int_equal(judged(), 0);
		assert_int_equal(judge.missed, missed);
	}
}

static void a_gap_that_comes_after_what_it_counts_is_found(void **state)
{
	(void)state;
	tell();
	feed[2] = feed[3]; /* version 3 follows version 1 */
	say_gap(1);
	feed[3] = feed[--count];
	number_anew();
	assert_int_equal(judged(), 1);
	assert_int_equal(judge.untold, 1);
	const struct storm_told gap = feed[3];
	feed[3] = feed[2];
	feed[2] = gap;
	number_anew();
	assert_int_equal(judged(), 0);
}

/* The reader was lapped: the numbers are gone, and with them perhaps other gaps. */
static void numbers_that_are_gone_are_told(void **state)
{
	(void)state;
	tell();
	say_gap(2);
	feed[2] = feed[--count];
	take_out(3);
	feed[2].from = FIRST + 2;
	feed[2].number = FIRST + 3;
	for (uint32_t i = 3; i < count; i++)
		feed[i].number = FIRST + i + 1;
	assert_int_equal(judged(), 0);
	assert_true(judge.vague);
	feed[2].from--; /* and one that was read */
	assert_int_equal(judged(), 1);
	assert_int_equal(judge.twice, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happened_is_accepted),
		cmocka_unit_test(each_event_that_is_missing_is_found),
		cmocka_unit_test(a_missing_event_that_was_not_answered_is_found),
		cmocka_unit_test(each_event_that_comes_twice_is_found),
		cmocka_unit_test(versions_in_another_order_are_found),
		cmocka_unit_test(what_is_told_wrongly_is_found),
		cmocka_unit_test(numbers_that_are_left_out_are_found),
		cmocka_unit_test(a_gap_stands_for_as_many_as_it_counts),
		cmocka_unit_test(a_gap_that_comes_after_what_it_counts_is_found),
		cmocka_unit_test(numbers_that_are_gone_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
