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
	case STORM_ADJUST:
		return call->if_version == 0 && call->steps[0].value != 0;
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

	/* the item is taxed at the cart's rate, so it merges into a line that is, too */
	while (at != NO_LINE && (model->lines[at].item != item || model->lines[at].own_rate != 0))
		at = at + 1 < model->line_count ? at + 1 : NO_LINE;

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
	model->adjustment_count = 0;
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
	if (step->kind == STORM_LINE_TAX) {
		*ret_line = model->lines[at].line;
		model->lines[at].own_rate = step->value;
		return 0;
	}
	if (step->kind == STORM_CHANGE)
		quantity = (int64_t)model->lines[at].quantity + (int32_t)step->value;
	if (quantity < 0 || quantity > CORRAL_QUANTITY_MAX)
		return -ERANGE;
	*ret_line = model->lines[at].line;
	set_quantity(model, at, (uint32_t)quantity);
	return 0;
}

/* Set an adjustment in its place or behind the others, or take it away. */
static int adjust(struct storm_model *model, const struct storm_step *step)
{
	uint32_t at = 0;

	while (at < model->adjustment_count && model->adjustments[at].name != step->name)
		at++;
	if (step->value != 0) {
		model->adjustments[at] = (struct storm_adjustment){ step->name, step->value };
		model->adjustment_count += at == model->adjustment_count;
		return 0;
	}
	if (at == model->adjustment_count)
		return -ENXIO;
	model->adjustment_count--;
	for (; at < model->adjustment_count; at++)
		model->adjustments[at] = model->adjustments[at + 1];
	return 0;
}

/* ---------------------------------------------------------------- totals */

/* What is taxed at each rate, the lowest first. No amount here is negative or large. */
struct bases {
	uint32_t count;
	struct {
		uint32_t ppm;
		int64_t cents;
	} of[CORRAL_RATES_MAX];
};

static int64_t share_of(int64_t cents, uint32_t ppm)
{
	return (cents * ppm + 500000) / 1000000; /* half a cent is rounded up */
}

static void add_at(struct bases *bases, uint32_t ppm, int64_t cents)
{
	uint32_t at = bases->count;

	while (at > 0 && bases->of[at - 1].ppm >= ppm)
		at--;
	if (at == bases->count || bases->of[at].ppm != ppm) {
		memmove(&bases->of[at + 1], &bases->of[at],
			(bases->count++ - at) * sizeof(bases->of[0]));
		bases->of[at].ppm = ppm;
		bases->of[at].cents = 0;
	}
	bases->of[at].cents += cents;
}

/* Spread an amount over the rates in proportion, what is left over by the largest remainder. */
static void spread(struct bases *bases, int64_t cents, int64_t sign)
{
	int64_t whole = 0, left = cents, rest[CORRAL_RATES_MAX], taken[CORRAL_RATES_MAX];

	for (uint32_t i = 0; i < bases->count; i++)
		whole += bases->of[i].cents;
	for (uint32_t i = 0; i < bases->count; i++) {
		taken[i] = cents * bases->of[i].cents / whole;
		rest[i] = cents * bases->of[i].cents % whole;
		left -= taken[i];
	}
	for (; left > 0; left--) {
		uint32_t best = 0;

		for (uint32_t i = 1; i < bases->count; i++)
			if (rest[i] > rest[best])
				best = i;
		taken[best]++;
		rest[best] = -1;
	}
	for (uint32_t i = 0; i < bases->count; i++)
		bases->of[i].cents += sign * taken[i];
}

/* Compute the totals out of the lines, their rates and the adjustments. */
static void price(struct storm_model *model)
{
	struct bases bases = { .count = 0 };
	int64_t after_cents = 0;

	for (uint32_t i = 0; i < model->line_count; i++) {
		const struct storm_line *line = &model->lines[i];
		int64_t each = storm_price_cents(line->item) + storm_modifier_cents(line->item);

		add_at(&bases, line->own_rate != 0 ? line->own_rate - 1 : model->tax_ppm,
		       each * line->quantity);
	}
	for (uint32_t i = 0; i < model->adjustment_count; i++) {
		const struct storm_adjustment *one = &model->adjustments[i];
		int64_t cents = one->name == STORM_FEE ?
					one->value :
					share_of(model->subtotal_cents, one->value);

		if (one->name == STORM_TIP)
			after_cents += cents;
		else if (bases.count > 0)
			spread(&bases, cents, one->name == STORM_DISCOUNT ? -1 : 1);
		else if (cents > 0)
			add_at(&bases, model->tax_ppm, cents);
	}
	model->tax_cents = 0;
	model->total_cents = after_cents;
	for (uint32_t i = 0; i < bases.count; i++) {
		int64_t tax_cents = share_of(bases.of[i].cents, bases.of[i].ppm);

		model->tax_cents += tax_cents;
		model->total_cents += bases.of[i].cents + tax_cents;
	}
}

