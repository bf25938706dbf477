/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_slots.c: see crash_slots.h.
 */
#include "crash_slots.h"

#include <fcntl.h>

struct member us;
struct actor one, two;
struct kit_key keys[CRASH_KEYS];
struct crash_stage stage;

static struct {
	const struct crash_slots_operation *operation;
	void (*look)(void);
	uint64_t bytes;
	uint32_t max_carts;
} run;

/* -------------------------------------------------------------- operations */

void make(uint32_t key)
{
	uint64_t version;

	must(kit_make(&one, &keys[key], 16, &version) == 0);
}

void change(struct actor *actor, uint32_t key, uint32_t dice)
{
	uint64_t version;

	must(kit_change(actor, &keys[key], dice, &version) == 0);
}

void end(uint32_t key)
{
	must(kit_end(&one, &keys[key]) == 0);
}

void lock_lists_of_one(void)
{
	note(&two.record->intent.lists, one.name);
	must(lock_take(&two, &one.record->retired.lock, LOCK_LISTS) == 0);
}

void unlock_lists_of_one(void)
{
	lock_drop(&two, &one.record->retired.lock, LOCK_LISTS);
}

/* --------------------------------------------------------------- the victim */

void find_keys(const struct arena *arena)
{
	for (uint32_t i = 0; i < CRASH_KEYS; i++)
		kit_key_in(arena, 9, i, &keys[i]);
}

static void *prepare_victim(const char *directory)
{
	struct yard yard;

	snprintf(yard.path, sizeof(yard.path), "%s", directory);
	yard.dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(member_join(&yard, &us) == 0);
	must(member_actor(&us, &one) == 0);
	must(member_actor(&us, &two) == 0);
	find_keys(&us.arena);
	if (run.operation->prepare != NULL)
		run.operation->prepare();
	return NULL;
}

static void let_victim_act(void *prepared)
{
	(void)prepared;
	run.operation->act();
}

/* ---------------------------------------------------------------- the tests */

static void look_at_state(struct crash_stage *unused, uint64_t state, void *context)
{
	(void)unused;
	(void)state;
	(void)context;
	run.look();
}

static void one_operation(void **state)
{
	const struct crash_plan plan = { prepare_victim, let_victim_act, NULL };

	NEEDS_PROCESSES();
	run.operation = *state;
	crash_stage_reset(&stage, NULL);
	if (!crash_run(&stage, &plan, look_at_state, NULL))
		skip_because("ptrace(2) is not allowed here");
	print_message("%llu instructions, %llu states\n", (unsigned long long)stage.instructions,
		      (unsigned long long)stage.states);
}

static int make_stage(void **unused)
{
	(void)unused;
	crash_stage_make(&stage, run.bytes, run.max_carts);
	return 0;
}

static int remove_stage(void **unused)
{
	(void)unused;
	crash_stage_remove(&stage);
	return 0;
}

int crash_slots_run(const struct crash_slots_operation *operations, size_t count, const char *claim,
		    uint64_t bytes, uint32_t max_carts, void (*look)(void))
{
	struct CMUnitTest tests[count];
	char names[count][96];

	run.look = look;
	run.bytes = bytes;
	run.max_carts = max_carts;
	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[0]), claim, operations[i].name);
		tests[i] = (struct CMUnitTest){ names[i], one_operation, NULL, NULL,
						(void *)(uintptr_t)&operations[i] };
	}
	return _cmocka_run_group_tests("crash_slots", tests, count, make_stage, remove_stage);
}
