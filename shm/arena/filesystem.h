/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filesystem.h: which file systems can hold an arena.
 *
 * Two things are asked of one. All who map a file share its memory: a file system that other
 * machines see as well breaks that without a word, since each machine has pages of its own, and
 * changes that were acknowledged are lost. And space that was reserved stays reserved: where a
 * write to a page goes to a new place on disk (copy on write), a full disk kills the process that
 * writes (SIGBUS), whatever was reserved.
 */
#ifndef CORRAL_FILESYSTEM_H
#define CORRAL_FILESYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#define FILESYSTEM_ALLOW_FUSE "CORRAL_ALLOW_FUSE" /* the environment variable; "1": any FUSE */
#define FILESYSTEM_TYPE_BYTES 64

/*
 * May an arena be there? 0, or -EXDEV and why: a network file system, or one in user space (FUSE)
 * that is not known to be local, unless $CORRAL_ALLOW_FUSE allows it. -errno: it cannot be told.
 */
int filesystem_check(int dir_fd, const char *path, char *why);

/* The same, given what it is; pure. type: as in /proc/self/mountinfo, "" if that is not known. */
int filesystem_judge(uint32_t magic, const char *type, bool allow_fuse, const char *path,
		     char *why);

/*
 * The type of the file system of this device, from a text as /proc/self/mountinfo has it; false: it
 * is not in there. Pure.
 */
bool filesystem_type(const char *mountinfo, unsigned major, unsigned minor,
		     char ret_type[FILESYSTEM_TYPE_BYTES]);

/*
 * A file that has just been made and is empty: have writes stay in place, where the file system
 * copies on write but can leave that (btrfs).
 */
void filesystem_write_in_place(int fd);

/* Does a write to this file go to a new place on disk, so that a full disk is a SIGBUS? */
bool filesystem_copies(int fd);

/*
 * Where parts of the file are shared with a copy of it (a reflink, which the file system can undo):
 * make them our own. 0, 1: some were and are not any more; -errno: some are, and why they stay so.
 */
int filesystem_unshare(int fd, uint64_t bytes);

#endif
