/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aside.h: the former and damaged arenas and journals that were set aside in the directory, and the
 * journal's size.
 */
#ifndef CORRAL_TOOLS_ASIDE_H
#define CORRAL_TOOLS_ASIDE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aside {
	char name[NAME_MAX + 1];
	uint64_t bytes; /* on disk */
	bool spare;     /* the arena has all of its contents; else it may be the only copy */
};

/* List them by name, in one malloc() block; *ret_count is 0 if the directory cannot be read. */
struct aside *aside_list(const char *directory, size_t *ret_count);

/*
 * Remove a spare one, a file or a directory of files. 0; -ENOENT: nothing of that name was set
 * aside; -EPERM: it may be the only copy of something; other -errno.
 */
int aside_remove(const char *directory, const char *name);

struct journal_size {
	uint64_t bytes;  /* on disk */
	int64_t base_ms; /* time when the file with the last base was begun; 0: there is none */
};

void aside_measure_journal(const char *directory, uint32_t base, struct journal_size *ret_size);

#endif
