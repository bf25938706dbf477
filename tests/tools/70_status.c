/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 70_status.c: what `corral status` tells comes out of counters: it is right at once, takes no more
 * however many carts there are, and what a death has left wrong in it the agent's rounds mend.
 */
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orders_support.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#define FEW 100
#define MANY 20000
#define NOTE_BYTES 700
#define LATER_NS 3600000000000 /* than any cart of orders_setup() lives */

struct run {
	char program[PATH_MAX];
	const char *directory;
	const char *words[3]; /* none: the agent */
};

static int run_it(void *context)
{
	const struct run *run = context;

	alarm(0);
	if (run->words[0] == NULL)
		execl(run->program, run->program, "--dir", run->directory, "--journal", "off",
		      "--log-level", "error", (char *)NULL);
	else if (freopen("/dev/null", "w", stdout) != NULL &&
		 freopen("/dev/null", "w", stderr) != NULL)
		execl(run->program, run->program, "--dir", run->directory, run->words[0],
		      run->words[1], run->words[2], (char *)NULL);
	return CHILD_FAILED;
}

static void add_carts(struct corral *corral, uint32_t from, uint32_t end)
{
	char note[NOTE_BYTES], session[16];

	memset(note, 'x', sizeof(note));
	for (uint32_t i = from; i < end; i++) {
		struct corral_item item = orders_item("burger", 899, 1);
		item.notes = (struct corral_text){ note, sizeof(note) };
		snprintf(session, sizeof(session), "s%u", i);
		const struct corral_key key = orders_key("r", session);
		assert_int_equal(corral_add(corral, &key, &item, NULL, NULL), 0);
	}
}

