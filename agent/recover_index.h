/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover_index.h: what the files of a journal say of each slot: where its last record
 * is, and when it was touched last.
 */
#ifndef CORRAL_AGENT_RECOVER_INDEX_H
#define CORRAL_AGENT_RECOVER_INDEX_H

#include "agent.h"
#include "journal_file.h"

struct where {           /* what the journal says of a slot */
	uint64_t offset; /* of its cart, in the file */
	uint32_t file;   /* in recover.numbers, plus one; 0: it holds no cart */
	uint32_t size : 31;
	uint32_t doubt : 1; /* a later version, or its end, may stand in what is damaged */
	uint64_t hash;      /* of its cart's key */
	int64_t touched_ns;
	uint64_t version;
};

struct recover_file { /* one of the directory's */
	int state;    /* 0: its head is valid. -EPROTO: it is not; -ENODATA: there is nothing but a
			 part of    one; -EISDIR: it is no plain file */
	int first; /* of the files of its lineage, which are linked in the order of their numbers */
	int next;  /* -1: it is the last */
	uint64_t bytes;
	struct journal_head head;
};

struct recover {
	const char *name; /* of the journal's directory, for people */
	int dir_fd;
	int agent_dir_fd; /* of DIR */
	uint64_t next;    /* number of the new arena's first file; 0: not begun */
	uint64_t *numbers;
	struct recover_file *files_there; /* by the same index */
	int count;
	bool salvage;   /* take all that is sound and can be read */
	bool pass_over; /* what is damaged, in the last file too */
	bool progress;  /* a terminal looks on */
	uint8_t lineage[16];
	struct journal_head head; /* of the lineage's last file */
	int last;                 /* that */
	struct where *slots;
	uint32_t carts; /* slots that hold one */
	int64_t clock_ns;
	uint64_t passed_ns;     /* since then, as far as it counts */
	uint64_t ended_version; /* the greatest of a cart that is gone */
	uint32_t epochs_used;   /* versions may have been given in those before this one: all heads
				   know, and an arena that is there */
	bool has_base;
	uint64_t base;     /* number of the file with the last one */
	uint64_t torn_at;  /* byte of the lineage's last file; 0: it is whole */
	bool unbroken;     /* but for that: nothing was passed over, and all was taken */
	bool damaged_file; /* something of the file that is read was passed over */
	uint32_t files;
	uint32_t records;
	uint64_t bytes;    /* of the files */
	bool goes_on;      /* the new arena is the one that the journal is about */
	bool headless;     /* some file has none */
	bool left_records; /* what was on disk once was not taken, since the journal is damaged: it
			      is worth keeping */
};

/* The directory's files. Takes over dir_fd. 0 or -errno. */
int recover_open(struct recover *recover, int dir_fd, const char *name);
void recover_close(struct recover *recover);

/* Read the heads of all files. 0 or -errno. */
int recover_heads(struct recover *recover);

/*
 * Read the newest lineage that has a base. 0; -ENOENT: there is none; -EPROTO: its head asks for
 * more than there can be; other -errno: it cannot be read. Says what it finds.
 */
int recover_index(struct recover *recover);

#endif
