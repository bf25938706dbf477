/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_price.c: the steps that change how a cart is priced, and the totals of a cart that has a
 * section of the money.
 *
 * A cart gets that section with its first line of an own rate, its first adjustment or its first
 * pricing, and keeps it: its remembered operations have totals that follow from nothing else. The
 * sums by rate are not kept from version to version but added up over all lines: a change reads
 * them all anyway, and what is added up anew cannot drift.
 *
 * The lines name their own rates by numbers, which stay as long as a line has them. The unused
 * numbers are known only at the end of a change; so new lines, and old lines that a step has given
 * a rate, get their numbers then.
 *
 * This file writes no version and does not allocate; old bytes may be damaged.
 */
#include <errno.h>

#include "cart/money.h"

void cart_price_begin(struct cart_plan *plan)
{
	if (!plan->priced)
		money_init(&plan->money);
	plan->priced = true;
}

int cart_plan_adjustment(struct cart_plan *plan, const struct cart_step *step)
{
	const struct corral_adjustment new = { .name = step->name,
					       .kind = step->adjustment_kind,
					       .after_tax = step->after_tax,
					       .ppm = step->tax_ppm,
					       .cents = step->cents };
	int r = cart_adjustment_check(&new);
	struct corral_adjustment *place;

	if (r)
		return r;
	cart_price_begin(plan);
	place = money_adjustment(&plan->money, new.name);
	if (place == NULL) {
		if (plan->money.adjustment_count == CORRAL_ADJUSTMENTS_MAX)
			return -E2BIG;
		place = &plan->money.adjustments[plan->money.adjustment_count++];
	}
	*place = new;
	return 0;
}

int cart_plan_no_adjustment(struct cart_plan *plan, struct corral_text name)
{
	struct money *money = &plan->money;
	struct corral_adjustment *place = plan->priced ? money_adjustment(money, name) : NULL;

	if (place == NULL)
		return -ENXIO;
	money->adjustment_count--;
	for (; place < money->adjustments + money->adjustment_count; place++)
		place[0] = place[1];
	return 0;
}

int cart_plan_pricing(struct cart_plan *plan, uint32_t pricing)
{
	if ((pricing & ~PRICING_ALL) != 0)
		return -EINVAL;
	if (pricing != 0)
		cart_price_begin(plan);
	if (plan->priced)
		plan->money.pricing = pricing;
	return 0;
}

int cart_plan_currency(struct cart_plan *plan, uint32_t currency)
{
	struct cart_head *head = &plan->head;

	if (!cart_currency_valid(currency) || currency == 0)
		return -EINVAL;
	if (currency == cart_currency_of(head))
		return 0;
	if (head->line_count > 0 || (plan->priced && plan->money.adjustment_count > 0))
		return -ENOTEMPTY;
	head->currency = (uint16_t)currency;
	head->currency_digits = (uint8_t)(currency >> 16);
	return 0;
}

int cart_plan_draft_money(struct cart_plan *plan, const struct cart_draft *draft)
{
	int r = draft->currency != 0 ? cart_plan_currency(plan, draft->currency) : 0;

	if (draft->adjustment_count > CORRAL_ADJUSTMENTS_MAX)
		return -E2BIG;
	if (r == 0)
		r = cart_plan_pricing(plan, draft->pricing);
	if (draft->adjustment_count > 0)
		cart_price_begin(plan);
	if (plan->priced)
		plan->money.adjustment_count = 0;
	for (uint32_t i = 0; i < draft->adjustment_count && r == 0; i++) {
		r = cart_adjustment_check(&draft->adjustments[i]);
		if (r == 0 && money_adjustment(&plan->money, draft->adjustments[i].name) != NULL)
			r = -EINVAL;
		plan->money.adjustments[i] = draft->adjustments[i];
		plan->money.adjustment_count = i + 1;
	}
	return r;
}

/* ------------------------------------------------------------ totals */

static int tally_record(const struct cart_line *line, const struct money *money,
			struct tally *tally)
{
	int64_t cents;

