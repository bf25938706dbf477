/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 80_crash_matrix.c: death at every instruction of every operation, and who comes then.
 *
 * For each operation: the states of the arena between its instructions (crash_kit.h); for each state, the one who did
 * it is dead and somebody arrives:
 *   newcomer  attaches, and takes the dead one's process record
 *   waiter    is another process; does the same operation on the same cart, and so meets the locks
 *   agent     looks after the dead, reclaims
 * Then everything must be well: the cart is as before or as after the operation, nothing between; the same
 * operation again (with its operation id) leads to the same cart; no lock is held; every block and slot is in one
 * place; and when all carts are dropped, no byte is live, cached, retired or lost.
 *
 * Repair is an operation too (the second death): its own instructions are gone through for some states.
 *
 * timeout: 300 (it is all single steps)
 *
 * CORRAL_CRASH=all looks at every state; else at about SAMPLE of each operation, spread evenly.
 */
#include <sys/ptrace.h>
#include <unistd.h>

#include "atomic.h"
#include "block.h"
#include "crash_kit.h"
#include "crash_operations.h"
#include "expire.h"
#include "grace.h"
#include "handle.h"
#include "repair.h"

#ifdef __SANITIZE_ADDRESS__ /* many more instructions: a smaller sample, and no second death */
#define SAMPLE 10u
#define SECOND_DEATH false
#else
#define SAMPLE 10u
#define SECOND_DEATH true
#endif
#define ARENA_BYTES (8u << 20)

enum arrival { NEWCOMER, WAITER, AGENT, ARRIVALS };
static const char *const arrival_names[] = { "newcomer", "waiter", "agent" };

static const struct crash_operation *current;
static struct crash_stage stage;
static uint64_t cells, steps, states;

/* ------------------------------------------------------------- the victim */

static void *prepare_victim(const char *directory)
{
	struct corral *corral;
	struct actor *actor;

	if (current->prepare == NULL)
		return (void *)(uintptr_t)directory;
	must(corral_open(directory, 0, &corral) == 0);
	must(handle_actor(corral, &actor) == 0);
	current->prepare(corral);
	return corral;
}

static void let_victim_act(void *prepared)
{
	struct corral *corral = prepared;

	if (current->act == NULL) {
		struct actor *actor;
		must(corral_open(prepared, 0, &corral) == 0);
		must(handle_actor(corral, &actor) == 0);
		return;
	}
	must(current->act(corral) == 0);
}

/* ------------------------------------------------------------- what is there */

/* The cart in words; versions and times left out, since a cell comes later than the operation. */
static void describe(struct corral *corral, char *text, size_t size)
{
	struct corral_cart *cart;
	int r = corral_get(corral, &crash_key, &cart);

	if (r < 0) {
		snprintf(text, size, "%s", r == -ENOENT ? "none" : corral_strerror(r));
		return;
	}
	size_t at = (size_t)snprintf(text, size, "%u %lld", cart->head.status, (long long)cart->head.total_cents);
	for (uint32_t i = 0; i < cart->line_count && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, " %u:%.*s*%u", cart->lines[i].line,
				       (int)cart->lines[i].item.menu_item_id.size,
				       cart->lines[i].item.menu_item_id.data, cart->lines[i].item.quantity);
	for (uint32_t i = 0; i < cart->attribute_count && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, " %.*s", (int)cart->attributes[i].name.size,
				       cart->attributes[i].name.data);
	corral_cart_free(cart);
}

static char before[512], after[512]; /* the cart without the operation, and with it */

static void expect(void)
{
	struct corral *corral = NULL;
	struct yard yard;
	const struct arena_settings settings = { ARENA_BYTES, 64, 1800ull * 1000000000, false, 0 };

	yard_make(&yard, &settings);
	corral = yard_open(&yard, 0);
	if (current->prepare != NULL)
		current->prepare(corral);
	describe(corral, before, sizeof(before));
	if (current->act != NULL && current->kind < CRASH_NO_CHANGE)
		assert_int_equal(current->act(corral), 0);
	describe(corral, after, sizeof(after));
	if (current->kind == CRASH_EXPIRES)
		snprintf(after, sizeof(after), "none");
	corral_close(corral);
	yard_remove(&yard);
}

/* -------------------------------------------------------------- a cell */

