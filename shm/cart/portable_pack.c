/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * portable_pack.c: writes the maps of corral-snapshot(5).
 *
 * A version's own limits keep its map below PORTABLE_MAP_MAX: a line's record has 56 bytes and its
 * map 95 besides the words, an operation's 56 and 170, the rest some thousand. So nothing here can
 * fail; an assertion still checks the sink's end.
 *
 * Does not read (portable_unpack.c). Numbers take their shortest form.
 */
#include <endian.h>
#include <string.h>

#include "cart/item.h"
#include "cart/portable_shape.h"

struct sink {
	uint8_t *at;
	uint8_t *end;
};

static void put_bytes(struct sink *sink, const void *bytes, size_t size)
{
	assert(size <= (size_t)(sink->end - sink->at));
	if (size)
		memcpy(sink->at, bytes, size);
	sink->at += size;
}

static bool has_room(const struct sink *sink, size_t size)
{
	return size <= (size_t)(sink->end - sink->at);
}

/* A tag and a big-endian number of 0, 1, 2, 4 or 8 bytes. */
static inline void put_tagged(struct sink *sink, unsigned tag, uint64_t number, unsigned size)
{
	uint8_t bytes[9] = { (uint8_t)tag };
	const uint64_t big = size != 0 ? htobe64(number << (64 - 8 * size)) : 0;

	memcpy(bytes + 1, &big, sizeof(big));
	if (likely(has_room(sink, sizeof(bytes)))) { /* a copy of a constant size is quick */
		memcpy(sink->at, bytes, sizeof(bytes));
		sink->at += 1 + size;
	} else {
		put_bytes(sink, bytes, 1 + size);
	}
}

static void put_int(struct sink *sink, int64_t number)
{
	uint64_t bits = (uint64_t)number;

	if (number >= -32 && number < 128)
		put_tagged(sink, (uint8_t)bits, 0, 0);
	else if (number >= 0 && number <= UINT8_MAX)
		put_tagged(sink, 0xcc, bits, 1);
	else if (number >= 0 && number <= UINT16_MAX)
		put_tagged(sink, 0xcd, bits, 2);
	else if (number >= 0 && number <= UINT32_MAX)
		put_tagged(sink, 0xce, bits, 4);
	else if (number >= 0)
		put_tagged(sink, 0xcf, bits, 8);
	else if (number >= INT8_MIN)
		put_tagged(sink, 0xd0, bits, 1);
	else if (number >= INT16_MIN)
		put_tagged(sink, 0xd1, bits, 2);
	else if (number >= INT32_MIN)
		put_tagged(sink, 0xd2, bits, 4);
	else
		put_tagged(sink, 0xd3, bits, 8);
}

static void put_map(struct sink *sink, uint32_t pairs)
{
	if (pairs <= 15)
		put_tagged(sink, 0x80 | pairs, 0, 0);
	else
		put_tagged(sink, MAP_16, pairs, 2);
}

static void put_array(struct sink *sink, uint32_t count)
{
	if (count <= 15)
		put_tagged(sink, 0x90 | count, 0, 0);
	else
		put_tagged(sink, 0xdc, count, 2);
}

/* Ids, names of keys: short. */
static void put_text(struct sink *sink, struct corral_text text)
{
	assert(packed_text_size(text) <= (size_t)(sink->end - sink->at));
	sink->at = pack_text_at(text, sink->at);
}

/* A hash, in its canonical form: big-endian. */
static void put_hash(struct sink *sink, uint64_t high, uint64_t low, unsigned size)
{
	put_tagged(sink, 0xc4, size, 1);
	for (unsigned i = size; i-- > 0;)
		put_tagged(sink, (uint8_t)((i >= 8 ? high : low) >> 8 * (i % 8)), 0, 0);
}

static inline void put_key(struct sink *sink, const struct number *number)
{
	if (unlikely(!has_room(sink, sizeof(number->packed)))) {
		put_text(sink, number->key);
		return;
	}
	memcpy(sink->at, &number->packed, sizeof(number->packed));
	sink->at += 1 + number->key.size;
}

