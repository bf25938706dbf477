/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_write.h: what the two halves of the journal's thread share: journal.c has the rounds, the
 * error handling and the thread; journal_write.c has the slots and the files.
 */
#ifndef CORRAL_AGENT_JOURNAL_WRITE_H
#define CORRAL_AGENT_JOURNAL_WRITE_H

#include "agent.h"
#include "journal_file.h"

/* Records are written in parts of this size: small enough to be still in the CPU's cache. */
#define JOURNAL_FLUSH_BYTES (256u << 10)
/* The buffer also has space for the largest record, and for one that is small. */
#define JOURNAL_BUFFER_BYTES (JOURNAL_FLUSH_BYTES + CORRAL_CART_MAX + 4096u)

struct journal {
	struct agent *agent;
	struct actor *actor; /* the thread's own */
	pthread_t thread;
	uint32_t stop;
	int dir_fd;
	int fd; /* -1: no file could be begun */
	uint64_t number;
	uint64_t nonce;
	uint64_t offset; /* the place of the buffer's beginning in the file */
	uint64_t begun;  /* up to here, write-out was started */
	uint64_t let_go; /* up to here, pages are on disk and dropped from the cache */
	uint64_t base_bytes;
	uint64_t after_base; /* bytes written since the base */
	uint32_t base_at;    /* the next slot of the base */
	bool base_pending;
	uint64_t base_over_at;  /* place of its BASE record */
	uint64_t synced_offset; /* how much of the file is on disk */
	uint32_t failures;      /* files given up since a base was whole */
	bool header_synced;     /* the arena's, which says that its journal takes precedence */
	int64_t clock_ms;
	uint32_t served; /* number of requests served by the last sync that served any */
	uint32_t fill;
	uint8_t *buffer;
	/* by slot: which version the last CART in the files has; 0: unknown */
	uint64_t *marks;
	uint64_t ends_to; /* ends of smaller numbers are in the files, or no cursor needs them */
	struct journal_cursor cursors[FEED_CURSORS]; /* as the files have them */
	bool cursors_known;                          /* else the files may have any */
	bool unsettled;         /* at the last round, a thread did not get on with an end */
	struct witness *former; /* the older files, while a base needs them; else NULL */
	bool kept;              /* files with an unreadable record were kept */
};

/* The place of the next record's payload; there is room for the largest one behind a flush. */
uint8_t *journal_payload_place(struct journal *j);

/* Write the buffer to the file. 0 or -errno, like all that follow. */
int journal_flush(struct journal *j);
/* Sync what was flushed. */
int journal_sync(struct journal *j);
int journal_append(struct journal *j, enum journal_kind kind, uint32_t slot, int64_t time_ns,
		   const void *payload, uint32_t size);

/* Write what is dirty, and note it as drained. *ret_some: something was. */
int journal_drain(struct journal *j, bool *ret_some);

/* undrain: make what was drained and is not on disk dirty again. forget: it is on disk. */
void journal_undrain(struct arena *arena);
void journal_forget_drained(struct arena *arena);

/* Begin the next file; with a base, unless it continues where the last one ended. */
int journal_begin_file(struct journal *j, bool base);
void journal_remove_older(const struct journal *j);

/*
 * The base is written and synced: check that a recovery would find it, before anything relies on
 * it.
 */
int journal_prove_base(const struct journal *j);

/*
 * journal_ends.c: behind the slots of a round, write the ENDs of all carts that have ended by then,
 * as far as a cursor needs them, and the cursors that have changed. *ret_some: something was.
 */
int journal_put_ends(struct journal *j, bool *ret_some);

/*
 * journal_carry.c: the cart in this slot is damaged, so the base gets the journal's record of it,
 * or the journal's files are kept.
 */
int journal_carry_over(struct journal *j, uint32_t number);
void journal_end_carrying(struct journal *j);

/* Write a part of the base. *ret_over: this round completes it, with journal_put_base(). */
int journal_base_slots(struct journal *j, bool *ret_over);
int journal_put_base(struct journal *j);

#endif
