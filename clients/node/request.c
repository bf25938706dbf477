/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.c: a change, as lib/request.cjs wrote it: numbers, and the units of all texts in one
 * string. The numbers say how long each text is; texts come in the order of their lengths.
 *
 *   kind, if_version, patience_ms, restaurant, session, op_id (three lengths),
 *   step_count, modifier_count, extra_count (in all), and then
 *   APPLY     for each step its kind and what the kind takes, see read_step()
 *   REPLACE   tax_ppm, pricing, currency (a length), adjustment_count, the adjustments,
 *             attribute_count, for each two lengths; for each line its number and item
 *   adjustment   name (a length), kind, after_tax, ppm, cents
 *   item      id, name, notes (three lengths), unit price, quantity, separate, own_rate, tax_ppm,
 *             modifier_count, extra_count, for each modifier a length and a price, for each extra
 *             two lengths
 *
 * An extra's value is MessagePack: a unit of the string is a byte of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "addon.h"

#define SCRATCH_LEAST 16384u
#define SCRATCH_KEPT (256u * 1024)
#define UNITS_MAX (8u * 1024 * 1024) /* a cart has 1 MiB of text at most */
#define BYTES_OF_UNIT 3u             /* UTF-8 has at most so many for one of UTF-16 */
#define ALIGNMENT 16u

struct reader {
	const double *numbers;
	size_t count;
	size_t at;
	const uint16_t *units;
	size_t units_left;
	char *bytes; /* where the next text goes: there are BYTES_OF_UNIT for each unit */
	struct corral_modifier *modifiers;
	struct corral_extra *extras;
	uint32_t modifiers_left;
	uint32_t extras_left;
	int error; /* the first one; what is read after it is 0 */
};

static void fail(struct reader *reader, int error)
{
	if (reader->error == 0)
		reader->error = error;
}

/* ----------------------------------------------------------------- numbers */

static int64_t read_integer(struct reader *reader, double least, double most)
{
	double number = reader->at < reader->count ? reader->numbers[reader->at++] : least - 1;

	/* the comparison is false for NaN, and the conversion below is defined for what is left */
	if (!(number >= least && number <= most) || (double)(int64_t)number != number) {
		fail(reader, -EINVAL);
		return 0;
	}
	return (int64_t)number;
}

static uint32_t read_u32(struct reader *reader, uint32_t most)
{
	return (uint32_t)read_integer(reader, 0, most);
}

static int64_t read_money(struct reader *reader)
{
	return read_integer(reader, -SAFE_MAX, SAFE_MAX);
}

/* ------------------------------------------------------------------- texts */

static bool is_high(uint32_t unit)
{
	return (unit & 0xfc00) == 0xd800;
}

static bool is_low(uint32_t unit)
{
	return (unit & 0xfc00) == 0xdc00;
}

