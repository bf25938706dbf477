/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_write.c: the journal's slots and files; see journal.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic.h"
#include "cart/cart.h"
#include "journal_write.h"
#include "slot_copy.h"
#include "store/slot.h"

#define BASE_SLOTS 4096u
#define FILE_PAGE_BYTES 4096ull /* or a fraction of a page */
#define WRITE_OUT_BYTES (1u << 20)

/* ------------------------------------------------------------------ bytes */

/* Drop the file's pages up to here, which are on disk, from the page cache. */
static void let_go(struct journal *j, uint64_t end)
{
	if (end > j->let_go)
		(void)posix_fadvise(j->fd, (off_t)j->let_go, (off_t)(end - j->let_go),
				    POSIX_FADV_DONTNEED);
	j->let_go = max_u64(j->let_go, end);
}

/* 0 or -errno. The kernel reports a failed write only once, so a later sync might succeed. */
static int write_range(const struct journal *j, uint64_t from, uint64_t to, unsigned flags)
{
	if (from == to || sync_file_range(j->fd, (off_t)from, (off_t)(to - from), flags) == 0)
		return 0;
	return errno == ENOSYS || errno == EINVAL ? 0 : -errno; /* not available here */
}

/*
 * Write a round of many carts out while it goes on, and drop its pages. Then there is less to wait
 * for at the sync, the next part reuses the same memory, still in the CPU's cache, and the page
 * cache does not fill up with data that is not read again. Only the sync makes anything durable.
 */
static int write_out(struct journal *j)
{
	uint64_t end = j->offset & ~(FILE_PAGE_BYTES - 1); /* the last page is still to be filled */

	if (end < j->begun + WRITE_OUT_BYTES)
		return 0;
	int r = write_range(j, j->begun, end, SYNC_FILE_RANGE_WRITE);
	if (r == 0) /* the part before this one */
		r = write_range(j, j->let_go, j->begun,
				SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
					SYNC_FILE_RANGE_WAIT_AFTER);
	if (r == 0)
		let_go(j, j->begun);
	j->begun = end;
	return r;
}

int journal_sync(struct journal *j)
{
	uint64_t end = j->offset & ~(FILE_PAGE_BYTES - 1);

	if (fdatasync(j->fd) < 0)
		return -errno;
	if (end >= j->let_go + WRITE_OUT_BYTES)
		let_go(j, end);
	j->begun = max_u64(j->begun, end);
	return 0;
}

