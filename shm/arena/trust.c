/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trust.c: see trust.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/descriptor.h"
#include "arena/trust.h"
#include "base/why.h"

int trust_directory(int dir_fd, const char *path, char *why)
{
	struct stat st;

	if (fstat(dir_fd, &st) < 0)
		return why_set(why, -errno, "%s: cannot stat the directory", path);
	if ((st.st_mode & S_IWOTH) != 0)
		return why_set(why, -EPERM,
			       "%s: everybody may write there and put something in place of the "
			       "carts: chmod o-w it",
			       path);
	return 0;
}

static int check_file(int dir_fd, int fd, const char *name, char *why)
{
	struct stat file, dir;

	if (fstat(fd, &file) < 0 || fstat(dir_fd, &dir) < 0)
		return why_set(why, -errno, "cannot stat %s", name);
	if (!S_ISREG(file.st_mode))
		return why_set(why, -EPROTO, "%s is not a plain file", name);
	if (file.st_nlink > 1)
		return why_set(why, -EPROTO, "%s has %lu names (hard links): remove the others",
			       name, (unsigned long)file.st_nlink);
	if ((file.st_mode & S_IRWXO) != 0)
		return why_set(why, -EPERM,
			       "%s: others than its owner and its group may use it: chmod o= it",
			       name);
	/*
	 * who may write the directory may have made it: then the group it has shows whom it is
	 * meant for
	 */
	bool by_group = (dir.st_mode & S_IWGRP) != 0 && file.st_gid == dir.st_gid;
	if (!by_group && file.st_uid != dir.st_uid && file.st_uid != 0 && file.st_uid != geteuid())
		return why_set(
			why, -EPERM,
			"%s belongs to user %u, who has no business here: remove or chown it", name,
			file.st_uid);
	return 0;
}

int trust_share(int dir_fd, int fd)
{
	struct stat file, dir;

	if (fstat(fd, &file) < 0 || fstat(dir_fd, &dir) < 0)
		return -errno;
	if (file.st_gid != dir.st_gid && fchown(fd, (uid_t)-1, dir.st_gid) < 0)
		return errno == EPERM ? 0 :
					-errno; /* not our group to give: it stays with its owner */
	return fchmod(fd, 0660) < 0 ? -errno : 0;
}

void trust_regroup(int dir_fd, int fd)
{
	struct stat file, dir;

	if (fstat(fd, &file) == 0 && fstat(dir_fd, &dir) == 0 && file.st_gid != dir.st_gid &&
	    fchown(fd, (uid_t)-1, dir.st_gid) < 0)
		return; /* its owner's agent will */
}

/* -ENOENT when it is not there; that is said by the caller. */
static int open_there(int dir_fd, const char *name, int flags, char *why)
{
	int fd = descriptor_open(dir_fd, name, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | flags, 0);

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 && errno == ELOOP)
		return why_set(why, -ELOOP, "%s is a symbolic link: remove it", name);
	if (fd < 0)
		return why_set(why, -errno, "cannot open %s for %s: %s", name,
			       (flags & O_ACCMODE) == O_RDONLY ? "reading" : "reading and writing",
			       strerrordesc_np(errno));
	int r = check_file(dir_fd, fd, name, why);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int trust_open(int dir_fd, const char *name, int flags, bool create, char *why)
{
	int fd = open_there(dir_fd, name, O_RDWR | flags, why);

	if (fd != -ENOENT)
		return fd;
	if (!create)
		return why_set(why, -ENOENT, "there is no %s: start corral-agent, which makes it",
			       name);
	fd = descriptor_open(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | flags, 0600);
	if (fd < 0 && errno == EEXIST) /* another was quicker */
		return open_there(dir_fd, name, O_RDWR | flags, why);
	int r = fd < 0 ? -errno : trust_share(dir_fd, fd);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return why_set(why, r, "cannot make %s", name);
	}
	return fd;
}

int trust_open_to_read(int dir_fd, const char *name, char *why)
{
	int fd = open_there(dir_fd, name, O_RDONLY, why);

	if (fd == -ENOENT)
		return why_set(why, -ENOENT, "there is no %s", name);
	return fd;
}
