/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.c: from argv to a struct call. Two tables describe each option and operand: its name, how
 * it is shown, its kind, and how its text is checked and stored. The same tables make --help, so
 * the two cannot diverge.
 *
 * Everything is checked here, before an arena is opened: a call with an error changes nothing.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/parse.h"
#include "tool.h"

/* Check a text and store its value in the call; returns NULL, or what is wrong with it. */
typedef const char *take_fn(struct call *call, const char *text);

static const char *take_text(const char *text, size_t least, size_t most,
			     struct corral_text *ret_text)
{
	size_t size = 0;
	const char *wrong = parse_text(text, least, most, &size);

	if (!wrong)
		*ret_text = (struct corral_text){ text, size };
	return wrong;
}

static const char *take_number(const char *text, uint64_t least, uint64_t most,
			       uint32_t *ret_number)
{
	uint64_t number = 0;
	const char *wrong = parse_number(text, least, most, &number);

	if (!wrong)
		*ret_number = (uint32_t)number;
	return wrong;
}

static const char *take_item(struct call *call, const char *text)
{
	return take_text(text, 1, CORRAL_WORDS_MAX, &call->item.menu_item_id);
}

static const char *take_item_name(struct call *call, const char *text)
{
	return take_text(text, 0, CORRAL_WORDS_MAX, &call->item.name);
}

static const char *take_price(struct call *call, const char *text)
{
	return parse_money(text, false, &call->item.unit_price_cents);
}

static const char *take_item_quantity(struct call *call, const char *text)
{
	return take_number(text, 1, CORRAL_QUANTITY_MAX, &call->item.quantity);
}

/* NAME=PRICE; the name may contain an equals sign, the price may not. */
static const char *take_modifier(struct call *call, const char *text)
{
	const char *equals = strrchr(text, '=');
	struct corral_modifier *modifier = &call->modifiers[call->item.modifier_count];
	const char *wrong;
	size_t size = 0;

	if (call->item.modifier_count == CORRAL_MODIFIERS_MAX)
		return "an item has at most 64 modifiers";
	if (!equals || equals == text)
		return "write a modifier as NAME=PRICE, like cheese=1.50 or small=-2.00";
	wrong = parse_text(text, 1, CORRAL_WORDS_MAX, &size);
	if (!wrong)
		wrong = parse_money(equals + 1, true, &modifier->price_cents);
	if (wrong)
		return wrong;
	modifier->name = (struct corral_text){ text, (size_t)(equals - text) };
	call->item.modifier_count++;
	return NULL;
}

static const char *take_note(struct call *call, const char *text)
{
	return take_text(text, 0, CORRAL_WORDS_MAX, &call->item.notes);
}

static const char *take_tax(struct call *call, const char *text)
{
	return parse_percent(text, &call->tax_ppm);
}

static const char *take_restaurant(struct call *call, const char *text)
{
	return take_text(text, 1, CORRAL_ID_MAX, &call->key.restaurant_id);
}

static const char *take_session(struct call *call, const char *text)
{
	return take_text(text, 1, CORRAL_ID_MAX, &call->key.session_id);
}

static const char *take_op_id(struct call *call, const char *text)
{
	return take_text(text, 1, CORRAL_ID_MAX, &call->op.id);
}

static const char *take_if_version(struct call *call, const char *text)
{
	return parse_number(text, 1, UINT64_MAX, &call->op.if_version);
}

static const char *take_dir(struct call *call, const char *text)
{
	if (!*text)
		return "empty; name the arena's directory";
	call->dir = text;
	return NULL;
}

static const char *take_line(struct call *call, const char *text)
{
	return take_number(text, 1, UINT32_MAX, &call->line);
}

static const char *take_quantity(struct call *call, const char *text)
{
	return take_number(text, 0, CORRAL_QUANTITY_MAX, &call->quantity);
}

static const char *take_name(struct call *call, const char *text)
{
	return take_text(text, 1, CORRAL_ATTRIBUTE_NAME_MAX, &call->name);
}

static const char *take_value(struct call *call, const char *text)
{
	call->has_value = true;
	return take_text(text, 0, CORRAL_ATTRIBUTE_VALUE_MAX, &call->value);
}

static const char *take_ttl(struct call *call, const char *text)
{
	call->ttl_ms = 0;
	if (strcmp(text, "default") == 0)
		return NULL;
	return parse_duration(text, CORRAL_TTL_MS_MIN, CORRAL_TTL_MS_MAX, &call->ttl_ms);
}

