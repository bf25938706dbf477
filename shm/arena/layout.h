/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layout.h: every struct that lives in the arena.
 *
 * The arena is one file, mapped shared. It has offsets and indices, never pointers; no libc type;
 * numbers in the machine's byte order (the header says which).
 *
 *   0             +---------------------------+
 *                 | header            4096 B  |  identity, geometry, global lists
 *   processes_at  | process records   128 B * |  one for each attached process
 *   threads_at    | thread records            |  reader word, intent, retired lists, cache
 *   classes_at    | size classes      64 B *  |  free lists
 *   dirty_at      | dirty bitmap      1 bit * |  slots changed since the journal last looked
 *   drained_at    | the same          1 bit * |  slots it has looked at, and not yet synced
 *   chains_at     | chains            8 B *   |  per bucket: its first slot, and a hint at that
 *                                                slot's version
 *   buckets_at    | buckets           24 B *  |  their locks
 *   slots_at      | slots             64 B *  |  the identity of each cart
 *   pages_at      | page table        4 B *   |  which span a 16 KiB page begins
 *   feed_at       | feed              512 B * |  the last events, numbered: a ring
 *                 | ends              32 B *  |  of them, those by which a cart ended: a ring
 *   space_at      | pages             16 KiB *|  spans of blocks; block = header + cart version
 *   arena_bytes   +---------------------------+
 *
 * Everything before space_at is reserved on disk at creation, up to the end of its extent. Pages
 * are reserved in extents before their first use (header.reserved_pages), and given back when
 * nothing is in them.
 *
 * Index types: a slot, bucket, thread or process is named by number, where 0 means none and n + 1
 * means number n ("plus one"). A block is named by reference: its offset in the file divided by 64;
 * 0 means none.
 *
 * "W:" names the writers of a word, "R:" its readers. "its holder" is the holder of the lock named.
 * "noted" words are intents: written for the repairer by note(), see atomic.h.
 */
#ifndef CORRAL_LAYOUT_H
#define CORRAL_LAYOUT_H

#include "base/base.h"
#include "corral.h"

#define LAYOUT_MAGIC 0x0a1a0d4c41524f43ull /* "COR" "AL" CR SUB LF, read as little endian */
#define LAYOUT_VERSION 9u /* corral-agent --upgrade converts the previous one, see former.h */
#define LAYOUT_BYTE_ORDER 0x01020304u

#define HEADER_BYTES 8192u
#define PAGE_BYTES 16384u
#define BLOCK_UNIT 64u /* a block reference counts these */
/* reserved on disk at a time, at multiples of this size: a huge page */
#define EXTENT_BYTES (2u * 1024 * 1024)
#define SPAN_PAGES_MAX 80u /* no span has more, see class_span_pages() */

#define MAX_PROCESSES 1024u
#define MAX_THREADS 2048u
#define MAX_CLASSES 192u
#define CLASS_COUNT 173u                   /* in use; see block.c */
#define CLASS_SMALLEST 256u                /* bytes of the smallest block */
#define CLASS_LARGEST (1024u * 1024 + 768) /* holds struct feed_copy of the largest cart */
#define STAT_SLOTS 24u                     /* room for stat.def */

/* 0: free; else LOCK_HOLDER = thread plus one, LOCK_WAITERS = a waiter sleeps */
typedef uint32_t lock_word;
typedef uint32_t block_ref; /* offset / BLOCK_UNIT */
typedef uint32_t slot_link; /* slot plus one */

#define LOCK_WAITERS 0x80000000u
#define LOCK_HOLDER 0x00ffffffu

/* ------------------------------------------------------------------ deaths */

#define DEATHS_KEPT 16u

struct death {               /* one repair; see death_log.h. W: its repairer */
	uint64_t number;     /* from 1; 0 while the entry is written */
	int64_t repaired_ms; /* since 1970 */
	int32_t pid;         /* of the dead process, as is `program` */
	int32_t repairer_pid;
	uint32_t process; /* its record's number */
	uint32_t threads; /* the number of its thread records */
	uint32_t found;   /* DEATH_... */
	slot_link slot;   /* whose lock it held */
	uint32_t reserved[4];
	char program[40];
};

static_assert(sizeof(struct death) == 96, "without holes");

/* ------------------------------------------------------------------ header */

/*
 * A reader of the feed that is kept: how far it has got. W: its name and state, the holder of
 * feed_lock, the state last; what it has got to, all, by CAS. R: all, relaxed
 */
#define FEED_CURSORS 16u
#define CURSOR_NAME_BYTES 32u /* NUL-terminated, zeros behind it */

struct feed_cursor {
	char name[CURSOR_NAME_BYTES];
	uint64_t acked;   /* the events before this number were acknowledged; only grows */
	int64_t acked_ms; /* when that was, since 1970 */
	uint32_t state;   /* odd: it is there; one more each time one is made or removed */
	uint32_t reserved[3];
};

