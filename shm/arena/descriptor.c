/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptor.c: see descriptor.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/descriptor.h"

/*
 * One thread at a time fills and empties the holes: it must not mistake another's filling for its
 * own.
 */
static pthread_mutex_t filling = PTHREAD_MUTEX_INITIALIZER;

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool has_holes(void)
{
	for (int fd = 0; fd < DESCRIPTOR_LEAST; fd++)
		if (!is_open(fd))
			return true;
	return false;
}

/* Fill the holes. Returns a bit for each number that was filled. */
static unsigned fill(void)
{
	unsigned filled = 0;

	while (has_holes()) {
		int fd = open("/", O_PATH | O_CLOEXEC);
		if (fd < 0)
			break;                /* then the caller's file cannot be opened either */
		if (fd >= DESCRIPTOR_LEAST) { /* meanwhile the host filled the hole itself */
			close(fd);
			break;
		}
		filled |= 1u << fd;
	}
	return filled;
}

/* Are these one file? */
static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Close only what fill() put there: the host may have put something else there meanwhile. */
static void empty(unsigned filled)
{
	struct stat root, st;
	int error = errno;

	for (int fd = 0; filled != 0 && fd < DESCRIPTOR_LEAST; fd++) {
		int flags = (filled & 1u << fd) != 0 ? fcntl(fd, F_GETFL) : -1;
		if (flags >= 0 && (flags & O_PATH) != 0 && fstat(fd, &st) == 0 &&
		    stat("/", &root) == 0 && is_same(&st, &root))
			close(fd);
	}
	errno = error;
}

/*
 * The host closed a low number during our open, and our file got that number. The host may do
 * anything with it, so it no longer counts as our file: the file is opened once more, and the low
 * number is closed if it is still the same file.
 */
static int open_again(int low, int dir_fd, const char *path, int flags)
{
	struct stat there, st;

	unsigned filled = fill();
	int fd = openat(dir_fd, path, (flags & ~(O_CREAT | O_EXCL)) | O_CLOEXEC, 0);
	int error = errno;
	if (fd >= 0 && fd != low && fstat(low, &there) == 0 && fstat(fd, &st) == 0 &&
	    is_same(&there, &st))
		close(low);
	empty(filled);
	errno = error;
	return fd;
}

static int open_above(int dir_fd, const char *path, int flags, mode_t mode)
{
	unsigned filled = fill();
	int fd = openat(dir_fd, path, flags | O_CLOEXEC, mode);

	while (fd >= 0 && fd < DESCRIPTOR_LEAST)
		fd = open_again(fd, dir_fd, path, flags);
	empty(filled);
	return fd;
}

int descriptor_open(int dir_fd, const char *path, int flags, mode_t mode)
{
	pthread_mutex_lock(&filling);
	int fd = open_above(dir_fd, path, flags, mode);
	pthread_mutex_unlock(&filling);
	return fd;
}

int descriptor_socket(int domain, int type)
{
	pthread_mutex_lock(&filling);
	unsigned filled = fill();
	int fd = socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && fd < DESCRIPTOR_LEAST) { /* the host closed a low number meanwhile */
		int low = fd;
		fd = descriptor_copy(low);
		close(low);
	}
	empty(filled);
	pthread_mutex_unlock(&filling);
	return fd;
}

int descriptor_copy(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTOR_LEAST);
}

struct descriptor_id descriptor_know(int fd)
{
	struct stat st = { 0 };

	(void)fstat(fd, &st);
	return (struct descriptor_id){ .device = st.st_dev, .inode = st.st_ino };
}

bool descriptor_is(int fd, const struct descriptor_id *id)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == id->device && st.st_ino == id->inode;
}

void descriptor_close(int fd, const struct descriptor_id *id)
{
	if (fd >= 0 && descriptor_is(fd, id))
		close(fd);
}

void descriptor_before_fork(void)
{
	pthread_mutex_lock(&filling);
}

void descriptor_after_fork_parent(void)
{
	pthread_mutex_unlock(&filling);
}

void descriptor_after_fork_child(void)
{
	pthread_mutex_init(&filling, NULL);
}