static int64_t number_in(const struct number *number, const void *from)
{
	const uint8_t *at = (const uint8_t *)from + number->at;
	uint32_t narrow;
	int64_t wide;

	if (number->bytes == sizeof(narrow)) {
		memcpy(&narrow, at, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

static void put_numbers(struct sink *sink, const struct shape *shape, const void *from)
{
	for (uint32_t i = 0; i < shape->number_count; i++) {
		put_key(sink, &shape->numbers[i]);
		put_int(sink, number_in(&shape->numbers[i], from));
	}
}

/* The map lacks so many of the shape's keys. */
static struct sink begin(void *buffer, const struct shape *shape, uint32_t missing)
{
	struct sink sink = { buffer, (uint8_t *)buffer + PORTABLE_MAP_MAX };

	put_map(&sink, shape->number_count + shape->special_count - missing);
	return sink;
}

static size_t size_of(const struct sink *sink, const void *buffer)
{
	return (size_t)(sink->at - (const uint8_t *)buffer);
}

/* ---------------------------------------------------------------- the frame */

size_t portable_pack_header(const struct portable_header *header, void *buffer)
{
	struct sink sink = begin(buffer, &header_shape, 0);

	put_numbers(&sink, &header_shape, header); /* "corral_snapshot" comes first of all */
	put_text(&sink, header_specials[HEADER_UUID]);
	put_text(&sink, (struct corral_text){ header->arena_uuid, strlen(header->arena_uuid) });
	put_text(&sink, header_specials[HEADER_SEED]);
	put_hash(&sink, 0, header->hash_seed, SEED_BYTES);
	return size_of(&sink, buffer);
}

size_t portable_pack_trailer(const struct portable_trailer *trailer, void *buffer)
{
	struct sink sink = begin(buffer, &trailer_shape, 0);

	put_text(&sink, trailer_specials[TRAILER_END]); /* first: by it the trailer is known */
	put_tagged(&sink, TAG_TRUE, 0, 0);
	put_numbers(&sink, &trailer_shape, trailer);
	put_text(&sink, trailer_specials[TRAILER_SUM]);
	put_hash(&sink, 0, trailer->sum, sizeof(trailer->sum));
	return size_of(&sink, buffer);
}

/* ------------------------------------------------------------------- a cart */

static void put_lines(struct sink *sink, const uint8_t *version, const struct cart_sections *at,
		      uint32_t count, const struct money *money)
{
	put_array(sink, count);
	for (uint32_t i = 0; i < count; i++) {
		struct portable_line line = { .record = cart_line_at(version + at->lines_at, i) };

		const bool own = line.record.rate != 0;

		put_map(sink, line_shape.number_count + line_shape.special_count - !own);
		put_numbers(sink, &line_shape, &line);
		if (own) {
			put_text(sink, line_specials[LINE_RATE]);
			put_int(sink, money->own[line.record.rate - 1]);
		}
		put_text(sink, line_specials[LINE_WORDS]);
		put_bytes(sink, version + at->words_at + line.record.words_at,
			  line.record.words_size);
	}
}

/* The oldest first, wherever it stands in the ring. totals: NULL, or what they answered. */
static void put_ops(struct sink *sink, const uint8_t *ops, const uint8_t *totals, uint32_t count,
		    uint32_t first)
{
	put_array(sink, count);
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t place = (first + i) % count;
		struct portable_op op = { .record = cart_op_at(ops, place) };

		op.status = (op.record.line_status & OP_CHECKED_OUT) != 0;
		op.record.line_status &= ~OP_CHECKED_OUT;
		put_map(sink, op_shape.number_count + op_shape.special_count - (totals == NULL));
		put_text(sink, op_specials[OP_ID]);
		put_hash(sink, op.record.id[1], op.record.id[0], OP_ID_BYTES);
		put_numbers(sink, &op_shape, &op);
		put_text(sink, op_specials[OP_STATUS]);
		put_text(sink, status_names[op.status]);
		put_text(sink, op_specials[OP_FINGERPRINT]);
		put_hash(sink, 0, op.record.fingerprint, FINGERPRINT_BYTES);
		if (totals != NULL) {
			put_text(sink, op_specials[OP_TOTAL]);
			put_int(sink, money_total(totals, place));
		}
	}
}

static void put_currency(struct sink *sink, const struct cart_head *head)
{
	uint32_t digits;
	char code[4];

	cart_currency_code(cart_currency_of(head), code, &digits);
	put_text(sink, cart_map_specials[CART_CURRENCY]);
	put_text(sink, (struct corral_text){ code, strlen(code) });
	put_text(sink, cart_map_specials[CART_DIGITS]);
	put_int(sink, digits);
}

static void put_adjustments(struct sink *sink, const struct money *money)
{
	put_array(sink, money->adjustment_count);
	for (uint32_t i = 0; i < money->adjustment_count; i++) {
		const struct corral_adjustment *adjustment = &money->adjustments[i];

		put_map(sink, adjustment_shape.number_count + adjustment_shape.special_count);
		put_text(sink, adjustment_specials[ADJUSTMENT_NAME]);
		put_text(sink, adjustment->name);
		put_text(sink, adjustment_specials[ADJUSTMENT_KIND]);
		put_text(sink, kind_names[adjustment->kind]);
		put_text(sink, adjustment_specials[ADJUSTMENT_AFTER]);
		put_tagged(sink, adjustment->after_tax ? TAG_TRUE : TAG_FALSE, 0, 0);
		put_numbers(sink, &adjustment_shape, adjustment);
	}
}

static void put_money(struct sink *sink, const struct money *money)
{
	put_text(sink, cart_map_specials[CART_PRICING]);
	put_array(sink, (uint32_t)__builtin_popcount(money->pricing));
	for (uint32_t i = 0; i < COUNT_OF(pricing_names); i++)
		if (money->pricing & 1u << i)
			put_text(sink, pricing_names[i]);
	put_text(sink, cart_map_specials[CART_ADJUSTMENTS]);
	put_adjustments(sink, money);
	put_text(sink, cart_map_specials[CART_TAXED]);
	put_array(sink, money->rate_count);
	for (uint32_t i = 0; i < money->rate_count; i++) {
		put_map(sink, taxed_shape.number_count);
		put_numbers(sink, &taxed_shape, &money->rates[i]);
	}
}

size_t portable_pack_cart(const void *version, uint64_t seed, uint64_t idle_ms, void *buffer)
{
	const char *ids = (const char *)version + sizeof(struct cart_head);
	struct portable_cart cart = { .idle_ms = (int64_t)min_u64(idle_ms, IDLE_MS_MAX) };
	struct cart_head *head = &cart.head;
	struct cart_sections at;
	struct sink sink;

	memcpy(head, version, sizeof(*head));
	at = cart_sections(head);
	const uint8_t *section = (const uint8_t *)version + at.money_at;
	cart.priced = head->money_size != 0 && money_load(section, head, &cart.money);
	sink = begin(buffer, &cart_map_shape, (head->currency ? 0 : 2u) + (cart.priced ? 0 : 3u));
	put_text(&sink, cart_map_specials[CART_RESTAURANT]);
	put_text(&sink, (struct corral_text){ ids, head->restaurant_size });
	put_text(&sink, cart_map_specials[CART_SESSION]);
	put_text(&sink, (struct corral_text){ ids + head->restaurant_size, head->session_size });
	put_text(&sink, cart_map_specials[CART_STATUS]);
	put_text(&sink, status_names[head->status == CORRAL_CHECKED_OUT]);
	put_numbers(&sink, &cart_map_shape, &cart);
	put_text(&sink, cart_map_specials[CART_LINES]);
	put_lines(&sink, version, &at, head->line_count, &cart.money);
	put_text(&sink, cart_map_specials[CART_ATTRIBUTES]);
	if (head->attribute_count == 0)
		put_map(&sink, 0);
	put_bytes(&sink, (const uint8_t *)version + at.attributes_at, head->attributes_size);
	put_text(&sink, cart_map_specials[CART_OPS]);
	put_ops(&sink, (const uint8_t *)version + at.ops_at,
		cart.priced ? section + money_totals_at(&cart.money) : NULL,
		head->seed == seed ? head->ops_count : 0, head->ops_next);
	if (head->currency)
		put_currency(&sink, head);
	if (cart.priced)
		put_money(&sink, &cart.money);
	return size_of(&sink, buffer);
}
