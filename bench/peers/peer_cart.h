/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer_cart.h: a cart as a service keeps it in a store that knows only bytes: a
 * MessagePack map
 *
 *   { "version": 1, "total": cents, "lines": [ { "id", "name", "price", "quantity", "modifiers": [
 *   { "name", "price" } ], "notes" } ] }
 *
 * with the same lines as dataset.h's carts. Who adds an item reads the map, raises the quantity of
 * the line that has it (or appends one), sums the total up anew, and writes the map.
 */
#ifndef CORRAL_BENCH_PEER_CART_H
#define CORRAL_BENCH_PEER_CART_H

#include <msgpack.h>

#include "harness/dataset.h"

/* A cart of so many lines and about so many bytes, into out. */
void peer_cart_make(uint32_t lines, uint32_t bytes, msgpack_sbuffer *out);

/* The cart with this item more, into out (emptied before). 0; -EUCLEAN: that is no cart. */
int peer_cart_add(const void *bytes, size_t size, const struct dataset_item *item,
		  msgpack_sbuffer *out);

/* 0; -EUCLEAN. */
int peer_cart_version(const void *bytes, size_t size, uint64_t *ret_version);

/* The item as a map of its own, as a function on a server is given it. */
void peer_cart_item(const struct dataset_item *item, msgpack_sbuffer *out);

#endif
