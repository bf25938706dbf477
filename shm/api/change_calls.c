/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change_calls.c: the public calls that change a cart: check and pack the input, outside of any
 * lock, then change_cart(). A call that does one thing is a change of one step; only changes of a
 * whole cart (replace, drop) have no steps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"

#define WORDS_USUAL 2048u /* most lines' words are a tenth of this */
#define SMALL_BYTES 1376u /* three steps with usual items, and the stack has room for them */
#define DRAFT_ATTRIBUTES_BYTES                                                                     \
	(CORRAL_ATTRIBUTES_MAX * (CORRAL_ATTRIBUTE_NAME_MAX + CORRAL_ATTRIBUTE_VALUE_MAX + 16))

/* ------------------------------------------------------------------- steps */

/*
 * Take the line that a step names, by number or by its menu item. With neither it is line 0, which
 * no cart has.
 */
static int take_line(const struct corral_step *from, struct cart_step *to)
{
	struct corral_text id = from->menu_item_id;

	if ((id.size > 0 && id.data == NULL) || (id.size > 0 && from->line != 0))
		return -EINVAL;
	if (id.size > CORRAL_WORDS_MAX)
		return -E2BIG;
	if (!cart_text_valid(id))
		return -EILSEQ;
	to->line = from->line;
	to->name = id;
	return 0;
}

static int take_attribute(const struct corral_step *from, struct cart_step *to)
{
	const struct corral_text *value = from->value;

	if (from->name.data == NULL || from->name.size == 0 ||
	    (value != NULL && value->data == NULL && value->size > 0))
		return -EINVAL;
	if (from->name.size > CORRAL_ATTRIBUTE_NAME_MAX ||
	    (value != NULL && value->size > CORRAL_ATTRIBUTE_VALUE_MAX))
		return -ENAMETOOLONG;
	if (!cart_text_valid(from->name) || (value != NULL && !cart_text_valid(*value)))
		return -EILSEQ;
	to->kind = CART_SET_ATTRIBUTE;
	to->name = from->name;
	to->remove_attribute = value == NULL;
	if (value != NULL)
		to->value = *value;
	return 0;
}

static int take_adjustment(const struct corral_adjustment *from, struct cart_step *to)
{
	int r = cart_adjustment_check(from);

	if (r < 0)
		return r;
	to->kind = CART_SET_ADJUSTMENT;
	to->name = from->name;
	to->adjustment_kind = (uint8_t)from->kind;
	to->after_tax = from->after_tax;
	to->tax_ppm = from->ppm;
	to->cents = from->cents;
	return 0;
}

/*
 * Check a step and convert it; an item is packed into `words`. -E2BIG: the item is too large for
 * `words`, or for any cart.
 */
