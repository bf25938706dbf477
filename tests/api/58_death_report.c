/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 58_death_report.c: the arena records which process died, what it held and what was done about it;
 * the holder of a lock or view, and for how long it has held it, can be seen while it lasts.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "orders_support.h"

#include "api/handle.h"
#include "base/atomic.h"
#include "memory/allocate.h"
#include "store/slot.h"
#include "sync/death_log.h"
#include "sync/grace.h"
#include "sync/lock.h"

enum moment { IDLE, READING, LOCKED, BUILT, PUBLISHED, BUCKET };

struct scene {
	struct yard *yard;
	struct corral_key key;
	enum moment moment;
	uint32_t ready;
	uint32_t slot;
};

/* The kernel's name of this process: under qemu-user it is not the test's. */
static const char *our_name(void)
{
	static char name[17];

	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	return name;
}

static struct slot *slot_of(struct actor *actor, const struct corral_key *key)
{
	struct found found = { 0 };

	grace_enter(actor);
	must(slot_find(actor->arena, slot_hash(actor->arena, key), key, &found) == 0);
	grace_leave(actor);
	return found.slot;
}

/* Run up to the given moment, and stay there. */
static int stay(void *context)
{
	struct scene *scene = context;
	struct corral *corral = orders_come(scene->yard, NULL);
	struct bucket *bucket = slot_bucket(&corral->arena, slot_hash(&corral->arena, &scene->key));
	struct corral_view view;
	struct actor *actor;

	must(handle_actor(corral, &actor) == 0);
	struct slot *slot = slot_of(actor, &scene->key);
	scene->slot = arena_slot_link(actor->arena, slot);
	if (scene->moment == READING)
		must(corral_read_begin(corral, &scene->key, &view) == 0);
	if (scene->moment == BUCKET) {
		slot_want(actor, bucket, NULL);
		must(lock_take(actor, &bucket->lock, LOCK_BUCKET) == 0);
	}
	if (scene->moment >= LOCKED && scene->moment <= PUBLISHED) {
		slot_want(actor, NULL, slot);
		must(lock_take(actor, &slot->lock, LOCK_SLOT) == 0);
		note(&actor->record->intent.since_ns,
		     arena_now_ns(actor->arena)); /* as a change does */
	}
	if (scene->moment >= BUILT && scene->moment <= PUBLISHED) {
		must(block_alloc(actor, 4096) == 0);
		struct block_header *hand = arena_block(actor->arena, actor->record->intent.hand);
		memcpy(hand + 1, arena_block(actor->arena, slot->current) + 1, 2048);
	}
	if (scene->moment == PUBLISHED) {
		note(&actor->record->intent.old, slot->current);
		store_release(&slot->current, actor->record->intent.hand);
	}
	store_release(&scene->ready, 1u);
	for (;;)
		pause();
}

static struct scene *scene_new(void **state, enum moment moment)
{
	struct scene *scene = support_shared(sizeof(*scene));
	struct corral *corral = yard_open(*state, 0);

	scene->yard = *state;
	scene->key = orders_key("restaurant", "session");
	scene->moment = moment;
	assert_int_equal(orders_add(corral, &scene->key, "first", 100, 1, NULL, NULL), 0);
	corral_close(corral);
	return scene;
}

static pid_t start_child_at_moment(struct scene *scene)
{
	pid_t pid = child_start(stay, scene);

	assert_true(wait_until(load_acquire(&scene->ready) != 0, SUPPORT_WAIT_MS));
	return pid;
}

static size_t all_deaths(const struct scene *scene, struct death rows[DEATHS_KEPT])
{
	struct inspect *inspect;
	char why[256];
	size_t count;

	assert_int_equal(inspect_open(scene->yard->path, false, &inspect, why, sizeof(why)), 0);
	assert_int_equal(inspect_deaths(inspect, rows, DEATHS_KEPT, &count), 0);
	inspect_close(inspect);
	return count;
}

/* ------------------------------------------------------------------ the dead */

static void assert_reported(void **state, enum moment moment, uint32_t found, const char *text)
{
	struct scene *scene = scene_new(state, moment);
	struct death rows[DEATHS_KEPT];
	char words[DEATH_TEXT_BYTES];
	struct corral *corral;

	pid_t pid = start_child_at_moment(scene);
	assert_int_equal(all_deaths(scene, rows), 0);
	child_kill(pid);
	corral = yard_open(scene->yard, 0); /* takes the dead process's record, and so repairs it */
	assert_int_equal(orders_add(corral, &scene->key, "second", 100, 1, NULL, NULL), 0);
	assert_int_equal(all_deaths(scene, rows), 1);
	corral_close(corral);
	assert_int_equal(rows[0].number, 1);
	assert_int_equal(rows[0].pid, pid);
	assert_int_equal(rows[0].repairer_pid, getpid());
	assert_int_equal(rows[0].threads, 1);
	assert_string_equal(rows[0].program, our_name());
	assert_int_equal(rows[0].found, found);
	assert_int_equal(rows[0].slot, (found & DEATH_SLOT) != 0 ? scene->slot : 0);
	death_log_describe(&rows[0], words);
	if (strstr(words, text) == NULL)
		fail_msg("no \"%s\" in \"%s\"", text, words);
	yard_check(scene->yard, NULL);
}

static void a_dead_process_that_held_nothing_is_named(void **state)
{
	NEEDS_PROCESSES();
	assert_reported(state, IDLE, 0, "held nothing");
}

static void a_dead_reader_is_named(void **state)
{
	NEEDS_PROCESSES();
	assert_reported(state, READING, DEATH_READING, "was reading");
}

