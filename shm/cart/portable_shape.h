/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * portable_shape.h: the maps of corral-snapshot(5), key by key.
 *
 * For portable_pack.c and portable_unpack.c only: the tables make both, so that what one writes the
 * other reads. A value that is no number is "special": the two files know how to put and take it,
 * by its place in the table.
 */
#ifndef CORRAL_PORTABLE_SHAPE_H
#define CORRAL_PORTABLE_SHAPE_H

#include "cart/money.h"
#include "cart/portable.h"
#include "cart/unpack.h"

#define MAP_16 0xde
#define TAG_FALSE 0xc2
#define TAG_TRUE 0xc3
#define OP_ID_BYTES 16
#define SEED_BYTES 8
#define FINGERPRINT_BYTES 8
#define IDLE_MS_MAX (2 * CORRAL_TTL_MS_MAX) /* more than any cart lives */

/*
 * The source or target of a map: the native struct, and what else the map says or is made of.
 */
struct portable_cart {
	struct cart_head head;
	int64_t idle_ms;
	struct corral_text restaurant_id;
	struct corral_text session_id;
	/* unpacking: where they begin, and (attributes) end */
	const uint8_t *lines;
	struct cursor ops;
	struct cursor attributes;
	uint8_t *records; /* unpacking: of the lines; words_at counts from `lines` */
	bool priced;      /* it has a section of the money: */
	struct money money;
};

struct portable_line {
	struct cart_line record;
	const uint8_t *words; /* unpacking: where they are in the map */
	uint64_t seed;        /* unpacking: of the merge key */
	uint32_t own_rate;    /* as in struct cart_words */
};

struct portable_op {
	struct cart_op record; /* line_status: the line only */
	uint8_t status;
	bool has_total; /* of a cart with a section of the money: */
	int64_t total_cents;
};

/* A key of at most 23 bytes as it is packed. It is copied whole: that takes two instructions. */
#define KEY_BYTES 24
struct packed_key {
	uint8_t tag;
	char text[KEY_BYTES - 1];
};

struct number {
	struct corral_text key;
	struct packed_key packed;
	int64_t least;
	int64_t most;
	size_t at;    /* in the struct */
	size_t bytes; /* there: 4 or 8 */
};

struct shape {
	const struct number *numbers;
	uint32_t number_count;
	const struct corral_text *specials;
	uint32_t special_count;
	uint32_t may_miss; /* so many of the last specials are not in every map */
};

#define COUNT_OF(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define KEY(text)                                                                                  \
	{                                                                                          \
		(text), sizeof(text) - 1                                                           \
	}
#define NUMBER(type, member, name, least, most)                                                    \
	{                                                                                          \
		KEY(name), { FIXSTR | (sizeof(name) - 1), name }, (least), (most),                 \
			offsetof(type, member), sizeof(((type *)0)->member)                        \
	}

static const struct number header_numbers[] = {
	NUMBER(struct portable_header, format, "corral_snapshot", 1, INT32_MAX),
	NUMBER(struct portable_header, taken_ms, "taken_ms", INT64_MIN, INT64_MAX),
	NUMBER(struct portable_header, ttl_ms, "ttl_ms", CORRAL_TTL_MS_MIN, CORRAL_TTL_MS_MAX),
	NUMBER(struct portable_header, max_carts, "max_carts", 1, UINT32_MAX),
	NUMBER(struct portable_header, arena_bytes, "arena_bytes", 1, INT64_MAX),
};

enum { HEADER_UUID, HEADER_SEED };
static const struct corral_text header_specials[] = { KEY("arena_uuid"), KEY("hash_seed") };

static const struct number trailer_numbers[] = {
	NUMBER(struct portable_trailer, carts, "carts", 0, UINT32_MAX),
};

enum { TRAILER_END, TRAILER_SUM };
static const struct corral_text trailer_specials[] = { KEY("end"), KEY("sum") };

static const struct number cart_map_numbers[] = {
	NUMBER(struct portable_cart, head.version, "version", 1, VERSION_MAX),
	NUMBER(struct portable_cart, head.tax_ppm, "tax_ppm", 0, CORRAL_TAX_PPM_MAX),
	NUMBER(struct portable_cart, head.item_count, "item_count", 0, UINT32_MAX),
	NUMBER(struct portable_cart, head.subtotal_cents, "subtotal_cents", INT64_MIN, INT64_MAX),
	NUMBER(struct portable_cart, head.tax_cents, "tax_cents", INT64_MIN, INT64_MAX),
	NUMBER(struct portable_cart, head.total_cents, "total_cents", INT64_MIN, INT64_MAX),
	NUMBER(struct portable_cart, head.created_ms, "created_ms", INT64_MIN, INT64_MAX),
	NUMBER(struct portable_cart, head.updated_ms, "updated_ms", INT64_MIN, INT64_MAX),
	NUMBER(struct portable_cart, head.ttl_ms, "ttl_ms", 0, CORRAL_TTL_MS_MAX),
	NUMBER(struct portable_cart, idle_ms, "idle_ms", 0, IDLE_MS_MAX),
	NUMBER(struct portable_cart, head.next_line, "next_line", 1, (int64_t)LINE_NUMBER_MAX + 1),
};

