/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_shape.h: where the parts of a cart version lie, and its checksums.
 *
 * For the files cart*.c, item*.c and portable*.c only. Sections follow from a head
 * alone; they are true of bytes once cart_load() has accepted that head for them.
 * Bytes may stand at any address, so records are read with memcpy().
 */
#ifndef CORRAL_CART_SHAPE_H
#define CORRAL_CART_SHAPE_H

#include <string.h>

#include "base/hash.h"
#include "cart/cart.h"

#define LINE_NUMBER_MAX 0x7fffffffu /* bit 31 of cart_op.line_status is the status */
#define PADDING 8u                  /* ids and attributes end on a multiple of this */

#define OP_CHECKED_OUT 0x80000000u /* that bit */

/* The effect of a plan on the lines and attributes of the old version, before its edits. */
enum lines_edit { LINES_KEEP, LINES_NONE, LINES_DRAFT };
enum attributes_edit { ATTRIBUTES_KEEP, ATTRIBUTES_PAIRS, ATTRIBUTES_DRAFT };

static inline bool cart_ttl_valid(uint64_t ttl_ms)
{
	return ttl_ms == 0 || (ttl_ms >= CORRAL_TTL_MS_MIN && ttl_ms <= CORRAL_TTL_MS_MAX);
}

static inline bool cart_quantity_valid(uint32_t quantity)
{
	return quantity >= 1 && quantity <= CORRAL_QUANTITY_MAX;
}

/* Offsets from the head; 64 bits wide, so that no damaged head can make them wrap. */
struct cart_sections {
	uint64_t attributes_at;
	uint64_t money_at;
	uint64_t ops_at;
	uint64_t lines_at;
	uint64_t words_at;
	uint64_t end;
};

static inline struct cart_sections cart_sections(const struct cart_head *head)
{
	struct cart_sections at;

	at.attributes_at = sizeof(*head) +
			   align_up((uint64_t)head->restaurant_size + head->session_size, PADDING);
	at.money_at = at.attributes_at + align_up(head->attributes_size, PADDING);
	at.ops_at = at.money_at + head->money_size;
	at.lines_at = at.ops_at + (uint64_t)head->ops_count * sizeof(struct cart_op);
	at.words_at = at.lines_at + (uint64_t)head->line_count * sizeof(struct cart_line);
	at.end = at.words_at + head->words_size;
	return at;
}

/* Copy the head out and check that its sections lie within size bytes. 0 or -EUCLEAN. */
int cart_load(const void *bytes, size_t size, struct cart_head *ret_head);

/*
 * One step, on a plan whose heads are set: alters plan->head, notes what is to be written. old: of
 * a cart that is not there, a head of zeros. *ret_line: the line it added to, set or removed, or
 * 0. 0 or the step's error.
 */
int cart_edit(const void *old, const struct cart_sections *at, const struct cart_change *change,
	      const struct cart_step *step, struct cart_plan *plan, uint32_t *ret_line);

/* When all steps are done: do the edits fit each other and the old version? 0 or -EUCLEAN. */
int cart_edits_check(const struct cart_plan *plan);

/* ------------------------------------------------------------ cart_price.c */

/* The new version has a section of the money, or gets one. */
void cart_price_begin(struct cart_plan *plan);

/* One step each, or a draft's part of it. 0 or the step's error. */
int cart_plan_adjustment(struct cart_plan *plan, const struct cart_step *step);
int cart_plan_no_adjustment(struct cart_plan *plan, struct corral_text name);
int cart_plan_pricing(struct cart_plan *plan, uint32_t pricing);
int cart_plan_currency(struct cart_plan *plan, uint32_t currency);
int cart_plan_draft_money(struct cart_plan *plan, const struct cart_draft *draft);

/*
 * Compute the totals of a priced cart and the size of its section, once all else of the new head is
 * planned. 0 -EOVERFLOW -E2BIG -EDOM -EUCLEAN.
 */
