/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena.c: the arena file from the outside in: create, validate, map, reserve.
 *
 * The geometry is a pure function of (arena_bytes, max_carts). Creation computes it; validation
 * computes it again and compares, so that no offset in a file is trusted. A half-made arena is
 * never visible: the file is created under a temporary name, reserved, filled, synced and renamed.
 * A death before the rename leaves only the temporary file, which the next creation removes.
 *
 * We cause no SIGBUS: the file has its full (sparse) length from the start, all of it but the pages
 * is reserved at creation, and pages are reserved in extents before their first use.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/access.h"
#include "arena/arena.h"
#include "arena/descriptor.h"
#include "arena/filesystem.h"
#include "arena/former.h"
#include "arena/sigbus.h"
#include "base/atomic.h"
#include "base/hash.h"
#include "base/reason.h"

#define CARRYING_MS_MAX 86400000 /* a longer time means that the clock was set */
#define TEMPORARY_FILE ".arena.new"

#define CARTS_LEAST 1024u      /* in the smallest arena */
#define FEED_EVENTS_MAX 32768u /* unless more are asked for */
#define FEED_SHARE 128         /* the ring takes this part of the arena */
#define LANE_ENTRIES_MIN 8u
#define LANE_ENTRIES_MAX 256u   /* with a ring of the usual sizes */
#define LANE_ENTRIES_MOST 1024u /* a lane fits into a block */
#define LANE_SHARE 16           /* a lane has room for this part of what the ring has */
#define LANE_SHARE_LARGE 128
#define SMALL_PAGE 4096 /* 512 of them are a huge page, and an extent */
#define HEAD_UNITS                                                                                 \
	((uint32_t)(sizeof(struct block_header) + sizeof(struct cart_head) + BLOCK_UNIT - 1) /     \
	 BLOCK_UNIT)

/* ---------------------------------------------------------------- geometry */

static uint32_t bucket_count_for(uint32_t max_carts)
{
	uint32_t count = 64;

	while (count < max_carts)
		count *= 2;
	return count;
}

/* The usual room of the feed's ring: at most 16 MiB, since all of it is reserved on disk. */
static uint64_t feed_events_for(uint64_t arena_bytes)
{
	uint64_t events = 1;

	while (events < FEED_EVENTS_MAX &&
	       events * 2 * FEED_ENTRY_BYTES <= arena_bytes / FEED_SHARE)
		events *= 2;
	return events;
}

/* Can a ring have room for so many events? */
static bool feed_events_possible(uint64_t events)
{
	return events != 0 && events <= ARENA_FEED_BYTES_MAX / FEED_ENTRY_BYTES &&
	       (events & (events - 1)) == 0;
}

/* The events that fit into a ring of so many bytes; 0 for 0. */
static uint64_t feed_events_in(uint64_t feed_bytes)
{
	uint64_t events = feed_bytes / FEED_ENTRY_BYTES;

	while ((events & (events - 1)) != 0)
		events &= events - 1;
	return events;
}

/* Events that each thread's lane has room for; the lanes of many threads are to stay small. */
static uint32_t lane_entries_for(uint64_t feed_events)
{
	const uint64_t usual = min_u64(feed_events / LANE_SHARE, LANE_ENTRIES_MAX);
	const uint64_t large = min_u64(feed_events / LANE_SHARE_LARGE, LANE_ENTRIES_MOST);

	return (uint32_t)max_u64(max_u64(usual, large), LANE_ENTRIES_MIN);
}

/*
 * Fill in the constant part that follows from arena_bytes, max_carts and feed_events (0: the usual
 * number). False: they do not fit.
 */
