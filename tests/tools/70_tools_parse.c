/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 70_tools_parse.c: typed text becomes exactly the number that was meant, or is refused with a
 * reason and changes nothing. The parser is pure, so its source is included here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/parse.c" /* NOLINT(bugprone-suspicious-include) */

#define UNTOUCHED 0x5a5a5a5a

static void expect_money(const char *text, bool may_be_negative, int64_t cents)
{
	int64_t found = UNTOUCHED;
	const char *wrong = parse_money(text, may_be_negative, &found);

	if (wrong != NULL)
		fail_msg("'%s' was refused: %s", text, wrong);
	if (found != cents)
		fail_msg("'%s' became %lld, not %lld", text, (long long)found, (long long)cents);
}

static void refuse_money(const char *text, bool may_be_negative)
{
	int64_t found = UNTOUCHED;
	const char *wrong = parse_money(text, may_be_negative, &found);

	if (wrong == NULL)
		fail_msg("'%s' was taken as %lld", text, (long long)found);
	assert_true(strlen(wrong) > 3);
	assert_int_equal(found, UNTOUCHED);
}

static void money_is_exact(void **state)
{
	(void)state;
	expect_money("0", false, 0);
	expect_money("0.00", false, 0);
	expect_money("12", false, 1200);
	expect_money("12.5", false, 1250);
	expect_money("12.99", false, 1299);
	expect_money("0.01", false, 1);
	expect_money("0.1", false, 10);
	expect_money("007.50", false, 750);
}

static void every_cent_comes_back(void **state)
{
	char text[FORMAT_MAX];

	(void)state;
	for (int64_t cents = -25000; cents <= 25000; cents++)
		expect_money(format_money(cents, text), true, cents);
	for (int64_t cents = 1; cents < INT64_MAX / 3; cents *= 3) {
		expect_money(format_money(cents, text), false, cents);
		expect_money(format_money(-cents, text), true, -cents);
	}
}

static void amounts_have_the_digits_of_their_currency(void **state)
{
	static const struct {
		const char *text;
		uint32_t digits;
		int64_t amount; /* UNTOUCHED: refused */
	} rows[] = {
		{ "500", 0, 500 },
		{ "500.0", 0, (int64_t)UNTOUCHED },
		{ "5.5", 1, 55 },
		{ "5.55", 1, (int64_t)UNTOUCHED },
		{ "1.25", 3, 1250 },
		{ "1.2505", 3, (int64_t)UNTOUCHED },
		{ "-1.2505", 4, -12505 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "9223372036854775808", 0, (int64_t)UNTOUCHED },
	};
	char text[FORMAT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t found = (int64_t)UNTOUCHED;
		const char *wrong = parse_amount(rows[i].text, rows[i].digits, true, &found);

		assert_int_equal(found, rows[i].amount);
		assert_true((wrong == NULL) == (found != (int64_t)UNTOUCHED));
	}
	assert_string_equal(format_amount(-5, 0, text), "-5");
	assert_string_equal(format_amount(-5, 3, text), "-0.005");
	assert_string_equal(format_amount(12345, 4, text), "1.2345");
	assert_string_equal(format_amount(INT64_MIN, 1, text), "-922337203685477580.8");
}

static void wrong_money_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"12.999",
		"1e3",
		"1E3",
		"-0",
		"-0.00",
		"-0.0",
		"€5",
		"$5",
		"5$",
		".5",
		"5.",
		" 5",
		"5 ",
		"+5",
		"5,00",
		"1,000.00",
		"0x10",
		"1.2.3",
		"1.-2",
		"-",
		"--5",
		"-.5",
		"- 5",
		"inf",
		"nan",
		"5.0a",
		"5a",
		"\t5",
		"5\n",
		"\xff",
		"1_000",
		"\xd9\xa5", /* an Arabic five */
		"92233720368547758.08",
		"92233720368547759",
		"99999999999999999999999999",
		"1.000",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		refuse_money(texts[i], false);
		refuse_money(texts[i], true);
	}
}

static void money_is_negative_only_where_it_may(void **state)
{
	(void)state;
	expect_money("-0.01", true, -1);
	expect_money("-12.5", true, -1250);
	refuse_money("-0.01", false);
	refuse_money("-12.50", false);
}