int cart_price(const uint8_t *old_lines, const struct cart_change *change, struct cart_plan *plan);

/* Put the money of a priced cart into an answer. */
void cart_price_result(const struct cart_plan *plan, struct corral_result *result);

/*
 * The line that a step of a remembered change is about, by what is in the cart now; 0: none. The
 * plan has no edits, and plan->head is the old one.
 */
uint32_t cart_line_now(const void *old, const struct cart_sections *at,
		       const struct cart_change *change, const struct cart_step *step,
		       struct cart_plan *plan);

/* A text of at most max bytes. -EINVAL -ENAMETOOLONG -EILSEQ */
int cart_text_check(struct corral_text text, size_t max);

/* A head's currency as cart_currency() has it. */
static inline uint32_t cart_currency_of(const struct cart_head *head)
{
	return (uint32_t)head->currency_digits << 16 | head->currency;
}

/* An exact amount as cents; false when it does not fit. */
static inline bool cart_narrow(__int128 exact, int64_t *ret_cents)
{
	if (exact < INT64_MIN || exact > INT64_MAX)
		return false;
	*ret_cents = (int64_t)exact;
	return true;
}

static inline struct cart_line cart_line_at(const uint8_t *lines, uint32_t index)
{
	struct cart_line line;

	memcpy(&line, lines + (size_t)index * sizeof(line), sizeof(line));
	return line;
}

static inline uint64_t cart_words_sum(const struct cart_words *words)
{
	return words->sum != 0 ? words->sum : XXH3_64bits(words->bytes, words->size);
}

static inline struct cart_op cart_op_at(const uint8_t *ops, uint32_t index)
{
	struct cart_op op;

	memcpy(&op, ops + (size_t)index * sizeof(op), sizeof(op));
	return op;
}

static inline uint64_t cart_line_sum(const struct cart_line *line, uint32_t index)
{
	return XXH3_64bits_withSeed(line, sizeof(*line), index);
}

static inline uint64_t cart_op_sum(const struct cart_op *op, uint32_t index)
{
	return XXH3_64bits_withSeed(op, sizeof(*op), index);
}

/* The right value of cart_head.sum. */
static inline uint64_t cart_front_sum(const uint8_t *bytes, const struct cart_sections *at)
{
	return XXH3_64bits(bytes + sizeof(uint64_t), at->ops_at - sizeof(uint64_t));
}

/* The right value of cart_head.ops_sum. */
static inline uint64_t cart_all_ops_sum(const uint8_t *ops, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct cart_op op = cart_op_at(ops, i);

		sum += cart_op_sum(&op, i);
	}
	return sum;
}

/*
 * A set of line numbers, to find a number that comes twice: open addressing, at most half full. The
 * slots are the caller's, so that a small cart takes little stack.
 */
struct line_set {
	uint32_t mask;
	uint32_t *slots; /* 0: free */
};

static_assert((CORRAL_LINES_MAX & (CORRAL_LINES_MAX - 1)) == 0, "slots are a power of two");

/* How many slots a set for up to count numbers has, count <= CORRAL_LINES_MAX. */
static inline uint32_t line_set_slots(uint32_t count)
{
	uint32_t slots = 2;

	while (slots < 2 * count)
		slots *= 2;
	return slots;
}

static inline void line_set_init(struct line_set *set, uint32_t *slots, uint32_t slot_count)
{
	set->mask = slot_count - 1;
	set->slots = slots;
	memset(slots, 0, slot_count * sizeof(slots[0]));
}

/* Add a number, not 0; false if it is there already. */
static inline bool line_set_add(struct line_set *set, uint32_t number)
{
	uint32_t slot = (number * 0x9e3779b1u) >> 16 & set->mask;

	for (; set->slots[slot] != 0; slot = (slot + 1) & set->mask)
		if (set->slots[slot] == number)
			return false;
	set->slots[slot] = number;
	return true;
}

#endif
