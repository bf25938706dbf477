/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * carry.h: the sound carts of an arena of the former layout (arena/former.h), for the agent to put
 * into a new one.
 *
 * Reads only. Nobody may be attached meanwhile. The header must be sound; a cart is believed only
 * if all of cart_validate() holds once it has today's format; of lists and chains nothing is
 * needed. A damaged cart is left out and named: other copies of it are not looked for.
 */
#ifndef CORRAL_CARRY_H
#define CORRAL_CARRY_H

#include "inspect/salvage.h"

struct carry;

/*
 * Open DIR/arena. -EPROTONOSUPPORT: it has another layout than the former one, or there is none;
 * -EPROTO and why: its header is damaged, or its tables are cut off; other -errno and why.
 */
int carry_open(int dir_fd, struct carry **ret_carry, char *why);
void carry_close(struct carry *carry);

/* How the new arena has to be made: size, carts, time to live, hash seed. */
void carry_settings(const struct carry *carry, struct arena_settings *ret_settings);

/* Is it of an earlier boot, and a journal was kept? Then the journal may know more. */
bool carry_behind_journal(const struct carry *carry);

/* Who has, or had, this process record; false: nobody. For people. */
bool carry_process(const struct carry *carry, uint32_t number, int32_t *ret_pid,
		   char ret_program[40]);

/* As salvage_carts(). */
int carry_carts(const struct carry *carry,
		int (*take)(void *context, const void *cart, size_t size, uint64_t idle_ns),
		void (*finding)(void *context, const char *line), void *context,
		struct salvage_totals *ret_totals);

/* As salvage_floors(). */
void carry_floors(const struct carry *carry, struct arena *arena);

#endif
