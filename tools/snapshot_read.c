/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot_read.c: read a snapshot's file without trusting its contents. Memory is bounded: a
 * window that holds the largest possible map.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot.h"

#define WINDOW_BYTES (2u * PORTABLE_MAP_MAX)

static enum exit_code cannot_read(const struct snapshot_in *in, int error)
{
	return complain(EXIT_NO, "the snapshot cannot be read: %s: %s", in->path, strerror(error));
}

static enum exit_code damaged(const struct snapshot_in *in, const char *what)
{
	return complain(EXIT_NO,
			"cut off, damaged, or no snapshot: %s: behind cart %" PRIu64
			", at byte %" PRIu64 ": %s",
			in->path, in->carts, in->offset, what);
}

enum exit_code snapshot_open(const char *path, struct snapshot_in *in)
{
	struct stat st;

	*in = (struct snapshot_in){ .path = path,
				    .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
	if (in->fd < 0 || fstat(in->fd, &st) < 0)
		return cannot_read(in, errno);
	if (!S_ISREG(st.st_mode)) /* it is read twice */
		return complain(EXIT_NO,
				"this is no plain file: %s: save the snapshot to one first", path);
	in->size = (uint64_t)st.st_size;
	in->window = must_have(malloc(WINDOW_BYTES));
	in->version = must_have(malloc(CORRAL_CART_MAX));
	in->sum = must_have(XXH3_createState());
	return EXIT_DONE;
}

void snapshot_close(struct snapshot_in *in)
{
	if (in->fd >= 0)
		close(in->fd);
	free(in->window);
	free(in->version);
	(void)XXH3_freeState(in->sum);
}

/* Fill the window, so that it holds the next whole map, if there is one. 0 or an errno. */
static int fill(struct snapshot_in *in)
{
	if (in->ended || in->have - in->at >= PORTABLE_MAP_MAX)
		return 0;
	memmove(in->window, in->window + in->at, in->have - in->at);
	in->have -= in->at;
	in->at = 0;
	while (in->have < WINDOW_BYTES) {
		ssize_t size = read(in->fd, in->window + in->have, WINDOW_BYTES - in->have);
		if (size < 0 && errno != EINTR)
			return errno;
		if (size == 0) {
			in->ended = true;
			return 0;
		}
		if (size > 0)
			in->have += (size_t)size;
	}
	return 0;
}

/* The bytes that a map may have: no more than its limit. */
static size_t room(const struct snapshot_in *in)
{
	size_t left = in->have - in->at;

	return left < PORTABLE_MAP_MAX ? left : PORTABLE_MAP_MAX;
}

static void pass(struct snapshot_in *in, size_t size)
{
	(void)XXH3_64bits_update(in->sum, in->window + in->at, size);
	in->at += size;
	in->offset += size;
}

enum exit_code snapshot_read_header(struct snapshot_in *in)
{
	size_t used = 0;
	int error = lseek(in->fd, 0, SEEK_SET) < 0 ? errno : 0;

	in->at = 0;
	in->have = 0;
	in->ended = false;
	in->offset = 0;
	in->carts = 0;
	(void)XXH3_64bits_reset(in->sum);
	if (!error)
		error = fill(in);
	if (error)
		return cannot_read(in, error);
	const char *wrong = portable_unpack_header(in->window, room(in), &in->header, &used);
	if (wrong != NULL)
		return damaged(in, wrong);
	if (in->header.format != PORTABLE_FORMAT)
		return complain(EXIT_NO,
				"a snapshot of format %" PRId64
				": %s: read it with a later version of corral",
				in->header.format, in->path);
	pass(in, used);
	return EXIT_DONE;
}

static enum exit_code read_trailer(struct snapshot_in *in)
{
	struct portable_trailer trailer;
	size_t used = 0;
	const char *wrong = portable_unpack_trailer(in->window + in->at, room(in), &trailer, &used);

	if (wrong == NULL && trailer.sum != XXH3_64bits_digest(in->sum))
		wrong = "the sum is another";
	if (wrong == NULL && trailer.carts != in->carts)
		wrong = "the number of carts is another";
	if (wrong == NULL && (!in->ended || in->at + used != in->have))
		wrong = "something follows the end";
	return wrong != NULL ? damaged(in, wrong) : EXIT_DONE;
}

static enum exit_code read_cart(struct snapshot_in *in, uint64_t seed, take_cart *take,
				void *context)
{
	struct portable_version made;
	size_t used = 0;
	const char *wrong =
		portable_unpack_cart(in->window + in->at, room(in), seed,
				     seed == in->header.hash_seed, in->version, &made, &used);

	if (wrong != NULL)
		return damaged(in, wrong);
	pass(in, used);
	in->carts++;
	return take != NULL ? take(context, in->version, &made) : EXIT_DONE;
}

enum exit_code snapshot_read(struct snapshot_in *in, uint64_t seed, take_cart *take, void *context)
{
	enum exit_code code = snapshot_read_header(in);

	while (!code) {
		int error = fill(in);
		if (error)
			return cannot_read(in, error);
		if (portable_is_trailer(in->window + in->at, room(in))) {
			code = read_trailer(in);
			break;
		}
		code = read_cart(in, seed, take, context);
		snapshot_progress(take != NULL ? "restore" : "verify", in->offset, in->size,
				  in->carts);
	}
	snapshot_progress_end();
	return code;
}
