/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutate_damage.c: damages a directory's files, one thing at a time, and says which copies
 * (mutate.h) the damage spares.
 *
 * A copy in a journal's file is spared if neither its bytes nor both of the file's heads, its name
 * and its length up to there were touched; one in the arena if its block was not. Where no arena
 * says how much of the last file had been synced, its last round may have been torn by the power:
 * what is behind its first damaged record is not spared.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mutate.h"

#include "arena/arena.h"
#include "base/hash.h"
#include "cart_seal.h"
#include "journal_file.h"

#define HUGE_BYTES (1ull << 40)
#define SOME_BYTES 4096u
#define PATCH_BYTES 64u

struct file {
	struct damage *damage;
	uint64_t number;
	int fd;
	uint64_t bytes;
};

__attribute__((format(printf, 2, 3))) static void tell(struct damage *damage, const char *format,
						       ...)
{
	size_t used = strlen(damage->text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(damage->text + used, sizeof(damage->text) - used, format, arguments);
	va_end(arguments);
}

static void touch(struct damage *damage, uint64_t number, uint64_t from, uint64_t to)
{
	must(damage->touched_count < TOUCHED_MAX);
	damage->touched[damage->touched_count++] = (struct touched){ number, from, to };
}

static uint32_t below(const struct damage *damage, uint32_t bound)
{
	return mutate_below(damage->random, bound);
}

static uint64_t below_long(const struct damage *damage, uint64_t bound)
{
	return bound > 0 ? mutate_random(damage->random) % bound : 0;
}

/* -------------------------------------------------------------------- bytes */

static void put(struct file *file, uint64_t at, const void *bytes, uint64_t size)
{
	must(pwrite(file->fd, bytes, size, (off_t)at) == (ssize_t)size);
	touch(file->damage, file->number, at, at + size);
}

static void flip_bit(struct file *file, uint64_t from, uint64_t to)
{
	uint64_t at = from + below_long(file->damage, to - from);
	uint8_t byte = 0;

	if (pread(file->fd, &byte, 1, (off_t)at) != 1)
		return;
	byte ^= (uint8_t)(1u << below(file->damage, 8));
	put(file, at, &byte, 1);
	tell(file->damage, " a bit at %llu;", (unsigned long long)at);
}

static void patch(struct file *file, uint64_t from, uint64_t to)
{
	static const uint8_t fills[] = { 0, 0xff };
	uint64_t at = from + below_long(file->damage, to - from);
	uint64_t size = 1 + below(file->damage, PATCH_BYTES);
	uint32_t how = below(file->damage, 4);
	uint8_t bytes[PATCH_BYTES];

	if (size > to - at)
		size = to - at;
	for (uint64_t i = 0; i < size; i++)
		bytes[i] = how < 2 ? fills[how] : (uint8_t)mutate_random(file->damage->random);
	put(file, at, bytes, size);
	tell(file->damage, " %llu bytes at %llu;", (unsigned long long)size,
	     (unsigned long long)at);
}

/* Set an aligned word to a number that may have a meaning there. */
static void set_word(struct file *file, uint64_t from, uint64_t to)
{
	static const uint64_t words[] = { 0,
					  1,
					  2,
					  3,
					  63,
					  64,
					  65,
					  0x7fffffff,
					  0x80000000,
					  UINT32_MAX,
					  INT64_MAX,
					  UINT64_MAX,
					  UINT64_MAX - 1,
					  1ull << 40 };
	uint32_t width = below(file->damage, 2) == 0 ? 4 : 8;
	uint64_t at = (from + below_long(file->damage, to - from)) & ~7ull;
	uint64_t word = below(file->damage, 3) != 0 ?
				words[below(file->damage, sizeof(words) / sizeof(words[0]))] :
				below(file->damage, 1 << 16);

	if (at < from || at + width > to)
		return;
	put(file, at, &word, width);
	tell(file->damage, " the word at %llu;", (unsigned long long)at);
}

static void set_page(struct file *file, uint64_t from, uint64_t to)
{
	uint64_t at = (from + below_long(file->damage, to - from)) & ~(uint64_t)(SOME_BYTES - 1);
	static uint8_t page[SOME_BYTES];
	uint64_t size = to - at < SOME_BYTES ? to - at : SOME_BYTES;

	if (below(file->damage, 2) == 0) {
		memset(page, below(file->damage, 2) == 0 ? 0 : 0xff, sizeof(page));
	} else { /* one of another place */
		uint64_t other =
			below_long(file->damage, file->bytes) & ~(uint64_t)(SOME_BYTES - 1);
		memset(page, 0, sizeof(page));
		if (pread(file->fd, page, sizeof(page), (off_t)other) < 0)
			return;
	}
	put(file, at, page, size);
	tell(file->damage, " the page at %llu;", (unsigned long long)at);
}

static bool is_last(const struct file *file)
{
	const struct life *life = file->damage->life;

	return file->number == life->files[life->file_count - 1];
}

static void set_length(struct file *file)
{
	uint64_t length = below_long(file->damage, file->bytes);
	uint64_t whole[] = { 0, JOURNAL_HEADS_BYTES, HUGE_BYTES, file->bytes & ~4095ull };

	if (below(file->damage, 2) == 0)
		length = whole[below(file->damage, 4)];
	if (ftruncate(file->fd, (off_t)length) < 0)
		return;
	tell(file->damage, " length %llu;", (unsigned long long)length);
	if (length < file->bytes)
		touch(file->damage, file->number, length, file->bytes);
	/* of an earlier file the next one says how long it was */
	file->damage->cut |= length < file->bytes && is_last(file);
	file->bytes = length;
}

static void make_hole(struct file *file, uint64_t from, uint64_t to)
{
	uint64_t at = from + below_long(file->damage, to - from);
	uint64_t size = 1 + below_long(file->damage, to - at);

	if (fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
		      (off_t)size) < 0)
		return;
	touch(file->damage, file->number, at, at + size);
	tell(file->damage, " a hole at %llu, of %llu;", (unsigned long long)at,
	     (unsigned long long)size);
}

