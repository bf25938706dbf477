/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 20_arena_place.c: location strings, objects that may stand in the file's place, the geometry of
 * many sizes, corrupted settings.
 */
#include "arena_kit.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* -------------------------------------------------------------- locations */

static void says(const char *location, const char *expected)
{
	char path[PATH_MAX] = "";
	char why[ARENA_WHY_BYTES] = "";

	if (arena_directory(location, path, why) != 0)
		fail_msg("%s", why);
	assert_string_equal(path, expected);
}

static void refuses(const char *location, int error)
{
	char path[PATH_MAX] = "";
	char why[ARENA_WHY_BYTES] = "";

	assert_int_equal(arena_directory(location, path, why), error);
	assert_true(strlen(why) > 5);
	assert_int_equal(arena_directory(location, path, NULL),
			 error); /* the caller may pass no buffer for the reason */
}

static void location_is_a_directory_with_or_without_its_scheme(void **state)
{
	(void)state;
	char here[PATH_MAX], expected[PATH_MAX + 8];

	says("/srv/corral", "/srv/corral");
	says("dir:/srv/corral", "/srv/corral");
	says("/with:colon", "/with:colon");
	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(expected, sizeof(expected), "%s/below", here);
	says("below", expected);
	says("dir:below", expected);
}

static void a_missing_location_is_that_of_the_environment(void **state)
{
	(void)state;
	setenv("CORRAL_DIR", "/elsewhere", 1);
	says(NULL, "/elsewhere");
	says("/given", "/given");
	setenv("CORRAL_DIR", "dir:/elsewhere", 1);
	says(NULL, "/elsewhere");
	setenv("CORRAL_DIR", "", 1);
	refuses(NULL, -EINVAL);
	unsetenv("CORRAL_DIR");
	setenv("XDG_STATE_HOME", "/state", 1);
	says(NULL, geteuid() == 0 ? "/var/lib/corral" : "/state/corral");
	unsetenv("XDG_STATE_HOME");
	setenv("HOME", "/home/me", 1);
	says(NULL, geteuid() == 0 ? "/var/lib/corral" : "/home/me/.local/state/corral");
}

static void location_that_means_nothing_is_refused(void **state)
{
	(void)state;
	static char longest[2 * PATH_MAX];

	refuses("", -EINVAL);
	refuses("dir:", -EINVAL);
	refuses("redis://host:6379", -EPROTONOSUPPORT);
	refuses("http://x", -EPROTONOSUPPORT);
	memset(longest, 'a', sizeof(longest) - 1);
	refuses(longest, -ENAMETOOLONG);
	longest[0] = '/';
	refuses(longest, -ENAMETOOLONG);
	longest[PATH_MAX - 10] = '\0'; /* too long for the file names to be appended */
	refuses(longest, -ENAMETOOLONG);
}

