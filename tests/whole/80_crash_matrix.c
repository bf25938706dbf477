/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 80_crash_matrix.c: death at every instruction of every operation, and the processes that arrive
 * then.
 *
 * For each operation (crash_operations.h): the states of the arena between its instructions
 * (crash_kit.h). In each state the operation's process is dead and others arrive (crash_guests.h).
 * Then every invariant must hold (crash_oracle.h): the cart is as before or as after the operation,
 * nothing between, and as after it when the call had returned; the dead are buried, each once;
 * changed slots are marked dirty; a grace period completes; the same operation again (with its
 * operation id) leads to the same cart; versions only grow; no lock is held; every block and slot
 * is in one place; and when all carts are dropped, no byte is live, cached, retired or lost. For a
 * forked child's operation there are cells in which only the child is dead and cells in which only
 * the parent is: no process touches the other's records.
 *
 * Repair is an operation too (the second death): by a newcomer, a waiter, the agent, a new agent,
 * for some states.
 *
 * timeout: 300 (nearly all of the time is single steps)
 *
 * CORRAL_CRASH=all examines every state; otherwise about SAMPLE states of each operation, evenly
 * spaced; =first skips the rest after an operation that fails. CORRAL_CRASH_ONLY=n: only operation
 * n; =count: print the number of operations (tests/crash.sh runs them in parallel).
 */
#include <sys/ptrace.h>
#include <unistd.h>

#include "crash_cell.h"

#ifdef __SANITIZE_ADDRESS__ /* many more instructions: a smaller sample, and no second death */
#define SAMPLE 3u
#define SECOND_DEATH false
#else
#define SAMPLE 8u
#define SECOND_DEATH true
#endif
#define SECOND_DEATH_STATES 6u /* in the whole run, at least this many per operation */
#define OPERATIONS_MAX 64u

static struct crash_stage stage;
static uint64_t steps, states, second_deaths;

/* ------------------------------------------------------------- the victim */

static void *prepare_victim(const char *directory)
{
	struct corral *corral;
	struct actor *actor;

	if (crash_death.operation->role == CRASH_AGENT) {
		must(crash_take_up(&crash_agent, directory) == EXIT_DONE);
		crash_death.operation->prepare(crash_agent.corral);
		return crash_agent.corral;
	}
	must(corral_open(directory, 0, &corral) == 0);
	must(handle_actor(corral, &actor) == 0);
	crash_death.operation->prepare(corral);
	if (crash_death.operation->role == CRASH_WORKER)
		return corral;
	corral_close(corral);
	return (void *)(uintptr_t)directory;
}

static void open_and_attach(const char *directory)
{
	struct corral *corral;
	struct actor *actor;

	must(corral_open_as(directory, 0, corral_text(CRASH_LABEL), &corral) == 0);
	must(handle_actor(corral, &actor) == 0);
}

static void let_victim_act(void *prepared)
{
	if (crash_death.operation->role == CRASH_OPENING)
		open_and_attach(prepared);
	else if (crash_death.operation->role == CRASH_STARTING)
		must(crash_take_up(&crash_agent, prepared) == EXIT_DONE);
	else
		must(crash_death.operation->act(prepared) == 0);
}

/* ------------------------------------------------------------------ states */

/*
 * Images of states, evenly spaced over those seen: when there are too many, every other one is
 * discarded.
 */
struct gallery {
	struct image images[64];
	uint32_t count;
	uint32_t least; /* keep at least this many, if there are */
	uint64_t every;
	bool live; /* examine every state at once instead of keeping images */
};

static void thin_out(struct gallery *gallery)
{
	for (uint32_t i = 1; i < gallery->count; i += 2) {
		free(gallery->images[i].bytes);
		gallery->images[i].bytes = NULL;
	}
	for (uint32_t i = 2; i < gallery->count; i += 2) {
		gallery->images[i / 2] = gallery->images[i];
		gallery->images[i].bytes = NULL;
	}
	gallery->count = (gallery->count + 1) / 2;
	gallery->every *= 2;
}

