/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * money.c: exact sums in minor units, taxes, and adjustments.
 *
 * Three things are rounded: the tax of each rate, once, on the sum of all that is taxed at it; an
 * adjustment in parts per million; and the share that each rate has of an adjustment before tax,
 * where what is rounded off one share is given to another. Everything else is a sum, so the parts
 * are always the whole.
 *
 * Products of two amounts, and of an amount and a rate, are computed in 128 bits; what does not fit
 * 64 bits in the end is refused.
 */
#include <errno.h>

#include "cart/item.h"
#include "cart/money.h"

#define PPM 1000000

/*
 * subtotal = whole * PPM + rest, and whole * tax_ppm is an integer of the same sign, so
 * only the rest's share is rounded; no product here exceeds the subtotal or 10^12.
 */
int64_t cart_tax(int64_t subtotal_cents, uint32_t tax_ppm)
{
	int64_t whole = subtotal_cents / PPM;
	int64_t share = subtotal_cents % PPM * tax_ppm;

	return whole * tax_ppm + (share + (share < 0 ? -PPM / 2 : PPM / 2)) / PPM;
}

bool cart_line_total(uint32_t quantity, int64_t unit_price_cents, int64_t modifiers_cents,
		     int64_t *ret_cents)
{
	int64_t one_cents;

	if (unlikely(quantity == 0)) {
		*ret_cents = 0;
		return true;
	}
	return !add_overflows(unit_price_cents, modifiers_cents, &one_cents) &&
	       !__builtin_mul_overflow(one_cents, (int64_t)quantity, ret_cents);
}

bool cart_modifiers_cents(const struct corral_modifier *modifiers, uint32_t count,
			  int64_t *ret_cents)
{
	__int128 sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += modifiers[i].price_cents;
	return cart_narrow(sum, ret_cents);
}

/* ------------------------------------------------------------ rounding */

/* amount * ppm / divisor, ppm <= divisor <= 2 * PPM. So the result is no larger than the amount. */
static int64_t share_of(int64_t amount, uint32_t ppm, uint32_t divisor, uint32_t pricing)
{
	__int128 exact = (__int128)amount * ppm;
	int64_t whole = (int64_t)(exact / divisor);
	int64_t twice = (int64_t)(exact % divisor) * 2;
	bool negative = twice < 0;

	twice = negative ? -twice : twice;
	if (twice > divisor ||
	    (twice == divisor && (!(pricing & CORRAL_HALF_EVEN) || whole % 2 != 0)))
		whole += negative ? -1 : 1;
	return whole;
}

int64_t cart_tax_of(int64_t cents, uint32_t tax_ppm, uint32_t pricing)
{
	return share_of(cents, tax_ppm, pricing & CORRAL_TAX_INSIDE ? PPM + tax_ppm : PPM, pricing);
}

/* ------------------------------------------------------------ rates */

void money_init(struct money *money)
{
	memset(money, 0, sizeof(*money));
	for (uint32_t i = 0; i < CART_RATES; i++)
		money->own[i] = RATE_UNUSED;
}

uint32_t money_number(const struct money *money, uint32_t tax_ppm)
{
	uint32_t unused = 0;

	for (uint32_t i = CART_RATES; i > 0; i--) {
		if (money->own[i - 1] == tax_ppm)
			return i;
		if (money->own[i - 1] == RATE_UNUSED)
			unused = i;
	}
	return unused;
}

bool money_tally(struct tally *tally, const struct money *money, uint32_t rate, int64_t cents)
{
	if (rate > CART_RATES || (rate > 0 && money->own[rate - 1] == RATE_UNUSED))
		return false;
	tally->cents[rate] += cents;
	tally->lines[rate]++;
	return true;
}

/* The entry of a rate, made if need be; NULL: there are too many. */
static struct corral_rate *entry_of(struct money *money, uint32_t tax_ppm)
{
	uint32_t place = money->rate_count;

	while (place > 0 && money->rates[place - 1].tax_ppm >= tax_ppm)
		place--;
	if (place < money->rate_count && money->rates[place].tax_ppm == tax_ppm)
		return &money->rates[place];
	if (money->rate_count == CORRAL_RATES_MAX)
		return NULL;
	memmove(&money->rates[place + 1], &money->rates[place],
		(money->rate_count - place) * sizeof(money->rates[0]));
	money->rate_count++;
	money->rates[place] = (struct corral_rate){ .tax_ppm = tax_ppm };
	return &money->rates[place];
}

/* Add to what is taxed at a rate. 0, -EOVERFLOW, -E2BIG. */
static int add_at(struct money *money, uint32_t tax_ppm, __int128 cents)
{
	struct corral_rate *rate = entry_of(money, tax_ppm);

	if (rate == NULL)
		return -E2BIG;
	return cart_narrow(rate->base_cents + cents, &rate->base_cents) ? 0 : -EOVERFLOW;
}

/*
 * List the rates at which there are lines, and their sums. If lines have the cart's rate as their
 * own, only the sum of both has to fit.
 */
static int list_rates(struct money *money, const struct tally *tally, uint32_t tax_ppm)
{
	__int128 at_carts_rate = tally->cents[0];
	uint32_t lines = tally->lines[0];
	int r = 0;

	money->rate_count = 0;
	for (uint32_t i = 1; i <= CART_RATES && r == 0; i++) {
		if (tally->lines[i] > 0 && money->own[i - 1] == tax_ppm) {
			at_carts_rate += tally->cents[i];
			lines += tally->lines[i];
		} else if (tally->lines[i] > 0) {
			r = add_at(money, money->own[i - 1], tally->cents[i]);
		}
	}
	return r == 0 && lines > 0 ? add_at(money, tax_ppm, at_carts_rate) : r;
}

