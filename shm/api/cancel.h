/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cancel.h: sleeping on a word of the arena until it changes, or until the caller's own word says
 * that the wait is to end.
 */
#ifndef CORRAL_CANCEL_H
#define CORRAL_CANCEL_H

#include <stdbool.h>

#include "base/atomic.h"

/* A cancel word that is not 0 ends a wait; NULL: none does. */
static inline bool cancel_wanted(const uint32_t *cancel)
{
	return cancel != NULL && load_acquire(cancel) != 0;
}

/*
 * Sleep while *word has the value `seen` and *cancel is 0, for at most wait_ns. 0, -ETIMEDOUT,
 * -EINTR. It may also return early: the caller looks at both words, and sleeps again.
 */
int cancel_sleep(uint32_t *word, uint32_t seen, uint32_t *cancel, int64_t wait_ns);

#endif