static void the_largest_money_fits_and_no_more(void **state)
{
	char text[FORMAT_MAX];

	(void)state;
	expect_money("92233720368547758.07", false, INT64_MAX);
	expect_money("-92233720368547758.07", true, -INT64_MAX);
	refuse_money("-92233720368547758.08", true);
	assert_string_equal(format_money(INT64_MAX, text), "92233720368547758.07");
	assert_string_equal(format_money(INT64_MIN, text), "-92233720368547758.08");
}

static void percent_is_exact_parts_per_million(void **state)
{
	static const struct {
		const char *text;
		uint32_t ppm;
	} good[] = { { "0%", 0 },         { "8.25%", 82500 },       { "8.2500%", 82500 },
		     { "100%", 1000000 }, { "100.0000%", 1000000 }, { "0.0001%", 1 },
		     { "19%", 190000 },   { "5.5%", 55000 } };
	static const char *const bad[] = { "",     "8.25", "%",        "8.25 %",
					   " 8%",  "-1%",  "+1%",      "100.0001%",
					   "101%", "8.%",  "8.00001%", ".5%",
					   "8%%",  "8%x",  "1e1%",     "18446744073709551616%" };
	uint32_t ppm;
	char text[FORMAT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ppm = UNTOUCHED;
		assert_null(parse_percent(good[i].text, &ppm));
		assert_int_equal(ppm, good[i].ppm);
		assert_null(parse_percent(format_percent(ppm, text), &ppm));
		assert_int_equal(ppm, good[i].ppm);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ppm = UNTOUCHED;
		if (parse_percent(bad[i], &ppm) == NULL)
			fail_msg("'%s' was taken as %u ppm", bad[i], ppm);
		assert_int_equal(ppm, UNTOUCHED);
	}
}

static void numbers_are_digits_within_their_range(void **state)
{
	static const char *const bad[] = {
		"",    "-1",  "+1", " 1", "1 ",  "1.0",
		"0x1", "1e3", "a",  "0",  "100", "18446744073709551616"
	};
	uint64_t number = 0;

	(void)state;
	assert_null(parse_number("1", 1, 99, &number));
	assert_int_equal(number, 1);
	assert_null(parse_number("0099", 1, 99, &number));
	assert_int_equal(number, 99);
	assert_null(parse_number("18446744073709551615", 0, UINT64_MAX, &number));
	assert_true(number == UINT64_MAX);
	number = UNTOUCHED;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (parse_number(bad[i], 1, 99, &number) == NULL)
			fail_msg("'%s' was taken as %llu", bad[i], (unsigned long long)number);
	assert_int_equal(number, UNTOUCHED);
}

static void durations_have_a_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = { { "500ms", 500 },
		     { "2s", 2000 },
		     { "30m", 1800000 },
		     { "1h", 3600000 },
		     { "1d", 86400000 } };
	static const char *const bad[] = { "",
					   "30",
					   "m",
					   "30 m",
					   "-1s",
					   "1.5h",
					   "30x",
					   "30mm",
					   "99ms",
					   "2d",
					   "30M",
					   "18446744073709551615h",
					   "99999999999999999999s" };
	uint64_t ms = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_null(parse_duration(good[i].text, 100, 86400000, &ms));
		assert_int_equal(ms, good[i].ms);
	}
	ms = UNTOUCHED;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (parse_duration(bad[i], 100, 86400000, &ms) == NULL)
			fail_msg("'%s' was taken as %llu ms", bad[i], (unsigned long long)ms);
	assert_int_equal(ms, UNTOUCHED);
}

static void seconds_have_at_most_three_decimals(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = { { "2", 2000 }, { "0.25", 250 }, { "0.001", 1 }, { "060.000", 60000 } };
	static const char *const bad[] = { "",
					   ".",
					   ".5",
					   "1.",
					   "1.2345",
					   "1e3",
					   "0x1",
					   " 1",
					   "1,5",
					   "+1",
					   "-1",
					   "1s",
					   "0",
					   "0.0",
					   "60.001",
					   "61",
					   "18446744073709551616" };
	uint64_t ms = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_null(parse_seconds(good[i].text, 1, 60000, &ms));
		assert_int_equal(ms, good[i].ms);
	}
	ms = UNTOUCHED;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (parse_seconds(bad[i], 1, 60000, &ms) == NULL)
			fail_msg("'%s' was taken as %llu ms", bad[i], (unsigned long long)ms);
	assert_int_equal(ms, UNTOUCHED);
}