static void change_bytes(struct file *file, uint64_t from, uint64_t to)
{
	if (to > file->bytes)
		to = file->bytes;
	if (from >= to)
		return;
	switch (below(file->damage, 8)) {
	case 0:
	case 1:
		flip_bit(file, from, to);
		break;
	case 2:
	case 3:
		patch(file, from, to);
		break;
	case 4:
	case 5:
		set_word(file, from, to);
		break;
	case 6:
		set_page(file, from, to);
		break;
	default:
		if (below(file->damage, 2) == 0)
			make_hole(file, from, to);
		else
			set_length(file);
		break;
	}
}

static bool open_file(struct file *file, struct damage *damage, uint64_t number, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	*file = (struct file){ damage, number, fd, 0 };
	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
	    st.st_size >= (off_t)HUGE_BYTES) {
		close(fd);
		return false;
	}
	file->bytes = (uint64_t)st.st_size;
	return true;
}

void damage_file(struct damage *damage, const char *path)
{
	struct file file;

	if (!open_file(&file, damage, UINT64_MAX, path))
		return;
	change_bytes(&file, 0, file.bytes);
	close(file.fd);
}

/* --------------------------------------------------------------------- arena */

static void seal_header(struct file *file)
{
	uint8_t constant[offsetof(struct arena_header, boot_id)];
	uint64_t none = 0, sum;

	if (pread(file->fd, constant, sizeof(constant), 0) != sizeof(constant))
		return;
	memcpy(constant + offsetof(struct arena_header, header_sum), &none, sizeof(none));
	sum = XXH3_64bits(constant, sizeof(constant));
	must(pwrite(file->fd, &sum, sizeof(sum), offsetof(struct arena_header, header_sum)) == 8);
}

static const struct copy *some_cart(const struct damage *damage)
{
	for (uint32_t i = 0; i < 4 * CARTS_MAX; i++) {
		const struct said *said = &damage->life->said[below(damage, CARTS_MAX)];
		for (uint32_t k = 0; k < said->copy_count; k++)
			if (said->copies[k].number == ARENA_NUMBER)
				return &said->copies[k];
	}
	return NULL;
}

/* Recompute the sums of a cart's head. */
static void seal_cart(struct file *file, const struct copy *copy)
{
	static _Alignas(8) uint8_t bytes[CORRAL_CART_MAX];
	uint64_t at = copy->from + sizeof(struct block_header);
	ssize_t n = pread(file->fd, bytes, copy->to - at, (off_t)at);

	if (n != (ssize_t)(copy->to - at))
		return;
	cart_seal(bytes, (size_t)n);
	must(pwrite(file->fd, bytes, (size_t)n, (off_t)at) == n);
}

