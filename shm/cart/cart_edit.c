/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_edit.c: the effect of each kind of step on lines, attributes and settings.
 *
 * cart_plan() calls cart_edit() once for each step of a change. It alters the plan's new head and
 * notes what cart_build() has to write. The old lines stay where they are; the plan has an edit for
 * each line that a step has set or cut, in the lines' order, followed by one for each line to be
 * appended. A later step finds the lines as the earlier ones leave them, so a change of several
 * steps has the effect of its steps one by one. The same holds for attributes. A step makes at most
 * one edit.
 *
 * Sums of money and counts are changed by the exact difference (computed in 128 bits), and a change
 * is refused if the true result does not fit.
 *
 * This file does not judge whether the change may happen (cart.c does), writes no version, and does
 * not allocate. Every access to the old lines is bounded by the head that was loaded.
 */
#include <errno.h>

#include "cart/cart_shape.h"
#include "cart/item.h"

/* The inputs of all kinds of steps. */
struct edit {
	const uint8_t *lines; /* of the old version */
	const uint8_t *words;
	const uint8_t *attributes;
	const struct cart_change *change;
	const struct cart_step *step;
	struct cart_plan *plan;
	uint32_t line; /* the number of the line that the step is about; 0: none */
};

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

/* The number of old lines that still count: all of them, or none once they were cleared. */
static uint32_t old_count(const struct cart_plan *plan)
{
	return plan->lines_edit == LINES_KEEP ? plan->old.line_count : 0;
}

/*
 * The place of an old line's edit, or the place where it has to be inserted: mostly at the end,
 * since callers name lines in the order in which they see them.
 */
static uint32_t line_place(const struct cart_plan *plan, uint32_t index)
{
	uint32_t place = plan->line_edit_count;

	if (place == 0 || plan->line_edits[place - 1].index < index)
		return place;
	place = 0;

	while (place < plan->line_edit_count && plan->line_edits[place].index < index)
		place++;
	return place;
}

/* The edit of an old line, or NULL. */
static const struct line_edit *edit_of_line(const struct cart_plan *plan, uint32_t index)
{
	uint32_t place = line_place(plan, index);

	return place < plan->line_edit_count && plan->line_edits[place].index == index ?
		       &plan->line_edits[place] :
		       NULL;
}

static bool is_cut(const struct cart_plan *plan, uint32_t index)
{
	const struct line_edit *edit = edit_of_line(plan, index);

	return edit != NULL && edit->cut;
}

/* Is an old line still there, with the merge key that its record has? */
static bool keeps_merge_key(const struct cart_plan *plan, uint32_t index)
{
	const struct line_edit *edit = edit_of_line(plan, index);

	return edit == NULL || (!edit->cut && !edit->rated);
}

/* Insert a new edit at a place. It leaves its old line unchanged so far. */
static inline struct line_edit *add_edit(const struct edit *e, uint32_t place, uint32_t index)
{
	struct line_edit *edit = &e->plan->line_edits[place];

	memcpy(&edit->line, e->lines + (size_t)index * sizeof(edit->line), sizeof(edit->line));
	edit->words = NULL;
	edit->index = index;
	edit->rated = false;
	edit->cut = false;
	e->plan->line_edit_count++;
	return edit;
}

/* The edit of an old line, for a plan that may have other edits. */
static struct line_edit *edit_among(const struct edit *e, uint32_t index)
{
	struct cart_plan *plan = e->plan;
	uint32_t place = line_place(plan, index);
	struct line_edit *edit = &plan->line_edits[place];

	if (place < plan->line_edit_count && edit->index == index)
		return edit;
	if (place < plan->line_edit_count)
		memmove(edit + 1, edit, (plan->line_edit_count - place) * sizeof(*edit));
	return add_edit(e, place, index);
}

/* The edit of an old line: the one it has, or a new one. */
static inline struct line_edit *edit_old(const struct edit *e, uint32_t index)
{
	return likely(e->plan->line_edit_count == 0) ? add_edit(e, 0, index) : edit_among(e, index);
}

static bool words_bounded(const struct cart_words *words)
{
	return words->bytes != NULL && words->size > 0 && words->size <= CORRAL_WORDS_MAX;
}

/* The first word of a line's merge key. It is read alone: copying records costs more than an add.
 */
static inline uint64_t merge_word(const void *line)
{
	uint64_t word;

	memcpy(&word, (const uint8_t *)line + offsetof(struct cart_line, merge), sizeof(word));
	return word;
}

