/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * access_path.c: can a stranger put another directory in place of ours? See access.h.
 *
 * The path is walked again from the root, one name at a time, with links followed as the kernel
 * does. Each directory on the way must belong to a trusted user, and no other user may change the
 * next name in it. The end must be the directory that was opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "arena/access.h"
#include "arena/descriptor.h"
#include "base/reason.h"

#define LINKS_MAX 40       /* the kernel's limit */
#define UNMAPPED_UID 65534 /* a user namespace shows it for ids outside its map */
#define WHOLE_MAP "4294967295"

struct way {
	const char *path; /* for messages */
	struct stat end;  /* the directory that was opened */
	bool member;      /* we are in its group, or were told to trust that group */
	int fd;           /* of the current directory of the walk */
	int links;
	char done[PATH_MAX]; /* the path so far, for messages */
	char rest[2 * PATH_MAX];
	char target[PATH_MAX]; /* of a link; the caller's stack may be small */
	char joined[2 * PATH_MAX];
};

static bool is_member(gid_t group)
{
	if (group == getegid())
		return true;
	int count = getgroups(0, NULL);
	gid_t *groups = count > 0 ? malloc((size_t)count * sizeof(*groups)) : NULL;
	bool found = false;
	count = groups != NULL ? getgroups(count, groups) : 0;
	for (int i = 0; i < count && !found; i++)
		found = groups[i] == group;
	free(groups);
	return found;
}

/* A container with its own user namespace cannot tell the true owners of the files it was given. */
static bool in_user_namespace(void)
{
	char text[128] = "";
	int fd = descriptor_open(AT_FDCWD, "/proc/self/uid_map", O_RDONLY, 0);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	if (fd >= 0)
		close(fd);
	return n > 0 && strstr(text, WHOLE_MAP) == NULL;
}

static bool is_trusted(const struct way *way, uid_t uid)
{
	return uid == 0 || uid == geteuid() || (way->member && uid == way->end.st_uid) ||
	       (uid == UNMAPPED_UID && in_user_namespace());
}

/*
 * May members of this group change names in a directory? Those of root's group and of our own may;
 * those of the arena's group may if it is trusted.
 */
static bool is_trusted_group(const struct way *way, gid_t group)
{
	return group == 0 || group == getegid() ||
	       (group == way->end.st_gid && is_trusted(way, way->end.st_uid));
}

/* May the next name be looked up in the directory `here`? `next`: what the name leads to. */
static int check_step(const struct way *way, const struct stat *here, const struct stat *next,
		      char *why)
{
	const char *done = way->done[0] != '\0' ? way->done : "/";

	if (!is_trusted(way, here->st_uid))
		return reason_set(
			why, -EPERM,
			"%s: %s belongs to user %u, who could put another arena there: use "
			"a directory whose parents are yours or root's",
			way->path, done, here->st_uid);
	bool others = (here->st_mode & S_IWOTH) != 0 ||
		      ((here->st_mode & S_IWGRP) != 0 && !is_trusted_group(way, here->st_gid));
	if (!others)
		return 0;
	if ((here->st_mode & S_ISVTX) == 0)
		return reason_set(
			why, -EPERM,
			"%s: others may write %s and could put another arena there: use a "
			"directory whose parents only you and root may write",
			way->path, done);
	if (!is_trusted(way, next->st_uid))
		return reason_set(
			why, -EPERM,
			"%s: everybody may make names in %s, and this one belongs to user "
			"%u: use a directory whose parents only you and root may write",
			way->path, done, next->st_uid);
	return 0;
}

static int go_to(struct way *way, int fd)
{
	if (fd < 0)
		return -errno;
	if (way->fd >= 0)
		close(way->fd);
	way->fd = fd;
	return 0;
}

static int go_to_root(struct way *way)
{
	way->done[0] = '\0';
	return go_to(way, descriptor_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0));
}

/* Take the next name out of the rest. False: there is none. */
static bool take_name(struct way *way, char name[NAME_MAX + 1])
{
	const char *at = way->rest + strspn(way->rest, "/");
	size_t size = strcspn(at, "/");

	if (size == 0 || size > NAME_MAX)
		return false;
	memcpy(name, at, size);
	name[size] = '\0';
	memmove(way->rest, at + size, strlen(at + size) + 1);
	return true;
}

static int follow(struct way *way, const char *name)
{
	ssize_t n = readlinkat(way->fd, name, way->target, sizeof(way->target) - 1);

	if (n < 0)
		return -errno;
	way->target[n] = '\0';
	if (++way->links > LINKS_MAX)
		return -ELOOP;
	if (snprintf(way->joined, sizeof(way->joined), "%s/%s", way->target, way->rest) >=
	    (int)sizeof(way->joined))
		return -ENAMETOOLONG;
	memcpy(way->rest, way->joined, sizeof(way->rest));
	return way->target[0] == '/' ? go_to_root(way) : 0;
}

/* A link in /proc does not lead where its text says. */
static bool is_proc(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

static int step(struct way *way, const char *name, char *why)
{
	struct stat here, next;
	size_t length = strlen(way->done);

	if (strcmp(name, ".") == 0)
		return 0;
	if (fstat(way->fd, &here) < 0 || fstatat(way->fd, name, &next, AT_SYMLINK_NOFOLLOW) < 0)
		return reason_system(why, -errno, "%s: cannot look at its parents", way->path);
	int r = check_step(way, &here, &next, why);
	if (r < 0)
		return r;
	bool link = S_ISLNK(next.st_mode);
	if (link && !is_proc(way->fd))
		return follow(way, name);
	(void)snprintf(way->done + length, sizeof(way->done) - length, "/%s", name);
	return go_to(way, descriptor_open(way->fd, name,
					  O_PATH | O_DIRECTORY | (link ? 0 : O_NOFOLLOW), 0));
}

static int go_all_the_way(struct way *way, gid_t also, char *why)
{
	char name[NAME_MAX + 1];
	struct stat st;

	/* group 0 does not count: root is in it without having chosen to be */
	way->member =
		way->end.st_gid == also || (way->end.st_gid != 0 && is_member(way->end.st_gid));
	if (way->path[0] != '/' && getcwd(way->target, sizeof(way->target)) == NULL)
		return reason_system(why, -errno, "cannot tell the current directory");
	(void)snprintf(way->rest, sizeof(way->rest), "%s/%s", way->target, way->path);
	int r = go_to_root(way);
	while (r == 0 && take_name(way, name))
		r = step(way, name, why);
	if (r == 0 && (fstat(way->fd, &st) < 0 || st.st_dev != way->end.st_dev ||
		       st.st_ino != way->end.st_ino))
		r = reason_set(why, -ESTALE, "%s was replaced while it was opened", way->path);
	return r;
}

int access_path(const char *path, int dir_fd, gid_t also, char *why)
{
	struct way *way = calloc(1, sizeof(*way));

	if (way == NULL)
		return reason_set(why, -ENOMEM, "no memory to look at the way to %s", path);
	way->path = path;
	way->fd = -1;
	int r = fstat(dir_fd, &way->end) < 0 ?
			reason_system(why, -errno, "%s: cannot stat the directory", path) :
			go_all_the_way(way, also, why);
	if (way->fd >= 0)
		close(way->fd);
	free(way);
	return r;
}
