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

void storm_model_copy(struct storm_model *to, const struct storm_model *from)
{
	memcpy(to, from,
	       offsetof(struct storm_model, lines) + from->line_count * sizeof(struct storm_line));
}

uint32_t storm_model_steps(const struct storm_call *call, struct storm_step steps[STORM_STEPS])
{
	if (call->kind == STORM_APPLY) {
		memcpy(steps, call->steps, call->step_count * sizeof(steps[0]));
		return call->step_count;
	}
	steps[0] = (struct storm_step){ .kind = call->kind,
					.item = call->item,
					.line = call->line,
					.quantity = call->quantity,
					.value = call->value,
					.name = call->name };
	return 1;
}

/*
 * Does the step prolong the cart's life? That is the only change that a checked out cart accepts.
 */
static bool prolongs(const struct storm_model *model, const struct storm_step *step)
{
	uint32_t now_ms = model->ttl_ms != 0 ? model->ttl_ms : USUAL_TTL_MS;

	return step->kind == STORM_TTL && step->value >= now_ms;
}

static bool makes_cart(const struct storm_call *call)
{
	switch (call->kind == STORM_APPLY ? call->steps[0].kind : call->kind) {
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

/* The error of the change as such, whatever its steps are. */
static int error_of_call(const struct storm_model *model, const struct storm_call *call)
{
	if (!model->there)
		return makes_cart(call) ? 0 : -ENOENT;
	if (call->if_version != model->version &&
	    (call->if_version != 0 || call->kind == STORM_REPLACE))
		return -ECANCELED;
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

/* The line that a step names; NO_LINE and *ret_error: there is none, or several. */
static uint32_t named_line(const struct storm_model *model, const struct storm_step *step,
			   int *ret_error)
{
	uint32_t at = step->line != 0 ? find_line(model, step->line) : find_item(model, step->item);

	*ret_error = at == NO_LINE ? -ENXIO : 0;
	for (uint32_t i = at + 1; step->line == 0 && at != NO_LINE && i < model->line_count; i++)
		if (model->lines[i].item == step->item)
			*ret_error = -EMLINK;
	return at;
}

static int edit_line(struct storm_model *model, const struct storm_step *step, uint32_t *ret_line)
{
	int error;
	uint32_t at = named_line(model, step, &error);
	int64_t quantity = step->kind == STORM_SET ? step->quantity : 0;

	if (error < 0)
		return error;
	if (step->kind == STORM_CHANGE)
		quantity = (int64_t)model->lines[at].quantity + (int32_t)step->value;
	if (quantity < 0 || quantity > CORRAL_QUANTITY_MAX)
		return -ERANGE;
	*ret_line = model->lines[at].line;
	set_quantity(model, at, (uint32_t)quantity);
	return 0;
}

/* Do a step, in the state that the one before leaves. 0 or -errno. */
static int edit(struct storm_model *model, const struct storm_call *call,
		const struct storm_step *step, uint32_t *ret_line)
{
	*ret_line = 0;
	if (model->status == CORRAL_CHECKED_OUT && !prolongs(model, step))
		return -ESHUTDOWN;
	switch (step->kind) {
	case STORM_ADD:
		*ret_line = add_item(model, step->item, step->quantity, true);
		return 0;
	case STORM_SET:
	case STORM_REMOVE:
	case STORM_CHANGE:
		return edit_line(model, step, ret_line);
	case STORM_CLEAR:
		remove_lines(model);
		return 0;
	case STORM_TAX:
		model->tax_ppm = step->value;
		return 0;
	case STORM_ATTRIBUTE:
		model->attributes[step->name % STORM_ATTRIBUTES] = step->value;
		return 0;
	case STORM_TTL:
		model->ttl_ms = step->value;
		return 0;
	case STORM_REPLACE:
		replace(model, call);
		return 0;
	default:
		model->status = CORRAL_CHECKED_OUT;
		return 0;
	}
}

/* Do all steps. If one is refused, the model is left in the middle. */
static int edit_all(struct storm_model *model, const struct storm_call *call,
		    struct storm_lines *ret_lines, uint32_t *ret_step)
{
	struct storm_step steps[STORM_STEPS];
	uint32_t count = storm_model_steps(call, steps);

	ret_lines->line = 0;
	for (uint32_t i = 0; i < count; i++) {
		int r = edit(model, call, &steps[i], &ret_lines->steps[i]);

		*ret_step = i + 1;
		if (r < 0)
			return r;
		if (ret_lines->steps[i] != 0)
			ret_lines->line = ret_lines->steps[i];
	}
	*ret_step = 0;
	return 0;
}

static int apply_in_place(struct storm_model *model, const struct storm_call *call,
			  uint64_t first_version, struct storm_lines *ret_lines, uint32_t *ret_step)
{
	*ret_step = 0;
	int r = error_of_call(model, call);
	if (r < 0)
		return r;
	if (model->line_count + STORM_STEPS > STORM_LINES)
		return -E2BIG;
	ret_lines->line = 0;
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
	r = edit_all(model, call, ret_lines, ret_step);
	/* half a cent is rounded up; no subtotal here is negative or large */
	model->tax_cents = (model->subtotal_cents * model->tax_ppm + 500000) / 1000000;
	return r;
}

static_assert(STORM_REPLACE_LINES <= STORM_STEPS, "of one call, so many lines at most are new");

int storm_model_apply(struct storm_model *model, const struct storm_call *call,
		      uint64_t first_version, struct storm_lines *ret_lines)
{
	static struct storm_model tried; /* the checker has one thread */
	uint32_t step;

	storm_model_copy(&tried, model);
	int r = apply_in_place(&tried, call, first_version, ret_lines, &step);
	if (r == 0)
		storm_model_copy(model, &tried);
	return r;
}

int storm_model_error(const struct storm_model *model, const struct storm_call *call,
		      uint32_t *ret_step)
{
	static struct storm_model tried;
	struct storm_lines lines;

	*ret_step = 0;
	if (call->kind == STORM_LIST)
		return 0;
	if (!storm_is_change(call))
		return model->there ? 0 : -ENOENT;
	storm_model_copy(&tried, model);
	return apply_in_place(&tried, call, model->version + 1, &lines, ret_step);
}

bool storm_model_refuses(const struct storm_model *model, const struct storm_call *call)
{
	uint32_t step;

	return storm_model_error(model, call, &step) == call->error &&
	       (call->kind != STORM_APPLY || step == call->answer_step);
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

bool storm_model_names(const struct storm_lines *lines, const struct storm_call *call)
{
	if (lines->line != call->answer_line)
		return false;
	for (uint32_t i = 0; call->kind == STORM_APPLY && call->applied && i < call->step_count;
	     i++)
		if (lines->steps[i] != call->steps[i].answer_line)
			return false;
	return true;
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
