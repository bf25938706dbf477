/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.c: a table of options, a command line, and the help. See options.h.
 */
#include "common/options.h"

#include <assert.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "common/parse.h"
#include "common/streams.h"

#define CALL_BYTES 64  /* of "corral add" */
#define HELP_BYTES 512 /* of an option's line, unwrapped */
#define HELP_COLUMNS 79u
#define HELP_INDENT 24u

/* What getopt_long() returns for an option; below them are the characters of short ones. */
enum { FOUND_HELP = 256, FOUND_VERSION, FOUND_ROW };

/* ------------------------------------------------------------------- values */

/* A list like "100,10000". */
static const char *take_list(const struct option_row *row, const char *text)
{
	uint32_t list[OPTIONS_LIST_MAX];
	uint32_t count = 0;
	uint64_t number;
	char *rest = strdupa(text);

	for (const char *one; (one = strsep(&rest, ",")) != NULL;
	     list[count++] = (uint32_t)number) {
		const char *wrong = count < OPTIONS_LIST_MAX ?
					    parse_number(one, row->min, row->max, &number) :
					    "more than 16 numbers";
		if (wrong != NULL)
			return wrong;
	}
	memcpy(row->target.number, list, count * sizeof(*list));
	*row->list_count = count;
	return NULL;
}

static const char *take_value(const struct option_row *row, const char *text)
{
	static const char *(*const parsers[])(const char *, uint64_t, uint64_t, uint64_t *) = {
		[OPTION_KIND_NUMBER] = parse_number,   [OPTION_KIND_LARGE] = parse_number,
		[OPTION_KIND_SIZE] = parse_size,       [OPTION_KIND_TIME] = parse_duration,
		[OPTION_KIND_SECONDS] = parse_seconds,
	};
	uint64_t number = 0;
	size_t size = 0;
	const char *wrong = NULL;

	switch (row->kind) {
	case OPTION_KIND_FLAG:
		*row->target.flag = true;
		return NULL;
	case OPTION_KIND_NUMBER:
	case OPTION_KIND_SECONDS:
		wrong = parsers[row->kind](text, row->min, row->max, &number);
		if (wrong == NULL)
			*row->target.number = (uint32_t)number;
		return wrong;
	case OPTION_KIND_LARGE:
	case OPTION_KIND_SIZE:
	case OPTION_KIND_TIME:
		return parsers[row->kind](text, row->min, row->max, row->target.large);
	case OPTION_KIND_LIST:
		return take_list(row, text);
	case OPTION_KIND_WORD:
		if (*text && row->target.word != NULL)
			*row->target.word = text;
		return *text ? NULL : "empty";
	case OPTION_KIND_TEXT:
		wrong = parse_text(text, row->min, row->max, &size);
		if (wrong == NULL)
			*row->target.text = (struct corral_text){ text, size };
		return wrong;
	case OPTION_KIND_MONEY:
		return parse_money(text, false, row->target.cents);
	case OPTION_KIND_PERCENT:
		return parse_percent(text, row->target.number);
	case OPTION_KIND_OWN:
		return row->take(row->target.context, text);
	}
	return NULL;
}

/* A number as it is typed: 65536 bytes as 64K. */
static const char *show(const struct option_row *row, uint64_t number, char buffer[FORMAT_MAX])
{
	static const struct unit {
		const char *name;
		uint64_t factor;
	} sizes[] = { { "G", 1 << 30 }, { "M", 1 << 20 }, { "K", 1 << 10 }, { "", 1 } }, times[] = {
		{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }
	};
	const struct unit *unit = row->kind == OPTION_KIND_SIZE ? sizes :
				  row->kind == OPTION_KIND_TIME ? times :
								  &sizes[3];

	while (number % unit->factor)
		unit++;
	if (row->kind == OPTION_KIND_SECONDS)
		snprintf(buffer, FORMAT_MAX, "%g", (double)number / 1000);
	else
		snprintf(buffer, FORMAT_MAX, "%" PRIu64 "%s", number / unit->factor, unit->name);
	return buffer;
}

/* ------------------------------------------------------------------- faults */

/* "corral add" */
static const char *name_of(const struct options *options, char buffer[CALL_BYTES])
{
	snprintf(buffer, CALL_BYTES, "%s%s%s", streams_program(),
		 options->command != NULL ? " " : "",
		 options->command != NULL ? options->command : "");
	return buffer;
}

