/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parse.h: exact numbers from typed text and back. Pure functions; no floating point, no locale, no
 * memory allocation.
 *
 * parse_*() return NULL and set *ret_..., or return what is wrong and what to write instead (a
 * constant string) and leave *ret_... unchanged. format_*() write a NUL-terminated string of fewer
 * than FORMAT_MAX bytes and return it.
 */
#ifndef CORRAL_TOOLS_PARSE_H
#define CORRAL_TOOLS_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORMAT_MAX 40

/* Money: digits, or digits, a point and one or two digits: "12", "12.5", "12.99". */
const char *parse_money(const char *text, bool may_be_negative, int64_t *ret_cents);

#define AMOUNT_DIGITS_MAX 4u /* behind the point, of any currency */

/* The same with so many digits at most: of 0, a whole number. */
const char *parse_amount(const char *text, uint32_t digits, bool may_be_negative,
			 int64_t *ret_amount);

/* A rate from 0 to 100 %: digits, at most four decimals, and the sign: "8.25%". */
const char *parse_percent(const char *text, uint32_t *ret_ppm);

/* A whole number from least to most: digits only. */
const char *parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number);

/* A time span: a whole number and one of ms, s, m, h, d; from least_ms to most_ms milliseconds. */
const char *parse_duration(const char *text, uint64_t least_ms, uint64_t most_ms, uint64_t *ret_ms);

/* Seconds with at most three decimals: "2", "0.25"; from least_ms to most_ms milliseconds. */
const char *parse_seconds(const char *text, uint64_t least_ms, uint64_t most_ms, uint64_t *ret_ms);

/* A size in bytes: a whole number, and K, M or G (1024 each) or nothing; from least to most. */
const char *parse_size(const char *text, uint64_t least, uint64_t most, uint64_t *ret_bytes);

/* A text of valid UTF-8, from least to most bytes. */
const char *parse_text(const char *text, size_t least, size_t most, size_t *ret_size);

char *format_money(int64_t cents, char buffer[FORMAT_MAX]); /* "-12.99" */
char *format_amount(int64_t amount, uint32_t digits, char buffer[FORMAT_MAX]);
char *format_percent(uint32_t ppm, char buffer[FORMAT_MAX]); /* "8.25%" */
char *format_duration(int64_t ms, char buffer[FORMAT_MAX]);  /* "29m58s", the two largest units */
char *format_ns(uint64_t ns, char buffer[FORMAT_MAX]);       /* "870 ns", "1.3 us", "250 ms" */
char *format_bytes(uint64_t bytes, char buffer[FORMAT_MAX]); /* "64.0 MiB" */
char *format_time(
	int64_t unix_ms,
	char buffer[FORMAT_MAX]); /* RFC 3339, UTC, milliseconds; "" before 1970 and after 9999 */

/* The plural ending of "item" for this count. */
static inline const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

#endif
