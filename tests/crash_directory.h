/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_directory.h: an arena's directory as a state: names, types, modes, bytes and disk blocks of
 * its files.
 */
#ifndef CRASH_DIRECTORY_H
#define CRASH_DIRECTORY_H

#include <stdint.h>

/*
 * 0: there is no such directory. Fails the test when a file in it is open to others than owner and
 * group.
 */
uint64_t crash_directory_hash(const char *path);

/*
 * `to` is not there yet; nor need `from` be, then nothing is done. Sockets are copied as what a
 * dead agent leaves.
 */
void crash_directory_copy(const char *from, const char *to);

#endif