static bool geometry_compute(uint64_t arena_bytes, uint32_t max_carts, uint64_t feed_events,
			     struct arena_header *h)
{
	if (arena_bytes < ARENA_BYTES_MIN || arena_bytes > ARENA_BYTES_MAX ||
	    arena_bytes % PAGE_BYTES != 0 || max_carts == 0 || max_carts > ARENA_CARTS_MAX)
		return false;
	h->arena_bytes = arena_bytes;
	h->max_carts = max_carts;
	h->bucket_count = bucket_count_for(max_carts);
	h->class_count = CLASS_COUNT;
	h->max_processes = MAX_PROCESSES;
	h->max_threads = MAX_THREADS;
	uint64_t at = HEADER_BYTES;
	h->processes_at = at;
	at += sizeof(struct process_record) * MAX_PROCESSES;
	h->threads_at = at;
	at += sizeof(struct thread_record) * MAX_THREADS;
	h->classes_at = at;
	at += sizeof(struct size_class) * MAX_CLASSES;
	h->dirty_at = at;
	at += align_up((max_carts + 63ull) / 64 * sizeof(uint64_t), CACHE_LINE);
	h->drained_at = at;
	at += align_up((max_carts + 63ull) / 64 * sizeof(uint64_t), CACHE_LINE);
	h->chains_at = at;
	at += sizeof(struct chain) * (uint64_t)h->bucket_count;
	h->buckets_at = at;
	at += sizeof(struct bucket) * (uint64_t)h->bucket_count;
	h->slots_at = at;
	at += sizeof(struct slot) * (uint64_t)max_carts;
	h->pages_at = at;
	at += align_up(arena_bytes / PAGE_BYTES * sizeof(uint32_t), CACHE_LINE);
	h->feed_at = at;
	h->feed_events = feed_events != 0 ? feed_events : feed_events_for(arena_bytes);
	if (!feed_events_possible(h->feed_events))
		return false;
	at += FEED_ENTRY_BYTES * h->feed_events;
	at += sizeof(struct feed_end) * ENDS_PER_EVENT * h->feed_events;
	h->space_at = align_up(at, PAGE_BYTES);
	if (h->space_at + 4 * PAGE_BYTES > arena_bytes)
		return false;
	h->page_count = (uint32_t)((arena_bytes - h->space_at) / PAGE_BYTES);
	return true;
}

uint32_t arena_usual_carts(uint64_t arena_bytes)
{
	uint32_t carts = ARENA_CARTS_USUAL;
	struct arena_header h;

	while (carts > CARTS_LEAST &&
	       (!geometry_compute(arena_bytes, carts, 0, &h) || h.space_at > arena_bytes / 2))
		carts /= 2;
	return carts;
}

static uint64_t header_sum(const struct arena_header *header)
{
	uint8_t constant[offsetof(struct arena_header, boot_id)];

	memcpy(constant, header, sizeof(constant));
	memset(constant + offsetof(struct arena_header, header_sum), 0, sizeof(uint64_t));
	return XXH3_64bits(constant, sizeof(constant));
}

bool arena_header_sound(const struct arena_header *header)
{
	return header->header_sum == header_sum(header);
}

void arena_point(struct arena *arena, const struct arena_header *h)
{
	arena->header = (struct arena_header *)(void *)arena->base;
	arena->processes = (struct process_record *)(void *)(arena->base + h->processes_at);
	arena->threads = (struct thread_record *)(void *)(arena->base + h->threads_at);
	arena->classes = (struct size_class *)(void *)(arena->base + h->classes_at);
	arena->dirty = (uint64_t *)(void *)(arena->base + h->dirty_at);
	arena->drained = (uint64_t *)(void *)(arena->base + h->drained_at);
	arena->chains = (struct chain *)(void *)(arena->base + h->chains_at);
	arena->buckets = (struct bucket *)(void *)(arena->base + h->buckets_at);
	arena->slots = (struct slot *)(void *)(arena->base + h->slots_at);
	arena->pages = (uint32_t *)(void *)(arena->base + h->pages_at);
	arena->feed = (struct feed_entry *)(void *)(arena->base + h->feed_at);
	arena->feed_mask = h->feed_events - 1;
	arena->ends = (struct feed_end *)(void *)(arena->feed + h->feed_events);
	arena->ends_mask = ENDS_PER_EVENT * h->feed_events - 1;
	arena->lane_mask = lane_entries_for(h->feed_events) - 1;
	arena->bytes = h->arena_bytes;
	arena->hash_seed = h->hash_seed;
	arena->bucket_mask = h->bucket_count - 1;
	arena->max_carts = h->max_carts;
	arena->page_count = h->page_count;
	arena->class_count = h->class_count;
	arena->max_threads = h->max_threads;
	arena->max_processes = h->max_processes;
	arena->space_at = h->space_at;
	arena->space_first = (block_ref)(h->space_at / BLOCK_UNIT);
	arena->space_end =
		(block_ref)((h->space_at + (uint64_t)h->page_count * PAGE_BYTES) / BLOCK_UNIT);
	arena->head_refs = arena->space_end - arena->space_first - HEAD_UNITS + 1;
}

