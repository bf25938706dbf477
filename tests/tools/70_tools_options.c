/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 70_tools_options.c: a command line does what the table of its options says, or is refused with
 * the option, the reason and the way out; --help is that table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/options.h"
#include "common/streams.h"

#define WORDS_MAX 16

/* Where the values of the table below go. */
static struct {
	bool flag, other, flag_given;
	uint32_t number, seconds, percent, list[OPTIONS_LIST_MAX], list_count;
	uint64_t large, size, time;
	int64_t cents;
	const char *word, *own, *operand;
	struct corral_text text;
} to;

static char *said; /* on either stream */

static const char *take_own(void *context, const char *text)
{
	*(const char **)context = text;
	return strcmp(text, "bad") == 0 ? "it is bad" : NULL;
}

/* Read a line whose words have single spaces between them. */
static int take(struct options *options, const char *line, bool *ret_go)
{
	static char copy[512]; /* the targets point into it */
	char *words[WORDS_MAX + 1] = { copy };
	int count = 1;
	size_t size;
	FILE *out = stdout;
	FILE *err = stderr;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *space = strchr(copy, ' '); space != NULL; space = strchr(space, ' ')) {
		assert_true(count < WORDS_MAX);
		*space++ = 0;
		words[count++] = space;
	}
	free(said);
	stdout = stderr = open_memstream(&said, &size);
	int code = options_take(options, count, words, ret_go);
	fclose(stdout);
	stdout = out;
	stderr = err;
	return code;
}

static int take_line(const char *line, bool *ret_go)
{
	const struct option_row rows[] = {
		OPTION(FLAG, "flag", NULL, flag = &to.flag, "a flag", .given = &to.flag_given,
		       .exclusive = true),
		OPTION(FLAG, "other", NULL, flag = &to.other, "another", .exclusive = true),
		OPTION(NUMBER, "number", "N", number = &to.number, "a number", BOUNDS(2, 9)),
		OPTION(LARGE, "large", "V", large = &to.large, "large", BOUNDS(0, UINT64_MAX)),
		OPTION(SIZE, "size", "BYTES", large = &to.size, "a size", BOUNDS(4096, 4 << 20)),
		OPTION(TIME, "time", "TIME", large = &to.time, "a time", BOUNDS(10, 3600000)),
		OPTION(SECONDS, "seconds", "S", number = &to.seconds, "seconds", BOUNDS(1, 60000)),
		OPTION(LIST, "list", "N[,N...]", number = to.list, "a list", BOUNDS(1, 64),
		       .list_count = &to.list_count),
		OPTION(WORD, "word", "FILE", word = &to.word, "a word"),
		OPTION(TEXT, "text", "TEXT", text = &to.text, "a text", BOUNDS(1, 5)),
		OPTION(MONEY, "money", "MONEY", cents = &to.cents,
		       "a help that is so long that it takes more than one line of a terminal "
		       "with eighty columns, or even more than two of them"),
		OPTION(PERCENT, "percent", "RATE", number = &to.percent, "a rate"),
		OPTION(OWN, "own-kind-of-value", "SOMETHING", context = &to.own, "own",
		       .take = take_own, .repeats = true),
		OPTION(FLAG, "secret", NULL, flag = &to.flag, "hidden", .hidden = true),
	};
	const struct option_row file = OPTION(WORD, "FILE", NULL, word = &to.operand, "a file");
	struct options options = { .command = "test",
				   .about = "try this",
				   .version = "7.1",
				   .rows = rows,
				   .count = sizeof(rows) / sizeof(*rows),
				   .once = true,
				   .operands = &file,
				   .operand_count = 1 };

	return take(&options, line, ret_go);
}

static void good(const char *line)
{
	bool go = false;

	memset(&to, 0, sizeof(to));
	if (take_line(line, &go) != 0 || !go)
		fail_msg("'%s' was refused: %s", line, said);
	assert_string_equal(said, "");
}

static void refused(const char *line, const char *why)
{
	bool go = true;

	if (take_line(line, &go) != OPTIONS_USAGE || go)
		fail_msg("'%s' was taken", line);
	if (strncmp(said, "prog: ", 6) != 0 ||
	    strcmp(said + 6 + strcspn(said + 6, "\n"), "\n") != 0)
		fail_msg("'%s': no complaint in one line: %s", line, said);
	if (strstr(said, why) == NULL)
		fail_msg("'%s': not '%s', but: %s", line, why, said);
}

static void each_kind_stores_its_value(void **state)
{
	(void)state;
	good("test --flag --number 7 --large=18446744073709551615 --size 1M --time 2s");
	assert_true(to.flag && to.flag_given && !to.other);
	assert_int_equal(to.number, 7);
	assert_true(to.large == UINT64_MAX);
	assert_int_equal(to.size, 1 << 20);
	assert_int_equal(to.time, 2000);
	good("test --seconds 0.25 --list 1,64,3 --word x=y --text=caf\xc3\xa9");
	assert_false(to.flag_given);
	assert_int_equal(to.seconds, 250);
	assert_int_equal(to.list_count, 3);
	assert_true(to.list[0] == 1 && to.list[1] == 64 && to.list[2] == 3);
	assert_string_equal(to.word, "x=y");
	assert_int_equal(to.text.size, 5);
}

static void names_may_be_shortened_and_operands_may_follow_two_hyphens(void **state)
{
	(void)state;
	good("test --nu 3 --own-kind-of-value a --own b --money 12.99 --percent 8.25%");
	assert_int_equal(to.number, 3);
	assert_string_equal(to.own, "b");
	assert_int_equal(to.cents, 1299);
	good("test file --flag");
	assert_true(to.flag);
	assert_string_equal(to.operand, "file");
	good("test -- --flag");
	assert_false(to.flag);
	assert_string_equal(to.operand, "--flag");
}

