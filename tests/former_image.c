/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * former_image.c: see former_image.h. The offsets are layout 2's own, and not from shm/former.c, which is under test.
 */
#include <stdlib.h>
#include <string.h>

#include "former_image.h"
#include "hash.h"

#define FINGERPRINT_2 0xbe6492b03ee696ceull

enum { VERSION_AT = 8, FINGERPRINT_AT = 16, SUM_AT = 48, TABLES_AT = 120, SPACE_AT = 144, CONSTANT_END = 192 };

static void put_u64(uint8_t *header, size_t at, uint64_t value)
{
	memcpy(header + at, &value, sizeof(value));
}

static uint64_t get_u64(const uint8_t *header, size_t at)
{
	uint64_t value;

	memcpy(&value, header + at, sizeof(value));
	return value;
}

static void make_header(const struct arena *arena, uint64_t lower)
{
	struct arena_header *today = arena->header;
	uint8_t *h = arena->base;
	bool sound = arena_header_sound(today);
	uint32_t version = 2;

	if (today->layout_version == LAYOUT_VERSION)
		memcpy(h + VERSION_AT, &version, sizeof(version));
	if (today->fingerprint == LAYOUT_FINGERPRINT)
		put_u64(h, FINGERPRINT_AT, FINGERPRINT_2);
	/* drained_at and hints_at go; what is behind them moves up, to the seed */
	memmove(h + TABLES_AT, h + TABLES_AT + 16, 5 * sizeof(uint64_t));
	memset(h + TABLES_AT + 5 * sizeof(uint64_t), 0, 2 * sizeof(uint64_t));
	for (size_t at = TABLES_AT; at < SPACE_AT; at += 8)
		put_u64(h, at, get_u64(h, at) - lower);
	if (sound) {
		put_u64(h, SUM_AT, 0);
		put_u64(h, SUM_AT, XXH3_64bits(h, CONSTANT_END));
	}
}

void former_image_begin(const struct arena *arena, struct former_image *ret_image)
{
	uint8_t *drained = (uint8_t *)arena->drained, *buckets = (uint8_t *)arena->buckets;
	size_t lower = (size_t)(buckets - drained);
	size_t size = (size_t)(arena->base + arena->space_at - drained);

	ret_image->tables = malloc(size);
	if (ret_image->tables == NULL || lower >= PAGE_BYTES)
		abort(); /* space_at would be another */
	memcpy(ret_image->header, arena->base, HEADER_BYTES);
	memcpy(ret_image->tables, drained, size);
	memmove(drained, buckets, size - lower);
	memset(drained + size - lower, 0, lower);
	make_header(arena, lower);
}

void former_image_end(const struct arena *arena, struct former_image *image)
{
	uint8_t *drained = (uint8_t *)arena->drained;

	memcpy(drained, image->tables, (size_t)(arena->base + arena->space_at - drained));
	memcpy(arena->base, image->header, HEADER_BYTES);
	free(image->tables);
}
