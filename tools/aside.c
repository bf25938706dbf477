/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aside.c: see aside.h. Paths are opened one component at a time, without following links.
 */
#include "aside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/access.h"
#include "arena/arena.h"
#include "tool.h"

/* The journal's layout, see agent/journal_file.h: these offsets are the same in all its formats. */
#define JOURNAL_DIRECTORY "journal"
#define JOURNAL_MAGIC 0x0a4c4e524a524f43ull
#define HEAD_WORDS 12
#define HEAD_CREATED 10 /* the word with the time when the file was begun */

#define ASIDE_MAX 1000 /* more are not listed */
#define BLOCK_BYTES 512

/*
 * The arena has all contents of files with these names, which otherwise would be named
 * arena.damaged: see rebuild.c and aside_salvage.c of the agent. That cannot be said of other
 * names. A damaged or hopeless journal may have carts that nothing else has; a former arena, which
 * a recovery out of the journal has replaced, changes that had not been written to the journal; and
 * a journal of a former format, carts that were damaged in the arena when that was upgraded.
 */
static const char *const spare_names[] = { ARENA_FILE ".resized.", ARENA_FILE ".layout",
					   JOURNAL_DIRECTORY ".salvaged." };

static bool begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

static bool is_aside(const char *name)
{
	return begins(name, ARENA_FILE ".") || begins(name, JOURNAL_DIRECTORY ".");
}

/* One of our names ends in a number, or in two: any other name is another program's. */
static bool is_spare(const char *name)
{
	static const char *const digits = "0123456789";

	for (size_t i = 0; i < sizeof(spare_names) / sizeof(*spare_names); i++) {
		const char *end = name + strlen(spare_names[i]);
		if (!begins(name, spare_names[i]) || strspn(end, digits) == 0)
			continue;
		end += strspn(end, digits);
		if (*end == '.' && strspn(end + 1, digits) > 0)
			end += 1 + strspn(end + 1, digits);
		if (*end == '\0')
			return true;
	}
	return false;
}

static int open_directory(const char *directory)
{
	char why[ARENA_WHY_BYTES];
	int fd;
	int r = arena_open_directory(directory, &fd, why);

	return r ? r : fd;
}

static DIR *list(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir == NULL && fd >= 0)
		close(fd);
	return dir;
}

static uint64_t bytes_of(int dir_fd, const char *name)
{
	struct stat st;
	uint64_t bytes;
	DIR *dir;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	bytes = (uint64_t)st.st_blocks * BLOCK_BYTES;
	dir = S_ISDIR(st.st_mode) ? list(dir_fd, name) : NULL;
	for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
		if (entry->d_name[0] != '.' &&
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			bytes += (uint64_t)st.st_blocks * BLOCK_BYTES;
	if (dir != NULL)
		closedir(dir);
	return bytes;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct aside *)a)->name, ((const struct aside *)b)->name);
}

struct aside *aside_list(const char *directory, size_t *ret_count)
{
	struct aside *all = must_have(calloc(ASIDE_MAX, sizeof(*all)));
	int dir_fd = open_directory(directory);
	DIR *dir = dir_fd >= 0 ? list(dir_fd, ".") : NULL;
	size_t count = 0;

	for (struct dirent *entry;
	     dir != NULL && count < ASIDE_MAX && (entry = readdir(dir)) != NULL;) {
		if (!is_aside(entry->d_name))
			continue;
		snprintf(all[count].name, sizeof(all[count].name), "%s", entry->d_name);
		all[count].bytes = bytes_of(dir_fd, entry->d_name);
		all[count++].spare = is_spare(entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	if (dir_fd >= 0)
		close(dir_fd);
	if (count > 0)
		qsort(all, count, sizeof(*all), by_name);
	*ret_count = count;
	return all;
}

static int remove_files(int dir_fd, const char *name)
{
	int fd = access_enter(dir_fd, name, 0, NULL);
	DIR *dir = fd < 0 ? NULL : list(fd, ".");
	int r = fd < 0 ? fd : dir != NULL ? 0 : -errno;

	for (struct dirent *entry; dir != NULL && !r && (entry = readdir(dir)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    unlinkat(fd, entry->d_name, 0) < 0)
			r = -errno;
	if (dir != NULL)
		closedir(dir);
	if (fd >= 0)
		close(fd);
	return r;
}

int aside_remove(const char *directory, const char *name)
{
	struct stat st;
	int dir_fd;
	int r = 0;

	if (!is_aside(name) || strchr(name, '/') != NULL)
		return -ENOENT;
	if (!is_spare(name))
		return -EPERM;
	dir_fd = open_directory(directory);
	if (dir_fd < 0)
		return dir_fd;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	else if (S_ISDIR(st.st_mode))
		r = remove_files(dir_fd, name);
	if (!r && unlinkat(dir_fd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
		r = -errno;
	close(dir_fd);
	return r;
}

void aside_measure_journal(const char *directory, uint32_t base, struct journal_size *ret_size)
{
	uint64_t head[HEAD_WORDS];
	char name[32];
	int dir_fd = open_directory(directory);
	int fd;

	*ret_size = (struct journal_size){ 0 };
	if (dir_fd < 0)
		return;
	ret_size->bytes = bytes_of(dir_fd, JOURNAL_DIRECTORY);
	snprintf(name, sizeof(name), JOURNAL_DIRECTORY "/%012u", base);
	fd = base ? openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
	if (fd >= 0 && pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
	    head[0] == JOURNAL_MAGIC)
		ret_size->base_ms = (int64_t)head[HEAD_CREATED];
	if (fd >= 0)
		close(fd);
	close(dir_fd);
}