uint64_t arena_feed_events_said(const struct arena_header *h)
{
	const uint64_t apart = feed_events_in(h->space_at - h->feed_at);

	return feed_events_possible(h->feed_events) ? h->feed_events :
	       feed_events_possible(apart)          ? apart :
						      0;
}

uint64_t arena_feed_bytes_set(const struct arena *arena)
{
	const uint64_t events = arena->feed_mask + 1;

	return events != feed_events_for(arena->bytes) ? events * FEED_ENTRY_BYTES : 0;
}

/* How many words of the header agree with the geometry of this size, for this many carts? */
static uint32_t agreement_at(const struct arena_header *h, uint64_t bytes, uint32_t max_carts)
{
	struct arena_header g = { 0 };

	if (!geometry_compute(bytes, max_carts, arena_feed_events_said(h), &g))
		return 0;
	return (uint32_t)(h->max_carts == g.max_carts) + (h->bucket_count == g.bucket_count) +
	       (h->page_count == g.page_count) + (h->drained_at == g.drained_at) +
	       (h->chains_at == g.chains_at) + (h->buckets_at == g.buckets_at) +
	       (h->slots_at == g.slots_at) + (h->pages_at == g.pages_at) +
	       (h->space_at == g.space_at);
}

/* The header's size may be damaged, and so may the file's. */
static uint32_t agreement(const struct arena_header *h, uint64_t file_bytes, uint32_t max_carts)
{
	uint32_t by_header = agreement_at(h, h->arena_bytes, max_carts);
	uint32_t by_file = agreement_at(h, file_bytes, max_carts);

	return by_header > by_file ? by_header : by_file;
}

uint32_t arena_carts_said(const struct arena_header *h, uint64_t file_bytes)
{
	uint64_t apart = min_u64((h->pages_at - h->slots_at) / sizeof(struct slot), UINT32_MAX);
	uint32_t one = agreement(h, file_bytes, h->max_carts);
	uint32_t other = agreement(h, file_bytes, (uint32_t)apart);

	/* undecided: take too many slots, some without a valid cart, rather than too few */
	return other > one || (other == one && other > 0 && apart > h->max_carts) ?
		       (uint32_t)apart :
		       h->max_carts;
}

bool arena_assume(struct arena *arena, uint64_t arena_bytes, uint32_t max_carts,
		  uint64_t feed_events)
{
	struct arena_header h = { .hash_seed = arena->hash_seed };

	if (!geometry_compute(arena_bytes, max_carts, feed_events, &h))
		return false;
	if (arena->base != NULL)
		arena_point(arena, &h);
	return true;
}

static int refuse_layout(uint32_t version, char *why)
{
	const char *what = "nothing but the version of Corral that wrote it can read it";

	if (version > LAYOUT_VERSION)
		what = "a newer version of Corral wrote it: install that version";
	else if (version == FORMER_LAYOUT)
		what = "an older version of Corral wrote it: stop all that use it, and run "
		       "corral-agent --upgrade, "
		       "which carries all carts over";
	return reason_set(why, -EPROTONOSUPPORT,
			  "the arena has layout version %u, this program's is %u: %s", version,
			  LAYOUT_VERSION, what);
}