static const char *take_word(struct call *call, const char *text)
{
	call->word = text;
	return *text ? NULL : "empty";
}

static const struct {
	const char *name;
	const char *value; /* how its value is shown; NULL: it takes no value */
	const char *about;
	take_fn *take;
} options[OPTION_COUNT] = {
	[OPTION_ITEM] = { "item", "ID", "the menu's id of the item", take_item },
	[OPTION_NAME] = { "name", "NAME", "the item's name", take_item_name },
	[OPTION_PRICE] = { "price", "MONEY", "price of one: 12, 12.5 or 12.99", take_price },
	[OPTION_QUANTITY] = { "quantity", "N", "how many, 1 to 999999; 1 if not given",
			      take_item_quantity },
	[OPTION_MODIFIER] = { "modifier", "NAME=MONEY",
			      "an extra on each of them, or a reduction: small=-2.00; may be "
			      "repeated",
			      take_modifier },
	[OPTION_NOTE] = { "note", "TEXT", "the customer's words about it", take_note },
	[OPTION_TAX] = { "tax", "RATE", "set the cart's tax rate, too: 8.25%", take_tax },
	[OPTION_RESTAURANT] = { "restaurant", "R", "only the carts of this restaurant",
				take_restaurant },
	[OPTION_OP_ID] = { "op-id", "ID",
			   "name this change: the same change again with the same name counts once",
			   take_op_id },
	[OPTION_IF_VERSION] = { "if-version", "V", "only if the cart's version is V",
				take_if_version },
	[OPTION_SYNC] = { "sync", NULL,
			  "return only when the change is on disk (corral-agent --journal sync: "
			  "always)",
			  NULL },
	[OPTION_REPAIR] = { "repair", NULL,
			    "make a new arena of the sound carts in a damaged one, which is kept; "
			    "no process may have it open meanwhile",
			    NULL },
	[OPTION_MERGE] = { "merge", NULL,
			   "also if the arena has carts: the newer version of each cart wins",
			   NULL },
	[OPTION_METRICS] = { "metrics", NULL, "print metrics in Prometheus' text format", NULL },
	[OPTION_JSON] = { "json", NULL, "print JSON", NULL },
	[OPTION_DIR] = { "dir", "DIR", "the arena's directory; else $CORRAL_DIR, else the default",
			 take_dir },
	[OPTION_HELP] = { "help", NULL, "print this", NULL },
};

static const struct {
	const char *name;
	const char *about;
	take_fn *take;
} operands[OPERAND_COUNT] = {
	[OPERAND_RESTAURANT] = { "R", "restaurant id, 1 to 128 bytes", take_restaurant },
	[OPERAND_SESSION] = { "S", "session id, 1 to 128 bytes", take_session },
	[OPERAND_LINE] = { "LINE", "the line's number, as shown", take_line },
	[OPERAND_QUANTITY] = { "N", "how many; 0 removes the line", take_quantity },
	[OPERAND_TAX] = { "RATE", "0% to 100%, at most four decimals: 8.25%", take_tax },
	[OPERAND_NAME] = { "NAME", "the attribute's name, 1 to 128 bytes", take_name },
	[OPERAND_VALUE] = { "VALUE",
			    "its value, up to 4096 bytes; without one the attribute is taken away",
			    take_value },
	[OPERAND_TTL] = { "TIME", "30m, 90s, 500ms, 2h or 1d without activity; or: default",
			  take_ttl },
	[OPERAND_PATH] = { "PATH", "a directory, or a file that is an arena", take_word },
	[OPERAND_ASIDE] = { "NAME", "one that corral clean lists", take_word },
	[OPERAND_FILE] = { "FILE", "a snapshot's file", take_word },
	[OPERAND_SECTION] = { "SECTION",
			      "header, memory, slots, classes, processes, threads, readers, locks "
			      "or deaths",
			      take_word },
	[OPERAND_COMMAND] = { "COMMAND", "one of: corral help", take_word },
};

/* ------------------------------------------------------------------ reading */

static enum exit_code wrong_use(const struct call *call, const char *what, const char *where)
{
	return complain(EXIT_USAGE, "%s: %s: see corral %s --help", what, where,
			call->command->name);
}

