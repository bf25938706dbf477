/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.h: the command line of a program, or of one of its commands. A table describes each
 * option and operand: its name, its kind, where its value goes, which values are valid, and its
 * line in --help. So what is accepted and what --help says cannot diverge.
 *
 * The value that a target has beforehand is the default that --help shows; one below min is none.
 * getopt_long() reads the words: --name VALUE, --name=VALUE, a unique beginning of a name, and --
 * before what is no option.
 */
#ifndef CORRAL_TOOLS_OPTIONS_H
#define CORRAL_TOOLS_OPTIONS_H

#include <stdbool.h>

#include "corral.h"

#define OPTIONS_MAX 32u      /* rows of a table */
#define OPTIONS_LIST_MAX 16u /* numbers in a list */
#define OPTIONS_USAGE 2      /* the exit code of a wrong command line, in all our programs */

enum option_kind {
	OPTION_KIND_FLAG,    /* takes no value */
	OPTION_KIND_NUMBER,  /* a whole number */
	OPTION_KIND_LARGE,   /* one of 64 bits */
	OPTION_KIND_SIZE,    /* bytes, or any large number, as 64M or 1G */
	OPTION_KIND_TIME,    /* milliseconds, as 30m or 500ms */
	OPTION_KIND_SECONDS, /* milliseconds, as 2 or 0.25 seconds */
	OPTION_KIND_LIST,    /* whole numbers with commas between them */
	OPTION_KIND_WORD,    /* any text but an empty one */
	OPTION_KIND_TEXT,    /* UTF-8; min and max are bytes */
	OPTION_KIND_MONEY,   /* cents, as 12.99 */
	OPTION_KIND_PERCENT, /* millionths, as 8.25% */
	OPTION_KIND_OWN      /* read by a function of the program */
};

/* Check a text and store its value; returns NULL, or what is wrong with it. */
typedef const char *option_take(void *context, const char *text);

/* The words that a value may be, one by one, for completion; without a name behind the last. */
struct option_choice {
	const char *name;
	const char *about; /* or NULL */
};
typedef struct option_choice option_choices(uint32_t index);

struct option_row {
	const char *name;  /* an option's without the hyphens; an operand's as --help shows it */
	const char *value; /* how --help names the option's value: "N", "MS", "FILE" */
	enum option_kind kind;
	bool repeats; /* the option, or the last operand, may be given more than once */
	bool hidden;  /* there is no such option */
	bool required;
	bool exclusive; /* of those that are, one may be given */
	bool *given;    /* set when the option is given; or NULL */
	union {
		bool *flag;
		uint32_t *number; /* of NUMBER, SECONDS, LIST (OPTIONS_LIST_MAX of them), PERCENT */
		uint64_t *large;  /* of LARGE, SIZE, TIME */
		int64_t *cents;
		const char **word; /* NULL: it is not stored */
		struct corral_text *text;
		void *context; /* of OWN */
	} target;
	uint32_t *list_count;
	option_take *take;
	option_choices *choices; /* or NULL */
	uint64_t min, max;
	const char *help;
};

/* A row; behind the help come more members, if any. */
#define OPTION(kind_, name_, value_, target_, help_, ...)                                          \
	{                                                                                          \
		.kind = OPTION_KIND_##kind_, .name = (name_), .value = (value_), .target.target_,  \
		.help = (help_), ##__VA_ARGS__                                                     \
	}
#define BOUNDS(min_, max_) .min = (min_), .max = (max_)

struct options {
	const char *command; /* of the program; NULL: the command line is the program's own */
	const char *about;   /* what it does */
	const char *more;    /* for the end of --help, in lines; NULL: nothing */
	const char *version; /* what --version says; NULL: there is no such option */
	/* Called in place of options_help(), unless NULL. */
	void (*help)(const struct options *options);

	const struct option_row *rows;
	uint32_t count;
	bool once;            /* an option that is given twice is refused; else the last counts */
	bool ends_at_operand; /* what follows the first operand is no option of this table */
	option_choices *commands; /* what that operand may be, or NULL */

	const struct option_row *operands;
	uint32_t operand_count;
	uint32_t operands_min;

	int operands_at; /* options_take() sets it: the operands begin at argv[operands_at] */
};

/*
 * Read the command line; argv[0] is skipped. *ret_go: the program is to run. Otherwise the result
 * is its exit code: 0 after --help or --version, OPTIONS_USAGE after a complaint on standard error.
 * Targets are set up to the first fault.
 *
 * If the program's first argument is --complete, no target is set: the shells' completion asks what
 * the last word may be (tools/completion). It is printed, each possibility in a line with a tab and
 * a description; ":files" and ":directories" stand for all of those.
 */
int options_take(struct options *options, int argc, char **argv, bool *ret_go);

/* Print the help, or the lines of its options only, on standard output. */
void options_help(const struct options *options);
void options_help_rows(const struct options *options);

/* Complain: "PROGRAM: message: see PROGRAM COMMAND --help". Returns OPTIONS_USAGE. */
int options_wrong(const struct options *options, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The one of many names that a typed one may stand for: offer them all. */
struct nearest {
	const char *typed;
	const char *name; /* NULL: none is near */
	size_t differ;    /* letters */
};
void nearest_offer(struct nearest *nearest, const char *name);

/*
 * Complain: "PROGRAM: no such WHAT: TYPED: did you mean NAME? see CALL --help". hyphens: in front
 * of both names. Returns OPTIONS_USAGE.
 */
int options_unknown(const char *what, const char *hyphens, const struct nearest *nearest,
		    const char *call);

#endif