static_assert(sizeof(struct feed_cursor) == CACHE_LINE, "one line");

#define JOURNAL_MODE_OFF 0u
#define JOURNAL_MODE_TIME 1u /* a change is on disk after a while */
#define JOURNAL_MODE_SYNC 2u /* a change returns when it is on disk */

struct arena_header {
	/* line 0: identity; written once before the rename that publishes the file */
	uint64_t magic;
	uint32_t layout_version;
	uint32_t byte_order;
	uint64_t fingerprint; /* of the sizes in this file; differs if the structs differ */
	uint64_t arena_bytes;
	uint8_t uuid[16];
	uint64_t header_sum; /* XXH3 of the constant part: identity, geometry, seed */
	uint64_t created_ms;

	/* line 1-2: geometry; constant */
	uint32_t max_carts;
	uint32_t bucket_count; /* a power of two */
	uint32_t page_count;
	uint32_t class_count;
	uint32_t max_processes;
	uint32_t max_threads;
	uint64_t processes_at;
	uint64_t threads_at;
	uint64_t classes_at;
	uint64_t dirty_at;
	uint64_t drained_at;
	uint64_t chains_at;
	uint64_t buckets_at;
	uint64_t slots_at;
	uint64_t pages_at;
	uint64_t space_at;
	uint64_t hash_seed; /* secret: keys hash differently in each arena */
	uint64_t feed_at;
	uint64_t feed_events; /* room for so many: a power of two */

	/*
	 * line 3: settings. W: the agent (withdrawn: any process that notices). R: all, relaxed:
	 * any recent value will do
	 */
	uint8_t boot_id[16];     /* of the boot that clock_offset_ns belongs to */
	int64_t clock_offset_ns; /* arena time = CLOCK_MONOTONIC_COARSE + this; survives reboots */
	uint64_t ttl_ns;         /* default time to live */
	uint64_t time_ns_inode;  /* time namespace of the creator; 0: unknown */
	int64_t heartbeat_ns;    /* arena time of the agent's last round */
	uint32_t withdrawn; /* 1: this file is no longer DIR/arena: no process may go on with it */
	/*
	 * Versions given from now on are greater than this times 2^VERSION_EPOCH_BITS. W: the
	 * creator, or the agent that takes up an arena which may have lost versions, before any
	 * process attaches; it only grows
	 */
	uint32_t version_epoch;
	uint32_t journal; /* JOURNAL_MODE_... */
	/* of new carts: cart_head.currency, and above it, from bit 16, currency_digits; 0: none */
	uint32_t currency;

	/* line 4: grace periods. W: all drivers, by CAS; they only grow. R: all */
	/* readers copy it; each grace period adds one */
	uint64_t gp_phase __attribute__((aligned(CACHE_LINE)));
	/* line 5 */
	/* every reader that began before this phase is gone */
	uint64_t gp_completed __attribute__((aligned(CACHE_LINE)));
	uint64_t gp_fenced; /* the last phase whose membarrier is done */

	/* line 6: the page table and the disk behind it. W: holder of space_lock */
	lock_word space_lock __attribute__((aligned(CACHE_LINE)));
	uint32_t reserved_pages; /* pages below this are reserved on disk */
	uint32_t page_hint;      /* no page below this is free */
	uint32_t pages_used;     /* a counter, for people */
	/* arena time when the disk was last full; 0: it had space since. See span.c */
	int64_t disk_full_ns;

	/* line 7: slots that were never used, or are free again. W: holder of slots_lock */
	lock_word slots_lock __attribute__((aligned(CACHE_LINE)));
	slot_link slots_free;     /* list through slot.next */
	uint32_t slots_used_high; /* slots at and above were never used. R: sweepers, acquire */
	uint32_t threads_high;    /* the same for thread records. W: all, by CAS. R: acquire */
	uint32_t processes_high;  /* the same for process records */

	/*
	 * line 8: futex word for threads that wait for a cart which does not exist yet; bit 0: a
	 * thread waits
	 */
	uint32_t births __attribute__((aligned(CACHE_LINE)));
	uint32_t carts_live;    /* W: all, atomic add; a counter */
	uint64_t deaths;        /* entries ever written into `death`. W: repairers, atomic add */
	uint64_t deaths_logged; /* how many of them are in the agent's log. W: the agent */
	/* of carts_live. W: all, atomic add; a counter, too: a death may leave both off by one */
	uint32_t carts_checked_out;
	/*
	 * What the agent's last sweep over all slots found, for people. W: the agent, relaxed. R:
	 * inspect, relaxed
	 */
	uint32_t carts_ending;  /* their time was up, and they could not be ended yet */
	uint32_t carts_damaged; /* of which the agent knows; see damaged.c there */
	uint32_t reserved5;
	uint64_t cart_bytes; /* of the versions; about */
	uint64_t live_bytes; /* of the blocks they are in; about */
	int64_t counted_ms;  /* when that sweep was over, since 1970; 0: there was none */

