/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crash_slots.h: death at every instruction of something that is done to the carts of one chain, on
 * the layers below the public calls. A test has a table of operations, and a function that looks at
 * each state in which they may be interrupted.
 */
#ifndef CRASH_SLOTS_H
#define CRASH_SLOTS_H

#include "crash_kit.h"
#include "slot_kit.h"

#define CRASH_KEYS 4 /* of one chain */

struct crash_slots_operation {
	const char *name;
	void (*prepare)(void); /* at full speed; NULL: nothing */
	void (*act)(void);     /* interrupted at every instruction */
};

/* The process that dies has two threads' records. */
extern struct member us;
extern struct actor one, two;
extern struct kit_key keys[CRASH_KEYS];
extern struct crash_stage stage;

/* What operations are made of; one failure ends the process. */
void make(uint32_t key); /* in the name of `one`, as `end` */
void change(struct actor *actor, uint32_t key, uint32_t dice);
void end(uint32_t key);
void lock_lists_of_one(void); /* two does it: blocks that one retires now are deferred */
void unlock_lists_of_one(void);

/* Compute the keys for this arena. */
void find_keys(const struct arena *arena);

/*
 * Run each operation as a test, whose name is `claim` with the operation's name for %s. look()
 * examines a state: it may call crash_to_other(&stage). Returns what main() is to return.
 */
int crash_slots_run(const struct crash_slots_operation *operations, size_t count, const char *claim,
		    uint64_t bytes, uint32_t max_carts, void (*look)(void));

#endif
