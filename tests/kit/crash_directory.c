/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_directory.c: see crash_directory.h.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "crash_directory.h"
#include "support.h"

static uint8_t bytes[ARENA_BYTES_MIN] __attribute__((aligned(CACHE_LINE)));

/* The size of a plain file, whose contents are then in `bytes`; -1: the file is gone. */
static ssize_t read_file(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -1;
	ssize_t n = read(fd, bytes, sizeof(bytes));
	close(fd);
	assert_true(n >= 0);
	return n;
}

static uint64_t hash_entry(int dir_fd, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	if ((st.st_mode & 0007) != 0)
		fail_msg("%s is open to all: mode %o", name, st.st_mode & 07777);
	uint64_t hash = XXH3_64bits_withSeed(name, strlen(name), st.st_mode);
	if (S_ISREG(st.st_mode)) {
		ssize_t n = read_file(dir_fd, name);
		hash ^= XXH3_64bits_withSeed(bytes, n > 0 ? (size_t)n : 0, (uint64_t)st.st_blocks);
	} else if (S_ISDIR(st.st_mode)) { /* a directory in which an arena is rebuilt */
		char path[64];
		snprintf(path, sizeof(path), "/proc/self/fd/%d/%.30s", dir_fd, name);
		hash ^= crash_directory_hash(path) * 3;
	}
	return hash;
}

/* Hash the directory's mode and its entries, independent of their order. */
uint64_t crash_directory_hash(const char *path)
{
	struct stat st;
	uint64_t hash;

	DIR *dir = opendir(path);
	if (dir == NULL)
		return 0;
	assert_int_equal(fstat(dirfd(dir), &st), 0);
	hash = st.st_mode;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			hash += hash_entry(dirfd(dir), entry->d_name);
	closedir(dir);
	return hash;
}

/* Change the arena's inode stamp to that of the copy: programs treat a copied arena differently. */
static void move_arena(int from, int to, size_t size)
{
	struct arena_header *h = (struct arena_header *)(void *)bytes;

	if (size >= sizeof(*h) && h->magic == LAYOUT_MAGIC && !arena_is_copy(h, from))
		arena_own_file(h, to);
}

static void copy_entry(int from, int to, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	if (S_ISSOCK(st.st_mode)) {
		assert_int_equal(mknodat(to, name, st.st_mode, 0), 0);
		return;
	}
	if (S_ISDIR(st.st_mode)) {
		char paths[2][64];
		snprintf(paths[0], sizeof(paths[0]), "/proc/self/fd/%d/%.30s", from, name);
		snprintf(paths[1], sizeof(paths[1]), "/proc/self/fd/%d/%.30s", to, name);
		crash_directory_copy(paths[0], paths[1]);
		return;
	}
	ssize_t n = read_file(from, name);
	int fd = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && n >= 0);
	int here = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	assert_true(here >= 0);
	move_arena(here, fd, (size_t)n);
	close(here);
	assert_int_equal(write(fd, bytes, (size_t)n), n);
	assert_int_equal(fchmod(fd, st.st_mode & 07777), 0);
	close(fd);
}

void crash_directory_copy(const char *from, const char *to)
{
	struct stat st;

	DIR *dir = opendir(from);
	if (dir == NULL)
		return;
	assert_int_equal(fstat(dirfd(dir), &st), 0);
	assert_int_equal(mkdir(to, 0700), 0);
	assert_int_equal(chmod(to, st.st_mode & 07777), 0);
	int fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			copy_entry(dirfd(dir), fd, entry->d_name);
	close(fd);
	closedir(dir);
}
