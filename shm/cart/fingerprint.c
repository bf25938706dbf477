/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fingerprint.c: which change an operation id was given to.
 *
 * A cart remembers with each operation id a fingerprint of the change, so that the same id with the
 * same change is a repeat, and the same id with another change is refused. The fingerprint is a
 * hash of the change in this canonical form:
 *
 *   change   its steps in order, then a closing record with their number
 *   step     a record of its kind and arguments; of a whole cart, a record for each line and then
 *            one for each adjustment follow
 *   record   the number of words behind this one, then the words, of 64 bits
 *   number   one word
 *   bytes    two words: how many, and their XXH3_64
 *
 * Each record is hashed with the hash of the one before it as seed, the first with the arena's
 * seed. So the order of the steps counts, no two different lists have the same form, and a change
 * of several steps needs no memory for it. A change of one step has the form of that step, by
 * whichever call it was made. A line that is named by its menu item is line 0, with the item's id
 * at the end of the record.
 *
 * Part of a change is what it does. Not part of it are the key (ids belong to one cart), the time,
 * and the condition if_version: a caller that repeats a change may have learned of a newer version.
 *
 * Pure; does not allocate. 64 bits suffice: a false match needs a reused id first.
 */
#include "cart/cart_shape.h"

#define RECORD_WORDS 8u
#define CLOSING UINT64_MAX /* no kind */
#define LINE_OF_CART (UINT64_MAX - 1)
#define ADJUSTMENT_OF_CART (UINT64_MAX - 2)

struct record {
	uint64_t words[RECORD_WORDS]; /* the first: how many follow */
};

static void put_number(struct record *record, uint64_t number)
{
	assert(record->words[0] < RECORD_WORDS - 1);
	record->words[++record->words[0]] = number;
}

static void put_sum(struct record *record, size_t size, uint64_t sum)
{
	put_number(record, size);
	put_number(record, sum);
}

static void put_text(struct record *record, struct corral_text text)
{
	put_sum(record, text.size, XXH3_64bits(text.size ? text.data : "", text.size));
}

static uint64_t chain(uint64_t before, const struct record *record)
{
	return XXH3_64bits_withSeed(record->words, (record->words[0] + 1) * sizeof(uint64_t),
				    before);
}

/* A rate of the line's own, if it has one. */
static void put_rate(struct record *record, const struct cart_words *words)
{
	if (words->own_rate != 0)
		put_number(record, words->own_rate);
}

static uint64_t chain_lines(uint64_t print, const struct cart_draft *draft)
{
	for (uint32_t i = 0; i < draft->line_count; i++) {
		const struct cart_draft_line *line = &draft->lines[i];
		struct record record = { { 0 } };

		put_number(&record, LINE_OF_CART);
		put_number(&record, line->line);
		put_number(&record, line->quantity);
		put_number(&record, (uint64_t)line->words.unit_price_cents);
		put_sum(&record, line->words.size, cart_words_sum(&line->words));
		put_rate(&record, &line->words);
		print = chain(print, &record);
	}
	return print;
}

/* Behind the lines; a cart without adjustments has the form that it had before there were any. */
static uint64_t chain_adjustments(uint64_t print, const struct cart_draft *draft)
{
	for (uint32_t i = 0; i < draft->adjustment_count; i++) {
		const struct corral_adjustment *adjustment = &draft->adjustments[i];
		struct record record = { { 0 } };

		put_number(&record, ADJUSTMENT_OF_CART);
		put_text(&record, adjustment->name);
		put_number(&record, adjustment->kind);
		put_number(&record, adjustment->after_tax);
		put_number(&record, adjustment->ppm);
		put_number(&record, (uint64_t)adjustment->cents);
		print = chain(print, &record);
	}
	return print;
}

/* The menu item by which a step names its line, if it does. */
static void put_item(struct record *record, const struct cart_step *step)
{
	if (step->line == 0 && step->name.size > 0)
		put_text(record, step->name);
}

static uint64_t chain_step(uint64_t print, const struct cart_step *step,
			   const struct cart_draft *draft)
{
	struct record record = { { 0 } };

	put_number(&record, step->kind);
	switch (step->kind) {
	case CART_ADD:
		put_number(&record, step->quantity);
		put_number(&record, (uint64_t)step->words.unit_price_cents);
		put_sum(&record, step->words.size, cart_words_sum(&step->words));
		put_rate(&record, &step->words);
		break;
	case CART_SET_QUANTITY:
		put_number(&record, step->line);
		put_number(&record, step->quantity);
		put_item(&record, step);
		break;
	case CART_CHANGE_QUANTITY:
		put_number(&record, step->line);
		put_number(&record, (uint64_t)(int64_t)step->difference);
		put_item(&record, step);
		break;
	case CART_REMOVE:
		put_number(&record, step->line);
		put_item(&record, step);
		break;
	case CART_SET_TAX:
		put_number(&record, step->tax_ppm);
		break;
	case CART_SET_ATTRIBUTE:
		put_text(&record, step->name);
		put_number(&record, step->remove_attribute);
		put_text(&record, step->value);
		break;
	case CART_SET_TTL:
		put_number(&record, step->ttl_ms);
		break;
	case CART_REPLACE:
		put_number(&record, draft->tax_ppm);
		put_text(&record,
			 (struct corral_text){ draft->attributes, draft->attributes_size });
		put_number(&record, draft->line_count);
		if ((draft->pricing | draft->currency) != 0)
			put_number(&record, (uint64_t)draft->pricing << 32 | draft->currency);
		return chain_adjustments(chain_lines(chain(print, &record), draft), draft);
	case CART_SET_ADJUSTMENT:
		put_text(&record, step->name);
		put_number(&record, step->adjustment_kind);
		put_number(&record, step->after_tax);
		put_number(&record, step->tax_ppm);
		put_number(&record, (uint64_t)step->cents);
		break;
	case CART_REMOVE_ADJUSTMENT:
		put_text(&record, step->name);
		break;
	case CART_SET_PRICING:
		put_number(&record, step->pricing);
		break;
	case CART_SET_CURRENCY:
		put_number(&record, step->currency);
		break;
	case CART_SET_LINE_TAX:
		put_number(&record, step->line);
		put_number(&record, step->own_rate);
		put_item(&record, step);
		break;
	case CART_CLEAR:
	case CART_CHECKOUT:
	case CART_DROP:
	case CART_PUT:
		break;
	}
	return chain(print, &record);
}

uint64_t cart_fingerprint(const struct cart_change *change, uint64_t seed)
{
	const struct cart_step *steps = cart_steps(change);
	const uint32_t count = cart_step_count(change);
	struct record closing = { { 0 } };
	uint64_t print = seed;

	for (uint32_t i = 0; i < count; i++)
		print = chain_step(print, &steps[i], &change->draft);
	put_number(&closing, CLOSING);
	put_number(&closing, count);
	print = chain(print, &closing);
	return print != CART_NO_FINGERPRINT ? print : 1;
}
