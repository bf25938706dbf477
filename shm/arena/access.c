/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * access.c: see access.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/access.h"
#include "arena/descriptor.h"
#include "base/reason.h"

int access_directory(int dir_fd, const char *path, char *why)
{
	struct stat st;

	if (fstat(dir_fd, &st) < 0)
		return reason_system(why, -errno, "%s: cannot stat the directory", path);
	if ((st.st_mode & S_IWOTH) != 0)
		return reason_set(
			why, -EPERM,
			"%s: everybody may write there and replace the carts: chmod o-w it", path);
	return 0;
}

/*
 * Is the file's owner trusted? If the group may write the directory, a file of that group may
 * belong to any of its members. `closed`: the mode bits that others must not have.
 */
static int check_owner(const struct stat *dir, const struct stat *file, mode_t closed,
		       const char *name, char *why)
{
	bool by_group = (dir->st_mode & S_IWGRP) != 0 && file->st_gid == dir->st_gid;

	if (!by_group && file->st_uid != dir->st_uid && file->st_uid != 0 &&
	    file->st_uid != geteuid())
		return reason_set(
			why, -EPERM,
			"%s belongs to user %u, who has no business here: remove or chown it", name,
			file->st_uid);
	if ((file->st_mode & closed) != 0)
		return reason_set(why, -EPERM,
				  "%s: others than its owner and its group may use it: chmod o= it",
				  name);
	return 0;
}

/*
 * If the group may write the directory, a member can move a file of root or of the agent's user
 * into it, even one that the group has no access to. Our own files have the group and its rights
 * from the first instant, so a file without them is not ours.
 */
static int check_group(const struct stat *dir, const struct stat *file, const char *name, char *why)
{
	if ((dir->st_mode & S_IWGRP) == 0)
		return 0;
	if (file->st_gid != dir->st_gid)
		return reason_set(
			why, -EPERM,
			"%s belongs to group %u, not to the directory's group %u, whose "
			"members may have moved it there: remove it, or if it is Corral's, "
			"chgrp it",
			name, file->st_gid, dir->st_gid);
	if (S_ISREG(file->st_mode) && (file->st_mode & S_IRGRP) == 0)
		return reason_set(
			why, -EPERM,
			"%s is closed to the directory's group, whose members may have moved "
			"it there: remove it, or if it is Corral's, chmod g+rw it",
			name);
	return 0;
}

static int check_file(int dir_fd, int fd, const char *name, char *why)
{
	struct stat file, dir;

	if (fstat(fd, &file) < 0 || fstat(dir_fd, &dir) < 0)
		return reason_system(why, -errno, "cannot stat %s", name);
	if (!S_ISREG(file.st_mode))
		return reason_set(why, -EPROTO, "%s is not a plain file", name);
	if (file.st_nlink > 1)
		return reason_set(why, -EPROTO, "%s has %lu names (hard links): remove the others",
				  name, (unsigned long)file.st_nlink);
	int r = check_owner(&dir, &file, S_IRWXO, name, why);
	return r < 0 ? r : check_group(&dir, &file, name, why);
}

int access_share(int dir_fd, int fd)
{
	struct stat file, dir;

	if (fstat(fd, &file) < 0 || fstat(dir_fd, &dir) < 0)
		return -errno;
	/* EPERM: the group is not ours to give; the file stays with its owner */
	if (file.st_gid != dir.st_gid && fchown(fd, (uid_t)-1, dir.st_gid) < 0)
		return errno == EPERM ? 0 : -errno;
	return fchmod(fd, 0660) < 0 ? -errno : 0;
}

void access_regroup(int dir_fd, int fd)
{
	struct stat file, dir;

	if (fstat(fd, &file) == 0 && fstat(dir_fd, &dir) == 0 && (dir.st_mode & S_IWGRP) == 0 &&
	    file.st_gid != dir.st_gid && fchown(fd, (uid_t)-1, dir.st_gid) < 0)
		return; /* the owner's agent will do it */
}

/* Open an existing file. -ENOENT without a sentence: the caller says it. */
static int open_there(int dir_fd, const char *name, int flags, char *why)
{
	int fd = descriptor_open(dir_fd, name, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | flags, 0);

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 && errno == ELOOP)
		return reason_set(why, -ELOOP, "%s is a symbolic link: remove it", name);
	if (fd < 0)
		return reason_system(why, -errno, "cannot open %s for %s", name,
				     (flags & O_ACCMODE) == O_RDONLY ? "reading" :
								       "reading and writing");
	int r = check_file(dir_fd, fd, name, why);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/*
 * The file gets its name only once it has its group and its mode: a death before that leaves
 * nothing. The caller opens it by that name, because /proc would otherwise show it as deleted while
 * it is open. -EOPNOTSUPP: the file system cannot create files without a name, or there is no
 * /proc.
 */
