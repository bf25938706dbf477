/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot.h: files in the format of corral-snapshot(5), as the commands snapshot and restore write
 * and read them. portable.h has the maps in them; this module has the rest of the file: its
 * checksum, its end, and its creation.
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
	char *temporary;  /* its temporary name; NULL: standard output */
	FILE *stream;
	uint64_t bytes;
	uint64_t carts;
	int64_t rested_ns; /* time of the last rest */
	uint8_t *map;      /* PORTABLE_MAP_MAX bytes */
	XXH3_state_t *sum;
};

/* Make a temporary file beside path. Like the other calls it complains on failure. */
enum exit_code snapshot_create(const char *path, struct snapshot_out *out);
/* Returns 0, or the errno of a write. */
int snapshot_put_header(struct snapshot_out *out, const struct portable_header *header);
int snapshot_put_cart(struct snapshot_out *out, const void *version, uint64_t seed,
		      uint64_t idle_ms);
/* Between two carts: rest, if the last rest was long enough ago. */
void snapshot_pause(struct snapshot_out *out);
/* Write the trailer, sync the file, and give it its name. */
enum exit_code snapshot_finish(struct snapshot_out *out);
/* Remove an unfinished file, and free memory. */
void snapshot_discard(struct snapshot_out *out);

/* ---------------------------------------------------------- snapshot_read.c */

struct snapshot_in {
	const char *path;
	int fd;
	uint8_t *window;  /* of the file */
	size_t at;        /* offset in the window of what is taken next */
	size_t have;      /* bytes in the window */
	bool ended;       /* the window ends where the file ends */
	uint64_t offset;  /* offset of `at` in the file */
	uint64_t size;    /* of the file, for the progress display */
	uint64_t carts;   /* taken so far */
	uint8_t *version; /* CORRAL_CART_MAX bytes */
	struct portable_header header;
	XXH3_state_t *sum;
};

/* Takes each cart as a version. Returns EXIT_DONE to continue. */
typedef enum exit_code take_cart(void *context, const void *version,
				 const struct portable_version *made);

enum exit_code snapshot_open(const char *path, struct snapshot_in *in);
enum exit_code snapshot_read_header(struct snapshot_in *in); /* from the file's beginning */
/*
 * Read the whole file from its beginning, and pass each cart to take (NULL: only verify). EXIT_DONE
 * only if all of it is sound and complete. seed: of the arena that the carts go to.
 */
enum exit_code snapshot_read(struct snapshot_in *in, uint64_t seed, take_cart *take, void *context);
void snapshot_close(struct snapshot_in *in);

/* -------------------------------------------------------------- progress */

/* On a terminal, show the progress now and then. */
void snapshot_progress(const char *what, uint64_t done, uint64_t total, uint64_t carts);
void snapshot_progress_end(void);

#endif
