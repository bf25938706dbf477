/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scenario.c: plays scenarios.json, which the clients for other languages play, too: the file says
 * what it means. Its keys are the names of corral.h, mostly; what is expected of an order is
 * compared with a decoded cart.
 */
#include <jansson.h>

#include "contract.h"

#define FILE_USUAL "tests/contract/scenarios.json" /* tests run in the root */
#define NAMES_MAX 16

struct player { /* of one scenario */
	const struct contract *c;
	const char *name;
	size_t number, call;
	struct {
		const char *name;
		uint64_t version;
	} versions[NAMES_MAX];
	size_t version_count;
};

/* All memory of a call's arguments. */
struct request {
	struct corral_step steps[16];
	struct corral_item items[16];
	struct corral_adjustment adjustments[16];
	struct corral_text values[16];
	struct corral_modifier modifiers[16][CORRAL_MODIFIERS_MAX + 1];
	struct corral_extra extras[16][4];
	char packed[16][4][64];
	uint32_t lines[16];
	uint32_t count;
};

/* Assert something of the present call. */
#define holds(player, condition) check(player, condition, __LINE__, #condition)

static void check(const struct player *player, bool condition, int line, const char *what)
{
	if (!condition)
		print_error("%s, call %zu: %s:%d: %s\n", player->name, player->call, __FILE__, line,
			    what);
	assert_true(condition);
}

static struct corral_text text_of(const json_t *value)
{
	return (struct corral_text){ json_string_value(value), json_string_length(value) };
}

static int64_t number_of(const json_t *given, const char *key)
{
	return json_integer_value(json_object_get(given, key));
}

static bool yes(const json_t *given, const char *key)
{
	return json_is_true(json_object_get(given, key));
}

static struct corral_text text_at(const json_t *given, const char *key)
{
	return text_of(json_object_get(given, key));
}

/* ---------------------------------------------------------------- arguments */

/* A small number, or a text, as MessagePack. */
static size_t pack(const json_t *value, char *bytes)
{
	struct corral_text text = text_of(value);

	if (json_is_integer(value)) {
		bytes[0] = (char)json_integer_value(value);
		return 1;
	}
	assert_true(text.size < 32);
	bytes[0] = (char)(0xa0 | text.size);
	memcpy(bytes + 1, text.data, text.size);
	return text.size + 1;
}

static void read_item(const json_t *given, struct request *request, uint32_t at)
{
	struct corral_item *item = &request->items[at];
	struct corral_modifier *modifier = request->modifiers[at];
	const json_t *quantity = json_object_get(given, "quantity");
	json_t *entry;
	const char *key;
	size_t i;

	*item = (struct corral_item){
		.menu_item_id = text_at(given, "menu_item_id"),
		.name = text_at(given, "name"),
		.notes = text_at(given, "notes"),
		.unit_price_cents = number_of(given, "unit_price_cents"),
		.quantity = quantity != NULL ? (uint32_t)json_integer_value(quantity) : 1,
		.separate = yes(given, "separate"),
		.own_rate = json_object_get(given, "tax_ppm") != NULL,
		.tax_ppm = (uint32_t)number_of(given, "tax_ppm"),
		.modifiers = modifier,
		.extras = request->extras[at],
	};
	json_array_foreach(json_object_get(given, "modifiers"), i,
			   entry) modifier[item->modifier_count++] =
		(struct corral_modifier){ text_at(entry, "name"), number_of(entry, "price_cents") };
	json_object_foreach(json_object_get(given, "extras"), key, entry)
	{
		char *bytes = request->packed[at][item->extra_count];

		request->extras[at][item->extra_count++] =
			(struct corral_extra){ corral_text(key), bytes, pack(entry, bytes) };
	}
}

