/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.c: make a call of a storm. See call.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "harness/bench.h"

#define COPY_BYTES 65536 /* larger than any cart of a storm */
#define LIST_ROWS 16
#define ITEM_BYTES 24
#define OP_BYTES 24
#define VALUE_BYTES 160 /* sizes differ, so that carts outgrow their blocks */

struct corral_key storm_key(uint32_t cart, char session[STORM_KEY_BYTES])
{
	snprintf(session, STORM_KEY_BYTES, "cart-%u", cart);
	return (struct corral_key){ corral_text(STORM_RESTAURANT), corral_text(session) };
}

const char *storm_kind_name(uint32_t kind)
{
	static const char *const names[STORM_KINDS] = {
		[STORM_ADD] = "add",
		[STORM_SET] = "set_quantity",
		[STORM_REMOVE] = "remove",
		[STORM_CLEAR] = "clear",
		[STORM_TAX] = "set_tax",
		[STORM_ATTRIBUTE] = "set_attribute",
		[STORM_TTL] = "set_ttl",
		[STORM_REPLACE] = "replace",
		[STORM_CHECKOUT] = "checkout",
		[STORM_APPLY] = "apply",
		[STORM_CHANGE] = "change_quantity",
		[STORM_LINE_TAX] = "line_tax",
		[STORM_ADJUST] = "adjust",
		[STORM_DROP] = "drop",
		[STORM_READ] = "read",
		[STORM_COPY] = "read_copy",
		[STORM_LIST] = "list",
	};

	return kind < STORM_KINDS ? names[kind] : "?";
}

/* ---------------------------------------------------------------- changes */

static const struct corral_modifier modifier = { .name = { "Extra", 5 }, .price_cents = 45 };

static struct corral_item item_of(uint64_t number, uint32_t quantity, char id[ITEM_BYTES])
{
	size_t size = (size_t)snprintf(id, ITEM_BYTES, "i%llu", (unsigned long long)number);

	return (struct corral_item){ .menu_item_id = { id, size },
				     .name = { id, size },
				     .unit_price_cents = storm_price_cents(number),
				     .quantity = quantity,
				     .modifier_count = storm_modifier_cents(number) != 0,
				     .modifiers = &modifier };
}

static int add(struct corral *corral, const struct corral_key *key, const struct storm_call *call,
	       const struct corral_op *op, struct corral_result *ret_result)
{
	char id[ITEM_BYTES];
	struct corral_item item = item_of(call->item, call->quantity, id);

	return corral_add(corral, key, &item, op, ret_result);
}

static int replace(struct corral *corral, const struct corral_key *key,
		   const struct storm_call *call, const struct corral_op *op,
		   struct corral_result *ret_result)
{
	struct corral_cart_line lines[STORM_REPLACE_LINES] = { 0 };
	struct corral_cart cart = { .head = { .tax_ppm = call->value },
				    .line_count = STORM_REPLACE_LINES,
				    .lines = lines };
	char ids[STORM_REPLACE_LINES][ITEM_BYTES];

	for (uint32_t i = 0; i < STORM_REPLACE_LINES; i++)
		lines[i].item = item_of(call->item + i, call->quantity + i, ids[i]);
	return corral_replace(corral, key, &cart, op, ret_result);
}

struct attribute { /* the texts of one */
	char name_bytes[2];
	char value_bytes[VALUE_BYTES];
	struct corral_text name, value;
};

static void make_attribute(uint8_t name, uint32_t value, struct attribute *ret)
{
	ret->name_bytes[0] = 'a';
	ret->name_bytes[1] = (char)('0' + name);
	ret->name = (struct corral_text){ ret->name_bytes, sizeof(ret->name_bytes) };
	ret->value = (struct corral_text){ ret->value_bytes, 1 + value % (VALUE_BYTES - 1) };
	memset(ret->value_bytes, '0' + (int)(value % 10), sizeof(ret->value_bytes));
}

static int set_attribute(struct corral *corral, const struct corral_key *key,
			 const struct storm_call *call, const struct corral_op *op,
			 struct corral_result *ret_result)
{
	struct attribute attribute;

	make_attribute(call->name, call->value, &attribute);
	return corral_set_attribute(corral, key, &attribute.name,
				    call->value == 0 ? NULL : &attribute.value, op, ret_result);
}

struct step_texts { /* what a step points to */
	char id[ITEM_BYTES];
	struct corral_item item;
	struct attribute attribute;
	struct corral_adjustment adjustment;
};

static struct corral_adjustment adjustment_of(const struct storm_step *step)
{
	switch (step->name) {
	case STORM_DISCOUNT:
		return (struct corral_adjustment){ .name = { "off", 3 },
						   .kind = CORRAL_DISCOUNT,
						   .ppm = step->value };
	case STORM_FEE:
		return (struct corral_adjustment){ .name = { "box", 3 },
						   .kind = CORRAL_FEE,
						   .cents = step->value };
	default:
		return (struct corral_adjustment){
			.name = { "tip", 3 }, .kind = CORRAL_TIP, .after_tax = 1, .ppm = step->value
		};
	}
}

