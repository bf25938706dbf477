/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * former.c: see former.h.
 *
 * Layout 5 (2026-11): thread records have no light_phase. Layout 4 (2026-11): a bucket has its
 * chain's head, the hints are a table of their own, carts have format 1. Layout 3 (2026-11): no
 * hints. Layout 2 (2026-11): no drained bitmap either. Layout 1 was never given to anyone; nothing
 * is known of it here.
 *
 * Nothing here may follow layout.h: the numbers are those of the layout, written out. Changing one
 * makes arenas that are out there unreadable.
 */
#include <string.h>

#include "arena/former.h"
#include "base/hash.h"
#include "corral.h"

/* ---------------------------------------------------------- layouts 2 to 5 */

#define FINGERPRINT_2 0xbe6492b03ee696ceull
#define FINGERPRINT_3 0x57dcf96d21ef7871ull
#define FINGERPRINT_4 0x4c82f834187f2bb4ull
#define FINGERPRINT_5 0x9bfa63ce66f4c40dull

/*
 * The first 4 of its 64 lines. Layout 3 has drained_at behind dirty_at, and layout 4 hints_at
 * behind that, layout 5 chains_at: what follows, up to the seed, is so many times 8 bytes further
 * on.
 */
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

static_assert(offsetof(struct header_2, reserved1) == 160,
	      "where layout 3 has its seed, and 8 bytes on layouts 4 and 5");

/* What salvage reads besides the header and the carts is today what it was in layouts 2 to 5. */
static_assert(sizeof(struct process_record) == 128 && offsetof(struct process_record, pid) == 8 &&
		      offsetof(struct process_record, program) == 24,
	      "as in layout 2");
static_assert(sizeof(struct thread_record) == 1216 &&
		      offsetof(struct thread_record, intent) == 64 &&
		      offsetof(struct thread_record, retired) == 128 &&
		      offsetof(struct thread_record, cache) == 256,
	      "as in layout 2");
static_assert(offsetof(struct intent, hand) == 8 && offsetof(struct intent, old) == 12 &&
		      offsetof(struct intent, splice_first) == 32 &&
		      offsetof(struct intent, splice_rest) == 40,
	      "as in layout 2");
static_assert(offsetof(struct retired, open) == 4 && offsetof(struct retired, waiting) == 8 &&
		      offsetof(struct retired, ready) == 12 &&
		      offsetof(struct retired, deferred) == 48,
	      "as in layout 2");
static_assert(sizeof(struct size_class) == 64 && offsetof(struct size_class, head) == 4 &&
		      CLASS_COUNT == 173,
	      "as in layout 2");
static_assert(sizeof(struct bucket) == 16 && offsetof(struct bucket, version_floor) == 8,
	      "as in layout 2");
static_assert(sizeof(struct slot) == 64 && offsetof(struct slot, current) == 12 &&
		      offsetof(struct slot, hash) == 16 &&
		      offsetof(struct slot, touched_ns) == 24 &&
		      offsetof(struct slot, ttl_ns) == 32,
	      "as in layout 2");
static_assert(sizeof(struct block_header) == 16 && offsetof(struct block_header, magic) == 6 &&
		      offsetof(struct block_header, slot) == 8 && BLOCK_UNIT == 64 &&
		      BLOCK_MAGIC == 0xb10c && CLASS_LARGEST == 1048640,
	      "as in layout 2");

static bool geometry_2(uint32_t layout, uint64_t arena_bytes, uint32_t max_carts,
		       struct arena_header *h)
{
	static const uint32_t hints[] = {
		[2] = 0, [3] = 0, [4] = 4, [5] = 8
	}; /* bytes a bucket, in front of the buckets */
	uint64_t bitmap = align_up((max_carts + 63ull) / 64 * 8, 64);
	uint32_t buckets = 64;

	if (arena_bytes < 4194304 || arena_bytes > (252ull << 30) || arena_bytes % 16384 != 0 ||
	    max_carts == 0 || max_carts > 16000000)
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
	h->chains_at = 0;
	h->buckets_at =
		h->dirty_at + (layout == 2 ? 1 : 2) * bitmap + (uint64_t)hints[layout] * buckets;
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
	*h = (struct arena_header){
		.magic = old->magic,
		.layout_version = old->layout_version,
		.byte_order = old->byte_order,
		.arena_bytes = old->arena_bytes,
		.max_carts = old->max_carts,
		.hash_seed = old->layout_version == 2 ?
				     old->hash_seed :
				     old->reserved1[old->layout_version == 3 ? 0 : 1],
		.clock_offset_ns = old->clock_offset_ns,
		.ttl_ns = old->ttl_ns,
		.time_ns_inode = old->time_ns_inode,
		.heartbeat_ns = old->heartbeat_ns,
		.journal = old->journal
	};
	memcpy(h->boot_id, old->boot_id, sizeof(h->boot_id));
}

