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
#include "corral.h"

struct salvage;

/*
 * Open DIR/arena, cut short or damaged as it may be. -EPROTO and why: not even its geometry can be
 * made out.
 */
int salvage_open(int dir_fd, struct salvage **ret_salvage, char *why);
void salvage_close(struct salvage *salvage);

/* How the new arena has to be made: size, carts, time to live, hash seed. */
void salvage_settings(const struct salvage *salvage, struct arena_settings *ret_settings);

/* Its uuid, which is the lineage of its journal; NULL: the header is damaged. */
const uint8_t *salvage_uuid(const struct salvage *salvage);

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
	uint32_t again;   /* of these: known to be the newest, though their slot had lost them */
	uint32_t older;   /* of these: out of the journal, and not known to be the newest */
	uint32_t damaged; /* left out */
	uint32_t ended;   /* their time was up */
};

/* A second witness: what a journal has of the carts of this arena. Hashes are those of keys. */
struct salvage_witness {
	void *context;
	/* The version that it has of the cart with this hash; 0: it has none. */
	uint64_t (*version)(void *context, uint64_t hash);
	/*
	 * The bytes of that version: cart has room for CORRAL_CART_MAX. *ret_touched_ns: its last
	 * activity in arena time; 0: not known. 0 or -errno.
	 */
	int (*read)(void *context, uint64_t hash, void *cart, size_t *ret_size,
		    int64_t *ret_touched_ns);
	/* The hash of the cart that this slot holds; 0: none, or the slots are another arena's. */
	uint64_t (*in_slot)(void *context, uint32_t slot);
};

/*
 * Hand each cart to take(), in its newest version, with the time since its last activity; tell what
 * is left out, found elsewhere, or not known to be the newest. Stops at take()'s first error, and
 * returns it. witness: NULL: there is none. -ENOMEM; -EIO: the file was cut off meanwhile.
 */
int salvage_carts(struct salvage *salvage, const struct salvage_witness *witness,
		  int (*take)(void *context, const void *cart, size_t size, uint64_t idle_ns),
		  void (*finding)(void *context, const char *line), void *context,
		  struct salvage_totals *ret_totals);

/*
 * Carry the chains' version floors over into the new arena, and raise those of carts that were left
 * out: versions go on growing there. After salvage_carts().
 */
void salvage_floors(const struct salvage *salvage, struct arena *arena);

#endif