/* ---------------------------------------------------------------- steps */

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
	case STORM_LINE_TAX:
		return edit_line(model, step, ret_line);
	case STORM_ADJUST:
		return adjust(model, step);
	case STORM_CLEAR:
		remove_lines(model);
		model->adjustment_count = 0;
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
	if (r == 0)
		price(model);
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
	    call->tax_cents != model->tax_cents || call->total_cents != model->total_cents ||
	    call->item_count != model->item_count || call->status != model->status)
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
	    left->total_cents != right->total_cents || left->ttl_ms != right->ttl_ms ||
	    left->adjustment_count != right->adjustment_count ||
	    memcmp(left->adjustments, right->adjustments,
		   left->adjustment_count * sizeof(left->adjustments[0])) != 0 ||
	    memcmp(left->attributes, right->attributes, sizeof(left->attributes)) != 0)
		return false;
	for (uint32_t i = 0; i < left->line_count; i++)
		if (left->lines[i].item != right->lines[i].item ||
		    left->lines[i].line != right->lines[i].line ||
		    left->lines[i].quantity != right->lines[i].quantity ||
		    left->lines[i].own_rate != right->lines[i].own_rate)
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

	model->lines[model->line_count++] =
		(struct storm_line){ .item = number,
				     .line = line->line,
				     .quantity = item->quantity,
				     .own_rate = item->own_rate ? item->tax_ppm + 1 : 0 };
	return number != UINT64_MAX && item->unit_price_cents == storm_price_cents(number) &&
	       modifiers == storm_modifier_cents(number) && item->modifier_count <= 1 &&
	       line->total_cents == (item->unit_price_cents + modifiers) * item->quantity;
}

/* An adjustment as call.c makes it. */
static bool read_adjustment(const struct corral_adjustment *from, struct storm_model *model)
{
	static const uint32_t names[] = { [CORRAL_DISCOUNT] = STORM_DISCOUNT,
					  [CORRAL_FEE] = STORM_FEE,
					  [CORRAL_TIP] = STORM_TIP };

	if (from->kind < CORRAL_DISCOUNT || from->kind > CORRAL_TIP ||
	    model->adjustment_count == STORM_ADJUSTMENTS)
		return false;
	model->adjustments[model->adjustment_count++] = (struct storm_adjustment){
		.name = names[from->kind],
		.value = from->ppm != 0 ? from->ppm : (uint32_t)from->cents,
	};
	return from->after_tax == (from->kind == CORRAL_TIP);
}

int storm_model_read(const struct corral_cart *cart, struct storm_model *ret_model)
{
	const struct corral_head *head = &cart->head;
	bool ours = cart->line_count <= STORM_LINES;

	storm_model_clear(ret_model, head->version);
	ret_model->there = true;
	ret_model->status = (uint8_t)head->status;
	ret_model->tax_ppm = head->tax_ppm;
	ret_model->ttl_ms = (uint32_t)head->ttl_ms;
	ret_model->item_count = head->item_count;
	ret_model->subtotal_cents = head->subtotal_cents;
	ret_model->tax_cents = head->tax_cents;
	ret_model->total_cents = head->total_cents;
	for (uint32_t i = 0; ours && i < cart->line_count; i++)
		ours = read_line(&cart->lines[i], ret_model);
	for (uint32_t i = 0; ours && i < cart->attribute_count; i++)
		ours = read_attribute(&cart->attributes[i], ret_model);
	for (uint32_t i = 0; ours && i < cart->adjustment_count; i++)
		ours = read_adjustment(&cart->adjustments[i], ret_model);
	return ours ? 0 : -EUCLEAN;
}