/* --------------------------------------------------------------------- all */

uint32_t former_read(const void *bytes, struct arena_header *ret_header)
{
	struct header_2 old;

	memcpy(&old, bytes, sizeof(old));
	if (old.magic != LAYOUT_MAGIC || old.byte_order != LAYOUT_BYTE_ORDER ||
	    !((old.layout_version == 2 && old.fingerprint == FINGERPRINT_2) ||
	      (old.layout_version == 3 && old.fingerprint == FINGERPRINT_3) ||
	      (old.layout_version == 4 && old.fingerprint == FINGERPRINT_4) ||
	      (old.layout_version == 5 && old.fingerprint == FINGERPRINT_5)))
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

bool former_geometry(uint32_t layout, uint64_t arena_bytes, uint32_t max_carts,
		     struct arena_header *ret_header)
{
	return layout >= 2 && layout <= 5 && geometry_2(layout, arena_bytes, max_carts, ret_header);
}

/* ------------------------------------------------------------ cart format 1 */

struct cart_head_1 {
	uint64_t sum;
	uint32_t size;
	uint16_t format;
	uint8_t status;
	uint8_t reserved;
	uint64_t version;
	int64_t subtotal_cents;
	int64_t tax_cents;
	int64_t total_cents;
	uint32_t tax_ppm;
	uint32_t item_count;
	uint32_t line_count;
	uint32_t next_line;
	uint64_t lines_sum;
	uint64_t ops_sum;
	uint64_t hash;
	uint64_t seed;
	int64_t created_ms;
	int64_t updated_ms;
	uint64_t ttl_ms;
	uint32_t ops_count;
	uint32_t ops_next;
	uint32_t attributes_size;
	uint32_t attribute_count;
	uint32_t words_size;
	uint16_t restaurant_size;
	uint16_t session_size;
};

static_assert(sizeof(struct cart_head_1) == 144 && offsetof(struct cart_head_1, lines_sum) == 64 &&
		      offsetof(struct cart_head_1, words_size) == 136,
	      "frozen");
static_assert(CART_FORMAT == 2 && sizeof(struct cart_head) == 144,
	      "only the head's fields have moved");

/* Both formats have one checksum for the head and what follows it, up to the operations. */
static uint64_t front_sum(const uint8_t *bytes, uint64_t ops_at)
{
	return XXH3_64bits(bytes + sizeof(uint64_t), ops_at - sizeof(uint64_t));
}

bool former_cart(const void *bytes, size_t room, void *to, uint32_t *ret_size)
{
	struct cart_head_1 old;

	if (room < sizeof(old))
		return false;
	memcpy(&old, bytes, sizeof(old));
	uint64_t ids = align_up((uint64_t)old.restaurant_size + old.session_size, 8);
	uint64_t ops_at = sizeof(old) + ids + align_up((uint64_t)old.attributes_size, 8);
	if (old.format != 1 || old.size > room || old.size > CORRAL_CART_MAX || ops_at > old.size ||
	    front_sum(bytes, ops_at) != old.sum)
		return false;
	struct cart_head head = { .lines_sum = old.lines_sum,
				  .ops_sum = old.ops_sum,
				  .hash = old.hash,
				  .seed = old.seed,
				  .created_ms = old.created_ms,
				  .updated_ms = old.updated_ms,
				  .ttl_ms = old.ttl_ms,
				  .subtotal_cents = old.subtotal_cents,
				  .tax_cents = old.tax_cents,
				  .tax_ppm = old.tax_ppm,
				  .line_count = old.line_count,
				  .next_line = old.next_line,
				  .ops_count = old.ops_count,
				  .ops_next = old.ops_next,
				  .attributes_size = old.attributes_size,
				  .attribute_count = old.attribute_count,
				  .words_size = old.words_size,
				  .version = old.version,
				  .total_cents = old.total_cents,
				  .item_count = old.item_count,
				  .size = old.size,
				  .restaurant_size = old.restaurant_size,
				  .session_size = old.session_size,
				  .format = 2,
				  .status = old.status,
				  .reserved = old.reserved };
	memmove(to, bytes, old.size);
	memcpy(to, &head, sizeof(head));
	head.sum = front_sum(to, ops_at);
	memcpy(to, &head.sum, sizeof(head.sum));
	*ret_size = old.size;
	return true;
}
