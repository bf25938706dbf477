/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_feed.h: what the feed must tell after a death: each change once, each end once, in the
 * order of each cart's versions.
 */
#ifndef CRASH_FEED_H
#define CRASH_FEED_H

#include <stdbool.h>

#include "corral.h"

/*
 * Read all events, and compare them with one another and with the carts that are there. ended: no
 * cart is there any more, not even one whose time is up. NULL, or what is wrong; valid until the
 * next call.
 */
const char *crash_check_feed(struct corral *corral, bool ended);

#endif
