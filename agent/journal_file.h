/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_file.h: the files of the journal: DIR/journal/NNNNNNNN, written by one agent,
 * read by recovery.
 *
 * Its name is its number, in twelve digits. What else is in the directory is passed over, and so is
 * a file whose head is not valid or says another number: no name counts without a head.
 *
 * A file is a head and then records, each at an offset divisible by 8, all numbers in the machine's
 * byte order:
 *
 *   head      0  u64  magic            "CORJRNL" and a line feed
 *             8  u32  format           3: its carts have CART_FORMAT 3. No other is read
 *            12  u32  byte order       0x01020304
 *            16  u64  number           of the file, as in its name
 *            24  u8[16] lineage        uuid of the arena whose slots the records are about
 *            40  u64  nonce            random: records of another file do not pass for this one's
 *            48  u64  hash seed, arena bytes, default time to live in ns (one u64 each)
 *            72  u32  carts at most
 *            76  u32  version epoch    of that arena: the versions that it gives are greater than
 * this times 2^VERSION_EPOCH_BITS 80  i64  created, milliseconds since 1970 88  u64  sum XXH3_64 of
 * bytes 0 to 87
 *
 *   record    0  u32  size             of the payload
 *             4  u16  kind             see below
 *             6  u16  0
 *             8  u32  slot
 *            12  u32  0
 *            16  i64  time             arena time in ns
 *            24  u64  sum              XXH3_64 of bytes 0 to 23 and the payload, with the seed
 *                                      nonce + offset
 *            32  payload, padded with zeroes to a multiple of 8
 *
 *   kind      1  CART   the slot holds this cart version (the payload, as in the arena); time: its
 *                       last activity
 *             2  EMPTY  the slot holds no cart. payload: u64, the cart that it held had no greater
 *                       version
 *             3  TOUCH  the slot still holds the version of its last CART; time: its last activity
 *             4  CLOCK  time: now; everything before it in the file was written together. payload:
 *                       u64, no cart that had ended
 *                       by then had a greater version (a slot may have held a cart, and have got
 *                       another one, since it was written last); or none
 *             5  BASE   since this file's beginning every slot that holds a cart has been written:
 *                       what older files say of a
 *                       slot counts no more. payload: u64, no cart that has ended had a greater
 *                       version
 *
 * A record is valid if and only if its size is at most CORRAL_CART_MAX, its kind is one of these,
 * it ends within the file, and its sum is right. What a slot holds is what its last valid record
 * says; records of different slots may be lost independently, since each says all there is to say
 * of its slot.
 *
 * Another format keeps the directory, the names, and of the head magic, format and sum where they
 * are: so whoever does not know it sees that, and touches no file of it (journal_is_foreign()).
 *
 * Recovery takes the files of the newest lineage that has a BASE, in the order of their numbers; at
 * a BASE it forgets what earlier files said (unless its own file was damaged before it). It stops
 * at the first invalid record of the lineage's last
 * file: that is where the power went, or what is behind it was kept for `--salvage` (aside.h). One
 * in an earlier file it passes over, with a warning, to the next valid one.
 *
 * Versions that were given after the last synced round are lost with the power, and were seen. So
 * recovery has the new arena begin a later epoch than that of any head it finds (versions.h), and
 * before that arena has its name there is a file with the new epoch in its head: a second power
 * loss finds it, whatever became of the arena, and goes to a later epoch still.
 */
#ifndef CORRAL_AGENT_JOURNAL_FILE_H
#define CORRAL_AGENT_JOURNAL_FILE_H

#include "arena/arena.h"

#define JOURNAL_DIRECTORY "journal"
#define JOURNAL_MAGIC 0x0a4c4e524a524f43ull
#define JOURNAL_FORMAT 3u
#define JOURNAL_NAME_BYTES 16
#define JOURNAL_NUMBER_MAX 4000000000ull /* of a file: what is beyond is none of ours */