static void read_adjustment(const json_t *given, struct corral_adjustment *adjustment)
{
	static const char *const kinds[] = { "discount", "fee", "tip", "service" };
	const char *kind = json_string_value(json_object_get(given, "kind"));

	*adjustment = (struct corral_adjustment){ .name = text_at(given, "name"),
						  .after_tax = yes(given, "after_tax"),
						  .ppm = (uint32_t)number_of(given, "ppm"),
						  .cents = number_of(given, "cents") };
	for (uint32_t i = 0; i < COUNT(kinds); i++)
		if (strcmp(kind, kinds[i]) == 0)
			adjustment->kind = i + CORRAL_DISCOUNT;
}

static uint32_t pricing_of(const json_t *given)
{
	return (yes(given, "tax_inside") ? CORRAL_TAX_INSIDE : 0) |
	       (yes(given, "half_even") ? CORRAL_HALF_EVEN : 0) |
	       (yes(given, "below_zero") ? CORRAL_BELOW_ZERO : 0);
}

static const struct {
	const char *name;
	enum corral_step_kind kind;
} kinds[] = {
	{ "add", CORRAL_STEP_ADD },
	{ "set_quantity", CORRAL_STEP_SET_QUANTITY },
	{ "change_quantity", CORRAL_STEP_CHANGE_QUANTITY },
	{ "remove", CORRAL_STEP_REMOVE },
	{ "clear", CORRAL_STEP_CLEAR },
	{ "tax", CORRAL_STEP_SET_TAX },
	{ "attribute", CORRAL_STEP_SET_ATTRIBUTE },
	{ "ttl", CORRAL_STEP_SET_TTL },
	{ "checkout", CORRAL_STEP_CHECKOUT },
	{ "adjust", CORRAL_STEP_SET_ADJUSTMENT },
	{ "remove_adjustment", CORRAL_STEP_REMOVE_ADJUSTMENT },
	{ "pricing", CORRAL_STEP_SET_PRICING },
	{ "currency", CORRAL_STEP_SET_CURRENCY },
	{ "line_tax", CORRAL_STEP_SET_LINE_TAX },
};

static void read_step(const json_t *given, struct request *request)
{
	const char *name = json_string_value(json_object_get(given, "step"));
	const json_t *value = json_object_get(given, "value");
	uint32_t at = request->count++;
	struct corral_step *step = &request->steps[at];

	assert_true(at < COUNT(request->steps));
	read_item(given, request, at);
	request->values[at] = text_of(value);
	*step = (struct corral_step){
		.line = (uint32_t)number_of(given, "line"),
		.menu_item_id = text_at(given, "menu_item_id"),
		.quantity = (uint32_t)number_of(given, "quantity"),
		.difference = (int32_t)number_of(given, "difference"),
		.item = &request->items[at],
		.own_rate = json_is_integer(json_object_get(given, "tax_ppm")),
		.tax_ppm = (uint32_t)number_of(given, "tax_ppm"),
		.pricing = pricing_of(given),
		.ttl_ms = (uint64_t)number_of(given, "ttl_ms"),
		.name = text_at(given, strcmp(name, "currency") == 0 ? "currency" : "name"),
		.value = json_is_string(value) ? &request->values[at] : NULL,
		.adjustment = &request->adjustments[at],
	};
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (strcmp(name, kinds[i].name) == 0)
			step->kind = kinds[i].kind;
	assert_true(step->kind != 0);
	if (step->kind == CORRAL_STEP_SET_ADJUSTMENT)
		read_adjustment(given, &request->adjustments[at]);
}

/* ------------------------------------------------------------------- changes */

static uint64_t version_of(const struct player *player, const json_t *given)
{
	for (size_t i = 0; json_is_string(given) && i < player->version_count; i++)
		if (strcmp(json_string_value(given), player->versions[i].name) == 0)
			return player->versions[i].version;
	holds(player, !json_is_string(given));
	return (uint64_t)json_integer_value(given);
}

