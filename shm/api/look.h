/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * look.h: one look at something that a thread waits for, for corral_wait_any(), which has many.
 */
#ifndef CORRAL_LOOK_H
#define CORRAL_LOOK_H

#include <stdbool.h>

#include "corral.h"

/*
 * As corral_wait(), without waiting. -EAGAIN: not yet, and *ret_word is to be slept on while it has
 * the value *ret_seen; NULL: nothing wakes us.
 */
int look_at_cart(struct corral *corral, const struct corral_key *key, uint64_t past_version,
		 uint32_t **ret_word, uint32_t *ret_seen, uint64_t *ret_version);

/*
 * As corral_sync(), without waiting; -EAGAIN as above. *ticket: 0 before the first look, which
 * makes the request. slept: some time has gone by since the last look, so the agent may have died.
 */
int look_at_disk(struct corral *corral, uint64_t *ticket, bool slept, uint32_t **ret_word,
		 uint32_t *ret_seen);

/*
 * Has the feed something to be read? 0: yes; -EAGAIN as above. *ticket: 0 before the first look.
 */
int look_at_feed(struct corral_feed *feed, uint64_t *ticket, uint32_t **ret_word,
		 uint32_t *ret_seen);

#endif