/* A step that names a line by its menu item has no number. */
static struct corral_step step_of(const struct storm_step *step, struct step_texts *texts)
{
	static const uint32_t kinds[STORM_KINDS] = {
		[STORM_ADD] = CORRAL_STEP_ADD,
		[STORM_SET] = CORRAL_STEP_SET_QUANTITY,
		[STORM_REMOVE] = CORRAL_STEP_REMOVE,
		[STORM_CHANGE] = CORRAL_STEP_CHANGE_QUANTITY,
		[STORM_CLEAR] = CORRAL_STEP_CLEAR,
		[STORM_TAX] = CORRAL_STEP_SET_TAX,
		[STORM_ATTRIBUTE] = CORRAL_STEP_SET_ATTRIBUTE,
		[STORM_TTL] = CORRAL_STEP_SET_TTL,
		[STORM_CHECKOUT] = CORRAL_STEP_CHECKOUT,
		[STORM_LINE_TAX] = CORRAL_STEP_SET_LINE_TAX,
		[STORM_ADJUST] = CORRAL_STEP_SET_ADJUSTMENT,
	};
	struct corral_step of = { .kind = kinds[step->kind],
				  .line = step->line,
				  .quantity = step->quantity,
				  .difference = (int32_t)step->value,
				  .item = &texts->item,
				  .tax_ppm = step->value,
				  .ttl_ms = step->value };

	texts->item = item_of(step->item, step->quantity, texts->id);
	if (step->line == 0)
		of.menu_item_id = texts->item.menu_item_id;
	make_attribute(step->name, step->value, &texts->attribute);
	of.name = texts->attribute.name;
	of.value = step->value == 0 ? NULL : &texts->attribute.value;
	if (step->kind == STORM_LINE_TAX) {
		of.own_rate = step->value != 0;
		of.tax_ppm = step->value != 0 ? step->value - 1 : 0;
	}
	if (step->kind == STORM_ADJUST) {
		texts->adjustment = adjustment_of(step);
		of.adjustment = &texts->adjustment;
		of.name = texts->adjustment.name;
		if (step->value == 0)
			of.kind = CORRAL_STEP_REMOVE_ADJUSTMENT;
	}
	return of;
}

static int apply(struct corral *corral, const struct corral_key *key, struct storm_call *call,
		 const struct corral_op *op, struct corral_result *ret_result)
{
	struct corral_step steps[STORM_STEPS];
	struct step_texts texts[STORM_STEPS];
	uint32_t lines[STORM_STEPS] = { 0 };

	for (uint32_t i = 0; i < call->step_count; i++)
		steps[i] = step_of(&call->steps[i], &texts[i]);
	int r = corral_apply(corral, key, steps, call->step_count, op, ret_result, lines);
	for (uint32_t i = 0; i < call->step_count; i++)
		call->steps[i].answer_line = lines[i];
	return r;
}

static int change(struct corral *corral, const struct corral_key *key, struct storm_call *call,
		  const struct corral_op *op, struct corral_result *ret_result)
{
	switch (call->kind) {
	case STORM_ADD:
		return add(corral, key, call, op, ret_result);
	case STORM_SET:
		return corral_set_quantity(corral, key, call->line, call->quantity, op, ret_result);
	case STORM_REMOVE:
		return corral_remove(corral, key, call->line, op, ret_result);
	case STORM_CLEAR:
		return corral_clear(corral, key, op, ret_result);
	case STORM_TAX:
		return corral_set_tax(corral, key, call->value, op, ret_result);
	case STORM_ATTRIBUTE:
		return set_attribute(corral, key, call, op, ret_result);
	case STORM_TTL:
		return corral_set_ttl(corral, key, call->value, op, ret_result);
	case STORM_REPLACE:
		return replace(corral, key, call, op, ret_result);
	case STORM_CHECKOUT:
		return corral_checkout(corral, key, op, ret_result);
	case STORM_APPLY:
		return apply(corral, key, call, op, ret_result);
	case STORM_DROP:
		return corral_drop(corral, key, op, ret_result);
	default:
		return -EINVAL;
	}
}

/* The sums of an answer or a head, whose parts must be the whole. */
struct sums {
	int64_t subtotal_cents, tax_cents, total_cents, before_tax_cents, after_tax_cents;
	uint32_t rate_count;
	const struct corral_rate *rates;
};