/*
 * Does an item merge into this line? A merge key of 0 and 0 marks lines and items that stay
 * separate.
 */
static bool merges(const void *record, const struct cart_words *words)
{
	const uint8_t *bytes = record;
	uint64_t word;
	int64_t unit_price_cents;

	memcpy(&word, bytes + offsetof(struct cart_line, merge[1]), sizeof(word));
	memcpy(&unit_price_cents, bytes + offsetof(struct cart_line, unit_price_cents),
	       sizeof(unit_price_cents));
	return merge_word(record) == words->merge[0] && word == words->merge[1] &&
	       unit_price_cents == words->unit_price_cents &&
	       (words->merge[0] | words->merge[1]) != 0;
}

/*
 * The place of the first old line into which an item merges as its record has it; UINT32_MAX: there
 * is none.
 */
static uint32_t find_equal_old(const struct edit *e)
{
	const struct cart_words *words = &e->step->words;
	const uint64_t word = words->merge[0];
	const uint8_t *end = e->lines + (size_t)old_count(e->plan) * sizeof(struct cart_line);

	for (const uint8_t *line = e->lines; line != end; line += sizeof(struct cart_line)) {
		if (likely(merge_word(line) != word) || !merges(line, words))
			continue;
		uint32_t index = (uint32_t)((size_t)(line - e->lines) / sizeof(struct cart_line));
		if (e->plan->line_edit_count == 0 || keeps_merge_key(e->plan, index))
			return index;
	}
	return UINT32_MAX;
}

/*
 * The first line of an equal item, or NULL. Merge keys of different seeds say nothing about each
 * other.
 */
static struct line_edit *find_equal(const struct edit *e)
{
	struct cart_plan *plan = e->plan;
	uint32_t index;

	if (plan->head.seed != e->change->seed)
		return NULL;
	index = find_equal_old(e);
	for (uint32_t i = 0; i < plan->line_edit_count && plan->line_edits[i].index <= index; i++) {
		struct line_edit *edit = &plan->line_edits[i];

		if (edit->rated && !edit->cut && merges(&edit->line, &e->step->words))
			return edit;
	}
	return index != UINT32_MAX ? edit_old(e, index) : NULL;
}

static int find_number(const struct edit *e, uint32_t number, struct line_edit **ret_edit)
{
	struct cart_plan *plan = e->plan;
	uint32_t count = old_count(plan);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t line;

		memcpy(&line, e->lines + i * sizeof(struct cart_line), sizeof(line));
		if (line != number || is_cut(plan, i))
			continue;
		*ret_edit = edit_old(e, i);
		return 0;
	}
	for (uint32_t i = 0; i < plan->line_edit_count; i++) {
		if (plan->line_edits[i].words == NULL || plan->line_edits[i].line.line != number)
			continue;
		*ret_edit = &plan->line_edits[i];
		return 0;
	}
	return -ENXIO;
}

static_assert(offsetof(struct cart_line, line) == 0, "find_number() reads it there");

/* The one line of this menu item; -ENXIO: there is none; -EMLINK: there are several. */
static int find_item(const struct edit *e, struct corral_text id, struct line_edit **ret_edit)
{
	struct cart_plan *plan = e->plan;
	struct line_edit *appended = NULL;
	uint32_t count = old_count(plan), index = 0, found = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct cart_line line = cart_line_at(e->lines, i);

		read_once(line);
		if (line.words_size > plan->old.words_size ||
		    line.words_at > plan->old.words_size - line.words_size)
			return -EUCLEAN;
		if (!item_is_of(e->words + line.words_at, line.words_size, id) || is_cut(plan, i))
			continue;
		index = i;
		found++;
	}
	for (uint32_t i = 0; i < plan->line_edit_count; i++) {
		struct line_edit *edit = &plan->line_edits[i];

		if (edit->words == NULL || !item_is_of(edit->words, edit->line.words_size, id))
			continue;
		appended = edit;
		found++;
	}
	if (found != 1)
		return found == 0 ? -ENXIO : -EMLINK;
	*ret_edit = appended != NULL ? appended : edit_old(e, index);
	return 0;
}

/* The line that a step names, by number or by its menu item. */
static int find_line(const struct edit *e, struct line_edit **ret_edit)
{
	return e->step->line == 0 && e->step->name.size > 0 ?
		       find_item(e, e->step->name, ret_edit) :
		       find_number(e, e->step->line, ret_edit);
}

