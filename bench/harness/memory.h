/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.h: the memory that keeping carts takes: in an arena, in a server, in files.
 */
#ifndef CORRAL_BENCH_MEMORY_H
#define CORRAL_BENCH_MEMORY_H

#include <sys/types.h>

#include "dataset.h"

/*
 * The bytes that the arena has given out for the data set's carts (whole spans, free parts
 * included; a slot and a bucket for each cart), and the bytes of the carts themselves. The arena
 * must hold no other carts: if it does, or cannot be read, the answer is false, after a message.
 */
bool memory_of_carts(const struct dataset *dataset, double *ret_given_bytes,
		     double *ret_cart_bytes);
/* Print the same as "memory.carts_N.given_bytes", "cart_bytes" and "overhead_percent". */
void memory_print_carts(const struct dataset *dataset);

/*
 * Print how much memory the arena's file occupies (or disk space, if it lies on a disk):
 * "NAME.carts_N.arena_bytes".
 */
void memory_print_arena(const char *name, const struct dataset *dataset);

/* The bytes of memory that a process occupies now; 0: not known. */
uint64_t memory_of_process(pid_t pid);

/*
 * The bytes that the file system has allocated for `path`, for files named `path` plus a hyphen and
 * a suffix, and for the files in it if it is a directory. 0: none.
 */
uint64_t memory_of_files(const char *path);

#endif
