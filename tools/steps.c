/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steps.c: the steps of a change from JSON lines, as `corral apply` reads them. Two tables say
 * which steps there are, which keys each takes, and what is taken of a key. The keys of an item are
 * those with which `corral show --json` prints it.
 *
 * All input is read and checked before an arena is opened. Sizes are bounded: the input as a whole,
 * the number of steps, and what one item may have; the other limits are the library's.
 */
#include <stdio.h>
#include <string.h>

#include "tool.h"

#define INPUT_MAX (32u * 1024 * 1024)
#define INPUT_FIRST 65536u

/* Put a value into a step; NULL, or what is wrong with it. */
typedef const char *take_fn(struct step_input *input, const json_t *value);

static const char *take_text(const json_t *value, struct corral_text *ret_text)
{
	if (!json_is_string(value))
		return "write a string";
	*ret_text = (struct corral_text){ json_string_value(value), json_string_length(value) };
	return NULL;
}

static const char *take_number(const json_t *value, int64_t least, int64_t most,
			       int64_t *ret_number)
{
	if (!json_is_integer(value))
		return "write a whole number";
	if (json_integer_value(value) < least || json_integer_value(value) > most)
		return "this number is out of its range";
	*ret_number = json_integer_value(value);
	return NULL;
}

static const char *take_u32(const json_t *value, int64_t least, int64_t most, uint32_t *ret_number)
{
	int64_t number = 0;
	const char *wrong = take_number(value, least, most, &number);

	if (wrong == NULL)
		*ret_number = (uint32_t)number;
	return wrong;
}

static const char *take_line(struct step_input *input, const json_t *value)
{
	return take_u32(value, 1, UINT32_MAX, &input->line);
}

static const char *take_menu_item_id(struct step_input *input, const json_t *value)
{
	const char *wrong = take_text(value, &input->item.menu_item_id);

	return wrong != NULL || input->item.menu_item_id.size > 0 ? wrong : "empty";
}

static const char *take_name(struct step_input *input, const json_t *value)
{
	return take_text(value, &input->item.name);
}

static const char *take_notes(struct step_input *input, const json_t *value)
{
	return take_text(value, &input->item.notes);
}

static const char *take_price(struct step_input *input, const json_t *value)
{
	return take_number(value, 0, INT64_MAX, &input->item.unit_price_cents);
}

static const char *take_quantity(struct step_input *input, const json_t *value)
{
	return take_u32(value, 0, CORRAL_QUANTITY_MAX, &input->item.quantity);
}

static const char *take_difference(struct step_input *input, const json_t *value)
{
	int64_t number = 0;
	const char *wrong = take_number(value, -CORRAL_QUANTITY_MAX, CORRAL_QUANTITY_MAX, &number);

	input->difference = (int32_t)number;
	return wrong;
}

static const char *take_tax(struct step_input *input, const json_t *value)
{
	input->item.own_rate = 1; /* of a step that has an item, or a line */
	return take_u32(value, 0, CORRAL_TAX_PPM_MAX, &input->tax_ppm);
}

static const char *take_ttl(struct step_input *input, const json_t *value)
{
	int64_t number = 0;
	const char *wrong = take_number(value, 0, CORRAL_TTL_MS_MAX, &number);

	input->ttl_ms = (uint64_t)number;
	return wrong;
}

static const char *take_value(struct step_input *input, const json_t *value)
{
	if (json_is_null(value))
		return NULL; /* takes the attribute away, as if it were left out */
	input->has_value = true;
	return take_text(value, &input->value);
}

static const char *take_modifier(struct corral_modifier *modifier, json_t *object)
{
	const char *wrong;

	if (!json_is_object(object) || json_object_size(object) != 2)
		return "write each modifier as {\"name\": ..., \"price_cents\": ...}";
	wrong = take_text(json_object_get(object, "name"), &modifier->name);
	return wrong != NULL ? wrong :
			       take_number(json_object_get(object, "price_cents"), INT64_MIN,
					   INT64_MAX, &modifier->price_cents);
}

static const char *take_modifiers(struct step_input *input, const json_t *value)
{
	const char *wrong = NULL;

	if (!json_is_array(value))
		return "write an array";
	if (json_array_size(value) > CORRAL_MODIFIERS_MAX)
		return "an item has at most 64 modifiers";
	for (size_t i = 0; wrong == NULL && i < json_array_size(value); i++)
		wrong = take_modifier(&input->modifiers[i], json_array_get(value, i));
	input->item.modifiers = input->modifiers;
	input->item.modifier_count = (uint32_t)json_array_size(value);
	return wrong;
}

