/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 45_slot.c: carts by key: found exactly while they exist, in long chains and in damaged ones;
 * versions only grow; a slot is reused once no reader can see it. (45_slot_crew.c: many at once,
 * and deaths.)
 */
#include "slot_kit.h"

#define MATES 20 /* in one chain */

static const struct arena_settings small = { .arena_bytes = 4 << 20,
					     .max_carts = MATES + 4,
					     .ttl_ns = 1800000000000ull };

struct fixture {
	struct yard yard;
	struct member us;
	struct actor one, two;
	struct kit_key mates[MATES];
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	yard_make(&fixture->yard, &small);
	assert_int_equal(member_join(&fixture->yard, &fixture->us), 0);
	assert_int_equal(member_actor(&fixture->us, &fixture->one), 0);
	assert_int_equal(member_actor(&fixture->us, &fixture->two), 0);
	for (uint32_t i = 0; i < MATES; i++)
		kit_key_in(&fixture->us.arena, 5, i, &fixture->mates[i]);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	member_dismiss(&fixture->one);
	member_dismiss(&fixture->two);
	member_leave(&fixture->us);
	yard_check(&fixture->yard, NULL);
	yard_remove(&fixture->yard);
	free(fixture);
	return 0;
}

static uint64_t made(struct fixture *fixture, uint32_t mate)
{
	uint64_t version = 0;
	int r = kit_make(&fixture->one, &fixture->mates[mate], mate, &version);

	if (r == -ENFILE) { /* the slots of ended carts wait together with their blocks */
		block_reclaim_all(&fixture->one);
		block_reclaim_all(&fixture->one);
		r = kit_make(&fixture->one, &fixture->mates[mate], mate, &version);
	}
	assert_int_equal(r, 0);
	return version;
}

/* Assert that the cart of this key is found, sound, in this version. */
static void is_found(struct fixture *fixture, uint32_t mate, uint64_t version)
{
	struct kit_key *key = &fixture->mates[mate];
	struct corral_key theirs;
	struct found found = { 0 };

	grace_enter(&fixture->one);
	assert_int_equal(slot_find(&fixture->us.arena, key->hash, &key->key, &found), 0);
	assert_int_equal(cart_validate(found.cart, found.room), 0);
	assert_int_equal(cart_get_key(found.cart, found.room, &theirs), 0);
	assert_int_equal(theirs.session_id.size, key->key.session_id.size);
	assert_memory_equal(theirs.session_id.data, key->key.session_id.data,
			    theirs.session_id.size);
	assert_int_equal(found.cart->version, version);
	assert_int_equal(slot_recheck(&fixture->us.arena, found.slot, key->hash, &key->key, &found),
			 0);
	grace_leave(&fixture->one);
}

static void is_not_found(struct fixture *fixture, uint32_t mate, int error)
{
	struct found found = { 0 };

	assert_int_equal(kit_find(&fixture->one, &fixture->mates[mate], &found), error);
}

/* ------------------------------------------------------------------ chains */

static void a_cart_anywhere_in_a_chain_is_found_until_it_ends(void **state)
{
	struct fixture *fixture = *state;
	uint64_t random = support_seed();
	uint64_t versions[MATES] = { 0 }; /* 0: no cart */

	for (uint32_t step = 0; step < 2000; step++) {
		uint32_t mate = random_below(&random, MATES);
		uint64_t version;
		if (versions[mate] == 0) {
			is_not_found(fixture, mate, -ENOENT);
			assert_int_equal(kit_end(&fixture->one, &fixture->mates[mate]), -ENOENT);
			assert_int_equal(
				kit_change(&fixture->one, &fixture->mates[mate], step, &version),
				-ENOENT);
			versions[mate] = made(fixture, mate);
		} else if (random_below(&random, 2) == 0) {
			assert_int_equal(
				kit_make(&fixture->one, &fixture->mates[mate], step, &version),
				-EEXIST);
			assert_int_equal(
				kit_change(&fixture->one, &fixture->mates[mate], step, &version),
				0);
			assert_int_equal(version, versions[mate] + 1);
			versions[mate] = version;
		} else {
			assert_int_equal(kit_end(&fixture->one, &fixture->mates[mate]), 0);
			versions[mate] = 0;
		}
		if (step % 100 != 0)
			continue;
		block_reclaim_all(&fixture->one);
		block_reclaim_all(&fixture->one);
		for (mate = 0; mate < MATES; mate++) {
			if (versions[mate] != 0)
				is_found(fixture, mate, versions[mate]);
			else
				is_not_found(fixture, mate, -ENOENT);
		}
		yard_check(&fixture->yard, NULL);
	}
}

