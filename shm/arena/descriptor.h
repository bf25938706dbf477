/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptor.h: how the library opens files in a process that is not its own.
 *
 * open(2) gives the lowest number that is free. A host that has closed one of its standard streams
 * would get the arena under the number 1, and its next printf() would go into the carts. So while
 * the library opens a file, it fills the holes among 0, 1 and 2 with descriptors of the root
 * directory that were opened with O_PATH: read(2) and write(2) on them answer -EBADF, as on a
 * number that is closed. They are gone when descriptor_open() returns. In a host whose 0, 1 and 2
 * are open, which is the usual one, nothing of this happens.
 *
 * What holds: a descriptor through which something could be read or written is never below 3, at
 * any instant, unless another thread of the host closes one of the host's 0, 1 and 2 within the
 * microseconds of the call; even then what the call returns is above 2, and is the file. What the
 * host can see of it: another thread that opens a file within those microseconds does not get the
 * number that it may count on; one that duplicates something onto that number keeps it. No system
 * call opens a file under a given number, so this cannot be had without a hole being filled for a
 * moment.
 */
#ifndef CORRAL_DESCRIPTOR_H
#define CORRAL_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>

#define DESCRIPTOR_LEAST 3 /* the lowest number that is ever ours */

/* openat(2), close-on-exec, never below DESCRIPTOR_LEAST. -1 and errno. */
int descriptor_open(int dir_fd, const char *path, int flags, mode_t mode);

/* A second descriptor of what fd is, close-on-exec. -1 and errno. */
int descriptor_copy(int fd);

/*
 * A number is no identity: a host that closes all descriptors (daemonising does) and opens its own
 * files has them under our numbers. So before a descriptor is used for more than reading, and
 * before it is closed, it is asked which file it is. A handle whose descriptors are not its own any
 * more is lost, handle.h.
 */
struct descriptor_id {
	dev_t device;
	ino_t inode;
};

/* Which file it is now, when it has just been opened. */
struct descriptor_id descriptor_know(int fd);

/* Is it that file still? */
bool descriptor_is(int fd, const struct descriptor_id *id);

/* Close it, unless it is another file by now. */
void descriptor_close(int fd, const struct descriptor_id *id);

/* Around fork(2): a child must not inherit what fills a hole for a moment. */
void descriptor_before_fork(void);
void descriptor_after_fork_parent(void);
void descriptor_after_fork_child(void);

#endif
