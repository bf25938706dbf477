/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * salvage.h: the valid carts of an arena that may be damaged anywhere, for the agent to put into a
 * new one.
 *
 * It only reads. No process may be attached meanwhile. The header is trusted as far as its
 * checksum, or the carts themselves, confirm it; a cart only if cart_validate() passes; lists and
 * chains are not needed.
 */
#ifndef CORRAL_SALVAGE_H
#define CORRAL_SALVAGE_H

#include "arena/arena.h"
#include "corral.h"

struct salvage;

/*
 * Open DIR/arena, even if it is cut short or damaged. -EPROTO and why: not even its geometry can be
 * determined.
 */
int salvage_open(int dir_fd, struct salvage **ret_salvage, char *why);

/* The same; `known`: size and carts, as its journal has them, where the header does not say. */
int salvage_open_known(int dir_fd, const struct arena_settings *known, struct salvage **ret_salvage,
		       char *why);
void salvage_close(struct salvage *salvage);

/* The settings for the new arena: size, carts, time to live, hash seed. */
void salvage_settings(const struct salvage *salvage, struct arena_settings *ret_settings);

/*
 * The arena's uuid, which identifies its journal's lineage; NULL: it is zero. In a damaged header
 * it may be anything; but if it is a journal's lineage, that is no accident.
 */
const uint8_t *salvage_uuid(const struct salvage *salvage);

/* The arena itself, which may be damaged anywhere. */
const struct arena *salvage_arena(const struct salvage *salvage);

/* Is the arena of an earlier boot and had a journal? Then the journal's carts take precedence. */
bool salvage_behind_journal(const struct salvage *salvage);

/* The slot that claims the cart with this hash; UINT32_MAX: none does. */
uint32_t salvage_slot(const struct salvage *salvage, uint64_t hash);

/* The last process that had this record, to be shown; false: none had. */
bool salvage_process(const struct salvage *salvage, uint32_t number, int32_t *ret_pid,
		     char ret_program[40]);

struct salvage_totals {
	uint32_t kept;    /* handed to take() */
	uint32_t again;   /* of these: known to be the newest, although their slot was lost */
	uint32_t older;   /* of these: from the journal, and not known to be the newest */
	uint32_t damaged; /* left out */
	uint32_t ended;   /* their time was up */
};

/* A second source: the journal's versions of this arena's carts. Hashes are those of keys. */
struct salvage_witness {
	void *context;
	/* The journal's version of the cart with this hash; 0: it has none. */
	uint64_t (*version)(void *context, uint64_t hash);
	/*
	 * Read that version into cart, which has CORRAL_CART_MAX bytes. *ret_touched_ns: its last
	 * activity in arena time; 0: unknown. 0 or -errno.
	 */
	int (*read)(void *context, uint64_t hash, void *cart, size_t *ret_size,
		    int64_t *ret_touched_ns);
	/* The hash of this slot's cart; 0: none, or the slots are another arena's. */
	uint64_t (*in_slot)(void *context, uint32_t slot);
};

/* In place of the time since the last activity: the cart's time is up, and it is not to live on. */
#define SALVAGE_OVER UINT64_MAX

/*
 * Hand each cart in its newest version to take(), with the time since its last activity. Report
 * what is left out, found elsewhere, or not known to be the newest. take()'s first error ends the
 * walk and is returned. witness NULL: there is none. -ENOMEM; -EIO: the file was cut off meanwhile.
 */
int salvage_carts(struct salvage *salvage, const struct salvage_witness *witness,
		  int (*take)(void *context, const void *cart, size_t size, uint64_t idle_ns),
		  void (*finding)(void *context, const char *line), void *context,
		  struct salvage_totals *ret_totals);

/*
 * Carry the chains' version floors over into the new arena, and raise those of carts that were left
 * out, so that versions keep growing there. Call it after salvage_carts().
 */
void salvage_floors(const struct salvage *salvage, struct arena *arena);

#endif
