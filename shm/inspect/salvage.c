/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * salvage.c: see salvage.h.
 *
 * The file is mapped over zeroes, so that what was cut off reads as nothing. Every slot is looked
 * at, linked or not: a slot with a version holds a cart (ARCHITECTURE.md, invariant 2). A slot that
 * leads to no sound cart, or to another's, is remembered by its hash, and the blocks are searched
 * for a sound version of a key with that hash; but only those that are in no list: in the lists are
 * older versions, which would silently take changes back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/descriptor.h"
#include "cart/cart.h"
#include "inspect/salvage.h"
#include "store/slot.h"

#define SEED_SAMPLES 16u
#define CLOCK_SLACK_NS                                                                             \
	60000000000ull /* a touch older than the cart's last change by more than this is damage */
#define TTL_FALLBACK_NS 1800000000000ull

struct salvage {
	struct arena arena; /* read only */
	int64_t now_ns;     /* arena time: now, or when it stood still */
	uint64_t ttl_ns;
	uint8_t *copy; /* of the version that is looked at */
	/* the slots whose reference is lost, by hash */
	struct lost {
		uint64_t hash;
		uint32_t slot;
		block_ref best;
		uint64_t version;
	} * lost;
	uint32_t lost_count;
	void (*finding)(void *context, const char *line);
	void *context;
};

__attribute__((format(printf, 2, 3))) static void tell(const struct salvage *salvage,
						       const char *format, ...)
{
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	salvage->finding(salvage->context, line);
}

/* ------------------------------------------------------------------- open */

/* The file over zeroes. */
static int map_over_zeroes(struct arena *arena, uint64_t bytes, uint64_t file_bytes)
{
	arena->base =
		mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena->base == MAP_FAILED)
		return -errno;
	arena->bytes = bytes;
	if (mmap(arena->base, min_u64(bytes, file_bytes), PROT_READ, MAP_PRIVATE | MAP_FIXED,
		 arena->fd, 0) == MAP_FAILED) {
		int error = errno;
		munmap(arena->base, bytes);
		arena->base = NULL;
		return -error;
	}
	return 0;
}

/*
 * Which length and geometry it had: as a sound header says, else as the file is long, if that can
 * be.
 */
