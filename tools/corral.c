/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * corral.c: the table of the program `corral`'s commands, and the command that explains them. The
 * others are in cmd_*.c; main() is in main.c.
 */
#include <stdio.h>
#include <string.h>

#include "common/options.h"
#include "tool.h"

#define R_S OPERAND_RESTAURANT, OPERAND_SESSION
#define LOOKING (HAS(OPTION_DIR) | HAS(OPTION_JSON))
#define CHANGING (LOOKING | HAS(OPTION_OP_ID) | HAS(OPTION_IF_VERSION) | HAS(OPTION_SYNC))
#define ITEM_REQUIRED (HAS(OPTION_ITEM) | HAS(OPTION_NAME) | HAS(OPTION_PRICE))
#define ITEM_OPTIONS                                                                               \
	(ITEM_REQUIRED | HAS(OPTION_QUANTITY) | HAS(OPTION_MODIFIER) | HAS(OPTION_NOTE) |          \
	 HAS(OPTION_TAX) | HAS(OPTION_RATE))

const struct command commands[] = {
	{ "add",
	  run_add,
	  "add an item to a cart; makes the cart if it is not there",
	  { R_S },
	  2,
	  CHANGING | ITEM_OPTIONS,
	  ITEM_REQUIRED,
	  "An item equal to one in the cart (same id, price, rate, modifiers and note) raises "
	  "that\n"
	  "line's quantity. With --tax the cart's rate is set, too, in the same change. Amounts\n"
	  "are in the cart's currency: 500 is 500 yen, 5.00 euros are 5." },
	{ "show", run_show, "show a cart", { R_S }, 2, LOOKING, 0, NULL },
	{ "ls", run_ls, "list the carts", { 0 }, 0, LOOKING | HAS(OPTION_RESTAURANT), 0, NULL },
	{ "watch",
	  run_watch,
	  "tell each change of a cart, and show it, until it ends",
	  { R_S },
	  2,
	  LOOKING,
	  0,
	  "Waits for a cart that is not there yet. With --json each line is an event, as corral\n"
	  "events prints it, or the cart as it is then, as corral show does, which has no kind.\n"
	  "Without events (corral-agent --feed off, or carts on servers) it shows the cart alone;\n"
	  "of changes in quick succession only the last may be seen then." },
	{ "events",
	  run_events,
	  "print what happened to carts, one line for each change and each end",
	  { 0 },
	  0,
	  LOOKING | HAS(OPTION_RESTAURANT) | HAS(OPTION_FROM) | HAS(OPTION_EVENT_KIND) |
		  HAS(OPTION_FOLLOW) | HAS(OPTION_CURSOR) | HAS(OPTION_CONTENT),
	  0,
	  "With --json each line is an object with its kind: changed, checked_out, dropped,\n"
	  "expired, or gap, where events were missed. The agent numbers events four times a\n"
	  "second, and keeps the last ones: how many follows from the arena's size. Ends of\n"
	  "carts are kept for longer, and until the cursors have acknowledged them. An event\n"
	  "may be printed again after a crash: act once for each key and version." },
	{ "cursors",
	  run_cursors,
	  "list the readers of events that are kept, and how far they have got",
	  { 0 },
	  0,
	  LOOKING | HAS(OPTION_REMOVE),
	  0,
	  NULL },
	{ "history",
	  run_history,
	  "print what happened to one cart, also to one that has ended",
	  { R_S },
	  2,
	  LOOKING | HAS(OPTION_FOLLOW),
	  0,
	  "As far back as there are events: see corral events." },
	{ "top",
	  run_top,
	  "show carts, processes and figures as they change",
	  { 0 },
	  0,
	  LOOKING | HAS(OPTION_RESTAURANT) | HAS(OPTION_ORDER) | HAS(OPTION_INTERVAL) |
		  HAS(OPTION_FRAMES) | HAS(OPTION_BATCH),
	  0,
	  "Keys: h explains them. Where standard output is no terminal, one frame is printed, as\n"
	  "with --batch --frames 1. With --json each frame is an object in a line." },
	{ "quantity",
	  run_quantity,
	  "set how many of a line",
	  { R_S, OPERAND_LINE, OPERAND_QUANTITY },
	  4,
	  CHANGING,
	  0,
	  NULL },
	{ "remove", run_remove, "remove a line", { R_S, OPERAND_LINE }, 3, CHANGING, 0, NULL },
	{ "clear",
	  run_clear,
	  "remove all lines of a cart",
	  { R_S },
	  2,
	  CHANGING,
	  0,
	  "Its adjustments go, too. Its tax rate, pricing, currency, attributes and time to live\n"
	  "stay." },
	{ "tax", run_tax, "set a cart's tax rate", { R_S, OPERAND_TAX }, 3, CHANGING, 0, NULL },
	{ "attribute",
	  run_attribute,
	  "set an attribute of a cart, or take it away",
	  { R_S, OPERAND_NAME, OPERAND_VALUE },
	  3,
	  CHANGING,
	  0,
	  NULL },
	{ "adjust",
	  run_adjust,
	  "set a discount, fee, tip or service charge, or take it away",
	  { R_S, OPERAND_ADJUSTMENT, OPERAND_AMOUNT },
	  3,
	  CHANGING | HAS(OPTION_KIND) | HAS(OPTION_AFTER_TAX),
	  0,
	  "With an AMOUNT --kind is needed. A part of the subtotal is written as 10%." },
	{ "pricing",
	  run_pricing,
	  "set how a cart's prices are meant",
	  { R_S },
	  2,
	  CHANGING | HAS(OPTION_TAX_INSIDE) | HAS(OPTION_HALF_EVEN) | HAS(OPTION_BELOW_ZERO),
	  0,
	  "What is not given does not hold from then on." },
	{ "currency",
	  run_currency,
	  "set the currency of a cart without lines and adjustments",
	  { R_S, OPERAND_CURRENCY },
	  3,
	  CHANGING,
	  0,
	  "New carts have that of the arena: corral-agent --currency." },
	{ "ttl",
	  run_ttl,
	  "set how long a cart lives without activity",
	  { R_S, OPERAND_TTL },
	  3,
	  CHANGING,
	  0,
	  NULL },
	{ "apply",
	  run_apply,
	  "make a change of several steps, read as JSON lines",
	  { R_S },
	  2,
	  CHANGING,
	  0,
	  "All steps happen or none. Standard input has one on each line, at most 256:\n"
	  "  {\"step\": \"add\", \"menu_item_id\": \"tea\", \"unit_price_cents\": 199, "
	  "\"quantity\": 2}\n"
	  "     and name, notes, modifiers, extras, separate, tax_ppm, as corral show --json has "
	  "them\n"
	  "  {\"step\": \"set_quantity\", \"line\": 3, \"quantity\": 0}\n"
	  "  {\"step\": \"change_quantity\", \"menu_item_id\": \"tea\", \"difference\": -1}\n"
	  "  {\"step\": \"remove\", \"line\": 2}\n"
	  "  {\"step\": \"clear\"}\n"
	  "  {\"step\": \"tax\", \"tax_ppm\": 82500}\n"
	  "  {\"step\": \"line_tax\", \"line\": 1, \"tax_ppm\": 190000}   without tax_ppm: "
	  "the cart's rate\n"
	  "  {\"step\": \"attribute\", \"name\": \"table\", \"value\": \"7\"}   without a value: "
	  "taken away\n"
	  "  {\"step\": \"ttl\", \"ttl_ms\": 3600000}   0: the default\n"
	  "  {\"step\": \"adjustment\", \"name\": \"10 % off\", \"kind\": \"discount\", \"ppm\": "
	  "100000}\n"
	  "     or cents instead of ppm; kind discount, fee, tip, service; after_tax: true\n"
	  "  {\"step\": \"remove_adjustment\", \"name\": \"10 % off\"}\n"
	  "  {\"step\": \"pricing\", \"tax_inside\": true}   half_even, below_zero: what is left "
	  "out "
	  "ends\n"
	  "  {\"step\": \"currency\", \"currency\": \"EUR\"}\n"
	  "  {\"step\": \"checkout\"}\n"
	  "A line of the cart is named by its number, or by the menu item that only it has." },
	{ "checkout",
	  run_checkout,
	  "check a cart out: it refuses changes from then on",
	  { R_S },
	  2,
	  CHANGING,
	  0,
	  "Give --if-version with the version that the customer heard." },
	{ "drop",
	  run_drop,
	  "end a cart now",
	  { R_S },
	  2,
	  CHANGING,
	  0,
	  "The names of changes end with their cart: a second drop finds no cart." },
	{ "status",
	  run_status,
	  "how the arena and its agent are",
	  { 0 },
	  0,
	  LOOKING | HAS(OPTION_METRICS),
	  0,
	  "Without an agent the arena's part is printed, and the exit code is 4. With --metrics\n"
	  "it is 0 all the same: corral_agent_up tells." },
	{ "inspect",
	  run_inspect,
	  "what is in the arena, record by record",
	  { OPERAND_SECTION },
	  0,
	  LOOKING,
	  0,
	  "Without a SECTION: all of them, with the first 20 slots." },
	{ "check",
	  run_check,
	  "verify every byte of an arena, or of a copy",
	  { OPERAND_PATH },
	  0,
	  HAS(OPTION_DIR) | HAS(OPTION_REPAIR),
	  0,
	  "Prints a line for each fault and a summary. Changes nothing. That each block and slot\n"
	  "is in exactly one place can be verified only if nothing changes meanwhile." },
	{ "clean",
	  run_clean,
	  "list what was set aside, or remove one of it",
	  { OPERAND_ASIDE },
	  0,
	  HAS(OPTION_DIR),
	  0,
	  "Former and damaged arenas and journals are kept in the directory. One of which the "
	  "arena\n"
	  "has everything is removed by its NAME, once what is in the arena is durable." },
	{ "snapshot",
	  run_snapshot,
	  "write all carts to a file",
	  { OPERAND_FILE },
	  1,
	  LOOKING,
	  0,
	  "At any moment; no worker has to stop. Each cart is whole, as it was at one moment. An\n"
	  "existing FILE is replaced once the new one is on disk; - is standard output. Damaged\n"
	  "carts are named and left out. Keep the file private: it has the arena's secret." },
	{ "restore",
	  run_restore,
	  "put the carts of a snapshot into an arena",
	  { OPERAND_FILE },
	  1,
	  LOOKING | HAS(OPTION_MERGE),
	  0,
	  "All of the file is verified before anything is changed. Carts keep what time to live\n"
	  "they had left. The arena must be there: corral-agent makes one." },
	{ "help", run_help, "explain a command", { OPERAND_COMMAND }, 0, 0, 0, NULL },
	{ .name = NULL },
};