	/* line 9-32: the last repairs */
	struct death death[DEATHS_KEPT] __attribute__((aligned(CACHE_LINE)));

	/* line 33: the journal. W: the agent, but for sync_requested */
	/* futex; calls of corral_sync(). W: all, atomic add */
	uint32_t sync_requested __attribute__((aligned(CACHE_LINE)));
	uint32_t sync_done;        /* futex; changes before this many requests are on disk */
	int32_t journal_error;     /* 0, or -errno: nothing became durable since journal_since_ms */
	uint32_t journal_number;   /* of the file being written */
	int64_t journal_since_ms;  /* since 1970 */
	int64_t journal_synced_ms; /* changes up to then are on disk */
	uint32_t journal_base;     /* number of the file with the last whole base; 0 none */
	uint32_t journal_ms;       /* how often dirty carts are written unasked */
	uint64_t journal_syncs;    /* number of syncs of the disk */
	uint64_t ended_version; /* no ended cart had a greater version; only grows. W: all, by CAS.
				   R: the journal */
	/* the nonce in the head of this arena's last journal file, see journal_match.h; 0: none */
	uint64_t journal_nonce;

	/* line 34 */
	/* how much of that file is on disk: up to a CLOCK record's end, or the head's */
	uint64_t journal_bytes __attribute__((aligned(CACHE_LINE)));
	uint64_t journal_end; /* nothing was written to that file beyond this */
	/*
	 * The file that this header was made for, or was verified in: a file copied during a change
	 * is not a valid arena. W: the creator; the agent, when all is verified. R: attaching
	 * processes
	 */
	uint64_t file_device;
	uint64_t file_inode;
	int64_t file_born_ns; /* since 1970: inode numbers are reused; 0: unknown here */

	/*
	 * line 35: how far corral-agent --resize has got with the carts of this arena, which is
	 * withdrawn meanwhile. W: the agent that resizes, holding the agent's byte. R: processes
	 * that are refused, relaxed
	 */
	uint32_t carried __attribute__((aligned(CACHE_LINE))); /* places for carts gone through */
	uint32_t carried_of;      /* of so many; 0: nothing is carried over */
	int64_t carried_since_ms; /* since 1970 */

	/* line 36: what each change looks at for the feed, see store/feed.h */
	/* FEED_ON...: are events written? W: the agent. R: all, relaxed: a setting */
	uint32_t feed __attribute__((aligned(CACHE_LINE)));
	/*
	 * futex word; bit 0: a reader sleeps until there is an event. W: readers set it; wakers, by
	 * CAS to one more
	 */
	uint32_t feed_sleepers;

	/* line 37: the numbered events. W: holder of feed_lock, but for feed_woken_ns */
	lock_word feed_lock __attribute__((aligned(CACHE_LINE)));
	uint32_t feed_reserved;
	uint64_t feed_next; /* the number that the next event gets; never 0. R: readers, acquire */
	/* no event before this one is in the ring: numbers begin anew with each epoch of versions
	 */
	uint64_t feed_first;
	/* CLOCK_MONOTONIC when sleepers were last woken; a hint. W: readers, relaxed */
	int64_t feed_woken_ns;
	uint64_t feed_lost; /* events that were overwritten before they had numbers; for people */
	/* events that could not be told, since the lane was full of ends. W: all, by atomic add;
	   the holder of feed_lock sets it to 0 */
	uint64_t feed_untold;

	/*
	 * line 38: the ends that are kept: the ends_first-th to the one before the ends_next-th of
	 * all that ever were. W: holder of feed_lock, but for ends_journaled. R: all, see
	 * store/feed_ends.h
	 */
	uint64_t ends_first __attribute__((aligned(CACHE_LINE)));
	uint64_t ends_next;
	uint64_t ends_from;      /* all ends of this number, or a greater one, are kept */
	uint64_t ends_journaled; /* those of smaller numbers are on disk. W: the agent */
	uint64_t ends_bytes;     /* of the blocks of the copies */
	uint64_t ends_lost;      /* let go before each cursor had acknowledged them; for people */
	int64_t ends_lost_ms;    /* when that happened last, since 1970 */

	/* line 39-54 */
	struct feed_cursor cursors[FEED_CURSORS] __attribute__((aligned(CACHE_LINE)));

	uint8_t reserved_tail[HEADER_BYTES - (15 + FEED_CURSORS) * CACHE_LINE -
			      DEATHS_KEPT * sizeof(struct death)];
};

static_assert(offsetof(struct arena_header, max_carts) == 1 * CACHE_LINE, "geometry begins line 1");
static_assert(offsetof(struct arena_header, boot_id) == 3 * CACHE_LINE, "settings are line 3");
static_assert(offsetof(struct arena_header, gp_phase) == 4 * CACHE_LINE,
	      "the readers' word is alone");
