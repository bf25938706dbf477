/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aside.h: what was set aside in the directory (former and damaged arenas and journals), and how
 * large the journal is.
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
	bool spare;     /* all that is in it is in the arena, too; else it may be the only copy */
};

/* A list of them, by name, in one malloc() of its own; *ret_count is 0 where nothing can be read.
 */
struct aside *aside_list(const char *directory, size_t *ret_count);

/*
 * Remove one that is spare, a file or a directory of files. 0; -ENOENT: nothing of that name was
 * set aside; -EPERM: it may be the only copy of something; other -errno.
 */
int aside_remove(const char *directory, const char *name);

struct journal_size {
	uint64_t bytes;  /* on disk */
	int64_t base_ms; /* when the file was begun that has the last base; 0: there is none */
};

void aside_measure_journal(const char *directory, uint32_t base, struct journal_size *ret_size);

#endif
