/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover.c (floor 6): a new arena out of the journal (the format is in journal_file.h).
 *
 * The files are read twice, from their beginning to their end. The first time, an index notes for each slot where its last record is,
 * and when it was touched last; the second time, the versions that the index still names are put into the new arena.
 * Memory: 40 bytes for each slot, and one record.
 *
 * The arena's clock stood still at the last CLOCK record: the time since a cart's last activity is counted from there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atomic.h"
#include "cart.h"
#include "journal_file.h"
#include "rebuild.h"
#include "recover.h"

#define FORMER_FILE "arena.former" /* one is kept */

struct where { /* what the journal says of a slot */
	uint64_t offset;
	uint32_t file; /* in recover.numbers, plus one; 0: it holds no cart */
	uint32_t reserved;
	uint64_t hash; /* of its cart's key */
	int64_t touched_ns;
	uint64_t version;
};

struct recover {
	int dir_fd;
	uint64_t *numbers;
	int count;
	uint8_t lineage[16];
	struct journal_head head; /* of the lineage's last file */
	struct where *slots;
	int64_t clock_ns;
	uint64_t ended_version; /* the greatest of a cart that is gone */
	bool has_base;
	bool damaged_file; /* something of the file that is read was passed over */
	uint32_t records;
};

/* ------------------------------------------------------------------- index */

static void note_ended(struct recover *recover, struct where *where)
{
	if (where->file != 0 && where->version > recover->ended_version && where->version <= VERSION_MAX)
		recover->ended_version = where->version;
	where->file = 0;
}

static void index_cart(struct recover *recover, struct where *where, int file, const struct journal_record *record,
		       const void *payload, uint64_t offset)
{
	struct cart_head head;

	if (record->size < sizeof(head))
		return;
	memcpy(&head, payload, sizeof(head));
	if (head.hash != where->hash)
		note_ended(recover, where); /* another cart has the slot now */
	*where = (struct where){ .offset = offset,
				 .file = (uint32_t)file + 1,
				 .hash = head.hash,
				 .touched_ns = record->time_ns,
				 .version = head.version };
}

static void note_greatest(struct recover *recover, const struct journal_record *record, const void *payload)
{
	uint64_t greatest = 0;

	if (record->size == sizeof(greatest))
		memcpy(&greatest, payload, sizeof(greatest));
	if (greatest <= VERSION_MAX)
		recover->ended_version = max_u64(recover->ended_version, greatest);
}

static void index_empty(struct recover *recover, struct where *where, const struct journal_record *record,
			const void *payload)
{
	note_greatest(recover, record, payload);
	note_ended(recover, where);
}

/* From here on this file says it all. */
static void index_base(struct recover *recover, int file, const struct journal_record *record, const void *payload)
{
	recover->has_base = true;
	note_greatest(recover, record, payload);
	for (uint32_t slot = 0; slot < recover->head.max_carts && !recover->damaged_file; slot++)
		if (recover->slots[slot].file <= (uint32_t)file)
			recover->slots[slot].file = 0;
}

static void index_record(struct recover *recover, int file, const struct journal_record *record, const void *payload,
			 uint64_t offset)
{
	struct where *where = record->slot < recover->head.max_carts ? &recover->slots[record->slot] : NULL;

	recover->records++;
	if (record->kind == JOURNAL_CLOCK) {
		recover->clock_ns = record->time_ns;
		note_greatest(recover, record, payload);
	} else if (record->kind == JOURNAL_BASE)
		index_base(recover, file, record, payload);
	else if (where != NULL && record->kind == JOURNAL_CART)
		index_cart(recover, where, file, record, payload, offset);
	else if (where != NULL && record->kind == JOURNAL_EMPTY)
		index_empty(recover, where, record, payload);
	else if (where != NULL && where->file != 0)
		where->touched_ns = record->time_ns;
}

