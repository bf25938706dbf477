/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * former.h: the layout that arenas had before LAYOUT_VERSION, and the format that carts had before
 * CART_FORMAT, as far as is needed to find and read their carts.
 *
 * Nothing here depends on layout.h: former.c spells out every place, size and shape of the former
 * layout, so that layout.h may change freely. All functions are pure and work on unchecked bytes.
 *
 * For a new layout: first make a sample of the current one (tests/samples); raise LAYOUT_VERSION
 * (and CART_FORMAT if a cart's bytes change); in former.c, replace this layout by the one that was
 * released.
 */
#ifndef CORRAL_FORMER_H
#define CORRAL_FORMER_H

#include "base/base.h"

#define FORMER_LAYOUT 8u
#define FORMER_HEADER_BYTES 4096u
#define FORMER_PROCESSES 1024u

struct former { /* the contents of a former arena's header, and the places of its tables */
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
	uint32_t version_epoch; /* not checked, as the currency is not */
	uint32_t currency;
	bool journal; /* a journal was kept */
};

/*
 * Are these FORMER_HEADER_BYTES the beginning of an arena of the former layout? 0 and *ret_former;
 * -EPROTONOSUPPORT: no; -EPROTO: yes, but the header is damaged. The tables of *ret_former lie one
 * after another from FORMER_HEADER_BYTES to space_at, which is before arena_bytes.
 */
int former_read(const void *header, struct former *ret_former);

struct former_slot {
	uint64_t hash;
	int64_t touched_ns;
	uint64_t cart_at; /* the place of its version in the file; not checked */
	bool over; /* a caller may have been told that its time is up; touched_ns is no time */
};

/* base: the file, mapped at least up to space_at. False: the slot has no cart. */
bool former_slot(const uint8_t *base, const struct former *former, uint32_t number,
		 struct former_slot *ret_slot);

/* No ended cart of this bucket had a greater version; not checked. */
uint64_t former_floor(const uint8_t *base, const struct former *former, uint32_t bucket);

/* The last process that had this record; its program's name is made printable. False: none had. */
bool former_process(const uint8_t *base, uint32_t number, int32_t *ret_pid, char ret_program[40]);

/*
 * Convert a cart version from the former format to the current one. to: CORRAL_CART_MAX bytes,
 * *ret_size of which are written. False: it is no cart. What is not rewritten keeps its checksums,
 * which show damage: the caller validates the result.
 */
bool former_cart(const void *bytes, size_t room, void *to, uint32_t *ret_size);

#endif
