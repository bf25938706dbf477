/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.h: what keeping carts takes: of an arena, of a server, of files.
 */
#ifndef CORRAL_BENCH_MEMORY_H
#define CORRAL_BENCH_MEMORY_H

#include <sys/types.h>

#include "dataset.h"

/*
 * All that the arena has given out for the data set's carts (whole spans, free parts included; a
 * slot and a bucket for each cart), and the bytes of the carts. Only in an arena that has no
 * others: else, or if it cannot be read, false (which complains).
 */
bool memory_of_carts(const struct dataset *dataset, double *ret_given_bytes,
		     double *ret_cart_bytes);
/* The same as "memory.carts_N.given_bytes", "cart_bytes" and "overhead_percent". */
void memory_print_carts(const struct dataset *dataset);

/*
 * What the arena's file has of the machine's memory (or of the disk, if it lies there):
 * "NAME.carts_N.arena_bytes".
 */
void memory_print_arena(const char *name, const struct dataset *dataset);

/* Bytes of memory that a process has now; 0: not known. */
uint64_t memory_of_process(pid_t pid);

/*
 * Bytes that the file system has given a file, those whose names are its and more behind a hyphen,
 * and those in it. 0: none.
 */
uint64_t memory_of_files(const char *path);

#endif