static int map_damaged(struct salvage *salvage, char *why)
{
	struct arena *arena = &salvage->arena;
	struct arena_header h;
	struct stat st;

	if (fstat(arena->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    pread(arena->fd, &h, sizeof(h), 0) != sizeof(h))
		return why_set(why, -EPROTO, "the file is too short to hold an arena's header");
	bool sound = arena_header_sound(&h);
	if (!sound)
		h.max_carts = arena_carts_said(&h);
	uint64_t file_bytes = (uint64_t)st.st_size;
	bool by_file = !sound && arena_assume(arena, file_bytes, h.max_carts);
	uint64_t bytes = !by_file && arena_assume(arena, h.arena_bytes, h.max_carts) ?
				 h.arena_bytes :
				 file_bytes;
	if (!arena_assume(arena, bytes, h.max_carts))
		return why_set(why, -EPROTO,
			       "the header is damaged: %llu bytes for %u carts is no arena",
			       (unsigned long long)bytes, h.max_carts);
	int r = map_over_zeroes(arena, bytes, file_bytes);
	if (r < 0)
		return why_system(why, r, "cannot map the arena (%llu bytes)",
				  (unsigned long long)bytes);
	arena->hash_seed = h.hash_seed;
	(void)arena_assume(arena, bytes, h.max_carts); /* again: now with a base */
	/*
	 * behind the file's end there is nothing to look for: a damaged header may speak of 250 GiB
	 */
	arena->space_end = (block_ref)max_u64(arena->space_first,
					      min_u64(arena->space_end, file_bytes / BLOCK_UNIT));
	return 0;
}

static bool other_boot(const struct arena *arena)
{
	uint8_t boot[16];

	return arena_boot_id(boot) && memcmp(boot, arena->header->boot_id, sizeof(boot)) != 0;
}

/* The newest time the arena knows: now, or, after another boot, when its agent looked last. */
static int64_t time_of(const struct arena *arena)
{
	return other_boot(arena) ? arena->header->heartbeat_ns : arena_now_ns(arena);
}

/* A sound version at a reference, copied out. NULL: none. */
static const struct cart_head *copy_sound(const struct salvage *salvage, block_ref ref)
{
	const struct arena *arena = &salvage->arena;

	if (!arena_block_inside(arena, ref))
		return NULL;
	const void *bytes = arena_block(arena, ref) + 1;
	size_t room = (size_t)(arena->space_end - ref) * BLOCK_UNIT - sizeof(struct block_header);
	struct cart_head *copy = (struct cart_head *)(void *)salvage->copy;
	if (cart_shape(bytes, room) < 0)
		return NULL;
	uint32_t size = ((const struct cart_head *)bytes)->size;
	memcpy(copy, bytes, size);
	return cart_validate(copy, size) == 0 ? copy : NULL;
}

static uint64_t hash_of(const struct salvage *salvage, const struct cart_head *cart)
{
	struct corral_key key;

	return cart_get_key(cart, cart->size, &key) == 0 ? slot_hash(&salvage->arena, &key) : 0;
}

/* If the header's seed does not hash the carts as their slots say, a cart's own does. */
static int settle_seed(struct salvage *salvage, char *why)
{
	struct arena *arena = &salvage->arena;
	uint64_t seed = arena->hash_seed;
	uint32_t samples = 0, right = 0;
	uint64_t other = seed;

	for (uint32_t number = 0; number < arena->max_carts && samples < SEED_SAMPLES; number++) {
		const struct cart_head *cart = copy_sound(salvage, arena->slots[number].current);
		if (cart == NULL)
			continue;
		samples++;
		right += hash_of(salvage, cart) == arena->slots[number].hash;
		if (cart->seed != seed)
			other = cart->seed;
	}
	if (samples == 0 && arena->header->magic != LAYOUT_MAGIC)
		return why_set(why, -EPROTO,
			       "the file is no arena: it has neither a header nor a cart of one");
	if (right < (samples + 1) / 2)
		arena->hash_seed = other;
	return 0;
}

int salvage_open(int dir_fd, struct salvage **ret_salvage, char *why)
{
	struct salvage *salvage = calloc(1, sizeof(*salvage));
	int r;

	if (salvage == NULL)
		return why_set(why, -ENOMEM, "no memory");
	salvage->copy = malloc(CLASS_LARGEST);
	salvage->arena.fd =
		descriptor_open(dir_fd, ARENA_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (salvage->copy == NULL)
		r = why_set(why, -ENOMEM, "no memory");
	else if (salvage->arena.fd < 0)
		r = why_system(why, -errno, "cannot open the arena");
	else
		r = map_damaged(salvage, why);
	assert(r < 0 || salvage->arena.header != NULL);
	if (r == 0)
		r = settle_seed(salvage, why);
	if (r < 0) {
		salvage_close(salvage);
		return r;
	}
	const struct arena_header *h = salvage->arena.header;
	uint64_t ttl_ms = h->ttl_ns / 1000000;
	salvage->ttl_ns = ttl_ms >= CORRAL_TTL_MS_MIN && ttl_ms <= CORRAL_TTL_MS_MAX ?
				  h->ttl_ns :
				  TTL_FALLBACK_NS;
	salvage->now_ns = time_of(&salvage->arena);
	*ret_salvage = salvage;
	return 0;
}

void salvage_close(struct salvage *salvage)
{
	if (salvage->arena.base != NULL && salvage->arena.base != MAP_FAILED)
		munmap(salvage->arena.base, salvage->arena.bytes);
	if (salvage->arena.fd >= 0)
		close(salvage->arena.fd);
	free(salvage->lost);
	free(salvage->copy);
	free(salvage);
}

void salvage_settings(const struct salvage *salvage, struct arena_settings *ret_settings)
{
	*ret_settings = (struct arena_settings){ .arena_bytes = salvage->arena.bytes,
						 .max_carts = salvage->arena.max_carts,
						 .ttl_ns = salvage->ttl_ns,
						 .hash_seed = salvage->arena.hash_seed };
}

bool salvage_behind_journal(const struct salvage *salvage)
{
	return salvage->arena.header->journal != 0 && other_boot(&salvage->arena);
}

bool salvage_process(const struct salvage *salvage, uint32_t number, int32_t *ret_pid,
		     char ret_program[40])
{
	const struct process_record *record = &salvage->arena.processes[number];

	if (number >= salvage->arena.max_processes || record->state != PROCESS_USED)
		return false;
	memcpy(ret_program, record->program, sizeof(record->program));
	ret_program[sizeof(record->program) - 1] = '\0';
	for (char *c = ret_program; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	*ret_pid = record->pid;
	return true;
}

/* ------------------------------------------------------------------- carts */

/*
 * Since its last activity, which is not before its last change: the cart, which has a checksum,
 * bears witness against the slot, which has none.
 */
static uint64_t idle_of(const struct salvage *salvage, const struct slot *slot,
			const struct cart_head *cart)
{
	int64_t idle_ns = ns_since(salvage->now_ns, lease_touched_ns(slot->lease));
	int64_t since_change_ms = ns_since(
		arena_wall_ms(), cart->updated_ms); /* wraps: no checksum makes it a time */
	uint64_t most_ns = since_change_ms > 0 ? (uint64_t)since_change_ms * 1000000 : 0;

	if (idle_ns < 0)
		return 0;
	return (uint64_t)idle_ns > most_ns + CLOCK_SLACK_NS ? most_ns : (uint64_t)idle_ns;
}

struct pass {
	struct salvage *salvage;
	int (*take)(void *context, const void *cart, size_t size, uint64_t idle_ns);
	struct salvage_totals totals;
};

static int hand_over(struct pass *pass, const struct slot *slot, const struct cart_head *cart)
{
	const struct salvage *salvage = pass->salvage;
	uint64_t idle_ns = idle_of(salvage, slot, cart);
	uint64_t ttl_ns = cart->ttl_ms != 0 ? cart->ttl_ms * 1000000 : salvage->ttl_ns;

	if ((int64_t)idle_ns >= deadline_ns(0, ttl_ns)) {
		pass->totals.ended++;
		return 0;
	}
	int r = pass->take(salvage->context, cart, cart->size, idle_ns);
	pass->totals.kept += r == 0;
	return r < 0 ? r : 0; /* 1: there is one as new */
}

static int look_at_slot(struct pass *pass, uint32_t number)
{
	struct salvage *salvage = pass->salvage;
	const struct slot *slot = &salvage->arena.slots[number];

	if (!lease_runs(slot->lease) || slot->current == 0)
		return 0; /* never used, over, or ended */
	const struct cart_head *cart = copy_sound(salvage, slot->current);
	if (cart != NULL && hash_of(salvage, cart) == slot->hash)
		return hand_over(pass, slot, cart);
	/*
	 * another's cart, or its own and the hash is damaged, or no sound one: once all the others
	 * are there
	 */
	salvage->lost[salvage->lost_count++] = (struct lost){ .hash = slot->hash, .slot = number };
	return 0;
}

/* ------------------------------------------------------- carts without a slot */

static void mark_list(const struct arena *arena, uint8_t *listed, block_ref ref)
{
	while (arena_block_inside(arena, ref) && !listed[ref - arena->space_first]) {
		listed[ref - arena->space_first] = 1;
		ref = arena_block(arena, ref)->next;
	}
}

static void mark_record(const struct arena *arena, uint8_t *listed,
			const struct thread_record *record)
{
	const struct retired *lists = &record->retired;
	const struct intent *intent = &record->intent;
	const block_ref heads[] = { lists->open,          lists->waiting,     lists->ready,
				    lists->deferred,      intent->old,        intent->hand,
				    intent->splice_first, intent->splice_rest };

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		mark_list(arena, listed, heads[i]);
	for (uint32_t class = 0; class < CLASS_COUNT; class ++)
		mark_list(arena, listed, record->cache[class]);
}

/*
 * All blocks that are free, cached, retired or in a hand: what is in them is not a cart's newest
 * version.
 */
static void mark_lists(const struct arena *arena, uint8_t *listed)
{
	for (uint32_t class = 0; class < CLASS_COUNT; class ++)
		mark_list(arena, listed, arena->classes[class].head);
	for (uint32_t number = 0; number < arena->max_threads; number++)
		mark_record(arena, listed, &arena->threads[number]);
}

static int by_hash(const void *a, const void *b)
{
	const struct lost *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/*
 * The newest sound version of each lost slot's key, in whatever looks like a block and is in no
 * list.
 */
static void search_blocks(struct salvage *salvage, const uint8_t *listed)
{
	const struct arena *arena = &salvage->arena;

	qsort(salvage->lost, salvage->lost_count, sizeof(*salvage->lost), by_hash);
	for (block_ref ref = arena->space_first; ref < arena->space_end; ref++) {
		const struct block_header *block = arena_block(arena, ref);
		/* the last version of a cart that ended has a slot */
		if (block->magic != BLOCK_MAGIC || block->slot != 0 ||
		    listed[ref - arena->space_first])
			continue;
		const struct cart_head *cart = copy_sound(salvage, ref);
		if (cart == NULL)
			continue;
		struct lost key = { .hash = hash_of(salvage, cart) };
		struct lost *lost = bsearch(&key, salvage->lost, salvage->lost_count,
					    sizeof(*salvage->lost), by_hash);
		if (lost != NULL && cart->version > lost->version) {
			lost->version = cart->version;
			lost->best = ref;
		}
	}
}

static int take_one_lost(struct pass *pass, const struct lost *lost)
{
	struct salvage *salvage = pass->salvage;
	const struct slot *slot = &salvage->arena.slots[lost->slot];
	block_ref ref = lost->best != 0 ? lost->best : slot->current;
	const struct cart_head *cart = copy_sound(salvage, ref);
	struct salvage_totals before = pass->totals;

	int r = cart != NULL ? hand_over(pass, slot, cart) : 0;
	if (r < 0)
		return r;
	if (pass->totals.kept > before.kept) {
		pass->totals.again++;
		tell(salvage, "slot %u is damaged; its cart was found again in block 0x%x",
		     lost->slot, ref);
	} else if (pass->totals.ended == before.ended) {
		tell(salvage, "slot %u is damaged, and its cart is nowhere: left out", lost->slot);
		pass->totals.damaged++;
	}
	return 0;
}

static int take_lost(struct pass *pass)
{
	const struct arena *arena = &pass->salvage->arena;
	int r = 0;

	if (pass->salvage->lost_count == 0)
		return 0;
	uint8_t *listed = calloc(arena->space_end - arena->space_first, 1);
	if (listed == NULL)
		return -ENOMEM;
	mark_lists(arena, listed);
	search_blocks(pass->salvage, listed);
	free(listed);
	for (uint32_t i = 0; i < pass->salvage->lost_count && r == 0; i++)
		r = take_one_lost(pass, &pass->salvage->lost[i]);
	return r;
}

int salvage_carts(struct salvage *salvage,
		  int (*take)(void *context, const void *cart, size_t size, uint64_t idle_ns),
		  void (*finding)(void *context, const char *line), void *context,
		  struct salvage_totals *ret_totals)
{
	struct pass pass = { .salvage = salvage, .take = take };
	int r = 0;

	salvage->finding = finding;
	salvage->context = context;
	salvage->lost_count = 0;
	free(salvage->lost);
	salvage->lost = calloc(salvage->arena.max_carts, sizeof(*salvage->lost));
	if (salvage->lost == NULL)
		return -ENOMEM;
	for (uint32_t number = 0; number < salvage->arena.max_carts && r == 0; number++)
		r = look_at_slot(&pass, number);
	if (r == 0)
		r = take_lost(&pass);
	*ret_totals = pass.totals;
	return r;
}

void salvage_floors(const struct salvage *salvage, struct arena *arena)
{
	uint32_t epoch = salvage->arena.header->version_epoch;

	if (epoch <= VERSION_EPOCH_MAX)
		arena->header->version_epoch = epoch;
	if (arena->bucket_mask != salvage->arena.bucket_mask)
		return;
	for (uint32_t i = 0; i <= arena->bucket_mask; i++) {
		uint64_t old = salvage->arena.buckets[i].version_floor;
		if (old <= VERSION_MAX && old > arena->buckets[i].version_floor)
			arena->buckets[i].version_floor = old;
	}
}