/*
 * Check that all lines' words are where the invariant has them, since a cut moves the words after
 * it.
 */
static int words_in_order(const struct edit *e)
{
	const struct cart_head *old = &e->plan->old;
	uint64_t words_at = 0;

	for (uint32_t i = 0; i < old->line_count; i++) {
		struct cart_line line = cart_line_at(e->lines, i);

		if (line.words_at != words_at)
			return -EUCLEAN;
		words_at += line.words_size;
	}
	return words_at == old->words_size ? 0 : -EUCLEAN;
}

static int cut(const struct edit *e, struct line_edit *edit)
{
	struct cart_plan *plan = e->plan;
	struct line_edit *end = plan->line_edits + plan->line_edit_count;

	plan->head.line_count--;
	plan->head.words_size -= edit->line.words_size;
	if (edit->words == NULL) {
		edit->cut = true;
		return plan->cut_count++ > 0 ? 0 : words_in_order(e);
	}
	memmove(edit, edit + 1, (size_t)((uint8_t *)end - (uint8_t *)(edit + 1)));
	plan->line_edit_count--;
	return 0;
}

/* Give a line another quantity; 0 cuts it. */
static int plan_quantity(struct edit *e, struct line_edit *edit, uint32_t quantity)
{
	struct cart_line *line = &edit->line;
	int64_t one_cents, before_cents, after_cents;
	int r;

	if (!cart_quantity_valid(line->quantity) ||
	    add_overflows(line->unit_price_cents, line->modifiers_cents, &one_cents) ||
	    mul_overflows(one_cents, (int64_t)line->quantity, &before_cents))
		return -EUCLEAN;
	if (mul_overflows(one_cents, (int64_t)quantity, &after_cents))
		return -EOVERFLOW;
	r = move_items(e->plan, line->quantity, quantity);
	if (r == 0)
		r = move_subtotal(e->plan, before_cents, after_cents);
	if (r)
		return r;
	e->line = line->line;
	if (quantity == 0)
		return cut(e, edit);
	line->quantity = quantity;
	return 0;
}

static int plan_append(struct edit *e)
{
	const struct cart_words *words = &e->step->words;
	struct cart_head *head = &e->plan->head;
	int64_t total_cents;
	int r;

	if (head->line_count == CORRAL_LINES_MAX || head->next_line > LINE_NUMBER_MAX)
		return -E2BIG;
	if (!cart_line_total(e->step->quantity, words->unit_price_cents, words->modifiers_cents,
			     &total_cents))
		return -EOVERFLOW;
	e->line = head->next_line++;
	e->plan->line_edits[e->plan->line_edit_count++] = (struct line_edit){
		.line = { .line = e->line,
			  .quantity = e->step->quantity,
			  .unit_price_cents = words->unit_price_cents,
			  .modifiers_cents = words->modifiers_cents,
			  .merge = { words->merge[0], words->merge[1] },
			  .words_sum = cart_words_sum(words),
			  .words_at = head->words_size, /* unless a later step cuts a line */
			  .words_size = (uint16_t)words->size },
		.words = words->bytes,
		.index = UINT32_MAX,
		.own_rate = words->own_rate,
		.rated = true
	};
	if (unlikely(words->own_rate != 0))
		cart_price_begin(e->plan);
	head->line_count++;
	head->words_size += words->size;
	r = move_items(e->plan, 0, e->step->quantity);
	return r ? r : move_subtotal(e->plan, 0, total_cents);
}

static int plan_add(struct edit *e)
{
	uint32_t quantity = e->step->quantity;
	struct line_edit *edit;

	if (!cart_quantity_valid(quantity))
		return -ERANGE;
	if (!words_bounded(&e->step->words))
		return -EINVAL;
	edit = find_equal(e);
	if (edit == NULL)
		return plan_append(e);
	if (!cart_quantity_valid(edit->line.quantity))
		return -EUCLEAN;
	if (edit->line.quantity + quantity > CORRAL_QUANTITY_MAX)
		return -ERANGE;
	return plan_quantity(e, edit, edit->line.quantity + quantity);
}

static int plan_set_quantity(struct edit *e, uint32_t quantity)
{
	struct line_edit *edit;
	int r;

	if (quantity > CORRAL_QUANTITY_MAX)
		return -ERANGE;
	r = find_line(e, &edit);
	return r ? r : plan_quantity(e, edit, quantity);
}

