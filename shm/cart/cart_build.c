/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_build.c: writes the version that cart_plan() decided on.
 *
 * Every size and offset comes from the plan and none from the old bytes. So old bytes that are
 * damaged, or that change after the plan, can spoil the new version's content, but never cause a
 * read or write outside of the buffers. Such content does not pass for sound: the sums of unchanged
 * parts are carried over, not recomputed, so damage stays visible to cart_validate() in all later
 * versions that keep the damaged part.
 *
 * This file decides nothing, cannot fail, and does not allocate. Unchanged parts are copied in few
 * pieces.
 *
 * Invariants of a version:
 *   the words of line i + 1 begin where those of line i end, and the last end the version;
 *   line numbers are unique and below next_line; a number is never given out twice;
 *   ops_next is 0 until there are CORRAL_OPS_KEPT records, then the oldest one's place.
 */
#include "cart/item.h"
#include "cart/money.h"

/* The inputs that all steps need. */
struct build {
	const uint8_t *old; /* NULL: no cart */
	uint8_t *new;
	const struct cart_change *change;
	const struct cart_plan *plan;
	struct cart_sections from;
	struct cart_sections to;
	const struct cart_head *head; /* the new one, but for its sums */
	uint64_t lines_sum;
	uint64_t ops_sum;
};

/* memcpy() that allows NULL when there is nothing to copy; returns the byte after it. */
static uint8_t *copy(uint8_t *to, const void *from, size_t size)
{
	if (from != NULL && size)
		memcpy(to, from, size);
	return to + size;
}

static void put_ids(struct build *b)
{
	const struct corral_key *key = &b->change->key;
	size_t size = b->to.attributes_at - sizeof(*b->head);
	uint8_t *at = b->new + sizeof(*b->head);

	if (b->old != NULL) {
		memcpy(at, b->old + sizeof(*b->head), size);
	} else {
		memset(at + size - PADDING, 0, PADDING);
		at = copy(at, key->restaurant_id.data, key->restaurant_id.size);
		copy(at, key->session_id.data, key->session_id.size);
	}
}

/* Write the old map with a new header, and with other pairs where steps have set or cut them. */
static void put_pairs(struct build *b)
{
	const struct cart_plan *plan = b->plan;
	const uint8_t *map = b->old != NULL ? b->old + b->from.attributes_at : NULL;
	uint32_t from = plan->map_header_size;
	uint8_t *at = b->new + b->to.attributes_at;

	at += pack_map_header(b->head->attribute_count, at);
	for (uint32_t i = 0; i < plan->pair_edit_count; i++) {
		const struct pair_edit *edit = &plan->pair_edits[i];

		if (edit->at > from)
			at = copy(at, map + from, edit->at - from);
		if (edit->step != NULL)
			at = pack_text_at(edit->step->value, pack_text_at(edit->step->name, at));
		from = edit->at + edit->size;
	}
	if (plan->old.attributes_size > from)
		copy(at, map + from, plan->old.attributes_size - from);
}

static void put_attributes(struct build *b)
{
	uint8_t *at = b->new + b->to.attributes_at;

	if (b->head->attributes_size)
		memset(b->new + b->to.money_at - PADDING, 0, PADDING);
	if (b->plan->attributes_edit == ATTRIBUTES_DRAFT)
		copy(at, b->change->draft.attributes, b->head->attributes_size);
	else
		put_pairs(b);
}

/* The total that an old operation answered. Before the cart was priced it was the sum of two. */
static int64_t old_op_total(const struct build *b, uint32_t index)
{
	struct cart_op op;

	if (b->plan->old_totals_at != 0)
		return money_total(b->old + b->from.money_at + b->plan->old_totals_at, index);
	op = cart_op_at(b->old + b->from.ops_at, index);
	return (int64_t)((uint64_t)op.subtotal_cents + (uint64_t)op.tax_cents);
}

