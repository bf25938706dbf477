/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer_bare.c (floor 6): the bare limit of changes by many: what is left of Corral's add if a cart is only copied, under a spinlock, into
 * a block that takes the former one's place. No key, no item, no totals, no grace period, no care for who dies.
 *
 * How far that gets with many workers is what the machine's caches allow a store that copies carts: each processor has to
 * fetch what another one has just written. For `scale`.
 *
 * Carts are blocks in memory that the workers inherit. Each worker has a ring of free ones, as long as the batches in which Corral
 * retires versions: the block that a copy takes the place of goes to the ring's end.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "atomic.h"
#include "block.h"
#include "peer.h"

#define RING 128u
#define RINGS 64u /* workers at a time; the next ones go on with the rings of the last */
#define SPINS 1000u

struct bare_cart {
	uint32_t lock;
	uint32_t block;
	uint64_t version;
	uint8_t reserved[CACHE_LINE - 16];
};

struct bare_ring {
	uint32_t blocks[RING];
	uint32_t at;
	uint32_t reserved[15];
};

static struct bare { /* in shared memory, but for this */
	struct bare_cart *carts;
	struct bare_ring *rings;
	uint32_t *rings_taken;
	uint8_t *blocks;
	size_t stride, cart_bytes, block_bytes;
	uint32_t count;
} bare;

static const char *missing(void)
{
	return NULL;
}

static void *shared(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	(void)madvise(memory, bytes, MADV_HUGEPAGE); /* as the arena's, if the kernel has them */
	return memory;
}

static void unmap(void *memory, size_t bytes)
{
	if (memory != NULL)
		munmap(memory, bytes);
}

static void stop(const struct peer_place *place)
{
	(void)place;
	unmap(bare.carts, bare.count * sizeof(*bare.carts));
	unmap(bare.rings, RINGS * sizeof(*bare.rings));
	unmap(bare.rings_taken, sizeof(*bare.rings_taken));
	unmap(bare.blocks, bare.block_bytes);
	memset(&bare, 0, sizeof(bare));
}

static int start(const struct peer_place *place, pid_t *ret_pid)
{
	const struct load *load = place->load;

	*ret_pid = 0;
	bare.count = load->carts;
	bare.cart_bytes = load->cart_bytes;
	bare.stride = block_class_bytes(block_class_of(load->cart_bytes + (uint32_t)sizeof(struct block_header)));
	bare.block_bytes = bare.stride * (bare.count + RINGS * RING);
	bare.carts = shared(bare.count * sizeof(*bare.carts));
	bare.rings = shared(RINGS * sizeof(*bare.rings));
	bare.rings_taken = shared(sizeof(*bare.rings_taken));
	bare.blocks = shared(bare.block_bytes);
	if (bare.carts == NULL || bare.rings == NULL || bare.rings_taken == NULL || bare.blocks == NULL) {
		stop(place);
		return -ENOMEM;
	}
	memset(bare.blocks, 1, bare.block_bytes);
	for (uint32_t i = 0; i < bare.count; i++)
		bare.carts[i].block = i;
	for (uint32_t i = 0; i < RINGS * RING; i++)
		bare.rings[i / RING].blocks[i % RING] = bare.count + i;
	return 0;
}

static int take_ring(const struct peer_place *place, void **ret_connection)
{
	(void)place;
	*ret_connection = &bare.rings[fetch_add_relaxed(bare.rings_taken, 1u) % RINGS];
	return 0;
}

static void leave_ring(void *connection)
{
	(void)connection;
}

static void lock_cart(struct bare_cart *cart)
{
	for (uint32_t spins = 0; swap_acq_rel(&cart->lock, 1u) != 0;) {
		while (load_relaxed(&cart->lock) != 0) {
			spin_pause();
			if (++spins % SPINS == 0)
				sched_yield(); /* its holder may have lost the processor */
		}
	}
}

static int add(void *connection, const struct load_step *step, const struct load_item *item)
{
	struct bare_cart *cart = &bare.carts[step->cart];
	struct bare_ring *ring = connection;
	uint32_t *place = &ring->blocks[ring->at++ % RING];

	(void)item;
	lock_cart(cart);
	uint32_t old = cart->block;
	memcpy(bare.blocks + *place * bare.stride, bare.blocks + old * bare.stride, bare.cart_bytes);
	cart->block = *place;
	cart->version++;
	store_release(&cart->lock, 0u);
	*place = old;
	return 0;
}

static int version(void *connection, const struct load_step *step, uint64_t *ret_version)
{
	(void)connection;
	*ret_version = bare.carts[step->cart].version;
	return 0;
}

const struct peer peer_bare = { .name = "bare",
				.store = "bare",
				.about = "copies the cart under a spinlock, and nothing else",
				.missing = missing,
				.start = start,
				.stop = stop,
				.open = take_ring,
				.close = leave_ring,
				.add = add,
				.version = version };
