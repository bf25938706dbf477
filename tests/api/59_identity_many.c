/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 59_identity_many.c: processes and threads that come and go leave nothing behind: no record, byte,
 * descriptor, heap memory or block. CORRAL_ROUNDS=2000000 runs a million handles (some minutes);
 * prints the resources used.
 *
 * timeout: 600
 */
#include <dirent.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/handle.h"
#include "memory/block.h"
#include "memory/pressure.h"
#include "orders_support.h"
#include "store/feed_ends.h"

#define ROUNDS_DEFAULT 8192u
#define WARM_UP 256u
#define HEAP_SLACK_BYTES 8192u /* for stdio and cmocka; less than one block per round */
#define RSS_SLACK_KB 4096l

struct left { /* resources in use while no process is attached */
	uint32_t descriptors;
	size_t heap_bytes; /* 0: the allocator does not report it */
	long rss_kb;
	uint32_t threads_high;
	uint32_t processes_high;
	uint32_t processes;
	uint32_t threads;
	uint64_t span_bytes;
	uint64_t live_bytes;
};

static uint32_t rounds_wanted(void)
{
	const char *given = getenv("CORRAL_ROUNDS");

	return given != NULL ? (uint32_t)strtoul(given, NULL, 0) : ROUNDS_DEFAULT;
}

static uint32_t count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	uint32_t count = 0;

	assert_non_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