/*
 * Would the checksum hold, were it of our layout? Then the words that say otherwise are damaged,
 * and no other version of Corral has made it.
 */
static bool is_ours_damaged(const struct arena_header *header)
{
	struct arena_header h = *header;

	if (h.magic == LAYOUT_MAGIC && h.byte_order == LAYOUT_BYTE_ORDER &&
	    h.layout_version == LAYOUT_VERSION && h.fingerprint == LAYOUT_FINGERPRINT)
		return false;
	h.magic = LAYOUT_MAGIC;
	h.byte_order = LAYOUT_BYTE_ORDER;
	h.layout_version = LAYOUT_VERSION;
	h.fingerprint = LAYOUT_FINGERPRINT;
	return arena_header_sound(&h);
}

int arena_validate(struct arena *arena, uint64_t file_bytes, char *why)
{
	struct arena_header h;

	if (file_bytes < HEADER_BYTES)
		return reason_set(why, -EPROTO, "the file has %llu bytes: too short for an arena",
				  (unsigned long long)file_bytes);
	memcpy(&h, arena->base, sizeof(h));
	if (is_ours_damaged(&h))
		return reason_set(why, -EPROTO,
				  "the arena's header is damaged (in what says its layout)");
	if (h.magic != LAYOUT_MAGIC)
		return reason_set(why, -EPROTO,
				  "the file is not a Corral arena (it begins with other bytes)");
	if (h.byte_order != LAYOUT_BYTE_ORDER)
		return reason_set(why, -EPROTONOSUPPORT,
				  "the arena is from a machine of another byte order");
	if (h.layout_version != LAYOUT_VERSION)
		return refuse_layout(h.layout_version, why);
	if (h.fingerprint != LAYOUT_FINGERPRINT)
		return reason_set(why, -EPROTONOSUPPORT,
				  "the arena's structs have other sizes than this program's");
	if (h.header_sum != header_sum(&h))
		return reason_set(why, -EPROTO,
				  "the arena's header is damaged (its checksum differs)");
	struct arena_header g = h;
	if (!geometry_compute(h.arena_bytes, h.max_carts, h.feed_events, &g) ||
	    header_sum(&g) != h.header_sum)
		return reason_set(why, -EPROTO,
				  "the arena's header is damaged (its geometry does not add up)");
	if (file_bytes != h.arena_bytes)
		return reason_set(
			why, -EPROTO,
			"the file has %llu bytes where its header says %llu: it is truncated",
			(unsigned long long)file_bytes, (unsigned long long)h.arena_bytes);
	arena_point(arena, &h);
	return 0;
}

/* ---------------------------------------------------------------- create */

