/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bare.c: the bare limit of changes by many workers: Corral's add reduced to copying a cart, under
 * a spinlock, into a block that takes the place of the former one. There is no key, no item, no
 * total, no grace period, and no recovery from a death.
 *
 * Its rate with many workers is the most that the machine's caches allow a store that copies carts:
 * each processor has to fetch what another one has just written. `scale` uses it; so does
 * `contend`, which reads such a cart, without any protection, while it changes.
 *
 * Carts are blocks in a file beside the arena, in huge pages if the kernel has them for that file.
 * Workers inherit the mapping, and fault it in before they begin. Each worker has a ring of free
 * blocks, as long as the batches in which Corral retires versions: the block that a copy replaces
 * goes to the ring's end.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/atomic.h"
#include "memory/class.h"
#include "peer.h"

#define RING 128u
#define RINGS 64u /* workers at a time; later workers take over the rings of earlier ones */
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

static struct bare { /* its pointers are private, their targets are shared memory */
	struct bare_cart *carts;
	struct bare_ring *rings;
	uint32_t *rings_taken;
	uint8_t *room; /* the mapping; blocks begin in it at a multiple of EXTENT_BYTES */
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

	return memory == MAP_FAILED ? NULL : memory;
}

/* The blocks lie in a file without a name, mapped as the arena is. */
static bool map_blocks(const char *directory)
{
	size_t room_bytes = bare.block_bytes + EXTENT_BYTES;
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return false;
	bare.room = mmap(NULL, room_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			 -1, 0);
	if (bare.room == MAP_FAILED || ftruncate(fd, (off_t)bare.block_bytes) < 0) {
		bare.room = bare.room == MAP_FAILED ? NULL : bare.room;
		close(fd);
		return false;
	}
	uint8_t *at =
		bare.room + (align_up((uintptr_t)bare.room, EXTENT_BYTES) - (uintptr_t)bare.room);
	void *mapped =
		mmap(at, bare.block_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	close(fd);
	if (mapped == MAP_FAILED)
		return false;
	bare.blocks = mapped;
	(void)madvise(bare.blocks, bare.block_bytes, MADV_HUGEPAGE);
	memset(bare.blocks, 1, bare.block_bytes);
#ifdef MADV_COLLAPSE
	(void)madvise(bare.blocks, bare.block_bytes, MADV_COLLAPSE);
#endif
	return true;
}

/*
 * A forked worker has no page tables for shared memory. Without this it would measure its page
 * faults.
 */
static void fault_in(const void *memory, size_t bytes)
{
	const volatile uint8_t *at = memory;

#ifdef MADV_POPULATE_WRITE
	if (madvise((void *)(uintptr_t)memory, bytes, MADV_POPULATE_WRITE) == 0)
		return;
#endif
	for (size_t i = 0; i < bytes; i += 4096)
		(void)at[i];
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
	unmap(bare.room, bare.block_bytes + EXTENT_BYTES);
	memset(&bare, 0, sizeof(bare));
}

static int start(const struct peer_place *place, pid_t *ret_pid)
{
	const struct dataset *dataset = place->dataset;

	*ret_pid = 0;
	bare.count = dataset->carts;
	bare.cart_bytes = dataset->cart_bytes;
	bare.stride =
		class_bytes(class_of(dataset->cart_bytes + (uint32_t)sizeof(struct block_header)));
	bare.block_bytes = align_up(bare.stride * (bare.count + RINGS * RING), EXTENT_BYTES);
	bare.carts = shared(bare.count * sizeof(*bare.carts));
	bare.rings = shared(RINGS * sizeof(*bare.rings));
	bare.rings_taken = shared(sizeof(*bare.rings_taken));
	if (bare.carts == NULL || bare.rings == NULL || bare.rings_taken == NULL ||
	    !map_blocks(dataset->sandbox.directory)) {
		stop(place);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < bare.count; i++)
		bare.carts[i].block = i;
	for (uint32_t i = 0; i < RINGS * RING; i++)
		bare.rings[i / RING].blocks[i % RING] = bare.count + i;
	return 0;
}

static int take_ring(const struct peer_place *place, void **ret_connection)
{
	(void)place;
	fault_in(bare.carts, bare.count * sizeof(*bare.carts));
	fault_in(bare.blocks, bare.block_bytes);
	*ret_connection = &bare.rings[fetch_add_relaxed(bare.rings_taken, 1u) % RINGS];
	return 0;
}

static void leave_ring(void *connection)
{
	(void)connection;
}

static int get(void *connection, const struct dataset_step *step, uint64_t *sink)
{
	uint32_t block = load_acquire(&bare.carts[step->cart].block);

	(void)connection;
	*sink += *(const volatile uint64_t *)(const void *)(bare.blocks + block * bare.stride);
	return 0;
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

static int add(void *connection, const struct dataset_step *step, const struct dataset_item *item)
{
	struct bare_cart *cart = &bare.carts[step->cart];
	struct bare_ring *ring = connection;
	uint32_t *place = &ring->blocks[ring->at++ % RING];

	(void)item;
	lock_cart(cart);
	uint32_t old = cart->block;
	memcpy(bare.blocks + *place * bare.stride, bare.blocks + old * bare.stride,
	       bare.cart_bytes);
	store_release(&cart->block, *place);
	cart->version++;
	store_release(&cart->lock, 0u);
	*place = old;
	return 0;
}

static int version(void *connection, const struct dataset_step *step, uint64_t *ret_version)
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
				.get = get,
				.add = add,
				.version = version };
