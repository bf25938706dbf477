/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote.h: handles to carts on other machines, behind an engine (engine.h).
 *
 * Such a handle has an arena and a share, too, that belong to nobody: an arena without carts, with
 * the store's seed and settings, so that what asks a handle for them need not know which kind it
 * is; and a share that is lost, so that handle_actor() refuses with -EREMOTE on its slow path. That
 * is where calls turn off to the functions below: the way of directories is as long as before.
 */
#ifndef CORRAL_REMOTE_H
#define CORRAL_REMOTE_H

#include "api/engine.h"
#include "api/handle.h"
#include "api/remote_record.h"
#include "cart/cart.h"
#include "cart/portable.h"

#define REMOTE_PATIENCE_MS                                                                         \
	6000u /* a cluster takes 2 to 4 s to put a replica in a master's place                     \
	       */

struct remote_view { /* the version's bytes follow */
	struct remote_view *next;
	uint64_t number; /* of the view, among all of the process */
	pid_t pid;
	int32_t tid;
};

/* Memory to change a cart in. Only the pages that are used cost anything. */
struct remote_work {
	struct remote_work *next;
	struct cart_plan plan;
	struct engine_value base; /* what the change starts from; its record is the work's */
	uint64_t old[CORRAL_CART_MAX / 8];
	uint64_t made[CORRAL_CART_MAX / 8];
	uint8_t record[1024 + PORTABLE_MAP_MAX];
};

/*
 * What this handle has last seen of a cart, made into a version: so that a change need not ask for
 * it first, and a read of the same content need not make a version again. A guess: the stamp
 * decides.
 */
#define REMOTE_BASES 64u
#define REMOTE_BASE_MAX 65536u /* a larger version is not kept */
struct remote_base {
	uint64_t hash;             /* of the cart's key */
	struct engine_value value; /* its record is only what precedes the map */
	uint8_t record[RECORD_HEADER_MAX];
	void *version;
	uint32_t size; /* of the version */
	size_t room;
	int64_t spread_ns; /* over so long a time this handle's changes of the cart are spread */
};

#define REMOTE_RANDOMS 16u

enum remote_count {
	REMOTE_CHANGES,
	REMOTE_REPEATS,
	REMOTE_CONFLICTS,
	REMOTE_AGAIN,
	REMOTE_BUSY,
	REMOTE_FULL,
	REMOTE_COUNTS
};

struct remote {
	const struct engine *engine;
	void *store;
	struct engine_settings settings;
	uint64_t counts[REMOTE_COUNTS]; /* relaxed */
	uint64_t epoch;                 /* of no thread */
	struct share share;
	struct chain chain; /* of no cart */
	struct arena_header header __attribute__((aligned(CACHE_LINE)));
	pthread_mutex_t mutex; /* protects what follows */
	pid_t pid; /* of the process that the mutex belongs to; 0: it is being made new */
	struct remote_view *views;
	uint64_t view_number;
	struct remote_work *idle;
	uint32_t idle_count;
	uint64_t randoms[REMOTE_RANDOMS]; /* so many of them are unused: */
	uint32_t random_count;
	struct remote_base bases[REMOTE_BASES];
};

/* attach.c: corral->flags is set. 0 or -errno and why. */
int remote_open(struct corral *corral, const char *location, char *why);
void remote_close(struct corral *corral);
int remote_set_label(struct corral *corral, const char *label);

pid_t remote_own_pid(void); /* as getpid(), but quick */

/* Take and drop the mutex; the caller does nothing that waits meanwhile. */
void remote_lock(struct remote *remote);
void remote_unlock(struct remote *remote);

/* NULL: there is no memory. */
struct remote_work *remote_take_work(struct remote *remote);
void remote_give_work(struct remote *remote, struct remote_work *work);

/* What is left at this time of the time to live of a value, and is that to be renewed? */
uint64_t remote_left_ms(const struct engine_value *value, int64_t boot_ms);
bool remote_is_due(const struct engine_value *value, int64_t boot_ms);

/*
 * Note what was seen of a cart: a value, and the version that is in it. No cart, or one that ended:
 * nothing is known any more.
 */
void remote_keep_base(struct remote *remote, uint64_t hash, const struct engine_value *value,
		      const void *version, uint32_t size);

/*
 * Copy it: the version into work->old, the value, with the beginning of its record, into
 * work->base. value: NULL, or only if it is this value's (then work->base stays). The version's
 * size, or 0: nothing is known.
 */
uint32_t remote_take_base(struct remote *remote, uint64_t hash, const struct engine_value *value,
			  struct remote_work *work);

/* How long changes of this cart are spread over, so that those of many do not meet. */
int64_t remote_spread_ns(struct remote *remote, uint64_t hash);

