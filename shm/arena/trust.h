/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trust.h: who may get at the directory and the files in it, and how our files come to
 * be.
 *
 * Trusted are the owner of the directory, root, and its group as far as its mode lets that in. All
 * others are
 * outsiders: a directory that they can write, or a file that they could use, is refused before
 * anything is done with it, since they could have put there whatever they liked, or hold a lock in
 * it for ever.
 *
 * A file of ours is never seen with a wider mode than it shall have: it is made for its owner alone
 * (0600, of which a umask can only take away), gets the directory's group, and then 0660, through
 * its descriptor. Where the group may not be given (we are not in it) it stays with its owner.
 *
 * Names are opened without following a link or waiting for anybody, and what they lead to has to be
 * a plain file with one name: else a member of the group could make the agent of another user open,
 * or change the mode of, a file elsewhere.
 */
#ifndef CORRAL_TRUST_H
#define CORRAL_TRUST_H

#include <stdbool.h>

/* May outsiders write this directory? 0 or -EPERM and why. */
int trust_directory(int dir_fd, const char *path, char *why);

/*
 * Open a file of the directory, for reading and writing (flags: O_APPEND or 0); made if it is not
 * there when `create`. Its descriptor, close-on-exec; -ENOENT, -ELOOP, -EPROTO (no plain file with
 * one name), -EPERM (outsiders may use it, or it is theirs), ... and why.
 */
int trust_open(int dir_fd, const char *name, int flags, bool create, char *why);

/* The same, for reading only, of a file that is there. */
int trust_open_to_read(int dir_fd, const char *name, char *why);

/* A file just made with 0600 gets the directory's group and 0660. 0 or -errno. */
int trust_share(int dir_fd, int fd);

/* A file that was there gets the directory's group, if it has another and we may. */
void trust_regroup(int dir_fd, int fd);

#endif