static void look_at_state(struct crash_stage *unused, uint64_t state, void *context)
{
	struct gallery *gallery = context;

	(void)unused;
	if (gallery->live)
		crash_cells_of_state(state);
	if (gallery->least == 0 || (state % gallery->every != 0 && !stage.returned))
		return;
	if (gallery->count == 2 * gallery->least)
		thin_out(gallery);
	if (state % gallery->every == 0 || stage.returned)
		crash_keep(&stage, &gallery->images[gallery->count++]);
}

static void count_run(void)
{
	steps += stage.instructions;
	states += stage.states;
}

static void look_at_gallery(struct gallery *gallery)
{
	for (uint32_t i = 0; i < gallery->count; i++) {
		crash_show(&stage, &gallery->images[i]);
		crash_cells_of_state(i * gallery->every);
	}
}

static void free_gallery(struct gallery *gallery)
{
	for (uint32_t i = 0; i < gallery->count; i++)
		free(gallery->images[i].bytes);
}

/* -------------------------------------------------------------- second death */

/*
 * Attach where the first victim died; all repairers but a newcomer had attached before its death.
 */
static void *prepare_repairer(const char *directory)
{
	struct corral *corral;
	struct life holder;
	struct actor *actor;

	if (crash_death.repairer == CRASH_NEWCOMER || crash_death.repairer == CRASH_NEW_AGENT)
		return (void *)(uintptr_t)directory;
	struct crash_stage here = { .other_map = stage.map, .other = stage.yard };
	crash_hold(&here, crash_processes(&here), &holder);
	must(corral_open(directory,
			 crash_death.repairer == CRASH_RUNNING_AGENT ? CORRAL_OBSERVE : 0,
			 &corral) == 0);
	must(handle_actor(corral, &actor) == 0);
	alive_close(&holder);
	static const struct agent_options options;
	crash_agent = (struct agent){ .options = &options, .corral = corral, .actor = actor };
	must(damaged_begin(&crash_agent) == 0);
	return corral;
}

static void let_repairer_act(void *prepared)
{
	if (crash_death.repairer == CRASH_NEWCOMER)
		open_and_attach(prepared);
	if (crash_death.repairer == CRASH_WAITER)
		must(crash_again(crash_death.operation, prepared) >= 0);
	if (crash_death.repairer == CRASH_NEW_AGENT)
		must(crash_take_up(&crash_agent, prepared) == EXIT_DONE);
	if (crash_death.repairer == CRASH_NEW_AGENT || crash_death.repairer == CRASH_RUNNING_AGENT)
		agent_tick(&crash_agent);
}

static void die_again(const struct image *image)
{
	const struct crash_plan plan = { prepare_repairer, let_repairer_act, NULL };
	struct gallery gallery = { .live = crash_whole(),
				   .least = crash_whole() ? 0 : SAMPLE / 2,
				   .every = 1 };

	crash_death.first_acknowledged = image->returned;
	crash_stage_again(
		&stage,
		image); /* states seen after a different first death need not be examined again */
	if (!crash_run(&stage, &plan, look_at_state, &gallery))
		skip_because("ptrace(2) is not allowed here");
	count_run();
	second_deaths += stage.states;
	look_at_gallery(&gallery);
	free_gallery(&gallery);
}

/*
 * True if this operation is to be interrupted after that death. Slow operations are chosen less
 * often; an arena of an earlier boot is the agent's.
 */
static bool dies_there(const struct gallery *first, uint32_t image, size_t operation)
{
	if (!crash_whole())
		return image == first->count / 2 && operation % 4 == crash_death.repairer;
	if (crash_death.operation->long_winded)
		return image % 4 == 0 && (crash_death.operation->role != CRASH_STARTING ||
					  crash_death.repairer == CRASH_NEW_AGENT);
	return crash_death.repairer != CRASH_NEW_AGENT || image % 4 == 0;
}