/* ------------------------------------------------------------ adjustments */

struct corral_adjustment *money_adjustment(struct money *money, struct corral_text name)
{
	for (uint32_t i = 0; i < money->adjustment_count; i++)
		if (text_equal(money->adjustments[i].name, name))
			return &money->adjustments[i];
	return NULL;
}

int cart_adjustment_check(const struct corral_adjustment *adjustment)
{
	if (adjustment == NULL || adjustment->name.size == 0 ||
	    adjustment->kind < CORRAL_DISCOUNT || adjustment->kind > CORRAL_SERVICE ||
	    adjustment->after_tax > 1 || adjustment->reserved != 0 ||
	    (adjustment->ppm != 0 && adjustment->cents != 0))
		return -EINVAL;
	if (adjustment->ppm > CORRAL_TAX_PPM_MAX || adjustment->cents < 0)
		return -ERANGE;
	return cart_text_check(adjustment->name, CORRAL_ADJUSTMENT_NAME_MAX);
}

/* One weight's share of an amount that is spread. */
struct share {
	__int128 cents;
	__int128 rest; /* what was rounded off, times the sum of the weights */
};

/*
 * Spread an amount over the rates in proportion to what is taxed at each: all shares are rounded
 * down, and of the cents that are then left, those with the largest rests get one each, of equal
 * ones that with the lower rate. 2^63 * 2^63 fits. There are fewer cents left than shares.
 */
static int spread(struct money *money, int64_t cents, __int128 whole)
{
	struct share shares[CORRAL_RATES_MAX];
	__int128 amount = cents < 0 ? -(__int128)cents : cents;
	const uint32_t count = money->rate_count;
	__int128 left = amount;
	int sign = whole < 0 ? -1 : 1;
	int r = 0;

	whole *= sign;
	for (uint32_t i = 0; i < count; i++) {
		__int128 exact = amount * (money->rates[i].base_cents * (__int128)sign);

		shares[i].cents = exact / whole - (exact % whole < 0);
		shares[i].rest = exact - shares[i].cents * whole;
		left -= shares[i].cents;
	}
	for (; left > 0; left--) {
		struct share *largest = &shares[0];

		for (uint32_t i = 1; i < count; i++)
			if (shares[i].rest > largest->rest)
				largest = &shares[i];
		largest->cents++;
		largest->rest = -1;
	}
	for (uint32_t i = 0; i < count && r == 0; i++)
		r = add_at(money, money->rates[i].tax_ppm,
			   cents < 0 ? -shares[i].cents : shares[i].cents);
	return r;
}

/* Add an amount to what is taxed. If nothing else is taxed, it is taxed at the cart's rate. */
static int tax_adjustment(struct money *money, uint32_t tax_ppm, int64_t cents)
{
	__int128 whole = 0;

	for (uint32_t i = 0; i < money->rate_count; i++)
		whole += money->rates[i].base_cents;
	if (cents == 0)
		return 0;
	return whole == 0 ? add_at(money, tax_ppm, cents) : spread(money, cents, whole);
}

/* Work out what the adjustments come to, in their order. */
static int adjust(struct money *money, int64_t subtotal_cents, uint32_t tax_ppm)
{
	__int128 before = 0, after = 0;
	int r = 0;

	for (uint32_t i = 0; i < money->adjustment_count && r == 0; i++) {
		struct corral_adjustment *adjustment = &money->adjustments[i];
		__int128 cents = adjustment->ppm ? share_of(subtotal_cents, adjustment->ppm, PPM,
							    money->pricing) :
						   adjustment->cents;

		if (!cart_narrow(adjustment->kind == CORRAL_DISCOUNT ? -cents : cents,
				 &adjustment->amount_cents))
			return -EOVERFLOW;
		if (adjustment->after_tax) {
			after += adjustment->amount_cents;
			continue;
		}
		before += adjustment->amount_cents;
		r = tax_adjustment(money, tax_ppm, adjustment->amount_cents);
	}
	if (r == 0 && (!cart_narrow(before, &money->before_tax_cents) ||
		       !cart_narrow(after, &money->after_tax_cents)))
		r = -EOVERFLOW;
	return r;
}

int money_compute(struct money *money, const struct tally *tally, int64_t subtotal_cents,
		  uint32_t tax_ppm, int64_t *ret_tax_cents, int64_t *ret_total_cents)
{
	__int128 tax = 0, total;
	int r = list_rates(money, tally, tax_ppm);

	if (r == 0)
		r = adjust(money, subtotal_cents, tax_ppm);
	if (r)
		return r;
	total = money->after_tax_cents;
	for (uint32_t i = 0; i < money->rate_count; i++) {
		struct corral_rate *rate = &money->rates[i];

		rate->tax_cents = cart_tax_of(rate->base_cents, rate->tax_ppm, money->pricing);
		if (money->pricing & CORRAL_TAX_INSIDE)
			rate->base_cents -= rate->tax_cents;
		tax += rate->tax_cents;
		total += (__int128)rate->base_cents + rate->tax_cents;
	}
	return cart_narrow(tax, ret_tax_cents) && cart_narrow(total, ret_total_cents) ? 0 :
											-EOVERFLOW;
}
