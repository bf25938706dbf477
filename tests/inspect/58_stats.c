/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 58_stats.c: what monitors and bindings are told: the arena's numbers by name, without a look at
 * any cart; the names of errors; and a process's label in place of its program's name.
 */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "orders_support.h"

#include "api/handle.h"
#include "arena/latency.h"
#include "inspect/inspect.h"
#include "store/feed.h"

struct numbers {
	struct corral_stat rows[CORRAL_STATS_MAX];
	size_t count;
};

static const struct numbers *numbers_of(struct corral *corral)
{
	static struct numbers numbers;

	assert_int_equal(corral_stats(corral, numbers.rows, COUNT(numbers.rows), &numbers.count),
			 0);
	assert_in_range(numbers.count, 1, CORRAL_STATS_MAX);
	return &numbers;
}

static const struct corral_stat *find(const struct numbers *numbers, const char *name)
{
	for (size_t i = 0; i < numbers->count; i++)
		if (strcmp(numbers->rows[i].name, name) == 0)
			return &numbers->rows[i];
	return NULL;
}

static int64_t value_of(struct corral *corral, const char *name)
{
	const struct corral_stat *row = find(numbers_of(corral), name);

	if (row == NULL)
		fail_msg("no row has the name %s", name);
	assert_non_null(row);
	return row->value;
}

/* ----------------------------------------------------------------------- numbers */

static void every_row_has_a_name_of_its_own_a_unit_and_a_line_of_help(void **state)
{
	struct corral *corral = yard_open(*state, 0);
	const struct numbers *numbers = numbers_of(corral);

	for (size_t i = 0; i < numbers->count; i++) {
		const struct corral_stat *row = &numbers->rows[i];

		assert_ptr_equal(find(numbers, row->name), row);
		assert_true(row->unit[0] != '\0' && row->help[0] != '\0');
		assert_in_range(row->kind, CORRAL_STAT_NOW, CORRAL_STAT_TOTAL);
	}
	corral_close(corral);
}

static void fewer_rows_are_filled_in_and_all_are_counted(void **state)
{
	struct corral *corral = yard_open(*state, 0);
	struct numbers all = *numbers_of(corral);
	struct corral_stat rows[3];
	size_t count = 0;

	memset(rows, 0xee, sizeof(rows));
	assert_int_equal(corral_stats(corral, rows, 2, &count), 0);
	assert_int_equal(count, all.count);
	assert_string_equal(rows[1].name, all.rows[1].name);
	assert_int_equal(rows[2].kind, 0xeeeeeeee);
	assert_int_equal(corral_stats(corral, NULL, 0, &count), 0);
	assert_int_equal(count, all.count);
	corral_close(corral);
}

