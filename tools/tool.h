/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tool.h: what the modules of the program `corral` share: a parsed call, the description of a
 * command, and the ways in which a command ends.
 */
#ifndef CORRAL_TOOLS_TOOL_H
#define CORRAL_TOOLS_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "common/streams.h"
#include "corral.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_NO = 1,    /* the answer is no */
	EXIT_USAGE = 2, /* the call is wrong */
	EXIT_ARENA = 3, /* the arena is not usable */
	EXIT_NO_AGENT = 4,
	EXIT_NO_OUTPUT = 5, /* standard output could not be written */
};

/* ------------------------------------------------------------------ a call */

/* Options by number: HAS(OPTION_...) in the masks below; the order is that of --help. */
enum option_number {
	OPTION_ITEM,
	OPTION_NAME,
	OPTION_PRICE,
	OPTION_QUANTITY,
	OPTION_MODIFIER,
	OPTION_NOTE,
	OPTION_TAX,
	OPTION_RATE,
	OPTION_KIND,
	OPTION_AFTER_TAX,
	OPTION_TAX_INSIDE,
	OPTION_HALF_EVEN,
	OPTION_BELOW_ZERO,
	OPTION_RESTAURANT,
	OPTION_OP_ID,
	OPTION_IF_VERSION,
	OPTION_SYNC,
	OPTION_REPAIR,
	OPTION_MERGE,
	OPTION_METRICS,
	OPTION_FROM,
	OPTION_EVENT_KIND,
	OPTION_FOLLOW,
	OPTION_CURSOR,
	OPTION_CONTENT,
	OPTION_REMOVE,
	OPTION_ORDER,
	OPTION_INTERVAL,
	OPTION_FRAMES,
	OPTION_BATCH,
	OPTION_JSON,
	OPTION_DIR,
	OPTION_COUNT
};

#define HAS(option) (1u << (option))

enum operand {
	OPERAND_NONE, /* ends a list */
	OPERAND_RESTAURANT,
	OPERAND_SESSION,
	OPERAND_LINE,
	OPERAND_QUANTITY,
	OPERAND_TAX,
	OPERAND_NAME,
	OPERAND_VALUE,
	OPERAND_ADJUSTMENT,
	OPERAND_AMOUNT,
	OPERAND_CURRENCY,
	OPERAND_TTL,
	OPERAND_PATH,
	OPERAND_FILE,
	OPERAND_ASIDE,
	OPERAND_SECTION,
	OPERAND_COMMAND,
	OPERAND_COUNT
};

#define OPERANDS_MAX 4

struct currency {
	char code[4]; /* "": none */
	uint32_t digits;
};

/* All arguments, checked and converted. Texts point into argv. */
struct call {
	const struct command *command;
	bool json, metrics, sync, repair, merge, follow, content, batch;
	uint32_t order;            /* enum top_order */
	uint32_t interval_ms;      /* 0: not given */
	uint32_t frames;           /* 0: not given */
	uint64_t from;             /* an event's number, CORRAL_FEED_OLDEST or CORRAL_FEED_NOW */
	uint32_t kinds;            /* of events; 0: all */
	struct corral_text cursor; /* its name; empty: none */
	bool taxed;                /* --tax was given */
	bool tax_inside, half_even, below_zero, after_tax;
	const char *dir;
	struct corral_key key;
	struct corral_item item;
	struct corral_modifier modifiers[CORRAL_MODIFIERS_MAX];
	/*
	 * Amounts as they are written. They are read when the currency is known, that of the cart
	 * or else that of the arena.
	 */
	const char *price;
	const char *modifier_prices[CORRAL_MODIFIERS_MAX];
	const char *amount; /* of an adjustment; NULL: take it away */
	struct corral_adjustment adjustment;
	struct currency currency;
	struct corral_op op;
	uint32_t line;
	uint32_t quantity;
	uint32_t tax_ppm;
	struct corral_text name;
	struct corral_text value;
	bool has_value;
	uint64_t ttl_ms;
	struct steps *steps; /* apply: the steps it has read; else NULL */
	const char *word;    /* PATH, FILE, SECTION or COMMAND; NULL: not given */
};

struct command {
	const char *name;
	enum exit_code (*run)(struct call *call);
	const char *about; /* one line */
	enum operand operands[OPERANDS_MAX + 1];
	unsigned operands_least; /* the others are optional */
	uint32_t options;
	uint32_t required;
	const char *more; /* for --help; NULL for nothing */
};

extern const struct command commands[];               /* ends with a NULL name */
const struct command *command_find(const char *name); /* NULL after a complaint */

/* For completion, see common/options.h. */
struct option_choice;
struct option_choice command_choice(uint32_t index);
struct option_choice section_choice(uint32_t index); /* cmd_inspect.c */

/* Print the help of the whole program. */
struct options;
void explain_all(const struct options *options);

/*
 * options.c: parse argv (argv[0]: the command's name) into a call. *ret_go: the command is to run;
 * otherwise its help was printed, or EXIT_USAGE follows a complaint.
 */
enum exit_code options_read(int argc, char **argv, struct call *call, bool *ret_go);

/* The same for what stands in front of the command, which is argv[*ret_command]. */
enum exit_code options_read_first(int argc, char **argv, struct call *call, int *ret_command,
				  bool *ret_go);

/* ---------------------------------------------------------------- commands */

