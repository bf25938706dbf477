/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_directory.h: the state of an arena's directory: names, types, modes, bytes and disk blocks
 * of its files.
 */
#ifndef CRASH_DIRECTORY_H
#define CRASH_DIRECTORY_H

#include <stdint.h>

/*
 * Hash of the directory; 0 when it does not exist. Fails the test when a file in it is accessible
 * to others than owner and group.
 */
uint64_t crash_directory_hash(const char *path);

/*
 * Copy `from` to `to`, which must not exist. Does nothing when `from` does not exist. A socket is
 * copied as the stale one that a dead agent leaves.
 */
void crash_directory_copy(const char *from, const char *to);

#endif
