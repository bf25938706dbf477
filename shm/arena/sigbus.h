/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sigbus.h: survive the truncation of an arena file that is mapped.
 *
 * A process that may write a file may truncate it; any process that then touches a mapped page
 * beyond the end gets SIGBUS. The signal belongs to the whole process, so it is caught only for
 * hosts that ask for it (CORRAL_CATCH_SIGBUS) and in our own programs.
 *
 * The handler replaces the whole mapping with zeroes: first, with one mremap(2), it puts a header
 * in place that says "withdrawn", then the rest. So the faulting access continues, and the call
 * ends with -ESTALE no matter what it makes of the zeroes. A SIGBUS elsewhere is not ours and goes
 * to the handler that was there before.
 *
 * sigbus_watch() and sigbus_forget() must not be called by two threads at once.
 */
#ifndef CORRAL_SIGBUS_H
#define CORRAL_SIGBUS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * From now on, replace this mapping of an arena when it faults. 0; -EUSERS: too many mappings;
 * other -errno.
 */
int sigbus_watch(void *base, uint64_t bytes);

/* Install our handler in front again, if the host has set its own since. 0, -errno. */
int sigbus_take_signal(void);

/*
 * Bind a mapping to our liveness byte: byte `byte` of the lock file, held through lock_fd (-1: not
 * held yet, or no longer), as long as *epoch is not 0 (in a forked child it is 0). When the mapping
 * is replaced, the byte is given up: other processes repair what we held in the arena. The same
 * rule for threads as for sigbus_watch().
 */
void sigbus_bind(const void *base, int lock_fd, uint32_t byte, const uint64_t *epoch);

/* Stop watching a mapping; call it before munmap(). The last one restores the former handler. */
void sigbus_forget(const void *base);

/* Was a mapping of this process ever replaced? */
bool sigbus_caught(void);

#endif
