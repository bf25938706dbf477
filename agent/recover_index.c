/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover_index.c: see recover_index.h. The files are read once, from beginning to end, and each
 * record's sum is checked. Memory: 40 bytes per slot, 56 per record of a round, 24 per END, and a
 * window on a file.
 *
 * A round counts as a whole. What a file ends with behind its last CLOCK or BASE was not synced:
 * the power was lost, or the agent was killed. It may say that a cart is gone, and lack its END.
 * (If nothing but its CLOCK is torn, it is whole.)
 *
 * Damage in a file. An agent that dies leaves a torn record at a file's end. So does a power loss,
 * which may also lose any part of what had not been synced: the last round's records. So in the
 * lineage's last file, the first invalid record is the end. But if a CLOCK record follows it, and
 * then another valid record, that round had been synced: the invalid bytes were on disk once, as
 * they were if the arena's header says so. It is still the end, since what follows may be
 * incomplete; but the file is worth keeping (left_records). Such damage is skipped only if
 * otherwise nothing would be left, because the lineage's only base is in this file. If the BASE
 * record itself is damaged, no lineage has a base: then the newest lineage with carts is read, all
 * damage skipped, and counts without one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cart/cart.h"
#include "recover_index.h"

#define PROGRESS_RECORDS 1024u

/*
 * Remember the end of a cart by its hash. The record that the cart left an earlier slot may be
 * among the damaged bytes: the index then still has it in that slot, and recover_apply_ends() takes
 * it out.
 */
static void note_end(struct recover *recover, const struct where *where)
{
	if (!recover->suspect || where->version == 0 || where->size == 0)
		return;
	if ((recover->end_count & (recover->end_count - 1)) == 0) {
		size_t room = recover->end_count == 0 ? 1 : (size_t)recover->end_count * 2;
		struct ended *more = realloc(recover->ends, room * sizeof(*more));
		if (more == NULL)
			return; /* then it is as if its end were damaged, too */
		recover->ends = more;
	}
	recover->ends[recover->end_count++] = (struct ended){ where->hash, where->version };
}

static void note_ended(struct recover *recover, struct where *where)
{
	note_end(recover, where);
	if (where->file != 0 && where->version > recover->ended_version &&
	    where->version <= VERSION_MAX)
		recover->ended_version = where->version;
	where->file = 0;
	where->size = where->doubt = 0;
}

static void index_cart(struct recover *recover, struct where *where, int file,
		       const struct recover_pending *record)
{
	if (record->size < sizeof(struct cart_head))
		return;
	if (record->hash != where->hash)
		note_ended(recover, where); /* another cart has the slot now */
	*where = (struct where){ .offset = record->offset,
				 .file = (uint32_t)file + 1,
				 .size = record->size & INT32_MAX,
				 .hash = record->hash,
				 .touched_ns = record->time_ns,
				 .version = record->version };
}

/* The version that the payload of a CLOCK, a BASE or an EMPTY is; 0: none, or an impossible one. */
static uint64_t greatest_in(const struct journal_record *record, const void *payload)
{
	uint64_t greatest = 0;

	if (record->size == sizeof(greatest))
		memcpy(&greatest, payload, sizeof(greatest));
	return greatest <= VERSION_MAX ? greatest : 0;
}

static void note_greatest(struct recover *recover, const struct journal_record *record,
			  const void *payload)
{
	recover->ended_version = max_u64(recover->ended_version, greatest_in(record, payload));
}

static void index_slot(struct recover *recover, int file, const struct recover_pending *record)
{
	struct where *where = &recover->slots[record->slot];

	if (record->kind == JOURNAL_CART) {
		index_cart(recover, where, file, record);
	} else if (record->kind == JOURNAL_EMPTY) {
		recover->ended_version = max_u64(recover->ended_version, record->version);
		note_ended(recover, where);
	} else if (where->file != 0) {
		where->touched_ns = record->time_ns;
	}
}

