/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.c: the command line of a benchmark. See options.h.
 */
#include <getopt.h>
#include <string.h>

#include "options.h"

#define HELP_WIDTH 20 /* of an option and its value */

/* ------------------------------------------------------------------- values */

/* Parse a list like "100,10000", in place. */
static bool take_list(const struct option_row *row, char *list)
{
	uint32_t count = 0;

	for (char *next = list; next != NULL;) {
		char *text = strsep(&next, ",");
		uint64_t value;

		if (count == OPTIONS_LIST_MAX) {
			bench_say("--%s: more than %u numbers", row->name, OPTIONS_LIST_MAX);
			return false;
		}
		if (!bench_number(row->name, text, row->min, row->max, &value))
			return false;
		row->target.list[count++] = (uint32_t)value;
	}
	*row->list_count = count;
	return true;
}

/* Parse seconds like "2" or "0.25" into milliseconds. */
static bool take_seconds(const struct option_row *row, const char *text)
{
	static const char *const digits = "0123456789";
	size_t whole = strspn(text, digits);
	size_t decimals = text[whole] == '.' ? strspn(text + whole + 1, digits) : 0;
	const char *end = text + whole + (decimals > 0 ? 1 + decimals : 0);
	uint64_t ms = 0;

	if (whole == 0 || *end != '\0' || decimals > 3) {
		bench_say("--%s: '%s' is no number of seconds, such as 2 or 0.25", row->name, text);
		return false;
	}
	/* the whole seconds, then three decimals, the last of which may be missing */
	for (size_t i = 0; i < whole + 3 && ms <= row->max; i++) {
		size_t at = i < whole ? i : i + 1;
		ms = 10 * ms + (i < whole + decimals ? (uint64_t)(text[at] - '0') : 0);
	}
	if (ms < row->min || ms > row->max) {
		bench_say("--%s: %s is not between 0.001 and %llu", row->name, text,
			  (unsigned long long)(row->max / 1000));
		return false;
	}
	*row->target.number = (uint32_t)ms;
	return true;
}

static bool take(const struct option_row *row)
{
	uint64_t value;

	switch (row->kind) {
	case OPTION_KIND_FLAG:
		*row->target.flag = true;
		return true;
	case OPTION_KIND_NUMBER:
		if (!bench_number(row->name, optarg, row->min, row->max, &value))
			return false;
		*row->target.number = (uint32_t)value;
		return true;
	case OPTION_KIND_SECONDS:
		return take_seconds(row, optarg);
	case OPTION_KIND_LARGE:
		return bench_number(row->name, optarg, row->min, row->max, row->target.large);
	case OPTION_KIND_LIST:
		return take_list(row, optarg);
	case OPTION_KIND_TEXT:
		*row->target.text = optarg;
		return true;
	}
	return false;
}

/* --------------------------------------------------------------------- help */

static void print_row(const struct option_row *row)
{
	char name[64];

	snprintf(name, sizeof(name), "--%s %s", row->name, row->unit != NULL ? row->unit : "");
	printf("  %-*s %s", HELP_WIDTH, name, row->help);
	if (row->kind == OPTION_KIND_NUMBER)
		printf(" (default %u)", *row->target.number);
	if (row->kind == OPTION_KIND_SECONDS)
		printf(" (default %g)", *row->target.number / 1000.0);
	for (uint32_t i = 0; row->kind == OPTION_KIND_LIST && i < *row->list_count; i++)
		printf("%s%u", i == 0 ? " (default " : ",", row->target.list[i]);
	printf("%s\n", row->kind == OPTION_KIND_LIST ? ")" : "");
}

static void print_help(const struct options *options)
{
	bench_help();
	for (size_t i = 0; i < options->count; i++)
		print_row(&options->rows[i]);
	printf("  %-*s %s\n", HELP_WIDTH, "--help", "this text");
}

/* ------------------------------------------------------------ command line */

/* Checked before any option is stored: the help shows the targets' values as the defaults. */
static bool asks_for_help(const struct option *long_options, int help, int argc, char **argv)
{
	int option;

	opterr = 0;
	optind = 1;
	do
		option = getopt_long(argc, argv, "", long_options, NULL);
	while (option > 0 && option < help);
	opterr = 1;
	return option == help;
}

static enum bench_exit take_all(const struct options *options, const struct option *long_options,
				int argc, char **argv)
{
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (option < 1 || (size_t)option > options->count ||
		    !take(&options->rows[option - 1]))
			return bench_usage(options->benchmark, "wrong arguments");
	if ((uint32_t)(argc - optind) < options->operands_min)
		return bench_usage(options->benchmark, "which file?");
	if ((uint32_t)(argc - optind) > options->operands_max)
		return bench_usage(options->benchmark, "what is '%s'?",
				   argv[optind + (int)options->operands_max]);
	return BENCH_DONE;
}

enum bench_exit options_take(const struct options *options, int argc, char **argv, bool *ret_go)
{
	struct option long_options[OPTIONS_MAX + 2] = { 0 };
	int help = (int)options->count + 1;

	for (size_t i = 0; i < options->count; i++) {
		const struct option_row *row = &options->rows[i];
		int argument = row->kind == OPTION_KIND_FLAG ? no_argument : required_argument;
		long_options[i] = (struct option){ row->name, argument, NULL, (int)i + 1 };
	}
	long_options[options->count] = (struct option){ "help", no_argument, NULL, help };
	*ret_go = false;
	if (asks_for_help(long_options, help, argc, argv)) {
		print_help(options);
		return BENCH_DONE;
	}
	enum bench_exit result = take_all(options, long_options, argc, argv);
	*ret_go = result == BENCH_DONE;
	return result;
}
