/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * access.h: who may get at the directory and the files in it, and how our files come to
 * be.
 *
 * Trusted are the owner of the directory, root, and its group as far as its mode lets that in. All
 * others are
 * outsiders: a directory that they can write, or a file that they could use, is refused before
 * anything is done with it, since they could have put there whatever they liked, or hold a lock in
 * it for ever.
 *
 * A file of ours is never seen with a wider mode than it shall have: it is made without a name and
 * for its owner alone (0600, of which a umask can only take away), gets the directory's group, then
 * 0660, through its descriptor, and then its name. Where the group may not be given (we are not in
 * it) it stays with its owner.
 *
 * Names are opened one step at a time, without following a link or waiting for anybody, and what
 * they lead to has to be a plain file with one name: else a member of the group could make the
 * agent of another user open, or change the mode of, a file elsewhere. Where the group may write
 * the directory, its members can also move another's file or directory into it: so what is there
 * has to have the directory's group already, with its rights, before anything is written to it,
 * renamed or removed in it; no group is ever given to what was found.
 */
#ifndef CORRAL_ACCESS_H
#define CORRAL_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* May outsiders write this directory? 0 or -EPERM and why. */
int access_directory(int dir_fd, const char *path, char *why);

/*
 * Could a stranger put another directory in place of this one, which was opened by that path? All
 * directories above it have to belong to root or to us, and nobody else may change names in them;
 * the directory's owner and group are no strangers to a member of its group, or if that is the
 * group `also`. In a directory such as /tmp everybody may make names, but only the owner of one may
 * change it: so what has the name there has to be ours or root's. 0 or -EPERM, -ESTALE and why.
 */
int access_path(const char *path, int dir_fd, gid_t also, char *why);

/*
 * Open a file of the directory, for reading and writing (flags: O_APPEND or 0); made if it is not
 * there when `create`. Its descriptor, close-on-exec; -ENOENT, -ELOOP, -EPROTO (no plain file with
 * one name), -EPERM (outsiders may use it, or it is theirs), ... and why.
 */
int access_open(int dir_fd, const char *name, int flags, bool create, char *why);

/* The same, for reading only, of a file that is there. */
int access_open_to_read(int dir_fd, const char *name, char *why);

/* A file just made with 0600 gets the directory's group and 0660. 0 or -errno. */
int access_share(int dir_fd, int fd);

/*
 * A file that was there gets the directory's group, if it has another, and we may, and nobody but
 * the directory's owner can have put it there (the group may not write the directory).
 */
void access_regroup(int dir_fd, int fd);

/* Is this file of the directory one that we may write? (It may have other names.) */
bool access_may_write(int dir_fd, int fd);

/*
 * Open a directory in the directory: of one who may be there, not to be written by others, of the
 * directory's group if that may write there. Its descriptor, close-on-exec; -ENOENT, -ELOOP or
 * -ENOTDIR, -EPERM,
 * ... and why. An empty one that would be refused is removed first.
 */
#define TRUST_MAKE 1u /* it is made if it is not there */
#define TRUST_OURS 2u /* of our user, and closed to the group, too */
int access_enter(int dir_fd, const char *name, unsigned flags, char *why);

#endif