static int replace(const struct player *player, const struct corral_key *key, const json_t *order,
		   const struct corral_op *op, struct corral_result *ret_result)
{
	struct request *request = calloc(1, sizeof(*request));
	struct corral_cart_line lines[4] = { 0 };
	struct corral_attribute attributes[4];
	struct corral_cart cart = { .lines = lines, .attributes = attributes };
	struct corral_text currency = text_at(order, "currency");
	json_t *given;
	const char *name;
	size_t i;
	int r;

	holds(player, request != NULL && currency.size < sizeof(cart.head.currency));
	cart.head.tax_ppm = (uint32_t)number_of(order, "tax_ppm");
	if (currency.size > 0)
		memcpy(cart.head.currency, currency.data, currency.size);
	json_array_foreach(json_object_get(order, "items"), i, given)
	{
		read_item(given, request, (uint32_t)i);
		lines[i].line = (uint32_t)number_of(given, "line");
		lines[i].item = request->items[i];
		cart.line_count++;
	}
	json_object_foreach(json_object_get(order, "attributes"), name, given)
		attributes[cart.attribute_count++] =
			(struct corral_attribute){ corral_text(name), text_of(given) };
	r = corral_replace(player->c->corral, key, &cart, op, ret_result);
	free(request);
	return r;
}

/* One step by the call of its name, if it has one. */
static int single(struct corral *corral, const struct corral_key *key, struct request *request,
		  const struct corral_op *op, struct corral_result *ret)
{
	const struct corral_step *step = request->steps;
	bool numbered = step->line > 0;

	if (step->kind == CORRAL_STEP_ADD)
		return corral_add(corral, key, step->item, op, ret);
	if (step->kind == CORRAL_STEP_SET_QUANTITY && numbered)
		return corral_set_quantity(corral, key, step->line, step->quantity, op, ret);
	if (step->kind == CORRAL_STEP_REMOVE && numbered)
		return corral_remove(corral, key, step->line, op, ret);
	if (step->kind == CORRAL_STEP_CLEAR)
		return corral_clear(corral, key, op, ret);
	if (step->kind == CORRAL_STEP_SET_TAX)
		return corral_set_tax(corral, key, step->tax_ppm, op, ret);
	if (step->kind == CORRAL_STEP_SET_ATTRIBUTE)
		return corral_set_attribute(corral, key, &step->name, step->value, op, ret);
	if (step->kind == CORRAL_STEP_SET_TTL)
		return corral_set_ttl(corral, key, step->ttl_ms, op, ret);
	if (step->kind == CORRAL_STEP_CHECKOUT)
		return corral_checkout(corral, key, op, ret);
	return corral_apply(corral, key, step, 1, op, ret, request->lines);
}

static int make(const struct player *player, const struct corral_key *key, const json_t *call,
		struct request *request, struct corral_result *ret_result)
{
	const char *kind = json_string_value(json_object_get(call, "call"));
	struct corral_op op = { .id = text_at(call, "op_id"),
				.if_version =
					version_of(player, json_object_get(call, "if_version")) };
	struct corral *corral = player->c->corral;
	json_t *given;
	size_t i;
	int r;

	if (strcmp(kind, "drop") == 0)
		return corral_drop(corral, key, &op, ret_result);
	if (strcmp(kind, "replace") == 0)
		return replace(player, key, json_object_get(call, "order"), &op, ret_result);
	if (strcmp(kind, "do") == 0) {
		read_step(json_object_get(call, "step"), request);
		r = single(corral, key, request, &op, ret_result);
		if (r == 0)
			request->lines[0] = ret_result->line;
		return r;
	}
	holds(player, strcmp(kind, "apply") == 0);
	json_array_foreach(json_object_get(call, "steps"), i, given) read_step(given, request);
	return corral_apply(corral, key, request->steps, request->count, &op, ret_result,
			    request->lines);
}

/* ---------------------------------------------------------------- comparisons */

