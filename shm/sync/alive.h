/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * alive.h: who am I, in whose name do I act, and is that one dead for certain.
 *
 * Life is a fact held by the kernel: each attached process holds an OFD lock
 * (fcntl(2), F_OFD_SETLK) on byte 1 + number of DIR/lock, the agent also on byte 0.
 * The kernel drops it when the last descriptor of that open file is gone, so: with exit,
 * kill, exec. Nobody judges by pid. The same lock is the right to repair: who wants to
 * clean up after a dead process takes its byte first. So there is one repairer at a time, a
 * repairer that dies frees the byte again, and no new process can move in meanwhile.
 */
#ifndef CORRAL_ALIVE_H
#define CORRAL_ALIVE_H

#include <pthread.h>

#include "arena/arena.h"

#define ALIVE_AGENT_BYTE 0u
#define ALIVE_BYTE(process) ((process) + 1u)
#define ALIVE_PROBE_BYTE (MAX_PROCESSES + 1u) /* nobody's: to see whether locks work */

/* This process, as one attached to an arena. */
struct life {
	int fd; /* of DIR/lock; our open file description carries our OFD locks. -1: not ours any
		   more */
	struct descriptor_id id;
	void *pin;                 /* a mapping of DIR/lock, see alive_open() */
	uint32_t process;          /* our record's number */
	pthread_mutex_t repairing; /* OFD locks do not exclude our own threads from each other */
};

/* In whose name something is done: a thread record, ours or that of the dead we repair. */
struct actor {
	struct arena *arena;
	struct life *life;
	struct thread_record *record;
	uint32_t name;        /* its number plus one: what stands in lock words */
	uint32_t held;        /* levels of the locks held, see lock.h; for assertions */
	uint32_t patience_ms; /* how long to wait for the living */
	bool fenced;          /* compiler barriers are not enough: membarrier does not reach us */
	bool in_change;  /* its thread is changing a cart: a signal handler must not begin another
			    change */
	bool makes_room; /* what it changes is closed or made smaller: it may have the pages that
			    are kept spare, see space.c */
	bool can_membarrier;
	uint32_t heavy_entries; /* sections that began with a full fence in the phase `heavy_phase`
				 */
	uint64_t heavy_phase;
	uint64_t light_phase;  /* the phase in which ours begin without one; 0: none. See grace.h */
	uint64_t settle_phase; /* the phase for whose light readers we wait, without membarrier */
	int64_t settle_since_ns; /* since when (CLOCK_MONOTONIC) */
	/*
	 * Repair all thread records of a dead process whose byte we hold. Set by the floor that
	 * knows how.
	 */
	void (*repair)(struct arena *arena, uint32_t process);
};

/*
 * Open DIR/lock, created if missing when `create`. -ENOLCK: OFD locks do not work here, so nobody
 * could tell who lives.
 *
 * A mapping of it is kept, too, which is never touched: a lock lasts as long as the open file that
 * it was taken with, and a mapping keeps that open as a descriptor does. So a host that closes all
 * descriptors does not make us look dead, to be repaired while we live. A child made by fork does
 * not get the mapping.
 */
int alive_open(int dir_fd, bool create, struct life *ret_life, char *why);
void alive_close(struct life *life);

/* In a child, whose parent holds the locks: let go of what was inherited. */
void alive_disown(struct life *life);

/* Take a byte: true when nobody alive had it. Never waits. */
bool alive_take(const struct life *life, uint32_t byte);
void alive_drop(const struct life *life, uint32_t byte);

/* Is a byte held by a living process other than us? Any descriptor of DIR/lock will do. */
bool alive_test(int lock_fd, uint32_t byte);

/*
 * Is any process attached that lives, other than us? One that was attached in an earlier boot does
 * not.
 */
bool alive_anybody(int lock_fd);

/*
 * Claim a process record: one whose byte is free. What a dead predecessor left in it is
 * repaired first (records of the dead are taken before unused ones). -EUSERS when all are alive.
 */
int alive_claim(struct arena *arena, struct life *life, void (*repair)(struct arena *, uint32_t),
		uint32_t flags);
void alive_give_back(struct arena *arena, struct life *life);

/*
 * If the process that owns thread record `name` is dead: repair it and free its record. True when
 * it was dead (and is repaired), or the record has no owner any more.
 */
bool alive_bury_if_dead(struct actor *actor, uint32_t name);

/* Look at all process records; repair the dead ones. Returns how many. */
uint32_t alive_bury_all(struct arena *arena, struct life *life,
			void (*repair)(struct arena *, uint32_t));

#endif
