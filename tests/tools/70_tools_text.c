/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 70_tools_text.c: for any bytes in a name, no output contains a terminal control, and ordinary
 * words of any language are unchanged. The module is pure, so its source is included here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/text.c" /* NOLINT(bugprone-suspicious-include) */

#define RANDOM_ROUNDS 20000
#define RANDOM_BYTES 64

static size_t encode(uint32_t point, char out[4])
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		out[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (char)(0xe0 | point >> 12);
		out[1] = (char)(0x80 | (point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | point >> 18);
	out[1] = (char)(0x80 | (point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

/* Escaped text is valid UTF-8 and each of its characters is harmless. */
static void assert_harmless(const char *escaped)
{
	size_t size = strlen(escaped);
	uint32_t point = 0;

	for (size_t at = 0, step; at < size; at += step) {
		step = utf8_next(escaped + at, size - at, &point);
		assert_true(step > 0);
		assert_true(text_is_plain(point));
		assert_true(point >= 0x20 && (point < 0x7f || point > 0x9f));
	}
}

static void expect_escaped(const char *text, size_t size, const char *expected)
{
	char *escaped = text_escape(text, size);

	assert_non_null(escaped);
	assert_string_equal(escaped, expected);
	free(escaped);
}

static void every_code_point_comes_out_harmless(void **state)
{
	char bytes[4];

	(void)state;
	for (uint32_t point = 0; point <= 0x10ffff; point++) {
		char *escaped;

		if (point >= 0xd800 && point < 0xe000)
			continue;
		escaped = text_escape(bytes, encode(point, bytes));
		assert_non_null(escaped);
		assert_harmless(escaped);
		free(escaped);
	}
}

static void random_bytes_come_out_harmless(void **state)
{
	const char *given = getenv("CORRAL_TEST_SEED");
	unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
	char bytes[RANDOM_BYTES];

	(void)state;
	printf("CORRAL_TEST_SEED=%u\n", seed);
	for (int round = 0; round < RANDOM_ROUNDS; round++) {
		size_t size = (size_t)rand_r(&seed) % sizeof(bytes);
		char *escaped;

		for (size_t i = 0; i < size; i++)
			bytes[i] = (char)rand_r(&seed);
		escaped = text_escape(bytes, size);
		assert_non_null(escaped);
		assert_harmless(escaped);
		for (size_t columns = 1; columns < 20; columns++) {
			size_t fit = text_fit(escaped, columns);

			assert_true(fit <= strlen(escaped));
			assert_true(utf8_valid(escaped, fit));
			assert_true(fit > 0 || !*escaped);
		}
		free(escaped);
	}
}

static void terminal_controls_are_written_out(void **state)
{
	(void)state;
	expect_escaped("\033[31mred\007", 9, "\\x1b[31mred\\x07");
	expect_escaped("two\nlines\tand\r", 14, "two\\nlines\\tand\\x0d");
	expect_escaped("\xc2\x9b"
		       "31m",
		       5, "\\u009b31m");
	expect_escaped("abc\xe2\x80\xae"
		       "def",
		       9, "abc\\u202edef");
	expect_escaped("\xff\xc3", 2, "\\xff\\xc3");
	expect_escaped("a\0b", 3, "a\\x00b");
	expect_escaped("\\n", 2, "\\\\n");
	expect_escaped("", 0, "");
}

static void ordinary_words_stay_as_they_are(void **state)
{
	static const char *const words[] = { "Margherita", "Crème brûlée", "北京烤鸭",
					     "борщ",       "🍕 quattro",    "خبز" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		expect_escaped(words[i], strlen(words[i]), words[i]);
}

static void widths_are_columns(void **state)
{
	(void)state;
	assert_int_equal(text_width("brûlée"), 6);
	assert_int_equal(text_width("e\xcc\x81"), 1); /* a combining accent */
	assert_int_equal(text_width("北京"), 4);
	assert_int_equal(text_fit("北京烤鸭", 5), 6);
	assert_int_equal(text_fit("北京", 1), 3); /* one character at least */
	assert_int_equal(text_fit("abc", 10), 3);
	assert_int_equal(text_fit("", 10), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point_comes_out_harmless),
		cmocka_unit_test(random_bytes_come_out_harmless),
		cmocka_unit_test(terminal_controls_are_written_out),
		cmocka_unit_test(ordinary_words_stay_as_they_are),
		cmocka_unit_test(widths_are_columns),
	};

	text_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
