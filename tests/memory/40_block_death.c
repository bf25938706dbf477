/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 40_block_death.c: processes that use memory are killed at any moment, in a small arena where
 * spans are carved and dissolved all the time. No block or slot is lost and none is in two places,
 * neither before the repair (as check sees it) nor after it. The disk may be full as well.
 */
#include "block_kit.h"
#include "slot_kit.h"

#include <signal.h>
#include <unistd.h>

#define TTL_NS 1800000000000ull
#define VICTIMS 3
#define KEYS 12
#define KILLS 12 /* in one batch; then all are killed and the arena is checked */
#define BATCHES 25

struct victim {
	struct yard yard;
	uint64_t seed;
	uint64_t *steps;
};

/*
 * Each block is in a hand, in a cart, or about to be retired: never known only to the local
 * variables of a process that may die.
 */
static void use_memory(struct actor *actor, const struct kit_key *keys, uint64_t *random)
{
	uint32_t dice = random_below(random, 64);
	const struct kit_key *key = &keys[random_below(random, KEYS)];
	uint64_t version;
	int r = 0;

	if (dice < 16) {
		uint32_t bytes = 1u << (8 + random_below(random, 9));
		r = block_alloc(actor, bytes + random_below(random, bytes));
		if (r == 0) {
			must(arena_block(actor->arena, actor->record->intent.hand)->slot == 0);
			block_free_hand(actor);
		}
	} else if (dice < 44) {
		r = kit_change(actor, key, (uint32_t)random_next(random), &version);
		if (r == -ENOENT)
			r = kit_make(actor, key, (uint32_t)random_next(random), &version);
	} else if (dice < 50) {
		r = kit_end(actor, key);
	} else if (dice < 54) {
		grace_enter(actor);
		support_sleep_us(random_below(random, 20));
		grace_leave(actor);
	} else if (dice < 57) {
		block_reclaim_all(actor);
	} else if (dice < 60) {
		block_flush(actor);
	} else {
		(void)block_scavenge(actor);
	}
	must(r == 0 || r == -ENOENT || r == -EEXIST || r == -EAGAIN || r == -ENOMEM ||
	     r == -ENFILE || r == -EBUSY);
}

static void make_keys(const struct arena *arena, struct kit_key keys[KEYS])
{
	for (uint32_t i = 0; i < KEYS; i++)
		kit_key_in(arena, i, 0, &keys[i]);
}

static int live_and_be_killed(void *context)
{
	const struct victim *victim = context;
	uint64_t random = victim->seed + (uint64_t)getpid();
	struct member us;
	struct actor one;
	struct kit_key keys[KEYS];

	must(member_join(&victim->yard, &us) == 0);
	must(member_actor(&us, &one) == 0);
	make_keys(&us.arena, keys);
	for (;;) {
		use_memory(&one, keys, &random);
		(void)fetch_add_relaxed(victim->steps, 1u);
	}
}

/* No process is alive, so every fault was caused by a death. */
static void look_at_what_they_left(const struct yard *yard)
{
	struct member us;
	struct actor one;

	yard_check(yard, NULL); /* as it is, before any repair */
	assert_int_equal(member_join(yard, &us), 0);
	(void)alive_bury_all(&us.arena, &us.life, repair_process);
	yard_check(yard, NULL);
	assert_int_equal(member_actor(&us, &one), 0);
	for (uint32_t number = 0; number < us.arena.header->threads_high; number++) {
		const struct thread_record *record = &us.arena.threads[number];
		assert_true(record->owner == 0 || record == one.record);
		assert_int_equal(record->retired.lock, 0);
		assert_int_equal(record->reader, 0);
	}
	for (uint32_t class_no = 0; class_no < CLASS_COUNT; class_no++)
		assert_int_equal(us.arena.classes[class_no].lock, 0);
	assert_int_equal(us.arena.header->space_lock, 0);
	assert_int_equal(us.arena.header->slots_lock, 0);
	struct kit_key keys[KEYS];
	make_keys(&us.arena, keys);
	for (uint32_t i = 0; i < KEYS; i++) {
		int r = kit_end(&one, &keys[i]);
		assert_true(r == 0 || r == -ENOENT);
	}
	kit_base_line(&one);
	uint32_t slots = 0;
	for (; slots <= us.arena.max_carts && block_take_slot(&one) == 0; slots++)
		note(&one.record->intent.hand_slot, 0);
	assert_int_equal(slots, us.arena.max_carts);
	for (slot_link link = 1; link <= slots; link++) {
		note(&one.record->intent.hand_slot, link);
		block_flush(&one);
	}
	member_dismiss(&one);
	member_leave(&us);
	yard_check(yard, NULL);
}

