/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk.h: where every block and slot of an arena is.
 */
#ifndef CORRAL_WALK_H
#define CORRAL_WALK_H

#include "arena/arena.h"
#include "inspect/inspect.h"

#define WALK_UNITS_PER_PAGE (PAGE_BYTES / BLOCK_UNIT)

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
	char header_fault[REASON_BYTES];
	/* the last walk */
	uint8_t *
		places; /* by block reference - space_first: where the block that begins there is */
	uint32_t *head_of_page; /* plus one; 0: in no span */
	uint8_t *slot_places;   /* enum place, by slot */
	uint32_t *counts;       /* by class * PLACE_COUNT + place */
	uint32_t *spans;        /* by class */
	struct inspect_totals totals;
	uint64_t faults;
	uint64_t list_bytes; /* that the lists of thread records may still add up to */
	bool accounting;     /* tell of blocks that are nowhere or twice */
	void (*finding)(void *context, const char *line);
	void *context;
};

/* One more fault. */
__attribute__((format(printf, 2, 3))) void walk_tell(struct inspect *inspect, const char *format,
						     ...);

/* Walk all of it. Findings are told as they come. 0, -ENOMEM. */
int walk_arena(struct inspect *inspect, bool verify_carts, bool accounting);
void walk_forget(struct inspect *inspect);

/* The same, and what the header and the file system say of sizes. */
int walk_and_sum(struct inspect *inspect, bool verify_carts, bool accounting);

/* The class of the block that begins at ref, or CLASS_COUNT if none does. */
uint32_t walk_class_at(const struct inspect *inspect, block_ref ref);

/* Put a block into its place. False: it is no block, or has a place already (told). */
bool walk_put(struct inspect *inspect, block_ref ref, enum place place, const char *where);
bool walk_placed(const struct inspect *inspect, block_ref ref);

/* Put a list through block_header.next into its place, as far as `last` (0: its end). */
void walk_list(struct inspect *inspect, block_ref first, block_ref last, enum place place,
	       const char *where);

/*
 * A thread record's lists and half done moves; then, once all lists were walked, what is in its
 * hands.
 */
void walk_thread(struct inspect *inspect, uint32_t number);
void walk_hands(struct inspect *inspect, uint32_t number);

/* Count processes, threads and readers. */
void walk_count_people(struct inspect *inspect);

/* Is the process that owns this thread record alive? */
bool walk_owner_alive(const struct inspect *inspect, const struct thread_record *record);

#endif
