/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer_cart.h: a cart as a service keeps it in a store that knows only bytes: a MessagePack map
 *
 *   { "version": 1, "total": cents, "lines": [ { "id", "name", "price", "quantity", "modifiers": [
 *   { "name", "price" } ], "notes" } ] }
 *
 * with the same lines as dataset.h's carts. To add an item, a client reads the map, raises the
 * quantity of the line that has the item (or appends a line), recomputes the total, and writes the
 * map.
 */
#ifndef CORRAL_BENCH_PEER_CART_H
#define CORRAL_BENCH_PEER_CART_H

#include <msgpack.h>

#include "harness/dataset.h"

/* Write a cart of `lines` lines and about `bytes` bytes to out. */
void peer_cart_make(uint32_t lines, uint32_t bytes, msgpack_sbuffer *out);

/* Empty out, and write the cart with this item added to it. 0; -EUCLEAN: the bytes are no cart. */
int peer_cart_add(const void *bytes, size_t size, const struct dataset_item *item,
		  msgpack_sbuffer *out);

/* 0; -EUCLEAN. */
int peer_cart_version(const void *bytes, size_t size, uint64_t *ret_version);

/* Write the item as a map of its own, the form in which a function on a server gets it. */
void peer_cart_item(const struct dataset_item *item, msgpack_sbuffer *out);

#endif