/* One file. In the last one the first invalid record is the end. */
static int index_file(struct recover *recover, int file)
{
	bool last = file == recover->count - 1;
	struct journal_reader reader;
	struct journal_record record;
	const void *payload;
	uint64_t offset;

	int r = journal_reader_open(recover->dir_fd, recover->numbers[file], &reader);
	if (r == -EPROTO)
		return 0; /* begun, and not finished */
	if (r < 0)
		return r;
	recover->damaged_file = false;
	if (memcmp(reader.head.lineage, recover->lineage, sizeof(recover->lineage)) == 0) {
		while ((r = journal_reader_next(&reader, &record, &payload, &offset)) != -ENODATA) {
			if (r == 0) {
				index_record(recover, file, &record, payload, offset);
				continue;
			}
			if (r != -EBADMSG)
				break;
			uint64_t from = reader.offset;
			recover->damaged_file = true;
			if (!last)
				journal_reader_skip(&reader);
			log_line(LOG_WARNING, "journal file %012llu: no valid record at byte %llu: %s %llu bytes",
				 (unsigned long long)recover->numbers[file], (unsigned long long)from,
				 last ? "its last" : "passed over",
				 (unsigned long long)((last ? reader.file_bytes : reader.offset) - from));
			if (last)
				break;
		}
	}
	journal_reader_close(&reader);
	return r == -ENODATA || r == -EBADMSG ? 0 : r;
}

/* The lineage of the file at or before `at` whose head is valid, and its last head. -1: there is none. */
static int lineage_before(struct recover *recover, int at)
{
	struct journal_reader reader;

	for (; at >= 0; at--) {
		if (journal_reader_open(recover->dir_fd, recover->numbers[at], &reader) < 0)
			continue;
		recover->head = reader.head;
		memcpy(recover->lineage, reader.head.lineage, sizeof(recover->lineage));
		journal_reader_close(&reader);
		return at;
	}
	return -1;
}

static int index_lineage(struct recover *recover)
{
	int r = 0;

	free(recover->slots);
	recover->slots = NULL;
	if (recover->head.max_carts > ARENA_CARTS_MAX)
		return -EPROTO;
	recover->slots = calloc(recover->head.max_carts, sizeof(*recover->slots));
	if (recover->slots == NULL)
		return -ENOMEM;
	recover->has_base = false;
	recover->clock_ns = 0;
	recover->ended_version = 0;
	for (int file = 0; file < recover->count && r == 0; file++)
		r = index_file(recover, file);
	return r;
}

/* The newest lineage with a base. 0; -ENOENT. */
static int build_index(struct recover *recover)
{
	int at = recover->count - 1;

	while ((at = lineage_before(recover, at)) >= 0) {
		uint8_t tried[16];
		int r = index_lineage(recover);
		if (r < 0 || recover->has_base)
			return r;
		memcpy(tried, recover->lineage, sizeof(tried));
		do /* the next older one */
			at--;
		while ((at = lineage_before(recover, at)) >= 0 && memcmp(recover->lineage, tried, sizeof(tried)) == 0);
	}
	return -ENOENT;
}

/* ------------------------------------------------------------------ source */

static void source_settings(void *context, struct arena_settings *ret_settings)
{
	const struct recover *recover = context;

	*ret_settings = (struct arena_settings){ .arena_bytes = recover->head.arena_bytes,
						 .max_carts = recover->head.max_carts,
						 .ttl_ns = recover->head.ttl_ns,
						 .hash_seed = recover->head.hash_seed };
}

static int take_record(struct recover *recover, int file, const struct journal_record *record, const void *payload,
		       uint64_t offset, rebuild_take take, void *take_context, struct salvage_totals *totals)
{
	const struct where *where = record->slot < recover->head.max_carts ? &recover->slots[record->slot] : NULL;

	if (record->kind != JOURNAL_CART || where == NULL || where->file != (uint32_t)file + 1 ||
	    where->offset != offset)
		return 0;
	/* a cart that does not come over has ended, like others */
	uint64_t version = where->version;
	if (cart_validate(payload, record->size) < 0) {
		recover->ended_version = max_u64(recover->ended_version, version <= VERSION_MAX ? version : 0);
		totals->damaged++;
		return 0;
	}
	const struct cart_head *head = payload;
	int64_t idle_ns = ns_since(recover->clock_ns, where->touched_ns);
	uint64_t ttl_ns = head->ttl_ms != 0 ? head->ttl_ms * 1000000 : recover->head.ttl_ns;
	if (idle_ns < 0)
		idle_ns = 0;
	if (idle_ns >= deadline_ns(0, ttl_ns)) {
		recover->ended_version = max_u64(recover->ended_version, version);
		totals->ended++;
		return 0;
	}
	int r = take(take_context, payload, record->size, (uint64_t)idle_ns);
	totals->kept += r == 0;
	return r < 0 ? r : 0;
}

