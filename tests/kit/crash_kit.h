/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_kit.h: stop a process at every instruction of one operation and examine the arena as it is
 * at that point.
 *
 * A traced child (ptrace, single steps) does the operation in its arena. After each instruction the
 * tracer compares the arena with its previous state and hands each new state to a callback. The
 * callback may copy the state to a second arena, where the child's liveness byte is free: there the
 * child is dead. No crash point is placed by hand, so none can be forgotten.
 */
#ifndef CRASH_KIT_H
#define CRASH_KIT_H

/* The carts live for longer than any run takes, even one that has to share the processors. */
#define CRASH_TTL_MS (24 * 3600 * 1000ull)

#include "support.h"

struct image { /* the bytes of an arena that may be nonzero or change */
	uint8_t *bytes;
	size_t size;
	bool returned;
};

struct crash_stage {
	struct yard yard;  /* where the child works */
	struct yard other; /* where the callback examines its deaths */
	uint8_t *map;      /* of yard's arena, for the tracer */
	uint8_t *other_map;
	size_t bytes;
	struct image now;
	uint64_t *seen; /* hashes of states, open addressing */
	uint32_t seen_room;
	uint32_t seen_count;
	uint64_t instructions;
	uint64_t states;
	bool returned; /* act() has returned: its effect is acknowledged */
};

/*
 * What the child does: prepare() at full speed, then act() instruction by instruction. The tracer
 * calls begin() (unless NULL) between the two. When act() forks, its child is the one that is
 * stepped from then on.
 */
struct crash_plan {
	void *(*prepare)(const char *directory);
	void (*act)(void *prepared);
	void (*begin)(struct crash_stage *stage);
};

/* Make both yards, each with an arena of `bytes`. */
void crash_stage_make(struct crash_stage *stage, uint64_t bytes, uint32_t max_carts);
void crash_stage_remove(struct crash_stage *stage);

/* Set the arena to these bytes (NULL: those of a new arena), and forget the states seen. */
void crash_stage_reset(struct crash_stage *stage, const struct image *image);

/* The same, but the states seen are remembered. */
void crash_stage_again(struct crash_stage *stage, const struct image *image);

/*
 * Run a plan. on_state() is called for each state not seen since the last reset, with the child
 * stopped there, and once more when act() has returned (stage->returned). It may call
 * crash_to_other(). Returns false when ptrace is not allowed here. The child must end within a
 * bounded number of instructions.
 */
bool crash_run(struct crash_stage *stage, const struct crash_plan *plan,
	       void (*on_state)(struct crash_stage *stage, uint64_t state, void *context),
	       void *context);

/* Make the other arena a copy of the current state; there, every process is dead. */
void crash_to_other(struct crash_stage *stage);

/* Keep the current state for later; show a kept state as the current one. */
void crash_keep(const struct crash_stage *stage, struct image *ret_image);
void crash_show(struct crash_stage *stage, const struct image *image);

#endif
