/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_kit.h: stop a process at every instruction of one operation, and take the arena as it is
 * then.
 *
 * A traced child (ptrace, single steps) does the operation in its arena. After each instruction the
 * tracer compares the arena with what it was; each state not seen before is handed to a callback,
 * which may look at it on a copy, where the child's liveness byte is free: there it is dead.
 * Nothing is placed by hand, so no point can be forgotten.
 */
#ifndef CRASH_KIT_H
#define CRASH_KIT_H

#include "support.h"

struct image { /* the bytes of an arena that may differ from zero or change */
	uint8_t *bytes;
	size_t size;
	bool returned;
};

struct crash_stage {
	struct yard yard;  /* where the child works */
	struct yard other; /* where its deaths are looked at */
	uint8_t *map;      /* of the first one's arena, for the tracer */
	uint8_t *other_map;
	size_t bytes;
	struct image now;
	uint64_t *seen; /* hashes of states, open addressing */
	uint32_t seen_room;
	uint32_t seen_count;
	uint64_t instructions;
	uint64_t states;
	bool returned; /* act() has: what it did is acknowledged */
};

/*
 * What the child does: prepare() at full speed, act() instruction by instruction. begin() (or NULL)
 * is called in the tracer between the two. When act() forks, its child is the one that is stepped
 * from then on.
 */
struct crash_plan {
	void *(*prepare)(const char *directory);
	void (*act)(void *prepared);
	void (*begin)(struct crash_stage *stage);
};

/* An arena of `bytes` for each yard. */
void crash_stage_make(struct crash_stage *stage, uint64_t bytes, uint32_t max_carts);
void crash_stage_remove(struct crash_stage *stage);

/* Give the arena these bytes (NULL: those of a new arena), to begin from. */
void crash_stage_reset(struct crash_stage *stage, const struct image *image);

/* The same, but states that were seen stay seen. */
void crash_stage_again(struct crash_stage *stage, const struct image *image);

/*
 * Run a plan; on_state() is called for each state not seen since the last reset, with the child
 * stopped there, and once more when act() has returned (stage->returned). It may use
 * crash_to_other(). False: ptrace is not allowed here. The child must end within a bound of
 * instructions.
 */
bool crash_run(struct crash_stage *stage, const struct crash_plan *plan,
	       void (*on_state)(struct crash_stage *stage, uint64_t state, void *context),
	       void *context);

/* Make the other arena a copy of this state: there, everybody is dead. */
void crash_to_other(struct crash_stage *stage);

/* Keep the state of now for later; show it again as if it were now. */
void crash_keep(const struct crash_stage *stage, struct image *ret_image);
void crash_show(struct crash_stage *stage, const struct image *image);

#endif
