/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * carry.h: the valid carts of an arena of the former layout (arena/former.h), for the agent to put
 * into a new one.
 *
 * It only reads. No process may be attached meanwhile. The header must be intact. A cart is
 * accepted only if cart_validate() passes once it is converted to the current format; lists and
 * chains are not needed. A damaged cart is left out and reported: no other copy of it is searched
 * for.
 */
#ifndef CORRAL_CARRY_H
#define CORRAL_CARRY_H

#include "inspect/salvage.h"

struct carry;

/*
 * Open DIR/arena. -EPROTONOSUPPORT: there is none, or it does not have the former layout; -EPROTO
 * and why: its header is damaged, or its tables are cut off; other -errno and why.
 */
int carry_open(int dir_fd, struct carry **ret_carry, char *why);
void carry_close(struct carry *carry);

/* The settings for the new arena: size, carts, time to live, hash seed, currency. */
void carry_settings(const struct carry *carry, struct arena_settings *ret_settings);

/* The epoch of the versions that the former arena gave last. */
uint32_t carry_epoch(const struct carry *carry);

/* Is the arena of an earlier boot and had a journal? Then the journal may have newer carts. */
bool carry_behind_journal(const struct carry *carry);

/* The last process that had this record, to be shown; false: none had. */
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