static int take_file(struct recover *recover, int file, rebuild_take take, void *take_context,
		     struct salvage_totals *totals)
{
	struct journal_reader reader;
	struct journal_record record;
	const void *payload;
	uint64_t offset;

	int r = journal_reader_open(recover->dir_fd, recover->numbers[file], &reader);
	if (r < 0)
		return r == -EPROTO ? 0 : r;
	while (memcmp(reader.head.lineage, recover->lineage, sizeof(recover->lineage)) == 0 && r == 0) {
		r = journal_reader_next(&reader, &record, &payload, &offset);
		if (r == 0)
			r = take_record(recover, file, &record, payload, offset, take, take_context, totals);
		else if (r == -EBADMSG && file < recover->count - 1)
			journal_reader_skip(&reader), r = 0;
	}
	journal_reader_close(&reader);
	return r == -ENODATA || r == -EBADMSG ? 0 : r;
}

static int source_carts(void *context, rebuild_take take, void (*finding)(void *take_context, const char *line),
			void *take_context, struct salvage_totals *ret_totals)
{
	struct recover *recover = context;
	struct salvage_totals totals = { 0 };
	int r = 0;

	(void)finding;
	for (int file = 0; file < recover->count && r == 0; file++)
		r = take_file(recover, file, take, take_context, &totals);
	*ret_totals = totals;
	return r;
}

/*
 * Of a cart that is gone the journal knows its version, not its chain: all go on from the greatest. And the arena is one that the
 * journal goes before: it is in place before the journal of its own has a base.
 */
static void source_floors(void *context, struct arena *arena)
{
	const struct recover *recover = context;

	store_relaxed(&arena->header->journal, JOURNAL_MODE_TIME);
	if (recover->ended_version > VERSION_MAX)
		return;
	for (uint32_t i = 0; i <= arena->bucket_mask; i++)
		if (arena->buckets[i].version_floor < recover->ended_version)
			arena->buckets[i].version_floor = recover->ended_version;
}

static void tell_finding(const char *line)
{
	log_line(LOG_WARNING, "recovery: %s", line);
}

static int rebuild(struct agent *agent, struct recover *recover, char *why)
{
	struct rebuild_source source = { recover, source_settings, source_carts, source_floors };
	char aside[REBUILD_NAME_BYTES];
	struct salvage_totals totals = { 0 };

	int r = rebuild_from(agent, &source, tell_finding, FORMER_FILE, aside, &totals, why);
	if (r < 0)
		return r;
	log_line(LOG_INFO, "%s: recovered %u carts from the journal (%u records; %u ended meanwhile, %u damaged)%s%s",
		 agent->directory, totals.kept, recover->records, totals.ended, totals.damaged,
		 aside[0] != '\0' ? "; the former arena is kept as " : "", aside);
	return 1;
}

/* Nothing can be made of it: it is kept for people, and the agent starts. */
static int set_journal_aside(const struct agent *agent, const char *why)
{
	char name[64];

	snprintf(name, sizeof(name), JOURNAL_DIRECTORY ".hopeless.%lld", (long long)arena_wall_ms());
	if (renameat(agent->dir_fd, JOURNAL_DIRECTORY, agent->dir_fd, name) < 0)
		return -errno;
	log_line(LOG_ERROR, "%s: no arena can be made out of the journal: %s; it is kept as %s", agent->directory, why,
		 name);
	return 0;
}

int recover_arena(struct agent *agent, char *why)
{
	struct recover recover = { .dir_fd = journal_open_directory(agent->dir_fd, false) };
	int r;

	if (recover.dir_fd < 0)
		return recover.dir_fd == -ENOENT ? 0 : why_set(why, recover.dir_fd, "cannot open the journal");
	recover.count = journal_list(recover.dir_fd, &recover.numbers);
	r = recover.count < 0 ? recover.count : build_index(&recover);
	if (r == 0)
		r = rebuild(agent, &recover, why);
	else if (r == -ENOENT)
		r = 0;
	else
		why_set(why, r, "cannot read the journal");
	if (r == -EPROTO || r == -EINVAL)
		r = set_journal_aside(agent, why);
	free(recover.slots);
	free(recover.numbers);
	close(recover.dir_fd);
	return r;
}
