/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutate_files.c: copies and removes directories. Holes stay holes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mutate.h"

#define PART_BYTES (1u << 16)

const char *files_path(char path[PATH_MAX], const char *directory, const char *format, ...)
{
	va_list arguments;
	int n = snprintf(path, PATH_MAX, "%s/", directory);

	must(n > 0 && n < PATH_MAX);
	va_start(arguments, format);
	int more = vsnprintf(path + n, (size_t)(PATH_MAX - n), format, arguments);
	va_end(arguments);
	must(more >= 0 && n + more < PATH_MAX);
	return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

void files_remove(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		must(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static void copy_bytes(int from, int to)
{
	static uint8_t bytes[PART_BYTES];
	struct stat st;

	must(fstat(from, &st) == 0 && ftruncate(to, st.st_size) == 0);
	for (off_t data = 0; (data = lseek(from, data, SEEK_DATA)) >= 0;) {
		off_t hole = lseek(from, data, SEEK_HOLE);
		must(hole > data);
		while (data < hole) {
			size_t part = hole - data < PART_BYTES ? (size_t)(hole - data) : PART_BYTES;
			ssize_t n = pread(from, bytes, part, data);
			must(n > 0 && pwrite(to, bytes, (size_t)n, data) == n);
			data += n;
		}
	}
}

static void copy_entry(const char *from, const char *to)
{
	char target[PATH_MAX] = "";
	struct stat st;

	must(lstat(from, &st) == 0);
	if (S_ISDIR(st.st_mode)) {
		files_copy(from, to);
	} else if (S_ISLNK(st.st_mode)) {
		must(readlink(from, target, sizeof(target) - 1) >= 0 && symlink(target, to) == 0);
	} else if (S_ISREG(st.st_mode)) {
		int in = open(from, O_RDONLY | O_CLOEXEC);
		int out = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
		must(in >= 0 && out >= 0);
		copy_bytes(in, out);
		must(close(in) == 0 && close(out) == 0 && chmod(to, st.st_mode & 0777) == 0);
	} /* an agent makes its socket itself, and a pipe is of no use */
}

void files_copy(const char *from, const char *to)
{
	char source[PATH_MAX], target[PATH_MAX];
	struct stat st;
	DIR *dir = opendir(from);

	must(dir != NULL && fstat(dirfd(dir), &st) == 0);
	must(mkdir(to, 0700) == 0 && chmod(to, st.st_mode & 0777) == 0);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			copy_entry(files_path(source, from, "%s", entry->d_name),
				   files_path(target, to, "%s", entry->d_name));
	must(closedir(dir) == 0);
}
