/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unpack.h: reads MessagePack in place, from bytes that may be damaged.
 *
 * For the files item*.c and portable*.c only. Each take_ moves the cursor past what it took; on
 * false the cursor may stand anywhere within its bytes, and the caller gives up.
 */
#ifndef CORRAL_UNPACK_H
#define CORRAL_UNPACK_H

#include "base/base.h"
#include "corral.h"

#define CURSOR_DEPTH_MAX 16u /* nesting of a value */

struct unknown {
	uint32_t keys;   /* of the map itself */
	uint32_t within; /* of maps in it */
};

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	struct unknown *unknown; /* NULL, or where keys that we do not know are counted */
};

/* A string of valid UTF-8. */
bool take_text(struct cursor *cursor, struct corral_text *ret_text);

/*
 * This text, of at most 31 bytes, in its shortest form. On false the cursor has not moved: the text
 * may stand here in another form.
 */
static inline bool take_short_text(struct cursor *cursor, struct corral_text text)
{
	if ((size_t)(cursor->end - cursor->at) <= text.size ||
	    *cursor->at != (0xa0 | (uint8_t)text.size) ||
	    __builtin_memcmp(cursor->at + 1, text.data, text.size) != 0)
		return false;
	cursor->at += 1 + text.size;
	return true;
}

/* An integer that fits. */
bool take_int(struct cursor *cursor, int64_t *ret_int);

/* So many bytes, packed as such. */
bool take_bin(struct cursor *cursor, size_t size, const uint8_t **ret_bytes);

/* The header of a map or of an array: how many pairs or elements follow. */
bool take_map(struct cursor *cursor, uint64_t *ret_count);
bool take_array(struct cursor *cursor, uint64_t *ret_count);

/* One object of any kind, with all that is in it. */
bool take_value(struct cursor *cursor);

#endif
