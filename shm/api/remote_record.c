/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* remote_record.c: see remote_record.h. */
#include <errno.h>
#include <string.h>

#include "api/remote_record.h"

/* How many ids there are; more than RECORD_IDS_MAX: the record is damaged. */
static uint32_t count_of(const struct engine_value *value)
{
	const uint8_t *bytes = value->record;

	if (value->record == NULL || value->size == 0)
		return 0; /* nothing is there */
	return bytes[0] <= RECORD_IDS_MAX && value->size >= 1 + bytes[0] * RECORD_ID_BYTES ?
		       bytes[0] :
		       RECORD_IDS_MAX + 1;
}

int record_has(const struct engine_value *value, uint64_t id, bool *ret_has)
{
	const uint8_t *bytes = value->record;
	const uint32_t count = count_of(value);

	*ret_has = false;
	if (count > RECORD_IDS_MAX)
		return -EUCLEAN;
	for (uint32_t i = 0; i < count; i++)
		*ret_has |= memcmp(bytes + 1 + i * RECORD_ID_BYTES, &id, RECORD_ID_BYTES) == 0;
	return 0;
}

bool record_tells_all_since(const struct engine_value *value, uint64_t version)
{
	return count_of(value) < RECORD_IDS_MAX ||
	       (value->version >= version && value->version - version <= RECORD_IDS_MAX);
}

size_t record_map_at(const struct engine_value *value)
{
	const uint32_t count = count_of(value);

	return value->size == 0 || count > RECORD_IDS_MAX ? value->size :
							    1 + count * (size_t)RECORD_ID_BYTES;
}

size_t record_begin(const struct engine_value *former, uint64_t id, uint8_t *buffer)
{
	const uint8_t *bytes = former->record;
	uint32_t count = count_of(former);
	uint32_t first = 0;

	if (count > RECORD_IDS_MAX)
		count = 0;
	if (count == RECORD_IDS_MAX)
		first = 1; /* the oldest makes room */
	const size_t kept = (count - first) * (size_t)RECORD_ID_BYTES;
	if (kept > 0)
		memcpy(buffer + 1, bytes + 1 + first * (size_t)RECORD_ID_BYTES, kept);
	memcpy(buffer + 1 + kept, &id, RECORD_ID_BYTES);
	buffer[0] = (uint8_t)(count - first + 1);
	return 1 + kept + RECORD_ID_BYTES;
}
