/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_file.h: the files of the journal: DIR/journal/NNNNNNNNNNNN, written by one agent, read by
 * recovery.
 *
 * A file's name is its number, in twelve digits. Anything else in the directory is skipped, and so
 * is a file whose head is not valid or has another number: a name alone does not count.
 *
 * A file is a head, the same head once more, and records, each at an offset divisible by 8, all
 * numbers in the machine's byte order:
 *
 *   head      0  u64  magic            "CORJRNL" and a line feed
 *             8  u32  format           6: its carts have CART_FORMAT 3. No other is read
 *            12  u32  byte order       0x01020304
 *            16  u32  number           of the file, as in its name
 *            20  u32  former           how long the file with the number before was, on disk, when
 *                                      this one was begun: in units of 8 bytes, modulo 2^32. Then
 *                                      it was never written again. 0: not known, or there is none
 *                                      of this lineage
 *            24  u8[16] lineage        uuid of the arena whose slots the records are about
 *            40  u64  nonce            random: records of another file do not pass for this one's
 *            48  u64  hash seed, arena bytes, default time to live in ns (one u64 each)
 *            72  u32  carts at most
 *            76  u32  version epoch    of that arena: its versions are greater than this times
 *                                      2^VERSION_EPOCH_BITS
 *            80  i64  created          milliseconds since 1970
 *            88  u64  sum              XXH3_64 of bytes 0 to 87
 *
 *   record    0  u32  size             of the payload
 *             4  u16  kind             see below
 *             6  u16  0
 *             8  u32  slot
 *            12  u32  check            of bytes 0 to 11: the low half of their XXH3_64 with the
 *                                      seed nonce + offset. It says which slot a damaged record
 *                                      is about
 *            16  i64  time             arena time in ns
 *            24  u64  sum              XXH3_64 of bytes 0 to 23 and the payload, with the seed
 *                                      nonce + offset
 *            32  payload, padded with zeroes to a multiple of 8
 *
 *   kind      1  CART   the slot has this cart version (the payload, as in the arena); time: its
 *                       last activity
 *             2  EMPTY  the slot has no cart. payload: u64, the cart that it had had no greater
 *                       version
 *             3  TOUCH  the slot still has the version of its last CART; time: its last activity
 *             4  CLOCK  time: now; everything before it in the file was written together. payload:
 *                       u64, no cart that had ended by then had a greater version (a slot may have
 *                       had a cart, and another one since, between two writes); or none
 *             5  BASE   since this file's beginning every slot with a cart has been written, and
 *                       every END that a cursor needs, and every CURSOR: older files no longer
 *                       count. payload: u64, no cart that has ended had a greater version
 *             6  END    an event by which a cart ended, and the cart's last version. payload:
 *                       struct journal_end, the event as in the arena, the version; or without it
 *             7  CURSOR how far the named cursor in this place (`slot`) has got, or that there is
 *                       none. payload: struct journal_cursor
 *
 * The head counts if one of the two is valid: without it no record could be verified, so that a
 * flipped bit in it would cost the whole file.
 *
 * A round is written in this order: CART, EMPTY and TOUCH of the slots that it is about; END of all
 * ends that have happened by then; CURSOR; BASE; CLOCK. It counts as a whole: if the power was lost
 * while it was written, what there is of it behind the last CLOCK, or BASE, is not taken. So a cart
 * is there, or its END is: neither is lost without the other.
 *
 * A record is valid if and only if its size is at most JOURNAL_PAYLOAD_MAX, its kind is one of
 * these, it ends within the file, and its check and its sum are correct. A slot's last valid record
 * says what it has. Damage to one costs no other slot, since each is complete in itself.
 *
 * Another format keeps the directory, the names, and the places of magic, format and sum in the
 * head: so a program that does not know the format recognises that, and touches none of its files
 * (journal_is_foreign()).
 *
 * Recovery takes the files of the newest lineage that has a BASE, in the order of their numbers; at
 * a BASE it discards what earlier files said (unless its own file was damaged before it). In the
 * lineage's last file it stops at the first invalid record: there the power was lost, or what
 * follows was kept for `--salvage` (aside.h). In an earlier file it skips an invalid record, with a
 * warning, to the next valid one.
 *
 * Versions given after the last synced round are lost with the power, though callers have seen
 * them. So recovery begins a later epoch in the new arena than that of any head it finds
 * (versions.h), and before that arena gets its name there is a file with the new epoch in its head.
 * After a second power loss recovery finds that file, even if the arena is gone, and goes to a
 * still later epoch.
 */
#ifndef CORRAL_AGENT_JOURNAL_FILE_H
#define CORRAL_AGENT_JOURNAL_FILE_H

#include "arena/arena.h"

#define JOURNAL_DIRECTORY "journal"
#define JOURNAL_MAGIC 0x0a4c4e524a524f43ull
#define JOURNAL_FORMAT 6u
#define JOURNAL_NAME_BYTES 16
#define JOURNAL_NUMBER_MAX 4000000000ull /* of a file: a greater number is not ours */

struct journal_head {
	uint64_t magic;
	uint16_t format;
	uint16_t currency; /* of new carts, as cart_head.currency; 0: none */
	uint32_t byte_order;
	uint32_t number;
	uint32_t former;
	uint8_t lineage[16];
	uint64_t nonce;
	uint64_t hash_seed;
	uint64_t arena_bytes;
	uint64_t ttl_ns;
	uint32_t max_carts;
	uint32_t version_epoch;
	int64_t created_ms;
	uint64_t sum;
};

static_assert(sizeof(struct journal_head) == 96, "as drawn");

