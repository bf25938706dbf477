/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk.h (floor 5, inside the inspect room): where every block and slot of an arena is.
 */
#ifndef CORRAL_WALK_H
#define CORRAL_WALK_H

#include "arena.h"
#include "inspect.h"

enum place {
	PLACE_NONE = 0,
	PLACE_NEVER_USED,
	PLACE_FREE,
	PLACE_CACHED, /* in a cache, a hand, or on the way */
	PLACE_LIVE,
	PLACE_RETIRED,
	PLACE_COUNT,
};

struct inspect {
	struct arena arena; /* mapped for reading only; fd is the arena file's */
	int lock_fd;        /* -1: none: nobody is taken to be attached */
	uint64_t file_bytes;
	uint64_t disk_bytes;
	bool readable; /* the header was valid */
	char header_fault[WHY_BYTES];
	/* the last walk */
	uint8_t *places;       /* by block reference - space_first: where the block that begins there is */
	uint32_t *head_of_page; /* plus one; 0: in no span */
	uint8_t *slot_places;  /* enum place, by slot */
	uint32_t *counts;      /* by class * PLACE_COUNT + place */
	uint32_t *spans;       /* by class */
	struct inspect_totals totals;
	uint64_t faults;
	bool accounting; /* tell of blocks that are nowhere or twice */
	void (*finding)(void *context, const char *line);
	void *context;
};

/* Walk all of it. Findings are told as they come. 0, -ENOMEM. */
int walk_arena(struct inspect *inspect, bool verify_carts, bool accounting);
void walk_forget(struct inspect *inspect);

/* Is the process that owns this thread record alive? */
bool walk_owner_alive(const struct inspect *inspect, const struct thread_record *record);

#endif