static int plan_change_quantity(struct edit *e)
{
	struct line_edit *edit;
	int64_t quantity;
	int r = find_line(e, &edit);

	if (r)
		return r;
	quantity = (int64_t)edit->line.quantity + e->step->difference;
	if (quantity < 0 || quantity > CORRAL_QUANTITY_MAX)
		return cart_quantity_valid(edit->line.quantity) ? -ERANGE : -EUCLEAN;
	return plan_quantity(e, edit, (uint32_t)quantity);
}

/* The rate of its own that a line has so far, as in struct cart_words. False: it is damaged. */
static bool own_rate_of(const struct cart_plan *plan, const struct line_edit *edit,
			uint32_t *ret_own_rate)
{
	const uint32_t number = edit->line.rate;

	*ret_own_rate = edit->rated ? edit->own_rate : 0;
	if (edit->rated || number == 0)
		return true;
	if (!plan->priced || number > CART_RATES || plan->money.own[number - 1] == RATE_UNUSED)
		return false;
	*ret_own_rate = plan->money.own[number - 1] + 1;
	return true;
}

/*
 * Tax a line at another rate. The rate is part of its merge key, so that equal items merge into it
 * from then on. Two lines that have become equal stay two.
 */
static int plan_line_tax(struct edit *e)
{
	const uint32_t own_rate = e->step->own_rate;
	struct cart_plan *plan = e->plan;
	struct line_edit *edit;
	uint32_t former;
	int r = own_rate > CORRAL_TAX_PPM_MAX + 1 ? -ERANGE : find_line(e, &edit);

	if (r)
		return r;
	if (!own_rate_of(plan, edit, &former))
		return -EUCLEAN;
	e->line = edit->line.line;
	item_merge_rate_anew(former, own_rate,
			     edit->words != NULL ? e->change->seed : plan->head.seed,
			     edit->line.merge);
	edit->own_rate = own_rate;
	edit->rated = true;
	if (own_rate != 0)
		cart_price_begin(plan);
	return 0;
}

static void plan_lines_none(struct cart_plan *plan)
{
	plan->lines_edit = LINES_NONE;
	plan->line_edit_count = 0;
	plan->cut_count = 0;
	plan->head.subtotal_cents = 0;
	plan->head.item_count = 0;
	plan->head.line_count = 0;
	plan->head.words_size = 0;
	plan->head.lines_sum = 0;
}

static void plan_clear(struct cart_plan *plan)
{
	plan_lines_none(plan);
	if (plan->priced)
		plan->money.adjustment_count = 0;
}

/* ------------------------------------------------------------ attributes and whole carts */

static int plan_draft_line(const struct cart_draft_line *line, struct line_set *numbers,
			   struct cart_plan *plan, __int128 *subtotal, uint32_t known)
{
	struct cart_head *head = &plan->head;
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
	if (line->words.own_rate != 0)
		cart_price_begin(plan);
	*subtotal += total_cents;
	head->item_count += line->quantity;
	head->words_size += line->words.size;
	return 0;
}

/* Kept apart from cart_plan(), so that only a replacement pays for a set on the stack. */
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
	if ((draft->line_count && draft->lines == NULL) ||
	    (draft->attributes_size && draft->attributes == NULL) ||
	    (draft->attribute_count == 0) != (draft->attributes_size == 0))
		return -EINVAL;
	uint32_t slots[line_set_slots(draft->line_count)];
	struct line_set numbers;
	int r = cart_plan_draft_money(plan, draft);
	if (r)
		return r;
	plan_lines_none(plan);
	line_set_init(&numbers, slots, line_set_slots(draft->line_count));
	for (uint32_t i = 0; i < draft->line_count; i++) {
		r = plan_draft_line(&draft->lines[i], &numbers, plan, &subtotal, known);

		if (r)
			return r;
	}
	plan->lines_edit = LINES_DRAFT;
	plan->attributes_edit = ATTRIBUTES_DRAFT;
	head->line_count = draft->line_count;
	head->tax_ppm = draft->tax_ppm;
	head->attributes_size = draft->attributes_size;
	head->attribute_count = draft->attribute_count;
	return cart_narrow(subtotal, &head->subtotal_cents) ? 0 : -EOVERFLOW;
}

/* ------------------------------------------------------------ attributes */

static uint32_t pair_size(const struct cart_step *step)
{
	return packed_text_size(step->name) + packed_text_size(step->value);
}

