/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * model.c: a model of a cart. See model.h.
 */
#include <errno.h>
#include <string.h>

#include "model.h"

#define USUAL_TTL_MS 1800000u /* the agent's default */
#define NO_LINE UINT32_MAX

void storm_model_clear(struct storm_model *model, uint64_t version)
{
	memset(model, 0, offsetof(struct storm_model, lines));
	model->version = version;
}

static uint32_t find_line(const struct storm_model *model, uint32_t line)
{
	for (uint32_t i = 0; i < model->line_count; i++)
		if (model->lines[i].line == line)
			return i;
	return NO_LINE;
}

static uint32_t find_item(const struct storm_model *model, uint64_t item)
{
	for (uint32_t i = 0; i < model->line_count; i++)
		if (model->lines[i].item == item)
			return i;
	return NO_LINE;
}

/*
 * Does the call prolong the cart's life? That is the only change that a checked out cart accepts.
 */
static bool prolongs(const struct storm_model *model, const struct storm_call *call)
{
	uint32_t now_ms = model->ttl_ms != 0 ? model->ttl_ms : USUAL_TTL_MS;

	return call->kind == STORM_TTL && call->value >= now_ms;
}

static bool makes_cart(const struct storm_call *call)
{
	switch (call->kind) {
	case STORM_ADD:
	case STORM_TAX:
	case STORM_ATTRIBUTE:
	case STORM_TTL:
	case STORM_REPLACE:
		return call->if_version == 0;
	default:
		return false;
	}
}

int storm_model_error(const struct storm_model *model, const struct storm_call *call)
{
	if (call->kind == STORM_LIST)
		return 0;
	if (!model->there)
		return makes_cart(call) ? 0 : -ENOENT;
	if (!storm_is_change(call))
		return 0;
	if (call->if_version != model->version &&
	    (call->if_version != 0 || call->kind == STORM_REPLACE))
		return -ECANCELED;
	if (call->kind == STORM_DROP)
		return 0;
	if (model->status == CORRAL_CHECKED_OUT && !prolongs(model, call))
		return -ESHUTDOWN;
	if ((call->kind == STORM_SET || call->kind == STORM_REMOVE) &&
	    find_line(model, call->line) == NO_LINE)
		return -ENXIO;
	return 0;
}

/* ---------------------------------------------------------------- changes */

static void set_quantity(struct storm_model *model, uint32_t index, uint32_t quantity)
{
	struct storm_line *line = &model->lines[index];
	int64_t each = storm_price_cents(line->item) + storm_modifier_cents(line->item);

	model->item_count += quantity - (uint64_t)line->quantity;
	model->subtotal_cents += each * ((int64_t)quantity - line->quantity);
	line->quantity = quantity;
	if (quantity == 0)
		memmove(line, line + 1, (--model->line_count - index) * sizeof(*line));
}

static uint32_t add_item(struct storm_model *model, uint64_t item, uint32_t quantity, bool merge)
{
	uint32_t at = merge ? find_item(model, item) : NO_LINE;

	if (at == NO_LINE) {
		at = model->line_count++;
		model->lines[at] = (struct storm_line){ .item = item, .line = model->next_line++ };
	}
	set_quantity(model, at, model->lines[at].quantity + quantity);
	return model->lines[at].line;
}

static void remove_lines(struct storm_model *model)
{
	model->line_count = 0;
	model->item_count = 0;
	model->subtotal_cents = 0;
}

static void replace(struct storm_model *model, const struct storm_call *call)
{
	remove_lines(model);
	model->tax_ppm = call->value;
	memset(model->attributes, 0, sizeof(model->attributes));
	for (uint32_t i = 0; i < STORM_REPLACE_LINES; i++)
		(void)add_item(model, call->item + i, call->quantity + i, false);
}

static uint32_t edit(struct storm_model *model, const struct storm_call *call)
{
	switch (call->kind) {
	case STORM_ADD:
		return add_item(model, call->item, call->quantity, true);
	case STORM_SET:
	case STORM_REMOVE:
		set_quantity(model, find_line(model, call->line),
			     call->kind == STORM_SET ? call->quantity : 0);
		return call->line;
	case STORM_CLEAR:
		remove_lines(model);
		return 0;
	case STORM_TAX:
		model->tax_ppm = call->value;
		return 0;
	case STORM_ATTRIBUTE:
		model->attributes[call->name % STORM_ATTRIBUTES] = call->value;
		return 0;
	case STORM_TTL:
		model->ttl_ms = call->value;
		return 0;
	case STORM_REPLACE:
		replace(model, call);
		return 0;
	default:
		model->status = CORRAL_CHECKED_OUT;
		return 0;
	}
}

