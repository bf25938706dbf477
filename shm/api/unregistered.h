/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unregistered.h: reads on a handle to an arena that may not be written, as on a read-only mount.
 */
#ifndef CORRAL_UNREGISTERED_H
#define CORRAL_UNREGISTERED_H

#include "api/handle.h"

/* The calls of corral.h for a handle with corral->unregistered. */
int unregistered_read_begin(struct corral *corral, const struct corral_key *key,
			    struct corral_view *ret_view);
int unregistered_read_end(struct corral_view *view);
int unregistered_wait(struct corral *corral, const struct corral_key *key, uint64_t past_version,
		      int timeout_ms, const uint32_t *cancel, uint64_t *ret_version);

/* The rows of the slots from *at on, which is moved on. buffer: CORRAL_CART_MAX bytes. */
int unregistered_list(struct corral *corral, const struct corral_text *restaurant_id, void *buffer,
		      uint64_t *at, struct corral_entry *ret_entries, size_t max,
		      size_t *ret_count);

/* As copy_slot() in copy.h; the copy is verified. */
int unregistered_copy_slot(struct corral *corral, uint32_t number, void *buffer, size_t *ret_size,
			   uint64_t *ret_idle_ns);

#endif
