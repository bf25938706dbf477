/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena.h: the file: create, validate, map, reserve. Only this module turns indices into pointers.
 */
#ifndef CORRAL_ARENA_H
#define CORRAL_ARENA_H

#include <limits.h>
#include <sys/types.h>
#include <time.h>

#include "arena/descriptor.h"
#include "arena/layout.h"
#include "base/reason.h"

#define ARENA_FILE "arena"
#define ARENA_LOCK_FILE "lock"
#define ARENA_SOCKET_FILE "agent.sock"
#define ARENA_WHY_BYTES REASON_BYTES

/*
 * A mapping, and pointers to its parts. Constant once open, except what `header` points to. In a
 * handle it begins at a cache line.
 */
struct arena {
	uint8_t *base;
	struct arena_header *header;
	struct chain *chains;
	struct slot *slots;
	/* geometry, copied from the header at validation: the header is not trusted again */
	uint64_t hash_seed;
	uint32_t bucket_mask;
	uint32_t max_carts;
	block_ref space_first; /* block references are within [space_first, space_end) */
	uint32_t head_refs;    /* how many references from space_first on leave space for a head */
	uint64_t bytes;        /* of the mapping: up to the end of the space */
	/* everything above is what a read needs: one cache line */
	struct bucket *buckets;
	struct process_record *processes;
	struct thread_record *threads;
	struct size_class *classes;
	uint64_t *dirty;
	uint64_t *drained;
	uint32_t *pages;
	struct feed_entry *feed; /* the ring of numbered events; feed_mask + 1 of them */
	uint64_t feed_mask;
	struct feed_end *ends; /* the ring of ends; ends_mask + 1 of them */
	uint64_t ends_mask;
	uint32_t lane_mask; /* each lane has lane_mask + 1 entries */
	uint64_t space_at;
	block_ref space_end;
	uint32_t page_count;
	uint32_t class_count;
	uint32_t max_threads;
	uint32_t max_processes;
	int fd; /* of the arena file; -1: no longer ours, as dir_fd */
	int dir_fd;
	struct descriptor_id file_id;
	struct descriptor_id dir_id;
	bool watched; /* sigbus.h */
};

#define ARENA_ANY_BOOT 1u     /* accept one of an earlier boot, or withdrawn */
#define ARENA_CATCH_SIGBUS 2u /* see sigbus.h */
#define ARENA_THIS_BOOT 8u    /* ignore its boot id: an attached process is alive */
#define ARENA_READ_ONLY 16u   /* never written: for a read-only mount */
/* have the kernel put the tables into huge pages; takes a while the first time */
#define ARENA_MAKE_HUGE 4u

/* The settings of a new arena. */
struct arena_settings {
	uint64_t arena_bytes;
	uint32_t max_carts;
	uint64_t ttl_ns;
	uint32_t currency;   /* of new carts, as arena_header.currency */
	uint64_t hash_seed;  /* that of the arena which this one continues; 0: a new one */
	const uint8_t *uuid; /* likewise, 16 bytes; NULL: a new one */
	int64_t now_ns;      /* where its clock begins; 0: anywhere */
	uint32_t version_epoch;
	bool feed;           /* events are written */
	uint64_t feed_bytes; /* of the ring, about; 0: the usual size */
};

#define FEED_EPOCH_BITS 40

#define ARENA_BYTES_MIN (4ull << 20)
#define ARENA_BYTES_MAX (252ull << 30) /* what a block_ref reaches */
#define ARENA_FEED_BYTES_MIN (32ull << 10)
#define ARENA_FEED_BYTES_MAX (1ull << 30)
#define ARENA_CARTS_MAX 16000000u
#define ARENA_CARTS_USUAL 65536u

/*
 * Write the absolute directory that a location string names (see corral_open()) into path.
 * -EPROTONOSUPPORT: unknown scheme; -ENAMETOOLONG, -EINVAL.
 */
int arena_directory(const char *location, char path[PATH_MAX], char *why);

/*
 * Open the directory, whose path is absolute. Refused are a symbolic link (-ELOOP), a directory
 * that every user may write or that a stranger may replace (-EPERM, see access_path()), and a
 * network file system (-EXDEV). _of: members of this group are not strangers. *ret_fd is
 * close-on-exec.
 */
int arena_open_directory(const char *path, int *ret_fd, char *why);
int arena_open_directory_of(const char *path, gid_t also, int *ret_fd, char *why);

/*
 * Create DIR/arena: a temporary file, reserved on disk, filled in, synced, renamed. The caller
 * holds the agent's liveness byte. -EEXIST: there is one already. A failure leaves nothing behind.
 */
int arena_create(int dir_fd, const struct arena_settings *settings, char *why);

