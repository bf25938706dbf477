/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reserve.c: disk space and huge pages for the arena, before their first use. Declared in arena.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arena/arena.h"
#include "base/atomic.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

/*
 * A process that extends a file beyond RLIMIT_FSIZE, or writes beyond it, gets SIGXFSZ. Signals
 * belong to the host: so the limit is checked first.
 */
int arena_may_write_to(uint64_t end)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
			       end > limit.rlim_cur ?
		       -EFBIG :
		       0;
}

/* Reserve a byte range; if the file system cannot, write zeroes (the range is not in use yet). */
int arena_reserve_file(int fd, uint64_t at, uint64_t bytes)
{
	static const uint8_t zeroes[65536];

	long r;
	/* by number: glibc's wrappers are cancellation points, and we may hold locks */
	do
		r = syscall(SYS_fallocate, fd, 0, (off_t)at, (off_t)bytes);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	/*
	 * EPERM: a sandbox denies the call. If it means the file itself, the write will say so, too
	 */
	if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EPERM)
		return -errno;
	int limited = arena_may_write_to(at + bytes);
	if (limited < 0)
		return limited;
	while (bytes > 0) {
		long n = syscall(SYS_pwrite64, fd, zeroes, min_u64(bytes, sizeof(zeroes)),
				 (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		at += (uint64_t)n;
		bytes -= (uint64_t)n;
	}
	return 0;
}

/*
 * A memory file system makes huge pages only on request; the request is cheap while the range has
 * few pages of its own, which are copied. Elsewhere the mapping's own advice may do it. This is
 * only advice: if it is ignored, reads take longer.
 */
void arena_make_huge(const struct arena *arena, uint64_t from, uint64_t end)
{
	(void)madvise(arena->base + from / EXTENT_BYTES * EXTENT_BYTES,
		      end - from / EXTENT_BYTES * EXTENT_BYTES, MADV_COLLAPSE);
}

/*
 * Reserve whole extents only, the last one up to the end of the file. The kernel may keep an extent
 * in one huge page; unless it has disk space for all of that page, it kills a process that writes
 * to it (SIGBUS).
 */
int arena_reserve(struct arena *arena, uint32_t first, uint32_t count)
{
	struct arena_header *h = arena->header;
	uint64_t from = arena->space_at + (uint64_t)h->reserved_pages * PAGE_BYTES;
	uint64_t end = arena->space_at + ((uint64_t)first + count) * PAGE_BYTES;

	if (end <= from)
		return 0;
	if (!descriptor_is(arena->fd, &arena->file_id))
		return -EBADF; /* else the host's file would grow */
	end = min_u64(align_up(end, EXTENT_BYTES), arena->bytes);
	/*
	 * a huge page is made only where there is a page: so one of each extent comes first. What
	 * could not be made huge is reserved behind it
	 */
	int r = 0;
	for (uint64_t at = from; at < end && r == 0; at += EXTENT_BYTES)
		r = arena_reserve_file(arena->fd, at, min_u64(PAGE_BYTES, end - at));
	if (r < 0)
		return r;
	arena_make_huge(arena, from, end);
	r = arena_reserve_file(arena->fd, from, end - from);
	if (r < 0)
		return r;
	note(&h->reserved_pages, (uint32_t)((end - arena->space_at) / PAGE_BYTES));
	return 0;
}

/*
 * First lower reserved_pages, then give the space back. After a death in between, the space is
 * reserved again when it is needed, or given back the next time, since everything beyond
 * reserved_pages goes.
 */
int64_t arena_unreserve(struct arena *arena, uint32_t keep, uint64_t most)
{
	struct arena_header *h = arena->header;
	uint32_t reserved = h->reserved_pages;
	uint64_t end = arena->space_at + min_u64(reserved, arena->page_count) * PAGE_BYTES;
	uint64_t from = align_up(arena->space_at + (uint64_t)keep * PAGE_BYTES, EXTENT_BYTES);
	long r;

	if (from >= end)
		return 0;
	if (!descriptor_is(arena->fd, &arena->file_id))
		return -EBADF;
	if (end - from > most)
		from = align_up(end - most, EXTENT_BYTES);
	note(&h->reserved_pages, (uint32_t)((from - arena->space_at) / PAGE_BYTES));
	do
		r = syscall(SYS_fallocate, arena->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			    (off_t)from, (off_t)(arena->bytes - from));
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return (int64_t)(end - from);
	if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM)
		note(&h->reserved_pages, reserved); /* all of it is still there */
	return -errno;
}

int arena_reserve_again(const struct arena *arena)
{
	return arena_reserve_file(
		arena->fd, 0,
		arena->space_at +
			min_u64(arena->header->reserved_pages, arena->page_count) * PAGE_BYTES);
}