static void change_region(struct file *file, const struct arena_header *h)
{
	struct damage *damage = file->damage;
	const struct copy *cart = some_cart(damage);

	switch (below(damage, 12)) {
	case 0:
		tell(damage, " header:");
		change_bytes(file, 0, offsetof(struct arena_header, boot_id));
		break;
	case 1:
		tell(damage, " header's words:");
		change_bytes(file, offsetof(struct arena_header, gp_phase), HEADER_BYTES);
		break;
	case 2:
		tell(damage, " processes:");
		change_bytes(file, h->processes_at,
			     h->processes_at + 4 * sizeof(struct process_record));
		break;
	case 3:
		tell(damage, " threads:");
		change_bytes(file, h->threads_at, h->threads_at + 3 * sizeof(struct thread_record));
		break;
	case 4:
		tell(damage, " classes:");
		change_bytes(file, h->classes_at, h->dirty_at);
		break;
	case 5:
		tell(damage, " dirty bits and chains:");
		change_bytes(file, h->dirty_at, h->buckets_at);
		break;
	case 6:
		tell(damage, " buckets:");
		change_bytes(file, h->buckets_at, h->slots_at);
		break;
	case 7:
	case 8:
		tell(damage, " slots:");
		change_bytes(file, h->slots_at, h->slots_at + CARTS_MAX * sizeof(struct slot));
		break;
	case 9:
		tell(damage, " pages:");
		change_bytes(file, h->pages_at, h->pages_at + 64);
		break;
	case 10:
		tell(damage, " cart:");
		if (cart != NULL)
			change_bytes(file, cart->from, cart->to);
		break;
	default:
		tell(damage, " anywhere:");
		change_bytes(file, 0, file->bytes);
		break;
	}
}

/* Change something that has checksums, and make these right again. */
static void lie(struct file *file)
{
	struct damage *damage = file->damage;
	const struct copy *cart = some_cart(damage);
	uint64_t settings = offsetof(struct arena_header, boot_id);

	damage->lies = true;
	switch (below(damage, 3)) {
	case 0:
		tell(damage, " a header that lies:");
		change_bytes(file, offsetof(struct arena_header, max_carts), settings);
		seal_header(file);
		break;
	case 1:
		tell(damage, " settings:");
		change_bytes(file, settings, offsetof(struct arena_header, gp_phase));
		break;
	default:
		tell(damage, " a cart that lies:");
		if (cart == NULL)
			break;
		change_bytes(file, cart->from + sizeof(struct block_header),
			     cart->from + sizeof(struct block_header) + 200);
		seal_cart(file, cart);
		break;
	}
}

void damage_arena(struct damage *damage)
{
	char path[PATH_MAX];
	struct file file;

	if (!open_file(&file, damage, ARENA_NUMBER, files_path(path, damage->directory, "arena")))
		return;
	tell(damage, " arena:");
	if (damage->lies)
		lie(&file);
	else
		change_region(&file, &damage->life->header);
	close(file.fd);
}

void damage_boot(const char *directory, bool other_boot)
{
	char path[PATH_MAX];
	struct arena_header h;
	int fd = open(files_path(path, directory, "arena"), O_RDWR | O_CLOEXEC);

	must(fd >= 0 && pread(fd, &h, sizeof(h), 0) == sizeof(h));
	if (other_boot)
		h.boot_id[0] ^= 1;
	arena_own_file(&h, fd);
	must(pwrite(fd, &h, sizeof(h), 0) == sizeof(h));
	close(fd);
}

/* ------------------------------------------------------------------- journal */

static uint64_t some_number(const struct damage *damage)
{
	const struct life *life = damage->life;

	/* the last one above all */
	return below(damage, 2) == 0 ? life->files[life->file_count - 1] :
				       life->files[below(damage, life->file_count)];
}

static const char *number_path(char path[PATH_MAX], const struct damage *damage, uint64_t number)
{
	char name[JOURNAL_NAME_BYTES];

	journal_name(number, name);
	return files_path(path, damage->directory, JOURNAL_DIRECTORY "/%s", name);
}