static void the_numbers_are_those_of_what_happened(void **state)
{
	struct corral *corral = yard_open(*state, 0);
	struct corral_key a = orders_key("r", "a"), b = orders_key("r", "b");
	struct corral_view view;

	assert_int_equal(value_of(corral, "carts_open"), 0);
	assert_int_equal(orders_add(corral, &a, "burger", 899, 1, "once", NULL), 0);
	assert_int_equal(orders_add(corral, &a, "burger", 899, 1, "once", NULL), 0);
	assert_int_equal(orders_add(corral, &b, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(corral_checkout(corral, &b, NULL, NULL), 0);
	assert_int_equal(value_of(corral, "carts_open"), 1);
	assert_int_equal(value_of(corral, "carts_checked_out"), 1);
	assert_int_equal(value_of(corral, "created"), 2);
	assert_int_equal(value_of(corral, "changes"), 3);
	assert_int_equal(value_of(corral, "repeats"), 1);
	assert_int_equal(value_of(corral, "max_carts"), 1000);
	assert_int_equal(value_of(corral, "ttl_ms"), 30 * 60 * 1000);
	assert_int_equal(value_of(corral, "arena_bytes"), 16 << 20);
	assert_int_equal(value_of(corral, "agent_up"), 0);
	assert_int_equal(value_of(corral, "processes"), 1);
	assert_int_equal(value_of(corral, "readers"), 0);
	assert_int_equal(corral_read_begin(corral, &a, &view), 0);
	assert_int_equal(value_of(corral, "readers"), 1);
	assert_int_equal(corral_read_end(&view), 0);
	corral_close(corral);
}

/* ----------------------------------------------------------------------- latencies */

static void every_time_is_in_the_bucket_whose_bounds_it_lies_between(void **state)
{
	(void)state;
	for (uint32_t bit = 0; bit < 64; bit++) {
		for (int near = -1; near <= 1; near++) {
			const uint64_t ns = ((uint64_t)1 << bit) + (uint64_t)near;
			const uint32_t bucket = latency_bucket(ns);

			assert_in_range(bucket, 0, CORRAL_LATENCY_BUCKETS - 1);
			assert_true(latency_least_ns(bucket) <= ns);
			assert_true(ns < corral_latency_bound_ns(bucket) || ns == UINT64_MAX);
		}
	}
	for (uint32_t bucket = 1; bucket < CORRAL_LATENCY_BUCKETS; bucket++) {
		const uint64_t least = latency_least_ns(bucket);

		assert_int_equal(latency_bucket(least), bucket);
		assert_int_equal(latency_bucket(least - 1), bucket - 1);
		assert_int_equal(corral_latency_bound_ns(bucket - 1), least);
		assert_true(latency_least_ns(bucket + 1) <= least + least / 4);
	}
}

static void a_share_of_the_changes_took_no_longer_than_that(void **state)
{
	struct corral_latency latency = { 0 };

	(void)state;
	assert_int_equal(corral_latency_ns(&latency, 500000), 0);
	latency.counts[latency_bucket(1000)] = 98;
	latency.counts[latency_bucket(50000)] = 1;
	latency.counts[latency_bucket(7000000)] = 1;
	latency.changes = 100;
	assert_in_range(corral_latency_ns(&latency, 500000), 900, 1100);
	assert_in_range(corral_latency_ns(&latency, 980000), 900, 1100);
	assert_in_range(corral_latency_ns(&latency, 990000), 49152, 57344);
	assert_in_range(corral_latency_ns(&latency, 999000), 6291456, 7340032);
	assert_in_range(corral_latency_ns(&latency, 2000000), 6291456, 7340032);
}

static struct corral_latency latency_of(struct corral *corral)
{
	struct corral_latency latency;
	uint64_t sum = 0;

	assert_int_equal(corral_latency(corral, &latency), 0);
	for (uint32_t i = 0; i < CORRAL_LATENCY_BUCKETS; i++)
		sum += latency.counts[i];
	assert_int_equal(latency.changes, sum);
	return latency;
}

/* The first change of an attachment comes after a pause; what fails does not count. */
static void each_change_that_comes_alone_is_timed(void **state)
{
	struct corral_key key = orders_key("r", "a");
	struct corral_latency latency;

	for (uint64_t round = 1; round <= 3; round++) {
		struct corral *corral = yard_open(*state, 0);

		corral->arena.header->feed = 1;
		assert_int_equal(orders_add(corral, &key, "burger", 899, 1, NULL, NULL), 0);
		assert_int_equal(corral_set_quantity(corral, &key, 77, 1, NULL, NULL), -ENXIO);
		latency = latency_of(corral);
		assert_int_equal(latency.changes, round);
		assert_in_range(latency.total_ns, latency_least_ns(1), INT64_MAX);
		corral_close(corral);
	}
}

struct caller {
	const void *yard;
	int done; /* is told when it has made its change */
};

static int make_one_change(void *context)
{
	const struct caller *caller = context;
	struct corral_key key = orders_key("r", "a");
	struct corral *corral = yard_open(caller->yard, 0);

	corral->arena.header->feed = 1;
	if (orders_add(corral, &key, "burger", 899, 1, NULL, NULL) == 0 &&
	    write(caller->done, "", 1) == 1)
		(void)pause(); /* until it is killed */
	return 1;
}

/* Each attachment continues the counts of the one before; a process is told its own. */
static void a_process_is_told_its_own_changes(void **state)
{
	struct corral_key key = orders_key("r", "a");
	struct corral_latency latency;
	struct corral *corral;
	int done[2];
	char byte;

	assert_int_equal(pipe(done), 0);
	struct caller caller = { *state, done[1] };
	const pid_t child = child_start(make_one_change, &caller);
	close(done[1]);
	assert_int_equal(read(done[0], &byte, 1), 1);
	close(done[0]);
	corral = yard_open(*state, 0);
	assert_int_equal(corral_latency_of(corral, child, &latency), 0);
	assert_int_equal(latency.changes, 1);
	corral_close(corral);
	child_kill(child);
	for (uint64_t round = 2; round <= 4; round++) {
		corral = yard_open(*state, 0);
		assert_int_equal(corral_latency_of(corral, getpid(), &latency), 0);
		assert_int_equal(latency.changes, 0);
		assert_int_equal(orders_add(corral, &key, "burger", 899, 1, NULL, NULL), 0);
		assert_int_equal(corral_latency_of(corral, getpid(), &latency), 0);
		assert_int_equal(latency.changes, 1);
		assert_in_range(latency.total_ns, latency_least_ns(1), INT64_MAX);
		assert_int_equal(latency_of(corral).changes, round);
		assert_int_equal(corral_latency_of(corral, INT32_MAX, &latency), -ENOENT);
		assert_int_equal(corral_latency_of(corral, 0, &latency), -EINVAL);
		corral_close(corral);
	}
}

/* As a thread leaves it that dies while it takes its record. */
static void a_note_that_was_not_completed_is_not_read(void **state)
{
	struct corral_key key = orders_key("r", "a");
	struct corral *corral = yard_open(*state, 0);
	struct corral_latency latency;
	struct lane_latency *lane;
	struct actor *actor;

	corral->arena.header->feed = 1;
	assert_int_equal(orders_add(corral, &key, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(handle_actor(corral, &actor), 0);
	lane = feed_latency(&corral->arena, actor->record);
	assert_non_null(lane);
	assert_int_equal(lane->noted_of, actor->record->generation + 1);
	lane->noted_of--;
	assert_int_equal(corral_latency_of(corral, getpid(), &latency), 0);
	assert_int_equal(latency.changes, 0);
	assert_int_equal(latency_of(corral).changes, 1);
	corral_close(corral);
}

static void of_many_changes_some_are_timed_for_all(void **state)
{
	const uint64_t rounds = 32 * 1024;
	struct corral_key key = orders_key("r", "a");
	struct corral *corral = yard_open(*state, 0);

	corral->arena.header->feed = 1;
	for (uint64_t i = 0; i < rounds; i++)
		assert_int_equal(corral_set_tax(corral, &key, 82500, NULL, NULL), 0);
	assert_in_range(latency_of(corral).changes, rounds * 3 / 4, rounds * 5 / 4);
	corral_close(corral);
}

static void reads_are_counted(void **state)
{
	struct corral *corral = yard_open(*state, 0);
	struct corral_key key = orders_key("r", "a");
	struct corral_view view;

	assert_int_equal(orders_add(corral, &key, "burger", 899, 1, NULL, NULL), 0);
	assert_int_equal(value_of(corral, "reads"), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(corral_read_begin(corral, &key, &view), 0);
		assert_int_equal(corral_read_end(&view), 0);
	}
	assert_int_equal(value_of(corral, "reads"), 5);
	corral_close(corral);
}

static int stay(void *context)
{
	struct corral *corral = yard_open(context, 0);
	struct corral_key key = orders_key("r", "mine");

	must(orders_add(corral, &key, "burger", 899, 1, NULL, NULL) == 0);
	for (;;)
		pause();
}

/* What the agent does at each tick; any process may. */
static uint32_t bury_the_dead(struct corral *corral)
{
	struct actor *actor;

	assert_int_equal(handle_actor(corral, &actor), 0);
	return alive_bury_all(actor->arena, actor->life, actor->repair);
}

static void the_dead_count_until_they_are_buried(void **state)
{
	struct corral *corral = yard_open(*state, 0);
	pid_t pid;

	NEEDS_PROCESSES();
	pid = child_start(stay, *state);
	assert_true(wait_until(value_of(corral, "carts_open") == 1, SUPPORT_WAIT_MS));
	assert_int_equal(value_of(corral, "processes"), 2);
	child_kill(pid);
	assert_int_equal(value_of(corral, "processes"), 2);
	assert_int_equal(bury_the_dead(corral), 1);
	assert_int_equal(value_of(corral, "processes"), 1);
	corral_close(corral);
}

/* Whether this process may look at the memory of all carts, and at their slots. */
static void forbid_carts(struct corral *corral, int protection)
{
	const struct arena *arena = &corral->arena;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	/* each thread has noted one slot, which is looked at: that of the first cart */
	uint64_t slots = align_up((uint64_t)((uint8_t *)(arena->slots + 1) - arena->base), page);
	uint64_t slots_end = (uint64_t)((uint8_t *)(arena->slots + arena->max_carts) - arena->base);
	uint64_t space = align_up(arena->space_at, page);

	slots_end -= slots_end % page;
	assert_true(slots_end > slots);
	assert_int_equal(mprotect(arena->base + slots, slots_end - slots, protection), 0);
	assert_int_equal(mprotect(arena->base + space, arena->bytes - space, protection), 0);
}

static void no_slot_and_no_cart_is_looked_at(void **state)
{
	struct corral *corral = yard_open(*state, 0);
	struct corral_key key = orders_key("r", "s");
	int64_t open;

	assert_int_equal(orders_add(corral, &key, "burger", 899, 1, NULL, NULL), 0);
	forbid_carts(corral, PROT_NONE);
	open = value_of(corral, "carts_open");
	forbid_carts(corral, PROT_READ | PROT_WRITE);
	assert_int_equal(open, 1);
	corral_close(corral);
}

static void a_withdrawn_arena_answers_estale(void **state)
{
	struct corral *corral = yard_open(*state, 0);
	struct corral_stat row;
	size_t count = 7;

	corral->arena.header->withdrawn = 1;
	assert_int_equal(corral_stats(corral, &row, 1, &count), -ESTALE);
	assert_int_equal(count, 7);
	corral_close(corral);
}

/* ------------------------------------------------------------------------ labels */

/* The label of the process with this pid, as `corral inspect processes` shows it. */
static void assert_shown(const struct yard *yard, pid_t pid, const char *label)
{
	struct inspect_process row;
	struct inspect *inspect;
	char why[256];
	bool used, found = false;

	assert_int_equal(inspect_open(yard->path, false, &inspect, why, sizeof(why)), 0);
	for (uint32_t i = 0; inspect_process(inspect, i, &used, &row) == 0; i++) {
		if (!used || row.pid != pid)
			continue;
		assert_string_equal(row.program, label);
		found = true;
	}
	inspect_close(inspect);
	assert_true(found);
}

static void a_process_is_shown_by_its_label(void **state)
{
	struct corral *corral = yard_open(*state, 0), *second = yard_open(*state, 0);
	const char longest[] = "123456789012345678901234567890123456789";

	assert_int_equal(corral_set_label(corral, T("kiosk 7")), 0);
	assert_shown(*state, getpid(), "kiosk 7");
	assert_int_equal(corral_set_label(second, corral_text(longest)), 0);
	assert_shown(*state, getpid(), longest);
	assert_int_equal(corral_set_label(corral, T("caf\xc3\xa9")), 0);
	assert_shown(*state, getpid(), "caf\xc3\xa9");
	corral_close(second);
	corral_close(corral);
}

static void a_process_may_be_opened_under_a_label(void **state)
{
	const struct yard *yard = *state;
	struct corral *corral, *second;

	assert_int_equal(corral_open_as(yard->path, 0, T("kiosk 7"), &corral), 0);
	assert_shown(*state, getpid(), "kiosk 7");
	second = yard_open(*state, 0);
	assert_shown(*state, getpid(), "kiosk 7");
	corral_close(second);
	assert_int_equal(corral_open_as(yard->path, 0, T("till"), &second), 0); /* is shared */
	assert_shown(*state, getpid(), "till");
	corral_close(corral);
	assert_int_equal(corral_open_as(yard->path, 0, T(""), &corral), -EINVAL);
	assert_non_null(strstr(corral_why(), "label"));
	assert_int_equal(corral_open_as(yard->path, 0,
					T("1234567890123456789012345678901234567890"), &corral),
			 -ENAMETOOLONG);
	assert_int_equal(corral_open_as(yard->path, 0, T("\xff"), &corral), -EILSEQ);
	assert_int_equal(corral_open_as(yard->path, ~0u, T("x"), &corral), -EINVAL);
	assert_shown(*state, getpid(), "till");
	corral_close(second);
}

static void what_is_no_label_is_refused_and_changes_nothing(void **state)
{
	struct corral *corral = yard_open(*state, 0);

	assert_int_equal(corral_set_label(corral, T("till")), 0);
	assert_int_equal(corral_set_label(corral, corral_text(NULL)), -EINVAL);
	assert_int_equal(corral_set_label(corral, T("")), -EINVAL);
	assert_int_equal(corral_set_label(corral, T("1234567890123456789012345678901234567890")),
			 -ENAMETOOLONG);
	assert_int_equal(corral_set_label(corral, T("\xff")), -EILSEQ);
	assert_int_equal(corral_set_label(corral, T("a\0b")), -EILSEQ);
	assert_shown(*state, getpid(), "till");
	corral_close(corral);
}

struct renamer {
	struct corral *corral;
	uint32_t done;
};

/* Two labels of full length, one after the other, each of one letter. */
static void *rename_often(void *context)
{
	struct renamer *renamer = context;
	char label[CORRAL_LABEL_MAX];

	for (int i = 0; i < 20000; i++) {
		memset(label, i % 2 == 0 ? 'a' : 'b', sizeof(label));
		must(corral_set_label(renamer->corral,
				      (struct corral_text){ label, sizeof(label) }) == 0);
	}
	store_release(&renamer->done, 1);
	return NULL;
}

static void a_label_is_never_seen_half_written(void **state)
{
	struct renamer renamer = { .corral = yard_open(*state, 0) };
	const struct arena *arena = &renamer.corral->arena;
	uint32_t number = renamer.corral->share->life.process;
	char name[PROCESS_NAME_BYTES];
	pthread_t thread;

	assert_int_equal(corral_set_label(renamer.corral, T("b")), 0);
	assert_int_equal(pthread_create(&thread, NULL, rename_often, &renamer), 0);
	while (load_acquire(&renamer.done) == 0) {
		alive_name(&arena->processes[number], name);
		assert_int_equal(strspn(name, name[0] == 'a' ? "a" : "b"), strlen(name));
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	corral_close(renamer.corral);
}

struct family {
	const struct yard *yard;
	struct corral *corral;
};

static int child_of_a_labelled_process(void *context)
{
	const struct family *family = context;
	struct corral_key key = orders_key("r", "s");

	must(orders_add(family->corral, &key, "burger", 899, 1, NULL, NULL) == 0);
	assert_shown(family->yard, getpid(), "parent");
	must(corral_set_label(family->corral, T("child")) == 0);
	assert_shown(family->yard, getpid(), "child");
	assert_shown(family->yard, getppid(), "parent");
	return 0;
}

static void a_forked_child_has_its_parents_label_until_it_sets_its_own(void **state)
{
	struct family family = { *state, yard_open(*state, 0) };

	NEEDS_WIPING_FORK();
	assert_int_equal(corral_set_label(family.corral, T("parent")), 0);
	assert_int_equal(child_wait(child_start(child_of_a_labelled_process, &family)), 0);
	assert_shown(*state, getpid(), "parent");
	corral_close(family.corral);
}

static int die_with_a_label(void *context)
{
	struct corral *corral = yard_open(context, 0);

	must(corral_set_label(corral, T("late shift")) == 0);
	return -kill(getpid(), SIGKILL);
}

static void the_list_of_deaths_names_the_label(void **state)
{
	struct death rows[DEATHS_KEPT];
	struct inspect *inspect;
	char why[256];
	size_t count;

	NEEDS_PROCESSES();
	assert_int_equal(child_wait(child_start(die_with_a_label, *state)), -SIGKILL);
	corral_close(yard_open(*state, 0)); /* takes the dead process's record */
	assert_int_equal(
		inspect_open(((struct yard *)*state)->path, false, &inspect, why, sizeof(why)), 0);
	assert_int_equal(inspect_deaths(inspect, rows, DEATHS_KEPT, &count), 0);
	inspect_close(inspect);
	assert_int_equal(count, 1);
	assert_string_equal(rows[0].program, "late shift");
}

/* ------------------------------------------------------------------------ errors */

static void every_error_has_its_name(void **state)
{
	(void)state;
#define NAMED(error)                                                                               \
	do {                                                                                       \
		assert_string_equal(corral_error_name(error), #error);                             \
		assert_string_equal(corral_error_name(-(error)), #error);                          \
	} while (0)
	NAMED(EINVAL);
	NAMED(ENAMETOOLONG);
	NAMED(EILSEQ);
	NAMED(ERANGE);
	NAMED(EOVERFLOW);
	NAMED(E2BIG);
	NAMED(ENOENT);
	NAMED(ENXIO);
	NAMED(EMLINK);
	NAMED(ESHUTDOWN);
	NAMED(ECANCELED);
	NAMED(ENOTUNIQ);
	NAMED(EBUSY);
	NAMED(ETIMEDOUT);
	NAMED(ENOMEM);
	NAMED(ENFILE);
	NAMED(ENOSPC);
	NAMED(ENOBUFS);
	NAMED(EUSERS);
	NAMED(EDEADLK);
	NAMED(EUCLEAN);
	NAMED(EROFS);
	NAMED(ESTALE);
	NAMED(EBADF);
	NAMED(ENOLCK);
	NAMED(EPROTO);
	NAMED(EPROTONOSUPPORT);
	NAMED(EOPNOTSUPP);
	NAMED(ENOTCONN);
	NAMED(EXDEV);
	NAMED(EPERM);
	NAMED(ELOOP);
	NAMED(EACCES);
	NAMED(EINTR);
	assert_string_equal(corral_error_name(123456), "unknown");
	assert_string_equal(corral_error_name(INT_MIN), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_row_has_a_name_of_its_own_a_unit_and_a_line_of_help, orders_setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(fewer_rows_are_filled_in_and_all_are_counted,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(the_numbers_are_those_of_what_happened,
						orders_setup, orders_teardown),
		cmocka_unit_test(every_time_is_in_the_bucket_whose_bounds_it_lies_between),
		cmocka_unit_test(a_share_of_the_changes_took_no_longer_than_that),
		cmocka_unit_test_setup_teardown(a_note_that_was_not_completed_is_not_read,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(a_process_is_told_its_own_changes, orders_setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(each_change_that_comes_alone_is_timed, orders_setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(of_many_changes_some_are_timed_for_all,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(reads_are_counted, orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(the_dead_count_until_they_are_buried, orders_setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(no_slot_and_no_cart_is_looked_at, orders_setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(a_withdrawn_arena_answers_estale, orders_setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(a_process_is_shown_by_its_label, orders_setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(a_label_is_never_seen_half_written, orders_setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(a_process_may_be_opened_under_a_label, orders_setup,
						orders_teardown),
		cmocka_unit_test_setup_teardown(what_is_no_label_is_refused_and_changes_nothing,
						orders_setup, orders_teardown),
		cmocka_unit_test_setup_teardown(
			a_forked_child_has_its_parents_label_until_it_sets_its_own, orders_setup,
			orders_teardown),
		cmocka_unit_test_setup_teardown(the_list_of_deaths_names_the_label, orders_setup,
						orders_teardown),
		cmocka_unit_test(every_error_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
