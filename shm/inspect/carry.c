/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * carry.c: see carry.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/descriptor.h"
#include "arena/former.h"
#include "cart/cart.h"
#include "inspect/carry.h"
#include "store/slot.h"

/* a touch older than the cart's last change by more than this is damage */
#define CLOCK_SLACK_NS 60000000000ull
#define TTL_FALLBACK_NS 1800000000000ull

struct carry {
	struct former former;
	const uint8_t *base;
	uint64_t bytes; /* mapped */
	int64_t now_ns; /* arena time: now, or when the arena was last in use */
	uint64_t ttl_ns;
	uint8_t *cart; /* the cart being read, in the current format */
};

/* ------------------------------------------------------------------- open */

static bool other_boot(const struct former *former)
{
	uint8_t boot[16];

	return arena_boot_id(boot) && memcmp(boot, former->boot_id, sizeof(boot)) != 0;
}

/* The newest time the arena knows: now, or, after another boot, its agent's last heartbeat. */
static int64_t time_of(const struct former *former)
{
	struct arena_header clock = { .clock_offset_ns = former->clock_offset_ns };

	return other_boot(former) ? former->heartbeat_ns :
				    arena_now_ns(&(struct arena){ .header = &clock });
}

static int map(struct carry *carry, int fd, char *why)
{
	uint8_t header[FORMER_HEADER_BYTES];
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    pread(fd, header, sizeof(header), 0) != sizeof(header))
		return -EPROTONOSUPPORT;
	int r = former_read(header, &carry->former);
	if (r == -EPROTO)
		return reason_set(why, r,
				  "the header of this arena of layout %u is damaged: install the "
				  "version of Corral that wrote it, and run corral-agent --repair",
				  FORMER_LAYOUT);
	if (r < 0)
		return r;
	if ((uint64_t)st.st_size <= carry->former.space_at)
		return reason_set(
			why, -EPROTO,
			"the file has %llu bytes of %llu: the tables that lead to its carts "
			"are cut off",
			(unsigned long long)st.st_size,
			(unsigned long long)carry->former.arena_bytes);
	carry->bytes = min_u64((uint64_t)st.st_size, carry->former.arena_bytes);
	void *base = mmap(NULL, carry->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (base == MAP_FAILED)
		return reason_system(why, -errno, "cannot map the arena (%llu bytes)",
				     (unsigned long long)carry->bytes);
	carry->base = base;
	return 0;
}

int carry_open(int dir_fd, struct carry **ret_carry, char *why)
{
	int fd = descriptor_open(dir_fd, ARENA_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);

	if (fd < 0)
		return errno == ENOENT ? -EPROTONOSUPPORT :
					 reason_system(why, -errno, "cannot open the arena");
	struct carry *carry = calloc(1, sizeof(*carry));
	uint8_t *cart = malloc(CORRAL_CART_MAX);
	int r = carry != NULL && cart != NULL ? map(carry, fd, why) : -ENOMEM;
	close(fd);
	if (carry == NULL || cart == NULL)
		(void)reason_set(why, r, "no memory");
	if (carry == NULL || cart == NULL || r < 0) {
		free(cart);
		free(carry);
		return r;
	}
	uint64_t ttl_ms = carry->former.ttl_ns / 1000000;
	carry->ttl_ns = ttl_ms >= CORRAL_TTL_MS_MIN && ttl_ms <= CORRAL_TTL_MS_MAX ?
				carry->former.ttl_ns :
				TTL_FALLBACK_NS;
	carry->now_ns = time_of(&carry->former);
	carry->cart = cart;
	*ret_carry = carry;
	return 0;
}

void carry_close(struct carry *carry)
{
	munmap((void *)(uintptr_t)carry->base, carry->bytes);
	free(carry->cart);
	free(carry);
}

void carry_settings(const struct carry *carry, struct arena_settings *ret_settings)
{
	const uint32_t currency = carry->former.currency;

	*ret_settings = (struct arena_settings){
		.arena_bytes = carry->former.arena_bytes,
		.max_carts = carry->former.max_carts,
		.ttl_ns = carry->ttl_ns,
		.hash_seed = carry->former.hash_seed,
		.currency = cart_currency_valid(currency) ? currency : 0,
	};
}