/*
 * The default number of carts for an arena of that size: the usual number, or fewer where its
 * tables would take more than half.
 */
uint32_t arena_usual_carts(uint64_t arena_bytes);

/*
 * Map DIR/arena and validate its header. -ENOENT, -EPROTO, -EPROTONOSUPPORT, -ESTALE (another boot,
 * a copy, or withdrawn, unless ARENA_ANY_BOOT), -EXDEV (time namespace), ... and why. The arena
 * keeps a duplicate of dir_fd.
 */
int arena_map(int dir_fd, unsigned flags, struct arena *ret_arena, char *why);
void arena_unmap(struct arena *arena);

/*
 * Validate a header against the length of its file; pure. Used by arena_map() and inspect.
 * Fills the geometry of *arena (whose base is set).
 */
int arena_validate(struct arena *arena, uint64_t file_bytes, char *why);

/* Is the checksum of the header's constant part correct? */
bool arena_header_sound(const struct arena_header *header);

/*
 * Set the geometry for an arena of that size, regardless of the rest of its header (feed_events 0:
 * with the usual room for events). False: there is no such geometry. Without a base, only this
 * check is made. For salvage.
 */
bool arena_assume(struct arena *arena, uint64_t arena_bytes, uint32_t max_carts,
		  uint64_t feed_events);

/*
 * How many carts a damaged header was made for: the number it states, or the one that follows from
 * the distance of its tables, whichever agrees with more of the header. The size that it states may
 * be damaged, too: then the file's counts. For salvage.
 */
uint32_t arena_carts_said(const struct arena_header *header, uint64_t file_bytes);

/*
 * The same of the events that the feed's ring has room for: the number it states, or the one that
 * follows from the distance of what lies around it; 0: neither is possible.
 */
uint64_t arena_feed_events_said(const struct arena_header *header);

static inline uint64_t arena_feed_bytes(const struct arena *arena)
{
	return (arena->feed_mask + 1) * FEED_ENTRY_BYTES;
}

/* The size of the ring, in an arena that was not given the usual one; else 0. */
uint64_t arena_feed_bytes_set(const struct arena *arena);

/*
 * Set the arena's pointers and geometry from a header that is known to fit its mapping. For
 * salvage.
 */
void arena_point(struct arena *arena, const struct arena_header *h);

/*
 * arena_is_copy: is the header in another file than the one it was made for? Then the file was
 * copied, perhaps during a change. arena_own_file: make this file the header's own from now on.
 */
bool arena_is_copy(const struct arena_header *h, int fd);
void arena_own_file(struct arena_header *h, int fd);

/*
 * Is DIR/arena still the mapped file, and whole? 0, or -ESTALE and why; -EBADF: the arena's
 * descriptors are no longer ours, which says nothing about the file. 0 also if we cannot tell.
 */
int arena_still_there(const struct arena *arena, char *why);

/*
 * It is not: say so in the mapping, which all processes attached to the old file share. From then
 * on their calls return -ESTALE; otherwise they would go on with carts that no new process sees.
 */
void arena_withdraw(struct arena *arena);

static inline bool arena_withdrawn(const struct arena *arena)
{
	/*
	 * relaxed: a call that does not see it yet came before; the line is read for the clock
	 * anyway
	 */
	return unlikely(__atomic_load_n(&arena->header->withdrawn, __ATOMIC_RELAXED) != 0);
}

/* May this process write a file up to this offset? 0 or -EFBIG (RLIMIT_FSIZE). */
int arena_may_write_to(uint64_t end);

/* Reserve a byte range of a file on disk. 0, -ENOSPC ... */
int arena_reserve_file(int fd, uint64_t at, uint64_t bytes);

/* Ask the kernel to put [from, end) into huge pages. */
void arena_make_huge(const struct arena *arena, uint64_t from, uint64_t end);

/*
 * Reserve pages [first, first + count) on disk, and the rest of their extents. The caller holds
 * space_lock. -ENOSPC ...
 */
int arena_reserve(struct arena *arena, uint32_t first, uint32_t count);

/*
 * Give back disk space that is reserved behind the first `keep` pages: whole extents, the last ones
 * first, `most` bytes at a time (a multiple of EXTENT_BYTES). The caller holds space_lock, and no
 * span is there. Returns the bytes given back; 0: there are none; -EOPNOTSUPP: nothing has changed;
 * else the error of fallocate().
 */
int64_t arena_unreserve(struct arena *arena, uint32_t keep, uint64_t most);

/*
 * Reserve again what the header says is reserved: after a power loss the file may have holes that
 * the header does not know of. 0, -ENOSPC ...
 */
int arena_reserve_again(const struct arena *arena);

