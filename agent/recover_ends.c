/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recover_ends.c: the ENDs and CURSORs of a journal's files; see recover_index.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cart/cart.h"
#include "recover_index.h"
#include "store/feed.h"
#include "undumped.h"

/* The event and the version of an END's payload. False: it is none. */
static bool split(const void *payload, uint32_t size, struct feed_entry *ret_event,
		  const uint8_t **ret_version, uint32_t *ret_size)
{
	const uint8_t *bytes = payload;
	struct journal_end end;

	if (size < sizeof(end))
		return false;
	memcpy(&end, bytes, sizeof(end));
	if (end.event_bytes < offsetof(struct feed_entry, bytes) ||
	    end.event_bytes > sizeof(*ret_event) || end.event_bytes % 8 != 0 ||
	    size - sizeof(end) < end.event_bytes ||
	    size - sizeof(end) - end.event_bytes != end.version_bytes)
		return false;
	memset(ret_event, 0, sizeof(*ret_event));
	memcpy(ret_event, bytes + sizeof(end), end.event_bytes);
	*ret_version = bytes + sizeof(end) + end.event_bytes;
	*ret_size = end.version_bytes;
	return feed_is_sound(ret_event);
}

int recover_note_end(struct recover *recover, int file, const struct journal_record *record,
		     const void *payload, uint64_t offset)
{
	struct feed_entry event;
	const uint8_t *version;
	uint32_t size;

	if (!split(payload, record->size, &event, &version, &size))
		return 0;
	if ((recover->told_count & (recover->told_count - 1)) == 0) {
		size_t room = recover->told_count == 0 ? 1 : (size_t)recover->told_count * 2;
		struct recover_end *more = realloc(recover->told, room * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		recover->told = more;
	}
	recover->told[recover->told_count++] =
		(struct recover_end){ .number = event.number,
				      .offset = offset + sizeof(*record),
				      .file = (uint32_t)file,
				      .size = record->size };
	return 0;
}

void recover_note_cursor(struct recover *recover, int file, const struct journal_record *record,
			 const void *payload)
{
	if (record->slot >= FEED_CURSORS || record->size != sizeof(struct journal_cursor))
		return;
	memcpy(&recover->reading[record->slot].cursor, payload, sizeof(struct journal_cursor));
	recover->reading[record->slot].file = file;
}

void recover_take_ends(struct recover *recover)
{
	recover->told_whole = recover->told_count;
	memcpy(recover->cursors, recover->reading, sizeof(recover->cursors));
}

void recover_drop_ends(struct recover *recover)
{
	recover->told_count = recover->told_whole;
	memcpy(recover->reading, recover->cursors, sizeof(recover->reading));
}

void recover_ends_base(struct recover *recover, int file)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < recover->told_count; i++)
		if (recover->told[i].file == (uint32_t)file)
			recover->told[kept++] = recover->told[i];
	recover->told_count = kept;
	for (uint32_t place = 0; place < FEED_CURSORS; place++)
		if (recover->reading[place].file != file)
			memset(&recover->reading[place], 0, sizeof(recover->reading[place]));
	recover_take_ends(recover);
}

/* ------------------------------------------------------------------- take */

/* *ret_needed: the number that the slowest is to read next; UINT64_MAX: there is none. */
static void take_cursors(const struct recover *recover, struct ends *ends, uint64_t *ret_needed)
{
	*ret_needed = UINT64_MAX;
	for (uint32_t place = 0; place < FEED_CURSORS; place++) {
		const struct journal_cursor *from = &recover->cursors[place].cursor;
		struct feed_cursor cursor = { .acked = from->acked, .acked_ms = from->acked_ms };
		memcpy(cursor.name, from->name, sizeof(cursor.name));
		if (cursor.acked == 0 || !feed_cursor_name(cursor.name))
			continue;
		ends_add_cursor(ends, &cursor);
		*ret_needed = min_u64(*ret_needed, cursor.acked);
	}
}

static int open_file(const struct recover *recover, uint32_t file)
{
	char name[JOURNAL_NAME_BYTES];

	journal_name(recover->numbers[file], name);
	return openat(recover->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

void recover_ends(const struct recover *recover, struct ends *ends)
{
	uint8_t *payload = undumped_alloc(JOURNAL_PAYLOAD_MAX);
	struct feed_entry event;
	const uint8_t *version;
	uint64_t needed;
	uint32_t size, failed = 0;

	take_cursors(recover, ends, &needed);
	for (uint32_t i = 0; i < recover->told_count; i++) {
		const struct recover_end *told = &recover->told[i];
		if (told->number < needed)
			continue;
		int fd = payload != NULL ? open_file(recover, told->file) : -1;
		if (fd >= 0 && journal_read(fd, payload, told->size, told->offset) == 0 &&
		    split(payload, told->size, &event, &version, &size))
			ends_add(ends, &event, version, size);
		else
			failed++;
		if (fd >= 0)
			close(fd);
	}
	if (failed > 0)
		log_line(LOG_ERROR, "%s: %u ends of carts could not be read again", recover->name,
			 failed);
	free(payload);
}