int options_wrong(const struct options *options, const char *format, ...)
{
	char call[CALL_BYTES];
	char message[512];
	va_list list;

	va_start(list, format);
	vsnprintf(message, sizeof(message), format, list);
	va_end(list);
	streams_complain("%s: see %s --help", message, name_of(options, call));
	return OPTIONS_USAGE;
}

/* Two names are near if one place of at most two letters is all in which they differ. */
void nearest_offer(struct nearest *nearest, const char *name)
{
	const char *typed = nearest->typed;
	size_t typed_size = strlen(typed);
	size_t size = strlen(name);
	size_t shorter = min_u64(typed_size, size);
	size_t head = 0;
	size_t tail = 0;

	while (head < shorter && typed[head] == name[head])
		head++;
	while (tail < shorter - head && typed[typed_size - 1 - tail] == name[size - 1 - tail])
		tail++;
	size_t differ = head == typed_size ? 0 : typed_size + size - shorter - head - tail;
	if (head + tail > 1 && differ <= 2 && (nearest->name == NULL || differ < nearest->differ)) {
		nearest->name = name;
		nearest->differ = differ;
	}
}

int options_unknown(const char *what, const char *hyphens, const struct nearest *nearest,
		    const char *call)
{
	bool near = nearest->name != NULL;

	streams_complain("no such %s: %s%s:%s%s%s%s see %s --help", what, hyphens, nearest->typed,
			 near ? " did you mean " : "", near ? hyphens : "",
			 near ? nearest->name : "", near ? "?" : "", call);
	return OPTIONS_USAGE;
}

/* An option that getopt_long() refused: word is as it was typed. */
static int refuse_option(const struct options *options, const struct option *list, int found,
			 char *word)
{
	struct nearest nearest = { .typed = word + 2 };
	char call[CALL_BYTES];

	if (found == ':')
		return options_wrong(options, "this option needs a value: %s", word);
	if (optopt >= FOUND_HELP)
		return options_wrong(options, "this option takes no value: %s", word);
	if (optopt) /* one of several letters, perhaps */
		return options_wrong(options, "no such option: -%c", optopt);
	word[strcspn(word, "=")] = 0;
	for (; list->name != NULL; list++)
		nearest_offer(&nearest, list->name);
	return options_unknown("option", "--", &nearest, name_of(options, call));
}

static int refuse_value(const struct option_row *row, const char *hyphens, const char *text,
			const char *wrong)
{
	bool bounded = row->max > 0 && row->max < UINT64_MAX;
	char range[2 * FORMAT_MAX + 16] = "";
	char least[FORMAT_MAX];
	char most[FORMAT_MAX];

	if (bounded)
		snprintf(range, sizeof(range), " (%s to %s%s)", show(row, row->min, least),
			 show(row, row->max, most), row->kind == OPTION_KIND_TEXT ? " bytes" : "");
	streams_complain("wrong value: %s%s '%s': %s%s", hyphens, row->name, text, wrong, range);
	return OPTIONS_USAGE;
}

/* -------------------------------------------------------- options, operands */

static int take_option(const struct options *options, uint64_t *given, int number, const char *text)
{
	const struct option_row *row = &options->rows[number];
	uint64_t bit = 1ull << number;
	const char *wrong;

	if (options->once && !row->repeats && (*given & bit))
		return options_wrong(options, "given twice: --%s", row->name);
	*given |= bit;
	if (row->given != NULL)
		*row->given = true;
	wrong = take_value(row, text);
	return wrong != NULL ? refuse_value(row, "--", text, wrong) : 0;
}

static int take_operands(const struct options *options, char **words)
{
	uint32_t count = 0, at = 0;

	for (; *words != NULL; words++, count++) {
		if (at == options->operand_count)
			return options_wrong(options, "one word too many: %s", *words);
		const struct option_row *row = &options->operands[at];
		const char *wrong = take_value(row, *words);
		if (wrong != NULL)
			return refuse_value(row, "", *words, wrong);
		at += !row->repeats;
	}
	if (count < options->operands_min)
		return options_wrong(options, "something is missing: %s",
				     options->operands[at].name);
	return 0;
}