static_assert(offsetof(struct arena_header, births) == 8 * CACHE_LINE, "births is line 8");
static_assert(offsetof(struct arena_header, death) == 9 * CACHE_LINE, "deaths begin line 9");

/* ----------------------------------------------------------------- process */

/*
 * Record `number` belongs to the process that holds the OFD lock on byte 1 + number of DIR/lock. No
 * other process may write the record: a repairer of the dead takes the byte first.
 */
#define PROCESS_FREE 0u
#define PROCESS_USED 1u /* in use, or its process died and awaits repair */

#define PROCESS_AGENT 1u  /* flags */
#define PROCESS_FENCED 2u /* its readers use full fences: membarrier could not be registered */

#define PROCESS_NAME_BYTES 40 /* NUL-terminated, zeros behind it */

struct process_record {
	uint32_t state;
	uint32_t generation; /* grows when the record is freed */
	int32_t pid;         /* as the process sees it; for people, not to judge liveness */
	uint32_t flags;
	int64_t started_ms; /* since 1970 */
	/* The label, or the program's name: names[name_changes % 2]; see alive_name() */
	uint64_t names[2][PROCESS_NAME_BYTES / sizeof(uint64_t)];
	uint32_t name_changes;
	uint8_t reserved[20];
};

static_assert(sizeof(struct process_record) == 128, "two lines");

/* ------------------------------------------------------------------ thread */

/*
 * A thread record is an identity that outlives its threads. Locks are held in its name, blocks are
 * cached and retired in its lists. When its owner dies, the process that takes the owner's liveness
 * byte acts in its name: it finishes or undoes what stands in the intent, releases the locks, and
 * sets owner to 0. The next owner inherits the lists and settles what is left in hand.
 */
enum splice_kind {
	SPLICE_NONE = 0,
	SPLICE_POP,
	SPLICE_PUSH,
	SPLICE_BUMP,
	SPLICE_CARVE,
	SPLICE_DISSOLVE
};

#define END_COPIES 2u

struct intent {               /* W: the owner (or its repairer). R: its repairer, inspect */
	uint32_t bucket;      /* bucket plus one; noted before its lock is taken */
	slot_link slot;       /* noted before its lock is taken */
	block_ref hand;       /* the block that is in no list and not published */
	block_ref old;        /* the block whose successor is published: to be retired */
	slot_link hand_slot;  /* the slot that is in no list and not linked */
	uint32_t lists;       /* thread plus one: the owner of the retired lists to be locked */
	uint32_t splice_kind; /* a move between a class and the cache */
	uint32_t splice_class;
	block_ref splice_first;
	block_ref splice_last;
	block_ref splice_rest;
	/* EVENT_NOTED: the change is to be told: once it has happened, lane_head (in its low bits)
	   is to be this */
	uint32_t event;
	/* copies of last versions, for the ends among the events that are prepared; 0: none */
	block_ref copies[END_COPIES];
	int64_t since_ns; /* arena time when the call got its locks; for people */
};

static_assert(sizeof(struct intent) == CACHE_LINE, "one line");

#define EVENT_NOTED 0x80000000u
#define EVENT_COPIES 0x40000000u /* the events own what is in `copies`, once they are told */
#define EVENT_UNTOLD 0x20000000u /* they are only counted, once the change has happened */
#define EVENT_FLAGS (EVENT_NOTED | EVENT_COPIES | EVENT_UNTOLD)

struct retired { /* W: holder of lock. Lists through block_header.next */
	lock_word lock;
	block_ref open;    /* retired since the last stamp */
	block_ref waiting; /* wait for grace period `cookie` */
	block_ref ready;   /* their grace period is over */
	uint64_t cookie;
	uint32_t open_count; /* from here hints: a death may leave them wrong */
	uint32_t waiting_count;
	uint64_t open_bytes;
	uint64_t waiting_bytes;
	block_ref deferred; /* retired while the lock was taken. W: the owner, without the lock */
	uint32_t retry_at;  /* open_count at which to try a stuck list again; a hint */
	uint32_t batch;     /* how many blocks should share a grace period, from how long the last
			       one took; a hint */
	uint32_t reserved;
};

static_assert(sizeof(struct retired) == CACHE_LINE, "one line");

struct thread_record {
	/* line 0: the reader's. W: the owner. R: drivers of grace periods, acquire */
	uint64_t reader;      /* 0: in no read-side critical section; else the phase it began in */
	uint32_t nest;        /* depth of nesting */
	uint32_t owner;       /* process plus one; 0: free. W: CAS from 0; the owner or its repairer
				 sets it to 0 */
	uint32_t generation;  /* grows when the record is freed */
	int32_t tid;          /* for people */
	uint64_t revoked;     /* sections up to this phase are void; only grows. W: all, by CAS. See
				 grace.h */
	uint64_t light_phase; /* in this phase sections may begin unfenced; 0: in none */
	uint64_t reader_reserved[2];
	/* not the reader's: behind the last end in the lane that may have no number; 0: there is
	   none. W: the owner */
	uint64_t lane_ends;