/* A field that was found: a number, or a text. */
struct field {
	const char *name;
	int64_t number;
	const struct corral_text *text;
};

static void compare_field(const struct player *player, const json_t *expected,
			  const struct field *found)
{
	if (json_is_string(expected) && found->text != NULL)
		holds(player, contract_same_text(text_of(expected), *found->text));
	else if (json_is_string(expected)) /* a remembered version */
		holds(player, (int64_t)version_of(player, expected) == found->number);
	else if (json_is_boolean(expected))
		holds(player, json_is_true(expected) == (found->number != 0));
	else
		holds(player, json_integer_value(expected) == found->number);
}

/* Each expected field that is no list or object is among those found. */
static void compare(const struct player *player, json_t *expected, const struct field *fields,
		    size_t count)
{
	json_t *value;
	const char *key;

	json_object_foreach(expected, key, value)
	{
		bool known = json_is_object(value) || json_is_array(value);

		for (size_t i = 0; i < count; i++)
			if (strcmp(key, fields[i].name) == 0) {
				compare_field(player, value, &fields[i]);
				known = true;
			}
		if (!known)
			print_error("%s\n", key);
		holds(player, known);
	}
}

static const struct corral_text statuses[] = { { "open", 4 }, { "checked_out", 11 } };

static void compare_answer(const struct player *player, json_t *expected,
			   const struct corral_result *r, const struct request *request)
{
	const struct field fields[] = {
		{ "version", (int64_t)r->version, NULL },
		{ "subtotal_cents", r->subtotal_cents, NULL },
		{ "tax_cents", r->tax_cents, NULL },
		{ "total_cents", r->total_cents, NULL },
		{ "item_count", r->item_count, NULL },
		{ "line", r->line, NULL },
		{ "applied", r->applied, NULL },
		{ "status", r->status, &statuses[r->status == CORRAL_CHECKED_OUT] },
	};
	json_t *line;
	size_t i;

	compare(player, expected, fields, COUNT(fields));
	json_array_foreach(json_object_get(expected, "lines"), i, line)
		holds(player, json_integer_value(line) == request->lines[i]);
}

static void compare_item(const struct player *player, json_t *expected,
			 const struct corral_cart_line *line)
{
	const struct corral_item *item = &line->item;
	int64_t modifiers_cents = 0;
	json_t *value;
	const char *key;

	for (uint32_t i = 0; i < item->modifier_count; i++)
		modifiers_cents += item->modifiers[i].price_cents;
	const struct field fields[] = {
		{ "line", line->line, NULL },
		{ "menu_item_id", 0, &item->menu_item_id },
		{ "name", 0, &item->name },
		{ "notes", 0, &item->notes },
		{ "quantity", item->quantity, NULL },
		{ "unit_price_cents", item->unit_price_cents, NULL },
		{ "modifiers_cents", modifiers_cents, NULL },
		{ "total_cents", line->total_cents, NULL },
		{ "separate", item->separate, NULL },
		{ "tax_ppm", item->tax_ppm, NULL },
	};
	compare(player, expected, fields, COUNT(fields));
	json_object_foreach(json_object_get(expected, "modifiers"), key, value)
	{
		unsigned long i = strtoul(key, NULL, 10);

		holds(player, i < item->modifier_count);
		const struct field modifier[] = {
			{ "name", 0, &item->modifiers[i].name },
			{ "price_cents", item->modifiers[i].price_cents, NULL },
		};
		compare(player, value, modifier, COUNT(modifier));
	}
}

static void compare_rate(const struct player *player, json_t *expected,
			 const struct corral_rate *rate)
{
	const struct field fields[] = { { "tax_ppm", rate->tax_ppm, NULL },
					{ "base_cents", rate->base_cents, NULL },
					{ "tax_cents", rate->tax_cents, NULL } };

	compare(player, expected, fields, COUNT(fields));
}