enum {
	CART_RESTAURANT,
	CART_SESSION,
	CART_STATUS,
	CART_LINES,
	CART_ATTRIBUTES,
	CART_OPS,
	/* these two of a cart with a currency */
	CART_CURRENCY,
	CART_DIGITS,
	/* and these of one with a section of the money */
	CART_PRICING,
	CART_ADJUSTMENTS,
	CART_TAXED,
	CART_SPECIALS
};
static const struct corral_text cart_map_specials[] = {
	KEY("restaurant_id"), KEY("session_id"),  KEY("status"),   KEY("lines"),
	KEY("attributes"),    KEY("ops"),         KEY("currency"), KEY("currency_digits"),
	KEY("pricing"),       KEY("adjustments"), KEY("rates"),
};

static const struct number line_numbers[] = {
	NUMBER(struct portable_line, record.line, "line", 1, LINE_NUMBER_MAX),
	NUMBER(struct portable_line, record.quantity, "quantity", 1, CORRAL_QUANTITY_MAX),
	NUMBER(struct portable_line, record.unit_price_cents, "unit_price_cents", 0, INT64_MAX),
	NUMBER(struct portable_line, record.modifiers_cents, "modifiers_cents", INT64_MIN,
	       INT64_MAX),
};

enum { LINE_WORDS, LINE_RATE };
static const struct corral_text line_specials[] = { KEY("words"), KEY("tax_ppm") };

static const struct number taxed_numbers[] = {
	NUMBER(struct corral_rate, tax_ppm, "tax_ppm", 0, CORRAL_TAX_PPM_MAX),
	NUMBER(struct corral_rate, base_cents, "base_cents", INT64_MIN, INT64_MAX),
	NUMBER(struct corral_rate, tax_cents, "tax_cents", INT64_MIN, INT64_MAX),
};

static const struct number adjustment_numbers[] = {
	NUMBER(struct corral_adjustment, ppm, "ppm", 0, CORRAL_TAX_PPM_MAX),
	NUMBER(struct corral_adjustment, cents, "cents", 0, INT64_MAX),
	NUMBER(struct corral_adjustment, amount_cents, "amount_cents", INT64_MIN, INT64_MAX),
};

enum { ADJUSTMENT_NAME, ADJUSTMENT_KIND, ADJUSTMENT_AFTER };
static const struct corral_text adjustment_specials[] = { KEY("name"), KEY("kind"),
							  KEY("after_tax") };

static const struct number op_numbers[] = {
	NUMBER(struct portable_op, record.version, "version", 1, VERSION_MAX),
	NUMBER(struct portable_op, record.subtotal_cents, "subtotal_cents", INT64_MIN, INT64_MAX),
	NUMBER(struct portable_op, record.tax_cents, "tax_cents", INT64_MIN, INT64_MAX),
	NUMBER(struct portable_op, record.item_count, "item_count", 0, UINT32_MAX),
	NUMBER(struct portable_op, record.line_status, "line", 0, LINE_NUMBER_MAX),
};

enum { OP_ID, OP_STATUS, OP_FINGERPRINT, OP_TOTAL };
static const struct corral_text op_specials[] = { KEY("id"), KEY("status"), KEY("fingerprint"),
						  KEY("total_cents") };

#define SHAPE(name, may_miss)                                                                      \
	{                                                                                          \
		name##_numbers, COUNT_OF(name##_numbers), name##_specials,                         \
			COUNT_OF(name##_specials), (may_miss)                                      \
	}
static const struct shape header_shape = SHAPE(header, 0);
static const struct shape trailer_shape = SHAPE(trailer, 0);
static const struct shape cart_map_shape = SHAPE(cart_map, CART_SPECIALS - CART_CURRENCY);
static const struct shape line_shape = SHAPE(line, 1);
static const struct shape op_shape = SHAPE(op, 2);
static const struct shape adjustment_shape = SHAPE(adjustment, 0);
static const struct shape taxed_shape = { taxed_numbers, COUNT_OF(taxed_numbers), NULL, 0, 0 };

static const struct corral_text status_names[] = {
	[CORRAL_OPEN] = KEY("open"), [CORRAL_CHECKED_OUT] = KEY("checked_out")
};

static const struct corral_text kind_names[] = {
	[CORRAL_DISCOUNT] = KEY("discount"),
	[CORRAL_FEE] = KEY("fee"),
	[CORRAL_TIP] = KEY("tip"),
	[CORRAL_SERVICE] = KEY("service"),
};

/* By the bits of a pricing. */
static const struct corral_text pricing_names[] = { KEY("tax_inside"), KEY("half_even"),
						    KEY("below_zero") };

#endif