static int make_nameless(int dir_fd, const char *name)
{
	char path[64];

	int fd = descriptor_open(dir_fd, ".", O_TMPFILE | O_RDWR, 0600);
	if (fd < 0)
		return errno == EISDIR || errno == EINVAL || errno == ENOENT ? -EOPNOTSUPP : -errno;
	int r = access_share(dir_fd, fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (r == 0 && linkat(AT_FDCWD, path, dir_fd, name, AT_SYMLINK_FOLLOW) < 0)
		r = errno == ENOENT ? -EOPNOTSUPP : -errno;
	close(fd);
	return r;
}

/* A death between the two calls leaves an empty file, which is refused by name from then on. */
static int make_named(int dir_fd, const char *name)
{
	int fd = descriptor_open(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	int r = fd < 0 ? -errno : access_share(dir_fd, fd);

	if (fd >= 0)
		close(fd);
	return r;
}

int access_open(int dir_fd, const char *name, int flags, bool create, char *why)
{
	int fd = open_there(dir_fd, name, O_RDWR | flags, why);

	if (fd != -ENOENT)
		return fd;
	if (!create)
		return reason_set(why, -ENOENT,
				  "there is no %s: start corral-agent, which makes it", name);
	int r = make_nameless(dir_fd, name);
	if (r == -EOPNOTSUPP)
		r = make_named(dir_fd, name);
	if (r < 0 && r != -EEXIST) /* -EEXIST: another process was faster */
		return reason_system(why, r, "cannot make %s", name);
	return open_there(dir_fd, name, O_RDWR | flags, why);
}

/* ------------------------------------------------------------ directories in it */

static int check_directory(int dir_fd, int fd, const char *name, unsigned flags, char *why)
{
	struct stat file, dir;

	if (fstat(fd, &file) < 0 || fstat(dir_fd, &dir) < 0)
		return reason_system(why, -errno, "cannot stat %s", name);
	int r = check_owner(&dir, &file, S_IWOTH, name, why);
	if (r == 0)
		r = check_group(&dir, &file, name, why);
	if (r == 0 && (flags & TRUST_OURS) != 0 &&
	    (file.st_uid != geteuid() || (file.st_mode & S_IRWXG) != 0))
		r = reason_set(why, -EPERM, "%s is not what this agent's user makes: remove it",
			       name);
	return r;
}

static bool is_empty(int fd)
{
	int own_fd = descriptor_open(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = own_fd >= 0 ? fdopendir(own_fd) : NULL;
	int entries = 0;

	if (dir == NULL)
		return false;
	while (entries <= 2 && readdir(dir) != NULL)
		entries++;
	closedir(dir);
	return entries <= 2; /* "." and ".." */
}

/*
 * Give a new directory its parent's group. If that group may write the parent, or the parent's
 * set-group-ID bit gives everything in it to the group, the group may write here, too.
 */
static int share_directory(int dir_fd, int fd, unsigned flags)
{
	struct stat file, dir;

	if (fstat(fd, &file) < 0 || fstat(dir_fd, &dir) < 0)
		return -errno;
	if (file.st_uid != geteuid() || (file.st_mode & (S_IRWXG | S_IRWXO)) != 0 || !is_empty(fd))
		return -EPERM; /* another directory was put in its place */
	if (file.st_gid != dir.st_gid && fchown(fd, (uid_t)-1, dir.st_gid) < 0)
		return errno == EPERM ? 0 : -errno; /* as in access_share() */
	if ((flags & TRUST_OURS) != 0 || (dir.st_mode & (S_IWGRP | S_ISGID)) == 0)
		return 0;
	if ((dir.st_mode & S_ISGID) != 0 && fchmod(fd, 02770) == 0)
		return 0;
	return fchmod(fd, 0770) < 0 ? -errno : 0; /* a sandbox may forbid that bit */
}

static int open_directory(int dir_fd, const char *name)
{
	int fd = descriptor_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	return fd < 0 ? -errno : fd;
}

static int make_directory(int dir_fd, const char *name, unsigned flags)
{
	if (mkdirat(dir_fd, name, 0700) < 0)
		return -errno;
	int fd = open_directory(dir_fd, name);
	int r = fd < 0 ? fd : share_directory(dir_fd, fd, flags);
	if (r == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return r;
}

static int refuse_directory(int error, const char *name, char *why)
{
	if (error == -ELOOP || error == -ENOTDIR)
		return reason_set(why, error, "%s is not a directory: remove it", name);
	return reason_system(why, error, "cannot open the directory %s", name);
}

int access_enter(int dir_fd, const char *name, unsigned flags, char *why)
{
	int fd = open_directory(dir_fd, name);
	int r = fd < 0 ? fd : check_directory(dir_fd, fd, name, flags, why);

	if (r == 0)
		return fd;
	if (fd >= 0) {
		close(fd);
		/*
		 * a death before it had its group left it empty; a directory with entries is kept
		 */
		if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0)
			return r;
		r = -ENOENT;
	}
	if (r != -ENOENT || (flags & TRUST_MAKE) == 0)
		return refuse_directory(r, name, why);
	fd = make_directory(dir_fd, name, flags);
	if (fd < 0)
		return refuse_directory(fd, name, why);
	r = check_directory(dir_fd, fd, name, flags, why);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

bool access_may_write(int dir_fd, int fd)
{
	struct stat file, dir;

	return fstat(fd, &file) == 0 && fstat(dir_fd, &dir) == 0 && S_ISREG(file.st_mode) &&
	       check_owner(&dir, &file, S_IWOTH, "", NULL) == 0 &&
	       check_group(&dir, &file, "", NULL) == 0;
}

int access_open_to_read(int dir_fd, const char *name, char *why)
{
	int fd = open_there(dir_fd, name, O_RDONLY, why);

	if (fd == -ENOENT)
		return reason_set(why, -ENOENT, "there is no %s", name);
	return fd;
}