int storm_model_apply(struct storm_model *model, const struct storm_call *call,
		      uint64_t first_version, uint32_t *ret_line)
{
	int err = storm_model_error(model, call);

	if (err < 0)
		return err;
	if (model->line_count + STORM_REPLACE_LINES > STORM_LINES)
		return -E2BIG;
	*ret_line = 0;
	if (call->kind == STORM_DROP) {
		model->there = false;
		return 0;
	}
	if (!model->there) {
		storm_model_clear(model, first_version - 1);
		model->there = true;
		model->next_line = 1;
	}
	model->version++;
	*ret_line = edit(model, call);
	/* half a cent is rounded up; no subtotal here is negative or large */
	model->tax_cents = (model->subtotal_cents * model->tax_ppm + 500000) / 1000000;
	return 0;
}

/* ---------------------------------------------------------------- compare */

bool storm_model_answers(const struct storm_model *model, const struct storm_call *call)
{
	if (call->version != model->version || call->subtotal_cents != model->subtotal_cents ||
	    call->tax_cents != model->tax_cents || call->item_count != model->item_count ||
	    call->status != model->status)
		return false;
	return storm_is_change(call) ||
	       (call->tax_ppm == model->tax_ppm && call->line_count == model->line_count);
}

bool storm_model_equal(const struct storm_model *left, const struct storm_model *right)
{
	if (left->there != right->there)
		return false;
	if (!left->there)
		return true;
	if (left->version != right->version || left->status != right->status ||
	    left->tax_ppm != right->tax_ppm || left->line_count != right->line_count ||
	    left->item_count != right->item_count ||
	    left->subtotal_cents != right->subtotal_cents || left->tax_cents != right->tax_cents ||
	    left->ttl_ms != right->ttl_ms ||
	    memcmp(left->attributes, right->attributes, sizeof(left->attributes)) != 0)
		return false;
	for (uint32_t i = 0; i < left->line_count; i++)
		if (left->lines[i].item != right->lines[i].item ||
		    left->lines[i].line != right->lines[i].line ||
		    left->lines[i].quantity != right->lines[i].quantity)
			return false;
	return true;
}

/* The value is recovered from its size; see set_attribute() in call.c. */
static bool read_attribute(const struct corral_attribute *attribute, struct storm_model *model)
{
	uint32_t name;

	if (attribute->name.size != 2 || attribute->name.data[0] != 'a' ||
	    attribute->value.size < 2)
		return false;
	name = (uint32_t)(attribute->name.data[1] - '0');
	if (name >= STORM_ATTRIBUTES || model->attributes[name] != 0)
		return false;
	model->attributes[name] = (uint32_t)attribute->value.size - 1;
	return attribute->value.data[0] == (char)('0' + model->attributes[name] % 10);
}

/* The number of a menu item, from its id as call.c makes it; UINT64_MAX: not an id of call.c. */
static uint64_t item_number(struct corral_text menu_item_id)
{
	uint64_t number = 0;

	if (menu_item_id.size < 2 || menu_item_id.data[0] != 'i')
		return UINT64_MAX;
	for (size_t i = 1; i < menu_item_id.size; i++) {
		char c = menu_item_id.data[i];

		if (c < '0' || c > '9' || mul_overflows(number, 10u, &number) ||
		    add_overflows(number, (uint64_t)(c - '0'), &number))
			return UINT64_MAX;
	}
	return number;
}

static bool read_line(const struct corral_cart_line *line, struct storm_model *model)
{
	const struct corral_item *item = &line->item;
	uint64_t number = item_number(item->menu_item_id);
	int64_t modifiers = item->modifier_count == 1 ? item->modifiers[0].price_cents : 0;

	model->lines[model->line_count++] = (struct storm_line){ .item = number,
								 .line = line->line,
								 .quantity = item->quantity };
	return number != UINT64_MAX && item->unit_price_cents == storm_price_cents(number) &&
	       modifiers == storm_modifier_cents(number) && item->modifier_count <= 1 &&
	       line->total_cents == (item->unit_price_cents + modifiers) * item->quantity;
}

int storm_model_read(const struct corral_cart *cart, struct storm_model *ret_model)
{
	const struct corral_head *head = &cart->head;
	bool ours = cart->line_count <= STORM_LINES &&
		    head->total_cents == head->subtotal_cents + head->tax_cents;

	storm_model_clear(ret_model, head->version);
	ret_model->there = true;
	ret_model->status = (uint8_t)head->status;
	ret_model->tax_ppm = head->tax_ppm;
	ret_model->ttl_ms = (uint32_t)head->ttl_ms;
	ret_model->item_count = head->item_count;
	ret_model->subtotal_cents = head->subtotal_cents;
	ret_model->tax_cents = head->tax_cents;
	for (uint32_t i = 0; ours && i < cart->line_count; i++)
		ours = read_line(&cart->lines[i], ret_model);
	for (uint32_t i = 0; ours && i < cart->attribute_count; i++)
		ours = read_attribute(&cart->attributes[i], ret_model);
	return ours ? 0 : -EUCLEAN;
}