static int check_given(const struct options *options, uint64_t given)
{
	const struct option_row *other = NULL;

	for (const struct option_row *row = options->rows; row < options->rows + options->count;
	     row++, given >>= 1) {
		if (row->required && !(given & 1))
			return options_wrong(options, "an option is missing: --%s", row->name);
		if (!row->exclusive || !(given & 1))
			continue;
		if (other != NULL)
			return options_wrong(options, "--%s and --%s: give one of them",
					     other->name, row->name);
		other = row;
	}
	return 0;
}

/* The table in getopt_long()'s form. */
static void make_list(const struct options *options, struct option list[OPTIONS_MAX + 3])
{
	for (uint32_t i = 0; i < options->count; i++)
		if (!options->rows[i].hidden)
			*list++ = (struct option){
				.name = options->rows[i].name,
				.has_arg = options->rows[i].value != NULL ? required_argument :
									    no_argument,
				.val = FOUND_ROW + (int)i,
			};
	if (options->version != NULL)
		*list++ = (struct option){ .name = "version", .val = FOUND_VERSION };
	*list = (struct option){ .name = "help", .val = FOUND_HELP };
}

/* --------------------------------------------------------------- completion */

static bool completing; /* the program's first argument is --complete */

/* The possible values of an operand, or of an option. */
static void print_choices(const char *kind, option_choices *choices)
{
	if (choices)
		for (uint32_t i = 0; choices(i).name; i++)
			printf("%s\t%s\n", choices(i).name,
			       choices(i).about ? choices(i).about : "");
	else if (strcmp(kind, "FILE") == 0 || strcmp(kind, "PATH") == 0)
		printf(":files\n");
	else if (strcmp(kind, "DIR") == 0)
		printf(":directories\n");
}

static void print_names(const struct options *options)
{
	for (uint32_t i = 0; i < options->count; i++)
		if (!options->rows[i].hidden)
			printf("--%s\t%s\n", options->rows[i].name, options->rows[i].help);
	if (options->version)
		printf("--version\tprint the version\n");
	printf("--help\tprint the help\n");
}

/* The option that takes the next word as its value; or NULL. */
static const struct option_row *wants_value(const struct options *options, const char *word)
{
	for (const struct option_row *row = options->rows; row < options->rows + options->count;
	     row++)
		if (row->value && !row->hidden && strcmp(word + 2, row->name) == 0)
			return row;
	return NULL;
}

/* argv[at] and what follows was typed, the last word perhaps in part. */
static int complete(struct options *options, int at, int argc, char **argv, bool *ret_go)
{
	const struct option_row *option = NULL; /* its value comes next */
	uint32_t operand = 0;
	const char *last = argv[argc - 1];
	bool only_operands = false;

	for (; at < argc - 1; at++) {
		if (option) {
			option = NULL;
		} else if (!only_operands && strncmp(argv[at], "--", 2) == 0) {
			option = wants_value(options, argv[at]);
			only_operands = !argv[at][2];
		} else if (options->ends_at_operand) {
			options->operands_at = at;
			*ret_go = true;
			return 0;
		} else if (operand < options->operand_count &&
			   !options->operands[operand].repeats) {
			operand++;
		}
	}
	if (option)
		print_choices(option->value, option->choices);
	else if (!only_operands && last[0] == '-')
		print_names(options);
	else if (options->ends_at_operand)
		print_choices("", options->commands);
	else if (operand < options->operand_count)
		print_choices(options->operands[operand].name, options->operands[operand].choices);
	return 0;
}

/* ------------------------------------------------------------- command lines */

/*
 * The words are read twice: first for --help and --version, since --help shows the targets as they
 * were.
 */
