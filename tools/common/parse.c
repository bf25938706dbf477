/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parse.c: exact numbers from typed text and back.
 *
 * A wrong guess about money costs money, so nothing is guessed: a text either has exactly the form
 * that parse.h states or is refused with the reason. No strtod, no strtol (they accept signs,
 * spaces, hex and "1e3"), no locale.
 *
 * It does not print, allocate or know which option a text came from.
 */
#include "common/parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/utf8.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Append a decimal digit; false when it does not fit 64 bits. */
static bool push_digit(uint64_t *number, char digit)
{
	uint64_t value;

	if (__builtin_mul_overflow(*number, 10u, &value))
		return false;
	return !__builtin_add_overflow(value, (unsigned)(digit - '0'), number);
}

enum fixed_fault {
	FIXED_NONE,
	FIXED_NO_DIGITS,
	FIXED_NO_DECIMALS,
	FIXED_TOO_MANY_DECIMALS,
	FIXED_TOO_LARGE
};

/*
 * Read digits and up to `decimals` decimals as a number scaled by 10^decimals; advances *text to
 * the first character after it.
 */
static enum fixed_fault take_fixed(const char **text, unsigned decimals, uint64_t *ret_scaled)
{
	const char *at = *text;
	uint64_t scaled = 0;
	bool fits = true;

	if (!is_digit(*at))
		return FIXED_NO_DIGITS;
	for (; is_digit(*at); at++)
		fits = fits && push_digit(&scaled, *at);
	if (*at == '.') {
		if (!is_digit(*++at))
			return FIXED_NO_DECIMALS;
		for (; decimals && is_digit(*at); decimals--)
			fits = fits && push_digit(&scaled, *at++);
		if (is_digit(*at))
			return FIXED_TOO_MANY_DECIMALS;
	}
	while (decimals--)
		fits = fits && push_digit(&scaled, '0');
	*text = at;
	*ret_scaled = scaled;
	return fits ? FIXED_NONE : FIXED_TOO_LARGE;
}

const char *parse_money(const char *text, bool may_be_negative, int64_t *ret_cents)
{
	return parse_amount(text, 2, may_be_negative, ret_cents);
}

/* The complaint about too many digits behind the point, by how many there may be. */
static const char *const too_many_digits[AMOUNT_DIGITS_MAX + 1] = {
	"this currency has no digits behind the point; write it like 500",
	"more than one digit behind the point; write it like 12.9",
	"more than two digits behind the point; write it like 12.99",
	"more than three digits behind the point; write it like 12.999",
	"more than four digits behind the point; write it like 12.9999",
};

const char *parse_amount(const char *text, uint32_t digits, bool may_be_negative,
			 int64_t *ret_amount)
{
	const uint32_t most = digits < AMOUNT_DIGITS_MAX ? digits : AMOUNT_DIGITS_MAX;
	const char *const faults[] = {
		[FIXED_NO_DIGITS] =
			"an amount begins with a digit; write it like 12.99, not $12.99",
		[FIXED_NO_DECIMALS] = "nothing stands behind the point; write 12 or 12.00",
		[FIXED_TOO_MANY_DECIMALS] = too_many_digits[most],
		[FIXED_TOO_LARGE] = "too large; with two digits at most 92233720368547758.07",
	};
	bool negative = text[0] == '-';
	enum fixed_fault fault;
	uint64_t cents = 0;

	if (!*text)
		return "empty; write an amount like 12.99";
	if (negative && !may_be_negative)
		return "this amount cannot be negative; write it like 12.99";
	text += negative;
	fault = take_fixed(&text, most, &cents);
	if (fault)
		return faults[fault];
	if (*text)
		return "something else than digits and one point; write it like 12.99";
	if (cents > INT64_MAX)
		return faults[FIXED_TOO_LARGE];
	if (negative && cents == 0)
		return "there is no negative zero; write 0";
	*ret_amount = negative ? -(int64_t)cents : (int64_t)cents;
	return NULL;
}