static void a_wrong_value_is_refused_with_its_bounds(void **state)
{
	(void)state;
	refused("test --number 1", "wrong value: --number '1': too small a number (2 to 9)");
	refused("test --number 10", "--number '10': too large a number (2 to 9)");
	refused("test --number 5x", "--number '5x': not a whole number");
	refused("test --large 18446744073709551616", "too large a number\n");
	refused("test --size 5M", "--size '5M': too large (4K to 4M)");
	refused("test --time 9ms", "--time '9ms': too short a time (10ms to 1h)");
	refused("test --seconds 61", "--seconds '61': too long a time (0.001 to 60)");
	refused("test --list 1,65", "--list '1,65': too large a number (1 to 64)");
	refused("test --list 1,,2", "--list '1,,2': empty");
	refused("test --list 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "more than 16 numbers");
	refused("test --word=", "--word '': empty");
	refused("test --text=", "(1 to 5 bytes)");
	refused("test --text 123456", "--text '123456': too long (1 to 5 bytes)");
	refused("test --text \xff", "--text '\\xff': not valid UTF-8"); /* and none gets through */
	refused("test --money 1.999", "--money '1.999'");
	refused("test --own bad", "--own-kind-of-value 'bad': it is bad\n");
}

static void the_nearest_name_is_proposed(void **state)
{
	(void)state;
	refused("test --nubmer 3",
		"no such option: --nubmer: did you mean --number? see prog test");
	refused("test --sizes=3", "no such option: --sizes: did you mean --size?");
	refused("test --wrd x", "did you mean --word?");
	refused("test --versoin", "did you mean --version?");
	refused("test --s 1", "no such option: --s: see prog"); /* --size or --seconds */
	refused("test --secret", "no such option: --secret: see prog test --help");
	refused("test --nothing-like-it", "no such option: --nothing-like-it: see prog");
	refused("test -x", "no such option: -x: see prog test --help");
}

static void a_line_as_a_whole_is_checked(void **state)
{
	(void)state;
	refused("test --flag=1", "this option takes no value: --flag=1");
	refused("test --number", "this option needs a value: --number");
	refused("test --flag --flag", "given twice: --flag");
	refused("test --other --flag", "--flag and --other: give one of them");
	refused("test one two", "one word too many: two");
}

static void help_is_the_table_with_its_defaults(void **state)
{
	bool go = true;

	(void)state;
	memset(&to, 0, sizeof(to));
	to.number = 5;
	to.size = 64 << 10;
	to.time = 90000;
	to.seconds = 250;
	to.list[0] = 4;
	to.list[1] = 8;
	to.list_count = 2;
	assert_int_equal(take_line("test --number 7 --help", &go), 0);
	assert_false(go);
	for (char *line = strtok(strdupa(said), "\n"); line != NULL; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 79);
	assert_non_null(strstr(said, "Usage: prog test [FILE] [OPTION]...\n\ntry this\n"));
	assert_non_null(strstr(said, "\n  FILE                  a file\n"));
	assert_non_null(strstr(said, "\n  --number N            a number (default 5)\n"));
	assert_non_null(strstr(said, "\n  --size BYTES          a size (default 64K)\n"));
	assert_non_null(strstr(said, "\n  --time TIME           a time (default 90s)\n"));
	assert_non_null(strstr(said, "\n  --seconds S           seconds (default 0.25)\n"));
	assert_non_null(strstr(said, "\n  --list N[,N...]       a list (default 4,8)\n"));
	assert_non_null(strstr(said, "\n  --own-kind-of-value SOMETHING\n"
				     "                        own\n"));
	assert_non_null(strstr(said, "\n  --version             print the version\n"));
	assert_null(strstr(said, "secret"));
	assert_int_equal(take_line("test --version", &go), 0);
	assert_string_equal(said, "prog 7.1\n");
	refused("test --nope --help", "no such option");
}

static void required_options_and_operands_must_be_there(void **state)
{
	const struct option_row row =
		OPTION(WORD, "must", "WORD", word = &to.word, "needed", .required = true);
	const struct option_row files = { .name = "FILE",
					  .kind = OPTION_KIND_WORD,
					  .repeats = true };
	struct options options = {
		.rows = &row, .count = 1, .operands = &files, .operand_count = 1, .operands_min = 1
	};
	bool go = true;

	(void)state;
	assert_int_equal(take(&options, "prog a", &go), OPTIONS_USAGE);
	assert_string_equal(said, "prog: an option is missing: --must: see prog --help\n");
	assert_int_equal(take(&options, "prog --must x", &go), OPTIONS_USAGE);
	assert_string_equal(said, "prog: something is missing: FILE: see prog --help\n");
	assert_int_equal(take(&options, "prog a b --must x c --must y", &go), 0);
	assert_true(go);
	assert_int_equal(options.operands_at, 5);
	assert_string_equal(to.word, "y"); /* the last counts */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_stores_its_value),
		cmocka_unit_test(names_may_be_shortened_and_operands_may_follow_two_hyphens),
		cmocka_unit_test(a_wrong_value_is_refused_with_its_bounds),
		cmocka_unit_test(the_nearest_name_is_proposed),
		cmocka_unit_test(a_line_as_a_whole_is_checked),
		cmocka_unit_test(help_is_the_table_with_its_defaults),
		cmocka_unit_test(required_options_and_operands_must_be_there),
	};

	streams_begin("prog");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