int options_take(struct options *options, int argc, char **argv, bool *ret_go)
{
	struct option list[OPTIONS_MAX + 3] = { 0 };
	const char *letters = options->ends_at_operand ? "+:h" : ":h";
	uint64_t given = 0;
	int found;
	int code;

	assert(options->count <= OPTIONS_MAX);
	*ret_go = false;
	if (!options->command && argc > 1 && strcmp(argv[1], "--complete") == 0)
		completing = true;
	if (completing)
		return complete(options, options->command ? 1 : 2, argc, argv, ret_go);
	make_list(options, list);
	opterr = 0;
	optind = 0; /* from the start; the program may have read another command line */
	do
		found = getopt_long(argc, argv, letters, list, NULL);
	while (found >= FOUND_ROW);
	if (found == 'h' || found == FOUND_HELP) {
		(options->help != NULL ? options->help : options_help)(options);
		return 0;
	}
	if (found == FOUND_VERSION) {
		printf("%s %s\n", streams_program(), options->version);
		return 0;
	}
	optind = 0;
	while ((found = getopt_long(argc, argv, letters, list, NULL)) != -1) {
		if (found < FOUND_ROW)
			return refuse_option(options, list, found, argv[optind - 1]);
		code = take_option(options, &given, found - FOUND_ROW, optarg);
		if (code)
			return code;
	}
	options->operands_at = optind;
	code = options->ends_at_operand ? 0 : take_operands(options, argv + optind);
	if (!code)
		code = check_given(options, given);
	*ret_go = code == 0;
	return code;
}

/* --------------------------------------------------------------------- help */

/* Print words from this column on, in as many lines as they take. */
static void print_words(const char *words, size_t column, size_t indent)
{
	for (size_t size; *words; words += size) {
		words += *words == ' ';
		size = strcspn(words, " ");
		if (column > indent && column + 1 + size > HELP_COLUMNS) {
			printf("\n%*s", (int)indent, "");
			column = indent;
		}
		column += (size_t)printf("%s%.*s", column > indent ? " " : "", (int)size, words);
	}
	putchar('\n');
}

static void print_line(const char *hyphens, const char *name, const char *value, const char *help)
{
	size_t column = (size_t)printf("  %s%s%s%s", hyphens, name, value != NULL ? " " : "",
				       value != NULL ? value : "");

	printf("%*s", column < HELP_INDENT ? (int)(HELP_INDENT - column) : 0, "");
	print_words(help, column < HELP_INDENT ? HELP_INDENT : HELP_COLUMNS, HELP_INDENT);
}

/* An option's help with its default, in `text`. */
static const char *describe(const struct option_row *row, char *text, size_t size)
{
	bool large = row->kind == OPTION_KIND_SIZE || row->kind == OPTION_KIND_TIME;
	bool small = row->kind == OPTION_KIND_NUMBER || row->kind == OPTION_KIND_SECONDS;
	uint32_t count = row->kind == OPTION_KIND_LIST ? *row->list_count : large || small;
	size_t length = (size_t)snprintf(text, size, "%s", row->help);
	char number[FORMAT_MAX];

	for (uint32_t i = 0; i < count && length < size; i++) {
		uint64_t value = large ? *row->target.large : row->target.number[i];
		if (value >= row->min)
			length += (size_t)snprintf(
				text + length, size - length, "%s%s%s", i == 0 ? " (default " : ",",
				show(row, value, number), i + 1 == count ? ")" : "");
	}
	return text;
}

void options_help_rows(const struct options *options)
{
	char text[HELP_BYTES];

	for (uint32_t i = 0; i < options->operand_count; i++)
		if (options->operands[i].help != NULL)
			print_line("", options->operands[i].name, NULL, options->operands[i].help);
	for (const struct option_row *row = options->rows; row < options->rows + options->count;
	     row++)
		if (!row->hidden)
			print_line("--", row->name, row->value, describe(row, text, sizeof(text)));
	if (options->operand_count)
		print_line("--", "", NULL, "what follows is no option");
	if (options->version != NULL)
		print_line("--", "version", NULL, "print the version");
	print_line("--", "help", NULL, "print this");
}

void options_help(const struct options *options)
{
	char call[CALL_BYTES];

	printf("Usage: %s", name_of(options, call));
	for (uint32_t i = 0; i < options->operand_count; i++)
		printf(i < options->operands_min ? " %s%s" : " [%s%s]", options->operands[i].name,
		       options->operands[i].repeats ? "..." : "");
	for (uint32_t i = 0; i < options->count; i++)
		if (options->rows[i].required)
			printf(" --%s %s", options->rows[i].name, options->rows[i].value);
	printf(" [OPTION]...\n\n");
	print_words(options->about, 0, 0);
	putchar('\n');
	options_help_rows(options);
	if (options->more != NULL)
		printf("\n%s\n", options->more);
}