static void a_path_that_is_no_directory_is_refused(void **state)
{
	(void)state;
	char path[PATH_MAX], why[ARENA_WHY_BYTES] = "";
	struct yard yard;
	int fd = -7;

	yard_make(&yard, &small);
	snprintf(path, sizeof(path), "%s/nothing", yard.path);
	assert_int_equal(arena_open_directory(path, &fd, why), -ENOENT);
	assert_true(strlen(why) > 15);
	snprintf(path, sizeof(path), "%s/" ARENA_FILE, yard.path);
	assert_int_equal(arena_open_directory(path, &fd, why), -ENOTDIR);
	assert_int_equal(fd, -7);
	assert_int_equal(arena_open_directory(yard.path, &fd, why), 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	close(fd);
	yard_remove(&yard);
}

/* -------------------------------------------------- in place of the file */

static void refused(const struct yard *yard, int error)
{
	struct arena arena;
	char why[ARENA_WHY_BYTES] = "";
	int r = arena_map(yard->dir_fd, false, &arena, why);

	if (r != error)
		fail_msg("%d (%s), not %d", r, why, error);
	assert_true(strlen(why) > 15);
}

static void anything_but_a_plain_file_with_one_name_is_refused(void **state)
{
	(void)state;
	struct yard yard;
	struct life life;

	yard_make(&yard, &small);
	assert_int_equal(linkat(yard.dir_fd, ARENA_FILE, yard.dir_fd, "second", 0), 0);
	refused(&yard, -EPROTO);
	assert_int_equal(unlinkat(yard.dir_fd, ARENA_FILE, 0), 0);
	refused(&yard, -ENOENT);
	assert_int_equal(symlinkat("second", yard.dir_fd, ARENA_FILE), 0);
	refused(&yard, -ELOOP);
	assert_int_equal(unlinkat(yard.dir_fd, ARENA_FILE, 0), 0);
	assert_int_equal(mkfifoat(yard.dir_fd, ARENA_FILE, 0666), 0);
	refused(&yard, -EPROTO); /* at once: a pipe without a writer must not block */
	assert_int_equal(unlinkat(yard.dir_fd, ARENA_FILE, 0), 0);
	assert_int_equal(mkdirat(yard.dir_fd, ARENA_FILE, 0777), 0);
	refused(&yard, -EISDIR);
	assert_int_equal(arena_create(yard.dir_fd, &small, NULL), -EEXIST);
	/* the same check for the lock file */
	assert_int_equal(linkat(yard.dir_fd, ARENA_LOCK_FILE, yard.dir_fd, "third", 0), 0);
	assert_int_equal(alive_open(yard.dir_fd, true, &life, NULL), -EPROTO);
	assert_int_equal(unlinkat(yard.dir_fd, ARENA_LOCK_FILE, 0), 0);
	assert_int_equal(alive_open(yard.dir_fd, false, &life, NULL), -ENOENT);
	assert_int_equal(symlinkat("third", yard.dir_fd, ARENA_LOCK_FILE), 0);
	assert_int_equal(alive_open(yard.dir_fd, true, &life, NULL), -ELOOP);
	assert_int_equal(unlinkat(yard.dir_fd, ARENA_LOCK_FILE, 0), 0);
	assert_int_equal(mkfifoat(yard.dir_fd, ARENA_LOCK_FILE, 0666), 0);
	assert_int_equal(alive_open(yard.dir_fd, true, &life, NULL), -EPROTO);
	yard_remove(&yard);
}

static void arena_that_was_replaced_or_cut_is_stale(void **state)
{
	(void)state;
	struct arena arena;
	struct yard yard;

	yard_make(&yard, &small);
	assert_int_equal(arena_map(yard.dir_fd, false, &arena, NULL), 0);
	assert_int_equal(arena_still_there(&arena, NULL), 0);
	assert_int_equal(ftruncate(arena.fd, SMALL_BYTES - PAGE_BYTES), 0);
	assert_int_equal(arena_still_there(&arena, NULL), -ESTALE);
	assert_int_equal(ftruncate(arena.fd, SMALL_BYTES), 0);
	assert_int_equal(arena_still_there(&arena, NULL), 0);
	assert_int_equal(renameat(yard.dir_fd, ARENA_FILE, yard.dir_fd, "old"), 0);
	assert_int_equal(arena_still_there(&arena, NULL), -ESTALE);
	assert_int_equal(arena_create(yard.dir_fd, &small, NULL), 0);
	assert_int_equal(arena_still_there(&arena, NULL), -ESTALE);
	arena_unmap(&arena);
	yard_remove(&yard);
}

/* --------------------------------------------------------------- geometry */

static void parts_follow_one_another(const struct arena *arena,
				     const struct arena_settings *settings)
{
	const struct arena_header *h = arena->header;
	const uint64_t parts[][2] = {
		{ 0, HEADER_BYTES },
		{ h->processes_at, sizeof(struct process_record) * h->max_processes },
		{ h->threads_at, sizeof(struct thread_record) * h->max_threads },
		{ h->classes_at, sizeof(struct size_class) * h->class_count },
		{ h->dirty_at, (h->max_carts + 7ull) / 8 },
		{ h->drained_at, (h->max_carts + 7ull) / 8 },
		{ h->chains_at, sizeof(struct chain) * (uint64_t)h->bucket_count },
		{ h->buckets_at, sizeof(struct bucket) * (uint64_t)h->bucket_count },
		{ h->slots_at, sizeof(struct slot) * (uint64_t)h->max_carts },
		{ h->pages_at, sizeof(uint32_t) * (uint64_t)h->page_count },
		{ h->space_at, (uint64_t)h->page_count * PAGE_BYTES },
		{ h->arena_bytes, 0 },
	};

	for (size_t i = 0; i + 1 < COUNT(parts); i++) {
		assert_int_equal(parts[i][0] % CACHE_LINE, 0);
		assert_true(parts[i][0] + parts[i][1] <= parts[i + 1][0]);
	}
	assert_int_equal(h->arena_bytes, settings->arena_bytes);
	assert_int_equal(h->max_carts, settings->max_carts);
	assert_int_equal(h->space_at % PAGE_BYTES, 0);
	assert_true(h->page_count >= 4);
	assert_true(h->arena_bytes - parts[10][0] - parts[10][1] <
		    PAGE_BYTES); /* no page is wasted */
	assert_true(h->bucket_count >= h->max_carts &&
		    (h->bucket_count & (h->bucket_count - 1)) == 0);
	assert_int_equal(arena->bucket_mask, h->bucket_count - 1);
	assert_int_equal((uint64_t)arena->space_end * BLOCK_UNIT, h->arena_bytes);
	assert_ptr_equal(arena_slot(arena, 0), NULL);
	assert_ptr_equal(arena_slot(arena, h->max_carts + 1), NULL);
	assert_ptr_equal(arena_slot(arena, h->max_carts), &arena->slots[h->max_carts - 1]);
	assert_false(arena_block_inside(arena, 0));
	assert_false(arena_block_inside(arena, arena->space_first - 1));
	assert_false(arena_block_inside(arena, arena->space_end));
	assert_true(arena_block_inside(arena, arena->space_first));
	assert_true(arena_block_inside(arena, arena->space_end - 1));
}

static void parts_do_not_overlap_for_any_size(void **state)
{
	(void)state;
	uint64_t random = support_seed();

	for (uint32_t i = 0; i < 150; i++) {
		struct arena_settings settings = { .ttl_ns = TTL_NS };
		struct arena arena;
		struct yard yard;
		settings.arena_bytes = (1ull << (22 + random_below(&random, 12))) +
				       random_below(&random, 64) * PAGE_BYTES;
		settings.max_carts = 1 + random_below(&random, 1u << random_below(&random, 17));
		yard_make_empty(&yard);
		int r = arena_create(yard.dir_fd, &settings, NULL);
		if (r == 0) {
			assert_int_equal(arena_map(yard.dir_fd, false, &arena, NULL), 0);
			parts_follow_one_another(&arena, &settings);
			arena_unmap(&arena);
		} else {
			assert_int_equal(r, -EINVAL); /* refused because it does not fit; verify
							 that it would not have */
			assert_true(settings.arena_bytes <
				    (3u << 20) + settings.max_carts * 96ull + 6 * PAGE_BYTES);
		}
		yard_remove(&yard);
	}
}

static void two_arenas_have_other_names_and_other_hashes(void **state)
{
	(void)state;
	struct arena one, two;
	struct yard yards[2];

	yard_make(&yards[0], &small);
	yard_make(&yards[1], &small);
	assert_int_equal(arena_map(yards[0].dir_fd, false, &one, NULL), 0);
	assert_int_equal(arena_map(yards[1].dir_fd, false, &two, NULL), 0);
	assert_memory_not_equal(one.header->uuid, two.header->uuid, 16);
	assert_true(one.header->hash_seed != two.header->hash_seed);
	assert_true((fcntl(one.fd, F_GETFD) & FD_CLOEXEC) != 0 &&
		    (fcntl(one.dir_fd, F_GETFD) & FD_CLOEXEC) != 0);
	arena_unmap(&one);
	arena_unmap(&two);
	yard_remove(&yards[0]);
	yard_remove(&yards[1]);
}

/* ----------------------------------------------------------------- damage */

static void ignore_finding(void *context, const char *line)
{
	(void)line;
	++*(uint32_t *)context;
}

/* Everything after the sealed part may hold any value: the walk ends, within the file. */
static void spoiled_settings_and_counters_harm_no_walk(void **state)
{
	(void)state;
	const uint64_t values[] = { 0,          1,
				    INT64_MAX,  (uint64_t)INT64_MIN,
				    UINT64_MAX, 0x8000000080000000ull };
	struct yard yard;

	yard_make(&yard, &small);
	int fd = openat(yard.dir_fd, ARENA_FILE, O_RDWR);
	for (uint32_t at = offsetof(struct arena_header, boot_id); at < 9 * CACHE_LINE; at += 8) {
		uint64_t before;
		assert_int_equal(pread(fd, &before, 8, at), 8);
		for (size_t i = 0; i < COUNT(values); i++) {
			struct inspect *inspect;
			struct inspect_totals totals;
			char why[ARENA_WHY_BYTES] = "";
			uint64_t faults;
			uint32_t told = 0;
			bool quiet;
			assert_int_equal(pwrite(fd, &values[i], 8, at), 8);
			assert_int_equal(inspect_open(yard.path, true, &inspect, why, sizeof(why)),
					 0);
			assert_int_equal(inspect_check(inspect, ignore_finding, &told, &faults,
						       &quiet, &totals),
					 0);
			inspect_close(inspect);
		}
		assert_int_equal(pwrite(fd, &before, 8, at), 8);
	}
	close(fd);
	yard_check(&yard, NULL);
	yard_remove(&yard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(location_is_a_directory_with_or_without_its_scheme),
		cmocka_unit_test(a_missing_location_is_that_of_the_environment),
		cmocka_unit_test(location_that_means_nothing_is_refused),
		cmocka_unit_test(a_path_that_is_no_directory_is_refused),
		cmocka_unit_test(anything_but_a_plain_file_with_one_name_is_refused),
		cmocka_unit_test(arena_that_was_replaced_or_cut_is_stale),
		cmocka_unit_test(parts_do_not_overlap_for_any_size),
		cmocka_unit_test(two_arenas_have_other_names_and_other_hashes),
		cmocka_unit_test(spoiled_settings_and_counters_harm_no_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
