/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkout.c: checking out: twice, at once with other changes, at the end of a cart's time; and how
 * long a cart that is checked out lives. corral(7), "Checking out", has the rules.
 */
#include "contract.h"

#define ROUNDS 40

static void a_checked_out_cart_can_be_read_and_dropped_and_not_changed(struct contract *c)
{
	struct corral_op op = contract_op(NULL, 0);
	struct corral_result r = { 0 };

	gives(-ENOENT, corral_checkout(c->corral, &c->key, NULL, &r));
	(void)contract_two_lines(c);
	gives(0, corral_checkout(c->corral, &c->key, NULL, &r));
	assert_int_equal(r.total_cents, 1997);
	for (int which = 0; which < DROP; which++)
		gives(which == SET_TTL ? 0 : -ESHUTDOWN,
		      which == SET_TTL ? 0 : contract_change(c, &c->key, which, NULL, NULL));
	struct corral_cart *cart = contract_get(c);
	assert_int_equal(cart->head.status, CORRAL_CHECKED_OUT);
	assert_int_equal(cart->head.version, r.version);
	assert_int_equal(cart->line_count, 2);
	op.if_version = r.version;
	gives(-ESHUTDOWN, corral_replace(c->corral, &c->key, cart, &op, NULL));
	corral_cart_free(cart);
	gives(0, corral_drop(c->corral, &c->key, &op, &r));
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
	uint64_t version = r.version;
	r = contract_add(c, "tea", 150, 1); /* the next cart of this key is another one, and open */
	assert_int_equal(r.status, CORRAL_OPEN);
	assert_int_equal(r.item_count, 1);
	assert_true(r.version > version);
}

static void a_cart_is_checked_out_once(struct contract *c)
{
	const struct corral_step out[] = { { .kind = CORRAL_STEP_CHECKOUT },
					   { .kind = CORRAL_STEP_CHECKOUT } };
	struct corral_op op = contract_op("order", 0), other = contract_op("order again", 0);
	struct corral_result first, r = { 0 };

	uint64_t version = contract_two_lines(c).version;
	gives(-ESHUTDOWN, corral_apply(c->corral, &c->key, out, 2, NULL, &r, NULL));
	assert_int_equal(r.step, 2);
	gives(0, corral_checkout(c->corral, &c->key, &op, &first));
	gives(-ESHUTDOWN, corral_checkout(c->corral, &c->key, NULL, NULL));
	gives(-ESHUTDOWN, corral_checkout(c->corral, &c->key, &other, NULL));
	gives(-ESHUTDOWN, corral_apply(c->corral, &c->key, out, 1, NULL, &r, NULL));
	other.if_version = version; /* the expected version is compared first */
	gives(-ECANCELED, corral_checkout(c->corral, &c->key, &other, NULL));
	other.if_version = first.version;
	gives(-ESHUTDOWN, corral_checkout(c->corral, &c->key, &other, NULL));
	gives(0, corral_checkout(c->corral, &c->key, &op, &r)); /* sent again: the first answer */
	assert_int_equal(r.applied, 0);
	assert_int_equal(r.version, first.version);
	assert_int_equal(r.total_cents, first.total_cents);
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
	gives(0, corral_drop(c->corral, &c->key, NULL, NULL));
	gives(-ENOENT, corral_checkout(c->corral, &c->key, &op, NULL));
}

/* ------------------------------------------------------------------ at once */

struct together { /* shared */
	bool same_id;
	bool expects;
	uint64_t version;
	int answers[4];
	uint32_t added; /* and acknowledged */
	struct corral_result results[4];
};

static void check_out(const struct contract_hand *hand)
{
	struct together *together = hand->shared;
	struct corral_op op = contract_op(together->same_id ? "order" : NULL,
					  together->expects ? together->version : 0);

	together->answers[hand->number] = corral_checkout(hand->c->corral, &hand->c->key, &op,
							  &together->results[hand->number]);
}

