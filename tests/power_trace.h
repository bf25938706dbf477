/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_trace.h: what an agent does to a directory's files, in order, as the disk sees it: for the
 * power-loss test.
 *
 * The program is linked with --wrap for the system calls that change files (Makefile), so the
 * agent's code, which runs in this process, comes by here with each of them. Files and directories
 * are numbered as they appear: node 0 is the directory itself. The lock file, the log and the
 * socket are left out. The arena's file is written through
 * memory: of it only what each fsync found is kept.
 *
 * With each step goes what had been promised when it was about to be done: before it the power may
 * go, and then the promise counts.
 */
#ifndef POWER_TRACE_H
#define POWER_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#define POWER_NAME_BYTES 32
#define POWER_NODES_MAX 128u
#define POWER_STEPS_MAX 4096u

enum power_kind {
	POWER_CREATE,
	POWER_MKDIR,
	POWER_UNLINK,
	POWER_RENAME,
	POWER_WRITE,
	POWER_TRUNCATE,
	POWER_SYNC,
	POWER_NOTHING
};

struct power_promise {   /* counts of events (power_history.h) */
	uint32_t synced; /* so many were acknowledged as synced */
	uint32_t made;   /* so many had happened */
};

struct power_step {
	enum power_kind kind;
	uint32_t node;
	uint32_t dir; /* CREATE, MKDIR, UNLINK, RENAME: the entry's */
	uint32_t to_dir;
	char name[POWER_NAME_BYTES];
	char to_name[POWER_NAME_BYTES];
	uint64_t offset; /* WRITE; TRUNCATE: the size */
	uint32_t size;
	uint8_t *bytes; /* WRITE; SYNC of an arena: all of it */
	struct power_promise promise;
};

struct power_node {
	uint64_t inode; /* 0: it has no name any more */
	bool is_directory;
	bool is_arena;
};

struct power_trace {
	struct power_step *steps;
	uint32_t count;
	struct power_node nodes[POWER_NODES_MAX];
	uint32_t node_count;
	struct power_promise (*promise)(void); /* asked before each step */
};

extern struct power_trace power_trace;

/* Record what is done below this directory from now on. */
void power_trace_begin(int dir_fd, struct power_promise (*promise)(void));
/* No more; what is recorded stays. */
void power_trace_end(void);
void power_trace_free(void);

/* One at a time: a step, or a change of a cart together with its note in the history. */
void power_lock(void);
void power_unlock(void);

/* The next fsync or fdatasync of a file fails with EIO, and what it was to write is lost. */
extern bool power_fail_sync;

/*
 * After its next step of this kind the thread goes no further, as if its agent had been killed;
 * then this is POWER_NOTHING.
 */
extern enum power_kind power_die_after;

/* So much later than it is. */
extern int64_t power_wall_offset_ms;

/*
 * Nothing reaches the disk any more in this process, and nothing has to: fsync and fdatasync do
 * nothing.
 */
extern bool power_no_sync;

const char *power_kind_name(enum power_kind kind);

#endif
