/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover_second.c: where the journal is damaged, the arena that it was about is asked, too.
 *
 * After another boot an arena's pages may be of any time, and a damaged header does not say which
 * boot it is of. But a version whose sums hold was published once, so a version that is newer than
 * the journal's is taken. A cart that the journal does not have may have ended, and the arena's
 * pages may be older than that end: it is taken only if the journal is in doubt about its slot, and
 * is reported. A cart whose end is in the journal has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/salvage.h"
#include "recover_second.h"

#define SLOT_SAMPLES 64u

struct second {
	struct recover *recover;
	struct salvage *salvage;
	uint32_t *order; /* slots that the journal has records of, by the hash of their cart */
	uint32_t count;
	bool same_slots;   /* it is the very arena that the journal is about */
	bool all_in_doubt; /* every slot is, so each cart is */
	rebuild_take take;
	void (*finding)(void *context, const char *line);
	void *context;
	struct salvage_totals *totals; /* recovery's */
};

/* ------------------------------------------------------ what it says was synced */

void recover_ask_arena(struct recover *recover, struct arena_header *ret_header)
{
	int fd = openat(recover->agent_dir_fd, ARENA_FILE,
			O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	int r = fd >= 0 ? journal_read(fd, ret_header, sizeof(*ret_header), 0) : -errno;

	if (fd >= 0)
		close(fd);
	if (r < 0)
		memset(ret_header, 0, sizeof(*ret_header));
	recover->synced_nonce = ret_header->journal_nonce;
	recover->synced_bytes = ret_header->journal_bytes;
	recover->sound_header = arena_header_sound(ret_header);
}

void recover_compare(struct recover *recover, const struct arena_header *h)
{
	const bool same_arena =
		arena_header_sound(h) && memcmp(h->uuid, recover->lineage, sizeof(h->uuid)) == 0;
	int file = recover->count - 1;

	if (h->journal_nonce == 0 && same_arena) { /* it wrote these files, and does not say so */
		log_line(LOG_WARNING,
			 "%s: the arena does not say which file it wrote last: it was used without "
			 "a journal later, or its header is damaged",
			 recover->name);
		recover->last_unknown = true;
		recover_doubt_all(recover);
	}
	if (h->journal_nonce == 0)
		return;
	while (file >= 0 && (recover->files_there[file].state != 0 ||
			     recover->files_there[file].head.nonce != h->journal_nonce))
		file--;
	bool is_there = file >= 0, is_short = false;
	if (is_there)
		is_short = file == recover->last &&
			   recover->files_there[file].bytes < h->journal_bytes;
	else if (arena_header_sound(h) && !same_arena)
		return; /* it is about another arena */
	if (is_there && !is_short)
		return;
	log_line(LOG_ERROR, "%s: file %012u, which the arena wrote last, %s", recover->name,
		 h->journal_number,
		 is_there ? "is shorter than what was synced of it" :
			    "is not there, or has no valid head");
	recover->left_records = true;
	recover_doubt_all(recover);
}

/* ------------------------------------------------------------------- carts */

/* By hash; of one cart in several slots, the newest version first. */
static int by_hash(const void *a, const void *b, void *context)
{
	const struct where *slots = context;
	const struct where *x = &slots[*(const uint32_t *)a], *y = &slots[*(const uint32_t *)b];

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->version < y->version ? 1 : x->version > y->version ? -1 : 0;
}

static const struct where *find(const struct second *second, uint64_t hash)
{
	const struct where *slots = second->recover->slots;
	uint32_t low = 0, high = second->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (slots[second->order[middle]].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == second->count || slots[second->order[low]].hash != hash)
		return NULL;
	return &slots[second->order[low]];
}

/* By hash; the greatest version first. */
static int by_hash_of_end(const void *a, const void *b)
{
	const struct ended *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->version < y->version ? 1 : x->version > y->version ? -1 : 0;
}

static bool has_ended(const struct recover *recover, uint64_t hash, uint64_t version)
{
	uint32_t low = 0, high = recover->end_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (recover->ends[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low < recover->end_count && recover->ends[low].hash == hash &&
	       recover->ends[low].version >= version;
}

void recover_apply_ends(struct recover *recover)
{
	if (recover->end_count == 0)
		return;
	qsort(recover->ends, recover->end_count, sizeof(*recover->ends), by_hash_of_end);
	for (uint32_t slot = 0; slot < recover->head.max_carts; slot++) {
		struct where *where = &recover->slots[slot];
		if (where->file == 0 || !has_ended(recover, where->hash, where->version))
			continue;
		/* another cart may have the slot since: the doubt stays */
		*where = (struct where){ .hash = where->hash,
					 .version = where->version,
					 .doubt = where->doubt };
		recover->carts--;
	}
}

static int take_newer(void *context, const void *bytes, size_t size, uint64_t idle_ns)
{
	const struct second *second = context;
	const struct recover *recover = second->recover;
	const struct cart_head *cart = bytes;
	const struct where *where = find(second, cart->hash);
	char line[160];

	if (idle_ns == SALVAGE_OVER)
		return 1; /* it is told of if the journal has it */
	bool known = where != NULL && where->file != 0;
	bool ended = where != NULL && where->size == 0;
	if (((known || ended) && where->version >= cart->version) ||
	    has_ended(recover, cart->hash, cart->version))
		return 1;
	if (!known) {
		uint32_t slot = salvage_slot(second->salvage, cart->hash);
		bool doubt = slot < recover->head.max_carts ? recover->slots[slot].doubt != 0 :
							      second->all_in_doubt;
		if (!second->same_slots || !doubt)
			return 1;
	}
	int r = second->take(second->context, REBUILD_ANY_SLOT, bytes, size, idle_ns);
	if (r != 0)
		return r;
	second->totals->kept += !known;
	second->totals->older += !known;
	snprintf(line, sizeof(line),
		 "the former arena has version %llu of a cart (hash %016llx), and the journal %s: "
		 "it is taken%s",
		 (unsigned long long)cart->version, (unsigned long long)cart->hash,
		 known ? "an older one" : "none", known ? "" : ", and may have ended");
	second->finding(second->context, line);
	return 0;
}

static void tell(void *context, const char *line)
{
	const struct second *second = context;

	second->finding(second->context, line);
}

static int sort_slots(const struct recover *recover, uint32_t **ret_order, uint32_t *ret_count)
{
	uint32_t *order = malloc(((size_t)recover->head.max_carts + 1) * sizeof(*order));
	uint32_t count = 0;

	if (order == NULL)
		return -ENOMEM;
	for (uint32_t slot = 0; slot < recover->head.max_carts; slot++)
		if (recover->slots[slot].version != 0)
			order[count++] = slot;
	qsort_r(order, count, sizeof(*order), by_hash, recover->slots);
	*ret_order = order;
	*ret_count = count;
	return 0;
}

/* Is the file that the arena names as its last one in the lineage? A damaged uuid says nothing. */
static bool has_written(const struct recover *recover)
{
	for (int i = 0; i < recover->count; i++) {
		const struct recover_file *there = &recover->files_there[i];
		if (there->state == 0 && there->head.nonce == recover->synced_nonce)
			return memcmp(there->head.lineage, recover->lineage, 16) == 0;
	}
	return false;
}

/*
 * Are most of the journal's carts in the same slots of the arena, as far as those name them? If
 * they name none, nothing contradicts.
 */
static bool slots_agree(const struct recover *recover, const struct salvage *salvage)
{
	uint32_t same = 0, other = 0;

	for (uint32_t i = 0; i < recover->head.max_carts && same + other < SLOT_SAMPLES; i++) {
		if (recover->slots[i].file == 0)
			continue;
		uint32_t slot = salvage_slot(salvage, recover->slots[i].hash);
		same += slot == i;
		other += slot != i && slot != UINT32_MAX;
	}
	return other == 0 || same > other;
}

bool recover_same_arena(const struct recover *recover, const struct salvage *salvage)
{
	const uint8_t *uuid = salvage_uuid(salvage);

	if (uuid != NULL && memcmp(uuid, recover->lineage, sizeof(recover->lineage)) == 0)
		return true;
	return has_written(recover) || (!recover->sound_header && slots_agree(recover, salvage));
}

/*
 * Are the arena's hashes the journal's? A journal of another lineage with the same seed is about an
 * arena that the other one was made of: versions count, slots do not.
 */
static bool belongs(struct second *second)
{
	struct arena_settings settings;

	salvage_settings(second->salvage, &settings);
	second->same_slots = recover_same_arena(second->recover, second->salvage);
	return settings.hash_seed == second->recover->head.hash_seed;
}

int recover_second(struct recover *recover, rebuild_take take,
		   void (*finding)(void *take_context, const char *line), void *take_context,
		   struct salvage_totals *totals)
{
	struct second second = { .recover = recover,
				 .take = take,
				 .finding = finding,
				 .context = take_context,
				 .totals = totals };
	struct salvage_totals own;
	char why[REASON_BYTES];

	const struct arena_settings known = { .arena_bytes = recover->head.arena_bytes,
					      .max_carts = recover->head.max_carts };
	second.all_in_doubt = true;
	for (uint32_t slot = 0; slot < recover->head.max_carts; slot++)
		second.all_in_doubt &= recover->slots[slot].doubt != 0;
	if (salvage_open_known(recover->agent_dir_fd, &known, &second.salvage, why) < 0)
		return 0; /* there is none, or nothing can be made of it */
	int r = belongs(&second) ? sort_slots(recover, &second.order, &second.count) : 1;
	if (r == 0)
		r = salvage_carts(second.salvage, NULL, take_newer, tell, &second, &own);
	free(second.order);
	salvage_close(second.salvage);
	/* it is the second one to be asked: what it cannot say costs nothing */
	return r == -EIO || r == 1 ? 0 : r;
}