struct journal_head {
	uint64_t magic;
	uint32_t format;
	uint32_t byte_order;
	uint64_t number;
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

enum journal_kind { JOURNAL_CART = 1, JOURNAL_EMPTY, JOURNAL_TOUCH, JOURNAL_CLOCK, JOURNAL_BASE };

struct journal_record {
	uint32_t size;
	uint16_t kind;
	uint16_t reserved;
	uint32_t slot;
	uint32_t reserved2;
	int64_t time_ns;
	uint64_t sum;
};

static_assert(sizeof(struct journal_record) == 32, "as drawn");

/* Bytes of a record with a payload of that size. */
static inline uint32_t journal_record_bytes(uint32_t size)
{
	return (uint32_t)(sizeof(struct journal_record) + align_up(size, 8));
}

/* The sum that a record at this offset has to have. payload: size bytes. */
uint64_t journal_record_sum(const struct journal_record *record, const void *payload,
			    uint64_t nonce, uint64_t offset);

/* The sum that a head has to have. */
uint64_t journal_head_sum(const struct journal_head *head);

void journal_name(uint64_t number, char name[JOURNAL_NAME_BYTES]);

/* Open DIR/journal, made if it is not there when `create`. A descriptor or -errno. */
int journal_open_directory(int dir_fd, bool create);

/*
 * Make an empty file of the arena's lineage, and its head, and have both on disk. A descriptor and
 * the head; or -errno, and nothing is left.
 */
int journal_create(int dir_fd, int journal_fd, uint64_t number, const struct arena *arena,
		   struct journal_head *ret_head);

/* Note in the arena's header that it goes on with this file, which has its head only. */
void journal_note_file(struct arena_header *h, const struct journal_head *head);

/* ------------------------------------------------------------------- read */

struct journal_reader {
	int fd;
	bool salvage; /* what cannot be read is taken for zeroes */
	struct journal_head head;
	uint64_t file_bytes;
	uint64_t offset;    /* of the next record */
	uint8_t *window;    /* a part of the file */
	uint64_t window_at; /* where that begins */
	size_t window_bytes;
};

/* Is it a file, whole as far as its head, of a format that we do not know? *ret_format: which. */
bool journal_is_foreign(int journal_fd, uint64_t number, uint32_t *ret_format);

/*
 * Has the journal such a file? 0: no, or there is none; -EPROTONOSUPPORT and why: nobody may write
 * it, or go on without it.
 */
int journal_refuse_foreign(int dir_fd, uint32_t *ret_format, char *why);

/*
 * Open a file and check its head. 0; -EPROTO: its head is not valid; -ENODATA: nor is there
 * anything behind it: it was begun, and not finished; -EISDIR: it is no plain file; other -errno.
 */
int journal_reader_open(int journal_fd, uint64_t number, struct journal_reader *ret_reader);
void journal_reader_close(struct journal_reader *reader);

/*
 * The next record and its payload (valid until the next call), and its offset. 0; -ENODATA at the
 * end; -EBADMSG: here is no valid record; other -errno. Reads ahead, a window at a time.
 */
int journal_reader_next(struct journal_reader *reader, struct journal_record *ret_record,
			const void **ret_payload, uint64_t *ret_offset);

/* After -EBADMSG: go on to the next valid record, or the end. 0 or -errno. */
int journal_reader_skip(struct journal_reader *reader);

/*
 * What was passed over, from `from` to where the reader is now: is it one record, whose head has
 * not suffered, as far as kind and size tell? Then *ret_record says what it was.
 */
bool journal_reader_was_one(struct journal_reader *reader, uint64_t from,
			    struct journal_record *ret_record);

/* So many bytes of a file, all of them. 0; -ENODATA: there are fewer; other -errno. */
int journal_read(int fd, void *buffer, size_t size, uint64_t offset);

/*
 * The numbers that are names of something in the directory, ascending; from one malloc(). Returns
 * how many, or -errno.
 */
int journal_list(int journal_fd, uint64_t **ret_numbers);

/*
 * The greatest number of a file with a head; 0: there is none. What has a name in digits and is no
 * such file is set aside as NAME.stray, and named in the log; a file that was begun and has no head
 * is removed. Only whoever holds the agent's byte may call it. 0 or -errno.
 */
int journal_tidy(int journal_fd, uint64_t *ret_last);

#endif
