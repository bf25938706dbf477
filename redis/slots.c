/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* slots.c: see slots.h. */
#include <stdbool.h>
#include <string.h>

#include "slots.h"

#define CRC_POLYNOMIAL 0x1021u /* CRC-16/XMODEM, as clusters use it */

static uint16_t crc16(const char *bytes, size_t size)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < size; i++) {
		crc = (uint16_t)(crc ^ (uint16_t)((uint8_t)bytes[i] << 8));
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)((uint32_t)crc << 1 ^
					 ((crc & 0x8000) != 0 ? CRC_POLYNOMIAL : 0));
	}
	return crc;
}

uint32_t slots_of(const char *key)
{
	return crc16(key, strlen(key)) % SLOTS;
}

static bool stands_for_itself(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

/* Write an id, without what has a meaning in a key or in a pattern; returns the end. */
static char *put_id(struct corral_text id, char *at)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < id.size; i++) {
		if (stands_for_itself(id.data[i])) {
			*at++ = id.data[i];
			continue;
		}
		*at++ = '%';
		*at++ = digits[(uint8_t)id.data[i] >> 4];
		*at++ = digits[(uint8_t)id.data[i] & 15];
	}
	return at;
}

void slots_key(const char *prefix, const struct corral_key *key, struct slots_key *ret_key)
{
	size_t size = strlen(prefix);
	char *at = ret_key->text;

	memcpy(at, prefix, size);
	at += size;
	*at++ = '{';
	const char *tag = at;
	at = put_id(key->restaurant_id, at);
	*at++ = '/';
	at = put_id(key->session_id, at);
	ret_key->slot = crc16(tag, (size_t)(at - tag)) % SLOTS;
	*at++ = '}';
	*at = '\0';
	ret_key->size = (uint32_t)(at - ret_key->text);
}

void slots_pattern(const char *prefix, const struct corral_text *restaurant_id, char *at)
{
	for (; *prefix != '\0'; prefix++) {
		if (!stands_for_itself(*prefix))
			*at++ = '\\';
		*at++ = *prefix;
	}
	*at++ = '{';
	if (restaurant_id != NULL) {
		at = put_id(*restaurant_id, at);
		*at++ = '/';
	}
	*at++ = '*';
	*at = '\0';
}