/* Find some record by going from one to the next. Returns its offset; 0: there is none. */
static uint64_t some_record(const struct file *file, struct journal_record *ret_record)
{
	uint64_t at = JOURNAL_HEADS_BYTES, found = 0;
	struct journal_record record;
	uint32_t seen = 0;

	while (pread(file->fd, &record, sizeof(record), (off_t)at) == sizeof(record) &&
	       record.size <= CORRAL_CART_MAX) {
		if (below(file->damage, ++seen) == 0) {
			found = at;
			*ret_record = record;
		}
		at += journal_record_bytes(record.size);
	}
	return found;
}

static void lie_in_head(struct file *file)
{
	struct journal_head head;

	if (pread(file->fd, &head, sizeof(head), 0) != sizeof(head))
		return;
	tell(file->damage, " a head that lies:");
	change_bytes(file, offsetof(struct journal_head, number),
		     offsetof(struct journal_head, sum));
	if (pread(file->fd, &head, sizeof(head), 0) != sizeof(head))
		return;
	head.sum = journal_head_sum(&head);
	must(pwrite(file->fd, &head, sizeof(head), 0) == sizeof(head));
}

static void lie_in_record(struct file *file)
{
	static _Alignas(8) uint8_t payload[CORRAL_CART_MAX];
	struct journal_head head;
	struct journal_record record;
	uint64_t at = some_record(file, &record);
	uint32_t size = record.size;

	if (at == 0 || pread(file->fd, &head, sizeof(head), 0) != sizeof(head))
		return;
	tell(file->damage, " a record that lies:");
	change_bytes(file, at, at + (below(file->damage, 2) == 0 ? 24 : 24 + size));
	if (pread(file->fd, &record, sizeof(record), (off_t)at) != sizeof(record) ||
	    record.size > CORRAL_CART_MAX ||
	    pread(file->fd, payload, record.size, (off_t)(at + sizeof(record))) !=
		    (ssize_t)record.size)
		return;
	if (record.kind == JOURNAL_CART)
		cart_seal(payload, record.size);
	record.check = journal_record_check(&record, head.nonce, at);
	record.sum = journal_record_sum(&record, payload, head.nonce, at);
	must(pwrite(file->fd, &record, sizeof(record), (off_t)at) == sizeof(record));
	must(pwrite(file->fd, payload, record.size, (off_t)(at + sizeof(record))) ==
	     (ssize_t)record.size);
}

/* Append bytes to the file: zeros, garbage that looks like records, or a part of the file again. */
static void append(struct file *file)
{
	static uint8_t bytes[1 << 16];
	struct journal_record record = { .kind = JOURNAL_CART, .size = below(file->damage, 60000) };
	ssize_t n = sizeof(bytes);

	switch (below(file->damage, 3)) {
	case 0:
		n = pread(file->fd, bytes, sizeof(bytes), 0);
		break;
	case 1:
		for (size_t i = 0; i < sizeof(bytes); i += sizeof(record))
			memcpy(bytes + i, &record, sizeof(record));
		break;
	default:
		memset(bytes, 0, sizeof(bytes));
		break;
	}
	for (uint64_t i = 0, times = 1 + below(file->damage, 16); i < times && n > 0; i++)
		must(pwrite(file->fd, bytes, (size_t)n, (off_t)(file->bytes + i * (uint64_t)n)) ==
		     n);
	tell(file->damage, " more behind it;");
}

/* Swap a file with the one of another number, or rename it to that number. */
static void rename_file(struct damage *damage, uint64_t number)
{
	uint64_t other = below(damage, 2) == 0 ? some_number(damage) : 1 + below(damage, 1000);
	char from[PATH_MAX], to[PATH_MAX], spare[PATH_MAX];

	number_path(from, damage, number);
	number_path(to, damage, other);
	files_path(spare, damage->directory, "spare");
	if (other == number)
		return;
	damage->cut = true;
	touch(damage, number, 0, UINT64_MAX);
	touch(damage, other, 0, UINT64_MAX);
	if (below(damage, 2) == 0) {
		(void)rename(to, spare);
		(void)rename(from, to);
		(void)rename(spare, from);
	} else {
		(void)rename(from, to);
	}
	tell(damage, " file %llu as %llu;", (unsigned long long)number, (unsigned long long)other);
}