static void one_of_several_checkouts_at_once_happens(struct contract *c)
{
	struct together *together = contract_shared(sizeof(*together));

	for (uint32_t round = 0; round < ROUNDS; round++) {
		memset(together, 0, sizeof(*together));
		together->same_id = round / 2 % 2 != 0;
		(void)contract_two_lines(c);
		contract_crew(c, round % 2 != 0, 4, check_out, together);
		uint32_t applied = 0;
		for (uint32_t i = 0; i < 4; i++) {
			applied += together->results[i].applied;
			if (together->same_id || together->results[i].applied) {
				gives(0, together->answers[i]);
				assert_int_equal(together->results[i].version,
						 contract_head(c).version);
			} else {
				gives(-ESHUTDOWN, together->answers[i]);
			}
		}
		assert_int_equal(applied, 1);
		gives(0, corral_drop(c->corral, &c->key, NULL, NULL));
	}
}

/* Number 0 checks out after some time; the others add until they are refused. */
static void add_or_check_out(const struct contract_hand *hand)
{
	struct corral_item item = contract_item("tea", 150, 1);
	struct together *together = hand->shared;
	uint64_t found;
	int r = 0;

	if (hand->number == 0) {
		(void)corral_wait(hand->c->corral, &hand->c->key, together->version, 1000, NULL,
				  &found);
		check_out(hand);
		return;
	}
	for (uint32_t i = 0; r == 0; i++) {
		must(i < 10000000);
		r = corral_add(hand->c->corral, &hand->c->key, &item, NULL, NULL);
		if (r == 0)
			(void)__atomic_add_fetch(&together->added, 1, __ATOMIC_RELAXED);
	}
	together->answers[hand->number] = r;
}

static void what_is_added_at_once_is_in_the_order_or_refused(struct contract *c)
{
	struct together *together = contract_shared(sizeof(*together));

	for (uint32_t round = 0; round < ROUNDS / 2; round++) {
		memset(together, 0, sizeof(*together));
		together->version = contract_two_lines(c).version;
		contract_crew(c, round % 2 != 0, 3, add_or_check_out, together);
		gives(0, together->answers[0]);
		gives(-ESHUTDOWN, together->answers[1]);
		gives(-ESHUTDOWN, together->answers[2]);
		struct corral_cart *cart = contract_get(c);
		assert_int_equal(cart->head.version, together->results[0].version);
		assert_int_equal(cart->head.item_count, 3 + together->added);
		assert_int_equal(together->results[0].item_count, 3 + together->added);
		assert_int_equal(together->results[0].total_cents, cart->head.total_cents);
		corral_cart_free(cart);
		gives(0, corral_drop(c->corral, &c->key, NULL, NULL));
	}
}

static void add_once_or_check_out(const struct contract_hand *hand)
{
	struct corral_item item = contract_item("tea", 150, 1);
	struct together *together = hand->shared;

	if (hand->number == 0)
		check_out(hand);
	else
		together->answers[hand->number] =
			corral_add(hand->c->corral, &hand->c->key, &item, NULL,
				   &together->results[hand->number]);
}

static void with_the_version_that_was_heard_nothing_slips_in_between(struct contract *c)
{
	struct together *together = contract_shared(sizeof(*together));

	for (uint32_t round = 0; round < 2 * ROUNDS; round++) {
		memset(together, 0, sizeof(*together));
		together->expects = true;
		together->version = contract_two_lines(c).version;
		contract_crew(c, round % 4 == 0, 2, add_once_or_check_out, together);
		bool out = together->answers[0] == 0;
		gives(out ? 0 : -ECANCELED, together->answers[0]);
		gives(out ? -ESHUTDOWN : 0, together->answers[1]);
		assert_int_equal(contract_head(c).item_count, out ? 3 : 4);
		assert_int_equal(contract_head(c).status, out ? CORRAL_CHECKED_OUT : CORRAL_OPEN);
		gives(0, corral_drop(c->corral, &c->key, NULL, NULL));
	}
}

