/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unpack.c: the grammar of MessagePack.
 *
 * A cursor never passes its end, follows no length that it has not compared with what
 * is left, and nests no deeper than CURSOR_DEPTH_MAX; each step takes a byte at least, so
 * the time is bounded by the bytes. It builds no tree: what it takes are spans of the bytes.
 *
 * Does not know what the objects mean (item_unpack.c), does not allocate.
 */
#include <string.h>

#include "cart/cart.h"
#include "cart/unpack.h"

/* ---------------------------------------------------------------- cursor */

static size_t left_of(const struct cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

static bool take_bytes(struct cursor *cursor, uint64_t size, const uint8_t **ret_bytes)
{
	if (size > left_of(cursor))
		return false;
	*ret_bytes = cursor->at;
	cursor->at += size;
	return true;
}

/* A big-endian number of 1, 2, 4 or 8 bytes; of 0 bytes: 0. */
static bool take_number(struct cursor *cursor, unsigned size, uint64_t *ret_number)
{
	const uint8_t *bytes;
	uint64_t number = 0;

	if (!take_bytes(cursor, size, &bytes))
		return false;
	for (unsigned i = 0; i < size; i++)
		number = number << 8 | bytes[i];
	*ret_number = number;
	return true;
}

/* The kinds of things that follow a tag: a number of bytes, or of elements. */
enum shape { SHAPE_DATA, SHAPE_ARRAY, SHAPE_MAP, SHAPE_NONE };

struct tag {
	uint8_t shape;
	uint8_t length_size; /* bytes of the length that follows the tag */
	uint8_t fixed;       /* bytes besides: a number's, an extension's type */
};

static const struct tag tags[] = {
	[0x00] = { SHAPE_DATA, 0, 0 },                        /* c0 nil */
	[0x01] = { SHAPE_NONE, 0, 0 },                        /* c1 is never used */
	[0x02] = { SHAPE_DATA, 0, 0 },  { SHAPE_DATA, 0, 0 }, /* c2 false, true */
	[0x04] = { SHAPE_DATA, 1, 0 },  { SHAPE_DATA, 2, 0 },  { SHAPE_DATA, 4, 0 }, /* c4 bin */
	[0x07] = { SHAPE_DATA, 1, 1 },  { SHAPE_DATA, 2, 1 },  { SHAPE_DATA, 4, 1 }, /* c7 ext */
	[0x0a] = { SHAPE_DATA, 0, 4 },  { SHAPE_DATA, 0, 8 },                        /* ca float */
	[0x0c] = { SHAPE_DATA, 0, 1 },  { SHAPE_DATA, 0, 2 },  { SHAPE_DATA, 0, 4 },
	{ SHAPE_DATA, 0, 8 }, /* uint */
	[0x10] = { SHAPE_DATA, 0, 1 },  { SHAPE_DATA, 0, 2 },  { SHAPE_DATA, 0, 4 },
	{ SHAPE_DATA, 0, 8 },                                                        /* int */
	[0x14] = { SHAPE_DATA, 0, 2 },  { SHAPE_DATA, 0, 3 },  { SHAPE_DATA, 0, 5 }, /* d4 fixext */
	[0x17] = { SHAPE_DATA, 0, 9 },  { SHAPE_DATA, 0, 17 }, [0x19] = { SHAPE_DATA, 1, 0 },
	{ SHAPE_DATA, 2, 0 },           { SHAPE_DATA, 4, 0 },  /* d9 str */
	[0x1c] = { SHAPE_ARRAY, 2, 0 }, { SHAPE_ARRAY, 4, 0 }, /* dc array */
	[0x1e] = { SHAPE_MAP, 2, 0 },   { SHAPE_MAP, 4, 0 },   /* de map */
};

static_assert(sizeof(tags) / sizeof(tags[0]) == 0x20, "c0 to df");

/*
 * Take a tag and its length: of which shape, and how many bytes or elements follow. Inlined, since
 * most things are a tag and a few bytes: short texts and small numbers.
 */
static inline __attribute__((always_inline)) bool
take_tag(struct cursor *cursor, enum shape *ret_shape, uint64_t *ret_length)
{
	const struct tag *tag;
	const uint8_t *bytes;

	if (!take_bytes(cursor, 1, &bytes))
		return false;
	const uint8_t byte = __atomic_load_n(
		bytes, __ATOMIC_RELAXED); /* once: damaged bytes may change any time */
	*ret_shape = SHAPE_DATA;
	*ret_length = 0;
	if (likely(byte >= 0xa0 && byte < 0xc0)) { /* a short text */
		*ret_length = byte & 0x1f;
		return true;
	}
	if (byte < 0x80 || byte >= 0xe0) /* a small integer */
		return true;
	if (byte < 0xa0) {
		*ret_shape = byte < 0x90 ? SHAPE_MAP : SHAPE_ARRAY;
		*ret_length = byte & 0x0f;
		return true;
	}
	tag = &tags[byte - 0xc0];
	*ret_shape = (enum shape)tag->shape;
	if (tag->shape == SHAPE_NONE || !take_number(cursor, tag->length_size, ret_length))
		return false;
	*ret_length += tag->fixed;
	return true;
}

static bool take_container(struct cursor *cursor, enum shape expected, uint64_t *ret_count)
{
	enum shape shape;

	return take_tag(cursor, &shape, ret_count) && shape == expected;
}

bool take_map(struct cursor *cursor, uint64_t *ret_count)
{
	return take_container(cursor, SHAPE_MAP, ret_count);
}

bool take_array(struct cursor *cursor, uint64_t *ret_count)
{
	return take_container(cursor, SHAPE_ARRAY, ret_count);
}

static bool is_text_tag(uint8_t byte)
{
	return (byte >= 0xa0 && byte < 0xc0) || (byte >= 0xd9 && byte <= 0xdb);
}

bool take_text(struct cursor *cursor, struct corral_text *ret_text)
{
	const uint8_t *bytes;
	enum shape shape;
	uint64_t size;

	if (left_of(cursor) == 0 || !is_text_tag(*cursor->at) || !take_tag(cursor, &shape, &size) ||
	    !take_bytes(cursor, size, &bytes))
		return false;
	*ret_text = (struct corral_text){ (const char *)bytes, size };
	return cart_text_valid(*ret_text);
}

bool take_bin(struct cursor *cursor, size_t size, const uint8_t **ret_bytes)
{
	enum shape shape;
	uint64_t length;

	return left_of(cursor) > 0 && *cursor->at >= 0xc4 && *cursor->at <= 0xc6 &&
	       take_tag(cursor, &shape, &length) && length == size &&
	       take_bytes(cursor, size, ret_bytes);
}

bool take_int(struct cursor *cursor, int64_t *ret_int)
{
	const uint8_t *tag;
	uint64_t number;
	unsigned size;

	if (!take_bytes(cursor, 1, &tag))
		return false;
	if (*tag < 0x80 || *tag >= 0xe0) {
		*ret_int = *tag < 0x80 ? *tag : *tag - 0x100;
		return true;
	}
	size = 1u << (*tag & 3); /* cc to cf and d0 to d3: 1, 2, 4, 8 bytes */
	if (*tag < 0xcc || *tag > 0xd3 || !take_number(cursor, size, &number))
		return false;
	if (*tag < 0xd0) {
		*ret_int = (int64_t)number;
		return number <= INT64_MAX;
	}
	*ret_int = (int64_t)(number << (64 - 8 * size)) >> (64 - 8 * size);
	return true;
}

bool take_value(struct cursor *cursor)
{
	uint64_t open[CURSOR_DEPTH_MAX + 1]; /* elements still to come, at each depth */
	unsigned depth = 0;

	open[0] = 1;
	while (true) {
		const uint8_t *bytes;
		enum shape shape;
		uint64_t length;

		while (open[depth] == 0)
			if (depth-- == 0)
				return true;
		open[depth]--;
		if (!take_tag(cursor, &shape, &length))
			return false;
		if (shape == SHAPE_DATA) {
			if (!take_bytes(cursor, length, &bytes))
				return false;
			continue;
		}
		if (shape == SHAPE_MAP)
			length *= 2;
		if (depth == CURSOR_DEPTH_MAX ||
		    length > left_of(cursor)) /* an element is a byte at least */
			return false;
		open[++depth] = length;
	}
}
