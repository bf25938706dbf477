/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inspect.h: a read-only walk over an arena, for the tools.
 *
 * It maps the file PROT_READ and registers nowhere: so it works on an arena without an agent, on a
 * copy, and on a damaged file, and it never changes a byte. It reads a live arena word by word, so
 * what it shows is no snapshot of one moment.
 */
#ifndef CORRAL_INSPECT_H
#define CORRAL_INSPECT_H

#include "arena/layout.h"
#include "corral.h"

struct inspect;

/*
 * Open directory/arena (or a file of another name, if `path` is a regular file). `lenient`: map it
 * even if the header is damaged, as far as possible (for check). 0 or -errno; why (at least 256
 * bytes) says what failed and what to do.
 */
int inspect_open(const char *path, bool lenient, struct inspect **ret_inspect, char *why,
		 size_t why_size);
/* The same in a directory that the caller has opened and trusts; the path is for messages. */
int inspect_open_at(int dir_fd, const char *path, bool lenient, struct inspect **ret_inspect,
		    char *why, size_t why_size);

void inspect_close(struct inspect *inspect);

/* The header in the file. */
const struct arena_header *inspect_header(const struct inspect *inspect);

/* Is it on a file system, or in a file, where a full disk raises SIGBUS? See filesystem.h. */
bool inspect_copies_on_write(const struct inspect *inspect);

/* Does an agent hold its byte of the lock file? */
bool inspect_agent_lives(const struct inspect *inspect);

/* The counters of stat.def, in its order: sums over all thread records. */
void inspect_counters(const struct inspect *inspect, uint64_t ret_sums[STAT_SLOTS]);

/* How long changes took, of all thread records together. */
void inspect_latency(const struct inspect *inspect, struct corral_latency *ret_latency);

/*
 * How long the changes took that the process of this number made: of the threads that it has now,
 * since each of them attached.
 */
void inspect_latency_of(const struct inspect *inspect, uint32_t process,
			struct corral_latency *ret_latency);

struct inspect_totals {
	uint64_t file_bytes;    /* logical size of the file */
	uint64_t disk_bytes;    /* allocated by the file system */
	uint64_t fixed_bytes;   /* header, records, buckets, slots, page table */
	uint64_t span_bytes;    /* pages given to size classes */
	uint64_t cart_bytes;    /* of the live cart versions themselves */
	uint64_t live_bytes;    /* of the blocks that hold them */
	uint64_t free_bytes;    /* blocks in free lists, and never used parts of spans */
	uint64_t cached_bytes;  /* in threads' caches and hands */
	uint64_t retired_bytes; /* waiting for a grace period */
	uint64_t lane_bytes;    /* threads' events, before they are numbered */
	uint64_t ends_bytes;    /* copies of carts that ended, see the feed */
	uint64_t lost_bytes;    /* in none of these (meaningful only if no process is attached) */
	uint32_t carts_open;
	uint32_t carts_checked_out;
	uint32_t carts_ending; /* ended, not yet freed */
	/* of them all, those that the agent has found to be damaged; by a summary only */
	uint32_t carts_damaged;
	uint32_t slots_used;
	uint32_t processes;      /* alive */
	uint32_t processes_dead; /* dead and not yet repaired */
	uint32_t threads;
	uint32_t readers;           /* in a read-side critical section now */
	uint32_t readers_stalled;   /* a grace period has waited for them for a second or longer */
	int64_t readers_stalled_ms; /* the longest of them */
	uint64_t held_back_bytes;   /* retired memory that waits for the oldest of them */
	uint32_t locks_held;
};

/* Walk the whole arena and add up; bounded even in damaged files. */
int inspect_totals(struct inspect *inspect, struct inspect_totals *ret_totals);

/*
 * The same out of counters, in a time that does not grow with the number of carts. Three figures
 * come from the agent's last sweep and are as old as that (header.counted_ms): carts_ending,
 * cart_bytes and live_bytes. free_bytes is what then remains of the spans; lost_bytes is not known.
 */
int inspect_summary(struct inspect *inspect, struct inspect_totals *ret_totals);

/*
 * Rows. Each call returns 0, or -ENXIO past the end. index runs from 0 over all records; *ret_used
 * false: skip this one.
 */
