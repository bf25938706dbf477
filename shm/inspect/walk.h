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
	PLACE_LANE, /* a thread record's, for its events */
	PLACE_COPY, /* of an ended cart */
	PLACE_COUNT,
};

struct inspect {
	struct arena arena; /* mapped for reading only; fd is the arena file's */
	int lock_fd;        /* -1: none; then no process counts as attached */
	bool by_records;    /* processes are counted by their records; the kernel is not asked */
	uint64_t file_bytes;
	uint64_t disk_bytes;
	bool readable; /* the header was valid */
	char header_fault[REASON_BYTES];
	/* the last walk */
	/* by block reference - space_first: the place of the block that begins there */
	uint8_t *places;
	uint32_t *head_of_page;       /* plus one; 0: in no span */
	uint8_t *slot_places;         /* enum place, by slot */
	uint32_t *counts;             /* by class * PLACE_COUNT + place */
	uint32_t *spans;              /* by class */
	bool dissolving[CLASS_COUNT]; /* some of its spans are being dissolved */
	struct inspect_totals totals;
	uint64_t faults;
	uint64_t list_bytes; /* the rest of the budget for thread records' lists */
	bool accounting;     /* report blocks that are nowhere, or in two places */
	void (*finding)(void *context, const char *line);
	void *context;
};

/* Report a fault. */
__attribute__((format(printf, 2, 3))) void walk_tell(struct inspect *inspect, const char *format,
						     ...);

/* Walk the whole arena and report findings. 0, -ENOMEM. */
int walk_arena(struct inspect *inspect, bool verify_carts, bool accounting);
void walk_forget(struct inspect *inspect);

/* The same, plus the sizes from the header and the file system. */
int walk_and_sum(struct inspect *inspect, bool verify_carts, bool accounting);

/* The class of the block that begins at ref, or CLASS_COUNT if none does. */
uint32_t walk_class_at(const struct inspect *inspect, block_ref ref);

/* Put a block into its place. False: it is no block, or already has a place (reported). */
bool walk_put(struct inspect *inspect, block_ref ref, enum place place, const char *where);
bool walk_placed(const struct inspect *inspect, block_ref ref);

/* Put a list (through block_header.next) into its place, up to `last` (0: its end). */
void walk_list(struct inspect *inspect, block_ref first, block_ref last, enum place place,
	       const char *where);

/*
 * walk_thread: a thread record's lists and half-done moves. walk_ends: the ends that are kept.
 * After all lists were walked: walk_dissolving, the spans that are being dissolved; then
 * walk_hands, what is in its hands.
 */
void walk_thread(struct inspect *inspect, uint32_t number);
void walk_ends(struct inspect *inspect);
void walk_dissolving(struct inspect *inspect);
void walk_hands(struct inspect *inspect, uint32_t number);

/* Count processes, threads and readers. */
void walk_count_people(struct inspect *inspect);

/* Is the process that owns this thread record alive? */
bool walk_owner_alive(const struct inspect *inspect, const struct thread_record *record);

#endif
