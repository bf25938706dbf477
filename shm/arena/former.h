/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * former.h: the one layout that arenas had before LAYOUT_VERSION, and the format that carts had
 * before CART_FORMAT, as far as it takes to find and to read their carts.
 *
 * Nothing here follows layout.h: every place, size and shape of the former layout is written out
 * in former.c, so that layout.h may change freely. Pure functions on bytes that nobody has checked.
 *
 * A new layout: raise LAYOUT_VERSION (and CART_FORMAT if a cart's bytes change), write the layout
 * that was out in former.c in place of this one, and make its sample before (tests/samples).
 */
#ifndef CORRAL_FORMER_H
#define CORRAL_FORMER_H

#include "base/base.h"

#define FORMER_LAYOUT 6u
#define FORMER_HEADER_BYTES 4096u
#define FORMER_PROCESSES 1024u

struct former { /* what the header of a former arena says, and where its tables are */
	uint64_t arena_bytes;
	uint32_t max_carts;
	uint32_t bucket_count;
	uint64_t buckets_at;
	uint64_t slots_at;
	uint64_t space_at;
	uint64_t hash_seed;
	uint64_t ttl_ns;
	uint8_t boot_id[16];
	int64_t clock_offset_ns;
	int64_t heartbeat_ns;
	bool journal; /* one was kept */
};

/*
 * Are these FORMER_HEADER_BYTES the beginning of an arena of the former layout? 0 and *ret_former;
 * -EPROTONOSUPPORT: no; -EPROTO: yes, and the header is damaged. The tables of a *ret_former lie
 * one behind the other from FORMER_HEADER_BYTES up to space_at, and that before arena_bytes.
 */
int former_read(const void *header, struct former *ret_former);

struct former_slot {
	uint64_t hash;
	int64_t touched_ns;
	uint64_t cart_at; /* where in the file its version is; not checked */
};

/* base: the file, mapped at least up to space_at. False: the slot holds no cart. */
bool former_slot(const uint8_t *base, const struct former *former, uint32_t number,
		 struct former_slot *ret_slot);

/* No cart of this bucket that ended had a greater version; not checked. */
uint64_t former_floor(const uint8_t *base, const struct former *former, uint32_t bucket);

/* Who has, or had, this process record; false: nobody. For people: printable. */
bool former_process(const uint8_t *base, uint32_t number, int32_t *ret_pid, char ret_program[40]);

/*
 * A cart version of the former format, in today's. to: CORRAL_CART_MAX bytes, *ret_size of which
 * are written. False: it is damaged, as far as what is made anew goes (head, keys, attributes and
 * operations); of its lines their checksums will tell, as ever.
 */
bool former_cart(const void *bytes, size_t room, void *to, uint32_t *ret_size);

#endif
