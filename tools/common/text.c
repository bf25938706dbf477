/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.c: text from a cart, made safe for a terminal. It prints nothing.
 *
 * UTF-8 is decoded here independently of the locale, since carts are always UTF-8; only a
 * character's width depends on the locale.
 */
#include "common/text.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "common/utf8.h"

#define ESCAPE_MAX 10 /* bytes of the longest escape, \U0010ffff */

void text_begin(void)
{
	if (setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
		return;
	setlocale(LC_CTYPE, "C.UTF-8");
}

bool text_is_plain(uint32_t point)
{
	/* invisible, or able to change the direction of the following text */
	static const struct {
		uint32_t first;
		uint32_t last;
	} hidden[] = {
		{ 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },       { 0x61c, 0x61c },
		{ 0x200b, 0x200b }, { 0x200e, 0x200f }, { 0x2028, 0x202e },   { 0x2060, 0x206f },
		{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe00ff },
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
		if (point >= hidden[i].first && point <= hidden[i].last)
			return false;
	return point < 0x80 || wcwidth((wchar_t)point) >= 0;
}

/* Write one code point, or (step 0) one invalid byte; returns the number of bytes written. */
static size_t escape_one(char *out, const char *text, size_t step, uint32_t point)
{
	if (step == 0)
		return (size_t)sprintf(out, "\\x%02x", (unsigned char)*text);
	if (point == '\n')
		return (size_t)sprintf(out, "\\n");
	if (point == '\t')
		return (size_t)sprintf(out, "\\t");
	if (point == '\\')
		return (size_t)sprintf(out, "\\\\");
	if (text_is_plain(point)) {
		memcpy(out, text, step);
		return step;
	}
	if (point < 0x80)
		return (size_t)sprintf(out, "\\x%02x", point);
	return (size_t)sprintf(out, point > 0xffff ? "\\U%08x" : "\\u%04x", point);
}

char *text_escape(const char *text, size_t size)
{
	char *escaped = malloc(size * ESCAPE_MAX + 1);
	char *out = escaped;
	uint32_t point = 0;

	if (escaped == NULL)
		return NULL;
	for (size_t step; size; text += step, size -= step) {
		step = utf8_next(text, size, &point);
		out += escape_one(out, text, step, point);
		step += step == 0;
	}
	*out = 0;
	return escaped;
}

static size_t point_width(uint32_t point)
{
	int width = wcwidth((wchar_t)point);

	return width < 0 ? 1 : (size_t)width;
}

size_t text_width(const char *escaped)
{
	size_t size = strlen(escaped);
	size_t width = 0;
	uint32_t point = 0;

	for (size_t step; size && (step = utf8_next(escaped, size, &point));
	     escaped += step, size -= step)
		width += point_width(point);
	return width;
}

size_t text_fit(const char *escaped, size_t columns)
{
	size_t size = strlen(escaped);
	size_t at = 0;
	size_t width = 0;
	uint32_t point = 0;

	for (size_t step; at < size && (step = utf8_next(escaped + at, size - at, &point));
	     at += step) {
		width += point_width(point);
		if (width > columns && at)
			break;
	}
	return at;
}