static int take_step(const struct corral *corral, const struct corral_step *from, void *words,
		     size_t words_room, struct cart_step *to)
{
	switch (from->kind) {
	case CORRAL_STEP_ADD:
		to->kind = CART_ADD;
		to->quantity = from->item != NULL ? from->item->quantity : 0;
		return cart_pack_item(from->item, corral->arena.hash_seed, words, words_room,
				      &to->words);
	case CORRAL_STEP_SET_QUANTITY:
		to->kind = CART_SET_QUANTITY;
		to->quantity = from->quantity;
		return from->quantity > CORRAL_QUANTITY_MAX ? -ERANGE : take_line(from, to);
	case CORRAL_STEP_CHANGE_QUANTITY:
		to->kind = CART_CHANGE_QUANTITY;
		to->difference = from->difference;
		return from->difference > CORRAL_QUANTITY_MAX ||
				       from->difference < -CORRAL_QUANTITY_MAX ?
			       -ERANGE :
			       take_line(from, to);
	case CORRAL_STEP_REMOVE:
		to->kind = CART_REMOVE;
		return take_line(from, to);
	case CORRAL_STEP_SET_LINE_TAX:
		to->kind = CART_SET_LINE_TAX;
		to->own_rate = from->own_rate ? from->tax_ppm + 1 : 0;
		if (from->own_rate > 1)
			return -EINVAL;
		return from->own_rate && from->tax_ppm > CORRAL_TAX_PPM_MAX ? -ERANGE :
									      take_line(from, to);
	case CORRAL_STEP_CLEAR:
		to->kind = CART_CLEAR;
		return 0;
	case CORRAL_STEP_SET_TAX:
		to->kind = CART_SET_TAX;
		to->tax_ppm = from->tax_ppm;
		return from->tax_ppm > CORRAL_TAX_PPM_MAX ? -ERANGE : 0;
	case CORRAL_STEP_SET_ATTRIBUTE:
		return take_attribute(from, to);
	case CORRAL_STEP_SET_TTL:
		to->kind = CART_SET_TTL;
		to->ttl_ms = from->ttl_ms;
		return from->ttl_ms != 0 && (from->ttl_ms < CORRAL_TTL_MS_MIN ||
					     from->ttl_ms > CORRAL_TTL_MS_MAX) ?
			       -ERANGE :
			       0;
	case CORRAL_STEP_CHECKOUT:
		to->kind = CART_CHECKOUT;
		return 0;
	case CORRAL_STEP_SET_ADJUSTMENT:
		return take_adjustment(from->adjustment, to);
	case CORRAL_STEP_REMOVE_ADJUSTMENT:
		to->kind = CART_REMOVE_ADJUSTMENT;
		to->name = from->name;
		return from->name.size == 0 || from->name.data == NULL ? -EINVAL : 0;
	case CORRAL_STEP_SET_PRICING:
		to->kind = CART_SET_PRICING;
		to->pricing = (uint8_t)from->pricing;
		return from->pricing <= UINT8_MAX ? 0 : -EINVAL;
	case CORRAL_STEP_SET_CURRENCY:
		to->kind = CART_SET_CURRENCY;
		to->currency = cart_currency(from->name);
		return to->currency != 0 ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

/*
 * Begin with an empty step. The words of a step that has an item are set as a whole; other steps
 * have none.
 */
static void step_begin(struct cart_step *step)
{
	memset(step, 0, offsetof(struct cart_step, words));
	step->words.size = 0;
}

/*
 * A change without conditions. Members that only other kinds of changes use, and those that
 * change_cart() sets, are left as they are: clearing all of them takes longer than finding the
 * cart.
 */
static void change_begin(struct cart_change *change)
{
	step_begin(&change->one);
	change->steps = NULL;
	change->step_count = 0;
	change->lines = NULL;
	change->has_op = false;
	change->if_version = 0;
}

/*
 * Make a change of one step. It needs no heap memory, except for the words of a large item. Like
 * apply_many() it is not inlined, so that the stack holds the buffer of only one of them.
 */
__attribute__((noinline)) static int apply_one(struct corral *corral, const struct corral_key *key,
					       const struct corral_step *step,
					       const struct corral_op *op,
					       struct corral_result *ret_result, uint32_t *ret_step)
{
	struct cart_change change;
	uint8_t words[WORDS_USUAL];
	void *large = NULL;

	change_begin(&change);
	int r = take_step(corral, step, words, sizeof(words), &change.one);
	if (unlikely(r == -E2BIG && step->kind == CORRAL_STEP_ADD)) {
		/* the item is too large for the stack, or for any cart */
		large = malloc(CORRAL_WORDS_MAX);
		r = large == NULL ? -ENOMEM :
				    take_step(corral, step, large, CORRAL_WORDS_MAX, &change.one);
	}
	if (r == 0)
		r = change_cart(corral, key, &change, op, ret_result, ret_step);
	else
		*ret_step = 1;
	free(large);
	return r;
}

/* The memory for a change of several steps. */
struct apply {
	struct cart_change change;
	struct cart_step *steps;
	uint8_t *words;
	size_t words_room;
	uint64_t small[SMALL_BYTES / sizeof(uint64_t)]; /* enough for a few steps */
};

/* Divide a block: first the arrays aligned like pointers, then those of numbers, then bytes. */
static void apply_divide(struct apply *apply, uint32_t count, void *block)
{
	uint8_t *at = block;

	apply->steps = (struct cart_step *)(void *)at;
	apply->change.steps = apply->steps;
	apply->change.step_count = count;
	at += count * sizeof(struct cart_step);
	apply->change.line_edits = (struct line_edit *)(void *)at;
	at += count * sizeof(struct line_edit);
	apply->change.pair_edits = (struct pair_edit *)(void *)at;
	at += count * sizeof(struct pair_edit);
	apply->change.lines = (uint32_t *)(void *)at;
	apply->words = at + count * sizeof(uint32_t);
}

static_assert(sizeof(struct cart_step) % 8 == 0 && sizeof(struct line_edit) % 8 == 0 &&
		      sizeof(struct pair_edit) % 8 == 0,
	      "what follows is aligned, too");

/*
 * Provide the memory: `small`, or, if that is not enough, as much as the items can need, from
 * malloc(), as *ret_block.
 */
static int apply_prepare(struct apply *apply, const struct corral_step *steps, uint32_t count,
			 bool large, void **ret_block)
{
	size_t bytes = count * (sizeof(struct cart_step) + sizeof(struct line_edit) +
				sizeof(struct pair_edit) + sizeof(uint32_t));

	change_begin(&apply->change);
	if (likely(!large && bytes <= sizeof(apply->small))) {
		apply->words_room = sizeof(apply->small) - bytes;
		apply_divide(apply, count, apply->small);
		return 0;
	}
	apply->words_room = 0;
	for (uint32_t i = 0; i < count; i++)
		if (steps[i].kind == CORRAL_STEP_ADD)
			apply->words_room += cart_item_bound(steps[i].item);
	*ret_block = malloc(bytes + apply->words_room);
	if (*ret_block == NULL)
		return -ENOMEM;
	apply_divide(apply, count, *ret_block);
	return 0;
}

static int apply_take(const struct corral *corral, struct apply *apply,
		      const struct corral_step *steps, uint32_t *ret_step)
{
	int r = 0;

	for (uint32_t i = 0; i < apply->change.step_count && r == 0; i++) {
		struct cart_step *step = &apply->steps[i];

		*ret_step = i + 1;
		step_begin(step);
		r = take_step(corral, &steps[i], apply->words, apply->words_room, step);
		if (r == 0) {
			apply->words += step->words.size;
			apply->words_room -= step->words.size;
		}
	}
	return r;
}

__attribute__((noinline)) static int apply_many(struct corral *corral, const struct corral_key *key,
						const struct corral_step *steps, uint32_t count,
						const struct corral_op *op,
						struct corral_result *ret_result,
						uint32_t *ret_step, uint32_t *ret_lines)
{
	struct apply apply;
	void *block = NULL;

	int r = apply_prepare(&apply, steps, count, false, &block);
	if (r == 0)
		r = apply_take(corral, &apply, steps, ret_step);
	if (unlikely(r == -E2BIG && block == NULL)) {
		/* an item is too large for the stack, or for any cart */
		r = apply_prepare(&apply, steps, count, true, &block);
		if (r == 0)
			r = apply_take(corral, &apply, steps, ret_step);
	}
	if (r == 0)
		r = change_cart(corral, key, &apply.change, op, ret_result, ret_step);
	if (r == 0 && ret_lines != NULL)
		memcpy(ret_lines, apply.change.lines, count * sizeof(ret_lines[0]));
	free(block);
	return r;
}

int corral_apply(struct corral *corral, const struct corral_key *key,
		 const struct corral_step *steps, uint32_t step_count, const struct corral_op *op,
		 struct corral_result *ret_result, uint32_t *ret_lines)
{
	struct corral_result unwanted;
	struct corral_result *result = ret_result != NULL ? ret_result : &unwanted;
	uint32_t step = 0;
	int r = steps == NULL || step_count == 0 ? -EINVAL :
		step_count > CORRAL_STEPS_MAX    ? -E2BIG :
						   0;

	if (r == 0)
		r = step_count == 1 ? apply_one(corral, key, steps, op, result, &step) :
				      apply_many(corral, key, steps, step_count, op, ret_result,
						 &step, ret_lines);
	if (r == 0 && step_count == 1 && ret_lines != NULL)
		ret_lines[0] = result->line;
	if (r != 0)
		result->step = step;
	return r;
}

/* ------------------------------------------------------- changes of one step */

static int change_by(struct corral *corral, const struct corral_key *key,
		     const struct corral_step *step, const struct corral_op *op,
		     struct corral_result *ret_result)
{
	uint32_t refused;

	return apply_one(corral, key, step, op, ret_result, &refused);
}

int corral_add(struct corral *corral, const struct corral_key *key, const struct corral_item *item,
	       const struct corral_op *op, struct corral_result *ret_result)
{
	struct corral_step add; /* only what its kind uses is set: clearing it all takes a while */

	add.kind = CORRAL_STEP_ADD;
	add.item = item;
	return change_by(corral, key, &add, op, ret_result);
}

int corral_set_quantity(struct corral *corral, const struct corral_key *key, uint32_t line,
			uint32_t quantity, const struct corral_op *op,
			struct corral_result *ret_result)
{
	struct corral_step set = { .kind = CORRAL_STEP_SET_QUANTITY,
				   .line = line,
				   .quantity = quantity };

	return change_by(corral, key, &set, op, ret_result);
}

int corral_remove(struct corral *corral, const struct corral_key *key, uint32_t line,
		  const struct corral_op *op, struct corral_result *ret_result)
{
	struct corral_step remove = { .kind = CORRAL_STEP_REMOVE, .line = line };

	return change_by(corral, key, &remove, op, ret_result);
}

int corral_clear(struct corral *corral, const struct corral_key *key, const struct corral_op *op,
		 struct corral_result *ret_result)
{
	struct corral_step clear = { .kind = CORRAL_STEP_CLEAR };

	return change_by(corral, key, &clear, op, ret_result);
}

int corral_set_tax(struct corral *corral, const struct corral_key *key, uint32_t tax_ppm,
		   const struct corral_op *op, struct corral_result *ret_result)
{
	struct corral_step set = { .kind = CORRAL_STEP_SET_TAX, .tax_ppm = tax_ppm };

	return change_by(corral, key, &set, op, ret_result);
}

int corral_set_attribute(struct corral *corral, const struct corral_key *key,
			 const struct corral_text *name, const struct corral_text *value,
			 const struct corral_op *op, struct corral_result *ret_result)
{
	struct corral_step set = { .kind = CORRAL_STEP_SET_ATTRIBUTE, .value = value };

	if (name == NULL)
		return -EINVAL;
	set.name = *name;
	return change_by(corral, key, &set, op, ret_result);
}

int corral_set_ttl(struct corral *corral, const struct corral_key *key, uint64_t ttl_ms,
		   const struct corral_op *op, struct corral_result *ret_result)
{
	struct corral_step set = { .kind = CORRAL_STEP_SET_TTL, .ttl_ms = ttl_ms };

	return change_by(corral, key, &set, op, ret_result);
}

int corral_checkout(struct corral *corral, const struct corral_key *key, const struct corral_op *op,
		    struct corral_result *ret_result)
{
	struct corral_step out = { .kind = CORRAL_STEP_CHECKOUT };

	return change_by(corral, key, &out, op, ret_result);
}

/* ------------------------------------------------------------ a whole cart */

int corral_drop(struct corral *corral, const struct corral_key *key, const struct corral_op *op,
		struct corral_result *ret_result)
{
	struct cart_change drop = { .one = { .kind = CART_DROP } };

	return change_cart(corral, key, &drop, op, ret_result, NULL);
}

/* The currency that a draft names; "": 0. */
static int draft_currency(const char code[4], uint32_t *ret_currency)
{
	*ret_currency = code[0] == '\0' ? 0 : cart_currency((struct corral_text){ code, 3 });
	return code[0] == '\0' || (*ret_currency != 0 && code[3] == '\0') ? 0 : -EINVAL;
}

/* Pack a draft into one heap block: lines, their words, the attributes. */
static int pack_draft(const struct corral *corral, const struct corral_cart *cart,
		      struct cart_draft *draft, void **ret_block)
{
	if (cart->line_count > CORRAL_LINES_MAX || cart->attribute_count > CORRAL_ATTRIBUTES_MAX)
		return -E2BIG;
	if (cart->head.tax_ppm > CORRAL_TAX_PPM_MAX)
		return -ERANGE;
	int r = draft_currency(cart->head.currency, &draft->currency);
	if (r < 0)
		return r;
	size_t lines_bytes = cart->line_count * sizeof(struct cart_draft_line);
	size_t room = lines_bytes + DRAFT_ATTRIBUTES_BYTES + CORRAL_CART_MAX + CORRAL_WORDS_MAX;
	uint8_t *block = malloc(room);
	if (block == NULL)
		return -ENOMEM;
	struct cart_draft_line *lines = (struct cart_draft_line *)(void *)block;
	uint8_t *at = block + lines_bytes;
	uint8_t *words_end = at + CORRAL_CART_MAX;
	for (uint32_t i = 0; i < cart->line_count && r == 0; i++) {
		lines[i].line = cart->lines[i].line;
		lines[i].quantity = cart->lines[i].item.quantity;
		r = at > words_end ? -E2BIG :
				     cart_pack_item(&cart->lines[i].item, corral->arena.hash_seed,
						    at, CORRAL_WORDS_MAX, &lines[i].words);
		at += r == 0 ? lines[i].words.size : 0;
	}
	if (r == 0)
		r = cart_pack_attributes(cart->attributes, cart->attribute_count, at,
					 (size_t)(block + room - at), &draft->attributes_size);
	if (r < 0) {
		free(block);
		return r;
	}
	draft->lines = lines;
	draft->line_count = cart->line_count;
	draft->tax_ppm = cart->head.tax_ppm;
	draft->pricing = cart->head.pricing;
	draft->adjustments = cart->adjustments;
	draft->adjustment_count = cart->adjustment_count;
	draft->attributes = at;
	draft->attribute_count = cart->attribute_count;
	*ret_block = block;
	return 0;
}

int corral_replace(struct corral *corral, const struct corral_key *key,
		   const struct corral_cart *cart, const struct corral_op *op,
		   struct corral_result *ret_result)
{
	struct cart_change replace = { .one = { .kind = CART_REPLACE } };
	void *block;

	if (op == NULL || cart == NULL || (cart->line_count > 0 && cart->lines == NULL) ||
	    (cart->attribute_count > 0 && cart->attributes == NULL) ||
	    (cart->adjustment_count > 0 && cart->adjustments == NULL))
		return -EINVAL;
	int r = pack_draft(corral, cart, &replace.draft, &block);
	if (r < 0)
		return r;
	r = change_cart(corral, key, &replace, op, ret_result, NULL);
	free(block);
	return r;
}