/* The round that was read is whole, or there is no telling. */
static void take_round(struct recover *recover, int file)
{
	for (uint32_t i = 0; i < recover->pending_count; i++)
		index_slot(recover, file, &recover->pending[i]);
	recover->pending_count = 0;
	recover_take_ends(recover);
}

/* It is not: the power was lost, or its agent was killed, while it was written. */
static void drop_round(struct recover *recover, int file)
{
	if (recover->pending_count > 0)
		log_line(LOG_INFO,
			 "%s: file %012llu ends in a round that was not finished: its %u records "
			 "are left out",
			 recover->name, (unsigned long long)recover->numbers[file],
			 recover->pending_count);
	recover->pending_count = 0;
	recover_drop_ends(recover);
}

/* A record of a slot counts once its round is whole. 0 or -ENOMEM. */
static int hold_back(struct recover *recover, const struct journal_record *record,
		     const void *payload, uint64_t offset)
{
	struct cart_head head = { 0 };

	if (record->slot >= recover->head.max_carts)
		return 0;
	if (recover->pending_count == recover->pending_room) {
		uint32_t room = recover->pending_room == 0 ? 4096 : 2 * recover->pending_room;
		struct recover_pending *more = realloc(recover->pending, room * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		recover->pending = more;
		recover->pending_room = room;
	}
	if (record->kind == JOURNAL_CART && record->size >= sizeof(head))
		memcpy(&head, payload, sizeof(head));
	if (record->kind == JOURNAL_EMPTY)
		head.version = greatest_in(record, payload);
	recover->pending[recover->pending_count++] =
		(struct recover_pending){ .offset = offset + sizeof(*record),
					  .hash = head.hash,
					  .version = head.version,
					  .time_ns = record->time_ns,
					  .slot = record->slot,
					  .size = record->size,
					  .kind = record->kind };
	return 0;
}

/* Most slots of a large arena were never used: the memory for them is not touched. */
static bool is_blank(const struct where *where)
{
	return where->file == 0 && where->version == 0 && where->doubt == 0;
}

/* From here on, this file is complete: earlier ones no longer count. */
static void index_base(struct recover *recover, int file, const struct journal_record *record,
		       const void *payload)
{
	recover->has_base = true;
	recover->base = recover->numbers[file];
	note_greatest(recover, record, payload);
	for (uint32_t slot = 0; slot < recover->head.max_carts && !recover->damaged_file; slot++)
		if (recover->slots[slot].file <= (uint32_t)file && !is_blank(&recover->slots[slot]))
			recover->slots[slot] =
				(struct where){ .hash = recover->slots[slot].hash,
						.version = recover->slots[slot].version };
	if (!recover->damaged_file)
		recover_ends_base(recover, file);
}

/* 0 or -ENOMEM. */
static int index_record(struct recover *recover, int file, const struct journal_record *record,
			const void *payload, uint64_t offset)
{
	recover->records++;
	switch (record->kind) {
	case JOURNAL_CLOCK:
		take_round(recover, file);
		recover->clock_ns = record->time_ns;
		note_greatest(recover, record, payload);
		return 0;
	case JOURNAL_BASE:
		take_round(recover, file);
		index_base(recover, file, record, payload);
		return 0;
	case JOURNAL_END:
		return recover_note_end(recover, file, record, payload, offset);
	case JOURNAL_CURSOR:
		recover_note_cursor(recover, file, record, payload);
		return 0;
	default:
		return hold_back(recover, record, payload, offset);
	}
}

static void show_progress(const struct recover *recover, const struct journal_reader *reader)
{
	if (recover->progress && recover->records % PROGRESS_RECORDS == 0)
		fprintf(stderr, "\rfile %u of %d: %llu %%  ", recover->files, recover->count,
			(unsigned long long)(reader->offset * 100 / reader->file_bytes));
}

/* ------------------------------------------------------------------ damage */

void recover_doubt_all(struct recover *recover)
{
	for (uint32_t slot = 0; slot < recover->head.max_carts; slot++)
		recover->slots[slot].doubt = 1;
}

/*
 * Put every slot in doubt, since the skipped bytes, from `from` on, may be about any; or only one
 * slot, if they were one record whose head is sound. A later record of a slot removes the doubt.
 */
static void doubt(struct recover *recover, struct journal_reader *reader, uint64_t from)
{
	struct journal_record record;

	if (!journal_reader_was_one(reader, from, &record)) {
		recover_doubt_all(recover);
	} else if (record.slot < recover->head.max_carts &&
		   (record.kind == JOURNAL_CART || record.kind == JOURNAL_EMPTY)) {
		recover->slots[record.slot].doubt = 1;
	}
}

/*
 * Index a record that follows the damage at which recovery stops. An end counts, because callers
 * were told of it, and so does its END. A newer version is not taken, but its slot is in doubt.
 */
static void index_behind(struct recover *recover, const struct journal_record *record,
			 const void *payload)
{
	struct where *where =
		record->slot < recover->head.max_carts ? &recover->slots[record->slot] : NULL;
	struct cart_head head;

	if (where == NULL)
		return;
	if (record->kind == JOURNAL_EMPTY) {
		note_greatest(recover, record, payload);
		note_ended(recover, where);
	} else if (record->kind == JOURNAL_CART && record->size >= sizeof(head)) {
		memcpy(&head, payload, sizeof(head));
		if (head.hash != where->hash)
			note_ended(recover, where); /* another cart has the slot */
		if (where->file == 0) {             /* remember which, in case its end follows */
			where->hash = head.hash;
			where->version = head.version;
			where->size = record->size & INT32_MAX;
		}
		where->doubt = 1;
	}
}

/* Read all that follows the damage once more. 0 or -errno. */
static int index_all_behind(struct recover *recover, struct journal_reader *reader, uint64_t from)
{
	struct journal_record record;
	const void *payload;
	uint64_t offset;
	int r = -EBADMSG;

	for (reader->offset = from; r == -EBADMSG || r == 0;
	     r = journal_reader_next(reader, &record, &payload, &offset)) {
		if (r == 0) {
			index_behind(recover, &record, payload);
			if (record.kind == JOURNAL_END &&
			    recover_note_end(recover, recover->last, &record, payload, offset) < 0)
				return -ENOMEM;
			continue;
		}
		from = reader->offset;
		r = journal_reader_skip(reader);
		if (r < 0)
			return r;
		doubt(recover, reader, from);
	}
	return r == -ENODATA ? 0 : r;
}

/* Does the arena know that this place of the file had been on disk? */
static bool was_synced(const struct recover *recover, const struct journal_reader *reader,
		       uint64_t from)
{
	return reader->head.nonce == recover->synced_nonce && from < recover->synced_bytes;
}

/* The last file ends here for us: was it torn or damaged, and what follows? */
static int look_behind(struct recover *recover, struct journal_reader *reader, uint64_t number)
{
	uint32_t records = 0, carts = 0;
	struct journal_record record;
	uint64_t from = reader->offset, offset;
	const void *payload;
	bool round_over = false, synced = was_synced(recover, reader, from);

	int r = journal_reader_skip(reader);
	while (r == 0 &&
	       (r = journal_reader_next(reader, &record, &payload, &offset)) != -ENODATA) {
		if (r == -EBADMSG) {
			r = journal_reader_skip(reader);
			continue;
		}
		synced |= round_over;
		round_over |= record.kind == JOURNAL_CLOCK;
		records++;
		carts += record.kind == JOURNAL_CART;
	}
	if (r != -ENODATA)
		return r;
	if (synced)
		log_line(LOG_ERROR,
			 "%s: file %012llu is damaged at byte %llu: %u records behind it, %u of "
			 "them versions of carts, "
			 "are not taken",
			 recover->name, (unsigned long long)number, (unsigned long long)from,
			 records, carts);
	else
		log_line(LOG_WARNING,
			 "%s: file %012llu is torn at byte %llu: its last %llu bytes, which were "
			 "not synced, are left "
			 "out",
			 recover->name, (unsigned long long)number, (unsigned long long)from,
			 (unsigned long long)(reader->file_bytes - from));
	recover->left_records |= synced;
	recover->torn_at = from;
	if (synced)
		take_round(recover, recover->last);
	r = synced ? index_all_behind(recover, reader, from) : 0;
	if (synced)
		recover_take_ends(recover);
	return r < 0 ? r : -ENODATA;
}

/*
 * An earlier file ends with a torn record: an agent died there, and the next one wrote the same
 * carts again. Or it was cut: then carts may be missing that the arena has.
 */
static void torn_before(struct recover *recover)
{
	recover->torn_before = true;
	for (uint32_t slot = 0; slot < recover->head.max_carts; slot++)
		recover->slots[slot].doubt |= recover->slots[slot].file == 0;
}

/* 0: continue with the next valid record; -ENODATA: this is the end; other -errno. */
static int pass_over(struct recover *recover, struct journal_reader *reader, int file)
{
	uint64_t from = reader->offset, number = recover->numbers[file];

	recover->damaged_file = recover->suspect = true;
	if (journal_reader_lacks_clock(reader, from))
		take_round(recover, file);
	if (file == recover->last && !recover->pass_over)
		return look_behind(recover, reader, number);
	int r = journal_reader_skip(reader);
	if (r != 0 || reader->offset < reader->file_bytes)
		recover->unbroken = false;
	else
		torn_before(recover);
	if (r == 0 && (reader->offset < reader->file_bytes || was_synced(recover, reader, from))) {
		take_round(recover, file);
		doubt(recover, reader, from);
	}
	if (r == 0 && reader->offset < reader->file_bytes)
		log_line(LOG_WARNING,
			 "%s: file %012llu: no valid record at byte %llu: %llu bytes are passed "
			 "over",
			 recover->name, (unsigned long long)number, (unsigned long long)from,
			 (unsigned long long)(reader->offset - from));
	else if (r == 0)
		log_line(LOG_WARNING,
			 "%s: file %012llu ends with a torn record: %llu bytes are left out",
			 recover->name, (unsigned long long)number,
			 (unsigned long long)(reader->file_bytes - from));
	return r;
}

/* ------------------------------------------------------------------- files */

static int read_records(struct recover *recover, struct journal_reader *reader, int file)
{
	struct journal_record record;
	const void *payload;
	uint64_t offset;
	int r = 0;

	while (r == 0) {
		r = journal_reader_next(reader, &record, &payload, &offset);
		if (r == 0) {
			r = index_record(recover, file, &record, payload, offset);
			show_progress(recover, reader);
		} else if (r == -EBADMSG) {
			r = pass_over(recover, reader, file);
		}
	}
	if (r != -ENODATA)
		return r;
	if (recover->pass_over)
		take_round(recover, file);
	else
		drop_round(recover, file);
	return 0;
}

static int read_file(struct recover *recover, int file)
{
	struct journal_reader reader;

	int r = journal_reader_open(recover->dir_fd, recover->numbers[file], &reader);
	if (r == -ENODATA || r == -ENOENT)
		return 0; /* it was removed meanwhile */
	if (r < 0)
		return r;
	reader.salvage = recover->salvage;
	recover->damaged_file = false;
	recover->files++;
	recover->bytes += reader.file_bytes;
	r = read_records(recover, &reader, file);
	journal_reader_close(&reader);
	return r;
}

bool recover_was_cut(const struct recover *recover, int file, int next)
{
	return recover->numbers[next] == recover->numbers[file] + 1 &&
	       journal_was_cut(recover->files_there[file].bytes, &recover->files_there[next].head);
}

/*
 * Is something missing between these two of the directory's files, of which we have read the first
 * and are about to read the second? One that has no head may have said anything of any slot. A
 * number under which there is nothing may never have been a file, if the disk was full then; but a
 * file that was taken away looks no other. And the first one may have been cut behind a record.
 */
static void look_for_gap(struct recover *recover, int file, int next)
{
	bool gap = false;

	for (int i = file + 1; i < next; i++) {
		int state = recover->files_there[i].state;
		/* an agent that finds an empty file removes it, and uses its number again */
		bool emptied = state == -ENODATA && next < recover->count;
		if (emptied)
			log_line(LOG_WARNING, "%s: file %012llu is empty, and a later one is not",
				 recover->name, (unsigned long long)recover->numbers[i]);
		gap |= state == -EPROTO || emptied;
	}
	if (file >= 0 && next < recover->count &&
	    recover->numbers[next] - recover->numbers[file] != (uint64_t)(next - file)) {
		log_line(LOG_WARNING,
			 "%s: between the files %012llu and %012llu there may have been another "
			 "one",
			 recover->name, (unsigned long long)recover->numbers[file],
			 (unsigned long long)recover->numbers[next]);
		gap = true;
	}
	if (file >= 0 && next < recover->count && recover_was_cut(recover, file, next)) {
		log_line(LOG_WARNING, "%s: file %012llu was cut: it has %llu bytes, and had more",
			 recover->name, (unsigned long long)recover->numbers[file],
			 (unsigned long long)recover->files_there[file].bytes);
		gap = true;
	}
	recover->suspect |= gap;
	recover->unbroken &= !gap;
	if (gap)
		recover_doubt_all(recover);
}

static int read_lineage(struct recover *recover)
{
	int r = 0;

	free(recover->slots);
	recover->slots = NULL;
	if (recover->head.max_carts > ARENA_CARTS_MAX)
		return -EPROTO;
	recover->slots = calloc(recover->head.max_carts, sizeof(*recover->slots));
	if (recover->slots == NULL)
		return -ENOMEM;
	recover->suspect = recover->baseless;
	recover->end_count = 0;
	recover->torn_before = false;
	if (recover->baseless)
		recover_doubt_all(recover); /* until records say what the slots hold */
	recover->has_base = false;
	recover->torn_at = 0;
	recover->unbroken = !recover->salvage && !recover->pass_over && !recover->headless;
	recover->clock_ns = 0;
	recover->ended_version = recover->bytes = 0;
	recover->files = recover->records = recover->carts = 0;
	recover->pending_count = recover->told_count = recover->told_whole = 0;
	memset(recover->cursors, 0, sizeof(recover->cursors));
	memset(recover->reading, 0, sizeof(recover->reading));
	int before = -1;
	for (int file = recover->files_there[recover->last].first; file >= 0 && r == 0;
	     file = recover->files_there[file].next) {
		look_for_gap(recover, before, file);
		r = read_file(recover, file);
		before = file;
	}
	look_for_gap(recover, before, recover->count);
	if (recover->progress && recover->records >= PROGRESS_RECORDS)
		fputs("\r                          \r", stderr);
	bool counts = recover->has_base || recover->baseless;
	for (uint32_t slot = 0; slot < recover->head.max_carts && counts; slot++)
		recover->carts += recover->slots[slot].file != 0;
	return r;
}

/* Read the lineage whose last file this is. */
static int try_lineage(struct recover *recover, int last)
{
	recover->last = last;
	recover->head = recover->files_there[last].head;
	memcpy(recover->lineage, recover->head.lineage, sizeof(recover->lineage));
	recover->pass_over = recover->salvage || recover->baseless;
	int r = read_lineage(recover);
	if (r == 0 && !recover->has_base && recover->left_records && !recover->pass_over) {
		recover->pass_over = true;
		r = read_lineage(recover);
	}
	return r;
}

/* ------------------------------------------------------------------- heads */

/* 0, or -errno: the head cannot be read now, but perhaps another time. */
static int read_head(struct recover *recover, int file)
{
	struct recover_file *there = &recover->files_there[file];
	unsigned long long number = recover->numbers[file];
	struct journal_reader reader;

	int r = journal_reader_open(recover->dir_fd, recover->numbers[file], &reader);
	if (r == -EIO && recover->salvage)
		r = -EPROTO;
	there->state = r == -ENOENT ? -ENODATA : r;
	there->first = file;
	there->next = -1;
	if (r == 0) {
		there->head = reader.head;
		there->bytes = reader.file_bytes;
		journal_reader_close(&reader);
		if (reader.spare)
			log_line(LOG_WARNING,
				 "%s: the head of file %012llu is damaged: there is another one",
				 recover->name, number);
		if (there->head.version_epoch <= VERSION_EPOCH_MAX)
			recover->epochs_used = (uint32_t)max_u64(recover->epochs_used,
								 there->head.version_epoch + 1);
	} else if (r == -EPROTO) {
		log_line(LOG_ERROR,
			 "%s: file %012llu has no valid head: nothing of it can be taken",
			 recover->name, number);
		recover->left_records = recover->headless = true;
	} else if (r == -EISDIR) {
		log_line(LOG_WARNING, "%s: %012llu is no plain file: nothing of it is taken",
			 recover->name, number);
	} else if (r != -ENODATA && r != -ENOENT) {
		return r;
	}
	return 0;
}

static int by_lineage(const void *a, const void *b, void *context)
{
	const struct recover_file *files = context;
	int x = *(const int *)a, y = *(const int *)b;
	int order = memcmp(files[x].head.lineage, files[y].head.lineage, 16);

	return order != 0 ? order : x - y;
}

/* Link the files of each lineage. Linear but for the sort, since there may be thousands. */
static int link_lineages(struct recover *recover)
{
	struct recover_file *files = recover->files_there;
	int valid = 0;

	int *order = malloc(((size_t)recover->count + 1) * sizeof(*order));
	if (order == NULL)
		return -ENOMEM;
	for (int i = 0; i < recover->count; i++)
		if (files[i].state == 0)
			order[valid++] = i;
	qsort_r(order, (size_t)valid, sizeof(*order), by_lineage, files);
	for (int i = 1; i < valid; i++) {
		int one = order[i - 1], two = order[i];
		if (memcmp(files[one].head.lineage, files[two].head.lineage, 16) != 0)
			continue;
		files[one].next = two;
		files[two].first = files[one].first;
	}
	free(order);
	return 0;
}

int recover_heads(struct recover *recover)
{
	int r = 0;

	for (int i = 0; i < recover->count && r == 0; i++)
		r = read_head(recover, i);
	return r;
}

/* 0: there is one that counts; -ENOENT; other -errno. */
static int try_lineages(struct recover *recover)
{
	int r = 0;

	for (int at = recover->count - 1; at >= 0 && r == 0; at--) {
		const struct recover_file *file = &recover->files_there[at];
		if (file->state != 0 || file->next >= 0)
			continue; /* not the last of its lineage */
		r = try_lineage(recover, at);
		if (r == 0 && (recover->has_base || (recover->baseless && recover->carts > 0)))
			return 0;
	}
	return r < 0 ? r : -ENOENT;
}

int recover_index(struct recover *recover)
{
	int r = recover_heads(recover);

	if (r == 0)
		r = link_lineages(recover);
	if (r == 0)
		r = try_lineages(recover);
	if (r != -ENOENT)
		return r;
	/*
	 * The one record that says that the base is whole may be what is damaged, or its file is
	 * gone. The others are as sound as ever.
	 */
	recover->baseless = true;
	r = try_lineages(recover);
	if (r != 0)
		return r;
	recover->left_records = true;
	log_line(LOG_ERROR,
		 "%s: no file has a whole base: what its files say of each slot is taken, and may "
		 "not be all",
		 recover->name);
	return 0;
}

int recover_open(struct recover *recover, int dir_fd, const char *name)
{
	*recover = (struct recover){ .name = name,
				     .dir_fd = dir_fd,
				     .progress = isatty(STDERR_FILENO) == 1 };
	recover->count = journal_list(dir_fd, &recover->numbers);
	if (recover->count < 0)
		return recover->count;
	recover->files_there = calloc((size_t)recover->count + 1, sizeof(*recover->files_there));
	return recover->files_there != NULL ? 0 : -ENOMEM;
}

void recover_close(struct recover *recover)
{
	free(recover->slots);
	free(recover->ends);
	free(recover->told);
	free(recover->pending);
	free(recover->numbers);
	free(recover->files_there);
	close(recover->dir_fd);
}
