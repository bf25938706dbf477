/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.c: from argv to a struct call. Two tables describe the options and the operands of all
 * commands; common/options.h reads by them, and prints --help.
 *
 * Everything is checked here, before an arena is opened: a call with an error changes nothing.
 */
#include <string.h>

#include "common/options.h"
#include "common/parse.h"
#include "tool.h"
#include "top_model.h"

/*
 * Check that a text has the form of an amount in some currency: that of the cart is not known yet.
 * A complaint is as for amounts with two digits.
 */
static const char *amount_form(const char *text, bool may_be_negative)
{
	int64_t any;
	const char *wrong = parse_money(text, may_be_negative, &any);

	for (uint32_t digits = 0; wrong != NULL && digits <= AMOUNT_DIGITS_MAX; digits++)
		if (parse_amount(text, digits, may_be_negative, &any) == NULL)
			return NULL;
	return wrong;
}

/* NAME=PRICE; the name may contain an equals sign, the price may not. */
static const char *take_modifier(void *context, const char *text)
{
	struct call *call = context;
	const char *equals = strrchr(text, '=');
	const uint32_t place = call->item.modifier_count;
	const char *wrong;
	size_t size = 0;

	if (call->item.modifier_count == CORRAL_MODIFIERS_MAX)
		return "an item has at most 64 modifiers";
	if (equals == NULL || equals == text)
		return "write a modifier as NAME=PRICE, like cheese=1.50 or small=-2.00";
	wrong = parse_text(text, 1, CORRAL_WORDS_MAX, &size);
	if (wrong == NULL)
		wrong = amount_form(equals + 1, true);
	if (wrong != NULL)
		return wrong;
	call->modifiers[place].name = (struct corral_text){ text, (size_t)(equals - text) };
	call->modifier_prices[place] = equals + 1;
	call->item.modifier_count++;
	return NULL;
}

static const char *take_price(void *context, const char *text)
{
	struct call *call = context;

	call->price = text;
	return amount_form(text, false);
}

/* An amount, or a part of the subtotal as 10%. */
static const char *take_amount(void *context, const char *text)
{
	struct call *call = context;

	call->amount = text;
	if (strchr(text, '%') != NULL)
		return parse_percent(text, &call->adjustment.ppm);
	return amount_form(text, false);
}

static const char *take_kind(void *context, const char *text)
{
	static const char *const names[] = { "discount", "fee", "tip", "service" };
	struct call *call = context;

	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0)
			call->adjustment.kind = CORRAL_DISCOUNT + i;
	return call->adjustment.kind != 0 ? NULL : "write discount, fee, tip or service";
}

/* now, oldest, or a number. */
static const char *take_from(void *context, const char *text)
{
	struct call *call = context;

	call->from = CORRAL_FEED_OLDEST;
	if (strcmp(text, "oldest") == 0)
		return NULL;
	call->from = CORRAL_FEED_NOW;
	if (strcmp(text, "now") == 0)
		return NULL;
	if (parse_number(text, 1, UINT64_MAX - 1, &call->from) == NULL)
		return NULL;
	return "write now, oldest, or the number of an event";
}

static const char *take_cursor(void *context, const char *text)
{
	struct call *call = context;

	call->cursor = corral_text(text);
	return call->cursor.size > 0 && call->cursor.size <= CORRAL_CURSOR_MAX ?
		       NULL :
		       "write a name of at most 31 letters, digits, and . _ -";
}

static struct option_choice event_kind_choice(uint32_t index)
{
	static const struct option_choice choices[] = {
		{ "changed", "a change" },
		{ "checked_out", "the change that checked the cart out" },
		{ "dropped", "the end of a cart by a call" },
		{ "expired", "the end of a cart by inactivity" },
		{ NULL, NULL },
	};

	return choices[index];
}

static const char *take_event_kind(void *context, const char *text)
{
	struct call *call = context;

	for (uint32_t i = 0; event_kind_choice(i).name != NULL; i++) {
		if (strcmp(text, event_kind_choice(i).name) == 0) {
			call->kinds |= 1u << i; /* in the order of enum corral_event_kind */
			return NULL;
		}
	}
	return "write changed, checked_out, dropped or expired";
}