	/* line 1 */
	struct intent intent;
	/* line 2 */
	struct retired retired;
	/*
	 * line 3. W: drivers of grace periods, relaxed: for people, and a hint when to check that
	 * the reader is alive
	 */
	uint64_t stalled_phase; /* the phase of `reader` when a driver first waited for it */
	int64_t stalled_ns;     /* arena time of that */
	uint64_t cached_bytes;  /* W: the owner; roughly the size of `cache` */
	int64_t asked_ns;       /* arena time when a driver last checked that it is alive */
	/*
	 * The lane: the events of this record's changes, in their order, until they are numbered.
	 * See store/feed.h
	 */
	uint64_t lane_head;  /* events ever told. W: the owner, release [F1]. R: acquire [F1] */
	uint64_t lane_tail;  /* how many of them are numbered, or lost. W: holder of feed_lock */
	uint64_t lane_stamp; /* of the last event that was noted. W: the owner */
	block_ref lane;      /* the block that the last of them are in; 0: none. W: the owner */
	uint32_t lane_reserved;
	/* line 4...: the owner's free blocks, one list per class */
	block_ref cache[MAX_CLASSES];
	/* counters of stat.def, W: the owner; each owner continues them */
	uint64_t stat[STAT_SLOTS];
};

static_assert(offsetof(struct thread_record, intent) == 1 * CACHE_LINE, "line 1");
static_assert(offsetof(struct thread_record, retired) == 2 * CACHE_LINE, "line 2");
static_assert(offsetof(struct thread_record, cache) == 4 * CACHE_LINE, "line 4");
static_assert(sizeof(struct thread_record) % CACHE_LINE == 0, "whole lines");

/* ------------------------------------------------------------ classes, pages */

struct size_class { /* W: holder of lock */
	lock_word lock;
	block_ref head;     /* free blocks, through block_header.next */
	block_ref bump;     /* blocks from here to bump_end were never used */
	block_ref bump_end; /* bump == bump_end: none */
	uint32_t reserved[12];
};

static_assert(sizeof(struct size_class) == CACHE_LINE, "one line");

/*
 * Page table word: 0 free; else this page begins a span of PAGE_SPAN_PAGES pages
 * that holds blocks of class PAGE_SPAN_CLASS. The words of the span's other pages are 0.
 * W: holder of space_lock.
 */
#define PAGE_WORD(class_no, pages) (((uint32_t)(pages) << 16) | ((uint32_t)(class_no) + 1))
#define PAGE_SPAN_PAGES(word) ((word) >> 16)
#define PAGE_SPAN_CLASS(word) (((word)&0x7fffu) - 1)
#define PAGE_DOOMED 0x8000u /* its span is being dissolved, see pressure.c */

/* ------------------------------------------------------------- bucket, slot */

/*
 * All that a read needs of a bucket. Its lock is elsewhere, so that a cache line has eight of
 * these, and waiting for a lock does not disturb readers.
 */
struct chain {
	slot_link head; /* W: holder of the bucket's lock. R: readers, acquire */
	/*
	 * The version that the first slot had when it was last changed. W: that slot's holder,
	 * relaxed. R: all, relaxed, and only to prefetch its cache lines while the slot is read: it
	 * may be anything, and nothing relies on it.
	 */
	block_ref hint;
};

struct bucket { /* W: holder of lock */
	lock_word lock;
	uint32_t reserved;
	uint64_t version_floor; /* no ended cart of this chain had a greater version */
	uint64_t stamp;         /* of the last end in this chain, as in feed_entry; 0: none */
};

static_assert(sizeof(struct bucket) == 24, "eight in three lines");

struct slot {
	lock_word lock;
	uint32_t change;   /* futex word: each change adds 2; bit 0: a thread waits. RMW by all */
	slot_link next;    /* in the chain (W: holder of the bucket's lock) or the free list (W: of
			      slots_lock). R: all, acquire */
	block_ref current; /* the version; 0: none, or unlinked. W: holder of lock, release [S1]. R:
			      acquire [S1] */
	uint64_t hash;     /* of the key; constant while linked */
	/*
	 * When the cart was last active, and its time to live, see lease.h. W: all, by
	 * compare-and-swap, from a word that runs; from LEASE_OVER and LEASE_ENDED only the holder
	 * of lock. R: all, acquire [S3]
	 */
	uint64_t lease;
	uint32_t size; /* of the version, roughly: the memory a change will need. W: holder of lock,
			  relaxed. A hint */
	uint32_t reserved;
	uint64_t newest; /* SLOT_NEWEST() of the current version; 0: none. W: its publisher. R:
			    salvage, check */
	uint64_t stamp;  /* of the cart's last event, as in feed_entry. W: holder of lock */
	uint32_t reserved2[2];
};