static void compare_adjustment(const struct player *player, json_t *expected,
			       const struct corral_adjustment *adjustment)
{
	static const struct corral_text names[] = {
		{ "", 0 }, { "discount", 8 }, { "fee", 3 }, { "tip", 3 }, { "service", 7 }
	};
	const struct field fields[] = { { "name", 0, &adjustment->name },
					{ "kind", 0, &names[adjustment->kind] },
					{ "ppm", adjustment->ppm, NULL },
					{ "cents", adjustment->cents, NULL },
					{ "after_tax", adjustment->after_tax, NULL },
					{ "amount_cents", adjustment->amount_cents, NULL } };

	compare(player, expected, fields, COUNT(fields));
}

static void compare_attributes(const struct player *player, json_t *expected,
			       const struct corral_cart *cart)
{
	bool same;
	json_t *value;
	const char *name;

	if (expected == NULL)
		return;
	holds(player, json_object_size(expected) == cart->attribute_count);
	json_object_foreach(expected, name, value)
	{
		same = false;
		for (uint32_t i = 0; i < cart->attribute_count; i++)
			same |= contract_same_text(corral_text(name), cart->attributes[i].name) &&
				contract_same_text(text_of(value), cart->attributes[i].value);
		holds(player, same);
	}
}

static void compare_lists(const struct player *player, json_t *expected,
			  const struct corral_cart *cart)
{
	json_t *value;
	const char *key;

	json_object_foreach(json_object_get(expected, "items"), key, value)
	{
		holds(player, strtoul(key, NULL, 10) < cart->line_count);
		compare_item(player, value, &cart->lines[strtoul(key, NULL, 10)]);
	}
	json_object_foreach(json_object_get(expected, "rates"), key, value)
	{
		holds(player, strtoul(key, NULL, 10) < cart->head.rate_count);
		compare_rate(player, value, &cart->head.rates[strtoul(key, NULL, 10)]);
	}
	json_object_foreach(json_object_get(expected, "adjustments"), key, value)
	{
		holds(player, strtoul(key, NULL, 10) < cart->adjustment_count);
		compare_adjustment(player, value, &cart->adjustments[strtoul(key, NULL, 10)]);
	}
	compare_attributes(player, json_object_get(expected, "attributes"), cart);
}

static void compare_order(const struct player *player, json_t *expected,
			  const struct corral_cart *cart)
{
	const struct corral_head *head = &cart->head;
	struct corral_text currency = corral_text(head->currency);
	const struct field fields[] = {
		{ "version", (int64_t)head->version, NULL },
		{ "status", head->status, &statuses[head->status == CORRAL_CHECKED_OUT] },
		{ "item_count", head->item_count, NULL },
		{ "line_count", cart->line_count, NULL },
		{ "subtotal_cents", head->subtotal_cents, NULL },
		{ "tax_ppm", head->tax_ppm, NULL },
		{ "tax_cents", head->tax_cents, NULL },
		{ "total_cents", head->total_cents, NULL },
		{ "before_tax_cents", head->before_tax_cents, NULL },
		{ "after_tax_cents", head->after_tax_cents, NULL },
		{ "currency", 0, &currency },
		{ "currency_digits", head->currency_digits, NULL },
		{ "ttl_ms", (int64_t)head->effective_ttl_ms, NULL },
	};

	compare(player, expected, fields, COUNT(fields));
	compare_lists(player, expected, cart);
}

/* --------------------------------------------------------------------- calls */

/* 0: there is no cart. */
static uint64_t version_now(const struct player *player, const struct corral_key *key)
{
	struct corral_view view;
	int r = corral_read_begin_with(player->c->corral, key, CORRAL_OBSERVE, &view);

	if (r == -ENOENT)
		return 0;
	holds(player, r == 0);
	holds(player, corral_read_end(&view) == 0);
	return view.version;
}