struct inspect_process {
	uint32_t number;
	bool alive; /* its liveness byte is locked */
	bool agent;
	bool fenced;
	int32_t pid;
	int64_t started_ms;
	char program[41];
	uint32_t threads;
};
int inspect_process(struct inspect *inspect, uint32_t index, bool *ret_used,
		    struct inspect_process *ret_row);

struct inspect_feed {
	bool on;
	uint64_t oldest; /* the number of the oldest event that can be read */
	uint64_t next;   /* and the one that the next event gets */
	uint64_t room;   /* so many events can be read at most */
	uint64_t lost;   /* events that were overwritten before they had numbers */
	uint32_t lanes;  /* threads' */
	uint32_t lane_room;
	uint64_t ends; /* how many carts' ends are kept */
	uint64_t ends_room;
	uint64_t ends_lost;   /* of them, those that were let go before each cursor had seen them */
	int64_t ends_lost_ms; /* when that happened last */
	uint32_t cursors;
};
void inspect_feed(struct inspect *inspect, struct inspect_feed *ret_feed);

/* The cursor in one of CORRAL_CURSORS places. False: there is none. */
bool inspect_cursor(struct inspect *inspect, uint32_t index, struct corral_cursor *ret_cursor);

struct inspect_thread {
	uint32_t number;
	uint32_t process; /* number; UINT32_MAX: none, but there is something in its lists */
	int32_t pid;      /* of that process */
	char program[41];
	int32_t tid;
	uint32_t nest;            /* nesting depth of its read-side critical section; 0: none */
	uint64_t phases_behind;   /* grace-period phases since it began; 0: current */
	int64_t stalled_ms;       /* how long a grace period has waited for it; 0: none does */
	uint64_t held_back_bytes; /* retired memory that waits for it */
	bool revoked;             /* its view was revoked, and it has not noticed yet */
	uint64_t cached_bytes;
	uint64_t retired_bytes;
	char doing[64]; /* its intent in words; "": nothing */
};
int inspect_thread(struct inspect *inspect, uint32_t index, bool *ret_used,
		   struct inspect_thread *ret_row);

struct inspect_class {
	uint32_t block_bytes;
	uint32_t spans;
	uint32_t blocks;
	uint32_t live;
	uint32_t free;
	uint32_t cached;
	uint32_t retired;
};
int inspect_class(struct inspect *inspect, uint32_t index, bool *ret_used,
		  struct inspect_class *ret_row);

struct inspect_lock {
	const char *kind; /* "slot", "bucket", "class", "space", "slots", "lists", "feed" */
	uint32_t number;
	uint32_t thread; /* the holder */
	uint32_t process;
	int32_t pid;
	bool alive;
	bool waiters;
	int64_t held_ms; /* since the holder's call got its locks; -1: unknown */
};
/* The last repairs, the oldest first; *ret_count at most max. See death_log.h. */
int inspect_deaths(struct inspect *inspect, struct death *ret_rows, size_t max, size_t *ret_count);

/* All locks held now, at most max of them. */
int inspect_locks(struct inspect *inspect, struct inspect_lock *ret_rows, size_t max,
		  size_t *ret_count);

/* The same, found by what threads have noted: no bucket and no slot is gone over. */
int inspect_locks_noted(struct inspect *inspect, struct inspect_lock *ret_rows, size_t max,
			size_t *ret_count);

/* One slot; *ret_used is false if it has no cart. bytes points into the mapping. */
struct inspect_slot {
	uint32_t number;
	const void *bytes;
	size_t size;
	bool ended;
	int64_t deadline_ns;
};
int inspect_slot(struct inspect *inspect, uint32_t index, bool *ret_used,
		 struct inspect_slot *ret_row);

/*
 * Verify everything: header, page table, spans, chains, every live cart (with its checksums),
 * locks; and, if the arena did not change meanwhile, that each block and slot is in exactly one
 * place. finding() gets one line per fault, and *ret_faults counts them. *ret_quiet: the arena did
 * not change, so the accounting was checked too.
 */
int inspect_check(struct inspect *inspect, void (*finding)(void *context, const char *line),
		  void *context, uint64_t *ret_faults, bool *ret_quiet,
		  struct inspect_totals *ret_totals);

#endif