void damage_journal(struct damage *damage)
{
	uint64_t number = some_number(damage);
	struct journal_record record;
	char path[PATH_MAX];
	struct file file;

	if (!open_file(&file, damage, number, number_path(path, damage, number)))
		return;
	tell(damage, " journal %llu:", (unsigned long long)number);
	if (damage->lies) {
		if (below(damage, 3) == 0)
			lie_in_head(&file);
		else
			lie_in_record(&file);
		close(file.fd);
		return;
	}
	uint64_t at = some_record(&file, &record);
	switch (below(damage, 10)) {
	case 0:
		change_bytes(&file, 0, JOURNAL_HEADS_BYTES);
		break;
	case 1:
	case 2:
		if (at != 0)
			change_bytes(&file, at, at + sizeof(record));
		break;
	case 3:
	case 4:
		if (at != 0)
			change_bytes(&file, at, at + sizeof(record) + record.size);
		break;
	case 5:
		set_length(&file);
		break;
	case 6:
		append(&file);
		break;
	case 7:
		rename_file(damage, number);
		break;
	case 8:
		(void)unlink(path);
		touch(damage, number, 0, UINT64_MAX);
		damage->cut = true;
		tell(damage, " removed;");
		break;
	default:
		change_bytes(&file, 0, file.bytes);
		break;
	}
	close(file.fd);
}

/* --------------------------------------------------------------------- names */

/* Make something that is not one of our files. */
static void make_thing(struct damage *damage, const char *path)
{
	static const char *const kinds[] = { "a directory",       "a link",        "a pipe",
					     "a link to nothing", "an empty file", "a file" };
	uint32_t kind = below(damage, 6);
	int fd = -1;

	tell(damage, " %s", kinds[kind]);
	switch (kind) {
	case 0:
		(void)mkdir(path, 0770);
		break;
	case 1:
		(void)symlink("/etc/hostname", path);
		break;
	case 2:
		(void)mkfifo(path, 0660);
		break;
	case 3:
		(void)symlink("nowhere", path);
		break;
	default:
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0660);
		break;
	}
	if (kind == 5 && fd >= 0)
		(void)!write(fd, path, strlen(path));
	if (fd >= 0)
		close(fd);
}

static void clutter(struct damage *damage)
{
	static const char *const names[] = { "journal/000000999999",
					     "journal/999999999999",
					     "journal/1",
					     "journal/.000000000001",
					     "journal/000000000001.x",
					     "journal.damaged.1",
					     "journal.damaged.1/000000000001",
					     "journal.damaged.\n\x1b[2J",
					     "arena.damaged.1",
					     "arena.former",
					     ".rebuild",
					     ".rebuild/complete",
					     ".rebuild/arena",
					     ".arena.new",
					     "agent.log",
					     "agent.sock",
					     "journal.hopeless.1",
					     "complete",
					     "-rf",
					     "\xff\xfe" };
	const char *name = names[below(damage, sizeof(names) / sizeof(names[0]))];
	char path[PATH_MAX];

	tell(damage, " clutter:");
	make_thing(damage, files_path(path, damage->directory, "%s", name));
	tell(damage, " %s;", name[0] > ' ' && name[0] <= '~' ? name : "odd");
}

/* Let one of the names that matter stand for something else; its former file is kept beside it. */
static void take_name(struct damage *damage)
{
	static const char *const names[] = { "arena", "journal", "lock" };
	const char *name = names[below(damage, 3)];
	char path[PATH_MAX], aside[PATH_MAX];

	files_path(path, damage->directory, "%s", name);
	files_path(aside, damage->directory, "was.%s", name);
	if (access(aside, F_OK) == 0 || rename(path, aside) < 0)
		return;
	tell(damage, " %s:", name);
	for (uint32_t i = 0; i < damage->life->file_count && strcmp(name, "journal") == 0; i++)
		touch(damage, damage->life->files[i], 0, UINT64_MAX);
	if (strcmp(name, "journal") == 0)
		damage->cut = true;
	if (strcmp(name, "arena") == 0)
		touch(damage, ARENA_NUMBER, 0, UINT64_MAX);
	make_thing(damage, path);
	tell(damage, ";");
}

void damage_names(struct damage *damage)
{
	char path[PATH_MAX];

	if (below(damage, 3) == 0)
		take_name(damage);
	else
		clutter(damage);
	if (below(damage, 8) == 0) {
		static const mode_t modes[] = { 0, 0400, 0666, 0777 };
		tell(damage, " modes;");
		(void)chmod(files_path(path, damage->directory,
				       below(damage, 2) == 0 ? "arena" : "lock"),
			    modes[below(damage, 4)]);
	}
}

