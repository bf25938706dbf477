/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * repeat.c: operation ids: a change that is sent again.
 */
#include "contract.h"

static void the_same_change_again_changes_nothing_and_answers_the_same(struct contract *c)
{
	struct corral_result first[CHANGES], again;
	char id[16];

	(void)contract_two_lines(c);
	for (int which = 0; which < DROP; which++) {
		snprintf(id, sizeof(id), "call-%d", which);
		struct corral_op op = contract_op(id, 0);
		gives(0, contract_change(c, &c->key, which, &op, &first[which]));
		assert_int_equal(first[which].applied, 1);
		uint64_t version = first[which].version;
		for (int earlier = 0; earlier <= which; earlier++) {
			struct corral_result want = first[earlier];
			want.applied = 0;
			snprintf(id, sizeof(id), "call-%d", earlier);
			/* its condition was judged the first time */
			op = contract_op(id, earlier % 2 != 0 ? UINT64_MAX : 0);
			gives(0, contract_change(c, &c->key, earlier, &op, &again));
			want.durable = again.durable; /* it may have become so meanwhile */
			want.sync_error = again.sync_error;
			if (earlier < which) /* the rates are those of the cart as it is */
				want.rate_count = 0;
			assert_memory_equal(&again, &want, offsetof(struct corral_result, rates));
			assert_memory_equal(again.rates, want.rates,
					    want.rate_count * sizeof(want.rates[0]));
		}
		assert_int_equal(contract_head(c).version, version);
	}
}

static void another_change_under_the_same_id_is_refused(struct contract *c)
{
	struct corral_op op = contract_op("call-1", 0);
	struct corral_item other = contract_item("tea", 150, 2);
	struct corral_result first, again;

	gives(0, contract_change(c, &c->key, ADD, &op, &first));
	for (int which = ADD + 1; which < CHANGES; which++)
		gives(-ENOTUNIQ, contract_change(c, &c->key, which, &op, NULL));
	gives(-ENOTUNIQ, corral_add(c->corral, &c->key, &other, &op, NULL));
	op.if_version = UINT64_MAX; /* the id is compared before the version */
	gives(-ENOTUNIQ, corral_add(c->corral, &c->key, &other, &op, NULL));
	gives(0, contract_change(c, &c->key, ADD, &op, &again));
	assert_int_equal(again.applied, 0);
	assert_int_equal(contract_head(c).version, first.version);
}

static void the_last_ids_of_a_cart_are_remembered(struct contract *c)
{
	struct corral_item item = contract_item("tea", 150, 1);
	struct corral_result first[CORRAL_OPS_KEPT + 8], r;
	char id[16];

	for (size_t i = 0; i < COUNT(first); i++) {
		snprintf(id, sizeof(id), "call-%zu", i);
		struct corral_op op = contract_op(id, 0);
		gives(0, corral_add(c->corral, &c->key, &item, &op, &first[i]));
		assert_int_equal(first[i].applied, 1);
	}
	for (uint32_t i = 0; i < 3; i++) /* changes without an id evict none */
		gives(0, corral_set_tax(c->corral, &c->key, i, NULL, NULL));
	for (size_t back = 1; back <= CORRAL_OPS_KEPT; back++) {
		size_t i = COUNT(first) - back;
		snprintf(id, sizeof(id), "call-%zu", i);
		struct corral_op op = contract_op(id, 0);
		gives(0, corral_add(c->corral, &c->key, &item, &op, &r));
		assert_int_equal(r.applied, 0);
		assert_int_equal(r.version, first[i].version);
		assert_int_equal(r.item_count, i + 1);
	}
}

static void a_change_that_was_refused_is_not_remembered(struct contract *c)
{
	struct corral_op op = contract_op("call-1", 0);
	struct corral_result r;

	uint64_t version = contract_two_lines(c).version;
	gives(-ENXIO, corral_set_quantity(c->corral, &c->key, 9, 1, &op, NULL));
	op.if_version = version + 1;
	gives(-ECANCELED, corral_set_quantity(c->corral, &c->key, 1, 5, &op, NULL));
	op.if_version = version;
	gives(0, corral_set_quantity(c->corral, &c->key, 1, 5, &op, &r));
	assert_int_equal(r.applied, 1);
}

static void ids_are_of_one_cart_and_known_to_all_handles(struct contract *c)
{
	struct contract other = { .corral = contract_open(0), .key = contract_key("ids-other") };
	struct corral_op op = contract_op("call-1", 0);
	struct corral_result r;

	gives(0, contract_change(c, &c->key, ADD, &op, &r));
	uint64_t version = r.version;
	gives(0, contract_change(&other, &other.key, SET_TAX, &op, &r)); /* of another cart */
	assert_int_equal(r.applied, 1);
	gives(0, contract_change(&other, &c->key, ADD, &op, &r));
	assert_int_equal(r.applied, 0);
	assert_int_equal(r.version, version);
	gives(0, corral_drop(other.corral, &other.key, NULL, NULL));
	corral_close(other.corral);
}

const struct contract_case repeat_cases[] = {
	CASE(the_same_change_again_changes_nothing_and_answers_the_same),
	CASE(another_change_under_the_same_id_is_refused),
	CASE(the_last_ids_of_a_cart_are_remembered),
	CASE(a_change_that_was_refused_is_not_remembered),
	CASE(ids_are_of_one_cart_and_known_to_all_handles),
	{ NULL, NULL },
};