static const char *take_extras(struct step_input *input, const json_t *value)
{
	json_t *object = (json_t *)(uintptr_t)value; /* jansson iterates over non-const ones only */
	const char *key;
	json_t *extra;

	if (!json_is_object(value))
		return "write an object";
	if (json_object_size(value) > CORRAL_EXTRAS_MAX)
		return "an item has at most 64 extras";
	json_object_foreach(object, key, extra)
	{
		struct corral_extra *to = &input->extras[input->item.extra_count++];

		to->key = corral_text(key);
		to->value = msgpack_of_json(extra, &to->value_size);
	}
	input->item.extras = input->extras;
	return NULL;
}

static const char *take_separate(struct step_input *input, const json_t *value)
{
	if (!json_is_boolean(value))
		return "write true or false";
	input->item.separate = json_is_true(value);
	return NULL;
}

static const char *take_bool(const json_t *value, bool *ret_bool)
{
	*ret_bool = json_is_true(value);
	return json_is_boolean(value) ? NULL : "write true or false";
}

static const char *take_kind(struct step_input *input, const json_t *value)
{
	static const char *const names[] = { "discount", "fee", "tip", "service" };
	const char *name = json_string_value(value);

	for (uint32_t i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			input->adjustment.kind = CORRAL_DISCOUNT + i;
	return input->adjustment.kind != 0 ? NULL : "write discount, fee, tip or service";
}

static const char *take_ppm(struct step_input *input, const json_t *value)
{
	return take_u32(value, 0, CORRAL_TAX_PPM_MAX, &input->adjustment.ppm);
}

static const char *take_cents(struct step_input *input, const json_t *value)
{
	return take_number(value, 0, INT64_MAX, &input->adjustment.cents);
}

static const char *take_after_tax(struct step_input *input, const json_t *value)
{
	bool after = false;
	const char *wrong = take_bool(value, &after);

	input->adjustment.after_tax = after;
	return wrong;
}

static const char *take_pricing(struct step_input *input, const json_t *value, uint32_t bit)
{
	bool holds = false;
	const char *wrong = take_bool(value, &holds);

	input->pricing |= holds ? bit : 0;
	return wrong;
}

static const char *take_tax_inside(struct step_input *input, const json_t *value)
{
	return take_pricing(input, value, CORRAL_TAX_INSIDE);
}

static const char *take_half_even(struct step_input *input, const json_t *value)
{
	return take_pricing(input, value, CORRAL_HALF_EVEN);
}

static const char *take_below_zero(struct step_input *input, const json_t *value)
{
	return take_pricing(input, value, CORRAL_BELOW_ZERO);
}

static const char *take_currency(struct step_input *input, const json_t *value)
{
	const char *wrong = take_text(value, &input->currency);

	return wrong != NULL || corral_currency_digits(input->currency) >= 0 ?
		       wrong :
		       "write an ISO 4217 code, such as EUR";
}

enum key {
	KEY_STEP,
	KEY_LINE,
	KEY_MENU_ITEM_ID,
	KEY_NAME,
	KEY_NOTES,
	KEY_PRICE,
	KEY_QUANTITY,
	KEY_MODIFIERS,
	KEY_EXTRAS,
	KEY_SEPARATE,
	KEY_DIFFERENCE,
	KEY_TAX,
	KEY_TTL,
	KEY_VALUE,
	KEY_KIND,
	KEY_PPM,
	KEY_CENTS,
	KEY_AFTER_TAX,
	KEY_TAX_INSIDE,
	KEY_HALF_EVEN,
	KEY_BELOW_ZERO,
	KEY_CURRENCY,
	KEY_COUNT
};

static const struct {
	const char *name;
	take_fn *take;
} keys[KEY_COUNT] = {
	[KEY_STEP] = { "step", NULL },
	[KEY_LINE] = { "line", take_line },
	[KEY_MENU_ITEM_ID] = { "menu_item_id", take_menu_item_id },
	[KEY_NAME] = { "name", take_name },
	[KEY_NOTES] = { "notes", take_notes },
	[KEY_PRICE] = { "unit_price_cents", take_price },
	[KEY_QUANTITY] = { "quantity", take_quantity },
	[KEY_MODIFIERS] = { "modifiers", take_modifiers },
	[KEY_EXTRAS] = { "extras", take_extras },
	[KEY_SEPARATE] = { "separate", take_separate },
	[KEY_DIFFERENCE] = { "difference", take_difference },
	[KEY_TAX] = { "tax_ppm", take_tax },
	[KEY_TTL] = { "ttl_ms", take_ttl },
	[KEY_VALUE] = { "value", take_value },
	[KEY_KIND] = { "kind", take_kind },
	[KEY_PPM] = { "ppm", take_ppm },
	[KEY_CENTS] = { "cents", take_cents },
	[KEY_AFTER_TAX] = { "after_tax", take_after_tax },
	[KEY_TAX_INSIDE] = { "tax_inside", take_tax_inside },
	[KEY_HALF_EVEN] = { "half_even", take_half_even },
	[KEY_BELOW_ZERO] = { "below_zero", take_below_zero },
	[KEY_CURRENCY] = { "currency", take_currency },
};

#define LINE_KEYS (HAS(KEY_LINE) | HAS(KEY_MENU_ITEM_ID)) /* one of the two */

static const struct step_shape {
	const char *name;
	enum corral_step_kind kind;
	uint32_t required; /* keys besides "step" */
	uint32_t optional;
} shapes[] = {
	{ "add", CORRAL_STEP_ADD, HAS(KEY_MENU_ITEM_ID) | HAS(KEY_PRICE),
	  HAS(KEY_NAME) | HAS(KEY_NOTES) | HAS(KEY_QUANTITY) | HAS(KEY_MODIFIERS) |
		  HAS(KEY_EXTRAS) | HAS(KEY_SEPARATE) | HAS(KEY_TAX) },
	{ "set_quantity", CORRAL_STEP_SET_QUANTITY, HAS(KEY_QUANTITY), LINE_KEYS },
	{ "change_quantity", CORRAL_STEP_CHANGE_QUANTITY, HAS(KEY_DIFFERENCE), LINE_KEYS },
	{ "remove", CORRAL_STEP_REMOVE, 0, LINE_KEYS },
	{ "clear", CORRAL_STEP_CLEAR, 0, 0 },
	{ "tax", CORRAL_STEP_SET_TAX, HAS(KEY_TAX), 0 },
	{ "line_tax", CORRAL_STEP_SET_LINE_TAX, 0, LINE_KEYS | HAS(KEY_TAX) },
	{ "attribute", CORRAL_STEP_SET_ATTRIBUTE, HAS(KEY_NAME), HAS(KEY_VALUE) },
	{ "ttl", CORRAL_STEP_SET_TTL, HAS(KEY_TTL), 0 },
	{ "adjustment", CORRAL_STEP_SET_ADJUSTMENT, HAS(KEY_NAME) | HAS(KEY_KIND),
	  HAS(KEY_PPM) | HAS(KEY_CENTS) | HAS(KEY_AFTER_TAX) },
	{ "remove_adjustment", CORRAL_STEP_REMOVE_ADJUSTMENT, HAS(KEY_NAME), 0 },
	{ "pricing", CORRAL_STEP_SET_PRICING, 0,
	  HAS(KEY_TAX_INSIDE) | HAS(KEY_HALF_EVEN) | HAS(KEY_BELOW_ZERO) },
	{ "currency", CORRAL_STEP_SET_CURRENCY, HAS(KEY_CURRENCY), 0 },
	{ "checkout", CORRAL_STEP_CHECKOUT, 0, 0 },
};

static const struct step_shape *find_shape(const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, keys[KEY_STEP].name));

	for (size_t i = 0; name != NULL && i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (strcmp(shapes[i].name, name) == 0)
			return &shapes[i];
	return NULL;
}

