/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * salvage.c: see salvage.h. It opens the file; salvage_carts.c takes the carts out of it.
 *
 * The file is mapped over zeroes, and only where it has data. Parts that were cut off, and holes,
 * read as zeroes, cost no memory, and cannot kill us with SIGBUS on a full memory file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/descriptor.h"
#include "arena/sigbus.h"
#include "cart/cart.h"
#include "inspect/salvage_inside.h"
#include "store/slot.h"

#define SEED_SAMPLES 16u
#define TTL_FALLBACK_NS 1800000000000ull
#define PIECES_MAX 16384u /* a process may have about 65,000 mappings */

/* ------------------------------------------------------------------- open */

/*
 * The next piece of the file with data, from `at` on: *ret_from to *ret_end, in whole extents, or
 * larger units in a large file, to keep the pieces few. False: there is none. If the file system
 * cannot tell, the whole file is one piece.
 */
static bool next_piece(int fd, uint64_t at, uint64_t file_bytes, uint64_t *ret_from,
		       uint64_t *ret_end)
{
	uint64_t grain = align_up(max_u64(EXTENT_BYTES, file_bytes / PIECES_MAX), EXTENT_BYTES);

	if (at >= file_bytes)
		return false;
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		return false;
	uint64_t from = data >= 0 ? (uint64_t)data : at;
	from = max_u64(at, from - from % grain);
	*ret_from = *ret_end = from;
	for (uint64_t end = from; end < file_bytes;) {
		off_t hole =
			data >= 0 ? lseek(fd, (off_t)max_u64(end, (uint64_t)data), SEEK_HOLE) : -1;
		end = hole >= 0 ? (uint64_t)hole : file_bytes;
		end = min_u64(file_bytes, align_up(end, grain));
		*ret_end = end;
		data = end < file_bytes ? lseek(fd, (off_t)end, SEEK_DATA) : -1;
		if (data < 0 || (uint64_t)data >= end + grain)
			return true;
	}
	return true;
}

static int map_pieces(struct salvage *salvage, uint64_t file_bytes)
{
	struct arena *arena = &salvage->arena;
	uint64_t from, end;

	salvage->pieces = calloc(PIECES_MAX, sizeof(*salvage->pieces));
	if (salvage->pieces == NULL)
		return -ENOMEM;
	(void)fdatasync(arena->fd); /* some file systems report unwritten data as a hole */
	for (uint64_t at = 0; next_piece(arena->fd, at, file_bytes, &from, &end); at = end) {
		if (salvage->piece_count == PIECES_MAX)
			return -EFBIG; /* the file is growing meanwhile */
		if (mmap(arena->base + from, end - from, PROT_READ, MAP_PRIVATE | MAP_FIXED,
			 arena->fd, (off_t)from) == MAP_FAILED)
			return -errno;
		salvage->pieces[salvage->piece_count++] = (struct piece){ from, end };
	}
	return 0;
}

/* Map the file over zeroes. */
static int map_over_zeroes(struct salvage *salvage, uint64_t bytes, uint64_t file_bytes)
{
	struct arena *arena = &salvage->arena;

	arena->base =
		mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena->base == MAP_FAILED)
		return -errno;
	arena->bytes = bytes;
	int r = map_pieces(salvage, min_u64(bytes, file_bytes));
	if (r == 0)
		r = sigbus_watch(arena->base, bytes); /* a piece may still have a hole */
	arena->watched = r == 0;
	if (r < 0) {
		munmap(arena->base, bytes);
		arena->base = NULL;
	}
	return r;
}

/*
 * Find the length and geometry that the arena had: those in the header if it is intact; else the
 * file's length, if an arena can have it; else those that the caller knows.
 */
