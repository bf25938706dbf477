/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * former.c (floor 2): see former.h.
 *
 * Layout 3 (2026-11): no hints. Layout 2 (2026-11): no drained bitmap either. Layout 1 was never given to anyone; nothing is known of
 * it here.
 *
 * Nothing here may follow layout.h: the numbers are those of the layout, written out. Changing one makes arenas that are
 * out there unreadable.
 */
#include <string.h>

#include "former.h"
#include "hash.h"

/* ---------------------------------------------------------- layout 2 and 3 */

#define FINGERPRINT_2 0xbe6492b03ee696ceull
#define FINGERPRINT_3 0x57dcf96d21ef7871ull

/* The first 4 of its 64 lines. Layout 3 has drained_at behind dirty_at: what follows, up to the seed, is 8 bytes further on. */
struct header_2 {
	uint64_t magic;
	uint32_t layout_version;
	uint32_t byte_order;
	uint64_t fingerprint;
	uint64_t arena_bytes;
	uint8_t uuid[16];
	uint64_t header_sum;
	uint64_t created_ms;

	uint32_t max_carts;
	uint32_t bucket_count;
	uint32_t page_count;
	uint32_t class_count;
	uint32_t max_processes;
	uint32_t max_threads;
	uint64_t processes_at;
	uint64_t threads_at;
	uint64_t classes_at;
	uint64_t dirty_at;
	uint64_t buckets_at;
	uint64_t slots_at;
	uint64_t pages_at;
	uint64_t space_at;
	uint64_t hash_seed;
	uint64_t reserved1[4];

	uint8_t boot_id[16];
	int64_t clock_offset_ns;
	uint64_t ttl_ns;
	uint64_t time_ns_inode;
	int64_t heartbeat_ns;
	uint32_t withdrawn;
	uint32_t reserved3;
	uint32_t journal; /* layout 2: always 0, no journal was kept */
	uint32_t full_fences;
};

static_assert(sizeof(struct header_2) == 256 && HEADER_BYTES >= 256, "four lines");
static_assert(offsetof(struct header_2, header_sum) == 48, "frozen");
static_assert(offsetof(struct header_2, space_at) == 144, "frozen");
static_assert(offsetof(struct header_2, hash_seed) == 152, "frozen");
static_assert(offsetof(struct header_2, boot_id) == 192, "frozen");
static_assert(offsetof(struct header_2, heartbeat_ns) == 232, "frozen");

static_assert(offsetof(struct header_2, reserved1) == 160, "where layout 3 has its seed");

/* What salvage reads besides the header is today what it was in layout 2 and 3. */
static_assert(sizeof(struct process_record) == 128 && offsetof(struct process_record, pid) == 8 &&
		      offsetof(struct process_record, program) == 24,
	      "as in layout 2");
static_assert(sizeof(struct thread_record) == 1216 && offsetof(struct thread_record, intent) == 64 &&
		      offsetof(struct thread_record, retired) == 128 && offsetof(struct thread_record, cache) == 256,
	      "as in layout 2");
static_assert(offsetof(struct intent, hand) == 8 && offsetof(struct intent, old) == 12 &&
		      offsetof(struct intent, splice_first) == 32 && offsetof(struct intent, splice_rest) == 40,
	      "as in layout 2");
static_assert(offsetof(struct retired, open) == 4 && offsetof(struct retired, waiting) == 8 &&
		      offsetof(struct retired, ready) == 12 && offsetof(struct retired, deferred) == 48,
	      "as in layout 2");
static_assert(sizeof(struct size_class) == 64 && offsetof(struct size_class, head) == 4 && CLASS_COUNT == 173,
	      "as in layout 2");
static_assert(sizeof(struct bucket) == 16 && offsetof(struct bucket, version_floor) == 8, "as in layout 2");
static_assert(sizeof(struct slot) == 64 && offsetof(struct slot, current) == 12 && offsetof(struct slot, hash) == 16 &&
		      offsetof(struct slot, touched_ns) == 24 && offsetof(struct slot, ttl_ns) == 32,
	      "as in layout 2");