static enum key find_key(const char *name)
{
	enum key key = KEY_STEP;

	while (key < KEY_COUNT && strcmp(keys[key].name, name) != 0)
		key++;
	return key;
}

static enum exit_code wrong_step(uint32_t number, const char *what, const char *where)
{
	return complain(EXIT_USAGE, "step %u: %s: %s: see corral apply --help", number, where,
			what);
}

/* Each key as the tables have it. */
static enum exit_code take_keys(json_t *object, const struct step_shape *shape, uint32_t number,
				struct step_input *input)
{
	const uint32_t known = shape->required | shape->optional | HAS(KEY_STEP);
	uint32_t given = 0;
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		enum key key = find_key(name);
		const char *wrong = NULL;

		if (key == KEY_COUNT || !(known & HAS(key)))
			return wrong_step(number, "this step has no such key", name);
		given |= HAS(key);
		if (keys[key].take != NULL)
			wrong = keys[key].take(input, value);
		if (wrong != NULL)
			return wrong_step(number, wrong, name);
	}
	for (unsigned i = 0; i < KEY_COUNT; i++)
		if (shape->required & ~given & HAS(i))
			return wrong_step(number, "this key is missing", keys[i].name);
	if ((shape->optional & LINE_KEYS) == LINE_KEYS &&
	    ((given & LINE_KEYS) == 0 || (given & LINE_KEYS) == LINE_KEYS))
		return wrong_step(number, "name the line by one of the two", "line, menu_item_id");
	return EXIT_DONE;
}

