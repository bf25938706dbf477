/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filesystem.h: which file systems can hold an arena.
 *
 * A file system must meet two conditions. First, all processes that map a file share its memory. A
 * file system that other machines mount as well breaks this silently: each machine has its own
 * pages, and acknowledged changes are lost. Second, reserved space stays reserved. If a write to a
 * page goes to a new place on disk (copy on write), a full disk kills the writing process (SIGBUS),
 * in spite of the reservation.
 */
#ifndef CORRAL_FILESYSTEM_H
#define CORRAL_FILESYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#define FILESYSTEM_ALLOW_FUSE "CORRAL_ALLOW_FUSE" /* the environment variable; "1": any FUSE */
#define FILESYSTEM_TYPE_BYTES 64

/*
 * May an arena be there? 0, or -EXDEV and why: a network file system, or one in user space (FUSE)
 * that is not known to be local, unless $CORRAL_ALLOW_FUSE allows it. -errno: it cannot be
 * determined.
 */
int filesystem_check(int dir_fd, const char *path, char *why);

/* The same, given the file system; pure. type: as in /proc/self/mountinfo, "" if unknown. */
int filesystem_judge(uint32_t magic, const char *type, bool allow_fuse, const char *path,
		     char *why);

/*
 * The type of this device's file system, from a text in the form of /proc/self/mountinfo. False:
 * the text does not have the device. Pure.
 */
bool filesystem_type(const char *mountinfo, unsigned major, unsigned minor,
		     char ret_type[FILESYSTEM_TYPE_BYTES]);

/*
 * For a new, empty file: make writes go in place, on a copy-on-write file system that can do so
 * (btrfs).
 */
void filesystem_write_in_place(int fd);

/* Does a write to this file go to a new place on disk, so that a full disk raises SIGBUS? */
bool filesystem_copies(int fd);

/*
 * Unshare the parts that the file shares with a copy of it (a reflink). 0: none were shared; 1:
 * some were, and no longer are; -errno: some still are, and the reason.
 */
int filesystem_unshare(int fd, uint64_t bytes);

#endif