#define JOURNAL_HEADS_BYTES (2 * sizeof(struct journal_head)) /* the records begin there */

enum journal_kind {
	JOURNAL_CART = 1,
	JOURNAL_EMPTY,
	JOURNAL_TOUCH,
	JOURNAL_CLOCK,
	JOURNAL_BASE,
	JOURNAL_END,
	JOURNAL_CURSOR
};

struct journal_end {          /* the payload of an END begins with it */
	uint32_t event_bytes; /* a multiple of 8 */
	uint32_t version_bytes;
};

#define JOURNAL_PAYLOAD_MAX                                                                        \
	(sizeof(struct journal_end) + sizeof(struct feed_entry) + CORRAL_CART_MAX)

struct journal_cursor { /* the payload of a CURSOR */
	char name[CURSOR_NAME_BYTES];
	uint64_t acked; /* the number to be read next; 0: there is no cursor */
	int64_t acked_ms;
};

struct journal_record {
	uint32_t size;
	uint16_t kind;
	uint16_t reserved;
	uint32_t slot;
	uint32_t check;
	int64_t time_ns;
	uint64_t sum;
};

static_assert(sizeof(struct journal_record) == 32, "as drawn");

/* Size of a record with a payload of `size` bytes. */
static inline uint32_t journal_record_bytes(uint32_t size)
{
	return (uint32_t)(sizeof(struct journal_record) + align_up(size, 8));
}

/*
 * The check and the sum that a record at this offset must have; the sum covers the check. payload:
 * size bytes.
 */
uint32_t journal_record_check(const struct journal_record *record, uint64_t nonce, uint64_t offset);
uint64_t journal_record_sum(const struct journal_record *record, const void *payload,
			    uint64_t nonce, uint64_t offset);

/* The sum that a head must have. */
uint64_t journal_head_sum(const struct journal_head *head);

void journal_name(uint64_t number, char name[JOURNAL_NAME_BYTES]);

/* Open DIR/journal; `create` creates it if it is missing. A descriptor or -errno. */
int journal_open_directory(int dir_fd, bool create);

/*
 * Create an empty file of the arena's lineage with its head, and sync both, and before it the file
 * with the number before, whose length the head has. A descriptor and the head; or -errno, and
 * nothing is left behind.
 */
int journal_create(int dir_fd, int journal_fd, uint64_t number, const struct arena *arena,
		   struct journal_head *ret_head);

/* Is a file of this length, whose number is the one before the head's, shorter than it once was? */
bool journal_was_cut(uint64_t bytes, const struct journal_head *next);

/* Note in the arena's header that this file, which has only its head, is now the last. */
void journal_note_file(struct arena_header *h, const struct journal_head *head);

/* ------------------------------------------------------------------- read */

struct journal_reader {
	int fd;
	bool salvage; /* what cannot be read counts as zeroes */
	bool spare;   /* the first head is damaged: it is the second one */
	struct journal_head head;
	uint64_t file_bytes;
	uint64_t offset;    /* of the next record */
	uint8_t *window;    /* a part of the file */
	uint64_t window_at; /* the window's offset */
	size_t window_bytes;
};

/* Is it a file with a valid head, but of a format that we do not know? *ret_format: which. */
bool journal_is_foreign(int journal_fd, uint64_t number, uint32_t *ret_format);

/*
 * Does the journal have such a file? 0: no, or there is no journal; -EPROTONOSUPPORT and why: it
 * must not be written, nor be ignored.
 */
int journal_refuse_foreign(int dir_fd, uint32_t *ret_format, char *why);

/*
 * Open a file and check its heads. 0; -EPROTO: neither is valid; -ENODATA: neither is valid and
 * nothing follows them: the file was begun but not finished; -EISDIR: it is no plain file;
 * other -errno.
 */
int journal_reader_open(int journal_fd, uint64_t number, struct journal_reader *ret_reader);
void journal_reader_close(struct journal_reader *reader);

/*
 * The next record and its payload (valid until the next call), and its offset. 0; -ENODATA: the
 * end; -EBADMSG: there is no valid record here; other -errno. Reads ahead, a window at a time.
 */
int journal_reader_next(struct journal_reader *reader, struct journal_record *ret_record,
			const void **ret_payload, uint64_t *ret_offset);

/* After -EBADMSG: advance to the next valid record, or the end. 0 or -errno. */
int journal_reader_skip(struct journal_reader *reader);

/*
 * Were the skipped bytes, from `from` to the reader's position, one record whose kind, size and
 * slot are intact? Then *ret_record has them.
 */
bool journal_reader_was_one(struct journal_reader *reader, uint64_t from,
			    struct journal_record *ret_record);

/*
 * Is what is left of the file, from `from` on, a CLOCK that is torn or damaged? Then all records of
 * its round are there.
 */
bool journal_reader_lacks_clock(struct journal_reader *reader, uint64_t from);

/* Read exactly `size` bytes of a file. 0; -ENODATA: there are fewer; other -errno. */
int journal_read(int fd, void *buffer, size_t size, uint64_t offset);

/*
 * The numbers that name entries of the directory, ascending, allocated with malloc(). Returns their
 * count, or -errno.
 */
int journal_list(int journal_fd, uint64_t **ret_numbers);

/*
 * The greatest number of a file with a head; 0: there is none. An entry that is named in digits but
 * is not such a file is renamed to NAME.stray and logged; a file that was begun and has no head is
 * removed. The caller must hold the agent's byte. 0 or -errno.
 */
int journal_tidy(int journal_fd, uint64_t *ret_last);

#endif