/* The edit of the old pair at a place, if a step has made one. */
static struct pair_edit *edit_of_pair(const struct cart_plan *plan, uint32_t at)
{
	for (uint32_t i = 0; i < plan->pair_edit_count; i++)
		if (plan->pair_edits[i].size > 0 && plan->pair_edits[i].at == at)
			return &plan->pair_edits[i];
	return NULL;
}

/* The edit of a new pair of this name, if a step has made one. */
static struct pair_edit *edit_of_name(const struct cart_plan *plan, struct corral_text name)
{
	for (uint32_t i = 0; i < plan->pair_edit_count; i++)
		if (plan->pair_edits[i].size == 0 &&
		    text_equal(plan->pair_edits[i].step->name, name))
			return &plan->pair_edits[i];
	return NULL;
}

/*
 * Insert a pair's edit: old pairs are sorted by their place, new ones follow in the order of their
 * steps.
 */
static void add_pair_edit(struct cart_plan *plan, const struct pair_edit *new)
{
	uint32_t place = plan->pair_edit_count++;

	for (; place > 0 && plan->pair_edits[place - 1].at > new->at; place--)
		plan->pair_edits[place] = plan->pair_edits[place - 1];
	plan->pair_edits[place] = *new;
}

static void forget_pair_edit(struct cart_plan *plan, struct pair_edit *edit)
{
	const struct pair_edit *end = plan->pair_edits + --plan->pair_edit_count;

	for (; edit < end; edit++)
		edit[0] = edit[1];
}

/*
 * Plan the pair that a step sets or cuts: at its place in the old version, or at the end. `old`:
 * the pair's place in the old version.
 */
static void plan_pair(struct cart_plan *plan, const struct attribute_place *old,
		      const struct cart_step *step)
{
	const struct cart_step *new = step->remove_attribute ? NULL : step;
	struct pair_edit *edit = old->size > 0 ? edit_of_pair(plan, old->at) : NULL;
	bool untouched = old->size > 0 && edit == NULL;

	if (old->size == 0 || (edit != NULL && edit->step == NULL))
		edit = edit_of_name(plan, step->name);
	plan->head.attribute_count -= untouched || edit != NULL;
	plan->head.attribute_count += new != NULL ? 1 : 0;
	plan->pairs_size -= untouched ? old->size : edit != NULL ? pair_size(edit->step) : 0;
	plan->pairs_size += new != NULL ? pair_size(new) : 0;
	if (untouched)
		add_pair_edit(plan, &(struct pair_edit){ new, old->at, old->size });
	else if (edit == NULL && new != NULL)
		add_pair_edit(plan, &(struct pair_edit){ new, plan->old.attributes_size, 0 });
	else if (edit != NULL && new == NULL && edit->size == 0)
		forget_pair_edit(plan, edit);
	else if (edit != NULL)
		edit->step = new;
}

static int attribute_check(const struct cart_step *step)
{
	int r = step->name.size ? cart_text_check(step->name, CORRAL_ATTRIBUTE_NAME_MAX) : -EINVAL;

	if (r == 0 && !step->remove_attribute)
		r = cart_text_check(step->value, CORRAL_ATTRIBUTE_VALUE_MAX);
	return r;
}

/* Plan an attribute: the new pair replaces the one of this name, or is appended. */
static int plan_attribute(const struct edit *e)
{
	const struct cart_step *step = e->step;
	struct cart_plan *plan = e->plan;
	struct cart_head *head = &plan->head;
	struct attribute_place old;
	uint8_t header[MAP_HEADER_MAX];
	int r = attribute_check(step);

	if (r == 0)
		r = attribute_find(e->attributes, plan->old.attributes_size,
				   plan->old.attribute_count, step->name, &old);
	if (r)
		return r;
	if (plan->attributes_edit == ATTRIBUTES_KEEP) { /* the first of them */
		plan->attributes_edit = ATTRIBUTES_PAIRS;
		plan->map_header_size = old.header_size;
		plan->pairs_size = plan->old.attributes_size - old.header_size;
	}
	plan_pair(plan, &old, step);
	if (head->attribute_count > CORRAL_ATTRIBUTES_MAX)
		return -E2BIG;
	head->attributes_size = pack_map_header(head->attribute_count, header) + plan->pairs_size;
	return 0;
}

/* ------------------------------------------------------------ any step */