static_assert(sizeof(struct block_header) == 16 && offsetof(struct block_header, magic) == 6 &&
		      offsetof(struct block_header, slot) == 8 && BLOCK_UNIT == 64 && BLOCK_MAGIC == 0xb10c &&
		      CLASS_LARGEST == 1048640,
	      "as in layout 2");
/* And so are the bytes of a cart. They say their format themselves: all that were ever written have this one. */
static_assert(CART_FORMAT == 1, "the cart of layout 2");

static bool geometry_2(uint32_t layout, uint64_t arena_bytes, uint32_t max_carts, struct arena_header *h)
{
	uint64_t bitmap = align_up((max_carts + 63ull) / 64 * 8, 64);
	uint32_t buckets = 64;

	if (arena_bytes < 4194304 || arena_bytes > (252ull << 30) || arena_bytes % 16384 != 0 || max_carts == 0 ||
	    max_carts > 16000000)
		return false;
	while (buckets < max_carts)
		buckets *= 2;
	h->arena_bytes = arena_bytes;
	h->max_carts = max_carts;
	h->bucket_count = buckets;
	h->class_count = 173;
	h->max_processes = 1024;
	h->max_threads = 2048;
	h->processes_at = 4096;
	h->threads_at = h->processes_at + 1024 * 128;
	h->classes_at = h->threads_at + 2048 * 1216;
	h->dirty_at = h->classes_at + 192ull * 64;
	h->drained_at = layout == 2 ? 0 : h->dirty_at + bitmap;
	h->hints_at = 0;
	h->buckets_at = h->dirty_at + (layout == 2 ? 1 : 2) * bitmap;
	h->slots_at = h->buckets_at + 16ull * buckets;
	h->pages_at = h->slots_at + 64ull * max_carts;
	h->space_at = align_up(h->pages_at + align_up(arena_bytes / 16384 * 4, 64), 16384);
	if (h->space_at + 4 * 16384ull > arena_bytes)
		return false;
	h->page_count = (uint32_t)((arena_bytes - h->space_at) / 16384);
	return true;
}

static void read_2(const struct header_2 *old, struct arena_header *h)
{
	*h = (struct arena_header){ .magic = old->magic,
				    .layout_version = old->layout_version,
				    .byte_order = old->byte_order,
				    .arena_bytes = old->arena_bytes,
				    .max_carts = old->max_carts,
				    .hash_seed = old->layout_version == 2 ? old->hash_seed : old->reserved1[0],
				    .clock_offset_ns = old->clock_offset_ns,
				    .ttl_ns = old->ttl_ns,
				    .time_ns_inode = old->time_ns_inode,
				    .heartbeat_ns = old->heartbeat_ns,
				    .journal = old->journal };
	memcpy(h->boot_id, old->boot_id, sizeof(h->boot_id));
}

/* --------------------------------------------------------------------- all */

uint32_t former_read(const void *bytes, struct arena_header *ret_header)
{
	struct header_2 old;

	memcpy(&old, bytes, sizeof(old));
	if (old.magic != LAYOUT_MAGIC || old.byte_order != LAYOUT_BYTE_ORDER ||
	    !((old.layout_version == 2 && old.fingerprint == FINGERPRINT_2) ||
	      (old.layout_version == 3 && old.fingerprint == FINGERPRINT_3)))
		return 0;
	read_2(&old, ret_header);
	return old.layout_version;
}

bool former_sound(const void *bytes)
{
	struct header_2 old;
	uint8_t constant[offsetof(struct header_2, boot_id)];

	memcpy(&old, bytes, sizeof(old));
	memcpy(constant, bytes, sizeof(constant));
	memset(constant + offsetof(struct header_2, header_sum), 0, sizeof(uint64_t));
	return old.header_sum == XXH3_64bits(constant, sizeof(constant));
}

bool former_geometry(uint32_t layout, uint64_t arena_bytes, uint32_t max_carts, struct arena_header *ret_header)
{
	return (layout == 2 || layout == 3) && geometry_2(layout, arena_bytes, max_carts, ret_header);
}