static void die_again_in_repair(const struct gallery *first, size_t operation)
{
	crash_stage_reset(&stage, NULL);
	for (uint32_t i = 0; i < first->count; i++)
		for (crash_death.repairer = CRASH_NEWCOMER; crash_death.repairer <= CRASH_NEW_AGENT;
		     crash_death.repairer++)
			if (dies_there(first, i, operation))
				die_again(&first->images[i]);
	crash_death.repairer = CRASH_ARRIVALS;
}

/* ----------------------------------------------------------------- the tests */

static const struct crash_operation *operation_of(size_t number)
{
	return number < crash_worker_operation_count ?
		       &crash_worker_operations[number] :
		       &crash_care_operations[number - crash_worker_operation_count];
}

static void death_anywhere_in_it_breaks_no_invariant(void **state)
{
	static bool under_way;
	const char *wanted = getenv("CORRAL_CRASH") != NULL ? getenv("CORRAL_CRASH") : "";
	const struct crash_plan plan = { prepare_victim, let_victim_act, crash_begin };
	const size_t number = (size_t)(uintptr_t)*state;
	struct gallery gallery = { .live = crash_whole(),
				   .least = crash_whole() ? SECOND_DEATH_STATES : SAMPLE,
				   .every = 1 };

	NEEDS_PROCESSES();
	if (under_way && strcmp(wanted, "first") == 0)
		skip_because("the operation before did not get to its end");
	under_way = true;
	crash_death.operation = operation_of(number);
	crash_death.repairer = CRASH_ARRIVALS;
	crash_death.first_acknowledged = false;
	crash_expect(crash_death.operation, &crash_death.expected);
	crash_stage_reset(&stage, NULL);
	if (!crash_run(&stage, &plan, look_at_state, &gallery))
		skip_because("ptrace(2) is not allowed here");
	count_run();
	print_message("%s: %llu instructions, %llu states\n", crash_death.operation->name,
		      (unsigned long long)stage.instructions, (unsigned long long)stage.states);
	if (!gallery.live)
		look_at_gallery(&gallery);
	if (SECOND_DEATH)
		die_again_in_repair(&gallery, number);
	free_gallery(&gallery);
	under_way = false;
}

static int64_t began_ms;
static size_t operations;

static int make_stage(void **unused)
{
	(void)unused;
	began_ms = support_now_ms();
	log_threshold = LOG_ERROR;
	crash_stage_make(&stage, ARENA_BYTES_MIN, CRASH_CARTS);
	crash_death.stage = &stage;
	return 0;
}

static int remove_stage(void **unused)
{
	(void)unused;
	print_message("crash matrix: %zu operations, %llu instructions, %llu states (%llu of them "
		      "second deaths), "
		      "%llu cells, %.1f seconds\n",
		      operations, (unsigned long long)steps, (unsigned long long)states,
		      (unsigned long long)second_deaths, (unsigned long long)crash_death.cells,
		      (double)(support_now_ms() - began_ms) / 1000);
	crash_stage_remove(&stage);
	return 0;
}

int main(void)
{
	struct CMUnitTest tests[OPERATIONS_MAX];
	char names[OPERATIONS_MAX][96];
	const size_t all = crash_worker_operation_count + crash_care_operation_count;
	const char *only = getenv("CORRAL_CRASH_ONLY");

	assert(all <= OPERATIONS_MAX);
	if (only != NULL && strcmp(only, "count") == 0)
		return printf("%zu\n", all) > 0 ? 0 : 1;
	for (size_t i = 0; i < all; i++) {
		if (only != NULL ? strtoul(only, NULL, 10) != i :
				   operation_of(i)->long_winded && !crash_whole())
			continue;
		snprintf(names[operations], sizeof(names[0]),
			 "death anywhere in %s leaves all well", operation_of(i)->name);
		tests[operations] = (struct CMUnitTest){ names[operations],
							 death_anywhere_in_it_breaks_no_invariant,
							 NULL, NULL, (void *)(uintptr_t)i };
		operations++;
	}
	return _cmocka_run_group_tests("crash matrix", tests, operations, make_stage, remove_stage);
}