enum exit_code run_add(struct call *call);
enum exit_code run_quantity(struct call *call);
enum exit_code run_remove(struct call *call);
enum exit_code run_clear(struct call *call);
enum exit_code run_tax(struct call *call);
enum exit_code run_attribute(struct call *call);
enum exit_code run_ttl(struct call *call);
enum exit_code run_adjust(struct call *call);
enum exit_code run_pricing(struct call *call);
enum exit_code run_currency(struct call *call);
enum exit_code run_checkout(struct call *call);
enum exit_code run_apply(struct call *call);
enum exit_code run_drop(struct call *call);
enum exit_code run_show(struct call *call);
enum exit_code run_ls(struct call *call);
enum exit_code run_watch(struct call *call);
enum exit_code run_events(struct call *call);
enum exit_code run_history(struct call *call);
enum exit_code run_cursors(struct call *call);
enum exit_code run_top(struct call *call);
enum exit_code run_status(struct call *call);
enum exit_code run_inspect(struct call *call);
enum exit_code run_check(struct call *call);
enum exit_code run_clean(struct call *call);
enum exit_code run_snapshot(struct call *call);
enum exit_code run_restore(struct call *call);
enum exit_code run_help(struct call *call);

/* ------------------------------------------------------------------ report.c */

/* Print "corral: ..." on standard error, with terminal controls escaped. The value is `code`. */
#define complain(code, ...) (streams_complain(__VA_ARGS__), (code))

/* Report an error of the library about a cart: the error, the cart and the remedy. */
enum exit_code complain_cart(const struct call *call, int error);

/* The same for a change whose step `step` was refused; 0: the change as a whole was. */
enum exit_code complain_step(const struct call *call, uint32_t step, int error);

/* Report that a change was made, but that waiting for the disk ended with this error. */
enum exit_code complain_sync(const char *done, int error);

/*
 * Report an error about an arena as a whole; why says what is wrong and what to do ("": use the
 * error's meaning).
 */
enum exit_code complain_arena(const char *where, int error, const char *why);

/* Returns memory; ends the program when it is NULL. */
void *must_have(void *memory);

/* Open the call's arena; complains on failure. */
enum exit_code open_arena(const struct call *call, unsigned flags, struct corral **ret_corral);

/* Tools read in this way: they neither change a cart nor prolong its life. */
#define LOOK_ONLY (CORRAL_OBSERVE | CORRAL_READ_ONLY)

/* --------------------------------------------------------------- signals.c */

/*
 * For a command that waits: from now on a signal ends the wait only; did one come; and, once all is
 * given back, end by it if one came.
 */
void signals_catch(void);
bool signals_stop(void);
void signals_end(void);

/* ------------------------------------------------------------------ json.c */

json_t *json_of_text(const char *text, size_t size);
json_t *json_of_time(int64_t unix_ms); /* null when the time has no calendar date */
json_t *json_of_cart(const struct corral_cart *cart);
json_t *json_of_entry(const struct corral_entry *entry);
json_t *json_of_result(const struct corral_result *result);
json_t *json_of_lines(const uint32_t *lines, uint32_t count); /* an array of numbers */
const char *status_name(uint32_t status);

/* Add a new reference under a key that need not end in NUL. */
void json_put(json_t *object, struct corral_text key, json_t *value);

/* Terminal-safe text in one line, to be freed with free(). */
char *json_line(const json_t *value);

/* Print as one line, and drop the reference. */
void json_print(json_t *value);

/*
 * extras.c: one MessagePack value as JSON. Never fails: values that JSON cannot express become
 * their bytes in hexadecimal.
 */
json_t *json_of_msgpack(const void *bytes, size_t size);

/* The other way: bytes to be given to free(). */
void *msgpack_of_json(const json_t *value, size_t *ret_size);

/* ----------------------------------------------------------------- steps.c */

/* The contents of one JSON line. Texts point into `json`. */
struct step_input {
	json_t *json;
	struct corral_item item; /* the id, name and quantity of a step without an item, too */
	struct corral_modifier modifiers[CORRAL_MODIFIERS_MAX];
	struct corral_extra extras[CORRAL_EXTRAS_MAX]; /* values from msgpack_of_json() */
	uint32_t line;
	int32_t difference;
	uint32_t tax_ppm;
	uint64_t ttl_ms;
	uint32_t pricing;
	struct corral_adjustment adjustment; /* its name is the item's */
	struct corral_text currency;
	struct corral_text value;
	bool has_value;
};

struct steps {
	uint32_t count;
	struct corral_step list[CORRAL_STEPS_MAX];
	struct step_input inputs[CORRAL_STEPS_MAX];
	uint32_t lines[CORRAL_STEPS_MAX]; /* what the change answers for each */
};

/* Read steps, one JSON object a line, to the stream's end. Complains about what is wrong. */
enum exit_code steps_read(FILE *stream, struct steps *steps);

struct steps *steps_new(void); /* none yet */
void steps_free(struct steps *steps);

/* ------------------------------------------------------------ cmd_events.c */

/* An event in one line, safe for terminals, to be freed with free(). with_key: whose cart, too. */
char *event_line(const struct corral_event *event, bool with_key);

/* -------------------------------------------------------------- cmd_read.c */

/* Print a cart as the call wants it. */
void print_cart(const struct call *call, const struct corral_cart *cart);

/* ----------------------------------------------------------------- human.c */

/* Print a cart for people. */
void human_print_cart(const struct corral_cart *cart);

/* Add a value as the next cell; the ending of its key tells whether it is bytes or a time. */
struct table;
void human_put_value(struct table *table, const char *key, const json_t *value);

#endif
