/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_record.h: the record that an engine keeps of a cart: pure functions on bytes.
 *
 *   byte 0           how many write ids follow, 0 to RECORD_IDS_MAX
 *   8 bytes each     the ids of the last changes, the oldest first
 *   the rest         the cart's map of corral-snapshot(5); nothing, if the cart has ended
 *
 * Each change has an id of its own, which says after a broken connection whether it was made. A
 * record passes its ids on to its successor, also if a cart ends and is made again.
 */
#ifndef CORRAL_REMOTE_RECORD_H
#define CORRAL_REMOTE_RECORD_H

#include "api/engine.h"
#include "base/base.h"

#define RECORD_IDS_MAX 64u
#define RECORD_ID_BYTES 8u
#define RECORD_HEADER_MAX (1 + RECORD_IDS_MAX * RECORD_ID_BYTES)

/* Was this change made, as far as the record tells? -EUCLEAN: it is no record. */
int record_has(const struct engine_value *value, uint64_t id, bool *ret_has);

/* Does the record have the ids of all changes since this version, or since the key was empty? */
bool record_tells_all_since(const struct engine_value *value, uint64_t version);

/* Where the map begins; value->size: damaged. */
size_t record_map_at(const struct engine_value *value);

/* Write what precedes the map of a successor; returns its bytes, at most RECORD_HEADER_MAX. */
size_t record_begin(const struct engine_value *former, uint64_t id, uint8_t *buffer);

#endif
