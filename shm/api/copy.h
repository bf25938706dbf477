/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.h: copies whole carts by slot, for callers that take all carts elsewhere.
 */
#ifndef CORRAL_COPY_H
#define CORRAL_COPY_H

#include "api/handle.h"

/* The number of slots that may have a cart now. */
uint32_t copy_slots(const struct corral *corral);

/*
 * Copy the cart in slot `number`, as it is at one moment, into buffer (CORRAL_CART_MAX bytes). This
 * does not count as activity. *ret_idle_ns: the time since the last activity. -ENOENT: there is no
 * cart; -EUCLEAN: it is damaged, and *ret_size bytes of it are in the buffer, so that the caller
 * can name it; -ESTALE, -EUSERS, -ENOMEM.
 */
int copy_slot(struct corral *corral, uint32_t number, void *buffer, size_t *ret_size,
	      uint64_t *ret_idle_ns);

#endif
