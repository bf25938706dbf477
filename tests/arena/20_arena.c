/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 20_arena.c: no process ever sees half an arena; a full disk is an error code.
 * (20_arena_refused.c: files that are no arena of ours; 20_arena_place.c: locations, and the
 * arena's parts.)
 */
#include "arena_kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TEMPORARY ".arena.new"
static uint32_t files_in(const struct yard *yard)
{
	uint32_t count = 0;
	DIR *dir = opendir(yard->path);

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return count;
}

static bool there_is(const struct yard *yard, const char *name)
{
	return faccessat(yard->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* --------------------------------------------------------------- creation */

static void creation_leaves_one_file_with_mode_0660_whatever_the_umask(void **state)
{
	(void)state;
	const mode_t masks[] = { 0, 022, 077, 0777 };

	for (size_t i = 0; i < COUNT(masks); i++) {
		struct yard yard;
		struct stat st;
		struct life life;
		yard_make_empty(&yard);
		mode_t before = umask(masks[i]);
		int r = arena_create(yard.dir_fd, &small, NULL);
		int l = alive_open(yard.dir_fd, true, &life, NULL);
		umask(before);
		assert_int_equal(r, 0);
		assert_int_equal(l, 0);
		alive_close(&life);
		assert_int_equal(fstatat(yard.dir_fd, ARENA_FILE, &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_mode & 07777, 0660);
		assert_int_equal(st.st_size, SMALL_BYTES);
		assert_int_equal(st.st_nlink, 1);
		assert_int_equal(fstatat(yard.dir_fd, ARENA_LOCK_FILE, &st, AT_SYMLINK_NOFOLLOW),
				 0);
		assert_int_equal(st.st_mode & 07777, 0660);
		assert_int_equal(files_in(&yard), 2);
		accepted(&yard);
		yard_remove(&yard);
	}
}

static void creation_takes_no_arenas_place(void **state)
{
	(void)state;
	uint8_t before[HEADER_BYTES], after[HEADER_BYTES];
	char why[ARENA_WHY_BYTES] = "";
	struct yard yard;

	yard_make(&yard, &small);
	read_file(&yard, before, sizeof(before));
	assert_int_equal(arena_create(yard.dir_fd, &small, why), -EEXIST);
	assert_true(strlen(why) > 5);
	read_file(&yard, after, sizeof(after));
	assert_memory_equal(before, after, sizeof(before));
	assert_false(there_is(&yard, TEMPORARY));
	yard_remove(&yard);
}

static void creation_replaces_what_a_dead_creator_left(void **state)
{
	(void)state;
	struct yard yard;

	yard_make_empty(&yard);
	int fd = openat(yard.dir_fd, TEMPORARY, O_RDWR | O_CREAT, 0666);
	assert_int_equal(write(fd, "half an arena", 13), 13);
	close(fd);
	assert_int_equal(arena_create(yard.dir_fd, &small, NULL), 0);
	assert_int_equal(files_in(&yard), 1);
	accepted(&yard);
	yard_remove(&yard);
}

static void failed_creation_leaves_nothing(void **state)
{
	(void)state;
	const struct {
		uint64_t arena_bytes;
		uint32_t max_carts;
		uint64_t feed_bytes;
	} impossible[] = {
		{ SMALL_BYTES, 64, SMALL_BYTES }, /* its feed takes all */
		{ SMALL_BYTES, 64, 2 * ARENA_FEED_BYTES_MAX },
		{ 0, 64, 0 },
		{ SMALL_BYTES - PAGE_BYTES, 64, 0 },
		{ SMALL_BYTES + 1, 64, 0 },
		{ SMALL_BYTES, 0, 0 },
		{ SMALL_BYTES, 1000000, 0 }, /* there is no room for a page */
		{ SMALL_BYTES, UINT32_MAX, 0 },
		{ 1ull << 38, ARENA_CARTS_MAX + 1, 0 },
		{ ARENA_BYTES_MAX + PAGE_BYTES, 64, 0 },
		{ UINT64_MAX, 64, 0 },
	};
	struct yard yard;

	yard_make_empty(&yard);
	for (size_t i = 0; i < COUNT(impossible); i++) {
		struct arena_settings settings = small;
		char why[ARENA_WHY_BYTES] = "";
		settings.arena_bytes = impossible[i].arena_bytes;
		settings.max_carts = impossible[i].max_carts;
		settings.feed_bytes = impossible[i].feed_bytes;
		assert_int_equal(arena_create(yard.dir_fd, &settings, why), -EINVAL);
		assert_true(strlen(why) > 15);
		assert_int_equal(files_in(&yard), 0);
	}
	/* the file size limit is hit while the file is made */
	const struct rlimit limit = { 1 << 20, RLIM_INFINITY };
	struct rlimit before;
	char why[ARENA_WHY_BYTES] = "";
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	setrlimit(RLIMIT_FSIZE, &limit);
	int r = arena_create(yard.dir_fd, &small, why);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(r, -EFBIG);
	assert_true(strlen(why) > 15);
	assert_int_equal(files_in(&yard), 0);
	yard_remove(&yard);
}

static int create_and_end(void *context)
{
	const struct yard *yard = context;

	return arena_create(yard->dir_fd, &small, NULL) == 0 ? 0 : 1;
}

static void killed_creator_leaves_no_half_arena(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	uint64_t random = support_seed();

	for (uint32_t round = 0; round < 100; round++) {
		struct yard yard;
		yard_make_empty(&yard);
		pid_t pid = child_start(create_and_end, &yard);
		support_sleep_us(random_below(&random, 3000));
		child_kill(pid);
		if (there_is(&yard, ARENA_FILE))
			accepted(&yard);
		else
			assert_int_equal(arena_create(yard.dir_fd, &small, NULL), 0);
		assert_int_equal(files_in(&yard), 1);
		yard_remove(&yard);
	}
}

/* -------------------------------------------------------------- full disk */

static int create_on_full_disk(void *context)
{
	struct yard yard = *(struct yard *)context;
	char why[ARENA_WHY_BYTES] = "";

	yard.dir_fd = support_small_disk(&yard, "1M");
	if (yard.dir_fd < 0)
		return CHILD_SKIPS;
	must(arena_create(yard.dir_fd, &small, why) == -ENOSPC);
	must(strlen(why) > 15);
	must(!there_is(&yard, TEMPORARY) && !there_is(&yard, ARENA_FILE));
	return 0;
}

static int reserve_on_filling_disk(void *context)
{
	struct yard yard = *(struct yard *)context;
	const struct arena_settings roomy = { .arena_bytes = 64 << 20,
					      .max_carts = 64,
					      .ttl_ns = TTL_NS };
	struct arena arena;

	yard.dir_fd = support_small_disk(&yard, "8M");
	if (yard.dir_fd < 0)
		return CHILD_SKIPS;
	must(arena_create(yard.dir_fd, &roomy, NULL) == 0);
	must(arena_map(yard.dir_fd, false, &arena, NULL) == 0);
	must(arena_reserve(&arena, 0, 1) == 0);
	uint32_t reserved = arena.header->reserved_pages;
	must(arena_reserve(&arena, reserved, arena.page_count - reserved) == -ENOSPC);
	must(arena.header->reserved_pages == reserved); /* the refusal changed nothing */
	while (arena_reserve(&arena, reserved, 1) == 0) {
		must(arena.header->reserved_pages > reserved);
		reserved = arena.header->reserved_pages;
	}
	/* reserved in whole extents up to the last page; no page may give SIGBUS */
	must((arena.space_at + (uint64_t)reserved * PAGE_BYTES) % EXTENT_BYTES == 0);
	for (uint32_t page = 0; page < reserved; page++)
		memset(arena.base + arena.space_at + (uint64_t)page * PAGE_BYTES, 0x5a, PAGE_BYTES);
	must(reserved > 1 && (uint64_t)reserved * PAGE_BYTES < (8u << 20));
	return 0;
}

static void on_small_disk(int (*body)(void *context))
{
	struct yard yard;

	yard_make_empty(&yard);
	int code = child_wait(child_start(body, &yard));
	yard_remove(&yard);
	if (code == CHILD_SKIPS)
		skip_because("a small disk cannot be mounted here");
	assert_int_equal(code, 0);
}

static void creation_on_a_full_disk_fails_and_leaves_nothing(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	on_small_disk(create_on_full_disk);
}

static void reserving_on_a_full_disk_fails_and_changes_nothing(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	on_small_disk(reserve_on_filling_disk);
}

static int create_without_fallocate(void *context)
{
	const struct yard *yard = context;
	struct arena arena;
	struct stat st;

	if (!support_filter_call(SYS_fallocate, EPERM)) /* as a sandbox may */
		return CHILD_SKIPS;
	must(arena_create(yard->dir_fd, &small, NULL) == 0);
	must(arena_map(yard->dir_fd, false, &arena, NULL) == 0);
	must(arena_reserve(&arena, 0, arena.page_count) == 0);
	must(arena.header->reserved_pages == arena.page_count);
	must(fstat(arena.fd, &st) == 0);
	must((uint64_t)st.st_blocks * 512 >= arena.bytes); /* the file has no holes */
	return 0;
}

static void where_fallocate_is_denied_zeroes_are_written(void **state)
{
	(void)state;
	NEEDS_PROCESSES();
	on_small_disk(create_without_fallocate);
}

/* ------------------------------------------------------------- the feed's room */

static void the_feed_has_the_room_that_is_asked_for(void **state)
{
	(void)state;
	static const struct {
		uint64_t bytes, events;
		uint32_t lane;
	} rooms[] = {
		{ ARENA_FEED_BYTES_MIN, 64, 8 }, { 100 << 10, 128, 8 },
		{ 512 << 10, 1024, 64 },         { 2 << 20, 4096, 256 },
		{ 20 << 20, 32768, 256 },        { 64 << 20, 131072, 1024 },
	};

	for (size_t i = 0; i < COUNT(rooms); i++) {
		struct arena_settings settings = small;
		struct arena arena;
		struct yard yard;
		settings.arena_bytes = 256 << 20;
		settings.feed_bytes = rooms[i].bytes;
		yard_make(&yard, &settings);
		assert_int_equal(arena_map(yard.dir_fd, 0, &arena, NULL), 0);
		assert_int_equal(arena.feed_mask + 1, rooms[i].events);
		assert_int_equal(arena.lane_mask + 1, rooms[i].lane);
		assert_int_equal(arena_feed_bytes_set(&arena),
				 rooms[i].events == 4096 ? 0 : rooms[i].events * FEED_ENTRY_BYTES);
		assert_true((const uint8_t *)(arena.feed + rooms[i].events) <=
			    arena.base + arena.space_at);
		arena_unmap(&arena);
		yard_remove(&yard);
	}
}

/* A damaged header tells the room by its number, or by what lies around it. */
static void the_feeds_room_is_found_in_a_damaged_header(void **state)
{
	(void)state;
	struct arena_settings settings = small;
	struct arena_header header;
	struct arena arena;
	struct yard yard;

	settings.feed_bytes = 256 << 10;
	yard_make(&yard, &settings);
	assert_int_equal(arena_map(yard.dir_fd, 0, &arena, NULL), 0);
	memcpy(&header, arena.header, sizeof(header));
	assert_int_equal(arena_feed_events_said(&header), 512);
	for (uint32_t bit = 0; bit < 64; bit++) {
		header.feed_events = 512 ^ 1ull << bit;
		assert_int_equal(arena_feed_events_said(&header), 512);
	}
	header.space_at = 7;
	assert_int_equal(arena_feed_events_said(&header), 0);
	header.feed_events = 512;
	assert_int_equal(arena_feed_events_said(&header), 512);
	const uint64_t space_at = arena.space_at;
	assert_true(arena_assume(&arena, arena.bytes, arena.max_carts, 512));
	assert_int_equal(arena.space_at, space_at);
	assert_true(arena_assume(&arena, arena.bytes, arena.max_carts, 0));
	assert_true(arena.space_at < space_at);
	assert_false(arena_assume(&arena, arena.bytes, arena.max_carts, 513));
	arena_unmap(&arena);
	yard_remove(&yard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creation_leaves_one_file_with_mode_0660_whatever_the_umask),
		cmocka_unit_test(creation_takes_no_arenas_place),
		cmocka_unit_test(creation_replaces_what_a_dead_creator_left),
		cmocka_unit_test(failed_creation_leaves_nothing),
		cmocka_unit_test(killed_creator_leaves_no_half_arena),
		cmocka_unit_test(creation_on_a_full_disk_fails_and_leaves_nothing),
		cmocka_unit_test(reserving_on_a_full_disk_fails_and_changes_nothing),
		cmocka_unit_test(where_fallocate_is_denied_zeroes_are_written),
		cmocka_unit_test(the_feed_has_the_room_that_is_asked_for),
		cmocka_unit_test(the_feeds_room_is_found_in_a_damaged_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
