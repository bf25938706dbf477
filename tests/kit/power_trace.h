/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_trace.h: the operations of an agent on a directory's files, in order, as the disk sees
 * them, for the power-loss test.
 *
 * The program is linked with --wrap for the system calls that change files (Makefile), so the
 * agent, which runs in this process, calls the wrappers here. Files and directories are numbered as
 * they appear: node 0 is the directory itself. The lock file, the log and the socket are left out.
 * The arena's file is written through memory, so only its contents at each fsync are kept.
 *
 * Each step carries the promise that held just before it: if the power fails before this step, that
 * promise must be kept.
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
	uint32_t synced; /* events acknowledged as synced */
	uint32_t made;   /* events that had happened */
};

struct power_step {
	enum power_kind kind;
	uint32_t node;
	uint32_t dir; /* CREATE, MKDIR, UNLINK, RENAME: the directory of the entry */
	uint32_t to_dir;
	char name[POWER_NAME_BYTES];
	char to_name[POWER_NAME_BYTES];
	uint64_t offset; /* WRITE; TRUNCATE: the size */
	uint32_t size;
	uint8_t *bytes; /* WRITE: the bytes; SYNC of an arena: all of its bytes */
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
	struct power_promise (*promise)(void); /* called before each step */
};

extern struct power_trace power_trace;

/* Record the operations below this directory from now on. */
void power_trace_begin(int dir_fd, struct power_promise (*promise)(void));
/* Stop recording; what is recorded stays. */
void power_trace_end(void);
void power_trace_free(void);

/* Serialize: one step at a time, or one change of a cart together with its entry in the history. */
void power_lock(void);
void power_unlock(void);

/* The next fsync or fdatasync of a file fails with EIO and loses the data that it was to write. */
extern bool power_fail_sync;

/*
 * After its next step of this kind the thread stops for good, as if its agent had been killed; then
 * this becomes POWER_NOTHING.
 */
extern enum power_kind power_die_after;

/* Added to the wall clock. */
extern int64_t power_wall_offset_ms;

/* Set once this process needs no durability: fsync and fdatasync then do nothing. */
extern bool power_no_sync;

const char *power_kind_name(enum power_kind kind);

#endif