static void keys_that_read_alike_are_not_mixed_up(void **state)
{
	struct fixture *fixture = *state;
	const struct corral_key pairs[][2] = {
		{ { { "ab", 2 }, { "c", 1 } }, { { "a", 1 }, { "bc", 2 } } },
		{ { { "x", 1 }, { "s", 1 } }, { { "y", 1 }, { "s", 1 } } },
		{ { { "a", 1 }, { "b", 1 } }, { { "b", 1 }, { "a", 1 } } },
		{ { { "a", 1 }, { "bb", 2 } }, { { "a", 1 }, { "b", 1 } } },
	};
	struct found found = { 0 };
	uint64_t version;

	for (size_t i = 0; i < COUNT(pairs); i++) {
		uint64_t hashes[2] = { slot_hash(&fixture->us.arena, &pairs[i][0]),
				       slot_hash(&fixture->us.arena, &pairs[i][1]) };
		assert_true(hashes[0] != hashes[1]);
		/* even with equal hashes */
		struct kit_key one = { .key = pairs[i][0], .hash = hashes[0] },
			       two = { .key = pairs[i][1], .hash = hashes[0] };
		assert_int_equal(kit_make(&fixture->one, &one, 1, &version), 0);
		assert_int_equal(kit_find(&fixture->one, &two, &found), -ENOENT);
		assert_int_equal(kit_end(&fixture->one, &two), -ENOENT);
		assert_int_equal(kit_make(&fixture->one, &two, 2, &version), 0);
		assert_int_equal(kit_find(&fixture->one, &two, &found), 0);
		assert_true(cart_has_key(found.cart, found.room, &two.key));
		assert_int_equal(kit_end(&fixture->one, &two), 0);
		assert_int_equal(kit_find(&fixture->one, &two, &found), -ENOENT);
		assert_int_equal(kit_find(&fixture->one, &one, &found), 0);
		assert_int_equal(
			slot_recheck(&fixture->us.arena, found.slot, one.hash, &two.key, &found),
			-ENOENT);
		assert_int_equal(
			slot_recheck(&fixture->us.arena, found.slot, hashes[1], &one.key, &found),
			-ENOENT);
		assert_int_equal(kit_end(&fixture->one, &one), 0);
	}
}

static void a_damaged_chain_is_reported_and_its_walk_ends(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->us.arena;
	uint64_t version;

	for (uint32_t mate = 0; mate < 4; mate++)
		made(fixture, mate);
	slot_link head = arena->chains[5].head; /* mate 3; mate 0 is last */
	struct slot *first = arena_slot(arena, head), *second = arena_slot(arena, first->next);
	slot_link next = second->next;
	const slot_link bad[] = { head, first->next, arena->max_carts + 1, UINT32_MAX };
	for (size_t i = 0; i < COUNT(bad); i++) {
		second->next = bad[i];
		is_found(fixture, 3, 1);
		is_not_found(fixture, 0, -EUCLEAN);
		is_not_found(fixture, 10, -EUCLEAN);
		assert_int_equal(kit_make(&fixture->one, &fixture->mates[0], 1, &version),
				 -EUCLEAN);
		assert_int_equal(kit_end(&fixture->one, &fixture->mates[0]), -EUCLEAN);
		assert_int_equal(fixture->one.record->intent.hand, 0);
	}
	second->next = next;
	block_ref current = first->current;
	const block_ref beyond[] = { 1, arena->space_first - 1, arena->space_end, UINT32_MAX,
				     arena->space_end - 1 };
	for (size_t i = 0; i < COUNT(beyond); i++) {
		first->current = beyond[i];
		is_not_found(fixture, 3, -EUCLEAN);
		assert_int_equal(kit_change(&fixture->one, &fixture->mates[3], 1, &version),
				 -EUCLEAN);
		is_found(fixture, 0, 1); /* the others are not affected */
	}
	first->current = current;
	is_found(fixture, 3, 1);
}

static void ignore_finding(void *context, const char *line)
{
	(void)line;
	++*(uint32_t *)context;
}

