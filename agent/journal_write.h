/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_write.h: what the two halves of the journal's thread share: journal.c has the
 * rounds, the trouble and the thread; journal_write.c the slots and the files.
 */
#ifndef CORRAL_AGENT_JOURNAL_WRITE_H
#define CORRAL_AGENT_JOURNAL_WRITE_H

#include "agent.h"
#include "journal_file.h"

/* Records are written when they are so many bytes: few enough to be in the cache still. */
#define JOURNAL_FLUSH_BYTES (256u << 10)
/* The buffer has room for the largest cart beside them, and for a record without one. */
#define JOURNAL_BUFFER_BYTES (JOURNAL_FLUSH_BYTES + CORRAL_CART_MAX + 4096u)

struct journal {
	struct agent *agent;
	struct actor *actor; /* the thread's own */
	pthread_t thread;
	uint32_t stop;
	int dir_fd;
	int fd; /* -1: none could be begun */
	uint64_t number;
	uint64_t nonce;
	uint64_t offset; /* in the file, of the buffer's beginning */
	uint64_t begun;  /* up to here the disk was told to write */
	uint64_t let_go; /* up to here the file's pages are on the disk, and not kept in memory */
	uint64_t base_bytes;
	uint64_t after_base; /* bytes written since */
	uint32_t base_at;    /* the next slot of the base */
	bool base_pending;
	uint64_t base_over_at;  /* where its BASE record is */
	uint64_t synced_offset; /* so much of the file is on disk */
	uint32_t failures;      /* files given up since a base was whole */
	bool header_synced;     /* the arena's, which says that a journal goes before it */
	int64_t clock_ms;
	uint32_t served; /* requests, by the last sync that served any */
	uint32_t fill;
	uint8_t *buffer;
	uint64_t *marks; /* by slot: which version this file's or an older one's last CART has; 0:
			    not known */
	uint64_t *told;  /* a bit for each slot whose cart was said to be damaged */
	struct witness *former; /* what the files have so far, while a base needs it; else NULL */
	bool kept;              /* files of which a record could not be read */
};

/* The buffer to the file. 0 or -errno, like all that follows. */
int journal_flush(struct journal *j);
/* What was flushed to the disk. */
int journal_sync(struct journal *j);
int journal_append(struct journal *j, enum journal_kind kind, uint32_t slot, int64_t time_ns,
		   const void *payload, uint32_t size);

/* Write what is dirty, and note it as drained. *ret_some: there was any. */
int journal_drain(struct journal *j, bool *ret_some);

/* What was drained and is not on disk is dirty again; or: it is on disk. */
void journal_undrain(struct arena *arena);
void journal_forget_drained(struct arena *arena);

/* The next file; with a base, unless it goes on where the last one ended. */
int journal_begin_file(struct journal *j, bool base);
void journal_remove_older(const struct journal *j);

/* The base is written and synced: does a recovery find it? Before anything counts on it. */
int journal_prove_base(const struct journal *j);

/*
 * journal_carry.c: the cart in this slot is damaged, so the base gets what the journal has of it,
 * or the journal's files are kept.
 */
int journal_carry_over(struct journal *j, uint32_t number);
void journal_end_carrying(struct journal *j);

/* Its cart is damaged, or is not any more. True: that is news. */
bool journal_note_damaged(const struct journal *j, uint32_t number, bool damaged);

/* A part of the base. *ret_over: with this round it is whole. */
int journal_base_step(struct journal *j, bool *ret_over);

#endif
