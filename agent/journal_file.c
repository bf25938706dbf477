/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_file.c: see journal_file.h. It reads with pread(): an I/O error is an error code, never a
 * signal.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "arena/access.h"
#include "aside.h"
#include "base/atomic.h"
#include "base/hash.h"
#include "corral.h"
#include "journal_file.h"
#include "undumped.h"

#define RECORD_BYTES_MAX (sizeof(struct journal_record) + JOURNAL_PAYLOAD_MAX)
#define NAME_DIGITS 12
#define WINDOW_BYTES (RECORD_BYTES_MAX + (1u << 20))
#define PART_BYTES 4096u /* the unit of unreadable data on a disk */
#define SKIP_TRIES 10000u

uint32_t journal_record_check(const struct journal_record *record, uint64_t nonce, uint64_t offset)
{
	return (uint32_t)XXH3_64bits_withSeed(record, offsetof(struct journal_record, check),
					      nonce + offset);
}

uint64_t journal_record_sum(const struct journal_record *record, const void *payload,
			    uint64_t nonce, uint64_t offset)
{
	uint64_t sum =
		XXH3_64bits_withSeed(record, offsetof(struct journal_record, sum), nonce + offset);

	return record->size > 0 ? XXH3_64bits_withSeed(payload, record->size, sum) : sum;
}

uint64_t journal_head_sum(const struct journal_head *head)
{
	return XXH3_64bits(head, offsetof(struct journal_head, sum));
}

void journal_name(uint64_t number, char name[JOURNAL_NAME_BYTES])
{
	assert(number <= JOURNAL_NUMBER_MAX);
	snprintf(name, JOURNAL_NAME_BYTES, "%0*llu", NAME_DIGITS,
		 (unsigned long long)min_u64(number, JOURNAL_NUMBER_MAX));
}

