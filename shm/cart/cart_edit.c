/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_edit.c: what each kind of change does to lines, attributes and settings.
 *
 * A step of cart_plan(): it alters the plan's new head and notes what cart_build() has to
 * write. Sums of money and counts are moved by the difference, exactly (128 bits in
 * between), and refused when the true result does not fit.
 *
 * Does not judge whether the change may happen (cart.c), writes no version, does not
 * allocate. All it uses of the old lines is bounded by the head that was loaded.
 */
#include <errno.h>

#include "cart/cart_shape.h"
#include "cart/item.h"

static int move_subtotal(struct cart_plan *plan, int64_t minus_cents, int64_t plus_cents)
{
	__int128 exact = (__int128)plan->head.subtotal_cents - minus_cents + plus_cents;

	return cart_narrow(exact, &plan->head.subtotal_cents) ? 0 : -EOVERFLOW;
}

static int move_items(struct cart_plan *plan, uint32_t minus, uint32_t plus)
{
	uint64_t count = (uint64_t)plan->head.item_count + plus;

	if (count < minus || count - minus > (uint64_t)CORRAL_LINES_MAX * CORRAL_QUANTITY_MAX)
		return -EUCLEAN;
	plan->head.item_count = (uint32_t)(count - minus);
	return 0;
}

/* ------------------------------------------------------------ lines */

/*
 * Give the line at index, whose record is in plan->line, another quantity; 0 when it is to be cut.
 */
static int plan_quantity(struct cart_plan *plan, uint32_t index, uint32_t quantity)
{
	struct cart_line *line = &plan->line;
	int64_t before_cents, after_cents;
	int error;

	if (!cart_quantity_valid(line->quantity) ||
	    !cart_line_total(line->quantity, line->unit_price_cents, line->modifiers_cents,
			     &before_cents))
		return -EUCLEAN;
	if (!cart_line_total(quantity, line->unit_price_cents, line->modifiers_cents, &after_cents))
		return -EOVERFLOW;
	error = move_items(plan, line->quantity, quantity);
	if (error == 0)
		error = move_subtotal(plan, before_cents, after_cents);
	plan->lines_edit = LINES_SET;
	plan->index = index;
	plan->result.line = line->line;
	line->quantity = quantity;
	return error;
}

static int plan_append(const struct cart_change *change, struct cart_plan *plan)
{
	const struct cart_words *words = &change->words;
	struct cart_head *head = &plan->head;
	int64_t total_cents;
	int error;

	if (head->line_count == CORRAL_LINES_MAX || head->next_line > LINE_NUMBER_MAX)
		return -E2BIG;
	if (!cart_line_total(change->quantity, words->unit_price_cents, words->modifiers_cents,
			     &total_cents))
		return -EOVERFLOW;
	plan->lines_edit = LINES_APPEND;
	plan->index = head->line_count++;
	plan->result.line = head->next_line;
	plan->line = (struct cart_line){ .line = head->next_line++,
					 .quantity = change->quantity,
					 .unit_price_cents = words->unit_price_cents,
					 .modifiers_cents = words->modifiers_cents,
					 .merge = { words->merge[0], words->merge[1] },
					 .words_sum = words->sum,
					 .words_at = head->words_size,
					 .words_size = words->size };
	head->words_size += words->size;
	error = move_items(plan, 0, change->quantity);
	return error ? error : move_subtotal(plan, 0, total_cents);
}

static bool words_bounded(const struct cart_words *words)
{
	return words->bytes && words->size > 0 && words->size <= CORRAL_WORDS_MAX;
}

/* Looks at three words only: copying whole records costs more than the rest of an add. */
static bool merges(const uint8_t *record, const struct cart_words *words)
{
	uint64_t merge[2];
	int64_t unit_price_cents;

	memcpy(merge, record + offsetof(struct cart_line, merge), sizeof(merge));
	memcpy(&unit_price_cents, record + offsetof(struct cart_line, unit_price_cents),
	       sizeof(unit_price_cents));
	return unlikely(merge[0] == words->merge[0]) && merge[1] == words->merge[1] &&
	       unit_price_cents == words->unit_price_cents;
}

