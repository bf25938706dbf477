/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 20_arena_refused.c: a file that is no arena of ours is refused with a sentence, and not a byte of
 * it is changed.
 */
#include "arena_kit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

/* Assert that opening fails with this error and a sentence. */
static void refused(const struct yard *yard, int error)
{
	struct arena arena = { .fd = -7 };
	char why[ARENA_WHY_BYTES] = "";
	int r = arena_map(yard->dir_fd, false, &arena, why);

	if (r != error)
		fail_msg("%d (%s), not %d", r, why, error);
	assert_true(strlen(why) > 15 && strlen(why) < ARENA_WHY_BYTES - 1);
	assert_int_equal(arena.fd, -7); /* untouched on failure */
}

static void write_file(const struct yard *yard, const void *bytes, size_t size, off_t at)
{
	int fd = openat(yard->dir_fd, ARENA_FILE, O_WRONLY);

	assert_int_equal(pwrite(fd, bytes, size, at), size);
	close(fd);
}

static void every_damaged_byte_of_the_identity_is_refused_and_left_alone(void **state)
{
	(void)state;
	static uint8_t before[SMALL_BYTES], after[SMALL_BYTES];
	struct yard yard;

	yard_make(&yard, &small);
	read_file(&yard, before, sizeof(before));
	for (uint32_t at = 0; at < offsetof(struct arena_header, clock_offset_ns); at++) {
		for (uint32_t bit = 0; bit < 8; bit++) {
			uint8_t byte = before[at] ^ (uint8_t)(1u << bit);
			write_file(&yard, &byte, 1, at);
			bool boot = at >= offsetof(struct arena_header, boot_id);
			/* also of its layout: another version's arena would have another sum */
			refused(&yard, boot ? -ESTALE : -EPROTO);
			read_file(&yard, after, HEADER_BYTES);
			assert_int_equal(after[at], byte);
			after[at] = before[at];
			assert_memory_equal(before, after, HEADER_BYTES);
			write_file(&yard, &before[at], 1, at);
		}
	}
	accepted(&yard);
	read_file(&yard, after, sizeof(after));
	assert_memory_equal(before, after, sizeof(before));
	yard_remove(&yard);
}

static void seal(struct arena_header *header)
{
	header->header_sum = 0;
	header->header_sum = XXH3_64bits(header, offsetof(struct arena_header, boot_id));
}

static void geometry_that_does_not_add_up_is_refused_even_when_sealed(void **state)
{
	(void)state;
	const uint32_t words4[] = {
		offsetof(struct arena_header, max_carts),
		offsetof(struct arena_header, bucket_count),
		offsetof(struct arena_header, page_count),
		offsetof(struct arena_header, class_count),
		offsetof(struct arena_header, max_processes),
		offsetof(struct arena_header, max_threads),
		offsetof(struct arena_header, processes_at),
		offsetof(struct arena_header, threads_at),
		offsetof(struct arena_header, classes_at),
		offsetof(struct arena_header, dirty_at),
		offsetof(struct arena_header, drained_at),
		offsetof(struct arena_header, chains_at),
		offsetof(struct arena_header, buckets_at),
		offsetof(struct arena_header, slots_at),
		offsetof(struct arena_header, pages_at),
		offsetof(struct arena_header, space_at),
		offsetof(struct arena_header, arena_bytes),
	};
	const uint32_t changes[] = { 1, 64, 0x10000, 0x80000000, UINT32_MAX };
	struct arena_header whole;
	struct yard yard;

	yard_make(&yard, &small);
	read_file(&yard, &whole, sizeof(whole));
	for (size_t i = 0; i < COUNT(words4); i++) {
		for (size_t j = 0; j < COUNT(changes); j++) {
			struct arena_header header = whole;
			uint32_t word;
			memcpy(&word, (char *)&header + words4[i], sizeof(word));
			word += changes[j];
			memcpy((char *)&header + words4[i], &word, sizeof(word));
			seal(&header);
			write_file(&yard, &header, sizeof(header), 0);
			refused(&yard, -EPROTO);
		}
	}
	seal(&whole);
	write_file(&yard, &whole, sizeof(whole), 0);
	accepted(&yard);
	yard_remove(&yard);
}

static void another_time_namespace_is_refused_and_another_boot_only_to_workers(void **state)
{
	(void)state;
	struct arena_header whole, header;
	struct arena arena;
	struct yard yard;

	yard_make(&yard, &small);
	read_file(&yard, &whole, sizeof(whole));
	if (whole.time_ns_inode == 0)
		skip_because("this kernel has no time namespaces");
	header = whole;
	header.time_ns_inode++;
	write_file(&yard, &header, sizeof(header), 0);
	refused(&yard, -EXDEV);
	header = whole;
	header.boot_id[3] ^= 1;
	write_file(&yard, &header, sizeof(header), 0);
	refused(&yard, -ESTALE);
	assert_int_equal(arena_map(yard.dir_fd, true, &arena, NULL), 0);
	arena_unmap(&arena);
	yard_remove(&yard);
}

static void file_of_another_length_is_refused_and_left_alone(void **state)
{
	(void)state;
	const off_t lengths[] = { 0,
				  1,
				  4095,
				  4096,
				  65536,
				  SMALL_BYTES - 65536,
				  SMALL_BYTES - 1,
				  SMALL_BYTES + 1,
				  SMALL_BYTES + 65536,
				  1ll << 33 };
	struct yard yard;

	yard_make(&yard, &small);
	int fd = openat(yard.dir_fd, ARENA_FILE, O_RDWR);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct arena_header header;
		struct stat st;
		read_file(&yard, &header, sizeof(header));
		assert_int_equal(ftruncate(fd, lengths[i]), 0);
		refused(&yard, -EPROTO);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, lengths[i]);
		assert_int_equal(ftruncate(fd, SMALL_BYTES), 0);
		write_file(&yard, &header, sizeof(header), 0);
		accepted(&yard);
	}
	close(fd);
	yard_remove(&yard);
}

static void foreign_newer_and_swapped_files_are_refused(void **state)
{
	(void)state;
	struct arena_header whole, header;
	struct yard yard;

	yard_make(&yard, &small);
	read_file(&yard, &whole, sizeof(whole));
	memset(&header, 'x', sizeof(header));
	write_file(&yard, &header, sizeof(header), 0);
	refused(&yard, -EPROTO);
	memset(&header, 0, sizeof(header));
	write_file(&yard, &header, sizeof(header), 0);
	refused(&yard, -EPROTO);
	header = whole;
	header.layout_version++;
	seal(&header);
	write_file(&yard, &header, sizeof(header), 0);
	refused(&yard, -EPROTONOSUPPORT);
	header = whole;
	header.byte_order = __builtin_bswap32(header.byte_order);
	seal(&header);
	write_file(&yard, &header, sizeof(header), 0);
	refused(&yard, -EPROTONOSUPPORT);
	header = whole;
	header.fingerprint++;
	seal(&header);
	write_file(&yard, &header, sizeof(header), 0);
	refused(&yard, -EPROTONOSUPPORT);
	yard_remove(&yard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_damaged_byte_of_the_identity_is_refused_and_left_alone),
		cmocka_unit_test(geometry_that_does_not_add_up_is_refused_even_when_sealed),
		cmocka_unit_test(
			another_time_namespace_is_refused_and_another_boot_only_to_workers),
		cmocka_unit_test(file_of_another_length_is_refused_and_left_alone),
		cmocka_unit_test(foreign_newer_and_swapped_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