static struct option_choice order_choice(uint32_t index)
{
	return (struct option_choice){ top_order_name(index), NULL };
}

static const char *take_order(void *context, const char *text)
{
	struct call *call = context;

	for (uint32_t i = 0; top_order_name(i) != NULL; i++) {
		if (strcmp(text, top_order_name(i)) == 0) {
			call->order = i;
			return NULL;
		}
	}
	return "write age, total, idle, change, items or name";
}

static const char *take_currency(void *context, const char *text)
{
	struct call *call = context;

	call->name = corral_text(text);
	return corral_currency_digits(call->name) >= 0 ?
		       NULL :
		       "no currency; write an ISO 4217 code in capital letters, such as EUR";
}

static const char *take_value(void *context, const char *text)
{
	struct call *call = context;
	size_t size = 0;
	const char *wrong = parse_text(text, 0, CORRAL_ATTRIBUTE_VALUE_MAX, &size);

	if (wrong != NULL)
		return wrong;
	call->value = (struct corral_text){ text, size };
	call->has_value = true;
	return NULL;
}

static const char *take_ttl(void *context, const char *text)
{
	struct call *call = context;

	call->ttl_ms = 0;
	if (strcmp(text, "default") == 0)
		return NULL;
	if (parse_duration(text, CORRAL_TTL_MS_MIN, CORRAL_TTL_MS_MAX, &call->ttl_ms) == NULL)
		return NULL;
	return "give a time from 100ms to 366d, such as 30m, 90s, 500ms or 2h; or default";
}

/* The operands of a command, in its order; returns how many. */
static uint32_t list_operands(struct call *call, struct option_row list[OPERANDS_MAX])
{
	const struct option_row all[OPERAND_COUNT] = {
		[OPERAND_RESTAURANT] =
			OPTION(TEXT, "R", NULL, text = &call->key.restaurant_id,
			       "restaurant id, 1 to 128 bytes", BOUNDS(1, CORRAL_ID_MAX)),
		[OPERAND_SESSION] = OPTION(TEXT, "S", NULL, text = &call->key.session_id,
					   "session id, 1 to 128 bytes", BOUNDS(1, CORRAL_ID_MAX)),
		[OPERAND_LINE] = OPTION(NUMBER, "LINE", NULL, number = &call->line,
					"the line's number, as shown", BOUNDS(1, UINT32_MAX)),
		[OPERAND_QUANTITY] =
			OPTION(NUMBER, "N", NULL, number = &call->quantity,
			       "how many; 0 removes the line", BOUNDS(0, CORRAL_QUANTITY_MAX)),
		[OPERAND_TAX] = OPTION(PERCENT, "RATE", NULL, number = &call->tax_ppm,
				       "0% to 100%, at most four decimals: 8.25%"),
		[OPERAND_NAME] = OPTION(TEXT, "NAME", NULL, text = &call->name,
					"the attribute's name, 1 to 128 bytes",
					BOUNDS(1, CORRAL_ATTRIBUTE_NAME_MAX)),
		[OPERAND_VALUE] = OPTION(OWN, "VALUE", NULL, context = call,
					 "its value, up to 4096 bytes; without one the "
					 "attribute is taken away",
					 .take = take_value),
		[OPERAND_ADJUSTMENT] = OPTION(TEXT, "NAME", NULL, text = &call->adjustment.name,
					      "the adjustment's name, 1 to 64 bytes",
					      BOUNDS(1, CORRAL_ADJUSTMENT_NAME_MAX)),
		[OPERAND_AMOUNT] = OPTION(OWN, "AMOUNT", NULL, context = call,
					  "3.50, or 10% of the subtotal; without one the "
					  "adjustment is taken away",
					  .take = take_amount),
		[OPERAND_CURRENCY] = OPTION(OWN, "CODE", NULL, context = call,
					    "an ISO 4217 code: EUR, JPY", .take = take_currency),
		[OPERAND_TTL] = OPTION(OWN, "TIME", NULL, context = call,
				       "30m, 90s, 500ms, 2h or 1d without activity; or: "
				       "default",
				       .take = take_ttl),
		[OPERAND_PATH] = OPTION(WORD, "PATH", NULL, word = &call->word,
					"a directory, or a file that is an arena"),
		[OPERAND_ASIDE] = OPTION(WORD, "NAME", NULL, word = &call->word,
					 "one that corral clean lists"),
		[OPERAND_FILE] =
			OPTION(WORD, "FILE", NULL, word = &call->word, "a snapshot's file"),
		[OPERAND_SECTION] = OPTION(WORD, "SECTION", NULL, word = &call->word,
					   "header, memory, slots, classes, processes, "
					   "threads, readers, locks or deaths",
					   .choices = section_choice),
		[OPERAND_COMMAND] = OPTION(WORD, "COMMAND", NULL, word = &call->word,
					   "one of: corral help", .choices = command_choice),
	};
	uint32_t count = 0;

	for (; call->command->operands[count]; count++)
		list[count] = all[call->command->operands[count]];
	return count;
}