/* This boot's id. False: the system does not provide it. */
bool arena_boot_id(uint8_t ret_id[16]);

/* The inode of our time namespace; 0: the system does not provide it. */
uint64_t arena_time_namespace(void);

/*
 * Are we in another time namespace than the arena's creator? Then our monotonic clock differs, too.
 */
bool arena_other_time(const struct arena_header *h);

/* clock_gettime(); once the library is loaded, a faster equivalent where there is one. */
extern int (*arena_clock)(clockid_t clock, struct timespec *ret_now);

/* Wall-clock time in milliseconds since 1970; coarse. */
int64_t arena_wall_ms(void);

/*
 * For callers that go over all carts once, more or less in the order of their blocks: the pages of
 * the carts that they have read stay in the page cache, but are no longer mapped, so they no longer
 * count as this process's memory.
 */
#define ARENA_LET_GO_BYTES (4u << 20) /* of carts, at a time */
void arena_let_go(const struct arena *arena);

/*
 * The progress that corral-agent --resize notes in a withdrawn arena, and how long it will still
 * take, as a text; false: it notes nothing. The caller knows that some process holds the agent's
 * byte.
 */
#define ARENA_CARRYING_BYTES 160
bool arena_describe_carrying(const struct arena_header *header, char text[ARENA_CARRYING_BYTES]);

/* ------------------------------------------------------- pointers, checked */

static inline struct block_header *arena_block(const struct arena *arena, block_ref ref)
{
	return (struct block_header *)(arena->base + (uint64_t)ref * BLOCK_UNIT);
}

/*
 * Is the reference inside the space? (One unsigned compare; the class is checked where it matters.)
 */
static inline bool arena_block_inside(const struct arena *arena, block_ref ref)
{
	return likely(ref - arena->space_first < arena->space_end - arena->space_first);
}

static inline block_ref arena_block_ref(const struct arena *arena, const void *block)
{
	return (block_ref)((uint64_t)((const uint8_t *)block - arena->base) / BLOCK_UNIT);
}

/* The slot of a link (plus one); NULL for no slot or a number out of range. */
static inline struct slot *arena_slot(const struct arena *arena, slot_link link)
{
	return likely(link - 1 < arena->max_carts) ? &arena->slots[link - 1] : NULL;
}

static inline slot_link arena_slot_link(const struct arena *arena, const struct slot *slot)
{
	return (slot_link)(slot - arena->slots) + 1;
}

/* ---------------------------------------------------------------- expiry */

#define CLOCK_TICK_NS 10000000 /* no Linux clock tick is longer */

/*
 * Times in the arena may be damaged: sums and differences wrap, which is defined and only yields a
 * wrong time.
 */
static inline int64_t ns_add(int64_t a, uint64_t b)
{
	return (int64_t)((uint64_t)a + b);
}

static inline int64_t ns_since(int64_t now_ns, int64_t then_ns)
{
	return (int64_t)((uint64_t)now_ns - (uint64_t)then_ns);
}

/* Arena time now, in nanoseconds; its resolution is one clock tick. No system call (vDSO). */
static inline int64_t arena_now_ns(const struct arena *arena)
{
	struct timespec now;

	(void)arena_clock(CLOCK_MONOTONIC_COARSE, &now);
	/*
	 * relaxed: changes only when the agent takes up the arena of an earlier boot, before any
	 * process attaches
	 */
	return ns_add(now.tv_sec * 1000000000ll + now.tv_nsec,
		      (uint64_t)__atomic_load_n(&arena->header->clock_offset_ns, __ATOMIC_RELAXED));
}

/* Every version given from now on is greater. Relaxed: set before any process attaches. */
static inline uint64_t arena_version_floor(const struct arena *arena)
{
	return (uint64_t)__atomic_load_n(&arena->header->version_epoch, __ATOMIC_RELAXED)
	       << VERSION_EPOCH_BITS;
}

/* The first number that the feed gives in an epoch of versions: no number is given twice. */
static inline uint64_t arena_feed_begin(uint32_t version_epoch)
{
	return ((uint64_t)version_epoch << FEED_EPOCH_BITS) + 1;
}

/* A touch is written only if the stored one is older than this. */
static inline int64_t ttl_grain_ns(uint64_t ttl_ns)
{
	return (int64_t)(ttl_ns / 128);
}

/*
 * From this arena time on, the cart is gone: at least ttl after the last activity (which may be a
 * grain and a tick newer than `touched`), and less than ttl / 64 and a tick after that.
 */
static inline int64_t deadline_ns(int64_t touched_ns, uint64_t ttl_ns)
{
	return ns_add(touched_ns, ttl_ns + (uint64_t)ttl_grain_ns(ttl_ns) + CLOCK_TICK_NS);
}

#endif