static int map_damaged(struct salvage *salvage, const struct arena_settings *known, char *why)
{
	struct arena *arena = &salvage->arena;
	struct arena_header h;
	struct stat st;

	if (fstat(arena->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    pread(arena->fd, &h, sizeof(h), 0) != sizeof(h))
		return reason_set(why, -EPROTO, "the file is too short to hold an arena's header");
	bool sound = arena_header_sound(&h);
	uint64_t file_bytes = (uint64_t)st.st_size;
	const uint64_t events = arena_feed_events_said(&h);
	if (!sound)
		h.max_carts = arena_carts_said(&h, file_bytes);
	bool by_file = !sound && arena_assume(arena, file_bytes, h.max_carts, events);
	uint64_t bytes = !by_file && arena_assume(arena, h.arena_bytes, h.max_carts, events) ?
				 h.arena_bytes :
				 file_bytes;
	if (known != NULL && !arena_assume(arena, bytes, h.max_carts, events)) {
		h.max_carts = known->max_carts;
		bytes = known->arena_bytes;
	}
	if (!arena_assume(arena, bytes, h.max_carts, events))
		return reason_set(why, -EPROTO,
				  "the header is damaged: %llu bytes for %u carts is no arena",
				  (unsigned long long)bytes, h.max_carts);
	int r = map_over_zeroes(salvage, bytes, file_bytes);
	if (r < 0)
		return reason_system(why, r, "cannot map the arena (%llu bytes)",
				     (unsigned long long)bytes);
	arena->hash_seed = h.hash_seed;
	(void)arena_assume(arena, bytes, h.max_carts, events); /* again, now with a base */
	/* do not search beyond the file's end: a damaged header may claim 250 GiB */
	arena->space_end = (block_ref)max_u64(arena->space_first,
					      min_u64(arena->space_end, file_bytes / BLOCK_UNIT));
	return 0;
}

static bool other_boot(const struct arena *arena)
{
	uint8_t boot[16];

	return arena_boot_id(boot) && memcmp(boot, arena->header->boot_id, sizeof(boot)) != 0;
}

/* The newest time the arena knows: now, or, after another boot, its agent's last heartbeat. */
static int64_t time_of(const struct arena *arena)
{
	return other_boot(arena) ? arena->header->heartbeat_ns : arena_now_ns(arena);
}

/*
 * If the header's seed does not hash the carts as their slots say, take the seed that a cart has.
 */
static int settle_seed(struct salvage *salvage, char *why)
{
	struct arena *arena = &salvage->arena;
	uint64_t seed = arena->hash_seed;
	uint32_t samples = 0, right = 0;
	uint64_t other = seed;

	for (uint32_t number = 0; number < arena->max_carts && samples < SEED_SAMPLES; number++) {
		const struct cart_head *cart = salvage_copy(salvage, arena->slots[number].current);
		if (cart == NULL)
			continue;
		samples++;
		right += salvage_hash(salvage, cart) == arena->slots[number].hash;
		if (cart->seed != seed)
			other = cart->seed;
	}
	if (samples == 0 && arena->header->magic != LAYOUT_MAGIC)
		return reason_set(
			why, -EPROTO,
			"the file is no arena: it has neither a header nor a cart of one");
	if (right < (samples + 1) / 2)
		arena->hash_seed = other;
	return 0;
}

int salvage_open(int dir_fd, struct salvage **ret_salvage, char *why)
{
	return salvage_open_known(dir_fd, NULL, ret_salvage, why);
}

int salvage_open_known(int dir_fd, const struct arena_settings *known, struct salvage **ret_salvage,
		       char *why)
{
	struct salvage *salvage = calloc(1, sizeof(*salvage));
	int r;

	if (salvage == NULL)
		return reason_set(why, -ENOMEM, "no memory");
	salvage->copy = malloc(CLASS_LARGEST); /* no cart is larger */
	salvage->arena.fd =
		descriptor_open(dir_fd, ARENA_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (salvage->copy == NULL)
		r = reason_set(why, -ENOMEM, "no memory");
	else if (salvage->arena.fd < 0)
		r = reason_system(why, -errno, "cannot open the arena");
	else
		r = map_damaged(salvage, known, why);
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
	if (salvage->arena.watched)
		sigbus_forget(salvage->arena.base);
	if (salvage->arena.base != NULL && salvage->arena.base != MAP_FAILED)
		munmap(salvage->arena.base, salvage->arena.bytes);
	if (salvage->arena.fd >= 0)
		close(salvage->arena.fd);
	free(salvage->entries);
	free(salvage->pieces);
	free(salvage->copy);
	free(salvage);
}

/* The currency of new carts, or none if its bytes are damaged. */
static uint32_t currency_of(const struct arena_header *header)
{
	return cart_currency_valid(header->currency) ? header->currency : 0;
}

void salvage_settings(const struct salvage *salvage, struct arena_settings *ret_settings)
{
	*ret_settings =
		(struct arena_settings){ .arena_bytes = salvage->arena.bytes,
					 .max_carts = salvage->arena.max_carts,
					 .ttl_ns = salvage->ttl_ns,
					 .currency = currency_of(salvage->arena.header),
					 .hash_seed = salvage->arena.hash_seed,
					 .feed_bytes = arena_feed_bytes_set(&salvage->arena) };
}

const struct arena *salvage_arena(const struct salvage *salvage)
{
	return &salvage->arena;
}

const uint8_t *salvage_uuid(const struct salvage *salvage)
{
	static const uint8_t none[16];
	const struct arena_header *header = salvage->arena.header;

	return memcmp(header->uuid, none, sizeof(none)) != 0 ? header->uuid : NULL;
}

bool salvage_behind_journal(const struct salvage *salvage)
{
	return salvage->arena.header->journal != 0 && other_boot(&salvage->arena);
}

uint32_t salvage_slot(const struct salvage *salvage, uint64_t hash)
{
	uint32_t found = UINT32_MAX;

	for (uint32_t number = 0; number < salvage->arena.max_carts; number++) {
		const struct slot *slot = &salvage->arena.slots[number];
		if (slot->hash == hash && slot->current != 0)
			return number;
		if (slot->hash == hash && slot->newest != 0)
			found = number; /* its cart has ended, or its reference is damaged */
	}
	return found;
}

bool salvage_process(const struct salvage *salvage, uint32_t number, int32_t *ret_pid,
		     char ret_program[40])
{
	const struct process_record *record = &salvage->arena.processes[number];

	if (number >= salvage->arena.max_processes || record->state != PROCESS_USED)
		return false;
	alive_name(record, ret_program);
	for (char *c = ret_program; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	*ret_pid = record->pid;
	return true;
}
