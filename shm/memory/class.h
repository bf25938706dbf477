/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * class.h: the sizes of blocks, and of the spans of pages that blocks of one size are cut from.
 */
#ifndef CORRAL_CLASS_H
#define CORRAL_CLASS_H

#include "arena/layout.h"

/*
 * Size classes: 256 to 1024 bytes in steps of 64, then sixteen per doubling up to 1 MiB (the last
 * one is 64 bytes larger, for a cart of CORRAL_CART_MAX and its block header). At most 1/16 is
 * wasted.
 */
static inline uint32_t class_of(uint32_t bytes)
{
	if (bytes <= CLASS_SMALLEST)
		return 0;
	if (bytes <= 1024)
		return (bytes - CLASS_SMALLEST + 63) / 64;
	if (bytes > 1024 * 1024)
		return CLASS_COUNT - 1;
	uint32_t exponent = 31 - (uint32_t)__builtin_clz(bytes - 1);

	return 12 + (exponent - 10) * 16 + (((bytes - 1) >> (exponent - 4)) & 15) + 1;
}

static inline uint32_t class_bytes(uint32_t class_no)
{
	if (class_no <= 12)
		return CLASS_SMALLEST + 64 * class_no;
	if (class_no >= CLASS_COUNT - 1)
		return CLASS_LARGEST;
	uint32_t exponent = 10 + (class_no - 13) / 16;

	return (1u << exponent) + ((class_no - 13) % 16 + 1) * (1u << (exponent - 4));
}

/* The pages of a span of this class, and the blocks in it. At most 1/32 of a span is left over. */
uint32_t class_span_pages(uint32_t class_no);
uint32_t class_span_blocks(uint32_t class_no);

#endif
