/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_snapshot.c: bytes that may be the maps of a snapshot, one behind the other.
 *
 * The input: a byte that says whether operation ids are kept, then the maps. An accepted cart must
 * be a sound version that survives a round trip through a map; an accepted header or trailer must
 * be the same when it is written again.
 */
#include "fuzz.h"

#include "cart/cart.h"
#include "cart/portable.h"

#define SEED 0x5eedull

static _Alignas(8) uint8_t version[CORRAL_CART_MAX], again[CORRAL_CART_MAX];
static uint8_t map[PORTABLE_MAP_MAX];

/* Number of bytes used; 0: the bytes are no header. */
static size_t try_header(const uint8_t *bytes, size_t size)
{
	struct portable_header header, other;
	size_t used = 0, used_again = 0;

	if (portable_unpack_header(bytes, size, &header, &used) != NULL)
		return 0;
	size_t packed = portable_pack_header(&header, map);
	must(portable_unpack_header(map, packed, &other, &used_again) == NULL &&
	     used_again == packed);
	must(other.taken_ms == header.taken_ms && other.hash_seed == header.hash_seed &&
	     other.max_carts == header.max_carts &&
	     strcmp(other.arena_uuid, header.arena_uuid) == 0);
	return used;
}

static size_t try_trailer(const uint8_t *bytes, size_t size)
{
	struct portable_trailer trailer, other;
	size_t used = 0, used_again = 0;

	if (!portable_is_trailer(bytes, size) ||
	    portable_unpack_trailer(bytes, size, &trailer, &used) != NULL)
		return 0;
	size_t packed = portable_pack_trailer(&trailer, map);
	must(portable_is_trailer(map, packed));
	must(portable_unpack_trailer(map, packed, &other, &used_again) == NULL &&
	     used_again == packed);
	must(other.carts == trailer.carts && other.sum == trailer.sum);
	return used;
}

static size_t try_cart(const uint8_t *bytes, size_t size, bool keep_ops)
{
	struct portable_version made, made_again;
	size_t used = 0, used_again = 0;

	if (portable_unpack_cart(bytes, size, SEED, keep_ops, version, &made, &used) != NULL)
		return 0;
	must(used <= size && made.size <= sizeof(version));
	must(cart_validate(version, made.size) == 0);
	size_t packed = portable_pack_cart(version, SEED, made.idle_ms, map);
	must(portable_unpack_cart(map, packed, SEED, true, again, &made_again, &used_again) ==
	     NULL);
	must(used_again == packed && made_again.size == made.size &&
	     made_again.idle_ms == made.idle_ms && made_again.ttl_ms == made.ttl_ms);
	must(memcmp(again, version, made.size) == 0);
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;
	size_t at = 0, used;

	if (size < 1)
		return 0;
	bytes = exact_copy(data + 1, size - 1);
	do {
		used = try_header(bytes + at, size - 1 - at);
		if (used == 0)
			used = try_trailer(bytes + at, size - 1 - at);
		if (used == 0)
			used = try_cart(bytes + at, size - 1 - at, (data[0] & 1) != 0);
		at += used;
	} while (used > 0);
	free(bytes);
	return 0;
}
