/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot_write.c: write a snapshot's file. Until all of it is on disk it is a temporary file
 * beside the final name, readable only by its owner; so a file of the final name is always
 * complete.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "snapshot.h"

#define STREAM_BYTES (64u << 10)
#define WORK_NS 200000 /* without a rest */
#define REST_NS 200000
#define PROGRESS_MS 100

static enum exit_code cannot_write(const struct snapshot_out *out, int error)
{
	return complain(EXIT_NO_OUTPUT, "the snapshot cannot be written: %s: %s", out->path,
			strerror(error));
}

/* Only a plain file may be replaced. */
static enum exit_code check_path(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0 || S_ISREG(st.st_mode))
		return EXIT_DONE;
	return complain(EXIT_USAGE, "%s: %s: name a file, or - for standard output",
			S_ISDIR(st.st_mode) ? "this is a directory" :
			S_ISLNK(st.st_mode) ? "this is a symbolic link" :
					      "this is no plain file",
			path);
}

static enum exit_code open_temporary(struct snapshot_out *out)
{
	char *temporary;

	if (asprintf(&temporary, "%s.XXXXXX", out->path) < 0)
		return cannot_write(out, ENOMEM);
	int fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
	if (fd < 0) {
		int error = errno;
		free(temporary);
		return cannot_write(out, error);
	}
	out->temporary = temporary;
	out->stream = must_have(fdopen(fd, "w"));
	return EXIT_DONE;
}

enum exit_code snapshot_create(const char *path, struct snapshot_out *out)
{
	enum exit_code code = EXIT_DONE;

	*out = (struct snapshot_out){ .path = path };
	if (strcmp(path, "-") == 0) {
		if (isatty(STDOUT_FILENO))
			return complain(
				EXIT_USAGE,
				"a snapshot is nothing for a terminal: -: name a file, or a pipe");
		/* a separate stream, so that this module reports its errors */
		int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (fd < 0 || write(fd, "", 0) < 0) /* standard output may be closed */
			code = cannot_write(out, errno);
		else
			out->stream = must_have(fdopen(fd, "w"));
	} else {
		code = check_path(path);
		if (!code)
			code = open_temporary(out);
	}
	if (code)
		return code;
	out->map = must_have(malloc(PORTABLE_MAP_MAX));
	out->sum = must_have(XXH3_createState());
	(void)XXH3_64bits_reset(out->sum);
	(void)setvbuf(out->stream, NULL, _IOFBF, STREAM_BYTES);
	return EXIT_DONE;
}

static int put(struct snapshot_out *out, size_t size)
{
	(void)XXH3_64bits_update(out->sum, out->map, size);
	out->bytes += size;
	errno = 0;
	if (fwrite(out->map, 1, size, out->stream) == size)
		return 0;
	return errno ? errno : EIO;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/*
 * Workers share the CPUs with this program: a worker that waits for a CPU in the middle of a change
 * would wait for the rest of our time slice, some milliseconds. So it works for a fraction of one,
 * and then rests as long.
 */
void snapshot_pause(struct snapshot_out *out)
{
	const struct timespec rest = { .tv_nsec = REST_NS };

	if (now_ns() - out->rested_ns < WORK_NS)
		return;
	nanosleep(&rest, NULL);
	out->rested_ns = now_ns();
}

int snapshot_put_header(struct snapshot_out *out, const struct portable_header *header)
{
	return put(out, portable_pack_header(header, out->map));
}

int snapshot_put_cart(struct snapshot_out *out, const void *version, uint64_t seed,
		      uint64_t idle_ms)
{
	out->carts++;
	return put(out, portable_pack_cart(version, seed, idle_ms, out->map));
}

/* Sync the directory, so that the new name is on disk as well. */
static int sync_directory(const char *path)
{
	char *copy = must_have(strdup(path));
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = fd < 0 || fsync(fd) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return error;
}

static int close_stream(struct snapshot_out *out)
{
	FILE *stream = out->stream;

	out->stream = NULL;
	return fclose(stream) != 0 ? errno : 0;
}

/* Write the rest of the stream, sync, and give the file its name. */
static int put_in_place(struct snapshot_out *out)
{
	int error = fflush(out->stream) != 0 || fsync(fileno(out->stream)) < 0 ? errno : 0;
	int closed = close_stream(out);

	if (!error)
		error = closed;
	if (!error && rename(out->temporary, out->path) < 0)
		error = errno;
	if (error)
		return error;
	free(out->temporary);
	out->temporary = NULL;
	return sync_directory(out->path);
}

enum exit_code snapshot_finish(struct snapshot_out *out)
{
	struct portable_trailer trailer = { .carts = out->carts,
					    .sum = XXH3_64bits_digest(out->sum) };
	int error = put(out, portable_pack_trailer(&trailer, out->map));

	if (!error)
		error = out->temporary != NULL ? put_in_place(out) : close_stream(out);
	return error ? cannot_write(out, error) : EXIT_DONE;
}

void snapshot_discard(struct snapshot_out *out)
{
	if (out->temporary != NULL)
		(void)unlink(out->temporary);
	if (out->stream != NULL)
		(void)fclose(out->stream);
	free(out->temporary);
	free(out->map);
	(void)XXH3_freeState(out->sum);
}

/* ---------------------------------------------------------------- progress */

static int64_t looked_ms; /* time of the last look whether a terminal is there */
static int64_t shown_ms;  /* time of the last display; 0: none is shown */

void snapshot_progress(const char *what, uint64_t done, uint64_t total, uint64_t carts)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t now_ms = now.tv_sec * 1000ll + now.tv_nsec / 1000000;
	if (now_ms - looked_ms < PROGRESS_MS)
		return;
	looked_ms = now_ms; /* not at each cart: it is a system call */
	if (!isatty(STDERR_FILENO))
		return;
	shown_ms = now_ms;
	fprintf(stderr, "\r%s: %llu%%, %llu carts\033[K", what,
		(unsigned long long)(total ? done * 100 / total : 0), (unsigned long long)carts);
}

void snapshot_progress_end(void)
{
	if (shown_ms != 0)
		fputs("\r\033[K", stderr);
	shown_ms = 0;
}
