/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_disk.h: the files of one disk state (power_states.h), built in memory and in a directory.
 */
#ifndef POWER_DISK_H
#define POWER_DISK_H

#include "power_states.h"

/* Allocate for everything that the trace writes; call it first. */
void power_disk_open(void);
void power_disk_close(void);

/* Build a state in memory; all calls below use the state built last. */
void power_disk_build(const struct power_state *state);

/* Hash of names and bytes. */
uint64_t power_disk_hash(void);

/*
 * Write the files into an empty directory. With `arena`, also the arena's files, as last synced and
 * with another boot's id; a power loss may leave or lose them.
 */
void power_disk_make(int dir_fd, bool arena);

#endif