/* -------------------------------------------------------------------- spared */

static bool is_touched(const struct damage *damage, uint64_t number, uint64_t from, uint64_t to)
{
	for (uint32_t i = 0; i < damage->touched_count; i++) {
		const struct touched *touched = &damage->touched[i];
		if (touched->number == number && touched->from < to && from < touched->to)
			return true;
	}
	return false;
}

/*
 * Where the last file ends for a reader: where the round of its first damaged record begins, unless
 * a whole CLOCK and after it a whole record follow.
 */
static uint64_t torn_at(const struct damage *damage)
{
	const struct life *life = damage->life;
	uint64_t number = life->files[life->file_count - 1], from = UINT64_MAX, round = 0;
	bool clock = false;

	for (uint32_t i = 0; i < life->record_count; i++) {
		const struct at *at = &life->records[i];
		if (is_touched(damage, number, at->from, at->to)) {
			from = from == UINT64_MAX ? round : from;
		} else if (from == UINT64_MAX) {
			round = at->is_clock ? at->to : round;
		} else if (from != UINT64_MAX) {
			if (clock)
				return UINT64_MAX;
			clock = at->is_clock;
		}
	}
	return from;
}

/* Does the arena say how much of the last file was synced? */
static bool arena_says(const struct damage *damage)
{
	return !is_touched(damage, ARENA_NUMBER, offsetof(struct arena_header, journal_nonce),
			   offsetof(struct arena_header, journal_end)) &&
	       !is_touched(damage, ARENA_NUMBER, HEADER_BYTES - 1, HEADER_BYTES);
}

/* Both. */
static bool are_heads_touched(const struct damage *damage, uint64_t number)
{
	const uint64_t size = sizeof(struct journal_head);

	return is_touched(damage, number, 0, size) && is_touched(damage, number, size, 2 * size);
}

/* Is it in the last round of a file whose end is damaged? Then the round may not look whole. */
static bool is_in_torn_round(const struct damage *damage, const struct copy *copy)
{
	const struct life *life = damage->life;

	for (uint32_t i = 0; i < life->file_count; i++)
		if (life->files[i] == copy->number)
			return copy->from >= life->rounds[i].from &&
			       is_touched(damage, copy->number, life->rounds[i].to, UINT64_MAX);
	return false;
}

static bool is_spared(const struct damage *damage, const struct copy *copy)
{
	const struct life *life = damage->life;

	if (is_touched(damage, copy->number, copy->from, copy->to) ||
	    (copy->number == life->files[life->file_count - 1] && copy->from >= torn_at(damage) &&
	     !arena_says(damage)) ||
	    (copy->number != ARENA_NUMBER && is_in_torn_round(damage, copy)))
		return false;
	return copy->number == ARENA_NUMBER || !are_heads_touched(damage, copy->number);
}

bool damage_may_end(const struct damage *damage, const struct said *said)
{
	uint64_t lease_at = said->slot_at + offsetof(struct slot, lease);

	return is_touched(damage, ARENA_NUMBER, offsetof(struct arena_header, boot_id),
			  offsetof(struct arena_header, gp_phase)) ||
	       is_touched(damage, ARENA_NUMBER, lease_at, lease_at + sizeof(uint64_t));
}

bool damage_looks_foreign(const struct damage *damage)
{
	const uint64_t identity = offsetof(struct arena_header, arena_bytes);
	const uint64_t constant = offsetof(struct arena_header, boot_id);
	uint32_t count = 0;

	for (uint32_t i = 0; i < damage->touched_count; i++) {
		const struct touched *touched = &damage->touched[i];
		if (touched->number == ARENA_NUMBER && touched->from < constant)
			count += touched->to > identity && touched->from < identity ? 2 : 1;
	}
	return count > 1 && is_touched(damage, ARENA_NUMBER, 0, identity);
}

bool damage_spares(const struct damage *damage, const struct said *said)
{
	uint32_t spared = 0;

	for (uint32_t i = 0; i < said->copy_count; i++)
		spared += is_spared(damage, &said->copies[i]);
	return said->there ? spared > 0 : spared == 2;
}
