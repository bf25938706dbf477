/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash.h: XXH3, inlined, for the rooms that hash; the sole includer of <xxhash.h>.
 */
#ifndef CORRAL_HASH_H
#define CORRAL_HASH_H

/*
 * Read by memcpy(). For gcc on arm64 the default of version 0.8.1 is a cast to a packed union,
 * which must not alias what we hash: the compiler may drop or delay stores into a struct whose sum
 * is taken right after them.
 */
#define XXH_FORCE_MEMORY_ACCESS 0
#define XXH_INLINE_ALL
#include <xxhash.h>

#endif