/* One code point as UTF-8; returns the place behind it. */
static char *put_code(char *to, uint32_t code)
{
	if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
	} else {
		if (code < 0x10000) {
			*to++ = (char)(0xe0 | code >> 12);
		} else {
			*to++ = (char)(0xf0 | code >> 18);
			*to++ = (char)(0x80 | (code >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (code & 0x3f));
	return to;
}

/* UTF-16 to UTF-8. NULL: half a surrogate pair, which UTF-8 cannot express. */
static char *put_units(char *to, const uint16_t *units, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t code = units[i];

		if (code < 0x80) {
			*to++ = (char)code;
			continue;
		}
		if (is_low(code) || (is_high(code) && (i + 1 == count || !is_low(units[i + 1]))))
			return NULL;
		if (is_high(code))
			code = 0x10000 + ((code & 0x3ff) << 10) + (units[++i] & 0x3ff);
		to = put_code(to, code);
	}
	return to;
}

/* The next `count` units as a text. */
static struct corral_text take_text(struct reader *reader, size_t count)
{
	char *from = reader->bytes;
	char *end;

	if (reader->error == 0 && count > reader->units_left)
		fail(reader, -EINVAL);
	if (reader->error != 0)
		return (struct corral_text){ NULL, 0 };
	end = put_units(from, reader->units, count);
	if (end == NULL) {
		fail(reader, -EILSEQ);
		return (struct corral_text){ NULL, 0 };
	}
	reader->bytes = end;
	reader->units += count;
	reader->units_left -= count;
	return (struct corral_text){ from, (size_t)(end - from) };
}

static struct corral_text read_text(struct reader *reader)
{
	return take_text(reader, read_u32(reader, UNITS_MAX));
}

/* Bytes, one in each unit. */
static void read_bytes(struct reader *reader, struct corral_extra *extra)
{
	uint32_t count = read_u32(reader, UNITS_MAX);

	if (count > reader->units_left)
		fail(reader, -EINVAL);
	if (reader->error != 0)
		return;
	extra->value = reader->bytes;
	extra->value_size = count;
	for (uint32_t i = 0; i < count; i++)
		*reader->bytes++ = (char)reader->units[i];
	reader->units += count;
	reader->units_left -= count;
}

/* ------------------------------------------------------- items and steps */

static void read_item(struct reader *reader, struct corral_item *item)
{
	uint32_t modifiers, extras;

	item->menu_item_id = read_text(reader);
	item->name = read_text(reader);
	item->notes = read_text(reader);
	item->unit_price_cents = read_money(reader);
	item->quantity = read_u32(reader, UINT32_MAX);
	item->separate = read_u32(reader, 1);
	item->own_rate = read_u32(reader, 1);
	item->tax_ppm = read_u32(reader, UINT32_MAX);
	modifiers = read_u32(reader, reader->modifiers_left);
	extras = read_u32(reader, reader->extras_left);
	item->modifiers = reader->modifiers;
	item->modifier_count = modifiers;
	item->extras = reader->extras;
	item->extra_count = extras;
	for (; modifiers > 0; modifiers--, reader->modifiers_left--) {
		reader->modifiers->name = read_text(reader);
		reader->modifiers++->price_cents = read_money(reader);
	}
	for (; extras > 0; extras--, reader->extras_left--) {
		reader->extras->key = read_text(reader);
		read_bytes(reader, reader->extras++);
	}
}

static void read_line(struct reader *reader, struct corral_step *step)
{
	step->line = read_u32(reader, UINT32_MAX);
	step->menu_item_id = read_text(reader);
}

static void read_attribute(struct reader *reader, struct corral_text *name,
			   struct corral_text *value)
{
	*name = read_text(reader);
	*value = read_text(reader);
}

static void read_adjustment(struct reader *reader, struct corral_adjustment *adjustment)
{
	memset(adjustment, 0, sizeof(*adjustment));
	adjustment->name = read_text(reader);
	adjustment->kind = read_u32(reader, UINT32_MAX);
	adjustment->after_tax = read_u32(reader, 1);
	adjustment->ppm = read_u32(reader, UINT32_MAX);
	adjustment->cents = read_money(reader);
}

/* What a step points to. */
struct step_room {
	struct corral_item item;
	struct corral_text value;
	struct corral_adjustment adjustment;
};

/* What each kind of step takes, in this order. */
static void read_step(struct reader *reader, struct corral_step *step, struct step_room *room)
{
	step->kind = read_u32(reader, UINT32_MAX);
	switch (step->kind) {
	case CORRAL_STEP_ADD:
		read_item(reader, &room->item);
		step->item = &room->item;
		break;
	case CORRAL_STEP_SET_QUANTITY:
		read_line(reader, step);
		step->quantity = read_u32(reader, UINT32_MAX);
		break;
	case CORRAL_STEP_CHANGE_QUANTITY:
		read_line(reader, step);
		step->difference = (int32_t)read_integer(reader, INT32_MIN, INT32_MAX);
		break;
	case CORRAL_STEP_REMOVE:
		read_line(reader, step);
		break;
	case CORRAL_STEP_SET_LINE_TAX:
		read_line(reader, step);
		step->own_rate = read_u32(reader, 1);
		step->tax_ppm = read_u32(reader, UINT32_MAX);
		break;
	case CORRAL_STEP_SET_TAX:
		step->tax_ppm = read_u32(reader, UINT32_MAX);
		break;
	case CORRAL_STEP_SET_ATTRIBUTE:
		read_attribute(reader, &step->name, &room->value);
		step->value = read_u32(reader, 1) ? &room->value : NULL; /* 0: take it away */
		break;
	case CORRAL_STEP_SET_TTL:
		step->ttl_ms = (uint64_t)read_integer(reader, 0, SAFE_MAX);
		break;
	case CORRAL_STEP_SET_ADJUSTMENT:
		read_adjustment(reader, &room->adjustment);
		step->adjustment = &room->adjustment;
		break;
	case CORRAL_STEP_REMOVE_ADJUSTMENT:
	case CORRAL_STEP_SET_CURRENCY:
		step->name = read_text(reader);
		break;
	case CORRAL_STEP_SET_PRICING:
		step->pricing = read_u32(reader, UINT32_MAX);
		break;
	case CORRAL_STEP_CLEAR:
	case CORRAL_STEP_CHECKOUT:
		break;
	default:
		fail(reader, -EINVAL);
	}
}

/* ----------------------------------------------------------------- memory */

static size_t align(size_t size)
{
	return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* At least `size` bytes of scratch memory, whose content is lost; NULL. */
static void *reserve(struct instance *instance, size_t size)
{
	void *memory;

	if (size <= instance->scratch_size)
		return instance->scratch;
	size = size < SCRATCH_LEAST ? SCRATCH_LEAST : size;
	memory = malloc(size);
	if (memory == NULL)
		return NULL;
	free(instance->scratch);
	instance->scratch = memory;
	instance->scratch_size = size;
	return memory;
}

void request_end(struct instance *instance)
{
	if (instance->scratch_size <= SCRATCH_KEPT)
		return;
	free(instance->scratch);
	instance->scratch = NULL;
	instance->scratch_size = 0;
}

/* Take `size` bytes of the scratch memory. */
static void *carve(char **at, size_t size)
{
	void *taken = *at;

	*at += align(size);
	return taken;
}

/*
 * Fetch the string's units and set the texts' places, with `size` bytes in front of them for the
 * rest of the request. 0; -ENOMEM; 1: Node-API refused; -EINVAL: it is no string, or too long.
 */
static int fetch_units(struct instance *instance, napi_value text, size_t size,
		       struct reader *reader, char **ret_memory)
{
	napi_valuetype type;
	size_t units, written;
	uint16_t *to;
	char *at;

	if (napi_typeof(instance->env, text, &type) != napi_ok)
		return 1;
	if (type != napi_string)
		return -EINVAL;
	if (napi_get_value_string_utf16(instance->env, text, NULL, 0, &units) != napi_ok)
		return 1;
	if (units > UNITS_MAX)
		return -EINVAL;
	at = reserve(instance, size + align((units + 1) * sizeof(*to)) + units * BYTES_OF_UNIT);
	if (at == NULL)
		return -ENOMEM;
	*ret_memory = carve(&at, size);
	to = carve(&at, (units + 1) * sizeof(*to));
	if (napi_get_value_string_utf16(instance->env, text, (char16_t *)to, units + 1, &written) !=
	    napi_ok)
		return 1;
	reader->units = to;
	reader->units_left = written;
	reader->bytes = at;
	return 0;
}

/* ---------------------------------------------------------------- requests */

static void read_apply(struct reader *reader, struct request *request, char *memory)
{
	uint32_t count = request->step_count;
	struct step_room *rooms;

	request->steps = carve(&memory, count * sizeof(*request->steps));
	rooms = carve(&memory, count * sizeof(*rooms));
	request->lines = carve(&memory, count * sizeof(*request->lines));
	memset(request->steps, 0, count * sizeof(*request->steps));
	memset(rooms, 0, count * sizeof(*rooms));
	memset(request->lines, 0, count * sizeof(*request->lines));
	for (uint32_t i = 0; i < count && reader->error == 0; i++)
		read_step(reader, &request->steps[i], &rooms[i]);
}

/* As the library has it in a cart; -EINVAL if it is too long for a code. */
static void read_currency(struct reader *reader, char currency[4])
{
	struct corral_text text = read_text(reader);

	if (text.size > 3)
		fail(reader, -EINVAL);
	else if (text.size > 0)
		memcpy(currency, text.data, text.size);
}

static void read_cart(struct reader *reader, struct request *request, char *memory)
{
	struct corral_cart *cart = &request->cart;

	cart->head.tax_ppm = read_u32(reader, UINT32_MAX);
	cart->head.pricing = read_u32(reader, UINT32_MAX);
	read_currency(reader, cart->head.currency);
	cart->adjustment_count = read_u32(reader, CORRAL_ADJUSTMENTS_MAX);
	cart->adjustments = carve(&memory, CORRAL_ADJUSTMENTS_MAX * sizeof(*cart->adjustments));
	for (uint32_t i = 0; i < cart->adjustment_count && reader->error == 0; i++)
		read_adjustment(reader, &cart->adjustments[i]);
	cart->line_count = request->step_count;
	cart->attribute_count = read_u32(reader, CORRAL_ATTRIBUTES_MAX);
	cart->lines = carve(&memory, cart->line_count * sizeof(*cart->lines));
	cart->attributes = carve(&memory, CORRAL_ATTRIBUTES_MAX * sizeof(*cart->attributes));
	for (uint32_t i = 0; i < cart->attribute_count && reader->error == 0; i++)
		read_attribute(reader, &cart->attributes[i].name, &cart->attributes[i].value);
	memset(cart->lines, 0, cart->line_count * sizeof(*cart->lines));
	for (uint32_t i = 0; i < cart->line_count && reader->error == 0; i++) {
		cart->lines[i].line = read_u32(reader, UINT32_MAX);
		read_item(reader, &cart->lines[i].item);
	}
}

/* What is in front of the steps; returns how many bytes those, or the lines, need. */
static size_t read_front(struct reader *reader, struct request *request, uint32_t lengths[3])
{
	size_t each = sizeof(struct corral_step) + sizeof(struct step_room) + sizeof(uint32_t);
	uint32_t most;

	request->kind = (enum change_kind)read_u32(reader, CHANGE_DROP);
	request->op.if_version = (uint64_t)read_integer(reader, 0, SAFE_MAX);
	request->op.patience_ms = read_u32(reader, UINT32_MAX);
	request->op.flags = CORRAL_OP_PATIENCE | CORRAL_OP_NO_DISK;
	for (int i = 0; i < 3; i++)
		lengths[i] = read_u32(reader, UNITS_MAX);
	request->step_count = read_u32(reader, request->kind == CHANGE_REPLACE ? CORRAL_LINES_MAX :
										 CORRAL_STEPS_MAX);
	/* each has at least one number of its own: so memory is bounded by the request's size */
	most = (uint32_t)(reader->count < UINT32_MAX ? reader->count : UINT32_MAX);
	reader->modifiers_left = read_u32(reader, most);
	reader->extras_left = read_u32(reader, most);
	if (request->kind == CHANGE_REPLACE)
		return request->step_count * sizeof(struct corral_cart_line) +
		       CORRAL_ATTRIBUTES_MAX * sizeof(struct corral_attribute) +
		       CORRAL_ADJUSTMENTS_MAX * sizeof(struct corral_adjustment) + 3 * ALIGNMENT;
	return request->step_count * each + 4 * ALIGNMENT;
}

int request_read(struct instance *instance, const double *numbers, size_t count, napi_value text,
		 struct request *ret_request)
{
	struct reader reader = { .numbers = numbers, .count = count };
	struct request *request = ret_request;
	uint32_t lengths[3];
	char *memory;
	size_t steps, modifiers, extras;
	int r;

	memset(request, 0, sizeof(*request));
	steps = align(read_front(&reader, request, lengths));
	if (reader.error != 0)
		return reader.error;
	modifiers = align(reader.modifiers_left * sizeof(*reader.modifiers));
	extras = align(reader.extras_left * sizeof(*reader.extras));
	r = fetch_units(instance, text, steps + modifiers + extras, &reader, &memory);
	if (r != 0)
		return r;
	reader.modifiers = (struct corral_modifier *)(memory + steps);
	reader.extras = (struct corral_extra *)(memory + steps + modifiers);
	request->key.restaurant_id = take_text(&reader, lengths[0]);
	request->key.session_id = take_text(&reader, lengths[1]);
	request->op.id = take_text(&reader, lengths[2]);
	if (request->kind == CHANGE_APPLY)
		read_apply(&reader, request, memory);
	else if (request->kind == CHANGE_REPLACE)
		read_cart(&reader, request, memory);
	if (reader.error == 0 && (reader.at != count || reader.units_left > 0))
		return -EINVAL;
	return reader.error;
}

int request_key(struct instance *instance, napi_value text, napi_value restaurant_units,
		struct corral_key *ret_key)
{
	struct reader reader = { .count = 0 };
	double units;
	char *memory;
	int r = fetch_units(instance, text, 0, &reader, &memory);

	if (r != 0)
		return r;
	if (napi_get_value_double(instance->env, restaurant_units, &units) != napi_ok ||
	    !(units >= 0 && units <= (double)reader.units_left))
		return -EINVAL;
	ret_key->restaurant_id = take_text(&reader, (size_t)units);
	ret_key->session_id = take_text(&reader, reader.units_left);
	return reader.error;
}