const char *parse_percent(const char *text, uint32_t *ret_ppm)
{
	static const char *const faults[] = {
		[FIXED_NO_DIGITS] = "a rate begins with a digit; write it like 8.25%",
		[FIXED_NO_DECIMALS] = "nothing stands behind the point; write it like 8.25%",
		[FIXED_TOO_MANY_DECIMALS] =
			"more than four digits behind the point; write it like 8.25%",
		[FIXED_TOO_LARGE] = "more than 100%",
	};
	enum fixed_fault fault;
	uint64_t ppm = 0;

	fault = take_fixed(&text, 4, &ppm);
	if (fault)
		return faults[fault];
	if (!*text)
		return "no percent sign; write it like 8.25%";
	if (strcmp(text, "%") != 0)
		return "something else than digits, one point and a percent sign; write it like "
		       "8.25%";
	if (ppm > 1000000)
		return faults[FIXED_TOO_LARGE];
	*ret_ppm = (uint32_t)ppm;
	return NULL;
}

const char *parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!*text)
		return "empty; write a whole number";
	for (; is_digit(*text); text++)
		if (!push_digit(&number, *text))
			return "too large a number";
	if (*text)
		return "not a whole number; write digits only, without sign, point or space";
	if (number < least)
		return "too small a number";
	if (number > most)
		return "too large a number";
	*ret_number = number;
	return NULL;
}

const char *parse_duration(const char *text, uint64_t least_ms, uint64_t most_ms, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint32_t ms;
	} units[] = { { "ms", 1 },
		      { "s", 1000 },
		      { "m", 60 * 1000 },
		      { "h", 3600 * 1000 },
		      { "d", 24 * 3600 * 1000 } };
	uint64_t number = 0;
	uint64_t ms;

	if (!is_digit(*text))
		return "a time begins with a digit; write it like 30m, 90s, 500ms or 2h";
	for (; is_digit(*text); text++)
		if (!push_digit(&number, *text))
			return "too long a time";
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(text, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(number, units[i].ms, &ms) || ms > most_ms)
			return "too long a time";
		if (ms < least_ms)
			return "too short a time";
		*ret_ms = ms;
		return NULL;
	}
	return *text ? "unknown unit of time; write it like 30m, 90s, 500ms or 2h" :
		       "no unit of time; write it like 30m, 90s, 500ms or 2h";
}

const char *parse_seconds(const char *text, uint64_t least_ms, uint64_t most_ms, uint64_t *ret_ms)
{
	uint64_t ms = 0;
	enum fixed_fault fault = take_fixed(&text, 3, &ms);

	if (fault == FIXED_TOO_LARGE || (!fault && !*text && ms > most_ms))
		return "too long a time";
	if (fault || *text)
		return "not a number of seconds with at most three decimals, such as 2 or 0.25";
	if (ms < least_ms)
		return "too short a time";
	*ret_ms = ms;
	return NULL;
}

const char *parse_size(const char *text, uint64_t least, uint64_t most, uint64_t *ret_bytes)
{
	static const char units[] = "KMG";
	uint64_t number = 0;

	if (!is_digit(*text))
		return "a size begins with a digit; write it like 512M or 1G";
	for (; is_digit(*text); text++)
		if (!push_digit(&number, *text))
			return "too large";
	const char *unit = *text ? strchr(units, *text) : NULL;
	if (*text && (unit == NULL || text[1]))
		return "unknown unit of size; write it like 512M or 1G";
	if (unit != NULL && __builtin_mul_overflow(number, 1024ull << 10 * (unit - units), &number))
		return "too large";
	if (number < least)
		return "too small";
	if (number > most)
		return "too large";
	*ret_bytes = number;
	return NULL;
}

const char *parse_text(const char *text, size_t least, size_t most, size_t *ret_size)
{
	size_t size = strlen(text);

	if (size < least)
		return "empty; it needs at least one character";
	if (size > most)
		return "too long";
	if (!utf8_valid(text, size))
		return "not valid UTF-8";
	*ret_size = size;
	return NULL;
}