/* Any values in the clock's and the carts' fields: no overflow (UBSan), no crash, no hang. */
static void corrupted_times_do_no_harm(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->us.arena;
	const uint64_t values[] = { 0,          1,
				    INT64_MAX,  (uint64_t)INT64_MIN,
				    UINT64_MAX, INT64_MAX - 1000000000ull };

	made(fixture, 0);
	struct slot *slot = arena_slot(arena, arena->chains[5].head);
	uint64_t *words[] = { &arena->header->ttl_ns, (uint64_t *)&arena->header->clock_offset_ns,
			      &slot->lease };
	for (size_t i = 0; i < COUNT(words) * COUNT(words); i++) {
		uint64_t *one = words[i / COUNT(words)], *two = words[i % COUNT(words)];
		const uint64_t before[] = { *one, *two };
		for (size_t j = 0; j < COUNT(values) * COUNT(values); j++) {
			struct inspect *inspect;
			struct inspect_totals totals;
			char why[ARENA_WHY_BYTES];
			uint64_t faults;
			uint32_t told = 0;
			bool quiet;
			*two = values[j % COUNT(values)];
			*one = values[j / COUNT(values)];
			assert_int_equal(
				inspect_open(fixture->yard.path, false, &inspect, why, sizeof(why)),
				0);
			assert_int_equal(inspect_check(inspect, ignore_finding, &told, &faults,
						       &quiet, &totals),
					 0);
			inspect_close(inspect);
			(void)slot_deadline_ns(arena, slot->lease);
			(void)arena_now_ns(arena);
		}
		*two = before[1];
		*one = before[0];
	}
	is_found(fixture, 0, 1);
}

/* ---------------------------------------------------------------- versions */

static void versions_of_a_key_grow_from_cart_to_cart(void **state)
{
	struct fixture *fixture = *state;
	struct bucket *bucket = &fixture->us.arena.buckets[5];
	uint64_t last = 0, version;

	for (uint32_t life = 0; life < 30; life++) {
		version = made(fixture, 0);
		assert_true(version > last);
		for (uint32_t i = 0; i < life % 4; i++)
			assert_int_equal(kit_change(&fixture->one, &fixture->mates[0], i, &version),
					 0);
		last = version;
		uint64_t mate =
			made(fixture,
			     1); /* ends with a smaller version: the lower bound does not sink */
		assert_int_equal(kit_end(&fixture->one, &fixture->mates[0]), 0);
		assert_true(bucket->version_floor >= last);
		uint64_t floor = bucket->version_floor;
		assert_int_equal(kit_end(&fixture->one, &fixture->mates[1]), 0);
		assert_true(bucket->version_floor >= floor && bucket->version_floor >= mate);
		if (bucket->version_floor > last)
			last = bucket->version_floor;
		block_reclaim_all(&fixture->one);
		block_reclaim_all(&fixture->one);
	}
}

/* ------------------------------------------------------------------- slots */

static void a_slot_is_reused_only_when_no_reader_can_see_it(void **state)
{
	struct fixture *fixture = *state;
	struct found found = { 0 };
	uint64_t version;

	made(fixture, 0);
	made(fixture, 1);
	grace_enter(&fixture->two);
	assert_int_equal(slot_find(&fixture->us.arena, fixture->mates[1].hash,
				   &fixture->mates[1].key, &found),
			 0);
	slot_link next = found.slot->next;
	assert_int_equal(kit_end(&fixture->one, &fixture->mates[1]), 0);
	is_not_found(fixture, 1, -ENOENT);
	for (uint32_t mate = 2; mate < MATES; mate++)
		made(fixture, mate);
	for (uint32_t round = 0; round < 10; round++) {
		for (uint32_t mate = 2; mate < 6; mate++) {
			(void)kit_end(&fixture->one, &fixture->mates[mate]);
			block_reclaim_all(&fixture->one);
			(void)kit_make(&fixture->one, &fixture->mates[mate], mate,
				       &version); /* -ENFILE, in the end */
		}
		assert_int_equal(found.slot->hash, fixture->mates[1].hash);
		assert_int_equal(found.slot->next, next); /* the reader can continue from there */
		assert_int_equal(cart_validate(found.cart, found.room), 0);
		assert_true(cart_has_key(found.cart, found.room, &fixture->mates[1].key));
	}
	assert_int_equal(block_take_slot(&fixture->one), -ENFILE);
	grace_leave(&fixture->two);
	block_reclaim_all(&fixture->one);
	block_reclaim_all(&fixture->one);
	for (uint32_t mate = 1; mate < MATES; mate++)
		(void)kit_make(&fixture->one, &fixture->mates[mate], mate, &version);
	for (uint32_t mate = 0; mate < MATES; mate++)
		assert_int_equal(kit_end(&fixture->one, &fixture->mates[mate]), 0);
}