/* The most memory that `corral` had at once. */
static long most_kb(const struct yard *yard, const char *command, const char *first,
		    const char *second, int code)
{
	struct run run = { .directory = yard->path, .words = { command, first, second } };
	struct rusage used;
	int status;

	support_program("corral-agent", run.program); /* that of --repair */
	assert_int_equal(setenv("CORRAL_AGENT", run.program, 1), 0);
	support_program("corral", run.program);
	pid_t pid = child_start(run_it, &run);
	assert_int_equal(wait4(pid, &status, 0, &used), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
	return used.ru_maxrss;
}

#define NO_AGENT 4

static void status_takes_no_more_memory_for_many_carts(void **state)
{
	(void)state;
	struct yard yard;

	NEEDS_PROCESSES();
	if (SANITIZED)
		skip_because("a sanitizer's runtime keeps what is freed");
	orders_yard(&yard, 64 << 20, MANY, 3600000);
	struct corral *corral = yard_open(&yard, 0);
	add_carts(corral, 0, FEW);
	const long json = most_kb(&yard, "status", "--json", NULL, NO_AGENT);
	const long metrics = most_kb(&yard, "status", "--metrics", NULL, 0);
	const long slots = most_kb(&yard, "inspect", "slots", NULL, 0);
	const long slots_json = most_kb(&yard, "inspect", "slots", "--json", 0);
	add_carts(corral, FEW, MANY);
	/* the carts are 20 MB, and their slots 1.3 */
	assert_true(most_kb(&yard, "status", "--json", NULL, NO_AGENT) < json + 1000);
	assert_true(most_kb(&yard, "status", "--metrics", NULL, 0) < metrics + 1000);
	/* all of that is looked at here; rows that were kept would be as much again, and more */
	assert_true(most_kb(&yard, "inspect", "slots", NULL, 0) < slots + 27000);
	assert_true(most_kb(&yard, "inspect", "slots", "--json", 0) < slots_json + 27000);
	corral_close(corral);
	yard_remove(&yard);
}

/* Of the arena that is gone over and of the one that is made of it, only parts are mapped at once.
 */
static void a_repair_does_not_have_both_arenas_in_memory(void **state)
{
	(void)state;
	struct arena arena;
	struct yard yard;

	NEEDS_PROCESSES();
	if (SANITIZED)
		skip_because("what is resident is mostly the sanitizer's");
	orders_yard(&yard, 64 << 20, MANY, 3600000);
	struct corral *corral = yard_open(&yard, 0);
	add_carts(corral, 0, MANY);
	corral_close(corral);
	assert_int_equal(arena_map(yard.dir_fd, 0, &arena, NULL), 0);
	arena_block(&arena, arena.slots[7].current)->mark = 0;
	((uint8_t *)(arena_block(&arena, arena.slots[7].current) + 1))[500] ^= 1;
	arena_unmap(&arena);
	const long check = most_kb(&yard, "check", NULL, NULL, 1);
	assert_true(most_kb(&yard, "check", "--repair", NULL, 1) < check + 20000);
	assert_true(most_kb(&yard, "check", NULL, NULL, 0) > 0); /* it was repaired */
	yard_remove(&yard);
}

static struct inspect_totals summary(const struct yard *yard)
{
	struct inspect_totals totals;
	struct inspect *inspect;
	char why[256];

	assert_int_equal(inspect_open(yard->path, false, &inspect, why, sizeof(why)), 0);
	assert_int_equal(inspect_summary(inspect, &totals), 0);
	inspect_close(inspect);
	return totals;
}

static void carts_are(const struct yard *yard, uint32_t open, uint32_t checked_out)
{
	struct inspect_totals totals = summary(yard);

	assert_int_equal(totals.carts_open, open);
	assert_int_equal(totals.carts_checked_out, checked_out);
}

static void each_step_of_a_cart_is_counted_at_once(void **state)
{
	const struct yard *yard = *state;
	struct corral_key a = orders_key("r", "a"), b = orders_key("r", "b");

	struct corral *corral = yard_open(yard, 0);
	carts_are(yard, 0, 0);
	assert_int_equal(orders_add(corral, &a, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(orders_add(corral, &b, "burger", 899, 1, NULL, NULL), 0);
	carts_are(yard, 2, 0);
	assert_int_equal(corral_checkout(corral, &a, NULL, NULL), 0);
	carts_are(yard, 1, 1);
	assert_int_equal(corral_drop(corral, &b, NULL, NULL), 0);
	carts_are(yard, 0, 1);
	assert_int_equal(corral_drop(corral, &a, NULL, NULL), 0);
	carts_are(yard, 0, 0);
	corral_close(corral);
}

/* In place of a cart whose time is up, nothing is dropped: the new one has its slot. */
static void the_cart_after_a_checked_out_one_is_open(void **state)
{
	const struct yard *yard = *state;
	struct corral_key a = orders_key("r", "a");
	struct arena arena;

	struct corral *corral = yard_open(yard, 0);
	assert_int_equal(orders_add(corral, &a, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(corral_checkout(corral, &a, NULL, NULL), 0);
	carts_are(yard, 0, 1);
	assert_int_equal(arena_map(yard->dir_fd, 0, &arena, NULL), 0);
	arena.header->clock_offset_ns += LATER_NS;
	arena_unmap(&arena);
	assert_int_equal(orders_add(corral, &a, "burger", 899, 1, NULL, NULL), 0);
	carts_are(yard, 1, 0);
	corral_close(corral);
}

static bool all_is_right(const struct yard *yard, uint32_t open, uint32_t checked_out)
{
	struct inspect_totals now = summary(yard), walked;
	struct inspect *inspect;
	char why[256];

	assert_int_equal(inspect_open(yard->path, false, &inspect, why, sizeof(why)), 0);
	assert_int_equal(inspect_totals(inspect, &walked), 0);
	inspect_close(inspect);
	return now.carts_open == open && now.carts_checked_out == checked_out &&
	       now.span_bytes == walked.span_bytes && now.live_bytes == walked.live_bytes &&
	       now.cart_bytes == walked.cart_bytes;
}

static void the_agent_corrects_counters_that_a_death_left_wrong(void **state)
{
	const struct yard *yard = *state;
	struct run run = { .directory = yard->path };
	struct corral_key key = orders_key("r", "s0");
	struct arena arena;

	NEEDS_PROCESSES();
	struct corral *corral = yard_open(yard, 0);
	add_carts(corral, 0, 10);
	assert_int_equal(corral_checkout(corral, &key, NULL, NULL), 0);
	assert_int_equal(arena_map(yard->dir_fd, 0, &arena, NULL), 0);
	arena.header->carts_live += 3;
	arena.header->carts_checked_out -= 2; /* below zero */
	arena.header->pages_used += 5;
	arena_unmap(&arena);
	carts_are(yard, 13, 0);
	support_program("corral-agent", run.program);
	pid_t agent = child_start(run_it, &run);
	assert_true(wait_until(all_is_right(yard, 9, 1), SUPPORT_WAIT_MS));
	/* from now on the agent takes the counters for right, and counts the bytes anew */
	add_carts(corral, 10, 30);
	assert_true(wait_until(all_is_right(yard, 29, 1), SUPPORT_WAIT_MS));
	assert_int_equal(kill(agent, SIGTERM), 0);
	assert_int_equal(child_wait(agent), 0);
	corral_close(corral);
}

static void locks_that_are_held_are_counted(void **state)
{
	const struct yard *yard = *state;
	struct corral_key key = orders_key("r", "s");
	struct arena arena;

	struct corral *corral = yard_open(yard, 0);
	assert_int_equal(orders_add(corral, &key, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(arena_map(yard->dir_fd, 0, &arena, NULL), 0);
	assert_int_equal(summary(yard).locks_held, 0);
	struct thread_record *record = &arena.threads[0];
	const uint32_t bucket = (uint32_t)(arena.slots[0].hash & arena.bucket_mask);
	lock_word *const words[] = { &arena.slots[0].lock, &arena.buckets[bucket].lock,
				     &record->retired.lock, &arena.classes[7].lock,
				     &arena.header->space_lock };
	record->intent.slot = 1;
	record->intent.bucket = bucket + 1;
	for (size_t i = 0; i < COUNT(words); i++) {
		*words[i] = 1;
		assert_int_equal(summary(yard).locks_held, i + 1);
	}
	for (size_t i = 0; i < COUNT(words); i++)
		*words[i] = 0;
	arena_unmap(&arena);
	corral_close(corral);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_takes_no_more_memory_for_many_carts),
		cmocka_unit_test(a_repair_does_not_have_both_arenas_in_memory),
		cmocka_unit_test_setup_teardown(each_step_of_a_cart_is_counted_at_once,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(the_cart_after_a_checked_out_one_is_open,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(the_agent_corrects_counters_that_a_death_left_wrong,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(locks_that_are_held_are_counted, orders_setup,
						orders_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
