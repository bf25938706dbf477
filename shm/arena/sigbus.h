/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sigbus.h: outlive an arena file that is cut off under us.
 *
 * Whoever may write a file may truncate it, and who then touches a page of its mapping that is
 * beyond the end gets SIGBUS. The signal belongs to the whole process, so this is for those who ask
 * for it (CORRAL_CATCH_SIGBUS) and for our own programs.
 *
 * The handler puts zeroes in place of the whole mapping: first, with one mremap(2), a header that
 * says "withdrawn", then the rest. So the access that failed goes on, and whatever the call then
 * makes of zeroes, it ends with -ESTALE. A SIGBUS elsewhere is none of our business and goes to
 * whoever was there before us.
 *
 * sigbus_watch() and sigbus_forget() are not called at the same time by two threads.
 */
#ifndef CORRAL_SIGBUS_H
#define CORRAL_SIGBUS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * From now on a mapping of an arena is replaced when it faults. 0; -EUSERS: too many of them; other
 * -errno.
 */
int sigbus_watch(void *base, uint64_t bytes);

/*
 * Have the signal come to us first again, if the host has set a handler of its own since. 0,
 * -errno.
 */
int sigbus_take_signal(void);

/*
 * Whose arena it is: byte `byte` of the lock file, held through lock_fd (-1: nobody's yet, or no
 * longer), as long as *epoch is not 0, which a forked child is told apart by. When the mapping is
 * replaced, the byte is given up: what we held in the arena is for others to repair. sigbus_bind()
 * is called as sigbus_watch() is.
 */
void sigbus_bind(const void *base, int lock_fd, uint32_t byte, const uint64_t *epoch);

/* No longer; before it is unmapped. The last one gives the signal back to whoever had it. */
void sigbus_forget(const void *base);

/* Was a mapping of this process ever replaced? */
bool sigbus_caught(void);

#endif
