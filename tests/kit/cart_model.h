/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_model.h: the model that 50_cart_oracle compares with: a plain array of lines, and money in
 * GMP's unbounded integers. It shares no code with the codec.
 */
#ifndef CART_MODEL_H
#define CART_MODEL_H

#include "cart_kit.h"

#include <gmp.h>

#define SHADOW_LINES 48
#define CATALOGUE 24

/* ------------------------------------------------------------ the model */

struct product { /* what can be ordered; no two products are equal */
	char id[16];
	char notes[16];
	int64_t price;
	uint32_t modifier_count;
	struct corral_modifier modifiers[4];
};

struct shadow_line {
	uint32_t line;
	uint32_t quantity;
	uint32_t product;
};

struct shadow {
	uint32_t count;
	uint32_t next_line;
	uint32_t tax_ppm;
	uint64_t version;
	struct shadow_line lines[SHADOW_LINES];
};

struct world {
	struct product products[CATALOGUE];
	struct shadow shadow;
	struct kit_cart cart;
	mpz_t subtotal, tax, total, line, low, high;
};

static inline bool fits(const struct world *w, const mpz_t value)
{
	return mpz_cmp(value, w->low) >= 0 && mpz_cmp(value, w->high) <= 0;
}

static inline void set_i64(mpz_t value, int64_t number)
{
	mpz_set_si(value, number); /* long is 64 bits wide here */
}

static inline void line_total(struct world *w, const struct shadow_line *line)
{
	const struct product *product = &w->products[line->product];
	mpz_t price;

	mpz_init(price);
	set_i64(w->line, product->price);
	for (uint32_t i = 0; i < product->modifier_count; i++) {
		set_i64(price, product->modifiers[i].price_cents);
		mpz_add(w->line, w->line, price);
	}
	mpz_mul_ui(w->line, w->line, line->quantity);
	mpz_clear(price);
}

/* Round half away from zero: the sign of floor((2 * |x| + d) / (2 * d)). */
static inline void tax_of(struct world *w, uint32_t tax_ppm)
{
	mpz_mul_ui(w->tax, w->subtotal, tax_ppm);
	mpz_abs(w->tax, w->tax);
	mpz_mul_ui(w->tax, w->tax, 2);
	mpz_add_ui(w->tax, w->tax, 1000000);
	mpz_fdiv_q_ui(w->tax, w->tax, 2000000);
	if (mpz_sgn(w->subtotal) < 0)
		mpz_neg(w->tax, w->tax);
}

/* Compute the model's totals; false when any true value does not fit. */
static inline bool compute(struct world *w, const struct shadow *shadow)
{
	bool all_fit = true;

	mpz_set_ui(w->subtotal, 0);
	for (uint32_t i = 0; i < shadow->count; i++) {
		line_total(w, &shadow->lines[i]);
		all_fit = all_fit && fits(w, w->line);
		mpz_add(w->subtotal, w->subtotal, w->line);
	}
	tax_of(w, shadow->tax_ppm);
	mpz_add(w->total, w->subtotal, w->tax);
	return all_fit && fits(w, w->subtotal) && fits(w, w->tax) && fits(w, w->total);
}

#endif