/* Merge keys of different seeds say nothing about each other. */
static int plan_add(const uint8_t *lines, const struct cart_change *change, struct cart_plan *plan)
{
	const struct cart_words *words = &change->words;
	uint32_t count = plan->head.seed == change->seed ? plan->head.line_count : 0;

	if (!cart_quantity_valid(change->quantity))
		return -ERANGE;
	if (!words_bounded(words))
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		if (!merges(lines + i * sizeof(struct cart_line), words))
			continue;
		plan->line = cart_line_at(lines, i);
		if (!cart_quantity_valid(plan->line.quantity))
			return -EUCLEAN;
		if (plan->line.quantity + change->quantity > CORRAL_QUANTITY_MAX)
			return -ERANGE;
		return plan_quantity(plan, i, plan->line.quantity + change->quantity);
	}
	return plan_append(change, plan);
}

/* A cut moves the words behind it, so all lines' words must be where the invariant has them. */
static int plan_cut(const uint8_t *lines, struct cart_plan *plan)
{
	uint64_t words_at = 0;

	for (uint32_t i = 0; i < plan->old.line_count; i++) {
		struct cart_line line = cart_line_at(lines, i);

		if (line.words_at != words_at)
			return -EUCLEAN;
		words_at += line.words_size;
	}
	if (words_at != plan->old.words_size || plan->line.words_size > plan->old.words_size ||
	    plan->line.words_at > plan->old.words_size - plan->line.words_size)
		return -EUCLEAN;
	plan->lines_edit = LINES_CUT;
	plan->head.line_count--;
	plan->head.words_size -= plan->line.words_size;
	return 0;
}

static int plan_set_quantity(const uint8_t *lines, const struct cart_change *change,
			     uint32_t quantity, struct cart_plan *plan)
{
	if (quantity > CORRAL_QUANTITY_MAX)
		return -ERANGE;
	for (uint32_t i = 0; i < plan->old.line_count; i++) {
		int error;

		plan->line = cart_line_at(lines, i);
		if (plan->line.line != change->line)
			continue;
		error = plan_quantity(plan, i, quantity);
		return error || quantity ? error : plan_cut(lines, plan);
	}
	return -ENXIO;
}

static void plan_no_lines(struct cart_plan *plan)
{
	plan->lines_edit = LINES_NONE;
	plan->head.subtotal_cents = 0;
	plan->head.item_count = 0;
	plan->head.line_count = 0;
	plan->head.words_size = 0;
	plan->head.lines_sum = 0;
}

/* ------------------------------------------------------------ attributes and whole carts */

static int plan_draft_line(const struct cart_draft_line *line, struct line_set *numbers,
			   struct cart_head *head, __int128 *subtotal, uint32_t known)
{
	int64_t total_cents;

	if (!cart_quantity_valid(line->quantity))
		return -ERANGE;
	if (!words_bounded(&line->words))
		return -EINVAL;
	if (line->line >= known)
		return -ENXIO;
	if (line->line != 0 && !line_set_add(numbers, line->line))
		return -EINVAL;
	if (line->line == 0 && head->next_line++ > LINE_NUMBER_MAX)
		return -E2BIG;
	if (!cart_line_total(line->quantity, line->words.unit_price_cents,
			     line->words.modifiers_cents, &total_cents))
		return -EOVERFLOW;
	*subtotal += total_cents;
	head->item_count += line->quantity;
	head->words_size += line->words.size;
	return 0;
}

/* Apart from cart_plan(), so that only a replacement pays for a set on the stack. */
__attribute__((noinline)) static int plan_replace(const struct cart_draft *draft,
						  struct cart_plan *plan)
{
	struct cart_head *head = &plan->head;
	uint32_t known = head->next_line; /* numbers below this may be named */
	__int128 subtotal = 0;