static void put_money(struct build *b)
{
	const struct money *money = &b->plan->money;
	uint8_t *section = b->new + b->to.money_at;
	uint8_t *totals = section + money_totals_at(money);

	money_store(money, b->head->ops_count, section);
	for (uint32_t i = 0; i < b->plan->old.ops_count; i++)
		money_set_total(totals, i, old_op_total(b, i));
	if (b->change->has_op)
		money_set_total(totals, b->plan->op_index, b->plan->result.total_cents);
}

/* Write ids, attributes and the old operations: as one piece if nothing else is changed. */
static void put_front(struct build *b)
{
	const bool keep = b->plan->attributes_edit == ATTRIBUTES_KEEP;

	if (likely(b->old != NULL && keep && !b->plan->priced)) {
		memcpy(b->new + sizeof(*b->head), b->old + sizeof(*b->head),
		       b->from.lines_at - sizeof(*b->head));
		return;
	}
	put_ids(b);
	if (!keep)
		put_attributes(b);
	else if (b->old != NULL)
		copy(b->new + b->to.attributes_at, b->old + b->from.attributes_at,
		     b->from.money_at - b->from.attributes_at);
	if (b->plan->priced)
		put_money(b);
	if (b->old != NULL)
		copy(b->new + b->to.ops_at, b->old + b->from.ops_at,
		     b->from.lines_at - b->from.ops_at);
}

/* Store the operation in its planned place, which may be that of the oldest. */
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
		b->ops_sum -= cart_op_sum(&op, index);
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
	b->ops_sum += cart_op_sum(&op, index);
}

static void put_line(struct build *b, const struct cart_line *line, uint32_t index)
{
	memcpy(b->new + b->to.lines_at + (size_t)index * sizeof(*line), line, sizeof(*line));
	b->lines_sum += cart_line_sum(line, index);
}

/* A run of old lines, none of which is cut, and their words. */
struct stretch {
	uint32_t first;
	uint32_t end;
	uint32_t words_first;
	uint32_t words_end;
};

/*
 * Copy a stretch. After a cut, lines move up by one, and their words by the size of the words cut.
 */
static void keep_stretch(struct build *b, const struct stretch *kept, uint32_t to,
			 uint32_t words_to)
{
	const uint8_t *lines = b->old + b->from.lines_at;

	if (to == kept->first)
		copy(b->new + b->to.lines_at, lines, (size_t)kept->end * sizeof(struct cart_line));
	copy(b->new + b->to.words_at + words_to, b->old + b->from.words_at + kept->words_first,
	     kept->words_end - kept->words_first);
	for (uint32_t i = kept->first; to < i && i < kept->end; i++) {
		struct cart_line line = cart_line_at(lines, i);

		b->lines_sum -= cart_line_sum(&line, i);
		line.words_at -= kept->words_first - words_to;
		put_line(b, &line, to++);
	}
}

static void keep_all(struct build *b)
{
	copy(b->new + b->to.lines_at, b->old + b->from.lines_at,
	     (size_t)b->plan->old.line_count * sizeof(struct cart_line));
	copy(b->new + b->to.words_at, b->old + b->from.words_at, b->plan->old.words_size);
}

/*
 * Write the old lines that are not cut. *ret_count: their number; *ret_words: the bytes of their
 * words.
 */
static void keep_lines(struct build *b, uint32_t *ret_count, uint32_t *ret_words)
{
	const struct cart_plan *plan = b->plan;
	struct stretch kept = { 0 };
	uint32_t to = 0, words_to = 0;

	*ret_count = plan->old.line_count;
	*ret_words = plan->old.words_size;
	if (likely(plan->cut_count == 0)) { /* in two pieces */
		if (b->old != NULL)
			keep_all(b);
		return;
	}
	for (uint32_t i = 0; i < plan->line_edit_count; i++) {
		const struct line_edit *edit = &plan->line_edits[i];
		struct cart_line line;

		if (!edit->cut)
			continue;
		kept.end = edit->index;
		kept.words_end = edit->line.words_at;
		keep_stretch(b, &kept, to, words_to);
		to += kept.end - kept.first;
		words_to += kept.words_end - kept.words_first;
		line = cart_line_at(b->old + b->from.lines_at, edit->index);
		b->lines_sum -= cart_line_sum(&line, edit->index);
		kept.first = edit->index + 1;
		kept.words_first = edit->line.words_at + edit->line.words_size;
	}
	kept.end = plan->old.line_count;
	kept.words_end = plan->old.words_size;
	keep_stretch(b, &kept, to, words_to);
	*ret_count = to + kept.end - kept.first;
	*ret_words = words_to + kept.words_end - kept.words_first;
}