static void the_change_word_grows_and_remembers_waiters(void **state)
{
	struct fixture *fixture = *state;
	struct found found = { 0 };
	uint64_t version = made(fixture, 0);

	assert_int_equal(kit_find(&fixture->one, &fixture->mates[0], &found), 0);
	struct slot *slot = found.slot;
	uint32_t change = slot->change;
	assert_int_equal(kit_change(&fixture->one, &fixture->mates[0], 1, &version), 0);
	assert_int_equal(slot->change, change + 2);
	(void)fetch_or_acq_rel(&slot->change, 1u);
	slot_want(&fixture->one, slot_bucket(&fixture->us.arena, fixture->mates[0].hash), slot);
	assert_int_equal(lock_take(&fixture->one, &fixture->us.arena.buckets[5].lock, LOCK_BUCKET),
			 0);
	assert_int_equal(lock_take(&fixture->one, &slot->lock, LOCK_SLOT), 0);
	bool wake = false;
	assert_int_equal(
		slot_end(&fixture->one, &fixture->us.arena.buckets[5], slot, slot->lease, &wake),
		0);
	assert_true(wake);
	assert_int_equal(slot->change, change + 4);
	lock_drop(&fixture->one, &slot->lock, LOCK_SLOT);
	lock_drop(&fixture->one, &fixture->us.arena.buckets[5].lock, LOCK_BUCKET);
	block_retire_old(&fixture->one);
	assert_int_equal(fixture->us.arena.header->carts_live, 0);
}

static void end_and_renewal_do_not_both_win(void **state)
{
	struct fixture *fixture = *state;
	struct bucket *bucket = &fixture->us.arena.buckets[5];
	struct found found = { 0 };
	bool wake;

	made(fixture, 0);
	assert_int_equal(kit_find(&fixture->one, &fixture->mates[0], &found), 0);
	struct arena *arena = &fixture->us.arena;
	struct found renewed = found;
	int64_t touched = lease_touched_ns(found.lease) + 2 * LEASE_UNIT_NS;
	int64_t deadline = slot_deadline_ns(arena, found.lease), until;
	slot_want(&fixture->one, bucket, found.slot);
	assert_int_equal(lock_take(&fixture->one, &bucket->lock, LOCK_BUCKET), 0);
	assert_int_equal(lock_take(&fixture->one, &found.slot->lock, LOCK_SLOT), 0);
	assert_int_equal(slot_end_if_over(&fixture->one, bucket, found.slot, deadline - 1, &wake),
			 -EAGAIN);
	assert_true(slot_touch(arena, &found, touched, true));
	assert_false(
		slot_touch(arena, &found, touched + LEASE_UNIT_NS, true)); /* it must look again */
	assert_int_equal(slot_judge(arena, &found, deadline, true, &until), -EAGAIN);
	assert_int_equal(slot_end_if_over(&fixture->one, bucket, found.slot, deadline, &wake),
			 -EAGAIN);
	renewed.lease = found.slot->lease;
	assert_int_equal(slot_judge(arena, &renewed, deadline, true, &until), 0);
	assert_true(until == deadline + 2 * LEASE_UNIT_NS);
	assert_int_equal(slot_end_if_over(&fixture->one, bucket, found.slot, until, &wake), 0);
	assert_false(wake);
	assert_false(slot_touch(arena, &renewed, until, true));
	assert_int_equal(slot_end_if_over(&fixture->one, bucket, found.slot, INT64_MAX, &wake),
			 -EAGAIN); /* once */
	lock_drop(&fixture->one, &found.slot->lock, LOCK_SLOT);
	lock_drop(&fixture->one, &bucket->lock, LOCK_BUCKET);
	block_retire_old(&fixture->one);
	is_not_found(fixture, 0, -ENOENT);
}

