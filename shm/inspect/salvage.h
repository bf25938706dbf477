/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * salvage.h: the sound carts of an arena that may be damaged anywhere, for the agent to
 * put into a new one.
 *
 * Reads only. Nobody may be attached meanwhile. Believes the header as far as its checksum, or the
 * carts themselves, confirm it; a cart only if all of cart_validate() holds; of lists and chains
 * nothing is needed.
 */
#ifndef CORRAL_SALVAGE_H
#define CORRAL_SALVAGE_H

#include "arena/arena.h"

struct salvage;

/*
 * Open DIR/arena, cut short or damaged as it may be. -EPROTO and why: not even its geometry can be
 * made out.
 */
int salvage_open(int dir_fd, struct salvage **ret_salvage, char *why);
void salvage_close(struct salvage *salvage);

/* How the new arena has to be made: size, carts, time to live, hash seed. */
void salvage_settings(const struct salvage *salvage, struct arena_settings *ret_settings);

/*
 * Is it of an earlier boot, and a journal was kept? Then the journal has the last word on its
 * carts.
 */
bool salvage_behind_journal(const struct salvage *salvage);

/* Who has, or had, this process record; false: nobody. For people. */
bool salvage_process(const struct salvage *salvage, uint32_t number, int32_t *ret_pid,
		     char ret_program[40]);

struct salvage_totals {
	uint32_t kept;    /* handed to take() */
	uint32_t again;   /* of these: their slot had lost them */
	uint32_t damaged; /* left out */
	uint32_t ended;   /* their time was up */
};

/*
 * Hand each sound cart to take(), with the time since its last activity; tell what is left out.
 * Stops at take()'s first error, and returns it. -ENOMEM.
 */
int salvage_carts(struct salvage *salvage,
		  int (*take)(void *context, const void *cart, size_t size, uint64_t idle_ns),
		  void (*finding)(void *context, const char *line), void *context,
		  struct salvage_totals *ret_totals);

/* Carry the chains' version floors over into the new arena: versions go on growing there. */
void salvage_floors(const struct salvage *salvage, struct arena *arena);

#endif
