/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_build.c: writes the version that cart_plan() decided on.
 *
 * Every size and offset comes from the plan and none from the old bytes, so bytes that lie,
 * or that change after the plan, can spoil the new version's content but never make it
 * read or write outside. Such content does not pass for sound: sums of unchanged parts
 * are carried on, not made anew, so damage stays visible to cart_validate() in all
 * later versions that keep the damaged part.
 *
 * Does not decide, cannot fail, does not allocate. Unchanged parts are copied in few pieces.
 *
 * Invariants of a version:
 *   the words of line i + 1 begin where those of line i end, and the last end the version;
 *   line numbers are unique and below next_line; a number is never given out twice;
 *   ops_next is 0 until there are CORRAL_OPS_KEPT records, then the oldest one's place.
 */
#include "cart/cart_shape.h"
#include "cart/item.h"

/* The inputs that all steps need. */
struct build {
	const uint8_t *old; /* NULL: no cart */
	uint8_t *new;
	const struct cart_change *change;
	const struct cart_plan *plan;
	struct cart_sections from;
	struct cart_sections to;
	struct cart_head head; /* the new one */
};

/* memcpy() that allows NULL when there is nothing to copy; returns the byte after it. */
static uint8_t *copy(uint8_t *to, const void *from, size_t size)
{
	if (from && size)
		memcpy(to, from, size);
	return to + size;
}

static void put_ids(struct build *b)
{
	const struct corral_key *key = &b->change->key;
	size_t size = b->to.attributes_at - sizeof(b->head);
	uint8_t *at = b->new + sizeof(b->head);

	if (b->old) {
		memcpy(at, b->old + sizeof(b->head), size);
	} else {
		memset(at + size - PADDING, 0, PADDING);
		at = copy(at, key->restaurant_id.data, key->restaurant_id.size);
		copy(at, key->session_id.data, key->session_id.size);
	}
}

/* The old map with another header and another pair. */
static void put_attribute(struct build *b)
{
	const struct cart_plan *plan = b->plan;
	const uint8_t *map = b->old ? b->old + b->from.attributes_at : NULL;
	uint32_t behind_at = plan->pair_at + plan->pair_size;
	uint8_t *at = b->new + b->to.attributes_at;

	at += pack_map_header(b->head.attribute_count, at);
	if (plan->pair_at > plan->map_header_size)
		at = copy(at, map + plan->map_header_size, plan->pair_at - plan->map_header_size);
	if (!b->change->remove_attribute)
		at = pack_text_at(b->change->value, pack_text_at(b->change->name, at));
	if (plan->old.attributes_size > behind_at)
		copy(at, map + behind_at, plan->old.attributes_size - behind_at);
}

static void put_attributes(struct build *b)
{
	uint8_t *at = b->new + b->to.attributes_at;

	if (b->head.attributes_size)
		memset(b->new + b->to.ops_at - PADDING, 0, PADDING);
	if (b->plan->attributes_edit == ATTRIBUTES_DRAFT)
		copy(at, b->change->draft.attributes, b->head.attributes_size);
	else
		put_attribute(b);
}

/* ids, attributes, the old operations: one piece as long as the attributes stay. */
static void put_front(struct build *b)
{
	if (b->old && b->plan->attributes_edit == ATTRIBUTES_KEEP) {
		memcpy(b->new + sizeof(b->head), b->old + sizeof(b->head),
		       b->from.lines_at - sizeof(b->head));
		return;
	}
	put_ids(b);
	if (b->plan->attributes_edit != ATTRIBUTES_KEEP)
		put_attributes(b);
	if (b->old)
		copy(b->new + b->to.ops_at, b->old + b->from.ops_at,
		     b->from.lines_at - b->from.ops_at);
}

/* Remember the operation in the place planned, which may be that of the oldest. */
static void put_op(struct build *b)
{
	const struct corral_result *answer = &b->plan->result;
	uint32_t index = b->plan->op_index;
	uint8_t *ops = b->new + b->to.ops_at;
	struct cart_op op;

	if (!b->change->has_op)
		return;
	if (index < b->plan->old.ops_count) {
		op = cart_op_at(ops, index);
		b->head.ops_sum -= cart_op_sum(&op, index);
	}
	op = (struct cart_op){ .id = { b->change->op_id[0], b->change->op_id[1] },
			       .fingerprint = b->change->fingerprint,
			       .version = answer->version,
			       .subtotal_cents = answer->subtotal_cents,
			       .tax_cents = answer->tax_cents,
			       .item_count = answer->item_count,
			       .line_status =
				       answer->line | (answer->status ? OP_CHECKED_OUT : 0) };
	memcpy(ops + (size_t)index * sizeof(op), &op, sizeof(op));
	b->head.ops_sum += cart_op_sum(&op, index);
}