int cart_edit(const void *old, const struct cart_sections *at, const struct cart_change *change,
	      const struct cart_step *step, struct cart_plan *plan, uint32_t *ret_line)
{
	const uint8_t *bytes = old;
	struct edit e = { .lines = bytes + at->lines_at,
			  .words = bytes + at->words_at,
			  .attributes = bytes + at->attributes_at,
			  .change = change,
			  .step = step,
			  .plan = plan };
	int r = -EINVAL;

	switch (step->kind) {
	case CART_ADD:
		r = plan_add(&e);
		break;
	case CART_SET_QUANTITY:
		r = plan_set_quantity(&e, step->quantity);
		break;
	case CART_REMOVE:
		r = plan_set_quantity(&e, 0);
		break;
	case CART_CHANGE_QUANTITY:
		r = plan_change_quantity(&e);
		break;
	case CART_SET_LINE_TAX:
		r = plan_line_tax(&e);
		break;
	case CART_CLEAR:
		plan_clear(plan);
		r = 0;
		break;
	case CART_SET_TAX:
		plan->head.tax_ppm = step->tax_ppm;
		r = step->tax_ppm <= CORRAL_TAX_PPM_MAX ? 0 : -ERANGE;
		break;
	case CART_SET_ATTRIBUTE:
		r = plan_attribute(&e);
		break;
	case CART_SET_TTL:
		plan->head.ttl_ms = step->ttl_ms;
		r = cart_ttl_valid(step->ttl_ms) ? 0 : -ERANGE;
		break;
	case CART_CHECKOUT:
		plan->head.status = CORRAL_CHECKED_OUT;
		r = 0;
		break;
	case CART_REPLACE:
		r = plan_replace(&change->draft, plan);
		break;
	case CART_SET_ADJUSTMENT:
		r = cart_plan_adjustment(plan, step);
		break;
	case CART_REMOVE_ADJUSTMENT:
		r = cart_plan_no_adjustment(plan, step->name);
		break;
	case CART_SET_PRICING:
		r = cart_plan_pricing(plan, step->pricing);
		break;
	case CART_SET_CURRENCY:
		r = cart_plan_currency(plan, step->currency);
		break;
	case CART_DROP:
		plan->head = plan->old;
		r = 0;
		break;
	case CART_PUT: /* cart_plan() has planned it whole */
		break;
	}
	*ret_line = e.line;
	return r;
}

/*
 * Each step has read the old bytes again, and they may have changed in between. So check that the
 * parts which cart_build() leaves out lie within the old version, in order.
 */
int cart_edits_check(const struct cart_plan *plan)
{
	uint32_t words_at = 0, pairs_at = plan->map_header_size;

	for (uint32_t i = 0; plan->cut_count > 0 && i < plan->line_edit_count; i++) {
		const struct line_edit *edit = &plan->line_edits[i];

		if (!edit->cut)
			continue;
		if (edit->line.words_at < words_at || edit->line.words_at > plan->old.words_size ||
		    edit->line.words_size > plan->old.words_size - edit->line.words_at)
			return -EUCLEAN;
		words_at = edit->line.words_at + edit->line.words_size;
	}
	for (uint32_t i = 0; i < plan->pair_edit_count; i++) {
		const struct pair_edit *edit = &plan->pair_edits[i];

		if (edit->at < pairs_at || edit->at > plan->old.attributes_size ||
		    edit->size > plan->old.attributes_size - edit->at)
			return -EUCLEAN;
		pairs_at = edit->at + edit->size;
	}
	return 0;
}

uint32_t cart_line_now(const void *old, const struct cart_sections *at,
		       const struct cart_change *change, const struct cart_step *step,
		       struct cart_plan *plan)
{
	const uint8_t *bytes = old;
	struct edit e = { .lines = bytes + at->lines_at,
			  .words = bytes + at->words_at,
			  .change = change,
			  .step = step,
			  .plan = plan };
	struct line_edit *edit = NULL;
	uint32_t line = 0;

	switch (step->kind) {
	case CART_ADD:
		edit = find_equal(&e);
		break;
	case CART_SET_QUANTITY:
	case CART_REMOVE:
	case CART_CHANGE_QUANTITY:
	case CART_SET_LINE_TAX:
		line = step->line; /* it is what the first answer said, too */
		if (line == 0 && find_line(&e, &edit) != 0)
			edit = NULL;
		break;
	default:
		break;
	}
	if (edit != NULL)
		line = edit->line.line;
	plan->line_edit_count = 0;
	return line;
}
