/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utf8.h: decode one UTF-8 sequence from untrusted bytes. It knows nothing of locales, widths or
 * terminals.
 */
#ifndef CORRAL_TOOLS_UTF8_H
#define CORRAL_TOOLS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The length of the sequence at the start of text (size bytes), and its code point; 0 if it is
 * invalid UTF-8.
 */
static inline size_t utf8_next(const char *text, size_t size, uint32_t *ret_point)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = (unsigned char)(size ? text[0] : 0xff);
	size_t bytes = lead < 0x80  ? 1 :
		       lead >= 0xf8 ? 0 :
		       lead >= 0xf0 ? 4 :
		       lead >= 0xe0 ? 3 :
		       lead >= 0xc0 ? 2 :
				      0;
	uint32_t point = lead;

	if (bytes == 0 || bytes > size)
		return 0;
	if (bytes > 1)
		point &= 0x7fu >> bytes;
	for (size_t i = 1; i < bytes; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | ((unsigned char)text[i] & 0x3f);
	}
	if (point < smallest[bytes] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return 0;
	*ret_point = point;
	return bytes;
}

static inline bool utf8_valid(const char *text, size_t size)
{
	uint32_t point;

	for (size_t step; size; text += step, size -= step) {
		step = utf8_next(text, size, &point);
		if (!step)
			return false;
	}
	return true;
}

#endif