uint32_t carry_epoch(const struct carry *carry)
{
	return (uint32_t)min_u64(carry->former.version_epoch, VERSION_EPOCH_MAX);
}

bool carry_behind_journal(const struct carry *carry)
{
	return carry->former.journal && other_boot(&carry->former);
}

bool carry_process(const struct carry *carry, uint32_t number, int32_t *ret_pid,
		   char ret_program[40])
{
	return number < FORMER_PROCESSES &&
	       former_process(carry->base, number, ret_pid, ret_program);
}

/* ------------------------------------------------------------------- carts */

/* The cart of a slot, in the current format. NULL: it is damaged, or belongs to another slot. */
static const struct cart_head *cart_of(const struct carry *carry, const struct former_slot *slot)
{
	const struct cart_head *cart = (const struct cart_head *)(void *)carry->cart;
	struct arena keyed = { .hash_seed = carry->former.hash_seed };
	struct corral_key key;
	uint32_t size;

	if (slot->cart_at < carry->former.space_at || slot->cart_at >= carry->bytes ||
	    !former_cart(carry->base + slot->cart_at, carry->bytes - slot->cart_at, carry->cart,
			 &size) ||
	    cart_validate(cart, size) < 0 || cart_get_key(cart, size, &key) < 0 ||
	    slot_hash(&keyed, &key) != slot->hash)
		return NULL;
	return cart;
}

/*
 * Time since the cart's last activity. That cannot be before its last change: the cart has a
 * checksum and is trusted over the slot, which has none.
 */
static uint64_t idle_of(const struct carry *carry, const struct former_slot *slot,
			const struct cart_head *cart)
{
	int64_t idle_ns = ns_since(carry->now_ns, slot->touched_ns);
	/* may wrap: a valid checksum does not make updated_ms a sensible time */
	int64_t since_change_ms = ns_since(arena_wall_ms(), cart->updated_ms);
	uint64_t most_ns = since_change_ms > 0 ? (uint64_t)since_change_ms * 1000000 : 0;

	if (idle_ns < 0)
		return 0;
	return (uint64_t)idle_ns > most_ns + CLOCK_SLACK_NS ? most_ns : (uint64_t)idle_ns;
}

int carry_carts(const struct carry *carry,
		int (*take)(void *context, const void *cart, size_t size, uint64_t idle_ns),
		void (*finding)(void *context, const char *line), void *context,
		struct salvage_totals *ret_totals)
{
	struct salvage_totals totals = { 0 };
	struct former_slot slot;
	char line[80];

	for (uint32_t number = 0; number < carry->former.max_carts; number++) {
		if (!former_slot(carry->base, &carry->former, number, &slot))
			continue; /* never used, or ended */
		const struct cart_head *cart = cart_of(carry, &slot);
		if (cart == NULL) {
			snprintf(line, sizeof(line), "the cart of slot %u is damaged: left out",
				 number);
			finding(context, line);
			totals.damaged++;
			continue;
		}
		uint64_t idle_ns = idle_of(carry, &slot, cart);
		uint64_t ttl_ns = cart->ttl_ms != 0 ? cart->ttl_ms * 1000000 : carry->ttl_ns;
		const bool over = slot.over || (int64_t)idle_ns >= deadline_ns(0, ttl_ns);
		totals.ended += over;
		int r = take(context, cart, cart->size, over ? SALVAGE_OVER : idle_ns);
		if (r < 0)
			return r;
		totals.kept += r == 0; /* 1: the new arena has one as new */
	}
	*ret_totals = totals;
	return 0;
}

void carry_floors(const struct carry *carry, struct arena *arena)
{
	if (arena->bucket_mask != carry->former.bucket_count - 1)
		return;
	for (uint32_t i = 0; i <= arena->bucket_mask; i++) {
		uint64_t old = former_floor(carry->base, &carry->former, i);
		if (old <= VERSION_MAX && old > arena->buckets[i].version_floor)
			arena->buckets[i].version_floor = old;
	}
}