	if (draft->line_count > CORRAL_LINES_MAX ||
	    draft->attribute_count > CORRAL_ATTRIBUTES_MAX ||
	    draft->attributes_size > CORRAL_CART_MAX)
		return -E2BIG;
	if (draft->tax_ppm > CORRAL_TAX_PPM_MAX)
		return -ERANGE;
	if ((draft->line_count && !draft->lines) ||
	    (draft->attributes_size && !draft->attributes) ||
	    (draft->attribute_count == 0) != (draft->attributes_size == 0))
		return -EINVAL;
	uint32_t slots[line_set_slots(draft->line_count)];
	struct line_set numbers;
	plan_no_lines(plan);
	line_set_init(&numbers, slots, line_set_slots(draft->line_count));
	for (uint32_t i = 0; i < draft->line_count; i++) {
		int error = plan_draft_line(&draft->lines[i], &numbers, head, &subtotal, known);

		if (error)
			return error;
	}
	plan->lines_edit = LINES_DRAFT;
	plan->attributes_edit = ATTRIBUTES_DRAFT;
	head->line_count = draft->line_count;
	head->tax_ppm = draft->tax_ppm;
	head->attributes_size = draft->attributes_size;
	head->attribute_count = draft->attribute_count;
	return cart_narrow(subtotal, &head->subtotal_cents) ? 0 : -EOVERFLOW;
}

/* The new pair takes the place of the old one of this name, or goes to the end. */
static int plan_attribute(const uint8_t *map, const struct cart_change *change,
			  struct cart_plan *plan)
{
	struct cart_head *head = &plan->head;
	struct attribute_place place;
	uint8_t header[MAP_HEADER_MAX];
	int error;

	error = change->name.size ? cart_text_check(change->name, CORRAL_ATTRIBUTE_NAME_MAX) :
				    -EINVAL;
	if (error == 0 && !change->remove_attribute)
		error = cart_text_check(change->value, CORRAL_ATTRIBUTE_VALUE_MAX);
	if (error == 0)
		error = attribute_find(map, head->attributes_size, head->attribute_count,
				       change->name, &place);
	if (error)
		return error;
	head->attribute_count -= place.size != 0;
	head->attribute_count += !change->remove_attribute;
	if (head->attribute_count > CORRAL_ATTRIBUTES_MAX)
		return -E2BIG;
	plan->attributes_edit = ATTRIBUTES_PAIR;
	plan->map_header_size = place.header_size;
	plan->pair_at = place.at;
	plan->pair_size = place.size;
	head->attributes_size += pack_map_header(head->attribute_count, header);
	head->attributes_size -= place.header_size + place.size;
	if (!change->remove_attribute)
		head->attributes_size +=
			packed_text_size(change->name) + packed_text_size(change->value);
	return 0;
}

int cart_edit(const void *old, const struct cart_sections *at, const struct cart_change *change,
	      struct cart_plan *plan)
{
	const uint8_t *lines = (const uint8_t *)old + at->lines_at;
	const uint8_t *attributes = (const uint8_t *)old + at->attributes_at;

	switch (change->kind) {
	case CART_ADD:
		return plan_add(lines, change, plan);
	case CART_SET_QUANTITY:
		return plan_set_quantity(lines, change, change->quantity, plan);
	case CART_REMOVE:
		return plan_set_quantity(lines, change, 0, plan);
	case CART_CLEAR:
		plan_no_lines(plan);
		return 0;
	case CART_SET_TAX:
		plan->head.tax_ppm = change->tax_ppm;
		return change->tax_ppm <= CORRAL_TAX_PPM_MAX ? 0 : -ERANGE;
	case CART_SET_ATTRIBUTE:
		return plan_attribute(attributes, change, plan);
	case CART_SET_TTL:
		plan->head.ttl_ms = change->ttl_ms;
		return cart_ttl_valid(change->ttl_ms) ? 0 : -ERANGE;
	case CART_CHECKOUT:
		plan->head.status = CORRAL_CHECKED_OUT;
		return 0;
	case CART_REPLACE:
		return plan_replace(&change->draft, plan);
	case CART_DROP:
		plan->head = plan->old;
		return 0;
	case CART_PUT: /* cart_plan() has planned it whole */
		break;
	}
	return -EINVAL;
}