static bool adds_up(const struct sums *sums)
{
	int64_t base_cents = 0, tax_cents = 0;

	for (uint32_t i = 0; i < sums->rate_count && i < CORRAL_RATES_MAX; i++) {
		base_cents += sums->rates[i].base_cents;
		tax_cents += sums->rates[i].tax_cents;
	}
	return sums->rate_count <= CORRAL_RATES_MAX && tax_cents == sums->tax_cents &&
	       base_cents == sums->subtotal_cents + sums->before_tax_cents &&
	       base_cents + tax_cents + sums->after_tax_cents == sums->total_cents;
}

static bool answer_adds_up(const struct corral_result *result)
{
	return adds_up(&(struct sums){ result->subtotal_cents, result->tax_cents,
				       result->total_cents, result->before_tax_cents,
				       result->after_tax_cents, result->rate_count,
				       result->rates });
}

static bool head_adds_up(const struct corral_head *head)
{
	return adds_up(&(struct sums){ head->subtotal_cents, head->tax_cents, head->total_cents,
				       head->before_tax_cents, head->after_tax_cents,
				       head->rate_count, head->rates });
}

static void make_change(struct corral *corral, const struct corral_key *key,
			struct storm_call *call)
{
	char id[OP_BYTES];
	struct corral_op op = { .id = { id, (size_t)snprintf(id, sizeof(id), "%llx",
							     (unsigned long long)call->op) },
				.if_version = call->if_version };
	struct corral_result result = { 0 };

	call->error = change(corral, key, call, &op, &result);
	call->version = result.version;
	call->subtotal_cents = result.subtotal_cents;
	call->tax_cents = result.tax_cents;
	call->total_cents = result.total_cents;
	call->item_count = result.item_count;
	call->answer_line = result.line;
	call->answer_step = result.step;
	call->applied = result.applied;
	call->status = result.status;
	/* a repeat has no parts once the cart was changed again */
	if (call->error == 0 && (result.applied || result.rate_count > 0) &&
	    !answer_adds_up(&result))
		call->error = -EBADMSG;
}

/* ------------------------------------------------------------------ reads */

/*
 * Read a view, and check that its lines add up to the sums in its head: half a change must never be
 * seen.
 */
static int look(const struct corral_view *view, struct storm_call *call)
{
	struct corral_head head;
	struct corral_line line;
	int64_t cents = 0;
	uint64_t items = 0;
	int r = corral_view_head(view, &head);

	for (uint32_t i = 0; r == 0 && i < head.line_count; i++) {
		r = corral_view_line(view, i, &line);
		cents += line.total_cents;
		items += line.quantity;
	}
	if (r < 0)
		return r;
	call->version = head.version;
	call->subtotal_cents = head.subtotal_cents;
	call->tax_cents = head.tax_cents;
	call->total_cents = head.total_cents;
	call->item_count = head.item_count;
	call->tax_ppm = head.tax_ppm;
	call->line_count = head.line_count;
	call->status = (uint8_t)head.status;
	return cents != head.subtotal_cents || items != head.item_count || !head_adds_up(&head) ?
		       -EBADMSG :
		       0;
}

static int read_cart(struct corral *corral, const struct corral_key *key, struct storm_call *call)
{
	struct corral_view view;
	int r = corral_read_begin(corral, key, &view);

	if (r < 0)
		return r;
	r = look(&view, call);
	return corral_read_end(&view) < 0 ? -EBADMSG : r;
}

static int copy_cart(struct corral *corral, const struct corral_key *key, struct storm_call *call)
{
	char buffer[COPY_BYTES] __attribute__((aligned(8)));
	struct corral_view view;
	size_t size;
	int r = corral_read_copy(corral, key, buffer, sizeof(buffer), &size, &view);

	return r < 0 ? r : look(&view, call);
}

/* Check that every row is a whole cart of the storm. */
static int check_rows(struct corral_list *list)
{
	static __thread struct corral_entry rows[LIST_ROWS];
	size_t count = 1;

	while (count > 0) {
		int r = corral_list_next(list, rows, LIST_ROWS, &count);

		if (r < 0)
			return r;
		for (size_t i = 0; i < count; i++)
			if (strcmp(rows[i].restaurant_id, STORM_RESTAURANT) != 0 ||
			    !head_adds_up(&rows[i].head))
				return -EBADMSG;
	}
	return 0;
}

static int list_carts(struct corral *corral)
{
	struct corral_list *list = NULL;
	int r = corral_list_open(corral, NULL, &list);

	if (r == 0)
		r = check_rows(list);
	corral_list_close(list);
	return r;
}

void storm_make_call(struct corral *corral, struct storm_call *call)
{
	char session[STORM_KEY_BYTES];
	struct corral_key key = storm_key(call->cart, session);

	call->invoke_ns = bench_now_ns();
	if (storm_is_change(call))
		make_change(corral, &key, call);
	else if (call->kind == STORM_READ)
		call->error = read_cart(corral, &key, call);
	else if (call->kind == STORM_COPY)
		call->error = copy_cart(corral, &key, call);
	else
		call->error = list_carts(corral);
	call->return_ns = bench_now_ns();
}
