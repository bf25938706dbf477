/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * former.c: see former.h. Layout 6 and cart format 2, of 2026-11.
 */
#include <errno.h>
#include <string.h>

#include "arena/former.h"
#include "arena/layout.h"
#include "base/hash.h"
#include "corral.h"

/* ------------------------------------------------------------------ header */

#define FINGERPRINT_6 0x29637d234c26bed6ull

struct header_6 { /* its first four lines */
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
	uint64_t drained_at;
	uint64_t chains_at;
	uint64_t buckets_at;
	uint64_t slots_at;
	uint64_t pages_at;
	uint64_t space_at;
	uint64_t hash_seed;
	uint64_t reserved1[2];

	uint8_t boot_id[16];
	int64_t clock_offset_ns;
	uint64_t ttl_ns;
	uint64_t time_ns_inode;
	int64_t heartbeat_ns;
	uint32_t withdrawn;
	uint32_t reserved3;
	uint32_t journal;
	uint32_t full_fences;
};

static_assert(sizeof(struct header_6) == 256, "frozen");
static_assert(offsetof(struct header_6, header_sum) == 48, "frozen");
static_assert(offsetof(struct header_6, hash_seed) == 168, "frozen");
static_assert(offsetof(struct header_6, boot_id) == 192, "frozen: the sum covers what precedes it");

static bool is_sound(const struct header_6 *header)
{
	uint8_t constant[offsetof(struct header_6, boot_id)];

	memcpy(constant, header, sizeof(constant));
	memset(constant + offsetof(struct header_6, header_sum), 0, sizeof(uint64_t));
	return header->header_sum == XXH3_64bits(constant, sizeof(constant));
}

/* The places follow from the size and the number of carts; those in the header are not used. */
static bool place_tables(struct former *former)
{
	uint64_t bytes = former->arena_bytes, carts = former->max_carts;

	if (bytes < 4194304 || bytes > (252ull << 30) || bytes % 16384 != 0 || carts == 0 ||
	    carts > 16000000)
		return false;
	former->bucket_count = 64;
	while (former->bucket_count < carts)
		former->bucket_count *= 2;
	uint64_t at = 4096 + 1024 * 128ull + 2048 * 1216ull + 192 * 64ull; /* records, classes */
	at += 2 * align_up((carts + 63) / 64 * 8, 64);                     /* bitmaps */
	at += 8ull * former->bucket_count;                                 /* chains */
	former->buckets_at = at;
	former->slots_at = former->buckets_at + 16ull * former->bucket_count;
	at = former->slots_at + 64 * carts + align_up(bytes / 16384 * 4, 64);
	former->space_at = align_up(at, 16384);
	return former->space_at + 4 * 16384ull <= bytes;
}

int former_read(const void *header, struct former *ret_former)
{
	struct header_6 old;

	memcpy(&old, header, sizeof(old));
	if (old.magic != LAYOUT_MAGIC || old.byte_order != LAYOUT_BYTE_ORDER ||
	    old.layout_version != FORMER_LAYOUT || old.fingerprint != FINGERPRINT_6)
		return -EPROTONOSUPPORT;
	struct former former = { .arena_bytes = old.arena_bytes,
				 .max_carts = old.max_carts,
				 .hash_seed = old.hash_seed,
				 .ttl_ns = old.ttl_ns,
				 .clock_offset_ns = old.clock_offset_ns,
				 .heartbeat_ns = old.heartbeat_ns,
				 .journal = old.journal != 0 };
	memcpy(former.boot_id, old.boot_id, sizeof(former.boot_id));
	if (!is_sound(&old) || !place_tables(&former))
		return -EPROTO;
	*ret_former = former;
	return 0;
}

/* ------------------------------------------------------------------ tables */

#define TOUCHED_ENDED_6 INT64_MIN

struct slot_6 {
	uint32_t lock;
	uint32_t change;
	uint32_t next;
	uint32_t current;
	uint64_t hash;
	int64_t touched_ns;
	uint64_t ttl_ns;
	uint32_t size;
	uint32_t reserved[5];
};

