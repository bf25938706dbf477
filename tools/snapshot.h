/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot.h: files in the form of corral-snapshot(5), as the commands snapshot and restore write
 * and read them. The maps in them are those of portable.h; here is what makes a file of them: its
 * checksum, its end, and how it comes to be.
 */
#ifndef CORRAL_TOOLS_SNAPSHOT_H
#define CORRAL_TOOLS_SNAPSHOT_H

#include <stdio.h>

#include "base/hash.h"
#include "cart/portable.h"
#include "tool.h"

/* --------------------------------------------------------- snapshot_write.c */

struct snapshot_out {
	const char *path; /* "-": standard output */
	char *temporary;  /* its name until it is whole; NULL: standard output */
	FILE *stream;
	uint64_t bytes;
	uint64_t carts;
	int64_t rested_ns; /* when we last did */
	uint8_t *map;      /* PORTABLE_MAP_MAX bytes */
	XXH3_state_t *sum;
};

/* Make a temporary file beside path. Complains on failure, as the others do. */
enum exit_code snapshot_create(const char *path, struct snapshot_out *out);
/* 0, or the errno of a write. */
int snapshot_put_header(struct snapshot_out *out, const struct portable_header *header);
int snapshot_put_cart(struct snapshot_out *out, const void *version, uint64_t seed,
		      uint64_t idle_ms);
/* Between two carts: rest, if it has been a while. */
void snapshot_pause(struct snapshot_out *out);
/* The trailer; then the file is synced and takes its name. */
enum exit_code snapshot_finish(struct snapshot_out *out);
/* Remove what is there of it, if it was not finished; give memory back. */
void snapshot_discard(struct snapshot_out *out);

/* ---------------------------------------------------------- snapshot_read.c */

struct snapshot_in {
	const char *path;
	int fd;
	uint8_t *window;  /* of the file */
	size_t at;        /* of what is taken next, in the window */
	size_t have;      /* bytes in the window */
	bool ended;       /* the window's end is the file's */
	uint64_t offset;  /* of `at` in the file */
	uint64_t size;    /* of the file, for people */
	uint64_t carts;   /* taken so far */
	uint8_t *version; /* CORRAL_CART_MAX bytes */
	struct portable_header header;
	XXH3_state_t *sum;
};

/* Gets each cart as a version. EXIT_DONE to go on. */
typedef enum exit_code take_cart(void *context, const void *version,
				 const struct portable_version *made);

enum exit_code snapshot_open(const char *path, struct snapshot_in *in);
/*
 * Read the whole file, from its beginning, and hand each cart to take (NULL: look only). EXIT_DONE
 * only if all of it is sound, and it is whole. seed: of the arena that the carts go to.
 */
enum exit_code snapshot_read(struct snapshot_in *in, uint64_t seed, take_cart *take, void *context);
void snapshot_close(struct snapshot_in *in);

/* -------------------------------------------------------------- progress */

/* On a terminal, now and then: how far we are. */
void snapshot_progress(const char *what, uint64_t done, uint64_t total, uint64_t carts);
void snapshot_progress_end(void);

#endif