/* A swap took so long, and was made, or met another. */
void remote_learn(struct remote *remote, uint64_t hash, bool met, int64_t took_ns);

/* Sleep for a part of this time, by chance; at most until then. */
void remote_step_aside(int64_t spread_ns, int64_t give_up_ns);

static inline void remote_count(struct remote *remote, enum remote_count which)
{
	(void)fetch_add_relaxed(&remote->counts[which], 1u);
}

/* When a call that begins now gives up. */
int64_t remote_give_up_ns(const struct corral *corral);

/* When one request of such a call has to be answered, however little patience is left. */
int64_t remote_request_end(int64_t give_up_ns);

uint64_t remote_random(struct remote *remote);
int64_t remote_boot_ms(void); /* of a clock that goes on while the machine sleeps */

/* Sleep a little longer with each round (from 0 on), in all until then. False: the time is up. */
bool remote_pause(uint32_t round, int64_t give_up_ns);

/*
 * What the key has, asked again and again until then. 0; -EHOSTDOWN: no server answers; others as
 * the engine's. ret_durable: NULL, or of ENGINE_TOUCH_DURABLY.
 */
int remote_get(struct corral *corral, const struct corral_key *key, unsigned flags,
	       int64_t give_up_ns, struct engine_value *ret_value,
	       struct engine_durable *ret_durable);

/*
 * The version in a value's record, into buffer (CORRAL_CART_MAX bytes). 0; -ENOENT: there is no
 * cart; -EUCLEAN: it is no cart, or another's. key: NULL, or whose it has to be.
 */
int remote_unpack(const struct corral *corral, const struct engine_value *value,
		  const struct corral_key *key, void *buffer, struct portable_version *ret_made);

/*
 * The calls of corral.h. The key is well-formed, and the handle may be written where need be.
 * give_up_ns: when the call's own patience ends; 0: it has none.
 */
int remote_change(struct corral *corral, const struct corral_key *key, struct cart_change *change,
		  const struct corral_op *op, int64_t give_up_ns, struct corral_result *ret_result,
		  uint32_t *ret_step);
int remote_put(struct corral *corral, const struct corral_key *key, struct cart_change *put,
	       uint64_t idle_ns);
int remote_read_begin(struct corral *corral, const struct corral_key *key, unsigned flags,
		      struct corral_view *ret_view);
int remote_read_end(struct corral_view *view);
int remote_leave_thread(struct corral *corral);
int remote_thread_abandon(struct corral *corral);
int remote_list(struct corral *corral, void **cursor, const struct corral_text *restaurant,
		struct corral_entry *ret_entries, size_t max, size_t *ret_count);
/*
 * The version of the next cart of a list, into buffer (CORRAL_CART_MAX bytes). 1: there are no
 * more; -EUCLEAN: it is damaged, and the list goes on.
 */
int remote_next(struct corral *corral, void **cursor, void *buffer, uint32_t *ret_size,
		uint64_t *ret_idle_ms);
void remote_list_end(struct corral *corral, void *cursor);
int remote_wait(struct corral *corral, const struct corral_key *key, uint64_t past_version,
		int timeout_ms, uint32_t *cancel, uint64_t *ret_version);
int remote_look(struct corral *corral, const struct corral_key *key, uint64_t past_version,
		uint64_t *ret_version);
int remote_look_at_disk(struct corral *corral);

/* The carts on servers among those that corral_wait_any() waits for; all 0 at first. */
struct remote_waited {
	struct corral *corral; /* NULL: it is no such cart, or nothing tells of it */
	uint32_t number;       /* of the cart, in its watch */
	bool told;             /* it may have changed */
	int64_t look_ns;       /* when it is looked at in any case */
};
struct remote_watch { /* one for each handle */
	struct corral *corral;
	void *watch;
	uint32_t count;
};
struct remote_waits {
	bool begun;
	struct remote_waited *carts; /* as many as are awaited */
	uint32_t count;
	struct remote_watch *watches;
	uint32_t watch_count;
};

bool remote_is_awaited(const struct corral_awaited *awaited);

/* Need this one not be looked at now? If it is, remote_waits_looked() notes that. */
bool remote_waits_skip(const struct remote_waits *waits, uint32_t index);
void remote_waits_looked(struct remote_waits *waits, uint32_t index);

/*
 * Wait until one is told of or to be looked at, at most until then. 0; -ETIMEDOUT; -EINTR; -ENOENT:
 * there are none. With more than one handle it does not wait.
 */
int remote_waits_sleep(struct remote_waits *waits, struct corral_awaited *const *awaited,
		       uint32_t count, int64_t until_ns, const uint32_t *cancel);
void remote_waits_end(struct remote_waits *waits);

int remote_sync(struct corral *corral, int timeout_ms, uint32_t *cancel);
int remote_about(struct corral *corral, struct engine_about *ret_about);

#endif