static int header_fill(struct arena_header *h, const struct arena_settings *settings, char *why)
{
	memset(h, 0, sizeof(*h));
	h->magic = LAYOUT_MAGIC;
	h->layout_version = LAYOUT_VERSION;
	h->byte_order = LAYOUT_BYTE_ORDER;
	h->fingerprint = LAYOUT_FINGERPRINT;
	if (!geometry_compute(settings->arena_bytes, settings->max_carts,
			      feed_events_in(settings->feed_bytes), h))
		return reason_set(why, -EINVAL,
				  "%llu bytes with room for %u carts is no possible arena: "
				  "give a larger --size, or a smaller --max-carts or --feed",
				  (unsigned long long)settings->arena_bytes, settings->max_carts);
	if (getrandom(h->uuid, sizeof(h->uuid), 0) != (ssize_t)sizeof(h->uuid) ||
	    getrandom(&h->hash_seed, sizeof(h->hash_seed), 0) != (ssize_t)sizeof(h->hash_seed))
		return reason_system(why, -errno, "no random bytes");
	if (settings->hash_seed != 0)
		h->hash_seed = settings->hash_seed;
	h->uuid[6] = (uint8_t)((h->uuid[6] & 0x0f) | 0x40); /* RFC 4122, version 4 */
	h->uuid[8] = (uint8_t)((h->uuid[8] & 0x3f) | 0x80);
	if (settings->uuid != NULL)
		memcpy(h->uuid, settings->uuid, sizeof(h->uuid));
	h->created_ms = (uint64_t)arena_wall_ms();
	h->header_sum = header_sum(h);
	(void)arena_boot_id(h->boot_id);
	h->ttl_ns = settings->ttl_ns;
	h->currency = settings->currency;
	h->time_ns_inode = arena_time_namespace();
	h->version_epoch = (uint32_t)min_u64(settings->version_epoch, VERSION_EPOCH_MAX);
	if (settings->now_ns != 0)
		h->clock_offset_ns =
			ns_since(settings->now_ns, arena_now_ns(&(struct arena){ .header = h }));
	h->gp_phase = 1;
	h->gp_completed = 1;
	h->gp_fenced = 1;
	h->feed = settings->feed ? 1 : 0;
	h->feed_next = h->feed_first = arena_feed_begin(h->version_epoch);
	return 0;
}

static int write_whole(int fd, const void *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(fd, (const char *)bytes + done, size - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		done += (size_t)n;
	}
	return 0;
}

struct file_identity {
	uint64_t device;
	uint64_t inode;
	int64_t born_ns;
};

/* A rename keeps a file's identity; a copy has another one. False: it cannot be determined. */
static bool identify(int fd, struct file_identity *ret_identity)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0)
		return false;
	*ret_identity = (struct file_identity){
		.device = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor, .inode = st.stx_ino
	};
	if ((st.stx_mask & STATX_BTIME) != 0)
		ret_identity->born_ns = st.stx_btime.tv_sec * 1000000000ll + st.stx_btime.tv_nsec;
	return true;
}

bool arena_is_copy(const struct arena_header *h, int fd)
{
	struct file_identity file;

	return identify(fd, &file) &&
	       (file.device != h->file_device || file.inode != h->file_inode ||
		file.born_ns != h->file_born_ns);
}

void arena_own_file(struct arena_header *h, int fd)
{
	struct file_identity file;

	if (!identify(fd, &file))
		return;
	h->file_device = file.device;
	h->file_inode = file.inode;
	h->file_born_ns = file.born_ns;
}

/* Write the temporary file rather than map it: an error is then an error code, never a signal. */
static int fill_file(int dir_fd, int fd, struct arena_header *h, char *why)
{
	int r = access_share(dir_fd, fd);

	if (r < 0)
		return reason_system(why, r, "cannot set the arena file's group and mode");
	arena_own_file(h, fd); /* the rename keeps its identity */
	r = arena_may_write_to(h->arena_bytes);
	if (r == 0 && ftruncate(fd, (off_t)h->arena_bytes) < 0)
		r = -errno;
	if (r < 0)
		return reason_system(why, r, "cannot make an arena file of %llu bytes",
				     (unsigned long long)h->arena_bytes);
	r = arena_reserve_file(fd, 0, min_u64(align_up(h->space_at, EXTENT_BYTES), h->arena_bytes));
	if (r < 0)
		return reason_system(why, r, "cannot reserve the first %llu bytes of the arena",
				     (unsigned long long)h->space_at);
	r = write_whole(fd, h, sizeof(*h));
	if (r < 0)
		return reason_system(why, r, "cannot write the arena's header");
	if (fsync(fd) < 0)
		return reason_system(why, -errno, "cannot sync the arena");
	return 0;
}