static_assert(sizeof(struct slot) == CACHE_LINE, "one line");

/*
 * The slot's own record of its newest version: the number in the low 48 bits, and above it a check
 * of number and hash. It is stored after `current`, so it may be one version behind if a writer
 * died in between. A flipped bit in it or in the hash shows.
 */
#define SLOT_NEWEST_BITS 48
#define SLOT_NEWEST_VERSION(word) ((uint64_t)(word) & ((1ull << SLOT_NEWEST_BITS) - 1))
#define SLOT_NEWEST(version, hash)                                                                 \
	(SLOT_NEWEST_VERSION(version) |                                                            \
	 ((SLOT_NEWEST_VERSION(version) ^ (uint64_t)(hash)) * 0x9e3779b97f4a7c15ull >>             \
	  SLOT_NEWEST_BITS << SLOT_NEWEST_BITS))

/* ------------------------------------------------------------------- block */

#define BLOCK_MAGIC 0xb10cu

/*
 * How salvage judges a version whose slot is lost. A block is marked BLOCK_LIVE just before its
 * version is published, and BLOCK_STALE before it leaves intent.old for a list; a block that is
 * built but not published stays unmarked. So a block marked live that is in no intent.old is the
 * newest version of its cart, no matter what else is damaged. The marks differ in many bits: no
 * accident turns one into the other.
 */
#define BLOCK_LIVE 0x6c697665u
#define BLOCK_STALE 0x93b41a5cu
/* It holds a copy of a cart's last version, see struct feed_copy. */
#define BLOCK_COPY 0xc5d26b31u

struct block_header {      /* the first 16 bytes of each block; the cart version follows */
	block_ref next;    /* W: the owner of the block's list; readers never read it */
	uint16_t class_no; /* constant once carved */
	uint16_t magic;
	slot_link slot; /* of an ended cart's last version: the slot to free with the block */
	uint32_t mark;  /* BLOCK_LIVE, BLOCK_STALE, BLOCK_COPY; else never published. W:
			   publishers and retirers. R: salvage, check */
};

static_assert(sizeof(struct block_header) == 16, "keeps the cart 16-aligned");

/* -------------------------------------------------------------------- cart */

/*
 * A cart version: immutable once published. It begins 16 bytes into its block.
 *
 *   head (144) | ids, padded to 8 | attributes, padded to 8 | money, if money_size is not 0 |
 *   ops 56 * ops_count | lines 56 * line_count | words of the lines
 *
 * ids: restaurant_id then session_id, without a separator. attributes: a MessagePack map of
 * strings. money: struct cart_money and what follows it; only a cart that has once had a line with
 * a tax rate of its own, an adjustment or a way of pricing has it. Sizes follow from the head;
 * `size` is their sum.
 *
 * The end of the head has what is needed to find a cart: version, sizes and the first 32 bytes of
 * the ids share one cache line.
 *
 *   sum:       XXH3_64 of the bytes from offset 8 to the beginning of the ops (padding is zero)
 *   lines_sum: sum over the lines of XXH3_64(line record, seed = its index), modulo 2^64
 *   ops_sum:   the same over the op records
 *
 * so a change costs checksums of what changed, not of the whole.
 */
#define CART_FORMAT 3u
#define VERSION_MAX (1ull << 48) /* no cart is changed so often: a greater number is damage */
/*
 * A version names one content for ever. Once versions that a caller saw may have been lost, all
 * later ones belong to a later epoch, and at least half an epoch's numbers are skipped. So no lost
 * number is given again unless a cart was changed 2^27 times since the last sync of the journal,
 * which takes half a minute even if nothing else is done. The upper half of all numbers has no
 * epochs: a cart from elsewhere with a huge version does not use up the numbers of the others.
 */
#define VERSION_EPOCH_BITS 28
#define VERSION_EPOCH_MAX ((uint32_t)(VERSION_MAX / 2 >> VERSION_EPOCH_BITS))

struct cart_head {
	uint64_t sum;
	uint64_t lines_sum;
	uint64_t ops_sum;
	uint64_t hash; /* of the key, in the arena it was written in */
	uint64_t seed; /* of the merge keys and operation ids */
	int64_t created_ms;
	int64_t updated_ms;
	uint64_t ttl_ms; /* 0: the arena's default */
	int64_t subtotal_cents;
	int64_t tax_cents;
	uint32_t tax_ppm;
	uint32_t line_count;
	uint32_t next_line; /* the number that the next new line gets; from 1 */
	uint16_t ops_count;
	uint16_t money_size; /* a multiple of 8; 0: there is no such section */
	uint16_t ops_next;   /* index of the next op record once there are CORRAL_OPS_KEPT */
	uint16_t currency; /* three letters of five bits, A is 1, the first the highest; 0: none */
	uint32_t attributes_size;
	uint32_t attribute_count;
	uint32_t words_size;
	/* the ids' cache line begins here */
	uint64_t version;
	int64_t total_cents;
	uint32_t item_count;
	uint32_t size; /* bytes of the whole version, head included */
	uint16_t restaurant_size;
	uint16_t session_size;
	uint16_t format;
	uint8_t status;          /* enum corral_status */
	uint8_t currency_digits; /* behind the point of an amount; 0 without a currency */
};

