/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_seal.h: make the checksums of a damaged cart right again, as far as its shape allows, so
 * that the damage behind them is met. Knows no cmocka.
 */
#ifndef CART_SEAL_H
#define CART_SEAL_H

#include <stddef.h>
#include <stdint.h>

void cart_seal(uint8_t *bytes, size_t size);

#endif
