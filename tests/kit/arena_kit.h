/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena_kit.h: a small arena, and its file as the tests of layer 20 look at it.
 */
#ifndef ARENA_KIT_H
#define ARENA_KIT_H

#include "support.h"

#include <fcntl.h>
#include <unistd.h>

#define SMALL_BYTES (4u << 20)
#define TTL_NS 1800000000000ull

static const struct arena_settings small = { .arena_bytes = SMALL_BYTES,
					     .max_carts = 64,
					     .ttl_ns = TTL_NS };

/* Assert that the arena can be mapped. */
static inline void accepted(const struct yard *yard)
{
	struct arena arena;
	char why[ARENA_WHY_BYTES] = "";

	if (arena_map(yard->dir_fd, false, &arena, why) != 0)
		fail_msg("%s", why);
	arena_unmap(&arena);
}

static inline void read_file(const struct yard *yard, void *bytes, size_t size)
{
	int fd = openat(yard->dir_fd, ARENA_FILE, O_RDONLY);

	assert_int_equal(pread(fd, bytes, size, 0), size);
	close(fd);
}

#endif