/* Attach to the other arena, where the victim is dead. */
static struct corral *arrive(enum arrival who)
{
	struct corral *corral = NULL;
	struct life keeper;
	char why[ARENA_WHY_BYTES];

	/* a waiter is a process that was there before: the victim's byte is kept until it has a record of its own */
	if (who == WAITER) {
		assert_int_equal(alive_open(stage.other.dir_fd, false, &keeper, why), 0);
		assert_true(alive_take(&keeper, ALIVE_BYTE(0)));
	}
	assert_int_equal(corral_open(stage.other.path, 0, &corral), 0);
	if (who == WAITER)
		alive_close(&keeper);
	if (who == AGENT)
		(void)alive_bury_all(&corral->arena, &corral->life, repair_process);
	return corral;
}

static void check_cart(struct corral *corral, enum arrival who, uint64_t state)
{
	char found[512];

	describe(corral, found, sizeof(found));
	if (current->kind == CRASH_SEVERAL) /* four changes, each whole */
		return;
	if (strcmp(found, before) != 0 && strcmp(found, after) != 0)
		fail_msg("%s, state %llu, %s: the cart is \"%s\", neither \"%s\" nor \"%s\"", current->name,
			 (unsigned long long)state, arrival_names[who], found, before, after);
}

static void do_it_again(struct corral *corral, enum arrival who, uint64_t state)
{
	char found[512];

	if (current->act == NULL || current->kind >= CRASH_NO_CHANGE)
		return;
	int r = current->act(corral);
	if (current->kind == CRASH_DROPS && r == -ENOENT)
		r = 0;
	if (current->kind == CRASH_REPLACES && r == -ECANCELED)
		r = 0;
	describe(corral, found, sizeof(found));
	if (r < 0 || strcmp(found, after) != 0)
		fail_msg("%s, state %llu, %s: done again it is \"%s\" (%s), not \"%s\"", current->name,
			 (unsigned long long)state, arrival_names[who], found, corral_strerror(r), after);
}

static void drop_all(struct corral *corral)
{
	struct corral_entry rows[64];
	uint64_t cursor = 0;
	size_t count;

	assert_int_equal(corral_list(corral, NULL, &cursor, rows, COUNT(rows), &count), 0);
	for (size_t i = 0; i < count; i++) {
		struct corral_key one = { corral_text(rows[i].restaurant_id), corral_text(rows[i].session_id) };
		assert_int_equal(corral_drop(corral, &one, NULL, NULL), 0);
	}
	struct actor *actor;
	assert_int_equal(handle_actor(corral, &actor), 0);
	support_sleep_us(0);
	(void)alive_bury_all(&corral->arena, &corral->life, repair_process);
	(void)expire_slots(actor, 0, 64);
	for (int i = 0; i < 3; i++)
		block_reclaim_all(actor);
}

static void check_memory(enum arrival who, uint64_t state)
{
	struct inspect_totals totals;

	yard_check(&stage.other, &totals);
	if (totals.live_bytes + totals.cached_bytes + totals.retired_bytes + totals.lost_bytes + totals.locks_held != 0)
		fail_msg("%s, state %llu, %s: live %llu cached %llu retired %llu lost %llu locks %u", current->name,
			 (unsigned long long)state, arrival_names[who], (unsigned long long)totals.live_bytes,
			 (unsigned long long)totals.cached_bytes, (unsigned long long)totals.retired_bytes,
			 (unsigned long long)totals.lost_bytes, totals.locks_held);
}

static void cell(enum arrival who, uint64_t state)
{
	crash_to_other(&stage);
	yard_check(&stage.other, NULL); /* as the dead left it: nothing is lost, only unfinished */
	struct corral *corral = arrive(who);
	assert_int_equal(corral_set_patience(corral, 200), 0);
	check_cart(corral, who, state);
	do_it_again(corral, who, state);
	drop_all(corral);
	corral_close(corral);
	check_memory(who, state);
	cells++;
}

/* ----------------------------------------------------------------- the tests */

struct pace {
	uint64_t every;
	uint64_t keep_every; /* keep these states' images, for the second death */
	struct image kept[8];
	uint32_t kept_count;
};

static bool whole(void)
{
	const char *wanted = getenv("CORRAL_CRASH");

	return wanted != NULL && strcmp(wanted, "all") == 0;
}

static void count_only(struct crash_stage *unused, uint64_t state, void *context)
{
	(void)unused;
	(void)state;
	(void)context;
}

