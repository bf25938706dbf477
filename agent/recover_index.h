/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover_index.h: an index of a journal's files: for each slot, the place of its last record, and
 * its last activity.
 */
#ifndef CORRAL_AGENT_RECOVER_INDEX_H
#define CORRAL_AGENT_RECOVER_INDEX_H

#include "agent.h"
#include "ends.h"
#include "journal_file.h"

struct where {              /* the journal's record of a slot */
	uint64_t offset;    /* of the cart in its file */
	uint32_t file;      /* index in recover.numbers, plus one; 0: the slot has no cart */
	uint32_t size : 31; /* 0: the slot's last cart, if any, has ended */
	uint32_t doubt : 1; /* the damaged bytes may have a later version, or its end; without a
			       cart: another cart */
	uint64_t hash;      /* of the key of the cart, or of the slot's last one */
	int64_t touched_ns;
	uint64_t version;
};

struct ended { /* a cart that ended with this version or an earlier one */
	uint64_t hash;
	uint64_t version;
};

struct recover_end { /* an END */
	uint64_t number;
	uint64_t offset; /* of its payload */
	uint32_t file;   /* index in recover.numbers */
	uint32_t size;
};

struct recover_cursor { /* the last CURSOR of a place */
	struct journal_cursor cursor;
	int file; /* index in recover.numbers */
};

struct recover_pending { /* a record of a slot in a round that may not be whole */
	uint64_t offset;
	uint64_t hash;
	uint64_t version; /* of an EMPTY: its payload */
	int64_t time_ns;
	uint32_t slot;
	uint32_t size;
	uint32_t kind;
};

struct recover_file { /* a file in the directory */
	int state;    /* 0: its head is valid. -EPROTO: it is not; -ENODATA: it has a part of one;
			 -EISDIR: it is no plain file */
	int first;    /* of its lineage's files, which are linked in the order of their numbers */
	int next;     /* -1: this is the last */
	uint64_t bytes;
	struct journal_head head;
};

struct recover {
	const char *name; /* the journal's directory, for people */
	int dir_fd;
	int agent_dir_fd; /* of DIR */
	uint64_t next;    /* number of the new arena's first file; 0: not begun */
	uint64_t *numbers;
	struct recover_file *files_there; /* same index as numbers */
	int count;
	bool salvage;   /* take all that is valid and readable */
	bool pass_over; /* skip damage in the last file, too */
	bool baseless;  /* no lineage has a base: the newest with a cart counts without one */
	bool progress;  /* standard error is a terminal */
	uint8_t lineage[16];
	struct journal_head head; /* of the lineage's last file */
	int last;                 /* index of that file */
	struct where *slots;
	uint32_t carts; /* slots with a cart */
	bool suspect;   /* something is missing or damaged: from now on, note ends by cart */
	struct ended *ends;
	uint32_t end_count;
	struct recover_end *told; /* in the order of the records */
	uint32_t told_count;
	uint32_t told_whole; /* of these, in rounds that are whole */
	struct recover_cursor cursors[FEED_CURSORS];
	struct recover_cursor reading[FEED_CURSORS]; /* with those of the round being read */
	struct recover_pending *pending;             /* of the round that is being read */
	uint32_t pending_count, pending_room;
	int64_t clock_ns;
	uint64_t passed_ns;     /* time passed since then, as far as it counts */
	uint64_t ended_version; /* the greatest version of a cart that is gone */
	uint32_t epochs_used;   /* versions of epochs before this may have been given, by all heads
				   and an existing arena */
	uint64_t synced_nonce;  /* of the file that DIR/arena wrote last; 0: not known */
	uint64_t synced_bytes;  /* of that file, on disk, as far as the arena knows */
	bool sound_header;      /* of DIR/arena */
	bool has_base;
	uint64_t base;     /* number of the file with the last BASE */
	uint64_t torn_at;  /* offset in the lineage's last file; 0: it is whole */
	bool last_unknown; /* the arena does not say which file it wrote last */
	bool torn_before;  /* an earlier file of the lineage is torn */
	bool unbroken;     /* apart from that, nothing was skipped or left out */
	bool damaged_file; /* a part of the present file was skipped */
	uint32_t files;
	uint32_t records;
	uint64_t bytes;    /* of all files read */
	bool goes_on;      /* the new arena continues this journal */
	bool headless;     /* some file has no valid head */
	bool left_records; /* records that were on disk once were not taken: the journal is worth
			      keeping */
};

/* List the directory's files. Takes ownership of dir_fd. 0 or -errno. */
int recover_open(struct recover *recover, int dir_fd, const char *name);
void recover_close(struct recover *recover);

/* Read the heads of all files. 0 or -errno. */
int recover_heads(struct recover *recover);

/*
 * Read the newest lineage that has a base; if none has one, the newest that has a cart. 0; -ENOENT:
 * there is none; -EPROTO: its head asks for more carts than possible; other -errno: it cannot be
 * read. Logs what it finds.
 */
int recover_index(struct recover *recover);

/* Two files of a lineage: does the second one say that the first one, just before it, was longer?
 */
bool recover_was_cut(const struct recover *recover, int file, int next);

/* recover_ends.c: note an END or a CURSOR, in the round that is being read. 0 or -ENOMEM. */
int recover_note_end(struct recover *recover, int file, const struct journal_record *record,
		     const void *payload, uint64_t offset);
void recover_note_cursor(struct recover *recover, int file, const struct journal_record *record,
			 const void *payload);
/* Those that were noted count from now on; or they do not, since their round is not whole. */
void recover_take_ends(struct recover *recover);
void recover_drop_ends(struct recover *recover);
/* What earlier files say of them does not count any more. */
void recover_ends_base(struct recover *recover, int file);

/* The cursors, and the ends that they need. */
void recover_ends(const struct recover *recover, struct ends *ends);

/* Any slot may hold something else than its last record says. */
void recover_doubt_all(struct recover *recover);

#endif
