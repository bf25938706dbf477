/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * former_image.c: see former_image.h. The offsets are layout 2's own, and not from shm/former.c,
 * which is under test.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "former_image.h"

#define FINGERPRINT_2 0xbe6492b03ee696ceull

#define CART_SIZE sizeof(struct cart_head)

enum {
	VERSION_AT = 8,
	FINGERPRINT_AT = 16,
	SUM_AT = 48,
	TABLES_AT = 120,
	SPACE_AT = 144,
	CONSTANT_END = 192
};

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

/* ------------------------------------------------------------------- carts */

#define FIELD(name) offsetof(struct cart_head, name), sizeof(((struct cart_head *)0)->name)

static const struct {
	size_t former, today, size;
} fields[] = {
	{ 0, FIELD(sum) },
	{ 8, FIELD(size) },
	{ 12, FIELD(format) },
	{ 14, FIELD(status) },
	{ 15, FIELD(reserved) },
	{ 16, FIELD(version) },
	{ 24, FIELD(subtotal_cents) },
	{ 32, FIELD(tax_cents) },
	{ 40, FIELD(total_cents) },
	{ 48, FIELD(tax_ppm) },
	{ 52, FIELD(item_count) },
	{ 56, FIELD(line_count) },
	{ 60, FIELD(next_line) },
	{ 64, FIELD(lines_sum) },
	{ 72, FIELD(ops_sum) },
	{ 80, FIELD(hash) },
	{ 88, FIELD(seed) },
	{ 96, FIELD(created_ms) },
	{ 104, FIELD(updated_ms) },
	{ 112, FIELD(ttl_ms) },
	{ 120, FIELD(ops_count) },
	{ 124, FIELD(ops_next) },
	{ 128, FIELD(attributes_size) },
	{ 132, FIELD(attribute_count) },
	{ 136, FIELD(words_size) },
	{ 140, FIELD(restaurant_size) },
	{ 142, FIELD(session_size) },
};

/* What is damaged goes along; *ret_sound: its checksum was right, and is. */
static bool make_cart(uint8_t *bytes, size_t room, bool *ret_sound)
{
	struct cart_head today;

	memcpy(&today, bytes, sizeof(today));
	if (today.format != 2)
		return false;
	uint64_t front = CART_SIZE +
			 align_up((uint64_t)today.restaurant_size + today.session_size, 8) +
			 align_up((uint64_t)today.attributes_size, 8);
	bool sound = front <= room && XXH3_64bits(bytes + 8, front - 8) == today.sum;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		memcpy(bytes + fields[i].former, (const uint8_t *)&today + fields[i].today,
		       fields[i].size);
	memcpy(bytes + fields[2].former, &(uint16_t){ 1 }, sizeof(uint16_t));
	if (sound)
		put_u64(bytes, 0, XXH3_64bits(bytes + 8, front - 8));
	*ret_sound = sound;
	return true;
}

bool former_image_cart(uint8_t *bytes, size_t room)
{
	bool sound = false;

	return room >= CART_SIZE && make_cart(bytes, room, &sound) && sound;
}

/* And remember what was there. */
static void change_cart(struct former_image *image, uint8_t *bytes, size_t room)
{
	struct former_cart *cart = &image->carts[image->cart_count];
	bool sound;

	memcpy(cart->head, bytes, CART_SIZE);
	cart->at = bytes;
	image->cart_count += make_cart(bytes, room, &sound);
}

static void make_carts(struct former_image *image, const struct arena *arena)
{
	image->cart_count = 0;
	image->carts = calloc(arena->max_carts, sizeof(*image->carts));
	if (image->carts == NULL)
		abort();
	for (uint32_t i = 0; i < arena->max_carts; i++) {
		block_ref ref = arena->slots[i].current;
		if (ref - arena->space_first < arena->head_refs)
			change_cart(image, (uint8_t *)(arena_block(arena, ref) + 1),
				    (size_t)(arena->space_end - ref) * BLOCK_UNIT -
					    sizeof(struct block_header));
	}
}

/* ------------------------------------------------------------------ tables */

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
	/* drained_at and chains_at go; what is behind them moves up, to the seed */
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
	make_carts(ret_image, arena);
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
	for (uint32_t i = 0; i < image->cart_count; i++)
		memcpy(image->carts[i].at, image->carts[i].head, CART_SIZE);
	free(image->carts);
}
