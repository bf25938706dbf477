/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aside.c: sets journals aside; see aside.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/access.h"
#include "aside.h"

#define HOPELESS JOURNAL_DIRECTORY ".hopeless."

#define NAMES_MAX 1000 /* per entry */

/* Like renameat(), but never replaces an existing name. */
static int rename_to_free(int dir_fd, const char *from, const char *to)
{
	struct stat st;

	if (renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* a file system without the flag; we hold the agent's byte */
	if (fstatat(dir_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(dir_fd, from, dir_fd, to) < 0 ? -errno : 0;
}

int aside_rename(int dir_fd, const char *name, const char *wanted, const char *suffix,
		 char ret_name[NAME_MAX + 1])
{
	char to[NAME_MAX + 1];
	int r = -EEXIST;

	for (int i = 0; i < NAMES_MAX && r == -EEXIST; i++) {
		int n = snprintf(to, sizeof(to), i == 0 ? "%s%s" : "%s%s.%d", wanted, suffix, i);
		if (n >= (int)sizeof(to))
			return -ENAMETOOLONG;
		r = rename_to_free(dir_fd, name, to);
	}
	if (r == 0)
		memcpy(ret_name, to, sizeof(to));
	return r;
}

static bool is_kept(const struct recover *recover, int file)
{
	return recover->files_there[file].state != -EISDIR;
}

/* Is another file under that name? The same file is left by an agent that died during this step. */
static bool is_taken(const struct recover *recover, int aside_fd, const char *name)
{
	struct stat ours, there;

	return fstatat(aside_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (fstatat(recover->dir_fd, name, &ours, AT_SYMLINK_NOFOLLOW) < 0 ||
		ours.st_ino != there.st_ino || ours.st_dev != there.st_dev);
}

/* -EEXIST: the name holds files of another occasion. */
static int link_files(const struct recover *recover, int aside_fd)
{
	char name[JOURNAL_NAME_BYTES];

	for (int i = 0; i < recover->count; i++) {
		journal_name(recover->numbers[i], name);
		if (is_kept(recover, i) && is_taken(recover, aside_fd, name))
			return -EEXIST;
	}
	for (int i = 0; i < recover->count; i++) {
		journal_name(recover->numbers[i], name);
		if (is_kept(recover, i) && linkat(recover->dir_fd, name, aside_fd, name, 0) < 0 &&
		    errno != EEXIST && errno != ENOENT)
			return -errno;
	}
	return fsync(aside_fd) < 0 ? -errno : 0;
}

int aside_link(const struct agent *agent, const struct recover *recover, const char *name)
{
	int fd = access_enter(agent->dir_fd, name, TRUST_MAKE, NULL);
	if (fd < 0)
		return fd == -ELOOP || fd == -ENOTDIR || fd == -EPERM ? -EEXIST : fd;
	int r = link_files(recover, fd);
	close(fd);
	if (r == 0 && fsync(agent->dir_fd) < 0)
		r = -errno;
	return r;
}

void aside_keep(const struct agent *agent, const struct recover *recover, const char *what,
		const char *kind)
{
	char name[ASIDE_NAME_BYTES], suffix[16] = "";
	int r = -EEXIST;

	/*
	 * each agent and each attempt uses the same name for these files; other files get another
	 * name
	 */
	for (int i = 1; i <= NAMES_MAX && r == -EEXIST; i++) {
		snprintf(name, sizeof(name), ASIDE_DAMAGED "%lld%s%s",
			 (long long)recover->head.created_ms, kind, suffix);
		r = aside_link(agent, recover, name);
		snprintf(suffix, sizeof(suffix), ".%d", i);
	}
	if (r < 0)
		log_line(LOG_ERROR, "%s: %s cannot be kept as %s: %s", agent->directory, what, name,
			 strerror(-r));
	else
		log_line(LOG_ERROR,
			 "%s: %s is kept as %s: `corral-agent --salvage` takes what is sound in it",
			 agent->directory, what, name);
}

int aside_hopeless(const struct agent *agent, const char *why)
{
	char wanted[ASIDE_NAME_BYTES], name[NAME_MAX + 1] = "";

	snprintf(wanted, sizeof(wanted), HOPELESS "%lld", (long long)arena_wall_ms());
	int r = aside_rename(agent->dir_fd, JOURNAL_DIRECTORY, wanted, "", name);
	if (r < 0)
		return r;
	log_line(LOG_ERROR, "%s: no arena can be made out of the journal: %s; it is kept as %s",
		 agent->directory, why[0] != '\0' ? why : "no file of it has a valid head", name);
	return 0;
}