struct bucket_6 {
	uint32_t lock;
	uint32_t reserved;
	uint64_t version_floor;
};

struct process_record_6 {
	uint32_t state;
	uint32_t generation;
	int32_t pid;
	uint32_t flags;
	int64_t started_ms;
	char program[40];
	uint8_t reserved[64];
};

static_assert(sizeof(struct slot_6) == 64 && sizeof(struct bucket_6) == 16 &&
		      sizeof(struct process_record_6) == 128,
	      "frozen");

bool former_slot(const uint8_t *base, const struct former *former, uint32_t number,
		 struct former_slot *ret_slot)
{
	struct slot_6 slot;

	memcpy(&slot, base + former->slots_at + (uint64_t)number * sizeof(slot), sizeof(slot));
	if (slot.touched_ns == TOUCHED_ENDED_6 || slot.current == 0)
		return false;
	/* a reference counts 64 bytes; the version follows a block's header of 16 */
	*ret_slot = (struct former_slot){ slot.hash, slot.touched_ns, slot.current * 64ull + 16 };
	return true;
}

uint64_t former_floor(const uint8_t *base, const struct former *former, uint32_t bucket)
{
	struct bucket_6 old;

	memcpy(&old, base + former->buckets_at + (uint64_t)bucket * sizeof(old), sizeof(old));
	return old.version_floor;
}

