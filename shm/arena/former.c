/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * former.c: see former.h. Layout 8 and cart format 3, of 2026-11.
 */
#include <errno.h>
#include <string.h>

#include "arena/former.h"
#include "arena/layout.h"
#include "base/hash.h"
#include "corral.h"

/* ------------------------------------------------------------------ header */

#define FINGERPRINT_8 0xe9ffb8808ceccec8ull

struct header_8 { /* its first four lines */
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
	uint64_t feed_at;
	uint64_t feed_events;

	uint8_t boot_id[16];
	int64_t clock_offset_ns;
	uint64_t ttl_ns;
	uint64_t time_ns_inode;
	int64_t heartbeat_ns;
	uint32_t withdrawn;
	uint32_t version_epoch;
	uint32_t journal;
	uint32_t currency;
};

static_assert(sizeof(struct header_8) == 256, "frozen");
static_assert(offsetof(struct header_8, header_sum) == 48, "frozen");
static_assert(offsetof(struct header_8, hash_seed) == 168, "frozen");
static_assert(offsetof(struct header_8, boot_id) == 192, "frozen: the sum covers what precedes it");

static bool is_sound(const struct header_8 *header)
{
	uint8_t constant[offsetof(struct header_8, boot_id)];

	memcpy(constant, header, sizeof(constant));
	memset(constant + offsetof(struct header_8, header_sum), 0, sizeof(uint64_t));
	return header->header_sum == XXH3_64bits(constant, sizeof(constant));
}

/* The places follow from the size and the number of carts; those in the header are not used. */
static bool place_tables(struct former *former)
{
	uint64_t bytes = former->arena_bytes, carts = former->max_carts, events = 1;

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
	former->slots_at = former->buckets_at + 24ull * former->bucket_count;
	at = former->slots_at + 64 * carts + align_up(bytes / 16384 * 4, 64);
	while (events < 32768 && events * 2 * 512 <= bytes / 128)
		events *= 2;
	at += 512 * events; /* the feed's ring */
	former->space_at = align_up(at, 16384);
	return former->space_at + 4 * 16384ull <= bytes;
}

int former_read(const void *header, struct former *ret_former)
{
	struct header_8 old;

	memcpy(&old, header, sizeof(old));
	if (old.magic != LAYOUT_MAGIC || old.byte_order != LAYOUT_BYTE_ORDER ||
	    old.layout_version != FORMER_LAYOUT || old.fingerprint != FINGERPRINT_8)
		return -EPROTONOSUPPORT;
	struct former former = { .arena_bytes = old.arena_bytes,
				 .max_carts = old.max_carts,
				 .hash_seed = old.hash_seed,
				 .ttl_ns = old.ttl_ns,
				 .clock_offset_ns = old.clock_offset_ns,
				 .heartbeat_ns = old.heartbeat_ns,
				 .version_epoch = old.version_epoch,
				 .currency = old.currency,
				 .journal = old.journal != 0 };
	memcpy(former.boot_id, old.boot_id, sizeof(former.boot_id));
	if (!is_sound(&old) || !place_tables(&former))
		return -EPROTO;
	*ret_former = former;
	return 0;
}

/* ------------------------------------------------------------------ tables */

/*
 * The lease: above 21 bits, the last activity in units of 2^17 ns, plus 2^42. Without them it holds
 * no time: LEASE_OVER_8, a caller may have been told that the cart's time is up; else the cart has
 * ended.
 */
#define LEASE_OVER_8 1
#define LEASE_TTL_BITS_8 21
#define LEASE_UNIT_SHIFT_8 17
#define LEASE_EPOCH_8 (1ull << 42)

struct slot_8 {
	uint32_t lock;
	uint32_t change;
	uint32_t next;
	uint32_t current;
	uint64_t hash;
	uint64_t lease;
	uint32_t size;
	uint32_t reserved;
	uint64_t newest;
	uint64_t stamp;
	uint32_t reserved2[2];
};

struct bucket_8 {
	uint32_t lock;
	uint32_t reserved;
	uint64_t version_floor;
	uint64_t stamp;
};

struct process_record_8 {
	uint32_t state;
	uint32_t generation;
	int32_t pid;
	uint32_t flags;
	int64_t started_ms;
	char programs[2][40];
	uint32_t changes; /* programs[changes % 2] is the present one */
	uint8_t reserved[20];
};

static_assert(sizeof(struct slot_8) == 64 && sizeof(struct bucket_8) == 24 &&
		      sizeof(struct process_record_8) == 128,
	      "frozen");

bool former_slot(const uint8_t *base, const struct former *former, uint32_t number,
		 struct former_slot *ret_slot)
{
	struct slot_8 slot;

	memcpy(&slot, base + former->slots_at + (uint64_t)number * sizeof(slot), sizeof(slot));
	const bool over = slot.lease == LEASE_OVER_8;

	if ((slot.lease >> LEASE_TTL_BITS_8 == 0 && !over) || slot.current == 0)
		return false;
	int64_t touched_ns =
		(int64_t)(((slot.lease >> LEASE_TTL_BITS_8) - LEASE_EPOCH_8) << LEASE_UNIT_SHIFT_8);
	/* a reference counts 64 bytes; the version follows a block's header of 16 */
	*ret_slot = (struct former_slot){ slot.hash, touched_ns, slot.current * 64ull + 16, over };
	return true;
}

uint64_t former_floor(const uint8_t *base, const struct former *former, uint32_t bucket)
{
	struct bucket_8 old;

	memcpy(&old, base + former->buckets_at + (uint64_t)bucket * sizeof(old), sizeof(old));
	return old.version_floor;
}

bool former_process(const uint8_t *base, uint32_t number, int32_t *ret_pid, char ret_program[40])
{
	struct process_record_8 record;

	memcpy(&record, base + 4096 + (uint64_t)number * sizeof(record), sizeof(record));
	if (record.state != 1)
		return false;
	memcpy(ret_program, record.programs[record.changes % 2], sizeof(record.programs[0]));
	ret_program[sizeof(record.programs[0]) - 1] = '\0';
	for (char *c = ret_program; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	*ret_pid = record.pid;
	return true;
}

/* ------------------------------------------------------------------- carts */

/* A cart of format 3, which is today's still: its bytes are taken as they are. */
#define SIZE_AT_3 132
#define HEAD_BYTES_3 144

static_assert(CART_FORMAT == 3, "carts of this layout are today's: else convert them here");
static_assert(sizeof(struct cart_head) == HEAD_BYTES_3 &&
		      offsetof(struct cart_head, size) == SIZE_AT_3,
	      "frozen");

bool former_cart(const void *bytes, size_t room, void *to, uint32_t *ret_size)
{
	uint32_t size;

	if (room < HEAD_BYTES_3)
		return false;
	memcpy(&size, (const uint8_t *)bytes + SIZE_AT_3, sizeof(size));
	if (size < HEAD_BYTES_3 || size > room || size > CORRAL_CART_MAX)
		return false;
	memcpy(to, bytes, size);
	*ret_size = size;
	return true;
}