int arena_create(int dir_fd, const struct arena_settings *settings, char *why)
{
	struct arena_header header;
	struct stat st;

	int r = header_fill(&header, settings, why);
	if (r < 0)
		return r;
	if (fstatat(dir_fd, ARENA_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return reason_set(why, -EEXIST, "there is an arena already");
	if (unlinkat(dir_fd, TEMPORARY_FILE, 0) < 0 && errno != ENOENT)
		return reason_system(why, -errno, "cannot remove a stale %s", TEMPORARY_FILE);
	int fd = descriptor_open(dir_fd, TEMPORARY_FILE, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
				 0600);
	if (fd < 0)
		return reason_system(why, -errno, "cannot create the arena file");
	filesystem_write_in_place(fd);
	r = fill_file(dir_fd, fd, &header, why);
	if (r == 0 && renameat2(dir_fd, TEMPORARY_FILE, dir_fd, ARENA_FILE, RENAME_NOREPLACE) < 0) {
		r = -errno;
		/* a file system without the flag; we hold the agent's byte */
		if (r == -EINVAL || r == -ENOSYS)
			r = renameat(dir_fd, TEMPORARY_FILE, dir_fd, ARENA_FILE) < 0 ? -errno : 0;
		if (r < 0)
			reason_system(why, r, "cannot put the arena in place");
	}
	close(fd);
	if (r < 0)
		(void)unlinkat(dir_fd, TEMPORARY_FILE, 0);
	else
		(void)fsync(dir_fd);
	return r;
}

/* ---------------------------------------------------------------- map */

static int check_world(const struct arena *arena, unsigned flags, char *why)
{
	const struct arena_header *h = arena->header;
	bool any_boot = (flags & ARENA_ANY_BOOT) != 0;
	uint8_t boot[16];

	if (arena_other_time(h))
		return reason_set(
			why, -EXDEV,
			"this process is in another time namespace than the arena's creator: "
			"their monotonic clocks differ");
	if (!any_boot && h->withdrawn != 0)
		return reason_set(why, -ESTALE,
				  "the arena was truncated, replaced or away for a while: start "
				  "corral-agent, which verifies it");
	if (!any_boot && arena_is_copy(h, arena->fd))
		return reason_set(why, -ESTALE,
				  "the arena is a copy of another file: start corral-agent, which "
				  "verifies it");
	if ((flags & (ARENA_ANY_BOOT | ARENA_THIS_BOOT)) == 0 && arena_boot_id(boot) &&
	    memcmp(boot, h->boot_id, sizeof(boot)) != 0)
		return reason_set(why, -ESTALE,
				  "the arena is from before the machine's last boot: start "
				  "corral-agent, which verifies it");
	return 0;
}

/* Has this process called mlockall(MCL_FUTURE)? Then even an untouched page is resident. */
static bool are_mappings_locked(size_t page)
{
	unsigned char there = 0;
	void *probe = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (probe == MAP_FAILED)
		return true; /* as if the limit on locked memory were reached */
	bool locked = mincore(probe, page, &there) == 0 && (there & 1) != 0;
	munmap(probe, page);
	return locked;
}

/*
 * After mlockall(MCL_FUTURE) the kernel faults in and locks each new mapping at once. For a sparse
 * file that fills every hole, and on a memory file system it takes the memory of the whole arena. A
 * mapping keeps its lock state when it grows: so it begins as one page, is unlocked, and is then
 * grown. place NULL: anywhere. MAP_FAILED and errno.
 */
static void *map_unlocked(void *place, uint64_t bytes, int protection, int flags, int fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!are_mappings_locked(page))
		return mmap(place, bytes, protection, flags | (place != NULL ? MAP_FIXED : 0), fd,
			    0);
	void *first = mmap(NULL, page, protection, flags, fd, 0);

	if (first == MAP_FAILED)
		return MAP_FAILED;
	(void)munlock(first, page);
	void *all = mremap(first, page, bytes, MREMAP_MAYMOVE | (place != NULL ? MREMAP_FIXED : 0),
			   place);
	if (all == MAP_FAILED) {
		int error = errno;
		munmap(first, page);
		errno = error;
	}
	return all;
}

/*
 * Map a file at a multiple of EXTENT_BYTES, so that its huge pages can be mapped as such: a read of
 * a cart touches three places, and finding each of them in a page table of small pages takes as
 * long as the read itself. NULL and errno.
 */
static uint8_t *map_file(int fd, uint64_t bytes, int protection)
{
	uint8_t *room = map_unlocked(NULL, bytes + EXTENT_BYTES, PROT_NONE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	if (room == MAP_FAILED)
		return NULL;
	size_t before = align_up((uintptr_t)room, EXTENT_BYTES) - (uintptr_t)room;
	uint8_t *base = map_unlocked(room + before, bytes, protection, MAP_SHARED, fd);
	if (base == MAP_FAILED) {
		int error = errno;
		munmap(room, bytes + EXTENT_BYTES);
		errno = error;
		return NULL;
	}
	uint8_t *behind = base + align_up(bytes, (uint64_t)sysconf(_SC_PAGESIZE));
	if (before > 0)
		munmap(room, before);
	if (behind < room + bytes + EXTENT_BYTES)
		munmap(behind, (size_t)(room + bytes + EXTENT_BYTES - behind));
	(void)madvise(base, bytes, MADV_DONTDUMP);
	/*
	 * where pages are larger, folios may be larger than an extent and reach into unreserved
	 * space
	 */
	if (sysconf(_SC_PAGESIZE) <= SMALL_PAGE)
		(void)madvise(base, bytes, MADV_HUGEPAGE);
	else
		(void)madvise(base, bytes, MADV_RANDOM);
	return base;
}

static int refuse_map(int error, uint64_t bytes, char *why)
{
	if (error == EAGAIN)
		return reason_set(
			why, -error,
			"cannot map the arena's %llu bytes: %s: mlockall(MCL_FUTURE) is in "
			"force, and the limit of locked memory is reached: raise that limit "
			"(ulimit -l, RLIMIT_MEMLOCK)",
			(unsigned long long)bytes, strerrordesc_np(error));
	return reason_system(why, -error, "cannot map the arena's %llu bytes",
			     (unsigned long long)bytes);
}

int arena_map(int dir_fd, unsigned flags, struct arena *ret_arena, char *why)
{
	struct arena arena = { .fd = -1, .dir_fd = -1 };
	struct stat st;
	int r = 0;

	bool look = (flags & ARENA_READ_ONLY) != 0;

	arena.fd = look ? access_open_to_read(dir_fd, ARENA_FILE, why) :
			  access_open(dir_fd, ARENA_FILE, 0, false, why);
	if (arena.fd < 0)
		return arena.fd;
	arena.file_id = descriptor_know(arena.fd);
	if (fstat(arena.fd, &st) < 0) {
		r = reason_system(why, -errno, "cannot stat the arena file");
		goto fail;
	}
	if (st.st_size < (off_t)HEADER_BYTES) {
		r = reason_set(why, -EPROTO, "the arena file is too short for an arena");
		goto fail;
	}
	arena.bytes = (uint64_t)st.st_size;
	arena.base = map_file(arena.fd, arena.bytes, look ? PROT_READ : PROT_READ | PROT_WRITE);
	if (arena.base == NULL) {
		r = refuse_map(errno, arena.bytes, why);
		goto fail;
	}
	if ((flags & ARENA_CATCH_SIGBUS) != 0) {
		r = sigbus_watch(arena.base, arena.bytes);
		arena.watched = r == 0;
		if (r < 0)
			reason_system(why, r, "cannot catch SIGBUS for one more arena");
	}
	if (r == 0)
		r = arena_validate(&arena, arena.bytes, why);
	assert(r < 0 || arena.header != NULL);
	if (r == 0)
		r = check_world(&arena, flags, why);
	if (r == 0) {
		arena.dir_fd = descriptor_copy(dir_fd);
		arena.dir_id = descriptor_know(arena.dir_fd);
		if (arena.dir_fd < 0)
			r = reason_system(why, -errno, "cannot keep the directory open");
	}
	if (r < 0)
		goto unmap;
	if ((flags & ARENA_MAKE_HUGE) != 0)
		arena_make_huge(&arena, 0,
				min_u64(align_up(arena.space_at, EXTENT_BYTES), arena.bytes));
	*ret_arena = arena;
	return 0;
unmap:
	if (arena.watched)
		sigbus_forget(arena.base);
	munmap(arena.base, (size_t)st.st_size);
fail:
	close(arena.fd);
	return r;
}

void arena_unmap(struct arena *arena)
{
	if (arena->watched)
		sigbus_forget(arena->base);
	munmap(arena->base, arena->bytes);
	descriptor_close(arena->fd, &arena->file_id);
	descriptor_close(arena->dir_fd, &arena->dir_id);
	arena->base = NULL;
}

int arena_still_there(const struct arena *arena, char *why)
{
	struct stat ours, there;

	if (!descriptor_is(arena->fd, &arena->file_id) ||
	    !descriptor_is(arena->dir_fd, &arena->dir_id))
		return reason_set(
			why, -EBADF,
			"the program closed the descriptors of the arena, which are not its "
			"own");
	/*
	 * when in doubt, it is still there: this process may have lost the right to look, and a
	 * verdict is final for all processes
	 */
	if (fstat(arena->fd, &ours) < 0)
		return 0;
	if ((uint64_t)ours.st_size != arena->bytes)
		return reason_set(
			why, -ESTALE, "the arena file was %s under us: %llu bytes instead of %llu",
			(uint64_t)ours.st_size < arena->bytes ? "truncated" : "lengthened",
			(unsigned long long)ours.st_size, (unsigned long long)arena->bytes);
	if (fstatat(arena->dir_fd, ARENA_FILE, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ?
			       reason_set(why, -ESTALE, "the arena file was removed under us") :
			       0;
	if (ours.st_dev != there.st_dev || ours.st_ino != there.st_ino)
		return reason_set(why, -ESTALE, "the arena file was replaced by another under us");
	return 0;
}

void arena_withdraw(struct arena *arena)
{
	const uint32_t one = 1;
	struct stat st;

	if (!descriptor_is(arena->fd, &arena->file_id) || fstat(arena->fd, &st) < 0 ||
	    st.st_size < (off_t)HEADER_BYTES)
		return;
	__atomic_store_n(&arena->header->withdrawn, one, __ATOMIC_RELEASE);
	/*
	 * the handler may have replaced our mapping with zeroes (sigbus.c): write it to the file,
	 * too
	 */
	(void)!pwrite(arena->fd, &one, sizeof(one),
		      (off_t)offsetof(struct arena_header, withdrawn));
}

bool arena_describe_carrying(const struct arena_header *header, char text[ARENA_CARRYING_BYTES])
{
	/* relaxed: these numbers are only shown */
	uint32_t of = load_relaxed(&header->carried_of);
	uint32_t done = (uint32_t)min_u64(load_relaxed(&header->carried), of);
	int64_t since_ms = ns_since(arena_wall_ms(), load_relaxed(&header->carried_since_ms));
	char left[64] = "";

	if (of == 0 || load_relaxed(&header->withdrawn) == 0)
		return false;
	if (done > 0 && done < of && since_ms >= 0 && since_ms < CARRYING_MS_MAX) {
		long long left_s = since_ms * (of - done) / done / 1000 + 1;
		snprintf(left, sizeof(left), "; about %lld s more", left_s);
	}
	snprintf(text, ARENA_CARRYING_BYTES,
		 done < of ? "corral-agent --resize is carrying its carts over: %u of %u places "
			     "are done%s" :
			     "corral-agent --resize has carried its carts over, and writes the new "
			     "arena to disk",
		 done, of, left);
	return true;
}

void arena_let_go(const struct arena *arena)
{
	(void)madvise(arena->base + arena->space_at, arena->bytes - arena->space_at, MADV_DONTNEED);
}
