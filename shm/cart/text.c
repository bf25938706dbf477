/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.c: checks texts: UTF-8 without a NUL, no longer than allowed. */
#include <errno.h>
#include <string.h>

#include "cart/cart_shape.h"

#define EVERY_BYTE 0x0101010101010101ull
#define EVERY_HIGH_BIT 0x8080808080808080ull

/* Bytes of the sequence that begins at `at`, 0 if it is none. No overlongs, surrogates, NUL. */
static size_t sequence_size(const uint8_t *at, size_t left)
{
	size_t size = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	uint8_t low = 0x80, high = 0xbf; /* bounds of the second byte */

	if (at[0] == 0 || (at[0] >= 0x80 && at[0] < 0xc2) || at[0] > 0xf4 || size > left)
		return 0;
	if (at[0] == 0xe0)
		low = 0xa0;
	else if (at[0] == 0xed)
		high = 0x9f;
	else if (at[0] == 0xf0)
		low = 0x90;
	else if (at[0] == 0xf4)
		high = 0x8f;
	if (size > 1 && (at[1] < low || at[1] > high))
		return 0;
	for (size_t i = 2; i < size; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

static bool bytes_valid(const uint8_t *at, size_t left)
{
	while (left > 0) {
		size_t size = sequence_size(at, left);
		if (size == 0)
			return false;
		at += size;
		left -= size;
	}
	return true;
}

/* No high bit is set, and no byte is zero (else the difference borrows). */
static inline bool is_plain(uint64_t word)
{
	return ((word | (word - EVERY_BYTE)) & EVERY_HIGH_BIT) == 0;
}

static inline uint64_t word_at(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static inline uint64_t half_at(const uint8_t *at)
{
	uint32_t half;

	memcpy(&half, at, sizeof(half));
	return half;
}

/* Most texts are ASCII: eight bytes at a time, the last ones together with some before them. */
bool cart_text_valid(struct corral_text text)
{
	const uint8_t *at = (const uint8_t *)text.data;
	size_t left = text.size;

	if (left < sizeof(uint64_t)) {
		if (left >= sizeof(uint32_t) &&
		    is_plain(half_at(at) << 32 | half_at(at + left - sizeof(uint32_t))))
			return true;
		return bytes_valid(at, left);
	}
	for (; left > sizeof(uint64_t); at += sizeof(uint64_t), left -= sizeof(uint64_t))
		if (!is_plain(word_at(at)))
			return bytes_valid(at, left);
	return is_plain(word_at(at + left - sizeof(uint64_t))) || bytes_valid(at, left);
}

int cart_text_check(struct corral_text text, size_t max)
{
	if (text.size && text.data == NULL)
		return -EINVAL;
	if (text.size > max)
		return -ENAMETOOLONG;
	return cart_text_valid(text) ? 0 : -EILSEQ;
}
