/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash.h: XXH3, inlined, for the rooms that hash; the sole includer of <xxhash.h>.
 */
#ifndef CORRAL_HASH_H
#define CORRAL_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#endif