/* Report an option that getopt_long() refused. argv[optind - 1] is the offending word. */
static enum exit_code refuse_option(const struct call *call, int found, char **argv)
{
	const char *word = argv[optind - 1];

	if (found == ':')
		return wrong_use(call, "this option needs a value", word);
	if (optopt >= 'A')
		return complain(EXIT_USAGE, "no such option: -%c: see corral %s --help", optopt,
				call->command->name);
	if (strchr(word, '=') && optopt)
		return wrong_use(call, "this option takes no value", word);
	return wrong_use(call, "no such option", word);
}

static enum exit_code take_option(struct call *call, int option, const char *text)
{
	const char *wrong;

	if (option != OPTION_MODIFIER && (call->given & HAS(option)))
		return complain(EXIT_USAGE, "given twice: --%s: give it once",
				options[option].name);
	call->given |= HAS(option);
	wrong = options[option].take ? options[option].take(call, text) : NULL;
	if (wrong)
		return complain(EXIT_USAGE, "wrong value: --%s '%s': %s", options[option].name,
				text, wrong);
	return EXIT_DONE;
}

static enum exit_code take_operands(struct call *call, int count, char **words)
{
	const enum operand *kinds = call->command->operands;
	int taken = 0;
	const char *wrong;

	for (; kinds[taken] && taken < count; taken++) {
		wrong = operands[kinds[taken]].take(call, words[taken]);
		if (wrong)
			return complain(EXIT_USAGE, "wrong value: %s '%s': %s",
					operands[kinds[taken]].name, words[taken], wrong);
	}
	if (taken < count)
		return wrong_use(call, "one word too many", words[taken]);
	if ((unsigned)taken < call->command->operands_least)
		return wrong_use(call, "something is missing", operands[kinds[taken]].name);
	return EXIT_DONE;
}

static enum exit_code check_required(const struct call *call)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if (call->command->required & ~call->given & HAS(i))
			return complain(EXIT_USAGE,
					"an option is missing: --%s: see corral %s --help",
					options[i].name, call->command->name);
	return EXIT_DONE;
}

/*
 * The command's options in getopt_long()'s form; val is the option's number + 1, since 0 is
 * special.
 */
static void list_options(const struct command *command, struct option list[OPTION_COUNT + 1])
{
	size_t count = 0;

	for (int i = 0; i < OPTION_COUNT; i++)
		if (command->options & HAS(i))
			list[count++] = (struct option){
				.name = options[i].name,
				.has_arg = options[i].value ? required_argument : no_argument,
				.val = i + 1,
			};
	list[count] = (struct option){ 0 };
}

enum exit_code options_read(int argc, char **argv, struct call *call)
{
	struct option list[OPTION_COUNT + 1];
	enum exit_code code;
	int found;

	list_options(call->command, list);
	opterr = 0;
	optind = 0; /* restart: main() has used getopt_long() before */
	while ((found = getopt_long(argc, argv, ":h", list, NULL)) != -1) {
		if (found == '?' || found == ':')
			return refuse_option(call, found, argv);
		if (found == 'h' || found == OPTION_HELP + 1) {
			call->given |= HAS(OPTION_HELP);
			return EXIT_DONE;
		}
		code = take_option(call, found - 1, optarg);
		if (code)
			return code;
	}
	code = take_operands(call, argc - optind, argv + optind);
	return code ? code : check_required(call);
}

/* --------------------------------------------------------------- explaining */

void options_explain(const struct command *command)
{
	char shown[64];

	printf("%s: %s\n\nUsage: corral %s", command->name, command->about, command->name);
	for (unsigned i = 0; command->operands[i]; i++)
		printf(i < command->operands_least ? " %s" : " [%s]",
		       operands[command->operands[i]].name);
	for (int i = 0; i < OPTION_COUNT; i++)
		if (command->required & HAS(i))
			printf(" --%s %s", options[i].name, options[i].value);
	printf(" [OPTION]...\n\n");
	for (unsigned i = 0; command->operands[i]; i++)
		printf("  %-21s %s\n", operands[command->operands[i]].name,
		       operands[command->operands[i]].about);
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (!(command->options & HAS(i)))
			continue;
		snprintf(shown, sizeof(shown), "--%s %s", options[i].name,
			 options[i].value ? options[i].value : "");
		printf("  %-21s %s\n", shown, options[i].about);
	}
	printf("  %-21s %s\n", "--", "what follows is no option");
	if (command->more)
		printf("\n%s\n", command->more);
}