/* ------------------------------------------------------------------- expiry */

/* When the cart will end, without prolonging that; 0: it is not there. */
static int64_t expires_ms(struct corral *observer, const struct corral_key *key,
			  struct corral_head *ret_head)
{
	struct corral_view view;

	int r = corral_read_begin(observer, key, &view);
	if (r == -ENOENT)
		return 0;
	gives(0, r);
	int64_t ms = corral_view_expires_ms(&view);
	gives(0, corral_view_head(&view, ret_head));
	gives(0, corral_read_end(&view));
	return ms;
}

/*
 * Around the end of its time a cart is checked out or gone. If it is checked out, it lives for its
 * time to live from then on.
 */
static void at_the_end_of_its_time_a_cart_is_checked_out_or_gone(struct contract *c)
{
	struct corral *observer = contract_open(CORRAL_OBSERVE);
	static int64_t made_ms[ROUNDS];
	static char sessions[ROUNDS][16];
	const int64_t ttl_ms = CORRAL_TTL_MS_MIN;
	uint32_t out = 0;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		snprintf(sessions[i], sizeof(sessions[i]), "expiry-%u", i);
		struct corral_key key = contract_key(sessions[i]);
		struct corral_item item = contract_item("tea", 150, 1);
		const struct corral_step steps[] = { { .kind = CORRAL_STEP_ADD, .item = &item },
						     { .kind = CORRAL_STEP_SET_TTL,
						       .ttl_ms = (uint64_t)ttl_ms } };
		gives(0, corral_apply(c->corral, &key, steps, 2, NULL, NULL, NULL));
		made_ms[i] = contract_now_ms();
	}
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct corral_key key = contract_key(sessions[i]);
		struct corral_head head;
		struct corral_result r = { 0 };
		contract_sleep_ms(made_ms[i] + ttl_ms - 5 + i % 20 - contract_now_ms());
		int64_t before_ms = contract_now_ms(), wall_ms = contract_wall_ms();
		int answer = corral_checkout(c->corral, &key, NULL, &r);
		int64_t end_ms = expires_ms(observer, &key, &head);
		bool in_time = contract_now_ms() < before_ms + ttl_ms;
		if (answer == 0 && in_time) {
			assert_true(end_ms >= wall_ms + ttl_ms - 1); /* of rounding */
			assert_int_equal(head.status, CORRAL_CHECKED_OUT);
			assert_int_equal(head.version, r.version);
		} else if (answer < 0) {
			gives(-ENOENT, answer);
			assert_int_equal(end_ms, 0); /* and stays gone */
			assert_int_equal(r.version, 0);
		}
		out += answer == 0;
	}
	print_message("%u of %d were checked out\n", out, ROUNDS);
	for (uint32_t i = 0; i < ROUNDS; i++) { /* checked out or not, each ends */
		struct corral_key key = contract_key(sessions[i]);
		struct corral_head head;
		int64_t give_up_ms = contract_now_ms() + 30000;
		while (expires_ms(observer, &key, &head) != 0) {
			assert_true(contract_now_ms() < give_up_ms);
			contract_sleep_ms(5);
		}
		gives(-ENOENT, corral_checkout(c->corral, &key, NULL, NULL));
		gives(-ENOENT, corral_set_ttl(c->corral, &key, HOUR_MS,
					      &(struct corral_op){ .if_version = 1 }, NULL));
	}
	corral_close(observer);
}