static void fill_step(struct step_input *input, enum corral_step_kind kind,
		      struct corral_step *step)
{
	input->item.tax_ppm = input->tax_ppm;
	input->adjustment.name = input->item.name;
	*step = (struct corral_step){ .kind = kind,
				      .line = input->line,
				      .quantity = input->item.quantity,
				      .difference = input->difference,
				      .item = &input->item,
				      .own_rate = input->item.own_rate,
				      .tax_ppm = input->tax_ppm,
				      .pricing = input->pricing,
				      .adjustment = &input->adjustment,
				      .ttl_ms = input->ttl_ms,
				      .name = input->item.name,
				      .value = input->has_value ? &input->value : NULL };
	if (kind == CORRAL_STEP_SET_CURRENCY)
		step->name = input->currency;
	if (input->line == 0)
		step->menu_item_id = input->item.menu_item_id;
}

static enum exit_code take_step(struct steps *steps, const char *line, size_t size)
{
	struct step_input *input;
	const struct step_shape *shape;
	uint32_t number = steps->count + 1;
	json_error_t error;
	enum exit_code code;

	if (steps->count == CORRAL_STEPS_MAX)
		return complain(EXIT_USAGE, "too many steps: a change has at most %d",
				CORRAL_STEPS_MAX);
	input = &steps->inputs[steps->count++];
	input->json = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
	if (input->json == NULL)
		return wrong_step(number, error.text, "no JSON");
	if (!json_is_object(input->json))
		return wrong_step(number, "write an object", "the line");
	shape = find_shape(input->json);
	if (shape == NULL)
		return wrong_step(number, "write what it does", keys[KEY_STEP].name);
	input->item.quantity = 1;
	code = take_keys(input->json, shape, number, input);
	if (code == EXIT_DONE)
		fill_step(input, shape->kind, &steps->list[number - 1]);
	return code;
}

/* All of a stream, to be given to free(); NULL: too much, or it cannot be read. */
static char *read_all(FILE *stream, size_t *ret_size)
{
	size_t room = INPUT_FIRST, size = 0, got;
	char *text = must_have(malloc(room));

	while ((got = fread(text + size, 1, room - size, stream)) > 0) {
		size += got;
		if (size == room && room <= INPUT_MAX) {
			room *= 2;
			text = must_have(realloc(text, room));
		}
	}
	if (ferror(stream) || size > INPUT_MAX) {
		free(text);
		return NULL;
	}
	*ret_size = size;
	return text;
}

static bool is_blank(const char *line, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (strchr(" \t\r", line[i]) == NULL || !line[i])
			return false;
	return true;
}

enum exit_code steps_read(FILE *stream, struct steps *steps)
{
	enum exit_code code = EXIT_DONE;
	size_t size = 0, at = 0;
	char *text = read_all(stream, &size);

	if (text == NULL)
		return complain(EXIT_USAGE, "the steps: cannot be read, or more than 32 MiB");
	while (code == EXIT_DONE && at < size) {
		const char *line = text + at;
		const char *end = memchr(line, '\n', size - at);
		size_t length = end != NULL ? (size_t)(end - line) : size - at;

		if (!is_blank(line, length))
			code = take_step(steps, line, length);
		at += length + 1;
	}
	free(text);
	if (code == EXIT_DONE && steps->count == 0)
		return complain(EXIT_USAGE, "no steps: write one JSON object on each line of "
					    "standard input: see corral apply --help");
	return code;
}

struct steps *steps_new(void)
{
	return must_have(calloc(1, sizeof(struct steps)));
}

void steps_free(struct steps *steps)
{
	for (uint32_t i = 0; i < steps->count; i++) {
		struct step_input *input = &steps->inputs[i];

		for (uint32_t j = 0; j < input->item.extra_count; j++)
			free((void *)(uintptr_t)input->extras[j].value);
		json_decref(input->json);
	}
	free(steps);
}
