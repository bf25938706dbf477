/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_disk.h: the files of one state of the disk (power_states.h), built in memory, and in a
 * directory.
 */
#ifndef POWER_DISK_H
#define POWER_DISK_H

#include "power_states.h"

/* Room for what the trace writes; before all else. */
void power_disk_open(void);
void power_disk_close(void);

/* In memory; all below is about the state that was built last. */
void power_disk_build(const struct power_state *state);

/* Of names and bytes. */
uint64_t power_disk_hash(void);

/*
 * Put the files into a directory, which is empty. arena: also those of the arena, as they were last
 * synced, and of another boot; they may as well be lost with the power.
 */
void power_disk_make(int dir_fd, bool arena);

#endif