bool former_process(const uint8_t *base, uint32_t number, int32_t *ret_pid, char ret_program[40])
{
	struct process_record_6 record;

	memcpy(&record, base + 4096 + (uint64_t)number * sizeof(record), sizeof(record));
	if (record.state != 1)
		return false;
	memcpy(ret_program, record.program, sizeof(record.program));
	ret_program[sizeof(record.program) - 1] = '\0';
	for (char *c = ret_program; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	*ret_pid = record.pid;
	return true;
}

/* ------------------------------------------------------------------- carts */

struct cart_head_2 {
	uint64_t sum;
	uint64_t lines_sum;
	uint64_t ops_sum;
	uint64_t hash;
	uint64_t seed;
	int64_t created_ms;
	int64_t updated_ms;
	uint64_t ttl_ms;
	int64_t subtotal_cents;
	int64_t tax_cents;
	uint32_t tax_ppm;
	uint32_t line_count;
	uint32_t next_line;
	uint32_t ops_count;
	uint32_t ops_next;
	uint32_t attributes_size;
	uint32_t attribute_count;
	uint32_t words_size;
	uint64_t version;
	int64_t total_cents;
	uint32_t item_count;
	uint32_t size;
	uint16_t restaurant_size;
	uint16_t session_size;
	uint16_t format;
	uint8_t status;
	uint8_t reserved;
};

struct cart_op_2 {
	uint64_t id[2];
	uint64_t version;
	int64_t subtotal_cents;
	int64_t tax_cents;
	uint32_t item_count;
	uint32_t line_status;
};

static_assert(sizeof(struct cart_head_2) == 144 && offsetof(struct cart_head_2, version) == 112 &&
		      sizeof(struct cart_op_2) == 48,
	      "frozen");
static_assert(sizeof(struct cart_line) == 56, "the lines of format 2 are today's still");

static struct cart_head head_of(const struct cart_head_2 *old)
{
	return (struct cart_head){ .lines_sum = old->lines_sum,
				   .hash = old->hash,
				   .seed = old->seed,
				   .created_ms = old->created_ms,
				   .updated_ms = old->updated_ms,
				   .ttl_ms = old->ttl_ms,
				   .subtotal_cents = old->subtotal_cents,
				   .tax_cents = old->tax_cents,
				   .tax_ppm = old->tax_ppm,
				   .line_count = old->line_count,
				   .next_line = old->next_line,
				   .ops_count = (uint16_t)old->ops_count,
				   .ops_next = (uint16_t)old->ops_next,
				   .attributes_size = old->attributes_size,
				   .attribute_count = old->attribute_count,
				   .words_size = old->words_size,
				   .version = old->version,
				   .total_cents = old->total_cents,
				   .item_count = old->item_count,
				   .restaurant_size = old->restaurant_size,
				   .session_size = old->session_size,
				   .format = CART_FORMAT,
				   .status = old->status };
}

/*
 * The result has no fingerprint: a change with a known id counts as the repeat it most likely is.
 */
static struct cart_op op_of(const struct cart_op_2 *old)
{
	return (struct cart_op){ .id = { old->id[0], old->id[1] },
				 .version = old->version,
				 .subtotal_cents = old->subtotal_cents,
				 .tax_cents = old->tax_cents,
				 .item_count = old->item_count,
				 .line_status = old->line_status };
}

/* to: NULL to check only. False: the checksum of the operations says that they are damaged. */
static bool convert_ops(const struct cart_head_2 *old, const uint8_t *from, uint8_t *to,
			uint64_t *ret_sum)
{
	uint64_t old_sum = 0, sum = 0;

	for (uint32_t i = 0; i < old->ops_count; i++) {
		struct cart_op_2 was;
		memcpy(&was, from + (size_t)i * sizeof(was), sizeof(was));
		old_sum += XXH3_64bits_withSeed(&was, sizeof(was), i);
		struct cart_op op = op_of(&was);
		if (to == NULL)
			continue;
		sum += XXH3_64bits_withSeed(&op, sizeof(op), i);
		memcpy(to + (size_t)i * sizeof(op), &op, sizeof(op));
	}
	*ret_sum = sum;
	return old_sum == old->ops_sum;
}

/* The checksum of the head and what follows it, up to the operations: the same in both formats. */
static uint64_t front_sum(const uint8_t *bytes, uint64_t ops_at)
{
	return XXH3_64bits(bytes + sizeof(uint64_t), ops_at - sizeof(uint64_t));
}

bool former_cart(const void *bytes, size_t room, void *to, uint32_t *ret_size)
{
	const uint8_t *from = bytes;
	uint8_t *into = to;
	struct cart_head_2 old;

	if (room < sizeof(old))
		return false;
	memcpy(&old, bytes, sizeof(old));
	uint64_t ids = align_up((uint64_t)old.restaurant_size + old.session_size, 8) +
		       align_up((uint64_t)old.attributes_size, 8);
	uint64_t rest = sizeof(struct cart_line) * (uint64_t)old.line_count + old.words_size;
	uint64_t ops_at = sizeof(old) + ids;
	uint64_t rest_at = ops_at + sizeof(struct cart_op_2) * (uint64_t)old.ops_count;
	uint64_t size = sizeof(struct cart_head) + ids +
			sizeof(struct cart_op) * (uint64_t)old.ops_count + rest;
	/* operations are larger than they were: a cart that would no longer fit loses them */
	bool keep_ops = size <= CORRAL_CART_MAX;
	if (!keep_ops)
		size = sizeof(struct cart_head) + ids + rest;
	if (old.format != 2 || old.reserved != 0 || old.ops_count > UINT16_MAX ||
	    old.ops_next > UINT16_MAX || old.size > room || rest_at + rest != old.size ||
	    size > CORRAL_CART_MAX || front_sum(from, ops_at) != old.sum)
		return false;
	struct cart_head head = head_of(&old);
	head.size = (uint32_t)size;
	if (!convert_ops(&old, from + ops_at, keep_ops ? into + sizeof(head) + ids : NULL,
			 &head.ops_sum))
		return false;
	if (!keep_ops)
		head.ops_count = head.ops_next = 0;
	memcpy(into, &head, sizeof(head));
	memcpy(into + sizeof(head), from + sizeof(old), ids);
	memcpy(into + size - rest, from + rest_at, rest);
	head.sum = front_sum(into, sizeof(head) + ids);
	memcpy(into, &head.sum, sizeof(head.sum));
	*ret_size = head.size;
	return true;
}
