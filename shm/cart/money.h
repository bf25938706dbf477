/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * money.h: the money of a cart whose lines have rates of their own, or that has adjustments or a
 * way of pricing: how it is computed, and the section of a version that it stands in.
 *
 * For the files of this folder only. A cart without all that has no such section, and its money is
 * its subtotal and one tax.
 */
#ifndef CORRAL_MONEY_H
#define CORRAL_MONEY_H

#include "cart/cart_shape.h"

#define PRICING_ALL (CORRAL_TAX_INSIDE | CORRAL_HALF_EVEN | CORRAL_BELOW_ZERO)

/* The sums of the lines: first of those at the cart's rate, then of those at each own rate. */
struct tally {
	__int128 cents[CART_RATES + 1];
	uint32_t lines[CART_RATES + 1];
};

/* No rate of a line's own, no adjustment, the usual pricing. */
void money_init(struct money *money);

/* The number of an own rate, as lines have it, or that of an unused place for it; 0: none is left.
 */
uint32_t money_number(const struct money *money, uint32_t tax_ppm);

/* The adjustment of this name, or NULL. */
struct corral_adjustment *money_adjustment(struct money *money, struct corral_text name);

/*
 * Count a line with this number of a rate. False: the line is damaged.
 */
bool money_tally(struct tally *tally, const struct money *money, uint32_t rate, int64_t cents);

/*
 * Compute what the adjustments come to, the base and the tax of each rate, and the sums. 0,
 * -EOVERFLOW, -E2BIG: more rates than a cart can have.
 */
int money_compute(struct money *money, const struct tally *tally, int64_t subtotal_cents,
		  uint32_t tax_ppm, int64_t *ret_tax_cents, int64_t *ret_total_cents);

/* ------------------------------------------------------------ the section */

/* Its bytes. */
uint32_t money_size(const struct money *money, uint32_t ops_count);

/* Load it from bytes, which may be damaged. The names point into them. False: damaged. */
bool money_load(const uint8_t *section, const struct cart_head *head, struct money *ret_money);

/* Write it; the totals of the operations are written one by one. */
void money_store(const struct money *money, uint32_t ops_count, uint8_t *section);

/* The offset in the section of the totals that the remembered operations answered. */
uint32_t money_totals_at(const struct money *money);

static inline int64_t money_total(const uint8_t *totals, uint32_t index)
{
	int64_t cents;

	memcpy(&cents, totals + index * sizeof(cents), sizeof(cents));
	return cents;
}

static inline void money_set_total(uint8_t *totals, uint32_t index, int64_t cents)
{
	memcpy(totals + index * sizeof(cents), &cents, sizeof(cents));
}

/* Beyond what money_load() sees: texts, ranges, names that differ, bytes that are zero. */
bool money_valid(const struct money *money, const uint8_t *section, const struct cart_head *head);

#endif