static_assert(sizeof(struct cart_head) == 144, "as drawn");
static_assert((sizeof(struct block_header) + offsetof(struct cart_head, version)) % CACHE_LINE == 0,
	      "with the ids");

struct cart_line {
	uint32_t line; /* number */
	uint32_t quantity;
	int64_t unit_price_cents;
	int64_t modifiers_cents; /* sum, for one unit */
	/*
	 * XXH3_128 of menu item, modifiers and extras (as sets) and notes: equal means the same
	 * line. 0 and 0: a line that stays by itself.
	 */
	uint64_t merge[2];
	uint64_t words_sum; /* XXH3_64 of the words */
	uint32_t words_at;  /* from the beginning of the words */
	uint16_t words_size;
	uint16_t rate; /* 0: the cart's; else this rate of cart_money.own, plus one */
};

static_assert(sizeof(struct cart_line) == 56, "as drawn");

struct cart_op {              /* a remembered operation and its answer */
	uint64_t id[2];       /* XXH3_128 of the operation id */
	uint64_t fingerprint; /* of the change; 0: unknown. See fingerprint.c */
	uint64_t version;
	int64_t subtotal_cents;
	int64_t tax_cents;
	uint32_t item_count;
	uint32_t line_status; /* bit 31: the status answered; the rest: the line */
};

static_assert(sizeof(struct cart_op) == 56, "as drawn");

/*
 * The section of the money, padded to 8:
 *
 *   struct cart_money | struct cart_taxed * taxed_count |
 *   struct cart_adjustment * adjustment_count | totals 8 * ops_count | names of the adjustments
 *
 * taxed: what was computed for each rate, the lowest first. totals: what the remembered operations
 * answered, in the order of their records (their subtotal and tax do not tell).
 */
#define CART_RATES 8u
#define RATE_UNUSED UINT32_MAX

struct cart_money {
	uint32_t own[CART_RATES]; /* the rates that lines have of their own, or RATE_UNUSED */
	uint8_t pricing;          /* CORRAL_TAX_INSIDE ... */
	uint8_t taxed_count;
	uint8_t adjustment_count;
	uint8_t reserved[5];
};

struct cart_taxed {
	int64_t base_cents; /* without the tax */
	int64_t tax_cents;
	uint32_t tax_ppm;
	uint32_t reserved;
};

struct cart_adjustment {
	int64_t cents;        /* as it was set, if ppm is 0 */
	int64_t amount_cents; /* what it adds to the total; of a discount negative */
	uint32_t ppm;         /* of the subtotal */
	uint16_t name_size;
	uint8_t kind; /* enum corral_adjustment_kind */
	uint8_t after_tax;
};

static_assert(sizeof(struct cart_money) == 40 && sizeof(struct cart_taxed) == 24 &&
		      sizeof(struct cart_adjustment) == 24,
	      "as drawn");

/* -------------------------------------------------------------------- feed */

/*
 * A lane is a block of a thread record: the block's header, in a cache line; how long the record's
 * changes took (struct lane_latency); and entries for events.
 *
 * An event lies in an entry of a lane, or numbered, in the feed's ring. Only as many bytes of it
 * are written as it needs: the fixed part, the texts (restaurant_id, session_id, operation id,
 * without separators, padded to 8), and steps.
 */
#define FEED_ENTRY_BYTES 512u
#define FEED_STEPS 8u /* of a change with more steps the first ones are told */

/* Names an event by its place in a lane; 0: none. */
#define FEED_MARK(thread, index) (((uint64_t)(index)*MAX_THREADS + (uint64_t)(thread)) + 1)
#define FEED_MARK_THREAD(mark) ((uint32_t)(((mark)-1) % MAX_THREADS))
#define FEED_MARK_INDEX(mark) (((mark)-1) / MAX_THREADS)
#define FEED_INDEX_END (UINT64_MAX / MAX_THREADS) /* a lane's indices are smaller */

/*
 * How long changes took; see arena/latency.h. W: the owner. Each owner continues the counts, and
 * first notes how far they were, so that its own can be told.
 */
struct lane_latency {
	uint64_t total_ns;
	uint64_t noted_total_ns;
	uint64_t noted_of; /* generation of the record, plus one, when they were noted; 0: never */
	uint64_t changes[CORRAL_LATENCY_BUCKETS]; /* about how many took so long */
	uint64_t noted[CORRAL_LATENCY_BUCKETS];
	uint64_t reserved[3];
};

static_assert(sizeof(struct lane_latency) == 30 * CACHE_LINE, "whole lines");

