/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * content.h: whole versions of a cart, handed out with the answer of a change.
 *
 * The version is noted under the lock, where the change has it at hand, and copied once the lock is
 * dropped: the caller's memory is not touched while a lock is held. In between a read-side section
 * keeps the new version from being freed, since other processes may replace it at once. The former
 * version needs no section: this thread retires it later.
 */
#ifndef CORRAL_CONTENT_H
#define CORRAL_CONTENT_H

#include "api/attempt.h"

void content_enter(struct attempt *attempt, const struct cart_head *now);
void content_leave(struct attempt *attempt, int r);

/* The arena was withdrawn meanwhile: the change fails after all, and nothing is handed out. */
void content_withdraw(struct attempt *attempt);

/* Nothing is handed out, for this reason. */
void content_forget(struct corral_content *content, size_t need, int error);

/*
 * Hand out a version, whose cart ends at until_ms if no activity follows; content->error says
 * whether that failed. The view and the cart of `content` are empty before.
 */
void content_copy(const struct corral *corral, const struct cart_head *version, size_t size,
		  int64_t until_ms, struct corral_content *content);

/*
 * The caller holds the lock and is about to publish the version in hand (`now` is NULL), to end the
 * version `now`, or to repeat an answer whose cart is `now`.
 */
static inline void content_hold(struct attempt *attempt, const struct cart_head *now)
{
	if (unlikely(attempt->content_wanted))
		content_enter(attempt, now);
}

/*
 * The change is made (r = 0) or was made before (r = 1), the lock is dropped, and the former
 * version is still in intent.old: hand out the versions that the caller wants. With any other r
 * there is nothing to hand out.
 */
static inline void content_deliver(struct attempt *attempt, int r)
{
	if (unlikely(attempt->content_wanted))
		content_leave(attempt, r);
}

#endif