static void look_at_state(struct crash_stage *unused, uint64_t state, void *context)
{
	struct pace *pace = context;

	(void)unused;
	if (pace->keep_every != 0 && state % pace->keep_every == pace->keep_every / 2 &&
	    pace->kept_count < COUNT(pace->kept))
		crash_keep(&stage, &pace->kept[pace->kept_count++]);
	if (state % pace->every != 0)
		return;
	for (enum arrival who = NEWCOMER; who < ARRIVALS; who++)
		cell(who, state);
}

static void run_all(const struct crash_plan *plan, const struct image *from, struct pace *pace)
{
	pace->every = SECOND_DEATH ? 1 : 61;
	if (!whole() && SECOND_DEATH) { /* count first, then spread the sample */
		crash_stage_reset(&stage, from);
		if (!crash_run(&stage, plan, count_only, NULL))
			skip();
		pace->every = max_u64(1, stage.states / SAMPLE);
	}
	crash_stage_reset(&stage, from);
	if (!crash_run(&stage, plan, look_at_state, pace))
		skip();
	steps += stage.instructions;
	states += stage.states;
}

static void death_in_it_leaves_all_well(void **state)
{
	const struct crash_plan plan = { prepare_victim, let_victim_act };
	struct pace pace = { 0 };

	NEEDS_PROCESSES();
	current = *state;
	expect();
	run_all(&plan, NULL, &pace);
	print_message("%s: %llu instructions, %llu states, every %llu\n", current->name,
		      (unsigned long long)stage.instructions, (unsigned long long)stage.states,
		      (unsigned long long)pace.every);
}

/* The second victim: attaches where the first one died, and so repairs. */
static void *prepare_repairer(const char *directory)
{
	return (void *)(uintptr_t)directory;
}

static void let_repairer_act(void *prepared)
{
	struct corral *corral;
	struct actor *actor;

	must(corral_open(prepared, 0, &corral) == 0);
	must(handle_actor(corral, &actor) == 0);
}

static void death_in_its_repair_leaves_all_well(void **state)
{
	const struct crash_plan first = { prepare_victim, let_victim_act };
	const struct crash_plan second = { prepare_repairer, let_repairer_act };
	struct pace keep = { .every = UINT64_MAX };
	struct pace pace = { 0 };

	NEEDS_PROCESSES();
	if (!SECOND_DEATH)
		skip();
	current = *state;
	expect();
	crash_stage_reset(&stage, NULL);
	if (!crash_run(&stage, &first, count_only, NULL))
		skip();
	keep.keep_every = max_u64(1, stage.states / (whole() ? 8 : 2));
	crash_stage_reset(&stage, NULL);
	if (!crash_run(&stage, &first, look_at_state, &keep))
		skip();
	for (uint32_t i = 0; i < keep.kept_count; i++) {
		run_all(&second, &keep.kept[i], &pace);
		free(keep.kept[i].bytes);
	}
}

static int make_stage(void **unused)
{
	(void)unused;
	crash_stage_make(&stage, ARENA_BYTES, 64);
	return 0;
}

static int remove_stage(void **unused)
{
	(void)unused;
	print_message("crash matrix: %u operations, %llu instructions, %llu states, %llu cells\n", CRASH_OPERATIONS,
		      (unsigned long long)steps, (unsigned long long)states, (unsigned long long)cells);
	crash_stage_remove(&stage);
	return 0;
}

int main(void)
{
	struct CMUnitTest tests[2 * CRASH_OPERATIONS];
	char names[2 * CRASH_OPERATIONS][96];

	for (size_t i = 0; i < CRASH_OPERATIONS; i++) {
		snprintf(names[2 * i], sizeof(names[0]), "death in %s leaves all well", crash_operations[i].name);
		snprintf(names[2 * i + 1], sizeof(names[0]), "death in the repair after %s leaves all well",
			 crash_operations[i].name);
		void *operation = (void *)(uintptr_t)&crash_operations[i];
		tests[2 * i] = (struct CMUnitTest){ names[2 * i], death_in_it_leaves_all_well, NULL, NULL, operation };
		tests[2 * i + 1] = (struct CMUnitTest){ names[2 * i + 1], death_in_its_repair_leaves_all_well, NULL,
							NULL, operation };
	}
	return cmocka_run_group_tests(tests, make_stage, remove_stage);
}
