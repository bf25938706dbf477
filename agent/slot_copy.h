/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* slot_copy.h: copies the version in a slot, for a journal or another arena. */
#ifndef CORRAL_SLOT_COPY_H
#define CORRAL_SLOT_COPY_H

#include "sync/alive.h"

#define SLOT_LONG_AGO (INT64_MIN / 2) /* longer than any time to live */

struct slot_copied {
	uint32_t size;      /* of the version; 0: there is none */
	int64_t touched_ns; /* its last activity; of a cart that is over SLOT_LONG_AGO */
	bool over;          /* its time is up, and a reader may know, but nothing has ended it */
	uint64_t version;   /* of a cart that is over, also if its version could not be copied */
};

/*
 * Copy a slot's version, regardless of time, into `buffer`, which has space for any cart. Only its
 * size is verified. Takes no lock. 0; -EUCLEAN: it is damaged; -EAGAIN: it kept changing.
 */
int slot_copy(struct actor *actor, uint32_t number, void *buffer, struct slot_copied *ret_copied);

#endif
