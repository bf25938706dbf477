/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * money_section.c: the section of a version that has the money, see struct cart_money in layout.h.
 *
 * Loading is bounded by the size that the head has, also of damaged bytes. Computes nothing
 * (money.c).
 */
#include "cart/item.h"
#include "cart/money.h"

uint32_t money_totals_at(const struct money *money)
{
	return (uint32_t)(sizeof(struct cart_money) +
			  money->rate_count * sizeof(struct cart_taxed) +
			  money->adjustment_count * sizeof(struct cart_adjustment));
}

static uint64_t names_at(const struct money *money, uint32_t ops_count)
{
	return money_totals_at(money) + (uint64_t)ops_count * sizeof(int64_t);
}

static uint64_t names_size(const struct money *money)
{
	uint64_t size = 0;

	for (uint32_t i = 0; i < money->adjustment_count; i++)
		size += money->adjustments[i].name.size;
	return size;
}

uint32_t money_size(const struct money *money, uint32_t ops_count)
{
	return (uint32_t)(names_at(money, ops_count) + align_up(names_size(money), PADDING));
}

static_assert(sizeof(struct cart_money) + CART_RATES * sizeof(struct cart_taxed) +
			      CORRAL_ADJUSTMENTS_MAX * (sizeof(struct cart_adjustment) +
							CORRAL_ADJUSTMENT_NAME_MAX) +
			      CORRAL_OPS_KEPT * sizeof(int64_t) <=
		      UINT16_MAX,
	      "cart_head.money_size has room");

static void load_rates(const uint8_t *at, struct money *money)
{
	for (uint32_t i = 0; i < money->rate_count; i++, at += sizeof(struct cart_taxed)) {
		struct cart_taxed taxed;

		memcpy(&taxed, at, sizeof(taxed));
		money->rates[i] = (struct corral_rate){ .tax_ppm = taxed.tax_ppm,
							.base_cents = taxed.base_cents,
							.tax_cents = taxed.tax_cents };
	}
}

/* Load the adjustments; *ret_names: the bytes of their names. */
static bool load_adjustments(const uint8_t *at, const uint8_t *names, uint64_t names_room,
			     struct money *money, uint64_t *ret_names)
{
	__int128 sums[2] = { 0, 0 };
	uint64_t size = 0;

	for (uint32_t i = 0; i < money->adjustment_count;
	     i++, at += sizeof(struct cart_adjustment)) {
		struct cart_adjustment from;

		memcpy(&from, at, sizeof(from));
		read_once(from);
		if (from.name_size > names_room - size || from.after_tax > 1)
			return false;
		money->adjustments[i] =
			(struct corral_adjustment){ .name = { (const char *)names + size,
							      from.name_size },
						    .kind = from.kind,
						    .after_tax = from.after_tax,
						    .ppm = from.ppm,
						    .cents = from.cents,
						    .amount_cents = from.amount_cents };
		size += from.name_size;
		sums[from.after_tax] += from.amount_cents;
	}
	*ret_names = size;
	return cart_narrow(sums[0], &money->before_tax_cents) &&
	       cart_narrow(sums[1], &money->after_tax_cents);
}

bool money_load(const uint8_t *section, const struct cart_head *head, struct money *ret_money)
{
	struct money *money = ret_money;
	struct cart_money from;
	uint64_t names, names_room;

	if (head->money_size < sizeof(from))
		return false;
	memcpy(&from, section, sizeof(from));
	read_once(from);
	if (from.taxed_count > CART_RATES || from.adjustment_count > CORRAL_ADJUSTMENTS_MAX)
		return false;
	money->pricing = from.pricing;
	memcpy(money->own, from.own, sizeof(money->own));
	money->rate_count = from.taxed_count;
	money->adjustment_count = from.adjustment_count;
	names = names_at(money, head->ops_count);
	if (names > head->money_size)
		return false;
	names_room = head->money_size - names;
	load_rates(section + sizeof(from), money);
	return load_adjustments(section + sizeof(from) +
					money->rate_count * sizeof(struct cart_taxed),
				section + names, names_room, money, &names) &&
	       align_up(names, PADDING) == names_room;
}

void money_store(const struct money *money, uint32_t ops_count, uint8_t *section)
{
	uint8_t *names = section + names_at(money, ops_count);
	struct cart_money to = { .pricing = (uint8_t)money->pricing,
				 .taxed_count = (uint8_t)money->rate_count,
				 .adjustment_count = (uint8_t)money->adjustment_count };
	uint8_t *at = section + sizeof(to);

	memcpy(to.own, money->own, sizeof(to.own));
	memcpy(section, &to, sizeof(to));
	for (uint32_t i = 0; i < money->rate_count; i++, at += sizeof(struct cart_taxed)) {
		const struct corral_rate *rate = &money->rates[i];
		struct cart_taxed taxed = { .base_cents = rate->base_cents,
					    .tax_cents = rate->tax_cents,
					    .tax_ppm = rate->tax_ppm };

		memcpy(at, &taxed, sizeof(taxed));
	}
	for (uint32_t i = 0; i < money->adjustment_count;
	     i++, at += sizeof(struct cart_adjustment)) {
		const struct corral_adjustment *adjustment = &money->adjustments[i];
		struct cart_adjustment record = { .cents = adjustment->cents,
						  .amount_cents = adjustment->amount_cents,
						  .ppm = adjustment->ppm,
						  .name_size = (uint16_t)adjustment->name.size,
						  .kind = (uint8_t)adjustment->kind,
						  .after_tax = (uint8_t)adjustment->after_tax };

		memcpy(at, &record, sizeof(record));
		memcpy(names, adjustment->name.data, adjustment->name.size);
		names += adjustment->name.size;
	}
	memset(names, 0, align_up(names_size(money), PADDING) - names_size(money));
}

/* ------------------------------------------------------------ validate */

static bool own_rates_valid(const struct money *money)
{
	for (uint32_t i = 0; i < CART_RATES; i++) {
		if (money->own[i] == RATE_UNUSED)
			continue;
		if (money->own[i] > CORRAL_TAX_PPM_MAX)
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (money->own[j] == money->own[i])
				return false;
	}
	return true;
}

static bool adjustments_valid(const struct money *money)
{
	for (uint32_t i = 0; i < money->adjustment_count; i++) {
		if (cart_adjustment_check(&money->adjustments[i]) != 0)
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (text_equal(money->adjustments[j].name, money->adjustments[i].name))
				return false;
	}
	return true;
}

bool money_valid(const struct money *money, const uint8_t *section, const struct cart_head *head)
{
	uint64_t end = names_at(money, head->ops_count) + names_size(money);
	struct cart_taxed taxed;
	struct cart_money fixed;
	uint64_t rest = 0;

	memcpy(&fixed, section, sizeof(fixed));
	for (uint32_t i = 0; i < sizeof(fixed.reserved); i++)
		rest |= fixed.reserved[i];
	for (uint32_t i = 0; i < money->rate_count; i++) {
		memcpy(&taxed, section + sizeof(fixed) + i * sizeof(taxed), sizeof(taxed));
		rest |= taxed.reserved;
	}
	for (; end < head->money_size; end++)
		rest |= section[end];
	return rest == 0 && (money->pricing & ~PRICING_ALL) == 0 && own_rates_valid(money) &&
	       adjustments_valid(money);
}
