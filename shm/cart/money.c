/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* money.c: exact sums in minor units. Nothing here is rounded but the tax. */
#include "cart/cart_shape.h"
#include "cart/item.h"

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