enum exit_code options_read(int argc, char **argv, struct call *call, bool *ret_go)
{
	const struct command *command = call->command;
	bool own_rate = false;
	struct option_row rows[OPTION_COUNT] = {
		[OPTION_ITEM] = OPTION(TEXT, "item", "ID", text = &call->item.menu_item_id,
				       "the menu's id of the item", BOUNDS(1, CORRAL_WORDS_MAX)),
		[OPTION_NAME] = OPTION(TEXT, "name", "NAME", text = &call->item.name,
				       "the item's name", BOUNDS(0, CORRAL_WORDS_MAX)),
		[OPTION_PRICE] = OPTION(OWN, "price", "MONEY", context = call,
					"price of one: 12, 12.5 or 12.99", .take = take_price),
		[OPTION_QUANTITY] = OPTION(NUMBER, "quantity", "N", number = &call->item.quantity,
					   "how many, 1 to 999999", BOUNDS(1, CORRAL_QUANTITY_MAX)),
		[OPTION_MODIFIER] = OPTION(OWN, "modifier", "NAME=MONEY", context = call,
					   "an extra on each of them, or a reduction: "
					   "small=-2.00; may be repeated",
					   .take = take_modifier, .repeats = true),
		[OPTION_NOTE] =
			OPTION(TEXT, "note", "TEXT", text = &call->item.notes,
			       "the customer's words about it", BOUNDS(0, CORRAL_WORDS_MAX)),
		[OPTION_TAX] = OPTION(PERCENT, "tax", "RATE", number = &call->tax_ppm,
				      "set the cart's tax rate, too: 8.25%", .given = &call->taxed),
		[OPTION_RATE] = OPTION(PERCENT, "rate", "RATE", number = &call->item.tax_ppm,
				       "the item's own tax rate, instead of the cart's: 19%",
				       .given = &own_rate),
		[OPTION_KIND] = OPTION(OWN, "kind", "KIND", context = call,
				       "discount, fee, tip or service; discounts are taken off",
				       .take = take_kind),
		[OPTION_AFTER_TAX] = OPTION(FLAG, "after-tax", NULL, flag = &call->after_tax,
					    "it is not part of what is taxed"),
		[OPTION_TAX_INSIDE] = OPTION(FLAG, "tax-inside", NULL, flag = &call->tax_inside,
					     "prices have the tax in them"),
		[OPTION_HALF_EVEN] = OPTION(FLAG, "half-even", NULL, flag = &call->half_even,
					    "half a cent is rounded to the even one"),
		[OPTION_BELOW_ZERO] = OPTION(FLAG, "below-zero", NULL, flag = &call->below_zero,
					     "the total may be below zero"),
		[OPTION_RESTAURANT] =
			OPTION(TEXT, "restaurant", "R", text = &call->key.restaurant_id,
			       "only the carts of this restaurant", BOUNDS(1, CORRAL_ID_MAX)),
		[OPTION_OP_ID] = OPTION(TEXT, "op-id", "ID", text = &call->op.id,
					"name this change: the same change again with the "
					"same name counts once",
					BOUNDS(1, CORRAL_ID_MAX)),
		[OPTION_IF_VERSION] =
			OPTION(LARGE, "if-version", "V", large = &call->op.if_version,
			       "only if the cart's version is V", BOUNDS(1, UINT64_MAX)),
		[OPTION_SYNC] = OPTION(FLAG, "sync", NULL, flag = &call->sync,
				       "return only when the change is on disk (corral-agent "
				       "--journal sync: always)"),
		[OPTION_REPAIR] = OPTION(FLAG, "repair", NULL, flag = &call->repair,
					 "make a new arena of the sound carts in a damaged "
					 "one, which is kept; no process may have it open "
					 "meanwhile"),
		[OPTION_MERGE] = OPTION(FLAG, "merge", NULL, flag = &call->merge,
					"also if the arena has carts: the newer version of "
					"each cart wins"),
		[OPTION_METRICS] =
			OPTION(FLAG, "metrics", NULL, flag = &call->metrics,
			       "print metrics in Prometheus' text format", .exclusive = true),
		[OPTION_FROM] = OPTION(OWN, "from", "now|oldest|N", context = call,
				       "where to begin: now, the oldest event there is (the "
				       "default), or an event's number",
				       .take = take_from),
		[OPTION_EVENT_KIND] = OPTION(OWN, "kind", "KIND", context = call,
					     "only such events: changed, checked_out, dropped or "
					     "expired; may be repeated",
					     .take = take_event_kind, .choices = event_kind_choice,
					     .repeats = true),
		[OPTION_FOLLOW] = OPTION(FLAG, "follow", NULL, flag = &call->follow,
					 "wait for further events, until a signal"),
		[OPTION_CURSOR] = OPTION(OWN, "cursor", "NAME", context = call,
					 "begin where this cursor has got to, and acknowledge what "
					 "was printed; it is made if there is none",
					 .take = take_cursor),
		[OPTION_CONTENT] = OPTION(FLAG, "content", NULL, flag = &call->content,
					  "print the cart's last version with each end"),
		[OPTION_REMOVE] = OPTION(OWN, "remove", "NAME", context = call,
					 "remove this cursor", .take = take_cursor),
		[OPTION_ORDER] = OPTION(OWN, "order", "ORDER", context = call,
					"age (the default), total, idle, change, items or name",
					.take = take_order, .choices = order_choice),
		[OPTION_INTERVAL] =
			OPTION(SECONDS, "interval", "SECONDS", number = &call->interval_ms,
			       "between two frames; 1 if not given", BOUNDS(100, 3600 * 1000)),
		[OPTION_FRAMES] = OPTION(NUMBER, "frames", "N", number = &call->frames,
					 "end after so many", BOUNDS(1, UINT32_MAX)),
		[OPTION_BATCH] = OPTION(FLAG, "batch", NULL, flag = &call->batch,
					"print frames as plain text, one below the other",
					.exclusive = true),
		[OPTION_JSON] = OPTION(FLAG, "json", NULL, flag = &call->json, "print JSON",
				       .exclusive = true),
		[OPTION_DIR] = OPTION(WORD, "dir", "DIR", word = &call->dir,
				      "the arena's directory; else $CORRAL_DIR, else the "
				      "default"),
	};
	struct option_row operands[OPERANDS_MAX];
	struct options options = {
		.command = command->name,
		.about = command->about,
		.more = command->more,
		.rows = rows,
		.count = OPTION_COUNT,
		.once = true,
		.operands = operands,
		.operand_count = list_operands(call, operands),
		.operands_min = command->operands_least,
	};

	for (int i = 0; i < OPTION_COUNT; i++) {
		rows[i].hidden = !(command->options & HAS(i));
		rows[i].required = command->required & HAS(i);
	}
	enum exit_code code = (enum exit_code)options_take(&options, argc, argv, ret_go);
	call->item.own_rate = own_rate;
	return code;
}

enum exit_code options_read_first(int argc, char **argv, struct call *call, int *ret_command,
				  bool *ret_go)
{
	const struct option_row rows[] = {
		OPTION(WORD, "dir", "DIR", word = &call->dir,
		       "the arena's directory; else $CORRAL_DIR, else /var/lib/corral for "
		       "root and $XDG_STATE_HOME/corral (~/.local/state/corral) for others"),
	};
	struct options options = { .help = explain_all,
				   .version = corral_version(),
				   .rows = rows,
				   .count = 1,
				   .ends_at_operand = true,
				   .commands = command_choice };
	enum exit_code code = (enum exit_code)options_take(&options, argc, argv, ret_go);

	*ret_command = options.operands_at;
	return code;
}