static void look(const struct player *player, const struct corral_key *key, json_t *expected)
{
	struct corral_cart *cart = NULL;
	int r = corral_get(player->c->corral, key, &cart);

	holds(player, r == (json_is_null(expected) ? -ENOENT : 0));
	if (r < 0)
		return;
	compare_order(player, expected, cart);
	corral_cart_free(cart);
}

static void be_refused(const struct player *player, const struct corral_key *key, json_t *call,
		       const char *error)
{
	struct request *request = calloc(1, sizeof(*request));
	struct corral_result result = { 0 };
	const json_t *step = json_object_get(call, "step_refused");
	uint64_t version = version_now(player, key);
	int r;

	holds(player, request != NULL);
	r = make(player, key, call, request, &result);
	if (r >= 0 || strcmp(corral_error_name(r), error) != 0)
		print_error("%s: %s\n", corral_error_name(r), error);
	holds(player, r < 0 && strcmp(corral_error_name(r), error) == 0);
	/* (a call that is one step says nothing of steps) */
	if (step != NULL && request->count > 1)
		holds(player, json_integer_value(step) == result.step);
	holds(player, version_now(player, key) == version);
	free(request);
}

static void be_made(struct player *player, const struct corral_key *key, json_t *call)
{
	struct request *request = calloc(1, sizeof(*request));
	const char *as = json_string_value(json_object_get(call, "as"));
	bool drops = strcmp(json_string_value(json_object_get(call, "call")), "drop") == 0;
	struct corral_result result = { 0 };
	uint64_t version = version_now(player, key);

	holds(player, request != NULL);
	holds(player, make(player, key, call, request, &result) == 0);
	compare_answer(player, json_object_get(call, "answer"), &result, request);
	if (result.applied && !drops)
		holds(player, result.version > version);
	if (as != NULL) {
		holds(player, player->version_count < NAMES_MAX);
		player->versions[player->version_count].name = as;
		player->versions[player->version_count++].version = result.version;
	}
	free(request);
}

/* The cart of this name of a scenario. */
static struct corral_key key_of(const struct player *player, const char *cart, char session[64])
{
	snprintf(session, 64, "scenario-%zu-%s", player->number, cart != NULL ? cart : "");
	return contract_key(session);
}

static void play(struct player *player, json_t *call)
{
	const char *cart = json_string_value(json_object_get(call, "cart"));
	const char *error = json_string_value(json_object_get(call, "error"));
	char session[64];
	struct corral_key key = key_of(player, cart, session);

	if (error == NULL)
		error = json_string_value(json_object_get(call, "refused"));
	if (strcmp(json_string_value(json_object_get(call, "call")), "get") == 0)
		look(player, &key, json_object_get(call, "order"));
	else if (error != NULL)
		be_refused(player, &key, call, error);
	else
		be_made(player, &key, call);
}

static void the_scenarios_of_all_clients_hold(struct contract *c)
{
	const char *file = getenv("CORRAL_SCENARIOS");
	json_error_t error;
	json_t *all = json_load_file(file != NULL ? file : FILE_USUAL, JSON_ALLOW_NUL, &error);
	json_t *scenario, *call;
	struct corral_key key;
	char session[64];
	size_t number;

	if (all == NULL)
		print_error("%s\n", error.text);
	assert_non_null(all);
	assert_true(json_array_size(json_object_get(all, "scenarios")) > 20);
	json_array_foreach(json_object_get(all, "scenarios"), number, scenario)
	{
		struct player player = { .c = c,
					 .name = json_string_value(
						 json_object_get(scenario, "name")),
					 .number = number };

		json_array_foreach(json_object_get(scenario, "calls"), player.call, call)
			play(&player, call);
		key = key_of(&player, NULL, session);
		(void)corral_drop(c->corral, &key, NULL, NULL);
	}
	json_decref(all);
}

const struct contract_case scenario_cases[] = {
	CASE(the_scenarios_of_all_clients_hold),
	{ NULL, NULL },
};
