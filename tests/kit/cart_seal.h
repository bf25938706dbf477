/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_seal.h: recompute the checksums of a damaged cart as far as its shape allows, so that a test
 * reaches the damage behind them. Does not use cmocka.
 */
#ifndef CART_SEAL_H
#define CART_SEAL_H

#include <stddef.h>
#include <stdint.h>

void cart_seal(uint8_t *bytes, size_t size);

#endif