/* Once told, an end is final: no touch, renewal, change or repair brings the cart back. */
static void an_end_that_was_told_is_final(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->us.arena;
	struct found found = { 0 };
	int64_t until;
	uint64_t version = made(fixture, 0);

	assert_int_equal(kit_find(&fixture->one, &fixture->mates[0], &found), 0);
	struct slot *slot = found.slot;
	int64_t over = slot_deadline_ns(arena, found.lease);
	arena->header->journal = JOURNAL_MODE_TIME;
	arena->dirty[0] = 0;
	assert_int_equal(slot_judge(arena, &found, over, true, &until), -ENOENT);
	assert_true(slot->lease == LEASE_OVER);
	assert_true((arena->dirty[0] >> (slot - arena->slots) & 1) == 1);
	assert_false(slot_touch(arena, &found, over, true));
	assert_int_equal(kit_find(&fixture->one, &fixture->mates[0], &found), 0);
	assert_int_equal(slot_judge(arena, &found, 0, true, &until),
			 -ENOENT); /* with an old clock value */
	assert_int_equal(slot_renew(arena, slot, 0, 0, true), -EAGAIN);
	assert_int_equal(kit_change(&fixture->one, &fixture->mates[0], 1, &version), -EAGAIN);
	assert_true(slot->lease == LEASE_OVER);
	assert_int_equal(slot_look(arena, (uint32_t)(slot - arena->slots), true, &found, &until),
			 -ENOENT);
}

/* A change whose slot expires after its renewal came just before the end. */
static void publishing_does_not_renew(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->us.arena;
	struct found found = { 0 };
	int64_t until;
	uint64_t version = made(fixture, 0);

	assert_int_equal(kit_find(&fixture->one, &fixture->mates[0], &found), 0);
	struct slot *slot = found.slot;
	slot_want(&fixture->one, NULL, slot);
	assert_int_equal(lock_take(&fixture->one, &slot->lock, LOCK_SLOT), 0);
	assert_int_equal(kit_build(&fixture->one, &fixture->mates[0], &found, 0, 1, &version), 0);
	assert_int_equal(slot_renew(arena, slot, arena_now_ns(arena), 0, true), 0);
	found.lease = slot->lease;
	assert_int_equal(slot_judge(arena, &found, INT64_MAX, true, &until), -ENOENT);
	kit_publish(&fixture->one, slot, 100);
	assert_true(slot->lease == LEASE_OVER);
	lock_drop(&fixture->one, &slot->lock, LOCK_SLOT);
	block_retire_old(&fixture->one);
}

static void a_longer_life_comes_before_the_version_a_shorter_one_after(void **state)
{
	struct fixture *fixture = *state;
	struct arena *arena = &fixture->us.arena;
	const uint64_t standard = arena->header->ttl_ns, hour_ms = 3600000;
	struct found found = { 0 };
	uint64_t version = made(fixture, 0);

	assert_int_equal(kit_find(&fixture->one, &fixture->mates[0], &found), 0);
	struct slot *slot = found.slot;
	slot_want(&fixture->one, NULL, slot);
	assert_int_equal(lock_take(&fixture->one, &slot->lock, LOCK_SLOT), 0);
	assert_int_equal(slot_renew(arena, slot, arena_now_ns(arena), 1000, true), 0);
	assert_int_equal(lease_ttl_ns(slot->lease, standard), standard);
	assert_int_equal(slot_renew(arena, slot, arena_now_ns(arena), hour_ms, true), 0);
	assert_true(lease_ttl_ns(slot->lease, standard) >= hour_ms * 1000000);
	assert_int_equal(kit_build(&fixture->one, &fixture->mates[0], &found, 0, 1, &version), 0);
	kit_publish(&fixture->one, slot, 1000);
	assert_true(lease_ttl_ns(slot->lease, standard) < 1002 * 1000000ull);
	lock_drop(&fixture->one, &slot->lock, LOCK_SLOT);
	block_retire_old(&fixture->one);
}

#define with_cast(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_cast(a_cart_anywhere_in_a_chain_is_found_until_it_ends),
		with_cast(keys_that_read_alike_are_not_mixed_up),
		with_cast(a_damaged_chain_is_reported_and_its_walk_ends),
		with_cast(corrupted_times_do_no_harm),
		with_cast(versions_of_a_key_grow_from_cart_to_cart),
		with_cast(a_slot_is_reused_only_when_no_reader_can_see_it),
		with_cast(the_change_word_grows_and_remembers_waiters),
		with_cast(end_and_renewal_do_not_both_win),
		with_cast(an_end_that_was_told_is_final),
		with_cast(publishing_does_not_renew),
		with_cast(a_longer_life_comes_before_the_version_a_shorter_one_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