/*
 * The record of a line whose words may have moved. Mostly they are where the plan has them: then
 * the record is used as it is, since a write of four bytes into a copy, read back at once as part
 * of a larger piece, stalls the processor.
 */
static const struct cart_line *line_with(const struct cart_line *line, uint32_t words_at,
					 struct cart_line *copied)
{
	if (likely(line->words_at == words_at))
		return line;
	*copied = *line;
	copied->words_at = words_at;
	return copied;
}

/* The checksum of a line as it is written now. */
static uint64_t sum_at(const struct build *b, uint32_t index)
{
	return XXH3_64bits_withSeed(b->new + b->to.lines_at +
					    (size_t)index * sizeof(struct cart_line),
				    sizeof(struct cart_line), index);
}

/* Write the lines that steps have set, at their new places, and those that were added. */
static void put_edits(struct build *b, uint32_t count, uint32_t words_size)
{
	const struct cart_plan *plan = b->plan;
	uint32_t cuts = 0, words_cut = 0;
	struct cart_line copied;

	for (uint32_t i = 0; i < plan->line_edit_count; i++) {
		const struct line_edit *edit = &plan->line_edits[i];
		const struct cart_line *line = &edit->line;
		uint32_t place = edit->index - cuts;

		if (edit->cut) {
			cuts++;
			words_cut += line->words_size;
		} else if (edit->words == NULL) {
			b->lines_sum -= sum_at(b, place);
			put_line(b, line_with(line, line->words_at - words_cut, &copied), place);
		} else {
			copy(b->new + b->to.words_at + words_size, edit->words, line->words_size);
			put_line(b, line_with(line, words_size, &copied), count++);
			words_size += line->words_size;
		}
	}
}

/*
 * Write the lines of a draft. New ones get their numbers in the order in which cart_plan() counted
 * them.
 */
static void put_draft(struct build *b)
{
	const struct cart_draft *draft = &b->change->draft;
	uint32_t next_line = b->head->next_line;
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
					  .words_sum = cart_words_sum(&from->words),
					  .words_at = words_at,
					  .words_size = (uint16_t)from->words.size };

		if (from->words.own_rate != 0)
			line.rate =
				(uint16_t)money_number(&b->plan->money, from->words.own_rate - 1);

		put_line(b, &line, i);
		copy(b->new + b->to.words_at + words_at, from->words.bytes, line.words_size);
		words_at += line.words_size;
	}
}

static void put_lines(struct build *b)
{
	uint32_t count = 0, words_size = 0;

	if (b->plan->lines_edit == LINES_DRAFT) {
		put_draft(b);
		return;
	}
	if (b->plan->lines_edit == LINES_KEEP)
		keep_lines(b, &count, &words_size);
	put_edits(b, count, words_size);
}

static void put_number(uint8_t *at, uint64_t number)
{
	memcpy(at, &number, sizeof(number));
}

/*
 * Write the head. The sums are written into the copy: a number that is stored and read back at once
 * as part of a larger piece stalls the processor.
 */
static void put_head(struct build *b)
{
	memcpy(b->new, b->head, sizeof(*b->head));
	put_number(b->new + offsetof(struct cart_head, lines_sum), b->lines_sum);
	put_number(b->new + offsetof(struct cart_head, ops_sum), b->ops_sum);
	put_number(b->new + offsetof(struct cart_head, sum), cart_front_sum(b->new, &b->to));
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
			   .head = &plan->head,
			   .lines_sum = plan->head.lines_sum,
			   .ops_sum = plan->head.ops_sum };

	if (cart_kind(change) == CART_PUT) {
		memcpy(buffer, change->version, plan->size);
	} else {
		put_front(&b);
		put_op(&b);
		put_lines(&b);
	}
	put_head(&b);
}