struct feed_step {
	uint32_t kind; /* enum cart_step_kind */
	uint32_t line; /* its number, if the step names one; else 0 */
	int64_t amount;
};

static_assert(sizeof(struct feed_step) == 16, "without holes");

struct feed_entry {
	/*
	 * In a lane: its index plus one; in the ring: its number. 0 while the rest is written:
	 * a reader copies the entry and looks at this again [F2].
	 */
	uint64_t number;
	/*
	 * Greater than those of all events that came before it in this lane, and of this cart: a
	 * Lamport clock. In the ring: FEED_MARK() of the lane's entry that it was, or 0.
	 */
	uint64_t stamp;
	uint64_t version;
	int64_t time_ms; /* since 1970 */
	int64_t subtotal_cents;
	int64_t tax_cents;
	int64_t total_cents;
	uint32_t item_count;
	uint32_t line_count;
	/* line 1 */
	union {
		uint64_t missed; /* of a gap: so many events were lost */
		uint64_t copy;   /* of an end: the block with its struct feed_copy; 0: none */
	};
	int32_t pid;
	uint16_t process; /* its record's number */
	uint16_t step_count;
	uint16_t currency; /* as in cart_head */
	uint8_t currency_digits;
	uint8_t status;
	uint8_t kind; /* one of CORRAL_EVENT_... */
	uint8_t restaurant_size;
	uint8_t session_size;
	uint8_t op_size;
	char label[40]; /* of the process, or its program's name */
	uint8_t bytes[FEED_ENTRY_BYTES - 2 * CACHE_LINE];
};

static_assert(sizeof(struct feed_entry) == FEED_ENTRY_BYTES, "as drawn");
static_assert(offsetof(struct feed_entry, bytes) == 2 * CACHE_LINE, "as drawn");

/* The event of an end, and the last version of its cart behind it. Constant once told. */
struct feed_copy {
	struct block_header block;
	uint32_t size;       /* of the version */
	uint32_t event_size; /* as far as the event is used, padded to 16; the version follows */
	uint64_t sum;        /* XXH3_64 of the event from its version on */
	struct feed_entry event; /* its number and stamp are 0 */
};

static_assert(offsetof(struct feed_copy, event) == 32, "keeps the version 16-aligned");

static_assert(CLASS_LARGEST >= sizeof(struct feed_copy) + CORRAL_CART_MAX, "room for any cart");

/* A place of the ring of ends, which lies behind the feed's ring. */
#define ENDS_PER_EVENT 4u /* as many places: ends are few, and are kept for longer */

struct feed_end {
	uint64_t number; /* the event's. 0: the place is being written */
	int64_t time_ms; /* since 1970, when it got its number */
	block_ref copy;  /* owned by this place; 0: none */
	uint32_t bytes;  /* of its block */
	uint32_t kind;   /* one of CORRAL_EVENT_...: of an end, or a gap in which ends may be */
	uint32_t missed; /* of a gap, as far as it fits */
};

static_assert(sizeof(struct feed_end) == 32, "without holes");

/* Differs if one of the shapes above does. */
#define LAYOUT_MIX(hash, value)                                                                    \
	(((uint64_t)(hash) ^ (uint64_t)(value)) * 0x100000001b3ull) /* FNV-1a's step */
#define LAYOUT_MIX4(hash, a, b, c, d)                                                              \
	LAYOUT_MIX(LAYOUT_MIX(LAYOUT_MIX(LAYOUT_MIX(hash, a), b), c), d)
#define LAYOUT_SIZES4(hash, a, b, c, d)                                                            \
	LAYOUT_MIX4(hash, sizeof(struct a), sizeof(struct b), sizeof(struct c), sizeof(struct d))
#define LAYOUT_LIMITS                                                                              \
	LAYOUT_MIX4(LAYOUT_VERSION, MAX_PROCESSES, MAX_THREADS, MAX_CLASSES, CLASS_SMALLEST)
#define LAYOUT_RECORDS                                                                             \
	LAYOUT_SIZES4(LAYOUT_LIMITS, arena_header, process_record, thread_record, intent)
#define LAYOUT_TABLES LAYOUT_SIZES4(LAYOUT_RECORDS, retired, size_class, bucket, slot)
#define LAYOUT_CARTS LAYOUT_SIZES4(LAYOUT_TABLES, block_header, cart_head, cart_line, cart_op)
#define LAYOUT_MONEY LAYOUT_SIZES4(LAYOUT_CARTS, cart_money, cart_taxed, cart_adjustment, death)
#define LAYOUT_FEED                                                                                \
	LAYOUT_SIZES4(LAYOUT_MIX(LAYOUT_MONEY, FEED_STEPS), chain, lane_latency, feed_entry,       \
		      feed_step)
#define LAYOUT_FINGERPRINT LAYOUT_SIZES4(LAYOUT_FEED, feed_copy, feed_end, feed_cursor, retired)

#endif
