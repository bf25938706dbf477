/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.h: the cart in a slot, whole, for who takes all carts elsewhere.
 */
#ifndef CORRAL_COPY_H
#define CORRAL_COPY_H

#include "api/handle.h"

/* Slots that may have a cart, at this moment. */
uint32_t copy_slots(const struct corral *corral);

/*
 * Copy the cart in slot `number` as it is at one moment, into buffer (CORRAL_CART_MAX bytes). Does
 * not count as activity. *ret_idle_ns: since its last one. -ENOENT: there is none; -EUCLEAN: it is
 * damaged, and *ret_size says how many bytes of it are in the buffer, for those who want to name
 * it; -ESTALE, -EUSERS, -ENOMEM.
 */
int copy_slot(struct corral *corral, uint32_t number, void *buffer, size_t *ret_size,
	      uint64_t *ret_idle_ns);

#endif
