/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * access.h: which users may use the directory and the files in it, and how our files are created.
 *
 * Trusted are the owner of the directory, root, and the directory's group as far as its mode admits
 * it. All others are outsiders. A directory that outsiders can write, or a file that they could
 * use, is refused before anything is done with it: they could have put anything there, or hold a
 * lock in it for ever.
 *
 * A file of ours is never visible with a wider mode than intended. It is created without a
 * name and for its owner alone (0600, which a umask can only narrow); through its descriptor it
 * gets the directory's group, then 0660; then it gets its name. If we are not in the group and
 * cannot give it, the file stays with its owner.
 *
 * Names are opened one step at a time, without following a link and without blocking, and each must
 * lead to a plain file with one name. Otherwise a member of the group could make the agent of
 * another user open a file elsewhere, or change its mode. If the group may write the directory, its
 * members can also move another user's file or directory into it. So what is there must already
 * have the directory's group and its rights before we write to it, rename it or remove anything in
 * it; what was found is never given a group.
 */
#ifndef CORRAL_ACCESS_H
#define CORRAL_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Check that outsiders cannot write this directory. 0 or -EPERM and why. */
int access_directory(int dir_fd, const char *path, char *why);

/*
 * Check that no stranger can put another directory in place of this one, which was opened by that
 * path. All directories above it must belong to root or to us, and no other user may change names
 * in them. The directory's owner and group are not strangers to a member of its group, or if the
 * group is `also`. In a directory such as /tmp every user may create names, but only the owner of a
 * name may change it: so the next name on the path must belong to us or to root. 0 or -EPERM,
 * -ESTALE and why.
 */
int access_path(const char *path, int dir_fd, gid_t also, char *why);

/*
 * Open a file of the directory for reading and writing (flags: O_APPEND or 0); `create` creates it
 * if it is missing. Returns its descriptor, close-on-exec; or -ENOENT, -ELOOP, -EPROTO (not a plain
 * file with one name), -EPERM (it is an outsider's, or outsiders may use it), ... and why.
 */
int access_open(int dir_fd, const char *name, int flags, bool create, char *why);

/* The same for an existing file, for reading only. */
int access_open_to_read(int dir_fd, const char *name, char *why);

/* Give a file just created with 0600 the directory's group and 0660. 0 or -errno. */
int access_share(int dir_fd, int fd);

/*
 * Give an existing file the directory's group, if it has another, if we may, and if only the
 * directory's owner can have put it there (the group may not write the directory).
 */
void access_regroup(int dir_fd, int fd);

/* Is this file of the directory one that we may write? (It may have several names.) */
bool access_may_write(int dir_fd, int fd);

/*
 * Open a subdirectory. It must belong to a trusted user and not be writable by others; if the
 * directory's group may write there, it must have that group. Returns its descriptor,
 * close-on-exec; or -ENOENT, -ELOOP or -ENOTDIR, -EPERM, ... and why. An empty one that would be
 * refused is removed first.
 */
#define TRUST_MAKE 1u /* create it if it is missing */
#define TRUST_OURS 2u /* it must be ours, and closed to the group, too */
int access_enter(int dir_fd, const char *name, unsigned flags, char *why);

#endif