static long rss_kb(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/*
 * Does a mapping that was undone leave nothing resident? qemu-user keeps some 24 KiB of its own for
 * each (and more for a thread): what is resident says nothing about the library then.
 */
static bool undone_mappings_are_gone(void)
{
	const size_t bytes = 4u << 20;
	long before = rss_kb();

	for (int i = 0; i < 1024; i++) {
		char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(memory, MAP_FAILED);
		*memory = 1;
		munmap(memory, bytes);
	}
	return rss_kb() <= before + RSS_SLACK_KB;
}

static struct left look(const struct yard *yard)
{
	struct inspect_totals totals;
	struct arena arena;
	struct left left;

	yard_check(yard, &totals); /* each block and slot is in one place */
	left.processes = totals.processes + totals.processes_dead;
	left.threads = totals.threads;
	left.span_bytes = totals.span_bytes;
	left.live_bytes = totals.live_bytes;
	assert_int_equal(arena_map(yard->dir_fd, false, &arena, NULL), 0);
	left.threads_high = arena.header->threads_high;
	left.processes_high = arena.header->processes_high;
	arena_unmap(&arena);
	left.descriptors = count_descriptors();
	left.heap_bytes = mallinfo2().uordblks;
	left.rss_kb = rss_kb();
	return left;
}

static void assert_nothing_left(const struct yard *yard, const struct left *before)
{
	struct left after = look(yard);

	assert_int_equal(after.descriptors, before->descriptors);
	assert_true(after.heap_bytes <= before->heap_bytes + HEAP_SLACK_BYTES);
	assert_int_equal(after.processes, 0);
	assert_int_equal(after.threads, 0);
	assert_int_equal(after.threads_high, before->threads_high);
	assert_int_equal(after.processes_high, before->processes_high);
	assert_int_equal(after.span_bytes, before->span_bytes);
	assert_int_equal(after.live_bytes, before->live_bytes);
	print_message("resident: %ld KiB before, %ld KiB after\n", before->rss_kb, after.rss_kb);
	/* not under a sanitizer or valgrind, which keep freed memory */
	if (before->heap_bytes != 0 && undone_mappings_are_gone())
		assert_true(after.rss_kb <= before->rss_kb + RSS_SLACK_KB);
}

static void change(struct corral *corral, uint32_t i)
{
	struct corral_key key = orders_key("restaurant", "session");
	struct corral_head head;

	assert_int_equal(orders_add(corral, &key, "burger", 1, 1, NULL, NULL), 0);
	assert_int_equal(orders_head(corral, &key, &head), 0);
	if (i % 64 == 63)
		assert_int_equal(corral_drop(corral, &key, NULL, NULL), 0);
}

/* The last versions of carts that ended are kept on purpose. */
static void let_ends_go(struct yard *yard)
{
	struct corral *corral = yard_open(yard, 0);
	struct actor *actor;

	assert_int_equal(handle_actor(corral, &actor), 0);
	(void)feed_ends_relieve(actor);
	block_flush(actor);
	(void)block_scavenge(actor);
	corral_close(corral);
}

static void repeat(struct yard *yard, const char *what, uint32_t rounds,
		   void (*body)(struct yard *, uint32_t rounds))
{
	body(yard, WARM_UP);
	let_ends_go(yard);
	struct left before = look(yard);
	int64_t start = support_now_ms();

	rounds = (rounds + 63) / 64 * 64; /* a multiple, so it ends as it began, without a cart */
	body(yard, rounds);
	print_message("%u times %s: %lld ms\n", rounds, what,
		      (long long)(support_now_ms() - start));
	let_ends_go(yard);
	assert_nothing_left(yard, &before);
}

/* ------------------------------------------------------------------ bodies */

static void open_and_close(struct yard *yard, uint32_t rounds)
{
	for (uint32_t i = 0; i < rounds; i++) {
		struct corral *corral = yard_open(yard, 0);
		change(corral, i);
		corral_close(corral);
	}
}

static void come_and_leave(struct yard *yard, uint32_t rounds)
{
	struct corral *corral = yard_open(yard, 0);

	for (uint32_t i = 0; i < rounds; i++) {
		change(corral, i);
		assert_int_equal(corral_leave_thread(corral), 0);
	}
	corral_close(corral);
}

struct visit {
	struct corral *corral;
	uint32_t number;
};

static void *visit(void *context)
{
	const struct visit *self = context;
	struct corral_key key = orders_key("restaurant", "session");

	must(orders_add(self->corral, &key, "burger", 1, 1, NULL, NULL) == 0);
	if (self->number % 64 == 63)
		must(corral_drop(self->corral, &key, NULL, NULL) == 0);
	return NULL;
}

static void start_and_end_threads(struct yard *yard, uint32_t rounds)
{
	struct visit self = { .corral = yard_open(yard, 0) };
	pthread_t thread;

	for (uint32_t i = 0; i < rounds; i++) {
		self.number = i;
		assert_int_equal(pthread_create(&thread, NULL, visit, &self), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	corral_close(self.corral);
}

static int visit_as_child(void *context)
{
	struct visit *self = context;

	(void)visit(self);
	if (self->number % 2 == 0)
		corral_close(self->corral); /* otherwise it ends without closing */
	return 0;
}

static void fork_and_end_children(struct yard *yard, uint32_t rounds)
{
	struct visit self = { .corral = yard_open(yard, 0) };

	for (uint32_t i = 0; i < rounds; i++) {
		self.number = i;
		assert_int_equal(child_wait(child_start(visit_as_child, &self)), 0);
	}
	/* the last ones are found dead by the next process that attaches */
	corral_close(self.corral);
	corral_close(yard_open(yard, 0));
}

static void handles_come_and_go(void **state)
{
	repeat(*state, "open and close", rounds_wanted() / 2, open_and_close);
}

static void threads_come_and_leave(void **state)
{
	repeat(*state, "first call and corral_leave_thread", rounds_wanted(), come_and_leave);
}

static void threads_start_and_end(void **state)
{
	repeat(*state, "a thread's start, first call and end", rounds_wanted() / 4,
	       start_and_end_threads);
}

static void children_come_and_go(void **state)
{
	NEEDS_WIPING_FORK();
	repeat(*state, "a forked child's first call and end", rounds_wanted() / 50,
	       fork_and_end_children);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, orders_setup, orders_teardown)
	const struct CMUnitTest tests[] = {
		CASE(handles_come_and_go),
		CASE(threads_come_and_leave),
		CASE(threads_start_and_end),
		CASE(children_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
