/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stat.h: counters; see stat.def.
 */
#ifndef CORRAL_STAT_H
#define CORRAL_STAT_H

#include "arena/layout.h"
#include "base/atomic.h"

enum stat_index {
#define STAT(name, unit, line) STAT_##name,
#include "arena/stat.def"
#undef STAT
	STAT_COUNT
};

static_assert(STAT_COUNT <= STAT_SLOTS, "the arena has room for them");

/* The owner is the only writer; relaxed: readers want any recent value. */
#define stat_add(record, name, n)                                                                  \
	store_relaxed(&(record)->stat[STAT_##name],                                                \
		      load_relaxed(&(record)->stat[STAT_##name]) + (n))

#endif