static void a_dead_holder_of_a_cart_is_named_with_its_slot(void **state)
{
	NEEDS_PROCESSES();
	assert_reported(state, LOCKED, DEATH_SLOT, "held a cart's lock (slot 0)");
}

static void a_change_that_was_not_published_is_reported_undone(void **state)
{
	NEEDS_PROCESSES();
	assert_reported(state, BUILT, DEATH_SLOT | DEATH_UNPUBLISHED | DEATH_HAND,
			"not published: undone");
}

static void a_change_that_was_published_is_reported_completed(void **state)
{
	NEEDS_PROCESSES();
	assert_reported(state, PUBLISHED, DEATH_SLOT | DEATH_PUBLISHED,
			"its change was published: completed");
}

static void a_dead_holder_of_a_chain_is_named(void **state)
{
	NEEDS_PROCESSES();
	assert_reported(state, BUCKET, DEATH_BUCKET, "held a chain's lock");
}

static int come_and_die(void *context)
{
	struct scene *scene = context;

	(void)orders_come(scene->yard, NULL);
	raise(SIGKILL);
	return 0;
}

static void the_last_deaths_are_kept_the_oldest_first(void **state)
{
	struct death rows[DEATHS_KEPT];

	NEEDS_PROCESSES();
	struct scene *scene = scene_new(state, IDLE);
	for (uint32_t i = 0; i < DEATHS_KEPT + 5; i++)
		assert_int_equal(child_wait(child_start(come_and_die, scene)), -SIGKILL);
	corral_close(yard_open(scene->yard, 0));
	assert_int_equal(all_deaths(scene, rows), DEATHS_KEPT);
	for (uint32_t i = 0; i < DEATHS_KEPT; i++)
		assert_int_equal(rows[i].number, 6 + i);
}

static void a_death_that_is_being_written_is_not_shown(void **state)
{
	struct death death = { .pid = 7, .program = "program" }, back;
	struct member member;

	assert_int_equal(member_join(*state, &member), 0);
	death_log_write(&member.arena, &death);
	assert_true(death_log_read(&member.arena, 1, &back));
	assert_int_equal(back.pid, 7);
	member.arena.header->death[0].number =
		0; /* as while its successor's report is being written */
	assert_false(death_log_read(&member.arena, 1, &back));
	assert_false(death_log_read(&member.arena, 2, &back));
	member_leave(&member);
}

/* ---------------------------------------------------------------- the living */

static struct inspect *look(const struct scene *scene)
{
	struct inspect *inspect;
	char why[256];

	assert_int_equal(inspect_open(scene->yard->path, false, &inspect, why, sizeof(why)), 0);
	return inspect;
}

static void the_holder_of_a_lock_and_for_how_long_is_shown(void **state)
{
	struct inspect_lock rows[4];
	size_t count;

	NEEDS_PROCESSES();
	struct scene *scene = scene_new(state, LOCKED);
	pid_t pid = start_child_at_moment(scene);
	child_stop(pid);
	struct inspect *inspect = look(scene);
	assert_int_equal(inspect_locks(inspect, rows, COUNT(rows), &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(rows[0].kind, "slot");
	assert_int_equal(rows[0].pid, pid);
	assert_true(rows[0].alive);
	assert_true(rows[0].held_ms >= 0);
	int64_t before = rows[0].held_ms;
	assert_true(wait_until(inspect_locks(inspect, rows, COUNT(rows), &count) == 0 &&
				       rows[0].held_ms >= before + 50,
			       SUPPORT_WAIT_MS));
	inspect_close(inspect);
	child_kill(pid);
}

static bool reader_of(struct inspect *inspect, pid_t pid, struct inspect_thread *ret_row)
{
	bool used;

	for (uint32_t i = 0; inspect_thread(inspect, i, &used, ret_row) == 0; i++)
		if (used && ret_row->pid == pid && ret_row->nest > 0)
			return true;
	return false;
}

static void a_reader_and_the_memory_it_holds_back_are_shown(void **state)
{
	struct inspect_thread row = { 0 };

	NEEDS_PROCESSES();
	struct scene *scene = scene_new(state, READING);
	pid_t pid = start_child_at_moment(scene);
	struct corral *corral = yard_open(scene->yard, 0);
	for (int i = 0; i < 300; i++) /* enough for some batches of retired versions */
		assert_int_equal(orders_add(corral, &scene->key, "more", 100, 1, NULL, NULL), 0);
	struct inspect *inspect = look(scene);
	assert_true(
		wait_until(reader_of(inspect, pid, &row) && row.stalled_ms >= 20, SUPPORT_WAIT_MS));
	assert_string_equal(row.program, our_name());
	assert_true(row.held_back_bytes >= 256 * 256); /* more than half of the retired bytes */
	assert_false(row.revoked);
	inspect_close(inspect);
	corral_close(corral);
	child_kill(pid);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, orders_setup, orders_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_dead_process_that_held_nothing_is_named),
		CASE(a_dead_reader_is_named),
		CASE(a_dead_holder_of_a_cart_is_named_with_its_slot),
		CASE(a_change_that_was_not_published_is_reported_undone),
		CASE(a_change_that_was_published_is_reported_completed),
		CASE(a_dead_holder_of_a_chain_is_named),
		CASE(the_last_deaths_are_kept_the_oldest_first),
		CASE(a_death_that_is_being_written_is_not_shown),
		CASE(the_holder_of_a_lock_and_for_how_long_is_shown),
		CASE(a_reader_and_the_memory_it_holds_back_are_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
