/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * witness.c: see witness.h. It uses recovery's index of a journal (recover_index.h), and the slots
 * ordered by their carts' hashes.
 *
 * The hashes of another arena say nothing about this one's carts, so a journal with another hash
 * seed is ignored. A journal of another lineage with the same seed is about an arena that this one
 * was made from: its versions count, its slots do not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aside.h"
#include "corral.h"
#include "recover_second.h"
#include "witness.h"

struct witness {
	const struct agent *agent;
	struct recover recover;
	struct salvage_witness voice;
	uint32_t *order; /* slots with a cart, ordered by its hash */
	uint32_t count;
	bool same_slots;
	char name[ASIDE_NAME_BYTES];
};

static const struct where *find(const struct witness *witness, uint64_t hash)
{
	uint32_t low = 0, high = witness->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (witness->recover.slots[witness->order[middle]].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	const struct where *where =
		low < witness->count ? &witness->recover.slots[witness->order[low]] : NULL;
	return where != NULL && where->hash == hash ? where : NULL;
}

static uint64_t version_of(void *context, uint64_t hash)
{
	const struct where *where = find(context, hash);

	return where != NULL ? where->version : 0;
}

static int read_version(void *context, uint64_t hash, void *cart, size_t *ret_size,
			int64_t *ret_touched_ns)
{
	const struct witness *witness = context;
	const struct where *where = find(witness, hash);
	char name[JOURNAL_NAME_BYTES];

	if (where == NULL)
		return -ENOENT;
	journal_name(witness->recover.numbers[where->file - 1], name);
	int fd = openat(witness->recover.dir_fd, name,
			O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	int r = journal_read(fd, cart, where->size, where->offset);
	close(fd);
	if (r < 0)
		return r;
	*ret_size = where->size;
	*ret_touched_ns = witness->same_slots ? where->touched_ns : 0;
	return 0;
}

static uint64_t in_slot(void *context, uint32_t slot)
{
	const struct witness *witness = context;

	if (!witness->same_slots || slot >= witness->recover.head.max_carts ||
	    witness->recover.slots[slot].file == 0)
		return 0;
	return witness->recover.slots[slot].hash;
}

/*
 * By hash, the newest version first: a cart may be in two slots, if it was dropped and made again.
 */
static int by_hash(const void *a, const void *b, void *context)
{
	const struct where *slots = context;
	const struct where *x = &slots[*(const uint32_t *)a], *y = &slots[*(const uint32_t *)b];

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->version < y->version ? 1 : x->version > y->version ? -1 : 0;
}

static int sort_carts(struct witness *witness)
{
	struct recover *recover = &witness->recover;

	witness->order = malloc(((size_t)recover->carts + 1) * sizeof(*witness->order));
	if (witness->order == NULL)
		return -ENOMEM;
	for (uint32_t slot = 0; slot < recover->head.max_carts; slot++)
		if (recover->slots[slot].file != 0 && witness->count < recover->carts)
			witness->order[witness->count++] = slot;
	qsort_r(witness->order, witness->count, sizeof(*witness->order), by_hash, recover->slots);
	return 0;
}

static int listen_to(struct witness *witness, const struct witness_arena *arena)
{
	struct recover *recover = &witness->recover;
	struct arena_header header;

	recover->salvage = true;
	recover->progress = false;
	recover->agent_dir_fd = witness->agent->dir_fd;
	if (arena->salvage != NULL)
		recover_ask_arena(recover, &header);
	int r = recover_index(recover);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || recover->head.hash_seed != arena->hash_seed)
		return 0; /* the journal is of no use */
	recover_apply_ends(recover);
	witness->same_slots = arena->salvage != NULL ? recover_same_arena(recover, arena->salvage) :
						       memcmp(arena->uuid, recover->lineage,
							      sizeof(recover->lineage)) == 0;
	return sort_carts(witness);
}

int witness_open(const struct agent *agent, const struct witness_arena *arena,
		 struct witness **ret_witness)
{
	int fd = journal_open_directory(agent->dir_fd, false);

	if (fd < 0)
		return fd;
	struct witness *witness = calloc(1, sizeof(*witness));
	if (witness == NULL) {
		close(fd);
		return -ENOMEM;
	}
	witness->agent = agent;
	witness->voice = (struct salvage_witness){ witness, version_of, read_version, in_slot };
	int r = recover_open(&witness->recover, fd, JOURNAL_DIRECTORY);
	if (r == 0)
		r = listen_to(witness, arena);
	if (r < 0) {
		witness_close(witness);
		return r;
	}
	/* each agent and each attempt uses the same name */
	snprintf(witness->name, sizeof(witness->name), ASIDE_DAMAGED "%lld",
		 (long long)(witness->recover.head.created_ms != 0 ?
				     witness->recover.head.created_ms :
				     arena_wall_ms()));
	*ret_witness = witness;
	return 0;
}

void witness_close(struct witness *witness)
{
	recover_close(&witness->recover);
	free(witness->order);
	free(witness);
}

const struct salvage_witness *witness_voice(struct witness *witness)
{
	return &witness->voice;
}

int witness_keep(const struct witness *witness, const char **ret_name)
{
	int r = witness->recover.count > 0 ?
			aside_link(witness->agent, &witness->recover, witness->name) :
			-ENOENT;

	if (r == 0)
		*ret_name = witness->name;
	return r;
}
