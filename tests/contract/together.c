/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * together.c: several threads and processes at one cart; and what counts as activity.
 */
#include "contract.h"

#define HANDS 4u
#define EACH 60u

struct together { /* shared */
	uint64_t versions[HANDS][EACH];
	uint32_t applied;
};

static void add_many(const struct contract_hand *hand)
{
	struct together *together = hand->shared;
	struct corral_item item = contract_item("tea", 150, 1);
	char id[32];

	item.notes = hand->number % 2 != 0 ? T("odd") : T("even");
	for (uint32_t i = 0; i < EACH; i++) {
		struct corral_result r = { 0 };
		/* one change of all hands, too: it happens once */
		snprintf(id, sizeof(id), "common-%u", i / 8);
		struct corral_op common = contract_op(id, 0);
		must(contract_change(hand->c, &hand->c->key, ADD, &common, &r) == 0);
		(void)__atomic_add_fetch(&together->applied, r.applied, __ATOMIC_RELAXED);
		must(corral_add(hand->c->corral, &hand->c->key, &item, NULL, &r) == 0);
		must(r.applied == 1);
		must(i == 0 || r.version > together->versions[hand->number][i - 1]);
		together->versions[hand->number][i] = r.version;
	}
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void every_add_counts_once(struct contract *c)
{
	struct together *together = contract_shared(sizeof(*together));
	const uint32_t commons = (EACH + 7) / 8;

	for (int processes = 0; processes < 2; processes++) {
		memset(together, 0, sizeof(*together));
		contract_crew(c, processes != 0, HANDS, add_many, together);
		struct corral_cart *cart = contract_get(c);
		assert_int_equal(together->applied, commons);
		assert_int_equal(cart->head.item_count, HANDS * EACH + commons);
		assert_int_equal(cart->head.total_cents, (HANDS * EACH + commons) * 150);
		assert_int_equal(cart->line_count, 3);
		corral_cart_free(cart);
		uint64_t *all = &together->versions[0][0];
		qsort(all, HANDS * EACH, sizeof(all[0]), by_number);
		for (uint32_t i = 1; i < HANDS * EACH; i++)
			assert_true(all[i] > all[i - 1]); /* each version was given once */
		gives(0, corral_drop(c->corral, &c->key, NULL, NULL));
	}
}

/* Two lines of the cart always have the same quantity. */
static void change_both_or_read(const struct contract_hand *hand)
{
	const struct contract *c = hand->c;
	struct corral_step steps[2] = { { .kind = CORRAL_STEP_CHANGE_QUANTITY, .line = 1 },
					{ .kind = CORRAL_STEP_CHANGE_QUANTITY, .line = 2 } };

	for (uint32_t i = 0; i < EACH; i++) {
		if (hand->number < 2) {
			steps[0].difference = steps[1].difference = i % 3 == 2 ? -2 : 1;
			must(corral_apply(c->corral, &c->key, steps, 2, NULL, NULL, NULL) == 0);
			continue;
		}
		struct corral_cart *cart;
		must(corral_get(c->corral, &c->key, &cart) == 0);
		must(cart->line_count == 2);
		must(cart->lines[0].item.quantity == cart->lines[1].item.quantity);
		must(cart->head.total_cents ==
		     cart->lines[0].total_cents + cart->lines[1].total_cents);
		corral_cart_free(cart);
	}
}

static void all_steps_of_a_change_are_seen_or_none(struct contract *c)
{
	for (int processes = 0; processes < 2; processes++) {
		(void)contract_add(c, "a", 100, 10);
		(void)contract_add(c, "b", 7, 10);
		contract_crew(c, processes != 0, HANDS, change_both_or_read, NULL);
		assert_int_equal(contract_head(c).item_count, 20);
		gives(0, corral_drop(c->corral, &c->key, NULL, NULL));
	}
}

static int64_t expires_ms(struct corral *corral, const struct corral_key *key)
{
	struct corral_view view;

	if (corral_read_begin(corral, key, &view) < 0)
		return 0;
	int64_t ms = corral_view_expires_ms(&view);
	gives(0, corral_read_end(&view));
	return ms;
}

/* A read renews a cart's time, to about a 64th of it. An observer's does not. */
static void a_read_is_activity_and_a_look_is_none(struct contract *c)
{
	struct corral *observer = contract_open(CORRAL_OBSERVE);
	bool done = false;

	for (int tries = 0; tries < 100 && !done; tries++) { /* a busy machine may sleep for long */
		(void)contract_add(c, "tea", 150, 1);
		gives(0, corral_set_ttl(c->corral, &c->key, 1000, NULL, NULL));
		int64_t first_ms = expires_ms(observer, &c->key);
		contract_sleep_ms(60);
		int64_t looked_ms = expires_ms(observer, &c->key);
		(void)expires_ms(c->corral, &c->key);
		int64_t read_ms = expires_ms(observer, &c->key);
		if (first_ms == 0 || looked_ms == 0 || read_ms == 0)
			continue; /* it has ended meanwhile */
		done = true;
		assert_true(looked_ms - first_ms < 20);
		assert_true(read_ms - first_ms > 20);
	}
	assert_true(done);
	corral_close(observer);
}

const struct contract_case together_cases[] = {
	CASE(every_add_counts_once),
	CASE(all_steps_of_a_change_are_seen_or_none),
	CASE(a_read_is_activity_and_a_look_is_none),
	{ NULL, NULL },
};