static void a_checked_out_cart_gets_a_longer_life_and_no_shorter_one(struct contract *c)
{
	struct corral *observer = contract_open(CORRAL_OBSERVE);
	const struct corral_step longer[] = {
		{ .kind = CORRAL_STEP_SET_TTL, .ttl_ms = 4 * HOUR_MS },
		{ .kind = CORRAL_STEP_SET_TTL, .ttl_ms = 3 * HOUR_MS }
	};
	struct corral_op op = contract_op("longer", 0);
	struct corral_result r, again;
	struct corral_head head;

	(void)contract_two_lines(c);
	gives(0, corral_set_ttl(c->corral, &c->key, HOUR_MS, NULL, NULL));
	gives(0, corral_checkout(c->corral, &c->key, NULL, &r));
	uint64_t version = r.version;
	gives(-ESHUTDOWN, corral_set_ttl(c->corral, &c->key, HOUR_MS - 1, NULL, NULL));
	gives(-ESHUTDOWN, corral_set_ttl(c->corral, &c->key, CORRAL_TTL_MS_MIN, NULL, NULL));
	assert_int_equal(contract_head(c).version, version);
	gives(0, corral_set_ttl(c->corral, &c->key, HOUR_MS, NULL, &r)); /* as long: from now on */
	assert_true(r.version > version);
	int64_t wall_ms = contract_wall_ms();
	gives(0, corral_set_ttl(c->corral, &c->key, 2 * HOUR_MS, &op, &r));
	assert_int_equal(r.status, CORRAL_CHECKED_OUT);
	assert_int_equal(r.total_cents, 1997);
	assert_true(expires_ms(observer, &c->key, &head) >= wall_ms + 2 * (int64_t)HOUR_MS - 1);
	assert_int_equal(head.ttl_ms, 2 * HOUR_MS);
	assert_int_equal(head.status, CORRAL_CHECKED_OUT);
	gives(0, corral_set_ttl(c->corral, &c->key, 2 * HOUR_MS, &op, &again));
	assert_int_equal(again.applied, 0);
	assert_int_equal(again.version, r.version);
	/* a longer one after that is as short as any other in the same change */
	gives(-ESHUTDOWN, corral_apply(c->corral, &c->key, longer, 2, NULL, &again, NULL));
	assert_int_equal(again.step, 2);
	gives(0, corral_apply(c->corral, &c->key, longer, 1, NULL, &again, NULL));
	assert_int_equal(contract_head(c).ttl_ms, 4 * HOUR_MS);
	gives(0, corral_set_ttl(c->corral, &c->key, CORRAL_TTL_MS_MAX, NULL, NULL));
	gives(-ESHUTDOWN, corral_set_ttl(c->corral, &c->key, 0, NULL, NULL)); /* the usual time */
	corral_close(observer);
}

static void a_cart_may_be_given_its_time_in_the_change_that_checks_it_out(struct contract *c)
{
	const struct corral_step steps[] = { { .kind = CORRAL_STEP_SET_TTL, .ttl_ms = HOUR_MS },
					     { .kind = CORRAL_STEP_CHECKOUT },
					     { .kind = CORRAL_STEP_SET_TTL, .ttl_ms = 2 * HOUR_MS },
					     { .kind = CORRAL_STEP_SET_TTL, .ttl_ms = HOUR_MS } };
	struct corral_result r = { 0 };

	(void)contract_two_lines(c);
	gives(-ESHUTDOWN, corral_apply(c->corral, &c->key, steps, 4, NULL, &r, NULL));
	assert_int_equal(r.step, 4);
	gives(0, corral_apply(c->corral, &c->key, steps, 3, NULL, &r, NULL));
	assert_int_equal(contract_head(c).ttl_ms, 2 * HOUR_MS);
	assert_int_equal(contract_head(c).status, CORRAL_CHECKED_OUT);
}

const struct contract_case checkout_cases[] = {
	CASE(a_checked_out_cart_can_be_read_and_dropped_and_not_changed),
	CASE(a_cart_is_checked_out_once),
	CASE(one_of_several_checkouts_at_once_happens),
	CASE(what_is_added_at_once_is_in_the_order_or_refused),
	CASE(with_the_version_that_was_heard_nothing_slips_in_between),
	CASE(at_the_end_of_its_time_a_cart_is_checked_out_or_gone),
	CASE(a_checked_out_cart_gets_a_longer_life_and_no_shorter_one),
	CASE(a_cart_may_be_given_its_time_in_the_change_that_checks_it_out),
	{ NULL, NULL },
};