static void kill_and_look(uint32_t victims, bool replace, uint32_t batches, uint32_t kills)
{
	uint64_t *steps = support_shared(sizeof(*steps));
	uint64_t random = support_seed();
	struct victim victim = { .seed = random, .steps = steps };
	pid_t pids[VICTIMS];

	yard_make(&victim.yard, &kit_small);
	for (uint32_t batch = 0; batch < batches; batch++) {
		for (uint32_t i = 0; i < victims; i++)
			pids[i] = child_start(live_and_be_killed, &victim);
		for (uint32_t kill = 0; kill < kills && replace; kill++) {
			uint64_t before = load_relaxed(steps);
			support_sleep_us(random_below(&random, 3000));
			uint32_t chosen = random_below(&random, victims);
			child_kill(pids[chosen]);
			pids[chosen] = child_start(live_and_be_killed, &victim);
			assert_true(wait_until(load_relaxed(steps) > before + 20, SUPPORT_WAIT_MS));
		}
		support_sleep_us(random_below(&random, 4000));
		for (uint32_t i = 0; i < victims; i++)
			kill(pids[i], SIGKILL); /* all at the same time */
		for (uint32_t i = 0; i < victims; i++)
			child_kill(pids[i]);
		look_at_what_they_left(&victim.yard);
	}
	yard_remove(&victim.yard);
	print_message("%llu steps\n", (unsigned long long)*steps);
}

static void nothing_is_lost_when_one_is_killed_anywhere(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	kill_and_look(1, false, 250, 0);
}

static void nothing_is_lost_when_many_are_killed_together(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	kill_and_look(VICTIMS, false, 120, 0);
}

static void nothing_is_lost_when_the_killed_are_replaced_at_once(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	kill_and_look(VICTIMS, true, BATCHES, KILLS);
}

/* ------------------------------------------------------------------- disk */

static int use_memory_on_full_disk(void *context)
{
	struct yard yard = *(struct yard *)context;
	const struct arena_settings roomy = { .arena_bytes = 64 << 20,
					      .max_carts = 64,
					      .ttl_ns = TTL_NS };
	static block_ref refs[4096];
	struct member us;
	struct actor one;
	struct life life;
	uint32_t counts[2] = { 0, 0 };
	int r = 0;

	yard.dir_fd = support_small_disk(&yard, "6M");
	if (yard.dir_fd < 0)
		return CHILD_SKIPS;
	must(arena_create(yard.dir_fd, &roomy, NULL) == 0);
	must(alive_open(yard.dir_fd, true, &life, NULL) == 0);
	must(member_join(&yard, &us) == 0);
	must(member_actor(&us, &one) == 0);
	for (uint32_t round = 0; round < 2; round++) {
		while (counts[round] < COUNT(refs) &&
		       (r = kit_take(&one, 4000, &refs[counts[round]])) == 0) {
			kit_fill(&us.arena, refs[counts[round]],
				 counts[round]); /* gives no SIGBUS */
			counts[round]++;
		}
		must(r == -ENOSPC);
		for (uint32_t i = 0; i < counts[round]; i++) {
			must(kit_is_filled(&us.arena, refs[i], i));
			if (round == 0)
				kit_retire(&one, refs[i]);
			else
				kit_give(&one, refs[i]);
		}
	}
	must(counts[0] > 100);
	must(counts[1] == counts[0]); /* it continues with the blocks that exist */
	kit_base_line(&one);
	return 0;
}

static void full_disk_refuses_and_recovers(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	struct yard yard;

	yard_make_empty(&yard);
	int code = child_wait(child_start(use_memory_on_full_disk, &yard));
	yard_remove(&yard);
	if (code == CHILD_SKIPS)
		skip_because("a small disk cannot be mounted here");
	assert_int_equal(code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_when_one_is_killed_anywhere),
		cmocka_unit_test(nothing_is_lost_when_many_are_killed_together),
		cmocka_unit_test(nothing_is_lost_when_the_killed_are_replaced_at_once),
		cmocka_unit_test(full_disk_refuses_and_recovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
