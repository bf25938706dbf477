/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine.h: the interface of engines, which keep carts on other machines: five calls (get, swap,
 * end, list, watch) and a few about the store itself. Directories have no engine.
 *
 * An engine is a module of its own, such as libcorral-redis.so.0, that is loaded when a location
 * asks for it. It imports nothing from libcorral: it gets a table of functions (struct engine_host)
 * and gives one (struct engine). Both sides are of one version, ENGINE_ABI.
 *
 * An engine knows nothing of carts. For each key it keeps a version, a time to live, and a record:
 * bytes whose meaning libcorral knows (remote_record.h). It compares versions and swaps records;
 * that is all the logic it has.
 *
 * All calls may be made by several threads at once, and in a forked child of the process that
 * opened the store. give_up_ns is a time of CLOCK_MONOTONIC. No call is made with pthread
 * cancellation enabled.
 */
#ifndef CORRAL_ENGINE_H
#define CORRAL_ENGINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "corral.h"

#define ENGINE_ABI 2u
#define ENGINE_SYMBOL "corral_engine" /* a const struct engine */

/*
 * What the calls below answer besides 0 and errors that repeating does not mend (-EACCES, -EPROTO,
 * ...): the call was not carried out, or it is not known whether it was.
 */
#define ENGINE_NOT_DONE (-EAGAIN)
#define ENGINE_UNKNOWN (-EINPROGRESS)

struct engine_host {
	/* a socket, close-on-exec, non-blocking, whose number is never below 3; -1 and errno */
	int (*open_socket)(int domain, int type);
	pid_t (*own_pid)(void); /* getpid(), also in a forked child, but quick */
};

/* What a key has. */
struct engine_value {
	uint64_t version; /* 0: nothing, not even an ended cart */
	uint64_t id;      /* of the change that made it: both together name one content */
	uint64_t ttl_ms;
	int64_t left_ms; /* of the time to live, at that time: */
	int64_t seen_ms; /* CLOCK_BOOTTIME, which goes on while a machine sleeps */
	uint64_t floor;  /* without a cart: the version of a new one has to be greater; or 0 */
	void *record;    /* from malloc(): whoever gets the value frees it; NULL: none */
	size_t size;
	bool ended; /* the cart of this version has ended: the record has no cart in it */
	bool kept;  /* swap: the key is kept for this change, as it asked */
};

/* Did what was written reach the replicas? */
struct engine_durable {
	bool durable;
	int error; /* why it is not known; 0: nobody asked for it */
};

struct engine_swap {
	uint64_t expected;    /* the version that is to be replaced; 0: there is none */
	uint64_t expected_id; /* of that version */
	bool expected_ended;  /* and it is that of an ended cart */
	uint64_t floor;       /* of a creation: the floor it was made with */
	uint64_t version;     /* the new one */
	uint64_t id;          /* likewise */
	uint64_t ttl_ms;      /* likewise; of an end: how long the engine remembers it */
	uint64_t idle_ms;     /* so much of it has passed already */
	const void *record;   /* likewise */
	size_t size;
	/*
	 * If another version is there: keep the key for this change for so long, in which no other
	 * change swaps it, unless it is kept already. 0: do not.
	 */
	uint64_t keep_ms;
	bool no_wait;   /* the caller does not ask for durability */
	bool renew;     /* set the time to live; else the key goes on with what it has */
	bool contended; /* another version is likely to be there */
};

#define ENGINE_TOUCH 1u /* get: if its time is due to be renewed, renew it */
#define ENGINE_FLOOR 4u /* get: of no cart, the floor is wanted */
/* get: renew it in any case, and wait until that, and all before it, has reached the replicas */
#define ENGINE_TOUCH_DURABLY 2u

/* How the store is set up, as far as the engine can tell. */
struct engine_about {
	int64_t keys;       /* carts, and those that ended lately; -1: not known */
	int64_t masters;    /* servers that take changes */
	int64_t replicas;   /* the least number that a master has; likewise */
	int32_t appendonly; /* 1: changes are written to disk; 0: they are not; -1: not known */
	int32_t noeviction; /* 1: nothing is dropped when memory is full; likewise */
};

/* What every open of one store finds the same. */
struct engine_settings {
	uint64_t seed;
	uint64_t ttl_ms;
	char currency[4];
	uint32_t replicas; /* how many a change waits for at least; 0: changes do not wait */
};

struct engine {
	uint32_t abi;
	/* 0 or -errno, and why (REASON_BYTES). */
	int (*open_store)(const char *location, const struct engine_host *host, void **ret_store,
			  struct engine_settings *ret_settings, char *why);
	/* also in a forked child, which must not disturb its parent's connections */
	void (*close_store)(void *store);

	int (*get)(void *store, const struct corral_key *key, unsigned flags, int64_t give_up_ns,
		   struct engine_value *ret_value, struct engine_durable *ret_durable);
	/* 0; 1: another version is there, *ret_now: which; 2: it is kept for another change. */
	int (*swap)(void *store, const struct corral_key *key, const struct engine_swap *swap,
		    int64_t give_up_ns, struct engine_value *ret_now,
		    struct engine_durable *ret_durable);
	/* The same, and what is left is an ended cart of that version. */
	int (*end)(void *store, const struct corral_key *key, const struct engine_swap *swap,
		   int64_t give_up_ns, struct engine_value *ret_now,
		   struct engine_durable *ret_durable);
	/*
	 * One cart after another, each once. *cursor: NULL at first; list_end() frees it. 0 and a
	 * value; 1: that was all. After an error it stands where it stood.
	 */
	int (*list)(void *store, void **cursor, const struct corral_text *restaurant_id,
		    int64_t give_up_ns, struct engine_value *ret_value);
	void (*list_end)(void *cursor);
	/*
	 * Be told of changes of keys. watch_add(): *watch is NULL at first; the keys of a watch are
	 * numbered from 0 on, as they come. watch_next(): wait until one of them may have changed,
	 * at most until then; 0 and its number: look at it; -ETIMEDOUT; -EINTR; -ENOMEM. Each is
	 * told of once when it is watched, and whenever changes may have been missed.
	 */
	int (*watch_add)(void *store, void **watch, const struct corral_key *key);
	int (*watch_next)(void *store, void *watch, int64_t until_ns, uint32_t *ret_number);
	void (*watch_end)(void *watch);

	/* Wait until all that this process has changed has reached the replicas. */
	int (*sync)(void *store, int64_t give_up_ns, uint32_t *cancel);
	int (*about)(void *store, int64_t give_up_ns, struct engine_about *ret_about);
	/* How servers list the connections that this process makes from now on. */
	void (*name)(void *store, const char *label);
};

#endif