int journal_open_directory(int dir_fd, bool create)
{
	int fd = access_enter(dir_fd, JOURNAL_DIRECTORY, create ? TRUST_MAKE : 0, NULL);

	/*
	 * The directory's name is synced even if the directory was there: the agent that made it
	 * may have died before it did this, and what is synced in it would be lost with the name.
	 */
	if (fd >= 0 && create && fsync(dir_fd) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

/* Write a file's heads, and sync both the file and its name. */
static int write_heads(int fd, int journal_fd, const struct journal_head *head)
{
	const struct journal_head heads[] = { *head, *head };
	ssize_t n = pwrite(fd, heads, sizeof(heads), 0);

	static_assert(sizeof(heads) == JOURNAL_HEADS_BYTES, "two");
	if (n != (ssize_t)sizeof(heads))
		return n < 0 ? -errno : -ENOSPC;
	return fdatasync(fd) < 0 || fsync(journal_fd) < 0 ? -errno : 0;
}

/* A file's length in the unit of journal_head.former: 8 bytes. */
static uint32_t units(uint64_t bytes)
{
	return (uint32_t)(bytes / 8);
}

bool journal_was_cut(uint64_t bytes, const struct journal_head *next)
{
	return next->former != 0 && (int32_t)(next->former - units(bytes)) > 0;
}

/*
 * Returns the length of this file for the head of the next one, in that head's unit. The length has
 * to be on disk before that head is: otherwise a power loss might make the file shorter, as if it
 * had been cut. 0 (not known) after an error: a sync that failed is never tried again.
 */
static uint32_t measure_former(int journal_fd, uint64_t number, const struct arena_header *h)
{
	struct journal_reader reader = { .fd = -1 };
	uint32_t former = 0;

	if (number == 0 || load_relaxed(&h->journal_error) != 0 ||
	    journal_reader_open(journal_fd, number, &reader) < 0)
		return 0;
	if (memcmp(reader.head.lineage, h->uuid, sizeof(h->uuid)) == 0 && fsync(reader.fd) == 0)
		former = units(reader.file_bytes);
	journal_reader_close(&reader);
	return former;
}

int journal_create(int dir_fd, int journal_fd, uint64_t number, const struct arena *arena,
		   struct journal_head *ret_head)
{
	const struct arena_header *h = arena->header;
	struct journal_head head = { .magic = JOURNAL_MAGIC,
				     .format = JOURNAL_FORMAT,
				     .currency = (uint16_t)load_relaxed(&h->currency),
				     .byte_order = LAYOUT_BYTE_ORDER,
				     .number = (uint32_t)number,
				     .hash_seed = h->hash_seed,
				     .arena_bytes = arena->bytes,
				     .ttl_ns = load_relaxed(&h->ttl_ns),
				     .max_carts = arena->max_carts,
				     .version_epoch = load_relaxed(&h->version_epoch),
				     .created_ms = arena_wall_ms() };
	char name[JOURNAL_NAME_BYTES];

	if (number > JOURNAL_NUMBER_MAX)
		return -EOVERFLOW;
	if (getrandom(&head.nonce, sizeof(head.nonce), 0) != (ssize_t)sizeof(head.nonce))
		return -EIO;
	memcpy(head.lineage, h->uuid, sizeof(head.lineage));
	head.former = measure_former(journal_fd, number - 1, h);
	head.sum = journal_head_sum(&head);
	journal_name(number, name);
	int fd = openat(journal_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)access_share(dir_fd, fd);
	int r = write_heads(fd, journal_fd, &head);
	if (r < 0) {
		close(fd);
		(void)unlinkat(journal_fd, name, 0);
		return r;
	}
	*ret_head = head;
	return fd;
}

/*
 * A death between two of these stores leaves the lengths valid for the former file, or for this
 * one: the nonce says which.
 */
void journal_note_file(struct arena_header *h, const struct journal_head *head)
{
	store_release(&h->journal_bytes, JOURNAL_HEADS_BYTES);
	store_release(&h->journal_end, UINT64_MAX);
	store_release(&h->journal_nonce, head->nonce);
	store_release(&h->journal_number, head->number);
	store_release(&h->journal_end, JOURNAL_HEADS_BYTES);
}

/* ------------------------------------------------------------------- read */

int journal_read(int fd, void *buffer, size_t size, uint64_t offset)
{
	for (size_t done = 0; done < size;) {
		ssize_t n =
			pread(fd, (uint8_t *)buffer + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

/* Is this a sound head of a journal file, in this format or another one? */
static bool is_any_head(const struct journal_head *head)
{
	return head->magic == JOURNAL_MAGIC && head->sum == journal_head_sum(head);
}

/*
 * Is this a sound head of our format and this number? The slots of its arena must fit into that
 * arena: such a number is wrong even if the sum is right.
 */
static bool is_head(const struct journal_head *head, uint64_t number)
{
	return is_any_head(head) && head->format == JOURNAL_FORMAT &&
	       head->byte_order == LAYOUT_BYTE_ORDER && head->number == number &&
	       head->max_carts <= head->arena_bytes / sizeof(struct slot);
}

/*
 * Read the first head, or the second one if the first one is damaged. *ret_second: which. 0, with a
 * head of some format and number; -EPROTO: both are damaged; other -errno.
 */
static int read_head(int fd, struct journal_head *ret_head, bool *ret_second)
{
	struct journal_head heads[2];
	int r = journal_read(fd, &heads[0], sizeof(heads[0]), 0);

	*ret_second = r == 0 && !is_any_head(&heads[0]);
	if (*ret_second)
		r = journal_read(fd, &heads[1], sizeof(heads[1]), sizeof(heads[0]));
	if (r == -ENODATA && *ret_second)
		return -EPROTO;
	if (r == 0)
		*ret_head = heads[*ret_second];
	return r < 0 || is_any_head(ret_head) ? r : -EPROTO;
}

int journal_reader_open(int journal_fd, uint64_t number, struct journal_reader *ret_reader)
{
	struct journal_reader reader = { 0 };
	char name[JOURNAL_NAME_BYTES];
	struct stat st;

	journal_name(number, name);
	reader.fd = openat(journal_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (reader.fd < 0) /* ELOOP: it is a symbolic link; ENXIO: a socket */
		return errno == ELOOP || errno == ENXIO ? -EISDIR : -errno;
	int r = fstat(reader.fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EISDIR;
	if (r == 0)
		r = read_head(reader.fd, &reader.head, &reader.spare);
	if (r == 0 && !is_head(&reader.head, number))
		r = -EPROTO;
	if (r == -EPROTO && st.st_size <= (off_t)JOURNAL_HEADS_BYTES)
		r = -ENODATA;
	if (r == 0) {
		(void)posix_fadvise(reader.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
		reader.file_bytes = (uint64_t)st.st_size;
		reader.offset = JOURNAL_HEADS_BYTES;
		reader.window = undumped_alloc(WINDOW_BYTES);
		r = reader.window != NULL ? 0 : -ENOMEM;
	}
	if (r < 0) {
		free(reader.window);
		close(reader.fd);
		return r;
	}
	*ret_reader = reader;
	return 0;
}

bool journal_is_foreign(int journal_fd, uint64_t number, uint32_t *ret_format)
{
	struct journal_head head;
	char name[JOURNAL_NAME_BYTES];
	bool second;

	journal_name(number, name);
	int fd = openat(journal_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	int r = read_head(fd, &head, &second);
	close(fd);
	if (r < 0 || head.format == JOURNAL_FORMAT)
		return false;
	*ret_format = head.format;
	return true;
}

int journal_refuse_foreign(int dir_fd, uint32_t *ret_format, char *why)
{
	uint64_t *numbers = NULL;
	int journal_fd = journal_open_directory(dir_fd, false);
	uint32_t format = 0;
	bool foreign = false;

	if (journal_fd < 0)
		return 0; /* a caller that needs it reports the error */
	int count = journal_list(journal_fd, &numbers);
	for (int i = 0; numbers != NULL && i < count && !foreign; i++)
		foreign = journal_is_foreign(journal_fd, numbers[i], &format);
	free(numbers);
	close(journal_fd);
	if (!foreign)
		return 0;
	*ret_format = format;
	return reason_set(
		why, -EPROTONOSUPPORT,
		"the journal has format %u, this program's is %u: another version of Corral "
		"wrote it: install "
		"that version, or run corral-agent --upgrade, which puts the journal aside "
		"if the arena has all carts",
		format, JOURNAL_FORMAT);
}

void journal_reader_close(struct journal_reader *reader)
{
	free(reader->window);
	close(reader->fd);
}

/* Read in small parts; zeroes replace those that cannot be read. */
static void read_what_can_be(struct journal_reader *reader, uint64_t offset, size_t size)
{
	for (size_t done = 0, part; done < size; done += part) {
		part = (size_t)min_u64(size - done, PART_BYTES - (offset + done) % PART_BYTES);
		if (journal_read(reader->fd, reader->window + done, part, offset + done) < 0)
			memset(reader->window + done, 0, part);
	}
}

static bool is_in_window(const struct journal_reader *reader, uint64_t offset, size_t size)
{
	return offset >= reader->window_at &&
	       offset + size <= reader->window_at + reader->window_bytes;
}

/*
 * A pointer to these bytes, which must lie within the file; valid until the window moves. At most
 * RECORD_BYTES_MAX.
 */
static int look_at(struct journal_reader *reader, uint64_t offset, size_t size,
		   const uint8_t **ret_bytes)
{
	if (!is_in_window(reader, offset, size)) {
		size_t bytes = (size_t)min_u64(WINDOW_BYTES, reader->file_bytes - offset);
		reader->window_bytes = 0;
		int r = journal_read(reader->fd, reader->window, bytes, offset);
		if (r == -EIO && reader->salvage)
			read_what_can_be(reader, offset, bytes);
		else if (r < 0)
			return r;
		reader->window_at = offset;
		reader->window_bytes = bytes;
	}
	*ret_bytes = reader->window + (offset - reader->window_at);
	return 0;
}

/* Are its kind, size and slot those of a record that was written at this offset? */
static bool is_plausible(const struct journal_reader *reader, uint64_t offset,
			 const struct journal_record *record)
{
	return record->kind >= JOURNAL_CART && record->kind <= JOURNAL_CURSOR &&
	       record->size <= JOURNAL_PAYLOAD_MAX && record->reserved == 0 &&
	       record->check == journal_record_check(record, reader->head.nonce, offset);
}

static int record_at(struct journal_reader *reader, uint64_t offset,
		     struct journal_record *ret_record, const void **ret_payload)
{
	struct journal_record record;
	const uint8_t *bytes;

	if (reader->file_bytes - offset < sizeof(record))
		return -EBADMSG;
	int r = look_at(reader, offset, sizeof(record), &bytes);
	if (r < 0)
		return r;
	memcpy(&record, bytes, sizeof(record));
	if (!is_plausible(reader, offset, &record) ||
	    reader->file_bytes - offset < journal_record_bytes(record.size))
		return -EBADMSG;
	r = look_at(reader, offset, sizeof(record) + record.size, &bytes);
	if (r < 0)
		return r;
	if (record.sum !=
	    journal_record_sum(&record, bytes + sizeof(record), reader->head.nonce, offset))
		return -EBADMSG;
	*ret_record = record;
	*ret_payload = bytes + sizeof(record);
	return 0;
}

int journal_reader_next(struct journal_reader *reader, struct journal_record *ret_record,
			const void **ret_payload, uint64_t *ret_offset)
{
	if (reader->offset >= reader->file_bytes)
		return -ENODATA;
	int r = record_at(reader, reader->offset, ret_record, ret_payload);
	if (r < 0)
		return r;
	*ret_offset = reader->offset;
	reader->offset += journal_record_bytes(ret_record->size);
	return 0;
}

/* Skip a hole at once: no record begins in one, and a hole of terabytes costs no disk space. */
static uint64_t behind_hole(const struct journal_reader *reader, uint64_t offset)
{
	off_t data = lseek(reader->fd, (off_t)offset, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? reader->file_bytes : offset;
	return max_u64(offset, (uint64_t)data & ~7ull);
}

bool journal_reader_was_one(struct journal_reader *reader, uint64_t from,
			    struct journal_record *ret_record)
{
	struct journal_record record;
	const uint8_t *bytes;

	if (reader->offset - from < sizeof(record) ||
	    look_at(reader, from, sizeof(record), &bytes) < 0)
		return false;
	memcpy(&record, bytes, sizeof(record));
	if (!is_plausible(reader, from, &record) ||
	    from + journal_record_bytes(record.size) != reader->offset)
		return false;
	*ret_record = record;
	return true;
}

bool journal_reader_lacks_clock(struct journal_reader *reader, uint64_t from)
{
	const uint64_t left = reader->file_bytes - from;
	struct journal_record record = { 0 };
	const uint8_t *bytes;

	if (left > journal_record_bytes(sizeof(uint64_t)) ||
	    left < offsetof(struct journal_record, time_ns) ||
	    look_at(reader, from, (size_t)left, &bytes) < 0)
		return false;
	memcpy(&record, bytes, offsetof(struct journal_record, time_ns));
	if (is_plausible(reader, from, &record))
		return record.kind == JOURNAL_CLOCK;
	return left == journal_record_bytes(sizeof(uint64_t));
}

int journal_reader_skip(struct journal_reader *reader)
{
	/*
	 * How often a sum is computed over what looks like a record: bytes that were made to look
	 * like records everywhere would otherwise take hours.
	 */
	uint32_t tries = SKIP_TRIES;
	struct journal_record record;
	const uint8_t *bytes;
	const void *payload;

	for (reader->offset += 8; reader->offset + sizeof(record) <= reader->file_bytes;
	     reader->offset += 8) {
		if (!is_in_window(reader, reader->offset, sizeof(record)))
			reader->offset = behind_hole(reader, reader->offset);
		if (reader->offset + sizeof(record) > reader->file_bytes)
			break;
		int r = look_at(reader, reader->offset, sizeof(record), &bytes);
		if (r < 0)
			return r;
		memcpy(&record, bytes, sizeof(record));
		if (!is_plausible(reader, reader->offset, &record))
			continue;
		if (tries-- == 0)
			break;
		r = record_at(reader, reader->offset, &record, &payload);
		if (r != -EBADMSG)
			return r;
	}
	reader->offset = reader->file_bytes;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_digits(const char *name)
{
	return name[0] != '\0' && strspn(name, "0123456789") == strlen(name);
}

static bool is_name(const char *name, uint64_t *ret_number)
{
	if (!is_digits(name) || strlen(name) != NAME_DIGITS)
		return false;
	*ret_number = strtoull(name, NULL, 10);
	return *ret_number > 0 && *ret_number <= JOURNAL_NUMBER_MAX;
}

int journal_list(int journal_fd, uint64_t **ret_numbers)
{
	uint64_t *numbers = NULL;
	uint64_t number;
	int count = 0;

	int fd = openat(journal_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL)
		return -errno;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (!is_name(entry->d_name, &number))
			continue;
		uint64_t *more = realloc(numbers, ((size_t)count + 1) * sizeof(*numbers));
		if (more == NULL) {
			free(numbers);
			closedir(dir);
			return -ENOMEM;
		}
		numbers = more;
		numbers[count++] = number;
	}
	closedir(dir);
	if (count > 0)
		qsort(numbers, (size_t)count, sizeof(*numbers), by_number);
	*ret_numbers = numbers;
	return count;
}

/* ------------------------------------------------------------------- tidy */

/* Rename within the directory itself, which may be a file system of its own. */
static void set_aside(int journal_fd, const char *name)
{
	char stray[NAME_MAX + 1] = "";

	int r = aside_rename(journal_fd, name, name, ".stray", stray);
	if (r < 0)
		log_line(LOG_WARNING, "journal/%s is no file of the journal, and stays there: %s",
			 name, strerror(-r));
	else
		log_line(LOG_WARNING, "journal/%s is no file of the journal: it is now journal/%s",
			 name, stray);
}

/*
 * Examine an entry named in digits. Returns its number if it is, or may be, a file of the journal;
 * else 0.
 */
static uint64_t look_at_name(int journal_fd, const char *name)
{
	struct journal_reader reader = { .fd = -1 };
	uint64_t number;
	uint32_t format;

	if (!is_name(name, &number)) {
		set_aside(journal_fd, name);
		return 0;
	}
	int r = journal_reader_open(journal_fd, number, &reader);
	if (r == 0)
		journal_reader_close(&reader);
	if (r == -ENODATA)
		(void)unlinkat(journal_fd, name, 0); /* left by a dead agent, and empty */
	if (r == -ENODATA || r == -ENOENT)
		return 0;
	if ((r == -EPROTO && !journal_is_foreign(journal_fd, number, &format)) || r == -EISDIR) {
		set_aside(journal_fd, name);
		return 0;
	}
	return number; /* also of a file that cannot be read now */
}

static int is_in_digits(const struct dirent *entry)
{
	return is_digits(entry->d_name);
}

int journal_tidy(int journal_fd, uint64_t *ret_last)
{
	struct dirent **entries;
	uint64_t last = 0;

	int count = scandirat(journal_fd, ".", &entries, is_in_digits, alphasort);
	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		last = max_u64(last, look_at_name(journal_fd, entries[i]->d_name));
		free(entries[i]);
	}
	free(entries);
	*ret_last = last;
	return 0;
}