	return cart_line_total(line->quantity, line->unit_price_cents, line->modifiers_cents,
			       &cents) &&
			       money_tally(tally, money, line->rate, cents) ?
		       0 :
		       -EUCLEAN;
}

/*
 * Count the old lines as the steps leave them, but for those that a step has given a rate, which
 * have no number for it yet.
 */
static int tally_old(const uint8_t *lines, const struct cart_plan *plan, struct tally *tally)
{
	const struct line_edit *edit = plan->line_edits;
	const struct line_edit *end = edit + plan->line_edit_count;
	int r = 0;

	for (uint32_t i = 0; i < plan->old.line_count && r == 0; i++) {
		struct cart_line line;

		if (edit < end && edit->index == i) {
			if (!edit->cut && !edit->rated)
				r = tally_record(&edit->line, &plan->money, tally);
			edit++;
			continue;
		}
		line = cart_line_at(lines, i);
		read_once(line);
		r = tally_record(&line, &plan->money, tally);
	}
	return r;
}

/* A number for a rate that a line gets. False: the cart has its most. */
static bool take_number(struct money *money, uint32_t own_rate, uint16_t *ret_rate)
{
	uint32_t number = own_rate ? money_number(money, own_rate - 1) : 0;

	if (own_rate && number == 0)
		return false;
	if (number > 0)
		money->own[number - 1] = own_rate - 1;
	*ret_rate = (uint16_t)number;
	return true;
}

/* Count the lines that steps have appended or given a rate, and number their rates. */
static int tally_rated(struct cart_plan *plan, struct tally *tally)
{
	for (uint32_t i = 0; i < plan->line_edit_count; i++) {
		struct line_edit *edit = &plan->line_edits[i];

		if (!edit->rated || edit->cut)
			continue;
		if (!take_number(&plan->money, edit->own_rate, &edit->line.rate))
			return -E2BIG;
		if (tally_record(&edit->line, &plan->money, tally) != 0)
			return -EUCLEAN;
	}
	return 0;
}

static int tally_draft(const struct cart_draft *draft, struct money *money, struct tally *tally)
{
	for (uint32_t i = 0; i < draft->line_count; i++) {
		const struct cart_words *words = &draft->lines[i].words;
		struct cart_line line = { .quantity = draft->lines[i].quantity,
					  .unit_price_cents = words->unit_price_cents,
					  .modifiers_cents = words->modifiers_cents };

		if (!take_number(money, words->own_rate, &line.rate))
			return -E2BIG;
		if (tally_record(&line, money, tally) != 0)
			return -EUCLEAN;
	}
	return 0;
}

int cart_price(const uint8_t *old_lines, const struct cart_change *change, struct cart_plan *plan)
{
	struct cart_head *head = &plan->head;
	struct money *money = &plan->money;
	struct tally tally = { 0 };
	int r = 0;

	if (plan->lines_edit == LINES_KEEP)
		r = tally_old(old_lines, plan, &tally);
	for (uint32_t i = 0; i < CART_RATES; i++)
		if (tally.lines[i + 1] == 0)
			money->own[i] = RATE_UNUSED;
	if (r == 0)
		r = plan->lines_edit == LINES_DRAFT ? tally_draft(&change->draft, money, &tally) :
						      tally_rated(plan, &tally);
	if (r == 0)
		r = money_compute(money, &tally, head->subtotal_cents, head->tax_ppm,
				  &head->tax_cents, &head->total_cents);
	head->money_size = (uint16_t)money_size(money, head->ops_count);
	if (r == 0 && head->total_cents < 0 && !(money->pricing & CORRAL_BELOW_ZERO))
		r = -EDOM;
	return r;
}

void cart_price_result(const struct cart_plan *plan, struct corral_result *result)
{
	const struct money *money = &plan->money;

	result->before_tax_cents = money->before_tax_cents;
	result->after_tax_cents = money->after_tax_cents;
	result->rate_count = money->rate_count;
	memcpy(result->rates, money->rates, money->rate_count * sizeof(money->rates[0]));
}