struct option_choice command_choice(uint32_t index)
{
	return (struct option_choice){ commands[index].name, commands[index].about };
}

const struct command *command_find(const char *name)
{
	struct nearest nearest = { .typed = name };

	for (const struct command *command = commands; command->name != NULL; command++) {
		if (strcmp(command->name, name) == 0)
			return command;
		nearest_offer(&nearest, command->name);
	}
	options_unknown("command", "", &nearest, "corral");
	return NULL;
}

void explain_all(const struct options *options)
{
	printf("corral: the shared-memory cart store, from the command line\n\n"
	       "Usage: corral [--dir DIR] COMMAND ...\n\n");
	for (const struct command *command = commands; command->name != NULL; command++)
		printf("  %-10s  %s\n", command->name, command->about);
	putchar('\n');
	options_help_rows(options);
	printf("\n"
	       "`corral COMMAND --help` explains a command.\n\n"
	       "Exit codes:\n"
	       "  0  done\n"
	       "  1  the answer is no: no such cart or line, another version, checked out, busy,\n"
	       "     damaged, a total or size beyond its limit\n"
	       "  2  the call is wrong: unknown option, wrong money or number, id too long, no "
	       "UTF-8\n"
	       "  3  the arena cannot be used: missing, foreign, truncated, full, no permission\n"
	       "  4  no agent runs (status; changes that wait for the disk)\n"
	       "  5  the output could not be written; a change was made all the same\n\n"
	       "The manual: man corral\n");
}

/* As if --help stood on the command's own line. */
enum exit_code run_help(struct call *call)
{
	static char help[] = "--help";
	char *words[] = { help, help, NULL };
	struct call other = { .item.quantity = 1 };
	bool go;
	int at;

	if (call->word == NULL)
		return options_read_first(2, words, &other, &at, &go);
	other.command = command_find(call->word);
	return other.command != NULL ? options_read(2, words, &other, &go) : EXIT_USAGE;
}