char *format_money(int64_t cents, char buffer[FORMAT_MAX])
{
	return format_amount(cents, 2, buffer);
}

char *format_amount(int64_t amount, uint32_t digits, char buffer[FORMAT_MAX])
{
	static const uint64_t units[AMOUNT_DIGITS_MAX + 1] = { 1, 10, 100, 1000, 10000 };
	uint64_t absolute = amount < 0 ? -(uint64_t)amount : (uint64_t)amount;
	const char *sign = amount < 0 ? "-" : "";
	uint64_t unit = units[digits < AMOUNT_DIGITS_MAX ? digits : AMOUNT_DIGITS_MAX];

	if (unit == 1)
		snprintf(buffer, FORMAT_MAX, "%s%" PRIu64, sign, absolute);
	else
		snprintf(buffer, FORMAT_MAX, "%s%" PRIu64 ".%0*" PRIu64, sign, absolute / unit,
			 (int)digits, absolute % unit);
	return buffer;
}

char *format_percent(uint32_t ppm, char buffer[FORMAT_MAX])
{
	int size = snprintf(buffer, FORMAT_MAX, "%" PRIu32 ".%04" PRIu32, ppm / 10000, ppm % 10000);

	while (buffer[size - 1] == '0')
		size--;
	if (buffer[size - 1] == '.')
		size--;
	buffer[size] = '%';
	buffer[size + 1] = 0;
	return buffer;
}

char *format_duration(int64_t ms, char buffer[FORMAT_MAX])
{
	int64_t seconds = ms / 1000;

	if (ms < 0)
		snprintf(buffer, FORMAT_MAX, "0s");
	else if (seconds >= 86400)
		snprintf(buffer, FORMAT_MAX, "%" PRId64 "d%02dh", seconds / 86400,
			 (int)(seconds / 3600 % 24));
	else if (seconds >= 3600)
		snprintf(buffer, FORMAT_MAX, "%dh%02dm", (int)(seconds / 3600),
			 (int)(seconds / 60 % 60));
	else if (seconds >= 60)
		snprintf(buffer, FORMAT_MAX, "%dm%02ds", (int)(seconds / 60), (int)(seconds % 60));
	else
		snprintf(buffer, FORMAT_MAX, "%d.%ds", (int)seconds, (int)(ms / 100 % 10));
	return buffer;
}

char *format_ns(uint64_t ns, char buffer[FORMAT_MAX])
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	uint64_t whole = ns, rest = 0;
	unsigned unit = 0;

	for (; whole >= 1000 && unit < 3; unit++) {
		rest = whole % 1000;
		whole /= 1000;
	}
	if (unit == 0 || whole >= 10)
		snprintf(buffer, FORMAT_MAX, "%" PRIu64 " %s", whole, units[unit]);
	else
		snprintf(buffer, FORMAT_MAX, "%" PRIu64 ".%u %s", whole, (unsigned)(rest / 100),
			 units[unit]);
	return buffer;
}

char *format_bytes(uint64_t bytes, char buffer[FORMAT_MAX])
{
	static const char units[] = "BKMGTPE";
	uint64_t whole = bytes;
	uint64_t rest = 0;
	unsigned unit = 0;

	for (; whole >= 1024; unit++) {
		rest = whole % 1024;
		whole /= 1024;
	}
	if (unit == 0)
		snprintf(buffer, FORMAT_MAX, "%" PRIu64 " B", whole);
	else
		snprintf(buffer, FORMAT_MAX, "%" PRIu64 ".%u %ciB", whole,
			 (unsigned)(rest * 10 / 1024), units[unit]);
	return buffer;
}

char *format_time(int64_t unix_ms, char buffer[FORMAT_MAX])
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;
	size_t size;

	buffer[0] = 0;
	if (unix_ms < 0 || gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 9999 - 1900)
		return buffer;
	size = strftime(buffer, FORMAT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buffer + size, FORMAT_MAX - size, ".%03dZ", (int)(unix_ms % 1000));
	return buffer;
}