static void sizes_are_powers_of_1024(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = { { "4096", 4096 },
		     { "1K", 1024 },
		     { "512M", 512ull << 20 },
		     { "252G", 252ull << 30 },
		     { "01G", 1ull << 30 } };
	static const char *const bad[] = {
		"",    "M",    "-1M", "1.5G",         "1T",
		"1MB", "1m",   "1 M", "1023",         "253G",
		"1KK", "0x1M", "+1G", "17179869184G", "18446744073709551616"
	};
	uint64_t bytes = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_null(parse_size(good[i].text, 1024, 252ull << 30, &bytes));
		assert_true(bytes == good[i].bytes);
	}
	bytes = UNTOUCHED;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (parse_size(bad[i], 1024, 252ull << 30, &bytes) == NULL)
			fail_msg("'%s' was taken as %llu bytes", bad[i], (unsigned long long)bytes);
	assert_int_equal(bytes, UNTOUCHED);
}

static void texts_are_utf8_within_their_length(void **state)
{
	static const char *const bad[] = {
		"",
		"123456789",
		"\xff",
		"a\xc3",
		"\xc0\xaf",
		"\xed\xa0\x80",
		"\xf4\x90\x80\x80",
		"\xe2\x82",
		"\x80",
		"\xf8\x88\x80\x80\x80",
	};
	size_t size = 0;

	(void)state;
	assert_null(parse_text("caf\xc3\xa9", 1, 8, &size));
	assert_int_equal(size, 5);
	assert_null(parse_text("\xf0\x9f\x8d\x95\xf0\x9f\x8d\x95", 1, 8, &size));
	assert_int_equal(size, 8);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (parse_text(bad[i], 1, 8, &size) == NULL)
			fail_msg("text %zu was taken", i);
	assert_int_equal(size, 8);
}

static void shown_numbers_are_exact(void **state)
{
	char text[FORMAT_MAX];

	(void)state;
	assert_string_equal(format_duration(29 * 60000 + 58999, text), "29m58s");
	assert_string_equal(format_duration(-5, text), "0s");
	assert_string_equal(format_duration(5900, text), "5.9s");
	assert_string_equal(format_duration(3600000, text), "1h00m");
	assert_true(strlen(format_duration(INT64_MAX, text)) < FORMAT_MAX);
	assert_string_equal(format_ns(0, text), "0 ns");
	assert_string_equal(format_ns(999, text), "999 ns");
	assert_string_equal(format_ns(1050, text), "1.0 us");
	assert_string_equal(format_ns(12999, text), "12 us");
	assert_string_equal(format_ns(9990000000, text), "9.9 s");
	assert_true(strlen(format_ns(UINT64_MAX, text)) < FORMAT_MAX);
	assert_string_equal(format_bytes(0, text), "0 B");
	assert_string_equal(format_bytes(64 << 20, text), "64.0 MiB");
	assert_string_equal(format_bytes(1536, text), "1.5 KiB");
	assert_true(strlen(format_bytes(UINT64_MAX, text)) < FORMAT_MAX);
	assert_string_equal(format_time(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(format_time(951782399999, text), "2000-02-28T23:59:59.999Z");
	assert_string_equal(format_time(INT64_MAX, text), "");
	assert_string_equal(format_time(-1, text), "");
	assert_string_equal(format_percent(82500, text), "8.25%");
	assert_string_equal(format_percent(0, text), "0%");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(money_is_exact),
		cmocka_unit_test(every_cent_comes_back),
		cmocka_unit_test(amounts_have_the_digits_of_their_currency),
		cmocka_unit_test(wrong_money_is_refused),
		cmocka_unit_test(money_is_negative_only_where_it_may),
		cmocka_unit_test(the_largest_money_fits_and_no_more),
		cmocka_unit_test(percent_is_exact_parts_per_million),
		cmocka_unit_test(numbers_are_digits_within_their_range),
		cmocka_unit_test(durations_have_a_unit),
		cmocka_unit_test(seconds_have_at_most_three_decimals),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(texts_are_utf8_within_their_length),
		cmocka_unit_test(shown_numbers_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
