/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * portable.h: carts as any program reads them: the MessagePack stream of
 * corral-snapshot(5).
 *
 * Pure functions from bytes to bytes. A stream is a header map, a map for each cart, and a trailer
 * map with the checksum of all that is before it. A cart's map says what the version says, by name;
 * it has nothing that serves only the arena (places, checksums, merge keys): these are made anew
 * when a version is made of the map, and then everything is validated, the totals included.
 */
#ifndef CORRAL_PORTABLE_H
#define CORRAL_PORTABLE_H

#include "base/base.h"
#include "corral.h"

#define PORTABLE_FORMAT 1
#define PORTABLE_MAP_MAX                                                                           \
	(2u * 1024 * 1024) /* bytes of one map: the largest cart's has some 1.2 million */
#define PORTABLE_UUID_BYTES 37

struct portable_header {
	int64_t format;
	char arena_uuid[PORTABLE_UUID_BYTES];
	int64_t taken_ms;
	uint64_t ttl_ms;
	uint64_t arena_bytes;
	uint32_t max_carts;
	uint64_t hash_seed;
};

struct portable_trailer {
	uint64_t carts;
	uint64_t sum; /* XXH3_64 of all bytes before the trailer */
};

/* Write a map into buffer (PORTABLE_MAP_MAX bytes); returns its size. */
size_t portable_pack_header(const struct portable_header *header, void *buffer);
size_t portable_pack_trailer(const struct portable_trailer *trailer, void *buffer);

/*
 * The same of a version that cart_validate() has accepted, in memory of our own. Operation ids that
 * were hashed with another seed than this one mean nothing and are left out.
 */
size_t portable_pack_cart(const void *version, uint64_t seed, uint64_t idle_ms, void *buffer);

/* ------------------------------------------------------------------- read */
/*
 * From untrusted bytes. NULL, or the key whose value is wrong or missing, a constant.
 * *ret_used: bytes of the map, which need not be all of `size`. Keys that we do not know are
 * skipped.
 */

const char *portable_unpack_header(const void *bytes, size_t size,
				   struct portable_header *ret_header, size_t *ret_used);
const char *portable_unpack_trailer(const void *bytes, size_t size,
				    struct portable_trailer *ret_trailer, size_t *ret_used);

/* Is what begins here the trailer (its first key says so)? */
bool portable_is_trailer(const void *bytes, size_t size);

struct portable_version {
	uint32_t size;
	uint64_t idle_ms;
	uint64_t ttl_ms; /* 0: the arena's */
	/* keys that we do not know: of the cart's map, and of maps in it */
	uint32_t unknown_keys;
	uint32_t unknown_within;
};

/*
 * Make a version into buffer (CORRAL_CART_MAX bytes, 8-aligned) that cart_validate() accepts, with
 * merge keys for this seed; operation ids are kept if they were hashed with it.
 */
const char *portable_unpack_cart(const void *bytes, size_t size, uint64_t seed, bool keep_ops,
				 void *buffer, struct portable_version *ret_version,
				 size_t *ret_used);

/*
 * Append the keys that we do not know of a cart's map that was unpacked to a map that was packed
 * (both as above). Returns its size; 0: they do not fit.
 */
size_t portable_append_unknown(const void *from, size_t from_size, void *map, size_t size);

#endif
