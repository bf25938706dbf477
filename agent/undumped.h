/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * undumped.h: memory for copies of carts, which is left out of the agent's core dumps, since a
 * person who examines a crash must not see customers' data. (The arena's mapping is left out, too:
 * arena.c.)
 */
#ifndef CORRAL_AGENT_UNDUMPED_H
#define CORRAL_AGENT_UNDUMPED_H

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"

/* Like malloc(); free() takes it. */
static inline void *undumped_alloc(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *memory = aligned_alloc(page, align_up(size, page));

	if (memory != NULL)
		(void)madvise(memory, align_up(size, page), MADV_DONTDUMP);
	return memory;
}

#endif