int journal_flush(struct journal *j)
{
	/*
	 * before the write: a reader that finds more in the file knows that this arena did not
	 * write it
	 */
	store_release(&j->actor->arena->header->journal_end, j->offset + j->fill);
	for (uint32_t done = 0; done < j->fill;) {
		ssize_t n =
			pwrite(j->fd, j->buffer + done, j->fill - done, (off_t)(j->offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (uint32_t)n;
	}
	j->offset += j->fill;
	j->fill = 0;
	return write_out(j);
}

uint8_t *journal_payload_place(struct journal *j)
{
	return j->buffer + j->fill + sizeof(struct journal_record);
}

/* payload: anywhere, or already at journal_payload_place(). */
int journal_append(struct journal *j, enum journal_kind kind, uint32_t slot, int64_t time_ns,
		   const void *payload, uint32_t size)
{
	struct journal_record record = {
		.size = size, .kind = (uint16_t)kind, .slot = slot, .time_ns = time_ns
	};
	uint32_t bytes = journal_record_bytes(size);

	if (j->fill + bytes > JOURNAL_BUFFER_BYTES) {
		int r = journal_flush(j);
		if (r < 0)
			return r;
	}
	uint8_t *at = j->buffer + j->fill, *place = journal_payload_place(j);
	if (size > 0 && payload != place)
		memcpy(place, payload, size);
	memset(place + size, 0, bytes - sizeof(record) - size); /* the padding */
	record.check = journal_record_check(&record, j->nonce, j->offset + j->fill);
	record.sum = journal_record_sum(&record, place, j->nonce, j->offset + j->fill);
	memcpy(at, &record, sizeof(record));
	j->fill += bytes;
	j->after_base += bytes;
	return 0;
}

/* ------------------------------------------------------------------- slots */

/*
 * The slot has no cart; no version of its former cart was greater than this. For a cart that is
 * over, this is written again only if the file does not say it yet.
 */
static int put_empty(struct journal *j, uint32_t number, const struct slot_copied *gone)
{
	const struct arena *arena = j->actor->arena;
	const struct bucket *bucket = slot_bucket(arena, load_relaxed(&arena->slots[number].hash));
	/* relaxed: not less than when its cart ended */
	uint64_t floor = load_relaxed(&bucket->version_floor);

	if (gone->over && gone->version <= VERSION_MAX)
		floor = max_u64(floor, gone->version);
	uint64_t mark = gone->over ? floor * 2 + 2 : 0; /* a cart's mark is odd */
	if (mark != 0 && j->marks[number] == mark)
		return 0;
	int r = journal_append(j, JOURNAL_EMPTY, number, 0, &floor, sizeof(floor));
	if (r == 0)
		j->marks[number] = mark;
	return r;
}

/* 1: the slot's cart is damaged; nothing is written. */
static int put_slot(struct journal *j, uint32_t number)
{
	struct slot_copied copied;
	/*
	 * the cart is copied once, to where it is written from; and the buffer is flushed while it
	 * still fits into the CPU's cache
	 */
	int r = j->fill >= JOURNAL_FLUSH_BYTES ? journal_flush(j) : 0;
	if (r < 0)
		return r;
	uint8_t *place = journal_payload_place(j);

	r = slot_copy(j->actor, number, place, &copied);
	if (arena_withdrawn(j->actor->arena))
		return -ESTALE; /* we may have read zeroes in its place: they say nothing */
	if (r == 0 && copied.size == 0)
		return put_empty(j, number, &copied);
	if (r < 0 || cart_verify(place, copied.size) < 0) {
		if (damaged_note(j->agent, number, true))
			log_line(LOG_WARNING,
				 "the cart in slot %u is damaged: the journal keeps what it had of "
				 "it",
				 number);
		return 1;
	}
	(void)damaged_note(j->agent, number, false);
	const struct cart_head *head = (const struct cart_head *)(void *)place;
	uint64_t mark = (head->version * 0x9e3779b97f4a7c15ull ^ head->sum) | 1;
	if (j->marks[number] == mark)
		return journal_append(j, JOURNAL_TOUCH, number, copied.touched_ns, NULL, 0);
	r = journal_append(j, JOURNAL_CART, number, copied.touched_ns, place, copied.size);
	if (r == 0)
		j->marks[number] = mark;
	return r;
}

static uint32_t word_count(const struct arena *arena)
{
	return (arena->max_carts + 63) / 64;
}

/* Make the slots dirty again that were drained and are not on disk. */
void journal_undrain(struct arena *arena)
{
	for (uint32_t w = 0; w < word_count(arena); w++) {
		uint64_t bits = load_relaxed(&arena->drained[w]); /* relaxed: only we write it */
		if (bits == 0)
			continue;
		(void)fetch_or_acq_rel(&arena->dirty[w], bits);
		note(&arena->drained[w], 0);
	}
}

int journal_drain(struct journal *j, bool *ret_some)
{
	struct arena *arena = j->actor->arena;
	uint32_t words = word_count(arena);
	int r = 0;

	for (uint32_t w = 0; w < words; w++) {
		/* relaxed: a bit that we miss is found in the next round */
		uint64_t bits = load_relaxed(&arena->dirty[w]);
		if (bits == 0)
			continue;
		*ret_some = true;
		/* before the bits are no longer dirty */
		note(&arena->drained[w], load_relaxed(&arena->drained[w]) | bits);
		(void)__atomic_fetch_and(&arena->dirty[w], ~bits, __ATOMIC_ACQ_REL);
	}
	if (!*ret_some)
		return 0;
	/* a writer that still saw a bit which we cleared had made its change visible. pairs [J1] */
	fence_full();
	for (uint32_t w = 0; w < words && r == 0; w++) {
		for (uint64_t bits = arena->drained[w]; bits != 0 && r == 0; bits &= bits - 1) {
			uint32_t number = w * 64 + (uint32_t)__builtin_ctzll(bits);
			if (number < arena->max_carts && (r = put_slot(j, number)) > 0)
				r = 0; /* the last record remains valid */
		}
	}
	return r;
}

void journal_forget_drained(struct arena *arena)
{
	for (uint32_t w = 0; w < word_count(arena); w++)
		if (load_relaxed(&arena->drained[w]) != 0)
			note(&arena->drained[w], 0);
}

/* ------------------------------------------------------------------- files */

/*
 * Take over the last file, if it is of this arena and has only its head: a recovery leaves one, and
 * so does an agent that had nothing to write.
 */
static bool take_over_file(struct journal *j, struct journal_head *ret_head)
{
	const struct arena_header *h = j->actor->arena->header;
	struct journal_reader reader;
	char name[JOURNAL_NAME_BYTES];

	if (journal_reader_open(j->dir_fd, j->number, &reader) < 0)
		return false;
	bool ours = reader.file_bytes == JOURNAL_HEADS_BYTES &&
		    memcmp(reader.head.lineage, h->uuid, sizeof(h->uuid)) == 0 &&
		    reader.head.version_epoch == h->version_epoch;
	*ret_head = reader.head;
	journal_reader_close(&reader);
	if (!ours)
		return false;
	journal_name(j->number, name);
	j->fd = openat(j->dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (j->fd >= 0 && fsync(j->fd) == 0 && fsync(j->dir_fd) == 0)
		return true; /* its agent may have died before this sync */
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	return false;
}

/* Begin the next file; with a base, unless it continues where the last one ended. */
int journal_begin_file(struct journal *j, bool base)
{
	struct journal_head head;

	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	if (j->dir_fd >= 0)
		close(j->dir_fd);
	/* it may be another directory by now */
	j->dir_fd = journal_open_directory(j->agent->dir_fd, true);
	if (j->dir_fd < 0)
		return j->dir_fd;
	uint64_t last = 0;
	int r = journal_tidy(j->dir_fd, &last);
	if (r < 0)
		return r;
	j->number = max_u64(j->number, last); /* recovery orders files by their heads' numbers */
	if (!take_over_file(j, &head)) {
		j->fd = journal_create(j->agent->dir_fd, j->dir_fd, ++j->number, j->actor->arena,
				       &head);
		if (j->fd < 0)
			return j->fd;
	}
	j->nonce = head.nonce;
	j->offset = JOURNAL_HEADS_BYTES;
	j->begun = j->let_go = 0;
	j->fill = 0;
	j->base_pending = base;
	j->synced_offset = 0;
	j->base_at = 0;
	journal_end_carrying(j);
	if (!base) {
		j->ends_to = load_relaxed(&j->actor->arena->header->ends_journaled);
	} else {
		j->after_base = 0;
		j->ends_to = 0;
		memset(j->cursors, 0, sizeof(j->cursors));
		memset(j->marks, 0, j->actor->arena->max_carts * sizeof(*j->marks));
	}
	j->cursors_known = base; /* a base has none but those in it */
	journal_note_file(j->actor->arena->header, &head);
	return 0;
}

void journal_remove_older(const struct journal *j)
{
	uint64_t *numbers = NULL;
	int count = journal_list(j->dir_fd, &numbers);
	char name[JOURNAL_NAME_BYTES];
	uint32_t format;

	for (int i = 0; i < count && numbers[i] < j->number; i++) {
		if (journal_is_foreign(j->dir_fd, numbers[i], &format))
			continue;
		journal_name(numbers[i], name);
		(void)unlinkat(j->dir_fd, name, 0);
	}
	free(numbers);
	(void)fsync(j->dir_fd);
}

/* Is the BASE record where a reader finds it, and is there no later file? */
static int read_back(const struct journal *j, struct journal_reader *reader)
{
	struct journal_record record;
	const void *payload;
	uint64_t offset, *numbers = NULL;

	if (reader->head.nonce != j->nonce)
		return -ESTALE;
	reader->offset = j->base_over_at;
	int r = journal_reader_next(reader, &record, &payload, &offset);
	if (r == 0 && record.kind != JOURNAL_BASE)
		r = -EBADMSG;
	int count = r == 0 ? journal_list(j->dir_fd, &numbers) : r;
	for (int i = 0; i < count && r == 0; i++) {
		struct journal_reader other;
		if (numbers[i] <= j->number ||
		    journal_reader_open(j->dir_fd, numbers[i], &other) < 0)
			continue;
		journal_reader_close(&other);
		r = -EEXIST;
	}
	free(numbers);
	return count < 0 ? count : r;
}

int journal_prove_base(const struct journal *j)
{
	struct journal_reader reader;

	int r = journal_reader_open(j->dir_fd, j->number, &reader);
	if (r == 0) {
		r = read_back(j, &reader);
		journal_reader_close(&reader);
	}
	if (r < 0)
		log_line(LOG_ERROR,
			 "the journal's file %012llu is not read back as it was written: %s",
			 (unsigned long long)j->number, strerror(-r));
	return r < 0 ? -EIO : 0;
}

int journal_base_slots(struct journal *j, bool *ret_over)
{
	const struct arena *arena = j->actor->arena;
	uint32_t high =
		(uint32_t)min_u64(load_acquire(&arena->header->slots_used_high), arena->max_carts);
	uint64_t stop = j->after_base + j->agent->options->journal_bytes / 2;
	int r = 0;

	for (uint32_t i = 0; i < BASE_SLOTS && j->base_at < high && j->after_base < stop && r == 0;
	     i++, j->base_at++)
		/* a marked slot is already in this file; an empty one needs no record in it */
		if (j->marks[j->base_at] == 0 &&
		    load_relaxed(&arena->slots[j->base_at].current) != 0 &&
		    (r = put_slot(j, j->base_at)) > 0)
			r = journal_carry_over(j, j->base_at);
	if (r < 0 || j->base_at < high)
		return r;
	*ret_over = true;
	return arena_withdrawn(arena) ? -ESTALE : 0;
}

int journal_put_base(struct journal *j)
{
	const struct arena *arena = j->actor->arena;
	uint64_t greatest = 0;

	for (uint32_t i = 0; i <= arena->bucket_mask; i++)
		greatest = max_u64(greatest, load_relaxed(&arena->buckets[i].version_floor));
	j->base_over_at = j->offset + j->fill;
	return journal_append(j, JOURNAL_BASE, 0, 0, &greatest, sizeof(greatest));
}