static void put_line(struct build *b, const struct cart_line *line, uint32_t index)
{
	memcpy(b->new + b->to.lines_at + (size_t)index * sizeof(*line), line, sizeof(*line));
	b->head.lines_sum += cart_line_sum(line, index);
}

/* The old lines and words, or the first of them. */
static void keep_lines(struct build *b, uint32_t line_count, uint32_t words_size)
{
	if (!b->old)
		return;
	copy(b->new + b->to.lines_at, b->old + b->from.lines_at,
	     (size_t)line_count * sizeof(struct cart_line));
	copy(b->new + b->to.words_at, b->old + b->from.words_at, words_size);
}

/* The lines behind the cut move up by one, and their words by the size of the words cut. */
static void cut_line(struct build *b)
{
	const struct cart_line *cut = &b->plan->line;
	const uint8_t *lines = b->old + b->from.lines_at;
	uint32_t index = b->plan->index;
	uint32_t behind_at = cut->words_at + cut->words_size;
	struct cart_line line = cart_line_at(lines, index);

	keep_lines(b, index, cut->words_at);
	b->head.lines_sum -= cart_line_sum(&line, index);
	for (uint32_t i = index + 1; i < b->plan->old.line_count; i++) {
		line = cart_line_at(lines, i);
		b->head.lines_sum -= cart_line_sum(&line, i);
		line.words_at -= cut->words_size;
		put_line(b, &line, i - 1);
	}
	copy(b->new + b->to.words_at + cut->words_at, b->old + b->from.words_at + behind_at,
	     b->plan->old.words_size - behind_at);
}

/* Numbers are given out as cart_plan() counted them. */
static void put_draft(struct build *b)
{
	const struct cart_draft *draft = &b->change->draft;
	uint32_t next_line = b->head.next_line;
	uint32_t words_at = 0;

	for (uint32_t i = draft->line_count; i > 0; i--)
		next_line -= draft->lines[i - 1].line == 0;
	for (uint32_t i = 0; i < draft->line_count; i++) {
		const struct cart_draft_line *from = &draft->lines[i];
		struct cart_line line = { .line = from->line ? from->line : next_line++,
					  .quantity = from->quantity,
					  .unit_price_cents = from->words.unit_price_cents,
					  .modifiers_cents = from->words.modifiers_cents,
					  .merge = { from->words.merge[0], from->words.merge[1] },
					  .words_sum = from->words.sum,
					  .words_at = words_at,
					  .words_size = from->words.size };

		put_line(b, &line, i);
		copy(b->new + b->to.words_at + words_at, from->words.bytes, line.words_size);
		words_at += line.words_size;
	}
}

static void put_lines(struct build *b)
{
	const struct cart_plan *plan = b->plan;
	const struct cart_words *words = &b->change->words;
	struct cart_line before;

	switch ((enum lines_edit)plan->lines_edit) {
	case LINES_KEEP:
		keep_lines(b, plan->old.line_count, plan->old.words_size);
		break;
	case LINES_APPEND:
		keep_lines(b, plan->old.line_count, plan->old.words_size);
		copy(b->new + b->to.words_at + plan->line.words_at, words->bytes,
		     plan->line.words_size);
		put_line(b, &plan->line, plan->index);
		break;
	case LINES_SET:
		keep_lines(b, plan->old.line_count, plan->old.words_size);
		before = cart_line_at(b->new + b->to.lines_at, plan->index);
		b->head.lines_sum -= cart_line_sum(&before, plan->index);
		put_line(b, &plan->line, plan->index);
		break;
	case LINES_CUT:
		cut_line(b);
		break;
	case LINES_NONE:
		break;
	case LINES_DRAFT:
		put_draft(b);
		break;
	}
}

void cart_build(const void *old, const struct cart_change *change, const struct cart_plan *plan,
		void *buffer)
{
	struct build b = { .old = old,
			   .new = buffer,
			   .change = change,
			   .plan = plan,
			   .from = cart_sections(&plan->old),
			   .to = cart_sections(&plan->head),
			   .head = plan->head };

	if (change->kind == CART_PUT) {
		memcpy(buffer, change->version, plan->size);
	} else {
		put_front(&b);
		put_op(&b);
		put_lines(&b);
	}
	memcpy(b.new, &b.head, sizeof(b.head));
	b.head.sum = cart_front_sum(b.new, &b.to);
	memcpy(b.new, &b.head.sum, sizeof(b.head.sum));
}
