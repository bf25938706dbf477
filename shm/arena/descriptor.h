/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptor.h: how the library opens files in a process that is not its own.
 *
 * open(2) returns the lowest free number. A host that has closed one of its standard streams would
 * get the arena as number 1, and its next printf() would go into the carts. So while the library
 * opens a file, it fills the holes among 0, 1 and 2 with O_PATH descriptors of the root directory:
 * read(2) and write(2) on them return -EBADF, as on a closed number. They are closed again when
 * descriptor_open() returns. In a host whose 0, 1 and 2 are open, the usual case, nothing is
 * filled.
 *
 * The guarantee: at no instant is a descriptor that can be read or written below 3, unless another
 * thread of the host closes 0, 1 or 2 within the microseconds of the call; even then, the returned
 * descriptor is above 2 and refers to the file. The host can notice two things: another thread that
 * opens a file within those microseconds does not get the low number it may count on, and one that
 * duplicates a descriptor onto that number keeps it. No system call opens a file at a given number,
 * so a hole has to be filled for a moment.
 */
#ifndef CORRAL_DESCRIPTOR_H
#define CORRAL_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>

#define DESCRIPTOR_LEAST 3 /* the lowest number that we use */

/* openat(2), close-on-exec, never below DESCRIPTOR_LEAST. -1 and errno on failure. */
int descriptor_open(int dir_fd, const char *path, int flags, mode_t mode);

/* socket(2), close-on-exec and non-blocking, never below DESCRIPTOR_LEAST. -1 and errno. */
int descriptor_socket(int domain, int type);

/* Duplicate fd, close-on-exec. -1 and errno on failure. */
int descriptor_copy(int fd);

/*
 * A number is no identity: a host that closes all descriptors (as daemons do when they start) may
 * open its own files at our numbers. So a descriptor's file is checked before it is used for more
 * than reading, and before it is closed. A handle whose descriptors are no longer its own is lost,
 * see handle.h.
 */
struct descriptor_id {
	dev_t device;
	ino_t inode;
};

/* The identity of a file that was just opened. */
struct descriptor_id descriptor_know(int fd);

/* Is it still that file? */
bool descriptor_is(int fd, const struct descriptor_id *id);

/* Close it, unless it has become another file. */
void descriptor_close(int fd, const struct descriptor_id *id);

/* Called around fork(2): a child must not inherit a descriptor that fills a hole. */
void descriptor_before_fork(void);
void descriptor_after_fork_parent(void);
void descriptor_after_fork_child(void);

#endif
