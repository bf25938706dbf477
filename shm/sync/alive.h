/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * alive.h: which process this is, for which thread record a call acts, and whether a process is
 * certainly dead.
 *
 * The kernel decides whether a process is alive: each attached process holds an OFD lock (fcntl(2),
 * F_OFD_SETLK) on byte 1 + number of DIR/lock; the agent holds byte 0 as well. The kernel drops the
 * lock when the last descriptor of that open file is closed: at exit, at SIGKILL, at exec. A pid
 * decides nothing. The same lock is the right to repair: a process must take the byte of a dead
 * process before it cleans up after it. So there is one repairer at a time, a repairer that dies
 * frees the byte again, and no new process can claim the record meanwhile.
 */
#ifndef CORRAL_ALIVE_H
#define CORRAL_ALIVE_H

#include <pthread.h>
#include <string.h>

#include "arena/arena.h"
#include "base/atomic.h"

#define ALIVE_AGENT_BYTE 0u
#define ALIVE_BYTE(process) ((process) + 1u)
#define ALIVE_PROBE_BYTE (MAX_PROCESSES + 1u) /* no process has it; probes whether locks work */

/* This process, as attached to one arena. */
struct life {
	/* of DIR/lock; our OFD locks belong to this open file description. -1: no longer ours */
	int fd;
	struct descriptor_id id;
	void *pin;                 /* a mapping of DIR/lock, see alive_open() */
	uint32_t process;          /* our record's number */
	pthread_mutex_t repairing; /* OFD locks do not exclude our own threads from each other */
};

/*
 * On whose behalf something is done: one of our thread records, or that of a dead thread under
 * repair.
 */
struct actor {
	struct arena *arena;
	struct life *life;
	struct thread_record *record;
	uint32_t name;        /* the record's number plus one: its value in lock words */
	uint32_t held;        /* levels of the locks held, see lock.h; for assertions */
	uint32_t patience_ms; /* how long to wait for a living lock holder */
	int64_t give_up_ns; /* CLOCK_MONOTONIC: the end of all waits of this call; 0: none so far */
	bool fenced;        /* membarrier does not reach us: compiler barriers are not enough */
	bool in_change;     /* in the middle of a change: a signal handler must not begin another */
	/* the change closes a cart or shrinks it, so it may use the spare pages, see span.c */
	bool makes_room;
	bool can_membarrier;
	uint32_t events; /* that are prepared for the change under way, see store/feed.h */
	bool lane_full;  /* of ends without a number: changes are not told */
	uint32_t lane;   /* the record's lane when `entries` was set */
	struct feed_entry *entries; /* of that lane; NULL: it has none, or is damaged */
	int64_t lane_again_ns;      /* when a thread without a lane asks for one again */
	uint32_t untimed;           /* so many changes more are not timed, see api/timing.h */
	int64_t timed_tick;         /* the agent's heartbeat when one was timed last */
	uint32_t heavy_entries;     /* sections that began with a full fence in `heavy_phase` */
	uint64_t heavy_phase;
	uint64_t light_phase; /* the phase in which sections begin unfenced; 0: none. See grace.h */
	uint64_t settle_phase;   /* the phase whose light readers we wait for, without membarrier */
	int64_t settle_since_ns; /* since when (CLOCK_MONOTONIC) */
	/*
	 * Repairs all thread records of a dead process whose byte we hold. The store layer provides
	 * it.
	 */
	void (*repair)(struct arena *arena, uint32_t process);
};

/*
 * Open DIR/lock; `create` creates it if it is missing. -ENOLCK: OFD locks do not work here, so no
 * process could tell whether another is alive.
 *
 * The file is also mapped, though the mapping is never touched: an OFD lock lasts as long as its
 * open file, and a mapping keeps that open just as a descriptor does. So a host that closes all its
 * descriptors does not look dead and is not repaired while it is alive. A child made by fork does
 * not get the mapping.
 */
int alive_open(int dir_fd, bool create, struct life *ret_life, char *why);
void alive_close(struct life *life);

/* In a forked child, whose parent holds the locks: close what was inherited. */
void alive_disown(struct life *life);

/* Take a byte. True: no living process had it. Never waits. */
bool alive_take(const struct life *life, uint32_t byte);
void alive_drop(const struct life *life, uint32_t byte);

/* Does another living process hold the byte? Any descriptor of DIR/lock will do. */
bool alive_test(int lock_fd, uint32_t byte);

/* Is any other living process attached? Processes of an earlier boot do not count. */
bool alive_anybody(int lock_fd);

static inline void alive_name_word(char *name, const uint64_t *words, uint32_t number)
{
	const uint64_t word = load_relaxed(&words[number]);

	memcpy(name + number * sizeof(word), &word, sizeof(word));
}

static_assert(PROCESS_NAME_BYTES == 5 * sizeof(uint64_t), "alive_name() copies five words");

/*
 * The name that a process record shows. It has two places: a new name is written into the one that
 * is not shown, and one store shows it, so a death in between leaves the old name, and a reader
 * that the process's next name overtakes begins again. After eight times it gives up, with "".
 */
static inline void alive_name(const struct process_record *record,
			      char ret_name[PROCESS_NAME_BYTES])
{
	for (int i = 0; i < 8; i++) {
		uint32_t changes = load_acquire(&record->name_changes); /* pairs [N2] */
		const uint64_t *words = record->names[changes % 2];
		/* one by one: a loop is slower, and each event has a copy */
		alive_name_word(ret_name, words, 0);
		alive_name_word(ret_name, words, 1);
		alive_name_word(ret_name, words, 2);
		alive_name_word(ret_name, words, 3);
		alive_name_word(ret_name, words, 4);
		fence_loads(); /* the words are read before it is looked at again. pairs [N1] */
		if (unlikely(load_relaxed(&record->name_changes) != changes))
			continue;
		ret_name[PROCESS_NAME_BYTES - 1] = '\0';
		return;
	}
	memset(ret_name, 0, PROCESS_NAME_BYTES);
}

/*
 * Claim a process record whose byte is free. The leftovers of a dead predecessor are repaired first
 * (records of the dead are claimed before unused ones). The record has the label, or, if that is
 * "", the program's name, before it counts as used. -EUSERS: every record belongs to a living
 * process.
 */
int alive_claim(struct arena *arena, struct life *life, void (*repair)(struct arena *, uint32_t),
		uint32_t flags, const char *label);

/* Show another label from now on. */
void alive_label(struct arena *arena, const struct life *life, const char *label);

void alive_give_back(struct arena *arena, struct life *life);

/*
 * If the process that owns thread record `name` is dead: repair it and free its record. True: it
 * was dead (and is repaired), or the record no longer has an owner.
 */
bool alive_bury_if_dead(struct actor *actor, uint32_t name);

/* Check all process records and repair the dead ones. Returns how many were dead. */
uint32_t alive_bury_all(struct arena *arena, struct life *life,
			void (*repair)(struct arena *, uint32_t));

#endif
