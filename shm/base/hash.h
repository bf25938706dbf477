/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash.h: XXH3, inlined, for the layers that hash. No other file includes <xxhash.h>.
 */
#ifndef CORRAL_HASH_H
#define CORRAL_HASH_H

/*
 * Make XXH3 read through memcpy(). For gcc on arm64, version 0.8.1 would read through a cast to a
 * packed union by default. That breaks the aliasing rules: the compiler may drop or delay stores
 * into a struct that is hashed right after them.
 */
#define XXH_FORCE_MEMORY_ACCESS 0
#define XXH_INLINE_ALL
#include <xxhash.h>

#endif
